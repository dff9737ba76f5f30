"""How far two readers who worked apart agree on the same answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.schema import LabelScheme

N_BOOTSTRAP = 400
INTERVAL = 0.9
Counts = NDArray[np.int_]
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
        Quadratic-weighted kappa of the answers that both graded; grades count by their rank.
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

    Examples
    --------
    >>> from pipeline.workflow.scheme import default_scheme
    >>> labels = ["against", "supportive", "neutral", "no_stance"]
    >>> measure_agreement(labels, labels, ["q1", "q1", "q2", "q2"], default_scheme()).exact.value
    1.0
    """
    labels = scheme.labels
    sides = [label.side or label.name for label in labels]
    same_side = np.array([[one == other for other in sides] for one in sides])
    graded = sorted((label.value, place) for place, label in enumerate(labels) if label.value is not None)
    order = np.ix_([place for _, place in graded], [place for _, place in graded])
    counts = _count_pairs(first, second, questions, scheme.names)
    rng = np.random.default_rng(0)
    # A question drawn twice counts twice: a draw is a weight for each question.
    draws = [
        np.bincount(rng.integers(len(counts), size=len(counts)), minlength=len(counts)) for _ in range(N_BOOTSTRAP)
    ]
    tables = [np.tensordot(weights, counts, axes=1) for weights in [np.ones(len(counts), int), *draws]]

    def estimate(statistic: Callable[[Counts], float]) -> Estimate:
        value, *resampled = [statistic(table) for table in tables]
        if np.isnan(resampled).all():
            return Estimate(value, np.nan, np.nan)
        low, high = np.nanquantile(resampled, [(1 - INTERVAL) / 2, (1 + INTERVAL) / 2])
        return Estimate(value, float(low), float(high))

    return Agreement(
        n_answers=len(first),
        exact=estimate(lambda table: float(np.trace(table) / table.sum())),
        sides=estimate(lambda table: float(table[same_side].sum() / table.sum())),
        kappa=estimate(lambda table: quadratic_kappa(table[order])),
        alpha=estimate(lambda table: ordinal_alpha(table[order])),
    )


def _count_pairs(first: Sequence[str], second: Sequence[str], questions: Sequence[str], names: Sequence[str]) -> Counts:
    """Count, for each question, each pair of labels, shape (n_questions, n_labels, n_labels)."""
    place = {name: i for i, name in enumerate(names)}
    _, group = np.unique(questions, return_inverse=True)
    counts = np.zeros((group.max() + 1, len(names), len(names)), dtype=int)
    one, other = (np.array([place[name] for name in labels]) for labels in (first, second))
    np.add.at(counts, (group, one, other), 1)
    return counts


def quadratic_kappa(table: Counts) -> float:
    """Calculate the quadratic-weighted kappa of two readers; NaN where they gave fewer than two grades.

    Parameters
    ----------
    table
        Answers with grade *i* from the one and grade *j* from the other, shape (n_grades, n_grades), in order.

    References
    ----------
    Cohen, "Weighted kappa", Psychological Bulletin 70(4), 1968.

    Examples
    --------
    >>> quadratic_kappa(np.array([[3, 0], [0, 3]]))
    1.0
    """
    by_chance = np.outer(table.sum(axis=1), table.sum(axis=0)) / max(1, table.sum())
    return _beyond_chance(table, by_chance, np.arange(len(table)))


def ordinal_alpha(table: Counts) -> float:
    """Calculate Krippendorff's ordinal alpha of two readers, from a table as `quadratic_kappa` has it.

    References
    ----------
    Krippendorff, "Content analysis", 4th edition, 2019, chapter 12: grades are as far apart as there are grades given
    between them, their own counted by half.

    Examples
    --------
    >>> ordinal_alpha(np.array([[3, 0], [0, 3]]))
    1.0
    """
    coincidences = table + table.T
    n = coincidences.sum(axis=0)
    return _beyond_chance(coincidences, np.outer(n, n) / max(1, n.sum() - 1), np.cumsum(n) - n / 2)


def _beyond_chance(observed: Counts, by_chance: Floats, places: Floats | Counts) -> float:
    """Return one less the observed over the expected squared distance of grades at some places; NaN without any."""
    distances = (places[:, None] - places) ** 2
    expected = (by_chance * distances).sum()
    return float(1 - (observed * distances).sum() / expected) if expected else np.nan
