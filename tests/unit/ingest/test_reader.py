from __future__ import annotations

import gc
import hashlib
import io
import json
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.compression import compress
from pipeline.errors import BadInput
from pipeline.flat import write_delimited
from pipeline.ingest import ReadOptions, read_answers, reader
from pipeline.ingest.raw import RawRecord
from pipeline.ingest.reader import Item, derive_question_id
from pipeline.schema import AnswerRecord, Notice, Rejected

QUESTION = "Does a peel help old scars?"
TEXT = "It fades within a year."
NAME = "Ada Fennimore"
RECORD: dict[str, Any] = {"question": QUESTION, "text": TEXT, "headline": "In time", "respondent": {"name": NAME}}
PAGE = f"{QUESTION}\n\nDoctor Answers 1\n\nIn time\n\n+3\n\n{TEXT}\n\n{NAME}, MD\n"
LD = {
    "@type": "Question",
    "name": QUESTION,
    "acceptedAnswer": {"text": TEXT, "headline": "In time", "author": {"name": NAME}},
}
HTML = f"<html><script type='application/ld+json'>{json.dumps(LD)}</script></html>"
ROWS = [["question", "text", "headline", "respondent.name"], [QUESTION, TEXT, "In time", NAME]]


def _parquet(**columns: Any) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


SOURCES: dict[str, str | bytes] = {
    "page": PAGE,
    "html": HTML,
    "csv": "\n".join(map(",".join, ROWS)),
    "tsv": "\n".join(map("\t".join, ROWS)),
    "jsonl": json.dumps(RECORD),
    "parquet": _parquet(question=[QUESTION], text=[TEXT], headline=["In time"], respondent=[{"name": NAME}]),
}
SUFFIXES = {"page": "txt"}


def _write(folder: Path, name: str, data: str | bytes) -> str:
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass"))
    return str(path)


def _lines(*rows: dict[str, Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def _read(folder: Path, name: str, data: str | bytes, **options: Any) -> list[Item]:
    return list(read_answers([_write(folder, name, data)], ReadOptions(**options)))


def _answers(items: list[Item]) -> list[AnswerRecord]:
    assert all(isinstance(item, AnswerRecord) for item in items), items
    return [item for item in items if isinstance(item, AnswerRecord)]


def _rejected(items: list[Item]) -> Rejected:
    (bad,) = [item for item in items if isinstance(item, Rejected)]
    return bad


# ---------------------------------------------------------------- kinds and sources


@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.parametrize("how", ["suffix", "content", "named"])
def test_the_same_answer_is_read_from_every_kind_of_source(tmp_path: Path, kind: str, how: str) -> None:
    name = f"a.{SUFFIXES.get(kind, kind)}" if how == "suffix" else "a"
    (answer,) = _answers(_read(tmp_path, name, SOURCES[kind], kind=kind if how == "named" else None))
    assert (answer.question, answer.text, answer.headline) == (QUESTION, TEXT, "In time")
    assert (answer.respondent.name, answer.position, answer.proposition) == (NAME, 1, None)
    assert answer.source.file == str(tmp_path / name)
    assert answer.source.locator


def test_standard_input_is_read_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(PAGE.encode())))
    (answer,) = _answers(list(read_answers(["-"])))
    assert answer.source.file == "<stdin>"


def test_parquet_on_standard_input_is_read_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(_parquet(question=[QUESTION], text=[TEXT]))))
    assert len(_answers(list(read_answers(["-"])))) == 1


def test_several_sources_are_read_in_order_and_no_id_stands_twice(tmp_path: Path) -> None:
    paths = [_write(tmp_path, f"{n}.{SUFFIXES.get(kind, kind)}", SOURCES[kind]) for n, kind in enumerate(SOURCES)]
    answers = _answers(list(read_answers(paths)))
    assert [answer.source.file for answer in answers] == paths
    assert len({answer.answer_id for answer in answers}) == len(paths)
    assert {answer.question_id for answer in answers} == {derive_question_id(QUESTION)}


