"""Scores against independent computations, and cross-validation that never leaks a question."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from sklearn.metrics import accuracy_score, cohen_kappa_score, f1_score, log_loss, precision_score

from pipeline.classify import choose_evidence, choose_stances
from pipeline.errors import BadInput
from pipeline.estimator import Floats, SentenceCounts, predict_posteriors
from pipeline.evaluate import (
    COVERAGE,
    apply_temperature,
    calibration_error,
    choose_abstention,
    cross_validate,
    fit_temperature,
    group_questions,
    judge_sides,
    measure_groups,
    measure_learning_curve,
    predict_fold,
    score_abstention,
    score_evidence,
    score_posteriors,
    split_answers,
)
from pipeline.features import DOCUMENTS
from pipeline.fitting import TrainingData, fit_estimator
from pipeline.manifest import ClassifierConfig
from pipeline.schema import Label, LabelScheme

if TYPE_CHECKING:
    pass

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
    assert scores.side_accuracy_at_coverage is None


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


def test_of_answers_with_a_side_it_counts_the_surest_seven_in_ten_of_those_alone(scheme: LabelScheme) -> None:
    posteriors = np.zeros((20, 6))
    posteriors[:, scheme.names.index("supportive")] = np.linspace(0.95, 0.55, 20)
    posteriors[:, scheme.names.index("against")] = 1 - np.linspace(0.95, 0.55, 20)
    sides = ["against", *["supportive"] * 6, *["against"] * 3]
    gold = [label for side in sides for label in ("no_stance", side)]
    scores = score_posteriors(posteriors, gold, [f"q{i}" for i in range(20)], scheme)
    assert scores.side_accuracy == 0.6
    assert scores.accuracy_at_coverage == pytest.approx(6 / 14, abs=1e-4)
    assert scores.side_accuracy_at_coverage == pytest.approx(6 / 7, abs=1e-4)


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
@settings(max_examples=60)
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
@settings(max_examples=150)
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
    assert scores["coverage"] == coverage
    assert scores["accuracy_when_called"] == accuracy


@pytest.mark.parametrize(
    ("threshold", "is_silent", "calls"),
    [
        pytest.param(0.0, None, [[1, 0, 0], [2, 1, 0]], id="all are called"),
        pytest.param(0.7, None, [[1, 0, 0], [0, 1, 2]], id="two are below the threshold"),
        pytest.param(1.01, None, [[0, 0, 1], [0, 0, 3]], id="none is called"),
        pytest.param(0.0, [True, False, True, False], [[0, 0, 1], [1, 1, 1]], id="two say nothing"),
        pytest.param(0.58, [False, True, False, False], [[1, 0, 0], [1, 0, 2]], id="one says nothing, one is below"),
        pytest.param(0.0, [True] * 4, [[0, 0, 1], [0, 0, 3]], id="all say nothing"),
    ],
)
def test_calls_are_counted_gold_by_row_and_called_by_column_and_abstentions_last(
    threshold: float, is_silent: list[bool] | None, calls: list[list[int]]
) -> None:
    posteriors = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.55, 0.45]])
    silent = None if is_silent is None else np.array(is_silent)
    scores = score_abstention(posteriors, ["no", "yes", "yes", "yes"], YES_NO, threshold, is_silent=silent)
    assert scores["calls"] == calls
    n_called = sum(sum(row[:-1]) for row in calls)
    assert scores["coverage"] == n_called / 4
    right = calls[0][0] + calls[1][1]
    assert scores["accuracy_when_called"] == (pytest.approx(right / n_called, abs=1e-4) if n_called else 0)


@given(st.integers(0, 2**32 - 1), st.floats(0, 1.01), st.booleans())
@settings(max_examples=60)
def test_the_calls_hold_every_answer_once_and_their_last_column_those_not_called(
    scheme: LabelScheme, seed: int, threshold: float, is_given: bool
) -> None:
    posteriors, gold, questions = draw(scheme, seed=seed)
    silent = np.random.default_rng(seed).random(len(gold)) < 0.2
    scores = score_abstention(posteriors, gold, scheme, threshold, is_silent=silent if is_given else None)
    calls = np.array(scores["calls"])
    called, confidence = called_by_hand(posteriors, scheme)
    kept = [sure >= threshold and not (is_given and s) for sure, s in zip(confidence, silent, strict=True)]
    names = list(scheme.names)
    assert calls.shape == (len(names), len(names) + 1)
    assert calls.sum(axis=1).tolist() == [gold.count(name) for name in names]
    assert calls[:, -1].tolist() == [
        sum(g == name and not k for g, k in zip(gold, kept, strict=True)) for name in names
    ]
    for column, name in enumerate(names):
        assert calls[:, column].sum() == sum(c == name and k for c, k in zip(called, kept, strict=True))
    assert scores["coverage"] == pytest.approx(1 - calls[:, -1].sum() / len(gold), abs=1e-4)
    everything = score_abstention(posteriors, gold, scheme, 0.0)["calls"]
    assert [row[:-1] for row in everything] == score_posteriors(posteriors, gold, questions, scheme).confusion
    assert json.loads(json.dumps(scores)) == scores


# ---------------------------------------------------------------- cross-validation


Answer = Sequence[tuple[str, str]]
"""An answer's sentences, each as its words and its cues."""


