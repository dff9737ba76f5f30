"""Writing: every file appears whole or not at all.

Files are written beside their final place and renamed into it at the end; a run that fails leaves
what was there before. Records are written in bounded memory, however many they are.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO, Any, Protocol, cast

from pydantic_core import from_json, to_json

from pipeline.blocks import cut_blocks
from pipeline.compression import open_compressor, split_suffix
from pipeline.errors import WrongUsage
from pipeline.flat import Row, collect_columns, flatten, write_table
from pipeline.folders import flush_folder, name_beside

FORMATS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".parquet": "parquet",
    ".pq": "parquet",
}
BLOCK_ROWS = 10_000
"""So many rows at most are in memory at a time, and are one row group of a Parquet file."""
BLOCK_CHARS = 32_000_000
"""A block of rows ends early when its text has become so long."""

_DELIMITERS = {"csv": ",", "tsv": "\t"}


class Sink(Protocol):
    """Anything bytes can be written to."""

    def write(self, data: bytes, /) -> object:
        """Write some bytes."""


def record_format(path: str) -> str:
    """Return the format of records that a file's name asks for, whether compressed or not.

    Raises
    ------
    WrongUsage
        When the name asks for none, or for a Parquet file that is compressed once more.

    Examples
    --------
    >>> record_format("out.CSV"), record_format("out.jsonl.gz")
    ('csv', 'jsonl')
    """
    inner, _ = split_suffix(path)
    format_name = FORMATS.get(Path(inner).suffix.lower())
    if format_name is None:
        plain = " ".join(suffix for suffix, name in FORMATS.items() if name != "parquet")
        parquet = " ".join(suffix for suffix, name in FORMATS.items() if name == "parquet")
        known = f"{plain} (compressed with .gz or .zst after it) {parquet}"
        raise WrongUsage(f"{path}: cannot tell a format from its name: use one of {known}")
    output_codec(path, format_name)
    return format_name


def output_codec(path: str, format_name: str) -> str | None:
    """Return how a file's name asks for records of a format to be compressed; None for not at all.

    Raises
    ------
    WrongUsage
        When it asks for compressed Parquet.
    """
    inner, codec = split_suffix(path)
    if codec is not None and format_name == "parquet":
        raise WrongUsage(f"{path}: Parquet is compressed by itself: leave out {path.removeprefix(inner)}")
    return codec


@contextmanager
def open_whole(path: Path, *, workshop: Path | None = None) -> Iterator[IO[bytes]]:
    """Open a file for writing that takes its name only when the block ends well and all of it is on the disk.

    Parameters
    ----------
    path
        The file.
    workshop
        A folder in which it is made, if that is on the same file system: what is left of a run that is killed
        is then found there. None for the file's own folder, under a hidden name.

    Raises
    ------
    WrongUsage
        When the place cannot be written to.
    """
    shown = path
    try:
        if path.is_dir():
            raise WrongUsage(f"{path}: is a folder: name a file")
        path = path.resolve()
        if path.exists() and not path.is_file():
            # A pipe or a device can only be written to as it is.
            stream = path.open("wb")
        else:
            stream = None
            path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WrongUsage(f"{shown}: cannot be written ({error.strerror})") from error
    if stream is not None:
        with stream:
            yield stream
        return
    # Named before it is made: whenever the run is interrupted, there is a name to clean up by.
    new = name_beside(path if workshop is None or not _share_disk(workshop, path.parent) else workshop / path.name)
    try:
        try:
            file = new.open("xb")
        except OSError as error:
            raise WrongUsage(f"{shown}: cannot be written ({error.strerror})") from error
        with file:
            yield file
            # Without this, a machine that is switched off may show the new name with nothing in it.
            file.flush()
            os.fsync(file.fileno())
        try:
            new.replace(path)
        except FileNotFoundError as error:
            raise WrongUsage(f"{shown}: cannot be written: the folder it was made in was deleted") from error
        flush_folder(path.parent)
    finally:
        new.unlink(missing_ok=True)


def _share_disk(one: Path, other: Path) -> bool:
    return one.stat().st_dev == other.stat().st_dev


def write_text(path: Path, text: str, *, workshop: Path | None = None) -> None:
    """Write a text file, UTF-8, whole or not at all; `workshop` as in `open_whole`."""
    with open_whole(path, workshop=workshop) as file:
        file.write(text.encode())


def write_rows(rows: Iterable[Row], path: Path | None, format_name: str, *, workshop: Path | None = None) -> int:
    """Write records to a file, compressed when its name ends so, or to standard output.

    Parameters
    ----------
    rows
        JSON-ready records; read once.
    path
        Where to; None for standard output, which is never compressed.
    format_name
        "jsonl", "csv", "tsv" or "parquet". The flat formats take the columns of all records, in order of
        first appearance; until these are known, the records wait in a temporary file in the folder of `path`.
    workshop
        See `open_whole`.

    Returns
    -------
    int
        How many were written.

    Raises
    ------
    WrongUsage
        When the place cannot be written to, or a Parquet file's name asks for compression.
    """
    if path is None:
        count = _write(rows, sys.stdout.buffer, format_name, None)
        sys.stdout.buffer.flush()
        return count
    codec = output_codec(str(path), format_name)
    with (
        open_whole(path, workshop=workshop) as file,
        nullcontext(file) if codec is None else open_compressor(file, codec) as sink,
    ):
        return _write(rows, sink, format_name, _spool_folder(path))


def write_flat(read: Callable[[], Iterable[Row]], file: Sink, format_name: str, *, block_rows: int = BLOCK_ROWS) -> int:
    """Write records that can be read twice as a table, in bounded memory.

    Parameters
    ----------
    read
        Gives the records, the same ones at each call: first for their columns, in order of first appearance,
        and the columns' types, then for what is in them.
    file
        Where to.
    format_name
        "csv", "tsv" or "parquet".
    block_rows
        How many rows at most make a row group of Parquet.

    Returns
    -------
    int
        How many were written.
    """
    if format_name == "parquet":
        return _write_parquet(read, file, block_rows)
    columns = collect_columns(read())
    return write_table(read(), columns, _TextOver(file), _DELIMITERS[format_name])


def to_json_line(row: Row) -> str:
    """Return a record as one line of JSON, without the line's end."""
    return to_json(row).decode()


