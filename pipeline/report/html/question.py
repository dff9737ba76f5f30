"""What a page shows of one question: its record, as the words, numbers and charts of the template."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

from markupsafe import Markup

from pipeline.report import wording
from pipeline.report.charts import SideBar, SideBars, draw_diverging, draw_share
from pipeline.report.html.templates import mark_safe
from pipeline.schema import Cell, ClassifiedAnswer, Consensus, Dissent, Interval, Prevalence, Report, VerdictChange

SIDE_MARKS = {"oppose": "o", "neutral": "n", "support": "s"}
"""Classes of the sides that have a place in a diverging bar."""

_GRADE_MARKS = {
    "against": "o",
    "cautiously_against": "oc",
    "neutral": "n",
    "cautiously_supportive": "sc",
    "supportive": "s",
}
_GRADES = {
    "oppose": ("cautiously_against", "against"),
    "neutral": ("neutral",),
    "support": ("cautiously_supportive", "supportive"),
}
"""The stances of a side, from the middle outward."""

_Share = Prevalence | Interval


class Stretch(NamedTuple):
    """Part of an answer's text; `rank` is its evidence's place, 0 for no evidence."""

    text: str
    rank: int


class Place(NamedTuple):
    """Where a question stands: its 1-based number, in words among the others, and whether answers are unfolded."""

    number: int
    words: str
    is_open: bool


def view_question(consensus: Consensus, report: Report, change: VerdictChange | None, place: Place) -> dict[str, Any]:
    """Put one question into the words, numbers and charts of its template.

    Parameters
    ----------
    consensus
        The question.
    report
        What it is part of; its questions are not looked at.
    change
        What became of the question since an earlier report; None without one.
    place
        Where it stands.
    """
    corrected = wording.has_corrected(consensus)
    chart = _view_chart(consensus)
    panel = _Panel(consensus, place.number)
    return {
        "number": place.number,
        "place": place.words,
        "is_open": place.is_open,
        "question": consensus.question,
        "proposition": consensus.proposition,
        "procedure": read_procedure(consensus),
        "mark": SIDE_MARKS.get(consensus.verdict.side or "", ""),
        "sentence": wording.verdict_sentence(consensus, report.rule),
        "certainty": "not given" if consensus.verdict.probability is None else _percent(consensus.verdict.probability),
        "certainty_lacks": _explain_no_certainty(consensus),
        "agreement": show_agreement(consensus),
        "polarisation": _show_polarisation(consensus),
        "counts": wording.count_sentence(consensus),
        "mergers": panel.view_mergers(),
        "change": "" if change is None else _show_change(change),
        "interval": _percent(report.rule["interval"]),
        "chart": chart,
        "corrected": corrected,
        "rows": [_view_share(name, kind, p, bars=not chart) for name, kind, p in _list_shares(consensus)],
        "flip": panel.view_flip(),
        "dissent": panel.view_dissent(),
        "breakdown": [_view_cells(field, cells, consensus) for field, cells in consensus.breakdown.items()],
        "answers_title": _title_answers(consensus.n_answers),
        "groups": panel.view_groups(),
    }


def read_procedure(consensus: Consensus) -> str:
    """Return the procedure that the answers' own field `procedure` names, or several; empty without."""
    values = ((a.answer.model_extra or {}).get("procedure") for a in consensus.answers)
    return ", ".join(dict.fromkeys(v.strip() for v in values if isinstance(v, str) and v.strip()))


def show_agreement(consensus: Consensus) -> str:
    """Return the agreement as a number with its sign; empty where it has no meaning."""
    has_one = consensus.agreement is not None and consensus.n_with_stance > 1
    return f"{consensus.agreement:+.2f}" if has_one else ""


def mark_evidence(answer: ClassifiedAnswer, field: Literal["headline", "text"]) -> list[Stretch]:
    """Cut a field of the record at its evidence.

    Returns
    -------
    list of Stretch
        Joined, their texts are the field exactly; empty for a missing headline.
    """
    text = (answer.answer.headline if field == "headline" else answer.answer.text) or ""
    spans = sorted((e.start, e.end, rank) for rank, e in enumerate(answer.call.evidence, start=1) if e.field == field)
    stretches: list[Stretch] = []
    place = 0
    for start, end, rank in spans:
        if place <= start < end <= len(text):
            stretches += [Stretch(text[place:start], 0), Stretch(text[start:end], rank)]
            place = end
    stretches.append(Stretch(text[place:], 0))
    return [stretch for stretch in stretches if stretch.text]


# ---------------------------------------------------------------- numbers


def _percent(share: float) -> str:
    return wording.percent(share)


def _explain_no_certainty(consensus: Consensus) -> str:
    if consensus.verdict.probability is not None:
        return ""
    if consensus.verdict.strength == "insufficient":
        return "too few votes for a verdict"
    return "no side leads" if wording.has_corrected(consensus) else "the classifier's errors are not known"


