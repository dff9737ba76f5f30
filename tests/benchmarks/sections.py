"""What is measured, by section: each measures both sides of its ratios in turn, round after round."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks.corpus import mix_answers, renew, write_answers, write_corpus
from tests.benchmarks.measure import CommandFailed, Run, run
from tests.benchmarks.peers import PEERS
from tests.benchmarks.table import Row

TOKENISING = "tokenising, CPU"
_SPEED_UP = "speed-up over one job, wall clock"
_STANCE = (sys.executable, "-m", "pipeline")
_UNIT = "tokenise"
_OUTPUT = "classified.jsonl"
_SMALLEST = 1000
_NEW_EVERY = 100
_READ = 1000
"""Answers that a model with an encoder reads: some 25 a second."""
_LENGTHS = (25, 100, 400, 600)
_START_ROUNDS = 3


def _say(message: str) -> None:
    sys.stderr.write(message + "\n")
    sys.stderr.flush()


@dataclass(frozen=True)
class Case:
    """A command to measure, and on how many answers it runs."""

    what: str
    command: Sequence[str]
    n_answers: int
    removes: Path | None = None
    """A folder that must not be there at the start."""


@dataclass(frozen=True)
class Setting:
    """What the user chose."""

    n_answers: int = 100_000
    n_rounds: int = 1
    largest: int = 1_000_000
    model: str = "fast"

    def classify(self, source: Path, *, jobs: int = 1, cache: Path | None = None) -> list[str]:
        """Return the command that classifies a file."""
        command = [*_STANCE, "classify", str(source), "-o", str(_output_of(source)), "--model", self.model]
        command += ["--jobs", str(jobs)]
        return command if cache is None else [*command, "--cache", str(cache)]


def _output_of(source: Path) -> Path:
    return source.with_name(_OUTPUT)


def _peer(name: str, source: Path, models: Path) -> list[str]:
    return [sys.executable, "-m", "tests.benchmarks.peers", name, str(source), "--models", str(models)]


@contextmanager
def _folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="stance-benchmark-") as name:
        yield Path(name)


def measure_cases(section: str, cases: Mapping[str, Case], n_rounds: int, outputs: Path) -> dict[str, list[Run]]:
    """Run every case once in each round; what was written is deleted after each run."""
    found: dict[str, list[Run]] = {name: [] for name in cases}
    for number in range(n_rounds):
        for name, case in cases.items():
            of = f"; answers: {case.n_answers}" if case.n_answers > 1 else ""
            _say(f"{section}: {case.what}{of}, round {number + 1} of {n_rounds}")
            if case.removes is not None:
                shutil.rmtree(case.removes, ignore_errors=True)
            found[name].append(run(case.command))
            for path in outputs.rglob(_OUTPUT):
                path.unlink()
    return found


def _per_answer(cases: Mapping[str, Case], found: Mapping[str, list[Run]], name: str, unit: str) -> list[float]:
    """CPU time per answer as a multiple of the unit's, by round."""
    n, n_unit = cases[name].n_answers, cases[unit].n_answers
    return [
        (one.cpu_seconds / n) / (other.cpu_seconds / n_unit)
        for one, other in zip(found[name], found[unit], strict=True)
    ]


def _rows(section: str, cases: Mapping[str, Case], found: Mapping[str, list[Run]]) -> dict[str, Row]:
    """Make a row of each case, with its ratio to tokenising."""
    return {
        name: Row(section, case.what, case.n_answers, found[name], _per_answer(cases, found, name, _UNIT), TOKENISING)
        for name, case in cases.items()
    }


