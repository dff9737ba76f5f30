"""A question page as saved from a browser as HTML, to answers.

The page's own machine-readable form comes first: schema.org QAPage as JSON-LD, then as microdata.
Without either, the visible text is read as a page saved as text is.
"""

from __future__ import annotations

import html as html_entities
import json
import math
import re
from collections.abc import Iterator
from typing import Any

from selectolax.lexbor import LexborHTMLParser, LexborNode

from pipeline.ingest.page_text import read_page_text, relocate
from pipeline.ingest.raw import BadRecord, PageAnswers, RawRecord
from pipeline.ingest.signature import split_credentials

_HIDDEN = "script, style, noscript, template, svg, iframe, nav, footer, form, button, select, head"
_BREAKS = (
    "p, div, li, ul, ol, h1, h2, h3, h4, h5, h6, article, section, blockquote, tr, table, header, main, dl, dt, dd"
)
_SPACE = re.compile(r"[ \t\r\f\v]+")
_TAG = re.compile(r"</?[a-zA-Z]")
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+")
_QUESTION_TYPES = {"Question"}


def read_page_html(html: str) -> list[PageAnswers]:
    """Read the questions and answers of a page saved as HTML.

    Parameters
    ----------
    html
        The page.

    Returns
    -------
    list of PageAnswers
        One per question; empty when the page has none.
    """
    tree = LexborHTMLParser(html)
    return _read_json_ld(tree) or _read_microdata(tree) or _read_visible(tree)


# ---------------------------------------------------------------- JSON-LD


def _read_json_ld(tree: LexborHTMLParser) -> list[PageAnswers]:
    pages = []
    for script in tree.css('script[type^="application/ld+json" i]'):
        text = script.text(deep=True).strip().removeprefix("<!--").removesuffix("-->")
        try:
            data = json.loads(text, strict=False)
        except (ValueError, RecursionError):
            continue
        pages += [page for node in _walk(data) if (page := _read_question(node))]
    return pages


def _walk(node: Any) -> Iterator[dict[str, Any]]:
    """Find every Question in JSON-LD, however deep (``@graph``, ``mainEntity``, lists)."""
    pending = [node]
    while pending:
        node = pending.pop()
        if isinstance(node, list):
            pending.extend(reversed(node))
        elif isinstance(node, dict):
            if _types(node) & _QUESTION_TYPES:
                yield node
            else:
                pending.extend(reversed(list(node.values())))


def _types(node: dict[str, Any]) -> set[str]:
    types = node.get("@type")
    return {str(t).rsplit("/", 1)[-1] for t in (types if isinstance(types, list) else [types])}


def _read_question(node: dict[str, Any]) -> PageAnswers | None:
    question = _text(node.get("name")) or _text(node.get("text")) or _text(node.get("headline"))
    answers = [a for key in ("acceptedAnswer", "suggestedAnswer") for a in _as_list(node.get(key))]
    if not question or not answers:
        return None
    count = _number(node.get("answerCount"))
    details = _text(node.get("text"))
    return PageAnswers(
        question=_one_line(question),
        details="" if details == question else details,
        announced=None if count is None else int(count),
        answers=[_read_ld_answer(answer, n) for n, answer in enumerate(answers, start=1)],
    )


def _read_ld_answer(answer: Any, number: int) -> RawRecord | BadRecord:
    locator = f"answer {number}"
    raw = json.dumps(answer, ensure_ascii=False)
    if not isinstance(answer, dict):
        return BadRecord(locator, "not an Answer object", raw)
    text = _text(answer.get("text")) or _text(answer.get("articleBody")) or _text(answer.get("description"))
    headline = _text(answer.get("headline")) or _text(answer.get("name"))
    if not text and not headline:
        return BadRecord(locator, "an answer without text", raw, column="text")
    fields: dict[str, Any] = {"headline": _one_line(headline), "text": text} if text else {"text": headline}
    respondent = _read_author(next(iter(_as_list(answer.get("author"))), None))
    if respondent:
        fields["respondent"] = respondent
    for key in ("url", "datePublished", "upvoteCount"):
        if answer.get(key) is not None:
            fields[key] = answer[key]
    return RawRecord(fields, locator, raw)


def _read_author(author: Any) -> dict[str, Any]:
    if isinstance(author, str):
        author = {"name": author}
    if not isinstance(author, dict):
        return {}
    name, credentials = split_credentials(_text(author.get("name")))
    rating = author.get("aggregateRating")
    rating = rating if isinstance(rating, dict) else {}
    reviews = _number(rating.get("reviewCount")) or _number(rating.get("ratingCount"))
    fields = {
        "name": name,
        "credentials": _text(author.get("honorificSuffix")) or credentials,
        "specialty": _text(author.get("jobTitle")) or _place_or_name(author.get("medicalSpecialty")),
        "location": _place_or_name(author.get("address") or author.get("homeLocation") or author.get("workLocation")),
        "rating": _number(rating.get("ratingValue")),
        "n_reviews": None if reviews is None else int(reviews),
    }
    return {key: value for key, value in fields.items() if value not in (None, "")}


