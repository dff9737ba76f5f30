"""How far the reading of sources is, by their bytes."""

from __future__ import annotations

import os
from typing import BinaryIO


class Meter:
    """Knows how many bytes the sources of a run have, as they lie on the disk, and how many are read so far.

    It looks at the place in the open file when it is asked, and costs the reading nothing.

    Attributes
    ----------
    total
        The bytes of all sources; None before reading begins, and for good where one is standard input or
        another without a size.
    """

    def __init__(self) -> None:
        self.total: int | None = None
        self._n_done = 0
        self._file: BinaryIO | None = None
        self._size = 0

    def begin(self, total: int | None) -> None:
        """Set the bytes of all sources that will be read; None when that is unknown."""
        self.total = total

    def follow(self, file: BinaryIO) -> None:
        """Look at this open file from now on; the one before is done."""
        if self.total is not None:
            self._n_done += self._size
            self._file = file
            self._size = os.fstat(file.fileno()).st_size

    @property
    def n_read(self) -> int:
        """The bytes read so far, as they lie on the disk; 0 as long as `total` is None."""
        if self._file is None:
            return 0
        # The reader of a file closes it at its end.
        return self._n_done + (self._size if self._file.closed else min(self._size, self._file.tell()))

    @property
    def share(self) -> float | None:
        """How much of the bytes is read, from 0 to 1; None where that cannot be told."""
        # A file may grow while it is read.
        return min(1.0, self.n_read / self.total) if self.total else None
