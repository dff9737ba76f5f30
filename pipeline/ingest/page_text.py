"""A question page as saved from a browser as plain text, to answers.

Such a page is a column of paragraphs: the question, a line that announces the answers, then for each
answer a headline, a voting widget, the body and a signature, and a disclaimer at the end. The voting
widget (or, where the page has none below its headlines, the signature) shows where one answer ends and
the next begins.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from pipeline.ingest.raw import BadRecord, PageAnswers, RawRecord
from pipeline.ingest.signature import is_titled_name, split_signature

_TEMPLATE = re.compile(r"\{\{[^{}]{0,500}\}\}|\{%[^{}]{0,500}%\}")
_VOTE = re.compile(
    r"\{\{.*\}\}|[+-]\d+|(?:\d[\d,]*|one)\s+(?:people|person|users?|patients?)\s+found\s+(?:this|it)\s+helpful\.?|"
    r"(?:\d+\s+)?(?:up)?votes?:?\s*\d*|helpful\s*\(?\d*\)?",
    re.IGNORECASE,
)
_ANNOUNCE = re.compile(
    r"(?:doctor\s+)?answers?\s*[:(]?\s*(?P<after>\d+)\)?|"
    r"(?P<before>\d+)\s+(?:doctors?['’]?s?\s+)?answers?(?:\s+from doctors)?|"
    r"doctor\s+answers?",
    re.IGNORECASE,
)
_DISCLAIMER = re.compile(
    r"(?:these|the|this|all)\s+(?:above\s+)?(?:answers?|information|content|site|page|material)\b.{0,120}?"
    r"\b(?:(?:educational|informational|information)\s+purposes|substitute\s+for|medical\s+advice)|"
    r"(?:©|\(c\)\s*\d{4}|copyright\s+(?:©|\d{4}))",
    re.IGNORECASE | re.DOTALL,
)
_WIDGET = re.compile(
    r"(?:was this (?:answer )?helpful\??|read (?:more|less)|show (?:more|less)|share(?: this)?|report(?: abuse)?|reply|"
    r"save|follow|ask a (?:doctor|question)|view (?:full )?profile|book (?:a )?consultation|contact(?: doctor)?|"
    r"yes\s+no|sponsored|advertisement|log ?in|sign (?:in|up)|\d+ comments?|comments?|print|"
    r"q\s?&\s?a|home|menu|search)",
    re.IGNORECASE,
)
_MAX_HEADLINE_CHARS = 200
_MAX_SHOWN_CHARS = 80


@dataclass(frozen=True)
class _Block:
    """Consecutive lines without an empty one between them, what they are, and where they stood."""

    lines: tuple[str, ...]
    first: int
    kind: str
    respondent: dict[str, Any]
    announced: int | None = None

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def read_page_text(text: str) -> list[PageAnswers]:
    r"""Read the questions and answers of a page saved as text.

    Parameters
    ----------
    text
        The page, lines ended by ``\n``.

    Returns
    -------
    list of PageAnswers
        One per question; empty when the text is no such page. Voting widgets (a line such as "+1" or
        "Votes: 3" is one wherever it stands), templates, buttons and the disclaimer are in no field; every
        other line is in one, or in `left_out`.
    """
    blocks = [block for lines, first in _split_blocks(text) for block in _classify(lines, first)]
    blocks = _resolve_disclaimers(_resolve_votes(_resolve_names(blocks)))
    return [page for part in _split_pages(blocks) if (page := _read_page(part))]


def _split_blocks(text: str) -> Iterator[tuple[list[str], int]]:
    lines: list[str] = []
    for number, line in enumerate(text.split("\n"), start=1):
        stripped = line.strip().lstrip("\ufeff")
        if stripped:
            lines.append(stripped)
        elif lines:
            yield lines, number - len(lines)
            lines = []
    if lines:
        yield lines, text.count("\n") + 2 - len(lines)


def _classify(lines: Sequence[str], first: int) -> Iterator[_Block]:
    """Cut one run of lines into blocks of one kind each."""
    body: list[str] = []
    start = first
    for number, line in enumerate(lines, start=first):
        kind, announced = _kind_of_line(line)
        if kind == "text":
            if not body:
                start = number
            body.append(line)
            continue
        yield from _text_blocks(body, start)
        body = []
        yield _Block((line,), number, kind, {}, announced)
    yield from _text_blocks(body, start)


def _kind_of_line(line: str) -> tuple[str, int | None]:
    if _VOTE.fullmatch(line):
        return "vote", None
    if match := _ANNOUNCE.fullmatch(line):
        number = match["after"] or match["before"]
        return "announce", int(number) if number else None
    if _WIDGET.fullmatch(line):
        return "widget", None
    return ("disclaimer" if _DISCLAIMER.match(line) else "text"), None


def _text_blocks(lines: Sequence[str], first: int) -> Iterator[_Block]:
    while lines:
        before, respondent, after = split_signature(lines)
        clean = [cleaned for line in before if (cleaned := _TEMPLATE.sub(" ", line).strip())]
        if clean:
            yield _Block(tuple(clean), first, "text", {})
        if respondent:
            signed = lines[len(before) : len(lines) - len(after)]
            yield _Block(tuple(signed), first + len(before), "signature", respondent)
        first += len(lines) - len(after)
        lines = after


def _resolve_names(blocks: Sequence[_Block]) -> list[_Block]:
    """Count a titled name in a paragraph of its own to the signature below it, if that has no name."""
    resolved = list(blocks)
    for place, (block, below) in enumerate(pairwise(blocks)):
        is_name = block.kind == "text" and len(block.lines) == 1 and is_titled_name(block.text)
        if is_name and below.kind == "signature" and "name" not in below.respondent:
            resolved[place] = replace(block, kind="signature", respondent={"name": block.text})
    return resolved


def _resolve_votes(blocks: Sequence[_Block]) -> list[_Block]:
    """Drop voting widgets that stand below signatures: there they part nothing, the signature does."""
    votes = [place for place, block in enumerate(blocks) if block.kind == "vote" and place > 0]
    below = [place for place in votes if blocks[place - 1].kind == "signature"]
    if 2 * len(below) > len(votes):
        return [replace(block, kind="widget") if block.kind == "vote" else block for block in blocks]
    # Where they stand below headlines, a single line above one is a headline, whatever it looks like.
    headlines = {place - 1 for place in below if len(blocks[place - 1].lines) == 1}
    return [
        replace(block, kind="text", respondent={}) if place in headlines else block
        for place, block in enumerate(blocks)
    ]


def _resolve_disclaimers(blocks: Sequence[_Block]) -> list[_Block]:
    """Recognise disclaimers: they stand after a page's last answer, so nothing is signed or voted on below."""
    resolved: list[_Block] = []
    ends_page = True
    for block in reversed(blocks):
        if block.kind == "announce":
            ends_page = True
        elif block.kind in {"signature", "vote"}:
            ends_page = False
        is_text = block.kind == "text" or (block.kind == "disclaimer" and not ends_page)
        if (
            is_text
            and resolved
            and resolved[-1].kind == "text"
            and block.first + len(block.lines) == resolved[-1].first
        ):
            # An answer that sounds like a disclaimer is put together again.
            below = resolved.pop()
            block = replace(below, lines=block.lines + below.lines, first=block.first)
        resolved.append(replace(block, kind="text") if is_text else block)
    return resolved[::-1]


