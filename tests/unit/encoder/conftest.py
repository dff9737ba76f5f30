"""How ``python -m data.encoder`` is called in tests."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from data.encoder.__main__ import main


@pytest.fixture
def refusal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Call it with arguments that it refuses, and return the one line that says why."""

    def refuse(*arguments: object) -> str:
        monkeypatch.setattr("sys.argv", ["encoder", *map(str, arguments)])
        with pytest.raises(SystemExit, match="2"):
            main()
        usage, _, reason = capsys.readouterr().err.partition("python -m data.encoder: error: ")
        assert usage.startswith("usage: ")
        assert reason.count("\n") == 1
        return reason

    return refuse
