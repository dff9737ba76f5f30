"""The use cases: the only place where stages are composed."""

from __future__ import annotations

from pipeline.aggregate import ConsensusRule, build_rule
from pipeline.ingest import FIELDS, ReadOptions
from pipeline.workflow.classifying import BATCH_SIZE, Classifier, classify_sources
from pipeline.workflow.comparing import count_compared, count_failures
from pipeline.workflow.explaining import MAX_EXPLAINED_WORDS, explain_text
from pipeline.workflow.intake import Intake, ingest_sources, quarantine_path, write_records
from pipeline.workflow.models import describe_models, open_model, verify_models
from pipeline.workflow.reporting import render_report, report_format, report_site, report_sources, write_report
from pipeline.workflow.scheme import default_scheme, parse_scheme, read_scheme
from pipeline.workflow.training import (
    LabelledData,
    check_model_place,
    default_config,
    evaluate_model,
    read_labelled,
    read_weights,
    show_scores,
    train_model,
)

__all__ = [
    "BATCH_SIZE",
    "FIELDS",
    "MAX_EXPLAINED_WORDS",
    "Classifier",
    "ConsensusRule",
    "Intake",
    "LabelledData",
    "ReadOptions",
    "build_rule",
    "check_model_place",
    "classify_sources",
    "count_compared",
    "count_failures",
    "default_config",
    "default_scheme",
    "describe_models",
    "evaluate_model",
    "explain_text",
    "ingest_sources",
    "open_model",
    "parse_scheme",
    "quarantine_path",
    "read_labelled",
    "read_scheme",
    "read_weights",
    "render_report",
    "report_format",
    "report_site",
    "report_sources",
    "show_scores",
    "train_model",
    "verify_models",
    "write_records",
    "write_report",
]