def _place_or_name(value: Any) -> str:
    value = next(iter(_as_list(value)), None)
    if isinstance(value, dict):
        if isinstance(value.get("address"), dict | str):
            return _place_or_name(value["address"])
        parts = [_text(value.get(key)) for key in ("addressLocality", "addressRegion", "addressCountry")]
        return ", ".join(part for part in parts if part) or _text(value.get("name"))
    return _text(value)


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _number(value: Any) -> float | None:
    """Read a number, with a comma for the decimals ("4,8") or for thousands ("1,208")."""
    text = str(value).strip()
    text = text.replace(",", "") if _THOUSANDS.fullmatch(text) else text.replace(",", ".")
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _text(value: Any) -> str:
    """Return a JSON-LD text without the markup it may hold."""
    if not isinstance(value, str):
        return ""
    if not _TAG.search(value):
        return html_entities.unescape(value).strip()
    body = LexborHTMLParser(value).body
    return "" if body is None else _visible_text(body)


def _one_line(text: str) -> str:
    return " ".join(text.split())


# ---------------------------------------------------------------- microdata


def _read_microdata(tree: LexborHTMLParser) -> list[PageAnswers]:
    pages = []
    for node in tree.css('[itemtype*="schema.org/Question"]'):
        answers = node.css('[itemtype*="schema.org/Answer"]')
        own = _own_properties(node)
        name, details = (_visible_text(own[key]) if key in own else "" for key in ("name", "text"))
        question = name or details
        if not question or not answers:
            continue
        count = _number(_property(own["answerCount"])) if "answerCount" in own else None
        pages.append(
            PageAnswers(
                question=_one_line(question),
                details=details if name else "",
                announced=None if count is None else int(count),
                answers=[_read_ld_answer(_microdata_answer(a), n) for n, a in enumerate(answers, start=1)],
            )
        )
    return pages


def _own_properties(node: LexborNode) -> dict[str, LexborNode]:
    """Return the first of each of an item's own properties, not those of items inside it."""
    own: dict[str, LexborNode] = {}
    for found in node.css("[itemprop]"):
        item = found.parent
        while item is not None and item != node and "itemscope" not in item.attributes:
            item = item.parent
        if item == node:
            own.setdefault(str(found.attributes.get("itemprop")), found)
    return own


def _microdata_answer(node: LexborNode) -> dict[str, Any]:
    own = _own_properties(node)
    person: dict[str, Any] = {}
    if (author := own.get("author")) is not None:
        keys = ("name", "honorificSuffix", "jobTitle", "medicalSpecialty", "addressLocality", "address")
        person = {key: _find(author, key) for key in keys}
        person["address"] = person.pop("addressLocality") or person["address"]
        person["name"] = person["name"] or _one_line(_visible_text(author))
        person["aggregateRating"] = {key: _find(author, key) for key in ("ratingValue", "reviewCount", "ratingCount")}
    texts = {key: _visible_text(own[key]) for key in ("text", "headline", "name") if key in own}
    return texts | {"author": person}


def _find(node: LexborNode, name: str) -> str:
    found = node.css_first(f'[itemprop="{name}"]')
    return "" if found is None else _property(found)


def _property(node: LexborNode) -> str:
    return node.attributes.get("content") or _one_line(_visible_text(node))


# ---------------------------------------------------------------- visible structure


def _read_visible(tree: LexborHTMLParser) -> list[PageAnswers]:
    if tree.body is None:
        return []
    heading = tree.body.css_first("h1")
    question = "" if heading is None else _one_line(_visible_text(heading))
    text = _visible_text(tree.body)
    if question and question in text:
        # What stands above the question is the site's own furniture.
        text = text[text.index(question) :]
    return [relocate(page, "answer") for page in read_page_text(text)]


def _visible_text(node: LexborNode) -> str:
    """Return the text a reader sees, a blank line between blocks and a line break for each ``<br>``."""
    copy = LexborHTMLParser(node.html or "")
    for hidden in copy.css(_HIDDEN):
        if hidden.tag != "head":
            hidden.decompose()
    for breaker in copy.css("br, hr"):
        breaker.replace_with("\u2028")
    for block in copy.css(_BREAKS):
        block.insert_before("\u2029")
        block.insert_after("\u2029")
    text = copy.body.text(deep=True) if copy.body is not None else ""
    text = _SPACE.sub(" ", text.replace("\n", " "))
    paragraphs = [re.sub(r" ?\u2028 ?", "\n", part).strip() for part in text.split("\u2029")]
    return "\n\n".join(part for part in paragraphs if part)
