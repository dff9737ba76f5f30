"""What a report is compared with."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import ValidationError

from pipeline.aggregate import (
    ConsensusRule,
    EarlierReport,
    find_failures,
    parse_report,
    take_verdict,
    unflatten_report,
)
from pipeline.errors import BadInput
from pipeline.flat import read_cell
from pipeline.schema import (
    Report,
    first_problem,
)
from pipeline.workflow.classifying import Classifier
from pipeline.workflow.gathering import PanelsInMemory, Tally, aggregate_panels, read_panels
from pipeline.workflow.intake import Intake


class Earlier(NamedTuple):
    """What a report is compared with, and what was left out where it had to be made first."""

    report: EarlierReport
    intake: Intake


def read_earlier(name: str, intake: Intake, classifier: Classifier, rule: ConsensusRule) -> Earlier:
    """Read an earlier report, or make one of a source with the same model and rule.

    Raises
    ------
    BadInput
        When it is neither.
    """
    other = Intake([name], intake.options, intake.say)
    written = read_earlier_report(name)
    if written is not None:
        return Earlier(written, other)
    panels, tally = PanelsInMemory(), Tally()
    read_panels(other, classifier, panels, tally, lambda _: None)
    if other.n_answers == 0:
        n, first = len(other.rejected), other.rejected.first
        reason = f"{first.reason} (none of {n} records can be used)"
        raise BadInput(first.file, reason, where=first.locator)
    questions = tuple(map(take_verdict, aggregate_panels(panels, classifier, rule, tally)))
    return Earlier(EarlierReport(name, tuple(tally.models), rule.name, questions), other)


def read_earlier_report(name: str) -> EarlierReport | None:
    """Read a report that ``stance report`` wrote as JSON or CSV.

    Returns
    -------
    EarlierReport or None
        None when the file is no report, but perhaps a source of answers.

    Raises
    ------
    BadInput
        When it is a report and damaged.
    """
    path = Path(name)
    read = {".json": _read_json_report, ".csv": _read_csv_report}.get(path.suffix.lower())
    if name == "-" or read is None or not path.is_file():
        return None
    try:
        data = read(path.read_text(encoding="utf-8-sig"))
        return None if data is None else parse_report(data, name)
    except UnicodeDecodeError:
        return None
    except ValidationError as error:
        where, problem = first_problem(error)
        raise BadInput(name, f"is no whole report: {where}: {problem}") from error
    except (ValueError, csv.Error, RecursionError, OSError) as error:
        raise BadInput(name, f"is no whole report: {error}") from error


def _read_json_report(text: str) -> object:
    if not text.lstrip().startswith("{"):
        return None
    try:
        data = json.loads(text)
    except ValueError:
        if _REPORT_START.match(text):
            raise
        return None
    return data if isinstance(data, dict) and "questions" in data else None


# Report.medstance is written first.
_REPORT_START = re.compile(r"\s*\{\s*\"medstance\"")


def _read_csv_report(text: str) -> object:
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    header = [read_cell(cell, own=True) for cell in next(rows, [])]
    if not {"question_id", "verdict.strength"} <= set(header):
        return None
    cells = [[read_cell(cell, own=True) for cell in row] for row in rows]
    if any(len(row) != len(header) for row in cells):
        raise ValueError(f"a row has not the header's {len(header)} columns")
    return unflatten_report([dict(zip(header, row, strict=True)) for row in cells])


def warn_of_comparison(earlier: Earlier, rule: ConsensusRule, models: Iterable[str]) -> list[str]:
    """List what a reader of a comparison should know of what it compares with."""
    against, warnings = earlier.report.against, []
    if earlier.report.rule != rule.name:
        warnings.append(f"{against} was made by another rule ({earlier.report.rule}, now {rule.name})")
    if set(earlier.report.models) != set(models):
        warnings.append(f"{against} rests on other models ({', '.join(earlier.report.models)})")
    if earlier.intake.rejected:
        warnings.append(f"{len(earlier.intake.rejected)} records of {against} could not be read")
    return [*map(str, earlier.intake.notices), *warnings]


def count_compared(report: Report) -> int:
    """Return how many questions are in both reports of a comparison."""
    changes = () if report.comparison is None else report.comparison.changes
    return sum(change.before is not None and change.after is not None for change in changes)


def count_failures(report: Report, fail_on: Literal["changed", "side"]) -> int:
    """Return how many verdicts of a comparison moved as a run should fail on.

    Raises
    ------
    BadInput
        When the reports have no question in common: nothing was compared, so that nothing was found in order.
    """
    if report.comparison is None:
        return 0
    if count_compared(report) == 0:
        raise BadInput(report.comparison.against, "has no question in common with this report: nothing was compared")
    return len(find_failures(report.comparison.changes, fail_on))