def build_data(
    answers: Sequence[Answer],
    gold: Sequence[str],
    questions: Sequence[str],
    marked: Sequence[tuple[int, int]] = (),
) -> TrainingData:
    """Build training data of sentences that are plain lists of words and of cues; marked are (answer, sentence)."""
    sentences = [(row, place, sentence) for row, answer in enumerate(answers) for place, sentence in enumerate(answer)]
    found = [
        (number, (document, word))
        for number, (_, _, sentence) in enumerate(sentences)
        for document, text in enumerate(sentence)
        for word in text.split()
    ]
    columns = {feature: column for column, feature in enumerate(sorted({feature for _, feature in found}))}
    places = ([number for number, _ in found], [columns[feature] for _, feature in found])
    return TrainingData(
        sentences=SentenceCounts(
            counts=csr_matrix((np.ones(len(found)), places), shape=(len(sentences), len(columns))),
            answers=np.array([row for row, _, _ in sentences], dtype=np.int64),
            is_headline=np.zeros(len(sentences), dtype=bool),
            n_answers=len(answers),
            documents=np.array([document for document, _ in columns], dtype=np.int64),
        ),
        labels=np.array(gold, dtype=np.str_),
        questions=np.array(questions, dtype=np.str_),
        is_evidence=np.array([(row, place) in marked for row, place, _ in sentences], dtype=bool),
        weights=np.ones(len(answers)),
    )


def informative(n_questions: int, n_each: int) -> TrainingData:
    """Give answers whose words tell their label whatever the question."""
    gold = [("no", "yes")[k % 2] for k in range(n_questions * n_each)]
    answers = [[(f"{label}_word common", f"{label}_cue")] for label in gold]
    return build_data(answers, gold, [f"q{k // n_each}" for k in range(len(gold))])


def called(posteriors: Floats) -> list[str]:
    return [YES_NO.names[column] for column in posteriors.argmax(axis=1)]


def test_no_answer_is_predicted_by_a_model_that_saw_its_question() -> None:
    # A word that stands in every answer to one question, and nowhere else, tells that question's label.
    # A model that never saw the question knows no word but the common one, so that all answers of a fold look alike.
    labels = [("no", "yes")[k % 2] for k in range(12)]
    gold = [label for label in labels for _ in range(4)]
    questions = [f"q{k}" for k in range(12) for _ in range(4)]
    answers = [[(f"only_in_{question} common", "cue")] for question in questions]
    validation = cross_validate(build_data(answers, gold, questions), YES_NO, CONFIG, n_folds=4)
    assert validation.grouped_by == "question"
    assert len(np.unique(validation.posteriors.round(9), axis=0)) <= validation.n_folds
    split = build_data(answers, gold, [f"{q}-{k}" for k, q in enumerate(questions)])
    leaky = cross_validate(split, YES_NO, CONFIG, n_folds=4)
    assert score_posteriors(leaky.posteriors, gold, questions, YES_NO).accuracy == 1


def test_cross_validation_learns_what_holds_across_questions() -> None:
    data = informative(6, 4)
    validation = cross_validate(data, YES_NO, CONFIG)
    assert validation.n_folds == 5
    assert validation.posteriors.shape == (24, 2)
    np.testing.assert_allclose(validation.posteriors.sum(axis=1), 1)
    assert called(validation.posteriors) == data.labels.tolist()


def test_cross_validation_gives_the_same_twice() -> None:
    one, two = (cross_validate(informative(6, 4), YES_NO, CONFIG) for _ in range(2))
    assert np.array_equal(one.posteriors, two.posteriors)
    assert np.array_equal(one.evidence, two.evidence)
    assert one.temperature == two.temperature


