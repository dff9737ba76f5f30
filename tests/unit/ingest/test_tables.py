from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import BadInput
from pipeline.ingest.raw import MAX_RAW_CHARS, BadRecord, RawRecord
from pipeline.ingest.source import OpenSource, open_source
from pipeline.ingest.tables import read_table

HEADER = "question,text\n"
GOOD = {"question": "Is it safe?", "text": "Yes."}
GOOD_ROW = "Is it safe?,Yes.\n"


def _any_columns(_: Sequence[str]) -> None:
    return None


def _read(text: str, *, kind: str = "csv", limit: int = 10_000) -> list[RawRecord | BadRecord]:
    stream = io.BytesIO(text.encode("utf-8", "surrogateescape"))
    return list(read_table(OpenSource(f"a.{kind}", kind, stream, "utf-8"), limit, _any_columns))


def _fields(records: list[RawRecord | BadRecord]) -> list[object]:
    return [record.fields if isinstance(record, RawRecord) else record.reason for record in records]


@settings(max_examples=80)
@given(
    st.lists(
        st.tuples(*[st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1) for _ in range(2)])
    ),
    st.sampled_from(["csv", "tsv"]),
)
def test_what_a_csv_writer_wrote_is_read_back_cell_by_cell(rows: list[tuple[str, str]], kind: str) -> None:
    file = io.StringIO()
    writer = csv.writer(file, delimiter="," if kind == "csv" else "\t", quoting=csv.QUOTE_ALL)
    writer.writerows([("question", "text"), *rows])
    expected = [dict(zip(("question", "text"), row, strict=True)) for row in rows if any(c.strip() for c in row)]
    assert _fields(_read(file.getvalue(), kind=kind)) == expected


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
def test_rows_end_as_on_any_system_and_are_found_by_their_line(end: str) -> None:
    records = _read(end.join(["question,text", "Is it safe?,Yes.", "", "Is it safe?,Yes."]))
    assert _fields(records) == [GOOD, GOOD]
    assert [record.locator for record in records] == ["row at line 2", "row at line 4"]


def test_a_row_over_several_lines_is_one_record_and_the_next_has_the_right_line() -> None:
    first, second = _read(HEADER + 'Is it safe?,"Yes.\n\nQuite, ""really""."\n' + GOOD_ROW)
    assert isinstance(first, RawRecord)
    assert first.fields["text"] == 'Yes.\n\nQuite, "really".'
    assert first.raw == 'Is it safe?,"Yes.\n\nQuite, ""really""."\n'
    assert (first.locator, second.locator) == ("row at line 2", "row at line 5")


@pytest.mark.parametrize(
    ("kind", "header"),
    [
        ("csv", 'question,text,"scale (1; 2; 3; 4; 5)"'),
        ("csv", "question;text;scale"),
        ("csv", '"question";"text";"scale, from 1, to 5"'),
        ("tsv", '"question"\t"text"\t"scale, from 1, to 5"'),
        ("tsv", "question\ttext\tscale; from 1; to 5; or none"),
    ],
    ids=["comma", "semicolon", "semicolon, quoted", "tab, quoted", "tab"],
)
def test_the_delimiter_is_the_one_that_sets_the_columns_apart(kind: str, header: str) -> None:
    delimiter = header.removeprefix('"question"').removeprefix("question")[0]
    (record,) = _read(f"{header}\n" + delimiter.join(["Is it safe?", "Yes.", "3"]), kind=kind)
    assert isinstance(record, RawRecord)
    assert list(record.fields.values()) == ["Is it safe?", "Yes.", "3"]
    assert list(record.fields)[:2] == ["question", "text"]


def test_an_empty_cell_is_no_field() -> None:
    assert _fields(_read("question,text,headline\nIs it safe?,Yes.,\n")) == [GOOD]


@pytest.mark.parametrize("row", ["", ",", ' ,"  "', ",,,"], ids=["empty", "cells", "spaces", "more cells"])
def test_a_row_of_blank_cells_is_passed_over(row: str) -> None:
    assert _fields(_read(HEADER + row + "\n" + GOOD_ROW)) == [GOOD]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ('Is it safe?,"never closed\n', "quote that is never closed"),
        ('"Is it safe?,never closed\n', "quote that is never closed"),
        ('Is it safe?,"closed"too early\n', "expected after"),
        ("Is it safe?,Yes.,and more\n", "3 cells where the header has 2 columns"),
        ("Is it safe?\n", "1 cells where the header has 2 columns"),
    ],
    ids=["open quote", "open quote in the first cell", "stray quote", "too many cells", "too few cells"],
)
def test_a_row_that_cannot_be_read_is_lost_alone(row: str, told: str) -> None:
    first, bad, second, third = _read(HEADER + GOOD_ROW + row + GOOD_ROW + GOOD_ROW)
    assert isinstance(bad, BadRecord)
    assert told in bad.reason
    assert (bad.locator, bad.raw) == ("row at line 3", row)
    assert _fields([first, second, third]) == [GOOD, GOOD, GOOD]
    assert (second.locator, third.locator) == ("row at line 4", "row at line 5")


