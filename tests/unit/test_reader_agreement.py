"""How far two readers agree: the same as the libraries', calculated from counts of pairs of labels."""

from __future__ import annotations

import krippendorff
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from data.measure.agreement import measure_agreement, ordinal_alpha, quadratic_kappa
from pipeline.workflow.scheme import default_scheme

SCHEME = default_scheme()
GRADES = [0, 1, 2, 3, 4]
PAIRS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=40)


@given(PAIRS)
def test_alpha_and_kappa_from_counts_are_those_of_the_libraries(pairs: list[tuple[int, int]]) -> None:
    table = np.zeros((5, 5), dtype=int)
    np.add.at(table, tuple(np.array(pairs).T), 1)
    if len({grade for pair in pairs for grade in pair}) < 2:
        assert np.isnan([ordinal_alpha(table), quadratic_kappa(table)]).all()
    else:
        alpha = krippendorff.alpha(np.array(pairs).T, level_of_measurement="ordinal", value_domain=GRADES)
        assert ordinal_alpha(table) == pytest.approx(alpha)
        kappa = cohen_kappa_score(*zip(*pairs, strict=True), labels=GRADES, weights="quadratic")
        assert quadratic_kappa(table) == pytest.approx(kappa)


@pytest.mark.parametrize(
    ("labels", "exact", "sides"),
    [
        pytest.param(("supportive", "supportive"), 1.0, 1.0, id="alike"),
        pytest.param(("supportive", "cautiously_supportive"), 0.0, 1.0, id="one side"),
        pytest.param(("against", "cautiously_supportive"), 0.0, 0.0, id="two sides"),
        pytest.param(("no_stance", "neutral"), 0.0, 0.0, id="without a side"),
    ],
)
def test_labels_and_sides_are_compared(labels: tuple[str, str], exact: float, sides: float) -> None:
    first, second = labels
    agreement = measure_agreement([first], [second], ["a question"], SCHEME)
    assert (agreement.n_answers, agreement.exact.value, agreement.sides.value) == (1, exact, sides)


def test_an_answer_that_a_reader_gave_no_grade_counts_in_no_figure_of_grades() -> None:
    ordered = ["against", "cautiously_against", "neutral", "cautiously_supportive", "supportive"]
    first, second = ordered * 2, ordered + ordered[::-1]
    table = np.eye(5, dtype=int) + np.eye(5, dtype=int)[::-1]
    for ungraded in ([], ["no_stance"] * 3):
        agreement = measure_agreement(
            first + ungraded, second + ungraded[:1] + ordered[: len(ungraded[1:])], ["q"] * (10 + len(ungraded)), SCHEME
        )
        assert agreement.kappa.value == quadratic_kappa(table)
        assert agreement.alpha.value == ordinal_alpha(table)


def test_the_interval_resamples_whole_questions() -> None:
    labels = ["supportive"] * 8 + ["against"] * 2
    other = ["supportive"] * 10
    alone = measure_agreement(labels, other, ["one"] * 10, SCHEME).exact
    assert (alone.low, alone.value, alone.high) == (0.8, 0.8, 0.8)
    two = measure_agreement(labels, other, ["one"] * 8 + ["two"] * 2, SCHEME).exact
    assert (two.low, two.value, two.high) == (0.0, 0.8, 1.0)
