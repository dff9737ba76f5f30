"""How far the answers agree, apart from how sure that is: two indices, each defined at its extremes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate, combinations

from pipeline.schema import LabelScheme

_DECIMALS = 4
_TOLERANCE = 1e-9


def order_votes(votes: Mapping[str, float], scheme: LabelScheme) -> list[float] | None:
    """Return the votes per grade by value, lowest first; None for a scheme without order."""
    if not scheme.is_ordered:
        return None
    ordered = sorted(scheme.with_side, key=lambda label: label.value or 0.0)
    return [votes[label.name] for label in ordered]


def measure_agreement(votes: Sequence[float]) -> float | None:
    """Measure ordinal agreement by van der Eijk's A.

    The votes are cut into layers, each a pattern of empty and filled grades of equal height. A layer's
    agreement is ``U * (1 - (S - 1) / (K - 1))``, with S filled grades of K and U the unimodality, and A is
    the layers' mean weighted by the votes in them.

    Parameters
    ----------
    votes
        Votes, or weights of votes, per grade, in order; at least two grades.

    Returns
    -------
    float or None
        1 when all votes have one grade, 0 when they are spread evenly, -1 when half is at each end;
        None without votes.

    References
    ----------
    van der Eijk, "Measuring agreement in ordered rating scales", Quality & Quantity 35, 2001.

    Examples
    --------
    >>> measure_agreement([9, 0, 0, 0, 0]), measure_agreement([2, 2, 2, 2, 2]), measure_agreement([4, 0, 0, 0, 4])
    (1.0, 0.0, -1.0)
    """
    total = sum(votes)
    if total <= 0:
        return None
    left = [n / total for n in votes]
    agreement = 0.0
    while any(filled := [n > _TOLERANCE for n in left]):
        height = min(n for n, is_filled in zip(left, filled, strict=True) if is_filled)
        agreement += height * sum(filled) * _agree_in_layer(filled)
        left = [n - height if is_filled else 0.0 for n, is_filled in zip(left, filled, strict=True)]
    return round(agreement, _DECIMALS) + 0.0


def _agree_in_layer(filled: Sequence[bool]) -> float:
    """Agreement of one layer: van der Eijk 2001, equations 1 to 3."""
    k, s = len(filled), sum(filled)
    if s == k:
        return 0.0
    # Triples of grades in order: filled-filled-empty and empty-filled-filled speak for one mode (TU),
    # filled-empty-filled against it (TDU).
    triples = list(combinations(filled, 3))
    tu = sum(t in {(True, True, False), (False, True, True)} for t in triples)
    tdu = sum(t == (True, False, True) for t in triples)
    unimodality = 1.0 if tu + tdu == 0 else ((k - 2) * tu - (k - 1) * tdu) / ((k - 2) * (tu + tdu))
    return unimodality * (1 - (s - 1) / (k - 1))


def measure_polarisation(votes: Sequence[float]) -> float | None:
    """Measure polarisation by Leik's ordinal dispersion D.

    With ``F_i`` the share of votes at grade i or below and ``d_i = min(F_i, 1 - F_i)``,
    ``D = 2 * sum(d_1 ... d_{K-1}) / (K - 1)``: how far the votes are from all alike, relative to the farthest
    they can be.

    Parameters
    ----------
    votes
        Votes, or weights of votes, per grade, in order; at least two grades.

    Returns
    -------
    float or None
        0 when all votes have one grade, 1 when half is at each end. Spread evenly over K grades it is
        ``(K + 1) / (2 K)`` for odd K and ``K / (2 (K - 1))`` for even K: 0.6 for five. None without votes.

    References
    ----------
    Leik, "A measure of ordinal consensus", Pacific Sociological Review 9(2), 1966.

    Examples
    --------
    >>> measure_polarisation([0, 9, 0, 0, 0]), measure_polarisation([2, 2, 2, 2, 2]), measure_polarisation([4, 0, 0, 4])
    (0.0, 0.6, 1.0)
    """
    total = sum(votes)
    if total <= 0:
        return None
    reached = [n / total for n in accumulate(votes)][:-1]
    return round(min(1.0, 2 * sum(max(0.0, min(f, 1 - f)) for f in reached) / len(reached)), _DECIMALS) + 0.0
