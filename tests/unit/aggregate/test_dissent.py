"""Dissent: the strongest answer against the verdict first, and of a split without a side one of each."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pipeline.aggregate import aggregate_question
from pipeline.aggregate.rules import ConsensusRule, build_rule
from pipeline.schema import ClassifiedAnswer, Evidence, LabelScheme

Build = Callable[..., ClassifiedAnswer]
BuildAll = Callable[..., list[ClassifiedAnswer]]
RULE = ConsensusRule()
YES_NO = LabelScheme.from_labels("yes or no", ["yes", "no"])


def test_the_farthest_from_the_verdicts_side_comes_first_and_of_those_the_surest(
    scheme: LabelScheme, build: Build, build_all: BuildAll
) -> None:
    panel = [
        *build_all(scheme, *["against"] * 4, *["cautiously_against"] * 5),
        build("neutral", scheme, 10, confidence=0.99),
        build("cautiously_supportive", scheme, 11, confidence=0.98),
        build("supportive", scheme, 12, confidence=0.61, respondent={"name": "Ottoline Marsh"}),
        build("supportive", scheme, 13, confidence=0.77),
    ]
    consensus = aggregate_question(panel, scheme, ConsensusRule(share=0.6))
    assert consensus.verdict.side == "oppose"
    assert [d.answer_id for d in consensus.dissent] == ["a13", "a12", "a11", "a10"]
    marsh = consensus.dissent[1]
    assert (marsh.respondent, marsh.stance, marsh.confidence) == ("Ottoline Marsh", "supportive", 0.61)


def test_against_a_neutral_verdict_both_ends_are_equally_far(
    scheme: LabelScheme, build: Build, build_all: BuildAll
) -> None:
    panel = [
        *build_all(scheme, *["neutral"] * 8),
        build("cautiously_against", scheme, 9, confidence=0.9),
        build("supportive", scheme, 10, confidence=0.6),
        build("against", scheme, 11, confidence=0.7),
    ]
    assert [d.answer_id for d in aggregate_question(panel, scheme, RULE).dissent] == ["a11", "a10", "a9"]


def test_answers_that_count_nothing_are_no_dissent(scheme: LabelScheme, build: Build, build_all: BuildAll) -> None:
    panel = [
        *build_all(scheme, *["against"] * 6),
        build("supportive", scheme, 7, abstained=True),
        build("no_stance", scheme, 8),
        build("neutral", scheme, 9, confidence=0.9, respondent={"name": "Ada Quill"}),
        build("supportive", scheme, 10, confidence=0.8, respondent={"name": "Ada Quill"}),
    ]
    assert [d.answer_id for d in aggregate_question(panel, scheme, RULE).dissent] == ["a9"]


def test_of_a_tie_the_strongest_answer_of_each_leading_side_is_quoted(
    scheme: LabelScheme, build: Build, build_all: BuildAll
) -> None:
    panel = [
        *build_all(scheme, "cautiously_supportive", "cautiously_against", "cautiously_against"),
        build("against", scheme, 4, confidence=0.6),
        build("supportive", scheme, 5, confidence=0.5),
        build("supportive", scheme, 6, confidence=0.7),
        build("neutral", scheme, 7),
    ]
    consensus = aggregate_question(panel, scheme, RULE)
    assert consensus.verdict.outcome == ("split", None)
    assert [d.answer_id for d in consensus.dissent] == ["a4", "a6"]


def test_of_disagreement_by_the_table_both_extremes_are_quoted(scheme: LabelScheme, build_all: BuildAll) -> None:
    stances = ["against"] * 6 + ["supportive"] * 3 + ["neutral"]
    consensus = aggregate_question(build_all(scheme, *stances), scheme, build_rule(rule="rand-ucla"))
    assert consensus.verdict.outcome == ("split", None)
    assert [d.stance for d in consensus.dissent] == ["against", "supportive"]


def test_a_scheme_without_order_has_the_surest_first(build: Build) -> None:
    panel = [build("yes", YES_NO, n, confidence=1.0) for n in range(1, 7)]
    panel += [build("no", YES_NO, 7, confidence=0.6), build("no", YES_NO, 8, confidence=0.8)]
    assert [d.answer_id for d in aggregate_question(panel, YES_NO, RULE).dissent] == ["a8", "a7"]


@pytest.mark.parametrize("stances", [["against"] * 8, ["against", "supportive"]], ids=["all alike", "too few"])
def test_there_is_no_dissent_from_nothing_and_none_where_nobody_dissents(
    scheme: LabelScheme, build_all: BuildAll, stances: list[str]
) -> None:
    assert aggregate_question(build_all(scheme, *stances), scheme, RULE).dissent == ()


def test_dissent_quotes_the_strongest_passage_else_the_headline_else_the_text(
    scheme: LabelScheme, build: Build, build_all: BuildAll
) -> None:
    quoted = build("supportive", scheme, 20, confidence=0.9, text="Hm. Do it.")
    passage = Evidence(field="text", start=4, end=10, quote="Do it.", weight=0.5)
    quoted = quoted.model_copy(update={"call": quoted.call.model_copy(update={"evidence": (passage,)})})
    panel = [
        *build_all(scheme, *["against"] * 10),
        quoted,
        build("supportive", scheme, 21, confidence=0.8, headline="A good idea"),
        build("supportive", scheme, 22, confidence=0.7),
    ]
    dissent = aggregate_question(panel, scheme, RULE).dissent
    assert [d.quote for d in dissent] == ["Do it.", "A good idea", "Answer 22."]
