"""How good a classifier is on labelled answers, and how honest its posteriors are.

Questions at use are never those of training, so everything is measured across questions.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.metrics import cohen_kappa_score, confusion_matrix, f1_score, precision_recall_fscore_support
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from pipeline.classify import choose_evidence, choose_stances
from pipeline.curves import reliability_bins
from pipeline.errors import BadInput
from pipeline.estimator import (
    Bools,
    Floats,
    Ints,
    predict_posteriors,
)
from pipeline.fitting import TrainingData, fit_estimator
from pipeline.manifest import ClassifierConfig
from pipeline.schema import LabelScheme

COVERAGE = 0.7
N_BOOTSTRAP = 1000
INTERVAL = 0.9
_DECIMALS = 4
_FOLD_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Scores:
    """Scores of posteriors against gold labels.

    Attributes
    ----------
    n_answers, n_questions
        What was scored.
    accuracy
        Share of exact labels.
    side_accuracy
        Share of right sides, of the answers whose gold label takes a side that is not neutral.
    side_accuracy_interval
        90 % percentile interval of `side_accuracy`, questions resampled; None for a single question.
    baseline_accuracy, baseline_side_accuracy
        What calling everything the commonest label, or side, would get.
    macro_f1
        Mean F1 over the labels that occur.
    side_macro_f1
        Mean F1 over the sides and the labels without one, of those that occur.
    weighted_kappa
        Quadratic-weighted kappa on the ordered grades; None for a scheme without order.
    calibration_error
        Expected calibration error of the called side, ten bins of equal width.
    log_loss
        Mean negative log posterior of the gold label, in nats.
    accuracy_at_coverage
        Share of right sides among the 70 % of all answers the model is surest of.
    side_accuracy_at_coverage
        The same of the answers that `side_accuracy` counts: the surest 70 % of those whose gold label takes
        a side that is not neutral; None where no answer does.
    labels
        Per label: precision, recall, f1, n.
    confusion
        Counts, shape (n_labels, n_labels): gold by row, called by column, in scheme order.
    """

    n_answers: int
    n_questions: int
    accuracy: float
    side_accuracy: float | None
    side_accuracy_interval: tuple[float, float] | None
    baseline_accuracy: float
    baseline_side_accuracy: float | None
    macro_f1: float
    side_macro_f1: float
    weighted_kappa: float | None
    calibration_error: float
    log_loss: float
    accuracy_at_coverage: float
    side_accuracy_at_coverage: float | None
    labels: dict[str, dict[str, float]]
    confusion: list[list[int]]

    def to_row(self) -> dict[str, Any]:
        """Return the scores as JSON-ready data."""
        return dict(vars(self))


def score_posteriors(posteriors: Floats, gold: Sequence[str], questions: Sequence[str], scheme: LabelScheme) -> Scores:
    """Score posteriors against gold labels.

    Parameters
    ----------
    posteriors
        Shape (n_answers, n_stances), columns in scheme order.
    gold
        Gold labels, shape (n_answers,).
    questions
        The question each answer belongs to, shape (n_answers,).
    scheme
        The labels.

    References
    ----------
    Cohen, "Weighted kappa", Psychological Bulletin 70(4), 1968.
    Naeini, Cooper, Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning", AAAI 2015 (ECE).

    Examples
    --------
    >>> scheme = LabelScheme.from_labels("s", ["no", "yes"])
    >>> scores = score_posteriors(np.array([[0.9, 0.1], [0.4, 0.6]]), ["no", "yes"], ["q1", "q2"], scheme)
    >>> scores.accuracy, scores.calibration_error
    (1.0, 0.25)
    """
    called, confidence = choose_stances(posteriors, scheme)
    names = list(scheme.names)
    y_true, y_pred = np.array(gold), np.array(called)
    side_true, side_pred = _side_names(gold, scheme), _side_names(called, scheme)
    right = side_true == side_pred
    polar = _is_polar(gold, scheme)
    precision, recall, f1, n = precision_recall_fscore_support(y_true, y_pred, labels=names, zero_division=0)
    return Scores(
        n_answers=len(y_true),
        n_questions=len(set(questions)),
        accuracy=_rounded((y_true == y_pred).mean()),
        side_accuracy=_rounded(right[polar].mean()) if polar.any() else None,
        side_accuracy_interval=_bootstrap_share(right[polar], np.array(questions)[polar]),
        baseline_accuracy=_rounded(_commonest_share(y_true)),
        baseline_side_accuracy=_rounded(_commonest_share(side_true[polar])) if polar.any() else None,
        macro_f1=_rounded(f1_score(y_true, y_pred, average="macro", labels=sorted(set(gold)), zero_division=0)),
        side_macro_f1=_rounded(
            f1_score(side_true, side_pred, average="macro", labels=sorted(set(side_true)), zero_division=0)
        ),
        weighted_kappa=_weighted_kappa(posteriors, gold, scheme),
        calibration_error=_rounded(calibration_error(confidence, right)),
        log_loss=_rounded(_log_loss(posteriors, gold, scheme)),
        accuracy_at_coverage=_rounded(_accuracy_at_coverage(confidence, right)),
        side_accuracy_at_coverage=(
            _rounded(_accuracy_at_coverage(confidence[polar], right[polar])) if polar.any() else None
        ),
        labels={
            name: {"precision": _rounded(p), "recall": _rounded(r), "f1": _rounded(f), "n": int(k)}
            for name, p, r, f, k in zip(names, precision, recall, f1, n, strict=True)
        },
        confusion=confusion_matrix(y_true, y_pred, labels=names).tolist(),
    )


def _rounded(value: Any) -> float:
    return round(float(value), _DECIMALS)


def _side_names(labels: Sequence[str], scheme: LabelScheme) -> NDArray[np.str_]:
    return np.array([scheme.side_of(label) or label for label in labels])


def _is_polar(labels: Sequence[str], scheme: LabelScheme) -> NDArray[np.bool_]:
    neutral = {label.name for label in scheme.labels if label.side is None or label.value == 0}
    return np.array([label not in neutral for label in labels])


def _weighted_kappa(posteriors: Floats, gold: Sequence[str], scheme: LabelScheme) -> float | None:
    """Compare gold grades with the most probable grade, both on the scheme's ordinal scale."""
    graded_columns = [column for column, label in enumerate(scheme.labels) if label.value is not None]
    grades = sorted(graded_columns, key=lambda column: scheme.labels[column].value or 0.0)
    if not scheme.is_ordered or len(grades) < 2:
        return None
    place = {scheme.names[column]: rank for rank, column in enumerate(grades)}
    graded = [row for row, label in enumerate(gold) if label in place]
    if not graded:
        return None
    y_true = [place[gold[row]] for row in graded]
    y_pred = posteriors[np.ix_(graded, grades)].argmax(axis=1).tolist()
    if len({*y_true, *y_pred}) < 2:
        return None
    kappa = cohen_kappa_score(y_true, y_pred, weights="quadratic", labels=list(range(len(grades))))
    return _rounded(kappa)


