"""Rules of the verdict: what they say, at which borders, and how likely they say it again."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, binom

from pipeline.aggregate.rules import (
    RULES,
    THIRDS,
    ConsensusRule,
    allow_outside,
    apply_rule,
    build_rule,
    check_rule,
    decide_verdict,
    estimate_probability,
    find_rivals,
    order_sides,
)
from pipeline.errors import WrongUsage
from pipeline.schema import LabelScheme, Verdict

DELPHI = build_rule()
RAND = build_rule(rule="rand-ucla")
SIMULATION_ERROR = 0.02
COUNTS = st.lists(st.integers(0, 40), min_size=3, max_size=3)


def thirds(*counts: float) -> dict[str, float]:
    return dict(zip(THIRDS, counts, strict=True))


# ---------------------------------------------------------------- building


@pytest.mark.parametrize(
    ("options", "name", "share", "least"),
    [
        pytest.param({}, "delphi-75", 0.75, 5, id="default"),
        pytest.param({"share": 0.75, "min_answers": 5}, "delphi-75", 0.75, 5, id="the default, spelt out"),
        pytest.param({"share": 0.8}, "80 % of at least 5", 0.8, 5, id="another share"),
        pytest.param({"min_answers": 3}, "75 % of at least 3", 0.75, 3, id="another number"),
        pytest.param({"keep_repeats": True}, "delphi-75, repeats kept", 0.75, 5, id="repeats"),
        pytest.param({"weight_by": "w"}, "delphi-75, weighted by w", 0.75, 5, id="weights"),
        pytest.param({"rule": "rand-ucla"}, "rand-ucla", None, 5, id="the other"),
        pytest.param(
            {"rule": "rand-ucla", "min_answers": 9}, "rand-ucla of at least 9", None, 9, id="the other, larger"
        ),
    ],
)
def test_a_rule_is_named_after_what_it_asks(
    options: dict[str, object], name: str, share: float | None, least: int
) -> None:
    rule = build_rule(**options)  # type: ignore[arg-type]
    assert (rule.name, rule.share, rule.min_answers) == (name, share, least)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param({"rule": "vote"}, "--rule vote: no such rule: use one of delphi-75, rand-ucla", id="unknown"),
        pytest.param(
            {"rule": "rand-ucla", "share": 0.8}, "--consensus-share 0.8: is of --rule delphi-75", id="a share"
        ),
        pytest.param({"rule": "rand-ucla", "weight_by": "w"}, "--weight-by w: rand-ucla counts votes", id="weights"),
    ],
)
def test_options_that_do_not_suit_a_rule_are_refused_in_one_line(options: dict[str, object], said: str) -> None:
    with pytest.raises(WrongUsage) as caught:
        build_rule(**options)  # type: ignore[arg-type]
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


def test_rules_of_other_names_are_other_rules() -> None:
    built = [build_rule(rule=name, keep_repeats=keep) for name in RULES for keep in (False, True)]
    assert len({rule.name for rule in built}) == len(built)


def test_sides_are_ordered_by_value_not_by_place(scheme: LabelScheme) -> None:
    assert order_sides(scheme) == THIRDS
    shuffled = LabelScheme(name="s", labels=scheme.labels[::-1])
    assert shuffled.sides != THIRDS
    assert order_sides(shuffled) == THIRDS


def test_sides_that_interleave_have_no_order() -> None:
    labels = [{"name": str(v), "value": v, "side": "ab"[v % 2]} for v in range(4)]
    assert order_sides(LabelScheme.model_validate({"name": "s", "labels": labels})) is None


@pytest.mark.parametrize(
    "names", [["yes", "no"], ["oppose", "neutral", "support"]], ids=["other sides", "the sides without an order"]
)
def test_rand_ucla_needs_the_three_sides_in_order(names: list[str]) -> None:
    unordered = LabelScheme.from_labels("s", names)
    check_rule(DELPHI, unordered)
    with pytest.raises(WrongUsage, match="needs the sides oppose, neutral, support in this order") as caught:
        check_rule(RAND, unordered)
    assert "\n" not in str(caught.value)


def test_rand_ucla_takes_the_default_scheme(scheme: LabelScheme) -> None:
    check_rule(RAND, scheme)


# ---------------------------------------------------------------- delphi


@pytest.mark.parametrize(
    ("counts", "side", "strength"),
    [
        pytest.param((0, 0, 0), None, "insufficient", id="no vote"),
        pytest.param((4, 0, 0), None, "insufficient", id="four alike are too few"),
        pytest.param((5, 0, 0), "oppose", "consensus", id="five alike are enough"),
        pytest.param((0, 5, 0), "neutral", "consensus", id="a consensus may be neutral"),
        pytest.param((3, 0, 9), "support", "consensus", id="three quarters exactly"),
        pytest.param((6, 0, 17), "support", "majority", id="just below three quarters"),
        pytest.param((0, 2, 3), "support", "majority", id="three of five"),
        pytest.param((3, 0, 3), None, "split", id="a tie of first and last"),
        pytest.param((0, 3, 3), None, "split", id="a tie of the last two"),
        pytest.param((3, 3, 0), None, "split", id="a tie of the first two"),
        pytest.param((2, 2, 2), None, "split", id="a tie of all"),
        pytest.param((3, 1, 2), "oppose", "split", id="half exactly is no majority"),
        pytest.param((2, 1, 2), None, "split", id="a tie below half"),
        pytest.param((4, 3, 2), "oppose", "split", id="most but less than half"),
    ],
)
def test_the_verdict_follows_the_share(counts: tuple[int, ...], side: str | None, strength: str) -> None:
    assert decide_verdict(thirds(*counts), DELPHI).outcome == (strength, side)


@given(st.lists(st.integers(0, 40), min_size=1, max_size=5), st.fractions(Fraction(1, 2), 1, max_denominator=20))
def test_the_verdict_is_the_rule_in_exact_arithmetic(counts: list[int], share: Fraction) -> None:
    sides = {f"side {place}": n for place, n in enumerate(counts)}
    verdict = decide_verdict(sides, ConsensusRule(share=float(share)))
    n_total, most = sum(counts), max(counts)
    if n_total < 5:
        assert verdict.outcome == ("insufficient", None)
    elif counts.count(most) > 1:
        assert verdict.outcome == ("split", None)
    else:
        assert sides[verdict.side or ""] == most
        top = Fraction(most, n_total)
        assert verdict.strength == ("consensus" if top >= share else "majority" if 2 * most > n_total else "split")


@pytest.mark.parametrize(
    ("weights", "n_votes", "outcome"),
    [
        pytest.param((0.1 + 0.2, 0.0, 0.3), 6, ("split", None), id="a tie that rounding hides"),
        pytest.param((0.1 * 3, 0.0, 0.1), 5, ("consensus", "oppose"), id="three quarters that rounding hides"),
        pytest.param((90.0, 0.0, 1.0), 4, ("insufficient", None), id="few votes are few whatever they weigh"),
        pytest.param((0.3, 0.0, 0.1), 5, ("consensus", "oppose"), id="light votes are votes"),
        pytest.param((0.0, 0.0, 0.0), 9, ("insufficient", None), id="votes that weigh nothing"),
    ],
)
def test_weighted_votes_follow_the_share_of_their_weight(
    weights: tuple[float, ...], n_votes: int, outcome: tuple[str, str | None]
) -> None:
    assert decide_verdict(thirds(*weights), DELPHI, n_votes).outcome == outcome


# ---------------------------------------------------------------- RAND/UCLA


@pytest.mark.parametrize(
    ("size", "allowed"),
    [(5, 1), (7, 1), (8, 2), (9, 2), (10, 2), (11, 3), (12, 3), (13, 3), (14, 4), (15, 4), (16, 4), (17, 5), (101, 33)],
)
def test_panels_of_the_published_sizes_have_the_published_borders_and_others_the_same_formula(
    size: int, allowed: int
) -> None:
    assert allow_outside(np.array([size])).tolist() == [allowed]
    assert decide_verdict(thirds(allowed, 0, size - allowed), RAND).outcome == ("consensus", "support")
    if size - allowed - 1 > allowed + 1:
        assert decide_verdict(thirds(0, allowed + 1, size - allowed - 1), RAND).strength != "consensus"
    if size >= 2 * allowed + 2:
        disagreeing = thirds(allowed + 1, size - 2 * allowed - 2, allowed + 1)
        assert decide_verdict(disagreeing, RAND).outcome == ("split", None)


@pytest.mark.parametrize(
    ("counts", "side", "strength"),
    [
        pytest.param((4, 0, 0), None, "insufficient", id="four alike are too few"),
        pytest.param((5, 0, 0), "oppose", "consensus", id="five alike"),
        pytest.param((8, 1, 1), "oppose", "consensus", id="two of ten outside"),
        pytest.param((7, 2, 1), "oppose", "majority", id="three of ten outside, no disagreement"),
        pytest.param((7, 0, 3), None, "split", id="three of ten in the other extreme: disagreement"),
        pytest.param((3, 4, 3), None, "split", id="disagreement around a neutral median"),
        pytest.param((2, 6, 2), "neutral", "majority", id="a neutral majority"),
        pytest.param((2, 7, 0), "neutral", "consensus", id="a neutral consensus"),
        pytest.param((3, 4, 2), "neutral", "split", id="the median's side has less than half"),
        pytest.param((5, 5, 0), None, "split", id="an even panel's median between two thirds"),
        pytest.param((5, 3, 2), None, "split", id="half in one third: the median lies at its border"),
        pytest.param((5, 4, 2), "neutral", "split", id="the largest side need not hold the median"),
    ],
)
def test_the_verdict_follows_the_table(counts: tuple[int, ...], side: str | None, strength: str) -> None:
    assert decide_verdict(thirds(*counts), RAND).outcome == (strength, side)


@given(COUNTS)
def test_the_table_is_applied_to_ratings_as_the_manual_says(counts: list[int]) -> None:
    total = sum(counts)
    verdict = decide_verdict(thirds(*counts), build_rule(rule="rand-ucla", min_answers=1))
    if total == 0:
        assert verdict.strength == "insufficient"
        return
    ratings = [third for third, n in enumerate(counts) for _ in range(n)]
    middle = {ratings[(total - 1) // 2], ratings[total // 2]}
    allowed = max(0, (total - 2) // 3)
    if min(counts[0], counts[2]) > allowed or len(middle) > 1:
        assert verdict.outcome == ("split", None)
        return
    (third,) = middle
    assert verdict.side == THIRDS[third]
    outside = total - counts[third]
    assert (verdict.strength == "consensus") == (outside <= allowed)
    assert (verdict.strength == "majority") == (outside > allowed and 2 * counts[third] > total)


@given(COUNTS)
def test_the_table_does_not_know_left_from_right(counts: list[int]) -> None:
    there, back = (decide_verdict(thirds(*c), RAND) for c in (counts, counts[::-1]))
    turned = {"oppose": "support", "support": "oppose"}
    assert (back.strength, back.side) == (there.strength, turned.get(there.side or "", there.side))


@pytest.mark.parametrize("rule", [DELPHI, RAND], ids=RULES)
def test_many_panels_at_once_get_the_verdicts_that_each_gets(rule: ConsensusRule) -> None:
    panels = [counts for counts in product(range(7), repeat=3) if sum(counts) >= rule.min_answers]
    found = apply_rule(np.array(panels, dtype=float), THIRDS, rule)
    for counts, strength, side in zip(panels, found.strengths.tolist(), found.sides.tolist(), strict=True):
        outcome = (("split", "majority", "consensus")[strength], None if side < 0 else THIRDS[side])
        assert decide_verdict(thirds(*counts), rule).outcome == outcome


@pytest.mark.parametrize(
    ("counts", "rule", "rivals"),
    [
        pytest.param((3, 1, 3), DELPHI, ("oppose", "support"), id="a tie of two"),
        pytest.param((2, 2, 2), DELPHI, THIRDS, id="a tie of three"),
        pytest.param((7, 0, 4), RAND, ("oppose", "support"), id="disagreement"),
        pytest.param((5, 5, 0), RAND, ("oppose", "neutral"), id="a median between two thirds"),
        pytest.param((1, 4, 5), RAND, ("neutral", "support"), id="a median between the other two"),
    ],
)
def test_a_split_without_a_side_lies_between_its_rivals(
    counts: tuple[int, ...], rule: ConsensusRule, rivals: tuple[str, ...]
) -> None:
    assert find_rivals(thirds(*counts), rule) == rivals


# ---------------------------------------------------------------- probability


def draw_shares(*counts: float, n_draws: int = 40_000) -> np.ndarray:
    """Draw shares from the posterior of sure votes under Jeffreys' prior."""
    return np.random.default_rng(3).dirichlet(np.array(counts) + 0.5, size=n_draws)