def _write(rows: Iterable[Row], file: Sink, format_name: str, folder: Path | None) -> int:
    if format_name == "jsonl":
        return _write_jsonl(rows, file)
    # Where the system can, the file has no name: nothing is left of it however the run ends.
    with tempfile.TemporaryFile(dir=folder) as spool:
        _write_jsonl(map(flatten, rows), spool)

        def read() -> Iterator[Row]:
            spool.seek(0)
            yield from map(from_json, spool)

        return write_flat(read, file, format_name)


def _spool_folder(path: Path) -> Path | None:
    """Return the folder of a file, None beside a pipe or a device: its folder is no place for files."""
    place = path.resolve()
    return place.parent if place.is_file() or not place.exists() else None


def _write_jsonl(rows: Iterable[Row], file: Sink) -> int:
    count = 0
    for count, row in enumerate(rows, start=1):  # noqa: B007
        file.write(to_json(row) + b"\n")
    return count


class _TextOver:
    """The little of a text file that csv.writer needs, over bytes that stay open."""

    def __init__(self, file: Sink) -> None:
        self._file = file

    def write(self, text: str) -> None:
        self._file.write(text.encode())


def _write_parquet(read: Callable[[], Iterable[Row]], file: Sink, block_rows: int) -> int:
    # Imported here: it takes longer than most commands that need none of it.
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([(name, _find_type(values)) for name, values in _sample_columns(read()).items()])
    count = 0
    with pq.ParquetWriter(cast("IO[bytes]", file), schema) as writer:
        blocks = cut_blocks(map(flatten, read()), _count_chars, max_items=block_rows, max_size=BLOCK_CHARS)
        for block in blocks:
            arrays = [_to_array([row.get(field.name) for row in block], field.type) for field in schema]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            count += len(block)
    return count


def _count_chars(row: Row) -> int:
    return sum(len(value) for value in row.values() if isinstance(value, str))


def _sample_columns(rows: Iterable[Row]) -> dict[str, list[Any]]:
    """Return a few values of each column that have the type, for pyarrow, of all of them.

    They are the first of each Python type, in order of appearance as pyarrow minds it, and, as a whole number
    may be too large for a type, the least and the greatest of these.
    """
    found: dict[str, dict[Any, Any]] = {}
    for row in rows:
        for name, value in flatten(row).items():
            sample = found.setdefault(name, {})
            if type(value) is int:
                sample["least"] = min(value, sample.get("least", value))
                sample["greatest"] = max(value, sample.get("greatest", value))
            else:
                sample.setdefault(type(value), value)
    return {name: list(sample.values()) for name, sample in found.items()}


def _find_type(values: list[Any]) -> Any:
    import pyarrow as pa

    try:
        return pa.array(values).type
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        # A column that mixes types, as a field of the user's own may: as text, it loses nothing.
        return pa.string()


def _to_array(values: list[Any], kind: Any) -> Any:
    import pyarrow as pa

    if pa.types.is_string(kind):
        values = [None if value is None else str(value) for value in values]
    return pa.array(values, type=kind)
