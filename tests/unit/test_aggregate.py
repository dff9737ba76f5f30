"""From the calls on one question's answers to shares, agreement, verdict, probability and dissent."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import asin, pi, sqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, binom

from pipeline.aggregate import (
    ConsensusRule,
    aggregate_question,
    decide_verdict,
    estimate_prevalence,
    estimate_probability,
    measure_agreement,
)
from pipeline.schema import AnswerRecord, ClassifiedAnswer, Evidence, LabelScheme, StanceCall, Verdict

RULE = ConsensusRule()
SIMULATION_ERROR = 0.03
YES_NO = LabelScheme.from_labels("yes or no", ["yes", "no"])


def answer(
    stance: str,
    scheme: LabelScheme,
    *,
    place: int = 1,
    confidence: float = 1.0,
    abstained: bool = False,
    posteriors: Mapping[str, float] | None = None,
    **fields: Any,
) -> ClassifiedAnswer:
    record = {
        "question_id": "q",
        "question": "Is a nose clip worth it?",
        "answer_id": f"a{place}",
        "position": place,
        "text": f"Answer {place}.",
        "source": {"file": "f", "locator": f"line {place}"},
    }
    return ClassifiedAnswer(
        answer=AnswerRecord.model_validate(record | fields),
        call=StanceCall(
            stance=stance,
            side=scheme.side_of(stance),
            posteriors=dict(posteriors or {name: float(name == stance) for name in scheme.names}),
            confidence=confidence,
            abstained=abstained,
            evidence=(),
            model="m@1",
        ),
    )


def answers(scheme: LabelScheme, *stances: str) -> list[ClassifiedAnswer]:
    return [answer(stance, scheme, place=place) for place, stance in enumerate(stances, start=1)]


# ---------------------------------------------------------------- agreement


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        pytest.param([30, 40, 210, 130, 530, 50, 10], 0.6113, id="the example in the manual of R's agrmt"),
        pytest.param([0, 7, 0, 0, 0], 1.0, id="all alike"),
        pytest.param([4, 4, 4, 4, 4, 4, 4], 0.0, id="uniform"),
        pytest.param([6, 0, 0, 0, 6], -1.0, id="half and half at the poles"),
        pytest.param([6, 0, 0, 6], -1.0, id="half and half at the poles of an even scale"),
        pytest.param([6, 6, 0, 0, 0], 0.75, id="two neighbours of five: 1 - 1/4"),
        pytest.param([5, 5, 5, 0, 0, 0, 0], 2 / 3, id="three neighbours of seven: 1 - 2/6"),
        # Worked by hand: TU = 2, TDU = 4, U = (3 * 2 - 4 * 4) / (3 * 6) = -5/9, A = -5/9 * (1 - 2/4).
        pytest.param([3, 0, 3, 0, 3], -5 / 18, id="every other grade of five"),
        # Worked by hand: layers 1-1-1 of 3 answers (A 0) and 0-1-0 of 7 (A 1).
        pytest.param([1, 8, 1], 0.7, id="two layers"),
        pytest.param([5, 0], 1.0, id="two grades, all alike"),
    ],
)
def test_agreement_has_the_published_or_hand_worked_value(counts: list[int], expected: float) -> None:
    assert measure_agreement(counts) == pytest.approx(expected, abs=5e-5)


def test_agreement_of_no_answers_is_none() -> None:
    assert measure_agreement([0, 0, 0, 0, 0]) is None


@given(st.lists(st.integers(0, 60), min_size=2, max_size=9))
@settings(deadline=None, max_examples=80)
def test_agreement_stays_between_its_poles_and_does_not_know_left_from_right(counts: list[int]) -> None:
    agreement = measure_agreement(counts)
    if agreement is None:
        assert sum(counts) == 0
        return
    assert -1 <= agreement <= 1
    assert measure_agreement(counts[::-1]) == pytest.approx(agreement, abs=1e-4)
    assert measure_agreement([3 * n for n in counts]) == pytest.approx(agreement, abs=1e-4)


def test_agreement_follows_the_values_of_the_labels_not_their_order_in_the_scheme() -> None:
    labels = [
        {"name": "middle", "value": 0, "side": "b"},
        {"name": "high", "value": 1, "side": "c"},
        {"name": "low", "value": -1, "side": "a"},
    ]
    scheme = LabelScheme.model_validate({"name": "shuffled", "labels": labels})
    consensus = aggregate_question(answers(scheme, "low", "low", "high", "high"), scheme, RULE)
    assert consensus.agreement == -1


def test_a_scheme_without_order_has_no_agreement() -> None:
    assert aggregate_question(answers(YES_NO, "yes", "no"), YES_NO, RULE).agreement is None


# ---------------------------------------------------------------- shares


@given(
    st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.sampled_from([0.5, 0.9, 0.99])
)
@settings(deadline=None, max_examples=80)
def test_intervals_are_those_of_jeffreys_prior_and_hold_the_share(counts: tuple[int, int], coverage: float) -> None:
    n, n_total = counts
    found = estimate_prevalence(n, n_total, coverage)
    low, high = beta.interval(coverage, n + 0.5, n_total - n + 0.5)
    assert found.n == n
    assert found.share == pytest.approx(n / n_total, abs=5e-5)
    assert found.low == pytest.approx(0 if n == 0 else low, abs=1e-4)
    assert found.high == pytest.approx(1 if n == n_total else high, abs=1e-4)
    assert found.low <= found.share <= found.high


@pytest.mark.parametrize(
    ("n", "n_total", "expected"),
    [
        pytest.param(0, 0, (0.0, 0.0, 1.0), id="no answer says nothing"),
        pytest.param(0, 3, (0.0, 0.0, None), id="none of some begins at 0"),
        pytest.param(3, 3, (1.0, None, 1.0), id="all of some ends at 1"),
        pytest.param(1, 2, (0.5, None, None), id="half"),
    ],
)
def test_the_interval_is_closed_where_the_share_is_extreme(
    n: int, n_total: int, expected: tuple[float, float | None, float | None]
) -> None:
    found = estimate_prevalence(n, n_total)
    share, low, high = expected
    assert found.share == share
    assert low is None or found.low == low
    assert high is None or found.high == high
    if 2 * n == n_total:
        assert found.low + found.high == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(("n", "n_total"), [(1, 1), (1, 2)])
def test_the_bounds_lie_where_the_posterior_has_five_percent_outside_by_its_closed_form(n: int, n_total: int) -> None:
    def cdf(x: float) -> float:
        # Beta(3/2, 1/2) for one of one, Beta(3/2, 3/2) (the semicircle) for one of two.
        skew = 1.0 if n == n_total else 1 - 2 * x
        return 2 / pi * (asin(sqrt(x)) - sqrt(x * (1 - x)) * skew)

    found = estimate_prevalence(n, n_total, 0.9)
    assert cdf(found.low) == pytest.approx(0.05, abs=1e-3)
    assert cdf(found.high) == pytest.approx(1.0 if n == n_total else 0.95, abs=1e-3)


# ---------------------------------------------------------------- the verdict


@pytest.mark.parametrize(
    ("oppose", "neutral", "support", "side", "strength"),
    [
        pytest.param(0, 0, 0, None, "insufficient", id="no answer"),
        pytest.param(4, 0, 0, None, "insufficient", id="four alike are too few"),
        pytest.param(5, 0, 0, "oppose", "consensus", id="five alike are enough"),
        pytest.param(0, 5, 0, "neutral", "consensus", id="a consensus may be neutral"),
        pytest.param(3, 0, 9, "support", "consensus", id="three quarters exactly"),
        pytest.param(6, 0, 17, "support", "majority", id="just below three quarters"),
        pytest.param(0, 2, 3, "support", "majority", id="three of five"),
        pytest.param(3, 0, 3, None, "split", id="a tie of first and last"),
        pytest.param(0, 3, 3, None, "split", id="a tie of the last two"),
        pytest.param(3, 3, 0, None, "split", id="a tie of the first two"),
        pytest.param(2, 2, 2, None, "split", id="a tie of all"),
        pytest.param(3, 1, 2, "oppose", "split", id="half exactly is no majority"),
        pytest.param(2, 1, 2, None, "split", id="a tie below half"),
        pytest.param(4, 3, 2, "oppose", "split", id="most but less than half"),
    ],
)
def test_the_verdict_follows_the_rule(oppose: int, neutral: int, support: int, side: str | None, strength: str) -> None:
    verdict = decide_verdict({"oppose": oppose, "neutral": neutral, "support": support}, RULE)
    assert (verdict.side, verdict.strength) == (side, strength)


@given(st.lists(st.integers(0, 40), min_size=1, max_size=5), st.fractions(Fraction(1, 2), 1, max_denominator=20))
@settings(deadline=None)
def test_the_verdict_is_the_rule_in_exact_arithmetic(counts: list[int], share: Fraction) -> None:
    sides = {f"side {place}": n for place, n in enumerate(counts)}
    verdict = decide_verdict(sides, ConsensusRule(share=float(share)))
    n_total, most = sum(counts), max(counts)
    if n_total < 5:
        assert (verdict.side, verdict.strength) == (None, "insufficient")
    elif counts.count(most) > 1:
        assert (verdict.side, verdict.strength) == (None, "split")
    else:
        assert sides[verdict.side or ""] == most
        top = Fraction(most, n_total)
        assert verdict.strength == ("consensus" if top >= share else "majority" if 2 * most > n_total else "split")


@given(st.permutations(["oppose"] * 3 + ["neutral"] + ["support"] * 3))
@settings(deadline=None, max_examples=10)
def test_a_tie_is_a_tie_in_whatever_order_the_answers_come(sides: list[str]) -> None:
    scheme = LabelScheme.from_labels("sides", ["oppose", "neutral", "support"])
    verdict = aggregate_question(answers(scheme, *sides), scheme, RULE).verdict
    assert (verdict.side, verdict.strength) == (None, "split")


def test_abstained_answers_and_those_without_a_stance_do_not_count(scheme: LabelScheme) -> None:
    panel = [
        *answers(scheme, "against", "against", "supportive", "against"),
        answer("supportive", scheme, place=5, abstained=True),
        answer("no_stance", scheme, place=6),
        answer("no_stance", scheme, place=7, abstained=True),
    ]
    consensus = aggregate_question(panel, scheme, RULE)
    assert (consensus.n_answers, consensus.n_with_stance, consensus.n_no_stance, consensus.n_abstained) == (7, 4, 1, 2)
    assert consensus.verdict == Verdict(side=None, strength="insufficient", probability=None)
    assert consensus.prevalence["supportive"].n == 1
    assert consensus.prevalence["against"].share == 0.75
    assert "no_stance" not in consensus.prevalence
    assert not consensus.dissent


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                ["against", "cautiously_against", "neutral", "cautiously_supportive", "supportive", "no_stance"]
            ),
            st.booleans(),
        ),
        min_size=1,
        max_size=30,
    )
)
@settings(deadline=None, max_examples=40)
def test_the_counts_of_a_consensus_add_up(scheme: LabelScheme, calls: list[tuple[str, bool]]) -> None:
    panel = [answer(stance, scheme, place=n, abstained=a) for n, (stance, a) in enumerate(calls, start=1)]
    consensus = aggregate_question(panel, scheme, ConsensusRule(n_draws=20))
    assert consensus.n_answers == len(panel) == len(consensus.answers)
    assert consensus.n_answers == consensus.n_with_stance + consensus.n_no_stance + consensus.n_abstained
    assert sum(p.n for p in consensus.prevalence.values()) == consensus.n_with_stance
    assert sum(p.n for p in consensus.sides.values()) == consensus.n_with_stance
    for side, prevalence in consensus.sides.items():
        members = [label.name for label in scheme.labels if label.side == side]
        assert prevalence.n == sum(consensus.prevalence[name].n for name in members)
    if consensus.n_with_stance:
        assert sum(p.share for p in consensus.sides.values()) == pytest.approx(1, abs=5e-4)
    if consensus.verdict.side is not None:
        assert len(consensus.dissent) == consensus.n_with_stance - consensus.sides[consensus.verdict.side].n
    assert (consensus.verdict.probability is None) == (consensus.verdict.side is None)


def test_a_consensus_keeps_the_answers_in_the_order_given(scheme: LabelScheme) -> None:
    panel = answers(scheme, "supportive", "against", "no_stance", "neutral")[::-1]
    assert aggregate_question(panel, scheme, RULE).answers == tuple(panel)


# ---------------------------------------------------------------- the verdict's probability


@pytest.mark.parametrize(("n_oppose", "n_support"), [(5, 0), (8, 2), (9, 3), (30, 2)])
def test_the_probability_of_a_consensus_among_sure_answers_is_the_beta_tail(
    scheme: LabelScheme, n_oppose: int, n_support: int
) -> None:
    panel = answers(scheme, *["against"] * n_oppose, *["supportive"] * n_support)
    # A side's share of three under Jeffreys' prior is Beta(n + 1/2, N - n + 2/2).
    expected = beta.sf(0.75, n_oppose + 0.5, n_support + 1)
    found = aggregate_question(panel, scheme, RULE).verdict
    assert (found.side, found.strength) == ("oppose", "consensus")
    assert found.probability == pytest.approx(expected, abs=SIMULATION_ERROR)


@pytest.mark.parametrize(("n_yes", "n_no"), [(6, 4), (14, 6), (70, 30)])
def test_the_probability_of_a_majority_is_what_lies_between_half_and_the_consensus(n_yes: int, n_no: int) -> None:
    panel = answers(YES_NO, *["yes"] * n_yes, *["no"] * n_no)
    law = beta(n_yes + 0.5, n_no + 0.5)
    found = aggregate_question(panel, YES_NO, RULE).verdict
    assert (found.side, found.strength) == ("yes", "majority")
    assert found.probability == pytest.approx(law.cdf(0.75) - law.cdf(0.5), abs=SIMULATION_ERROR)


@pytest.mark.parametrize("n", [4, 40])
def test_a_tie_has_no_probability_however_many_answers_it_has(scheme: LabelScheme, n: int) -> None:
    verdict = aggregate_question(answers(scheme, *["against"] * n, *["supportive"] * n), scheme, RULE).verdict
    assert (verdict.side, verdict.strength, verdict.probability) == (None, "split", None)


def test_the_probability_of_a_plurality_is_that_its_side_leads_and_none_has_more_than_half(scheme: LabelScheme) -> None:
    panel = answers(scheme, *["against"] * 5, *["neutral"] * 4, *["supportive"] * 4)
    shares = np.random.default_rng(7).dirichlet([5.5, 4.5, 4.5], size=400_000)
    expected = ((shares.argmax(axis=1) == 0) & (shares.max(axis=1) <= 0.5)).mean()
    assert aggregate_question(panel, scheme, RULE).verdict.probability == pytest.approx(expected, abs=SIMULATION_ERROR)


def test_the_probability_counts_the_errors_of_the_classifier_too() -> None:
    n, sure = 12, 0.8
    panel = [answer("yes", YES_NO, place=i, posteriors={"yes": sure, "no": 1 - sure}) for i in range(1, n + 1)]
    expected = sum(binom.pmf(k, n, sure) * beta.sf(0.75, k + 0.5, n - k + 0.5) for k in range(n + 1))
    found = aggregate_question(panel, YES_NO, RULE).verdict
    assert (found.side, found.strength) == ("yes", "consensus")
    assert found.probability == pytest.approx(expected, abs=SIMULATION_ERROR)


def test_abstained_answers_lend_their_posteriors_to_the_probability() -> None:
    sure = answers(YES_NO, *["yes"] * 8)
    unsure = [answer("no", YES_NO, place=i, abstained=True, posteriors={"yes": 0.4, "no": 0.6}) for i in range(9, 15)]
    expected = sum(binom.pmf(k, 6, 0.4) * beta.sf(0.75, 8 + k + 0.5, 6 - k + 0.5) for k in range(7))
    found = aggregate_question([*sure, *unsure], YES_NO, RULE).verdict
    assert found.probability == pytest.approx(expected, abs=SIMULATION_ERROR)


def test_answers_without_a_stance_change_no_probability(scheme: LabelScheme) -> None:
    panel = answers(scheme, *["against"] * 9, *["supportive"] * 2)
    silent = [answer("no_stance", scheme, place=20 + i) for i in range(10)]
    before, after = (aggregate_question(p, scheme, RULE).verdict.probability for p in (panel, [*panel, *silent]))
    assert before is not None
    assert after == pytest.approx(before, abs=SIMULATION_ERROR)


def test_the_probability_grows_with_the_number_of_like_answers(scheme: LabelScheme) -> None:
    verdicts = [aggregate_question(answers(scheme, *["against"] * n), scheme, RULE).verdict for n in (5, 8, 12, 20)]
    chances = [v.probability or 0.0 for v in verdicts]
    assert chances == sorted(set(chances))
    assert chances[0] > 0.5
    assert chances[-1] >= 0.99


@given(st.lists(st.floats(0.01, 0.99), min_size=5, max_size=12))
@settings(deadline=None, max_examples=20)
def test_the_probability_is_a_probability_and_the_same_each_time(shares: list[float]) -> None:
    panel = [answer("yes", YES_NO, place=i, posteriors={"yes": p, "no": 1 - p}) for i, p in enumerate(shares, start=1)]
    first, second = (aggregate_question(panel, YES_NO, RULE) for _ in range(2))
    assert first == second
    assert first.verdict.probability is not None
    assert 0 <= first.verdict.probability <= 1


@pytest.mark.parametrize("share", [0.5, 0.6, 0.75, 1.0])
def test_the_probabilities_of_all_verdicts_add_up_to_one(scheme: LabelScheme, share: float) -> None:
    panel = answers(scheme, *["against"] * 5, *["neutral"] * 2, *["supportive"] * 3)
    rule = ConsensusRule(share=share)
    verdicts = [Verdict(side=None, strength="split", probability=None)] + [
        Verdict.model_validate({"side": side, "strength": strength, "probability": None})
        for side in scheme.sides
        for strength in ("consensus", "majority")
    ]
    total = sum(estimate_probability(panel, scheme, rule, verdict) for verdict in verdicts)
    assert total == pytest.approx(1, abs=0.04)


# ---------------------------------------------------------------- dissent


def test_dissent_is_of_other_sides_alone_and_surest_first(scheme: LabelScheme) -> None:
    panel = [
        *answers(scheme, *["against"] * 4, *["cautiously_against"] * 4),
        answer("supportive", scheme, place=9, confidence=0.61, respondent={"name": "Ottoline Marsh"}),
        answer("neutral", scheme, place=10, confidence=0.93),
        answer("cautiously_supportive", scheme, place=11, confidence=0.77),
        answer("supportive", scheme, place=12, confidence=0.99, abstained=True),
        answer("no_stance", scheme, place=13, confidence=0.98),
    ]
    consensus = aggregate_question(panel, scheme, ConsensusRule(share=0.7))
    assert consensus.verdict.side == "oppose"
    assert [d.answer_id for d in consensus.dissent] == ["a10", "a11", "a9"]
    assert consensus.dissent[-1].respondent == "Ottoline Marsh"
    assert consensus.dissent[-1].stance == "supportive"
    assert consensus.dissent[-1].confidence == 0.61


def test_dissent_quotes_the_strongest_passage_else_the_headline_else_the_text(scheme: LabelScheme) -> None:
    quoted = answer("supportive", scheme, place=6, confidence=0.9, text="Hm. Do it.")
    passage = Evidence(field="text", start=4, end=10, quote="Do it.", weight=0.5)
    quoted = quoted.model_copy(update={"call": quoted.call.model_copy(update={"evidence": (passage,)})})
    panel = [
        *answers(scheme, *["against"] * 5, *["against"] * 5),
        quoted,
        answer("supportive", scheme, place=7, confidence=0.8, headline="A good idea"),
        answer("supportive", scheme, place=8, confidence=0.7),
    ]
    dissent = aggregate_question(panel, scheme, RULE).dissent
    assert [d.quote for d in dissent] == ["Do it.", "A good idea", "Answer 8."]


def test_a_tie_has_no_dissent(scheme: LabelScheme) -> None:
    panel = answers(scheme, *["against"] * 3, *["supportive"] * 3)
    assert aggregate_question(panel, scheme, RULE).dissent == ()
