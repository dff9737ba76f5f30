r"""Cleaning as pure ``str -> str`` functions, each named after what it normalises.

A step only replaces stretches of text by others, so that every character of the clean text can be
traced to the original and evidence can be quoted verbatim: see `align_clean`.
"""

from __future__ import annotations

import html
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

MAX_RUN = 50
"""Signs that may stand in a run without a space."""


class _Step(NamedTuple):
    """Matches of a pattern, what each becomes, and a cheap test that every text with a match passes."""

    pattern: re.Pattern[str]
    replace: Callable[[re.Match[str]], str]
    may_match: Callable[[str], bool]

    def apply(self, text: str) -> str:
        return self.pattern.sub(self.replace, text) if self.may_match(text) else text


def _is_range(match: re.Match[str]) -> bool:
    before, after = match.string[match.start() - 1 : match.start()], match.string[match.end() : match.end() + 1]
    return before.isdigit() and after.isdigit()


def _one_space(match: re.Match[str]) -> str:
    n_lines = len(_LINE_END.findall(match[0]))
    if n_lines > 1:
        return "\n\n"
    following = match.string[match.end() : match.end() + 1]
    if n_lines == 1:
        return " " if following.islower() or following in {",", ";", ")"} else "\n"
    return " "


def _may_hold_invisible(text: str) -> bool:
    # Of ASCII only control characters are invisible, and of these line ends are wanted.
    if not text.isascii():
        return True
    return not text.isprintable() and not text.replace("\n", "").replace("\r", "").isprintable()


def _may_hold_dash(text: str) -> bool:
    return "--" in text or "\u2013" in text or "\u2014" in text or "\u2012" in text or "\u2015" in text


_PLAIN = (
    {"\u2018": "'", "\u2019": "'", "\u201a": "'", "\u2032": "'", "\u00b4": "'", "`": "'"}
    | {"\u201c": '"', "\u201d": '"', "\u201e": '"', "\u00ab": '"', "\u00bb": '"'}
    | {"\u2010": "-", "\u2011": "-", "\u2212": "-"}
    | dict.fromkeys(
        "\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000\t\v\f", " "
    )
    | dict.fromkeys("\u2028\u2029\u0085", "\n")
)
# Far cheaper than str.translate, which looks up every character of a text that is not all ASCII.
_NOT_PLAIN = re.compile(f"[{re.escape(''.join(_PLAIN))}]")
_NOT_PLAIN_ASCII = tuple(filter(str.isascii, _PLAIN))
_LINE_END = re.compile(r"\r\n?|\n")
_COMPOSABLE = re.compile("[\u0300-\u036f\ufb00-\ufb06]")
_BREAKING_TAG = re.compile(r"</?(?:p|br|div|li|ul|ol|h[1-6]|blockquote)\b", re.IGNORECASE)

