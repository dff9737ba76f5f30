"""A report as one HTML page that needs nothing but itself."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from jinja2 import Environment, StrictUndefined, Template

from pipeline.report import wording
from pipeline.schema import ClassifiedAnswer, Consensus, Report


class Stretch(NamedTuple):
    """Part of an answer's text; `rank` is its evidence's place, 0 for no evidence."""

    text: str
    rank: int


def render_html(report: Report) -> str:
    """Render the report as HTML, with every text escaped and no script.

    The page loads nothing: its policy forbids it, and it has no link to anything.
    """
    return _template().render(
        report=report,
        questions=[_question_view(question, report) for question in report.questions],
        method=wording.method_lines(report.rule),
    )


@cache
def _template() -> Template:
    source = (files("pipeline") / "resources" / "report.html.j2").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(percent=wording.percent, plain=wording.plain_label)
    return environment.from_string(source)


def _question_view(consensus: Consensus, report: Report) -> dict[str, Any]:
    return {
        "consensus": consensus,
        "title": wording.verdict_title(consensus),
        "sentence": wording.verdict_sentence(consensus, report.rule),
        "counts": wording.count_sentence(consensus),
        "agreement": wording.agreement_sentence(consensus),
        "groups": _group_answers(consensus),
    }


def _group_answers(consensus: Consensus) -> list[dict[str, Any]]:
    """Group answers by stance in scheme order, those without one next, those too unsure to call last."""
    groups: dict[str, list[ClassifiedAnswer]] = {name: [] for name in consensus.prevalence}
    unsure: list[ClassifiedAnswer] = []
    for answer in consensus.answers:
        if answer.call.abstained:
            unsure.append(answer)
        else:
            groups.setdefault(answer.call.stance, []).append(answer)
    named = [*groups.items(), ("too unsure to call", unsure)]
    return [{"stance": stance, "answers": [_answer_view(a) for a in answers]} for stance, answers in named if answers]


def _answer_view(answer: ClassifiedAnswer) -> dict[str, Any]:
    return {
        "record": answer.answer,
        "call": answer.call,
        "who": wording.respondent_line(answer),
        "rating": wording.rating_line(answer),
        "headline": mark_evidence(answer, "headline"),
        "text": mark_evidence(answer, "text"),
    }


def mark_evidence(answer: ClassifiedAnswer, field: str) -> list[Stretch]:
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