def test_there_are_no_more_folds_than_questions() -> None:
    assert cross_validate(informative(3, 6), YES_NO, CONFIG).n_folds == 3


def test_a_single_question_is_held_out_by_answer() -> None:
    validation = cross_validate(informative(1, 12), YES_NO, CONFIG)
    assert validation.grouped_by == "answer"
    assert validation.n_folds == 5
    np.testing.assert_allclose(validation.posteriors.sum(axis=1), 1)


def test_the_number_of_folds_of_a_single_question_can_be_written_as_json() -> None:
    validation = cross_validate(informative(1, 6), YES_NO, CONFIG)
    assert json.dumps(validation.n_folds) == "3"


@pytest.mark.parametrize(("n_questions", "n_each"), [(1, 12), (3, 6), (7, 4)])
def test_every_answer_is_held_out_once_and_never_beside_another_to_its_question(n_questions: int, n_each: int) -> None:
    data = informative(n_questions, n_each)
    splits, grouped_by = split_answers(data.labels, data.questions, 5)
    assert sorted(np.concatenate([test for _, test in splits]).tolist()) == list(range(n_questions * n_each))
    for train, test in splits:
        assert sorted([*train, *test]) == list(range(n_questions * n_each))
        shared = set(data.questions[train]) & set(data.questions[test])
        assert shared == (set() if grouped_by == "question" else {"q0"})


def test_a_fold_is_predicted_and_quoted_as_by_a_model_of_the_rest() -> None:
    data = draw_marked()
    test = np.flatnonzero(np.isin(data.questions, ["q1", "q4"]))
    train = np.setdiff1d(np.arange(len(data.labels)), test)
    posteriors, evidence = predict_fold(data, train, test, YES_NO, EVIDENCE_CONFIG)
    # Fitted to the last digit, and with all the features that the data has.
    estimator = fit_estimator(data.of_answers(train), EVIDENCE_CONFIG)
    sentences = data.sentences.of_answers(test)
    expected = predict_posteriors(estimator, sentences, YES_NO)
    np.testing.assert_allclose(posteriors, expected, atol=0.01)
    added = estimator.weigh_features(sentences, choose_stances(expected, YES_NO)[0])
    strengths = added * estimator.predict_relevance(sentences)
    chosen = choose_evidence(strengths, sentences.answers, EVIDENCE_CONFIG)
    assert evidence.tolist() == np.flatnonzero(np.isin(data.sentences.answers, test))[chosen].tolist()


def test_a_label_that_is_rarer_than_the_folds_is_no_reason_to_warn_or_fail() -> None:
    data = informative(6, 4)
    gold = ["depends", *data.labels.tolist()[1:]]
    answers = [[(f"{label}_word common", f"{label}_cue")] for label in data.labels.tolist()]
    validation = cross_validate(build_data(answers, gold, data.questions.tolist()), THREE, CONFIG)
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
    data = build_data([[(f"{label}_word common", "cue")] for label in gold], gold, questions)
    with pytest.raises(BadInput) as caught:
        cross_validate(data, THREE, CONFIG)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param([("only_{n}", "only_{n}")], id="no word stands in two answers"),
        pytest.param([("", "")], id="no word at all"),
        pytest.param([], id="no sentence at all"),
        pytest.param([("only_{n}", ""), ("only_{n}", "")], id="a word twice in one answer"),
    ],
)
def test_answers_that_share_no_word_are_bad_input(answer: Answer) -> None:
    answers = [[(words.format(n=n), cues.format(n=n)) for words, cues in answer] for n in range(12)]
    with pytest.raises(BadInput):
        cross_validate(build_data(answers, ["no", "yes"] * 6, [f"q{n}" for n in range(12)]), YES_NO, ClassifierConfig())


def test_answers_without_a_single_cue_can_still_be_learnt_from() -> None:
    data = informative(6, 4)
    words = np.flatnonzero(data.sentences.documents == DOCUMENTS.index("words"))
    validation = cross_validate(data.of_features(words), YES_NO, CONFIG)
    assert called(validation.posteriors) == data.labels.tolist()


