"""An unfinished run can be taken up by one other, and by none that is not the same."""

from __future__ import annotations

import fcntl
import json
import multiprocessing
import os
import pkgutil
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pipeline.batch import RunFolder, Shard, hash_file, open_run, read_shard, write_shard
from pipeline.errors import BadInput, WrongUsage

PLAN = {"model": "m@1", "inputs": ["é"]}


def check(earlier: Any, plan: Any) -> None:
    if earlier != plan:
        raise WrongUsage("another plan")


@contextmanager
def run(output: Path, *, resume: bool = False, plan: Any = PLAN, place: str | None = None) -> Iterator[RunFolder]:
    with open_run(output, plan, resume=resume, place=place, check=check) as folder:
        yield folder


def test_a_run_begins_with_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    with run(tmp_path / "a" / "out.jsonl") as folder:
        assert folder.done == {}
        assert folder.path == tmp_path / "a" / "out.jsonl.run"
        assert json.loads((folder.path / "run.json").read_text()) == PLAN
        write_shard(folder.store, Shard(0, {}, b"x"))
        folder.delete()
    assert list((tmp_path / "a").iterdir()) == []


@pytest.mark.parametrize("place", [None, "elsewhere"])
def test_shards_are_found_again(tmp_path: Path, place: str | None) -> None:
    if place is not None:
        (tmp_path / place).mkdir()
        place = str(tmp_path / place)
    with run(tmp_path / "out", place=place) as folder:
        write_shard(folder.store, Shard(1, {"n": 3}, b"x"))
        assert folder.end_early() == 1
    with run(tmp_path / "out", resume=True, place=place) as folder:
        assert folder.done == {1: {"n": 3}}


def test_an_unfinished_run_is_neither_lost_nor_mixed_up_with_another(tmp_path: Path) -> None:
    with run(tmp_path / "out") as folder:
        write_shard(folder.store, Shard(0, {}, b"x"))
    with (
        pytest.raises(WrongUsage, match=r"an unfinished run is in .*: go on with --resume, or delete"),
        run(tmp_path / "out"),
    ):
        pass
    with pytest.raises(WrongUsage, match="another plan"), run(tmp_path / "out", resume=True, plan={}):
        pass
    with run(tmp_path / "out", resume=True) as folder:
        assert folder.done == {0: {}}


def test_an_unfinished_run_without_a_shard_is_begun_anew(tmp_path: Path) -> None:
    with run(tmp_path / "out"):
        pass
    with run(tmp_path / "out", plan={"other": 1}) as folder:
        assert json.loads((folder.path / "run.json").read_text()) == {"other": 1}
        assert folder.end_early() == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("moment", ["os.fsync", "pipeline.batch.folder.flush_folder"])
def test_an_interruption_while_the_plan_is_written_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    def interrupt(_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(moment, interrupt)
    with pytest.raises(KeyboardInterrupt), run(tmp_path / "out"):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("moment", "is_over"),
    [("pathlib.Path.open", False), ("fcntl.flock", False), ("fcntl.flock", True), ("os.path.samestat", True)],
    ids=["once it is made", "once its lock is made", "once it is locked", "once the lock is checked"],
)
def test_an_interruption_while_the_folder_is_locked_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str, is_over: bool
) -> None:
    real, n_calls = pkgutil.resolve_name(moment), 0

    def interrupt_once(*arguments: Any, **named: Any) -> Any:
        nonlocal n_calls
        n_calls += 1
        if n_calls > 1:
            return real(*arguments, **named)
        if is_over:
            real(*arguments, **named)
        raise KeyboardInterrupt

    monkeypatch.setattr(moment, interrupt_once)
    with pytest.raises(KeyboardInterrupt), run(tmp_path / "out"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_an_interruption_leaves_the_folder_of_the_run_that_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = fcntl.flock

    def interrupt_once(*_: Any) -> None:
        monkeypatch.setattr(fcntl, "flock", real)
        raise KeyboardInterrupt

    with run(tmp_path / "out"):
        # As bare as one that was cut off.
        (tmp_path / "out.run" / "run.json").unlink()
        monkeypatch.setattr(fcntl, "flock", interrupt_once)
        with pytest.raises(KeyboardInterrupt), run(tmp_path / "out"):
            pass
        assert (tmp_path / "out.run" / "lock").exists()


def test_a_run_that_was_cut_off_before_it_had_a_plan_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "out.run").mkdir()
    for name in ("lock", "run.json.new"):
        (tmp_path / "out.run" / name).write_text("{")
    with run(tmp_path / "out", resume=True) as folder:
        assert folder.done == {}
        folder.delete()
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_was_cut_off_before_its_plan_was_in_force_leaves_nothing_in_its_place(tmp_path: Path) -> None:
    output, place = tmp_path / "out.jsonl", tmp_path / "elsewhere"
    with run(output, place=str(place)) as begun:
        kept = json.loads((begun.path / "run.json").read_text(encoding="utf-8"))
        # As a kill leaves it: the plan drawn up, its part of the place marked.
        (begun.path / "run.json").replace(begun.path / "run.json.new")
    assert Path(kept["shards_in"]).is_dir()
    with run(output, place=str(place)) as again:
        assert list(place.iterdir()) == [Path(again.place)]
        again.delete()
    assert list(place.iterdir()) == []


