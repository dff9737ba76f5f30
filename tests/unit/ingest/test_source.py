from __future__ import annotations

import codecs
import hashlib
import io
import sys
from pathlib import Path

import pytest

from pipeline.compression import compress
from pipeline.errors import BadInput
from pipeline.ingest.source import (
    KINDS,
    STDIN,
    STDIN_NAME,
    OpenSource,
    expand_source,
    open_source,
    open_text,
    read_whole,
)

TABLE = "question,text\nIs it safe?,Quite safe.\n"
LINE = '{"question": "Is it safe?", "text": "Quite safe."}\n'
PAGE = "Is it safe?\n\nDoctor Answers 1\n"
NOISE = b"".join(hashlib.sha256(bytes([n % 256, n // 256])).digest() for n in range(4096))
HTML = "<!doctype html>\n<title>Is it safe?</title>"


def _write(folder: Path, name: str, data: str | bytes) -> str:
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return str(path)


def _open(path: str, *, kind: str | None = None, encoding: str | None = None) -> OpenSource:
    source = open_source(path, kind=kind, encoding=encoding)
    source.stream.close()
    return source


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.txt", "page"),
        ("a.TEXT", "page"),
        ("a.html", "html"),
        ("a.htm", "html"),
        ("a.xhtml", "html"),
        ("a.csv", "csv"),
        ("a.CSV", "csv"),
        ("a.tsv", "tsv"),
        ("a.tab", "tsv"),
        ("a.jsonl", "jsonl"),
        ("a.ndjson", "jsonl"),
        ("a.json", "jsonl"),
    ],
)
def test_the_suffix_tells_the_kind(tmp_path: Path, name: str, kind: str) -> None:
    assert _open(_write(tmp_path, name, "anything at all\n")).kind == kind


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (TABLE, "csv"),
        ('"Question","Text"\r\n', "csv"),
        (TABLE.replace(",", "\t"), "tsv"),
        (LINE, "jsonl"),
        ("\n\n[" + LINE + "]", "jsonl"),
        (HTML, "html"),
        ("  <html>", "html"),
        (PAGE, "page"),
        ("{{ voteCount }}\nIs it safe?", "page"),
        ("Is it safe, and does it hurt?\n", "page"),
    ],
    ids=["csv", "quoted csv", "tsv", "jsonl", "json array", "doctype", "html", "page", "template", "comma in question"],
)
def test_the_content_tells_the_kind_where_the_name_does_not(tmp_path: Path, text: str, kind: str) -> None:
    assert _open(_write(tmp_path, "saved", text)).kind == kind


@pytest.mark.parametrize("kind", KINDS)
def test_the_kind_the_user_names_beats_suffix_and_content(tmp_path: Path, kind: str) -> None:
    assert _open(_write(tmp_path, "a.csv", TABLE), kind=kind).kind == kind


def test_parquet_is_known_by_its_magic_whatever_its_name(tmp_path: Path) -> None:
    assert _open(_write(tmp_path, "a.csv", b"PAR1\x15\x04")).kind == "parquet"


def test_a_file_named_like_parquet_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no Parquet file"):
        open_source(_write(tmp_path, "a.parquet", TABLE))


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (TABLE.encode(), "utf-8"),
        (codecs.BOM_UTF8 + TABLE.encode(), "utf-8-sig"),
        (TABLE.encode("utf-16"), "utf-16"),
        (codecs.BOM_UTF16_BE + TABLE.encode("utf-16-be"), "utf-16"),
        (TABLE.encode("utf-32"), "utf-32"),
        (b'<meta charset="Shift_JIS"><h1>' + "安全ですか".encode("shift_jis"), "shift_jis"),
        (b'<?xml version="1.0" encoding="koi8-r"?><p>' + "Безопасно ли это".encode("koi8-r"), "koi8-r"),
    ],
    ids=["plain", "utf-8 bom", "utf-16 bom", "utf-16 be bom", "utf-32 bom", "meta charset", "xml declaration"],
)
def test_the_encoding_is_found_out_without_a_guess(tmp_path: Path, data: bytes, encoding: str) -> None:
    source = _open(_write(tmp_path, "a", data))
    assert (source.encoding, source.notices) == (encoding, ())