def test_a_folder_is_read_like_the_files_in_it(tmp_path: Path) -> None:
    paths = [_write(tmp_path, name, SOURCES["jsonl"]) for name in ("a.jsonl", "b.jsonl")]
    assert list(read_answers([str(tmp_path)])) == list(read_answers(paths))


@pytest.mark.parametrize("again", ["a.jsonl", "./a.jsonl", "", "folder/../a.jsonl"])
def test_a_source_named_twice_is_refused_however_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, again: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    _write(tmp_path, "a.jsonl", SOURCES["jsonl"])
    with pytest.raises(BadInput, match="named twice"):
        list(read_answers(["a.jsonl", again or str(tmp_path)]))


def test_a_source_that_cannot_be_read_does_not_undo_the_one_before(tmp_path: Path) -> None:
    items = read_answers([_write(tmp_path, "a.jsonl", SOURCES["jsonl"]), _write(tmp_path, "b.csv", b"\x89PNG")])
    assert isinstance(next(items), AnswerRecord)
    with pytest.raises(BadInput, match=r"b\.csv: is a picture"):
        next(items)


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("a.csv", "", "is empty"),
        ("a.csv", "question,text\n", "holds no records"),
        ("a.jsonl", "[]", "holds no records"),
        ("a.parquet", _parquet(question=pa.array([], pa.string()), text=pa.array([], pa.string())), "no records"),
        ("a.txt", "Just a note to self.\n", "no doctors' answers found"),
        ("a.html", "<p>Just a note to self.</p>", "no doctors' answers found"),
        ("a.xlsx", b"PK\x03\x04", "save it as CSV"),
        ("a.csv", bytes(range(256)) * 20, "a.csv"),
    ],
    ids=["empty", "header alone", "empty array", "empty parquet", "a note", "a page", "xlsx", "bytes"],
)
def test_a_source_without_answers_is_refused_by_name(tmp_path: Path, name: str, data: str | bytes, told: str) -> None:
    with pytest.raises(BadInput, match=told) as caught:
        _read(tmp_path, name, data)
    assert str(caught.value).startswith(str(tmp_path / name))


def test_a_folder_without_answers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="folder without"):
        list(read_answers([str(tmp_path)]))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ["a.csv", "a.txt"])
def test_a_reader_who_stops_early_leaves_no_file_open(tmp_path: Path, name: str) -> None:
    data = SOURCES["csv" if name == "a.csv" else "page"]
    assert isinstance(data, str)
    items = read_answers([_write(tmp_path, name, data.replace("fades", "fades – “for good” –").encode("cp1252"))])
    assert isinstance(next(items), Notice)
    del items
    gc.collect()


# ---------------------------------------------------------------- compressed sources

