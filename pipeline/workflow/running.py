"""A run of ``stance classify``: any number of answers, in bounded memory, taken up again where it was cut off."""

from __future__ import annotations

import hashlib
import io
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Any

from pydantic_core import from_json

from pipeline.batch import (
    DamagedShard,
    Store,
    clear,
    delete_block,
    delete_damaged,
    delete_shard,
    hash_file,
    map_in_order,
    open_backend,
    open_run,
    open_store,
    own_part,
    read_shard,
    write_block,
)
from pipeline.blocks import cut_blocks
from pipeline.compression import open_compressor
from pipeline.errors import BadInput, MedstanceError, ModelError, WrongUsage
from pipeline.flat import Row
from pipeline.ingest import STDIN, list_files
from pipeline.manifest import list_models
from pipeline.output import open_whole, output_codec, record_format, write_flat, write_text
from pipeline.workflow.intake import Intake
from pipeline.workflow.models import open_model
from pipeline.workflow.shards import ClassifyTask, Line, classify_block, list_versions, prepare, render_block

__all__ = ["RunOptions", "RunSummary", "classify_sources", "describe_run"]

MAX_BLOCK_ANSWERS = 1024
MAX_BLOCK_BYTES = 4_000_000
MANIFEST_SUFFIX = ".manifest.json"
_ANEW = "name the same again, or leave out --resume and delete the folder of the run"
_MEANINGS = {
    "is_repeatable": "kind of source",
    "versions": "version of medstance, Python or a library",
    "inputs": "order of its sources",
    "reading": "--kind, --encoding or --column",
    "output": "format or compression",
    "shards": "place or size of shards",
}


@dataclass(frozen=True)
class RunOptions:
    """How a run is done: nothing here changes a byte of its result.

    Attributes
    ----------
    n_jobs
        Processes of this machine.
    resume
        Whether to take up an unfinished run, if there is one.
    cache
        Folder of the cache; None without one.
    backend
        ``local`` or ``dask``.
    scheduler
        Address of the Dask scheduler.
    place
        Where the shards go: a folder or an address for fsspec; None for the folder of the run.
    """

    n_jobs: int = 1
    resume: bool = False
    cache: Path | None = None
    backend: str = "local"
    scheduler: str | None = None
    place: str | None = None


@dataclass
class RunSummary:
    """What a run came to.

    Attributes
    ----------
    model
        Full name of the model.
    n_answers, n_abstained
        Answers classified, and those of them whose call counts in no share.
    stances
        The others, by stance.
    n_quarantined
        Records left out.
    n_cached, n_resumed
        Answers that the cache knew, and those that an earlier run had classified.
    manifest
        The file that says all of this and what the run was made of; None without one.
    """

    model: str
    n_answers: int = 0
    n_abstained: int = 0
    stances: Counter[str] = field(default_factory=Counter)
    n_quarantined: int = 0
    n_cached: int = 0
    n_resumed: int = 0
    manifest: Path | None = None

    def add(self, shard: Mapping[str, Any]) -> None:
        """Add what a shard says of itself."""
        self.n_answers += shard["n_answers"]
        self.n_abstained += shard["n_abstained"]
        self.stances.update(shard["stances"])

    def to_row(self) -> dict[str, Any]:
        """Return it as JSON-ready data."""
        return {
            "model": self.model,
            "n_answers": self.n_answers,
            "n_abstained": self.n_abstained,
            "stances": dict(self.stances),
            "n_quarantined": self.n_quarantined,
            "n_cached": self.n_cached,
            "n_resumed": self.n_resumed,
            "manifest": None if self.manifest is None else str(self.manifest),
        }


def describe_run(summary: RunSummary, seconds: float) -> str:
    """Say in two lines what a run came to.

    Examples
    --------
    >>> summary = RunSummary("default@0123", 4, 1, Counter({"against": 2, "supportive": 1}))
    >>> print(describe_run(summary, 2.0))
    4 answers classified in 2.0 s, 2 a second, 0 quarantined
    against 2 (50.0 %), supportive 1 (25.0 %), abstained 1 (25.0 %)
    """
    n = summary.n_answers
    known = [(summary.n_resumed, "kept from before"), (summary.n_cached, "from the cache")]
    aside = "".join(f", {count} {what}" for count, what in known if count)
    rate = (n - summary.n_resumed) / max(seconds, 1e-9)
    first = f"{n} answer{'' if n == 1 else 's'} classified in {seconds:.1f} s, {rate:.0f} a second{aside}"
    first += f", {summary.n_quarantined} quarantined"
    shares = [*summary.stances.items(), ("abstained", summary.n_abstained)]
    return f"{first}\n" + ", ".join(
        f"{name} {count} ({count / max(n, 1):.1%})".replace("%", " %") for name, count in shares
    )


