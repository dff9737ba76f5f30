"""The documentation says what is: every command, option, link and exit code it names exists, and none is left out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline import errors
from pipeline.cli import app

COMMANDS = [command.callback.__name__ for command in app.registered_commands if command.callback is not None]
PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    "data/README.md",
    "models/README.md",
    "docs/method.md",
    "docs/decisions.md",
    "docs/scale.md",
]


@pytest.mark.parametrize("command", [*COMMANDS, "models"])
def test_the_readme_names_every_command(command: str, checkout: Path) -> None:
    assert f"`stance {command}" in (checkout / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_every_local_link_leads_somewhere(page: str, checkout: Path) -> None:
    text = (checkout / page).read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", text)
    missing = [t for t in targets if not t.startswith("http") and not ((checkout / page).parent / t).exists()]
    assert missing == []


def test_the_readme_names_every_exit_code(checkout: Path) -> None:
    text = (checkout / "README.md").read_text(encoding="utf-8")
    codes = {
        errors.EXIT_DONE,
        errors.EXIT_CHANGED,
        errors.WrongUsage.exit_code,
        errors.BadInput.exit_code,
        errors.ModelError.exit_code,
        errors.EXIT_QUARANTINED,
        errors.EXIT_INTERRUPTED,
    }
    assert set(map(int, re.findall(r"^\| (\d+) \|", text, flags=re.MULTILINE))) == codes


def test_the_readme_shows_what_the_demo_prints(
    checkout: Path, samples: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.cli import run

    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("MEDSTANCE_MODEL")
    assert run(["report", str(samples / "laser_while_nursing.txt")]) == 0
    assert capsys.readouterr().out.rstrip() in (checkout / "README.md").read_text(encoding="utf-8")


def test_the_readme_shows_what_explains_a_call(
    checkout: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.cli import run

    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("MEDSTANCE_MODEL")
    question, text = "Does microneedling at home make pores smaller?", "It works, but I would not do it."
    assert run(["explain", "-q", question, text]) == 0
    assert capsys.readouterr().out.rstrip() in (checkout / "README.md").read_text(encoding="utf-8")


def test_the_map_of_the_house_names_every_module(checkout: Path) -> None:
    house = (checkout / "README.md").read_text(encoding="utf-8")
    modules = [p.name for p in (checkout / "pipeline").glob("*.py") if not p.name.startswith("__")]
    assert [name for name in modules if name not in house] == []


def test_no_lock_names_an_index(checkout: Path) -> None:
    for lock in (checkout / "requirements").glob("*.txt"):
        text = lock.read_text(encoding="utf-8")
        assert "://" not in text, lock
        assert "--index-url" not in text, lock
        assert "--hash=sha256:" in text, lock
