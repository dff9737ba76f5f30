"""Feature tokens: exactly which ones an answer gives."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.features import AnswerFeatures, Feature, extract_features, stack_documents
from pipeline.lexicon import parse_lexicon
from pipeline.preprocess import build_nlp, parse_answers
from pipeline.schema import AnswerRecord, Source

if TYPE_CHECKING:
    from spacy.language import Language

LEXICON = """
version = 1
[[family]]
name = "negation"
patterns = ["not"]
[[family]]
name = "pseudo_negation"
patterns = ["not only"]
[[family]]
name = "contrast"
patterns = ["but"]
[[family]]
name = "question_flip"
patterns = ["any harm"]
[[family]]
name = "safe"
patterns = ["safe"]
[[family]]
name = "works"
patterns = ["works"]
[[family]]
name = "yes"
patterns = ["yes"]
"""
TEXTS = st.text(min_size=1, max_size=60).filter(str.strip) | st.lists(
    st.sampled_from(["not", "safe", "peel", "7", "but", ",", ".", "\n", "\u2003", "\x1c", "\u200b", "any harm", "_"]),
    min_size=1,
    max_size=15,
).map(" ".join).filter(str.strip)  # fmt: skip


@pytest.fixture(scope="module")
def small_nlp() -> Language:
    """A pipeline whose lexicon is small enough to say exactly what must come out."""
    return build_nlp(parse_lexicon(LEXICON, "small.toml"))


def features(
    nlp: Language, text: str, *, question: str = "Does a peel help?", headline: str | None = None
) -> AnswerFeatures:
    record = AnswerRecord(
        question_id="q",
        question=question,
        answer_id="a",
        position=1,
        headline=headline,
        text=text,
        source=Source(file="t", locator="answer 1"),
    )
    return next(extract_features(doc) for ((_, doc),) in parse_answers(nlp, [record]))


def words(nlp: Language, text: str) -> list[str]:
    return [feature.name for feature in features(nlp, text).words]


def cues(nlp: Language, text: str, *, question: str = "Does a peel help?", headline: str | None = None) -> list[str]:
    return [feature.name for feature in features(nlp, text, question=question, headline=headline).cues]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("It works", ["it", "works", "it_works"], id="words and pairs, lower-cased"),
        pytest.param("Not safe, go", ["not", "!safe", "not_!safe", "go"], id="a scope is marked, a comma parts pairs"),
        pytest.param("safe. go", ["safe", "go"], id="a sentence's end parts pairs"),
        pytest.param("well-known", ["well", "known", "well_known"], id="a hyphen joins pairs"),
        pytest.param("A peel", ["a", "TARGET", "a_TARGET"], id="the target has no name"),
        pytest.param("peel peels", ["TARGET", "TARGET"], id="a target of two words is one"),
        pytest.param("7 days", ["NUM", "days", "NUM_days"], id="a number has no value"),
        pytest.param("five", ["NUM"], id="a number in words"),
        pytest.param("not 7 peels", ["not", "!NUM", "not_!NUM", "!TARGET", "!NUM_!TARGET"], id="both in a scope"),
        pytest.param("...", [], id="nothing but points"),
    ],
)
def test_words_give_exactly_these_features(small_nlp: Language, text: str, expected: list[str]) -> None:
    assert words(small_nlp, text) == expected


@pytest.mark.parametrize("form", ["don't", "dont", "don\u2019t", "Do not", "DO NOT"])
def test_a_contraction_gives_the_words_of_its_long_form(small_nlp: Language, form: str) -> None:
    assert words(small_nlp, f"I {form} know") == words(small_nlp, "i do not know")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("It is safe.", ["safe", "safe@first"], id="plain, and where it stands"),
        pytest.param("It is. So. It is safe.", ["safe", "safe@last"], id="in the last sentence"),
        pytest.param("It is. So safe. It is.", ["safe", "safe@middle"], id="in a middle sentence"),
        pytest.param(
            "A peel is safe.", ["<a", ">is", "safe", "safe@first", "safe~target", ">safe"], id="near the target"
        ),
        pytest.param("A peel. So safe.", ["<a", "safe", "safe@last"], id="the target in another sentence is not near"),
        pytest.param(
            "not safe",
            ["negation", "negation@first", "safe!", "safe!@first", "negation>safe!"],
            id="in a negation's scope",
        ),
        pytest.param(
            "not only safe",
            ["negation", "negation@first", "safe", "safe@first", "negation>safe"],
            id="not only opens no scope",
        ),
        pytest.param(
            "So safe but works",
            ["safe", "safe@first", "contrast", "contrast@first", "safe>contrast",
             "works", "works@first", "works@after_contrast", "contrast>works"],
            id="after a contrast, and in order",
        ),
        pytest.param("It is safe. It works.", ["safe", "safe@first", "works", "works@last"], id="over sentences"),
        pytest.param("So safe safe", ["safe", "safe@first", "safe", "safe@first"], id="the same twice"),
        pytest.param("Yes.", ["yes", "yes@first", "yes@opening"], id="the answer's first words"),
        pytest.param("Well it is a yes.", ["yes", "yes@first"], id="yes further on opens nothing"),
        pytest.param("any harm", [], id="wordings of questions count in questions alone"),
    ],
)  # fmt: skip
def test_cues_give_exactly_these_features(small_nlp: Language, text: str, expected: list[str]) -> None:
    assert cues(small_nlp, text) == expected


def test_cues_of_a_headline_are_in_the_headline_and_the_body_begins_after_it(small_nlp: Language) -> None:
    assert cues(small_nlp, "It works.", headline="Quite safe") == ["safe", "safe@headline", "works", "works@first"]


def test_a_flipped_question_gives_every_cue_a_second_time_marked(small_nlp: Language) -> None:
    plain = cues(small_nlp, "Yes, a peel is not safe but works.")
    flipped = cues(small_nlp, "Yes, a peel is not safe but works.", question="Any harm if a peel may help?")
    assert flipped[::2] == plain
    assert flipped[1::2] == [f"flip:{name}" for name in plain]


def test_the_words_do_not_depend_on_the_polarity_of_the_question(small_nlp: Language) -> None:
    flipped = features(small_nlp, "It is safe.", question="Any harm in a peel?")
    assert flipped.words == features(small_nlp, "It is safe.").words


@given(TEXTS, st.none() | TEXTS)
@settings(deadline=None, max_examples=150)
def test_no_feature_holds_white_space_so_that_documents_can_be_taken_apart_again(
    small_nlp: Language, text: str, headline: str | None
) -> None:
    found = features(small_nlp, text, headline=headline, question="Any harm in a peel?")
    for document, listed in zip(found.documents(), (found.words, found.cues), strict=True):
        names = [feature.name for feature in listed]
        assert all(names)
        assert re.findall(r"\S+", document) == names


@given(TEXTS)
@settings(deadline=None, max_examples=50)
def test_features_stand_in_order_of_place(small_nlp: Language, text: str) -> None:
    found = features(small_nlp, text)
    for listed in (found.words, found.cues):
        places = [feature.token for feature in listed]
        assert places == sorted(places)


def test_a_doc_parsed_without_its_question_has_features_too(small_nlp: Language) -> None:
    assert extract_features(small_nlp("Not safe.")).documents()[0] == "not !safe not_!safe"


def test_documents_are_stacked_one_row_per_answer_words_before_cues() -> None:
    one = AnswerFeatures(words=(Feature("a", 0), Feature("b", 1)), cues=(Feature("yes", 0),))
    none = AnswerFeatures(words=(), cues=())
    stacked = stack_documents([one, none])
    assert stacked.dtype == object
    assert stacked.tolist() == [["a b", "yes"], ["", ""]]
    assert stack_documents([]).shape == (0, 2)
