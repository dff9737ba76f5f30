"""Reports, scores and explanations for a terminal."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from pipeline.report.wording import (
    agreement_sentence,
    count_sentence,
    name_line,
    percent,
    plain_label,
    quote_of,
    show_prevalence,
    verdict_sentence,
    verdict_title,
)
from pipeline.schema import ClassifiedAnswer, Consensus, Report

MAX_DETAILED = 3
_STYLES = {"oppose": "dark_orange3", "neutral": "grey62", "support": "deep_sky_blue3"}
_BAR_CELLS = 20


def _console(width: int, *, color: bool) -> tuple[Console, io.StringIO]:
    file = io.StringIO()
    console = Console(
        file=file,
        width=width,
        force_terminal=color,
        color_system="256" if color else None,
        highlight=False,
        emoji=False,
        soft_wrap=False,
    )
    return console, file


def render_terminal(report: Report, *, width: int = 100, color: bool = False) -> str:
    """Render the report for a terminal.

    Parameters
    ----------
    report
        The report; with more than three questions, one line per question.
    width
        Columns of the terminal.
    color
        Whether to use colours and bold type.
    """
    console, file = _console(width, color=color)
    if len(report.questions) <= MAX_DETAILED:
        for question in report.questions:
            _print_question(console, question, report)
    else:
        _print_overview(console, report)
    console.print(Text(f"Model {', '.join(report.model['names'])}. {report.disclaimer}", style="dim"))
    return _plain_ends(file.getvalue())


def _plain_ends(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.split("\n"))


def _print_question(console: Console, consensus: Consensus, report: Report) -> None:
    console.print(Text(consensus.question, style="bold"))
    style = _STYLES.get(consensus.verdict.side or "", "")
    console.print(Text(verdict_sentence(consensus, report.rule), style=f"bold {style}".strip()))
    console.print(Text(" ".join(p for p in (count_sentence(consensus), agreement_sentence(consensus)) if p)))
    console.print()
    for side, prevalence in consensus.sides.items():
        bar = "█" * round(prevalence.share * _BAR_CELLS)
        line = Text(f"  {side:<10}{prevalence.n:>4}  ")
        line.append(f"{bar:<{_BAR_CELLS}}", style=_STYLES.get(side, ""))
        line.append(f"  {show_prevalence(prevalence)}")
        console.print(line)
    console.print()
    console.print(_answer_table(consensus.answers))
    if consensus.n_abstained:
        console.print(Text("?: too unsure to call, counted in no share", style="dim"))
    if consensus.dissent:
        n = len(consensus.dissent)
        console.print(Text(f"Dissent: {n} of {consensus.n_with_stance} answers with a stance take another side."))
    console.print()


def _answer_table(answers: Sequence[ClassifiedAnswer]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("#", justify="right")
    table.add_column("doctor", max_width=28, overflow="fold")
    table.add_column("stance", no_wrap=True)
    table.add_column("sure", justify="right", no_wrap=True)
    table.add_column("in their words", ratio=1, overflow="fold")
    for answer in answers:
        call = answer.call
        stance = plain_label(call.stance) + ("?" if call.abstained else "")
        table.add_row(
            str(answer.answer.position),
            Text(name_line(answer)),
            Text(stance, style="dim" if call.abstained else _STYLES.get(call.side or "", "")),
            percent(call.confidence),
            Text(_one_line(quote_of(answer), 160)),
        )
    return table


def _one_line(text: str, limit: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def _print_overview(console: Console, report: Report) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name, justify in (
        ("question", "left"),
        ("answers", "right"),
        ("verdict", "left"),
        ("probability", "right"),
    ):
        table.add_column(name, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for question in report.questions:
        chance = question.verdict.probability
        style = _STYLES.get(question.verdict.side or "", "")
        table.add_row(
            Text(_one_line(question.question, 120)),
            f"{question.n_with_stance}/{question.n_answers}",
            Text(verdict_title(question), style=style),
            "" if chance is None else percent(chance),
        )
    console.print(table)
    console.print(Text("answers: with a stance / in all", style="dim"))


def render_scores(rows: Sequence[tuple[str, str]], labels: Mapping[str, Mapping[str, Any]], *, width: int = 100) -> str:
    """Render scores and the per-label table as text.

    Parameters
    ----------
    rows
        Words and value per score.
    labels
        Per label: precision, recall, f1, n.
    width
        Columns of the terminal.
    """
    console, file = _console(width, color=False)
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for words, value in rows:
        table.add_row(escape(words), escape(value))
    console.print(table)
    console.print()
    per_label = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("label", "precision", "recall", "F1", "n"):
        per_label.add_column(name, justify="left" if name == "label" else "right")
    for name, s in labels.items():
        per_label.add_row(escape(name), f"{s['precision']:.2f}", f"{s['recall']:.2f}", f"{s['f1']:.2f}", str(s["n"]))
    console.print(per_label)
    return _plain_ends(file.getvalue())


def render_explanation(explanation: Mapping[str, Any], *, width: int = 100, color: bool = False) -> str:
    """Render one answer's call and what moved it.

    Parameters
    ----------
    explanation
        From `pipeline.workflow.explain_text`.
    width, color
        As in `render_terminal`.
    """
    console, file = _console(width, color=color)
    stance = plain_label(explanation["stance"])
    unsure = ", too unsure to call" if explanation["abstained"] else ""
    console.print(Text(f"{stance} ({percent(explanation['confidence'])}{unsure})", style="bold"))
    console.print()
    for name, p in explanation["posteriors"].items():
        bar = "█" * round(p * _BAR_CELLS)
        console.print(Text(f"  {plain_label(name):<24}{bar:<{_BAR_CELLS}} {percent(p)}"))
    console.print()
    console.print(Text(f"What moved it, as log-odds of '{stance}' over the mean of all stances:"))
    console.print(Text(f"  {explanation['intercept']:+.3f}  before any word is read"))
    for part in explanation["words"]:
        console.print(Text(f"  {part['weight']:+.3f}  {part['quote']!r} ({', '.join(part['features'])})"))
    rest = explanation["rest"]
    console.print(Text(f"  {rest['weight']:+.3f}  {rest['n']} weaker words"))
    console.print(Text(f"  {explanation['total']:+.3f}  in all"))
    if explanation["evidence"]:
        console.print()
        console.print(Text("Sentences that speak for it:"))
        for passage in explanation["evidence"]:
            place = f"{passage['field']} {passage['start']}-{passage['end']}"
            console.print(Text(f'  {passage["weight"]:+.3f}  "{_one_line(passage["quote"], 300)}" ({place})'))
    return _plain_ends(file.getvalue())
