"""What a token is by itself: flags, words and stems, the same however often and in whatever order it is met."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.attrs import NORM, ORTH
from spacy.strings import get_string_id
from spacy.tokens import Doc

from pipeline.preprocess import stem, wordtypes
from pipeline.preprocess.wordtypes import NUMBER_WORD, TARGET_WORD, WordTypes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.preprocess import AnswerParser

NLP = spacy.blank("en")
LEXICON_WORDS = {"not": 1, "safe": 2, "am": 3}
FLAGS = [
    "SPACE", "PUNCT", "JOINER", "NUMBER", "CLOSES", "ENDS", "TRAIL", "ASKS", "BREAK", "PARAGRAPH", "OPENS_LINE",
    "LOWER", "BORDER", "CLAUSE", "DASH", "CONTENT",
]  # fmt: skip
TOKENS = st.lists(
    st.sampled_from(["safe", "Safe", "SAFE", "not", "7", "five", "peels", "peeling", ".", "\n", " ", "\u2003", "\x1c"])
    | st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6),
    max_size=12,
)


def new_types() -> WordTypes:
    return WordTypes(NLP.vocab, LEXICON_WORDS, {"used"})


def make_doc(*tokens: str) -> Doc:
    return Doc(NLP.vocab, words=list(tokens))


def number(types: WordTypes, doc: Doc) -> NDArray[np.int64]:
    attributes = doc.to_array([ORTH, NORM])
    return types.number(attributes[:, 0], attributes[:, 1])


def words(types: WordTypes, doc: Doc) -> list[str]:
    return [types.words[place] for place in types.word_numbers(number(types, doc)).tolist()]


# ---------------------------------------------------------------- flags


def test_every_flag_is_a_power_of_two_of_its_own() -> None:
    assert [getattr(wordtypes, name) for name in FLAGS] == [1 << place for place in range(len(FLAGS))]


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        pytest.param("peel", "LOWER CONTENT", id="a word of content"),
        pytest.param("Peel", "OPENS_LINE CONTENT", id="with a capital"),
        pytest.param("PEEL", "OPENS_LINE CONTENT", id="in capitals"),
        pytest.param("pEEL", "CONTENT", id="with odd capitals"),
        pytest.param("lip", "LOWER CONTENT", id="three letters"),
        pytest.param("gp", "LOWER", id="two letters"),
        pytest.param("used", "LOWER", id="a stock word"),
        pytest.param("USED", "OPENS_LINE", id="a stock word in capitals"),
        pytest.param("the", "LOWER", id="a stop word"),
        pytest.param("b12", "LOWER", id="letters and digits"),
        pytest.param("because", "LOWER CLAUSE", id="a word that parts clauses"),
        pytest.param("Because", "OPENS_LINE CLAUSE", id="the same with a capital"),
        pytest.param("7", "NUMBER OPENS_LINE", id="a digit"),
        pytest.param("0.5", "NUMBER", id="a decimal"),
        pytest.param("five", "NUMBER LOWER", id="a number in words"),
        pytest.param(".", "PUNCT CLOSES ENDS BORDER", id="a full stop"),
        pytest.param("!", "PUNCT CLOSES ENDS BORDER", id="an exclamation mark"),
        pytest.param("!!!", "PUNCT CLOSES ENDS", id="three of them"),
        pytest.param("?", "PUNCT CLOSES ENDS ASKS BORDER", id="a question mark"),
        pytest.param("?!", "PUNCT CLOSES ENDS ASKS", id="a question mark and more"),
        pytest.param("..", "PUNCT CLOSES ENDS TRAIL BORDER", id="two points"),
        pytest.param("...", "PUNCT CLOSES ENDS TRAIL BORDER", id="three points"),
        pytest.param("\u2026", "PUNCT CLOSES ENDS TRAIL BORDER", id="an ellipsis sign"),
        pytest.param("....", "PUNCT CLOSES ENDS", id="four points"),
        pytest.param(".5", "NUMBER", id="a point before a digit"),
        pytest.param('"', "PUNCT JOINER CLOSES", id="a quote"),
        pytest.param("'", "PUNCT JOINER CLOSES", id="an apostrophe"),
        pytest.param(")", "PUNCT CLOSES BORDER", id="a closing bracket"),
        pytest.param("]", "PUNCT CLOSES", id="a closing square bracket"),
        pytest.param("(", "PUNCT BORDER", id="an opening bracket"),
        pytest.param(",", "PUNCT BORDER", id="a comma"),
        pytest.param("/", "PUNCT BORDER", id="a slash"),
        pytest.param("-", "PUNCT JOINER OPENS_LINE DASH", id="a hyphen"),
        pytest.param("--", "PUNCT BORDER", id="two hyphens"),
        pytest.param("*", "PUNCT OPENS_LINE", id="an asterisk"),
        pytest.param("\u2022", "PUNCT OPENS_LINE", id="a bullet"),
        pytest.param(" ", "SPACE", id="a space"),
        pytest.param("\n", "SPACE BREAK BORDER", id="a line end"),
        pytest.param("\n\n", "SPACE PARAGRAPH BORDER", id="an empty line"),
        pytest.param("\n\n\n", "SPACE PARAGRAPH", id="two empty lines"),
        pytest.param("\U0001f600", "", id="an emoji"),
    ],
)
def test_a_token_has_exactly_these_flags(token: str, expected: str) -> None:
    types = new_types()
    flags = int(types.flags(number(types, make_doc(token)))[0])
    assert [name for name in FLAGS if flags & getattr(wordtypes, name)] == expected.split()


# ---------------------------------------------------------------- words and stems


@pytest.mark.parametrize(
    ("token", "word"),
    [
        pytest.param("Safe", "safe", id="in small letters"),
        pytest.param("7", NUMBER_WORD, id="a digit"),
        pytest.param("1,000", NUMBER_WORD, id="a large number"),
        pytest.param("1/2", NUMBER_WORD, id="a fraction"),
        pytest.param("Eleven", NUMBER_WORD, id="a number in words"),
        pytest.param("num", "num", id="a word like the mark of numbers"),
        pytest.param("TARGET", "target", id="a word like the mark of targets"),
        pytest.param("a b\x1cc", "abc", id="spaces inside"),
        pytest.param("\n", "?", id="nothing but space"),
        pytest.param("\U0001f600", "\U0001f600", id="an emoji"),
    ],
)
def test_a_token_counts_as_this_word(token: str, word: str) -> None:
    assert words(new_types(), make_doc(token)) == [word]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("don't", "do not"), ("dont", "do not"), ("Don't", "do not"), ("DON'T", "do not"), ("DONT", "do not"),
        ("cannot", "can not"), ("CANNOT", "can not"), ("can't", "can not"), ("won't", "will not"),
        ("WON'T", "will not"), ("shouldn't", "should not"), ("I'm", "i am"), ("I'M", "i am"), ("they're", "they are"),
        ("it's", "it 's"), ("let's", "let us"), ("COULDN'T'VE", "could not have"),
    ],
)  # fmt: skip
def test_a_contraction_is_the_words_of_its_long_form(parser: AnswerParser, text: str, expected: str) -> None:
    types = WordTypes(parser.nlp.vocab, LEXICON_WORDS, ())
    doc = parser.nlp.make_doc(text)
    assert words(types, doc) == expected.split()
    assert [doc.text[token.idx :][: len(token)] for token in doc] == [token.text for token in doc]
    found = types.lexicon_words(number(types, doc)).tolist()
    assert found == [LEXICON_WORDS.get(word, 0) for word in expected.split()]


@pytest.mark.parametrize(
    ("forms", "expected"),
    [
        pytest.param(["inject", "injected", "injecting", "injection", "injections"], "inject", id="verb and noun"),
        pytest.param(["biopsy", "biopsies", "biopsied"], "biops", id="y, ies and ied"),
        pytest.param(["nose", "noses"], "nos", id="e and es"),
        pytest.param(["peel", "peels", "peel's"], "peel", id="s and 's"),
        pytest.param(["lip"], "lip", id="a short word"),
        pytest.param(["less"], "less", id="a double s"),
        pytest.param(["ties"], "tie", id="at least three letters stay"),
        pytest.param([""], "", id="nothing"),
    ],
)
def test_forms_of_a_word_have_one_stem(forms: list[str], expected: str) -> None:
    assert {stem(form) for form in forms} == {expected}


# ---------------------------------------------------------------- numbering


def test_a_token_keeps_its_number_and_what_is_known_of_it_whatever_comes_after() -> None:
    types = new_types()
    doc = make_doc("Not", "safe", ".", "not", "safe")
    first = number(types, doc)
    known = [types.flags(first).tolist(), types.stems(first).tolist(), types.lengths(first).tolist(), words(types, doc)]
    n_types, hashes = len(types), types.word_hashes()
    number(types, make_doc("new", "words", "and", "7", "safe"))
    assert number(types, doc).tolist() == first.tolist()
    again = [types.flags(first).tolist(), types.stems(first).tolist(), types.lengths(first).tolist(), words(types, doc)]
    assert again == known
    assert (n_types, len(types)) == (4, 8)
    assert types.word_hashes()[: len(hashes)].tolist() == hashes.tolist()


def test_one_spelling_with_two_meanings_is_two_types_of_two_words(parser: AnswerParser) -> None:
    types = WordTypes(parser.nlp.vocab, LEXICON_WORDS, ())
    doc = parser.nlp.make_doc("it's let's")
    assert [token.text for token in doc] == ["it", "'s", "let", "'s"]
    assert len(set(number(types, doc).tolist())) == 4
    assert words(types, doc) == ["it", "'s", "let", "us"]


def test_a_table_starts_with_the_marks_for_targets_and_numbers_and_no_type() -> None:
    types = new_types()
    assert (len(types), types.n_stems, types.words) == (0, 0, [TARGET_WORD, NUMBER_WORD])
    nothing = np.empty(0, dtype=np.uint64)
    none = types.number(nothing, nothing)
    assert none.shape == types.flags(none).shape == types.lengths(none).shape == (0,)


@given(st.lists(TOKENS, min_size=1, max_size=4))
@settings(max_examples=100)
def test_each_type_is_one_spelling_with_one_norm_and_knows_what_the_token_knows(texts: list[list[str]]) -> None:
    types = new_types()
    docs = [make_doc(*tokens) for tokens in texts]
    numbers = np.concatenate([number(types, doc) for doc in docs])
    tokens = [token for doc in docs for token in doc]
    spellings = {(token.text, token.norm_): n for token, n in zip(tokens, numbers.tolist(), strict=True)}
    assert [spellings[token.text, token.norm_] for token in tokens] == numbers.tolist()
    assert sorted(spellings.values()) == list(range(len(types)))
    assert types.lengths(numbers).tolist() == [len(token) for token in tokens]
    assert types.lexicon_words(numbers).tolist() == [LEXICON_WORDS.get(token.norm_, 0) for token in tokens]
    assert [types.words[place] for place in types.word_numbers(numbers).tolist()] == [
        NUMBER_WORD if token.like_num else "".join(token.norm_.split()) or "?" for token in tokens
    ]
    assert len(set(types.words)) == len(types.words)
    stems: dict[str, int] = {}
    for token, place in zip(tokens, types.stems(numbers).tolist(), strict=True):
        assert stems.setdefault(stem(token.lower_), place) == place
    assert sorted(stems.values()) == list(range(types.n_stems))


@given(TOKENS)
@settings(max_examples=50)
def test_a_word_has_the_same_hash_in_every_table_and_no_two_share_one(tokens: list[str]) -> None:
    one, other = new_types(), new_types()
    number(one, make_doc(*tokens))
    for token in reversed(tokens):
        number(other, make_doc(token))
        other.word_hashes()
    hashes = dict(zip(one.words, one.word_hashes().tolist(), strict=True))
    assert hashes == dict(zip(other.words, other.word_hashes().tolist(), strict=True))
    assert hashes == {word: get_string_id(word) for word in one.words}
    assert len(set(hashes.values())) == len(hashes)
