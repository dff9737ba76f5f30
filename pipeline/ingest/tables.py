"""CSV and TSV to raw records."""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import TextIO

from pipeline.compression import DamagedData
from pipeline.errors import BadInput
from pipeline.flat import is_own_table, read_cell
from pipeline.ingest.raw import MAX_RAW_CHARS, BadRecord, RawRecord
from pipeline.ingest.source import OpenSource, open_text, refuse_damage

DELIMITERS = {"csv": (",", ";", "\t", "|"), "tsv": ("\t",)}
"""What may divide cells, by kind of source; see `_read_header` for the choice between several."""

_MAX_HEADER_LINES = 20
# Spreadsheets may say what divides cells in a line of its own.
_SEPARATOR_LINE = re.compile(r"\ufeff?\"?sep=(.)\"?[,;\t]*[\r\n]*", re.IGNORECASE)


class _RecordTooLong(Exception):
    pass


class _Lines:
    """Lines of a file, remembered while a record is read, so that a broken record can be undone."""

    def __init__(self, file: TextIO, max_record_chars: int) -> None:
        self._file = file
        self._limit = max_record_chars
        self._pending: deque[str] = deque()
        self._length = 0
        self.taken: list[str] = []
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._pending.popleft() if self._pending else self._file.readline(self._limit + 1)
        if not line:
            raise StopIteration
        self.taken.append(line)
        self.number += 1
        self._length += len(line)
        if self._length > self._limit:
            raise _RecordTooLong
        return line

    def peek(self) -> str:
        """Return the next line without taking it; empty at the end."""
        if not self._pending:
            self._pending.append(self._file.readline(self._limit + 1))
        return self._pending[0]

    def begin_record(self) -> None:
        self.taken = []
        self._length = 0

    def keep_only_first(self) -> None:
        """Give back every line of the record but its first: they may be records of their own."""
        self._pending.extendleft(reversed(self.taken[1:]))
        self.number -= len(self.taken) - 1
        self.taken = self.taken[:1]

    def skip_rest_of_line(self) -> None:
        """Pass over what is left of a line that was cut at the limit."""
        line = self.taken[-1]
        while not line.endswith(("\n", "\r")) and (line := self._file.readline(1 << 20)):
            pass


def read_table(
    source: OpenSource, max_record_chars: int, check_columns: Callable[[Sequence[str]], None]
) -> Iterator[RawRecord | BadRecord]:
    """Read one record per row below a header.

    A row that cannot be read (unterminated quote, too long) is rejected by its first line alone, and reading
    goes on with the next line; a row whose quotes close and whose cells are too many or too few is rejected whole.

    Parameters
    ----------
    source
        An open source of kind "csv" or "tsv".
    max_record_chars
        A longer record is rejected without being held in memory.
    check_columns
        Raises when column names will not do. Called before the first row, once per delimiter that might
        divide the header, so it must have no effect of its own.

    Raises
    ------
    BadInput
        When the header cannot be read or names a column twice; or after the last row there is, when the table is
        compressed and breaks off.
    """
    csv.field_size_limit(max(csv.field_size_limit(), max_record_chars))
    with open_text(source, newline="") as file:
        lines = _Lines(file, max_record_chars)
        try:
            yield from _read_rows(source, lines, max_record_chars, check_columns)
        except DamagedData as error:
            raise refuse_damage(source.name, error, f"after line {lines.number}") from error


def _read_rows(
    source: OpenSource, lines: _Lines, max_record_chars: int, check_columns: Callable[[Sequence[str]], None]
) -> Iterator[RawRecord | BadRecord]:
    header, delimiter = _read_header(source, lines, check_columns)
    own = is_own_table(header)
    while True:
        lines.begin_record()
        start = lines.number + 1
        try:
            cells = next(csv.reader(lines, delimiter=delimiter, strict=True), None)
        except _RecordTooLong:
            yield _reject_long(lines, start, max_record_chars)
            continue
        except csv.Error as error:
            yield _reject(lines, start, _explain(error))
            continue
        if cells is None:
            return
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            # Its quotes close, so its lines are one row, however many cells that has.
            reason = f"{len(cells)} cells where the header has {len(header)} columns"
            yield BadRecord(f"row at line {start}", reason, "".join(lines.taken)[:MAX_RAW_CHARS])
            continue
        fields = {name: read_cell(cell, own=own) for name, cell in zip(header, cells, strict=True) if cell}
        yield RawRecord(fields, f"row at line {start}", "".join(lines.taken))


def _read_header(
    source: OpenSource, lines: _Lines, check_columns: Callable[[Sequence[str]], None]
) -> tuple[Sequence[str], str]:
    """Read the column names, and find out what divides them: spreadsheets differ by country.

    Of the delimiters that leave no quote inside a name, those that give the columns needed go before those
    that do not, and of these the one that gives most columns.
    """
    readings: dict[str, list[str]] = {}
    with suppress(_RecordTooLong, StopIteration):
        if (told := _SEPARATOR_LINE.fullmatch(lines.peek())) is not None:
            next(lines)
            lines.begin_record()
        delimiters = (told[1],) if told else DELIMITERS[source.kind]
        while not readings and len(lines.taken) < _MAX_HEADER_LINES:
            next(lines)
            for delimiter in delimiters:
                with suppress(csv.Error):
                    names = _name_columns(next(csv.reader(lines.taken, delimiter=delimiter, strict=True)))
                    if not any('"' in name for name in names):
                        readings[delimiter] = names
    if not readings:
        reason = "the header cannot be read: expected a line of column names, question and text among them"
        raise BadInput(source.name, reason, where="line 1")

    def suits(delimiter: str) -> tuple[bool, int]:
        return _passes(check_columns, readings[delimiter]), len(readings[delimiter])

    delimiter = max(readings, key=suits)
    names = readings[delimiter]
    check_columns(names)
    double = next((name for name in names if names.count(name) > 1), None)
    if double is not None:
        raise BadInput(source.name, f"column {double!r} stands twice in the header", where="line 1")
    return [read_cell(name, own=is_own_table(names)) for name in names], delimiter


def _passes(check_columns: Callable[[Sequence[str]], None], names: Sequence[str]) -> bool:
    try:
        check_columns(names)
    except BadInput:
        return False
    return True


def _name_columns(cells: Sequence[str]) -> list[str]:
    names = [cell.strip().removeprefix("\ufeff") for cell in cells]
    return [name or f"column {place}" for place, name in enumerate(names, start=1)]


def _reject(lines: _Lines, start: int, reason: str) -> BadRecord:
    lines.keep_only_first()
    return BadRecord(f"row at line {start}", reason, "".join(lines.taken)[:MAX_RAW_CHARS])


def _reject_long(lines: _Lines, start: int, limit: int) -> BadRecord:
    if len(lines.taken) > 1:
        return _reject(lines, start, "a quote that is never closed")
    lines.skip_rest_of_line()
    return BadRecord(f"row at line {start}", f"row of more than {limit} characters", lines.taken[0][:MAX_RAW_CHARS])


def _explain(error: csv.Error) -> str:
    message = str(error)
    return "a quote that is never closed" if "unexpected end of data" in message else message
