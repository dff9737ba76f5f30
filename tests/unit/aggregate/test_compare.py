"""A report against an earlier one: what moved, what did not, and on what a run fails."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from pipeline.aggregate import (
    ConsensusRule,
    EarlierReport,
    aggregate_question,
    compare_reports,
    find_failures,
    parse_report,
    take_verdict,
    unflatten_report,
)
from pipeline.flat import read_cell
from pipeline.report import render_csv, render_json
from pipeline.schema import ClassifiedAnswer, Consensus, LabelScheme, Report

BuildAll = Callable[..., list[ClassifiedAnswer]]
RULE = ConsensusRule()
PANELS = {
    "oppose": ["against"] * 8,
    "most oppose": ["against"] * 5 + ["supportive"] * 3,
    "support": ["supportive"] * 8,
    "tie": ["against"] * 4 + ["supportive"] * 4,
    "few": ["against"] * 2,
}


@pytest.fixture
def ask(scheme: LabelScheme, build_all: BuildAll) -> Callable[..., tuple[Consensus, ...]]:
    def build(**panels: str) -> tuple[Consensus, ...]:
        return tuple(
            aggregate_question(
                build_all(scheme, *PANELS[panel], question_id=name, question=f"Is {name} safe?"), scheme, RULE
            )
            for name, panel in panels.items()
        )

    return build


def earlier(questions: Sequence[Consensus]) -> EarlierReport:
    return EarlierReport("old.json", ("m@1",), "delphi-75", tuple(map(take_verdict, questions)))


def build_report(questions: Sequence[Consensus], scheme: LabelScheme) -> Report:
    return Report(
        medstance="0",
        model={"names": ["m@1"], "scheme": scheme.name, "side_accuracy": None},
        rule=vars(RULE),
        warnings=(),
        disclaimer="No advice.",
        questions=tuple(questions),
    )


def test_questions_are_matched_by_id_and_those_gone_come_last(ask: Callable[..., tuple[Consensus, ...]]) -> None:
    before = ask(gone="oppose", same="support", moved="oppose")
    after = ask(new="few", moved="most oppose", same="support")
    comparison = compare_reports(earlier(before), after)
    assert (comparison.against, comparison.models, comparison.rule) == ("old.json", ("m@1",), "delphi-75")
    assert [(c.question_id, c.kind) for c in comparison.changes] == [
        ("new", "new"),
        ("moved", "changed"),
        ("same", "same"),
        ("gone", "gone"),
    ]
    new, moved, same, gone = comparison.changes
    assert (new.before, gone.after) == (None, None)
    assert moved.before == before[2].verdict
    assert moved.after == after[1].verdict
    assert moved.question == "Is moved safe?"
    assert moved.shares == {"oppose": -0.375, "neutral": 0.0, "support": 0.375}
    assert set(same.shares.values()) == {0.0}
    assert new.shares == gone.shares == {}


def test_nothing_has_moved_from_a_report_to_itself(ask: Callable[..., tuple[Consensus, ...]]) -> None:
    questions = ask(**{name.replace(" ", "_"): name for name in PANELS})
    changes = compare_reports(earlier(questions), questions).changes
    assert {change.kind for change in changes} == {"same"}
    assert {move for change in changes for move in change.shares.values()} == {0.0}
    assert find_failures(changes, "changed") == []


@pytest.mark.parametrize(
    ("before", "after", "changed", "side"),
    [
        pytest.param("oppose", "oppose", False, False, id="the same"),
        pytest.param("oppose", "most oppose", True, False, id="another strength"),
        pytest.param("oppose", "support", True, True, id="another side"),
        pytest.param("oppose", "tie", True, True, id="a side lost"),
        pytest.param("few", "oppose", True, True, id="a side gained"),
        pytest.param("few", "tie", True, False, id="without a side before and after"),
    ],
)
def test_a_run_fails_on_what_it_is_told_to(
    ask: Callable[..., tuple[Consensus, ...]], before: str, after: str, changed: bool, side: bool
) -> None:
    changes = compare_reports(earlier(ask(q=before, gone="oppose")), ask(q=after, new="support")).changes
    assert bool(find_failures(changes, "changed")) == changed
    assert bool(find_failures(changes, "side")) == side


# ---------------------------------------------------------------- reading an earlier report


def test_a_report_written_as_json_or_csv_is_read_back_for_comparison(
    scheme: LabelScheme, ask: Callable[..., tuple[Consensus, ...]]
) -> None:
    questions = ask(first="oppose", second="tie", third="few", fourth="most oppose")
    report = build_report(questions, scheme)
    rows = list(csv.reader(io.StringIO(render_csv(report), newline="")))
    cells = [[read_cell(cell, own=True) for cell in row] for row in rows]
    written = [
        json.loads(render_json(report)),
        unflatten_report([dict(zip(cells[0], row, strict=True)) for row in cells[1:]]),
    ]
    for data in written:
        assert parse_report(data, "old.json") == earlier(questions)


@pytest.mark.parametrize("text", ["=1+1", "-2", "+a", "@a", "'=x", "\t=1"])
def test_a_question_that_looks_like_a_formula_comes_back_from_csv_as_it_was(
    scheme: LabelScheme, build_all: BuildAll, text: str
) -> None:
    panel = build_all(scheme, *PANELS["oppose"], question=text, question_id=text)
    report = build_report([aggregate_question(panel, scheme, RULE)], scheme)
    rows = list(csv.reader(io.StringIO(render_csv(report), newline="")))
    cells = [[read_cell(cell, own=True) for cell in row] for row in rows]
    (question,) = parse_report(unflatten_report([dict(zip(*cells, strict=True))]), "x.csv").questions
    assert (question.question, question.question_id) == (text, text)


GOOD: dict[str, Any] = {
    "model": {"names": ["m@1"], "of old": 1},
    "rule": {"name": "delphi-75"},
    "questions": [
        {
            "question_id": "q",
            "question": "Q?",
            "verdict": {"side": "oppose", "strength": "consensus", "probability": 0.5},
            "sides": {"oppose": {"share": 1.0, "median": 3}},
        }
    ],
}


def test_a_report_of_another_version_is_read_for_what_is_compared() -> None:
    found = parse_report(GOOD | {"invented": "later"}, "old.json")
    assert found.questions[0].shares == {"oppose": 1.0}


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"questions": None}, id="no questions"),
        pytest.param({"questions": [{}]}, id="an empty question"),
        pytest.param({"rule": "delphi-75"}, id="another shape"),
        pytest.param({"model": {}}, id="no model"),
        pytest.param({"questions": [*GOOD["questions"], *GOOD["questions"]]}, id="a question twice"),
        pytest.param({"questions": [GOOD["questions"][0] | {"verdict": {"side": 1}}]}, id="no verdict"),
        pytest.param({"questions": [GOOD["questions"][0] | {"sides": {"oppose": {"share": 7}}}]}, id="no share"),
    ],
)
def test_what_is_no_report_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_report(GOOD | changes, "old.json")