def test_runs_of_one_name_on_two_machines_do_not_mix_in_a_place_that_they_share(tmp_path: Path) -> None:
    place = str(tmp_path / "place")
    with run(tmp_path / "out", place=place) as first:
        write_shard(first.store, Shard(0, {}, b"theirs"))
    # Another machine has no folder of that run, and so no lock.
    shutil.rmtree(first.path)
    with run(tmp_path / "out", place=place) as second:
        assert second.done == {}
        write_shard(second.store, Shard(0, {}, b"ours"))
    assert read_shard(first.store, 0).content == b"theirs"
    second.delete()
    assert [str(path) for path in Path(place).iterdir()] == [first.place]


@pytest.mark.parametrize("named", [None, "another"])
def test_an_unfinished_run_is_found_whatever_place_is_named_now(tmp_path: Path, named: str | None) -> None:
    with run(tmp_path / "out", place=str(tmp_path / "place")) as first:
        write_shard(first.store, Shard(0, {}, b"x"))
    place = None if named is None else str(tmp_path / named)
    with pytest.raises(WrongUsage, match="unfinished run") as caught, run(tmp_path / "out", place=place):
        pass
    assert first.place in str(caught.value)
    with run(tmp_path / "out", resume=True, place=place) as again:
        assert [*again.done] == [0]


@pytest.mark.parametrize("resume", [False, True], ids=["anew", "resumed"])
@pytest.mark.parametrize("scheme", ["", "file://"], ids=["a folder", "an address"])
def test_a_run_whose_shards_are_away_is_not_forgotten(tmp_path: Path, scheme: str, resume: bool) -> None:
    place = tmp_path / "place"
    with run(tmp_path / "out", place=f"{scheme}{place}") as first:
        write_shard(first.store, Shard(0, {}, b"x"))
    place.rename(tmp_path / "unmounted")
    with pytest.raises(WrongUsage, match="the shards of an unfinished run are not there"):  # noqa: SIM117
        with run(tmp_path / "out", resume=resume, place=f"{scheme}{place}"):
            pass
    shutil.rmtree(place, ignore_errors=True)
    (tmp_path / "unmounted").rename(place)
    with run(tmp_path / "out", resume=True, place=f"{scheme}{place}") as again:
        assert [*again.done] == [0]
        again.delete()
    assert [path.name for path in tmp_path.iterdir()] == ["place"]
    assert list(place.iterdir()) == []


def test_a_place_that_does_not_answer_is_told_before_there_is_a_plan(tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match="cannot be used"), run(tmp_path / "out", place="file:///dev/null/place"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_was_making_does_not_pile_up(tmp_path: Path) -> None:
    with run(tmp_path / "out") as folder:
        write_shard(folder.store, Shard(0, {}, b"x"))
        (folder.path / ".out-0123abcd").write_bytes(b"half an output")
    with run(tmp_path / "out", resume=True) as folder:
        assert sorted(path.name for path in folder.path.iterdir()) == ["00000000.shard", "lock", "run.json"]


def test_a_folder_of_the_users_own_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "out.run").mkdir()
    (tmp_path / "out.run" / "mine.txt").write_text("mine")
    with pytest.raises(WrongUsage, match=r"holds mine\.txt and is no folder of a run"), run(tmp_path / "out"):
        pass
    assert (tmp_path / "out.run" / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize("content", ["{", "5", "[1]"])
def test_a_plan_that_is_damaged_is_told(tmp_path: Path, content: str) -> None:
    (tmp_path / "out.run").mkdir()
    (tmp_path / "out.run" / "run.json").write_text(content)
    with pytest.raises(BadInput, match=r"run\.json: is damaged"), run(tmp_path / "out", resume=True):
        pass


def test_a_place_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WrongUsage, match="cannot be written"), run(tmp_path / "file" / "out"):
        pass


def _try(output: str, answers: Any) -> None:
    try:
        with run(Path(output)):
            answers.put("open")
    except WrongUsage as error:
        answers.put(str(error))


def test_two_runs_that_make_the_same_file_refuse_each_other_whatever_they_call_it(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    (tmp_path / "link").symlink_to(tmp_path / "out")
    with run(tmp_path / "out"):
        process = context.Process(target=_try, args=(str(tmp_path / "link"), answers))
        process.start()
        assert "another run is making it" in answers.get(timeout=60)
        process.join()
    # The system lets go of the lock.
    with run(tmp_path / "out"):
        pass


def test_a_lock_whose_folder_was_deleted_meanwhile_is_taken_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, n_calls = os.path.samestat, 0

    def differ_once(*stats: os.stat_result) -> bool:
        nonlocal n_calls
        n_calls += 1
        return n_calls > 1 and real(*stats)

    monkeypatch.setattr(os.path, "samestat", differ_once)
    with run(tmp_path / "out"):
        assert n_calls == 2


def test_files_are_hashed_by_their_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert hash_file(tmp_path / "a").startswith("ba7816bf8f01cfea")