@pytest.mark.parametrize(
    "text",
    ["“It’s fine” – don’t worry.", "“It’s fine” – in my café, naïve señora.", "A single curly ’ in plain English."],
    ids=["quotes", "quotes and accents", "one apostrophe"],
)
def test_text_saved_by_windows_is_read_as_written_and_the_guess_is_told(tmp_path: Path, text: str) -> None:
    path = _write(tmp_path, "a.csv", f"question,text\nIs it safe?,{text}\n".encode("cp1252"))
    source = open_source(path)
    assert read_whole(source, 1000).splitlines()[1] == f"Is it safe?,{text}"
    source.stream.close()
    assert [notice.file for notice in source.notices] == [path]
    assert "--encoding" in source.notices[0].message


def test_a_page_that_declares_latin_1_has_its_curly_quotes_as_in_a_browser(tmp_path: Path) -> None:
    html = '<meta charset="iso-8859-1"><h1>“Is it safe?”</h1>'.encode("cp1252")
    source = open_source(_write(tmp_path, "a.html", html))
    text = read_whole(source, 1000)
    source.stream.close()
    assert "“Is it safe?”" in text


@pytest.mark.parametrize("before_cut", range(1, 6))
def test_a_character_cut_by_the_end_of_the_head_does_not_unsettle_utf_8(tmp_path: Path, before_cut: int) -> None:
    start = b'{"question": "Is it safe?", "text": "'
    data = start + b"a" * ((1 << 16) - before_cut - len(start)) + "é and no other accent".encode() + b'"}\n'
    source = _open(_write(tmp_path, "a.jsonl", data))
    assert (source.encoding, source.notices) == ("utf-8", ())


def test_the_encoding_the_user_names_beats_what_would_be_found(tmp_path: Path) -> None:
    assert _open(_write(tmp_path, "a.csv", TABLE), encoding="koi8-r").encoding == "koi8-r"


def test_the_user_may_name_utf_8_for_a_file_with_a_byte_order_mark(tmp_path: Path) -> None:
    source = open_source(_write(tmp_path, "a.txt", codecs.BOM_UTF8 + PAGE.encode()), encoding="utf-8")
    text = read_whole(source, 1000)
    source.stream.close()
    assert text.startswith("Is it")


@pytest.mark.parametrize("codec", ["no-such-codec", "rot13", "base64", "idna", "undefined"])
def test_a_name_that_is_no_text_encoding_is_refused(tmp_path: Path, codec: str) -> None:
    with pytest.raises(BadInput, match="encoding"):
        open_source(_write(tmp_path, "a.csv", TABLE), encoding=codec)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "is empty"),
        (b" \r\n\t\n", "is empty"),
        (codecs.BOM_UTF8, "is empty"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "picture"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "picture"),
        (b"PK\x03\x04\x14\x00\x06\x00xl/workbook.xml", "save it as CSV"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "save it as CSV"),
        (b"%PDF-1.7\n", "PDF"),
        (b"\x1f\x8b\x08\x00", "damaged or cut off"),
        (b"\x28\xb5\x2f\xfd", "damaged or cut off"),
        (compress(b"", "gzip"), "is empty"),
        (compress(compress(TABLE.encode(), "gzip"), "zstd"), "compressed twice: unpack it once"),
        (compress(b"\x89PNG\r\n", "zstd"), "picture"),
        (b"SQLite format 3\x00" + b"\x00\x01\x02\x03" * 100, "binary"),
        (b"\x81\x8d\x8f\x90\x9d \xff\xfe\x00 \x81\n", "--encoding"),
        (NOISE[:4000], "--encoding"),
        (NOISE, "--encoding"),
    ],
    ids=[
        "empty",
        "blank",
        "bom",
        "png",
        "jpeg",
        "xlsx",
        "xls",
        "pdf",
        "gzip, cut off",
        "zstd, cut off",
        "gzip, empty",
        "twice",
        "png in zstd",
        "sqlite",
        "undecodable",
        "noise",
        "long",
    ],
)
@pytest.mark.parametrize("name", ["a.csv", "a.txt", "a"])
def test_what_is_no_text_is_refused_in_words_that_help(tmp_path: Path, name: str, data: bytes, told: str) -> None:
    path = _write(tmp_path, name, data)
    with pytest.raises(BadInput, match=told) as caught:
        open_source(path)
    assert str(caught.value).startswith(path)
    assert "\n" not in str(caught.value)


def test_a_few_nul_bytes_do_not_make_a_table_binary(tmp_path: Path) -> None:
    assert _open(_write(tmp_path, "a.csv", TABLE + "Is it\x00 safe?,No.\n")).encoding == "utf-8"