def _show_polarisation(consensus: Consensus) -> str:
    has_one = consensus.polarisation is not None and consensus.n_with_stance > 1
    return f"{consensus.polarisation:.2f}" if has_one else ""


def _show_change(change: VerdictChange) -> str:
    kind, before, _, moved = wording.change_row(change)
    if kind == "new":
        return "Not in the earlier report."
    said = {"same": "The verdict of the earlier report is the same", "changed": f"Changed: the verdict was {before}"}
    return f"{said.get(kind, kind)}{f'; {moved}' if moved else ''}."


def _title_answers(n: int) -> str:
    return "The answer" if n == 1 else f"All {n} answers"


def _list_shares(consensus: Consensus) -> list[tuple[str, str, Prevalence]]:
    """List name, kind and share of the sides, each with its stances below it where it is known which they are."""
    sides = [(name, "side", prevalence) for name, prevalence in consensus.sides.items()]
    grades = [(name, "grade", prevalence) for name, prevalence in consensus.prevalence.items()]
    if list(consensus.prevalence) == list(consensus.sides):
        return sides
    if consensus.prevalence.keys() != _GRADE_MARKS.keys() or consensus.sides.keys() != _GRADES.keys():
        return sides + grades
    return [
        row
        for side in sides
        for row in [side, *(grade for grade in grades if grade[0] in _GRADES[side[0]] and grade[0] != side[0])]
    ]


def _view_share(name: str, kind: str, prevalence: Prevalence, *, bars: bool) -> dict[str, Any]:
    shown = draw_share(prevalence.share, prevalence.low, prevalence.high) if bars else ""
    return {
        "name": wording.plain_label(name),
        "mark": SIDE_MARKS.get(name, "") if kind == "side" else f"{_GRADE_MARKS.get(name, '')} g".strip(),
        "n": prevalence.n,
        "plain": _hold_interval(wording.show_prevalence(prevalence)),
        "corrected": _hold_interval(wording.show_corrected(prevalence)),
        "bar": mark_safe(shown),
    }


def _hold_interval(text: str) -> str:
    """Let a line end before the bracket of an interval only: "80 % (54 to 95 %)"."""
    return text.replace(" ", "\N{NO-BREAK SPACE}").replace("\N{NO-BREAK SPACE}(", " (")


def _view_cells(field: str, cells: Iterable[Cell], consensus: Consensus) -> dict[str, Any]:
    found = tuple(cells)
    rows = [
        {
            "value": cell.value or "not given",
            "is_small": cell.is_small,
            "cells": [_hold_interval(cell) for cell in row[1:]],
        }
        for cell, row in zip(found, wording.cell_rows(found), strict=True)
    ]
    return {
        "field": field.removeprefix("respondent."),
        "sides": list(found[0].sides if found else consensus.sides),
        "rows": rows,
        "has_small": any(cell.is_small for cell in found),
    }


# ---------------------------------------------------------------- the chart


def _view_chart(consensus: Consensus) -> Markup:
    """Draw the shares as they are, and corrected in a second row; nothing for sides that have no place in it."""
    sides = consensus.sides
    if not {"oppose", "support"} <= sides.keys() <= SIDE_MARKS.keys():
        return Markup()
    rows = [_build_bars(sides, consensus.prevalence)]
    corrected = {name: p.corrected for name, p in sides.items() if p.corrected is not None}
    if len(corrected) == len(sides):
        grades = {name: p.corrected for name, p in consensus.prevalence.items() if p.corrected is not None}
        rows.append(_build_bars(corrected, grades))
    words = "; ".join(f"{name} {_name_shares(prevalence)}" for name, prevalence in sides.items())
    return mark_safe(draw_diverging(rows, f"Shares: {words}"))


def _name_shares(prevalence: Prevalence) -> str:
    corrected = prevalence.corrected
    return _percent(prevalence.share) + ("" if corrected is None else f", corrected {_percent(corrected.share)}")


def _build_bars(sides: Mapping[str, _Share], grades: Mapping[str, _Share]) -> SideBars:
    bars = {name: SideBar(_split_side(name, s.share, grades), s.low, s.high) for name, s in sides.items()}
    return SideBars(bars["oppose"], bars.get("neutral"), bars["support"])


def _split_side(side: str, share: float, grades: Mapping[str, _Share]) -> tuple[float, ...]:
    """Split a side's share as its stances do; rounding may let those miss the side's by a little."""
    names = _GRADES[side]
    if not set(names) <= grades.keys():
        return (share,)
    total = sum(grades[name].share for name in names)
    return tuple(share * grades[name].share / total for name in names) if total else (share,)


# ---------------------------------------------------------------- the answers