@pytest.mark.parametrize("counts", [(5, 0, 0), (8, 0, 2), (9, 0, 3), (30, 0, 2)])
def test_the_probability_of_a_consensus_is_the_beta_tail(counts: tuple[int, ...]) -> None:
    verdict = decide_verdict(thirds(*counts), DELPHI)
    assert verdict.outcome == ("consensus", "oppose")
    # A side's share of three under Jeffreys' prior is Beta(n + 1/2, N - n + 2/2).
    expected = beta.sf(0.75, counts[0] + 0.5, sum(counts) - counts[0] + 1)
    found = estimate_probability(draw_shares(*counts), THIRDS, sum(counts), DELPHI, verdict)
    assert found == pytest.approx(expected, abs=SIMULATION_ERROR)


@pytest.mark.parametrize(("n_yes", "n_no"), [(6, 4), (14, 6), (70, 30)])
def test_the_probability_of_a_majority_is_what_lies_between_half_and_the_consensus(n_yes: int, n_no: int) -> None:
    verdict = decide_verdict({"yes": n_yes, "no": n_no}, DELPHI)
    law = beta(n_yes + 0.5, n_no + 0.5)
    found = estimate_probability(draw_shares(n_yes, n_no), ("yes", "no"), n_yes + n_no, DELPHI, verdict)
    assert found == pytest.approx(law.cdf(0.75) - law.cdf(0.5), abs=SIMULATION_ERROR)


