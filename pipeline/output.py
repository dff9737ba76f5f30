"""Writing: every file appears whole or not at all.

Files are written beside their final place and renamed into it at the end; a run that fails leaves
what was there before.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic_core import to_json

from pipeline.errors import WrongUsage
from pipeline.flat import Row, flatten_rows, write_delimited
from pipeline.folders import name_beside

FORMATS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".parquet": "parquet",
    ".pq": "parquet",
}


def record_format(path: str) -> str:
    """Return the format of records that a file's name asks for.

    Raises
    ------
    WrongUsage
        When the name asks for none.

    Examples
    --------
    >>> record_format("out.CSV")
    'csv'
    """
    suffix = Path(path).suffix.lower()
    if suffix not in FORMATS:
        raise WrongUsage(f"{path}: cannot tell a format from its name: use one of {' '.join(FORMATS)}")
    return FORMATS[suffix]


@contextmanager
def open_whole(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for writing that takes its name only when the block ends well.

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
            with path.open("wb") as file:
                yield file
            return
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WrongUsage(f"{shown}: cannot be written ({error.strerror})") from error
    # Named before it is made: whenever the run is interrupted, there is a name to clean up by.
    new = name_beside(path)
    try:
        try:
            file = new.open("xb")
        except OSError as error:
            raise WrongUsage(f"{shown}: cannot be written ({error.strerror})") from error
        with file:
            yield file
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file, UTF-8, whole or not at all."""
    with open_whole(path) as file:
        file.write(text.encode())


def write_rows(rows: Iterable[Row], path: Path | None, format_name: str) -> int:
    """Write records to a file, or to standard output.

    Parameters
    ----------
    rows
        JSON-ready records.
    path
        Where to; None for standard output.
    format_name
        "jsonl", "csv", "tsv" or "parquet". The flat formats take the columns of all records, in order of
        first appearance, and so hold all records in memory.

    Returns
    -------
    int
        How many were written.
    """
    write = _WRITERS[format_name]
    if path is not None:
        with open_whole(path) as file:
            return write(rows, file)
    count = write(rows, sys.stdout.buffer)
    sys.stdout.buffer.flush()
    return count


def to_json_line(row: Row) -> str:
    """Return a record as one line of JSON, without the line's end."""
    return to_json(row).decode()


def _write_jsonl(rows: Iterable[Row], file: IO[bytes]) -> int:
    count = 0
    for count, row in enumerate(rows, start=1):  # noqa: B007
        file.write(to_json(row) + b"\n")
    return count


def _delimited_writer(delimiter: str) -> Callable[[Iterable[Row], IO[bytes]], int]:
    def write(rows: Iterable[Row], file: IO[bytes]) -> int:
        return write_delimited(rows, _TextOver(file), delimiter)

    return write


class _TextOver:
    """The little of a text file that csv.writer needs, over bytes that stay open."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, text: str) -> int:
        return self._file.write(text.encode())


def _write_parquet(rows: Iterable[Row], file: IO[bytes]) -> int:
    flat, columns = flatten_rows(rows)
    arrays = {name: _to_array([row.get(name) for row in flat]) for name in columns}
    pq.write_table(pa.table(arrays), file)
    return len(flat)


def _to_array(values: list[Any]) -> Any:
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        # A column that mixes types, as a field of the user's own may: as text, it loses nothing.
        return pa.array([None if value is None else str(value) for value in values])


_WRITERS: dict[str, Callable[[Iterable[Row], IO[bytes]], int]] = {
    "jsonl": _write_jsonl,
    "csv": _delimited_writer(","),
    "tsv": _delimited_writer("\t"),
    "parquet": _write_parquet,
}
