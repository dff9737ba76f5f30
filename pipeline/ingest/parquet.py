"""Parquet to raw records."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import BadInput
from pipeline.ingest.raw import RawRecord
from pipeline.ingest.source import OpenSource

_BATCH_ROWS = 1024


def read_parquet(source: OpenSource, check_columns: Callable[[Sequence[str]], None]) -> Iterator[RawRecord]:
    """Read one record per row, a batch of rows in memory at a time; null and NaN are no value.

    Parameters
    ----------
    source
        An open source of kind "parquet".
    check_columns
        Called with the column names before the first row; raises when they will not do.

    Raises
    ------
    BadInput
        When the file is damaged.
    """
    row = 0
    with source.stream as stream:
        try:
            file = pq.ParquetFile(stream if stream.seekable() else io.BytesIO(stream.read()))
            check_columns(file.schema_arrow.names)
            for batch in file.iter_batches(batch_size=_BATCH_ROWS):
                for fields in batch.to_pylist():
                    row += 1
                    present = {name: _plain(value) for name, value in fields.items() if not _is_missing(value)}
                    yield RawRecord(present, f"row {row}")
        except (pa.ArrowException, OSError) as error:
            reason = f"is damaged or no Parquet ({str(error).splitlines()[0]})"
            raise BadInput(source.name, reason, where=f"after row {row}" if row else "") from error


def _is_missing(value: Any) -> bool:
    # NaN alone differs from itself; pandas writes it for a missing number.
    return value is None or (isinstance(value, float) and value != value)


def _plain(value: Any) -> Any:
    """Return text for bytes (a column of type binary), and structs without their missing fields."""
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="surrogateescape")
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items() if not _is_missing(inner)}
    return value
