"""Hostile texts in every field of a report stay texts.

Each page of attacks has a twin of harmless texts of the same shape: both must have the same elements, nested the same
way, with the same attributes, and show each text in the same places. So what a page is made of need not be said here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page
from pydantic import ValidationError

from pipeline.report.html import render_html, render_site
from pipeline.schema import Report
from tests.browser.chromium import Watched
from tests.browser.conftest import Open, write_page
from tests.browser.hostile import ATTACKS, Attack, calm_down
from tests.browser.panels import build_report, build_report_of
from tests.browser.test_report_page import UNFOLD, too_wide_at

TWINS = [calm_down(number, attack.text) for number, attack in enumerate(ATTACKS)]
PLAIN_HEAD = {
    name: value
    for name, value in build_report(1).model_copy().__dict__.items()
    if name not in ("questions", "comparison")
}

# Elements, their nesting and the names of their attributes.
OUTLINE = """
const outline = (element) => element.tagName + '[' + element.getAttributeNames().sort().join() + ']('
  + [...element.children].map(outline).join('') + ')';"""
HARVEST = f"""() => {{{OUTLINE}
  const articles = [...document.querySelectorAll('main > article')];
  const rows = [...document.querySelectorAll('table.index tbody tr')];
  return {{
    hacked: window.hacked ?? null,
    page: outline(document.documentElement),
    parts: articles.map((article) => [outline(article), article.textContent]),
    rows: rows.map((row) => [outline(row), row.textContent]),
    rest: [...document.querySelectorAll('head > title, header, footer, main > section')].map((element) => {{
      const copy = element.cloneNode(true);
      copy.querySelectorAll('select').forEach((box) => box.remove());
      return copy.textContent;
    }}),
    links: [...document.querySelectorAll('[href], [src], [action], [data], [style]')]
      .flatMap((e) => ['href', 'src', 'action', 'data', 'style'].map((name) => e.getAttribute(name)))
      .filter((value) => value !== null),
  }};
}}"""
PARSE = f"""(html) => {{{OUTLINE}
  const parsed = new DOMParser().parseFromString(html, 'text/html');
  const [title, main] = ['title', 'main'].map((name) => parsed.querySelector(name).textContent);
  return [outline(parsed.documentElement), title + main];
}}"""
# What survives being written out and read again cannot turn into something else on the way.
MUTATE = f"""() => {{{OUTLINE}
  const before = outline(document.body);
  const copy = document.createElement('body');
  copy.innerHTML = document.body.innerHTML;
  return before === outline(copy);
}}"""
SEARCH = """(texts) => {
  const find = document.querySelector('input[type=search]');
  const rows = [...document.querySelectorAll('table.index tbody tr')];
  return texts.map((text, place) => {
    find.value = text;
    find.dispatchEvent(new Event('input', {bubbles: true}));
    return [!rows[place].hidden, rows.filter((row) => !row.hidden).length];
  });
}"""
CHOOSE = """(id) => {
  const box = document.getElementById(id);
  const rows = [...document.querySelectorAll('table.index tbody tr')];
  return [...box.options].map((option) => {
    box.value = option.value;
    box.dispatchEvent(new Event('input', {bubbles: true}));
    return [option.textContent, rows.filter((row) => !row.hidden).length];
  });
}"""


_UNSEEN = re.compile("[\0\ufffd\u202a-\u202e\u2066-\u2069]")


def as_parsed(text: str) -> str:
    """Return a text as it is after the HTML parser, with a label's underscores as the spaces that a page shows.

    What only says in which direction to read is left out: a page may end what a text does not.
    """
    return _UNSEEN.sub("", text).replace("\r\n", "\n").replace("\r", "\n").replace("_", " ")


def disguise(shown: str, number: int) -> str:
    """Put the attack where a page shows its twin, also where that is without the white space around it."""
    twin, attack = as_parsed(TWINS[number]), as_parsed(ATTACKS[number].text)
    return as_parsed(shown).replace(twin, attack).replace(twin.strip(), attack.strip())


# A procedure is shown without the white space around it.
BY_TWIN = {
    change(as_parsed(twin)): change(as_parsed(attack.text))
    for change in (str.strip, str)
    for twin, attack in zip(TWINS, ATTACKS, strict=True)
}
EVERY_TWIN = re.compile("|".join(re.escape(twin) for twin in sorted(BY_TWIN, key=len, reverse=True)))


class Pair:
    """What a page of all attacks holds and did, and what its twin holds."""

    def __init__(self, hostile: Watched, calm: Watched) -> None:
        self.hostile: dict[str, Any] = hostile.page.evaluate(HARVEST)
        self.calm: dict[str, Any] = calm.page.evaluate(HARVEST)
        self.unchanged_by_writing = hostile.page.evaluate(MUTATE)
        self.problems, self.dialogs, self.requests = hostile.problems, hostile.dialogs, hostile.requests[1:]


def build_reports(*, foreign: bool) -> tuple[Report, Report]:
    """Make the report of attacks and its twin."""
    return build_report_of([a.text for a in ATTACKS], foreign=foreign), build_report_of(TWINS, foreign=foreign)


@pytest.fixture(scope="module")
def hostile_pages(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The one page of all attacks, which are its labels, too, and its twin."""
    folder = tmp_path_factory.mktemp("hostile")
    hostile, calm = (render_html(report) for report in build_reports(foreign=True))
    return write_page(hostile, folder / "hostile.html"), write_page(calm, folder / "calm.html")


