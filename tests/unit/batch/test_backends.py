"""Calls are made somewhere else, come back in order, and outlive the death of a process."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.batch import map_in_order, open_backend
from pipeline.errors import MedstanceError, WrongUsage


def double(n: int, seconds: float = 0.0) -> int:
    time.sleep(seconds)
    return 2 * n


def die_once(mark: str, n: int) -> int:
    """Kill the process that makes the call, the first time."""
    path = Path(mark)
    if n == 1 and not path.exists():
        path.touch()
        os.kill(os.getpid(), 9)
    return n


def die(_: int) -> None:
    os._exit(1)


def fail(n: int) -> int:
    if n == 1:
        raise MedstanceError("no")
    return n


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_results_come_in_the_order_of_the_calls(n_jobs: int) -> None:
    # The first takes longest.
    calls = [(n, 0.2 if n == 0 else 0.0) for n in range(7)]
    with open_backend("local", n_jobs=n_jobs) as backend:
        assert list(map_in_order(backend, double, calls)) == [0, 2, 4, 6, 8, 10, 12]


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_calls_are_taken_no_further_ahead_than_the_backend_can_use(n_jobs: int) -> None:
    taken = 0

    def calls() -> Iterator[tuple[int]]:
        nonlocal taken
        for n in range(100):
            taken += 1
            yield (n,)

    with open_backend("local", n_jobs=n_jobs) as backend:
        results = map_in_order(backend, double, calls())
        assert next(results) == 0
        assert taken == backend.capacity + 1 <= 1 + 2 * n_jobs


def test_a_call_whose_process_dies_is_made_again(tmp_path: Path) -> None:
    mark = str(tmp_path / "died")
    with open_backend("local", n_jobs=2) as backend:
        assert list(map_in_order(backend, die_once, [(mark, n) for n in range(6)])) == [*range(6)]
    assert Path(mark).exists()


def test_a_call_that_kills_every_process_is_given_up() -> None:
    with open_backend("local", n_jobs=2) as backend, pytest.raises(MedstanceError, match="die again and again"):
        list(map_in_order(backend, die, [(1,)]))


def touch_late(path: str, seconds: float = 0.3) -> None:
    time.sleep(seconds)
    Path(path).touch()


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_no_call_is_under_way_any_more_when_one_has_enough(tmp_path: Path, n_jobs: int) -> None:
    with open_backend("local", n_jobs=n_jobs) as backend:
        results = map_in_order(backend, touch_late, [(str(tmp_path / str(n)),) for n in range(20)])
        next(results)
        results.close()
        made = sorted(tmp_path.iterdir())
        time.sleep(0.5)
        assert sorted(tmp_path.iterdir()) == made
        assert len(made) < 20


@pytest.mark.skipif(threading.current_thread() is not threading.main_thread(), reason="signals need the main thread")
def test_the_call_that_is_waited_for_is_given_up_too(tmp_path: Path) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    path = tmp_path / "made"
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with open_backend("local", n_jobs=2) as backend:
            signal.setitimer(signal.ITIMER_REAL, 1.5)
            with pytest.raises(KeyboardInterrupt):
                list(map_in_order(backend, touch_late, [(str(path), 2.0)]))
            was_made = path.exists()
            time.sleep(1.0)
            assert path.exists() == was_made
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_an_error_of_a_call_is_raised_in_its_place(n_jobs: int) -> None:
    with open_backend("local", n_jobs=n_jobs) as backend:
        results = map_in_order(backend, fail, [(n,) for n in range(3)])
        assert next(results) == 0
        with pytest.raises(MedstanceError, match="no"):
            next(results)


@pytest.mark.parametrize(
    ("scheduler", "told"),
    [(None, "name the cluster with --scheduler"), ("tcp://127.0.0.1:1", "no scheduler answers there")],
    ids=["none", "silent"],
)
def test_a_cluster_that_is_not_there_is_told(scheduler: str | None, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.batch.backends._CONNECT_SECONDS", 1)
    with pytest.raises(WrongUsage, match=told), open_backend("dask", n_jobs=1, scheduler=scheduler):
        pass
