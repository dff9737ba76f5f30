"""Named rules of the verdict, fixed before any answer is read, and how likely a rule gives its verdict again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import WrongUsage
from pipeline.schema import LabelScheme, Verdict

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

STRENGTHS: tuple[Literal["split", "majority", "consensus"], ...] = ("split", "majority", "consensus")
"""What a rule can say of enough votes, in the order of their codes."""

NO_SIDE = -1
THIRDS = ("oppose", "neutral", "support")
"""The sides that RAND/UCLA's rule takes for the thirds of its scale, in order."""

RULES = ("delphi-75", "rand-ucla")
"""What `build_rule` can build, the default first."""

# Weighted votes are sums of fractions: two such sums that differ by less than this are equal.
_TOLERANCE = 1e-9


@dataclass(frozen=True)
class ConsensusRule:
    """The rule of the verdict, fixed before any answer is read.

    Attributes
    ----------
    name
        As it stands in the report.
    kind
        ``delphi`` (a share of the votes) or ``rand-ucla`` (votes outside the third of the median).
    share
        Least share of the votes with a stance for ``consensus``: 0.75 is the median of Delphi studies; None
        where the kind has none.
    min_answers
        Fewer votes with a stance than this are ``insufficient``, whatever they weigh.
    interval
        Coverage of the intervals.
    n_draws
        Draws for corrected shares and the verdict's probability; the seed is constant.
    weight_by
        Field of an answer that says how much its vote counts; None when all count alike.
    keep_repeats
        Whether several answers of one respondent count as several votes.

    References
    ----------
    Diamond et al., "Defining consensus: a systematic review recommends methodologic criteria for
    reporting of Delphi studies", Journal of Clinical Epidemiology 67(4), 2014.
    Fitch et al., "The RAND/UCLA Appropriateness Method User's Manual", RAND MR-1269, 2001.
    """

    name: str = RULES[0]
    kind: Literal["delphi", "rand-ucla"] = "delphi"
    share: float | None = 0.75
    min_answers: int = 5
    interval: float = 0.9
    n_draws: int = 4000
    weight_by: str | None = None
    keep_repeats: bool = False


def build_rule(
    share: float | None = None,
    min_answers: int | None = None,
    *,
    rule: str = RULES[0],
    weight_by: str | None = None,
    keep_repeats: bool = False,
) -> ConsensusRule:
    """Build a named rule, or one of its kind with other numbers, under a name that says so.

    Raises
    ------
    WrongUsage
        For an unknown rule, and for a share or weights with RAND/UCLA's, which counts votes.

    Examples
    --------
    >>> build_rule().name, build_rule(share=0.8).name, build_rule(rule="rand-ucla", min_answers=7).name
    ('delphi-75', '80 % of at least 5', 'rand-ucla of at least 7')
    >>> build_rule(weight_by="respondent.n_reviews").name
    'delphi-75, weighted by respondent.n_reviews'
    """
    if rule not in RULES:
        raise WrongUsage(f"--rule {rule}: no such rule: use one of {', '.join(RULES)}")
    default = ConsensusRule()
    least = default.min_answers if min_answers is None else min_answers
    suffix = (f", weighted by {weight_by}" if weight_by else "") + (", repeats kept" if keep_repeats else "")
    if rule == "rand-ucla":
        if share is not None:
            raise WrongUsage(
                f"--consensus-share {share:g}: is of --rule delphi-75; rand-ucla counts votes by its table"
            )
        if weight_by:
            raise WrongUsage(f"--weight-by {weight_by}: rand-ucla counts votes, which all weigh alike")
        name = rule if least == default.min_answers else f"{rule} of at least {least}"
        return ConsensusRule(f"{name}{suffix}", "rand-ucla", None, least, keep_repeats=keep_repeats)
    share = 0.75 if share is None else share
    name = default.name if (share, least) == (0.75, default.min_answers) else f"{share * 100:g} % of at least {least}"
    return ConsensusRule(f"{name}{suffix}", "delphi", share, least, weight_by=weight_by, keep_repeats=keep_repeats)


def check_rule(rule: ConsensusRule, scheme: LabelScheme) -> None:
    """Raise when a rule cannot be applied to the sides of a scheme.

    Raises
    ------
    WrongUsage
        When RAND/UCLA's thirds are not the scheme's sides in order.
    """
    if rule.kind == "rand-ucla" and order_sides(scheme) != THIRDS:
        raise WrongUsage(
            f"rule {rule.name}: needs the sides {', '.join(THIRDS)} in this order; "
            f"the model's are {', '.join(scheme.sides)}: use --rule delphi-75"
        )


