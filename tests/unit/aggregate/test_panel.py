"""The whole view of one question: every number in its place, and all of them consistent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.aggregate import CallErrors, ConsensusRule, aggregate_question, build_rule, estimate_prevalence
from pipeline.errors import BadInput
from pipeline.schema import ClassifiedAnswer, LabelScheme, Verdict

Build = Callable[..., ClassifiedAnswer]
BuildAll = Callable[..., list[ClassifiedAnswer]]
RULE = ConsensusRule()
FEW_DRAWS = ConsensusRule(n_draws=50)
WEIGHTED = build_rule(weight_by="w")


def never_errs(scheme: LabelScheme) -> CallErrors:
    """Errors of a model that is always right and never abstains."""
    return CallErrors(scheme, np.pad(np.eye(len(scheme.labels)) * 10_000.0, ((0, 0), (0, 1))))


def often_errs(scheme: LabelScheme) -> CallErrors:
    """Errors of a model that is right in half of its calls and else calls anything, or nothing."""
    n = len(scheme.labels)
    return CallErrors(scheme, np.pad(np.eye(n) * 50.0, ((0, 0), (0, 1))) + 10.0)


def leans_to_first(scheme: LabelScheme) -> CallErrors:
    """Errors of a model that calls most answers by the first label, whatever they say."""
    n = len(scheme.labels)
    counts = np.pad(np.eye(n) * 40.0, ((0, 0), (0, 1))) + 1.0
    counts[:, 0] += 100.0
    return CallErrors(scheme, counts)


def test_abstained_answers_and_those_without_a_stance_count_in_no_share(
    scheme: LabelScheme, build: Build, build_all: BuildAll
) -> None:
    panel = [
        *build_all(scheme, "against", "against", "supportive", "against"),
        build("supportive", scheme, 5, abstained=True),
        build("no_stance", scheme, 6),
        build("no_stance", scheme, 7, abstained=True),
    ]
    consensus = aggregate_question(panel, scheme, RULE)
    assert (consensus.n_answers, consensus.n_with_stance, consensus.n_no_stance, consensus.n_abstained) == (7, 4, 1, 2)
    assert consensus.verdict == Verdict(side=None, strength="insufficient", probability=None)
    assert consensus.prevalence["supportive"].n == 1
    assert consensus.prevalence["against"].share == 0.75
    assert "no_stance" not in consensus.prevalence
    assert consensus.dissent == ()
    assert consensus.flip is None


STANCES = ["against", "cautiously_against", "neutral", "cautiously_supportive", "supportive", "no_stance"]
PEOPLE = st.sampled_from([None, "Ada Quill", "Bo Fenn"])


@given(st.lists(st.tuples(st.sampled_from(STANCES), st.booleans(), PEOPLE), min_size=1, max_size=20), st.booleans())
@settings(max_examples=60)
def test_the_numbers_of_a_consensus_add_up(
    scheme: LabelScheme, build: Build, calls: list[tuple[str, bool, str | None]], with_errors: bool
) -> None:
    panel = [
        build(stance, scheme, n, abstained=abstained, respondent={"name": name, "specialty": name and name[0]})
        for n, (stance, abstained, name) in enumerate(calls, start=1)
    ]
    errors = often_errs(scheme) if with_errors else None
    found = aggregate_question(panel, scheme, FEW_DRAWS, errors=errors, by=["specialty"])
    assert found.answers == tuple(panel)
    assert found.n_answers == found.n_with_stance + found.n_no_stance + found.n_abstained + found.n_merged
    assert found.n_merged == len(found.merged_ids)
    assert sum(p.n for p in found.prevalence.values()) == found.n_with_stance
    assert sum(p.n for p in found.sides.values()) == found.n_with_stance
    for side, prevalence in found.sides.items():
        members = [label.name for label in scheme.labels if label.side == side]
        assert prevalence.n == sum(found.prevalence[name].n for name in members)
    for prevalence in (*found.sides.values(), *found.prevalence.values()):
        assert prevalence.low <= prevalence.share <= prevalence.high
        assert (prevalence.corrected is not None) == with_errors
    if found.n_with_stance:
        assert sum(p.share for p in found.sides.values()) == pytest.approx(1, abs=5e-4)
    if found.verdict.side is not None:
        assert len(found.dissent) == found.n_with_stance - found.sides[found.verdict.side].n
    has_probability = with_errors and found.verdict.side is not None
    assert (found.verdict.probability is not None) == has_probability
    (cells,) = found.breakdown.values()
    assert sum(cell.n_votes for cell in cells) == found.n_answers - found.n_merged
    assert sum(cell.n_with_stance for cell in cells) == found.n_with_stance


@given(st.permutations(["against"] * 3 + ["neutral"] + ["supportive"] * 3))
@settings(max_examples=10)
def test_a_tie_is_a_tie_in_whatever_order_the_answers_come(
    scheme: LabelScheme, build_all: BuildAll, stances: list[str]
) -> None:
    consensus = aggregate_question(build_all(scheme, *stances), scheme, FEW_DRAWS, errors=never_errs(scheme))
    assert consensus.verdict == Verdict(side=None, strength="split", probability=None)


# ---------------------------------------------------------------- the classifier's errors


@pytest.mark.parametrize("rule", [RULE, build_rule(rule="rand-ucla")], ids=["delphi", "rand-ucla"])
def test_a_verdict_is_the_less_sure_the_more_the_classifier_errs_towards_it(
    scheme: LabelScheme, build_all: BuildAll, rule: ConsensusRule
) -> None:
    panel = build_all(scheme, *["against"] * 17, *["supportive"] * 3)
    right, wrong = (aggregate_question(panel, scheme, rule, errors=e(scheme)) for e in (never_errs, leans_to_first))
    assert right.verdict.outcome == wrong.verdict.outcome == ("consensus", "oppose")
    assert right.verdict.probability is not None
    assert wrong.verdict.probability is not None
    assert right.verdict.probability > 0.7
    assert wrong.verdict.probability < right.verdict.probability - 0.2
    plain, corrected = wrong.sides["oppose"], wrong.sides["oppose"].corrected
    assert corrected is not None
    assert corrected.high - corrected.low > plain.high - plain.low
    assert corrected.share < plain.share


def test_the_probability_grows_with_the_number_of_like_answers(scheme: LabelScheme, build_all: BuildAll) -> None:
    chances = [
        aggregate_question(build_all(scheme, *["against"] * n), scheme, RULE, errors=never_errs(scheme)).verdict
        for n in (5, 8, 12, 20)
    ]
    found = [verdict.probability or 0.0 for verdict in chances]
    assert found == sorted(set(found))
    assert found[-1] > 0.95


def test_the_same_answers_give_the_same_consensus(scheme: LabelScheme, build_all: BuildAll) -> None:
    panel = build_all(scheme, *["against"] * 6, *["neutral"] * 2, "supportive")
    first, second = (aggregate_question(panel, scheme, RULE, errors=often_errs(scheme)) for _ in range(2))
    assert first == second


# ---------------------------------------------------------------- one vote per doctor


def test_a_respondents_second_answer_counts_nothing_unless_repeats_are_kept(
    scheme: LabelScheme, build: Build, build_all: BuildAll
) -> None:
    panel = [*build_all(scheme, *["against"] * 5)]
    panel += [build("supportive", scheme, n, respondent={"name": "Ada Quill"}) for n in (6, 7, 8)]
    once, each = (aggregate_question(panel, scheme, build_rule(keep_repeats=keep)) for keep in (False, True))
    assert (once.n_with_stance, once.n_merged, once.sides["support"].n) == (6, 2, 1)
    assert (once.mergers[0].counted, once.mergers[0].others) == ("a6", ("a7", "a8"))
    assert once.merged_ids == {"a7", "a8"}
    assert once.verdict.strength == "consensus"
    assert (each.n_with_stance, each.n_merged, each.mergers) == (8, 0, ())
    assert each.verdict.strength == "majority"


# ---------------------------------------------------------------- weights


def test_equal_weights_change_nothing(scheme: LabelScheme, build_all: BuildAll) -> None:
    stances = ["against"] * 6 + ["neutral"] * 2 + ["supportive"]
    panel = build_all(scheme, *stances, w="0.7")
    plain, weighted = (aggregate_question(panel, scheme, rule, errors=often_errs(scheme)) for rule in (RULE, WEIGHTED))
    for name, found in weighted.sides.items():
        other = plain.sides[name]
        assert (found.n, found.share) == (other.n, other.share)
        assert (found.low, found.high) == pytest.approx((other.low, other.high), abs=1e-4)
    assert weighted.verdict.outcome == plain.verdict.outcome
    assert weighted.verdict.probability == pytest.approx(plain.verdict.probability, abs=0.01)
    assert (weighted.agreement, weighted.polarisation) == (plain.agreement, plain.polarisation)


def test_shares_and_the_rule_follow_the_weights_and_intervals_the_effective_number(
    scheme: LabelScheme, build: Build
) -> None:
    weights = [1, 1, 1, 1, 12]
    panel = [build("supportive" if w > 1 else "against", scheme, n, w=w) for n, w in enumerate(weights, start=1)]
    consensus = aggregate_question(panel, scheme, WEIGHTED)
    assert consensus.verdict.outcome == ("consensus", "support")
    assert {side: (p.n, p.share) for side, p in consensus.sides.items()} == {
        "oppose": (4, 0.25),
        "neutral": (0, 0.0),
        "support": (1, 0.75),
    }
    effective = 16**2 / (4 + 144)
    expected = estimate_prevalence(0.75 * effective, effective, RULE.interval)
    support = consensus.sides["support"]
    assert (support.low, support.high) == (expected.low, expected.high)


def test_an_answer_without_a_weight_is_bad_input(scheme: LabelScheme, build_all: BuildAll) -> None:
    with pytest.raises(BadInput, match=r"^f\.csv, row at line 2, column w: is missing or empty"):
        aggregate_question(build_all(scheme, *["against"] * 6), scheme, WEIGHTED)


def test_votes_that_weigh_nothing_give_no_verdict(scheme: LabelScheme, build_all: BuildAll) -> None:
    consensus = aggregate_question(
        build_all(scheme, *["against"] * 6, w=0), scheme, WEIGHTED, errors=often_errs(scheme)
    )
    assert consensus.verdict.outcome == ("insufficient", None)
    assert consensus.sides["oppose"].n == 6
    assert (consensus.agreement, consensus.polarisation) == (None, None)


# ---------------------------------------------------------------- broken down by a field


def respond(**fields: Any) -> dict[str, Any]:
    return {"respondent": fields}


def test_votes_are_broken_down_by_a_field_most_votes_first_then_by_name(scheme: LabelScheme, build: Build) -> None:
    specialties = ["Surgeon"] * 5 + ["Dentist"] * 2 + [" Anaesthetist "] * 2 + [None] * 2
    panel = [
        build("against" if n % 2 else "supportive", scheme, n, **respond(specialty=s))
        for n, s in enumerate(specialties, start=1)
    ]
    consensus = aggregate_question(panel, scheme, RULE, by=["specialty", "respondent.specialty"])
    cells = consensus.breakdown["specialty"]
    assert [(cell.value, cell.n_votes, cell.is_small) for cell in cells] == [
        ("Surgeon", 5, False),
        ("Anaesthetist", 2, True),
        ("Dentist", 2, True),
        (None, 2, True),
    ]
    assert {side: p.n for side, p in cells[0].sides.items()} == {"oppose": 3, "neutral": 0, "support": 2}
    assert cells[0].sides["oppose"].share == 0.6
    assert consensus.breakdown["respondent.specialty"] == cells


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        pytest.param(3, "3", id="a whole number"),
        pytest.param(4.50, "4.5", id="a fraction"),
        pytest.param(True, "True", id="a truth value"),
        pytest.param("a\n b", "a b", id="lines"),
        pytest.param("", None, id="empty"),
    ],
)
def test_any_column_can_be_broken_down_by(scheme: LabelScheme, build: Build, value: object, shown: str | None) -> None:
    consensus = aggregate_question([build("against", scheme, ward=value)], scheme, RULE, by=["ward"])
    assert [cell.value for cell in consensus.breakdown["ward"]] == [shown]


def test_answers_that_count_nothing_are_in_no_cell(scheme: LabelScheme, build: Build) -> None:
    panel = [build("against", scheme, n, **respond(name="Ada Quill", specialty=f"S{n}")) for n in (1, 2)]
    consensus = aggregate_question(panel, scheme, RULE, by=["specialty"])
    assert [cell.value for cell in consensus.breakdown["specialty"]] == ["S1"]