def measure_peers(setting: Setting) -> Iterator[Row]:
    """Measure answers per CPU second of medstance and of what one would use instead."""
    with _folder() as folder:
        sizes = {name: min(peer.at_most or setting.n_answers, setting.n_answers) for name, peer in PEERS.items()}
        sizes["default"] = min(_READ, setting.n_answers)
        sources = {size: folder / f"{size}.jsonl" for size in sizes.values()}
        for size, source in sources.items():
            write_corpus(source, size)
        unit = Case(PEERS[_UNIT].what, _peer(_UNIT, sources[setting.n_answers], folder), setting.n_answers)
        own = Case(
            f"stance classify, model {setting.model}", setting.classify(sources[setting.n_answers]), setting.n_answers
        )
        reading = replace(setting, model="default").classify(sources[sizes["default"]])
        with_encoder = Case("stance classify, with an encoder (model default)", reading, sizes["default"])
        cases, missing = {_UNIT: unit, "stance": own, "default": with_encoder}, []
        for name, peer in PEERS.items():
            problem = "" if name == _UNIT else _prepare(name, folder)
            if problem:
                missing.append(Row("peers", peer.what, note=problem))
            elif name != _UNIT:
                cases[name] = Case(peer.what, _peer(name, sources[sizes[name]], folder), sizes[name])
        rows = _rows("peers", cases, measure_cases("peers", cases, setting.n_rounds, folder)).values()
    for row in rows:
        is_less = row.n_answers != setting.n_answers
        yield replace(row, note="slow: on fewer answers, so that start-up weighs more") if is_less else row
    yield from missing


def _prepare(name: str, folder: Path) -> str:
    """Train a peer and try it on one answer before anything is measured; say why where that cannot be."""
    if not PEERS[name].is_installed:
        return "not installed"
    _say(f"peers: preparing {PEERS[name].what}")
    one = folder / "one.jsonl"
    write_corpus(one, 1)
    try:
        if PEERS[name].train is not None:
            run([sys.executable, "-m", "tests.benchmarks.peers", name, "--models", str(folder)])
        run(_peer(name, one, folder))
    except CommandFailed as error:
        return f"does not work here ({error})"
    return ""


def measure_jobs(setting: Setting) -> Iterator[Row]:
    """Measure how much sooner two processes are done than one, what they cost, and what the cores could do."""
    with _folder() as folder:
        source, n = folder / "answers.jsonl", setting.n_answers
        write_corpus(source, n)
        halves = _split(source, [folder / "first" / source.name, folder / "second" / source.name])
        cases = {
            "1": Case("stance classify, one job", setting.classify(source), n),
            "2": Case("stance classify, --jobs 2", setting.classify(source, jobs=2), n),
            "halves": Case("two runs at once, half of the answers each", _at_once(map(setting.classify, halves)), n),
        }
        found = measure_cases("jobs", cases, setting.n_rounds, folder)
    one = found.pop("1")
    yield Row("jobs", cases["1"].what, n, one)
    for name, runs in found.items():
        yield Row("jobs", cases[name].what, n, runs, _sooner(one, runs), _SPEED_UP)
        cost = [a.cpu_seconds / b.cpu_seconds for a, b in zip(runs, one, strict=True)]
        yield Row("jobs", f"CPU time of {cases[name].what}", ratios=cost, ratio_of="one job, CPU")


def _sooner(one: Sequence[Run], other: Sequence[Run]) -> list[float]:
    return [a.wall_seconds / b.wall_seconds for a, b in zip(one, other, strict=True)]


def _split(source: Path, parts: Sequence[Path]) -> Sequence[Path]:
    """Divide the lines of a file among files in folders of their own."""
    for part in parts:
        part.parent.mkdir()
    with ExitStack() as stack:
        files = [stack.enter_context(part.open("wb")) for part in parts]
        # Line by line: what is in the memory of this process counts as that of the measured ones.
        for line, file in zip(stack.enter_context(source.open("rb")), cycle(files), strict=False):
            file.write(line)
    return parts


def _at_once(commands: Iterable[Sequence[str]]) -> list[str]:
    """Return a command that runs some at a time, and fails where one of them does."""
    begun = "".join(f'{shlex.join(command)} & all="$all $!"\n' for command in commands)
    # They end with it: a shell's own end leaves what it has begun.
    ends = "trap 'kill $all 2>/dev/null' EXIT; trap 'exit 143' TERM\n"
    return ["sh", "-c", f"{ends}{begun}for one in $all; do wait $one || exit; done"]


