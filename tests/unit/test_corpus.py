"""The labelled data that the shipped models learn from keeps its own rules.

Part one is written for the project and is here; part two is labels on real answers, whose texts are not:
what needs the texts is skipped without them.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from itertools import pairwise, takewhile
from pathlib import Path
from typing import Any

import pytest

from data.measure.datasheet import (
    ASKED,
    COLLECTED,
    OPEN,
    PAIRS,
    READINGS,
    TITLES,
    field_of,
    gather_readings,
    is_asked,
    read_part,
    read_table,
    render_agreement,
    render_counts,
    render_disagreements,
    render_phenomena,
    replace_sections,
    sample_texts,
    section_of,
    texts_without_twins,
)
from data.measure.probes import score_views
from data.measure.repetition import find_overlaps, measure_repetition, split_words
from pipeline.schema import AnswerRecord, LabelScheme
from tests.labelled import NEAR_DUPLICATE, read_rows, wording

# How often each kind must occur: as often as in the real answers that were counted for the design.
LEAST_SHARE = {
    "alternative": 1 / 6,
    "alternative_instead": 1 / 18,
    "boilerplate": 2 / 5,
    "concession": 1 / 9,
    "conditional": 1 / 4,
    "flipped": 1 / 9,
    "rough_text": 1 / 5,
}
OTHER_PHENOMENA = frozenset(
    [
        "analogy",
        "asks_back",
        "implicit",
        "long",
        "lost_negation",
        "misleading_headline",
        "multi_ask",
        "neighbour",
        "number_based",
        "proxy",
        "reassure_then_stop",
        "rhetorical",
        "risk_list_supportive",
        "sarcasm",
        "sign_off",
    ]
)
FURTHER = "labels/medical_qa_more.csv"
TURNED = "labels/medical_qa_turned.csv"
INVENTED = {ASKED: "q", OPEN: "o", TITLES: "h", PAIRS: "v"}
"""Tables of invented questions to real answers, and what an id of theirs has before its number."""

LONGEST_CLAUSE = 40
SHORT_CLAUSE = 30


@pytest.fixture(scope="module")
def corpus(checkout: Path) -> list[dict[str, Any]]:
    return read_rows(checkout / "data" / "corpus")


def test_the_corpus_has_as_many_questions_and_answers_as_its_datasheet_says(
    corpus: list[dict[str, Any]], checkout: Path
) -> None:
    sheet = (checkout / "data" / "README.md").read_text(encoding="utf-8")
    n_questions, n_procedures = (len({row[name] for row in corpus}) for name in ("question_id", "procedure"))
    n_pairs = len({row["pair_id"] for row in corpus if "pair_id" in row})
    assert f"{len(corpus):,} answers to {n_questions} questions on {n_procedures} procedures" in sheet
    assert f"{n_pairs} contrast pairs" in sheet


def test_every_label_is_of_the_scheme_and_every_phenomenon_is_known(
    corpus: list[dict[str, Any]], scheme: LabelScheme
) -> None:
    assert {row["label"] for row in corpus} == set(scheme.names)
    assert {name for row in corpus for name in row["phenomena"]} == LEAST_SHARE.keys() | OTHER_PHENOMENA


def test_ids_are_unique_and_a_question_is_worded_one_way(corpus: list[dict[str, Any]]) -> None:
    assert len({row["answer_id"] for row in corpus}) == len(corpus)
    fields = ("question", "proposition", "procedure", "group", "polarity")
    wordings = {(row["question_id"], *(row[name] for name in fields)) for row in corpus}
    assert len(wordings) == len({row["question_id"] for row in corpus})


def test_evidence_stands_where_its_offsets_say(corpus: list[dict[str, Any]]) -> None:
    for row in corpus:
        assert row["gold_evidence"] or row["label"] == "no_stance", row["answer_id"]
        for span in row["gold_evidence"]:
            quote = row[span["field"]][span["start"] : span["end"]]
            assert len(quote) == span["end"] - span["start"] > 0, row["answer_id"]
            assert quote == quote.strip(), row["answer_id"]


def test_the_two_answers_of_a_contrast_pair_answer_one_question_with_two_stances(corpus: list[dict[str, Any]]) -> None:
    pairs = defaultdict(list)
    for row in corpus:
        if "pair_id" in row:
            pairs[row["pair_id"]].append(row)
    for name, rows in pairs.items():
        assert len(rows) == 2, name
        assert len({row["question_id"] for row in rows}) == 1, name
        assert len({row["label"] for row in rows}) == 2, name


def test_every_question_draws_answers_on_both_sides(corpus: list[dict[str, Any]], scheme: LabelScheme) -> None:
    sides = defaultdict(set)
    for row in corpus:
        sides[row["question_id"]].add(scheme.side_of(row["label"]))
    assert [name for name, found in sides.items() if not {"oppose", "support"} <= found] == []
    flipped = {row["question_id"] for row in corpus if row["polarity"] == "flipped"}
    assert len(flipped) * 8 >= len(sides)


def test_no_answer_stands_twice(corpus: list[dict[str, Any]]) -> None:
    texts = Counter(" ".join(row["text"].casefold().split()) for row in corpus)
    assert [text for text, n in texts.items() if n > 1] == []


def test_it_is_as_large_and_as_varied_as_it_set_out_to_be(corpus: list[dict[str, Any]]) -> None:
    assert len(corpus) >= 1600
    assert len({row["question_id"] for row in corpus}) >= 160
    assert len({row["procedure"] for row in corpus}) >= 70
    lengths = [len(row["text"].split()) for row in corpus]
    assert min(lengths) <= 20
    assert max(lengths) >= 380


@pytest.mark.parametrize(("name", "share"), LEAST_SHARE.items(), ids=LEAST_SHARE)
def test_each_kind_of_difficulty_is_as_common_as_in_real_answers(
    corpus: list[dict[str, Any]], name: str, share: float
) -> None:
    assert sum(name in row["phenomena"] for row in corpus) >= share * len(corpus)


def test_what_is_tagged_by_rule_is_tagged_so(corpus: list[dict[str, Any]]) -> None:
    for row in corpus:
        assert ("flipped" in row["phenomena"]) == (row["polarity"] == "flipped"), row["answer_id"]
        assert ("long" in row["phenomena"]) == (len(row["text"].split()) > 160), row["answer_id"]


def _changed_stretch(one: str, other: str) -> int:
    """Count the words from the first that differs to the last, in the longer of two texts."""
    a, b = one.split(), other.split()
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(a, b, strict=False)))
    rest_a, rest_b = a[same:], b[same:]
    tail = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(rest_a[::-1], rest_b[::-1], strict=False)))
    return max(len(rest_a), len(rest_b)) - tail


def test_at_least_300_contrast_pairs_differ_in_one_clause(corpus: list[dict[str, Any]]) -> None:
    pairs = defaultdict(list)
    for row in corpus:
        if "pair_id" in row:
            pairs[row["pair_id"]].append(row)
    stretches = {name: _changed_stretch(one["text"], other["text"]) for name, (one, other) in pairs.items()}
    headlines = [name for name, (one, other) in pairs.items() if one.get("headline") != other.get("headline")]
    assert sum(n <= SHORT_CLAUSE for n in stretches.values()) >= 300
    assert {name: n for name, n in stretches.items() if n > LONGEST_CLAUSE} == {}
    assert len(headlines) <= len(pairs) - 300


def test_no_two_answers_to_different_questions_are_near_duplicates(corpus: list[dict[str, Any]]) -> None:
    texts = [row["text"] for row in corpus]
    found = [
        (corpus[o.first]["answer_id"], corpus[o.second]["answer_id"], o.share)
        for o in find_overlaps(texts, texts, threshold=NEAR_DUPLICATE)
        if corpus[o.first]["question_id"] != corpus[o.second]["question_id"]
    ]
    assert found == []


@pytest.mark.slow
def test_neither_respondent_nor_length_nor_place_nor_question_gives_the_label_away(
    written: list[AnswerRecord], scheme: LabelScheme
) -> None:
    # With labels shuffled, 95 in 100 stay below .185: the datasheet has the figures.
    for name, balanced_accuracy in score_views(written, [field_of(a, "label") for a in written]).items():
        assert balanced_accuracy < 1 / len(scheme.names) + 0.02, name


# ---------------------------------------------------------------- the datasheet and the readings


@pytest.fixture(scope="module")
def written(checkout: Path) -> list[AnswerRecord]:
    return read_part(checkout / "data" / "corpus")


@pytest.fixture(scope="module")
def labels(checkout: Path) -> list[dict[str, str]]:
    return read_table(checkout / "data" / COLLECTED)


@pytest.mark.slow
def test_the_datasheet_has_the_counts_and_the_agreement_as_they_are(
    written: list[AnswerRecord], sheet: str, checkout: Path, scheme: LabelScheme
) -> None:
    assert section_of(sheet, "groups") == render_counts("group", (field_of(a, "group") for a in written))
    assert section_of(sheet, "phenomena") == render_phenomena(written)
    readings = gather_readings(checkout / "data")
    assert section_of(sheet, "agreement") == render_agreement(readings, scheme)
    assert section_of(sheet, "disagreements") == render_disagreements(readings, scheme)


def test_the_datasheet_has_the_label_counts_as_they_are(
    corpus: list[dict[str, Any]], labels: list[dict[str, str]], sheet: str, scheme: LabelScheme, checkout: Path
) -> None:
    one, two = (Counter(row["label"] for row in part) for part in (corpus, labels))
    explicit = Counter(row["label"] for row in labels if row["explicit"] == "true")
    four = Counter(row["label"] for row in read_table(checkout / "data" / ASKED))
    lines = section_of(sheet, "labels").splitlines()
    for name in scheme.names:
        (line,) = (
            line for line in lines if line.startswith(f"| `{name}` | {one[name]} | {two[name]} | {explicit[name]} |")
        )
        assert line.split(" | ")[6] == str(four[name])


@pytest.mark.parametrize(
    ("extra", "answer_id", "expected"),
    [
        ({"polarity": "flipped"}, "tummy-tuck-01", True),
        ({"polarity": "straight"}, "tummy-tuck-01-b", False),
        ({"explicit": "true"}, "icliniq-12", True),
        ({"explicit": "true"}, "icliniq-12-b", False),
        ({"explicit": "false"}, "icliniq-12", False),
        ({}, "icliniq-12-3", False),
        ({"explicit": True}, "skin-014-2", True),
        ({"explicit": False}, "skin-014-2", False),
        ({"explicit": True}, "skin-014-2-c", False),
    ],
    ids=[
        "written",
        "written, second",
        "explicit",
        "explicit, second",
        "implicit",
        "further",
        "crossed",
        "crossed, two things asked",
        "crossed, third",
    ],
)
def test_a_proposition_goes_without_saying_where_the_question_asks_about_it(
    extra: dict[str, object], answer_id: str, *, expected: bool
) -> None:
    given = {"question_id": "q", "question": "Is it safe?", "answer_id": answer_id, "position": 1, "text": "Yes."}
    record = given | {"source": {"file": "a.jsonl", "locator": "line 1"}}
    assert is_asked(AnswerRecord.model_validate(record | extra)) is expected


@pytest.mark.parametrize(
    ("name", "page"),
    [
        *((name, "docs/method.md") for name in ("held-out", "held-out-asked", "held-out-phenomena", "peers")),
        *((name, "docs/method.md") for name in ("ablations", "phenomena", "benchmarks", "coverage")),
        ("labels", "data/README.md"),
    ],
)
def test_a_measured_table_has_its_place(name: str, page: str, checkout: Path) -> None:
    text = (checkout / page).read_text(encoding="utf-8")
    assert section_of(replace_sections(text, {name: "| new |"}), name) == "| new |"


def test_a_measured_table_without_a_place_is_not_lost() -> None:
    with pytest.raises(ValueError, match="no marks for other"):
        replace_sections("<!-- measured: one -->\n<!-- end -->", {"other": "| new |"})


def test_second_readings_are_of_part_one_and_settle_on_its_labels(
    corpus: list[dict[str, Any]], checkout: Path, scheme: LabelScheme
) -> None:
    readings = read_table(checkout / "data" / READINGS)
    gold = {row["answer_id"]: row for row in corpus}
    assert len({row["answer_id"] for row in readings}) == len(readings) >= len(corpus) / 4
    for row in readings:
        assert row["label"] == gold[row["answer_id"]]["label"], row
        assert row["question_id"] == gold[row["answer_id"]]["question_id"], row
        assert {row["first_label"], row["second_label"], row["label"]} <= set(scheme.names), row
        assert row["third_label"] in {"", *scheme.names}, row
        assert row["first_label"] != row["second_label"] or row["label"] == row["first_label"], row


def test_part_two_is_as_large_as_it_set_out_to_be_and_read_twice(labels: list[dict[str, str]]) -> None:
    assert len(labels) >= 2500
    assert sum(row["second_label"] != "" for row in labels) >= len(labels) / 6


def test_part_two_has_sound_rows_in_order(labels: list[dict[str, str]], scheme: LabelScheme) -> None:
    assert len({row["answer_id"] for row in labels}) == len(labels)
    per_question = defaultdict(set)
    for row in labels:
        assert {row["first_label"], row["label"]} <= set(scheme.names), row
        assert row["second_label"] in {"", *scheme.names}, row
        assert row["second_label"] != row["first_label"] or row["label"] == row["first_label"], row
        assert re.fullmatch(r"[0-9a-f]{64}", row["text_sha256"]), row
        assert row["explicit"] in {"true", "false"}, row
        assert row["origin"] in {"question", "answers"}, row
        assert row["explicit"] == "false" or row["origin"] == "question", row
        assert row["answer_id"].removesuffix("-b") == row["text_id"], row
        assert (row["evidence_start"] == "") == (row["evidence_end"] == ""), row
        assert row["evidence_start"] == "" or int(row["evidence_start"]) < int(row["evidence_end"]), row
        assert (row["label"] == "no_stance") == (row["evidence_start"] == ""), row
        assert 2 <= len(row["proposition"].split()) <= 20, row
        per_question[row["question_id"]].add((row["proposition"], row["explicit"]))
    assert [name for name, found in per_question.items() if len(found) > 1] == []
    places = [(row["text_id"].split("-")[0], int(row["text_id"].split("-")[1])) for row in labels]
    assert all(a[0] != b[0] or a[1] <= b[1] for a, b in pairwise(places))


def test_further_propositions_have_sound_rows_on_real_answers(checkout: Path, scheme: LabelScheme) -> None:
    rows = read_table(checkout / "data" / FURTHER)
    assert len({row["answer_id"] for row in rows}) == len(rows)
    assert len({(row["text_id"], row["proposition"].casefold()) for row in rows}) == len(rows)
    for row in rows:
        assert row["label"] in scheme.names, row
        assert re.fullmatch(r"[0-9a-f]{64}", row["text_sha256"]), row
        assert (row["label"] == "no_stance") == (row["evidence_start"] == ""), row
        assert 2 <= len(row["proposition"].split()) <= 20, row


def test_turned_propositions_have_sound_rows_two_for_each_answer_of_part_two(
    checkout: Path, labels: list[dict[str, str]], scheme: LabelScheme
) -> None:
    rows = read_table(checkout / "data" / TURNED)
    assert len({row["answer_id"] for row in rows}) == len(rows)
    assert Counter(row["text_id"] for row in rows) == dict.fromkeys((row["text_id"] for row in labels), 2)
    worded = defaultdict(set)
    for row in rows:
        assert row["label"] in scheme.names, row
        assert row["answer_id"] in {f"{row['text_id']}-t1", f"{row['text_id']}-t2"}, row
        assert re.fullmatch(r"[0-9a-f]{64}", row["text_sha256"]), row
        assert 2 <= len(row["proposition"].split()) <= 20, row
        worded[row["text_id"]].add(row["proposition"].casefold())
    assert [name for name, found in worded.items() if len(found) < 2] == []


@pytest.mark.parametrize(("table", "letter"), INVENTED.items(), ids=INVENTED)
def test_invented_questions_have_sound_rows_beside_the_real_ones_of_their_answers(
    table: str, letter: str, checkout: Path, labels: list[dict[str, str]], scheme: LabelScheme
) -> None:
    rows = read_table(checkout / "data" / table)
    first: dict[str, tuple[str, str]] = {}
    for row in [*labels, *read_table(checkout / "data" / FURTHER)]:
        first.setdefault(row["text_id"], (row["question_id"], row["text_sha256"]))
    assert len({row["answer_id"] for row in rows}) == len(rows)
    assert len({(row["text_id"], row["question"].casefold()) for row in rows}) == len(rows)
    n_asked: Counter[str] = Counter()
    for row in rows:
        assert {row["label"], row["first_label"], row["second_label"]} <= set(scheme.names), row
        assert row["second_label"] != row["first_label"] or row["label"] == row["first_label"], row
        # The same id keeps an answer's questions together wherever data is split by question.
        assert (row["question_id"], row["text_sha256"]) == first[row["text_id"]], row
        n_asked[row["text_id"]] += 1
        assert row["answer_id"] == f"{row['text_id']}-{letter}{n_asked[row['text_id']]}", row
        assert row["explicit"] in {"true", "false"}, row
        assert row["question"] == " ".join(row["question"].split()), row
        assert 1 <= len(row["proposition"].split()) <= 20, row


def test_the_datasheet_says_what_real_answers_were_asked_later(checkout: Path, sheet: str, scheme: LabelScheme) -> None:
    left_open, titles, pairs = (read_table(checkout / "data" / table) for table in (OPEN, TITLES, PAIRS))
    texts = [len({row["text_id"] for row in rows}) for rows in (left_open, titles, pairs)]
    assert f"has {len(left_open):,} questions to {texts[0]:,} real answers" in sheet
    assert f"has {len(titles):,} labels on {texts[1]:,} real answers" in sheet
    assert f"({len({row['question'] for row in titles}):,} questions)" in sheet
    assert f"has {len(pairs):,} questions to {texts[2]:,} real answers" in sheet
    header, _, *lines = (line.strip("| ").split(" | ") for line in section_of(sheet, "labels").splitlines())
    for name, rows in (("part eight, open", left_open), ("part eight, titles", titles), ("part eight, pairs", pairs)):
        counts = Counter(row["label"] for row in rows)
        shown = {line[0].strip("`"): line[header.index(name)] for line in lines}
        assert {label: shown[label] for label in scheme.names} == {label: str(counts[label]) for label in scheme.names}


# ---------------------------------------------------------------- against the real texts, where they are


@pytest.fixture(scope="module")
def real(shared: Path) -> list[AnswerRecord]:
    return read_part(shared / "corpora" / "medical_qa")


@pytest.fixture(scope="module")
def dev(shared: Path) -> list[AnswerRecord]:
    return read_part(shared / "corpora" / "dev_labelled.jsonl")


@pytest.mark.parametrize("table", [COLLECTED, FURTHER, TURNED, *INVENTED])
def test_every_label_on_a_real_answer_finds_its_text(shared: Path, checkout: Path, table: str) -> None:
    joined = read_part(checkout / "data" / table, str(shared / "corpora" / "medical_qa"))
    assert [a.answer_id for a in joined] == [row["answer_id"] for row in read_table(checkout / "data" / table)]


def test_no_question_or_answer_of_the_development_set_is_labelled(
    real: list[AnswerRecord], dev: list[AnswerRecord], checkout: Path
) -> None:
    by_id = {a.answer_id: a for a in real}
    tables = (COLLECTED, FURTHER, TURNED, *INVENTED)
    ids = {row["text_id"] for table in tables for row in read_table(checkout / "data" / table)}
    labelled = [by_id[text_id] for text_id in sorted(ids)]
    wordings = {wording(a.question) for a in dev}
    assert [a.answer_id for a in labelled if wording(a.question) in wordings] == []
    asked = [row for table in INVENTED for row in read_table(checkout / "data" / table)]
    assert [row["answer_id"] for row in asked if wording(row["question"]) in wordings] == []
    assert find_overlaps([a.text for a in labelled], [a.text for a in dev], threshold=0.5) == []


@pytest.mark.parametrize("table", INVENTED)
def test_no_invented_question_repeats_eight_words_of_a_real_question_or_answer(
    table: str, real: list[AnswerRecord], checkout: Path
) -> None:
    by_id = {a.answer_id: a for a in real}
    found = []
    for row in read_table(checkout / "data" / table):
        theirs = [" ".join(split_words(text)) for text in (by_id[row["text_id"]].question, by_id[row["text_id"]].text)]
        ours = split_words(row["question"])
        runs = {" ".join(ours[start : start + 8]) for start in range(len(ours) - 7)}
        found += [(row["answer_id"], run) for run in runs if any(f" {run} " in f" {text} " for text in theirs)]
    assert found == []


def test_part_one_has_no_text_of_a_real_answer(
    corpus: list[dict[str, Any]], real: list[AnswerRecord], dev: list[AnswerRecord], shared: Path
) -> None:
    texts = [row["text"] for row in corpus]
    page = (shared / "pages" / "botox_limb_reduction.txt").read_text(encoding="utf-8")
    others = [*(a.text for a in real), *(a.text for a in dev), page]
    assert find_overlaps(texts, others, threshold=NEAR_DUPLICATE) == []


def test_part_one_has_no_name_of_a_real_doctor(corpus: list[dict[str, Any]], shared: Path) -> None:
    rows = read_rows(shared / "corpora" / "medical_qa")
    names = {_bare_name(row["author"]) for row in rows if row["author"]} - {""}
    full_names = [name for name in names if len(name.split()) > 1]
    page = " ".join(split_words((shared / "pages" / "botox_limb_reduction.txt").read_text(encoding="utf-8")))
    for row in corpus:
        name = _bare_name(row["respondent"].get("name") or "")
        assert name not in names or len(name.split()) < 2, row["answer_id"]
        assert len(name.split()) < 2 or name not in page, row["answer_id"]
        words = " ".join(split_words(f"{row.get('headline') or ''} {row['text']}"))
        assert [full for full in full_names if full in words] == [], row["answer_id"]


def _bare_name(name: str) -> str:
    return " ".join(word for word in split_words(name) if word not in {"dr", "md", "prof"})


def test_part_one_repeats_itself_no_more_than_real_answers_do(
    written: list[AnswerRecord], real: list[AnswerRecord]
) -> None:
    ours = measure_repetition(texts_without_twins(written))
    theirs = measure_repetition(sample_texts(real, ours.n_words))
    assert ours.distinct_4grams >= theirs.distinct_4grams
    assert ours.sharing_6gram <= theirs.sharing_6gram
