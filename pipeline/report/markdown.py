"""A report as Markdown, for notes and pull requests."""

from __future__ import annotations

import re

from pipeline.report.wording import (
    agreement_sentence,
    cell_rows,
    change_row,
    comparison_sentence,
    count_sentence,
    dissent_sentence,
    flip_lines,
    has_corrected,
    merger_lines,
    method_lines,
    percent,
    plain_label,
    quote_of,
    rating_line,
    respondent_line,
    show_corrected,
    show_prevalence,
    verdict_sentence,
    verdict_title,
    without_turns,
)
from pipeline.schema import Cell, Comparison, Consensus, Prevalence, Report

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|~&$@-]|:(?=//))")
_LIST_NUMBER = re.compile(r"^(\d+)([.)])")


def escape_markdown(text: str) -> str:
    r"""Return a text that Markdown shows as it is, on one line.

    Examples
    --------
    >>> escape_markdown("*bold* | <b>")
    '\\*bold\\* \\| \\<b\\>'
    """
    escaped = _SPECIAL.sub(r"\\\1", " ".join(without_turns(text).split()))
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
    if report.comparison is not None:
        lines += _comparison_lines(report.comparison)
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


def _comparison_lines(comparison: Comparison) -> list[str]:
    lines = ["## What moved", "", escape_markdown(comparison_sentence(comparison)), ""]
    moved = [(change, change_row(change)) for change in comparison.changes]
    rows = [(change, row) for change, row in moved if change.kind != "same" or row[-1]]
    if rows:
        lines += ["| question | | before | after | shares |", "|---|---|---|---|---|"]
        lines += [f"| {' | '.join(map(escape_markdown, (change.question, *row)))} |" for change, row in rows]
        lines.append("")
    return lines


def _question_lines(consensus: Consensus, report: Report) -> list[str]:
    lines = [
        f"## {escape_markdown(consensus.question)}",
        "",
        f"**{escape_markdown(verdict_sentence(consensus, report.rule))}**",
        "",
        " ".join(part for part in (count_sentence(consensus), agreement_sentence(consensus)) if part),
        "",
        *_share_table(consensus),
        "",
        *_list_of(flip_lines(consensus)),
        *_list_of(merger_lines(consensus)),
        *(line for field, cells in consensus.breakdown.items() for line in _cell_table(field, consensus, cells)),
    ]
    for answer in consensus.answers:
        call = answer.call
        unsure = ", too unsure to call" if call.abstained else ""
        merged = ", counted with another" if answer.answer.answer_id in consensus.merged_ids else ""
        rating = rating_line(answer)
        who = respondent_line(answer) + (f" ({rating})" if rating else "")
        stance = escape_markdown(plain_label(call.stance))
        lines += [
            f"- **{stance}** ({percent(call.confidence)}{unsure}{merged}): {escape_markdown(who)}",
            f"  > {escape_markdown(quote_of(answer))}",
        ]
    if consensus.dissent:
        lines += ["", dissent_sentence(consensus), ""]
        shown = consensus.dissent if consensus.verdict.side is None else consensus.dissent[:1]
        lines += [
            f"- {escape_markdown(d.respondent or 'Name not given')}, {escape_markdown(plain_label(d.stance))}: "
            f'"{escape_markdown(d.quote)}"'
            for d in shown
        ]
    lines.append("")
    return lines


def _list_of(lines: list[str]) -> list[str]:
    """Return a first line as a paragraph and the others as its list; nothing for no line."""
    if not lines:
        return []
    first, *rest = map(escape_markdown, lines)
    return [first, "", *([*(f"- {line}" for line in rest), ""] if rest else [])]


def _share_table(consensus: Consensus) -> list[str]:
    corrected = has_corrected(consensus)

    def row(title: str, prevalence: Prevalence) -> str:
        cells = [title, str(prevalence.n), show_prevalence(prevalence)]
        return f"| {' | '.join([*cells, show_corrected(prevalence)] if corrected else cells)} |"

    return [
        "| | answers | share (interval) | corrected (interval) |" if corrected else "| | answers | share (interval) |",
        "|---|--:|--:|--:|" if corrected else "|---|--:|--:|",
        *(row(f"**{escape_markdown(side)}**", p) for side, p in consensus.sides.items()),
        *(row(escape_markdown(plain_label(name)), p) for name, p in consensus.prevalence.items()),
    ]


def _cell_table(field: str, consensus: Consensus, cells: tuple[Cell, ...]) -> list[str]:
    titles = [field, "with a stance / in all", *consensus.sides]
    return [
        f"| {' | '.join(map(escape_markdown, titles))} |",
        f"|---|{'--:|' * (len(titles) - 1)}",
        *(f"| {' | '.join(map(escape_markdown, row))} |" for row in cell_rows(cells)),
        "",
    ]