class _Panel:
    """The answers to a question, by the numbers under which a page shows them."""

    def __init__(self, consensus: Consensus, question: int) -> None:
        self._consensus = consensus
        self._question = question
        self._answers: dict[str, tuple[int, ClassifiedAnswer]] = {}
        for number, answer in enumerate(consensus.answers, start=1):
            self._answers.setdefault(answer.answer.answer_id, (number, answer))
        self._counted_with = {other: m.counted for m in consensus.mergers for other in m.others}
        flips = () if consensus.flip is None else consensus.flip.answers
        linked = [
            *(m.counted for m in consensus.mergers),
            *(f.answer_id for f in flips),
            *(d.answer_id for d in self._show_dissent()),
        ]
        self._linked = {self._answers[answer_id][0] for answer_id in linked}

    def _show_dissent(self) -> tuple[Dissent, ...]:
        """Return the strongest dissent, or, where no side leads, that of each side."""
        return self._consensus.dissent[: None if self._consensus.verdict.side is None else 1]

    def _point(self, answer_id: str) -> dict[str, Any]:
        number = self._answers[answer_id][0]
        return {"number": number, "id": self._name(number)}

    def _name(self, number: int) -> str:
        return f"q{self._question}a{number}"

    def view_mergers(self) -> list[dict[str, Any]]:
        lines = wording.merger_lines(self._consensus)
        return [
            {"text": line, **self._point(merger.counted)}
            for line, merger in zip(lines, self._consensus.mergers, strict=True)
        ]

    def view_flip(self) -> dict[str, Any] | None:
        """Show what could flip the verdict, each answer with a link to it."""
        lines = wording.flip_lines(self._consensus)
        if not lines:
            return None
        found = () if self._consensus.flip is None else self._consensus.flip.answers
        rows = []
        for relabelling in found:
            abstained = self._answers[relabelling.answer_id][1].call.abstained
            rows.append(
                {
                    **self._point(relabelling.answer_id),
                    "name": relabelling.respondent,
                    "to": relabelling.to or "no stance",
                    "called": relabelling.side or ("no side" if abstained else "no stance"),
                    "chance": _percent(relabelling.probability),
                }
            )
        return {"sentence": _drop_lead(lines[0], "What could flip it: "), "rows": rows}

    def view_dissent(self) -> dict[str, Any] | None:
        shown = self._show_dissent()
        if not shown:
            return None
        quotes = [
            {
                **self._point(d.answer_id),
                "quote": d.quote,
                "name": d.respondent or "name not given",
                "stance": wording.plain_label(d.stance),
                "chance": _percent(d.confidence),
            }
            for d in shown
        ]
        return {"sentence": _drop_lead(wording.dissent_sentence(self._consensus), "Dissent: "), "quotes": quotes}

    def view_groups(self) -> list[dict[str, Any]]:
        """Group answers by stance in scheme order, those without one next, those too unsure to call last."""
        groups: dict[str, list[tuple[int, ClassifiedAnswer]]] = {name: [] for name in self._consensus.prevalence}
        unsure: list[tuple[int, ClassifiedAnswer]] = []
        for numbered in enumerate(self._consensus.answers, start=1):
            call = numbered[1].call
            (unsure if call.abstained else groups.setdefault(call.stance, [])).append(numbered)
        views = [
            self._view_group(wording.plain_label(name), _GRADE_MARKS.get(name, ""), found)
            for name, found in groups.items()
            if found
        ]
        return [*views, self._view_group("too unsure to call", "", unsure)] if unsure else views

    def _view_group(self, name: str, mark: str, found: list[tuple[int, ClassifiedAnswer]]) -> dict[str, Any]:
        counts = Counter(answer.answer.answer_id in self._counted_with for _, answer in found)
        votes = all(answer.call.side is not None and not answer.call.abstained for _, answer in found)
        said = [f"{counts[False]} {'vote' if votes else 'answer'}{'' if counts[False] == 1 else 's'}"]
        if counts[True]:
            said.append(f"{counts[True]} counted with another")
        return {
            "name": name,
            "mark": mark,
            "count": ", ".join(said),
            "answers": [self._view_answer(number, answer) for number, answer in found],
        }

    def _view_answer(self, number: int, answer: ClassifiedAnswer) -> dict[str, Any]:
        call = answer.call
        rating = wording.rating_line(answer)
        sure = f"{_percent(call.confidence)} sure"
        if call.abstained:
            sure = f"most likely {wording.plain_label(call.stance)}, {sure}"
        counted = self._counted_with.get(answer.answer.answer_id)
        merged = "" if counted is None else f", counted with #{self._answers[counted][0]}"
        return {
            "number": number,
            "id": self._name(number) if number in self._linked else "",
            "who": wording.respondent_line(answer),
            "rating": f" · {rating}" if rating else "",
            "sure": f"{sure}{merged}",
            "headline": mark_evidence(answer, "headline"),
            "text": mark_evidence(answer, "text"),
        }


def _drop_lead(sentence: str, lead: str) -> str:
    """Leave out the words that stand in the heading above."""
    rest = sentence.removeprefix(lead)
    return rest[:1].upper() + rest[1:]