def _split_pages(blocks: Sequence[_Block]) -> Iterator[list[_Block]]:
    """Cut several pages saved into one file, each at the text before the line that announces answers."""
    starts = [0]
    for place, block in enumerate(blocks):
        if block.kind == "announce":
            start = place
            while start > starts[-1] and blocks[start - 1].kind in {"text", "widget"}:
                start -= 1
            if any(earlier.kind in {"vote", "signature"} for earlier in blocks[starts[-1] : start]):
                starts.append(start)
    for start, end in zip(starts, [*starts[1:], len(blocks)], strict=True):
        yield list(blocks[start:end])


_Groups = list[tuple[list[_Block], list[_Block]]]


def _read_page(blocks: list[_Block]) -> PageAnswers | None:
    announced = next((b.announced for b in blocks if b.kind == "announce"), None)
    content = [block for block in blocks if block.kind not in {"widget", "disclaimer"}]
    if not content or content[0].kind != "text":
        return None
    if any(b.kind == "vote" for b in content):
        preamble, groups = _group_by_vote(content)
    else:
        preamble, groups = _group_by_signature(content)
    if not preamble or not groups:
        return None
    question, *details = preamble
    return PageAnswers(
        question=" ".join(question.lines),
        details="\n\n".join(block.text for block in details),
        announced=announced,
        answers=[_read_answer(headline, body) for headline, body in groups],
        left_out=_find_left_out(content, groups),
    )


def _find_left_out(content: Sequence[_Block], groups: _Groups) -> str:
    last = max((block.first for headline, body in groups for block in [*headline, *body]), default=0)
    below = [block.text for block in content if block.kind == "text" and block.first > last]
    return " ".join(" ".join(below).split())[:_MAX_SHOWN_CHARS]


def _group_by_vote(blocks: Sequence[_Block]) -> tuple[list[_Block], _Groups]:
    """Cut at each voting widget: the text between a signature and the widget is the headline."""
    votes = [place for place, block in enumerate(blocks) if block.kind == "vote"]
    # A widget may stand on two lines; the first of a run counts.
    votes = [place for place in votes if place == 0 or blocks[place - 1].kind != "vote"]
    starts = []
    for vote, previous in zip(votes, [-1, *votes], strict=False):
        between = range(previous + 1, vote)
        borders = [place for place in between if blocks[place].kind in {"signature", "announce"}]
        start = borders[-1] + 1 if borders else max(previous + 1, vote - 1)
        if previous == -1 and start == 0:
            start = min(1, vote)
        starts.append(start)
    preamble = [block for block in blocks[: starts[0]] if block.kind == "text"]
    groups: _Groups = []
    for start, vote, end in zip(starts, votes, [*starts[1:], len(blocks)], strict=True):
        body = [block for block in blocks[vote:end] if block.kind in {"text", "signature"}]
        first, *others = _cut_at_signatures(_demote_lone_lines(body))
        groups.append(([block for block in blocks[start:vote] if block.kind == "text"], first))
        # An answer that the page shows without a widget ends at its own signature all the same.
        groups += [_split_headline(other) for other in others]
    return preamble, groups


