"""Texts are taken apart as spaCy takes them apart, however often a piece was met before."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from spacy.attrs import NORM, ORTH, SPACY

from pipeline.preprocess import tokenise
from pipeline.preprocess.tokenise import Tokeniser, blank_english

NLP = blank_english()
SHARED = Tokeniser(NLP, {"not": 1}, ())
WORDS = [
    "don't",
    "DON'T",
    "it's",
    "e.g.",
    "10-20",
    "$5",
    "5mg/kg",
    "U.S.",
    "a.m.",
    "http://a.org/x?y=1",
    "cannot",
    "ok.",
]
TEXTS = st.lists(
    st.sampled_from([*WORDS, " ", "  ", "\n", "\n\n", "\t", "\u2003", "\x1c", ".", ",", "!", "-", '"', "é", "中"])
    | st.text(st.characters(codec="utf-8", categories=["L", "N", "Z"]), max_size=5),
    max_size=14,
).map("".join)


PARTED_BY_ONE_BLANK = st.lists(
    st.tuples(st.sampled_from([*WORDS, "peel", "é", "中", "."]), st.sampled_from([" ", "\n", "\n\n"])),
    max_size=8,
).map(lambda parts: "".join(word + blank for word, blank in parts).strip())


def take_apart(tokeniser: Tokeniser, texts: list[str]) -> list[list[tuple[int, int, bool]]]:
    """Give of each text its tokens' types in a table of its own, numbered anew."""
    tokens = tokeniser.tokenise(texts)
    return [
        list(
            zip(
                tokeniser.table.word_numbers(tokens.types[first:last]).tolist(),
                tokeniser.table.lengths(tokens.types[first:last]).tolist(),
                tokens.has_space[first:last].tolist(),
                strict=True,
            )
        )
        for first, last in zip(tokens.borders[:-1], tokens.borders[1:], strict=True)
    ]


@given(st.lists(TEXTS | PARTED_BY_ONE_BLANK, max_size=4))
@example(["a\n b", "a \nb", "a  b", " a", "a ", "\na", "a\n", "\n", " ", "", "a\n\n\nb", "a\n b\nc"])
@example(["a \t b", "a\tb c", "a\t b", "a \u2003 b", "\u2003a b", "a b\x1c", "a\u2028b c", "a b\u2003", "a \ue000 b"])
def test_tokens_are_those_of_spacy(texts: list[str]) -> None:
    expected = []
    for text in texts:
        attributes = NLP.make_doc(text).to_array([ORTH, NORM, SPACY])
        types = SHARED.table.number(attributes[:, 0], attributes[:, 1])
        lengths = SHARED.table.lengths(types).tolist()
        spaces = attributes[:, 2].astype(bool).tolist()
        expected.append(list(zip(SHARED.table.word_numbers(types).tolist(), lengths, spaces, strict=True)))
    assert take_apart(SHARED, texts) == expected


def test_the_space_is_the_only_blank_that_is_printable() -> None:
    # What is cut at single spaces alone is told by it.
    assert [c for c in map(chr, range(sys.maxunicode + 1)) if c.isspace() and c.isprintable()] == [" "]


def test_the_borders_of_texts_without_tokens_are_kept() -> None:
    assert SHARED.tokenise(["", "a b", ""]).borders.tolist() == [0, 0, 2, 2]
    assert SHARED.tokenise([]).borders.tolist() == [0]


def test_a_smiley_is_taken_apart_the_same_whatever_follows_it() -> None:
    tokens = SHARED.tokenise([":) )", ":)"])
    assert np.diff(tokens.borders).tolist() == [2, 1]


@pytest.mark.parametrize(
    ("limit", "text"), [("MAX_PIECES", "one two three"), ("MAX_PIECE_CHARS", "a" * 40)], ids=["pieces", "characters"]
)
def test_a_tokeniser_says_when_it_holds_too_much(limit: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokenise, limit, len(text.split()) if limit == "MAX_PIECES" else len(text))
    tokeniser = Tokeniser(NLP, {}, ())
    tokeniser.tokenise([text, text])
    assert not tokeniser.is_full
    tokeniser.tokenise(["b"])
    assert tokeniser.is_full
