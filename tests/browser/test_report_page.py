"""What a reader of a report can do with it in a browser: by hand, by keyboard, without script, on paper, on a phone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page

from pipeline.report.html import render_html
from tests.browser.chromium import Watched
from tests.browser.conftest import N_QUESTIONS, Open, write_page, write_site
from tests.browser.panels import PATTERNS, build_report

NAMES = ("single", "alone", "index", "question", "changes")
WITH_INDEX = ("single", "index")

UNFOLD = "() => { for (const part of document.querySelectorAll('details')) part.open = true; }"
TOO_WIDE = """width => [...document.querySelectorAll('body *')]
  .map((e) => [e.getBoundingClientRect().right, `${e.tagName}.${e.className}: ${e.textContent.trim().slice(0, 40)}`])
  .filter(([right]) => right > width + 0.5)
  .map(([right, what]) => `to ${right}: ${what}`)"""
FOCUSED = "() => document.activeElement"
# A ring, at least two pixels wide, on an element that can be seen.
FOCUS_IS_SEEN = """() => {
  const element = document.activeElement, style = getComputedStyle(element), box = element.getBoundingClientRect();
  return element.matches(':focus-visible') && style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2
    && box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight
    && box.right > 0 && box.left < innerWidth;
}"""


@pytest.fixture(params=WITH_INDEX)
def with_index(request: pytest.FixtureRequest, open_file: Open, pages: dict[str, Path]) -> Iterator[Watched]:
    with open_file(pages[request.param]) as watched:
        yield watched
        assert watched.problems == []


def rows_of(page: Page) -> Locator:
    return page.locator("table.index tbody tr:visible")


def column_of(page: Page, number: int) -> list[str]:
    cells = page.locator(f"table.index tbody tr:visible > :nth-child({number})")
    return [text.strip() for text in cells.all_inner_texts()]


def questions_of(page: Page) -> list[str]:
    return page.locator("table.index tbody tr:visible a").all_inner_texts()


def too_wide_at(page: Page, width: int) -> list[str]:
    """Return what reaches beyond a window of so many pixels, where one has to scroll sideways for it."""
    page.set_viewport_size({"width": width, "height": 640})
    if page.evaluate("() => document.scrollingElement.scrollWidth") <= width:
        return []
    found: list[str] = page.evaluate(TOO_WIDE, width)
    return found or ["?"]


def filter_of(page: Page, label: str) -> Locator:
    return page.get_by_role("combobox", name=re.compile(f"^{label}"))


def tab_to(page: Page, target: Locator, most: int = 60) -> None:
    """Press Tab until an element has the focus, as who has no mouse does."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if target.evaluate("element => element === document.activeElement"):
            return
    raise AssertionError(f"{most} times Tab do not reach {target}")


def unfold(page: Page) -> None:
    """Unfold all answers by hand: the browser's own folding needs no script."""
    folded = page.locator("details:not([open]) > summary")
    while folded.count():
        folded.first.click()


# ---------------------------------------------------------------- quiet


@pytest.mark.parametrize("name", NAMES)
def test_a_page_loads_nothing_and_has_nothing_to_complain_of(
    open_file: Open, pages: dict[str, Path], name: str
) -> None:
    with open_file(pages[name]) as watched:
        watched.page.keyboard.press("End")
        watched.page.mouse.move(300, 300)
        watched.page.wait_for_timeout(200)
        assert watched.problems == []
        assert watched.dialogs == []
        assert watched.requests == [pages[name].as_uri()]
        assert watched.page.get_by_text("Not medical advice").first.is_visible()


