"""Shares of labels and sides: the plain ones of a panel, and those of doctors at large behind a model that errs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

from pipeline.schema import Interval, LabelScheme, Prevalence

Floats = NDArray[np.float64]
# Draws are kept and moved in single precision: three times as fast, and exact to far more than an interval shows.
Singles = NDArray[np.float32]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_DECIMALS = 4
_SEED = 0

_PRIOR = 0.5
"""Parameter of every Dirichlet distribution before any vote: Jeffreys' prior, as of the plain interval."""

_BANK = 16
"""Draws made before any vote, per draw that is wanted."""

_LEAST_EFFECTIVE = 0.15
"""Least effective number of draws, per draw that is wanted, that a step of the votes may leave."""

_N_HALVINGS = 8
_LEAST_STEP = 1e-3
_N_MOVES = 5
_N_INTERVALS = 11
"""Tried for the shortest; among many more the shortest would be short by chance."""
_LEAST_LOG = -60.0
_TINY = np.float32(1e-30)


@dataclass(frozen=True, eq=False)
class CallErrors:
    """How a model errs out of fold.

    Equal only to itself, so that what is drawn for it can be kept: build it once per model.

    Attributes
    ----------
    scheme
        The labels.
    counts
        Shape (n_labels, n_labels + 1): gold by row in scheme order; calls by column in scheme order, then
        abstained. Not to be written to.

    Raises
    ------
    ValueError
        When the counts have another shape, or one is negative.
    """

    scheme: LabelScheme
    counts: Floats

    def __post_init__(self) -> None:
        shape = (len(self.scheme.names), len(self.scheme.names) + 1)
        if self.counts.shape != shape or (self.counts < 0).any():
            raise ValueError(f"counts of errors must have shape {shape} and none below 0")


@dataclass(frozen=True)
class MixEstimate:
    """The mix of stances among doctors at large.

    Attributes
    ----------
    labels
        By label with a side, in scheme order: its share among doctors with a stance.
    sides
        By side, in scheme order: the same.
    side_draws
        Shape (n_draws, n_sides): equally likely shares of the sides among doctors with a stance. `sides` holds
        their means and intervals. It cannot be written to.
    """

    labels: dict[str, Interval]
    sides: dict[str, Interval]
    side_draws: Floats


def estimate_prevalence(n: float, n_total: float, coverage: float = 0.9) -> Prevalence:
    """Estimate a share and its Jeffreys interval.

    The interval holds the sampling error of few answers, not the classifier's errors.

    Parameters
    ----------
    n, n_total
        Votes of the kind, and votes in all; whole numbers, or weights scaled to an effective number of votes.
    coverage
        Of the interval, in (0, 1).

    Returns
    -------
    Prevalence
        ``share = n / n_total``; bounds are the (1 ± coverage)/2 quantiles of Beta(n + ½, n_total - n + ½),
        with 0 below no vote and 1 above all. Without votes, share 0 and the interval [0, 1]. Its `n` is rounded
        to a whole number.

    References
    ----------
    Brown, Cai, DasGupta, "Interval estimation for a binomial proportion", Statistical Science 16(2), 2001,
    section 3.1.2.

    Examples
    --------
    >>> estimate_prevalence(9, 10).low
    0.6694
    >>> estimate_prevalence(0, 0)
    Prevalence(n=0, share=0.0, low=0.0, high=1.0, corrected=None)
    """
    if n_total <= 0:
        return Prevalence(n=0, share=0.0, low=0.0, high=1.0)
    n = min(n, n_total)
    tail = (1 - coverage) / 2
    low = 0.0 if n <= 0 else float(betaincinv(n + 0.5, n_total - n + 0.5, tail))
    high = 1.0 if n >= n_total else float(betaincinv(n + 0.5, n_total - n + 0.5, 1 - tail))
    share = n / n_total
    # Of a vote far below one the lower quantile may lie above the share.
    low, high = min(low, share), max(high, share)
    return Prevalence(n=round(n), share=round(share, _DECIMALS), low=round(low, _DECIMALS), high=round(high, _DECIMALS))