Progress = Callable[[int, float | None], None]
"""Called with the answers done and the share of the input that they are, None where that is not known."""


def classify_sources(
    intake: Intake,
    model_name: str,
    output: Path | None,
    format_name: str | None,
    quarantine: Path,
    options: RunOptions,
    *,
    progress: Progress,
) -> RunSummary:
    """Classify the answers of some sources into a file, or to standard output.

    Parameters
    ----------
    intake
        The sources.
    model_name
        An installed model's name or a model folder.
    output
        Where to; None for standard output.
    format_name
        "jsonl", "csv", "tsv" or "parquet"; None to go by the file's name, or for "jsonl" on standard output.
    quarantine
        Where bad records go, should there be no good one.
    options
        How.
    progress
        Called now and then.

    Returns
    -------
    RunSummary
        What it came to.

    Raises
    ------
    WrongUsage
        When another run makes the same file, when there is an unfinished run that was not asked for, or when
        one cannot be taken up.
    BadInput
        When a source cannot be read, or changed while or since it was read.
    ModelError
        When the model is missing or damaged, or another one than the unfinished run's.
    """
    if options.cache is not None and options.backend != "local":
        raise WrongUsage("--cache: works on one machine alone: leave it out, or use --backend local")
    if options.scheduler is not None and options.backend != "dask":
        raise WrongUsage("--scheduler: is for --backend dask")
    if options.n_jobs > 1 and options.backend == "dask":
        raise WrongUsage("--jobs: is for this machine alone: a Dask cluster has its own workers")
    if format_name is None:
        format_name = "jsonl" if output is None else record_format(str(output))
    run = _Run(intake, model_name, format_name, options, progress)
    if output is None or (output.exists() and not output.is_file() and not output.is_dir()):
        run.stream(output, quarantine)
    else:
        run.make(output, quarantine)
    return run.summary