def _cut_at_signatures(body: Sequence[_Block]) -> list[list[_Block]]:
    """Cut blocks after each signature, but not after a name that merely signs off inside the text.

    What stands after the last signature is no part of an answer and is left out: such pages go on with
    related questions.
    """
    parts: list[list[_Block]] = [[]]
    for place, block in enumerate(body):
        signed = [b for b in parts[-1] if b.kind == "signature"]
        if signed and block.kind == "text":
            below = next((b for b in body[place:] if b.kind == "signature"), None)
            if below is None:
                break
            if not _is_sign_off(signed[-1], below):
                parts.append([])
        parts[-1].append(block)
    return parts


def _demote_lone_lines(body: Sequence[_Block]) -> list[_Block]:
    """Read a single line without a name, with text below it, as text: "Board Certified Dermatologist".

    Where widgets part the answers, such a line inside one is something the answer says.
    """
    demoted = list(body)
    for place, block in enumerate(body[:-1]):
        around = [body[place - 1]] if place else []
        is_alone = all(b.kind == "text" for b in [*around, body[place + 1]])
        if block.kind == "signature" and len(block.lines) == 1 and "name" not in block.respondent and is_alone:
            demoted[place] = replace(block, kind="text", respondent={})
    return demoted


def _is_sign_off(block: _Block, below: _Block) -> bool:
    """Whether a respondent signs inside the text, by name alone, an answer that goes on to the signature."""
    if {"specialty", "rating"} & block.respondent.keys():
        return False
    name, full_name = (re.sub(r"[\W_]+", "", b.respondent.get("name", "")).casefold() for b in (block, below))
    return name == full_name != ""


def _group_by_signature(blocks: Sequence[_Block]) -> tuple[list[_Block], _Groups]:
    """Cut after each signature; an answer's first short paragraph, if more follow, is its headline."""
    announce = next((place for place, block in enumerate(blocks) if block.kind == "announce"), 0)
    preamble = [block for block in blocks[:announce] if block.kind == "text"] if announce else list(blocks[:1])
    answers = [block for block in blocks[announce + 1 :] if block.kind in {"text", "signature"}]
    if not any(block.kind == "signature" for block in answers):
        return preamble, []
    return preamble, [_split_headline(part) for part in _cut_at_signatures(answers)]


def _split_headline(blocks: list[_Block]) -> tuple[list[_Block], list[_Block]]:
    first, second = blocks[0], blocks[1] if len(blocks) > 1 else None
    if second is not None and second.kind == "text" and len(first.lines) == 1:
        line = first.lines[0]
        if len(line) <= _MAX_HEADLINE_CHARS and (not line.endswith((".", ",")) or len(line) < 60):
            return [first], blocks[1:]
    return [], blocks


def _read_answer(headline: Sequence[_Block], body: Sequence[_Block]) -> RawRecord | BadRecord:
    texts = [block for block in body if block.kind == "text"]
    signatures = [block for block in body if block.kind == "signature"]
    every = [*headline, *body]
    first = every[0].first if every else 1
    last = max((block.first + len(block.lines) - 1 for block in every), default=first)
    locator = f"lines {first}-{last}"
    title = " ".join(line for block in headline for line in block.lines)
    text = "\n\n".join(block.text for block in texts)
    if not text and not title:
        raw = "\n".join(block.text for block in every)
        return BadRecord(locator, "an answer without text", raw, column="text")
    fields: dict[str, Any] = {"headline": title, "text": text} if text else {"text": title}
    respondent = _merge_signatures(signatures)
    if respondent:
        fields["respondent"] = respondent
    return RawRecord(fields, locator)


def _merge_signatures(signatures: Sequence[_Block]) -> dict[str, Any]:
    """Join a signature that is repeated inside the body with the one below it, which has precedence.

    The longer of two places wins: "Memphis, TN" says more than "Memphis".
    """
    merged: dict[str, Any] = {}
    for block in signatures:
        merged |= block.respondent
    places = [block.respondent["location"] for block in signatures if "location" in block.respondent]
    return merged | ({"location": max(places, key=len)} if places else {})


def relocate(page: PageAnswers, locator: str) -> PageAnswers:
    """Replace line numbers, which mean nothing in a page that was HTML, by the answer's number."""
    answers = [replace(a, locator=f"{locator} {n}") for n, a in enumerate(page.answers, start=1)]
    return replace(page, answers=answers)