def measure_lengths(setting: Setting) -> Iterator[Row]:
    """Measure whether longer answers cost more per word: as much text each time, in fewer and longer answers."""
    for words in _LENGTHS:
        n = max(1, setting.n_answers * _LENGTHS[0] // words)
        with _folder() as folder:
            source = folder / "answers.jsonl"
            write_corpus(source, n, words=words)
            cases = {
                _UNIT: Case(f"tokenising, {words} words", _peer(_UNIT, source, folder), n),
                "stance": Case(f"stance classify, {words} words", setting.classify(source), n),
            }
            yield from _rows("length", cases, measure_cases("length", cases, setting.n_rounds, folder)).values()


def list_sizes(largest: int) -> list[int]:
    """Return the powers of ten from a thousand up to a size, and that size.

    >>> list_sizes(20_000)
    [1000, 10000, 20000]
    """
    sizes, size = [], _SMALLEST
    while size < largest:
        sizes.append(size)
        size *= 10
    return [*sizes, largest]


def measure_sizes(setting: Setting) -> Iterator[Row]:
    """Measure whether more answers cost more each, in time and in memory; by two jobs on the largest two sizes."""
    sizes = list_sizes(setting.largest)
    for size in sizes:
        with _folder() as folder:
            source = folder / "answers.jsonl"
            write_corpus(source, size)
            cases = {
                _UNIT: Case("tokenising", _peer(_UNIT, source, folder), size),
                "1": Case("stance classify", setting.classify(source), size),
            }
            if size in sizes[-2:]:
                cases["2"] = Case("stance classify, --jobs 2", setting.classify(source, jobs=2), size)
            found = measure_cases("size", cases, setting.n_rounds, folder)
        yield from _rows("size", cases, found).values()
        if "2" in cases:
            yield Row("size", "--jobs 2", size, ratios=_sooner(found["1"], found["2"]), ratio_of=_SPEED_UP)


def measure_cache(setting: Setting) -> Iterator[Row]:
    """Measure what a second run over the same answers costs."""
    with _folder() as folder:
        source, changed, cache, n = (
            folder / "answers.jsonl",
            folder / "changed.jsonl",
            folder / "kept",
            setting.n_answers,
        )
        write_corpus(source, n)
        write_answers(changed, renew(mix_answers(n), mix_answers(n, seed=1), _NEW_EVERY))
        kept, new = setting.classify(source, cache=cache), setting.classify(changed, cache=cache)
        cases = {
            "without": Case("stance classify, no cache", setting.classify(source), n),
            "cold": Case("--cache, cold", kept, n, removes=cache),
            "warm": Case("--cache, warm", kept, n),
            "new": Case("--cache, warm, 1 % new answers", new, n),
        }
        found = measure_cases("cache", cases, setting.n_rounds, folder)
    for name, case in cases.items():
        yield Row("cache", case.what, n, found[name], _per_answer(cases, found, name, "cold"), "the cold run, CPU")


def measure_start(setting: Setting) -> Iterator[Row]:
    """Measure what a run costs before its first answer, and what answers cost after that."""
    with _folder() as folder:
        one, many = folder / "one.jsonl", folder / "many.jsonl"
        write_corpus(one, 1)
        write_corpus(many, _SMALLEST)
        cases = {
            "help": Case("stance --help", [*_STANCE, "--help"], 0),
            "one": Case("stance classify, one answer", setting.classify(one), 1),
            "many": Case(f"stance classify, {_SMALLEST} answers", setting.classify(many), _SMALLEST),
        }
        # The difference of two short times needs more than one round.
        n_rounds = max(setting.n_rounds, _START_ROUNDS)
        found = measure_cases("start", cases, n_rounds, folder)
    note = "" if n_rounds == setting.n_rounds else f"{n_rounds} rounds: median (range)"
    for name, case in cases.items():
        yield Row("start", case.what, runs=found[name], note=note)
    less = [many.less(one) for many, one in zip(found["many"], found["one"], strict=True)]
    yield Row("start", f"process time after start, {_SMALLEST} answers less one", _SMALLEST - 1, less, note=note)


SECTIONS: dict[str, Callable[[Setting], Iterator[Row]]] = {
    "peers": measure_peers,
    "jobs": measure_jobs,
    "length": measure_lengths,
    "size": measure_sizes,
    "cache": measure_cache,
    "start": measure_start,
}


def warm_up(setting: Setting) -> None:
    """Classify one answer: the first run of an installation compiles, and reads from a cold disk."""
    _say("warming up")
    with _folder() as folder:
        source = folder / "answers.jsonl"
        write_corpus(source, 1)
        run(setting.classify(source))
        run(_peer(_UNIT, source, folder))
