"""Compressed bytes: gzip and zstd, told by their first bytes, read and written as a stream.

What is written depends on the data and the version of the library alone: gzip without a time or a name.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, BinaryIO, Protocol, cast

SUFFIXES = {".gz": "gzip", ".zst": "zstd", ".zstd": "zstd"}
"""The codec by the ending of a file's name."""

_MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
_BUFFER_BYTES = 1 << 16
# The default of the command line tools: a higher level costs more time than it saves space.
_GZIP_LEVEL = 6


class DamagedData(Exception):
    """Compressed bytes that break off or are not what was compressed."""


class Compressor(Protocol):
    """Anything bytes can be written to."""

    def write(self, data: bytes, /) -> int:
        """Write some bytes."""


def split_suffix(name: str) -> tuple[str, str | None]:
    """Return a file's name without the ending that says it is compressed, and the codec that ending tells.

    Examples
    --------
    >>> split_suffix("a.jsonl.GZ"), split_suffix("a.jsonl")
    (('a.jsonl', 'gzip'), ('a.jsonl', None))
    """
    for suffix, codec in SUFFIXES.items():
        if name.lower().endswith(suffix):
            return name[: -len(suffix)], codec
    return name, None


def find_codec(head: bytes) -> str | None:
    """Return the codec that the first bytes of some data tell; None when they are not compressed.

    Examples
    --------
    >>> find_codec(compress(b"Quite safe.", "zstd")), find_codec(b"Quite safe.")
    ('zstd', None)
    """
    return next((codec for magic, codec in _MAGIC.items() if head.startswith(magic)), None)


def open_decompressed(raw: BinaryIO, codec: str) -> io.BufferedReader:
    """Open compressed bytes as what is in them, a piece in memory at a time.

    Gzip members, or zstd frames, that stand one after the other are read to the end of the last.

    Parameters
    ----------
    raw
        The compressed bytes, at their beginning; closed together with what is returned.
    codec
        "gzip" or "zstd".

    Raises
    ------
    DamagedData
        Not here but when reading, once what could be decompressed before the damage is read.
    """
    return io.BufferedReader(_Decompressed(raw, _READERS[codec](raw)), _BUFFER_BYTES)


def compress(data: bytes, codec: str) -> bytes:
    """Return data as one gzip member or one zstd frame; the same data gives the same bytes."""
    file = io.BytesIO()
    with open_compressor(file, codec) as compressor:
        compressor.write(data)
    return file.getvalue()


@contextmanager
def open_compressor(file: IO[bytes] | io.RawIOBase, codec: str) -> Iterator[Compressor]:
    """Give something to write to whose bytes go to a file as one gzip member or one zstd frame.

    Parameters
    ----------
    file
        Where to; stays open when the block, and the member or frame with it, ends.
    codec
        "gzip" or "zstd".
    """
    if codec == "gzip":
        with gzip.GzipFile("", "wb", _GZIP_LEVEL, cast("IO[bytes]", file), mtime=0) as member:
            yield cast("Compressor", member)
        return
    import pyarrow as pa

    with pa.CompressedOutputStream(pa.PythonFile(_Unclosed(cast("IO[bytes]", file)), "w"), "zstd") as frame:
        yield frame


def _read_gzip(raw: BinaryIO) -> Iterator[bytes]:
    file = gzip.GzipFile(fileobj=raw, mode="rb")
    try:
        while piece := file.read1(_BUFFER_BYTES):
            yield piece
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DamagedData(str(error)) from error


def _read_zstd(raw: BinaryIO) -> Iterator[bytes]:
    import pyarrow as pa

    stream = pa.CompressedInputStream(pa.PythonFile(cast("io.IOBase", raw), "r"), "zstd")
    while True:
        room = bytearray(_BUFFER_BYTES)
        try:
            n_read = stream.readinto(room)
        except OSError as error:
            # Arrow does not say how much it wrote before it met the damage: what is still zero was not written.
            yield bytes(room.rstrip(b"\x00"))
            raise DamagedData(str(error)) from error
        if n_read == 0:
            return
        yield bytes(memoryview(room)[:n_read])


_READERS = {"gzip": _read_gzip, "zstd": _read_zstd}


class _Decompressed(io.RawIOBase):
    """Pieces of decompressed bytes as a raw stream, which fills all the room it is given: a peek sees what there is."""

    def __init__(self, raw: BinaryIO, pieces: Iterator[bytes]) -> None:
        self._raw = raw
        self._pieces = pieces
        self._piece = memoryview(b"")
        self._damage: DamagedData | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        room = memoryview(cast("bytearray", buffer)).cast("B")
        n_filled = 0
        while n_filled < len(room) and self._has_more():
            part = self._piece[: len(room) - n_filled]
            room[n_filled : n_filled + len(part)] = part
            self._piece = self._piece[len(part) :]
            n_filled += len(part)
        if n_filled == 0 and self._damage is not None and len(room):
            raise self._damage
        return n_filled

    def _has_more(self) -> bool:
        while not self._piece:
            try:
                self._piece = memoryview(next(self._pieces))
            except StopIteration:
                return False
            except DamagedData as error:
                # What comes before the damage is given first.
                self._damage = error
                return False
        return True

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Unclosed(io.RawIOBase):
    """A file that what writes to it cannot close."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        return self._file.write(data)
