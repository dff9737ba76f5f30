"""Shards appear whole or not at all, and say what is in them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.batch.store import (
    FolderStore,
    ObjectStore,
    Shard,
    Store,
    delete_block,
    delete_shard,
    empty,
    open_store,
    read_shard,
    sweep,
    take_block,
    write_block,
    write_shard,
)
from pipeline.errors import BadInput, WrongUsage


@pytest.fixture(params=["folder", "address"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return open_store(str(tmp_path) if request.param == "folder" else f"file://{tmp_path}")


@given(number=st.integers(0, 10**8 - 1), content=st.binary(max_size=300), n=st.integers())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_shard_comes_back_as_it_was_written(store: Store, number: int, content: bytes, n: int) -> None:
    shard = Shard(number, {"n": n, "by": {"a": 1}}, content)
    write_shard(store, shard)
    assert read_shard(store, number) == shard


def test_blocks_are_written_read_and_deleted(store: Store) -> None:
    write_block(store, 3, b'{"a": 1}\n')
    assert take_block(store, 3) == b'{"a": 1}\n'
    for _ in range(2):
        delete_block(store, 3)
    assert store.names() == []


def test_a_sweep_keeps_whole_shards_and_what_is_none_of_the_run(store: Store, tmp_path: Path) -> None:
    write_shard(store, Shard(0, {"n": 1}, b"whole"))
    write_shard(store, Shard(12, {"n": 2}, b"whole too"))
    write_block(store, 1, b"begun")
    store.put("run.json", b"{}")
    whole = (tmp_path / "00000000.shard").read_bytes()
    for name, content in {
        "00000002.shard": whole[:-1],
        "00000003.shard": b"",
        "00000004.shard": b"[]\n",
        "00000005.shard": b'{"size": 1, "summary": 5}\nx',
        ".00000006.shard.new-0123abcd": whole,
    }.items():
        (tmp_path / name).write_bytes(content)
    assert sweep(store) == {0: {"n": 1}, 12: {"n": 2}}
    assert store.names() == ["00000000.shard", "00000012.shard", "run.json"]
    empty(store)
    assert store.names() == ["run.json"]


@pytest.mark.parametrize("cut", [0, 5, -1], ids=["all", "head", "end"])
def test_a_shard_that_is_cut_off_is_told_and_not_used(store: Store, tmp_path: Path, cut: int) -> None:
    write_shard(store, Shard(7, {}, b"content"))
    path = tmp_path / "00000007.shard"
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(BadInput, match=r"00000007\.shard: is damaged"):
        read_shard(store, 7)


def test_a_shard_of_the_right_length_with_other_bytes_is_told_and_deleted(store: Store, tmp_path: Path) -> None:
    write_shard(store, Shard(7, {}, b"content" * 1000))
    path = tmp_path / "00000007.shard"
    whole = path.read_bytes()
    # As a file system may leave it whose machine was switched off.
    path.write_bytes(whole[:4096] + bytes(len(whole) - 4096))
    assert sweep(store) == {7: {}}
    with pytest.raises(BadInput, match=r"00000007\.shard: is damaged: go on with --resume, which makes it anew"):
        read_shard(store, 7)
    assert sweep(store) == {}


def test_a_shard_that_is_deleted_is_gone_and_no_error_the_second_time(store: Store) -> None:
    write_shard(store, Shard(1, {}, b""))
    for _ in range(2):
        delete_shard(store, 1)
    assert sweep(store) == {}


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    store = FolderStore(tmp_path, is_new=False)
    (tmp_path / "00000001.shard").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_shard(store, Shard(1, {}, b"content"))
    assert [path.name for path in tmp_path.iterdir()] == ["00000001.shard"]


def test_a_shard_is_swept_by_its_beginning_and_size_alone(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    write_shard(store, Shard(7, {"n": 1}, b"x" * 1_000_000))
    assert store.peek("00000007.shard")[1] > 1_000_000
    monkeypatch.setattr("pipeline.batch.store.read_shard", None)
    assert sweep(store) == {7: {"n": 1}}


@pytest.mark.parametrize("use", [lambda store: take_block(store, 1), lambda store: store.put("a", b"")])
def test_a_folder_that_is_not_there_is_told_and_not_made(tmp_path: Path, use: Callable[[Store], object]) -> None:
    store = open_store(str(tmp_path / "away"), is_new=False)
    assert store.names() == []
    with pytest.raises(WrongUsage, match="is none that all workers share"):
        use(store)
    assert list(tmp_path.iterdir()) == []


def test_an_object_store_without_objects_is_empty() -> None:
    assert ObjectStore("memory://nothing/here", is_new=True).names() == []


def test_an_address_that_fsspec_does_not_know_is_told() -> None:
    with pytest.raises(WrongUsage, match=r"nosuch://bucket/run: cannot be opened"):
        open_store("nosuch://bucket/run")
