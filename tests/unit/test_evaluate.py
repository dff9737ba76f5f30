"""Scores against independent computations, and cross-validation that never leaks a question."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, cohen_kappa_score, f1_score, log_loss, precision_score

from pipeline.classify import ClassifierConfig
from pipeline.errors import BadInput
from pipeline.evaluate import (
    COVERAGE,
    apply_temperature,
    calibration_error,
    choose_abstention,
    cross_validate,
    fit_temperature,
    group_questions,
    score_abstention,
    score_posteriors,
)
from pipeline.schema import Label, LabelScheme

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.classify import Floats

YES_NO = LabelScheme.from_labels("s", ["no", "yes"])
THREE = LabelScheme.from_labels("s", ["no", "depends", "yes"])
CONFIG = ClassifierConfig(min_answers=1)


def draw(scheme: LabelScheme, n: int = 90, seed: int = 3) -> tuple[Floats, list[str], list[str]]:
    """Draw posteriors, gold labels that agree with them more often than not, and questions."""
    random = np.random.default_rng(seed)
    posteriors = random.dirichlet(np.full(len(scheme.names), 0.5), size=n)
    gold = [scheme.names[random.choice(len(row), p=row)] for row in posteriors]
    return posteriors, gold, [f"q{k}" for k in random.integers(0, 12, size=n)]


def called_by_hand(posteriors: Floats, scheme: LabelScheme) -> tuple[list[str], list[float]]:
    called, confidence = [], []
    for row in posteriors:
        groups: dict[str, float] = {}
        for name, p in zip(scheme.names, row, strict=True):
            groups[side(scheme, name)] = groups.get(side(scheme, name), 0.0) + p
        best = max(groups, key=groups.__getitem__)
        on_it = {name: p for name, p in zip(scheme.names, row, strict=True) if side(scheme, name) == best}
        called.append(max(on_it, key=on_it.__getitem__))
        confidence.append(groups[best])
    return called, confidence


def side(scheme: LabelScheme, name: str) -> str:
    return scheme.side_of(name) or name


# ---------------------------------------------------------------- scores


def test_label_scores_are_those_of_scikit_learn(scheme: LabelScheme) -> None:
    posteriors, gold, questions = draw(scheme)
    scores = score_posteriors(posteriors, gold, questions, scheme)
    called, _ = called_by_hand(posteriors, scheme)
    assert scores.n_answers == 90
    assert scores.n_questions == len(set(questions))
    assert scores.accuracy == pytest.approx(accuracy_score(gold, called), abs=1e-4)
    assert scores.macro_f1 == pytest.approx(f1_score(gold, called, average="macro"), abs=1e-4)
    assert scores.log_loss == pytest.approx(log_loss_by_sklearn(posteriors, gold, scheme), abs=1e-4)
    for name in scheme.names:
        one = scores.labels[name]
        assert one["n"] == gold.count(name)
        assert one["precision"] == pytest.approx(
            precision_score(gold, called, labels=[name], average="micro"), abs=1e-4
        )
        assert one["f1"] == pytest.approx(f1_score(gold, called, labels=[name], average=None)[0], abs=1e-4)


def log_loss_by_sklearn(posteriors: Floats, gold: Sequence[str], scheme: LabelScheme) -> float:
    order = np.argsort(scheme.names)
    return float(log_loss(gold, posteriors[:, order], labels=sorted(scheme.names)))


def test_side_scores_count_sides(scheme: LabelScheme) -> None:
    posteriors, gold, questions = draw(scheme)
    scores = score_posteriors(posteriors, gold, questions, scheme)
    called, _ = called_by_hand(posteriors, scheme)
    gold_sides = [side(scheme, name) for name in gold]
    called_sides = [side(scheme, name) for name in called]
    polar = [(g, c) for g, c in zip(gold_sides, called_sides, strict=True) if g in {"oppose", "support"}]
    assert scores.side_accuracy == pytest.approx(sum(g == c for g, c in polar) / len(polar), abs=1e-4)
    assert scores.side_macro_f1 == pytest.approx(f1_score(gold_sides, called_sides, average="macro"), abs=1e-4)


def test_the_confusion_counts_gold_by_row_and_calls_by_column() -> None:
    posteriors = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]])
    scores = score_posteriors(posteriors, ["no", "yes", "yes"], ["a", "b", "c"], YES_NO)
    assert scores.confusion == [[1, 0], [1, 1]]


def test_the_confusion_holds_every_answer(scheme: LabelScheme) -> None:
    posteriors, gold, questions = draw(scheme)
    confusion = score_posteriors(posteriors, gold, questions, scheme).confusion
    assert [sum(row) for row in confusion] == [gold.count(name) for name in scheme.names]


def kappa_by_hand(y_true: Sequence[int], y_pred: Sequence[int], n: int) -> float:
    weights = np.array([[(i - j) ** 2 for j in range(n)] for i in range(n)])
    observed = np.zeros((n, n))
    for i, j in zip(y_true, y_pred, strict=True):
        observed[i, j] += 1
    expected = np.outer(observed.sum(axis=1), observed.sum(axis=0)) / len(y_true)
    return float(1 - (weights * observed).sum() / (weights * expected).sum())


def test_kappa_compares_grades_by_the_square_of_their_distance(scheme: LabelScheme) -> None:
    posteriors, gold, questions = draw(scheme)
    grades = list(scheme.names[:5])
    pairs = [(grades.index(g), int(row[:5].argmax())) for g, row in zip(gold, posteriors, strict=True) if g in grades]
    expected = kappa_by_hand([g for g, _ in pairs], [c for _, c in pairs], 5)
    assert score_posteriors(posteriors, gold, questions, scheme).weighted_kappa == pytest.approx(expected, abs=1e-4)


def test_kappa_goes_by_the_values_of_the_grades_not_by_the_order_of_the_scheme() -> None:
    labels = {"pro": 1, "con": -1, "neutral": 0}
    mixed = LabelScheme(name="s", labels=tuple(Label(name=n, value=v, side=n) for n, v in labels.items()))
    posteriors, gold, questions = draw(mixed)
    called, _ = called_by_hand(posteriors, mixed)
    values = [-1, 0, 1]
    expected = cohen_kappa_score(
        [labels[g] for g in gold], [labels[c] for c in called], weights="quadratic", labels=values
    )
    assert score_posteriors(posteriors, gold, questions, mixed).weighted_kappa == pytest.approx(expected, abs=1e-4)


def test_a_scheme_without_order_has_no_kappa() -> None:
    assert score_posteriors(*draw(THREE), THREE).weighted_kappa is None


def test_one_grade_throughout_has_no_kappa(scheme: LabelScheme) -> None:
    posteriors = np.tile([0.0, 0.0, 0.0, 0.0, 1.0, 0.0], (3, 1))
    assert score_posteriors(posteriors, ["supportive"] * 3, ["a", "b", "c"], scheme).weighted_kappa is None


def test_answers_that_take_no_side_have_no_side_accuracy(scheme: LabelScheme) -> None:
    scores = score_posteriors(np.full((2, 6), 1 / 6), ["neutral", "no_stance"], ["a", "b"], scheme)
    assert scores.side_accuracy is None
    assert scores.side_accuracy_interval is None


def test_the_calibration_error_is_the_mean_distance_over_ten_bins(scheme: LabelScheme) -> None:
    posteriors, gold, questions = draw(scheme)
    called, confidence = called_by_hand(posteriors, scheme)
    right = [side(scheme, g) == side(scheme, c) for g, c in zip(gold, called, strict=True)]
    expected = 0.0
    for low in range(10):
        inside = [k for k, c in enumerate(confidence) if low <= c * 10 < low + 1 or (low == 9 and c >= 1)]
        if inside:
            gap = sum(confidence[k] for k in inside) - sum(right[k] for k in inside)
            expected += abs(gap) / len(confidence)
    scores = score_posteriors(posteriors, gold, questions, scheme)
    assert scores.calibration_error == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("confidence", "right", "error"),
    [
        pytest.param([1.0, 1.0], [True, True], 0.0, id="sure and right"),
        pytest.param([1.0, 1.0], [False, False], 1.0, id="sure and wrong"),
        pytest.param([0.6, 0.9], [True, True], 0.25, id="a bin each"),
        pytest.param([0.52, 0.58], [True, False], 0.05, id="one bin"),
    ],
)
def test_the_calibration_error_of_a_few(confidence: list[float], right: list[bool], error: float) -> None:
    assert calibration_error(np.array(confidence), np.array(right)) == pytest.approx(error)


def test_accuracy_at_coverage_counts_the_surest_seven_in_ten() -> None:
    sure = np.linspace(0.95, 0.55, 10)
    gold = ["no"] * 6 + ["yes"] * 4
    scores = score_posteriors(np.stack([sure, 1 - sure], axis=1), gold, list("abcdefghij"), YES_NO)
    assert scores.accuracy == 0.6
    assert scores.accuracy_at_coverage == pytest.approx(6 / 7, abs=1e-4)


def test_the_interval_is_the_same_every_time_and_holds_the_share(scheme: LabelScheme) -> None:
    data = draw(scheme)
    one, two = score_posteriors(*data, scheme), score_posteriors(*data, scheme)
    assert one == two
    assert one.side_accuracy is not None
    assert one.side_accuracy_interval is not None
    low, high = one.side_accuracy_interval
    assert 0 <= low < one.side_accuracy < high <= 1


def test_answers_to_one_question_are_resampled_together() -> None:
    posteriors = np.tile([0.9, 0.1], (40, 1))
    gold = ["no"] * 20 + ["yes"] * 20
    alone = score_posteriors(posteriors, gold, [f"q{k}" for k in range(40)], YES_NO)
    together = score_posteriors(posteriors, gold, ["right"] * 20 + ["wrong"] * 20, YES_NO)
    assert alone.side_accuracy_interval is not None
    assert 0.3 < alone.side_accuracy_interval[0] < alone.side_accuracy_interval[1] < 0.7
    assert together.side_accuracy_interval == (0.0, 1.0)


def test_scores_can_be_written_as_json(scheme: LabelScheme) -> None:
    row = score_posteriors(*draw(scheme), scheme).to_row()
    assert json.loads(json.dumps(row))["confusion"] == row["confusion"]


# ---------------------------------------------------------------- temperature

POSTERIORS = st.lists(
    st.lists(st.sampled_from([0.0, 0.01, 0.2, 0.5, 0.99]), min_size=3, max_size=3).filter(any), min_size=1, max_size=8
).map(lambda rows: np.array(rows) / np.array(rows).sum(axis=1, keepdims=True))


@given(POSTERIORS)
def test_a_temperature_of_one_changes_nothing(posteriors: Floats) -> None:
    np.testing.assert_allclose(apply_temperature(posteriors, 1.0), posteriors, rtol=1e-12)


@given(POSTERIORS, st.floats(0.2, 5))
def test_a_temperature_keeps_zeros_sums_and_the_order_of_labels(posteriors: Floats, temperature: float) -> None:
    scaled = apply_temperature(posteriors, temperature)
    np.testing.assert_allclose(scaled.sum(axis=1), 1)
    assert (scaled[posteriors == 0] == 0).all()
    by_rank = np.take_along_axis(scaled, posteriors.argsort(axis=1), axis=1)
    assert (np.diff(by_rank, axis=1) >= -1e-12).all()


@pytest.mark.parametrize("true_temperature", [0.5, 1.0, 2.0])
def test_the_fitted_temperature_undoes_too_much_or_too_little_confidence(true_temperature: float) -> None:
    honest, gold, _ = draw(THREE, n=3000)
    distorted = apply_temperature(honest, 1 / true_temperature)
    assert fit_temperature(distorted, gold, THREE) == pytest.approx(true_temperature, rel=0.1)


@given(POSTERIORS, st.data())
@settings(deadline=None, max_examples=60)
def test_the_fitted_temperature_never_raises_the_log_loss(posteriors: Floats, data: st.DataObject) -> None:
    names = st.sampled_from(THREE.names)
    gold = data.draw(st.lists(names, min_size=len(posteriors), max_size=len(posteriors)))
    temperature = fit_temperature(posteriors, gold, THREE)
    assert 0.2 <= temperature <= 5
    questions = [str(row) for row in range(len(gold))]
    before = score_posteriors(posteriors, gold, questions, THREE).log_loss
    after = score_posteriors(apply_temperature(posteriors, temperature), gold, questions, THREE).log_loss
    assert after <= before + 1e-3


# ---------------------------------------------------------------- abstention


def test_the_threshold_is_the_least_one_that_reaches_the_target() -> None:
    sure = np.array([0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.6, 0.55])
    gold = ["no"] * 8 + ["yes"] * 2
    threshold = choose_abstention(np.stack([sure, 1 - sure], axis=1), gold, YES_NO, 0.85)
    assert threshold == 0.56
    assert choose_abstention(np.stack([sure, 1 - sure], axis=1), gold, YES_NO, 0.8) == 0


@given(st.lists(st.tuples(st.floats(0.5, 1), st.sampled_from(["no", "yes"])), min_size=1, max_size=40), st.floats(0, 1))
@settings(deadline=None, max_examples=150)
def test_no_threshold_silences_more_answers_than_the_coverage_allows(
    rows: list[tuple[float, str]], target: float
) -> None:
    posteriors = np.array([[p, 1 - p] for p, _ in rows])
    gold = [label for _, label in rows]
    threshold = choose_abstention(posteriors, gold, YES_NO, target)
    assert threshold == round(threshold, 2)
    assert (posteriors[:, 0] >= threshold).mean() >= COVERAGE - 1e-9


@pytest.mark.parametrize(
    ("threshold", "coverage", "accuracy"),
    [(0.0, 1.0, 0.5), (0.7, 0.5, 1.0), (0.6, 0.75, 0.6667), (1.01, 0.0, 0.0)],
)
def test_abstention_is_scored_on_the_calls_that_are_made(threshold: float, coverage: float, accuracy: float) -> None:
    posteriors = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.55, 0.45]])
    scores = score_abstention(posteriors, ["no", "yes", "yes", "yes"], YES_NO, threshold)
    assert scores == {"coverage": coverage, "accuracy_when_called": accuracy}


# ---------------------------------------------------------------- cross-validation


def stack(documents: Sequence[tuple[str, str]]) -> NDArray[np.object_]:
    X = np.empty((len(documents), 2), dtype=object)
    for row, pair in enumerate(documents):
        X[row] = pair
    return X


def informative(n_questions: int, n_each: int) -> tuple[NDArray[np.object_], list[str], list[str]]:
    """Give answers whose words tell their label whatever the question."""
    gold = [("no", "yes")[k % 2] for k in range(n_questions * n_each)]
    X = stack([(f"{label}_word common", f"{label}_cue") for label in gold])
    return X, gold, [f"q{k // n_each}" for k in range(len(gold))]


def test_no_answer_is_predicted_by_a_model_that_saw_its_question() -> None:
    # A word that stands in every answer to one question, and nowhere else, tells that question's label.
    # A model that never saw the question knows no word but the common one, so that all answers of a fold look alike.
    labels = [("no", "yes")[k % 2] for k in range(12)]
    gold = [label for label in labels for _ in range(4)]
    questions = [f"q{k}" for k in range(12) for _ in range(4)]
    X = stack([(f"only_in_{question} common", "cue") for question in questions])
    validation = cross_validate(X, gold, questions, YES_NO, CONFIG, n_folds=4)
    assert validation.grouped_by == "question"
    assert len(np.unique(validation.posteriors.round(9), axis=0)) <= validation.n_folds
    leaky = cross_validate(X, gold, [f"{q}-{k}" for k, q in enumerate(questions)], YES_NO, CONFIG, n_folds=4)
    assert score_posteriors(leaky.posteriors, gold, questions, YES_NO).accuracy == 1


def test_cross_validation_learns_what_holds_across_questions() -> None:
    X, gold, questions = informative(6, 4)
    validation = cross_validate(X, gold, questions, YES_NO, CONFIG)
    assert validation.n_folds == 5
    assert validation.posteriors.shape == (24, 2)
    np.testing.assert_allclose(validation.posteriors.sum(axis=1), 1)
    assert [YES_NO.names[column] for column in validation.posteriors.argmax(axis=1)] == gold


def test_cross_validation_gives_the_same_twice() -> None:
    X, gold, questions = informative(6, 4)
    one, two = (cross_validate(X, gold, questions, YES_NO, CONFIG) for _ in range(2))
    assert np.array_equal(one.posteriors, two.posteriors)
    assert one.temperature == two.temperature


def test_there_are_no_more_folds_than_questions() -> None:
    assert cross_validate(*informative(3, 6), YES_NO, CONFIG).n_folds == 3


def test_a_single_question_is_held_out_by_answer() -> None:
    validation = cross_validate(*informative(1, 12), YES_NO, CONFIG)
    assert validation.grouped_by == "answer"
    assert validation.n_folds == 5
    np.testing.assert_allclose(validation.posteriors.sum(axis=1), 1)


def test_the_number_of_folds_of_a_single_question_can_be_written_as_json() -> None:
    validation = cross_validate(*informative(1, 6), YES_NO, CONFIG)
    assert json.dumps(validation.n_folds) == "3"


def test_a_label_that_is_rarer_than_the_folds_is_no_reason_to_warn_or_fail() -> None:
    X, gold, questions = informative(6, 4)
    gold[0] = "depends"
    validation = cross_validate(X, gold, questions, THREE, CONFIG)
    np.testing.assert_allclose(validation.posteriors.sum(axis=1), 1)


@pytest.mark.parametrize(
    ("gold", "questions"),
    [
        pytest.param([], [], id="nothing"),
        pytest.param(["yes"], ["q1"], id="one answer"),
        pytest.param(["yes"] * 4, list("abcd"), id="one label"),
        pytest.param(["yes", "no"], ["q1", "q2"], id="one answer of each label"),
        pytest.param(["yes", "no"], ["q1", "q1"], id="one answer of each label, one question"),
        pytest.param(["yes", "yes", "no", "no"], ["q1", "q1", "q2", "q2"], id="a question for each label"),
        pytest.param(["yes", "no", "depends"], ["q1", "q2", "q3"], id="a question and a label for each answer"),
    ],
)
def test_too_little_data_is_bad_input(gold: list[str], questions: list[str]) -> None:
    X = stack([(f"{label}_word common", "cue") for label in gold])
    with pytest.raises(BadInput) as caught:
        cross_validate(X, gold, questions, THREE, CONFIG)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    "document",
    [
        pytest.param("only_{n}", id="no word stands in two answers"),
        pytest.param("", id="no word at all"),
    ],
)
def test_answers_that_share_no_word_are_bad_input(document: str) -> None:
    X = stack([(document.format(n=n), document.format(n=n).partition(" ")[0]) for n in range(12)])
    with pytest.raises(BadInput):
        cross_validate(X, ["no", "yes"] * 6, [f"q{n}" for n in range(12)], YES_NO, ClassifierConfig())


def test_answers_without_a_single_cue_can_still_be_learnt_from() -> None:
    X, gold, questions = informative(6, 4)
    X[:, 1] = ""
    validation = cross_validate(X, gold, questions, YES_NO, CONFIG)
    assert [YES_NO.names[column] for column in validation.posteriors.argmax(axis=1)] == gold


@given(
    st.lists(st.tuples(st.sampled_from(THREE.names), st.sampled_from("abcde")), max_size=16),
    st.integers(2, 6),
)
@settings(deadline=None, max_examples=60)
def test_any_data_is_either_cross_validated_or_bad_input(rows: list[tuple[str, str]], n_folds: int) -> None:
    gold, questions = [label for label, _ in rows], [question for _, question in rows]
    X = stack([(f"{label}_word common", "cue") for label in gold])
    try:
        validation = cross_validate(X, gold, questions, THREE, CONFIG, n_folds=n_folds)
    except BadInput:
        return
    assert validation.posteriors.shape == (len(rows), 3)
    np.testing.assert_allclose(validation.posteriors.sum(axis=1), 1)


@pytest.mark.parametrize(
    ("ids", "wordings", "groups"),
    [
        pytest.param([], [], [], id="none"),
        pytest.param(["a", "b"], ["Safe?", "Worth it?"], ["a", "b"], id="two questions"),
        pytest.param(["a", "b", "a"], ["Safe?", "safe? ", "Safe?"], ["a", "a", "a"], id="one wording, two ids"),
        pytest.param(["a", "a"], ["Safe?", "Is it safe?"], ["a", "a"], id="one id, two wordings"),
        pytest.param(["a", "b", "c", "b"], ["x", "y", "y", "x"], ["a", "a", "a", "a"], id="a chain"),
    ],
)
def test_a_question_under_two_ids_is_one_group(ids: list[str], wordings: list[str], groups: list[str]) -> None:
    assert group_questions(ids, wordings) == groups