@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_let_load_nothing_whatever_gets_into_it(open_file: Open, pages: dict[str, Path], name: str) -> None:
    with open_file(pages[name]) as watched:
        watched.page.evaluate("""() => {
          for (const [tag, name] of [['img', 'src'], ['iframe', 'src'], ['script', 'src'], ['object', 'data']]) {
            const element = document.createElement(tag);
            element[name] = 'https://evil.example/' + tag;
            document.body.append(element);
          }
          const inline = document.createElement('script');
          inline.textContent = 'window.hacked=1';
          document.body.append(inline);
        }""")
        watched.page.wait_for_timeout(200)
        assert watched.page.evaluate("window.hacked") is None
        refused = " ".join(watched.problems)
        named = (
            "the script 'https://evil",
            "the image 'https://evil",
            "Framing 'https://evil",
            "data from 'https://evil",
        )
        assert [words for words in (*named, "Executing inline script") if words not in refused] == []


# ---------------------------------------------------------------- by keyboard


def test_search_works_by_keyboard_and_says_how_many_are_shown(with_index: Watched) -> None:
    page = with_index.page
    assert rows_of(page).count() == N_QUESTIONS
    tab_to(page, page.get_by_role("searchbox"))
    page.keyboard.type("SIX")
    assert questions_of(page) == ["Is it safe to have a chemical peel while nursing? (six)"]
    assert f"1 of {N_QUESTIONS}" in page.get_by_role("status").inner_text()


def test_search_takes_words_in_any_order(with_index: Watched) -> None:
    page = with_index.page
    tab_to(page, page.get_by_role("searchbox"))
    page.keyboard.type("nursing six  a peel")
    assert questions_of(page) == ["Is it safe to have a chemical peel while nursing? (six)"]


def test_search_says_when_nothing_is_found_and_can_be_taken_back(with_index: Watched) -> None:
    page = with_index.page
    tab_to(page, page.get_by_role("searchbox"))
    page.keyboard.type("xyzzy")
    assert rows_of(page).count() == 0
    assert re.search(r"\bno\b", page.get_by_role("status").inner_text(), re.IGNORECASE)
    tab_to(page, page.get_by_role("button", name="Clear"))
    page.keyboard.press("Enter")
    assert rows_of(page).count() == N_QUESTIONS
    assert page.get_by_role("searchbox").input_value() == ""


def test_what_is_shown_is_announced_by_a_polite_live_region(with_index: Watched) -> None:
    status = with_index.page.get_by_role("status")
    assert status.count() == 1
    assert status.get_attribute("aria-live") in (None, "polite")
    assert str(N_QUESTIONS) in status.inner_text()


@pytest.mark.parametrize(
    ("label", "column", "wanted"),
    [
        ("Verdict", 2, r"."),
        ("Procedure", 1, r"chemical peel$"),
        ("Certainty", 3, r"^9\d %$"),
    ],
)
def test_filters_work_by_keyboard(with_index: Watched, label: str, column: int, wanted: str) -> None:
    page = with_index.page
    box = filter_of(page, label)
    tab_to(page, box)
    page.keyboard.press("ArrowDown")
    chosen = str(box.evaluate("box => box.selectedOptions[0].textContent"))
    cells = column_of(page, column)
    assert 0 < len(cells) < N_QUESTIONS
    assert all(re.search(wanted, cell) for cell in cells), (chosen, cells)
    if label == "Verdict":
        assert {cell.split("\n")[0].split(" (")[0] for cell in cells} == {chosen.split(" (")[0]}
    assert f"{len(cells)} of {N_QUESTIONS}" in page.get_by_role("status").inner_text()


def test_filters_narrow_each_other(with_index: Watched) -> None:
    page = with_index.page
    filter_of(page, "Procedure").select_option("chemical peel")
    n_peels = rows_of(page).count()
    filter_of(page, "Certainty").select_option(label="not given")
    assert 0 < rows_of(page).count() < n_peels
    assert set(column_of(page, 3)) == {""}


def test_what_is_filtered_out_is_out_of_the_way_on_a_page_of_all(open_file: Open, pages: dict[str, Path]) -> None:
    with open_file(pages["single"]) as watched:
        watched.page.get_by_role("searchbox").fill("six")
        assert watched.page.locator("main article:visible h2").all_inner_texts() == questions_of(watched.page)


