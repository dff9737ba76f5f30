"""Parts five to seven of the labelled data keep their own rules.

Part five are answers that take a stand on several things, part six texts that are no answers to patients, part seven
answers whose stance is easily misread. Part nine, whose rules are in ``test_retold.py``, shares no answer with them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

import pytest

from data.measure.benchmarks import PUBMEDQA
from data.measure.benchmarks import read_part as read_study
from data.measure.datasheet import (
    ASKED,
    BEYOND,
    CROSSED,
    ELUSIVE,
    GENERAL,
    OPEN,
    PAIRS,
    RETOLD,
    TITLES,
    is_further,
    read_part,
    read_table,
    render_counts,
    render_kinds,
    section_of,
)
from data.measure.repetition import find_overlaps
from pipeline.schema import AnswerRecord, LabelScheme
from tests.labelled import NEAR_DUPLICATE, Rows, assert_asked_once_or_twice, assert_sound, read_rows, runs_of, wording

SUFFIXES = ("", "-b", "-c")
TOLD_AGAIN = "conclusions told again"
ANSWERS = pytest.mark.parametrize("part", [CROSSED, ELUSIVE])


@pytest.fixture(scope="module")
def parts(checkout: Path) -> dict[str, Rows]:
    return {part: read_rows(checkout / "data" / part) for part in (CROSSED, BEYOND, ELUSIVE)}


@pytest.fixture(scope="module")
def written(checkout: Path) -> list[AnswerRecord]:
    """Parts one and three."""
    return [answer for part in ("corpus", GENERAL) for answer in read_part(checkout / "data" / part)]


def texts_of(rows: Rows) -> dict[str, str]:
    """Each text once, by the id of its answer on the proposition that was asked about."""
    return {row["answer_id"]: row["text"] for row in rows if not row["answer_id"].endswith(SUFFIXES[1:])}


@pytest.mark.parametrize(("part", "column"), [(CROSSED, "part five"), (ELUSIVE, "part seven")], ids=[CROSSED, ELUSIVE])
def test_the_datasheet_says_how_many_there_are(
    part: str, column: str, parts: dict[str, Rows], sheet: str, scheme: LabelScheme
) -> None:
    rows, texts = parts[part], texts_of(parts[part])
    assert f"It has {len({row['question_id'] for row in rows}):,} questions" in sheet
    assert f"{len(texts):,} answers" in sheet
    counts = {
        is_main: Counter(row["label"] for row in rows if (row["answer_id"] in texts) is is_main)
        for is_main in (True, False)
    }
    header, _, *lines = (line.strip("| ").split(" | ") for line in section_of(sheet, "labels").splitlines())
    for name in scheme.names:
        (cells,) = (dict(zip(header, line, strict=True)) for line in lines if line[0] == f"`{name}`")
        assert cells[column] == str(counts[True][name])
        assert cells[f"{column}, further propositions"] == str(counts[False][name])


def test_the_datasheet_says_of_what_kinds_they_are(checkout: Path, parts: dict[str, Rows], sheet: str) -> None:
    fields = (row["group"] for row in parts[CROSSED])
    assert section_of(sheet, "crossed-fields") == render_counts("field", fields, "labels")
    assert section_of(sheet, "elusive-kinds") == render_kinds(read_part(checkout / "data" / ELUSIVE))


def test_only_answers_under_a_headline_have_one(parts: dict[str, Rows]) -> None:
    headed = [row for rows in parts.values() for row in rows if "headline" in row]
    assert {row["group"] for row in headed} == {"under a headline"}
    assert [row["answer_id"] for row in headed if row["headline"] != (" ".join(row["headline"].split()) or None)] == []


def test_the_datasheet_says_how_many_texts_are_no_answers(parts: dict[str, Rows], sheet: str) -> None:
    texts: defaultdict[str, set[str]] = defaultdict(set)
    questions: defaultdict[str, set[str]] = defaultdict(set)
    for row in parts[BEYOND]:
        texts[row["group"]].add(row["text"])
        questions[row["group"]].add(row["question_id"])
    said = (
        f"{len(texts['messages']):,} messages on {len(questions['messages'])} topics and "
        f"{len(texts['conclusions']):,} conclusions of {len(questions['conclusions']):,} studies"
    )
    assert said in sheet
    again = [row for row in parts[BEYOND] if row["group"] == TOLD_AGAIN]
    assert f"{len(texts[TOLD_AGAIN]):,} conclusions told again, under {len(again):,} titles" in sheet


def test_one_or_two_titles_stand_over_a_conclusion_told_again(parts: dict[str, Rows]) -> None:
    rows = [row for row in parts[BEYOND] if row["group"] == TOLD_AGAIN]
    assert_asked_once_or_twice(rows)
    titles = Counter(wording(row["question"]) for row in rows)
    assert [title for title, n in titles.items() if n > 1] == []
    others = {wording(row["question"]) for row in parts[BEYOND] if row["group"] != TOLD_AGAIN}
    assert sorted(others & set(titles)) == []


@pytest.mark.parametrize(
    ("part", "min_words"), [(CROSSED, 4), (BEYOND, 4), (ELUSIVE, 1)], ids=[CROSSED, BEYOND, ELUSIVE]
)
def test_rows_are_sound(part: str, min_words: int, parts: dict[str, Rows], scheme: LabelScheme) -> None:
    assert_sound(parts[part], set(scheme.names), min_words)


@pytest.mark.parametrize(
    ("part", "usual", "other"),
    [
        (CROSSED, 3, {}),
        (ELUSIVE, 2, {"a few words": 1, "one or two sentences": 1, "left open": 3, "open at any length": 3}),
    ],
    ids=[CROSSED, ELUSIVE],
)
def test_every_answer_is_labelled_on_all_propositions_of_its_question(
    part: str, usual: int, other: dict[str, int], parts: dict[str, Rows]
) -> None:
    things: defaultdict[str, set[tuple[str, str, str]]] = defaultdict(set)
    answered: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
    of_question, number = {}, {}
    for row in parts[part]:
        base = row["answer_id"].removesuffix(SUFFIXES[1]).removesuffix(SUFFIXES[2])
        suffix = row["answer_id"].removeprefix(base)
        assert base.startswith(f"{row['question_id']}-"), row["answer_id"]
        things[row["question_id"]].add((suffix, row["question"], row["proposition"].casefold()))
        answered[base].add((suffix, row["text"]))
        of_question[base] = row["question_id"]
        number[row["question_id"]] = other.get(row["group"], usual)
    for name, asked in things.items():
        suffixes, questions, propositions = zip(*sorted(asked), strict=True)
        assert suffixes == SUFFIXES[: number[name]], name
        assert len(set(questions)) == 1, name
        assert len(set(propositions)) == len(suffixes), name
    for name, found in answered.items():
        assert {suffix for suffix, _ in found} == {suffix for suffix, *_ in things[of_question[name]]}, name
        assert len({text for _, text in found}) == 1, name


@ANSWERS
def test_only_what_is_asked_about_goes_without_saying(part: str, parts: dict[str, Rows]) -> None:
    assert not any(row["explicit"] for row in parts[part] if row["answer_id"].endswith(SUFFIXES[1:]))


@pytest.mark.parametrize(
    ("part", "only_asked", "said"),
    [
        pytest.param(CROSSED, False, "of the propositions are both opposed and supported", id=CROSSED),
        pytest.param(ELUSIVE, True, "of what is asked about is both opposed and supported", id=ELUSIVE),
    ],
)
def test_question_and_proposition_do_not_tell_the_side(
    part: str, said: str, parts: dict[str, Rows], sheet: str, scheme: LabelScheme, *, only_asked: bool
) -> None:
    sides: defaultdict[tuple[str, str], Counter[str | None]] = defaultdict(Counter)
    for row in parts[part]:
        if not only_asked or not row["answer_id"].endswith(SUFFIXES[1:]):
            sides[row["question_id"], row["proposition"]][scheme.side_of(row["label"])] += 1
    share = sum(counts["oppose"] > 0 < counts["support"] for counts in sides.values()) / len(sides)
    assert f"{100 * share:.1f} % {said}" in sheet


@ANSWERS
def test_the_datasheet_says_how_many_answers_leave_open_what_is_asked(
    part: str, parts: dict[str, Rows], sheet: str
) -> None:
    texts = texts_of(parts[part])
    n_open = sum(row["label"] in {"neutral", "no_stance"} for row in parts[part] if row["answer_id"] in texts)
    assert f"({n_open:,} of {len(texts):,})" in sheet


@ANSWERS
def test_no_question_stands_in_another_part(
    part: str, parts: dict[str, Rows], checkout: Path, written: list[AnswerRecord]
) -> None:
    ours = {wording(row["question"]) for row in parts[part]}
    assert len(ours) == len({row["question_id"] for row in parts[part]})
    theirs = {wording(answer.question) for answer in written}
    for table in (ASKED, OPEN, TITLES, PAIRS):
        theirs |= {wording(row["question"]) for row in read_table(checkout / "data" / table)}
    theirs |= {wording(row["question"]) for name in parts if name != part for row in parts[name]}
    assert ours & theirs == set()


def test_no_answer_stands_twice_nor_nearly(parts: dict[str, Rows], written: list[AnswerRecord], checkout: Path) -> None:
    ours = texts_of(parts[CROSSED]) | texts_of(parts[ELUSIVE])
    ours |= {row["question_id"]: row["text"] for row in read_rows(checkout / "data" / RETOLD)}
    theirs = {answer.answer_id: answer.text for answer in written if not is_further(answer)}
    names, everything = [*ours, *theirs], [*ours.values(), *theirs.values()]
    overlaps = find_overlaps(list(ours.values()), everything, threshold=NEAR_DUPLICATE)
    assert [(names[o.first], names[o.second]) for o in overlaps if o.first != o.second] == []


# ---------------------------------------------------------------- against the real texts, where they are


def test_they_have_no_text_of_a_real_answer_and_no_question_of_the_development_set(
    parts: dict[str, Rows], shared: Path
) -> None:
    rows = [*parts[CROSSED], *parts[ELUSIVE]]
    texts = list(texts_of(rows).values())
    real = [answer.text for answer in read_part(shared / "corpora" / "medical_qa")]
    dev = read_part(shared / "corpora" / "dev_labelled.jsonl")
    assert find_overlaps(texts, [*real, *(a.text for a in dev)], threshold=NEAR_DUPLICATE) == []
    wordings = {wording(answer.question) for answer in dev}
    assert [row["question"] for row in rows if wording(row["question"]) in wordings] == []


def test_conclusions_told_again_copy_nothing_from_the_study_behind_them(parts: dict[str, Rows], shared: Path) -> None:
    rows = [row for row in parts[BEYOND] if row["group"] == TOLD_AGAIN]
    folder = shared / "benchmarks" / "pubmedqa"
    studies = [study for part in ("train", "test") for study in read_study(folder / f"{part}.jsonl", PUBMEDQA)]
    assert find_overlaps([r["text"] for r in rows], [s.text for s in studies], threshold=NEAR_DUPLICATE) == []
    theirs = {run for study in studies for text in (study.question, study.text) for run in runs_of(text)}
    copied = [row["answer_id"] for row in rows for name in ("question", "text") if runs_of(row[name]) & theirs]
    assert copied == []
    # A title may be too short to have a run.
    assert sorted({wording(row["question"]) for row in rows} & {wording(s.question) for s in studies}) == []
