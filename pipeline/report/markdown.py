"""A report as Markdown, for notes and pull requests."""

from __future__ import annotations

import re

from pipeline.report.wording import (
    agreement_sentence,
    count_sentence,
    method_lines,
    percent,
    plain_label,
    quote_of,
    rating_line,
    respondent_line,
    show_prevalence,
    verdict_sentence,
    verdict_title,
)
from pipeline.schema import Consensus, Report

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|~&$@-]|:(?=//))")
_LIST_NUMBER = re.compile(r"^(\d+)([.)])")


def escape_markdown(text: str) -> str:
    r"""Return a text that Markdown shows as it is, on one line.

    Examples
    --------
    >>> escape_markdown("*bold* | <b>")
    '\\*bold\\* \\| \\<b\\>'
    """
    escaped = _SPECIAL.sub(r"\\\1", " ".join(text.split()))
    return _LIST_NUMBER.sub(r"\1\\\2", escaped).replace("www.", r"www\.")


def render_markdown(report: Report) -> str:
    """Render the report as Markdown; no text of an answer can act as markup."""
    lines = ["# What the doctors say", "", f"*{report.disclaimer}*", ""]
    if len(report.questions) > 1:
        header = ["question", "with a stance / in all", "verdict", "probability"]
        lines += [f"| {' | '.join(header)} |", "|---|--:|---|--:|"]
        for question in report.questions:
            chance = question.verdict.probability
            shown = "" if chance is None else percent(chance)
            title = escape_markdown(question.question)
            verdict = escape_markdown(verdict_title(question))
            lines.append(f"| {title} | {question.n_with_stance}/{question.n_answers} | {verdict} | {shown} |")
        lines.append("")
    for question in report.questions:
        lines += _question_lines(question, report)
    lines += [
        "## Method",
        "",
        *(f"- {line}" for line in method_lines(report.rule)),
        f"- {_model_line(report)}",
        "",
    ]
    if report.warnings:
        lines += ["## Warnings", "", *(f"- {escape_markdown(w)}" for w in report.warnings), ""]
    return "\n".join(lines)


def _model_line(report: Report) -> str:
    return f"medstance {report.medstance}, model {escape_markdown(', '.join(report.model['names']))}."


def _question_lines(consensus: Consensus, report: Report) -> list[str]:
    lines = [
        f"## {escape_markdown(consensus.question)}",
        "",
        f"**{escape_markdown(verdict_sentence(consensus, report.rule))}**",
        "",
        " ".join(part for part in (count_sentence(consensus), agreement_sentence(consensus)) if part),
        "",
        "| | answers | share (interval) |",
        "|---|--:|--:|",
    ]
    lines += [f"| **{escape_markdown(side)}** | {p.n} | {show_prevalence(p)} |" for side, p in consensus.sides.items()]
    lines += [
        f"| {escape_markdown(plain_label(name))} | {p.n} | {show_prevalence(p)} |"
        for name, p in consensus.prevalence.items()
    ]
    lines.append("")
    for answer in consensus.answers:
        call = answer.call
        unsure = ", too unsure to call" if call.abstained else ""
        rating = rating_line(answer)
        who = respondent_line(answer) + (f" ({rating})" if rating else "")
        stance = escape_markdown(plain_label(call.stance))
        lines += [
            f"- **{stance}** ({percent(call.confidence)}{unsure}): {escape_markdown(who)}",
            f"  > {escape_markdown(quote_of(answer))}",
        ]
    if consensus.dissent:
        lines += [
            "",
            f"Dissent: {len(consensus.dissent)} of {consensus.n_with_stance} answers take another side.",
        ]
    lines.append("")
    return lines