class _Run:
    """One run, from its sources to its output."""

    def __init__(
        self,
        intake: Intake,
        model_name: str,
        format_name: str,
        options: RunOptions,
        progress: Progress,
    ) -> None:
        self._intake = intake
        self._n_blocks = 0
        self._format = format_name
        self._options = options
        self._progress = progress
        self._folder = open_model(model_name)
        self.summary = RunSummary(self._folder.full_name)

    # ------------------------------------------------------------ to a stream

    def stream(self, output: Path | None, quarantine: Path) -> None:
        """Write to standard output or to a pipe; there is nothing to take up again."""
        if self._options.resume:
            raise WrongUsage("--resume: only a run that makes a file can be taken up again: name one with -o")
        if self._options.backend != "local" and self._options.place is None:
            raise WrongUsage(
                "--backend dask: workers write to a place that they share: name -o FILE, or --shards PLACE"
            )
        with tempfile.TemporaryDirectory(prefix="stance-") as folder, _opened(output) as file:
            place = folder if self._options.place is None else own_part(_find_place(self._options.place))
            store = open_store(place)
            try:
                self._stream_from(store, place, file)
            except BaseException:
                with suppress(MedstanceError, OSError):
                    clear(store)
                raise
            clear(store)
        self.summary.n_quarantined = self._intake.close(quarantine)

    def _stream_from(self, store: Store, place: str, file: IO[bytes]) -> None:
        with closing(self._classify(store, place, {}, codec=None)) as numbers:
            if self._format == "jsonl":
                for number in numbers:
                    file.write(read_shard(store, number).content)
                    file.flush()
                    delete_shard(store, number)
            else:
                made = list(numbers)
                write_flat(lambda: _read_rows(store, made), file, self._format)

    # ------------------------------------------------------------ to a file

    def make(self, output: Path, quarantine: Path) -> None:
        """Write to a file, by way of a folder of shards that outlives an interruption."""
        if output.is_dir():
            raise WrongUsage(f"{output}: is a folder: name a file")
        codec = output_codec(output.name, self._format)
        files = list_files(self._intake.sources)
        stream = next(filter(_is_stream, files), None)
        if self._options.resume and stream is not None:
            name = "standard input" if stream == STDIN else stream
            raise WrongUsage(f"--resume: {name} cannot be read a second time: name a file")
        stats = _stat_files(files)
        place = None if self._options.place is None else _find_place(self._options.place)
        plan = self._plan(files, output, codec, place)
        with open_run(output, plan, resume=self._options.resume, place=place, check=_check_plan) as run:
            try:
                made = self._classify(run.store, run.place, run.done, codec=codec if self._format == "jsonl" else None)
                # Whatever is half made is in the folder: cut off, nothing of it lies about beside the output.
                with closing(made), open_whole(output, workshop=run.path) as file:
                    hashed = _Hashed(file)
                    self._join(run.store, self._with_earlier(made), hashed, codec)
                    _check_unchanged(files, stats)
                    self.summary.n_quarantined = self._intake.close(quarantine, workshop=run.path)
            except BaseException as error:
                if isinstance(error, DamagedShard):
                    with suppress(MedstanceError, OSError):
                        delete_damaged(run.store)
                if _is_other(files, stats, plan["inputs"]):
                    # Shards of what it was for a while must not be taken up when it is again what it was.
                    self._intake.say("a source has changed since the run began: what was classified is not kept")
                    with suppress(MedstanceError, OSError):
                        run.delete()
                elif run.end_early():
                    # Only the same sources are taken up: one that has to be mended begins anew.
                    condition = (
                        " if the sources stay as they are, else delete it" if isinstance(error, BadInput) else ""
                    )
                    self._intake.say(f"what was classified is kept in {run.path}: go on with --resume{condition}")
                raise
            counts = {
                "n_answers": self.summary.n_answers,
                "n_quarantined": self.summary.n_quarantined,
                "n_abstained": self.summary.n_abstained,
                "stances": dict(self.summary.stances),
            }
            # How it was cut into shards changes nothing of the result.
            made_of = {name: value for name, value in plan.items() if name not in {"shards", "is_repeatable"}}
            written = {"bytes": hashed.size, "sha256": hashed.digest.hexdigest()}
            manifest = {**made_of, "output": {**plan["output"], **written}, "counts": counts}
            self.summary.manifest = output.with_name(output.name + MANIFEST_SUFFIX)
            text = json.dumps(manifest, indent=2) + "\n"
            write_text(self.summary.manifest, text, workshop=run.path)
            try:
                run.delete()
            except (MedstanceError, OSError) as error:
                self._intake.say(f"the output is whole; its shards are left: {error}")

    def _plan(self, files: Sequence[str], output: Path, codec: str | None, place: str | None) -> dict[str, Any]:
        """Say what the result depends on."""
        options = self._intake.options
        return {
            "is_repeatable": not any(map(_is_stream, files)),
            "versions": list_versions(),
            "model": {"name": self.summary.model, "sha256": hash_file(self._folder.path / "manifest.json")},
            "inputs": [_describe(file) for file in files],
            "reading": {"kind": options.kind, "encoding": options.encoding, "columns": dict(options.columns)},
            "output": {"file": output.name, "format": self._format, "codec": codec},
            "shards": {"place": place, "answers": MAX_BLOCK_ANSWERS, "bytes": MAX_BLOCK_BYTES},
        }

    def _join(self, store: Store, made: Iterator[int], file: _Hashed, codec: str | None) -> None:
        """Write the output of its shards: lines as they come, a table when all of its columns are known."""
        if self._format == "jsonl":
            for number in made:
                file.write(read_shard(store, number).content)
            return
        numbers = list(made)
        if codec is None:
            write_flat(lambda: _read_rows(store, numbers), file, self._format)
        else:
            with open_compressor(file, codec) as compressed:
                write_flat(lambda: _read_rows(store, numbers), compressed, self._format)

    def _with_earlier(self, made: Iterator[int]) -> Iterator[int]:
        """Give the numbers of all blocks in order, where `made` leaves out those that an earlier run made."""
        first = 0
        for number in made:
            yield from range(first, number + 1)
            first = number + 1
        yield from range(first, self._n_blocks)

    # ------------------------------------------------------------ both

    def _classify(
        self, store: Store, place: str, done: Mapping[int, Mapping[str, Any]], *, codec: str | None
    ) -> Generator[int]:
        """See to it that every block has a shard; give their numbers, in order where none was there."""
        options = self._options
        task = ClassifyTask(
            model=self._find_by(),
            full_name=self.summary.model,
            versions=list_versions(),
            place=place,
            codec=codec,
            cache=None if options.cache is None else str(options.cache.resolve()),
        )
        # What the cache knows needs no model.
        begin = None if task.cache is not None else partial(prepare, task.model)
        with open_backend(
            options.backend,
            n_jobs=options.n_jobs,
            scheduler=options.scheduler,
            prepare=begin,
            say=self._intake.say,
        ) as backend:
            in_memory = backend.capacity == 0
            calls = self._calls(task, store, done, in_memory=in_memory)
            with closing(map_in_order(backend, classify_block, calls)) as made:
                for number, shard, n_cached in made:
                    if not in_memory:
                        delete_block(store, number)
                    self.summary.add(shard)
                    self.summary.n_cached += n_cached
                    self._advance()
                    yield number

    def _find_by(self) -> str:
        """Say how a worker finds the model: an installed one by its name, wherever that machine has it."""
        path = self._folder.path
        is_installed = self._options.backend == "dask" and path in list_models()
        return path.name if is_installed else str(path.resolve())

    def _calls(
        self, task: ClassifyTask, store: Store, done: Mapping[int, Mapping[str, Any]], *, in_memory: bool
    ) -> Iterator[tuple[ClassifyTask, int, Sequence[Line] | None]]:
        """Read the blocks, and give the call that makes the shard of each that has none."""
        lines = map(Line.from_record, self._intake)
        blocks = cut_blocks(
            lines, lambda line: len(line.content), max_items=MAX_BLOCK_ANSWERS, max_size=MAX_BLOCK_BYTES
        )
        for number, block in enumerate(blocks):
            self._n_blocks = number + 1
            if number in done:
                self.summary.add(done[number])
                self.summary.n_resumed += len(block)
                self._advance()
            elif in_memory:
                yield task, number, block
            else:
                # Rows travel by the store, not from process to process.
                write_block(store, number, render_block(block))
                yield task, number, None

    def _advance(self) -> None:
        share, n_read = self._intake.meter.share, self._intake.n_answers
        done = None if share is None or not n_read else share * self.summary.n_answers / n_read
        self._progress(self.summary.n_answers, done)


