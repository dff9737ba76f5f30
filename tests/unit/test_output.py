"""Writing: whole or not at all, and in every format what can be read again."""

from __future__ import annotations

import csv
import json
import os
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pipeline.errors import WrongUsage
from pipeline.ingest import ReadOptions, read_answers
from pipeline.output import open_whole, record_format, to_json_line, write_rows, write_text
from pipeline.schema import AnswerRecord, ClassifiedAnswer, StanceCall, split_classified

FORMATS = ["jsonl", "csv", "tsv", "parquet"]
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1).filter(str.strip)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# ---------------------------------------------------------------- whole or not at all


def test_a_file_takes_its_name_only_when_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "out.txt"
    with open_whole(target) as file:
        file.write(b"new")
        assert not target.exists()
    assert target.read_bytes() == b"new"
    assert names_in(tmp_path) == ["out.txt"]


@pytest.mark.parametrize("error", [ValueError, OSError, KeyboardInterrupt])
def test_a_writer_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: type[BaseException]) -> None:
    target = tmp_path / "out.txt"
    target.write_bytes(b"old")

    def fail_half_way() -> None:
        with open_whole(target) as file:
            file.write(b"half of the n")
            raise error

    with pytest.raises(error):
        fail_half_way()
    assert target.read_bytes() == b"old"
    assert names_in(tmp_path) == ["out.txt"]


@pytest.mark.parametrize("format_name", FORMATS)
def test_rows_that_fail_half_way_leave_no_file(tmp_path: Path, format_name: str) -> None:
    def rows() -> Iterator[dict[str, Any]]:
        yield {"a": 1}
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_rows(rows(), tmp_path / "out", format_name)
    assert names_in(tmp_path) == []


def test_a_written_file_follows_the_users_mask_not_that_of_a_temporary_file(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        write_text(tmp_path / "out.txt", "x")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "out.txt").stat().st_mode) == 0o640


def test_missing_folders_are_made(tmp_path: Path) -> None:
    write_text(tmp_path / "a" / "b" / "out.txt", "x")
    assert (tmp_path / "a" / "b" / "out.txt").read_text(encoding="utf-8") == "x"


def test_a_place_that_is_a_folder_or_below_a_file_is_wrong_usage_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    for place in (tmp_path, tmp_path / "file" / "out.txt"):
        with pytest.raises(WrongUsage) as caught, open_whole(place):
            pass
        assert str(caught.value).startswith(f"{place}: ")
    assert names_in(tmp_path) == ["file"]


def test_a_link_is_written_through_and_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.txt").write_text("old", encoding="utf-8")
    (tmp_path / "link.txt").symlink_to("real.txt")
    write_text(tmp_path / "link.txt", "new")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real.txt").read_text(encoding="utf-8") == "new"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_or_device_is_never_replaced_by_a_file(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        # Writing into it and refusing it are both right; taking its place, as of /dev/null, is not.
        with suppress(WrongUsage):
            write_text(pipe, "x")
        assert stat.S_ISFIFO(pipe.stat().st_mode)
    finally:
        os.close(reader)


def test_two_writers_of_one_file_leave_one_of_their_texts_whole(tmp_path: Path) -> None:
    texts = ["a" * 200_000, "b" * 200_000]
    writers = [threading.Thread(target=write_text, args=(tmp_path / "out", text)) for text in texts]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert (tmp_path / "out").read_text(encoding="utf-8") in texts
    assert names_in(tmp_path) == ["out"]


# ---------------------------------------------------------------- formats


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.jsonl", "jsonl"),
        ("a.ndjson", "jsonl"),
        ("a.b.CSV", "csv"),
        ("a.tsv", "tsv"),
        ("a.TAB", "tsv"),
        ("folder.csv/a.parquet", "parquet"),
        ("a.pq", "parquet"),
    ],
)
def test_the_format_of_records_is_told_by_the_files_name(name: str, expected: str) -> None:
    assert record_format(name) == expected


@pytest.mark.parametrize("name", ["a", "a.html", "a.json", "csv", ".csv", "folder.csv/a", "a.csv.gz", ""])
def test_a_name_that_tells_no_format_is_wrong_usage(name: str) -> None:
    with pytest.raises(WrongUsage, match="cannot tell a format from its name"):
        record_format(name)


def test_jsonl_is_one_line_per_record_whatever_the_text() -> None:
    text = "one\ntwo\r\nthree\u2028four\u0085"
    line = to_json_line({"text": text})
    assert "\n" not in line
    assert json.loads(line) == {"text": text}


