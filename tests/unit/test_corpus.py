"""The corpus the default model learns from keeps its own rules."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from pipeline.schema import LabelScheme

PHENOMENA = frozenset(
    [
        "alternative",
        "alternative_instead",
        "analogy",
        "asks_back",
        "boilerplate",
        "concession",
        "conditional",
        "flipped",
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
        "rough_text",
        "sarcasm",
        "sign_off",
    ]
)


@pytest.fixture(scope="module")
def corpus(checkout: Path) -> list[dict[str, Any]]:
    files = sorted((checkout / "data" / "corpus").glob("*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]


def test_the_corpus_has_as_many_questions_and_answers_as_its_datasheet_says(
    corpus: list[dict[str, Any]], checkout: Path
) -> None:
    sheet = (checkout / "data" / "README.md").read_text(encoding="utf-8")
    n_questions, n_procedures = (len({row[name] for row in corpus}) for name in ("question_id", "procedure"))
    n_pairs = len({row["pair_id"] for row in corpus if "pair_id" in row})
    assert f"{len(corpus):,} answers to {n_questions} questions on {n_procedures} procedures" in sheet
    assert f"{n_pairs} contrast pairs" in sheet
    for label, n in Counter(row["label"] for row in corpus).items():
        assert f"| `{label}` | {n} |" in sheet


def test_every_label_is_of_the_scheme_and_every_phenomenon_is_known(
    corpus: list[dict[str, Any]], scheme: LabelScheme
) -> None:
    assert {row["label"] for row in corpus} == set(scheme.names)
    assert {name for row in corpus for name in row["phenomena"]} == PHENOMENA


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
