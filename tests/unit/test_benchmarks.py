"""The benchmarks' own parts; what they measure is in no test."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

from tests.benchmarks import sections
from tests.benchmarks.__main__ import main
from tests.benchmarks.corpus import mix_answers, read_corpus, renew, write_corpus
from tests.benchmarks.measure import CommandFailed, Run, resident_mb, run
from tests.benchmarks.peers import PEERS, Peer, read_texts
from tests.benchmarks.sections import SECTIONS, Setting
from tests.benchmarks.table import Row, describe_setting, render_json, render_table

STANCE = """
import argparse, os, pathlib, shutil, sys
parser = argparse.ArgumentParser()
parser.add_argument("command")
parser.add_argument("source")
parser.add_argument("-o", dest="output", type=pathlib.Path)
parser.add_argument("--model")
parser.add_argument("--jobs", help="processes")
parser.add_argument("--cache", type=pathlib.Path, help="a folder")
options = parser.parse_args()
assert not options.output.exists(), "left over from the run before"
shutil.copy(options.source, options.output)
if options.cache:
    options.cache.mkdir(exist_ok=True)
sys.stderr.write("done")
"""

HOLDER = "data = b'x' * 100_000_000; print('ready', flush=True); input()"


@pytest.fixture
def stance(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, checkout: Path) -> Path:
    """A stand-in for ``stance`` that copies and has all the options."""
    path = tmp_path / "stance.py"
    path.write_text(STANCE, encoding="utf-8")
    monkeypatch.setattr(sections, "_STANCE", (sys.executable, "-S", str(path)))
    monkeypatch.chdir(checkout)
    return path


@pytest.fixture
def quick_peers(monkeypatch: pytest.MonkeyPatch, stance: Path) -> None:  # noqa: ARG001
    """Peers that do nothing."""
    monkeypatch.setattr(sections, "_peer", lambda *_: [sys.executable, "-S", "-c", ""])


# ---------------------------------------------------------------- corpus


def test_the_same_seed_makes_the_same_bytes(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("one", "two", "other")]
    for path, seed in zip(paths, (0, 0, 1), strict=True):
        write_corpus(path, 300, seed=seed)
    one, two, other = (path.read_bytes() for path in paths)
    assert one == two
    assert one != other
    assert one.count(b"\n") == 300
    assert b"\r" not in one


def test_fewer_answers_are_the_first_of_more() -> None:
    assert list(mix_answers(50)) == list(islice(mix_answers(3000), 50))


def test_answer_ids_are_unique_and_questions_grow() -> None:
    n_rows, n_questions = len(read_corpus()), len({row["question_id"] for row in read_corpus()})
    answers = list(mix_answers(3 * n_rows))
    assert len({answer["answer_id"] for answer in answers}) == len(answers)
    assert len({answer["question_id"] for answer in answers}) == 3 * n_questions
    assert len({answer["question"] for answer in answers}) == 3 * len({row["question"] for row in read_corpus()})
    assert all(answer["text"] for answer in answers)


@pytest.mark.parametrize("words", [25, 100, 400, 600])
def test_answers_are_as_long_as_asked_for(words: int) -> None:
    assert {len(answer["text"].split()) for answer in mix_answers(100, words=words)} == {words}


def test_one_answer_in_a_hundred_is_new() -> None:
    answers = list(mix_answers(1000))
    changed = list(renew(answers, mix_answers(1000, seed=1), 100))
    new = [(was, now) for was, now in zip(answers, changed, strict=True) if was != now]
    assert len(new) == 10
    assert all(was["question_id"] == now["question_id"] for was, now in new)
    assert len({answer["answer_id"] for answer in answers + changed}) == 1010


def test_corpus_is_a_command(tmp_path: Path, checkout: Path) -> None:
    path = tmp_path / "answers.jsonl"
    subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.corpus", "7", "-o", str(path), "--words", "30"],
        check=True,
        cwd=checkout,
    )
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert rows == list(mix_answers(7, words=30))
    assert list(read_texts(path)) == [row["text"] for row in rows]


# ---------------------------------------------------------------- measuring


def test_a_run_says_what_it_took() -> None:
    found = run([sys.executable, "-S", "-c", "sum(range(1_000_000)); data = b'x' * 100_000_000"])
    assert found.cpu_seconds > 0
    assert found.wall_seconds > 0
    assert found.peak_mb > 100


def test_the_time_of_a_child_counts(tmp_path: Path) -> None:
    said = tmp_path / "used"
    child = (
        "import resource, sys; sum(range(3_000_000)); used = resource.getrusage(resource.RUSAGE_SELF);"
        "open(sys.argv[1], 'w').write(str(used.ru_utime + used.ru_stime))"
    )
    parent = "import subprocess, sys; subprocess.run([sys.executable, '-S', '-c', *sys.argv[1:]], check=True)"
    found = run([sys.executable, "-c", parent, child, str(said)])
    assert found.cpu_seconds > float(said.read_text(encoding="utf-8")) > 0


def test_memory_is_that_of_the_whole_tree() -> None:
    nest = f"import subprocess, sys; subprocess.run([sys.executable, '-S', '-c', {HOLDER!r}])"
    with subprocess.Popen(
        [sys.executable, "-c", nest], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        whole = resident_mb(process.pid)
        process.communicate("\n")
    assert 100 < whole < 400
    assert resident_mb(process.pid) == 0


def test_a_failed_command_says_why() -> None:
    with pytest.raises(CommandFailed, match="exit code 3: no such thing"):
        run([sys.executable, "-S", "-c", "import sys; sys.stderr.write('first\\nno such thing\\n'); sys.exit(3)"])


def test_a_difference_of_runs() -> None:
    assert Run(3.0, 4.0, 50.0).less(Run(1.0, 1.5, 70.0)) == Run(2.0, 2.5, 50.0)


# ---------------------------------------------------------------- peers


@pytest.mark.parametrize("name", ["tokenise", "tfidf"])
def test_a_peer_is_trained_and_labels(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.benchmarks.peers.read_corpus", lambda: read_corpus()[:50])
    path = tmp_path / "answers.jsonl"
    write_corpus(path, 5)
    peer = PEERS[name]
    if peer.train is not None:
        peer.train(tmp_path)
    texts = read_texts(path)
    peer.label(texts, tmp_path)
    assert not list(texts)


def test_a_peer_that_is_not_there_is_not_installed() -> None:
    peer = Peer("", PEERS["tokenise"].label, needs=("no_such_package", "nor_such_a_one"))
    assert not peer.is_installed
    assert Peer("", peer.label, needs=("no_such_package", "json")).is_installed


# ---------------------------------------------------------------- sections and table


@pytest.mark.parametrize("codes", [(0, 0), (0, 4), (4, 0)], ids=str)
def test_two_runs_at_once_fail_where_one_of_them_does(codes: tuple[int, int]) -> None:
    commands = [[sys.executable, "-S", "-c", f"import sys; sys.exit({code})"] for code in codes]
    assert subprocess.run(sections._at_once(commands), check=False).returncode == max(codes)


@pytest.mark.usefixtures("quick_peers")
@pytest.mark.parametrize("name", ["jobs", "length", "cache", "start"])
def test_a_section_measures_every_round(name: str) -> None:
    rows = list(SECTIONS[name](Setting(n_answers=50, n_rounds=2)))
    measured = [row for row in rows if row.runs]
    assert measured
    assert {row.section for row in rows} == {name}
    assert all(len(row.runs) == (3 if name == "start" else 2) for row in measured)
    assert all(len(row.ratios) in {0, 2} and min(row.ratios, default=1) > 0 for row in rows)
    assert all(row.ratio_of for row in rows if row.ratios)


@pytest.mark.usefixtures("quick_peers")
def test_two_jobs_are_measured_on_the_largest_two_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sections, "_SMALLEST", 10)
    rows = list(SECTIONS["size"](Setting(largest=2000)))
    assert [row.n_answers for row in rows if row.what == "stance classify"] == [10, 100, 1000, 2000]
    assert [row.n_answers for row in rows if row.what == "stance classify, --jobs 2"] == [1000, 2000]
    assert [row.n_answers for row in rows if row.ratio_of.startswith("speed-up")] == [1000, 2000]


@pytest.mark.usefixtures("quick_peers")
def test_a_peer_that_is_not_there_has_a_row_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    label = PEERS["tokenise"].label
    peers = {
        "tokenise": PEERS["tokenise"],
        "slow": Peer("a slow one", label, at_most=5),
        "absent": Peer("an absent one", label, needs=("no_such_package",)),
    }
    monkeypatch.setattr(sections, "PEERS", peers)
    rows = list(SECTIONS["peers"](Setting(n_answers=20)))
    assert [row.n_answers for row in rows] == [20, 20, 20, 5, None]
    assert rows[0].ratios == [1.0]
    assert [bool(row.note) for row in rows] == [False, False, False, True, True]
    assert rows[-1].note == "not installed"


@pytest.mark.usefixtures("quick_peers")
def test_the_command_prints_a_table_and_writes_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "found.json"
    main(["--only", "jobs", "--only", "cache", "--answers", "50", "--json", str(path)])
    output = capsys.readouterr()
    found = json.loads(path.read_text(encoding="utf-8"))
    assert {row["section"] for row in found["rows"]} == {"jobs", "cache"}
    assert output.out.count("\n| jobs |") == 5
    assert output.out.count("\n| cache |") == 4
    assert "cache: --cache, cold; answers: 50, round 1 of 1" in output.err


def test_the_table_gives_median_and_range() -> None:
    runs = [Run(seconds, 2 * seconds, 300.4) for seconds in (2.0, 4.0, 5.0)]
    rows = [Row("peers", "one", 100, runs, [1.0, 3.0, 2.0], "tokenising"), Row("peers", "two", note="not installed")]
    lines = render_table(rows, describe_setting(3)).splitlines()
    assert "3 rounds: median (range)" in lines[0]
    assert lines[4] == (
        "| peers | one | 100 | 4.00 (2.00–5.00) | 25 (20–50) | 8.00 (4.00–10.00) | 300 (300–300) "
        "| 2.00 (1.00–3.00) | tokenising |  |"
    )
    assert lines[5] == "| peers | two |  |  |  |  |  |  |  | not installed |"
    assert len({line.count("|") for line in lines[2:6]}) == 1


def test_json_has_every_round() -> None:
    setting = describe_setting(1)
    found = json.loads(render_json([Row("start", "one", 1, [Run(1.0, 2.0, 3.0)])], setting))
    assert found["rows"][0]["runs"] == [{"cpu_seconds": 1.0, "wall_seconds": 2.0, "peak_mb": 3.0}]
    assert {"date", "cores", "python", "spacy", "scikit_learn"} <= found.keys()
