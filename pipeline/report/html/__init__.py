"""A report as HTML: one page, or a folder of pages, that need nothing but themselves."""

from __future__ import annotations

from pipeline.report.html.pages import render_html, render_site
from pipeline.report.html.question import Stretch, mark_evidence

__all__ = ["Stretch", "mark_evidence", "render_html", "render_site"]
