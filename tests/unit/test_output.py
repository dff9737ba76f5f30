"""Writing: whole or not at all, and in every format what can be read again."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import stat
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pipeline import output
from pipeline.errors import WrongUsage
from pipeline.flat import Row, flatten, write_cell
from pipeline.ingest import ReadOptions, read_answers
from pipeline.output import (
    BLOCK_ROWS,
    open_whole,
    record_format,
    to_json_line,
    write_flat,
    write_rows,
    write_text,
)
from pipeline.schema import AnswerRecord, ClassifiedAnswer, StanceCall, split_classified

FORMATS = ["jsonl", "csv", "tsv", "parquet"]
FLAT_FORMATS = FORMATS[1:]
COMPRESSED = ["out.jsonl.gz", "out.csv.gz", "out.tsv.zst", "out.jsonl.zst"]
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


@pytest.mark.parametrize("name", ["out.jsonl", "out.csv", "out.parquet", *COMPRESSED])
def test_an_interrupted_run_leaves_the_old_file_and_nothing_else(tmp_path: Path, name: str) -> None:
    def rows() -> Iterator[Row]:
        yield from ({"a": "x" * 100} for _ in range(1000))
        raise KeyboardInterrupt

    (tmp_path / name).write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt):
        write_rows(rows(), tmp_path / name, record_format(name))
    assert (tmp_path / name).read_bytes() == b"old"
    assert names_in(tmp_path) == [name]


@pytest.mark.parametrize("name", ["out.csv", "out.parquet", *COMPRESSED])
def test_a_disk_that_is_full_leaves_nothing_behind(tmp_path: Path, name: str) -> None:
    resource = pytest.importorskip("resource", reason="this system limits no file's size")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    rows = ({"a": os.urandom(500).hex()} for _ in range(300))
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            write_rows(rows, tmp_path / name, record_format(name))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert names_in(tmp_path) == []


def test_a_file_is_on_the_disk_before_it_takes_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target, synced, sync = tmp_path / "out.txt", list[tuple[bytes, bool]](), os.fsync

    def note(descriptor: int) -> None:
        (new,) = tmp_path.iterdir()
        synced.append((new.read_bytes(), target.exists()))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    write_text(target, "new")
    # Then the folder, which holds the name.
    assert synced == [(b"new", False), (b"new", True)]


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
        ("a.csv.gz", "csv"),
        ("a.JSONL.GZ", "jsonl"),
        ("folder.gz/a.tsv.zst", "tsv"),
    ],
)
def test_the_format_of_records_is_told_by_the_files_name(name: str, expected: str) -> None:
    assert record_format(name) == expected


@pytest.mark.parametrize(
    "name", ["a", "a.html", "a.json", "csv", ".csv", "folder.csv/a", "a.gz", ".csv.gz", "a.csv.gz.gz", ""]
)
def test_a_name_that_tells_no_format_is_wrong_usage(name: str) -> None:
    with pytest.raises(WrongUsage, match="cannot tell a format from its name") as caught:
        record_format(name)
    for known in (".jsonl", ".ndjson", ".csv", ".tsv", ".tab", ".parquet", ".pq", ".gz", ".zst"):
        assert known in str(caught.value)


@pytest.mark.parametrize(("name", "suffix"), [("out.parquet.gz", ".gz"), ("out.pq.ZST", ".ZST")])
def test_parquet_is_not_compressed_once_more(tmp_path: Path, name: str, suffix: str) -> None:
    def rows() -> Iterator[Row]:
        pytest.fail("refused before the work is done")
        yield {}

    for refuse in (lambda: record_format(name), lambda: write_rows(rows(), tmp_path / name, "parquet")):
        with pytest.raises(WrongUsage, match=f"{name}: Parquet is compressed by itself: leave out {suffix}$"):
            refuse()
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("name", COMPRESSED)
def test_a_file_is_compressed_when_its_name_says_so_and_the_same_each_time(tmp_path: Path, name: str) -> None:
    rows = [{"a": n, "b": "très " * 9} for n in range(500)]
    plain, first, second = tmp_path / "plain", tmp_path / name, tmp_path / "again" / name
    for path in (plain, first, second):
        assert write_rows(iter(rows), path, record_format(name)) == len(rows)
    with pa.input_stream(str(first), compression="gzip" if name.endswith("gz") else "zstd") as stream:
        assert stream.read() == plain.read_bytes()
    assert len(first.read_bytes()) < len(plain.read_bytes()) / 3
    assert first.read_bytes() == second.read_bytes()


def test_no_rows_are_a_compressed_file_without_rows(tmp_path: Path) -> None:
    assert write_rows([], tmp_path / "out.jsonl.gz", "jsonl") == 0
    assert gzip.decompress((tmp_path / "out.jsonl.gz").read_bytes()) == b""


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


# ---------------------------------------------------------------- tables in bounded memory

NOTHING, WORDS = st.none(), st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
SMALL, WIDE = st.integers(-9, 9), st.sampled_from([2**53, 2**53 + 1, -(2**53) - 1, 2**60 + 1, 2**63 - 1, -(2**63)])
HUGE, FLOATS = st.sampled_from([2**63, -(2**63) - 1, 2**64 + 1, 10**400]), st.floats()
ANY = NOTHING | st.booleans() | SMALL | WIDE | HUGE | FLOATS | WORDS
TABLES = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "nothing": NOTHING,
            "truth": NOTHING | st.booleans(),
            "number": NOTHING | SMALL,
            "wide": SMALL | WIDE,
            "huge": WIDE | HUGE,
            "float": NOTHING | FLOATS,
            "mixed numbers": SMALL | FLOATS,
            "wide mixed numbers": WIDE | FLOATS,
            "truth and floats": NOTHING | st.booleans() | FLOATS,
            "words": NOTHING | WORDS,
            "any": ANY,
            "=1": ANY,
            "nest": st.dictionaries(st.sampled_from("xyz"), SMALL | st.lists(ANY, max_size=2), max_size=2),
            "nest.x": ANY,
        },
    ),
    max_size=12,
)


def write_at_once(rows: Sequence[Row], format_name: str) -> bytes:
    """All rows in memory, as simple as can be: what writing in bounded memory must give too."""
    flat = [flatten(row) for row in rows]
    columns = list(dict.fromkeys(name for row in flat for name in row))
    if format_name == "parquet":
        binary = io.BytesIO()
        pq.write_table(pa.table({name: to_array([row.get(name) for row in flat]) for name in columns}), binary)
        return binary.getvalue()
    text = io.StringIO()
    writer = csv.writer(text, delimiter="," if format_name == "csv" else "\t", lineterminator="\r\n")
    writer.writerow([write_cell(name) for name in columns])
    for row in flat:
        writer.writerow(["" if (value := row.get(name)) is None else write_cell(value) for name in columns])
    return text.getvalue().encode()


def to_array(values: list[Any]) -> Any:
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return pa.array([None if value is None else str(value) for value in values])


def content(data: bytes, format_name: str) -> Any:
    """What must be the same: schema and values of Parquet (as text, for NaN and -0.0), the bytes of all else."""
    if format_name != "parquet":
        return data
    table = pq.read_table(io.BytesIO(data))
    return table.schema, table.num_rows, repr(table.to_pydict())


@pytest.mark.parametrize("format_name", FLAT_FORMATS)
@given(rows=TABLES, block_rows=st.integers(1, 5))
@example(rows=[], block_rows=1)
@example(rows=[{}, {}], block_rows=1)
@example(rows=[{"a": True}, {"a": 0.5}], block_rows=1)
@example(rows=[{"a": 0.5}, {"a": True}], block_rows=1)
@example(rows=[{"a": 0}, {"a": 2**53}, {"a": 0.5}, {"a": 1}], block_rows=2)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_table_is_the_same_as_if_all_rows_were_in_memory(
    tmp_path: Path, format_name: str, rows: list[dict[str, Any]], block_rows: int
) -> None:
    expected = content(write_at_once(rows, format_name), format_name)
    file = io.BytesIO()
    assert write_flat(lambda: iter(rows), file, format_name, block_rows=block_rows) == len(rows)
    assert content(file.getvalue(), format_name) == expected
    assert write_rows(iter(rows), tmp_path / "out", format_name) == len(rows)
    assert content((tmp_path / "out").read_bytes(), format_name) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param([None, None], pa.null(), id="nothing"),
        pytest.param([None, True, False], pa.bool_(), id="truth"),
        pytest.param([1, None, 2**63 - 1], pa.int64(), id="whole numbers"),
        pytest.param([1, 2**63, 1], pa.string(), id="one number beyond 64 bits"),
        pytest.param([1, 0.5, 2**53], pa.float64(), id="numbers that a float holds"),
        pytest.param([1, 2**53 + 1, 2, 0.5], pa.string(), id="a number among them that no float holds"),
        pytest.param(["x", None], pa.string(), id="words"),
        pytest.param([1, 2, "x"], pa.string(), id="words at the end"),
    ],
)
def test_a_column_has_one_type_that_holds_all_its_values_whatever_the_blocks(values: list[Any], expected: Any) -> None:
    file = io.BytesIO()
    write_flat(lambda: [{"a": value} for value in values], file, "parquet", block_rows=1)
    column = pq.read_table(file)["a"]
    assert column.type == expected
    text = pa.types.is_string(expected)
    assert column.to_pylist() == [str(value) if text and value is not None else value for value in values]


def test_a_parquet_file_is_written_in_blocks_of_rows() -> None:
    file = io.BytesIO()
    write_flat(lambda: ({"a": n} for n in range(BLOCK_ROWS * 2 + 1)), file, "parquet")
    found = pq.ParquetFile(file).metadata
    assert [found.row_group(n).num_rows for n in range(found.num_row_groups)] == [BLOCK_ROWS, BLOCK_ROWS, 1]


def test_rows_of_long_text_make_shorter_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "BLOCK_CHARS", 20)
    write_rows([{"text": "x" * 10}] * 5, tmp_path / "out.parquet", "parquet")
    groups = pq.ParquetFile(tmp_path / "out.parquet").metadata
    assert [groups.row_group(n).num_rows for n in range(groups.num_row_groups)] == [2, 2, 1]


def long_rows(count: int) -> Iterable[Row]:
    return ({"id": n, "text": f"{n:06d}" * 160} for n in range(count))


@pytest.mark.parametrize("name", ["out.jsonl", "out.csv", "out.tsv", "out.csv.gz"])
def test_rows_are_written_in_bounded_memory(tmp_path: Path, name: str) -> None:
    write_rows(long_rows(1), tmp_path / name, record_format(name))
    assert peak_memory(lambda: write_rows(long_rows(1500), tmp_path / name, record_format(name))) < 600_000


def test_parquet_is_written_in_the_memory_of_a_block() -> None:
    def write() -> None:
        write_flat(lambda: long_rows(1500), NoFile(), "parquet", block_rows=50)

    write()
    assert peak_memory(write) < 600_000


class NoFile(io.RawIOBase):
    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        return len(data)


def peak_memory(work: Any) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="this system does not tell the open files")
@pytest.mark.parametrize("is_device", [False, True], ids=["file", "device"])
def test_rows_wait_in_the_targets_folder_where_files_belong_there(tmp_path: Path, is_device: bool) -> None:
    waiting = list[str]()

    def rows() -> Iterator[Row]:
        for link in Path("/proc/self/fd").iterdir():
            with suppress(OSError):
                waiting.append(str(link.readlink()))
        yield {"a": 1}

    write_rows(rows(), Path(os.devnull) if is_device else tmp_path / "new" / "out.csv", "csv")
    folder = Path(os.devnull).parent if is_device else tmp_path / "new"
    found = [place for place in waiting if place.startswith(f"{folder}/") and place.endswith("(deleted)")]
    assert len(found) == (0 if is_device else 1)


def test_what_needs_no_parquet_does_not_wait_for_it(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from pipeline.output import write_rows;"
        "write_rows([{'a': 1}], Path(sys.argv[1], 'a.csv'), 'csv');"
        "write_rows([{'a': 1}], Path(sys.argv[1], 'a.jsonl.gz'), 'jsonl');"
        "sys.exit('pyarrow' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, cwd=Path(__file__).parents[2])


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
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
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
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
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
