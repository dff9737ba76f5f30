"""Agreement and polarisation: published or hand-worked values, and what they are at their extremes."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.aggregate import aggregate_question
from pipeline.aggregate.agreement import measure_agreement, measure_polarisation
from pipeline.aggregate.rules import ConsensusRule
from pipeline.schema import ClassifiedAnswer, LabelScheme

COUNTS = st.lists(st.integers(0, 60), min_size=2, max_size=9)


@pytest.mark.parametrize(
    ("counts", "agreement"),
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
        pytest.param([0.1, 0.8, 0.1], 0.7, id="two layers of weights"),
    ],
)
def test_agreement_has_the_published_or_hand_worked_value(counts: list[float], agreement: float) -> None:
    assert measure_agreement(counts) == pytest.approx(agreement, abs=5e-5)


@pytest.mark.parametrize(
    ("counts", "polarisation"),
    [
        pytest.param([0, 7, 0, 0, 0], 0.0, id="all alike"),
        pytest.param([7, 0], 0.0, id="two grades, all alike"),
        pytest.param([6, 0, 0, 0, 6], 1.0, id="half and half at the poles"),
        pytest.param([6, 0, 0, 6], 1.0, id="half and half at the poles of an even scale"),
        pytest.param([3, 3], 1.0, id="half and half of two grades"),
        pytest.param([4, 4, 4, 4, 4], 0.6, id="uniform of five: 6/10"),
        pytest.param([4, 4, 4, 4], 2 / 3, id="uniform of four: 4/6"),
        pytest.param([2, 2, 2, 2, 2, 2, 2], 4 / 7, id="uniform of seven: 8/14"),
        # Worked by hand: F = 1/2, 1, 1, 1 and d = 1/2, 0, 0, 0.
        pytest.param([6, 6, 0, 0, 0], 0.25, id="two neighbours of five"),
        # Worked by hand: F = .3, .3, .3, .3 and d the same.
        pytest.param([3, 0, 0, 0, 7], 0.6, id="three and seven at the poles"),
        pytest.param([0.3, 0, 0, 0, 0.7], 0.6, id="weights at the poles"),
    ],
)
def test_polarisation_has_the_hand_worked_value(counts: list[float], polarisation: float) -> None:
    assert measure_polarisation(counts) == pytest.approx(polarisation, abs=5e-5)


def test_without_votes_there_is_neither() -> None:
    assert measure_agreement([0, 0, 0]) is None
    assert measure_polarisation([0, 0, 0]) is None


@given(COUNTS)
@settings(max_examples=80)
def test_both_stay_between_their_extremes_and_do_not_know_left_from_right(counts: list[int]) -> None:
    for measure, lowest in ((measure_agreement, -1), (measure_polarisation, 0)):
        found = measure(counts)
        if found is None:
            assert sum(counts) == 0
            continue
        assert lowest <= found <= 1
        assert measure(counts[::-1]) == pytest.approx(found, abs=2e-4)
        assert measure([3 * n for n in counts]) == pytest.approx(found, abs=2e-4)
        assert measure([0.1 * n for n in counts]) == pytest.approx(found, abs=2e-4)


@given(COUNTS.filter(any))
@settings(max_examples=80)
def test_polarisation_is_its_formula_in_exact_arithmetic(counts: list[int]) -> None:
    total = sum(counts)
    reached = [Fraction(sum(counts[: i + 1]), total) for i in range(len(counts) - 1)]
    expected = 2 * sum(min(f, 1 - f) for f in reached) / len(reached)
    assert measure_polarisation(counts) == pytest.approx(float(expected), abs=1e-4)


@given(st.integers(3, 9), st.integers(1, 20))
def test_only_all_alike_is_0_and_only_the_poles_are_1(n_grades: int, n: int) -> None:
    poles = [n, *[0] * (n_grades - 2), n]
    assert measure_polarisation(poles) == 1
    assert measure_polarisation([*poles[:-1], n + 1]) != 1
    alike = [0] * n_grades
    alike[1] = n
    assert measure_polarisation(alike) == 0
    alike[0] = 1
    assert measure_polarisation(alike) != 0


def test_both_follow_the_values_of_the_labels_not_their_order_in_the_scheme(
    build_all: Callable[..., list[ClassifiedAnswer]],
) -> None:
    labels = [
        {"name": "middle", "value": 0, "side": "b"},
        {"name": "high", "value": 1, "side": "c"},
        {"name": "low", "value": -1, "side": "a"},
    ]
    scheme = LabelScheme.model_validate({"name": "shuffled", "labels": labels})
    consensus = aggregate_question(build_all(scheme, "low", "low", "high", "high"), scheme, ConsensusRule())
    assert (consensus.agreement, consensus.polarisation) == (-1, 1)


def test_a_scheme_without_order_has_neither(build_all: Callable[..., list[ClassifiedAnswer]]) -> None:
    scheme = LabelScheme.from_labels("yes or no", ["yes", "no"])
    consensus = aggregate_question(build_all(scheme, "yes", "no"), scheme, ConsensusRule())
    assert (consensus.agreement, consensus.polarisation) == (None, None)
