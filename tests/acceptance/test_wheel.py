"""The wheel carries the default model: it works in an environment and a folder of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=checkout, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return path


def test_the_wheel_holds_the_models_the_lexicon_the_scheme_and_the_licences(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {
        "pipeline/models/default/manifest.json",
        "pipeline/models/default/model.npz",
        "pipeline/models/default/encoder_layers.npz",
        "pipeline/models/fast/model.npz",
        "pipeline/resources/cues.toml",
        "pipeline/resources/label_scheme.toml",
        "pipeline/resources/report.html.j2",
        "pipeline/py.typed",
    } <= names
    assert {name.rpartition("/")[2] for name in names if ".dist-info/" in name} >= {
        "LICENSE",
        "LICENSE-all-MiniLM-L6-v2",
    }
    assert not [name for name in names if name.startswith(("tests/", "data/", "docs/"))]


def test_the_wheel_asks_for_no_one_version_of_scikit_learn_and_for_no_skops(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = archive.read(name).decode()
    needed = [line.removeprefix("Requires-Dist: ") for line in metadata.splitlines() if "Requires-Dist" in line]
    (learner,) = (requirement for requirement in needed if requirement.startswith("scikit-learn"))
    assert "==" not in learner
    assert not [requirement for requirement in needed if requirement.startswith("skops")]


def lend_packages(locked: Path, site: Path) -> None:
    """Put the packages of a lock file into another environment, as links to those of this one."""
    for name in re.findall(r"^([\w.-]+)(?:\[.*\])?==", locked.read_text(encoding="utf-8"), re.MULTILINE):
        package = distribution(name)
        for top in {file.parts[0] for file in package.files or () if ".." not in file.parts}:
            link = site / top
            if not link.exists():
                link.symlink_to(str(package.locate_file(top)))


@pytest.mark.slow
def test_an_installed_stance_reports_on_a_page_outside_the_checkout(
    wheel: Path, checkout: Path, samples: Path, tmp_path: Path
) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "env")], check=True)
    python = tmp_path / "env" / "bin" / "python"
    (site,) = tmp_path.glob("env/lib/python*/site-packages")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--python", str(python)]
    subprocess.run([*pip, "install", "--no-deps", "--no-index", str(wheel)], check=True)
    # What the tests need besides is not there: a package that nobody asked for would be missed.
    lend_packages(checkout / "requirements" / "runtime.txt", site)
    subprocess.run([*pip, "check"], check=True)
    page = tmp_path / "page.txt"
    page.write_bytes((samples / "laser_while_nursing.txt").read_bytes())
    environment = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "MEDSTANCE_MODEL"}}

    command = [str(python.with_name("stance")), "report", "page.txt", "-o", "report.html", "-o", "report.json"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (0, "")
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert report["questions"][0]["n_answers"] == 9
    assert report["model"]["names"][0].startswith("default@")
    assert (tmp_path / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")
