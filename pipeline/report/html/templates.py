"""The templates, style and script of HTML pages, and the policy that lets nothing else in."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from pipeline.report import wording
from pipeline.schema import Report

_TEMPLATES = (
    "report.html.j2",
    "report_changes.html.j2",
    "report_index.html.j2",
    "report_parts.html.j2",
    "report_question.html.j2",
)
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_AROUND = re.compile(r"\s*([{};])\s*")
_LINE_COMMENT = re.compile(r"^\s*//.*$", re.MULTILINE)
_MARGIN = re.compile(r"\n\s+")


def render_template(name: str, report: Report, values: Mapping[str, Any], *, title: str = "", index: bool) -> str:
    """Render a page by a template of the resources, every text escaped.

    Parameters
    ----------
    name
        The template, without what all templates' names end in.
    report
        What the foot of the page tells of; its questions are not looked at.
    values
        What the template shows.
    title
        Of this page, after the report's.
    index
        Whether the page has an index of questions, and so its style and script.
    """
    page = {
        "title": f"What the doctors say{': ' * bool(title)}{title}",
        "style": _load_style(index),
        "script": _load_script() if index else None,
        "policy": _build_policy(index),
        "disclaimer": report.disclaimer,
        "method": wording.method_lines(report.rule),
        "medstance": report.medstance,
        "models": ", ".join(report.model["names"]),
        "side_accuracy": _show_accuracy(report.model.get("side_accuracy")),
    }
    # There are many apostrophes, and they end nothing: all attributes with data are in double quotes.
    return _load_environment().get_template(f"{name}.html.j2").render(page=page, **values).replace("&#39;", "'")


def _show_accuracy(accuracy: float | None) -> str:
    return "" if accuracy is None else wording.percent(accuracy)


@cache
def _load_environment() -> Environment:
    return Environment(
        loader=DictLoader({name: _read(name) for name in _TEMPLATES}),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_show,
    )


def _show(value: Any) -> Any:
    """Leave what turns the direction of writing out of every text but markup of our own."""
    return wording.without_turns(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _load_style(index: bool) -> Markup:
    """Return the style in as few characters as is simple: it is in every file of a folder of pages."""
    style = _read("report.css") + (_read("report_index.css") if index else "")
    return mark_safe(_AROUND.sub(r"\1", _MARGIN.sub(" ", _COMMENT.sub("", style))).strip())


@cache
def _load_script() -> Markup:
    return mark_safe(_MARGIN.sub("\n", _LINE_COMMENT.sub("", _read("report.js"))).strip())


@cache
def _build_policy(index: bool) -> str:
    """Allow this style and this script by their hashes, and nothing else: no address, no attribute with code."""
    allowed = ["default-src 'none'", f"style-src '{_hash(_load_style(index))}'"]
    if index:
        allowed.append(f"script-src '{_hash(_load_script())}'")
    return "; ".join([*allowed, "base-uri 'none'", "form-action 'none'"])


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _read(name: str) -> str:
    return (files("pipeline") / "resources" / name).read_text(encoding="utf-8")


def mark_safe(markup: str) -> Markup:
    """Let markup of our own making through the templates' escaping: style, script and charts, and never data."""
    return Markup(markup)  # noqa: S704
