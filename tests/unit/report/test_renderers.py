"""Terminal, JSON, Markdown and CSV: the same numbers as everywhere, and no text that acts."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import numpy as np
import pytest
from markdown_it import MarkdownIt
from rich.cells import cell_len
from selectolax.lexbor import LexborHTMLParser

from pipeline.aggregate import (
    CallErrors,
    ConsensusRule,
    EarlierReport,
    aggregate_question,
    build_rule,
    compare_reports,
    take_verdict,
)
from pipeline.flat import read_cell
from pipeline.report import (
    build_report_schema,
    render_csv,
    render_explanation,
    render_html,
    render_json,
    render_markdown,
    render_schema,
    render_scores,
    render_terminal,
)
from pipeline.report.wording import (
    change_row,
    comparison_sentence,
    count_sentence,
    dissent_sentence,
    flip_lines,
    merger_lines,
    method_lines,
    name_line,
    percent,
    quote_of,
    rating_line,
    respondent_line,
    show_interval,
    verdict_sentence,
    verdict_title,
)
from pipeline.schema import AnswerRecord, ClassifiedAnswer, Interval, LabelScheme, Report, StanceCall

HARMLESS = "HARMLESS"
MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def build_answer(
    scheme: LabelScheme, stance: str, place: int = 1, *, abstained: bool = False, quote: str = "", **fields: Any
) -> ClassifiedAnswer:
    record = {
        "question_id": "q",
        "question": "Is it worth it?",
        "answer_id": f"a{place}",
        "position": place,
        "text": "Some words.",
        "source": {"file": "f", "locator": f"line {place}"},
    }
    evidence = [{"field": "text", "start": 0, "end": 1, "quote": quote, "weight": 1.0}] if quote else []
    call = StanceCall.model_validate(
        {
            "stance": stance,
            "side": scheme.side_of(stance),
            "posteriors": {name: float(name == stance) for name in scheme.names},
            "confidence": 0.75,
            "abstained": abstained,
            "evidence": evidence,
            "model": "m@1",
        }
    )
    return ClassifiedAnswer(answer=AnswerRecord.model_validate(record | fields), call=call)


def errors_of(scheme: LabelScheme) -> CallErrors:
    """Errors of a model that is right nine times in ten."""
    n = len(scheme.labels)
    return CallErrors(scheme, np.pad(np.eye(n) * 90.0, ((0, 0), (0, 1))) + 10 / n)


def build_report(
    panels: list[list[ClassifiedAnswer]],
    scheme: LabelScheme,
    *,
    rule: ConsensusRule | None = None,
    by: tuple[str, ...] = (),
    with_errors: bool = True,
    **fields: Any,
) -> Report:
    rule = rule or ConsensusRule(n_draws=200)
    errors = errors_of(scheme) if with_errors else None
    given = {
        "medstance": "0",
        "model": {"names": ["m@1"], "scheme": scheme.name, "side_accuracy": 0.8},
        "rule": vars(rule),
        "warnings": (),
        "disclaimer": "No advice.",
        "questions": tuple(aggregate_question(panel, scheme, rule, errors=errors, by=by) for panel in panels),
    }
    return Report.model_validate(given | fields)


@cache
def report_of(text: str, scheme: LabelScheme, n_questions: int = 2) -> Report:
    """Build a report with the text in every field a source can fill."""
    fields = {
        "question": text,
        "proposition": text,
        "headline": text,
        "text": text,
        "source": {"file": text, "locator": text},
    }
    stances = [scheme.names[0]] * 5 + [scheme.names[1]]
    panels = [
        [
            build_answer(
                scheme,
                s,
                n,
                quote=text if n % 2 else "",
                abstained=n == 2,
                question_id=f"q{q}",
                # Several of one name are one vote unless their places differ.
                respondent=dict.fromkeys(("name", "credentials", "specialty"), text) | {"location": f"Town{n} {text}"},
                **fields,
            )
            for n, s in enumerate(stances, start=1)
        ]
        for q in range(n_questions)
    ]
    model = {"names": [text], "scheme": text, "side_accuracy": None}
    rule = build_rule(keep_repeats=True)
    return build_report(panels, scheme, rule=rule, by=("specialty",), warnings=(text,), model=model)


@pytest.fixture
def panel_report(scheme: LabelScheme) -> Report:
    stances = ["against"] * 3 + ["cautiously_against"] * 5 + ["neutral"] + ["supportive"] * 2 + ["no_stance"]
    panel = [build_answer(scheme, stance, n) for n, stance in enumerate(stances, start=1)]
    return build_report([[*panel, build_answer(scheme, "against", 20, abstained=True)]], scheme)


def squeeze(text: str) -> str:
    return " ".join(text.split())


# ---------------------------------------------------------------- the same numbers


def test_every_form_of_a_report_shows_the_same_verdict_counts_and_agreement(panel_report: Report) -> None:
    consensus = panel_report.questions[0]
    html = LexborHTMLParser(render_html(panel_report))
    assert html.body is not None
    markdown = render_markdown(panel_report).replace("\\", "")
    shown = [render_terminal(panel_report, width=140), markdown, html.body.text(deep=True)]
    sentence = "Majority: 8 of 11 answers with a stance oppose it, more than half, below the 75 % of a consensus."
    chance = f"Probability of this verdict: {percent(consensus.verdict.probability or 0)}"
    counts = "13 answers: 11 with a stance, 1 without, 1 too unsure to call."
    agreement = f"Agreement {consensus.agreement:+.2f}"
    polarisation = f"polarisation {consensus.polarisation:.2f}"
    for text in map(squeeze, shown):
        for part in (sentence, chance, counts):
            assert part in text
    for text in map(squeeze, shown[:2]):
        assert agreement in text
        assert polarisation in text


def test_every_form_of_a_report_shows_the_same_shares_and_intervals(panel_report: Report) -> None:
    row = json.loads(render_json(panel_report))["questions"][0]
    cells = next(csv.DictReader(io.StringIO(render_csv(panel_report))))
    terminal, markdown = squeeze(render_terminal(panel_report, width=140)), render_markdown(panel_report)
    for kind in ("sides", "prevalence"):
        for name, found in row[kind].items():
            words = f"{found['share'] * 100:.0f} % ({found['low'] * 100:.0f} to {found['high'] * 100:.0f} %)"
            plain = name.replace("_", " ")
            title = f"**{plain}**" if kind == "sides" else plain
            assert f"| {title} | {found['n']} | {words} |" in markdown
            if kind == "sides":
                assert re.search(rf"{name} +{found['n']} [█ ]*{re.escape(words)}", terminal)
            corrected = found.pop("corrected")
            assert f"| {title} | {found['n']} | {words} | {show_interval(Interval(**corrected))} |" in markdown
            if kind == "sides":
                assert f"{words} corrected {show_interval(Interval(**corrected))}" in terminal
            found |= {f"corrected.{part}": value for part, value in corrected.items()}
            for part, value in found.items():
                assert float(cells[f"{kind}.{name}.{part}"]) == value
    for name in ("n_answers", "n_with_stance", "n_no_stance", "n_abstained", "n_merged", "agreement", "polarisation"):
        assert float(cells[name]) == row[name]
    assert cells["verdict.side"] == row["verdict"]["side"]
    assert float(cells["verdict.probability"]) == row["verdict"]["probability"]


def test_json_holds_the_consensus_record_of_the_design_and_nothing_is_lost(panel_report: Report) -> None:
    row = json.loads(render_json(panel_report))
    assert {"questions", "model", "rule", "warnings"} <= row.keys()
    consensus = row["questions"][0]
    wanted = "question_id question n_answers n_with_stance prevalence sides verdict agreement dissent answers"
    wanted += " polarisation flip mergers breakdown"
    assert set(wanted.split()) <= consensus.keys()
    assert consensus["answers"] == [a.to_row() for a in panel_report.questions[0].answers]
    assert row == panel_report.to_row() | {"warnings": []}


@pytest.mark.parametrize("render", [render_terminal, render_json, render_markdown, render_csv, render_html])
def test_a_report_renders_to_the_same_text_each_time(panel_report: Report, render: Callable[[Report], str]) -> None:
    assert render(panel_report) == render(panel_report)


@pytest.mark.parametrize("render", [render_terminal, render_markdown, render_html])
def test_every_answer_stands_in_the_report_with_its_words(scheme: LabelScheme, render: Callable[[Report], str]) -> None:
    panel = [build_answer(scheme, "against", n, text=f"Reason {n}") for n in range(1, 13)]
    rendered = render(build_report([panel], scheme))
    assert not [n for n in range(1, 13) if not re.search(rf"Reason {n}\b", rendered)]


# ---------------------------------------------------------------- what else every form shows


@pytest.fixture
def rich_report(scheme: LabelScheme) -> Report:
    """A report with mergers, a flip, a breakdown, dissent, a comparison and a warning."""
    panel = [
        build_answer(scheme, "against", n, respondent={"name": f"D{n}", "specialty": "Dentist"}) for n in range(1, 7)
    ]
    twice = {"name": "Ada Quill", "specialty": "Surgeon"}
    panel += [build_answer(scheme, "supportive", n, respondent=twice, quote="Do it.") for n in (7, 8)]
    panel += [build_answer(scheme, "supportive", 9, abstained=True)]
    before = [build_answer(scheme, "supportive", n) for n in range(1, 9)]
    report = build_report([panel], scheme, by=("specialty",), warnings=("One thing.",))
    gone = [build_answer(scheme, "neutral", n, question_id="p", question="Is it gone?") for n in range(1, 7)]
    old = build_report([before, gone], scheme)
    earlier = EarlierReport("old.json", ("m@0",), "delphi-75", tuple(map(take_verdict, old.questions)))
    return report.model_copy(update={"comparison": compare_reports(earlier, report.questions)})


@pytest.mark.parametrize("render", [render_markdown, lambda r: render_terminal(r, width=140)], ids=["md", "terminal"])
def test_mergers_flips_breakdowns_dissent_and_comparisons_are_shown(
    rich_report: Report, render: Callable[[Report], str]
) -> None:
    shown = squeeze(render(rich_report).replace("\\", ""))
    (consensus,) = rich_report.questions
    for part in (
        "9 answers: 7 with a stance, 0 without, 1 too unsure to call, 1 counted with another.",
        "Counted once: #7 stands for #8 too (same respondent).",
        "What could flip it: with 1 answer read otherwise, the verdict would be",
        "Dissent: 1 of 7 with a stance takes another side. The strongest:",
        'Ada Quill, supportive: "Do it."',
        "Against old.json: 1 of 1 verdicts changed, 1 gone.",
        "Is it gone?",
        "consensus: support",
        "oppose +86 points, support -86 points",
        "One thing.",
    ):
        assert part in shown, part
    for row in (("Dentist", "6/6", "6 (100 %)"), ("Surgeon (too few)", "1/1", "0 (0 %)"), ("not given", "0/1", "-")):
        assert re.search(
            r"[ |]+".join(map(re.escape, row)).replace(re.escape("not given"), r"not given \(too few\)"), shown
        )
    assert all(line in shown for line in flip_lines(consensus))


def test_csv_shows_mergers_flips_breakdowns_and_the_change(rich_report: Report) -> None:
    (cells,) = csv.DictReader(io.StringIO(render_csv(rich_report)))
    (row,) = json.loads(render_json(rich_report))["questions"]
    assert json.loads(cells["mergers"]) == row["mergers"]
    assert json.loads(cells["breakdown.specialty"]) == row["breakdown"]["specialty"]
    assert json.loads(cells["flip.answers"]) == row["flip"]["answers"]
    assert (cells["flip.strength"], cells["flip.side"]) == (row["flip"]["strength"], row["flip"]["side"] or "")
    assert json.loads(cells["dissent"]) == [d["answer_id"] for d in row["dissent"]]
    assert (cells["change.kind"], cells["change.before.side"], cells["change.shares.support"]) == (
        "changed",
        "support",
        "-0.8571",
    )
    assert (cells["rule"], json.loads(cells["models"])) == ("delphi-75", ["m@1"])


def test_every_row_of_a_csv_report_has_the_same_columns_whatever_is_known(scheme: LabelScheme) -> None:
    panels = [[build_answer(scheme, "against", n) for n in range(1, size + 1)] for size in (1, 8)]
    known, unknown = (
        csv.reader(io.StringIO(render_csv(build_report(panels, scheme, with_errors=e)))) for e in (True, False)
    )
    assert next(known) == next(unknown)


def test_without_the_models_errors_no_form_shows_a_corrected_share_or_a_probability(scheme: LabelScheme) -> None:
    report = build_report([[build_answer(scheme, "against", n) for n in range(1, 9)]], scheme, with_errors=False)
    for shown in (render_terminal(report), render_markdown(report).split("## Method")[0]):
        assert "orrected" not in shown
        assert "Probability" not in shown


@pytest.mark.parametrize("n_answers", [4, 12], ids=["five and fewer", "more than five"])
def test_a_long_flip_is_cut_on_the_terminal_and_whole_elsewhere(scheme: LabelScheme, n_answers: int) -> None:
    rule = ConsensusRule(n_draws=50, share=0.51)
    report = build_report([[build_answer(scheme, "against", n) for n in range(1, 2 * n_answers)]], scheme, rule=rule)
    (consensus,) = report.questions
    assert consensus.flip is not None
    n = len(consensus.flip.answers)
    assert len(flip_lines(consensus)) == n + 1
    cut = flip_lines(consensus, 5)
    assert cut[-1] == (f"and {n - 5} more" if n > 5 else flip_lines(consensus)[-1])
    assert cut[-1] in render_terminal(report, width=140)


# ---------------------------------------------------------------- the schema of the JSON form


def test_the_schema_in_the_documentation_is_up_to_date(checkout: Path) -> None:
    written = (checkout / "docs" / "report.schema.json").read_text(encoding="utf-8")
    assert written == render_schema(), "write it again: make schema, or pipeline.report.render_schema"


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(build_report_schema())


def validate(report: str) -> None:
    jsonschema.Draft202012Validator(build_report_schema()).validate(json.loads(report))


def test_reports_of_every_kind_are_valid_by_the_schema(
    scheme: LabelScheme, panel_report: Report, rich_report: Report
) -> None:
    claims = LabelScheme.from_labels("claims", ["favor", "against"])
    odd: dict[str, Any] = {
        "respondent": {"name": "A", "shoe": 42, "rating": 4.5},
        "ward": None,
        "tags": ["x", {"y": 1}],
    }
    reports = [
        panel_report,
        rich_report,
        report_of("<b>\x00\u2028", scheme),
        build_report([], scheme),
        build_report([[build_answer(scheme, "no_stance", 1, **odd)]], scheme, with_errors=False),
        build_report([[build_answer(claims, "favor", n) for n in range(1, 7)]], claims, by=("ward",)),
        build_report([[build_answer(scheme, "against", 1)]], scheme, rule=build_rule(rule="rand-ucla")),
    ]
    for report in reports:
        validate(render_json(report))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda row: row.pop("rule"), id="without the rule"),
        pytest.param(lambda row: row["questions"][0].pop("verdict"), id="without a verdict"),
        pytest.param(lambda row: row["questions"][0].update(invented=1), id="with a field more"),
        pytest.param(lambda row: row["questions"][0]["verdict"].update(strength="strong"), id="another strength"),
        pytest.param(lambda row: row["questions"][0]["answers"][0].pop("stance"), id="an answer without its stance"),
        pytest.param(lambda row: row["questions"][0]["sides"]["oppose"].update(share=1.5), id="a share above 1"),
    ],
)
def test_what_is_no_report_is_not_valid_by_the_schema(panel_report: Report, change: Callable[[Any], object]) -> None:
    row = json.loads(render_json(panel_report))
    change(row)
    with pytest.raises(jsonschema.ValidationError):
        validate(json.dumps(row))


# ---------------------------------------------------------------- Markdown

MARKUP = [
    "*em* **strong** _em_ __strong__",
    "~~gone~~",
    "`code` ``more``",
    "```\nfence",
    "# heading",
    "## heading ##",
    "> quote",
    "- item",
    "+ item",
    "* item",
    "1. First, stop.",
    "7) Then, rest.",
    "1986. A good year.",
    "- [ ] task",
    "---",
    "***",
    "===",
    "    indented",
    "\tindented",
    "text\n===",
    "[here](javascript:alert(1))",
    "[here]: http://e.example",
    "[^1]",
    "![picture](http://e.example/x.png)",
    "<http://e.example>",
    "<b>bold</b> <script>alert(1)</script>",
    "<!-- gone -->",
    "&lt;b&gt; &copy; &#42;",
    "a | b | c",
    "|---|",
    "back\\slash \\* \\",
    "line one\n\n\nline two",
    "two spaces  \nbreak",
    "{{7*7}}",
    "\u2028- item",
]


def markup_of(markdown: str) -> list[str]:
    """Return the types of all tokens that are more than text."""
    tokens = [child for token in MARKDOWN.parse(markdown) for child in (token, *(token.children or []))]
    return [token.type for token in tokens if token.type not in {"text", "text_special"}]


def text_of(markdown: str) -> str:
    tokens = [child for token in MARKDOWN.parse(markdown) for child in (token.children or [])]
    return "\n".join(token.content for token in tokens if token.content)


@pytest.mark.parametrize("text", MARKUP, ids=repr)
def test_no_text_of_an_answer_acts_as_markdown(scheme: LabelScheme, text: str) -> None:
    harmless, hostile = (render_markdown(report_of(t, scheme)) for t in (HARMLESS, text))
    assert markup_of(hostile) == markup_of(harmless)
    joined = "".join(text_of(hostile).split())
    assert joined == "".join(text_of(harmless).replace(HARMLESS, text).split())


@pytest.mark.parametrize("label", ["a|b", "*no*", "<b>no</b>", "[no](http://e.example)", "`no`"])
def test_no_label_of_the_users_own_acts_as_markdown(label: str) -> None:
    reports = [report_of("Some words.", LabelScheme.from_labels("s", [name, "yes"])) for name in (label, HARMLESS)]
    hostile, harmless = map(render_markdown, reports)
    assert markup_of(hostile) == markup_of(harmless)


def test_markdown_says_when_answers_are_too_few(scheme: LabelScheme) -> None:
    report = build_report([[build_answer(scheme, "against")]], scheme)
    assert "Too few answers to say: 1 of 1 take a stance" in render_markdown(report)


# ---------------------------------------------------------------- CSV

FORMULAS = ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1+1", "\r=1+1", '=HYPERLINK("http://e.example";"x")', "'=1"]


@pytest.mark.parametrize("text", FORMULAS, ids=repr)
def test_no_cell_of_a_csv_report_begins_like_a_formula(scheme: LabelScheme, text: str) -> None:
    report = report_of(text, scheme)
    rows = list(csv.reader(io.StringIO(render_csv(report), newline="")))
    assert len(rows) == 3
    for cell in (cell for row in rows for cell in row if cell[:1] in tuple("=+-@\t\r")):
        float(cell)
    assert rows[1][rows[0].index("question")] == f"'{text}"


@pytest.mark.parametrize("text", FORMULAS, ids=repr)
def test_a_formula_is_read_back_from_a_csv_report_as_it_was(scheme: LabelScheme, text: str) -> None:
    rows = list(csv.reader(io.StringIO(render_csv(report_of(text, scheme)), newline="")))
    assert read_cell(rows[1][rows[0].index("question")], own=True) == text


def test_a_csv_report_has_one_row_per_question_and_keeps_commas_quotes_and_lines(scheme: LabelScheme) -> None:
    text = 'Is "this", really,\nworth it?'
    rows = list(csv.DictReader(io.StringIO(render_csv(report_of(text, scheme, n_questions=3)))))
    assert [row["question"] for row in rows] == [text] * 3


# ---------------------------------------------------------------- the terminal

CONTROLS = [
    "\x1b[2Jgone",
    "\x1b]0;title\x07",
    "\x9b31mred",
    "over\rwritten",
    "back\x08space",
    "\x0bdown\x0c",
    "\x90x\x9c",
]


@pytest.mark.parametrize("n_questions", [1, 5], ids=["detailed", "overview"])
@pytest.mark.parametrize("text", CONTROLS, ids=repr)
def test_no_control_character_of_a_text_reaches_the_terminal(scheme: LabelScheme, text: str, n_questions: int) -> None:
    shown = render_terminal(report_of(f"Well {text}, yes", scheme, n_questions))
    assert not [char for char in shown if unicodedata.category(char) == "Cc" and char != "\n"]


@pytest.mark.parametrize(
    "text", ["[bold]no[/bold]", "[/]", "[link=http://e.example]x[/link]", ":smile:", "\\[x]", "[red"]
)
def test_no_text_acts_as_markup_of_the_terminal_library(scheme: LabelScheme, text: str) -> None:
    report = report_of(text, scheme)
    assert render_terminal(report, width=140).count(text) >= 2 * 7
    labels = {text: {"precision": 0.5, "recall": 0.5, "f1": 0.5, "n": 3}}
    scores = render_scores([(text, "1")], labels)
    assert scores.count(text) == 2


def test_without_colour_the_terminal_report_is_plain_text(panel_report: Report) -> None:
    assert "\x1b" not in render_terminal(panel_report, color=False)
    assert "\x1b" in render_terminal(panel_report, color=True)


def test_colour_changes_nothing_but_colour(panel_report: Report) -> None:
    colored = re.sub(r"\x1b\[[0-9;]*m", "", render_terminal(panel_report, color=True))
    plain = render_terminal(panel_report, color=False)
    assert [line.rstrip() for line in colored.split("\n")] == plain.split("\n")


@pytest.mark.parametrize("width", [60, 80, 140])
@pytest.mark.parametrize("text", ["word " * 60, "x" * 300, "\u4e16\u754c" * 90], ids=["words", "one word", "wide"])
def test_no_line_is_wider_than_the_terminal(scheme: LabelScheme, width: int, text: str) -> None:
    for n_questions in (1, 5):
        shown = render_terminal(report_of(text, scheme, n_questions), width=width)
        assert max(map(cell_len, shown.split("\n"))) <= width


def test_many_questions_are_shown_one_per_line_with_their_counts(scheme: LabelScheme) -> None:
    shown = render_terminal(report_of("Is it worth it?", scheme, n_questions=4), width=120)
    assert len(re.findall(r"^Is it worth it\? +5/6 +consensus: oppose +\d+ %$", shown, re.MULTILINE)) == 4


def explain(**fields: Any) -> dict[str, Any]:
    """Give what `pipeline.workflow.explaining.explain_text` gives."""
    place = {"field": "text", "start": 0, "end": 7}
    return {
        "stance": "cautiously_against",
        "side": "oppose",
        "confidence": 0.61,
        "abstained": True,
        "posteriors": {"cautiously_against": 0.61, "supportive": 0.39},
        "intercept": 0.1,
        "sentences": [
            {"quote": "[b]not.", "weight": 0.5, "relevance": 0.874, "reading": None, **place},
            {"quote": "Thank\n you", "weight": -0.2, "relevance": 0.03, "reading": None, **place},
        ],
        "cues": [{"quote": "do it", "weight": -0.6, "features": ["urges@last"], **place}],
        "words": [{"quote": "[b]not", "weight": 0.5, "features": ["not", "<not"], **place}],
        "rest": {"n": 3, "weight": -0.2},
        "total": 0.4,
        "evidence": [{"quote": "[b]not.", "weight": 0.5, **place}],
    } | fields


def test_an_explanation_shows_the_call_the_sentences_the_words_and_the_sum() -> None:
    shown = render_explanation(explain())
    assert shown.startswith("cautiously against (side oppose 61 %, too unsure to call)\n")
    by_sentence, by_word = shown.split("The same, by cue and word:")
    assert "as log-odds of 'cautiously against' over the mean of all stances" in by_sentence
    for part in (
        "+0.100  before any word is read",
        '+0.500  "[b]not." (counts 87 %)',
        '-0.200  "Thank you" (counts 3 %)',
        "+0.400  in all",
    ):
        assert f"  {part}\n" in by_sentence
    for part in (
        "+0.100  before any word is read",
        "-0.600  'do it' (urges@last)\n  +0.500  '[b]not' (not, <not)\n  -0.200  3 weaker ones",
        '+0.500  "[b]not." (text 0-7)',
    ):
        assert f"  {part}\n" in by_word


def test_an_explanation_says_what_the_encoder_adds_by_sentence_and_in_all() -> None:
    sentences = [
        sentence | {"reading": reading} for sentence, reading in zip(explain()["sentences"], (0.3, -0.05), strict=True)
    ]
    by_sentence, by_word = render_explanation(explain(sentences=sentences), width=140).split(
        "The same, by cue and word:"
    )
    assert '+0.500  "[b]not." (+0.300 as the encoder reads it; words and cues count 87 %)' in by_sentence
    assert "  +0.250  as the encoder reads the sentences\n" in by_word
    assert "encoder" not in render_explanation(explain())


@pytest.mark.parametrize(
    ("fields", "there", "absent"),
    [
        pytest.param({"abstained": False}, "(side oppose 61 %)", "unsure", id="sure enough"),
        pytest.param({"side": None}, "cautiously against (61 %,", "side", id="no side"),
        pytest.param({"rest": {"n": 0, "weight": 0.0}}, "(not, <not)", "weaker", id="nothing weaker"),
        pytest.param({"rest": {"n": 1, "weight": 0.1}}, "+0.100  1 weaker one\n", "ones", id="one weaker"),
        pytest.param({"evidence": []}, "in all", "speak for it", id="no evidence"),
        pytest.param({"sentences": []}, "in all", "(counts", id="no sentence"),
        pytest.param({"cues": [], "words": []}, "3 weaker ones", "not, <not", id="no cue and no word"),
    ],
)
def test_an_explanation_says_no_more_than_there_is(fields: dict[str, Any], there: str, absent: str) -> None:
    shown = render_explanation(explain(**fields))
    assert there in shown
    assert absent not in shown


@pytest.mark.parametrize("text", CONTROLS, ids=repr)
def test_no_control_character_of_an_explained_text_reaches_the_terminal(text: str) -> None:
    parts = {
        kind: [part | {"quote": f"a {text} b", "features": [text]} for part in explain()[kind]]
        for kind in ("sentences", "cues", "words", "evidence")
    }
    shown = render_explanation(explain(**parts))
    assert not [char for char in shown if unicodedata.category(char) == "Cc" and char != "\n"]


@pytest.mark.parametrize("width", [60, 80, 140])
def test_no_line_of_an_explanation_is_wider_than_the_terminal(width: int) -> None:
    for text in ("word " * 60, "x" * 300, "\u4e16\u754c" * 90):
        shown = render_explanation(
            explain(sentences=[part | {"quote": text} for part in explain()["sentences"]]), width=width
        )
        assert max(map(cell_len, shown.split("\n"))) <= width


def test_colour_changes_nothing_of_an_explanation_but_colour() -> None:
    colored = render_explanation(explain(), color=True)
    assert "\x1b" in colored
    plain = re.sub(r"\x1b\[[0-9;]*m", "", colored)
    assert [line.rstrip() for line in plain.split("\n")] == render_explanation(explain()).split("\n")


TURNED = "safe \u202eesrever \u2066left open"


def test_no_form_for_people_lets_a_text_turn_the_words_beside_it(scheme: LabelScheme) -> None:
    report = report_of(TURNED, scheme)
    for shown in (render_terminal(report), render_markdown(report), render_html(report)):
        assert not re.search("[\u202a-\u202e\u2066-\u2069]", shown)
        assert "safe esrever left open" in shown


# ---------------------------------------------------------------- wording


@pytest.mark.parametrize(
    ("stances", "title", "begins"),
    [
        pytest.param(
            ["against"] * 4,
            "too few answers",
            "Too few answers to say: 4 of 4 take a stance that can be told, and the rule wants at least 5.",
            id="insufficient",
        ),
        pytest.param(
            ["supportive"] * 3 + ["against"] * 3,
            "split (tie)",
            "Split: no side has more answers than every other, of 6 with a stance.",
            id="tie",
        ),
        pytest.param(
            ["supportive"] * 6,
            "consensus: support",
            "Consensus: 6 of 6 answers with a stance support it, at or above the 75 % the rule asks for.",
            id="consensus",
        ),
        pytest.param(
            ["neutral"] * 3 + ["against"] * 2,
            "majority: neutral (unsure)",
            "Majority: 3 of 5 answers with a stance are neutral on it, more than half, below the 75 % of a consensus.",
            id="majority",
        ),
        pytest.param(
            ["neutral"] * 2 + ["against"] * 3 + ["supportive"],
            "split: oppose (unsure)",
            "Split: 3 of 6 answers with a stance oppose it, not more than half.",
            id="half is no majority",
        ),
    ],
)
def test_the_verdict_is_said_in_one_plain_sentence(
    scheme: LabelScheme, stances: list[str], title: str, begins: str
) -> None:
    report = build_report([[build_answer(scheme, s, n) for n, s in enumerate(stances, start=1)]], scheme)
    assert verdict_title(report.questions[0]) == title
    assert verdict_sentence(report.questions[0], report.rule).startswith(begins)


def test_a_verdict_on_a_side_of_the_users_own_is_said_in_words() -> None:
    scheme = LabelScheme.from_labels("claims", ["favor", "against"])
    report = build_report([[build_answer(scheme, "favor", n) for n in range(1, 7)]], scheme)
    sentence = verdict_sentence(report.questions[0], report.rule)
    assert sentence.startswith("Consensus: 6 of 6 answers with a stance are 'favor'")


RAND = build_rule(rule="rand-ucla")


@pytest.mark.parametrize(
    ("stances", "title", "begins"),
    [
        pytest.param(
            ["supportive"] * 8 + ["against"] * 2,
            "consensus: support",
            "Consensus: 8 of 10 answers with a stance support it, with no more than the 2 that the rule allows outside "
            "it in a panel of 10.",
            id="consensus",
        ),
        pytest.param(
            ["supportive"] * 7 + ["against"] * 2 + ["neutral"],
            "majority: support",
            "Majority: 7 of 10 answers with a stance support it, more than half, with more than the 2 that",
            id="majority",
        ),
        pytest.param(
            ["supportive"] * 6 + ["against"] * 4,
            "split: no side",
            "Split: of 10 answers with a stance 4 oppose and 6 support it, disagreement by the rule.",
            id="disagreement",
        ),
        pytest.param(
            ["supportive"] * 5 + ["neutral"] * 3 + ["against"] * 2,
            "split: no side",
            "Split: the median of 10 answers with a stance lies between two sides.",
            id="between two sides",
        ),
        pytest.param(
            ["supportive"] * 3 + ["neutral"] * 4 + ["against"] * 2,
            "split: neutral",
            "Split: 4 of 9 answers with a stance are neutral on it, where the median lies, not more than half.",
            id="the median's side",
        ),
    ],
)
def test_a_verdict_by_the_table_is_said_in_its_own_words(
    scheme: LabelScheme, stances: list[str], title: str, begins: str
) -> None:
    panel = [build_answer(scheme, s, n) for n, s in enumerate(stances, start=1)]
    report = build_report([panel], scheme, rule=RAND, with_errors=False)
    assert verdict_title(report.questions[0]) == title
    assert verdict_sentence(report.questions[0], report.rule).startswith(begins)


@pytest.mark.parametrize(
    ("rule", "says", "silent"),
    [
        pytest.param(build_rule(), ["delphi-75", "75 %", "count once"], ["weighted", "median"], id="delphi"),
        pytest.param(RAND, ["rand-ucla", "(n - 2) / 3", "median"], ["75 %"], id="rand-ucla"),
        pytest.param(build_rule(weight_by="w"), ["weighted by w"], [], id="weights"),
        pytest.param(build_rule(keep_repeats=True), ["several by one respondent"], ["count once"], id="repeats"),
    ],
)
def test_the_method_says_what_the_rule_is(rule: ConsensusRule, says: list[str], silent: list[str]) -> None:
    text = " ".join(method_lines(vars(rule)))
    assert all(part in text for part in says)
    assert not any(part in text for part in silent)


def test_weights_are_said_in_the_verdict(scheme: LabelScheme) -> None:
    panel = [build_answer(scheme, "against", n, w=4 if n == 1 else 1) for n in range(1, 5)]
    panel += [build_answer(scheme, "supportive", n, w=1) for n in (5, 6)]
    report = build_report([panel], scheme, rule=build_rule(weight_by="w"))
    said = verdict_sentence(report.questions[0], report.rule)
    assert said.startswith("Consensus: 4 of 6 answers with a stance oppose it (78 % by weight), at or above the 75 %")


def test_dissent_of_a_tie_is_of_each_side(scheme: LabelScheme) -> None:
    stances = ["against"] * 3 + ["supportive"] * 3
    report = build_report([[build_answer(scheme, s, n) for n, s in enumerate(stances, start=1)]], scheme)
    assert dissent_sentence(report.questions[0]).startswith("No side prevails.")
    assert len(report.questions[0].dissent) == 2


def test_nothing_is_said_of_what_there_is_not(scheme: LabelScheme) -> None:
    (consensus,) = build_report([[build_answer(scheme, "against")]], scheme).questions
    assert (flip_lines(consensus), merger_lines(consensus), dissent_sentence(consensus)) == ([], [], "")
    assert "counted with another" not in count_sentence(consensus)


def test_a_change_names_only_what_moved(rich_report: Report) -> None:
    assert rich_report.comparison is not None
    changed, gone = rich_report.comparison.changes
    assert change_row(changed)[:1] == ["changed"]
    assert change_row(gone) == ["gone", "consensus: neutral", "-", ""]
    assert comparison_sentence(rich_report.comparison) == "Against old.json: 1 of 1 verdicts changed, 1 gone."


@pytest.mark.parametrize(
    ("respondent", "name", "line", "rating"),
    [
        pytest.param({}, "name not given", "Name not given", "", id="nothing known"),
        pytest.param({"specialty": "Dentist"}, "Dentist", "Name not given · Dentist", "", id="specialty alone"),
        pytest.param(
            {"name": "Ada Quill", "credentials": "MD", "location": "Fenwick", "rating": 4.0, "n_reviews": 3},
            "Ada Quill, MD",
            "Ada Quill, MD · Fenwick",
            "rated 4, 3 reviews",
            id="all but the specialty",
        ),
        pytest.param(
            {"rating": 0, "n_reviews": 0}, "name not given", "Name not given", "rated 0, 0 reviews", id="zeros"
        ),
    ],
)
def test_a_respondent_is_named_as_far_as_known(
    scheme: LabelScheme, respondent: dict[str, Any], name: str, line: str, rating: str
) -> None:
    answer = build_answer(scheme, "against", respondent=respondent)
    assert (name_line(answer), respondent_line(answer), rating_line(answer)) == (name, line, rating)


def test_a_quote_is_the_strongest_passage_else_the_headline_else_the_beginning(scheme: LabelScheme) -> None:
    assert quote_of(build_answer(scheme, "against", quote="Never.")) == "Never."
    assert quote_of(build_answer(scheme, "against", headline="No")) == "No"
    assert quote_of(build_answer(scheme, "against", text="x" * 500)) == "x" * 200
