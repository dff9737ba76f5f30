"""The numbers behind a model card's figures: how honest the confidences are, and what abstaining buys."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

N_BINS = 10
N_POINTS = 100


class ReliabilityBin(NamedTuple):
    """The answers whose confidence is in one bin.

    Attributes
    ----------
    confidence
        Their mean confidence, 0 to 1.
    accuracy
        Share of them with the right side, 0 to 1.
    n
        How many they are, 1 or more.
    """

    confidence: float
    accuracy: float
    n: int


def reliability_bins(
    confidence: NDArray[np.float64], right: NDArray[np.bool_], n_bins: int = N_BINS
) -> list[ReliabilityBin]:
    """Sort answers into bins of equal width by the confidence of their call.

    The bins are those of the expected calibration error: the distance of confidence and accuracy, weighted
    by the bins' sizes, is that error.

    Parameters
    ----------
    confidence
        Probability of the called side, 0 to 1, shape (n_answers,).
    right
        Whether that side is the gold one, shape (n_answers,).
    n_bins
        Number of bins between 0 and 1; a confidence of 1 is in the last.

    Returns
    -------
    list of ReliabilityBin
        From the least sure to the surest, empty bins left out.

    References
    ----------
    DeGroot, Fienberg, "The comparison and evaluation of forecasters", The Statistician 32, 1983.
    Naeini, Cooper, Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning", AAAI 2015.

    Examples
    --------
    >>> reliability_bins(np.array([0.5, 0.75, 0.75]), np.array([False, True, False]))
    [ReliabilityBin(confidence=0.5, accuracy=0.0, n=1), ReliabilityBin(confidence=0.75, accuracy=0.5, n=2)]
    """
    place = np.minimum((confidence * n_bins).astype(int), n_bins - 1)
    return [
        ReliabilityBin(float(confidence[place == b].mean()), float(right[place == b].mean()), int((place == b).sum()))
        for b in np.unique(place)
    ]


def coverage_curve(
    confidence: NDArray[np.float64], right: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Accuracy of the calls when only the surest answers are called, for every share of answers called.

    Parameters
    ----------
    confidence
        Probability of the called side, shape (n_answers,); of equal ones the earlier answer counts as surer.
    right
        Whether that side is the gold one, shape (n_answers,).

    Returns
    -------
    coverage
        Share of answers called, increasing, the last 1, shape (n_points,) with n_points at most 100: one
        for every per cent, or for every answer where these are fewer.
    accuracy
        Share of right sides among them, shape (n_points,).

    References
    ----------
    El-Yaniv, Wiener, "On the foundations of noise-free selective classification", JMLR 11, 2010.

    Examples
    --------
    >>> coverage, accuracy = coverage_curve(np.array([0.6, 0.9, 0.7, 0.8]), np.array([False, True, False, True]))
    >>> coverage.tolist(), accuracy.round(2).tolist()
    ([0.25, 0.5, 0.75, 1.0], [1.0, 1.0, 0.67, 0.5])
    """
    n = len(confidence)
    surest_first = np.argsort(-confidence, kind="stable")
    n_right = np.cumsum(right[surest_first])
    # Rounded as in `accuracy_at_coverage`, so that the curve passes through that score.
    n_called = np.unique(np.rint(np.arange(1, N_POINTS + 1) / N_POINTS * n).astype(int))
    n_called = n_called[n_called > 0]
    return n_called / n, n_right[n_called - 1] / n_called
