"""Whether anything but an answer's words gives its label away."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import BaseCrossValidator, StratifiedGroupKFold, StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import SplineTransformer, StandardScaler

from data.measure.repetition import split_words
from pipeline.schema import AnswerRecord

N_FOLDS = 5


@dataclass(frozen=True)
class Probe:
    """What a classifier scores that sees one thing about each answer and not its words.

    Attributes
    ----------
    name
        What it sees.
    balanced_accuracy
        Mean recall over the labels, out of fold, folds grouped by question.
    chance, chance_high
        Mean and 95th percentile of the same with the labels shuffled.
    """

    name: str
    balanced_accuracy: float
    chance: float
    chance_high: float


def probe_giveaways(answers: Sequence[AnswerRecord], labels: Sequence[str], *, n_shuffles: int = 20) -> list[Probe]:
    """Score classifiers that see only one thing about each answer, and the same with the labels shuffled.

    References
    ----------
    Poliak et al., "Hypothesis only baselines in natural language inference", *SEM 2018.
    Ojala, Garriga, "Permutation tests for studying classifier performance", JMLR 11, 2010.
    """
    rng = np.random.default_rng(0)
    shuffled = [score_views(answers, rng.permutation(labels).tolist()) for _ in range(n_shuffles)]
    return [
        Probe(
            name,
            balanced_accuracy,
            chance=float(np.mean([scores[name] for scores in shuffled])),
            chance_high=float(np.quantile([scores[name] for scores in shuffled], 0.95)),
        )
        for name, balanced_accuracy in score_views(answers, labels).items()
    ]


def score_views(answers: Sequence[AnswerRecord], labels: Sequence[str]) -> dict[str, float]:
    """Return the balanced accuracy of classifiers that see only the question, length, respondent, or place.

    Out of fold, folds grouped by question; for "question, seen before" folds that share questions, so that
    what most answers to a question say could be learnt.
    A classifier that sees nothing of use scores 1 / n_labels, up to chance.
    """
    y, questions = np.array(labels), np.array([answer.question_id for answer in answers])
    grouped = StratifiedGroupKFold(N_FOLDS, shuffle=True, random_state=0)
    scores = {name: _score(view, y, questions, grouped) for name, view in _views(answers).items()}
    ungrouped = StratifiedKFold(N_FOLDS, shuffle=True, random_state=0)
    seen = (_of_text(), np.array([answer.question_id for answer in answers], dtype=object))
    return scores | {"question, seen before": _score(seen, y, questions, ungrouped)}


_View = tuple[BaseEstimator, NDArray[Any]]


def _views(answers: Sequence[AnswerRecord]) -> dict[str, _View]:
    return {
        "question": (_of_text(), np.array([answer.question for answer in answers], dtype=object)),
        "length": (_of_number(), np.array([[np.log1p(len(split_words(answer.text)))] for answer in answers])),
        "respondent": (_of_text(), np.array([_describe(answer) for answer in answers], dtype=object)),
        "position": (_of_number(), np.array([[float(answer.position)] for answer in answers])),
    }


def _describe(answer: AnswerRecord) -> str:
    fields = answer.respondent.model_dump()
    return " ".join(f"{name}_{word}" for name, value in fields.items() for word in str(value).split())


def _of_text() -> BaseEstimator:
    vectoriser = TfidfVectorizer(analyzer=str.split, sublinear_tf=True)
    return make_pipeline(vectoriser, LogisticRegression(class_weight="balanced"))


def _of_number() -> BaseEstimator:
    return make_pipeline(StandardScaler(), SplineTransformer(5), LogisticRegression(class_weight="balanced"))


def _score(view: _View, y: NDArray[np.str_], questions: NDArray[np.str_], folds: BaseCrossValidator) -> float:
    estimator, X = view
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        groups = questions if isinstance(folds, StratifiedGroupKFold) else None
        called = cross_val_predict(estimator, X, y, groups=groups, cv=folds)
    return float(balanced_accuracy_score(y, called))