def calibration_error(confidence: Floats, right: NDArray[np.bool_]) -> float:
    """Mean distance of confidence and accuracy over ten bins of equal width, weighted by their size.

    Examples
    --------
    >>> calibration_error(np.array([0.75, 0.75, 0.75, 0.75]), np.array([True, True, True, False]))
    0.0
    """
    bins = reliability_bins(confidence, right)
    return sum(abs(b.confidence - b.accuracy) * b.n for b in bins) / len(right)


def _log_loss(posteriors: Floats, gold: Sequence[str], scheme: LabelScheme) -> float:
    columns = [scheme.names.index(label) for label in gold]
    return float(-np.log(np.clip(posteriors[np.arange(len(columns)), columns], 1e-12, 1.0)).mean())


def _accuracy_at_coverage(confidence: Floats, right: NDArray[np.bool_]) -> float:
    surest = np.argsort(-confidence, kind="stable")[: max(1, round(COVERAGE * len(confidence)))]
    return float(right[surest].mean())


def _commonest_share(labels: NDArray[np.str_]) -> float:
    return float(np.unique(labels, return_counts=True)[1].max() / len(labels))


def _bootstrap_share(hits: NDArray[np.bool_], questions: NDArray[np.str_]) -> tuple[float, float] | None:
    """Percentile interval of a share, whole questions resampled with replacement; None for fewer than two."""
    if len(set(questions)) < 2:
        return None
    _, index = np.unique(questions, return_inverse=True)
    n = np.bincount(index)
    k = np.bincount(index, weights=hits)
    draws = np.random.default_rng(0).integers(len(n), size=(N_BOOTSTRAP, len(n)))
    shares = k[draws].sum(axis=1) / n[draws].sum(axis=1)
    low, high = np.quantile(shares, [(1 - INTERVAL) / 2, (1 + INTERVAL) / 2])
    return _rounded(low), _rounded(high)