@pytest.mark.parametrize("column", [1, 2, 3, 4], ids=["question", "verdict", "probability", "agreement"])
def test_columns_sort_by_keyboard(with_index: Watched, column: int) -> None:
    page = with_index.page
    before = questions_of(page)
    head = page.locator(f"table.index thead tr > :nth-child({column})")
    tab_to(page, head.get_by_role("button"))
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    rising = column_of(page, column)
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    falling = column_of(page, column)
    assert [v for v in rising if v] == sorted((v for v in rising if v), key=key_of)
    assert [v for v in falling if v] == sorted((v for v in falling if v), key=key_of, reverse=True)
    # What is not given comes last, whichever way.
    assert "" not in rising[: len([v for v in rising if v])]
    assert "" not in falling[: len([v for v in falling if v])]
    assert sorted(questions_of(page)) == sorted(before)


def key_of(cell: str) -> tuple[float, str]:
    """Sort numbers by size, and words by the alphabet."""
    number = re.fullmatch(r"([-+]?[\d.]+)(?: %)?", cell)
    return (float(number[1]), "") if number else (0.0, cell.lower())


def test_a_link_of_the_page_of_all_leads_to_the_question(open_file: Open, pages: dict[str, Path]) -> None:
    with open_file(pages["single"]) as watched:
        page = watched.page
        link = page.locator("table.index tbody a").nth(6)
        tab_to(page, link)
        page.keyboard.press("Enter")
        heading = page.locator(":target")
        assert heading.inner_text() == link.inner_text()
        top = heading.evaluate("element => element.getBoundingClientRect().top")
        assert 0 <= top < 900


def test_a_link_of_the_index_leads_to_the_question_and_back(open_file: Open, pages: dict[str, Path]) -> None:
    with open_file(pages["index"]) as watched:
        page = watched.page
        link = page.locator("table.index tbody a").nth(6)
        question = link.inner_text()
        tab_to(page, link)
        page.keyboard.press("Enter")
        page.wait_for_url("**/questions/*")
        assert page.locator("main h2").first.inner_text() == question
        tab_to(page, page.get_by_role("link", name="All questions"))
        page.keyboard.press("Enter")
        page.wait_for_url("**/index.html")
        assert watched.problems == []


def test_every_link_of_a_folder_leads_somewhere(pages: dict[str, Path]) -> None:
    folder = pages["index"].parent
    for path in sorted(folder.rglob("*.html")):
        html = path.read_text(encoding="utf-8")
        for href in re.findall(r'href="([^"]*)"', html):
            name, _, fragment = href.partition("#")
            target = (path.parent / name).resolve() if name else path
            assert target.is_file(), (path.name, href)
            assert target.is_relative_to(folder.resolve()) or not name
            there = target.read_text(encoding="utf-8")
            assert not fragment or re.search(rf"""id=["']?{re.escape(fragment)}["'\s>]""", there), (path.name, href)


def test_an_index_in_pages_leads_to_every_question_once(tmp_path: Path, open_file: Open) -> None:
    report = build_report(203)
    site = write_site(report, tmp_path)
    seen: list[str] = []
    with open_file(site["index.html"]) as watched:
        page = watched.page
        while True:
            seen += questions_of(page)
            following = page.get_by_role("link", name="Next page")
            if following.count() == 0:
                break
            following.first.click()
            page.wait_for_load_state("load")
        assert watched.problems == []
    assert seen == [question.question for question in report.questions]


@pytest.mark.parametrize("name", NAMES)
def test_tab_reaches_every_control_and_shows_where_it_is(open_file: Open, pages: dict[str, Path], name: str) -> None:
    with open_file(pages[name]) as watched:
        page = watched.page
        n_controls = page.evaluate(
            "() => [...document.querySelectorAll('a[href], button, input, select, summary')]"
            ".filter((e) => e.checkVisibility({contentVisibilityAuto: true})).length"
        )
        seen = []
        for _ in range(n_controls):
            page.keyboard.press("Tab")
            what = page.evaluate("() => document.activeElement.outerHTML.slice(0, 80)")
            seen.append(page.evaluate_handle(FOCUSED))
            assert page.evaluate(FOCUS_IS_SEEN), what
        n_distinct = page.evaluate("seen => new Set(seen).size", seen)
        assert n_distinct == n_controls