@pytest.fixture(scope="module")
def pair(open_file: Open, hostile_pages: tuple[Path, Path]) -> Pair:
    """What these pages hold once their scripts have run."""
    hostile, calm = hostile_pages
    with open_file(hostile) as bad, open_file(calm) as good:
        bad.page.wait_for_timeout(200)
        return Pair(bad, good)


@pytest.fixture
def hostile_page(open_file: Open, hostile_pages: tuple[Path, Path]) -> Iterator[Page]:
    """The page of attacks, which must have kept still in the end."""
    with open_file(hostile_pages[0]) as watched:
        outline = watched.page.evaluate(HARVEST)["page"]
        yield watched.page
        after = watched.page.evaluate(HARVEST)
        assert after["hacked"] is None
        assert watched.problems == watched.dialogs == []
        assert len(watched.requests) == 1
        assert re.sub("hidden|aria-sort", "", after["page"]).count("(") == outline.count("(")


# ---------------------------------------------------------------- the list


def test_the_list_is_long_and_names_each_attack_once() -> None:
    assert len(ATTACKS) >= 200
    assert len({attack.name for attack in ATTACKS}) == len({attack.text for attack in ATTACKS}) == len(ATTACKS)


def test_twins_are_harmless_and_told_apart() -> None:
    assert len(set(TWINS)) == len(TWINS)
    assert all(twin.isspace() or re.fullmatch(r"[\sa-z]+", twin) for twin in TWINS)
    assert [len(twin) for twin in TWINS] == [len(attack.text) for attack in ATTACKS]


@pytest.mark.parametrize("surrogate", ["\ud800", "a\udfff", "\udc00\ud800"], ids=["high", "low", "swapped"])
def test_a_lone_surrogate_gets_into_no_record(surrogate: str) -> None:
    with pytest.raises(ValidationError):
        build_report_of([f"lone {surrogate}"])


# ---------------------------------------------------------------- one page


@pytest.mark.parametrize("number", range(len(ATTACKS)), ids=[attack.name for attack in ATTACKS])
def test_an_attack_is_shown_as_its_text(pair: Pair, number: int) -> None:
    for kind in ("parts", "rows"):
        outline, text = pair.hostile[kind][number]
        calm_outline, calm_text = pair.calm[kind][number]
        assert outline == calm_outline
        assert as_parsed(text) == disguise(calm_text, number)
        assert as_parsed(TWINS[number]) in as_parsed(calm_text)


def test_no_attack_makes_or_changes_an_element_anywhere(pair: Pair) -> None:
    assert len(pair.hostile["parts"]) == len(pair.hostile["rows"]) == len(ATTACKS)
    # Two attacks may be the same without null bytes and white space, and so be one choice of a filter.
    hostile, calm = (re.sub(r"(OPTION\[value\]\(\))+", "OPTIONS", page["page"]) for page in (pair.hostile, pair.calm))
    assert hostile == calm


def test_what_stands_once_in_a_report_is_shown_as_its_text(pair: Pair) -> None:
    for hostile, calm in zip(pair.hostile["rest"], pair.calm["rest"], strict=True):
        assert as_parsed(hostile) == EVERY_TWIN.sub(lambda found: BY_TWIN[found[0]], as_parsed(calm))


def test_no_attack_runs_or_asks_for_anything(pair: Pair) -> None:
    assert pair.hostile["hacked"] is None
    assert pair.dialogs == []
    assert pair.problems == []
    assert pair.requests == []


def test_no_attack_gets_into_an_address_or_a_style(pair: Pair) -> None:
    assert set(pair.hostile["links"]) == set(pair.calm["links"])
    assert all(link.startswith("#") for link in pair.hostile["links"])


def test_a_page_written_out_and_read_again_is_the_same(pair: Pair) -> None:
    assert pair.unchanged_by_writing


def test_every_attack_can_be_searched_for_and_filtered_by(hostile_page: Page) -> None:
    # What a search box cannot hold is not searched for: null bytes, ends of lines, and signs that nobody types.
    texts = [" ".join(re.split("[\r\n\0]+", _UNSEEN.sub("", attack.text))) for attack in ATTACKS]
    found = hostile_page.evaluate(SEARCH, texts)
    missed = [a.name for a, (is_found, _) in zip(ATTACKS, found, strict=True) if not is_found and "\0" not in a.text]
    assert missed == []
    hostile_page.get_by_role("searchbox").fill("")
    for box in ("verdict", "procedure"):
        options = hostile_page.evaluate(CHOOSE, box)
        assert len(options) > len(ATTACKS) / 2
        assert [(text, n) for text, n in options[1:] if not text.endswith(f" ({n})")] == []
        hostile_page.locator(f"#{box}").select_option("")