@pytest.mark.parametrize("share", [0.3, 0.8, 0.95])
def test_the_probability_of_the_table_is_that_of_a_panel_of_the_same_size(share: float) -> None:
    draws = np.tile([1 - share, 0.0, share], (40_000, 1))
    verdict = Verdict(side="support", strength="consensus", probability=None)
    # Ten votes, at most two outside.
    expected = binom.cdf(2, 10, 1 - share)
    assert estimate_probability(draws, THIRDS, 10, RAND, verdict) == pytest.approx(expected, abs=SIMULATION_ERROR)


@pytest.mark.parametrize(
    ("counts", "rule"),
    [
        pytest.param((4, 0, 4), DELPHI, id="a tie"),
        pytest.param((40, 0, 40), DELPHI, id="a tie of many"),
        pytest.param((2, 0, 0), DELPHI, id="too few"),
        pytest.param((2, 0, 0), RAND, id="too few for the table"),
    ],
)
def test_a_tie_and_too_few_votes_have_no_probability(counts: tuple[int, ...], rule: ConsensusRule) -> None:
    verdict = decide_verdict(thirds(*counts), rule)
    assert estimate_probability(draw_shares(*counts), THIRDS, sum(counts), rule, verdict) is None


def test_disagreement_has_a_probability(scheme: LabelScheme) -> None:
    verdict = decide_verdict(thirds(20, 0, 20), RAND)
    found = estimate_probability(draw_shares(20, 0, 20), scheme.sides, 40, RAND, verdict)
    assert found is not None
    assert 0.8 < found < 1