def test_a_folder_stands_for_the_files_of_known_kinds_below_it_in_order(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("b.csv", "a.txt", "deep/c.JSONL", "notes.md", "picture.png"):
        _write(tmp_path, name, "x")
    assert expand_source(str(tmp_path)) == [str(tmp_path / name) for name in ("a.txt", "b.csv", "deep/c.JSONL")]


def test_a_folder_without_answers_is_refused_and_the_kinds_are_named(tmp_path: Path) -> None:
    _write(tmp_path, "notes.md", "x")
    with pytest.raises(BadInput, match=r"folder without a file of answers .*\.csv.*\.parquet"):
        expand_source(str(tmp_path))


def test_a_source_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such file"):
        expand_source(str(tmp_path / "absent.csv"))


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.csv", ["a.csv", "b.csv"]),
        ("?.csv", ["a.csv", "b.csv"]),
        ("[b-z].*", ["b.csv", "b.md"]),
        ("*", ["a.csv", "b.csv", "b.md"]),
        ("**/*.csv", ["a.csv", "b.csv", "deep/d.csv", "deep/deeper/c.csv"]),
        ("deep/*", ["deep/d.csv"]),
        ("d*p/*.csv", ["deep/d.csv"]),
    ],
)
@pytest.mark.parametrize("is_relative", [True, False])
def test_a_pattern_stands_for_the_files_that_match_it_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str, found: list[str], is_relative: bool
) -> None:
    (tmp_path / "deep" / "deeper").mkdir(parents=True)
    for name in ("b.csv", "a.csv", "b.md", "deep/d.csv", "deep/deeper/c.csv"):
        _write(tmp_path, name, "x")
    monkeypatch.chdir(tmp_path)
    start = "" if is_relative else f"{tmp_path}/"
    assert expand_source(f"{start}{pattern}") == [f"{start}{name}" for name in found]


@pytest.mark.parametrize("pattern", ["*.csv", "d*", "[ab].jsonl"])
def test_a_pattern_that_no_file_matches_is_refused(tmp_path: Path, pattern: str) -> None:
    (tmp_path / "deep").mkdir()
    with pytest.raises(BadInput, match="no file matches this pattern") as caught:
        expand_source(str(tmp_path / pattern))
    assert caught.value.file == str(tmp_path / pattern)


@pytest.mark.parametrize("name", ["[a].csv", "what?.csv", "*.csv"])
def test_a_file_that_is_there_is_no_pattern(tmp_path: Path, name: str) -> None:
    for other in (name, "a.csv", "whats.csv"):
        _write(tmp_path, other, "x")
    assert expand_source(str(tmp_path / name)) == [str(tmp_path / name)]


def test_a_folder_stands_for_its_compressed_files_too(tmp_path: Path) -> None:
    names = ["a.jsonl.gz", "b.CSV.ZST", "c.txt.zstd", "d.parquet.gz"]
    for name in (*names, "picture.png.gz", "noname.gz"):
        _write(tmp_path, name, "x")
    assert expand_source(str(tmp_path)) == [str(tmp_path / name) for name in names]


OWN = [
    *("called.jsonl.quarantine.jsonl", "a.csv.gz.quarantine.jsonl", "quarantine.jsonl", "quarantine-12.jsonl"),
    *("called.jsonl.manifest.json", "called.jsonl.run/part-1.jsonl", "called.jsonl.run/deep/part-1.jsonl.zst"),
]


def _write_own(folder: Path) -> None:
    for name in OWN:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        _write(folder, name, LINE)


def test_a_folder_does_not_stand_for_what_stance_writes_beside_results(tmp_path: Path) -> None:
    folder = tmp_path / "marathon.run"
    _write_own(folder / "deep")
    _write_own(folder)
    names = ["about-quarantine.jsonl", "manifest.json", "quarantine-of-old.jsonl", "quarantine.csv", "runs.jsonl"]
    for name in names:
        _write(folder, name, LINE)
    assert expand_source(str(folder)) == [str(folder / name) for name in names]


def test_a_pattern_does_not_stand_for_it_either(tmp_path: Path) -> None:
    _write_own(tmp_path)
    _write(tmp_path, "a.jsonl", LINE)
    for pattern in ("*", "**", "**/*", "**/*.jsonl"):
        assert expand_source(str(tmp_path / pattern)) == [str(tmp_path / "a.jsonl")]


