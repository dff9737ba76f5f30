"""Fitting: two regressions of scikit-learn, from labelled answers to the arrays that calls are made with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from pipeline.errors import BadInput
from pipeline.estimator import (
    COEFFICIENT_DECIMALS,
    Bools,
    Floats,
    Ints,
    LinearModel,
    SentenceCounts,
    StanceEstimator,
    predict_relevance,
    weigh_by_relevance,
)
from pipeline.features import DOCUMENTS
from pipeline.manifest import ClassifierConfig


@dataclass(frozen=True)
class TrainingData:
    """Labelled answers as the classifier sees them.

    Attributes
    ----------
    sentences
        Their features.
    labels
        Shape (n_answers,).
    questions
        What question each answer is to, shape (n_answers,).
    is_evidence
        Whether a reader took a sentence for what gives the stance, shape (n_sentences,).
    weights
        How much each answer counts, shape (n_answers,).
    """

    sentences: SentenceCounts
    labels: NDArray[np.str_]
    questions: NDArray[np.str_]
    is_evidence: Bools
    weights: Floats

    def of_answers(self, rows: Ints) -> TrainingData:
        """Return some answers, in the order of the data."""
        rows = np.sort(rows)
        kept = np.isin(self.sentences.answers, rows)
        return TrainingData(
            sentences=self.sentences.of_answers(rows),
            labels=self.labels[rows],
            questions=self.questions[rows],
            is_evidence=self.is_evidence[kept],
            weights=self.weights[rows],
        )

    def of_features(self, columns: Ints) -> TrainingData:
        """Return some features."""
        return replace(self, sentences=self.sentences.of_features(columns))


def fit_estimator(data: TrainingData, config: ClassifierConfig, *, tolerance: float = 1e-8) -> StanceEstimator:
    """Fit both models.

    A training answer's sentences get their weights from a relevance model that saw no answer to its
    question, as an answer at use does.

    Parameters
    ----------
    data
        What to learn from.
    config
        How.
    tolerance
        How small the gradient must be for the solver to stop: coarser is faster and good enough to score.

    Returns
    -------
    StanceEstimator
        Coefficients are rounded to `COEFFICIENT_DECIMALS`: the same data gives the same bytes on the same
        number of threads and kind of processor; on others a few last digits may differ (`make model` fixes both).

    Raises
    ------
    BadInput
        When the answers share too few words and cues to learn from.
    """
    sentences = data.sentences
    is_usable = sentences.n_answers_with() >= config.min_answers
    is_usable &= sentences.documents != DOCUMENTS.index("places")
    if not is_usable.any():
        reason = f"no word or cue stands in {config.min_answers} of {sentences.n_answers} answers"
        raise BadInput("labelled data", f"{reason}: too few to learn from")
    relevance = _fit_relevance(data, config)
    weights = _weigh_out_of_fold(data, relevance, config)
    regression = LogisticRegression(
        C=config.inverse_penalty,
        class_weight="balanced" if config.balance else None,
        solver="newton-cg",
        tol=tolerance,
        max_iter=1000,
    )
    document_weights = {"words": config.word_weight, "cues": config.cue_weight, "pieces": config.piece_weight}
    stance, readings = _fit_linear(
        regression,
        sentences.weigh(weights),
        data.labels,
        is_usable=is_usable,
        documents=sentences.documents,
        document_weights=document_weights,
        sample_weight=data.weights,
        readings=sentences.sum_readings(),
    )
    return StanceEstimator(relevance, stance, config.relevance_power, None if sentences.readings is None else readings)


def _fit_linear(
    regression: LogisticRegression,
    counts: csr_matrix,
    y: NDArray[Any],
    *,
    is_usable: Bools,
    documents: Ints,
    document_weights: Mapping[str, float],
    sample_weight: Floats | None = None,
    readings: Floats | None = None,
) -> tuple[LinearModel, Floats]:
    """Fit a regression on counts and readings; return the coefficients of the latter beside the model."""
    is_normed = np.array([name != "places" for name in DOCUMENTS])
    idf = np.where(is_normed[documents], TfidfTransformer().fit(counts).idf_, 1.0)
    blank = LinearModel(
        idf=np.where(is_usable, idf, 0.0).round(COEFFICIENT_DECIMALS),
        documents=documents,
        weights=np.array([document_weights.get(name, 1.0) for name in DOCUMENTS]),
        is_normed=is_normed,
        classes=(),
        coefficients=np.empty((len(idf), 0)),
        intercepts=np.empty(0),
    )
    scaled, _ = blank.scale(counts)
    columns = np.flatnonzero(is_usable)
    X = scaled[:, columns]
    if readings is not None and readings.shape[1]:
        X = csr_matrix(hstack([X, csr_matrix(readings)]))
    regression.fit(X, y, sample_weight=sample_weight)
    fitted, intercepts = _class_weights(regression)
    fitted = fitted.T.round(COEFFICIENT_DECIMALS)
    coefficients = np.zeros((len(idf), len(intercepts)))
    coefficients[columns] = fitted[: len(columns)]
    model = replace(
        blank,
        classes=tuple(map(str, regression.classes_)),
        coefficients=coefficients,
        intercepts=intercepts.round(COEFFICIENT_DECIMALS),
    )
    return model, fitted[len(columns) :]


def _class_weights(regression: LogisticRegression) -> tuple[Floats, Floats]:
    """Return one row of coefficients per class; scikit-learn stores a single row for two classes."""
    if len(regression.classes_) > 2:
        return regression.coef_, regression.intercept_
    half = regression.coef_[0] / 2
    return np.stack([-half, half]), np.array([-0.5, 0.5]) * regression.intercept_[0]


def _fit_relevance(data: TrainingData, config: ClassifierConfig) -> LinearModel | None:
    """Fit on the answers with evidence; None where there are none, or nothing sets evidence apart."""
    data = data.of_answers(np.unique(data.sentences.answers[data.is_evidence]))
    sentences = data.sentences
    is_usable = sentences.counts.getnnz(axis=0) >= config.relevance_min_sentences
    if not is_usable.any() or data.is_evidence.all():
        return None
    model, _ = _fit_linear(
        LogisticRegression(C=config.relevance_inverse_penalty, solver="newton-cg", tol=1e-4, max_iter=1000),
        sentences.counts,
        data.is_evidence,
        is_usable=is_usable,
        documents=sentences.documents,
        document_weights={},
    )
    return model


def _weigh_out_of_fold(data: TrainingData, relevance: LinearModel | None, config: ClassifierConfig) -> Floats:
    """Weigh each answer's sentences by a model that saw no answer to its question."""
    sentences, power = data.sentences, config.relevance_power
    weights = weigh_by_relevance(predict_relevance(relevance, sentences), sentences, power)
    n_folds = min(config.relevance_folds, len(set(data.questions)))
    if relevance is not None and n_folds > 1:
        folds = GroupKFold(n_folds, shuffle=True, random_state=0)
        for rest, held_out in folds.split(data.labels, groups=data.questions):
            fitted = _fit_relevance(data.of_answers(rest), config)
            others = sentences.of_answers(held_out)
            probability = predict_relevance(fitted, others)
            weights[np.isin(sentences.answers, held_out)] = weigh_by_relevance(probability, others, power)
    # Solvers differ in their last digits from processor to processor: the weights must not.
    return weights.round(COEFFICIENT_DECIMALS)
