"""``python -m data.encoder``: what cannot work is refused in one line, before anything is read."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from data.encoder.__main__ import choose_rates, main, make_parser


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
    arguments: list[str], reason: str, tmp_path: Path, refusal: Callable[..., str]
) -> None:
    assert reason in refusal("--texts", "texts", "-o", tmp_path / "new", *arguments)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["a file", "a folder with something in it"])
def test_what_is_there_is_not_written_over(kind: str, tmp_path: Path, refusal: Callable[..., str]) -> None:
    taken = tmp_path / "kept"
    (tmp_path if kind == "a file" else taken).mkdir(exist_ok=True)
    kept = taken if kind == "a file" else taken / "encoder_tuning.npz"
    kept.write_text("mine", encoding="utf-8")
    reason = refusal("--texts", "texts", "--from", "default", "-o", taken)
    assert reason == f"-o {taken}: is there already and not empty; name a new folder\n"
    assert kept.read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(
    ("start", "rates"),
    [
        pytest.param(["--from", "default"], (6e-5, 6e-5), id="from a tuned one"),
        pytest.param(["--from", "default", "--rate", "1e-5"], (1e-5, 1e-5), id="from a tuned one, slowly"),
        pytest.param(["--base", "base"], (2e-4, 1e-3), id="from a published one"),
        pytest.param(["--base", "base", "--rate", "1e-4"], (1e-4, 5e-4), id="from a published one, slowly"),
    ],
)
def test_the_rate_of_what_reads_moves_with_the_other(start: list[str], rates: tuple[float, float]) -> None:
    options = make_parser().parse_args(["--texts", "texts", "-o", "new", *start])
    assert choose_rates(options) == pytest.approx(rates)


def test_without_pytorch_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: Callable[..., str]
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    for name in ("data.encoder.network", "data.encoder.tuning", "data.encoder.run"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    reason = refusal("--texts", "texts", "--from", "default", "-o", tmp_path / "new")
    assert "tuning needs PyTorch and transformers" in reason
    assert list(tmp_path.iterdir()) == []


def test_help_needs_no_pytorch(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setattr("sys.argv", ["encoder", "--help"])
    with pytest.raises(SystemExit, match="0"):
        main()
    assert "It needs PyTorch and transformers" in capsys.readouterr().out
