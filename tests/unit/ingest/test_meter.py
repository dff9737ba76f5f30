from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.compression import compress
from pipeline.ingest import Meter, read_answers

N_ANSWERS = 2000
ROWS = [{"question": "Is it safe?", "text": f"Quite safe, number {n}. " * 20} for n in range(N_ANSWERS)]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
TABLE = ("question,text\n" + "".join(f'{row["question"]},"{row["text"]}"\n' for row in ROWS)).encode()


def _parquet() -> bytes:
    file = io.BytesIO()
    table = pa.table({name: [row[name] for row in ROWS] for name in ROWS[0]})
    pq.write_table(table, file, row_group_size=100, compression="none", use_dictionary=False)
    return file.getvalue()


def _shares(names: list[str]) -> list[float]:
    meter = Meter()
    shares = []
    for _ in read_answers(names, meter=meter):
        assert meter.share is not None
        shares.append(meter.share)
    assert meter.share == 1
    return shares


@pytest.mark.parametrize(
    ("name", "data", "first", "middle"),
    [
        ("a.jsonl", LINES, 0.1, 0.5),
        ("a.csv", TABLE, 0.1, 0.5),
        # The buffer holds most of so small a file; a batch of Parquet is half of the rows.
        ("a.jsonl.gz", compress(LINES, "gzip"), 1, 1),
        ("a.parquet", _parquet(), 0.6, 0.55),
    ],
    ids=["jsonl", "csv", "gzip", "parquet"],
)
def test_the_share_follows_the_reading_and_never_goes_back(
    tmp_path: Path, name: str, data: bytes, first: float, middle: float
) -> None:
    (tmp_path / name).write_bytes(data)
    shares = _shares([str(tmp_path / name)])
    assert len(shares) == N_ANSWERS
    assert shares == sorted(shares)
    assert shares[0] <= first
    assert shares[N_ANSWERS // 2] == pytest.approx(middle, abs=0.1)


def test_compressed_files_count_as_they_lie_on_the_disk(tmp_path: Path) -> None:
    data = b"".join(compress(LINES, codec) for codec in ["zstd"] * 3)
    (tmp_path / "a.jsonl.zst").write_bytes(data)
    (tmp_path / "b.jsonl").write_bytes(LINES)
    meter = Meter()
    items = read_answers([str(tmp_path)], meter=meter)
    assert meter.total is None
    for _ in range(3 * N_ANSWERS):
        next(items)
    assert meter.total == len(data) + len(LINES)
    assert meter.n_read <= len(data)
    next(items)
    assert meter.n_read > len(data)


def test_files_that_are_done_count_whole(tmp_path: Path) -> None:
    for name in "abcd":
        (tmp_path / f"{name}.jsonl").write_text(json.dumps(ROWS[0]) + "\n")
    assert _shares([str(tmp_path)]) == [0.25, 0.5, 0.75, 1]


def test_standard_input_has_no_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.jsonl").write_bytes(LINES)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(LINES)))
    meter = Meter()
    for _ in read_answers([str(tmp_path), "-"], meter=meter):
        assert meter.share is None
    assert meter.n_read == 0


def test_before_reading_there_is_no_share() -> None:
    assert Meter().share is None
