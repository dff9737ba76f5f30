"""What the index of questions shows, and what moved since an earlier report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from markupsafe import Markup

from pipeline.report import wording
from pipeline.report.charts import draw_glance
from pipeline.report.html.question import SIDE_MARKS, read_procedure, show_agreement
from pipeline.report.html.templates import mark_safe
from pipeline.schema import Comparison, Consensus, VerdictChange

_STRENGTHS = {"consensus": "consensus", "majority": "majority", "split": "split", "insufficient": "too few answers"}


class IndexRow(NamedTuple):
    """A question's row: all that is kept of a question once its page is written."""

    href: str
    question: str
    procedure: str
    verdict: str
    doubt: str
    strength: str
    mark: str
    chance: str
    agreement: str
    n_with_stance: int
    n_answers: int
    glance: Markup
    change: str


def build_row(consensus: Consensus, href: str, change: VerdictChange | None, *, has_glance: bool) -> IndexRow:
    """Take from a question what the index shows of it, with a small chart or without."""
    verdict = consensus.verdict
    title, outcome = wording.verdict_title(consensus), wording.outcome_title(verdict)
    has_outcome = title.startswith(outcome)
    return IndexRow(
        href=href,
        question=consensus.question,
        procedure=read_procedure(consensus),
        verdict=outcome if has_outcome else title,
        doubt=title.removeprefix(outcome).strip() if has_outcome else "",
        strength=verdict.strength,
        mark=SIDE_MARKS.get(verdict.side or "", ""),
        chance="" if verdict.probability is None else wording.percent(verdict.probability),
        agreement=show_agreement(consensus),
        n_with_stance=consensus.n_with_stance,
        n_answers=consensus.n_answers,
        glance=_draw_glance(consensus) if has_glance else Markup(),
        change=_show_earlier(change),
    )


def _draw_glance(consensus: Consensus) -> Markup:
    sides = consensus.sides
    if not {"oppose", "support"} <= sides.keys() <= SIDE_MARKS.keys() or not consensus.n_with_stance:
        return Markup()
    neutral = sides["neutral"].share if "neutral" in sides else 0.0
    return mark_safe(draw_glance(sides["oppose"].share, neutral, sides["support"].share))


def _show_earlier(change: VerdictChange | None) -> str:
    if change is None or change.kind == "same":
        return ""
    return "new" if change.before is None else f"was {wording.outcome_title(change.before)}"


def view_index(rows: Sequence[IndexRow]) -> dict[str, Any]:
    """Return the rows, and whether any names a procedure to filter by, and any has a chart."""
    return {
        "rows": rows,
        "has_procedure": any(row.procedure for row in rows),
        "has_glance": any(row.glance for row in rows),
    }


def count_strengths(rows: Iterable[IndexRow]) -> list[tuple[str, int]]:
    """Count the verdicts of each strength, in words, without those that no question has."""
    counts = Counter(row.strength for row in rows)
    return [(words, counts[name]) for name, words in _STRENGTHS.items() if counts[name]]


def view_changes(comparison: Comparison, hrefs: Mapping[str, str]) -> dict[str, Any]:
    """Put a comparison into words; its rows are the questions whose verdict or shares moved.

    Parameters
    ----------
    comparison
        This report against an earlier one.
    hrefs
        Where a question is shown, by its id.
    """
    moved = [(change, wording.change_row(change)) for change in comparison.changes]
    return {
        "against": comparison.against,
        "sentence": wording.comparison_sentence(comparison).removeprefix(f"Against {comparison.against}: "),
        "rows": [
            {"question": change.question, "href": hrefs.get(change.question_id, ""), "cells": cells}
            for change, cells in moved
            if change.kind != "same" or cells[-1]
        ],
    }


def map_changes(comparison: Comparison | None) -> dict[str, VerdictChange]:
    """Return what became of each question, by its id."""
    return {} if comparison is None else {change.question_id: change for change in comparison.changes}
