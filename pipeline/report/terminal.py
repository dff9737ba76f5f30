"""Reports, scores and explanations for a terminal."""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

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
    name_line,
    percent,
    plain_label,
    quote_of,
    show_corrected,
    show_prevalence,
    verdict_sentence,
    verdict_title,
    without_turns,
)
from pipeline.schema import Cell, Comparison, Consensus, Report

MAX_DETAILED = 3
MAX_FLIPPED = 5
MAX_CHANGES = 20
_STYLES = {"oppose": "dark_orange3", "neutral": "grey62", "support": "deep_sky_blue3"}
_BAR_CELLS = 20
_WIDE = 88


def visible(text: str) -> str:
    """Replace control characters, which could act on the terminal, by U+FFFD, and leave out what turns the writing."""
    return "".join(c if c == "\n" or unicodedata.category(c) != "Cc" else "\ufffd" for c in without_turns(text))


def _text(text: str, style: str = "") -> Text:
    """Build a text for the console that shows every character and lets none act."""
    return Text(visible(text), style=style)


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
    if report.comparison is not None:
        _print_comparison(console, report.comparison)
    for warning in report.warnings:
        console.print(_text(f"Warning: {warning}"))
    console.print(_text(f"Model {', '.join(report.model['names'])}. {report.disclaimer}", style="dim"))
    return _plain_ends(file.getvalue())


def _plain_ends(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.split("\n"))


def _print_question(console: Console, consensus: Consensus, report: Report) -> None:
    console.print(_text(consensus.question, style="bold"))
    style = _STYLES.get(consensus.verdict.side or "", "")
    console.print(_text(verdict_sentence(consensus, report.rule), style=f"bold {style}".strip()))
    console.print(_text(" ".join(p for p in (count_sentence(consensus), agreement_sentence(consensus)) if p)))
    console.print()
    _print_shares(console, consensus, report.rule["interval"])
    console.print()
    console.print(_answer_table(consensus))
    if consensus.n_abstained:
        console.print(_text("?: too unsure to call, counted in no share", style="dim"))
    if consensus.n_merged:
        console.print(_text("=: counted with another answer", style="dim"))
    for line in merger_lines(consensus):
        console.print(_text(line))
    for field, cells in consensus.breakdown.items():
        console.print()
        console.print(_cell_table(field, consensus, cells))
    if consensus.dissent:
        console.print(_text(dissent_sentence(consensus)))
        for dissent in consensus.dissent if consensus.verdict.side is None else consensus.dissent[:1]:
            who = dissent.respondent or "name not given"
            console.print(_text(f'  {who}, {plain_label(dissent.stance)}: "{_one_line(dissent.quote, 200)}"'))
    for number, line in enumerate(flip_lines(consensus, MAX_FLIPPED)):
        console.print(_text(f"  {line}" if number else line))
    console.print()


def _print_shares(console: Console, consensus: Consensus, coverage: float) -> None:
    note = "; corrected: for how the model errs" if has_corrected(consensus) else ""
    console.print(_text(f"  Votes and their share ({percent(coverage)} interval){note}", style="dim"))
    widest = max(map(len, consensus.sides)) + 2
    n_cells = _BAR_CELLS if console.width >= _WIDE else _BAR_CELLS // 4
    for side, prevalence in consensus.sides.items():
        bar = "█" * round(prevalence.share * n_cells)
        line = _text(f"  {side:<{widest}}{prevalence.n:>4}  ")
        line.append(f"{bar:<{n_cells}}", style=_STYLES.get(side, ""))
        corrected = show_corrected(prevalence)
        line.append(f"  {show_prevalence(prevalence)}" + (f"  corrected {corrected}" if corrected else ""))
        console.print(line)


