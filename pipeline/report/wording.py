"""The sentences that every form of a report shares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.schema import ClassifiedAnswer, Consensus, Prevalence

UNSURE_BELOW = 0.5
"""A verdict that is likelier to be wrong than right says so."""

_SIDE_VERBS = {
    "oppose": ("opposes it", "oppose it"),
    "support": ("supports it", "support it"),
    "neutral": ("is neutral on it", "are neutral on it"),
}


def percent(share: float) -> str:
    """Return a share in whole percent.

    Examples
    --------
    >>> percent(0.666)
    '67 %'
    """
    return f"{share * 100:.0f} %"


def show_prevalence(prevalence: Prevalence) -> str:
    """Return a share with its interval: "80 % (54 to 95 %)"."""
    return f"{percent(prevalence.share)} ({prevalence.low * 100:.0f} to {percent(prevalence.high)})"


def verdict_title(consensus: Consensus) -> str:
    """Return the verdict in two or three words, for headings and tables."""
    verdict = consensus.verdict
    if verdict.strength == "insufficient":
        return "too few answers"
    if verdict.side is None:
        return "split (tie)"
    unsure = " (unsure)" if verdict.probability is not None and verdict.probability < UNSURE_BELOW else ""
    return f"{verdict.strength}: {verdict.side}{unsure}"


def verdict_sentence(consensus: Consensus, rule: Mapping[str, Any]) -> str:
    """Return the verdict as one plain sentence with its numbers."""
    verdict, n = consensus.verdict, consensus.n_with_stance
    if verdict.strength == "insufficient":
        return (
            f"Too few answers to say: {n} of {consensus.n_answers} take a stance that can be told, "
            f"and the rule wants at least {rule['min_answers']}."
        )
    chance = _chance_sentence(verdict.probability)
    if verdict.side is None:
        return f"Split: no side has more answers than every other, of {n} with a stance.{chance}"
    count = consensus.sides[verdict.side].n
    one, many = _SIDE_VERBS.get(verdict.side, (f"is '{verdict.side}'", f"are '{verdict.side}'"))
    said = f"{count} of {n} answers with a stance {one if count == 1 else many}"
    meaning = {
        "consensus": f"at or above the {percent(rule['share'])} the rule asks for",
        "majority": f"more than half, below the {percent(rule['share'])} of a consensus",
        "split": "not more than half",
    }[verdict.strength]
    return f"{verdict.strength.capitalize()}: {said}, {meaning}.{chance}"


def _chance_sentence(probability: float | None) -> str:
    if probability is None:
        return ""
    warning = ": too low to rely on" if probability < UNSURE_BELOW else ""
    return f" Probability of this verdict: {percent(probability)}{warning}."


def count_sentence(consensus: Consensus) -> str:
    """Say how the answers divide into those with a stance, without one, and too unsure to call."""
    return (
        f"{count_answers(consensus.n_answers)}: {consensus.n_with_stance} with a stance, "
        f"{consensus.n_no_stance} without, {consensus.n_abstained} too unsure to call."
    )


def count_answers(n: int) -> str:
    """Return a number of answers in words: "1 answer", "2 answers"."""
    return f"{n} answer{'' if n == 1 else 's'}"


def agreement_sentence(consensus: Consensus) -> str:
    """Say how far the answers agree, apart from how sure that is."""
    if consensus.agreement is None or consensus.n_with_stance < 2:
        return ""
    return f"Agreement {consensus.agreement:+.2f} (+1 all alike, 0 spread evenly, -1 half at each end)."


def name_line(answer: ClassifiedAnswer) -> str:
    """Return name and credentials, or what else is known of someone without a name."""
    r = answer.answer.respondent
    return ", ".join(part for part in (r.name, r.credentials) if part) or r.specialty or "name not given"


def respondent_line(answer: ClassifiedAnswer) -> str:
    """Return name, credentials, specialty and place, as far as known."""
    r = answer.answer.respondent
    name = ", ".join(part for part in (r.name, r.credentials) if part)
    rest = ", ".join(part for part in (r.specialty, r.location) if part)
    return " · ".join(part for part in (name or "Name not given", rest) if part)


def rating_line(answer: ClassifiedAnswer) -> str:
    """Return rating and number of reviews, as far as known; empty without."""
    r = answer.answer.respondent
    rating = "" if r.rating is None else f"rated {r.rating:g}"
    reviews = "" if r.n_reviews is None else f"{r.n_reviews} reviews"
    return ", ".join(part for part in (rating, reviews) if part)


def plain_label(label: str) -> str:
    """Return a label for people.

    Examples
    --------
    >>> plain_label("cautiously_against")
    'cautiously against'
    """
    return label.replace("_", " ")


def quote_of(answer: ClassifiedAnswer) -> str:
    """Return the answer's strongest passage, or its beginning where none moved the label."""
    if answer.call.evidence:
        return answer.call.evidence[0].quote
    return (answer.answer.headline or answer.answer.text)[:200]


def method_lines(rule: Mapping[str, Any]) -> list[str]:
    """Say how the numbers came about, for the foot of a report."""
    return [
        f"Rule {rule['name']}, fixed beforehand: consensus at {percent(rule['share'])} of the answers with a stance, "
        f"majority above half, at least {rule['min_answers']} answers with a stance.",
        f"Shares are of the answers with a stance, with {percent(rule['interval'])} Jeffreys intervals: "
        "these hold the error of few answers, not the classifier's.",
        "The verdict's probability holds both, as far as the classifier's posteriors are right.",
        "Passages in quotes are verbatim: the sentences that moved the classifier most towards its call.",
    ]