def estimate_mix(votes: Floats, errors: CallErrors, coverage: float = 0.9, n_draws: int = 4000) -> MixEstimate:
    """Estimate the mix of stances among doctors at large from the calls of a model that errs.

    A doctor holds label k with probability ``mix[k]``, and the model calls that answer c (or abstains) with
    probability ``rows[k, c]``: the votes are multinomial with probabilities ``mix @ rows``. Neither is known.
    Each row has the Dirichlet posterior of its counts under Jeffreys' prior. The mix comes about by forks: stance
    or none, then the side, then the label within the side; each fork's shares have Jeffreys' prior too. Both are
    drawn given the votes, so that an interval holds the few answers, the errors, and how little is known of the
    errors.

    The draws are made by sequential Monte Carlo: from before any vote, weighted by the likelihood of the votes
    and drawn anew by weight. Where the votes say so much that few draws would keep a weight, they are brought in
    step by step, and after each step every draw moves by the difference of two others (accepted by Metropolis'
    rule) and is offered other errors.

    An interval is the shortest that holds `coverage` of the draws on the scale of ``arcsin(sqrt(share))``, on
    which a share's sampling error is alike everywhere. It begins at 0 for a side that nothing speaks for, which
    the interval between equal tails never does (that one is also longer, by an eighth for three answers).
    ``python -m data.measure.coverage`` shows how often it holds the truth.

    Parameters
    ----------
    votes
        Shape (n_labels + 1,): how many votes were called each label, in scheme order, then how many were
        abstained on. Weights, scaled to an effective number of votes, will do.
    errors
        How the model errs.
    coverage
        Of the intervals, in (0, 1).
    n_draws
        How many draws; more are slower and smoother. The seed is constant: the same votes, the same estimate.

    Returns
    -------
    MixEstimate
        Shares are means of the draws. Without votes every interval is [0, 1].

    Raises
    ------
    ValueError
        When the votes have another shape, or one is negative.

    References
    ----------
    Gelman et al., "Bayesian Data Analysis", 3rd edition, 2013, section 3.4 (the Dirichlet posteriors).
    Del Moral, Doucet, Jasra, "Sequential Monte Carlo samplers", Journal of the Royal Statistical Society B 68(3),
    2006 (votes brought in step by step).
    ter Braak, "A Markov chain Monte Carlo version of the genetic algorithm differential evolution", Statistics
    and Computing 16, 2006 (moves by differences, and their length).
    Brown, Cai, DasGupta 2001, as in `estimate_prevalence` (Jeffreys' prior of a share).

    Examples
    --------
    A model that calls two of ten answers wrong, and abstains on none:

    >>> scheme = LabelScheme.from_labels("yes or no", ["yes", "no"])
    >>> errors = CallErrors(scheme, np.array([[800.0, 200.0, 0.0], [200.0, 800.0, 0.0]]))
    >>> found = estimate_mix(np.array([16.0, 4.0, 0.0]), errors).sides["yes"]
    >>> found.share > 16 / 20, found.high
    (True, 1.0)
    """
    n_calls = len(errors.scheme.names) + 1
    if votes.shape != (n_calls,) or (votes < 0).any():
        raise ValueError(f"votes must have shape {(n_calls,)} and none below 0")
    return _estimate_mix(tuple(votes.tolist()), errors, coverage, n_draws)


# Small panels repeat. An estimate holds its draws, so that not many are kept.
@lru_cache(maxsize=256)
def _estimate_mix(votes: tuple[float, ...], errors: CallErrors, coverage: float, n_draws: int) -> MixEstimate:
    scheme = errors.scheme
    mixes = _draw_mixes(np.array(votes, dtype=np.float32), errors, n_draws).astype(np.float64)
    labels = mixes[:, [label.side is not None for label in scheme.labels]]
    labels = labels / labels.sum(axis=1, keepdims=True)
    belongs = [[float(label.side == side) for side in scheme.sides] for label in scheme.with_side]
    sides = labels @ np.array(belongs).reshape(labels.shape[1], len(scheme.sides))
    sides.setflags(write=False)
    level = coverage if any(votes) else 1.0
    return MixEstimate(
        labels=_summarise([label.name for label in scheme.with_side], labels, level),
        sides=_summarise(scheme.sides, sides, level),
        side_draws=sides,
    )


# ---------------------------------------------------------------- intervals


def _summarise(names: Sequence[str], draws: Floats, coverage: float) -> dict[str, Interval]:
    low, high = _find_shortest(draws, coverage)
    share = draws.mean(axis=0)
    # The mean is outside only of intervals that hold far less than 90 % of the draws.
    bounds = np.clip([share, np.minimum(low, share), np.maximum(high, share)], 0.0, 1.0)
    found = np.round(bounds, _DECIMALS).T.tolist()
    return {name: Interval(share=s, low=a, high=b) for name, (s, a, b) in zip(names, found, strict=True)}


