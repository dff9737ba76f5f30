"""Part three of the labelled data, written answers on general medicine, keeps its own rules."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from data.measure.datasheet import (
    GENERAL,
    GENERAL_READINGS,
    field_of,
    is_further,
    read_part,
    read_table,
    render_counts,
    section_of,
)
from data.measure.probes import score_views
from data.measure.repetition import find_overlaps, measure_repetition
from pipeline.schema import AnswerRecord, LabelScheme
from tests.labelled import NEAR_DUPLICATE, read_rows, wording


@pytest.fixture(scope="module")
def rows(checkout: Path) -> list[dict[str, Any]]:
    return read_rows(checkout / "data" / GENERAL)


@pytest.fixture(scope="module")
def main(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each text once, on the proposition that was asked about."""
    return [row for row in rows if not row["answer_id"].endswith("-b")]


@pytest.fixture(scope="module")
def written(checkout: Path) -> list[AnswerRecord]:
    return read_part(checkout / "data" / GENERAL)


def test_the_datasheet_says_how_many_questions_and_fields_there_are(
    rows: list[dict[str, Any]], main: list[dict[str, Any]], sheet: str
) -> None:
    twice = {row["question"] for row in rows if row["answer_id"].endswith("-b")}
    assert f"It has {len({row['question_id'] for row in main}):,} questions" in sheet
    assert f"Of the answers of {len(twice):,} questions" in sheet
    assert section_of(sheet, "fields") == render_counts("field", (row["group"] for row in rows))


def test_the_datasheet_has_the_label_counts_as_they_are(
    rows: list[dict[str, Any]], sheet: str, scheme: LabelScheme
) -> None:
    counts = {
        further: Counter(r["label"] for r in rows if r["answer_id"].endswith("-b") is further)
        for further in (False, True)
    }
    lines = section_of(sheet, "labels").splitlines()
    for name in scheme.names:
        (line,) = (line for line in lines if line.startswith(f"| `{name}` "))
        # Between part two and part four.
        assert line.split(" | ")[4:6] == [str(counts[False][name]), str(counts[True][name])]


def test_rows_are_sound(rows: list[dict[str, Any]], scheme: LabelScheme) -> None:
    assert len({row["answer_id"] for row in rows}) == len(rows)
    for row in rows:
        assert row["label"] in scheme.names, row["answer_id"]
        assert row["polarity"] in {"straight", "flipped"}, row["answer_id"]
        assert 1 <= len(row["proposition"].split()) <= 25, row["answer_id"]
        assert len(row["text"].split()) >= 4, row["answer_id"]
        for span in row["gold_evidence"]:
            quote = row[span["field"]][span["start"] : span["end"]]
            assert len(quote) == span["end"] - span["start"] > 0, row["answer_id"]
            assert quote == quote.strip(), row["answer_id"]
    stance = [row for row in rows if row["label"] != "no_stance"]
    assert sum(bool(row["gold_evidence"]) for row in stance) >= 0.98 * len(stance)
    assert not any(row["gold_evidence"] for row in rows if row["label"] == "no_stance")


def test_a_question_is_worded_one_way_and_draws_answers_on_both_sides(
    main: list[dict[str, Any]], scheme: LabelScheme
) -> None:
    wordings, sides = defaultdict(set), defaultdict(set)
    for row in main:
        wordings[row["question_id"]].add((row["question"], row["proposition"], row["polarity"], row["group"]))
        sides[row["question_id"]].add(scheme.side_of(row["label"]))
    assert [name for name, found in wordings.items() if len(found) > 1] == []
    assert sum({"oppose", "support"} <= found for found in sides.values()) >= 0.98 * len(sides)
    assert len({row["question"] for row in main}) == len(wordings)
    flipped = {row["question_id"] for row in main if row["polarity"] == "flipped"}
    assert len(flipped) * 5 >= len(wordings)


def test_a_second_proposition_is_on_the_same_text_and_another_thing(
    rows: list[dict[str, Any]], scheme: LabelScheme
) -> None:
    by_id = {row["answer_id"]: row for row in rows}
    opposite = n_sided = 0
    for row in rows:
        if row["answer_id"].endswith("-b"):
            first = by_id[row["answer_id"].removesuffix("-b")]
            assert first["text"] == row["text"]
            assert first["question"] == row["question"]
            assert first["proposition"].casefold() != row["proposition"].casefold()
            sides = {scheme.side_of(first["label"]), scheme.side_of(row["label"])}
            n_sided += sides <= {"oppose", "support"}
            opposite += sides == {"oppose", "support"}
    assert opposite >= 0.7 * n_sided


def test_no_answer_stands_twice_nor_nearly(main: list[dict[str, Any]], checkout: Path) -> None:
    texts = [row["text"] for row in main]
    repeated = [
        (main[o.first]["answer_id"], main[o.second]["answer_id"], o.share)
        for o in find_overlaps(texts, texts, threshold=NEAR_DUPLICATE)
        if o.first != o.second
    ]
    assert repeated == []
    cosmetic = [answer.text for answer in read_part(checkout / "data" / "corpus")]
    assert find_overlaps(texts, cosmetic, threshold=NEAR_DUPLICATE) == []


def test_two_readers_settled_on_its_labels(rows: list[dict[str, Any]], checkout: Path, scheme: LabelScheme) -> None:
    readings = read_table(checkout / "data" / GENERAL_READINGS)
    assert [row["answer_id"] for row in readings] == [row["answer_id"] for row in rows]
    for reading, row in zip(readings, rows, strict=True):
        assert (reading["question_id"], reading["label"]) == (row["question_id"], row["label"])
        assert {reading["first_label"], reading["second_label"]} <= set(scheme.names), reading
        assert reading["first_label"] != reading["second_label"] or reading["label"] == reading["first_label"]


@pytest.mark.slow
def test_neither_length_nor_place_nor_question_gives_the_label_away(
    written: list[AnswerRecord], scheme: LabelScheme
) -> None:
    asked = [answer for answer in written if not is_further(answer)]
    for name, balanced_accuracy in score_views(asked, [field_of(a, "label") for a in asked]).items():
        assert balanced_accuracy < 1 / len(scheme.names) + 0.08, name


# ---------------------------------------------------------------- against the real texts, where they are


def test_it_has_no_text_of_a_real_answer(main: list[dict[str, Any]], shared: Path) -> None:
    real = [answer.text for answer in read_part(shared / "corpora" / "medical_qa")]
    dev = [answer.text for answer in read_part(shared / "corpora" / "dev_labelled.jsonl")]
    assert find_overlaps([row["text"] for row in main], [*real, *dev], threshold=NEAR_DUPLICATE) == []


def test_it_has_no_question_of_the_development_set(main: list[dict[str, Any]], shared: Path) -> None:
    dev = {wording(a.question) for a in read_part(shared / "corpora" / "dev_labelled.jsonl")}
    assert [row["question"] for row in main if wording(row["question"]) in dev] == []


def test_it_repeats_itself_no_more_than_real_answers_do(main: list[dict[str, Any]], shared: Path) -> None:
    ours = measure_repetition([row["text"] for row in main])
    theirs = measure_repetition([answer.text for answer in read_part(shared / "corpora" / "medical_qa")])
    assert ours.distinct_4grams >= theirs.distinct_4grams
    assert ours.sharing_6gram <= theirs.sharing_6gram
