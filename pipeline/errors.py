"""Every error a user can act on, with the exit code it ends a command with.

A :class:`MedstanceError` is shown as one line, without a traceback; anything else is a defect of
medstance itself and keeps its traceback.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

EXIT_DONE = 0
EXIT_CHANGED = 1
EXIT_QUARANTINED = 5
EXIT_INTERRUPTED = 130


class MedstanceError(Exception):
    """A mistake of the user's, or of the user's files: one line that says what to do."""

    exit_code = 1


class WrongUsage(MedstanceError):
    """The command was called in a way that cannot work."""

    exit_code = 2


class BadInput(MedstanceError):
    """A source that cannot be read at all.

    Parameters
    ----------
    file
        The source as the user named it.
    reason
        What is wrong and what to do about it.
    where
        The row, line or byte, in words; empty when the whole file is meant.

    Examples
    --------
    >>> str(BadInput("a.csv", "no column 'text'", where="line 1"))
    "a.csv, line 1: no column 'text'"
    """

    exit_code = 3

    def __init__(self, file: str, reason: str, *, where: str = "") -> None:
        super().__init__(f"{file}{', ' if where else ''}{where}: {reason}")
        self.file = file
        self.reason = reason
        self.where = where

    def __reduce__(self) -> tuple[Callable[[], BadInput], tuple[()]]:
        # Exceptions are made anew of their message alone, and this one may come from another process.
        return partial(BadInput, self.file, self.reason, where=self.where), ()


class ModelError(MedstanceError):
    """A model folder that is missing, damaged or not trusted."""

    exit_code = 4
