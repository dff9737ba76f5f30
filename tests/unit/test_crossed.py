"""Parts five and six of the labelled data keep their own rules.

Part five are answers that take a stand on several things, part six texts that are no answers to patients.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from data.measure.datasheet import (
    ASKED,
    BEYOND,
    CROSSED,
    GENERAL,
    is_further,
    read_part,
    read_table,
    render_counts,
    section_of,
)
from data.measure.repetition import find_overlaps, split_words
from pipeline.schema import AnswerRecord, LabelScheme
from tests.labelled import NEAR_DUPLICATE, read_rows

SUFFIXES = ("", "-b", "-c")


@pytest.fixture(scope="module")
def rows(checkout: Path) -> list[dict[str, Any]]:
    return read_rows(checkout / "data" / CROSSED)


@pytest.fixture(scope="module")
def texts(rows: list[dict[str, Any]]) -> dict[str, str]:
    """Each text once, by the id of its answer on the proposition that was asked about."""
    return {row["answer_id"]: row["text"] for row in rows if not row["answer_id"].endswith(SUFFIXES[1:])}


def test_the_datasheet_says_how_many_there_are(
    rows: list[dict[str, Any]], texts: dict[str, str], sheet: str, scheme: LabelScheme
) -> None:
    assert f"It has {len({row['question_id'] for row in rows}):,} questions" in sheet
    assert f"{len(texts):,} answers" in sheet
    assert section_of(sheet, "crossed-fields") == render_counts("field", (row["group"] for row in rows))
    counts = {
        is_main: Counter(row["label"] for row in rows if (row["answer_id"] in texts) is is_main)
        for is_main in (True, False)
    }
    lines = section_of(sheet, "labels").splitlines()
    for name in scheme.names:
        (line,) = (line for line in lines if line.startswith(f"| `{name}` "))
        assert line.endswith(f"| {counts[True][name]} | {counts[False][name]} |")


def test_the_datasheet_says_how_many_texts_are_no_answers(checkout: Path, sheet: str) -> None:
    texts: defaultdict[str, set[str]] = defaultdict(set)
    questions: defaultdict[str, set[str]] = defaultdict(set)
    for row in read_rows(checkout / "data" / BEYOND):
        texts[row["group"]].add(row["text"])
        questions[row["group"]].add(row["question_id"])
    said = (
        f"{len(texts['messages'])} messages on {len(questions['messages'])} topics and "
        f"{len(texts['conclusions'])} conclusions of {len(questions['conclusions'])} studies"
    )
    assert said in sheet


@pytest.mark.parametrize("part", [CROSSED, BEYOND])
def test_rows_are_sound(checkout: Path, part: str, scheme: LabelScheme) -> None:
    rows = read_rows(checkout / "data" / part)
    assert len({row["answer_id"] for row in rows}) == len(rows)
    for row in rows:
        assert {row["label"], row["first_label"], row["second_label"]} <= set(scheme.names), row["answer_id"]
        assert row["second_label"] != row["first_label"] or row["label"] == row["first_label"], row["answer_id"]
        assert isinstance(row["explicit"], bool), row["answer_id"]
        for name in ("question", "proposition", "text"):
            assert row[name] == " ".join(row[name].split()), row["answer_id"]
        assert 1 <= len(row["proposition"].split()) <= 20, row["answer_id"]
        assert len(row["text"].split()) >= 4, row["answer_id"]


def test_every_answer_is_labelled_on_the_same_three_propositions(rows: list[dict[str, Any]]) -> None:
    things: defaultdict[str, set[tuple[str, str, str]]] = defaultdict(set)
    answered: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
    for row in rows:
        base = row["answer_id"].removesuffix(SUFFIXES[1]).removesuffix(SUFFIXES[2])
        suffix = row["answer_id"].removeprefix(base)
        assert base.startswith(f"{row['question_id']}-"), row["answer_id"]
        things[row["question_id"]].add((suffix, row["question"], row["proposition"].casefold()))
        answered[base].add((suffix, row["text"]))
    for name, asked in things.items():
        suffixes, questions, propositions = zip(*sorted(asked), strict=True)
        assert suffixes == SUFFIXES, name
        assert len(set(questions)) == 1, name
        assert len(set(propositions)) == len(SUFFIXES), name
    for name, found in answered.items():
        assert tuple(sorted(suffix for suffix, _ in found)) == SUFFIXES, name
        assert len({text for _, text in found}) == 1, name


def test_only_what_is_asked_about_goes_without_saying(rows: list[dict[str, Any]]) -> None:
    assert not any(row["explicit"] for row in rows if row["answer_id"].endswith(SUFFIXES[1:]))


def test_question_and_proposition_do_not_tell_the_side(
    rows: list[dict[str, Any]], texts: dict[str, str], sheet: str, scheme: LabelScheme
) -> None:
    sides: defaultdict[tuple[str, str], Counter[str | None]] = defaultdict(Counter)
    for row in rows:
        sides[row["question_id"], row["proposition"]][scheme.side_of(row["label"])] += 1
    share = sum(counts["oppose"] > 0 < counts["support"] for counts in sides.values()) / len(sides)
    assert f"{100 * share:.0f} % of the propositions are both opposed and supported" in sheet
    n_open = sum(row["label"] in {"neutral", "no_stance"} for row in rows if row["answer_id"] in texts)
    assert f"({n_open} of {len(texts):,})" in sheet


def test_no_question_stands_in_another_part(
    rows: list[dict[str, Any]], checkout: Path, written: list[AnswerRecord]
) -> None:
    ours = {" ".join(split_words(row["question"])) for row in rows}
    assert len(ours) == len({row["question_id"] for row in rows})
    theirs = {" ".join(split_words(answer.question)) for answer in written}
    theirs |= {" ".join(split_words(row["question"])) for row in read_table(checkout / "data" / ASKED)}
    assert ours & theirs == set()


def test_no_answer_stands_twice_nor_nearly(texts: dict[str, str], written: list[AnswerRecord]) -> None:
    theirs = {answer.answer_id: answer.text for answer in written if not is_further(answer)}
    names, everything = [*texts, *theirs], [*texts.values(), *theirs.values()]
    overlaps = find_overlaps(list(texts.values()), everything, threshold=NEAR_DUPLICATE)
    assert [(names[o.first], names[o.second]) for o in overlaps if o.first != o.second] == []


@pytest.fixture(scope="module")
def written(checkout: Path) -> list[AnswerRecord]:
    """Parts one and three."""
    return [answer for part in ("corpus", GENERAL) for answer in read_part(checkout / "data" / part)]


# ---------------------------------------------------------------- against the real texts, where they are


def test_it_has_no_text_of_a_real_answer_and_no_question_of_the_development_set(
    rows: list[dict[str, Any]], texts: dict[str, str], shared: Path
) -> None:
    real = [answer.text for answer in read_part(shared / "corpora" / "medical_qa")]
    dev = read_part(shared / "corpora" / "dev_labelled.jsonl")
    assert find_overlaps(list(texts.values()), [*real, *(a.text for a in dev)], threshold=NEAR_DUPLICATE) == []
    wordings = {" ".join(split_words(answer.question)) for answer in dev}
    assert [row["question"] for row in rows if " ".join(split_words(row["question"])) in wordings] == []
