"""The short cuts of cleaning change nothing: each is held against the plain way of saying the same."""

from __future__ import annotations

import re
from itertools import combinations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.preprocess import clean, compose_answer

STEPS = {
    "entities": clean._ENTITIES,
    "tags": clean._TAGS,
    "invisible": clean._INVISIBLE,
    "furniture": clean._FURNITURE,
    "letters": clean._LETTERS,
    "dashes": clean._DASHES,
    "spaces": clean._SPACES,
    "run-on": clean._RUN_ON,
    "long run": clean._LONG_RUN,
}
PLAIN_PATTERNS = {
    "spaces": re.compile(r"[ ]*(?:\r\n?|\n)(?:[ ]*(?:\r\n?|\n))*[ ]*|[ ]{2,}"),
    "run-on": re.compile(
        r"(?<=[a-z]{2})[.!?](?=[A-Z][a-z])|(?<=[a-z]{3})\.(?=(?!(?:com|org|net|edu|gov|html?)\b)[a-z]{2,15}[ ,])"
    ),
}
# What sets a step off, whole and in halves, among ordinary words.
PIECES = st.sampled_from(
    [
        "safe", "Not", "don", "a", "B", "5", " ", "  ", "\n", "\r", "\r\n", "\t", "\v", "\f", "\x00", "\x1c", "\x7f",
        "\u0085", "\u2028", "\u00a0", "\u3000", "\u00ad", "\u200b", "\ufe0f", "\ufeff", "&amp;", "&", "#39;", "&lt;br>",
        "<br>", "<b>", "</p ", ">", "<", "{{", " x ", "}}", "{%", "%}", "-->", "<link>", "e\u0301", "\u0301", "\ufb01",
        "-", "--", "\u2012", "\u2013", "\u2014", "\u2015", "\u2010", ".", "!", "?", "com", "wait a", "\u2019", "`",
        "\u201c", "\u2026", "\u00e9", "\U0001f600",
    ]
)  # fmt: skip
MESSY = st.lists(PIECES, max_size=15).map("".join) | st.text(max_size=30)


def _spans(pattern: re.Pattern[str], text: str) -> list[tuple[int, int]]:
    return [match.span() for match in pattern.finditer(text)]


def _align_plainly(text: str) -> tuple[str, list[tuple[int, int]]]:
    """Clean character by character, each with its range of the original, and try every step."""
    origins = [(place, place + 1) for place in range(len(text))]
    for step in clean._STEPS:
        if not isinstance(step, clean._Step):
            text = step(text)
            continue
        new, traced, end = "", [], 0
        for match in step.pattern.finditer(text):
            replacement = step.replace(match)
            new += text[end : match.start()] + replacement
            traced += origins[end : match.start()]
            traced += [(origins[match.start()][0], origins[match.end() - 1][1])] * len(replacement)
            end = match.end()
        text, origins = new + text[end:], traced + origins[end:]
    return text, origins


@pytest.mark.parametrize("name", STEPS)
@given(text=MESSY)
@settings(max_examples=150)
def test_a_text_that_a_step_passes_over_has_nothing_for_it(name: str, text: str) -> None:
    step = STEPS[name]
    assert step.may_match(text) or step.pattern.search(text) is None
    assert step.apply(text) == step.pattern.sub(step.replace, text)


@pytest.mark.parametrize("name", STEPS)
def test_no_step_passes_over_a_character_that_it_matches(name: str) -> None:
    step = STEPS[name]
    passed_over = [char for char in map(chr, range(0x10000)) if not step.may_match(char)]
    assert not [char for char in passed_over if step.pattern.search(char)]


@pytest.mark.parametrize("name", PLAIN_PATTERNS)
@given(text=MESSY)
@settings(max_examples=300)
def test_a_pattern_that_is_written_for_speed_matches_what_the_plain_one_does(name: str, text: str) -> None:
    assert _spans(STEPS[name].pattern, text) == _spans(PLAIN_PATTERNS[name], text)


@given(MESSY)
@settings(max_examples=150)
@example("".join(clean._PLAIN))
def test_punctuation_is_made_plain_character_by_character(text: str) -> None:
    assert clean.clean_punctuation(text) == "".join(clean._PLAIN.get(char, char) for char in text)


@given(MESSY)
@settings(max_examples=400)
def test_ranges_are_traced_as_in_the_plain_way(text: str) -> None:
    cleaned, alignment = clean.align_clean(text)
    expected, origins = _align_plainly(text)
    assert cleaned == expected
    assert [alignment.trace(n, n + 1) for n in range(len(cleaned))] == origins
    for start, end in combinations(range(len(cleaned) + 1), 2):
        assert alignment.trace(start, end) == (origins[start][0], origins[end - 1][1])


@given(st.lists(st.sampled_from(["!", "<", "_", "\U0001f600", "a", " ", "&", "-", "{", "}", "(", "safe"]).flatmap(
    lambda sign: st.integers(1, 120).map(lambda n: sign * n)
), max_size=5).map("".join))  # fmt: skip
def test_no_run_of_signs_is_longer_than_the_tokeniser_can_bear_and_nothing_is_lost(text: str) -> None:
    cleaned, alignment = clean.align_clean(text)
    assert re.search(rf"(?:[^\w\s]|_){{{clean.MAX_RUN + 1}}}", cleaned) is None
    parted = clean.clean_long_run(text)
    assert parted.replace(" ", "") == text.replace(" ", "")
    assert not cleaned or 0 <= alignment.trace(0, 1)[0] < alignment.trace(len(cleaned) - 1, len(cleaned))[1] <= len(
        text
    )


@pytest.mark.parametrize("n", [1, clean.MAX_RUN, clean.MAX_RUN + 1, 2 * clean.MAX_RUN, 5 * clean.MAX_RUN + 7])
def test_a_quote_across_a_parted_run_is_verbatim(n: int) -> None:
    text = f"It is safe{'!' * n}Go on."
    composed = compose_answer(None, text)
    (passage,) = composed.locate(0, len(composed.text))
    assert passage.quote == text
