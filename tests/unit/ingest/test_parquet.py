from __future__ import annotations

import contextlib
import datetime as dt
import io
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.errors import BadInput
from pipeline.ingest.parquet import read_parquet
from pipeline.ingest.raw import RawRecord
from pipeline.ingest.source import OpenSource

BASE: dict[str, Any] = {"question": ["Is it safe?", "Is it safe?"], "text": ["Yes.", "No."]}


def _any_columns(_: Sequence[str]) -> None:
    return None


def _bytes(table: pa.Table, **options: Any) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file, **options)
    return file.getvalue()


def _read(data: bytes) -> list[RawRecord]:
    return list(read_parquet(OpenSource("a.parquet", "parquet", io.BytesIO(data), ""), _any_columns))


def _fields(**columns: Any) -> list[Any]:
    return [dict(record.fields) for record in _read(_bytes(pa.table({**BASE, **columns})))]


def test_every_row_is_a_record_found_by_its_number_over_all_batches() -> None:
    table = pa.table({"question": ["Is it safe?"] * 3000, "text": [str(n) for n in range(3000)]})
    records = _read(_bytes(table, row_group_size=700))
    assert [record.fields["text"] for record in records] == [str(n) for n in range(3000)]
    assert [record.locator for record in records] == [f"row {n}" for n in range(1, 3001)]


def test_null_and_nan_are_no_value() -> None:
    first, second = _fields(headline=[None, "Sure"], rating=[float("nan"), 4.5])
    assert first == {"question": "Is it safe?", "text": "Yes."}
    assert second == {"question": "Is it safe?", "text": "No.", "headline": "Sure", "rating": 4.5}


def test_missing_fields_of_a_struct_are_no_value_either() -> None:
    first, _ = _fields(respondent=[{"name": "Ada Fen", "rating": float("nan"), "location": None}, None])
    assert first["respondent"] == {"name": "Ada Fen"}


def test_a_column_of_bytes_is_read_as_text() -> None:
    first, second = _fields(note=pa.array(["très sûr".encode(), b"bad \xff"], pa.binary()))
    assert (first["note"], second["note"]) == ("très sûr", "bad \udcff")


def test_bytes_in_a_list_are_read_as_text_too() -> None:
    first, second = _fields(notes=pa.array([["sûr".encode()], [b"\xff"]], pa.list_(pa.binary())))
    assert (first["notes"], second["notes"]) == (["sûr"], ["\udcff"])


@pytest.mark.parametrize(
    "values",
    [
        pa.array([1, 1_001], pa.timestamp("ns")),
        pa.array([0, 10**18], pa.timestamp("us")),
        pa.array([dt.date(2020, 1, 2), None]),
        pa.array(["a", "b"]).dictionary_encode(),
        pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int64())),
        pa.array([dt.timedelta(1), None]),
        pa.array([1, 1_001], pa.duration("ns")),
    ],
    ids=["nanoseconds", "year 33658", "date", "dictionary", "map", "duration", "duration in nanoseconds"],
)
def test_a_column_of_any_type_beside_the_answers_does_not_stop_the_reading(values: Any) -> None:
    assert [row["text"] for row in _fields(extra=values)] == ["Yes.", "No."]


def test_a_text_that_is_not_utf_8_costs_no_other_row() -> None:
    offsets = pa.array([0, 1, 3, 4], pa.int32()).buffers()[1]
    assert offsets is not None
    text = pa.StringArray.from_buffers(3, offsets, pa.py_buffer(b"a\xff\xfez"))
    records = _read(_bytes(pa.table({"question": ["Is it safe?"] * 3, "text": text})))
    assert [record.fields["text"] for record in (records[0], records[2])] == ["a", "z"]


def test_the_column_names_are_checked_before_any_row() -> None:
    seen: list[Sequence[str]] = []
    stream = io.BytesIO(_bytes(pa.table(BASE)))
    records = read_parquet(OpenSource("a.parquet", "parquet", stream, ""), seen.append)
    next(records)
    records.close()  # type: ignore[attr-defined]
    assert [list(names) for names in seen] == [["question", "text"]]


def test_a_column_that_stands_twice_is_refused_as_in_a_table() -> None:
    table = pa.Table.from_arrays(
        [pa.array(["Is it safe?"]), pa.array(["Yes."]), pa.array(["No."])], ["q", "text", "text"]
    )
    with pytest.raises(BadInput, match="'text' stands twice"):
        _read(_bytes(table))


WHOLE = _bytes(pa.table(BASE))


@pytest.mark.parametrize(
    "data",
    [
        WHOLE[: len(WHOLE) // 2],
        WHOLE[:-1],
        b"PAR1",
        b"PAR1" + bytes(100) + b"PAR1",
        b"question,text\n",
        WHOLE[:-60] + bytes(52) + WHOLE[-8:],
    ],
    ids=["cut in half", "last byte gone", "magic alone", "zeros", "a csv", "footer overwritten"],
)
def test_a_damaged_file_is_refused_in_one_line(data: bytes) -> None:
    with pytest.raises(BadInput, match=r"^a\.parquet: is damaged or no Parquet \(.+\)$"):
        _read(data)


def test_damage_in_the_middle_tells_how_far_the_reading_came() -> None:
    table = pa.table({"question": ["Is it safe?"] * 4096, "text": [f"Text number {n}." for n in range(4096)]})
    data = bytearray(_bytes(table, row_group_size=2048, compression="zstd", use_dictionary=False))
    offset = pq.ParquetFile(io.BytesIO(bytes(data))).metadata.row_group(1).column(1).data_page_offset
    data[offset : offset + 200] = bytes(200)
    with pytest.raises(BadInput, match=r"^a\.parquet, after row 2048: is damaged"):
        _read(bytes(data))


@pytest.mark.parametrize("step", range(5))
def test_a_flipped_byte_is_refused_or_changes_values_and_is_never_a_crash(step: int) -> None:
    for place in range(step, len(WHOLE), 5):
        data = bytearray(WHOLE)
        data[place] ^= 0xFF
        with contextlib.suppress(BadInput):
            _read(bytes(data))