def order_sides(scheme: LabelScheme) -> tuple[str, ...] | None:
    """Return the sides of a scheme by value, lowest first; None where they have no order.

    Examples
    --------
    >>> order_sides(LabelScheme.from_labels("s", ["yes", "no"])) is None
    True
    """
    if not scheme.is_ordered:
        return None
    ordered = [label.side for label in sorted(scheme.with_side, key=lambda label: label.value or 0.0)]
    sides = tuple(dict.fromkeys(side for side in ordered if side is not None))
    n_runs = 1 + sum(a != b for a, b in pairwise(ordered))
    return sides if n_runs == len(sides) else None


class Outcomes(NamedTuple):
    """What a rule says of many panels: codes of `STRENGTHS`, and places of sides, `NO_SIDE` for none."""

    strengths: Ints
    sides: Ints

    def match(self, strength: int, side: int) -> Bools:
        """Return where strength and side are these."""
        is_same: Bools = (self.strengths == strength) & (self.sides == side)
        return is_same


def apply_rule(votes: Floats, sides: Sequence[str], rule: ConsensusRule) -> Outcomes:
    """Apply a rule to the votes of many panels at once, all with enough votes.

    Parameters
    ----------
    votes
        Shape (n_panels, n_sides), not negative, not all 0 in a row: votes or shares; whole numbers for RAND/UCLA.
    sides
        Names of the columns.
    rule
        The rule.

    Returns
    -------
    Outcomes
        Shape (n_panels,) each.

    Notes
    -----
    *delphi*: the leader is the side with most votes; ``consensus`` where it has at least ``rule.share`` of them,
    ``majority`` above half, ``split`` otherwise. Two leaders are a tie: ``split`` without a side.

    *rand-ucla*: with ``A = floor((n - 2) / 3)``, ``consensus`` on the third of the median where at most A votes
    lie outside it; ``split`` without a side (disagreement) where more than A lie in each extreme third. In between
    ``majority`` where the median's third has more than half, else ``split`` on it. The published table is 8 to 10:
    A = 2, 11 to 13: 3, 14 to 16: 4; the formula is the same there and carries it to other sizes (A is 0 below 5).
    Of an even panel whose two middle votes lie in different thirds the median is in none: ``split`` without a
    side.

    References
    ----------
    Fitch et al., "The RAND/UCLA Appropriateness Method User's Manual", RAND MR-1269, 2001.
    "A conceptual framework and protocol for defining clinical decision support objectives applicable to
    medical specialties", BMC Medical Informatics and Decision Making 12:93, 2012, table 7 (the panel sizes).
    """
    return _APPLY[rule.kind](votes, sides, rule)


def _apply_delphi(votes: Floats, _: Sequence[str], rule: ConsensusRule) -> Outcomes:
    total, most = votes.sum(axis=1), votes.max(axis=1)
    slack = _TOLERANCE * total
    is_tie = (votes >= (most - slack)[:, None]).sum(axis=1) > 1
    is_majority = most > total / 2 + slack
    is_consensus = most >= (rule.share or 0.0) * total - slack
    strengths = np.where(is_consensus, 2, np.where(is_majority, 1, 0))
    return Outcomes(np.where(is_tie, 0, strengths), np.where(is_tie, NO_SIDE, votes.argmax(axis=1)))


def _apply_rand_ucla(votes: Floats, sides: Sequence[str], _: ConsensusRule) -> Outcomes:
    order = np.array([sides.index(side) for side in THIRDS])
    counts = np.rint(votes[:, order]).astype(np.int64)
    total = counts.sum(axis=1)
    allowed = allow_outside(total)
    median = _median_thirds(counts)
    inside = np.take_along_axis(counts, np.maximum(median, 0)[:, None], axis=1)[:, 0]
    agrees = total - inside <= allowed
    disagrees = np.minimum(counts[:, 0], counts[:, -1]) > allowed
    strengths = np.where(agrees, 2, np.where(2 * inside > total, 1, 0))
    has_no_side = disagrees | (median == NO_SIDE)
    return Outcomes(np.where(has_no_side, 0, strengths), np.where(has_no_side, NO_SIDE, order[median]))


