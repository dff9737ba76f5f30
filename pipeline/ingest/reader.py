"""The one door: any source to validated answer records, with what was left out and why."""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipeline.compression import split_suffix
from pipeline.errors import BadInput
from pipeline.flat import LIST_FIELDS, unflatten
from pipeline.ingest.compact import CompactTable, Places, hash_key
from pipeline.ingest.detached import TEXT_HASH, TEXT_ID, attach_text, is_label_table
from pipeline.ingest.jsonl import read_jsonl
from pipeline.ingest.meter import Meter
from pipeline.ingest.page_html import read_page_html
from pipeline.ingest.page_text import read_page_text
from pipeline.ingest.raw import BadRecord, RawRecord
from pipeline.ingest.source import (
    STDIN,
    OpenSource,
    expand_source,
    file_kind,
    list_files,
    open_source,
    read_whole,
    total_bytes,
)
from pipeline.ingest.tables import read_table
from pipeline.schema import AnswerRecord, Notice, Rejected, Respondent

ALIASES = {
    "text": ("answer", "body"),
    "answer_id": ("id",),
    "proposition": ("target",),
    "respondent.name": ("doctor", "author"),
}
FIELDS = (
    "question_id",
    "question",
    "proposition",
    "answer_id",
    "position",
    "headline",
    "text",
    *(f"respondent.{name}" for name in Respondent.model_fields),
    "label",
)
"""What a user's column can be named as with `ReadOptions.columns`."""
_ALIASED = frozenset(other for others in ALIASES.values() for other in others)
_KNOWN = frozenset({*FIELDS, *_ALIASED})
_NESTED = ("respondent", "source", "posteriors")
_REQUIRED = ("question", "text")
_DERIVED = frozenset({"question_id", "position", "answer_id", "source"})
_MAX_DEPTH = 50
_PAGE_KINDS = ("page", "html")
_MAX_COLLECTION_CHARS = 200_000_000
_COLLECTION_ENDING = "QAs"
_NO_TEXTS = "labels without their texts: name the folder of the texts with --texts (stance ingest, train or evaluate)"
_SURROGATE = re.compile("[\ud800-\udfff]")
_WORD = re.compile(r"[^\W_]+")
# Records of a source mostly have the same fields, and answers to a question stand together.
_MAX_KEPT = 16


@dataclass(frozen=True)
class ReadOptions:
    """How to read sources.

    Attributes
    ----------
    kind
        One of `pipeline.ingest.KINDS`; None to find out.
    encoding
        A codec name; None to find out.
    columns
        The user's own column name by the record field it stands for.
    texts
        Folder or file with the texts that label tables are on; None when there are none.
    max_record_chars
        A longer line or row is rejected.
    max_page_bytes
        A longer saved page is refused.
    """

    kind: str | None = None
    encoding: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    texts: str | None = None
    max_record_chars: int = 4_000_000
    max_page_bytes: int = 50 << 20


Item = AnswerRecord | Rejected | Notice


def read_answers(
    names: Sequence[str], options: ReadOptions | None = None, meter: Meter | None = None
) -> Iterator[Item]:
    """Read every answer of the named sources, in order.

    Parameters
    ----------
    names
        Files, compressed with gzip or zstd or not; folders; patterns of names; or ``-`` for standard input.
    options
        How to read them.
    meter
        Knows how far the reading is, from the first item on.

    Yields
    ------
    AnswerRecord
        One per answer; ids unique over all sources.
    Rejected
        One per record that could not be used.
    Notice
        What a user should know, such as a page that announces more answers than it holds.

    Raises
    ------
    BadInput
        When a source cannot be read at all, holds no answers, or is compressed and breaks off: then the answers
        before that are given first.
    """
    options = options or ReadOptions()
    files = list_files(names)
    double = next((file for file, n in Counter(map(_identity, files)).items() if n > 1), None)
    if double is not None:
        raise BadInput(double, "is named twice: every answer in it would count twice")
    validator = _Validator(options.columns)
    texts: dict[str, AnswerRecord] = {}
    if options.texts is not None:
        yield from _read_texts(options.texts, texts)
    if meter is not None:
        meter.begin(total_bytes(files))
    for file in files:
        source = open_source(file, kind=options.kind, encoding=options.encoding, meter=meter)
        with source.stream:
            yield from source.notices
            yield from _read_source(source, options, validator, texts)


def _identity(file: str) -> str:
    return file if file == STDIN else str(Path(file).resolve())


