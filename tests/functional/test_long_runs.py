"""Long runs of `stance classify`: cut off at any moment, shared by processes, repeated, never half done."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from pipeline.batch import open_run
from pipeline.cli import run
from pipeline.manifest import find_model
from pipeline.output import record_format
from pipeline.workflow import running, shards

STANCE = [sys.executable, "-m", "pipeline"]
N_ANSWERS = 200
N_KILLS = int(os.environ.get("MEDSTANCE_KILLS", "50"))
BAD = '{"question": "Is it safe?"}\n'


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "MAX_BLOCK_ANSWERS", 8)


@pytest.fixture(scope="module")
def corpus(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two hundred answers, a bad record every fifty, and fields of the user's own."""
    lines = (checkout / "data" / "corpus" / "hair.jsonl").read_text(encoding="utf-8").splitlines()
    lines += (checkout / "data" / "corpus" / "teeth.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) | {"stance": "mine", "n": n} for n, line in enumerate(lines[:N_ANSWERS])]
    path = tmp_path_factory.mktemp("corpus") / "answers.jsonl"
    text = [json.dumps(row, ensure_ascii=False) + "\n" + (BAD if n % 50 == 0 else "") for n, row in enumerate(rows)]
    path.write_text("".join(text), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def expected(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an undisturbed run makes."""
    output = tmp_path_factory.mktemp("expected") / "out.jsonl"
    assert run(["classify", str(corpus), "-o", str(output)]) == 5
    return output


def made_by(output: Path) -> dict[str, bytes]:
    """Return everything that a run has made, by name."""
    return {path.name: path.read_bytes() for path in output.parent.iterdir()}


def fork(arguments: Sequence[str], errors: Path, before: Callable[[], object] = lambda: None) -> int:
    """Run the command in a copy of this process, whose model is loaded, and return the copy's id."""
    with warnings.catch_warnings():
        # Python warns of forks of processes with threads: the copy uses none of them.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        code = 1
        try:
            # What measures coverage holds a lock now and then; interrupted there, the copy would wait for it for ever.
            sys.settrace(None)
            threading.settrace(None)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            sys.stderr = errors.open("w", encoding="utf-8")
            before()
            code = run(list(arguments))
            sys.stderr.flush()
        finally:
            os._exit(code)
    return pid


def wait(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


# ---------------------------------------------------------------- cut off


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options", "share"),
    [
        pytest.param("out.jsonl", [], 1.0, id="as it comes"),
        pytest.param("out.csv.gz", ["--cache", "kept"], 0.1, id="a compressed table, with a cache"),
        pytest.param("out.parquet", ["--shards", "elsewhere"], 0.1, id="Parquet, with shards elsewhere"),
    ],
)
def test_a_run_that_is_killed_at_any_moment_goes_on_and_makes_the_same(
    corpus: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    options: list[str],
    share: float,
) -> None:
    monkeypatch.chdir(tmp_path)
    draw = random.Random(20261126)  # noqa: S311
    expected, output = tmp_path / "expected" / name, tmp_path / "out" / name
    assert run(["classify", str(corpus), "-o", str(expected)]) == 5
    command = ["classify", str(corpus), "-o", str(output), *options, "--resume"]
    start = time.monotonic()
    assert wait(fork(command, tmp_path / "errors")) == 5
    seconds = time.monotonic() - start
    n_kills = n_ends = n_kept = 0
    while n_kills < N_KILLS * share:
        for path in output.parent.iterdir():
            path.unlink()
        code = -signal.SIGKILL
        while code == -signal.SIGKILL:
            pid = fork(command, tmp_path / "errors")
            time.sleep(draw.uniform(0, seconds / 2))
            os.kill(pid, signal.SIGKILL)
            code = wait(pid)
            n_kills += code == -signal.SIGKILL
            n_kept += "kept from before" in (tmp_path / "errors").read_text(encoding="utf-8")
            # Whatever has the output's name is all of it.
            assert not output.exists() or output.read_bytes() == expected.read_bytes()
        assert code == 5, (tmp_path / "errors").read_text(encoding="utf-8")
        n_ends += 1
        assert made_by(output) == made_by(expected)
    assert n_kept > 0
    assert not (tmp_path / "elsewhere").exists() or list((tmp_path / "elsewhere").iterdir()) == []
    print(f"{n_kills} kills, {n_kept} times something was kept, {n_ends} runs came to their end")  # noqa: T201


@pytest.mark.slow
def test_two_processes_that_lose_their_parent_at_any_moment_leave_what_makes_the_same(
    corpus: Path, tmp_path: Path
) -> None:
    draw = random.Random(20261126)  # noqa: S311
    expected, output = tmp_path / "expected" / "out.csv.zst", tmp_path / "out" / "out.csv.zst"
    assert run(["classify", str(corpus), "-o", str(expected)]) == 5
    command = ["classify", str(corpus), "-o", str(output), "--jobs", "2", "--resume"]
    # Each loads the model anew: a moment is known by what is done, not by the clock.
    for n_shards in (3, 15):
        pid = fork(command, tmp_path / "errors")
        while len(list((output.parent / "out.csv.zst.run").glob("*.shard"))) < n_shards:
            time.sleep(0.002)
        time.sleep(draw.uniform(0, 0.05))
        os.kill(pid, signal.SIGKILL)
        assert wait(pid) == -signal.SIGKILL
    assert wait(fork(command, tmp_path / "errors")) == 5
    assert "kept from before" in (tmp_path / "errors").read_text(encoding="utf-8")
    assert made_by(output) == made_by(expected)


@pytest.mark.skipif(signal.getsignal(signal.SIGINT) is signal.SIG_IGN, reason="the tests run where Ctrl-C is ignored")
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c_keeps_what_is_done_and_says_how_to_go_on(
    corpus: Path, expected: Path, tmp_path: Path, jobs: str
) -> None:
    output = tmp_path / "out" / "out.jsonl"
    command = ["classify", str(corpus), "-o", str(output), "--jobs", jobs]
    pid = fork(command, tmp_path / "errors")
    folder = output.parent / "out.jsonl.run"
    while not (folder.is_dir() and any(folder.glob("*.shard"))):
        time.sleep(0.005)
    os.kill(pid, signal.SIGINT)
    code, said = wait(pid), (tmp_path / "errors").read_text(encoding="utf-8").splitlines()
    assert code == 130
    assert said[-2:] == [f"what was classified is kept in {folder}: go on with --resume", "stance: interrupted"]
    assert not output.exists()
    assert not any(path.name.endswith((".block", ".new")) for path in folder.iterdir())
    assert run([*command[:-2], "--resume"]) == 5
    assert made_by(output) == made_by(expected)


@pytest.mark.parametrize("n_bytes", [2_000, 60_000, 300_000], ids=["in a shard", "in a later shard", "in the output"])
def test_a_full_disk_is_told_and_the_run_goes_on_when_there_is_room(
    corpus: Path, expected: Path, tmp_path: Path, n_bytes: int
) -> None:
    output = tmp_path / "out" / "out.jsonl"
    command = ["classify", str(corpus), "-o", str(output)]
    limit = (n_bytes, resource.getrlimit(resource.RLIMIT_FSIZE)[1])
    pid = fork(command, tmp_path / "errors", lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit))
    code, said = wait(pid), (tmp_path / "errors").read_text(encoding="utf-8").splitlines()
    assert code == 2
    assert "cannot be written (File too large)" in said[-1]
    assert not output.exists()
    assert run([*command, "--resume"]) == 5
    assert made_by(output) == made_by(expected)


def test_without_resume_an_unfinished_run_is_neither_lost_nor_mixed_with_a_new_one(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = begin(corpus, tmp_path)
    assert run(["classify", str(corpus), "-o", str(output)]) == 2
    assert "go on with --resume, or delete that folder" in capsys.readouterr().err
    assert run(["classify", str(corpus), "-o", str(output), "--resume"]) == 5
    assert "kept from before" in capsys.readouterr().err


def begin(corpus: Path, tmp_path: Path, *options: str, n_shards: int = 1) -> Path:
    """Leave a run unfinished, and return its output."""
    output = tmp_path / "out" / "out.jsonl"
    pid = fork(["classify", str(corpus), "-o", str(output), *options], tmp_path / "errors")
    while len(list((output.parent / "out.jsonl.run").glob("*.shard"))) < n_shards:
        time.sleep(0.002)
    os.kill(pid, signal.SIGKILL)
    assert wait(pid) == -signal.SIGKILL
    return output


def test_whoever_has_to_mend_a_source_is_told_to_begin_anew(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, output = tmp_path / "answers.jsonl.gz", tmp_path / "out" / "out.jsonl"
    whole = gzip.compress(corpus.read_bytes(), mtime=0)
    source.write_bytes(whole[: len(whole) // 2])
    command = ["classify", str(source), "-o", str(output)]
    assert run(command) == 3
    folder = output.parent / "out.jsonl.run"
    said = capsys.readouterr().err
    assert f"kept in {folder}: go on with --resume if the sources stay as they are, else delete it" in said
    source.write_bytes(whole)
    assert run([*command, "--resume"]) == 3
    assert not output.exists()
    shutil.rmtree(folder)
    assert run(command) == 5


def test_a_quarantine_that_an_earlier_run_left_is_told_of(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output, good = tmp_path / "out" / "out.jsonl", tmp_path / "good.jsonl"
    assert run(["classify", str(corpus), "-o", str(output)]) == 5
    quarantine = output.with_name("out.jsonl.quarantine.jsonl")
    before = quarantine.read_bytes()
    assert "was there before" not in capsys.readouterr().err
    good.write_text(corpus.read_text(encoding="utf-8").replace(BAD, ""), encoding="utf-8")
    assert run(["classify", str(good), "-o", str(output)]) == 0
    assert f"warning: {quarantine} was there before: this run left no record out" in capsys.readouterr().err
    assert quarantine.read_bytes() == before


@pytest.mark.parametrize(
    ("change", "options", "code", "told"),
    [
        ("a source's bytes", [], 3, "answers.jsonl: is not what it was when the run was begun"),
        ("another source", ["samples/answers.csv"], 3, "answers.csv: was no part of the run that was begun"),
        ("a source less", [], 3, "was read by the run and is not named now"),
        ("a model", ["--model", "{model}"], 4, "the run was begun with fast@"),
        ("a column", ["--column", "headline=n"], 2, "begun with another --kind, --encoding or --column"),
        ("a format", ["--format", "csv"], 2, "begun with another format or compression"),
        ("a version", [], 2, "begun with another version of medstance, Python or a library"),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) and len(value) < 20 else None,
)
def test_what_changed_since_a_run_was_begun_is_noticed(
    corpus: Path,
    checkout: Path,
    tmp_path: Path,
    change: str,
    options: list[str],
    code: int,
    told: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source = tmp_path / "answers.jsonl"
    source.write_bytes(corpus.read_bytes())
    other = tmp_path / "other.jsonl"
    other.write_bytes((checkout / "data" / "samples" / "answers.jsonl").read_bytes())
    output = begin(source, tmp_path, *([str(other)] if change == "a source less" else []))
    plan = output.parent / "out.jsonl.run" / "run.json"
    if change == "a source's bytes":
        source.write_bytes(corpus.read_bytes().replace(b"safe", b"SAFE"))
    elif change == "a version":
        plan.write_text(plan.read_text().replace('"spacy": "', '"spacy": "0.'))
    elif change == "a model":
        # Another manifest, by a blank line, is another model.
        model = tmp_path / "other-model"
        shutil.copytree(find_model("fast"), model)
        (model / "manifest.json").write_bytes((model / "manifest.json").read_bytes() + b"\n")
        options = [option.format(model=model) for option in options]
    elif change == "another source":
        options = [str(checkout / "data" / options[0])]
    before = made_by_run(output)
    capsys.readouterr()
    assert run(["classify", str(source), "-o", str(output), "--resume", *options]) == code
    assert told in capsys.readouterr().err
    assert made_by_run(output) == before


def made_by_run(output: Path) -> dict[str, bytes]:
    folder = output.with_name(output.name + ".run")
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in {".shard", ".json"}}


def test_two_runs_that_make_the_same_file_refuse_each_other(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out.jsonl"
    with open_run(output, {}, resume=False, place=None, check=lambda *_: None):
        assert run(["classify", str(corpus), "-o", str(output), "--resume"]) == 2
    assert "another run is making it: wait for its end" in capsys.readouterr().err


@pytest.mark.parametrize("is_other", [False, True], ids=["merely touched", "another content"])
@pytest.mark.parametrize("is_interrupted", [False, True], ids=["read to its end", "interrupted"])
def test_a_source_that_changes_while_it_is_read_is_noticed(
    corpus: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    is_other: bool,
    is_interrupted: bool,
) -> None:
    text = corpus.read_text(encoding="utf-8")
    source, output = tmp_path / "answers.jsonl", tmp_path / "out" / "out.jsonl"
    source.write_text(text, encoding="utf-8")
    real, n_calls = shards.classify_block, 0

    def classify_and_change(*arguments: Any) -> Any:
        nonlocal n_calls
        n_calls += 1
        if is_interrupted and n_calls == 5:
            raise KeyboardInterrupt
        if is_other:
            source.write_text(text + " ", encoding="utf-8")
        os.utime(source, ns=(1, 1))
        return real(*arguments)

    command = ["classify", str(source), "-o", str(output)]
    with monkeypatch.context() as patch:
        patch.setattr(running, "classify_block", classify_and_change)
        assert run(command) == (130 if is_interrupted else 3)
    said = capsys.readouterr().err
    assert ("answers.jsonl: changed while it was read" in said) == (not is_interrupted)
    # It may be changed back, and then nobody would notice what its shards were made of.
    assert ("go on with --resume" in said) == (not is_other)
    assert ("what was classified is not kept" in said) == is_other
    assert (output.parent / "out.jsonl.run").exists() == (not is_other)
    source.write_text(text, encoding="utf-8")
    assert run([*command, "--resume"]) == 5
    undisturbed = tmp_path / "undisturbed.jsonl"
    assert run(["classify", str(source), "-o", str(undisturbed)]) == 5
    assert output.read_bytes() == undisturbed.read_bytes()


def test_blocks_end_early_where_records_are_large_whatever_makes_them_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "MAX_BLOCK_BYTES", 5_000)
    numbers = []
    real = shards.classify_block

    def classify_and_count(*arguments: Any) -> Any:
        numbers.append(len(arguments[2]))
        return real(*arguments)

    monkeypatch.setattr(running, "classify_block", classify_and_count)
    large = {"question": "Is it safe?", "text": "No.", "own": {"deep": ["x" * 3_000]}}
    source = tmp_path / "answers.jsonl"
    source.write_text(f"{json.dumps(large)}\n" * 5, encoding="utf-8")
    assert run(["classify", str(source), "-o", str(tmp_path / "out.jsonl")]) == 0
    assert numbers == [2, 2, 1]


@pytest.mark.skipif(not Path("/proc/self/mem").is_file(), reason="no such file, which none can read, on this system")
def test_a_source_that_cannot_be_read_is_told_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["classify", "/proc/self/mem", "-o", str(tmp_path / "out.jsonl")]) == 3
    assert "stance: /proc/self/mem: cannot be opened (Input/output error)" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_shard_that_was_not_on_the_disk_when_the_machine_was_switched_off_is_made_anew(
    corpus: Path, expected: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = begin(corpus, tmp_path, n_shards=2)
    for shard in [output.parent / "out.jsonl.run" / f"0000000{number}.shard" for number in range(2)]:
        shard.write_bytes(shard.read_bytes()[:-100] + bytes(100))
    command = ["classify", str(corpus), "-o", str(output), "--resume"]
    assert run(command) == 3
    assert "00000000.shard: is damaged: go on with --resume, which makes it anew" in capsys.readouterr().err
    assert run(command) == 5
    assert made_by(output) == made_by(expected)


def test_a_run_whose_folder_is_deleted_is_told_in_one_line(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out.jsonl"
    real = shards.classify_block

    def delete_and_classify(*arguments: Any) -> Any:
        shutil.rmtree(tmp_path / "out.jsonl.run", ignore_errors=True)
        return real(*arguments)

    monkeypatch.setattr(running, "classify_block", delete_and_classify)
    assert run(["classify", str(corpus), "-o", str(output)]) == 2
    said = capsys.readouterr().err
    assert "its folder was deleted, or is none that all workers share" in said
    assert "is kept in" not in said
    assert not output.exists()


def test_shards_that_are_away_in_mid_run_are_not_forgotten(
    corpus: Path,
    expected: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    output, place, away = tmp_path / "out" / "out.jsonl", tmp_path / "shards", tmp_path / "away"
    real, n_calls = shards.classify_block, 0

    def lose_and_classify(*arguments: Any) -> Any:
        nonlocal n_calls
        n_calls += 1
        if n_calls == 5:
            place.rename(away)
        return real(*arguments)

    command = ["classify", str(corpus), "-o", str(output), "--shards", str(place)]
    with monkeypatch.context() as patch:
        patch.setattr(running, "classify_block", lose_and_classify)
        assert run(command) == 2
    assert "go on with --resume" in capsys.readouterr().err
    away.rename(place)
    assert run([*command, "--resume"]) == 5
    assert "32 kept from before" in capsys.readouterr().err
    assert made_by(output) == made_by(expected)
    assert list(place.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--scheduler", "tcp://127.0.0.1:1"], "--scheduler: is for --backend dask"),
        (["--backend", "dask", "--jobs", "2"], "--jobs: is for this machine alone"),
    ],
    ids=["a scheduler without Dask", "processes with Dask"],
)
def test_options_that_do_not_go_together_are_refused(
    corpus: Path, capsys: pytest.CaptureFixture[str], options: list[str], told: str
) -> None:
    assert run(["classify", str(corpus), *options]) == 2
    assert told in capsys.readouterr().err


def test_the_summary_counts_what_is_quarantined(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["classify", str(corpus), "-o", str(tmp_path / "out.jsonl")]) == 5
    assert ", 4 quarantined\n" in capsys.readouterr().err


def test_a_source_that_is_a_pipe_is_read_once_and_cannot_be_taken_up(
    corpus: Path, expected: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pipe, output = tmp_path / "pipe", tmp_path / "out" / "out.jsonl"
    os.mkfifo(pipe)
    command = ["classify", str(pipe), "--kind", "jsonl", "-o", str(output)]
    thread = threading.Thread(target=lambda: pipe.write_bytes(corpus.read_bytes()))
    thread.start()
    assert run(command) == 5
    thread.join()
    assert output.read_bytes().count(b"\n") == expected.read_bytes().count(b"\n")
    assert run([*command, "--resume"]) == 2
    assert "cannot be read a second time" in capsys.readouterr().err


def test_an_output_that_a_pattern_names_as_a_source_is_refused(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(corpus.read_bytes())
    assert run(["classify", str(tmp_path / "*.jsonl"), "-o", str(tmp_path / "a.jsonl")]) == 2
    assert (tmp_path / "a.jsonl").read_bytes() == corpus.read_bytes()


def test_shards_in_a_place_of_the_users_leave_what_is_there_and_nothing_of_their_own(
    corpus: Path, expected: Path, tmp_path: Path
) -> None:
    place = tmp_path / "place"
    place.mkdir()
    for name in ("mine.block", "my.new.csv", "x.shard"):
        (place / name).write_text("mine")
    for n, output in enumerate(["a.jsonl", "b.csv"]):
        assert run(["classify", str(corpus), "-o", str(tmp_path / str(n) / output), "--shards", str(place)]) == 5
    assert sorted(path.name for path in place.rglob("*")) == ["mine.block", "my.new.csv", "x.shard"]
    assert (tmp_path / "0" / "a.jsonl").read_bytes() == expected.read_bytes()


def test_a_run_on_standard_input_leaves_nothing_that_could_not_be_taken_up(
    corpus: Path, expected: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out" / "out.jsonl"
    command = ["classify", "-", "--kind", "jsonl", "-o", str(output)]

    def read_from_the_corpus() -> None:
        sys.stdin = corpus.open(encoding="utf-8")

    pid = fork(command, tmp_path / "errors", read_from_the_corpus)
    while not any((output.parent / "out.jsonl.run").glob("*.shard")):
        time.sleep(0.002)
    os.kill(pid, signal.SIGKILL)
    assert wait(pid) == -signal.SIGKILL
    assert wait(fork(command, tmp_path / "errors", read_from_the_corpus)) == 5
    assert len(output.read_text(encoding="utf-8").splitlines()) == N_ANSWERS
    assert sorted(made_by(output)) == sorted(made_by(expected))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [(["-", "-o", "x.jsonl"], "cannot be read a second time"), (["answers.jsonl"], "only a run that makes a file")],
    ids=["standard input", "standard output"],
)
def test_what_cannot_be_taken_up_again_is_told(
    arguments: list[str], told: str, corpus: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(corpus.parent)
    assert run(["classify", *arguments, "--resume"]) == 2
    assert told in capsys.readouterr().err


# ---------------------------------------------------------------- shared, streamed, in every format


def test_two_jobs_make_the_bytes_of_one(corpus: Path, expected: Path, tmp_path: Path) -> None:
    output = tmp_path / "out" / "out.jsonl"
    assert run(["classify", str(corpus), "-o", str(output), "--jobs", "2"]) == 5
    assert made_by(output) == made_by(expected)


@pytest.mark.parametrize("name", ["out.csv", "out.tsv", "out.parquet", "out.jsonl.gz", "out.jsonl.zst", "out.csv.gz"])
def test_every_format_holds_the_same_records(expected: Path, corpus: Path, tmp_path: Path, name: str) -> None:
    assert run(["classify", str(corpus), "-o", str(tmp_path / name)]) == 5
    # What one command wrote every other reads.
    assert run(["ingest", str(tmp_path / name), "-o", str(tmp_path / "again.jsonl")]) == 0
    assert run(["ingest", str(expected), "-o", str(tmp_path / "plain.jsonl")]) == 0
    again, plain = ((tmp_path / f"{one}.jsonl").read_text(encoding="utf-8").splitlines() for one in ("again", "plain"))
    assert len(again) == len(plain) == N_ANSWERS
    if record_format(name) == "jsonl":
        assert again == plain
    stances = [[json.loads(line)["stance"] for line in lines] for lines in (again, plain)]
    assert stances[0] == stances[1]


def test_standard_input_streams_to_standard_output(corpus: Path, expected: Path, tmp_path: Path) -> None:
    with ExitStack() as stack:
        source = stack.enter_context(corpus.open("rb"))
        done = subprocess.run(
            [*STANCE, "classify", "-", "--kind", "jsonl", "--quarantine", str(tmp_path / "bad.jsonl")],
            stdin=source,
            capture_output=True,
            check=False,
            timeout=120,
        )
    assert done.returncode == 5
    streamed = [json.loads(line) for line in done.stdout.splitlines()]
    whole = [json.loads(line) for line in expected.read_text(encoding="utf-8").splitlines()]
    assert [row | {"source": None} for row in streamed] == [row | {"source": None} for row in whole]
    assert len((tmp_path / "bad.jsonl").read_text().splitlines()) == N_ANSWERS // 50


def test_the_manifest_says_what_a_result_was_made_of(corpus: Path, expected: Path) -> None:
    manifest = json.loads(expected.with_name("out.jsonl.manifest.json").read_text(encoding="utf-8"))
    data, output = corpus.read_bytes(), expected.read_bytes()
    assert manifest["inputs"] == [{"file": str(corpus), "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}]
    assert manifest["output"]["sha256"] == hashlib.sha256(output).hexdigest()
    assert manifest["output"]["bytes"] == len(output)
    rows = [json.loads(line) for line in output.splitlines()]
    assert {manifest["model"]["name"]} == {row["model"] for row in rows}
    counts = manifest["counts"]
    assert (counts["n_answers"], counts["n_quarantined"]) == (N_ANSWERS, N_ANSWERS // 50)
    assert counts["n_abstained"] == sum(row["abstained"] for row in rows)
    assert counts["stances"] == {
        name: sum(row["stance"] == name and not row["abstained"] for row in rows) for name in counts["stances"]
    }
    assert {"medstance", "spacy", "numpy", "python"} <= manifest["versions"].keys()


def test_the_summary_is_json_where_a_machine_asks_for_it(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["classify", str(corpus), "-o", str(tmp_path / "out.jsonl"), "--json"]) == 5
    summary = json.loads(capsys.readouterr().out)
    assert (summary["n_answers"], summary["n_quarantined"]) == (N_ANSWERS, N_ANSWERS // 50)
    assert summary["n_abstained"] + sum(summary["stances"].values()) == N_ANSWERS
    assert summary["manifest"] == str(tmp_path / "out.jsonl.manifest.json")
    assert summary["seconds"] > 0


# ---------------------------------------------------------------- the cache


def test_what_the_cache_knows_is_not_classified_again_and_the_result_is_the_same(
    corpus: Path, expected: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = str(tmp_path / "cache")

    def classify(name: str, source: Path = corpus) -> dict[str, Any]:
        output = tmp_path / name / "out.jsonl"
        assert run(["classify", str(source), "-o", str(output), "--cache", cache, "--json"]) == 5
        summary: dict[str, Any] = json.loads(capsys.readouterr().out)
        return summary

    assert classify("cold")["n_cached"] == 0
    assert made_by(tmp_path / "cold" / "out.jsonl") == made_by(expected)
    # New answers, a new question, a new headline: only these are new.
    rows = [json.loads(line) for line in corpus.read_text(encoding="utf-8").splitlines()]
    for n, name in {10: "text", 11: "question", 12: "headline", 13: "proposition"}.items():
        rows[n][name] = "Is a new word safe?"
    rows[14]["n"] = -1
    changed = tmp_path / "changed.jsonl"
    changed.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    assert classify("changed", changed)["n_cached"] == N_ANSWERS - 4
    fresh = tmp_path / "fresh" / "out.jsonl"
    assert run(["classify", str(changed), "-o", str(fresh)]) == 5
    assert made_by(tmp_path / "changed" / "out.jsonl") == made_by(fresh)
    # All is known: no model is needed.
    monkeypatch.setattr("pipeline.classify.explain_answers", None)
    assert classify("warm")["n_cached"] == N_ANSWERS
    assert made_by(tmp_path / "warm" / "out.jsonl") == made_by(expected)


def test_a_cache_is_refused_on_a_cluster(corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--backend", "dask", "--scheduler", "tcp://127.0.0.1:1", "--cache", str(tmp_path / "cache")]
    assert run(["classify", str(corpus), "-o", str(tmp_path / "out.jsonl"), *options]) == 2
    assert "--cache: works on one machine alone" in capsys.readouterr().err


def test_a_place_that_is_no_place_is_refused(corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "out.jsonl"
    assert run(["classify", str(corpus), "-o", str(output), "--shards", "s3://"]) == 2
    assert capsys.readouterr().err == "stance: --shards s3://: names no bucket and no folder\n"
    assert list(tmp_path.iterdir()) == []