def group_questions(ids: Sequence[str], wordings: Sequence[str]) -> list[str]:
    """Group answers whose question has the same id or the same wording.

    One question may stand under two ids, asked on two propositions or found in two sources: a model that
    saw one of them has seen the other.

    Parameters
    ----------
    ids
        Question ids, shape (n_answers,).
    wordings
        Questions as worded, shape (n_answers,); case and white space do not count.

    Returns
    -------
    list of str
        Per answer, the first id of its group.

    Examples
    --------
    >>> group_questions(["q1", "q1b", "q2"], ["Is it safe?", "is it  safe?", "Does it last?"])
    ['q1', 'q1', 'q2']
    """
    _, by_id = np.unique(ids, return_inverse=True)
    _, by_wording = np.unique([" ".join(w.casefold().split()) for w in wordings], return_inverse=True)
    n = len(ids)
    graph = coo_array((np.ones(n), (by_id, n + by_wording)), shape=(2 * n, 2 * n))
    group = connected_components(graph, directed=False)[1][by_id]
    first: dict[int, str] = {}
    return [first.setdefault(int(number), name) for number, name in zip(group, ids, strict=True)]


@dataclass(frozen=True)
class CrossValidation:
    """Out-of-fold posteriors and how they were made.

    Attributes
    ----------
    posteriors
        Shape (n_answers, n_stances), columns in scheme order, each row by a model that saw neither the
        answer nor, when `grouped_by` is "question", any other answer to its question.
    evidence
        The sentences of the data that those models would quote.
    temperature
        What the logits are divided by to make the posteriors honest; already applied to `posteriors`.
    grouped_by
        "question", or "answer" where the data has a single question.
    n_folds
        Number of folds.
    """

    posteriors: Floats
    evidence: Ints
    temperature: float
    grouped_by: str
    n_folds: int


def cross_validate(
    data: TrainingData, scheme: LabelScheme, config: ClassifierConfig, *, n_folds: int = 5
) -> CrossValidation:
    """Predict every answer by a model that never saw its question, and fit the temperature on the result.

    Raises
    ------
    BadInput
        When there are too few answers to hold any out.

    References
    ----------
    Guo, Pleiss, Sun, Weinberger, "On calibration of modern neural networks", ICML 2017 (temperature).
    """
    y = data.labels
    splits, grouped_by = split_answers(y, data.questions, n_folds)
    posteriors = np.zeros((len(y), len(scheme.names)))
    evidence = []
    for train, test in splits:
        if len(set(y[train])) < 2:
            raise BadInput("labelled data", "too few questions or labels: what is left to train a fold has one label")
        posteriors[test], chosen = predict_fold(data, train, test, scheme, config)
        evidence.append(chosen)
    temperature = fit_temperature(posteriors, data.labels.tolist(), scheme)
    return CrossValidation(
        apply_temperature(posteriors, temperature), np.concatenate(evidence), temperature, grouped_by, len(splits)
    )


def predict_fold(
    data: TrainingData, train: Ints, test: Ints, scheme: LabelScheme, config: ClassifierConfig
) -> tuple[Floats, Ints]:
    """Predict some answers by a model fitted on others, with the features that it would have known.

    Returns
    -------
    posteriors
        Shape (n_test, n_stances), of the test answers in the order of the data.
    evidence
        The sentences of the data that it would quote.
    """
    known = data.of_answers(train)
    columns = np.flatnonzero(known.sentences.n_answers_with() >= config.min_answers)
    estimator = fit_estimator(known.of_features(columns), config, tolerance=_FOLD_TOLERANCE)
    sentences = data.sentences.of_answers(test).of_features(columns)
    posteriors = predict_posteriors(estimator, sentences, scheme)
    stances, _ = choose_stances(posteriors, scheme)
    strengths = estimator.weigh_features(sentences, stances) * estimator.predict_relevance(sentences)
    chosen = choose_evidence(strengths, sentences.answers, config)
    return posteriors, np.flatnonzero(np.isin(data.sentences.answers, test))[chosen]


_Split = tuple[NDArray[np.int64], NDArray[np.int64]]


def split_answers(y: NDArray[np.str_], questions: NDArray[np.str_], n_folds: int) -> tuple[list[_Split], str]:
    """Split answers into folds, labels alike in each, and say by what they are grouped."""
    n_questions, largest = len(set(questions)), int(np.unique(y, return_counts=True)[1].max(initial=0))
    n_folds = min(n_folds, largest, n_questions if n_questions > 1 else largest)
    if n_folds < 2 or len(set(y)) < 2:
        raise BadInput(
            "labelled data", f"{len(y)} answers with {len(set(y))} labels: too few to learn from and to score"
        )
    with warnings.catch_warnings():
        # A label may be rarer than there are folds: then it is missing from some, which the scores show.
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        if n_questions > 1:
            splits = list(StratifiedGroupKFold(n_folds, shuffle=True, random_state=0).split(y, y, questions))
        else:
            splits = list(StratifiedKFold(n_folds, shuffle=True, random_state=0).split(y, y))
    return [(train, test) for train, test in splits if len(test)], "question" if n_questions > 1 else "answer"