def _cell_table(field: str, consensus: Consensus, cells: tuple[Cell, ...]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column(_text(f"by {field}"), overflow="fold")
    for title in ("votes", *consensus.sides):
        table.add_column(_text(title), justify="right", overflow="fold")
    for row in cell_rows(cells):
        table.add_row(*map(_text, row))
    return table


def _print_comparison(console: Console, comparison: Comparison) -> None:
    console.print(_text(comparison_sentence(comparison), style="bold"))
    moved = [change for change in comparison.changes if change.kind != "same"]
    if moved:
        table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
        for title in ("question", "", "before", "after", "shares"):
            table.add_column(title, overflow="fold")
        for change in moved[:MAX_CHANGES]:
            table.add_row(*map(_text, (_one_line(change.question, 80), *change_row(change))))
        console.print(table)
    if len(moved) > MAX_CHANGES:
        console.print(_text(f"and {len(moved) - MAX_CHANGES} more: see -o report.json", style="dim"))
    console.print()


def _answer_table(consensus: Consensus) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("#", justify="right")
    table.add_column("doctor", max_width=28, overflow="fold")
    table.add_column("stance", no_wrap=True)
    table.add_column("sure", justify="right", no_wrap=True)
    table.add_column("in their words", ratio=1, overflow="fold")
    merged = consensus.merged_ids
    for row, answer in enumerate(consensus.answers, start=1):
        call = answer.call
        is_merged = answer.answer.answer_id in merged
        stance = plain_label(call.stance) + ("?" if call.abstained else "") + (" =" if is_merged else "")
        table.add_row(
            str(row),
            _text(name_line(answer)),
            _text(stance, style="dim" if call.abstained or is_merged else _STYLES.get(call.side or "", "")),
            percent(call.confidence),
            _text(_one_line(quote_of(answer), 160)),
        )
    return table


def _one_line(text: str, limit: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def _print_overview(console: Console, report: Report) -> None:
    decided = [q for q in report.questions if q.verdict.strength != "insufficient"]
    if decided:
        console.print(_overview_table(decided))
        console.print(_text("answers: with a stance / in all", style="dim"))
    n_open = len(report.questions) - len(decided)
    if n_open:
        least = report.rule["min_answers"]
        noun = "question has" if n_open == 1 else "questions have"
        console.print(_text(f"{n_open} {noun} fewer than {least} answers with a stance: too few for a verdict."))


def _overview_table(questions: Sequence[Consensus]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("question", overflow="fold")
    table.add_column("answers", justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("probability", justify="right", no_wrap=True)
    for question in questions:
        chance = question.verdict.probability
        table.add_row(
            _text(_one_line(question.question, 120)),
            f"{question.n_with_stance}/{question.n_answers}",
            _text(verdict_title(question), style=_STYLES.get(question.verdict.side or "", "")),
            "" if chance is None else percent(chance),
        )
    return table


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
        table.add_row(_text(words), _text(value))
    console.print(table)
    console.print()
    per_label = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("label", "precision", "recall", "F1", "n"):
        per_label.add_column(name, justify="left" if name == "label" else "right")
    for name, s in labels.items():
        per_label.add_row(_text(name), f"{s['precision']:.2f}", f"{s['recall']:.2f}", f"{s['f1']:.2f}", str(s["n"]))
    console.print(per_label)
    return _plain_ends(file.getvalue())


def render_explanation(explanation: Mapping[str, Any], *, width: int = 100, color: bool = False) -> str:
    """Render one answer's call and what moved it.

    Parameters
    ----------
    explanation
        From `pipeline.workflow.explaining.explain_text`.
    width, color
        As in `render_terminal`.
    """
    console, file = _console(width, color=color)
    stance = plain_label(explanation["stance"])
    side = f"side {explanation['side']} " if explanation["side"] else ""
    unsure = ", too unsure to call" if explanation["abstained"] else ""
    console.print(_text(f"{stance} ({side}{percent(explanation['confidence'])}{unsure})", style="bold"))
    console.print()
    for name, p in explanation["posteriors"].items():
        bar = "█" * round(p * _BAR_CELLS)
        console.print(_text(f"  {plain_label(name):<24}{bar:<{_BAR_CELLS}} {percent(p)}"))
    console.print()
    console.print(_text(f"What moved it, as log-odds of '{stance}' over the mean of all stances:"))
    console.print(_text(f"  {explanation['intercept']:+.3f}  before any word is read"))
    for sentence in explanation["sentences"]:
        share, reading = percent(sentence["relevance"]), sentence["reading"]
        counts = f"counts {share}"
        if reading is not None:
            counts = f"{reading:+.3f} as the encoder reads it; words and cues count {share}"
        console.print(_text(f'  {sentence["weight"]:+.3f}  "{_one_line(sentence["quote"], 300)}" ({counts})'))
    console.print(_text(f"  {explanation['total']:+.3f}  in all"))
    console.print()
    console.print(_text("The same, by cue and word:"))
    console.print(_text(f"  {explanation['intercept']:+.3f}  before any word is read"))
    readings = [sentence["reading"] for sentence in explanation["sentences"] if sentence["reading"] is not None]
    if readings:
        console.print(_text(f"  {sum(readings):+.3f}  as the encoder reads the sentences"))
    for part in sorted([*explanation["cues"], *explanation["words"]], key=lambda part: -abs(part["weight"])):
        console.print(_text(f"  {part['weight']:+.3f}  {part['quote']!r} ({', '.join(part['features'])})"))
    rest = explanation["rest"]
    if rest["n"]:
        console.print(_text(f"  {rest['weight']:+.3f}  {rest['n']} weaker one{'s' if rest['n'] > 1 else ''}"))
    if explanation["evidence"]:
        console.print()
        console.print(_text("Sentences that speak for it:"))
        for passage in explanation["evidence"]:
            place = f"{passage['field']} {passage['start']}-{passage['end']}"
            console.print(_text(f'  {passage["weight"]:+.3f}  "{_one_line(passage["quote"], 300)}" ({place})'))
    return _plain_ends(file.getvalue())