@pytest.mark.parametrize("name", NAMES)
def test_the_first_tab_offers_to_skip_to_the_content(open_file: Open, pages: dict[str, Path], name: str) -> None:
    with open_file(pages[name]) as watched:
        page = watched.page
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        assert page.evaluate("() => document.activeElement.closest('main, footer, body') !== null")
        assert page.evaluate("() => document.activeElement.closest('nav') === null")


def test_answers_unfold_by_keyboard(open_file: Open, pages: dict[str, Path]) -> None:
    with open_file(pages["single"]) as watched:
        page = watched.page
        details = page.locator("details").first
        assert details.get_attribute("open") is None
        details.locator("summary").focus()
        page.keyboard.press("Enter")
        assert details.locator("li").first.is_visible()


def test_all_answers_unfold_at_once(open_file: Open, pages: dict[str, Path]) -> None:
    with open_file(pages["single"]) as watched:
        page = watched.page
        button = page.get_by_role("button", name="Open all answers")
        tab_to(page, button)
        page.keyboard.press("Space")
        assert button.get_attribute("aria-pressed") == "true"
        assert page.locator("details:not([open])").count() == 0
        page.keyboard.press("Space")
        assert page.locator("details[open]").count() == 0


def test_a_link_to_an_answer_opens_what_it_is_folded_in(open_file: Open, pages: dict[str, Path]) -> None:
    with open_file(pages["single"]) as watched:
        page = watched.page
        link = page.locator("main article").first.locator("h3 + p ~ ul a, h3 ~ blockquote a").first
        link.focus()
        page.keyboard.press("Enter")
        assert page.locator(":target").is_visible()


# ---------------------------------------------------------------- charts


@pytest.mark.parametrize("name", ["single", "index", "question"])
def test_charts_lie_within_what_they_belong_to(open_file: Open, pages: dict[str, Path], name: str) -> None:
    with open_file(pages[name]) as watched:
        boxes = watched.page.evaluate("""() => [...document.querySelectorAll('svg')].map((chart) => {
          const own = chart.getBoundingClientRect(), around = chart.closest('td, figure').getBoundingClientRect();
          const room = chart.closest('td') ? 2 : 0;
          return [own.width - 1, own.height - 1, own.top - around.top - room, around.bottom - own.bottom - room];
        })""")
    assert boxes
    assert [box for box in boxes if min(box) < 0] == []


# ---------------------------------------------------------------- without script


@pytest.mark.parametrize("name", NAMES)
def test_without_script_there_is_no_dead_control(open_file: Open, pages: dict[str, Path], name: str) -> None:
    with open_file(pages[name], java_script_enabled=False) as watched:
        controls = watched.page.locator("input:visible, select:visible, button:visible, textarea:visible")
        assert controls.count() == 0
        assert watched.problems == []


@pytest.mark.parametrize("name", ["single", "alone", "question"])
def test_without_script_every_question_and_answer_is_readable(
    open_file: Open, pages: dict[str, Path], name: str
) -> None:
    n_questions = N_QUESTIONS if name == "single" else 1
    patterns = [PATTERNS[number % len(PATTERNS)] for number in range(n_questions)]
    with open_file(pages[name], java_script_enabled=False) as watched:
        page = watched.page
        headings = page.locator("main article h2:visible")
        assert headings.count() == n_questions
        unfold(page)
        answers = page.locator("details li:visible")
        assert answers.count() == sum(len(pattern.stances) + 2 for pattern in patterns)
        assert answers.last.locator("p").last.inner_text().startswith("I would hold off")