def _read_texts(name: str, texts: dict[str, AnswerRecord]) -> Iterator[Notice]:
    """Collect the answers of the tables of a folder by their ids, and say what of it cannot be used.

    An answer is known by its own id, and by its file's name and its place there, counted from 0: the third
    of ``icliniqQAs.json`` is ``icliniq-2`` too.
    """
    for file in expand_source(name):
        if file_kind(file) in _PAGE_KINDS:
            continue
        stem = Path(split_suffix(file)[0]).stem.removesuffix(_COLLECTION_ENDING)
        place = -1
        for item in read_answers([file], ReadOptions(max_record_chars=_MAX_COLLECTION_CHARS)):
            if isinstance(item, Notice):
                yield item
                continue
            place += 1
            if isinstance(item, Rejected):
                yield Notice(file=file, message=f"{item.locator} cannot be used as a text: {item.reason}")
            elif texts.setdefault(item.answer_id, item) is not item:
                yield Notice(file=file, message=f"{item.source.locator}: the id {item.answer_id!r} stands twice")
            else:
                texts.setdefault(f"{stem}-{place}", item)


def _read_source(
    source: OpenSource, options: ReadOptions, validator: _Validator, texts: Mapping[str, AnswerRecord]
) -> Iterator[Item]:
    if source.kind in {"page", "html"}:
        yield from _read_pages(source, read_whole(source, options.max_page_bytes), validator)
        return
    n_records = 0
    for record in _records(source, options):
        n_records += 1
        if isinstance(record, RawRecord) and _lacks_text(record.fields, options):
            record = _attach(record, texts, options.texts)
        yield validator.validate(source.name, record)
    if n_records == 0:
        raise BadInput(source.name, "holds no records")


def _records(source: OpenSource, options: ReadOptions) -> Iterator[RawRecord | BadRecord]:
    def check_columns(found: Sequence[str]) -> None:
        _check_columns(source.name, found, options)

    if source.kind == "jsonl":
        return read_jsonl(source, options.max_record_chars)
    if source.kind == "parquet":
        # Imported here: Arrow takes longer to load than most sources to read.
        from pipeline.ingest.parquet import read_parquet

        return read_parquet(source, check_columns)
    return read_table(source, options.max_record_chars, check_columns)


def _check_columns(file: str, found: Sequence[str], options: ReadOptions) -> None:
    """Refuse a table that lacks a column every record needs, before its rows are rejected one by one."""
    columns = options.columns
    shown = ", ".join(found)
    small = [name.casefold() for name in found]
    if _SURROGATE.search(shown):
        raise BadInput(file, f"a column's name is not valid in the encoding ({_printable(shown)})", where="line 1")
    for name, column in columns.items():
        if column not in found:
            raise BadInput(file, f"no column {column!r} for {name} (columns: {shown})", where="line 1")
    if _lacks_text(found, options):
        missing = next((name for name in (TEXT_ID, TEXT_HASH) if name not in small), None)
        if missing is not None:
            raise BadInput(file, f"no column {missing!r}, by which labels find their texts", where="line 1")
        if options.texts is None:
            raise BadInput(file, _NO_TEXTS)
        return
    for name in _REQUIRED:
        if not _has_column(name, small, options):
            wanted = " or ".join(repr(n) for n in (name, *ALIASES.get(name, ())))
            advice = f"name yours with --column {name}=COLUMN (columns: {shown})"
            raise BadInput(file, f"no column {wanted}: {advice}", where="line 1")


def _lacks_text(columns: Iterable[str], options: ReadOptions) -> bool:
    names = tuple(columns)
    return _name_labels(names) and not _has_column("text", [name.casefold() for name in names], options)


@lru_cache(_MAX_KEPT)
def _name_labels(names: tuple[str, ...]) -> bool:
    return is_label_table([name.casefold() for name in names])


def _attach(record: RawRecord, texts: Mapping[str, AnswerRecord], folder: str | None) -> RawRecord | BadRecord:
    if folder is None:
        return BadRecord(record.locator, _NO_TEXTS, record.shown(), TEXT_ID)
    small = {name.casefold(): value for name, value in record.fields.items()}
    return attach_text(RawRecord(small, record.locator, record.raw), texts, folder)


def _has_column(name: str, columns: Sequence[str], options: ReadOptions) -> bool:
    return name in options.columns or any(n in columns for n in (name, *ALIASES.get(name, ())))