def _find_place(place: str) -> str:
    """Return a place as a worker finds it, which has a working folder of its own."""
    if place.endswith("://"):
        raise WrongUsage(f"--shards {place}: names no bucket and no folder")
    return place if "://" in place else str(Path(place).resolve())


@contextmanager
def _opened(output: Path | None) -> Iterator[IO[bytes]]:
    """Give standard output, or a pipe or a device, which can only be written to as it is."""
    if output is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    else:
        with open_whole(output) as file:
            yield file


class _Hashed(io.RawIOBase):
    """A file that is hashed and counted as it is written."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__()
        self._file = file
        self.digest = hashlib.sha256()
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.digest.update(data)
        n = self._file.write(data)
        self.size += n
        return n

    def tell(self) -> int:
        return self.size


def _read_rows(store: Store, numbers: Sequence[int]) -> Iterator[Row]:
    for number in numbers:
        for line in read_shard(store, number).content.splitlines():
            yield from_json(line)


def _is_stream(file: str) -> bool:
    """Whether a source can be read once alone: standard input, or a pipe."""
    return file == STDIN or not Path(file).is_file()


def _describe(file: str) -> dict[str, Any]:
    if _is_stream(file):
        return {"file": file}
    try:
        return {"file": file, "bytes": Path(file).stat().st_size, "sha256": hash_file(Path(file))}
    except OSError as error:
        raise BadInput(file, f"cannot be opened ({error.strerror})") from error


def _stat_files(files: Sequence[str]) -> list[tuple[int, int] | None]:
    """Return what changes when a file is written to or deleted; None for what can be read once alone."""
    stats = [None if _is_stream(file) else Path(file).stat() for file in files]
    return [None if stat is None else (stat.st_size, stat.st_mtime_ns) for stat in stats]


def _check_unchanged(files: Sequence[str], stats: Sequence[tuple[int, int] | None]) -> None:
    for file, before, now in zip(files, stats, _stat_files(files), strict=True):
        if before != now:
            raise BadInput(file, "changed while it was read: classify it again")


def _is_other(
    files: Sequence[str], stats: Sequence[tuple[int, int] | None], described: Sequence[Mapping[str, Any]]
) -> bool:
    """Say whether a source has another content than when the run began; one that is away is not known to have."""
    for file, before, known in zip(files, stats, described, strict=True):
        with suppress(MedstanceError, OSError):
            if before != _stat_files([file])[0] and _describe(file) != known:
                return True
    return False


def _check_plan(earlier: Mapping[str, Any], plan: Mapping[str, Any]) -> None:
    """Raise when a run cannot be taken up, and say what has changed since it was begun."""
    if earlier.get("model") != plan["model"]:
        was = earlier.get("model", {}).get("name")
        raise ModelError(f"the run was begun with {was}, not with {plan['model']['name']}: {_ANEW}")
    before = {source["file"]: source for source in earlier.get("inputs", ())}
    for source in plan["inputs"]:
        if source["file"] not in before:
            raise BadInput(source["file"], f"was no part of the run that was begun: {_ANEW}")
        if before.pop(source["file"]) != source:
            raise BadInput(source["file"], f"is not what it was when the run was begun: {_ANEW}")
    if before:
        raise BadInput(next(iter(before)), f"was read by the run and is not named now: {_ANEW}")
    for name, value in plan.items():
        if earlier.get(name) != value:
            raise WrongUsage(f"--resume: the run was begun with another {_MEANINGS[name]}: {_ANEW}")