def test_without_script_the_index_lists_and_links_all(open_file: Open, pages: dict[str, Path]) -> None:
    with open_file(pages["index"], java_script_enabled=False) as watched:
        page = watched.page
        assert rows_of(page).count() == N_QUESTIONS
        question = page.locator("table.index tbody a").nth(3).inner_text()
        page.locator("table.index tbody a").nth(3).click()
        assert page.locator("main h2").first.inner_text() == question


# ---------------------------------------------------------------- on paper


@pytest.mark.parametrize("name", NAMES)
def test_print_hides_what_paper_cannot_do(open_file: Open, pages: dict[str, Path], name: str) -> None:
    with open_file(pages[name]) as watched:
        page = watched.page
        page.emulate_media(media="print")
        assert page.locator("[role=search] :is(input, select, button):visible").count() == 0
        assert page.locator("nav.pages:visible").count() == 0
        assert page.locator("main h2:visible").count() > 0
        assert page.get_by_text("Not medical advice").first.is_visible()


def test_print_is_dark_on_white_for_who_reads_in_the_dark(open_file: Open, pages: dict[str, Path]) -> None:
    with open_file(pages["single"], color_scheme="dark") as watched:
        page = watched.page
        ground = "() => getComputedStyle(document.body).backgroundColor"
        assert page.evaluate(ground) != "rgb(255, 255, 255)"
        page.emulate_media(media="print")
        assert page.evaluate(ground) == "rgb(255, 255, 255)"


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
def test_a_print_holds_the_answers_that_are_folded_on_screen(
    open_file: Open, pages: dict[str, Path], script: bool
) -> None:
    with open_file(pages["single"], java_script_enabled=script) as watched:
        page = watched.page
        folded = page.pdf()
        unfold(page)
        unfolded = page.pdf()
        assert folded.startswith(b"%PDF-")
        assert count_sheets(folded) == count_sheets(unfolded) >= N_QUESTIONS


def count_sheets(pdf: bytes) -> int:
    return len(re.findall(rb"/Type\s*/Page\b", pdf))


def test_after_printing_the_page_is_as_it_was(open_file: Open, pages: dict[str, Path]) -> None:
    with open_file(pages["single"]) as watched:
        n_open = watched.page.locator("details[open]").count()
        watched.page.pdf()
        assert watched.page.locator("details[open]").count() == n_open


# ---------------------------------------------------------------- on a phone, in the dark


@pytest.mark.parametrize("name", NAMES)
def test_nothing_has_to_be_scrolled_sideways(open_file: Open, pages: dict[str, Path], name: str) -> None:
    with open_file(pages[name]) as watched:
        watched.page.evaluate(UNFOLD)
        assert too_wide_at(watched.page, 320) == []
        assert too_wide_at(watched.page, 390) == []
        assert too_wide_at(watched.page, 768) == []


@pytest.mark.parametrize("name", NAMES)
def test_letters_twice_as_large_need_no_scrolling_sideways(open_file: Open, pages: dict[str, Path], name: str) -> None:
    with open_file(pages[name]) as watched:
        watched.page.evaluate(f"() => {{ document.documentElement.style.fontSize = '200%'; ({UNFOLD})(); }}")
        assert too_wide_at(watched.page, 1280) == []


def test_light_and_dark_follow_the_reader(open_file: Open, pages: dict[str, Path]) -> None:
    grounds = []
    for scheme in ("light", "dark"):
        with open_file(pages["single"], color_scheme=scheme) as watched:
            grounds.append(watched.page.evaluate("() => getComputedStyle(document.body).backgroundColor"))
    light, dark = (sum(map(int, re.findall(r"\d+", ground)[:3])) for ground in grounds)
    assert light > 600
    assert dark < 200


def test_a_page_of_no_question_says_nothing_wrong(tmp_path: Path, open_file: Open) -> None:
    path = write_page(render_html(build_report(0)), tmp_path / "none.html")
    with open_file(path) as watched:
        assert watched.problems == []
        assert watched.page.locator("main").count() == 1