@pytest.mark.parametrize("rule", [DELPHI, RAND, ConsensusRule(share=0.6)], ids=lambda rule: rule.name)
def test_the_probabilities_of_all_outcomes_add_up_to_one(rule: ConsensusRule) -> None:
    draws = draw_shares(5, 2, 3)
    strengths = ("split", "majority", "consensus")
    outcomes = [{"side": side, "strength": s, "probability": None} for side in (*THIRDS, None) for s in strengths]
    chances = [
        estimate_probability(draws, THIRDS, 10, rule, Verdict.model_validate(outcome)) or 0.0 for outcome in outcomes
    ]
    assert sum(chances) == pytest.approx(1, abs=0.005 * len(outcomes))


@given(st.lists(st.floats(0.1, 30), min_size=3, max_size=3))
@settings(max_examples=20)
def test_a_probability_is_a_probability_and_the_same_each_time(alpha: list[float]) -> None:
    draws = np.random.default_rng(0).dirichlet(alpha, size=300)
    for rule in (DELPHI, RAND):
        verdict = Verdict(side="oppose", strength="majority", probability=None)
        first, second = (estimate_probability(draws, THIRDS, 12, rule, verdict) for _ in range(2))
        assert first == second
        assert first is not None
        assert 0 <= first <= 1
