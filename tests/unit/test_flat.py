from __future__ import annotations

import copy
import csv
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.flat import (
    collect_columns,
    flatten,
    flatten_rows,
    is_own_table,
    read_cell,
    unflatten,
    write_cell,
    write_delimited,
    write_table,
)

NAME = st.text(st.characters(codec="ascii", categories=["L"]), min_size=1, max_size=5)
PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()


@settings(max_examples=100)
@given(st.dictionaries(NAME, PLAIN), st.dictionaries(NAME, PLAIN, min_size=1))
def test_a_nested_record_is_the_same_after_flattening_and_nesting(outer: dict[str, Any], inner: dict[str, Any]) -> None:
    outer.pop("evidence", None)
    row = {**outer, "respondent": inner}
    assert unflatten(flatten(row), ["respondent"]) == row


def test_flat_rows_have_no_mapping_and_no_list() -> None:
    row: dict[str, Any] = {"a": {"b": {"c": 1}}, "evidence": ({"quote": "très"},), "tags": [], "none": None}
    assert flatten(row) == {"a.b.c": 1, "evidence": '[{"quote": "très"}]', "tags": "[]", "none": None}


def test_only_the_named_fields_are_nested() -> None:
    assert unflatten({"a.b": 1, "x.y": 2, ".z": 3, "a": 4}, ["a"])["x.y"] == 2
    assert unflatten({"x.y": 2, ".z": 3}, ["a"]) == {"x.y": 2, ".z": 3}


def test_a_deeper_name_is_nested_at_its_first_dot() -> None:
    assert unflatten({"a.b.c": 1}, ["a"]) == {"a": {"b.c": 1}}


def test_dotted_names_join_a_field_that_is_nested_already() -> None:
    assert unflatten({"a": {"b": 1}, "a.c": 2}, ["a"]) == {"a": {"b": 1, "c": 2}}


def test_a_dotted_name_beside_a_plain_value_of_the_same_name_keeps_both() -> None:
    assert unflatten({"a": "text", "a.b": 1}, ["a"]) == {"a": "text", "a.b": 1}


def test_nesting_leaves_what_it_was_given_unchanged() -> None:
    fields = {"a": {"b": 1}, "a.c": 2}
    before = copy.deepcopy(fields)
    unflatten(fields, ["a"])
    assert fields == before


@pytest.mark.parametrize(
    ("cell", "value"),
    [('[{"quote": "no"}]', [{"quote": "no"}]), ("[]", []), ("[not json", "[not json"), ("", ""), ("words", "words")],
)
def test_a_cell_of_evidence_is_a_list_again_where_it_is_one(cell: str, value: Any) -> None:
    assert unflatten({"evidence": cell, "note": cell}, []) == {"evidence": value, "note": cell}


def test_a_deeply_nested_cell_of_evidence_stays_text() -> None:
    cell = "[" * 100_000
    assert unflatten({"evidence": cell}, []) == {"evidence": cell}


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "'=1", "''+1", "＝1+1", "－1"]
)
def test_text_that_a_spreadsheet_might_run_gets_an_apostrophe(text: str) -> None:
    assert write_cell(text) == f"'{text}"


@pytest.mark.parametrize("value", ["", "safe", "1-2", "it's", "'quoted'", " =1", -2, 4.5, None, True])
def test_any_other_cell_is_written_as_it_is(value: Any) -> None:
    assert write_cell(value) == value


@settings(max_examples=200)
@given(st.text() | st.from_regex(r"'{0,3}[=+\-@\t\r].*", fullmatch=True))
def test_a_cell_of_medstances_own_table_is_read_back_exactly(text: str) -> None:
    assert read_cell(write_cell(text), own=True) == text
    assert read_cell(text, own=False) == text


def test_a_table_is_medstances_own_when_it_tells_where_each_record_came_from() -> None:
    assert is_own_table(["question", "source.locator"])
    assert not is_own_table(["question", "source"])


def test_columns_stand_in_order_of_first_appearance() -> None:
    rows: list[dict[str, Any]] = [{"b": 1}, {"a": {"c": 2}, "b": 3}]
    flat, columns = flatten_rows(rows)
    assert columns == ["b", "a.c"]
    assert flat == [{"b": 1}, {"a.c": 2, "b": 3}]
    assert collect_columns(iter(rows)) == ["b", "a.c"]


@settings(max_examples=100)
@given(
    st.lists(st.dictionaries(st.sampled_from(["a", "b", "c d"]), st.text(st.characters(codec="utf-8"), min_size=1))),
    st.sampled_from([",", "\t"]),
)
def test_a_table_is_read_back_by_any_csv_reader(rows: list[dict[str, str]], delimiter: str) -> None:
    file = io.StringIO(newline="")
    assert write_delimited(rows, file, delimiter) == len(rows)
    file.seek(0)
    if any(rows):
        read = [
            {k: read_cell(v, own=True) for k, v in row.items() if v}
            for row in csv.DictReader(file, delimiter=delimiter)
        ]
        assert read == rows


def test_a_row_without_a_value_has_an_empty_cell() -> None:
    file = io.StringIO()
    write_delimited([{"a": 1, "b": None}, {"b": -2.5}], file)
    assert file.getvalue() == "a,b\r\n1,\r\n,-2.5\r\n"


def test_a_row_is_written_before_the_next_is_asked_for() -> None:
    file = io.StringIO()

    def rows() -> Iterator[dict[str, Any]]:
        yield {"a": 1, "b": {"c": "x"}}
        assert file.getvalue() == "b.c,a\r\nx,1\r\n"
        yield {"a": 2}

    assert write_table(rows(), ["b.c", "a"], file) == 2
    assert file.getvalue() == "b.c,a\r\nx,1\r\n,2\r\n"


def test_no_rows_are_a_table_without_rows() -> None:
    file = io.StringIO()
    assert write_delimited([], file) == 0
    assert file.getvalue().strip() == ""


def test_no_column_name_is_run_by_a_spreadsheet_either() -> None:
    file = io.StringIO()
    write_delimited([{"=1+1": "x"}], file)
    assert not file.getvalue().startswith("=")


def test_lists_keep_their_letters_in_a_table() -> None:
    file = io.StringIO()
    write_delimited([{"evidence": [{"quote": "très “sûr”"}]}], file)
    assert "très “sûr”" in file.getvalue()
    (row,) = csv.DictReader(io.StringIO(file.getvalue()))
    assert json.loads(row["evidence"]) == [{"quote": "très “sûr”"}]
