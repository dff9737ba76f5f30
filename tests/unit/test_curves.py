"""The curves agree with the scores they are drawn beside, on any confidences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.curves import ReliabilityBin, coverage_curve, reliability_bins
from pipeline.evaluate import COVERAGE, calibration_error

if TYPE_CHECKING:
    from numpy.typing import NDArray

CALLS = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=300)


def columns(calls: list[tuple[float, bool]]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    return np.array([confidence for confidence, _ in calls]), np.array([right for _, right in calls])


@given(CALLS, st.integers(1, 20))
def test_every_answer_is_in_one_bin(calls: list[tuple[float, bool]], n_bins: int) -> None:
    bins = reliability_bins(*columns(calls), n_bins)
    assert sum(b.n for b in bins) == len(calls)
    assert sum(b.n * b.accuracy for b in bins) == pytest.approx(sum(right for _, right in calls))
    assert len(bins) <= n_bins
    assert all(b.n > 0 for b in bins)
    assert [b.confidence for b in bins] == sorted(b.confidence for b in bins)


@given(CALLS)
@example([(1.0, True), (0.0, False), (0.3, True), (0.7, False)])
def test_the_weighted_gap_of_the_bins_is_the_calibration_error(calls: list[tuple[float, bool]]) -> None:
    confidence, right = columns(calls)
    gap = sum(abs(b.confidence - b.accuracy) * b.n for b in reliability_bins(confidence, right)) / len(calls)
    assert gap == pytest.approx(calibration_error(confidence, right), abs=1e-12)


def test_a_full_confidence_is_in_the_last_bin() -> None:
    bins = reliability_bins(np.array([1.0, 0.95]), np.array([True, False]))
    assert bins == [ReliabilityBin(0.975, 0.5, 2)]


@given(CALLS)
def test_coverage_increases_to_one_where_the_accuracy_is_that_of_all(calls: list[tuple[float, bool]]) -> None:
    confidence, right = columns(calls)
    coverage, accuracy = coverage_curve(confidence, right)
    assert len(coverage) == len(accuracy) <= 101
    assert (np.diff(coverage) > 0).all()
    assert coverage[0] > 0
    assert coverage[-1] == 1.0
    assert accuracy[-1] == pytest.approx(right.mean())


@given(CALLS)
def test_each_point_is_the_accuracy_of_the_surest(calls: list[tuple[float, bool]]) -> None:
    # Python's sort is stable too: of equal confidences, the earlier answer is called first.
    surest_first = [right for _, right in sorted(calls, key=lambda call: -call[0])]
    for share, accuracy in zip(*coverage_curve(*columns(calls)), strict=True):
        n_called = round(share * len(calls))
        assert accuracy == pytest.approx(sum(surest_first[:n_called]) / n_called)


@given(CALLS)
def test_the_curve_passes_through_the_accuracy_at_coverage(calls: list[tuple[float, bool]]) -> None:
    n_called = max(1, round(COVERAGE * len(calls)))
    assert n_called / len(calls) in coverage_curve(*columns(calls))[0]


def test_equal_confidences_keep_the_order_of_the_answers() -> None:
    _, accuracy = coverage_curve(np.full(4, 0.5), np.array([True, True, False, False]))
    assert accuracy.round(2).tolist() == [1.0, 1.0, 0.67, 0.5]


def test_no_answers_give_no_curve() -> None:
    nothing = np.array([], dtype=float), np.array([], dtype=bool)
    assert reliability_bins(*nothing) == []
    assert [len(column) for column in coverage_curve(*nothing)] == [0, 0]