_ENTITIES = _Step(
    re.compile(r"&(?:[a-zA-Z]{2,8}|#\d{1,7}|#[xX][0-9a-fA-F]{1,6});"),
    lambda match: html.unescape(match[0]),
    lambda text: "&" in text,
)
_TAGS = _Step(
    re.compile(
        r"</?(?:p|br|div|span|b|i|u|em|strong|a|ul|ol|li|h[1-6]|blockquote|font)(?:\s[^<>]{0,2000})?/?>", re.IGNORECASE
    ),
    lambda match: "\n" if _BREAKING_TAG.match(match[0]) else "",
    lambda text: "<" in text,
)
_INVISIBLE = _Step(
    re.compile(
        "[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufe00-\ufe0f\ufeff\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]+"
    ),
    lambda _: "",
    _may_hold_invisible,
)
_FURNITURE = _Step(
    re.compile(r"\{\{[^{}]{0,500}\}\}|\{%[^{}]{0,500}%\}|(?:-{1,3}>?\s?)?<link>"),
    lambda _: " ",
    lambda text: "{" in text or "<link>" in text,
)
_LETTERS = _Step(
    re.compile("[^\\W\\d_][\u0300-\u036f]+|[\ufb00-\ufb06]"),
    lambda match: unicodedata.normalize("NFKC", match[0]),
    lambda text: not text.isascii() and _COMPOSABLE.search(text) is not None,
)
# A dash between words parts them; between numbers it is a range.
_DASHES = _Step(
    re.compile("(?<=\\d)[\u2012\u2013](?=\\d)|[ ]?[\u2012-\u2015][ ]?|[ ]?(?<!-)--(?!-)[ ]?"),
    lambda match: "-" if match[0] in "\u2012\u2013" and _is_range(match) else " - ",
    _may_hold_dash,
)
# Spaces and line ends in a row, but for one space alone.
# A wrapped line goes on; a list's next point, a capital or an empty line begins something.
_SPACES = _Step(
    re.compile(r"[ \r\n](?:[ \r\n]+|(?<! ))"),
    _one_space,
    lambda text: "\n" in text or "  " in text or "\r" in text,
)
_RUN_ON = _Step(
    re.compile(
        r"[.!?](?:(?<=[a-z]{2}.)(?=[A-Z][a-z])|"
        r"(?<=[a-z]{3}\.)(?=(?!(?:com|org|net|edu|gov|html?)\b)[a-z]{2,15}[ ,]))"
    ),
    lambda match: f"{match[0]} ",
    bool,
)

# A run of so many signs covers every sixteenth character three times.
_SIGNS = re.compile(r"(?:[^\w\s]|_){3}")


def _may_hold_long_run(text: str) -> bool:
    return _SIGNS.search(text[15::16]) is not None


# spaCy's tokeniser takes time by the square of such a run's length: hours for one as long as a text may be.
_LONG_RUN = _Step(
    re.compile(rf"(?:[^\w\s]|_){{{MAX_RUN}}}(?=\S)"),
    lambda match: f"{match[0]} ",
    _may_hold_long_run,
)


def clean_markup(text: str) -> str:
    r"""Replace HTML entities by their characters and tags by line breaks or nothing.

    Examples
    --------
    >>> clean_markup("safe &amp; sound<br>don&rsquo;t, if < 5 mm")
    'safe & sound\ndon\u2019t, if < 5 mm'
    """
    return _TAGS.apply(_ENTITIES.apply(text))


def clean_punctuation(text: str) -> str:
    r"""Make quotes, hyphens, spaces and line separators plain, one character for one.

    Examples
    --------
    >>> clean_punctuation("don\u2019t\u00a0say \u201cnever\u201d")
    'don\'t say "never"'
    """
    if text.isascii() and not any(map(text.__contains__, _NOT_PLAIN_ASCII)):
        return text
    return _NOT_PLAIN.sub(lambda match: _PLAIN[match[0]], text)


def clean_invisible(text: str) -> str:
    r"""Delete characters that show nothing: zero-width spaces, soft hyphens, direction marks, controls.

    Examples
    --------
    >>> clean_invisible("bo\u200btox\ufeff")
    'botox'
    """
    return _INVISIBLE.apply(text)


def clean_furniture(text: str) -> str:
    """Replace page templates and link placeholders by a space.

    Examples
    --------
    >>> clean_furniture("{{ voteCount + 1 }}It works.")
    ' It works.'
    """
    return _FURNITURE.apply(text)


def clean_letters(text: str) -> str:
    r"""Compose letters and their accents, and take ligatures apart.

    Examples
    --------
    >>> clean_letters("e\u0301clat, \ufb01ller")
    'éclat, filler'
    """
    return _LETTERS.apply(text)


def clean_dashes(text: str) -> str:
    r"""Set dashes off by spaces, so that they are not taken for hyphens; between numbers they are hyphens.

    Examples
    --------
    >>> clean_dashes("not safe\u2014it works, in 10\u201320 days -- or so")
    'not safe - it works, in 10-20 days - or so'
    """
    return _DASHES.apply(text)


