"""Renderers: a report to text, purely. Each takes the same records and shows the same numbers."""

from __future__ import annotations

from pipeline.report.html import render_html, render_site
from pipeline.report.markdown import render_markdown
from pipeline.report.tables import build_report_schema, render_csv, render_json, render_schema
from pipeline.report.terminal import render_explanation, render_scores, render_terminal

__all__ = [
    "build_report_schema",
    "render_csv",
    "render_explanation",
    "render_html",
    "render_json",
    "render_markdown",
    "render_schema",
    "render_scores",
    "render_site",
    "render_terminal",
]
