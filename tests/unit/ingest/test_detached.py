"""Labels without texts are joined with the texts they are on, or it is said why not."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from pipeline.errors import BadInput
from pipeline.ingest import ReadOptions, read_answers
from pipeline.ingest.detached import hash_text
from pipeline.schema import AnswerRecord, Rejected

TEXTS = {
    "t-1": "Leave it. The scar is worse than the mole.",
    "t-2": "Ja, gerne – ohne Naht geht es nicht: “naïve” hopes.",
    "t-3": "It can wait.\nCome back in a year.",
}


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    folder = tmp_path / "texts"
    folder.mkdir()
    rows = [
        {"id": name, "question": "Should the mole be removed?", "answer": text, "author": "Ottoline Vreeland-Oyelaran"}
        for name, text in TEXTS.items()
    ]
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / "answers.jsonl").write_text(lines, encoding="utf-8")
    return folder


def write_labels(path: Path, rows: list[dict[str, object]]) -> Path:
    names = ["answer_id", "text_id", "text_sha256", "question_id", "proposition", "label"]
    columns = [*names, "question_sha256", "evidence_start", "evidence_end"]
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, columns, restval="")
        table.writeheader()
        table.writerows(rows)
    return path


def label_row(text_id: str, /, **changes: object) -> dict[str, object]:
    row: dict[str, object] = {
        "answer_id": f"a-{text_id}",
        "text_id": text_id,
        "text_sha256": hash_text(TEXTS.get(text_id, "")),
        "question_id": "mole",
        "proposition": "removing the mole",
        "label": "against",
    }
    return row | changes


def read(labels: Path, texts: Path | None) -> list[object]:
    return list(read_answers([str(labels)], ReadOptions(texts=None if texts is None else str(texts))))


def test_a_label_gets_question_text_and_respondent_of_its_text(tmp_path: Path, texts: Path) -> None:
    labels = write_labels(tmp_path / "labels.csv", [label_row(name) for name in TEXTS])
    answers = read(labels, texts)
    assert all(isinstance(a, AnswerRecord) for a in answers)
    for answer, (name, text) in zip(answers, TEXTS.items(), strict=True):
        assert isinstance(answer, AnswerRecord)
        assert (answer.text, answer.answer_id, answer.question_id) == (text, f"a-{name}", "mole")
        assert answer.question == "Should the mole be removed?"
        assert answer.proposition == "removing the mole"
        assert answer.respondent.name == "Ottoline Vreeland-Oyelaran"
        assert answer.source.file == str(labels)
        assert (answer.model_extra or {})["label"] == "against"


def test_two_labels_may_be_on_one_text(tmp_path: Path, texts: Path) -> None:
    rows = [label_row("t-1"), label_row("t-1", answer_id="a-t-1-b", question_id="mole-b", proposition="waiting")]
    answers = read(write_labels(tmp_path / "labels.csv", rows), texts)
    assert [a.proposition for a in answers if isinstance(a, AnswerRecord)] == ["removing the mole", "waiting"]


def test_offsets_become_evidence(tmp_path: Path, texts: Path) -> None:
    rows = [label_row("t-1", evidence_start=0, evidence_end=9), label_row("t-2")]
    first, second = read(write_labels(tmp_path / "labels.csv", rows), texts)
    assert isinstance(first, AnswerRecord)
    assert isinstance(second, AnswerRecord)
    (span,) = (first.model_extra or {})["gold_evidence"]
    assert first.text[span["start"] : span["end"]] == "Leave it."
    assert "gold_evidence" not in (second.model_extra or {})


@pytest.mark.parametrize(
    ("changes", "column", "reason"),
    [
        pytest.param({"text_id": "t-9"}, "text_id", "no text 't-9' in", id="no such text"),
        pytest.param({"text_id": ""}, "text_id", "no text '' in", id="no text named"),
        pytest.param({"text_sha256": "0" * 64}, "text_sha256", "is another one (SHA-256", id="changed text"),
        pytest.param({"text_sha256": ""}, "text_sha256", "labelled was none given", id="no hash"),
        pytest.param(
            {"evidence_start": 5, "evidence_end": 900}, "evidence_start", "expected offsets within", id="too far"
        ),
        pytest.param(
            {"evidence_start": 9, "evidence_end": 9}, "evidence_start", "expected offsets within", id="nothing"
        ),
        pytest.param(
            {"evidence_start": "a", "evidence_end": 9}, "evidence_start", "expected offsets within", id="no number"
        ),
        pytest.param({"evidence_end": 9}, "evidence_start", "expected offsets within", id="one offset"),
        pytest.param(
            {"evidence_start": 0, "evidence_end": "9" * 5000}, "evidence_start", "found '0' to '9999", id="endless"
        ),
        pytest.param({"question_sha256": "0" * 64}, "question_sha256", "the question of 't-2'", id="changed question"),
    ],
)
def test_what_does_not_match_is_rejected_with_its_row_column_and_reason(
    tmp_path: Path, texts: Path, changes: dict[str, object], column: str, reason: str
) -> None:
    labels = write_labels(tmp_path / "labels.csv", [label_row("t-1"), label_row("t-2", **changes), label_row("t-3")])
    one, bad, three = read(labels, texts)
    assert isinstance(one, AnswerRecord)
    assert isinstance(three, AnswerRecord)
    assert isinstance(bad, Rejected)
    assert (bad.file, bad.locator, bad.column) == (str(labels), "row at line 3", column)
    assert reason in bad.reason


def test_labels_without_a_folder_of_texts_are_refused_with_what_to_do(tmp_path: Path) -> None:
    labels = write_labels(tmp_path / "labels.csv", [label_row("t-1")])
    with pytest.raises(BadInput, match=r"labels without their texts: .* --texts"):
        read(labels, None)


def test_case_counts_neither_in_column_names_nor_in_hashes(tmp_path: Path, texts: Path) -> None:
    labels = write_labels(tmp_path / "labels.csv", [label_row("t-1", text_sha256=hash_text(TEXTS["t-1"]).upper())])
    header, rest = labels.read_text(encoding="utf-8").split("\n", 1)
    labels.write_text(f"{header.upper()}\n{rest}", encoding="utf-8")
    (answer,) = read(labels, texts)
    assert isinstance(answer, AnswerRecord)
    assert answer.text == TEXTS["t-1"]


@pytest.mark.parametrize("missing", ["text_id", "text_sha256"])
def test_a_table_without_what_finds_the_texts_is_refused(tmp_path: Path, texts: Path, missing: str) -> None:
    labels = tmp_path / "labels.csv"
    row = {name: value for name, value in label_row("t-1").items() if name != missing}
    labels.write_text(f"{','.join(row)}\n{','.join(map(str, row.values()))}\n", encoding="utf-8")
    with pytest.raises(BadInput, match=f"no column '{missing}'"):
        read(labels, texts)


@pytest.mark.parametrize("with_texts", [True, False], ids=["with texts", "without"])
def test_labels_may_be_jsonl(tmp_path: Path, texts: Path, with_texts: bool) -> None:
    labels = tmp_path / "labels.jsonl"
    labels.write_text(json.dumps(label_row("t-1")) + "\n", encoding="utf-8")
    (item,) = read(labels, texts if with_texts else None)
    if with_texts:
        assert isinstance(item, AnswerRecord)
    else:
        assert isinstance(item, Rejected)
        assert "--texts" in item.reason


def test_the_collection_as_it_is_published_is_known_by_file_and_place(tmp_path: Path) -> None:
    folder = tmp_path / "collection"
    folder.mkdir()
    rows = [{"question": "Should the mole be removed?", "answer": text} for text in TEXTS.values()]
    (folder / "moleQAs.json").write_text(json.dumps(rows, ensure_ascii=False, indent=1), encoding="utf-8")
    (folder / "README.txt").write_text("No answers here.", encoding="utf-8")
    changes = [{"text_id": f"mole-{place}", "answer_id": f"a-{place}"} for place in range(3)]
    table = [label_row(name, **change) for name, change in zip(TEXTS, changes, strict=True)]
    answers = read(write_labels(tmp_path / "labels.csv", table), folder)
    assert [a.text for a in answers if isinstance(a, AnswerRecord)] == list(TEXTS.values())


def test_texts_that_cannot_be_used_are_named(tmp_path: Path, texts: Path) -> None:
    (texts / "more.jsonl").write_text(
        '{"id": "t-1", "question": "Again?", "answer": "Another text under a known id."}\n'
        '{"id": "t-7", "question": "Empty?", "answer": ""}\n',
        encoding="utf-8",
    )
    first, second, answer = read(write_labels(tmp_path / "labels.csv", [label_row("t-1")]), texts)
    assert isinstance(answer, AnswerRecord)
    assert "the id 't-1' stands twice" in str(first)
    assert "line 2 cannot be used as a text" in str(second)


def test_a_table_with_texts_is_read_as_ever_beside_one_without(tmp_path: Path, texts: Path) -> None:
    labels = write_labels(tmp_path / "labels.csv", [label_row("t-1")])
    table = tmp_path / "table.csv"
    table.write_text("question,text\nIs it worth it?,Hardly.\n", encoding="utf-8")
    items = list(read_answers([str(labels), str(table)], ReadOptions(texts=str(texts))))
    assert [a.text for a in items if isinstance(a, AnswerRecord)] == [TEXTS["t-1"], "Hardly."]
