"""From sources to answers, with what cannot be used kept apart; and where results go."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, count
from pathlib import Path

from pipeline.errors import BadInput, WrongUsage
from pipeline.flat import Row
from pipeline.ingest import FIELDS, Meter, ReadOptions, list_files, read_answers
from pipeline.output import record_format, to_json_line, write_rows
from pipeline.schema import (
    AnswerRecord,
    Notice,
    Rejected,
)
from pipeline.workflow.rejections import Rejections

__all__ = ["FIELDS", "Intake", "ReadOptions", "Say", "ingest_sources", "quarantine_path", "write_records"]

Say = Callable[[str], None]


def write_records(rows: Iterable[Row], path: Path | None, format_name: str | None) -> int:
    """Write records whole or not at all, and return how many.

    Parameters
    ----------
    rows
        JSON-ready records.
    path
        Where to; None for standard output.
    format_name
        "jsonl", "csv", "tsv" or "parquet"; None to go by the file's name, or for "jsonl" on standard output.
    """
    if format_name is None:
        format_name = "jsonl" if path is None else record_format(str(path))
    return write_rows(rows, path, format_name)


def quarantine_path(given: Path | None, output: Path | None, sources: Sequence[str]) -> Path:
    """Return where bad records go: as given, else beside the output, else in the working directory.

    Raises
    ------
    WrongUsage
        When that place, or the output's, is a source too.
    """
    path = given or _default_quarantine(output)
    if output is not None and path.resolve() == output.resolve():
        raise WrongUsage(f"{path}: is the output and the quarantine too: name another with --quarantine")
    files = [file for source in sources for file in _list_files(source)]
    for target in (path, output):
        if target is not None and any(_is_same_file(target, file) for file in files):
            raise WrongUsage(f"{target}: is a source too: write somewhere else")
    return path


def _list_files(source: str) -> list[str]:
    """List the files of a source; one that is not there is told of when it is read."""
    try:
        return list_files([source])
    except BadInput:
        return []


def _default_quarantine(output: Path | None) -> Path:
    if output is not None and not output.is_dir() and (output.is_file() or not output.exists()):
        place = output if output.name else output.resolve()
        return place.with_name(f"{place.name}.quarantine.jsonl")
    # In a folder of the user's own nothing is written over.
    names = chain(["quarantine.jsonl"], (f"quarantine-{n}.jsonl" for n in count(2)))
    return next(path for path in map(Path, names) if not path.exists())


def _is_same_file(path: Path, source: str) -> bool:
    return source != "-" and path.exists() and Path(source).exists() and path.samefile(source)


@dataclass
class Intake:
    """Answers of some sources, with notices said and bad records quarantined as they come.

    Attributes
    ----------
    sources
        Files, folders, or ``-``.
    options
        How to read them.
    say
        Where notices go.
    n_answers
        Answers given so far.
    meter
        Says how much of the sources is read.
    rejected
        Records left out so far.
    notices
        What was said so far.
    """

    sources: Sequence[str]
    options: ReadOptions
    say: Say
    n_answers: int = 0
    meter: Meter = field(default_factory=Meter)
    rejected: Rejections = field(default_factory=Rejections)
    notices: list[Notice] = field(default_factory=list)

    def __iter__(self) -> Iterator[AnswerRecord]:
        for item in read_answers(self.sources, self.options, self.meter):
            if isinstance(item, AnswerRecord):
                self.n_answers += 1
                yield item
            elif isinstance(item, Rejected):
                self.rejected.append(item)
            else:
                self.notices.append(item)
                self.say(f"warning: {item}")

    def reject(self, answer: AnswerRecord, column: str, reason: str) -> None:
        """Quarantine an answer that was read well and cannot be used for this task."""
        self.n_answers -= 1
        source = answer.source
        raw = to_json_line(answer.to_row())
        rejected = Rejected(file=source.file, locator=source.locator, column=column, reason=reason, raw=raw)
        self.rejected.append(rejected)

    def checked(self, rows: Iterable[Row], quarantine: Path) -> Iterator[Row]:
        """Give rows made of the answers; at the end, raise if there were none but bad records.

        Raised while the rows are being written, it leaves an earlier result as it was.
        """
        yield from rows
        if self.n_answers == 0:
            self.close(quarantine)

    def close(self, quarantine: Path, *, workshop: Path | None = None) -> int:
        """Write the quarantine file if any record was left out, and return how many were.

        Parameters
        ----------
        quarantine
            Where to.
        workshop
            See `pipeline.output.open_whole`.

        Raises
        ------
        BadInput
            When no answer at all was left.
        """
        if not self.rejected:
            if quarantine.is_file():
                self.say(f"warning: {quarantine} was there before: this run left no record out")
            return 0
        write_rows((r.model_dump() for r in self.rejected), quarantine, "jsonl", workshop=workshop)
        n, first = len(self.rejected), self.rejected.first
        where = f"{first.locator}, column {first.column}" if first.column else first.locator
        if self.n_answers == 0:
            reason = f"{first.reason} (none of {n} records can be used; all are in {quarantine})"
            raise BadInput(first.file, reason, where=where)
        self.say(f"warning: {n} record{'s' * (n > 1)} left out, the first {first.file}, {where}: {first.reason}")
        self.say(f"warning: see {quarantine}")
        return n


def ingest_sources(intake: Intake) -> Iterator[Row]:
    """Read sources into answer records."""
    return (answer.to_row() for answer in intake)
