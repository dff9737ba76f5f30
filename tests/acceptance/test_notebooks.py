"""The notebooks run from scratch, and stay small, stripped and without numbers that go stale."""

from __future__ import annotations

import ast
import json
import os
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from ipykernel.kernelspec import write_kernel_spec
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))
MAX_FUNCTION_LINES = 5
CELL_SECONDS = 300

notebooks = pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])


def read_cells(path: Path, kind: str) -> list[dict[str, Any]]:
    return [cell for cell in json.loads(path.read_bytes())["cells"] if cell["cell_type"] == kind]


def read_source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def parse_code(path: Path) -> ast.Module:
    return ast.parse("\n".join(map(read_source, read_cells(path, "code"))))


def list_files(folder: Path) -> set[str]:
    """List what is in a folder, but for what Python and tools keep beside sources."""
    found = (path.relative_to(folder) for path in folder.rglob("*"))
    return {str(path) for path in found if "__pycache__" not in path.parts and ".ipynb_checkpoints" not in path.parts}


@pytest.fixture
def scratch(checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, and beside it a kernel of this interpreter that knows nothing of the user's."""
    # Kernels inherit the environment: all that Jupyter, IPython and tempfile would put elsewhere is put here.
    for name in ("JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "TMPDIR"):
        place = tmp_path / name.lower()
        place.mkdir()
        monkeypatch.setenv(name, str(place))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(checkout), os.environ.get("PYTHONPATH")])))
    monkeypatch.delenv("MPLBACKEND", raising=False)
    write_kernel_spec(tmp_path / "jupyter" / "kernels" / "python3")
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def test_there_is_a_notebook_on_corpus_model_and_consensus() -> None:
    assert [path.name for path in NOTEBOOKS] == ["01_corpus.ipynb", "02_model.ipynb", "03_consensus.ipynb"]


@pytest.mark.slow
@notebooks
def test_it_runs_from_scratch_without_a_warning_and_leaves_nothing(path: Path, scratch: Path, checkout: Path) -> None:
    watched = [checkout / name for name in ("notebooks", "data", "docs", "models")]
    before, content = [list_files(folder) for folder in watched], path.read_bytes()
    notebook = nbformat.read(path, as_version=nbformat.NO_CONVERT)  # type: ignore[no-untyped-call]
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=CELL_SECONDS,
        startup_timeout=CELL_SECONDS,
        resources={"metadata": {"path": str(scratch)}},
    )
    client.execute()

    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert [output.text for output in outputs if output.output_type == "stream" and output.name == "stderr"] == []
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert list(scratch.iterdir()) == []
    assert [list_files(folder) for folder in watched] == before
    assert path.read_bytes() == content


@notebooks
def test_it_is_stripped_of_all_that_a_run_adds(path: Path) -> None:
    notebook = json.loads(path.read_bytes())
    assert notebook["metadata"] == {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    assert {(cell["execution_count"], len(cell["outputs"])) for cell in read_cells(path, "code")} == {(None, 0)}
    assert [cell["metadata"] for cell in notebook["cells"] if cell["metadata"]] == []
    number = path.stem[:2]
    assert [cell["id"] for cell in notebook["cells"]] == [
        f"{number}-{n:02d}" for n in range(1, len(notebook["cells"]) + 1)
    ]
    nbformat.validate(notebook)


@notebooks
def test_it_imports_the_pipeline_and_defines_nothing_that_belongs_there(path: Path) -> None:
    nodes = list(ast.walk(parse_code(path)))
    imported = {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    assert any(module.startswith("pipeline.") for module in imported)
    assert [node.name for node in nodes if isinstance(node, ast.ClassDef)] == []
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)]
    long = [ast.unparse(f) for f in functions if (f.end_lineno or f.lineno) - f.lineno + 1 > MAX_FUNCTION_LINES]
    assert long == []


@notebooks
def test_its_text_has_no_number_that_could_go_stale(path: Path) -> None:
    texts = [read_source(cell) for cell in read_cells(path, "markdown")]
    # Code and the targets of links are names, and no findings.
    prose = [re.sub(r"`[^`]*`|\]\([^)]*\)", "", text) for text in texts]
    assert [line for text in prose for line in text.splitlines() if re.search(r"\d", line)] == []


@notebooks
def test_it_says_once_that_it_is_not_medical_advice(path: Path) -> None:
    text = "\n".join(map(read_source, read_cells(path, "markdown")))
    assert len(re.findall("medical advice", text, flags=re.IGNORECASE)) == 1


@notebooks
def test_its_local_links_lead_somewhere(path: Path) -> None:
    text = "\n".join(map(read_source, read_cells(path, "markdown")))
    targets = [target for target in re.findall(r"\]\(([^)#]+)", text) if not target.startswith("http")]
    assert targets
    assert [target for target in targets if not (path.parent / target).exists()] == []
