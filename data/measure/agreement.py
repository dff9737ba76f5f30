"""How far two readers who worked apart agree on the same answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import krippendorff
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import cohen_kappa_score

from pipeline.schema import LabelScheme

N_BOOTSTRAP = 400
INTERVAL = 0.9
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A figure with its 90 % percentile interval, whole questions resampled with replacement."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


@dataclass(frozen=True)
class Agreement:
    """Agreement of two readers.

    Attributes
    ----------
    n_answers
        Answers that both read.
    exact
        Share of answers with the same label from both.
    sides
        Share of answers with the same side from both; a label without a side stands for itself.
    kappa
        Quadratic-weighted kappa of the answers that both graded.
    alpha
        Krippendorff's ordinal alpha; a label outside the order counts as not graded.
    """

    n_answers: int
    exact: Estimate
    sides: Estimate
    kappa: Estimate
    alpha: Estimate


def measure_agreement(
    first: Sequence[str], second: Sequence[str], questions: Sequence[str], scheme: LabelScheme
) -> Agreement:
    """Measure how far two readers agree.

    Parameters
    ----------
    first, second
        Labels by each reader, shape (n_answers,).
    questions
        The question of each answer, shape (n_answers,): what the bootstrap resamples.
    scheme
        The labels, ordered.

    References
    ----------
    Cohen, "Weighted kappa", Psychological Bulletin 70(4), 1968.
    Krippendorff, "Content analysis", 4th edition, 2019, chapter 12 (alpha, ordinal difference).

    Examples
    --------
    >>> from pipeline.workflow.scheme import default_scheme
    >>> labels = ["against", "supportive", "neutral", "no_stance"]
    >>> measure_agreement(labels, labels, ["q1", "q1", "q2", "q2"], default_scheme()).exact.value
    1.0
    """
    grades = {label.name: np.nan if label.value is None else label.value for label in scheme.labels}
    sides = {label.name: label.side or label.name for label in scheme.labels}
    a, b = np.array(first), np.array(second)
    side_a, side_b = (np.array([sides[name] for name in labels]) for labels in (first, second))
    graded = np.array([[grades[name] for name in labels] for labels in (first, second)], dtype=float)

    def estimate(statistic: Callable[[NDArray[np.intp]], float]) -> Estimate:
        return _bootstrap(statistic, np.array(questions))

    return Agreement(
        n_answers=len(a),
        exact=estimate(lambda rows: float((a[rows] == b[rows]).mean())),
        sides=estimate(lambda rows: float((side_a[rows] == side_b[rows]).mean())),
        kappa=estimate(lambda rows: _kappa(graded[:, rows])),
        alpha=estimate(lambda rows: _alpha(graded[:, rows])),
    )


def _kappa(graded: Floats) -> float:
    both = graded[:, ~np.isnan(graded).any(axis=0)].astype(int)
    return float(cohen_kappa_score(both[0], both[1], weights="quadratic")) if len(set(both.ravel())) > 1 else np.nan


def _alpha(graded: Floats) -> float:
    domain = np.unique(graded[~np.isnan(graded)])
    if len(domain) < 2:
        return np.nan
    return float(krippendorff.alpha(graded, level_of_measurement="ordinal", value_domain=domain.tolist()))


def _bootstrap(statistic: Callable[[NDArray[np.intp]], float], questions: NDArray[np.str_]) -> Estimate:
    _, group = np.unique(questions, return_inverse=True)
    members = np.split(np.argsort(group, kind="stable"), np.cumsum(np.bincount(group))[:-1])
    rng = np.random.default_rng(0)
    draws = [
        statistic(np.concatenate([members[place] for place in rng.integers(len(members), size=len(members))]))
        for _ in range(N_BOOTSTRAP)
    ]
    low, high = np.nanquantile(draws, [(1 - INTERVAL) / 2, (1 + INTERVAL) / 2])
    return Estimate(statistic(np.arange(len(questions))), float(low), float(high))