def test_rows_go_to_standard_output_as_bytes_and_are_counted(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    rows: list[dict[str, Any]] = [{"a": "é"}, {"a": None}]
    assert write_rows(iter(rows), None, "jsonl") == 2
    assert capsysbinary.readouterr().out == '{"a":"é"}\n{"a":null}\n'.encode()


def test_standard_output_stays_open_after_writing(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    for format_name in FORMATS:
        write_rows([{"a": 1}], None, format_name)
    sys.stdout.write("more")
    assert capsysbinary.readouterr().out.endswith(b"more")


@pytest.mark.parametrize("format_name", FORMATS)
def test_every_format_counts_its_rows_and_is_the_same_each_time(tmp_path: Path, format_name: str) -> None:
    rows = [{"a": n, "b": {"c": [n]}, "d": None} for n in range(5)]
    assert write_rows(rows, tmp_path / "one", format_name) == 5
    assert write_rows(iter(rows), tmp_path / "two", format_name) == 5
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_flat_formats_hold_the_columns_of_all_rows_in_order_of_appearance(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"b": 1}, {"a": 2, "b": 3}, {"c": {"d": 4}}]
    write_rows(rows, tmp_path / "out.csv", "csv")
    assert (tmp_path / "out.csv").read_text(encoding="utf-8") == "b,a,c.d\n1,,\n3,2,\n,,4\n"
    write_rows(rows, tmp_path / "out.parquet", "parquet")
    assert pq.read_table(tmp_path / "out.parquet").column_names == ["b", "a", "c.d"]


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([1, "two"], id="number and text"),
        pytest.param(["one", 2.5, True], id="text, number and truth"),
        pytest.param([True, 1], id="truth and number"),
        pytest.param([2**70, 1], id="a number beyond 64 bits"),
        pytest.param([2**63, -1], id="numbers on both sides of a 64-bit range"),
        pytest.param([2**60 + 1, 0.5], id="a whole number that no float holds"),
    ],
)
def test_a_column_of_mixed_values_goes_to_parquet_and_loses_nothing(tmp_path: Path, values: list[Any]) -> None:
    write_rows([{"mine": value} for value in values], tmp_path / "out.parquet", "parquet")
    found = pq.read_table(tmp_path / "out.parquet")["mine"].to_pylist()
    assert [str(value) for value in found] == [str(value) for value in values]


@pytest.mark.parametrize("name", ["=1+1", "+x", "-x", "@x"])
def test_no_header_of_a_csv_file_begins_like_a_formula(tmp_path: Path, name: str) -> None:
    write_rows([{"text": "x", name: "y"}], tmp_path / "out.csv", "csv")
    header = (tmp_path / "out.csv").read_text(encoding="utf-8").split("\n")[0]
    assert not [cell for cell in header.split(",") if cell.startswith(tuple("=+-@"))]


@given(TEXTS)
@example("=1+1")
@example("'=1+1")
@example("''@x")
@example("-5 degrees")
@example("\t=1")
@example("a\rb")
@example("\r=1")
@example('"')
@example("a\r\nb\n")
@example(" spaces ")
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_cell_of_a_csv_file_begins_like_a_formula(tmp_path: Path, text: str) -> None:
    write_rows([{"text": text}], tmp_path / "out.csv", "csv")
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert len(rows) == 2
    assert rows[1][0] in {text, f"'{text}"}
    assert not rows[1][0].startswith(tuple("=+-@\t\r"))


# ---------------------------------------------------------------- what is written can be read again


def classified(text: str, headline: str | None, extra: str) -> ClassifiedAnswer:
    answer = AnswerRecord.model_validate(
        {
            "question_id": "q",
            "question": text,
            "answer_id": "a",
            "position": 1,
            "headline": headline,
            "text": text,
            "respondent": {"name": headline, "rating": 4.5, "n_reviews": 3},
            "source": {"file": "f", "locator": "line 1"},
            "own": extra,
        }
    )
    call = {
        "stance": "no_stance",
        "side": None,
        "posteriors": {"against": 0.1234, "no_stance": 0.8766},
        "confidence": 0.8766,
        "abstained": True,
        "evidence": [{"field": "text", "start": 0, "end": len(text), "quote": text, "weight": 0.25}],
        "model": "m@1",
    }
    return ClassifiedAnswer(answer=answer, call=StanceCall.model_validate(call))


@pytest.mark.parametrize("format_name", FORMATS)
@given(text=TEXTS, headline=st.none() | TEXTS, extra=TEXTS)
@example(text="a\rb", headline=None, extra="x")
@example(text="'=1", headline="=1", extra="'")
@example(text="[1]", headline="{}", extra="[x")
@example(text=" x\n", headline="\ufeffx", extra="NaN")
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_classified_answer_is_the_same_when_read_again(
    tmp_path: Path, format_name: str, text: str, headline: str | None, extra: str
) -> None:
    before = classified(text, headline, extra)
    path = tmp_path / f"out.{format_name}"
    write_rows([before.to_row()], path, format_name)
    (record,) = read_answers([str(path)], ReadOptions())
    assert isinstance(record, AnswerRecord), record
    assert split_classified(record) == before


@pytest.mark.parametrize("format_name", FORMATS)
def test_reading_and_writing_again_gives_the_same_bytes(tmp_path: Path, format_name: str) -> None:
    rows = [classified(f"Words {n}, =x", None, "y").to_row() | {"answer_id": f"a{n}"} for n in range(3)]
    first, second = tmp_path / f"one.{format_name}", tmp_path / f"two.{format_name}"
    write_rows(rows, first, format_name)
    again = []
    for record in read_answers([str(first)], ReadOptions()):
        assert isinstance(record, AnswerRecord)
        known = split_classified(record)
        assert known is not None
        again.append(known.to_row())
    write_rows(again, second, format_name)
    assert second.read_bytes() == first.read_bytes()
