"""The sentences that every form of a report shares."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pipeline.schema import (
    Cell,
    ClassifiedAnswer,
    Comparison,
    Consensus,
    Flip,
    Interval,
    Prevalence,
    Verdict,
    VerdictChange,
)

UNSURE_BELOW = 0.5
"""A verdict that is likelier to be wrong than right says so."""

SMALLEST_MOVE = 0.005
"""Shares that moved by less are shown as unmoved: less than half a point."""

_SIDE_VERBS = {
    "oppose": ("opposes it", "oppose it"),
    "support": ("supports it", "support it"),
    "neutral": ("is neutral on it", "are neutral on it"),
}


_TURNS = re.compile("[\u202a-\u202e\u2066-\u2069]")


def without_turns(text: str) -> str:
    """Leave out the invisible signs that turn the direction of writing, so that no text turns round ours beside it.

    What is left is shown from right to left where its letters are.

    References
    ----------
    Unicode Standard Annex 9, "Unicode bidirectional algorithm", section 2 (explicit directional signs).

    Examples
    --------
    >>> without_turns("safe \u202eesrever")
    'safe esrever'
    """
    return _TURNS.sub("", text)


def percent(share: float) -> str:
    """Return a share in whole percent.

    Examples
    --------
    >>> percent(0.666)
    '67 %'
    """
    return f"{share * 100:.0f} %"


def show_prevalence(prevalence: Prevalence) -> str:
    """Return a plain share with its interval: "80 % (54 to 95 %)"."""
    return show_interval(Interval(share=prevalence.share, low=prevalence.low, high=prevalence.high))


def show_corrected(prevalence: Prevalence) -> str:
    """Return a share corrected for the classifier's errors, with its interval; empty where it is not known."""
    return "" if prevalence.corrected is None else show_interval(prevalence.corrected)


def show_interval(interval: Interval) -> str:
    """Return a share with its interval.

    Examples
    --------
    >>> show_interval(Interval(share=0.8, low=0.54, high=0.95))
    '80 % (54 to 95 %)'
    """
    return f"{percent(interval.share)} ({interval.low * 100:.0f} to {percent(interval.high)})"


def has_corrected(consensus: Consensus) -> bool:
    """Say whether the shares of a question are corrected for the classifier's errors."""
    return any(prevalence.corrected is not None for prevalence in consensus.sides.values())


def outcome_title(verdict: Verdict | Flip) -> str:
    """Return side and strength in two or three words.

    Examples
    --------
    >>> outcome_title(Verdict(side="oppose", strength="majority", probability=None))
    'majority: oppose'
    """
    if verdict.strength == "insufficient":
        return "too few answers"
    return f"{verdict.strength}: {verdict.side or 'no side'}"


def verdict_title(consensus: Consensus) -> str:
    """Return the verdict in two or three words, for headings and tables."""
    verdict = consensus.verdict
    if verdict.side is None:
        return "split (tie)" if verdict.strength == "split" and _is_tie(consensus) else outcome_title(verdict)
    unsure = " (unsure)" if verdict.probability is not None and verdict.probability < UNSURE_BELOW else ""
    return f"{outcome_title(verdict)}{unsure}"


def _is_tie(consensus: Consensus) -> bool:
    shares = sorted((prevalence.share for prevalence in consensus.sides.values()), reverse=True)
    return len(shares) > 1 and shares[0] == shares[1]


def verdict_sentence(consensus: Consensus, rule: Mapping[str, Any]) -> str:
    """Return the verdict as one plain sentence with its numbers."""
    verdict, n = consensus.verdict, consensus.n_with_stance
    if verdict.strength == "insufficient":
        if n >= rule["min_answers"]:
            return f"No verdict: the {n} answers with a stance weigh nothing."
        n_votes = consensus.n_answers - consensus.n_merged
        return (
            f"Too few answers to say: {n} of {n_votes} take a stance that can be told, "
            f"and the rule wants at least {rule['min_answers']}."
        )
    chance = _chance_sentence(verdict.probability)
    by_table = rule.get("kind") == "rand-ucla"
    if verdict.side is None:
        return f"Split: {_explain_no_side(consensus, by_table=by_table)}.{chance}"
    count = consensus.sides[verdict.side].n
    one, many = _SIDE_VERBS.get(verdict.side, (f"is '{verdict.side}'", f"are '{verdict.side}'"))
    weight = f" ({percent(consensus.sides[verdict.side].share)} by weight)" if rule.get("weight_by") else ""
    said = f"{count} of {n} answers with a stance {one if count == 1 else many}{weight}"
    meaning = _explain_by_table(n)[verdict.strength] if by_table else _explain_by_share(rule)[verdict.strength]
    return f"{verdict.strength.capitalize()}: {said}, {meaning}.{chance}"