CODECS = {"gzip": "gz", "zstd": "zst"}
NOISY = [{**RECORD, "text": hashlib.sha512(bytes([n % 256, n // 256])).hexdigest() * 2} for n in range(2000)]


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("kind", SOURCES)
def test_a_compressed_source_gives_the_answers_of_what_is_in_it(tmp_path: Path, kind: str, codec: str) -> None:
    name, data = f"a.{SUFFIXES.get(kind, kind)}", SOURCES[kind]
    packed = compress(data if isinstance(data, bytes) else data.encode(), codec)
    (plain,) = _answers(_read(tmp_path, name, data))
    for compressed_name in (f"{name}.{CODECS[codec]}", name, "saved"):
        (answer,) = _answers(_read(tmp_path, compressed_name, packed))
        place = plain.source.model_copy(update={"file": str(tmp_path / compressed_name)})
        assert answer == plain.model_copy(update={"source": place})


@pytest.mark.parametrize("codec", CODECS)
def test_compressed_parts_one_after_the_other_are_one_source(tmp_path: Path, codec: str) -> None:
    parts = [_lines(RECORD).encode(), b"", _lines(*NOISY).encode(), _lines(RECORD).encode()]
    items = _read(tmp_path, "a.jsonl", b"".join(compress(part, codec) for part in parts))
    assert [answer.source.locator for answer in _answers(items)] == [f"line {n}" for n in range(1, 2003)]


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("name", ["a.jsonl", "a.csv"])
def test_a_source_that_breaks_off_is_read_to_there_and_refused_with_the_line(
    tmp_path: Path, name: str, codec: str
) -> None:
    if name == "a.jsonl":
        text = _lines(*NOISY)
    else:
        text = "question,text\n" + "".join(f'{row["question"]},"{row["text"]}"\n' for row in NOISY)
    data = compress(text.encode(), codec)
    items = read_answers([_write(tmp_path, name, data[: len(data) * 3 // 4])])
    answers: list[Item] = []
    with pytest.raises(BadInput, match=r"is damaged or cut off") as caught:
        answers.extend(iter(items.__next__, None))
    assert 500 < len(answers) < 2000
    assert [answer.text for answer in answers if isinstance(answer, AnswerRecord)] == [
        row["text"] for row in NOISY[: len(answers)]
    ]
    assert caught.value.where == f"after line {len(answers) + (name == 'a.csv')}"


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("kind", SOURCES)
def test_a_short_source_that_breaks_off_is_refused_whatever_its_kind(tmp_path: Path, kind: str, codec: str) -> None:
    data = SOURCES[kind]
    packed = compress(data if isinstance(data, bytes) else data.encode(), codec)
    with pytest.raises(BadInput, match="is damaged or cut off"):
        _read(tmp_path, f"a.{SUFFIXES.get(kind, kind)}", packed[:-1])


@pytest.mark.parametrize("codec", CODECS)
def test_all_of_a_part_is_read_when_the_next_breaks_off(tmp_path: Path, codec: str) -> None:
    parts = [compress(_lines(RECORD, RECORD).encode(), codec), compress(_lines(RECORD).encode(), codec)[:-4]]
    items = read_answers([_write(tmp_path, "a.jsonl", b"".join(parts))])
    assert [next(items), next(items)]
    with pytest.raises(BadInput, match="is damaged or cut off"):
        list(items)


def test_a_pattern_is_read_like_the_files_that_match_it(tmp_path: Path) -> None:
    paths = [_write(tmp_path, name, compress(_lines(RECORD).encode(), "zstd")) for name in ("a.jsonl.zst", "b.zst")]
    assert list(read_answers([str(tmp_path / "*.zst")])) == list(read_answers(paths))
    with pytest.raises(BadInput, match="named twice"):
        list(read_answers([str(tmp_path / "*.zst"), paths[1]]))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("codec", CODECS)
def test_a_reader_who_stops_early_leaves_no_compressed_file_open(tmp_path: Path, codec: str) -> None:
    items = read_answers([_write(tmp_path, "a.jsonl", compress(_lines(*NOISY).encode(), codec))])
    assert isinstance(next(items), AnswerRecord)
    del items
    gc.collect()


# ---------------------------------------------------------------- encodings


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.txt"])
def test_letters_are_as_written_in_every_encoding(tmp_path: Path, name: str, encoding: str) -> None:
    text = "It’s “safe” – très sûr, naïve señora."
    data = {
        "a.csv": f'question,text\n{QUESTION},"{text}"\n',
        "a.jsonl": json.dumps({**RECORD, "text": text}, ensure_ascii=False),
        "a.txt": PAGE.replace(TEXT, text),
    }[name]
    items = _read(tmp_path, name, data.encode(encoding))
    (answer,) = [item for item in items if isinstance(item, AnswerRecord)]
    assert answer.text == text
    assert [isinstance(item, Notice) for item in items] == ([True, False] if encoding == "cp1252" else [False])


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_a_stray_byte_costs_its_record_alone(tmp_path: Path, name: str) -> None:
    rows = [f"Sûr, déjà {n} fois né à l'été." for n in range(4)]
    if name == "a.csv":
        data = "question,text\n" + "".join(f'{QUESTION},"{row}"\n' for row in rows)
    else:
        data = "".join(json.dumps({"question": QUESTION, "text": row}, ensure_ascii=False) + "\n" for row in rows)
    items = _read(tmp_path, name, data.encode().replace(b" 2 ", b" \x93 "))
    bad = _rejected(items)
    assert bad.column == "text"
    assert "byte 0x93" in bad.reason
    assert "\\udc93" in bad.raw
    assert [item.text for item in items if isinstance(item, AnswerRecord)] == [*rows[:2], rows[3]]


def test_a_stray_byte_far_below_the_head_costs_its_record_alone(tmp_path: Path) -> None:
    data = _lines(*[{"question": QUESTION, "text": "Plain. " * 20}] * 1000).encode()
    items = _read(tmp_path, "a.jsonl", data + b'{"question": "Is it?", "text": "\x93"}\n' + data)
    assert [type(item) for item in items] == [AnswerRecord] * 1000 + [Rejected] + [AnswerRecord] * 1000


def test_a_page_that_cannot_be_decoded_is_refused_with_the_line(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"a\.txt, line 9: byte \d+ is not ascii"):
        _read(tmp_path, "a.txt", PAGE.replace("year", "año"), encoding="ascii")


def test_utf_16_that_breaks_off_is_no_crash(tmp_path: Path) -> None:
    items = _read(tmp_path, "a.jsonl", _lines(RECORD, RECORD).encode("utf-16")[:-1])
    assert isinstance(items[0], AnswerRecord)


# ---------------------------------------------------------------- columns


def test_a_missing_column_is_told_with_the_columns_there_are_and_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"a\.csv, line 1: no column 'text' or 'answer' or 'body'") as caught:
        _read(tmp_path, "a.csv", "question,comment,stars\nIs it?,Yes.,3\n")
    assert "--column text=COLUMN" in str(caught.value)
    assert "(columns: question, comment, stars)" in str(caught.value)


def test_a_missing_column_of_parquet_is_told_the_same_way(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no column 'question'.*--column question=COLUMN \(columns: title, text\)"):
        _read(tmp_path, "a.parquet", _parquet(title=["Is it?"], text=["Yes."]))


def test_a_column_the_user_names_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no column 'comments' for text \(columns: question, comment\)"):
        _read(tmp_path, "a.csv", "question,comment\nIs it?,Yes.\n", columns={"text": "comments"})


@pytest.mark.parametrize("alias", ["text", "answer", "body"])
def test_the_usual_names_of_the_text_are_known(tmp_path: Path, alias: str) -> None:
    (answer,) = _answers(_read(tmp_path, "a.csv", f"question,{alias},id,target\nIs it?,Yes.,x7,a peel\n"))
    assert (answer.text, answer.answer_id, answer.proposition) == ("Yes.", "x7", "a peel")


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        ("title,comment,doctor", {"question": "title", "text": "comment", "respondent.name": "doctor"}),
        ("text,question,doctor", {"question": "text", "text": "question", "respondent.name": "doctor"}),
    ],
    ids=["other names", "swapped names"],
)
def test_columns_are_read_under_the_names_the_user_gives_them(
    tmp_path: Path, header: str, columns: dict[str, str]
) -> None:
    (answer,) = _answers(_read(tmp_path, "a.csv", f"{header}\nIs it?,Yes.,Ada\n", columns=columns))
    assert (answer.question, answer.text, answer.respondent.name) == ("Is it?", "Yes.", "Ada")


def test_an_empty_cell_of_the_named_column_is_not_filled_from_another(tmp_path: Path) -> None:
    items = _read(
        tmp_path,
        "a.csv",
        "question,text,comment\nIs it?,Not this.,\nIs it?,Nor this.,Yes.\n",
        columns={"text": "comment"},
    )
    assert _rejected(items).column == "text"
    assert [item.text for item in items if isinstance(item, AnswerRecord)] == ["Yes."]


def test_every_other_column_is_kept(tmp_path: Path) -> None:
    (answer,) = _answers(_read(tmp_path, "a.csv", "question,text,stance,v1.0\nIs it?,Yes.,against,3\n"))
    assert answer.model_extra == {"stance": "against", "v1.0": "3"}


@pytest.mark.parametrize("source", ["forum", {"url": "https://a.example"}, 7], ids=["text", "mapping", "number"])
def test_a_source_of_the_users_own_is_kept_beside_the_place_of_the_record(tmp_path: Path, source: Any) -> None:
    (answer,) = _answers(_read(tmp_path, "a.jsonl", _lines({**RECORD, "source": source})))
    assert answer.model_extra == {"input_source": source}
    assert answer.source.locator == "line 1"


NAMES = st.sampled_from(
    [
        *("question", "text", "Text", "answer", "Body", "id", "label", "note", "v1.0", ".x", "evidence", "Evidence"),
        *("respondent", "respondent.name", "respondent.", "doctor", "AUTHOR", "source", "source.file", "posteriors.a"),
    ]
)


@settings(max_examples=300)
@given(fields=st.dictionaries(NAMES, st.none() | st.integers() | st.sampled_from(["", "x", "[1]"]) | st.just({"a": 1})))
def test_fields_that_keep_their_names_are_what_the_rules_for_names_make_of_them(fields: dict[str, Any]) -> None:
    record = RawRecord(fields, "line 1")
    named = reader._Validator({})._named(record)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reader, "_are_record_names", lambda _: False)
        by_the_rules = reader._Validator({})._named(record)
    assert list(named.items()) == list(by_the_rules.items())


# ---------------------------------------------------------------- validation


@pytest.mark.parametrize(
    ("fields", "column", "told"),
    [
        ({"text": None}, "text", "missing or empty .*text or answer or body"),
        ({"question": None}, "question", "missing or empty"),
        ({"text": " \n "}, "text", "is empty"),
        ({"question": ""}, "question", "is empty"),
        ({"text": 12}, "text", "text, found 12"),
        ({"question": ["Is it?"]}, "question", "text, found"),
        ({"respondent": {"rating": "abc"}}, "respondent.rating", "number, .*found 'abc'"),
        ({"respondent": {"rating": -1}}, "respondent.rating", "greater than or equal to 0, found -1"),
        ({"respondent": {"n_reviews": 1.5}}, "respondent.n_reviews", "integer, .*found 1.5"),
        ({"respondent": "Ada"}, "respondent", "found 'Ada'"),
        ({"position": 0}, "position", "greater than or equal to 1, found 0"),
        ({"position": "first"}, "position", "integer, .*found 'first'"),
        ({"answer_id": {"a": 1}}, "answer_id", "string, found"),
        ({"headline": 3}, "headline", "string, found 3"),
        ({"text": "No\x00pe"}, "text", "NUL byte"),
        ({"text": "half \ud83d"}, "text", "half of a surrogate pair at character 5"),
        ({"respondent": {"name": "A\x00da"}}, "respondent.name", "NUL byte"),
    ],
    ids=str,
)
def test_a_record_of_the_wrong_type_goes_to_the_quarantine_and_the_rest_is_read(
    tmp_path: Path, fields: dict[str, Any], column: str, told: str
) -> None:
    items = _read(tmp_path, "a.jsonl", _lines(RECORD, {**RECORD, **fields}, RECORD))
    bad = _rejected(items)
    assert (bad.file, bad.locator, bad.column) == (str(tmp_path / "a.jsonl"), "line 2", column)
    assert json.loads(bad.raw)["question"] == {**RECORD, **fields}["question"]
    with pytest.raises(ValueError, match=told):
        raise ValueError(bad.reason)
    assert [type(item) for item in items] == [AnswerRecord, Rejected, AnswerRecord]


@pytest.mark.parametrize(
    ("row", "column"),
    [("abc,1", "respondent.rating"), ("4.5,0", "position"), ("nan,1", "respondent.rating"), ("4.5,x", "position")],
)
def test_a_cell_of_the_wrong_type_names_its_row_and_column(tmp_path: Path, row: str, column: str) -> None:
    table = f"question,text,respondent.rating,position\nIs it?,Yes.,4.5,1\nIs it?,No.,{row}\n"
    bad = _rejected(_read(tmp_path, "a.csv", table))
    assert (bad.locator, bad.column, bad.raw) == ("row at line 3", column, f"Is it?,No.,{row}\n")


def test_rows_with_a_wrong_number_of_cells_an_open_quote_or_a_nul_are_lost_alone(tmp_path: Path) -> None:
    rows = [
        "Is it?,One.",
        "Is it?",
        "Is it?,Two.",
        "Is it?,No.,more",
        'Is it?,"open',
        "Is it?,N\x00o.",
        "Is it?,Three.",
    ]
    items = _read(tmp_path, "a.csv", "question,text\n" + "\n".join(rows) + "\n")
    assert [item.locator for item in items if isinstance(item, Rejected)] == [f"row at line {n}" for n in (3, 5, 6, 7)]
    assert [item.text for item in items if isinstance(item, AnswerRecord)] == ["One.", "Two.", "Three."]


def test_a_page_that_announces_another_number_of_answers_than_it_holds_is_noted_and_read(tmp_path: Path) -> None:
    notice, answer = _read(tmp_path, "a.txt", PAGE.replace("Answers 1", "Answers 11"))
    assert isinstance(notice, Notice)
    assert "announces 11 answers" in notice.message
    assert "holds 1" in notice.message
    assert str(notice).startswith(str(tmp_path / "a.txt"))
    assert isinstance(answer, AnswerRecord)


def test_what_the_patient_adds_is_kept_with_every_answer(tmp_path: Path) -> None:
    (answer,) = _answers(_read(tmp_path, "a.txt", PAGE.replace("Doctor", "I am 44.\n\nDoctor", 1)))
    assert answer.model_extra == {"question_details": "I am 44."}


JSON_VALUE = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELD = st.sampled_from(["question", "text", "answer_id", "position", "respondent", "source", "posteriors", "to_row"])


@settings(max_examples=150)
@given(row=st.dictionaries(FIELD | st.text(), JSON_VALUE, max_size=6))
@pytest.mark.parametrize("valid", [True, False])
def test_whatever_a_line_holds_comes_out_as_one_item_that_can_be_written_as_json(
    tmp_path_factory: pytest.TempPathFactory, valid: bool, row: dict[str, Any]
) -> None:
    fields = {**row, **RECORD} if valid else row
    (item,) = _read(tmp_path_factory.getbasetemp(), "any.jsonl", json.dumps(fields) + "\n")
    assert not isinstance(item, Notice)
    data = item.to_row() if isinstance(item, AnswerRecord) else item.model_dump(mode="json")
    json.dumps(data, ensure_ascii=False, allow_nan=False).encode()


@pytest.mark.parametrize(
    "extra",
    [
        '{"tags": ["\\ud800"]}',
        '{"a\\ud800": 1}',
        '{"respondent": {"a\\ud800": 1}}',
        '{"deep": ' + "[" * 300 + "]" * 300 + "}",
        '{"deep": ' + '{"a":' * 900 + "1" + "}" * 901,
    ],
    ids=["surrogate in a list", "key", "nested key", "300 deep", "900 deep"],
)
def test_a_record_that_could_not_be_written_is_rejected_when_it_is_read(tmp_path: Path, extra: str) -> None:
    items = _read(tmp_path, "a.jsonl", f'{{"question": "Is it?", "text": "Yes.", {extra[1:]}\n{_lines(RECORD)}')
    assert [type(item) for item in items] == [Rejected, AnswerRecord]


# Pieces that make a value unwritable, or nearly so, often enough to meet each other.
ANY_TEXT = st.text() | st.sampled_from(["\x00", "a\ud800", "\udc93", "\ufffd", "\U0001f600", "é", ""])
ANY_VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT | st.just((1, "\x00")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT | st.integers(), inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=300)
@given(fields=st.dictionaries(ANY_TEXT, ANY_VALUE, max_size=4))
def test_the_quick_look_calls_writable_just_what_the_search_finds_nothing_in(fields: dict[str, Any]) -> None:
    is_writable = reader._find_unwritable(fields) is None
    assert reader._is_writable(fields) == is_writable
    # Where the texts are known to be good, only the rest is looked at.
    assert reader._is_writable(fields, has_good_texts=True) >= is_writable


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), float("nan")], ids=repr)
@pytest.mark.parametrize("has_good_texts", [True, False])
def test_the_quick_look_finds_a_number_that_json_lacks_however_good_the_texts(
    number: float, has_good_texts: bool
) -> None:
    for fields in ({"a": number}, {"a": [1.5, number]}, {"a": {"b": [[number]]}}):
        assert not reader._is_writable(fields, has_good_texts=has_good_texts)


@pytest.mark.parametrize("depth", range(48, 54))
@pytest.mark.parametrize("innermost", [None, "x", [], {}, 1.5], ids=repr)
@pytest.mark.parametrize("is_list", [True, False])
def test_the_quick_look_draws_the_line_at_the_same_depth(depth: int, innermost: Any, is_list: bool) -> None:
    value = innermost
    for _ in range(depth):
        value = [value] if is_list else {"a": value}
    fields = {"a": value}
    for has_good_texts in (True, False):
        is_writable = reader._is_writable(fields, has_good_texts=has_good_texts)
        assert is_writable == (reader._find_unwritable(fields) is None)


def test_a_nul_byte_is_found_in_a_list_as_in_a_text(tmp_path: Path) -> None:
    assert "NUL byte" in _rejected(_read(tmp_path, "a.jsonl", _lines({**RECORD, "tags": ["N\x00o"]}))).reason


def test_a_column_name_with_a_stray_byte_is_told_once_and_not_row_by_row(tmp_path: Path) -> None:
    rows = "".join(f"{QUESTION},Sûr déjà {n} été né,x\n" for n in range(3))
    with pytest.raises(BadInput, match="line 1"):
        _read(tmp_path, "a.csv", b"question,text,caf\xe9\n" + rows.encode())


# ---------------------------------------------------------------- ids and positions


def test_a_question_id_depends_on_words_alone() -> None:
    same = ["Is it safe?", "is it  SAFE", "“Is it—safe?!”"]
    assert len({derive_question_id(question) for question in same}) == 1
    assert derive_question_id("Is it unsafe?") != derive_question_id(same[0])


def test_thousands_of_questions_that_begin_alike_have_an_id_each() -> None:
    ids = {derive_question_id(f"Is it safe for me to have this treatment number {n}?") for n in range(5000)}
    assert len(ids) == 5000


@pytest.mark.parametrize("question", ["?", "Ist es sicher für mich?", "安全ですか", "x" * 500, "a_b"])
def test_any_question_has_an_id_that_is_short_and_has_no_space(question: str) -> None:
    question_id = derive_question_id(question)
    assert 0 < len(question_id) <= 80
    assert not set(question_id) & set(" ,/\\\n")


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_an_id_that_is_taken_in_another_file_names_that_file_and_place(tmp_path: Path, kind: str) -> None:
    sources: dict[str, str | bytes] = {
        "jsonl": _lines({**RECORD, "id": "w"}, {**RECORD, "id": "x"}),
        "csv": "id,question,text\nw,Is it?,Yes.\nx,Is it?,No.\n",
        "parquet": _parquet(id=["w", "x"], question=["Is it?"] * 2, text=["Yes.", "No."]),
    }
    paths = [_write(tmp_path, f"a.{kind}", sources[kind]), _write(tmp_path, "b.jsonl", _lines({**RECORD, "id": "x"}))]
    items = list(read_answers(paths))
    first = _answers(items[:2])[1].source
    assert _rejected(items).reason == f"'x' is taken by {first.file}, {first.locator}"


def test_an_id_that_is_taken_on_a_page_names_the_answer(tmp_path: Path) -> None:
    (answer,) = _answers(_read(tmp_path, "a.txt", PAGE))
    paths = [str(tmp_path / "a.txt"), _write(tmp_path, "b.jsonl", _lines({**RECORD, "id": answer.answer_id}))]
    bad = _rejected(list(read_answers(paths)))
    assert bad.reason == f"{answer.answer_id!r} is taken by {answer.source.file}, {answer.source.locator}"


def test_an_id_that_is_taken_rejects_the_second_and_names_the_first(tmp_path: Path) -> None:
    items = _read(tmp_path, "a.jsonl", _lines({**RECORD, "id": "x"}, {**RECORD, "id": "x"}, {**RECORD, "id": "y"}))
    bad = _rejected(items)
    assert (bad.locator, bad.column) == ("line 2", "answer_id")
    assert f"'x' is taken by {tmp_path / 'a.jsonl'}, line 1" in bad.reason
    assert [item.answer_id for item in items if isinstance(item, AnswerRecord)] == ["x", "y"]


@pytest.mark.parametrize("number", [0, 7, "0", "7"])
def test_numbers_will_do_for_ids(tmp_path: Path, number: Any) -> None:
    rows = [{**RECORD, "question_id": number}, {**RECORD, "question_id": number}]
    first, second = _answers(_read(tmp_path, "a.jsonl", _lines(*rows)))
    assert (first.question_id, second.question_id) == (str(number), str(number))
    assert (first.position, second.position) == (1, 2)
    assert first.answer_id != second.answer_id


def test_an_answer_without_an_id_is_never_rejected_for_one_that_is_taken(tmp_path: Path) -> None:
    rows = [{**RECORD, "question_id": "q", **ids} for ids in ({"answer_id": "q-02"}, {}, {})]
    answers = _answers(_read(tmp_path, "a.jsonl", _lines(*rows)))
    assert len({answer.answer_id for answer in answers}) == 3


def test_empty_ids_are_derived(tmp_path: Path) -> None:
    (answer,) = _answers(
        _read(tmp_path, "a.jsonl", _lines({**RECORD, "question_id": "", "answer_id": "", "position": ""}))
    )
    assert answer.question_id == derive_question_id(QUESTION)
    assert (answer.answer_id, answer.position) == (f"{answer.question_id}-01", 1)


def test_ids_are_the_same_whenever_a_source_is_read(tmp_path: Path) -> None:
    path = _write(tmp_path, "a.jsonl", _lines(RECORD, {**RECORD, "question": "Is it?"}, RECORD))
    assert list(read_answers([path])) == list(read_answers([path]))


def test_a_position_counts_the_answers_to_its_question_in_its_own_source(tmp_path: Path) -> None:
    paths = [_write(tmp_path, name, _lines(RECORD, RECORD)) for name in ("a.jsonl", "b.jsonl")]
    assert [answer.position for answer in _answers(list(read_answers(paths)))] == [1, 2, 1, 2]


# ---------------------------------------------------------------- there and back

LETTER = st.characters(codec="utf-8", exclude_categories=["Cc"], include_characters="\t\n\r")
WORDS = st.text(LETTER, min_size=1).filter(str.strip)
ANSWER = st.fixed_dictionaries(
    {"question": WORDS, "text": WORDS},
    optional={
        "headline": WORDS,
        "note": WORDS,
        "respondent": st.fixed_dictionaries({"name": WORDS, "rating": st.just(4.5)}),
    },
)


@settings(max_examples=60)
@given(rows=st.lists(ANSWER, min_size=1, max_size=4))
@pytest.mark.parametrize("suffix", ["jsonl", "csv", "tsv"])
def test_answers_that_are_written_and_read_again_are_the_same(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, rows: list[dict[str, Any]]
) -> None:
    folder = tmp_path_factory.getbasetemp()
    answers = _answers(_read(folder, "users.jsonl", _lines(*rows)))
    file = io.StringIO(newline="")
    if suffix == "jsonl":
        file.write(_lines(*[answer.to_row() for answer in answers]))
    else:
        write_delimited([answer.to_row() for answer in answers], file, "," if suffix == "csv" else "\t")
    assert _answers(_read(folder, f"own.{suffix}", file.getvalue())) == answers


def test_the_samples_that_come_with_medstance_are_read_without_a_rejection(samples: Path) -> None:
    items = list(read_answers([str(samples)]))
    assert not [item for item in items if isinstance(item, Rejected)]
    assert len([item for item in items if isinstance(item, AnswerRecord)]) > 10
