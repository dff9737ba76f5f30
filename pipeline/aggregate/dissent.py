"""The strongest answers against a verdict: always quoted, so that the other side is never hidden."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from pipeline.schema import ClassifiedAnswer, Dissent, LabelScheme, Verdict


def find_dissent(
    answers: Sequence[ClassifiedAnswer], scheme: LabelScheme, verdict: Verdict, rivals: Sequence[str]
) -> tuple[Dissent, ...]:
    """Return the answers on another side than the verdict's, strongest first.

    An answer is the stronger the farther its stance is from the verdict's side on the ordinal scale, and of those
    equally far the surer; in a scheme without order the surer.

    Parameters
    ----------
    answers
        Those that count as votes with a stance, in the order of the panel.
    scheme
        Their labels.
    verdict
        The verdict.
    rivals
        Where the verdict has no side, the sides between which it lies.

    Returns
    -------
    tuple of Dissent
        Where the verdict has no side, the strongest answer of each rival, farthest from the other rivals; none
        where the votes are insufficient.
    """
    if verdict.strength == "insufficient":
        return ()
    if verdict.side is not None:
        others = [a for a in answers if a.call.side != verdict.side]
        return tuple(map(_quote, _order_by_strength(others, scheme, [verdict.side])))
    strongest = [
        _order_by_strength(
            [a for a in answers if a.call.side == side], scheme, [other for other in rivals if other != side]
        )[:1]
        for side in rivals
    ]
    return tuple(_quote(answer) for found in strongest for answer in found)


def _order_by_strength(
    answers: Sequence[ClassifiedAnswer], scheme: LabelScheme, sides: Sequence[str]
) -> list[ClassifiedAnswer]:
    return sorted(answers, key=lambda a: (-measure_distance(a.call.stance, sides, scheme), -a.call.confidence))


def measure_distance(stance: str, sides: Sequence[str], scheme: LabelScheme) -> float:
    """Return how far a stance is from the nearest stance of some sides; 0 where there is no order.

    Examples
    --------
    >>> grades = [("no", -1, "a"), ("yes", 1, "b"), ("sure", 2, "b")]
    >>> labels = [{"name": name, "value": value, "side": side} for name, value, side in grades]
    >>> scheme = LabelScheme.model_validate({"name": "s", "labels": labels})
    >>> measure_distance("sure", ["a"], scheme), measure_distance("yes", ["b"], scheme)
    (3.0, 0.0)
    """
    if not scheme.is_ordered:
        return 0.0
    values = {label.name: label.value or 0.0 for label in scheme.with_side}
    nearest = min(
        (abs(values[stance] - values[label.name]) for label in scheme.with_side if label.side in sides), default=inf
    )
    return 0.0 if nearest == inf else nearest


def _quote(answer: ClassifiedAnswer) -> Dissent:
    return Dissent(
        answer_id=answer.answer.answer_id,
        respondent=answer.answer.respondent.name,
        stance=answer.call.stance,
        confidence=answer.call.confidence,
        quote=answer.call.evidence[0].quote if answer.call.evidence else (answer.answer.headline or answer.answer.text),
    )
