"""The same run on a Dask cluster: the same bytes, whoever does the work and whoever dies of it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.cli import run
from pipeline.workflow import running
from pipeline.workflow.shards import ClassifyTask

if TYPE_CHECKING:
    from distributed import LocalCluster

distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """Two workers, each a process of its own."""
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=2,
        processes=True,
        dashboard_address=":0",
        local_directory=str(tmp_path_factory.mktemp("dask")),
    ) as cluster:
        yield cluster


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "MAX_BLOCK_ANSWERS", 8)


@pytest.fixture(scope="module")
def corpus(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    lines = (checkout / "data" / "corpus" / "hair.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    path = tmp_path_factory.mktemp("corpus") / "answers.jsonl"
    path.write_text("".join([*lines[:100], '{"question": "Is it safe?"}\n']), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def expected(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    output = tmp_path_factory.mktemp("expected") / "out.jsonl"
    assert run(["classify", str(corpus), "-o", str(output)]) == 5
    return made_by(output)


def made_by(output: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in output.parent.iterdir()}


def classify(cluster: LocalCluster, corpus: Path, output: Path, *options: str) -> int:
    scheduler = ["--backend", "dask", "--scheduler", cluster.scheduler_address]
    return run(["classify", str(corpus), "-o", str(output), *scheduler, *options])


@pytest.mark.parametrize("place", ["beside the output", "a folder", "an address"])
def test_a_cluster_makes_the_bytes_of_one_process(
    cluster: LocalCluster, corpus: Path, expected: dict[str, bytes], tmp_path: Path, place: str
) -> None:
    shards = tmp_path / "shards"
    shards.mkdir()
    options = {"beside the output": [], "a folder": [str(shards)], "an address": [f"file://{shards}"]}[place]
    output = tmp_path / "out" / "out.jsonl"
    assert classify(cluster, corpus, output, *(["--shards", *options] if options else [])) == 5
    assert made_by(output) == expected
    assert list(shards.iterdir()) == []


def test_a_worker_that_is_killed_costs_a_retry_and_not_the_run(
    cluster: LocalCluster, corpus: Path, expected: dict[str, bytes], tmp_path: Path
) -> None:
    output, killed = tmp_path / "out" / "out.jsonl", []

    def kill_a_worker() -> None:
        folder = output.parent / "out.jsonl.run"
        while not any(folder.glob("*.shard")):
            time.sleep(0.002)
        pid = next(iter(cluster.workers.values())).process.process.pid
        os.kill(pid, signal.SIGKILL)
        # The run was not at its end.
        killed.append((pid, len(list(folder.glob("*.shard"))), output.exists()))

    thread = threading.Thread(target=kill_a_worker)
    thread.start()
    assert classify(cluster, corpus, output) == 5
    thread.join()
    ((_, n_shards, was_finished),) = killed
    assert 0 < n_shards < 100 / 8
    assert not was_finished
    assert made_by(output) == expected


def test_a_worker_with_another_model_refuses(
    cluster: LocalCluster, corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def other(**options: Any) -> ClassifyTask:
        return ClassifyTask(**{**options, "full_name": "another@0123"})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "ClassifyTask", other)
        assert classify(cluster, corpus, tmp_path / "out.jsonl") == 4
    assert "the run's model is another@0123: the same must be on every worker" in capsys.readouterr().err


def test_a_worker_with_another_version_of_a_library_refuses(
    cluster: LocalCluster, corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def other(**options: Any) -> ClassifyTask:
        return ClassifyTask(**{**options, "versions": {**options["versions"], "numpy": "0.9"}})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "ClassifyTask", other)
        assert classify(cluster, corpus, tmp_path / "out.jsonl") == 2
    assert "the run 0.9: the same must be on every worker" in capsys.readouterr().err


def test_a_run_waits_for_the_workers_of_a_cluster_that_has_none_yet_and_says_so(
    corpus: Path, expected: dict[str, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output, folder = tmp_path / "out" / "out.jsonl", tmp_path / "dask"
    with distributed.LocalCluster(n_workers=0, dashboard_address=":0", local_directory=str(folder)) as empty:
        empty.adapt(minimum=0, maximum=1)
        assert classify(empty, corpus, output) == 5
    assert "has no workers yet: the run waits for them (dask worker tcp://" in capsys.readouterr().err
    assert made_by(output) == expected


def test_a_cluster_without_a_place_to_write_to_is_refused(
    cluster: LocalCluster, corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["classify", str(corpus), "--backend", "dask", "--scheduler", cluster.scheduler_address]) == 2
    assert "workers write to a place that they share" in capsys.readouterr().err
