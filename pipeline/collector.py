"""Python's collector of garbage, told what kind of objects these processes are full of."""

from __future__ import annotations

import gc

_MANY = (100_000, 50, 100)


def collect_seldom() -> None:
    """Let this process look for cycles among its objects a hundred times less often than Python does.

    Records are trees without cycles, and many: the usual search costs 7 to 9 % of a run.
    """
    gc.set_threshold(*_MANY)


def leave_out_loaded() -> None:
    """Leave out of every search what is there now: what a process has loaded it keeps."""
    # Of a model that it had before.
    gc.unfreeze()
    gc.freeze()