@given(
    st.lists(st.tuples(st.sampled_from(THREE.names), st.sampled_from("abcde"), st.integers(0, 2)), max_size=16),
    st.integers(2, 6),
)
@settings(max_examples=60)
def test_any_data_is_either_cross_validated_or_bad_input(rows: list[tuple[str, str, int]], n_folds: int) -> None:
    answers = [[(f"{label}_word common", "cue")] * n for label, _, n in rows]
    marked = [(row, 0) for row in range(0, len(rows), 2)]
    data = build_data(answers, [label for label, _, _ in rows], [question for _, question, _ in rows], marked)
    try:
        validation = cross_validate(data, THREE, EVIDENCE_CONFIG, n_folds=n_folds)
    except BadInput:
        return
    assert validation.posteriors.shape == (len(rows), 3)
    np.testing.assert_allclose(validation.posteriors.sum(axis=1), 1)
    assert np.isin(validation.evidence, np.arange(len(data.sentences.answers))).all()


# ---------------------------------------------------------------- evidence

EVIDENCE_CONFIG = ClassifierConfig(min_answers=1, relevance_min_sentences=2)


def draw_marked() -> TrainingData:
    """Give answers of three sentences, of which the marked one alone tells the label."""
    gold = [("no", "yes")[k % 2] for k in range(24)]
    places = [k % 3 for k in range(24)]
    answers = [
        [(f"{label}_word say" if place == mine else "thanks", "") for place in range(3)]
        for label, mine in zip(gold, places, strict=True)
    ]
    return build_data(answers, gold, [f"q{k // 4}" for k in range(24)], list(enumerate(places)))


def test_cross_validation_quotes_the_sentences_that_tell_the_label_strongest_first() -> None:
    data = draw_marked()
    validation = cross_validate(data, YES_NO, EVIDENCE_CONFIG)
    scores = score_evidence(validation.evidence, data.is_evidence, data.sentences.answers)
    assert scores == {"evidence_precision": 1.0, "evidence_recall": 1.0, "evidence_first": 1.0}
    assert sorted(data.sentences.answers[validation.evidence].tolist()) == list(range(24))


@pytest.mark.parametrize(
    ("chosen", "marked", "expected"),
    [
        pytest.param([0, 2, 4], [], {}, id="none marked"),
        pytest.param([], [], {}, id="none marked and none quoted"),
        pytest.param([0, 2, 4], [0, 2, 4], (1.0, 1.0, 1.0), id="all right"),
        pytest.param([1, 3, 5], [0, 2, 4], (0.0, 0.0, 0.0), id="all wrong"),
        pytest.param([], [0, 2, 4], (0.0, 0.0, 0.0), id="none quoted"),
        pytest.param([0, 1, 2, 3], [0, 2], (0.5, 1.0, 1.0), id="right ones first"),
        pytest.param([1, 0, 3, 2], [0, 2], (0.5, 1.0, 0.0), id="wrong ones first"),
        pytest.param([1, 0, 2, 3], [0, 2], (0.5, 1.0, 0.5), id="the first of one answer alone"),
        pytest.param([0, 2, 3, 4, 5], [0], (1.0, 1.0, 1.0), id="answers without a mark do not count"),
        pytest.param([0], [0, 1, 2, 4], (1.0, 0.25, 0.3333), id="an answer with a mark and no quote"),
        pytest.param([2, 4, 0, 1], [0, 1, 4], (1.0, 1.0, 1.0), id="answers in any order, as folds give them"),
    ],
)
def test_evidence_is_scored_over_the_answers_with_a_mark(
    chosen: list[int], marked: list[int], expected: tuple[float, float, float] | dict[str, float]
) -> None:
    # Three answers of two sentences each: 0 and 1, 2 and 3, 4 and 5.
    is_evidence = np.isin(np.arange(6), marked)
    found = score_evidence(np.array(chosen, dtype=np.int64), is_evidence, np.repeat(np.arange(3), 2))
    names = ("evidence_precision", "evidence_recall", "evidence_first")
    assert found == (dict(zip(names, expected, strict=True)) if isinstance(expected, tuple) else expected)


# ---------------------------------------------------------------- curves


def test_the_judgement_of_sides_is_what_the_scores_count(scheme: LabelScheme) -> None:
    posteriors, gold, questions = draw(scheme)
    confidence, right = judge_sides(posteriors, gold, scheme)
    called, sure = called_by_hand(posteriors, scheme)
    np.testing.assert_allclose(confidence, sure)
    assert right.tolist() == [side(scheme, g) == side(scheme, c) for g, c in zip(gold, called, strict=True)]
    scores = score_posteriors(posteriors, gold, questions, scheme)
    assert calibration_error(confidence, right) == pytest.approx(scores.calibration_error, abs=1e-4)


