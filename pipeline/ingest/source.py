"""Opening a source: its bytes, its kind and its encoding, before anything is read from it."""

from __future__ import annotations

import codecs
import glob
import io
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from charset_normalizer import from_bytes

from pipeline.compression import SUFFIXES as COMPRESSED_SUFFIXES
from pipeline.compression import DamagedData, find_codec, open_decompressed, split_suffix
from pipeline.errors import BadInput
from pipeline.ingest.meter import Meter
from pipeline.schema import Notice

KINDS = ("page", "html", "csv", "tsv", "jsonl", "parquet")
STDIN = "-"
STDIN_NAME = "<stdin>"

_SUFFIXES = {
    ".txt": "page",
    ".text": "page",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_GLOB_CHARACTERS = frozenset("*?[")
# What stance writes beside results, which holds no answers, or the same ones again.
_OWN_FILE = re.compile(r".*\.quarantine\.jsonl|quarantine(-\d+)?\.jsonl|.*\.manifest\.json", re.DOTALL)
_RUN_SUFFIX = ".run"
_HEAD_BYTES = 1 << 16
_FOREIGN_MAGIC = {
    b"PK\x03\x04": "a zip archive or an Excel workbook: save it as CSV",
    b"\xd0\xcf\x11\xe0": "an old Office file: save it as CSV",
    b"%PDF": "a PDF: save the page as text or HTML",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"GIF8": "a picture",
    b"\x7fELF": "a program",
}
_BOMS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_META_CHARSET = re.compile(rb"<meta[^>]+charset\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]+)", re.IGNORECASE)
_XML_ENCODING = re.compile(rb"<\?xml[^>]+encoding\s*=\s*[\"']([A-Za-z0-9_.:-]+)", re.IGNORECASE)
_CONTROLS = bytes(byte for byte in range(32) if byte not in b"\t\n\v\f\r\x1b")
_BINARY_SHARE = 0.02
_FEW_CONTROLS = 64
# A byte that is not UTF-8, as the error handler "surrogateescape" gives it.
_STRAY = re.compile("[\udc80-\udcff]")
# As in browsers (WHATWG Encoding Standard): pages that declare these are written in Windows' own.
_WINDOWS_LABELS = frozenset({"iso-8859-1", "iso8859-1", "latin1", "latin-1", "us-ascii", "ascii"})
_WINDOWS_TEXT = re.compile("[\x00-\x7f\xa0-\xff\u2018-\u201e\u2013\u2014\u2026\u2022\u2122\u20ac\u0152\u0153]*")
_MAX_ACCENTED_SHARE = 0.2


@dataclass(frozen=True)
class OpenSource:
    """A source ready to be read.

    Attributes
    ----------
    name
        As the user named it; ``<stdin>`` for standard input.
    kind
        One of `KINDS`.
    stream
        Its bytes from the beginning, decompressed; the caller closes it.
    encoding
        A codec name; empty for Parquet.
    notices
        What a user should know about how it was opened.
    """

    name: str
    kind: str
    stream: BinaryIO
    encoding: str
    notices: tuple[Notice, ...] = ()


def expand_source(name: str) -> list[str]:
    """Return the files a source stands for, sorted: itself, the readable files of a folder, or a pattern's matches.

    A name that is there is what it names, whatever its characters; else ``*``, ``?`` and ``[...]`` make it a
    pattern, in which ``**`` stands for folders however deep.
    What stance writes beside results, quarantine files and manifests, is left out of both; so are folders of runs.

    Raises
    ------
    BadInput
        When it does not exist, is a pattern without a match, or a folder without a file of a known kind.
    """
    if name == STDIN:
        return [name]
    path = Path(name)
    if path.is_dir():
        files = sorted(str(p) for p in path.rglob("*") if _is_for_reading(p.relative_to(path)) and p.is_file())
        if not files:
            known = " ".join(_SUFFIXES)
            compressed = " ".join(COMPRESSED_SUFFIXES)
            raise BadInput(name, f"folder without a file of answers (looked for {known}, also with {compressed})")
        return files
    if path.exists():
        return [name]
    if _GLOB_CHARACTERS.isdisjoint(name):
        raise BadInput(name, "no such file or folder")
    # Path.glob takes no pattern that begins at the root.
    files = sorted(found for found in glob.glob(name, recursive=True) if _may_stand_for(name, Path(found)))  # noqa: PTH207
    if not files:
        raise BadInput(name, "no file matches this pattern")
    return files


def _is_for_reading(path: Path) -> bool:
    """Whether a file of a folder is of a known kind and none of stance's own; `path` is within that folder."""
    return file_kind(path.name) is not None and not _is_in_run(path) and _OWN_FILE.fullmatch(path.name) is None


def _may_stand_for(pattern: str, path: Path) -> bool:
    """Whether what a pattern matches is a file, and none of stance's own."""
    # Whoever names such a folder means it.
    in_run = _is_in_run(path) and not _is_in_run(Path(pattern))
    return not path.is_dir() and not in_run and _OWN_FILE.fullmatch(path.name) is None


def _is_in_run(path: Path) -> bool:
    return any(part.endswith(_RUN_SUFFIX) for part in path.parts[:-1])


def list_files(names: Sequence[str]) -> list[str]:
    """Return the files that some sources stand for, in order; see `expand_source`."""
    return [file for name in names for file in expand_source(name)]


def file_kind(name: str) -> str | None:
    """Return the kind of source that a file's name tells, compressed or not; None when it tells none.

    Examples
    --------
    >>> file_kind("answers.CSV"), file_kind("answers.jsonl.gz"), file_kind("notes.pdf")
    ('csv', 'jsonl', None)
    """
    return _SUFFIXES.get(Path(split_suffix(name)[0]).suffix.lower())


def open_source(
    name: str, *, kind: str | None = None, encoding: str | None = None, meter: Meter | None = None
) -> OpenSource:
    """Open a file or standard input and find out its kind and encoding.

    What is compressed with gzip or zstd, by its first bytes, is opened as what is in it.

    Parameters
    ----------
    name
        A path, or ``-`` for standard input.
    kind, encoding
        What the user says of the source; found out when None.
    meter
        Told what is opened, to follow the reading.

    Raises
    ------
    BadInput
        When it cannot be opened, is empty, is binary, is damaged, or has no encoding that can be told.
    """
    # A name that is no UTF-8 is shown with its stray bytes as escapes.
    shown = STDIN_NAME if name == STDIN else name.encode("utf-8", "backslashreplace").decode()
    raw = _open_bytes(name, shown)
    try:
        if meter is not None:
            meter.follow(raw)
        stream, head = _decompress(shown, raw)
        return _identify(shown, name, stream, head, kind=kind, encoding=encoding)
    except BaseException:
        raw.close()
        raise


def total_bytes(files: Sequence[str]) -> int | None:
    """Return the size of files on the disk; None when one is standard input or no regular file."""
    if any(file == STDIN or not Path(file).is_file() for file in files):
        return None
    return sum(Path(file).stat().st_size for file in files)


def refuse_damage(file: str, error: DamagedData, where: str = "") -> BadInput:
    """Return what to raise for a compressed source that breaks off or is damaged, and where."""
    return BadInput(file, f"is damaged or cut off ({error}): copy it again, or compress it again", where=where)


def _decompress(shown: str, raw: io.BufferedReader) -> tuple[io.BufferedReader, bytes]:
    """Return a source's bytes, decompressed where they are compressed, and the first of them."""
    head = raw.peek(_HEAD_BYTES)[:_HEAD_BYTES]
    codec = find_codec(head)
    if codec is None:
        return raw, head
    stream = open_decompressed(raw, codec)
    try:
        head = stream.peek(_HEAD_BYTES)[:_HEAD_BYTES]
    except DamagedData as error:
        raise refuse_damage(shown, error) from error
    if find_codec(head) is not None:
        raise BadInput(shown, "is compressed twice: unpack it once")
    return stream, head


def _open_bytes(name: str, shown: str) -> io.BufferedReader:
    if name == STDIN:
        if sys.stdin is None:
            raise BadInput(shown, "is closed")
        return io.BufferedReader(cast("io.RawIOBase", sys.stdin.buffer), _HEAD_BYTES)
    try:
        return io.BufferedReader(io.FileIO(name), _HEAD_BYTES)
    except OSError as error:
        raise BadInput(shown, f"cannot be opened ({error.strerror})") from error


def _identify(
    shown: str, name: str, raw: io.BufferedReader, head: bytes, *, kind: str | None, encoding: str | None
) -> OpenSource:
    if not head.strip(b"\x00\t\r\n \xef\xbb\xbf"):
        raise BadInput(shown, "is empty")
    if head.startswith(b"PAR1") or kind == "parquet":
        return OpenSource(shown, "parquet", raw, "")
    for magic, what in _FOREIGN_MAGIC.items():
        if head.startswith(magic):
            raise BadInput(shown, f"is {what}")
    notices: tuple[Notice, ...] = ()
    if encoding is None:
        encoding, notices = _detect_encoding(shown, head)
    text = _decode_head(shown, head, encoding)
    found = kind or file_kind(name) or _sniff_kind(text)
    if found == "parquet":
        raise BadInput(shown, "is named like Parquet but is no Parquet file")
    return OpenSource(shown, found, raw, encoding, notices)


def _detect_encoding(shown: str, head: bytes) -> tuple[str, tuple[Notice, ...]]:
    for bom, codec in _BOMS:
        if head.startswith(bom):
            return codec, ()
    control = len(head) - len(head.translate(None, _CONTROLS))
    if _is_utf8(head):
        # One stray NUL in a table is for the quarantine; a file full of control bytes is no text at all.
        if control > max(_FEW_CONTROLS, _BINARY_SHARE * len(head)):
            raise BadInput(shown, "looks binary, not like text, a table or a saved page")
        return "utf-8", ()
    declared = _META_CHARSET.search(head) or _XML_ENCODING.search(head)
    known = _known_codec(declared[1].decode("ascii"), head) if declared else None
    if known:
        return known, ()
    guess = "cp1252" if _is_windows_text(head) else _guess_codec(head, control)
    if guess is None:
        raise BadInput(shown, "is neither UTF-8 nor another encoding that can be told: name it with --encoding")
    message = f"is not UTF-8; read as {guess} (a guess: name the right one with --encoding)"
    return guess, (Notice(file=shown, message=message),)


def _guess_codec(head: bytes, control: int) -> str | None:
    best = from_bytes(head).best()
    # Many bytes no text has: whatever codec fits them by chance, it is not text.
    if best is None or (control > _BINARY_SHARE * len(head) and not best.encoding.startswith(("utf_16", "utf_32"))):
        return None
    return best.encoding


def _is_utf8(head: bytes) -> bool:
    """Whether the head is UTF-8 but for a few stray bytes, which then cost a record, not the file."""
    # A character that the end of the head cuts is no stray byte.
    text = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode(head)
    stray = len(_STRAY.findall(text))
    if stray == 0:
        return True
    multibyte = sum(char > "\x7f" for char in text) - stray
    return multibyte > 4 * stray


def _known_codec(label: str, head: bytes) -> str | None:
    """Return the codec a page declares, if it is one and fits the page."""
    codec = "cp1252" if label.lower() in _WINDOWS_LABELS else label.lower()
    try:
        codecs.getincrementaldecoder(codec)("strict").decode(head)
    except (LookupError, UnicodeError):
        return None
    return codec


def _is_windows_text(head: bytes) -> bool:
    """Whether the head is English as Windows writes it: curly quotes, dashes and a few accents."""
    try:
        text = head.decode("cp1252")
    except UnicodeDecodeError:
        return False
    accented = sum(char > "\x7f" for char in text)
    return accented <= _MAX_ACCENTED_SHARE * len(text) and _WINDOWS_TEXT.fullmatch(text) is not None


def _decode_head(shown: str, head: bytes, encoding: str) -> str:
    try:
        return head.decode(encoding, errors="replace")
    except (LookupError, UnicodeError) as error:
        raise BadInput(shown, f"unknown encoding {encoding!r}: see --encoding") from error


def _sniff_kind(text: str) -> str:
    """Tell the kind of a source without a telling name from its first characters."""
    start = text.lstrip("\ufeff \t\r\n")
    first_line = start.split("\n", 1)[0]
    if start.startswith(("{", "[")) and not start.startswith("{{"):
        return "jsonl"
    if start[:1] == "<":
        return "html"
    for separator, kind in (("\t", "tsv"), (",", "csv")):
        columns = {name.strip(' "\r').lower() for name in first_line.split(separator)}
        if "question" in columns:
            return kind
    return "page"


def read_whole(source: OpenSource, max_bytes: int) -> str:
    """Read a page in one piece.

    Raises
    ------
    BadInput
        When it is larger than `max_bytes`, is damaged, or has bytes that its encoding does not allow.
    """
    try:
        data = source.stream.read(max_bytes + 1)
    except DamagedData as error:
        raise refuse_damage(source.name, error) from error
    if len(data) > max_bytes:
        raise BadInput(
            source.name, f"is larger than {max_bytes >> 20} MB: not a saved page (name its kind with --kind)"
        )
    try:
        text = data.decode(source.encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        reason = f"byte {error.start} is not {source.encoding}: name the right encoding with --encoding"
        raise BadInput(source.name, reason, where=f"line {line}") from error
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def open_text(source: OpenSource, newline: str | None) -> io.TextIOWrapper:
    """Open a table's bytes as text; a byte the encoding does not allow becomes a lone surrogate.

    The record that holds such a surrogate goes to the quarantine, and the rest goes on.
    """
    # Codecs of two and four bytes cannot keep a stray byte; they mark it as U+FFFD.
    errors = "replace" if source.encoding.replace("_", "-").startswith(("utf-16", "utf-32")) else "surrogateescape"
    return io.TextIOWrapper(source.stream, encoding=source.encoding, errors=errors, newline=newline)
