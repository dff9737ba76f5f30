from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.ingest.jsonl import _explain, _parse_line, _refuse_constant, read_jsonl
from pipeline.ingest.raw import MAX_RAW_CHARS, BadRecord, RawRecord
from pipeline.ingest.reader import _is_writable
from pipeline.ingest.source import OpenSource, open_source

GOOD = '{"question": "Is it safe?", "text": "Yes."}'
FIELDS = {"question": "Is it safe?", "text": "Yes."}


def _read(data: str | bytes, limit: int = 10_000) -> list[RawRecord | BadRecord]:
    stream = io.BytesIO(data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass"))
    return list(read_jsonl(OpenSource("a.jsonl", "jsonl", stream, "utf-8"), limit))


def _places(records: list[RawRecord | BadRecord]) -> list[tuple[str, str]]:
    return [(type(record).__name__, record.locator) for record in records]


@settings(max_examples=60)
@given(st.lists(st.dictionaries(st.text(), st.text() | st.integers() | st.booleans() | st.none()), max_size=6))
def test_every_line_is_one_record_with_its_fields_and_line_number(rows: list[dict[str, object]]) -> None:
    records = _read("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    assert [record.fields for record in records if isinstance(record, RawRecord)] == rows
    assert [record.locator for record in records] == [f"line {n}" for n in range(1, len(rows) + 1)]


def test_blank_lines_are_passed_over_and_still_counted() -> None:
    assert _places(_read(f"{GOOD}\n\n  \r\n{GOOD}")) == [("RawRecord", "line 1"), ("RawRecord", "line 4")]


@pytest.mark.parametrize("char", ["\u2028", "\u0085", "\x0c", "\r"], ids=["LS", "NEL", "FF", "CR"])
def test_only_a_newline_ends_a_record(char: str) -> None:
    record = json.dumps({"text": f"one{char}two"}, ensure_ascii=False)
    assert len(_read(f"{record}\n{GOOD}\n")) == 2


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{not json}", "not JSON .*at character 2"),
        (GOOD[:-1], "not JSON"),
        (f"{GOOD} {GOOD}", "not JSON"),
        ('{"text": NaN}', "NaN is no JSON value"),
        ('{"text": -Infinity}', "-Infinity is no JSON value"),
        ('{"text": ' + "[" * 100_000, "nested too deeply"),
        ('{"x": ' + "[" * 5000 + "]" * 5000 + "}", "nested too deeply"),
        ('{"n": ' + "9" * 5000 + "}", "not JSON"),
        ('"a string"', "not a JSON object"),
        ("17", "not a JSON object"),
        ("null", "not a JSON object"),
        ("plain words", "not JSON"),
    ],
    ids=[
        "syntax",
        "unclosed",
        "two",
        "NaN",
        "infinity",
        "deep, unclosed",
        "deep",
        "huge number",
        "str",
        "int",
        "null",
        "words",
    ],
)
def test_a_line_that_is_no_object_is_rejected_and_the_next_is_read(line: str, told: str) -> None:
    bad, good = _read(f"{line}\n{GOOD}\n", limit=200_000)
    assert isinstance(bad, BadRecord)
    assert (bad.locator, bad.raw) == ("line 1", line[:MAX_RAW_CHARS])
    with pytest.raises(ValueError, match=told):
        raise ValueError(bad.reason)
    assert good == RawRecord(FIELDS, "line 2", GOOD)


def test_a_byte_order_mark_is_no_part_of_the_first_record() -> None:
    assert _read("\ufeff" + GOOD) == [RawRecord(FIELDS, "line 1", GOOD)]


def _parse_by_json_loads(line: str) -> RawRecord | BadRecord:
    try:
        fields = json.loads(line, parse_constant=_refuse_constant)
    except ValueError as error:
        return BadRecord("line 1", f"not JSON ({_explain(error)})", line)
    if not isinstance(fields, dict):
        return BadRecord("line 1", "not a JSON object with named fields", line)
    return RawRecord(fields, "line 1", line)


@settings(max_examples=200)
@given(st.text(st.sampled_from('{}[]",:\\\ufeffaeuE+-.0189 NIn')) | st.text())
@example("\ufeff\ufeff" + GOOD)
@example(GOOD + "\ufeff")
def test_a_line_is_taken_and_refused_for_the_same_reason_as_by_json_loads(text: str) -> None:
    line = text.strip()
    assert _parse_line(line, "line 1") == _parse_by_json_loads(line)