def fit_temperature(posteriors: Floats, gold: Sequence[str], scheme: LabelScheme) -> float:
    """Find the temperature with the least log loss, between 0.2 and 5, to three decimals."""
    found = minimize_scalar(
        lambda log_t: _log_loss(apply_temperature(posteriors, float(np.exp(log_t))), gold, scheme),
        bounds=(np.log(0.2), np.log(5.0)),
        method="bounded",
        options={"xatol": 1e-5},
    )
    return round(float(np.exp(found.x)), 3)


def apply_temperature(posteriors: Floats, temperature: float) -> Floats:
    """Divide the logits of posteriors by a temperature; a probability of 0 stays 0.

    Examples
    --------
    >>> apply_temperature(np.array([[0.8, 0.2]]), 1.0).round(3).tolist()
    [[0.8, 0.2]]
    """
    scaled: Floats = np.power(posteriors, 1.0 / temperature)
    scaled /= scaled.sum(axis=1, keepdims=True)
    return scaled


def judge_sides(posteriors: Floats, gold: Sequence[str], scheme: LabelScheme) -> tuple[Floats, Bools]:
    """Return the confidence of each call, and whether its side is the gold one; shape (n_answers,) each."""
    called, confidence = choose_stances(posteriors, scheme)
    return confidence, _side_names(gold, scheme) == _side_names(called, scheme)


def choose_abstention(posteriors: Floats, gold: Sequence[str], scheme: LabelScheme, target: float) -> float:
    """Find the least confidence above which the out-of-fold calls have the target's accuracy on sides.

    Returns
    -------
    float
        A threshold to two decimals, at most such that `COVERAGE` of the answers are still called: a model
        that abstains on more says too little, and one that errs then says so in its scores instead.
    """
    confidence, right = judge_sides(posteriors, gold, scheme)
    ceiling = float(np.quantile(confidence, 1 - COVERAGE, method="lower"))
    for threshold in np.arange(0.0, 1.0, 0.01):
        kept = confidence >= threshold
        if threshold > ceiling or not kept.any():
            break
        if right[kept].mean() >= target:
            return round(float(threshold), 2)
    return float(np.floor(ceiling * 100) / 100)


def score_abstention(
    posteriors: Floats, gold: Sequence[str], scheme: LabelScheme, threshold: float, *, is_silent: Bools | None = None
) -> dict[str, Any]:
    """Score the calls that are made at a threshold of abstention.

    Parameters
    ----------
    posteriors, gold, scheme
        As in `score_posteriors`.
    threshold
        Least confidence of a call.
    is_silent
        Which answers have nothing that the model knows, shape (n_answers,): it abstains on them too.

    Returns
    -------
    dict
        `coverage`, the share of answers called; `accuracy_when_called`, the share of right sides among
        them (0 when none is); and `calls`, counts of shape (n_labels, n_labels + 1): gold by row, called by
        column, both in scheme order, then those abstained on.
    """
    confidence, right = judge_sides(posteriors, gold, scheme)
    kept = confidence >= threshold
    if is_silent is not None:
        kept &= ~is_silent
    accuracy = right[kept].mean() if kept.any() else 0.0
    names, n = list(scheme.names), len(scheme.names)
    called, _ = choose_stances(posteriors, scheme)
    columns = np.where(kept, [names.index(name) for name in called], n)
    rows = np.array([names.index(name) for name in gold], dtype=np.int64)
    calls = np.bincount(rows * (n + 1) + columns, minlength=n * (n + 1)).reshape(n, n + 1)
    return {
        "coverage": _rounded(kept.mean()),
        "accuracy_when_called": _rounded(accuracy),
        "calls": calls.tolist(),
    }


