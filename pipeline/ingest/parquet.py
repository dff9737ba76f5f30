"""Parquet to raw records."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.compression import DamagedData
from pipeline.errors import BadInput
from pipeline.ingest.raw import RawRecord
from pipeline.ingest.source import OpenSource, refuse_damage

_BATCH_ROWS = 1024


def read_parquet(source: OpenSource, check_columns: Callable[[Sequence[str]], None]) -> Iterator[RawRecord]:
    """Read one record per row, a row group in memory at a time; null and NaN are no value.

    Parameters
    ----------
    source
        An open source of kind "parquet"; held in memory when it is compressed as a whole or standard input.
    check_columns
        Called with the column names before the first row; raises when they will not do.

    Raises
    ------
    BadInput
        When the file, or what it is compressed in, is damaged.
    """
    row = 0
    with source.stream as stream:
        try:
            # With pre_buffer, Arrow's default, the whole file would be in memory before the first row.
            file = pq.ParquetFile(stream if stream.seekable() else io.BytesIO(stream.read()), pre_buffer=False)
            if stream.seekable():
                # The footer was read first, from the end: from here on the place in the file says how far reading is.
                stream.seek(0)
            names = file.schema_arrow.names
            _refuse_double(source.name, names)
            check_columns(names)
            for batch in file.iter_batches(batch_size=_BATCH_ROWS):
                columns = [_to_values(column) for column in batch.columns]
                for values in zip(*columns, strict=True):
                    row += 1
                    fields = dict(zip(names, values, strict=True))
                    present = {name: _plain(value) for name, value in fields.items() if not _is_missing(value)}
                    yield RawRecord(present, f"row {row}")
        except DamagedData as error:
            raise refuse_damage(source.name, error) from error
        except (pa.ArrowException, OSError, UnicodeError) as error:
            reason = f"is damaged or no Parquet ({str(error).splitlines()[0]})"
            raise BadInput(source.name, reason, where=f"after row {row}" if row else "") from error


def _refuse_double(file: str, names: Sequence[str]) -> None:
    double = next((name for name in names if names.count(name) > 1), None)
    if double is not None:
        raise BadInput(file, f"column {double!r} stands twice")


def _to_values(column: Any) -> list[Any]:
    """Return a column's values as Python has them; as text where Python has no such value."""
    try:
        values: list[Any] = column.to_pylist()
    except (ValueError, OverflowError):
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            return list(column.cast(pa.large_binary()).to_pylist())
        return list(column.cast(pa.string()).to_pylist())
    return values


def _is_missing(value: Any) -> bool:
    # NaN alone differs from itself; pandas writes it for a missing number.
    return value is None or (isinstance(value, float) and value != value)


def _plain(value: Any) -> Any:
    """Return text for bytes, wherever they are, and structs without their missing fields."""
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="surrogateescape")
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items() if not _is_missing(inner)}
    return value