ODD_VALUES = [
    *("-0", "-0.0", "1e999", "-1e999", "1e-999", "9" * 30, "9223372036854775808", "-9223372036854775809", "1E5"),
    *("0.1000000000000000055511151231257827", "5e-324", "0." + "1" * 400, "1" * 400 + ".5", "01", "1.", "+1", "1_0"),
    *('"\\ud800"', '"\\ude00x"', '"\\ud83d\\ude00"', '"\udc93"', '"\\u0000"', '"\\/"', '"\\x"', '"\x7f"', '"\t"'),
    *('{"a": 1, "b": 2, "a": 3}', "[1,]", '{"a": 1,}', "[NaN]", "tru", "٣", "'a'"),
    *("[" * 150 + "]" * 150, "[" * 250 + "]" * 250),
]
# What no text can be good with, though it is JSON.
BAD_TEXTS = ('"\\ud800"', '"\\ude00x"', '"\udc93"', '"\\u0000"')


@pytest.mark.parametrize("value", ODD_VALUES, ids=ascii)
def test_an_odd_value_is_decoded_just_as_by_json_loads(value: str) -> None:
    line = f'{{"a": {value}, "z": [{value}]}}'
    parsed, expected = _parse_line(line, "line 1"), _parse_by_json_loads(line)
    assert type(parsed) is type(expected)
    if isinstance(parsed, RawRecord) and isinstance(expected, RawRecord):
        # As text, for which 0 and -0.0 are two things, and the order of fields counts.
        assert repr(parsed.fields) == repr(expected.fields)
        assert parsed.has_good_texts == (value not in BAD_TEXTS and len(value) != 500)
    else:
        assert parsed == expected


@settings(max_examples=100)
@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers())
def test_a_number_is_read_to_the_last_digit(number: float) -> None:
    (record,) = _read(json.dumps({"n": number}))
    assert isinstance(record, RawRecord)
    assert repr(record.fields["n"]) == repr(number)


@settings(max_examples=100)
@given(
    fields=st.dictionaries(
        st.text(), st.text() | st.sampled_from(["\x00", "\ud800", "\udc93", "\\u0000"]) | st.integers()
    ),
    is_escaped=st.booleans(),
)
def test_texts_that_are_called_good_have_no_nul_and_no_lone_surrogate(fields: dict[str, Any], is_escaped: bool) -> None:
    parsed = _parse_line(json.dumps(fields, ensure_ascii=is_escaped), "line 1")
    assert isinstance(parsed, RawRecord)
    assert parsed.fields == fields
    if parsed.has_good_texts:
        assert _is_writable(fields)


def test_a_line_longer_than_allowed_is_rejected_with_its_length_and_the_next_is_read() -> None:
    bad, good = _read("x" * 101 + f"\n{GOOD}\n", limit=100)
    assert isinstance(bad, BadRecord)
    assert "more than 100" in bad.reason
    assert good == RawRecord(FIELDS, "line 2", GOOD)


def test_a_line_of_50_mb_is_rejected_without_being_kept_and_the_next_is_read(tmp_path: Path) -> None:
    path = tmp_path / "long.jsonl"
    with path.open("wb") as file:
        file.write(b'{"question": "Is it safe?", "text": "')
        for _ in range(50):
            file.write(b"x" * (1 << 20))
        file.write(f'"}}\n{GOOD}\n'.encode())
    bad, good = read_jsonl(open_source(str(path)), 4_000_000)
    path.unlink()
    assert isinstance(bad, BadRecord)
    assert len(bad.raw) == MAX_RAW_CHARS
    assert good == RawRecord(FIELDS, "line 2", GOOD)


@pytest.mark.parametrize(
    "text",
    [f"[{GOOD},{GOOD}]", f"[\n  {GOOD},\n  {GOOD}\n]\n", f"\n\n[{GOOD},\n{GOOD}]", f"\ufeff[{GOOD},{GOOD}]\n\n"],
    ids=["one line", "indented", "after blank lines", "after a byte order mark"],
)
def test_an_array_is_read_item_by_item(text: str) -> None:
    records = _read(text)
    assert _places(records) == [("RawRecord", "item 1"), ("RawRecord", "item 2")]
    assert all(record.fields == FIELDS for record in records if isinstance(record, RawRecord))


def test_an_item_of_an_array_that_is_no_object_is_rejected_alone() -> None:
    assert _places(_read(f"[{GOOD}, 7, {GOOD}]")) == [
        ("RawRecord", "item 1"),
        ("BadRecord", "item 2"),
        ("RawRecord", "item 3"),
    ]


@pytest.mark.parametrize(
    "text", ["[" + GOOD, "[NaN]", "[" * 100_000, f"[{GOOD}] trailing"], ids=["open", "NaN", "deep", "trailing"]
)
def test_an_array_that_cannot_be_read_is_one_rejection(text: str) -> None:
    (bad,) = _read(text, limit=200_000)
    assert isinstance(bad, BadRecord)
    assert "not a JSON array" in bad.reason


def test_an_array_longer_than_allowed_is_rejected_as_too_long_not_as_broken() -> None:
    (bad,) = _read("[\n" + ",\n".join([GOOD] * 20) + "\n]", limit=100)
    assert isinstance(bad, BadRecord)
    assert "100" in bad.reason