def _find_shortest(draws: Floats, coverage: float) -> tuple[Floats, Floats]:
    """Find the shortest interval of each column on the scale of arcsin(sqrt(share)), of `_N_INTERVALS` that are tried.

    One with nothing below begins at 0, and one with nothing above ends at 1.
    """
    ordered = np.sort(draws, axis=0)
    below = np.linspace(0.0, 1.0 - coverage, _N_INTERVALS)
    low, high = _read_quantiles(ordered, below), _read_quantiles(ordered, below + coverage)
    low[0], high[-1] = 0.0, 1.0
    if coverage >= 1:
        return low[0], high[-1]
    length = np.arcsin(np.sqrt(np.minimum(high, 1.0))) - np.arcsin(np.sqrt(np.minimum(low, 1.0)))
    shortest = length.argmin(axis=0)[None]
    return np.take_along_axis(low, shortest, axis=0)[0], np.take_along_axis(high, shortest, axis=0)[0]


def _read_quantiles(ordered: Floats, below: Floats) -> Floats:
    """Read quantiles of columns that are in order; shape (n_quantiles, n_columns)."""
    place = np.clip(below, 0.0, 1.0) * (len(ordered) - 1)
    left = np.minimum(place.astype(np.int64), max(len(ordered) - 2, 0))
    part = (place - left)[:, None]
    quantiles: Floats = ordered[left] * (1 - part) + ordered[np.minimum(left + 1, len(ordered) - 1)] * part
    return quantiles


# ---------------------------------------------------------------- how a mix comes about


@dataclass(frozen=True)
class _Tree:
    """How a label comes about: stance or none, then the side, then the label.

    A branch has a share of its fork, and a label's share of the whole is the product of those on its way. Forks of
    one branch are left out.

    Attributes
    ----------
    ways
        Shape (n_labels, n_branches): 1 where a branch is on a label's way.
    siblings
        Shape (n_branches, n_branches): 1 where two branches are of one fork.
    n_free
        How many branches can be chosen freely: all but one per fork.
    """

    ways: Singles
    siblings: Singles
    n_free: int

    def normalise(self, logs: Singles) -> Singles:
        """Make the shares of every fork sum to 1; logarithms, shape (n_draws, n_branches)."""
        highest = np.float32(-_LEAST_LOG)
        logs = np.clip(logs, -highest, highest)
        return logs - np.log(np.exp(logs) @ self.siblings)

    def mix(self, logs: Singles) -> Singles:
        """Return the share of every label; shape (n_draws, n_labels)."""
        mix: Singles = np.exp(logs @ self.ways.T)
        return mix


@lru_cache(maxsize=8)
def _grow_tree(scheme: LabelScheme) -> _Tree:
    sides = [label.side for label in scheme.labels]
    forks = [
        [[side is not None for side in sides], [side is None for side in sides]],
        [[side == wanted for side in sides] for wanted in scheme.sides],
    ]
    for wanted in (*scheme.sides, None):
        places = [place for place, side in enumerate(sides) if side == wanted]
        forks.append([[place == own for place in range(len(sides))] for own in places])
    forks = [[branch for branch in fork if any(branch)] for fork in forks]
    forks = [fork for fork in forks if len(fork) > 1]
    numbers = np.array([number for number, fork in enumerate(forks) for _ in fork])
    return _Tree(
        ways=np.array([branch for fork in forks for branch in fork], dtype=np.float32).T,
        siblings=(numbers[:, None] == numbers).astype(np.float32),
        n_free=len(numbers) - len(forks),
    )


# ---------------------------------------------------------------- draws


@dataclass(frozen=True)
class _Bank:
    """What is as likely as can be before any vote: mixes, and errors of the model.

    Attributes
    ----------
    logs
        Shape (n, n_branches): shares of the tree's branches.
    rows
        Shape (n, n_labels, n_labels + 1): probability of each call by label.
    calls
        Shape (n, n_labels + 1): logarithm of the probability of each call.
    """

    logs: Singles
    rows: Singles
    calls: Singles


@dataclass(frozen=True)
class _Draws:
    """Mixes, each with errors of the bank by their place there; otherwise as `_Bank`."""

    logs: Singles
    places: Ints
    calls: Singles

    def take(self, chosen: Ints) -> _Draws:
        """Return the draws at these places, some perhaps more than once."""
        return _Draws(self.logs[chosen], self.places[chosen], self.calls[chosen])

    def replace(self, is_new: Bools, other: _Draws) -> _Draws:
        """Return the draws with some replaced."""
        wide = is_new[:, None]
        return _Draws(
            np.where(wide, other.logs, self.logs),
            np.where(is_new, other.places, self.places),
            np.where(wide, other.calls, self.calls),
        )