def _read_pages(source: OpenSource, text: str, validator: _Validator) -> Iterator[Item]:
    pages = (read_page_html if source.kind == "html" else read_page_text)(text)
    if not pages:
        reason = "no doctors' answers found: expected a question, then answers with a headline, a text and a signature"
        raise BadInput(source.name, reason)
    for page in pages:
        if page.announced is not None and page.announced != len(page.answers):
            message = f"the page announces {page.announced} answers to {page.question!r}; it holds {len(page.answers)}"
            yield Notice(file=source.name, message=message)
        if page.left_out:
            message = f"text below the last signature is in no answer: {page.left_out!r}"
            yield Notice(file=source.name, message=message)
        for record in page.answers:
            if isinstance(record, RawRecord):
                extra = {"question_details": page.details} if page.details else {}
                record = RawRecord({"question": page.question, **record.fields, **extra}, record.locator, record.raw)
            yield validator.validate(source.name, record)


def derive_question_id(question: str) -> str:
    """Derive a readable and stable id from a question's wording; case, spacing and punctuation do not count.

    Examples
    --------
    >>> derive_question_id("Is a chin implant reversible?")
    'is-a-chin-implant-reversible-c5dfade4'
    >>> derive_question_id("is a chin implant  reversible") == derive_question_id("Is a chin implant reversible?")
    True
    """
    words = _WORD.findall(question.casefold())
    digest = hashlib.sha256(" ".join(words).encode("utf-8", "surrogatepass")).hexdigest()
    slug = "-".join(words[:8])[:60].rstrip("-") or "question"
    return f"{slug}-{digest[:8]}"


_kept_question_id = lru_cache(_MAX_KEPT)(derive_question_id)
_kept_key = lru_cache(_MAX_KEPT)(hash_key)


class _Validator:
    """Turns raw records into answer records and sees to it that no id stands twice.

    Ids are known by their hashes, see `pipeline.ingest.compact`: of n answers, one is rejected as a double that is
    none with a probability of about n^2 / 2^65.
    """

    def __init__(self, columns: Mapping[str, str]) -> None:
        self._columns = columns
        self._places = Places()
        # By an answer's id: where it stands. By a question's: how many answers, in all and in the file being read.
        self._seen = CompactTable()
        self._n_ids = CompactTable()
        self._n_positions = CompactTable()
        self._file = ""

    def validate(self, file: str, record: RawRecord | BadRecord) -> AnswerRecord | Rejected:
        if isinstance(record, BadRecord):
            return Rejected(
                file=file,
                locator=record.locator,
                column=record.column,
                reason=record.reason,
                raw=_printable(record.raw),
            )
        fields = self._named(record)
        is_writable = _is_writable(fields, has_good_texts=record.has_good_texts)
        problem = (None if is_writable else _find_unwritable(fields)) or _find_missing(fields)
        if problem is None:
            answer = self._build(file, fields, record.locator)
            if isinstance(answer, AnswerRecord):
                return answer
            problem = answer
        column, reason = problem
        return Rejected(file=file, locator=record.locator, column=column, reason=reason, raw=_printable(record.shown()))

    def _named(self, record: RawRecord) -> dict[str, Any]:
        """Give every field its name in the record: the user's mapping first, then the aliases.

        A column whose name is taken by another that the user named is kept as ``input_<name>``.
        """
        found = {name: value for name, value in record.fields.items() if value is not None}
        if not self._columns and _are_record_names(tuple(record.fields)):
            return found
        mapped = set(self._columns.values())
        fields = {
            (f"input_{name}" if name in self._columns else name): value
            for name, value in found.items()
            if name not in mapped
        }
        fields |= {name: found[column] for name, column in self._columns.items() if column in found}
        for name in [name for name in fields if name.casefold() in _KNOWN and name not in _KNOWN]:
            fields.setdefault(name.casefold(), fields.pop(name))
        for name, others in ALIASES.items():
            other = next((o for o in others if o in fields), None)
            taken = name in fields or name in self._columns or name.partition(".")[0] in fields
            if not taken and other is not None and isinstance(fields[other], str | int):
                fields[name] = fields.pop(other)
        return unflatten(fields, _NESTED)

    def _build(self, file: str, fields: dict[str, Any], locator: str) -> AnswerRecord | tuple[str, str]:
        if file != self._file:
            self._file, self._n_positions = file, CompactTable()
        _drop_empty_ids(fields)
        if "question_id" not in fields:
            fields["question_id"] = _kept_question_id(fields["question"])
        question_id = str(fields["question_id"])
        question_key = _kept_key(question_id)
        if "position" not in fields:
            fields["position"] = (self._n_positions.get(question_key) or 0) + 1
        if "answer_id" not in fields:
            fields["answer_id"] = self._free_id(question_id)
        _name_place(fields, file, locator)
        try:
            answer = AnswerRecord.model_validate(fields)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            return ".".join(map(str, first["loc"])), _explain(first["msg"], first.get("input"))
        taken = self._seen.insert(hash_key(answer.answer_id), self._places.pack(file, locator))
        if taken is not None:
            return "answer_id", f"{answer.answer_id!r} is taken by {self._places.name(taken)}"
        self._n_ids.add(question_key, 1)
        self._n_positions.add(question_key, 1)
        return answer

    def _free_id(self, question_id: str) -> str:
        place = (self._n_ids.get(_kept_key(question_id)) or 0) + 1
        while self._seen.get(hash_key(answer_id := f"{question_id}-{place:02d}")) is not None:
            place += 1
        return answer_id


