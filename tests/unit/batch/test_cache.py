"""What was worked out once is found again by what it was made of."""

from __future__ import annotations

import fcntl
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.batch import CallCache, hash_key
from pipeline.errors import WrongUsage

PARTS = st.lists(st.none() | st.text(max_size=4), max_size=4)


@given(PARTS, PARTS)
def test_keys_are_the_same_for_the_same_texts_alone(one: list[str | None], other: list[str | None]) -> None:
    assert (hash_key(*one) == hash_key(*other)) == (one == other)


def test_results_are_kept_from_one_use_to_the_next(tmp_path: Path) -> None:
    rows = {n.to_bytes(16, "big"): b"%d" % n for n in range(2000)}
    with CallCache(tmp_path / "a" / "cache") as cache:
        assert cache.get(list(rows)) == {}
        cache.put(rows)
        cache.put({next(iter(rows)): b"another"})
    with CallCache(tmp_path / "a" / "cache") as cache:
        assert cache.get([*rows, b"unknown"]) == rows


def test_a_cache_is_opened_by_one_at_a_time(tmp_path: Path) -> None:
    def begin() -> None:
        with CallCache(tmp_path):
            pass

    with ThreadPoolExecutor(1) as pool, (tmp_path / "lock").open("ab") as lock:
        # As another process holds it while it makes the database.
        fcntl.flock(lock, fcntl.LOCK_EX)
        begun = pool.submit(begin)
        try:
            with pytest.raises(TimeoutError):
                begun.result(timeout=1)
            assert not (tmp_path / "calls.sqlite").exists()
        finally:
            fcntl.flock(lock, fcntl.LOCK_UN)
        begun.result(timeout=60)
    assert (tmp_path / "calls.sqlite").exists()


def test_several_writers_wait_for_each_other(tmp_path: Path) -> None:
    at_once = threading.Barrier(4)

    def write(first: int) -> None:
        at_once.wait()
        with CallCache(tmp_path) as cache:
            for n in range(first, first + 40):
                cache.put({b"%d" % n: b"x"})

    with ThreadPoolExecutor(at_once.parties) as pool:
        list(pool.map(write, (0, 20, 40, 60)))
    with CallCache(tmp_path) as cache:
        assert len(cache.get([b"%d" % n for n in range(200)])) == 100


@pytest.mark.parametrize(
    ("damage", "advice"),
    [("a file in the way", r"File exists\): name another"), ("no database", r"not a database\): delete it, or name")],
)
def test_a_cache_that_cannot_be_used_is_told_with_its_file(tmp_path: Path, damage: str, advice: str) -> None:
    folder = tmp_path / "cache"
    if damage == "no database":
        folder.mkdir()
        (folder / "calls.sqlite").write_bytes(b"no database at all" * 100)
    else:
        folder.write_bytes(b"")
    with pytest.raises(WrongUsage, match=rf"--cache: .*calls\.sqlite cannot be used \(.*{advice}"):
        CallCache(folder)


def test_a_cache_without_room_is_not_to_be_deleted(tmp_path: Path) -> None:
    with CallCache(tmp_path) as cache:
        cache._database.execute("PRAGMA max_page_count = 1")
        with pytest.raises(WrongUsage, match=r"is full\): make room there, or name another folder"):
            cache.put({b"%d" % n: b"x" * 5000 for n in range(100)})
    with CallCache(tmp_path) as cache:
        cache.put({b"a": b"x"})
        assert cache.get([b"a"]) == {b"a": b"x"}
