"""From the calls on one question's answers to the panel's view.

Votes (`votes`), shares corrected for the classifier's errors (`prevalence`), agreement (`agreement`), a verdict by a
named rule and its probability (`rules`), what could flip it (`flips`), who disagrees (`dissent`), all put together
per question (`panel`), and compared with an earlier report (`compare`).
"""

from __future__ import annotations

from pipeline.aggregate.agreement import measure_agreement, measure_polarisation
from pipeline.aggregate.compare import (
    EarlierReport,
    EarlierVerdict,
    compare_reports,
    find_failures,
    parse_report,
    take_verdict,
    unflatten_report,
)
from pipeline.aggregate.dissent import find_dissent
from pipeline.aggregate.flips import find_flip
from pipeline.aggregate.panel import aggregate_question, break_down
from pipeline.aggregate.prevalence import CallErrors, MixEstimate, estimate_mix, estimate_prevalence
from pipeline.aggregate.rules import (
    RULES,
    ConsensusRule,
    build_rule,
    check_rule,
    decide_verdict,
    estimate_probability,
)
from pipeline.aggregate.votes import find_mergers, measure_resemblance, read_field, read_weight

__all__ = [
    "RULES",
    "CallErrors",
    "ConsensusRule",
    "EarlierReport",
    "EarlierVerdict",
    "MixEstimate",
    "aggregate_question",
    "break_down",
    "build_rule",
    "check_rule",
    "compare_reports",
    "decide_verdict",
    "estimate_mix",
    "estimate_prevalence",
    "estimate_probability",
    "find_dissent",
    "find_failures",
    "find_flip",
    "find_mergers",
    "measure_agreement",
    "measure_polarisation",
    "measure_resemblance",
    "parse_report",
    "read_field",
    "read_weight",
    "take_verdict",
    "unflatten_report",
]
