"""Reports for machines: JSON and CSV."""

from __future__ import annotations

import io
import json
from typing import Any

from pipeline.flat import write_delimited
from pipeline.schema import Consensus, Report


def render_json(report: Report) -> str:
    """Render everything the report holds, as one JSON object."""
    return json.dumps(report.to_row(), ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def render_csv(report: Report) -> str:
    """Render one row per question, with dotted column names; answers are in the JSON form only."""
    file = io.StringIO()
    write_delimited((_question_row(question) for question in report.questions), file)
    return file.getvalue()


def _question_row(consensus: Consensus) -> dict[str, Any]:
    row = consensus.model_dump(mode="json", exclude={"answers", "dissent"})
    return row | {"dissent": [d.answer_id for d in consensus.dissent]}
