"""How far a long command is, on standard error: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

LOG_EVERY_SECONDS = 10.0


class Show(Protocol):
    """Takes the answers done so far, and the share of the input that they are, None where that is not known."""

    def __call__(self, n: int, share: float | None = None, /) -> None:
        """Show them."""


@contextmanager
def show_progress(what: str) -> Iterator[Show]:
    """Show how many answers are done, how fast, and how long the rest may take.

    Parameters
    ----------
    what
        What is done with them, as "classified".
    """
    shown = _on_terminal if sys.stderr.isatty() else _in_lines
    with shown(what) as show:
        yield show


@contextmanager
def _on_terminal(what: str) -> Iterator[Show]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        TaskProgressColumn(),
        TimeRemainingColumn(compact=True),
    )
    clock = _Clock()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)

        def show(n: int, share: float | None = None, /) -> None:
            done: dict[str, Any] = {} if share is None else {"completed": share, "total": 1.0}
            bar.update(task, description=_describe(n, what, clock.measure(n)), **done)

        yield show


@contextmanager
def _in_lines(what: str) -> Iterator[Show]:
    clock = _Clock()
    last = time.monotonic()

    def show(n: int, share: float | None = None, /) -> None:
        nonlocal last
        now, rate = time.monotonic(), clock.measure(n)
        if now - last >= LOG_EVERY_SECONDS:
            last = now
            left = f", {100 * share:.0f} %, {_duration(n / rate * (1 - share) / share)} left" if share and rate else ""
            print(f"{_describe(n, what, rate)}{left}", file=sys.stderr, flush=True)  # noqa: T201

    yield show


class _Clock:
    """Counts from the first answers that are done: until then, a model is loaded."""

    def __init__(self) -> None:
        self._first: tuple[float, int] | None = None

    def measure(self, n: int) -> float:
        """Return how many answers a second are done since the first were; 0 at these."""
        now = time.monotonic()
        start, n_first = self._first = self._first or (now, n)
        return (n - n_first) / (now - start) if now > start else 0.0


def _describe(n: int, what: str, rate: float) -> str:
    return f"{n} answers {what}" + (f", {rate:.0f} a second" if rate else "")


def _duration(seconds: float) -> str:
    """Say how long something takes, as people do.

    Examples
    --------
    >>> _duration(8.2), _duration(200), _duration(20_000)
    ('8 s', '3 min', '5.6 h')
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"