@lru_cache(maxsize=4)
def _draw_bank(errors: CallErrors, n: int) -> _Bank:
    rng = np.random.default_rng(_SEED)
    tree = _grow_tree(errors.scheme)
    logs = np.log(rng.standard_gamma(_PRIOR, (n, len(tree.siblings))) + float(_TINY))
    logs = tree.normalise(logs.astype(np.float32))
    parameters = (errors.counts + _PRIOR).astype(np.float32)
    rows = rng.standard_gamma(parameters, (n, *parameters.shape), dtype=np.float32)
    rows /= rows.sum(axis=2, keepdims=True)
    return _Bank(logs, rows, _expect_calls(tree, logs, rows))


def _expect_calls(tree: _Tree, logs: Singles, rows: Singles) -> Singles:
    """Return the logarithm of the probability of each call; shape (n, n_labels + 1)."""
    calls: Singles = np.log(np.einsum("nk,nkc->nc", tree.mix(logs), rows) + _TINY)
    return calls


def _draw_mixes(votes: Singles, errors: CallErrors, n_draws: int) -> Singles:
    """Draw mixes as likely as they are given the votes; shape (n_draws, n_labels)."""
    rng = np.random.default_rng(_SEED)
    tree = _grow_tree(errors.scheme)
    bank = _draw_bank(errors, _BANK * n_draws)
    draws, brought_in = _Draws(bank.logs, np.arange(len(bank.logs)), bank.calls), 0.0
    while brought_in < 1:
        likelihood = draws.calls @ votes
        rest = 1 - brought_in
        step = _choose_step(likelihood, rest, _LEAST_EFFECTIVE * n_draws)
        brought_in = 1.0 if step >= rest else brought_in + step
        draws = draws.take(_choose_draws(likelihood * np.float32(step), n_draws))
        if step < 1:
            draws = _stir(draws, bank, votes * np.float32(brought_in), tree, rng)
    return tree.mix(draws.logs)


def _choose_step(likelihood: Singles, rest: float, least: float) -> float:
    """Choose which share of the votes to bring in at once: the rest, or so much that enough draws keep a weight."""
    if _count_effective(likelihood * np.float32(rest)) >= least:
        return rest
    low, high = 0.0, rest
    for _ in range(_N_HALVINGS):
        middle = (low + high) / 2
        is_enough = _count_effective(likelihood * np.float32(middle)) >= least
        low, high = (middle, high) if is_enough else (low, middle)
    return min(max(low, _LEAST_STEP), rest)


def _count_effective(log_weights: Singles) -> float:
    weights = np.exp(log_weights - log_weights.max())
    return float(weights.sum() ** 2 / (weights @ weights))


def _choose_draws(log_weights: Singles, n: int) -> Ints:
    """Choose places by weight, as evenly as can be (systematic resampling)."""
    reached = np.cumsum(np.exp(log_weights - log_weights.max()), dtype=np.float64)
    places: Ints = np.searchsorted(reached, (np.arange(n) + 0.5) * (reached[-1] / n))
    return places


def _stir(draws: _Draws, bank: _Bank, votes: Singles, tree: _Tree, rng: np.random.Generator) -> _Draws:
    """Move every draw a few times, so that those that were chosen more than once part."""
    n = len(draws.logs)
    length = np.float32(2.38 / np.sqrt(2 * tree.n_free))
    for _ in range(_N_MOVES):
        one, other = rng.integers(n, size=(2, n))
        logs = tree.normalise(draws.logs + length * (draws.logs[one] - draws.logs[other]))
        moved = _Draws(logs, draws.places, _expect_calls(tree, logs, bank.rows.take(draws.places, axis=0)))
        # On the scale of log ratios a Dirichlet density is the product of the shares to the power of its parameters.
        gain = (moved.calls - draws.calls) @ votes + np.float32(_PRIOR) * (logs - draws.logs).sum(axis=1)
        draws = draws.replace(-rng.standard_exponential(n) < gain, moved)
    places = rng.integers(len(bank.rows), size=n)
    moved = _Draws(draws.logs, places, _expect_calls(tree, draws.logs, bank.rows.take(places, axis=0)))
    return draws.replace(-rng.standard_exponential(n) < (moved.calls - draws.calls) @ votes, moved)
