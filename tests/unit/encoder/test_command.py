"""``python -m data.encoder``: what cannot work is refused in one line, before anything is read."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from data.encoder.__main__ import main


def call(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr("sys.argv", ["encoder", *map(str, arguments)])
    with pytest.raises(SystemExit) as stopped:
        main()
    return int(stopped.value.code or 0)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        pytest.param(["--from", "default", "--steps", "-5"], "--steps -5: give a number above 0", id="steps below 0"),
        pytest.param(["--base", "base", "--steps", "0"], "--steps 0: give a number above 0", id="nothing to save"),
        pytest.param(["--from", "default", "--rate", "0"], "--rate 0.0: give a number above 0", id="no rate"),
        pytest.param(["--from", "default", "--rate", "nan"], "--rate nan: give a number above 0", id="rate unknown"),
        pytest.param(["--from", "default", "--base", "base"], "not allowed with argument", id="two starts"),
        pytest.param([], "one of the arguments --base --from is required", id="no start"),
    ],
)
def test_options_that_cannot_work_are_refused(
    arguments: list[str],
    reason: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert call(monkeypatch, "--texts", "texts", "-o", tmp_path / "new", *arguments) == 2
    assert reason in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["a file", "a folder with something in it"])
def test_what_is_there_is_not_written_over(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    taken = tmp_path / "kept"
    (tmp_path if kind == "a file" else taken).mkdir(exist_ok=True)
    kept = taken if kind == "a file" else taken / "encoder_tuning.npz"
    kept.write_text("mine", encoding="utf-8")
    assert call(monkeypatch, "--texts", "texts", "--from", "default", "-o", taken) == 2
    assert f"-o {taken}: is there already and not empty; name a new folder" in capsys.readouterr().err
    assert kept.read_text(encoding="utf-8") == "mine"


def test_without_pytorch_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    for name in ("data.encoder.network", "data.encoder.tuning", "data.encoder.run"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    assert call(monkeypatch, "--texts", "texts", "--from", "default", "-o", tmp_path / "new") == 2
    assert "tuning needs PyTorch and transformers" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_help_needs_no_pytorch(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert call(monkeypatch, "--help") == 0
    assert "It needs PyTorch and transformers" in capsys.readouterr().out