def test_the_learning_curve_ends_at_what_cross_validation_scores() -> None:
    data = draw_marked()
    # Every fourth label is wrong: the scores are no round numbers.
    labels = np.where(np.arange(24) % 5 == 0, "no", data.labels)
    data = replace(data, labels=labels)
    validation = cross_validate(data, YES_NO, EVIDENCE_CONFIG, n_folds=3)
    assert validation.temperature != 1
    points = measure_learning_curve(data, YES_NO, EVIDENCE_CONFIG, temperature=validation.temperature, n_folds=3)
    scores = score_posteriors(validation.posteriors, labels.tolist(), data.questions.tolist(), YES_NO)
    assert points[-1]["n_answers"] == 16
    assert points[-1]["side_accuracy"] == scores.side_accuracy
    assert (points[-1]["low"], points[-1]["high"]) == scores.side_accuracy_interval
    sizes = [point["n_answers"] for point in points]
    assert sizes == sorted(sizes)
    assert len(points) > 1


def test_a_share_of_the_questions_from_which_nothing_can_be_learnt_is_no_point_of_the_curve() -> None:
    # A question by itself has no word in two of its answers; all of them together have.
    gold = ["no", "yes"] * 20
    answers = [[(f"{label}_word", "")] for label in gold]
    data = build_data(answers, gold, [f"q{k // 2}" for k in range(40)])
    points = measure_learning_curve(data, YES_NO, ClassifierConfig(), temperature=1.0)
    assert [point["n_answers"] for point in points] == [4, 8, 16, 32]
    assert {point["side_accuracy"] for point in points} == {1.0}


def test_a_group_is_scored_by_a_model_that_never_saw_it_nor_its_questions() -> None:
    # Each group has words of its own: a model of the others knows none of them, and calls all answers alike.
    gold = ["no", "yes", "yes", "yes"] * 9
    groups = [None if k >= 24 else f"g{k // 12}" for k in range(36)]
    answers = [[(f"{group}_{label} common", "")] for label, group in zip(gold, groups, strict=True)]
    data = build_data(answers, gold, [f"q{k // 4}" for k in range(36)])
    found = measure_groups(data, groups, YES_NO, CONFIG, temperature=1.0)
    assert [(row["group"], row["n_answers"]) for row in found] == [("g0", 12), ("g1", 12)]
    assert all(row["side_accuracy"] in {0.25, 0.75} for row in found)
    assert all(row["low"] <= row["side_accuracy"] <= row["high"] for row in found)
    seen = cross_validate(data, YES_NO, CONFIG)
    assert score_posteriors(seen.posteriors, gold, data.questions.tolist(), YES_NO).side_accuracy == 1


def test_answers_to_a_groups_questions_are_not_learnt_from_whatever_their_own_group() -> None:
    # The words of each question tell its labels: the two answers outside of the group would give them away.
    gold = ["no", "yes", "no", "yes"] * 6
    answers = [[(f"q{k // 4}_{label} common", "")] for k, label in enumerate(gold)]
    data = build_data(answers, gold, [f"q{k // 4}" for k in range(24)])
    groups = ["g" if k in {4, 5} else None for k in range(24)]
    (found,) = measure_groups(data, groups, YES_NO, CONFIG, temperature=1.0)
    assert (found["n_answers"], found["side_accuracy"]) == (2, 0.5)


@pytest.mark.parametrize(
    ("groups", "scored"),
    [
        pytest.param([None] * 24, [], id="no group"),
        pytest.param(["a"] * 24, [], id="a single group, from which nothing is left"),
        pytest.param(["a"] * 22 + [None] * 2, [], id="left are answers to the group's own questions"),
        pytest.param(["a"] * 20 + ["b"] * 4, ["b"], id="too few left to learn from"),
        pytest.param(["b"] * 12 + ["a"] * 12, ["a", "b"], id="two groups, by name"),
    ],
)
def test_groups_are_scored_where_enough_is_left_to_learn_from(groups: list[str | None], scored: list[str]) -> None:
    config = ClassifierConfig(min_answers=5)
    found = measure_groups(informative(6, 4), groups, YES_NO, config, temperature=1.0)
    assert [row["group"] for row in found] == scored


# ---------------------------------------------------------------- groups of questions


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
