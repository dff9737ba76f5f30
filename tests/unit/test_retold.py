"""Part nine of the labelled data: the moves of real answers, told again of other matters."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from data.measure.datasheet import (
    ASKED,
    CROSSED,
    ELUSIVE,
    GENERAL,
    OPEN,
    PAIRS,
    RETOLD,
    TITLES,
    read_part,
    read_table,
    section_of,
)
from data.measure.repetition import find_overlaps
from pipeline.schema import LabelScheme
from tests.labelled import NEAR_DUPLICATE, Rows, assert_asked_once_or_twice, assert_sound, read_rows, runs_of, wording

SITE = re.compile(
    r"question\s?doctor|icliniq|e-?health\s?forum|health forum|ask our doctors|healthtap|https?:|www\.", re.IGNORECASE
)
"""What names a site that real answers were posted on."""


@pytest.fixture(scope="module")
def rows(checkout: Path) -> Rows:
    return read_rows(checkout / "data" / RETOLD)


def test_rows_are_sound(rows: Rows, scheme: LabelScheme) -> None:
    assert_sound(rows, set(scheme.names), min_words=4)


def test_one_or_two_questions_are_asked_of_an_answer(rows: Rows) -> None:
    assert_asked_once_or_twice(rows)


def test_no_answer_names_the_site_of_a_real_one(rows: Rows) -> None:
    assert [row["answer_id"] for row in rows if SITE.search(row["text"] + " " + row["question"])] == []


def test_no_question_stands_twice_nor_in_another_part(rows: Rows, checkout: Path) -> None:
    ours = {wording(row["question"]) for row in rows}
    assert len(ours) == len(rows)
    folder = checkout / "data"
    theirs = {wording(a.question) for part in ("corpus", GENERAL) for a in read_part(folder / part)}
    theirs |= {wording(row["question"]) for part in (CROSSED, ELUSIVE) for row in read_rows(folder / part)}
    for table in (ASKED, OPEN, TITLES, PAIRS):
        theirs |= {wording(row["question"]) for row in read_table(folder / table)}
    assert ours & theirs == set()


def test_the_datasheet_says_how_many_there_are(rows: Rows, sheet: str) -> None:
    assert f"It has {len({row['text'] for row in rows}):,} answers and {len(rows):,} questions to them" in sheet
    header, _, *lines = (line.strip("| ").split(" | ") for line in section_of(sheet, "labels").splitlines())
    (cells,) = (dict(zip(header, line, strict=True)) for line in lines if line[0] == "all")
    assert cells["part nine"] == str(len(rows))


# ---------------------------------------------------------------- against the real texts, where they are


def test_they_copy_nothing_from_a_real_answer_or_question(rows: Rows, shared: Path) -> None:
    corpora = shared / "corpora"
    real = [*read_part(corpora / "medical_qa"), *read_part(corpora / "dev_labelled.jsonl")]
    texts = sorted({row["text"] for row in rows})
    assert find_overlaps(texts, [answer.text for answer in real], threshold=NEAR_DUPLICATE) == []
    theirs: set[tuple[str, ...]] = set()
    for answer in real:
        theirs |= runs_of(answer.text) | runs_of(answer.question)
    for file in (corpora / "medical_qa").glob("*.jsonl"):
        for line in file.read_text(encoding="utf-8").splitlines():
            theirs |= runs_of(json.loads(line).get("question_text") or "")
    copied = [row["answer_id"] for row in rows if (runs_of(row["text"]) | runs_of(row["question"])) & theirs]
    assert copied == []
    wordings = {wording(answer.question) for answer in real}
    assert [row["question"] for row in rows if wording(row["question"]) in wordings] == []