def clean_spaces(text: str) -> str:
    r"""Make one space of several, one empty line of several, and a space of a line that merely wraps.

    Examples
    --------
    >>> clean_spaces("would  not\r\nrecommend it.\n \n\nWait")
    'would not recommend it.\n\nWait'
    """
    return _SPACES.apply(text)


def clean_run_on(text: str) -> str:
    """Put the missing space between two sentences that run into each other.

    Examples
    --------
    >>> clean_run_on("It is unsafe.Don't, see site.com, it hurts.wait a year")
    "It is unsafe. Don't, see site.com, it hurts. wait a year"
    """
    return _RUN_ON.apply(text)


def clean_long_run(text: str) -> str:
    """Part a run of signs that are no letters, digits or spaces after every `MAX_RUN`.

    Examples
    --------
    >>> clean_long_run("No" + "!" * 70) == "No" + "!" * 50 + " " + "!" * 20
    True
    """
    return _LONG_RUN.apply(text)


_STEPS = (_ENTITIES, _TAGS, clean_punctuation, _INVISIBLE, _FURNITURE, _LETTERS, _DASHES, _SPACES, _RUN_ON, _LONG_RUN)


def clean_text(text: str) -> str:
    r"""Apply markup, punctuation, invisible, furniture, letters, dashes, spaces, run-on and long-run cleaning.

    Examples
    --------
    >>> clean_text("It\u2019s <b>unsafe</b>.Don\u2019t{{ vote }}")
    "It's unsafe. Don't "
    """
    return align_clean(text)[0]


class _Edits(NamedTuple):
    """What one step replaced: half-open ranges, in order, of what it made and of what it took."""

    starts: list[int]
    ends: list[int]
    old_starts: list[int]
    old_ends: list[int]

    def trace(self, place: int) -> tuple[int, int]:
        """Return the first and the last character that a character stands for."""
        last = bisect_right(self.starts, place) - 1
        if last < 0:
            return place, place
        if place < self.ends[last]:
            return self.old_starts[last], self.old_ends[last] - 1
        kept = place - self.ends[last] + self.old_ends[last]
        return kept, kept


@dataclass(frozen=True)
class Alignment:
    """Where the characters of a clean text come from.

    Attributes
    ----------
    steps
        What each step of cleaning replaced, in order.
    """

    steps: tuple[_Edits, ...] = ()

    def trace(self, start: int, end: int) -> tuple[int, int]:
        """Return the range of the original that a range of the clean text stands for; both half-open, not empty.

        Whatever a stretch is replaced by stands for the whole of it.
        """
        first, last = start, end - 1
        for edits in reversed(self.steps):
            first, last = edits.trace(first)[0], edits.trace(last)[1]
        return first, last + 1


def align_clean(text: str) -> tuple[str, Alignment]:
    r"""Clean a text and keep where it comes from.

    Examples
    --------
    >>> clean, alignment = align_clean("<b>Not</b>  safe &amp; sound")
    >>> clean, alignment.trace(0, 3), alignment.trace(9, 10)
    ('Not safe & sound', (3, 6), (17, 22))
    """
    clean = text
    steps: list[_Edits] = []
    for step in _STEPS:
        if not isinstance(step, _Step):
            clean = step(clean)
        elif step.may_match(clean):
            clean = _substitute(step, clean, steps)
    return clean, Alignment(tuple(steps))


def _substitute(step: _Step, text: str, steps: list[_Edits]) -> str:
    edits = _Edits([], [], [], [])
    pieces: list[str] = []
    end = made = 0
    for match in step.pattern.finditer(text):
        new = step.replace(match)
        start = match.start()
        pieces += (text[end:start], new)
        made += start - end
        edits.starts.append(made)
        made += len(new)
        edits.ends.append(made)
        end = match.end()
        edits.old_starts.append(start)
        edits.old_ends.append(end)
    if not pieces:
        return text
    steps.append(edits)
    return "".join([*pieces, text[end:]])