def _drop_empty_ids(fields: dict[str, Any]) -> None:
    for name in _DERIVED:
        if name in fields and fields[name] == "":
            del fields[name]


def _name_place(fields: dict[str, Any], file: str, locator: str) -> None:
    """Say where a record stands, unless it says so itself; a source of the user's own is kept beside that."""
    source = fields.get("source")
    if isinstance(source, dict) and source.keys() == {"file", "locator"}:
        return
    if source is not None:
        fields["input_source"] = source
    fields["source"] = {"file": file, "locator": locator}


def _explain(message: str, value: Any) -> str:
    message = message.removeprefix("Value error, ")
    shown = repr(value)
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    return message if message == "is empty" else f"{message[0].lower()}{message[1:]}, found {shown}"


def _find_missing(fields: Mapping[str, Any]) -> tuple[str, str] | None:
    for name in _REQUIRED:
        if name not in fields:
            names = " or ".join((name, *ALIASES.get(name, ())))
            return name, f"is missing or empty (a record needs {names})"
        if not isinstance(fields[name], str):
            return name, _explain("Should be text", fields[name])
    return None


@lru_cache(_MAX_KEPT)
def _are_record_names(names: tuple[str, ...]) -> bool:
    """Whether fields so named are called the same in the record, whatever is in them."""
    return not any(
        name in _ALIASED
        or name in LIST_FIELDS
        or (name not in _KNOWN and name.casefold() in _KNOWN)
        or ("." in name and name.partition(".")[0] in _NESTED)
        for name in names
    )


def _is_writable(value: Any, depth: int = 0, *, has_good_texts: bool = False) -> bool:
    """Say whether `_find_unwritable` finds nothing in a dictionary: most records need no search for the place."""
    texts: list[str] = []
    if isinstance(value, dict):
        if not has_good_texts:
            texts.extend(map(str, value))
        value = value.values()
    if value and depth == _MAX_DEPTH:
        return False
    for item in value:
        kind = type(item)
        if kind is str:
            texts.append(item)
        elif kind is dict or kind is list:
            if not _is_writable(item, depth + 1, has_good_texts=has_good_texts):
                return False
        elif kind is float and not math.isfinite(item):
            return False
    # All texts are looked at as one: a look costs more than the copy.
    return has_good_texts or _has_good_characters("".join(texts))


def _has_good_characters(text: str) -> bool:
    return "\x00" not in text and (text.isascii() or _is_encodable(text))


def _is_encodable(text: str) -> bool:
    """Whether no surrogate stands alone in a text; encoding it finds out four times as fast as searching for one."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _find_unwritable(value: Any, column: str = "", depth: int = 0) -> tuple[str, str] | None:
    """Find what could not be written again: bad characters, numbers JSON lacks, endless nesting."""
    if depth > _MAX_DEPTH:
        return column, f"is nested more than {_MAX_DEPTH} deep"
    if isinstance(value, str):
        return _find_bad_character(value, column)
    if isinstance(value, float) and not math.isfinite(value):
        return column, f"{value} is no JSON value"
    if isinstance(value, dict):
        for name, inner in value.items():
            path = f"{column}.{name}" if column else str(name)
            if found := _find_bad_character(str(name), column) or _find_unwritable(inner, path, depth + 1):
                return found
    elif isinstance(value, list):
        for inner in value:
            if found := _find_unwritable(inner, column, depth + 1):
                return found
    return None


def _find_bad_character(text: str, column: str) -> tuple[str, str] | None:
    if "\x00" in text:
        return _printable(column), "has a NUL byte"
    if match := _SURROGATE.search(text):
        char = ord(match[0])
        what = f"the byte 0x{char - 0xDC00:02x}" if 0xDC80 <= char <= 0xDCFF else "half of a surrogate pair"
        return _printable(column), f"has {what} at character {match.start()}, not valid in the encoding"
    return None


def _printable(raw: str) -> str:
    """Keep what cannot be written as UTF-8 visible, as an escape."""
    return raw.encode("utf-8", "backslashreplace").decode("utf-8")
