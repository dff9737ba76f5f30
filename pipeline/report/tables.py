"""Reports for machines: JSON, its schema, and CSV."""

from __future__ import annotations

import io
import json
from typing import Any

from pydantic import TypeAdapter

from pipeline.aggregate import ConsensusRule
from pipeline.flat import write_delimited
from pipeline.schema import (
    CALL_FIELDS,
    AnswerRecord,
    ClassifiedAnswer,
    Consensus,
    Flip,
    Interval,
    Report,
    StanceCall,
    Verdict,
    VerdictChange,
)


def render_json(report: Report) -> str:
    """Render everything the report holds, as one JSON object; `build_report_schema` says what that is."""
    return json.dumps(report.to_row(), ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def render_schema() -> str:
    """Render the JSON Schema of the JSON report: ``docs/report.schema.json``."""
    return json.dumps(build_report_schema(), ensure_ascii=False, indent=1) + "\n"


def build_report_schema() -> dict[str, Any]:
    """Build the JSON Schema (2020-12) of the JSON report from the records it is made of.

    An answer is one flat object, as `ClassifiedAnswer.to_row` gives it: the record's fields, the call's, and whatever
    else the source had.

    Examples
    --------
    >>> sorted(build_report_schema()["$defs"]["Verdict"]["required"])
    ['probability', 'side', 'strength']
    """
    schema = Report.model_json_schema(mode="serialization")
    definitions = schema["$defs"]
    record, call = definitions.pop(AnswerRecord.__name__), definitions.pop(StanceCall.__name__)
    definitions[ClassifiedAnswer.__name__] = {
        "title": "Answer",
        "description": "An answer with the classifier's call, as one flat object; further fields are the source's.",
        "type": "object",
        "properties": record["properties"] | call["properties"],
        "required": [*record["required"], *(name for name in CALL_FIELDS if name in call["required"])],
        "additionalProperties": True,
    }
    schema["properties"]["rule"] = TypeAdapter(ConsensusRule).json_schema(mode="serialization")
    schema["properties"]["model"] = {
        "type": "object",
        "properties": {
            "names": {"type": "array", "items": {"type": "string"}},
            "scheme": {"type": "string"},
            "side_accuracy": {"anyOf": [{"type": "number"}, {"type": "null"}]},
        },
        "required": ["names", "scheme", "side_accuracy"],
    }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def render_csv(report: Report) -> str:
    """Render one row per question, with dotted column names; answers are in the JSON form only.

    Questions that only an earlier report has are no rows of this one.
    """
    changes = {} if report.comparison is None else {c.question_id: c for c in report.comparison.changes}
    file = io.StringIO()
    write_delimited((_question_row(q, report, changes.get(q.question_id)) for q in report.questions), file)
    return file.getvalue()


def _question_row(consensus: Consensus, report: Report, change: VerdictChange | None) -> dict[str, Any]:
    row = consensus.model_dump(mode="json", exclude={"answers"})
    for kind in ("prevalence", "sides"):
        row[kind] = {name: _fill(found, "corrected", Interval) for name, found in row[kind].items()}
    row = _fill(row, "flip", Flip) | {"dissent": [d.answer_id for d in consensus.dissent]}
    if change is not None:
        moved = change.model_dump(mode="json", exclude={"question_id", "question", "after"})
        row["change"] = _fill(moved, "before", Verdict)
    return row | {"rule": report.rule["name"], "models": report.model["names"]}


def _fill(row: dict[str, Any], name: str, record: type[Interval | Flip | Verdict]) -> dict[str, Any]:
    """Spread a record that is missing over the columns that it would have, so that all rows have the same."""
    return row | {name: row[name] or dict.fromkeys(record.model_fields)}