def score_evidence(chosen: Ints, is_evidence: Bools, answers: Ints) -> dict[str, float]:
    """Score the sentences a model quotes against those a reader marked, over the answers with any marked.

    Parameters
    ----------
    chosen
        The sentences quoted, of each answer the strongest first.
    is_evidence
        Whether a reader marked it, shape (n_sentences,).
    answers
        The answer each sentence is of, shape (n_sentences,).

    Returns
    -------
    dict
        `evidence_precision`, the share of quoted sentences that are marked; `evidence_recall`, the share of
        marked sentences that are quoted; `evidence_first`, the share of answers whose first quote is marked.
        Empty where none is marked.
    """
    if not is_evidence.any():
        return {}
    marked = np.unique(answers[is_evidence])
    scored = chosen[np.isin(answers[chosen], marked)]
    _, first = np.unique(answers[scored], return_index=True)
    hits = is_evidence[scored]
    return {
        "evidence_precision": _rounded(hits.mean() if len(hits) else 0.0),
        "evidence_recall": _rounded(hits.sum() / is_evidence.sum()),
        "evidence_first": _rounded(hits[first].sum() / len(marked)),
    }


SHARES = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)


def measure_learning_curve(
    data: TrainingData, scheme: LabelScheme, config: ClassifierConfig, *, temperature: float, n_folds: int = 5
) -> list[dict[str, float]]:
    """Measure how many labelled answers buy how many points.

    The folds are those of `cross_validate`, and the temperature what it found; each is learnt from a share of
    the questions that are left.

    Returns
    -------
    list of dict
        By share of the data, `n_answers` learnt from (mean over folds), `side_accuracy` over all answers held
        out, and `low` and `high`, its 90 % interval with questions resampled; a share from which a fold
        cannot learn is left out.
    """
    splits, _ = split_answers(data.labels, data.questions, n_folds)
    order = np.random.default_rng(0).permutation(np.unique(data.questions))
    points = []
    for share in SHARES:
        posteriors = np.zeros((len(data.labels), len(scheme.names)))
        n_answers = []
        for train, test in splits:
            left = order[np.isin(order, data.questions[train])]
            kept = train[np.isin(data.questions[train], left[: max(1, round(share * len(left)))])]
            predicted = _predict_if_possible(data, kept, test, scheme, config)
            if predicted is None:
                break
            posteriors[test] = predicted
            n_answers.append(len(kept))
        else:
            point = _score_sides(apply_temperature(posteriors, temperature), data.labels, data.questions, scheme)
            points.append({"n_answers": round(float(np.mean(n_answers))), **point})
    return points


def measure_groups(
    data: TrainingData,
    groups: Sequence[str | None],
    scheme: LabelScheme,
    config: ClassifierConfig,
    *,
    temperature: float,
) -> list[dict[str, Any]]:
    """Score each group of answers by a model that never saw that group, nor any of its questions.

    Parameters
    ----------
    data
        Labelled answers.
    groups
        The group of each answer, such as a kind of procedure; None for one that is only learnt from.
    temperature
        Of the posteriors, as `cross_validate` found it.

    Returns
    -------
    list of dict
        By name of group, `n_answers` held out, `side_accuracy`, and `low` and `high`, its 90 % interval; a
        group is left out where the others are too few to learn from.
    """
    of_group = np.array([group or "" for group in groups])
    found = []
    for name in sorted(set(of_group) - {""}):
        test = np.flatnonzero(of_group == name)
        train = np.flatnonzero(~np.isin(data.questions, data.questions[test]))
        posteriors = _predict_if_possible(data, train, test, scheme, config)
        if posteriors is not None:
            posteriors = apply_temperature(posteriors, temperature)
            scores = _score_sides(posteriors, data.labels[test], data.questions[test], scheme)
            found.append({"group": name, "n_answers": len(test), **scores})
    return found


def _predict_if_possible(
    data: TrainingData, train: Ints, test: Ints, scheme: LabelScheme, config: ClassifierConfig
) -> Floats | None:
    """Predict as `predict_fold` does; None where the training answers are too few to learn from."""
    if len(set(data.labels[train])) < 2:
        return None
    try:
        return predict_fold(data, train, test, scheme, config)[0]
    except BadInput:
        return None


def _score_sides(
    posteriors: Floats, gold: NDArray[np.str_], questions: NDArray[np.str_], scheme: LabelScheme
) -> dict[str, float]:
    """Score the sides of the answers that take one, or of all where the scheme has no such labels."""
    called, _ = choose_stances(posteriors, scheme)
    right = _side_names(gold.tolist(), scheme) == _side_names(called, scheme)
    polar = _is_polar(gold.tolist(), scheme)
    polar = polar if polar.any() else np.ones(len(gold), dtype=bool)
    accuracy = _rounded(right[polar].mean())
    low, high = _bootstrap_share(right[polar], questions[polar]) or (accuracy, accuracy)
    return {"side_accuracy": accuracy, "low": low, "high": high}
