"""The cue lexicon: what a pattern stands for, and what a broken file is told."""

from __future__ import annotations

import math
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import BadInput
from pipeline.lexicon import (
    REQUIRED_FAMILIES,
    TARGET,
    CueFamily,
    default_lexicon_text,
    expand_pattern,
    parse_lexicon,
)

REQUIRED = "".join(f'[[family]]\nname = "{name}"\npatterns = ["{name}"]\n' for name in REQUIRED_FAMILIES)
WORDS = st.from_regex(r"[a-z]{1,4}(\|[a-z]{1,4}){0,2}\??", fullmatch=True)


def lexicon_text(extra: str = "", *, version: str = "version = 1\n") -> str:
    return version + REQUIRED + extra


def family(name: str, *patterns: str) -> str:
    listed = ", ".join(f'"{pattern}"' for pattern in patterns)
    return f'[[family]]\nname = "{name}"\npatterns = [{listed}]\n'


@pytest.mark.parametrize(
    ("pattern", "phrases"),
    [
        pytest.param("not safe", ["not safe"], id="plain words"),
        pytest.param("good|bad idea", ["good idea", "bad idea"], id="either word"),
        pytest.param("very? safe", ["very safe", "safe"], id="a word that may be missing"),
        pytest.param("a|an? idea", ["a idea", "an idea", "idea"], id="either word or none"),
        pytest.param("one two?", ["one two", "one"], id="missing at the end"),
        pytest.param("off-label", ["off-label"], id="a hyphen is part of a word"),
    ],
)
def test_a_pattern_stands_for_exactly_these_phrases(pattern: str, phrases: list[str]) -> None:
    assert list(expand_pattern(pattern)) == phrases


@given(st.lists(WORDS, min_size=1, max_size=4).filter(lambda words: not all(w.endswith("?") for w in words)))
@settings(max_examples=40)
def test_every_choice_gives_one_phrase_of_single_spaced_words(words: list[str]) -> None:
    phrases = list(expand_pattern(" ".join(words)))
    assert len(phrases) == math.prod(word.count("|") + 1 + word.endswith("?") for word in words)
    allowed = {part for word in words for part in word.rstrip("?").split("|")}
    assert all(set(phrase.split(" ")) <= allowed for phrase in phrases)


@pytest.mark.parametrize("pattern", ["", "a  b", " a", "a ", "a|", "|a", "a||b", "?", "a?|b", "a??", "a\tb"])
def test_a_malformed_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="malformed"):
        list(expand_pattern(pattern))


@pytest.mark.parametrize("pattern", ["a?", "a? b?", "a|b? c?"])
def test_a_pattern_that_may_be_nothing_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="optional in every word"):
        list(expand_pattern(pattern))


def test_phrases_of_a_family_keep_their_order_and_do_not_repeat() -> None:
    patterns = ("b|a", "very? a", "b")
    assert CueFamily(name="f", patterns=patterns).phrases() == ["b", "a", "very a"]


def test_a_lexicon_gives_the_phrases_of_each_family_in_the_order_of_the_file() -> None:
    lexicon = parse_lexicon(lexicon_text(family("warns", "too? risky")), "mine.toml")
    phrases = lexicon.phrases()
    assert list(phrases) == [*REQUIRED_FAMILIES, "warns"]
    assert phrases["warns"] == ["too risky", "risky"]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        pytest.param("version = = 1", "TOML", id="no TOML"),
        pytest.param("", "version", id="an empty file"),
        pytest.param(lexicon_text(version=""), "version", id="no version"),
        pytest.param(lexicon_text(version="version = 0\n"), "version", id="version zero"),
        pytest.param("version = 1\n" + family("negation", "no"), "pseudo_negation", id="a required family is missing"),
        pytest.param(lexicon_text(family("contrast", "but")), "contrast", id="a family twice"),
        pytest.param(lexicon_text(family("Warns", "no")), "family.4.name", id="a name with a capital"),
        pytest.param(lexicon_text(family("warns")), "patterns", id="a family without patterns"),
        pytest.param(lexicon_text(family("warns", "too  risky")), "too  risky", id="a malformed pattern"),
        pytest.param(lexicon_text(family("warns", "risky?")), "risky?", id="a pattern that may be nothing"),
        pytest.param(lexicon_text("[[family]]\nname = 'x'\npatterns = [1]\n"), "patterns", id="a number as pattern"),
        pytest.param(lexicon_text(version="version = 1\nweight = 2\n"), "weight", id="an unknown setting"),
        pytest.param("version = 1\nfamily = 3\n", "family", id="families that are no tables"),
        pytest.param(lexicon_text(family("warns", "a|b " * 9 + "c")), "more than 400", id="a pattern of 512 phrases"),
    ],
)
def test_a_broken_lexicon_is_bad_input_that_names_file_and_fault(text: str, named: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_lexicon(text, "mine.toml")
    assert str(caught.value).startswith("mine.toml")
    assert named in str(caught.value)
    assert caught.value.exit_code == 3


def test_a_malformed_pattern_is_reported_with_the_name_of_its_family() -> None:
    with pytest.raises(BadInput, match="warns"):
        parse_lexicon(lexicon_text(family("warns", "too  risky")), "mine.toml")


def test_a_pattern_of_too_many_phrases_is_refused_without_writing_them_all_out() -> None:
    text = lexicon_text(family("warns", "a|b " * 16 + "c"))
    tracemalloc.start()
    try:
        with pytest.raises(BadInput, match="more than 400"):
            parse_lexicon(text, "mine.toml")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000


def test_the_lexicon_that_comes_with_medstance_is_complete_and_lower_case() -> None:
    phrases = parse_lexicon(default_lexicon_text(), "cues.toml").phrases()
    assert set(REQUIRED_FAMILIES) < set(phrases)
    words = [word for wordings in phrases.values() for phrase in wordings for word in phrase.split()]
    assert all(word in {word.lower(), TARGET} for word in words)
    assert sum(map(len, phrases.values())) > 2000