def test_no_attack_makes_one_scroll_sideways(open_file: Open, hostile_pages: tuple[Path, Path]) -> None:
    with open_file(hostile_pages[0], width=320, height=640) as watched:
        watched.page.evaluate(UNFOLD)
        assert too_wide_at(watched.page, 320) == []


# ---------------------------------------------------------------- a folder of pages


@pytest.fixture(scope="module")
def sites() -> tuple[dict[str, str], dict[str, str]]:
    """The folder of attacks and of their twins, by file name.

    The labels are the default ones, which have charts; head and foot are the same as on the one page.
    """
    hostile, calm = (report.model_copy(update=PLAIN_HEAD) for report in build_reports(foreign=False))
    return dict(render_site(hostile, hostile.questions)), dict(render_site(calm, calm.questions))


def test_file_names_are_plain_whatever_the_ids(sites: tuple[Mapping[str, str], Mapping[str, str]]) -> None:
    names = list(sites[0])
    assert len({name.lower() for name in names}) == len(names) > len(ATTACKS)
    for name in names:
        assert re.fullmatch(r"(questions/)?[a-z0-9][a-z0-9-]{0,99}\.html", name), name
        assert not re.match(r"(con|nul|aux|prn|com\d|lpt\d)\.", Path(name).name)


@pytest.fixture(scope="module")
def parsed(open_file: Open, pages: dict[str, Path], sites: tuple[dict[str, str], dict[str, str]]) -> list[list[Any]]:
    """Outline and text of each question's page, and of its twin's, as Chromium's parser makes them."""
    texts = [[html for name, html in site.items() if name.startswith("questions/")] for site in sites]
    with open_file(pages["alone"]) as watched:
        return [watched.page.evaluate(f"htmls => htmls.map({PARSE})", htmls) for htmls in texts]


@pytest.mark.parametrize("number", range(len(ATTACKS)), ids=[attack.name for attack in ATTACKS])
def test_an_attack_is_shown_as_its_text_on_its_own_page(parsed: list[list[Any]], number: int) -> None:
    (outline, text), (calm_outline, calm_text) = parsed[0][number], parsed[1][number]
    assert outline == calm_outline
    assert as_parsed(text) == disguise(calm_text, number)
    assert as_parsed(TWINS[number]) in as_parsed(calm_text)


def test_no_attack_runs_on_the_pages_of_a_folder(
    tmp_path: Path, open_file: Open, sites: tuple[dict[str, str], dict[str, str]]
) -> None:
    # That there is nothing that could run is known of every page by now: of the questions, some are opened.
    names = list(sites[0])
    opened = [
        name for n, name in enumerate(names) if n % 8 == 0 or n >= len(ATTACKS) or ATTACKS[n].name.startswith("long-")
    ]
    paths = [write_page(sites[0][name], tmp_path / name) for name in opened]
    with open_file(paths[-1], width=320, height=640) as watched:
        page = watched.page
        for path in paths:
            watched.requests.clear()
            page.goto(path.as_uri(), wait_until="domcontentloaded")
            assert page.evaluate("window.hacked ?? null") is None, path.name
            assert watched.requests == [path.as_uri()]
            assert watched.problems == watched.dialogs == [], path.name
            assert page.url == path.as_uri()
            assert too_wide_at(page, 320) == [], path.name


# ---------------------------------------------------------------- order of reading


REORDERED = """(attack) => {
  // Our own words around a text must read from left to right: first letter left of the last, on the same line.
  const found = [];
  const walker = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
  const rectOf = (node, place) => {
    const range = document.createRange();
    range.setStart(node, place);
    range.setEnd(node, place + 1);
    return range.getBoundingClientRect();
  };
  while (walker.nextNode()) {
    const node = walker.currentNode;
    if (attack.includes(node.data)) continue;
    let place = 0;
    for (const piece of node.data.split(attack)) {
      const words = piece.matchAll(/[A-Za-z]{2,}/g);
      for (const word of words) {
        const first = rectOf(node, place + word.index), last = rectOf(node, place + word.index + word[0].length - 1);
        if (first.width && first.top === last.top && first.left >= last.left) found.push(node.data.slice(0, 60));
      }
      place += piece.length + attack.length;
    }
  }
  return found;
}"""


@pytest.mark.parametrize(
    "attack", [a for a in ATTACKS if a.name.startswith(("bidi", "arabic"))], ids=lambda attack: attack.name
)
def test_no_text_turns_round_the_words_beside_it(tmp_path: Path, open_file: Open, attack: Attack) -> None:
    report = build_report_of([attack.text], foreign=False)
    path = write_page(render_html(report), tmp_path / "page.html")
    with open_file(path) as watched:
        assert watched.page.evaluate(REORDERED, attack.text) == []
