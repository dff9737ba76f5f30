"""JSON Lines, or one JSON array, to raw records."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pydantic_core import from_json

from pipeline.compression import DamagedData
from pipeline.ingest.raw import MAX_RAW_CHARS, BadRecord, RawRecord
from pipeline.ingest.source import OpenSource, open_text, refuse_damage


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON value")


# json.loads makes a new decoder for every text when it is told what to refuse.
_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def read_jsonl(source: OpenSource, max_record_chars: int) -> Iterator[RawRecord | BadRecord]:
    """Read one record per line; blank lines are passed over.

    A file that is one JSON array of objects is read too, as a single record's worth of text at most.

    Parameters
    ----------
    source
        An open source of kind "jsonl".
    max_record_chars
        A longer line is rejected without being held in memory.

    Raises
    ------
    BadInput
        After the last whole line, when the file is compressed and breaks off.
    """
    with open_text(source, newline="\n") as lines:
        number = 0
        is_first = True
        try:
            while line := lines.readline(max_record_chars + 1):
                number += 1
                locator = f"line {number}"
                if len(line) > max_record_chars:
                    skipped = _skip_line(lines, line)
                    reason = f"line of {skipped} characters, more than {max_record_chars}: not one record"
                    yield BadRecord(locator, reason, line[:MAX_RAW_CHARS])
                    continue
                line = line.removeprefix("\ufeff").strip()
                if not line:
                    continue
                if is_first and line.startswith("["):
                    text = f"{line}\n{lines.read(max_record_chars + 1)}"
                    yield from _read_array(text, max_record_chars)
                    return
                is_first = False
                yield _parse_line(line, locator)
        except DamagedData as error:
            raise refuse_damage(source.name, error, f"after line {number}") from error


def _skip_line(lines: Any, line: str) -> int:
    """Read on to the line's end, a piece at a time, and return the line's length."""
    length = len(line)
    while not line.endswith("\n") and (line := lines.readline(1 << 20)):
        length += len(line)
    return length


def _parse_line(line: str, locator: str) -> RawRecord | BadRecord:
    try:
        fields, is_strict = _decode(line)
    except (ValueError, RecursionError) as error:
        return BadRecord(locator, f"not JSON ({_explain(error)})", line[:MAX_RAW_CHARS])
    if not isinstance(fields, dict):
        return BadRecord(locator, "not a JSON object with named fields", line[:MAX_RAW_CHARS])
    return RawRecord(fields, locator, line, is_strict and "\\u0000" not in line)


def _read_array(text: str, max_chars: int) -> Iterator[RawRecord | BadRecord]:
    if len(text) > max_chars:
        reason = f"a JSON array of more than {max_chars} characters: write one object per line instead"
        yield BadRecord("line 1", reason, text[:MAX_RAW_CHARS])
        return
    try:
        items, _ = _decode(text)
    except (ValueError, RecursionError) as error:
        yield BadRecord("line 1", f"not a JSON array that can be read ({_explain(error)})", text[:MAX_RAW_CHARS])
        return
    for number, item in enumerate(items, start=1):
        if isinstance(item, dict):
            yield RawRecord(item, f"item {number}")
        else:
            yield BadRecord(f"item {number}", "not a JSON object with named fields", str(item)[:MAX_RAW_CHARS])


def _decode(text: str) -> tuple[Any, bool]:
    """Decode JSON as `json.loads` does, and say whether it is strict: Unicode throughout, and no surrogate alone.

    What is strict is decoded faster; all else, with the reasons where it is no JSON, is Python's own.
    """
    try:
        return from_json(text, allow_inf_nan=False, cache_strings="keys"), True
    except (ValueError, TypeError):
        # A stray byte is a TypeError.
        pass
    # A second byte order mark is json.loads's to explain.
    return (json.loads(text) if text.startswith("\ufeff") else _DECODER.decode(text)), False


def _explain(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at character {error.pos + 1}"
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)
