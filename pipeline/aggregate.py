"""From the calls on one question's answers to the panel's view: prevalence, verdict, agreement, dissent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from pipeline.schema import (
    ClassifiedAnswer,
    Consensus,
    Dissent,
    LabelScheme,
    Prevalence,
    Verdict,
)

Floats = NDArray[np.float64]
_DECIMALS = 4


@dataclass(frozen=True)
class ConsensusRule:
    """The rule of the verdict, fixed before any answer is read.

    Attributes
    ----------
    name
        As it stands in the report.
    share
        Least share of the answers with a stance for ``consensus``: 0.75 is the median of Delphi studies.
    min_answers
        Fewer answers with a stance than this are ``insufficient``.
    interval
        Coverage of the intervals.
    n_draws
        Draws for the verdict's probability; the seed is constant.

    References
    ----------
    Diamond et al., "Defining consensus: a systematic review recommends methodologic criteria for
    reporting of Delphi studies", Journal of Clinical Epidemiology 67(4), 2014.
    """

    name: str = "delphi-75"
    share: float = 0.75
    min_answers: int = 5
    interval: float = 0.9
    n_draws: int = 4000


def build_rule(share: float | None = None, min_answers: int | None = None) -> ConsensusRule:
    """Build the default rule, or one of its kind with another share or number, under a name that says so.

    Examples
    --------
    >>> build_rule().name, build_rule(share=0.8).name
    ('delphi-75', '80 % of at least 5')
    """
    default = ConsensusRule()
    share = default.share if share is None else share
    min_answers = default.min_answers if min_answers is None else min_answers
    if (share, min_answers) == (default.share, default.min_answers):
        return default
    return ConsensusRule(f"{share * 100:g} % of at least {min_answers}", share, min_answers)


def aggregate_question(answers: Sequence[ClassifiedAnswer], scheme: LabelScheme, rule: ConsensusRule) -> Consensus:
    """Aggregate the classified answers to one question.

    Parameters
    ----------
    answers
        At least one, all to the same question, in the order to show.
    scheme
        The labels of the calls.
    rule
        The rule of the verdict.

    Returns
    -------
    Consensus
        Shares are of the answers with a stance: those that were not abstained on and whose label takes
        a side.
    """
    called = [a for a in answers if not a.call.abstained]
    with_stance = [a for a in called if a.call.side is not None]
    labels = [label.name for label in scheme.with_side]
    sides = scheme.sides
    counts = {name: sum(a.call.stance == name for a in with_stance) for name in labels}
    side_counts = {side: sum(a.call.side == side for a in with_stance) for side in sides}
    verdict = decide_verdict(side_counts, rule)
    if verdict.side is not None:
        probability = estimate_probability(answers, scheme, rule, verdict)
        verdict = verdict.model_copy(update={"probability": probability})
    first = answers[0].answer
    return Consensus(
        question_id=first.question_id,
        question=first.question,
        proposition=first.proposition,
        n_answers=len(answers),
        n_with_stance=len(with_stance),
        n_no_stance=len(called) - len(with_stance),
        n_abstained=len(answers) - len(called),
        prevalence={name: estimate_prevalence(n, len(with_stance), rule.interval) for name, n in counts.items()},
        sides={side: estimate_prevalence(n, len(with_stance), rule.interval) for side, n in side_counts.items()},
        verdict=verdict,
        agreement=_agreement_of(counts, scheme),
        dissent=_find_dissent(with_stance, verdict),
        answers=tuple(answers),
    )


def estimate_prevalence(n: int, n_total: int, coverage: float = 0.9) -> Prevalence:
    """Estimate a share and its Jeffreys interval.

    The interval holds the sampling error of few answers, not the classifier's errors.

    Parameters
    ----------
    n, n_total
        Answers of the kind, and answers in all.
    coverage
        Of the interval, in (0, 1).

    Returns
    -------
    Prevalence
        ``share = n / n_total``; bounds are the (1 ± coverage)/2 quantiles of Beta(n + ½, n_total - n + ½),
        with 0 below no answer and 1 above all. Without answers, share 0 and the interval [0, 1].

    References
    ----------
    Brown, Cai, DasGupta, "Interval estimation for a binomial proportion", Statistical Science 16(2), 2001,
    section 3.1.2.

    Examples
    --------
    >>> estimate_prevalence(9, 10).low
    0.6694
    >>> estimate_prevalence(0, 0)
    Prevalence(n=0, share=0.0, low=0.0, high=1.0)
    """
    if n_total == 0:
        return Prevalence(n=0, share=0.0, low=0.0, high=1.0)
    tail = (1 - coverage) / 2
    low = 0.0 if n == 0 else float(beta.ppf(tail, n + 0.5, n_total - n + 0.5))
    high = 1.0 if n == n_total else float(beta.ppf(1 - tail, n + 0.5, n_total - n + 0.5))
    return Prevalence(n=n, share=round(n / n_total, _DECIMALS), low=round(low, _DECIMALS), high=round(high, _DECIMALS))


def decide_verdict(side_counts: dict[str, int], rule: ConsensusRule) -> Verdict:
    """Apply the rule to the number of answers per side; a tie is a tie.

    Examples
    --------
    >>> decide_verdict({"oppose": 8, "neutral": 0, "support": 2}, ConsensusRule()).strength
    'consensus'
    >>> decide_verdict({"oppose": 3, "neutral": 0, "support": 3}, ConsensusRule()).side is None
    True
    """
    n_total = sum(side_counts.values())
    if n_total < rule.min_answers:
        return Verdict(side=None, strength="insufficient", probability=None)
    most = max(side_counts.values())
    leaders = [side for side, n in side_counts.items() if n == most]
    if len(leaders) > 1:
        return Verdict(side=None, strength="split", probability=None)
    share = most / n_total
    # Counts are small whole numbers, so that comparing the share itself is exact enough: 3/4 is 0.75.
    strength = "consensus" if share >= rule.share else "majority" if share > 0.5 else "split"
    return Verdict.model_validate({"side": leaders[0], "strength": strength, "probability": None})


def estimate_probability(
    answers: Sequence[ClassifiedAnswer], scheme: LabelScheme, rule: ConsensusRule, verdict: Verdict
) -> float:
    """Estimate the probability that the rule gives this verdict of the doctors at large.

    In each draw every answer takes a label from its posteriors (the classifier errs), then the shares of
    sides among doctors are drawn from the Dirichlet posterior of those labels under Jeffreys' prior (the
    answers are few), and the rule is applied to the shares. Abstained answers take part with their
    posteriors: they are unsure, not absent.

    Parameters
    ----------
    answers
        The classified answers of the question.
    scheme, rule
        As in `aggregate_question`.
    verdict
        The verdict whose probability is wanted: its side and strength.

    Returns
    -------
    float
        In [0, 1], to two decimals; the same for the same answers, as the seed is constant.

    References
    ----------
    Gelman et al., "Bayesian Data Analysis", 3rd edition, 2013, section 3.4 (multinomial data, Dirichlet
    posterior) and section 18.2 (draws over missing data).
    """
    rng = np.random.default_rng(0)
    side_posteriors = _side_posteriors(answers, scheme)
    drawn = _draw_counts(side_posteriors, rule.n_draws, rng)[:, : len(scheme.sides)]
    gamma = rng.standard_gamma(drawn + 0.5)
    shares = gamma / gamma.sum(axis=1, keepdims=True)
    leader = shares.argmax(axis=1)
    top = shares.max(axis=1)
    is_consensus, is_majority = top >= rule.share, (top > 0.5) & (top < rule.share)
    fits = {"consensus": is_consensus, "majority": is_majority, "split": top <= 0.5}[verdict.strength]
    if verdict.side is not None:
        fits = fits & (leader == scheme.sides.index(verdict.side))
    return round(float(fits.mean()), 2)


def _side_posteriors(answers: Sequence[ClassifiedAnswer], scheme: LabelScheme) -> Floats:
    """Return posteriors per side, and one last column for no side; shape (n_answers, n_sides + 1)."""
    columns = {side: place for place, side in enumerate(scheme.sides)}
    posteriors = np.zeros((len(answers), len(columns) + 1))
    for row, answer in enumerate(answers):
        for label in scheme.labels:
            place = len(columns) if label.side is None else columns[label.side]
            posteriors[row, place] += answer.call.posteriors.get(label.name, 0.0)
    posteriors /= posteriors.sum(axis=1, keepdims=True)
    return posteriors


def _draw_counts(posteriors: Floats, n_draws: int, rng: np.random.Generator) -> Floats:
    """Draw a side for every answer, `n_draws` times over; shape (n_draws, n_sides + 1)."""
    counts = np.zeros((n_draws, posteriors.shape[1]))
    for row in posteriors:
        counts += rng.multinomial(1, row, size=n_draws)
    return counts


def measure_agreement(counts: Sequence[int]) -> float | None:
    """Measure ordinal agreement by van der Eijk's A.

    The counts are cut into layers, each a pattern of empty and filled grades of equal height. A layer's
    agreement is ``U * (1 - (S - 1) / (K - 1))``, with S filled grades of K and U the unimodality, and A is
    the layers' mean weighted by the answers in them.

    Parameters
    ----------
    counts
        Answers per grade, in order; at least two grades.

    Returns
    -------
    float or None
        1 when all answers have one grade, 0 when they are spread evenly, -1 when half is at each end;
        None without answers.

    References
    ----------
    van der Eijk, "Measuring agreement in ordered rating scales", Quality & Quantity 35, 2001.

    Examples
    --------
    >>> measure_agreement([9, 0, 0, 0, 0]), measure_agreement([2, 2, 2, 2, 2]), measure_agreement([4, 0, 0, 0, 4])
    (1.0, 0.0, -1.0)
    """
    total = sum(counts)
    if total == 0:
        return None
    remaining = list(counts)
    agreement = 0.0
    while any(remaining):
        height = min(n for n in remaining if n)
        pattern = [n > 0 for n in remaining]
        weight = height * sum(pattern) / total
        agreement += weight * _pattern_agreement(pattern)
        remaining = [n - height if n else 0 for n in remaining]
    return round(agreement, _DECIMALS) + 0.0


def _pattern_agreement(pattern: Sequence[bool]) -> float:
    """Agreement of one layer: van der Eijk 2001, equations 1 to 3."""
    k, s = len(pattern), sum(pattern)
    if s == k:
        return 0.0
    # Triples of grades in order: filled-filled-empty and empty-filled-filled speak for one mode (TU),
    # filled-empty-filled against it (TDU).
    places = range(k)
    triples = [(pattern[i], pattern[j], pattern[m]) for i in places for j in places for m in places if i < j < m]
    tu = sum(t in {(True, True, False), (False, True, True)} for t in triples)
    tdu = sum(t == (True, False, True) for t in triples)
    unimodality = 1.0 if tu + tdu == 0 else ((k - 2) * tu - (k - 1) * tdu) / ((k - 2) * (tu + tdu))
    return unimodality * (1 - (s - 1) / (k - 1))


def _agreement_of(counts: dict[str, int], scheme: LabelScheme) -> float | None:
    if not scheme.is_ordered:
        return None
    ordered = sorted(scheme.with_side, key=lambda label: label.value or 0.0)
    return measure_agreement([counts[label.name] for label in ordered])


def _find_dissent(answers: Sequence[ClassifiedAnswer], verdict: Verdict) -> tuple[Dissent, ...]:
    """Return the answers on another side than the verdict's, surest first; none without a side."""
    if verdict.side is None:
        return ()
    others = [a for a in answers if a.call.side != verdict.side]
    others.sort(key=lambda a: -a.call.confidence)
    return tuple(
        Dissent(
            answer_id=a.answer.answer_id,
            respondent=a.answer.respondent.name,
            stance=a.call.stance,
            confidence=a.call.confidence,
            quote=a.call.evidence[0].quote if a.call.evidence else (a.answer.headline or a.answer.text),
        )
        for a in others
    )
