"""Records left out, however many: the first in memory, the rest in a temporary file."""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Iterable, Iterator
from typing import IO

from pipeline.schema import Rejected

_MAX_KEPT = 1000


class Rejections:
    """Records left out, in order.

    Examples
    --------
    >>> rejections = Rejections()
    >>> rejections.extend([Rejected(file="a.csv", locator="line 2", reason="is empty")])
    >>> len(rejections), rejections.first.locator, [r.reason for r in rejections]
    (1, 'line 2', ['is empty'])
    """

    def __init__(self) -> None:
        self._kept: list[Rejected] = []
        self._spool: IO[bytes] | None = None
        self._n_spooled = 0

    def __len__(self) -> int:
        return len(self._kept) + self._n_spooled

    def __iter__(self) -> Iterator[Rejected]:
        yield from self._kept
        if self._spool is not None:
            self._spool.seek(0)
            for line in self._spool:
                yield Rejected.model_validate_json(line)

    @property
    def first(self) -> Rejected:
        """The first of them."""
        return self._kept[0]

    def append(self, rejected: Rejected) -> None:
        """Add a record."""
        if len(self._kept) < _MAX_KEPT:
            self._kept.append(rejected)
            return
        if self._spool is None:
            self._spool = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the object lives
            weakref.finalize(self, self._spool.close)
        self._spool.seek(0, 2)
        self._spool.write(rejected.model_dump_json().encode() + b"\n")
        self._n_spooled += 1

    def extend(self, others: Iterable[Rejected]) -> None:
        """Add records."""
        for rejected in others:
            self.append(rejected)
