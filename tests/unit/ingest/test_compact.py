from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.ingest.compact import CompactTable, Places, hash_key

# Few keys that collide in every table size, and keys that fill all 64 bits.
KEYS = st.sampled_from([8, 16, 1 << 20, 1 << 40, 7, 15, (1 << 64) - 1]) | st.integers(1, (1 << 64) - 1)
NUMBERS = st.integers(0, 1 << 62)


@settings(max_examples=80)
@given(calls=st.lists(st.tuples(st.sampled_from(["insert", "add", "get"]), KEYS, NUMBERS), max_size=60))
def test_a_table_is_a_dictionary(calls: list[tuple[str, int, int]]) -> None:
    table, known = CompactTable(), dict[int, int]()
    for call, key, number in calls:
        if call == "insert":
            assert table.insert(key, number) == known.get(key)
            known.setdefault(key, number)
        elif call == "add":
            number %= 1 << 50
            known[key] = known.get(key, 0) + number
            assert table.add(key, number) == known[key]
        assert table.get(key) == known.get(key)
    assert len(table) == len(known)
    assert {key: table.get(key) for key in known} == known


def test_a_table_grows_and_forgets_nothing() -> None:
    table = CompactTable()
    keys = [hash_key(f"answer-{n}") for n in range(20_000)]
    assert all(table.insert(key, n) is None for n, key in enumerate(keys))
    assert [table.get(key) for key in keys] == list(range(20_000))
    assert all(table.get(hash_key(f"other-{n}")) is None for n in range(1000))


def test_a_key_takes_no_more_than_48_bytes_and_no_less_than_24() -> None:
    table = CompactTable()
    for n in range(1, 10_000):
        table.add(hash_key(str(n)), 1)
        if n > 100:
            assert 24 * n <= 16 * len(table._keys) <= 48 * n + 48


@given(text=st.text(), other=st.text())
def test_a_key_tells_strings_apart_and_is_never_that_of_a_free_slot(text: str, other: str) -> None:
    assert 0 < hash_key(text) < 1 << 64
    assert (hash_key(text) == hash_key(other)) == (text == other)


def test_a_key_is_the_same_in_every_process() -> None:
    code = "from pipeline.ingest.compact import hash_key; print(hash_key('é'))"
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert int(told.stdout) == hash_key("é")


@pytest.mark.parametrize(
    "locator",
    [
        *("line 1", "row at line 120", "line 0", "line 007", "line 9999999999", "line 10000000000", "line " + "9" * 30),
        *("answer 2 to question 3", "page", "", "12", "0", "line ٣", "line 1²", "item 5 of page 7, below"),
    ],
)
def test_a_place_is_named_as_it_was_given(locator: str) -> None:
    places = Places()
    places.pack("other.jsonl", "line 1")
    packed = places.pack("a.jsonl", locator)
    assert 0 <= packed < 1 << 64
    assert places.name(packed) == f"a.jsonl, {locator}"


@given(st.lists(st.tuples(st.text(max_size=3), st.text(st.sampled_from("line 0123"), max_size=8)), max_size=20))
def test_places_are_told_apart(given_places: list[tuple[str, str]]) -> None:
    places = Places()
    packed = [places.pack(*place) for place in given_places]
    assert [places.name(number) for number in packed] == [f"{file}, {locator}" for file, locator in given_places]


def test_the_lines_of_a_file_take_no_room() -> None:
    places = Places()
    for number in range(1000):
        places.pack("a.jsonl", f"line {number + 1}")
    assert len(places._names) == 1
