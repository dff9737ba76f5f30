"""A report against an earlier one: which verdicts moved, and by how much."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from pipeline.schema import Comparison, Consensus, Share, Verdict, VerdictChange

_DECIMALS = 4


@dataclass(frozen=True)
class EarlierVerdict:
    """What of a question of an earlier report is compared.

    Attributes
    ----------
    question_id, question
        The question.
    verdict
        Its verdict then.
    shares
        Plain share of each side then.
    """

    question_id: str
    question: str
    verdict: Verdict
    shares: Mapping[str, float]


@dataclass(frozen=True)
class EarlierReport:
    """What of an earlier report is compared.

    Attributes
    ----------
    against
        Its file, as named.
    models, rule
        What it rests on.
    questions
        Of each its id once.
    """

    against: str
    models: tuple[str, ...]
    rule: str
    questions: tuple[EarlierVerdict, ...]


def take_verdict(consensus: Consensus) -> EarlierVerdict:
    """Take what is compared from a consensus."""
    shares = {side: prevalence.share for side, prevalence in consensus.sides.items()}
    return EarlierVerdict(consensus.question_id, consensus.question, consensus.verdict, shares)


class _Given(BaseModel):
    """Part of a report as written, by this version or an earlier one: what is not compared is not looked at."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class _GivenShare(_Given):
    share: Share


class _GivenQuestion(_Given):
    question_id: str
    question: str
    verdict: Verdict
    sides: dict[str, _GivenShare]


class _GivenModel(_Given):
    names: tuple[str, ...]


class _GivenRule(_Given):
    name: str


class _GivenReport(_Given):
    model: _GivenModel
    rule: _GivenRule
    questions: tuple[_GivenQuestion, ...]


def parse_report(data: object, against: str) -> EarlierReport:
    """Take what is compared from a report as `Report.to_row` gives it.

    Parameters
    ----------
    data
        JSON-ready data.
    against
        The file it is from.

    Raises
    ------
    ValueError
        When it is no report (pydantic's `ValidationError`), or has a question twice.
    """
    given = _GivenReport.model_validate(data)
    double = next((name for name, n in Counter(q.question_id for q in given.questions).items() if n > 1), None)
    if double is not None:
        raise ValueError(f"question {double!r} stands twice")
    questions = [
        EarlierVerdict(q.question_id, q.question, q.verdict, {side: found.share for side, found in q.sides.items()})
        for q in given.questions
    ]
    return EarlierReport(against, given.model.names, given.rule.name, tuple(questions))


def unflatten_report(rows: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """Bring the rows of a report's CSV into the form that `parse_report` takes.

    Parameters
    ----------
    rows
        Cells by column name, as `pipeline.report.render_csv` writes them.
    """
    return {
        "model": {"names": list(dict.fromkeys(name for row in rows for name in json.loads(row.get("models") or "[]")))},
        "rule": {"name": next((row["rule"] for row in rows if row.get("rule")), "")},
        "questions": [_unflatten_question(row) for row in rows],
    }


def _unflatten_question(row: Mapping[str, str]) -> dict[str, Any]:
    sides = {
        name.removeprefix("sides.").removesuffix(".share"): {"share": value}
        for name, value in row.items()
        if name.startswith("sides.") and name.endswith(".share") and not name.endswith(".corrected.share") and value
    }
    verdict = {name: row.get(f"verdict.{name}") or None for name in Verdict.model_fields}
    return {"question_id": row["question_id"], "question": row.get("question"), "verdict": verdict, "sides": sides}


def compare_reports(earlier: EarlierReport, questions: Iterable[Consensus]) -> Comparison:
    """Compare the verdicts of an earlier report with those of now; questions are matched by their ids.

    Returns
    -------
    Comparison
        A change per question of either: those of now in their order, then those that are gone in theirs.
    """
    before = {question.question_id: question for question in earlier.questions}
    now = list(map(take_verdict, questions))
    known = {question.question_id for question in now}
    gone = [question for question in earlier.questions if question.question_id not in known]
    changes = [_compare_question(before.get(question.question_id), question) for question in now]
    return Comparison(
        against=earlier.against,
        models=earlier.models,
        rule=earlier.rule,
        changes=(*changes, *(_compare_question(question, None) for question in gone)),
    )


def _compare_question(before: EarlierVerdict | None, after: EarlierVerdict | None) -> VerdictChange:
    named = after or before
    assert named is not None  # noqa: S101
    kind: Literal["same", "changed", "new", "gone"] = "new" if before is None else "gone"
    shares: dict[str, float] = {}
    if before is not None and after is not None:
        kind = "same" if before.verdict.outcome == after.verdict.outcome else "changed"
        names = dict.fromkeys((*after.shares, *before.shares))
        shares = {
            side: round(after.shares.get(side, 0.0) - before.shares.get(side, 0.0), _DECIMALS) + 0.0 for side in names
        }
    return VerdictChange(
        question_id=named.question_id,
        question=named.question,
        kind=kind,
        before=None if before is None else before.verdict,
        after=None if after is None else after.verdict,
        shares=shares,
    )


def find_failures(changes: Iterable[VerdictChange], fail_on: Literal["changed", "side"]) -> list[VerdictChange]:
    """Return the changes of questions in both reports that a run should fail on.

    Parameters
    ----------
    changes
        Of a comparison.
    fail_on
        ``changed`` for another strength or side, ``side`` for another side only.
    """
    found = [change for change in changes if change.kind == "changed"]
    if fail_on == "changed":
        return found
    return [c for c in found if c.before is not None and c.after is not None and c.before.side != c.after.side]
