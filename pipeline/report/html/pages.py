"""The pages of a report: all in one file, or an index and a file for each question."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from pipeline.report.html.index import IndexRow, build_row, count_strengths, map_changes, view_changes, view_index
from pipeline.report.html.question import Place, view_question
from pipeline.report.html.templates import render_template
from pipeline.schema import Consensus, Report

ROWS_PER_PAGE = 200
"""Questions on a page of the index of `render_site`."""

_UNFOLDED = 3
"""Up to so many questions a page shows their answers unfolded."""

_GLANCED = 50
"""Up to so many questions the index on their own page has small charts: beyond, they would make it too large."""

_MAX_SLUG = 60
_CHANGES = "changes.html"

_T = TypeVar("_T")


def render_html(report: Report) -> str:
    """Render the report as one HTML page, with an index where it has several questions.

    Every text is escaped. The page loads nothing and sends nothing: its policy forbids it, and it has no link to
    anything but its own parts. Its one script, which sorts and filters the index, is allowed by its hash.
    """
    changes = map_changes(report.comparison)
    n = len(report.questions)
    rows = [
        build_row(question, f"#q{number}", changes.get(question.question_id), has_glance=n <= _GLANCED)
        for number, question in enumerate(report.questions, start=1)
    ]
    views = [
        view_question(
            question,
            report,
            changes.get(question.question_id),
            Place(number, f"{number} of {n}" if n > 1 else "", is_open=n <= _UNFOLDED),
        )
        for number, question in enumerate(report.questions, start=1)
    ]
    hrefs = {q.question_id: row.href for q, row in zip(report.questions, rows, strict=True)}
    several = n != 1
    values = {
        **view_index(rows if several else []),
        "summary": count_strengths(rows),
        "warnings": report.warnings,
        "changes": None if report.comparison is None else view_changes(report.comparison, hrefs),
        "questions": views,
    }
    title = "" if several else report.questions[0].question
    return render_template("report", report, values, title=title, index=n > 1)


def render_site(head: Report, questions: Iterable[Consensus]) -> Iterator[tuple[str, str]]:
    """Render a report as a folder of pages, one question after the other: no more than two are in memory at once.

    Parameters
    ----------
    head
        The report; its own questions are not looked at.
    questions
        The questions, in order.

    Yields
    ------
    tuple of str
        Name of a file in the folder, with a slash where it is in a folder of its own, and the page.
        First the questions, ``questions/00001-<from its id>.html``; then ``changes.html`` where the report is compared
        with an earlier one; last the index, ``index.html``, ``index-2.html`` and so on.
    """
    changes = map_changes(head.comparison)
    rows: list[IndexRow] = []
    hrefs: dict[str, str] = {}
    before: str | None = None
    for number, (question, following) in enumerate(_look_ahead(questions), start=1):
        name = name_question(number, question.question_id)
        after = None if following is None else name_question(number + 1, following.question_id)
        change = changes.get(question.question_id)
        index = _name_index((number - 1) // ROWS_PER_PAGE + 1)
        values = {
            "question": view_question(question, head, change, Place(number, "", is_open=True)),
            "pager": {"index": f"../{index}", "before": before, "after": after},
        }
        yield (
            f"questions/{name}",
            render_template("report_question", head, values, title=question.question, index=False),
        )
        rows.append(build_row(question, f"questions/{name}", change, has_glance=True))
        if changes:
            hrefs[question.question_id] = f"questions/{name}"
        before = name
    if head.comparison is not None:
        values = {"changes": view_changes(head.comparison, hrefs)}
        yield _CHANGES, render_template("report_changes", head, values, title="what moved", index=False)
    yield from _render_index(head, rows)


def _render_index(head: Report, rows: Sequence[IndexRow]) -> Iterator[tuple[str, str]]:
    n_pages = max(-(-len(rows) // ROWS_PER_PAGE), 1)
    summary = count_strengths(rows)
    for page in range(1, n_pages + 1):
        first = (page - 1) * ROWS_PER_PAGE
        shown = rows[first : first + ROWS_PER_PAGE]
        values = {
            **view_index(shown),
            "summary": summary,
            "warnings": head.warnings if page == 1 else (),
            "pager": {
                "page": page,
                "n_pages": n_pages,
                "n_questions": len(rows),
                "first": first + 1,
                "last": first + len(shown),
                "before": _name_index(page - 1) if page > 1 else None,
                "after": _name_index(page + 1) if page < n_pages else None,
                "changes": _CHANGES if head.comparison is not None else None,
            },
        }
        title = f"page {page} of {n_pages}" if n_pages > 1 else ""
        yield _name_index(page), render_template("report_index", head, values, title=title, index=True)


def _name_index(page: int) -> str:
    return "index.html" if page == 1 else f"index-{page}.html"


def name_question(number: int, question_id: str) -> str:
    """Return a file name for a question that every file system takes, whatever its id; the number makes it unique.

    Examples
    --------
    >>> name_question(7, "laser-hair-removal")
    '00007-laser-hair-removal.html'
    >>> name_question(8, "../../etc/passwd"), name_question(9, "\u4f60\u597d")
    ('00008-etc-passwd.html', '00009-question.html')
    """
    plain = unicodedata.normalize("NFKD", question_id[: 4 * _MAX_SLUG]).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain)[:_MAX_SLUG].strip("-")
    return f"{number:05d}-{slug or 'question'}.html"


def _look_ahead(items: Iterable[_T]) -> Iterator[tuple[_T, _T | None]]:
    """Yield each item with the one after it, None after the last."""
    iterator = iter(items)
    try:
        item = next(iterator)
    except StopIteration:
        return
    for following in iterator:
        yield item, following
        item = following
    yield item, None