def test_two_rows_with_an_unterminated_quote_are_lost_and_no_row_between_them() -> None:
    broken = 'Is it safe?,"open\n'
    records = _read(HEADER + broken + GOOD_ROW + broken + GOOD_ROW)
    assert [isinstance(record, RawRecord) for record in records] == [False, True, False, True]


def test_an_unterminated_quote_far_above_the_end_costs_one_row_of_thousands() -> None:
    records = _read(HEADER + 'Is it safe?,"open\n' + GOOD_ROW * 12_000, limit=4_000_000)
    assert isinstance(records[0], BadRecord)
    assert _fields(records[1:]) == [GOOD] * 12_000


def test_an_unterminated_quote_longer_than_a_record_may_be_costs_one_row() -> None:
    records = _read(HEADER + 'Is it safe?,"open\n' + GOOD_ROW * 40, limit=200)
    assert isinstance(records[0], BadRecord)
    assert "never closed" in records[0].reason
    assert _fields(records[1:]) == [GOOD] * 40


def test_a_quoted_text_in_a_row_with_too_few_cells_is_not_taken_for_rows() -> None:
    records = _read('question,text,headline\nIs it safe?,"Yes.\nWell, perhaps, no"\nIs it safe?,Yes.,Sure\n')
    assert [isinstance(record, RawRecord) for record in records] == [False, True]


def test_a_row_longer_than_allowed_is_rejected_and_the_next_is_read() -> None:
    bad, good = _read(HEADER + "Is it safe?," + "x" * 200 + "\n" + GOOD_ROW, limit=100)
    assert isinstance(bad, BadRecord)
    assert "more than 100 characters" in bad.reason
    assert _fields([good]) == [GOOD]


@pytest.mark.parametrize("quote", ["", '"'], ids=["plain", "unterminated quote"])
def test_a_line_of_50_mb_is_rejected_without_being_kept_and_the_next_is_read(tmp_path: Path, quote: str) -> None:
    path = tmp_path / "long.csv"
    with path.open("wb") as file:
        file.write(f"{HEADER}Is it safe?,{quote}".encode())
        for _ in range(50):
            file.write(b"x" * (1 << 20))
        file.write(f"\n{GOOD_ROW}".encode())
    bad, good = read_table(open_source(str(path)), 4_000_000, _any_columns)
    path.unlink()
    assert isinstance(bad, BadRecord)
    assert len(bad.raw) == MAX_RAW_CHARS
    assert (_fields([good]), good.locator) == ([GOOD], "row at line 3")


def test_a_nul_byte_costs_no_other_row() -> None:
    _, good = _read(HEADER + "Is it\x00 safe?,No.\n" + GOOD_ROW)
    assert _fields([good]) == [GOOD]


@pytest.mark.parametrize(
    ("header", "names"),
    [
        ("question,text", ["question", "text"]),
        (' question ,"text"', ["question", "text"]),
        ("\ufeffquestion,text", ["question", "text"]),
        ("question,text,", ["question", "text", "column 3"]),
        ("question,,", ["question", "column 2", "column 3"]),
        ('question,text,"scale\nfrom 1 to 5"', ["question", "text", "scale\nfrom 1 to 5"]),
    ],
    ids=[
        "plain",
        "spaces and quotes",
        "byte order mark",
        "unnamed column",
        "two unnamed columns",
        "a name over two lines",
    ],
)
def test_the_column_names_are_checked_before_any_row(header: str, names: list[str]) -> None:
    seen: list[Sequence[str]] = []
    stream = io.BytesIO(f"{header}\n".encode())
    assert list(read_table(OpenSource("a.csv", "csv", stream, "utf-8"), 1000, seen.append)) == []
    assert seen[-1] == names


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('"question,text\nIs it safe?,Yes.\n', "header cannot be read"),
        ("x" * 20_000, "header cannot be read"),
        ("question,text,text\n", "'text' stands twice"),
    ],
    ids=["open quote", "too long", "double"],
)
def test_a_header_that_will_not_do_is_refused(text: str, told: str) -> None:
    with pytest.raises(BadInput, match=rf"a\.csv, line 1: .*{told}"):
        _read(text)


def test_only_a_table_of_medstances_own_loses_the_mark_before_a_formula() -> None:
    (own,) = _read("question,text,source.locator\n'=1+1?,'quoted',line 1\n")
    (other,) = _read("question,text\n'=1+1?,'quoted'\n")
    assert isinstance(own, RawRecord)
    assert (own.fields["question"], own.fields["text"]) == ("=1+1?", "'quoted'")
    assert _fields([other]) == [{"question": "'=1+1?", "text": "'quoted'"}]