def allow_outside(n_votes: Ints) -> Ints:
    """Return how many votes RAND/UCLA's rule allows outside the median's third, by size of panel.

    Examples
    --------
    >>> allow_outside(np.array([3, 7, 8, 10, 11, 13, 14, 16])).tolist()
    [0, 1, 2, 2, 3, 3, 4, 4]
    """
    return np.maximum((n_votes - 2) // 3, 0)


def _median_thirds(counts: Ints) -> Ints:
    """Return the third that the median lies in, `NO_SIDE` where the two middle votes lie in two; shape (n_panels,)."""
    reached, total = counts.cumsum(axis=1), counts.sum(axis=1)
    lower = (reached >= ((total + 1) // 2)[:, None]).argmax(axis=1)
    upper = (reached >= (total // 2 + 1)[:, None]).argmax(axis=1)
    return np.where(lower == upper, lower, NO_SIDE)


_APPLY: dict[str, Callable[[Floats, Sequence[str], ConsensusRule], Outcomes]] = {
    "delphi": _apply_delphi,
    "rand-ucla": _apply_rand_ucla,
}


def decide_verdict(votes: Mapping[str, float], rule: ConsensusRule, n_votes: int | None = None) -> Verdict:
    """Apply a rule to the votes per side of one panel; a tie is a tie.

    Parameters
    ----------
    votes
        Votes, or weights of votes, by side.
    rule
        The rule.
    n_votes
        How many votes with a stance there are; None where `votes` are numbers of votes.

    Returns
    -------
    Verdict
        Without a probability.

    Examples
    --------
    >>> decide_verdict({"oppose": 8, "neutral": 0, "support": 2}, ConsensusRule()).strength
    'consensus'
    >>> decide_verdict({"oppose": 3, "neutral": 0, "support": 3}, ConsensusRule()).side is None
    True
    """
    sides, counts = tuple(votes), np.array([list(votes.values())], dtype=np.float64)
    if (counts.sum() if n_votes is None else n_votes) < rule.min_answers or counts.sum() <= 0:
        return Verdict(side=None, strength="insufficient", probability=None)
    found = apply_rule(counts, sides, rule)
    place = int(found.sides[0])
    side = None if place == NO_SIDE else sides[place]
    return Verdict(side=side, strength=STRENGTHS[int(found.strengths[0])], probability=None)


def find_rivals(votes: Mapping[str, float], rule: ConsensusRule) -> tuple[str, ...]:
    """Return the sides between which a split without a side lies, in the order of `votes`.

    For a tie these are the leaders; for RAND/UCLA's rule the two extreme thirds, or where these do not disagree
    the two thirds around the median.

    Examples
    --------
    >>> find_rivals({"oppose": 3, "neutral": 1, "support": 3}, ConsensusRule())
    ('oppose', 'support')
    """
    if rule.kind == "delphi":
        most = max(votes.values())
        return tuple(side for side, n in votes.items() if n >= most - _TOLERANCE * sum(votes.values()))
    counts = np.array([[votes[side] for side in THIRDS]], dtype=np.int64)
    if counts[0, [0, -1]].min() > allow_outside(counts.sum(axis=1))[0]:
        rivals = {THIRDS[0], THIRDS[-1]}
    else:
        reached, half = counts[0].cumsum(), counts.sum() // 2
        rivals = {THIRDS[int((reached >= half).argmax())], THIRDS[int((reached >= half + 1).argmax())]}
    return tuple(side for side in votes if side in rivals)


def estimate_probability(
    side_draws: Floats, sides: Sequence[str], n_votes: int, rule: ConsensusRule, verdict: Verdict
) -> float | None:
    """Estimate the probability that a rule gives this verdict of the doctors at large.

    A rule about shares is applied to each drawn mix of sides among doctors; RAND/UCLA's, which is about the votes
    of a panel, to a panel of the same size drawn from each mix.

    Parameters
    ----------
    side_draws
        Shape (n_draws, n_sides): shares of sides among doctors with a stance, drawn given both uncertainties.
    sides
        Names of the columns.
    n_votes
        Votes with a stance in the panel.
    rule
        The rule.
    verdict
        The verdict whose probability is wanted.

    Returns
    -------
    float or None
        In [0, 1], to two decimals, the same each time; None for a tie, which no drawn shares repeat, and where
        the votes are insufficient.

    References
    ----------
    Gelman et al., "Bayesian Data Analysis", 3rd edition, 2013, section 3.4 (the draws) and section 6.3 (panels
    drawn from them, the posterior predictive distribution).
    """
    if verdict.strength == "insufficient" or (rule.kind == "delphi" and verdict.side is None):
        return None
    votes = side_draws
    if rule.kind == "rand-ucla":
        shares = side_draws / side_draws.sum(axis=1, keepdims=True)
        votes = np.random.default_rng(0).multinomial(n_votes, shares).astype(np.float64)
    place = NO_SIDE if verdict.side is None else sides.index(verdict.side)
    found = apply_rule(votes, sides, rule).match(STRENGTHS.index(verdict.strength), place)
    return round(float(found.mean()), 2)