def test_a_pattern_that_names_the_folder_of_a_run_reads_it(tmp_path: Path) -> None:
    _write_own(tmp_path)
    path = tmp_path / "called.jsonl.run" / "part-1.jsonl"
    assert expand_source(str(tmp_path / "called.jsonl.run" / "*.jsonl")) == [str(path)]


def test_a_folder_of_nothing_but_what_stance_writes_is_refused(tmp_path: Path) -> None:
    _write_own(tmp_path)
    with pytest.raises(BadInput, match="folder without a file of answers"):
        expand_source(str(tmp_path))


@pytest.mark.parametrize("name", OWN)
def test_what_stance_writes_is_read_when_it_is_named(tmp_path: Path, name: str) -> None:
    _write_own(tmp_path)
    assert expand_source(str(tmp_path / name)) == [str(tmp_path / name)]


@pytest.mark.parametrize("codec", ["gzip", "zstd"])
@pytest.mark.parametrize(
    ("name", "text", "kind", "encoding"),
    [
        ("a.csv", TABLE, "csv", "utf-8"),
        ("a.txt.gz", TABLE, "page", "utf-8"),
        ("a.txt.ZST", PAGE, "page", "utf-16"),
        ("saved", LINE, "jsonl", "utf-8-sig"),
        ("saved.gz", HTML, "html", "utf-32"),
    ],
)
def test_what_is_compressed_is_opened_as_what_is_in_it_whatever_its_name(
    tmp_path: Path, codec: str, name: str, text: str, kind: str, encoding: str
) -> None:
    source = open_source(_write(tmp_path, name, compress(text.encode(encoding), codec)))
    assert (source.kind, source.encoding, source.notices) == (kind, encoding, ())
    assert source.stream.read() == text.encode(encoding)
    source.stream.close()


@pytest.mark.parametrize("codec", ["gzip", "zstd"])
def test_standard_input_may_be_compressed(monkeypatch: pytest.MonkeyPatch, codec: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(compress(LINE.encode(), codec))))
    source = open_source(STDIN)
    assert (source.name, source.kind, source.stream.read()) == (STDIN_NAME, "jsonl", LINE.encode())
    source.stream.close()


def test_a_name_that_tells_of_compression_does_not_make_it_so(tmp_path: Path) -> None:
    assert _open(_write(tmp_path, "a.jsonl.gz", LINE)).kind == "jsonl"


def test_a_folder_cannot_be_opened_as_a_file(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be opened"):
        open_source(str(tmp_path))


def test_standard_input_is_one_source_and_is_read_from_its_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(LINE.encode())))
    assert expand_source(STDIN) == [STDIN]
    source = open_source(STDIN)
    assert (source.name, source.kind, source.stream.read()) == (STDIN_NAME, "jsonl", LINE.encode())
    source.stream.close()


def test_a_page_has_newlines_alone_between_its_lines() -> None:
    source = OpenSource("a.txt", "page", io.BytesIO(b"one\r\ntwo\rthree\n"), "utf-8")
    assert read_whole(source, 100) == "one\ntwo\nthree\n"


def test_a_page_with_a_byte_its_encoding_lacks_is_refused_with_the_line() -> None:
    source = OpenSource("a.txt", "page", io.BytesIO(b"one\ntwo \x93\n"), "utf-8")
    with pytest.raises(BadInput, match=r"a\.txt, line 2: byte 8 is not utf-8.*--encoding"):
        read_whole(source, 100)


def test_a_page_as_long_as_allowed_is_read_and_one_byte_more_is_refused() -> None:
    assert read_whole(OpenSource("a", "page", io.BytesIO(b"12345"), "utf-8"), 5) == "12345"
    with pytest.raises(BadInput, match="larger than"):
        read_whole(OpenSource("a", "page", io.BytesIO(b"123456"), "utf-8"), 5)


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (b"one\ntwo \x93\nthree\n", "utf-8"),
        ("one\ntwo\nthree\n".encode("utf-16") + b"\n", "utf-16"),
        ("one\n".encode("utf-16") + b"\x00\xd8" + "\nthree\n".encode("utf-16-le"), "utf-16"),
    ],
    ids=["stray byte", "odd last byte", "lone surrogate in utf-16"],
)
def test_bytes_a_table_cannot_have_do_not_stop_its_reading(data: bytes, encoding: str) -> None:
    with open_text(OpenSource("a.csv", "csv", io.BytesIO(data), encoding), newline="\n") as lines:
        read = list(lines)
    assert (read[0], read[2]) == ("one\n", "three\n")
