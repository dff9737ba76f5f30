"""A Chromium, and reports written for it to open."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from pipeline.report.html import render_html, render_site
from pipeline.schema import Report
from tests.browser.chromium import NoChromium, Watched, open_page, start_chromium
from tests.browser.panels import build_report

N_QUESTIONS = 7

Open = Callable[..., AbstractContextManager[Watched]]


# Ended with the last test of this folder, not of the session: Playwright keeps an event loop running in its thread.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """The system's Chromium; without one a test is skipped, or fails where MEDSTANCE_NEEDS_CHROMIUM is set."""
    with ExitStack() as stack:
        try:
            started = stack.enter_context(start_chromium())
        except NoChromium as error:
            reason = f"no Chromium to test in: {error}"
            if os.environ.get("MEDSTANCE_NEEDS_CHROMIUM"):
                pytest.fail(reason)
            pytest.skip(reason)
        yield started


@pytest.fixture(scope="package")
def open_file(browser: Browser) -> Open:
    """What opens a file in a window of its own: ``with open_file(path, width=320) as watched``."""
    return partial(open_page, browser)


@pytest.fixture(scope="package")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A harmless report as one page, and as a folder of pages; reports of one and of few questions as one page."""
    folder = tmp_path_factory.mktemp("reports")
    report = build_report(N_QUESTIONS)
    site = write_site(report, folder / "site")
    questions = [path for name, path in site.items() if name.startswith("questions/")]
    return {
        "single": write_page(render_html(report), folder / "single.html"),
        "alone": write_page(render_html(build_report(1)), folder / "alone.html"),
        "few": write_page(render_html(build_report(3)), folder / "few.html"),
        "index": site["index.html"],
        "question": questions[0],
        "insufficient": questions[4],
        "changes": site["changes.html"],
    }


def write_page(html: str, path: Path) -> Path:
    """Write a page as the command does: as it is, in UTF-8."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(html.encode())
    return path


def write_site(report: Report, folder: Path) -> dict[str, Path]:
    """Write a folder of pages and return their paths by name."""
    return {name: write_page(html, folder / name) for name, html in render_site(report, report.questions)}
