"""Compressed files: told by their names, gzip and Zstandard, the same bytes every time."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePath
from typing import IO, Any, cast

CODECS = {".gz": "gzip", ".zst": "zstd"}


def split_suffix(name: str) -> tuple[str, str | None]:
    """Return a file's name without the suffix of a compression, and the compression; None for none.

    Examples
    --------
    >>> split_suffix("a.jsonl.GZ"), split_suffix("a.jsonl")
    (('a.jsonl', 'gzip'), ('a.jsonl', None))
    """
    suffix = PurePath(name).suffix
    codec = CODECS.get(suffix.lower())
    return (name, None) if codec is None else (name.removesuffix(suffix), codec)


def compress(data: bytes, codec: str) -> bytes:
    """Return the data compressed by "gzip" or "zstd"."""
    if codec == "gzip":
        return gzip.compress(data, mtime=0)
    import pyarrow as pa

    packed: bytes = cast("Any", pa).compress(data, codec=codec, asbytes=True)
    return packed


@contextmanager
def open_compressor(file: IO[bytes], codec: str) -> Iterator[Any]:
    """Open a writer that compresses into a file; its end closes the frame and leaves the file open."""
    if codec == "gzip":
        with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
            yield packed
        return
    import pyarrow as pa

    kept: Any = _KeptOpen(file)
    with cast("Any", pa).CompressedOutputStream(pa.PythonFile(kept, mode="w"), codec) as packed:
        yield packed


class _KeptOpen:
    """A file that another writer cannot close."""

    closed = False

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, data: bytes) -> int:
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        """Leave it open."""