def _explain_by_share(rule: Mapping[str, Any]) -> dict[str, str]:
    return {
        "consensus": f"at or above the {percent(rule['share'])} the rule asks for",
        "majority": f"more than half, below the {percent(rule['share'])} of a consensus",
        "split": "not more than half",
    }


def _explain_by_table(n: int) -> dict[str, str]:
    allowed = f"{_allow_outside(n)} that the rule allows outside it in a panel of {n}"
    return {
        "consensus": f"with no more than the {allowed}",
        "majority": f"more than half, with more than the {allowed}",
        "split": "where the median lies, not more than half",
    }


def _explain_no_side(consensus: Consensus, *, by_table: bool) -> str:
    n = consensus.n_with_stance
    if not by_table:
        return f"no side has more answers than every other, of {n} with a stance"
    oppose, support = consensus.sides["oppose"].n, consensus.sides["support"].n
    if min(oppose, support) > _allow_outside(n):
        return f"of {n} answers with a stance {oppose} oppose and {support} support it, disagreement by the rule"
    return f"the median of {n} answers with a stance lies between two sides"


def _allow_outside(n: int) -> int:
    return max((n - 2) // 3, 0)


def _chance_sentence(probability: float | None) -> str:
    if probability is None:
        return ""
    warning = ": too low to rely on" if probability < UNSURE_BELOW else ""
    return f" Probability of this verdict: {percent(probability)}{warning}."


def count_sentence(consensus: Consensus) -> str:
    """Say how the answers divide into those with a stance, without one, too unsure to call, and counted already."""
    merged = f", {consensus.n_merged} counted with another" if consensus.n_merged else ""
    return (
        f"{count_answers(consensus.n_answers)}: {consensus.n_with_stance} with a stance, "
        f"{consensus.n_no_stance} without, {consensus.n_abstained} too unsure to call{merged}."
    )


def count_answers(n: int) -> str:
    """Return a number of answers in words: "1 answer", "2 answers"."""
    return f"{n} answer{'' if n == 1 else 's'}"


def agreement_sentence(consensus: Consensus) -> str:
    """Say how far the answers agree and how far they lie at opposite ends, apart from how sure that is."""
    if consensus.agreement is None or consensus.n_with_stance < 2:
        return ""
    agreement = f"Agreement {consensus.agreement:+.2f} (+1 all alike, 0 spread evenly, -1 half at each end)"
    if consensus.polarisation is None:
        return f"{agreement}."
    return f"{agreement}, polarisation {consensus.polarisation:.2f} (0 all alike, 1 half at each end)."


def number_of(consensus: Consensus, answer_id: str) -> int:
    """Return the 1-based place of an answer in its panel."""
    return next(n for n, a in enumerate(consensus.answers, start=1) if a.answer.answer_id == answer_id)


def dissent_sentence(consensus: Consensus) -> str:
    """Say what the dissent is; empty without any. The answers themselves are `consensus.dissent`, strongest first."""
    if not consensus.dissent:
        return ""
    if consensus.verdict.side is None:
        return "No side prevails. The strongest answer of each of the sides in question:"
    n = len(consensus.dissent)
    takes = "takes" if n == 1 else "take"
    return f"Dissent: {n} of {consensus.n_with_stance} with a stance {takes} another side. The strongest:"


def flip_lines(consensus: Consensus, limit: int | None = None) -> list[str]:
    """Say what could flip the verdict: a sentence, then a line per answer; empty where there is no verdict.

    Parameters
    ----------
    consensus
        The consensus.
    limit
        Most answers to name; None for all.
    """
    if consensus.verdict.strength == "insufficient":
        return []
    flip = consensus.flip
    if flip is None:
        return ["What could flip it: nothing, however its answers are read."]
    n = len(flip.answers)
    lines = [f"What could flip it: with {count_answers(n)} read otherwise, the verdict would be {outcome_title(flip)}."]
    for found in flip.answers[:limit]:
        who = f"#{number_of(consensus, found.answer_id)} {found.respondent or ''}".strip()
        called = found.side or ("no side" if _is_abstained(consensus, found.answer_id) else "no stance")
        lines.append(f"{who}: {found.to or 'no stance'} instead of {called} ({percent(found.probability)} likely)")
    left = 0 if limit is None else n - limit
    return lines + ([f"and {left} more"] if left > 0 else [])


def _is_abstained(consensus: Consensus, answer_id: str) -> bool:
    return consensus.answers[number_of(consensus, answer_id) - 1].call.abstained


def merger_lines(consensus: Consensus) -> list[str]:
    """Say which answers count as one vote, a line for each vote."""
    lines = []
    for merger in consensus.mergers:
        others = ", ".join(f"#{number_of(consensus, name)}" for name in merger.others)
        differ = "; they take different sides" if merger.disagree else ""
        counted = f"#{number_of(consensus, merger.counted)}"
        lines.append(f"Counted once: {counted} stands for {others} too ({merger.reason}{differ}).")
    return lines


def cell_rows(cells: tuple[Cell, ...]) -> list[list[str]]:
    """Return a breakdown as rows of text: value, votes with a stance of all, and each side's votes and share."""
    return [
        [
            (cell.value or "not given") + (" (too few)" if cell.is_small else ""),
            f"{cell.n_with_stance}/{cell.n_votes}",
            *(f"{p.n} ({percent(p.share)})" if cell.n_with_stance else "-" for p in cell.sides.values()),
        ]
        for cell in cells
    ]


def comparison_sentence(comparison: Comparison) -> str:
    """Say how many verdicts moved since an earlier report."""
    counts = {kind: sum(c.kind == kind for c in comparison.changes) for kind in ("same", "changed", "new", "gone")}
    n_both = counts["same"] + counts["changed"]
    rest = "".join(f", {counts[kind]} {kind}" for kind in ("new", "gone") if counts[kind])
    return f"Against {comparison.against}: {counts['changed']} of {n_both} verdicts changed{rest}."


def change_row(change: VerdictChange) -> list[str]:
    """Return a change as text: what became of it, the verdict before and after, and the sides whose shares moved."""
    moved = ", ".join(f"{side} {show_points(d)}" for side, d in change.shares.items() if abs(d) >= SMALLEST_MOVE)
    before, after = (None if v is None else outcome_title(v) for v in (change.before, change.after))
    return [change.kind, before or "-", after or "-", moved]


def show_points(difference: float) -> str:
    """Return a difference of shares in points of a hundred.

    Examples
    --------
    >>> show_points(-0.125)
    '-12 points'
    """
    return f"{difference * 100:+.0f} points"


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
    interval = percent(rule["interval"])
    weights = rule.get("weight_by")
    return [
        _rule_line(rule),
        "Every answer counts, also several by one respondent."
        if rule.get("keep_repeats")
        else "Answers by one respondent, and near-identical ones, count once: the surest of them.",
        *([f"Votes are weighted by {weights}; intervals are of the effective number of votes."] if weights else []),
        f"Shares are of the votes with a stance, with {interval} Jeffreys intervals: "
        "these hold the error of few answers, not the classifier's.",
        "Corrected shares are of doctors at large, by how the model erred on answers it had not seen; "
        f"their {interval} intervals hold both errors, and so does the verdict's probability.",
        "Agreement is van der Eijk's A and polarisation Leik's D: how far the answers agree, not how sure that is.",
        "What could flip it is the smallest set of answers that, read otherwise, would give another verdict.",
        "Passages in quotes are verbatim: the sentences that moved the classifier most towards its call.",
    ]


def _rule_line(rule: Mapping[str, Any]) -> str:
    least = f"at least {rule['min_answers']} votes with a stance"
    if rule.get("kind") == "rand-ucla":
        return (
            f"Rule {rule['name']}, fixed beforehand: of n votes, consensus where at most (n - 2) / 3, rounded down, "
            "lie outside the side of the median; split where more than these both oppose and support; "
            f"in between majority where the median's side has more than half; {least}."
        )
    return (
        f"Rule {rule['name']}, fixed beforehand: consensus at {percent(rule['share'])} of the votes with a stance, "
        f"majority above half, {least}."
    )
