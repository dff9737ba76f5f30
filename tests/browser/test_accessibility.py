"""axe-core finds nothing to complain of, with its default rules, which hold WCAG 2.2 at level AA and good practice."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]

from tests.browser.conftest import Open

NAMES = ("few", "index", "question", "insufficient", "changes")
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


@pytest.mark.parametrize("name", NAMES)
def test_axe_finds_no_violation(open_file: Open, pages: dict[str, Path], name: str) -> None:
    with open_file(pages[name]) as watched:
        page = watched.page
        # What is folded would not be looked at.
        assert page.locator("details:not([open])").count() == 0
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            for width in (1200, 320):
                page.set_viewport_size({"width": width, "height": 800})
                results = Axe().run(page)
                assert results.response["passes"]
                assert results.violations_count == 0, f"{scheme}, {width} px: {results.generate_report()}"


@pytest.mark.parametrize("name", ["single", "index"])
def test_axe_finds_no_violation_when_the_index_is_sorted_and_empty(
    open_file: Open, pages: dict[str, Path], name: str
) -> None:
    with open_file(pages[name]) as watched:
        watched.page.locator("table.index thead button").first.click()
        watched.page.get_by_role("searchbox").fill("xyzzy")
        results = Axe().run(watched.page)
        assert results.violations_count == 0, results.generate_report()


def test_axe_would_find_one(tmp_path: Path, open_file: Open) -> None:
    path = tmp_path / "bad.html"
    path.write_text("<!doctype html><title>x</title><img src='data:,'><p style='color:#ddd'>pale</p>", encoding="utf-8")
    with open_file(path) as watched:
        found = {violation["id"] for violation in Axe().run(watched.page).response["violations"]}
    assert {"image-alt", "color-contrast", "html-has-lang"} <= found
