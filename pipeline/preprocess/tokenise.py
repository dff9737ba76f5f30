"""spaCy's English tokeniser, asked once for each distinct piece of text between spaces."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import spacy
from numpy.typing import NDArray
from spacy.attrs import NORM, ORTH
from spacy.lang.en.tokenizer_exceptions import TOKENIZER_EXCEPTIONS
from spacy.language import Language

from pipeline.preprocess.wordtypes import WordTypes

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

MAX_PIECES = 150_000
MAX_PIECE_CHARS = 4_000_000
"""Tokenisers past one of these hold so much that a new one is built; a batch may add some more."""

_BREAK = re.compile(r"(\n+)")
# As spaCy takes a text apart before it looks at a word: one space after a word is no token.
_PIECE = re.compile(r"(\S+)( ?)|(\s+)")


@dataclass(frozen=True)
class Tokens:
    """The tokens of several texts, one text after the other.

    Attributes
    ----------
    types
        Place in the `WordTypes` table, shape (n_tokens,).
    has_space
        Whether a space follows, shape (n_tokens,).
    borders
        Where each text begins, and where the last ends; shape (n_texts + 1,).
    """

    types: Ints
    has_space: Bools
    borders: Ints

    @cached_property
    def text_of(self) -> Ints:
        """The text each token is of, shape (n_tokens,)."""
        return np.repeat(np.arange(len(self.borders) - 1), np.diff(self.borders))

    @cached_property
    def ends(self) -> Ints:
        """Where the text of each token ends, shape (n_tokens,)."""
        return np.repeat(self.borders[1:], np.diff(self.borders))


class Tokeniser:
    """Takes texts apart as spaCy does, and numbers the tokens.

    spaCy's tokeniser looks at one stretch between spaces at a time, so that what it makes of a stretch is kept
    and given again without asking. Smileys alone may differ: spaCy takes ``:)`` apart where ``)`` follows a
    space later, this never does.

    Parameters
    ----------
    nlp
        From `blank_english`.
    lexicon_words, stock_words
        See `WordTypes`.

    Attributes
    ----------
    table
        What is known of each type of token.
    """

    def __init__(self, nlp: Language, lexicon_words: Mapping[str, int], stock_words: Collection[str]) -> None:
        self._nlp = nlp
        self.table = WordTypes(nlp.vocab, lexicon_words, stock_words)
        self._pieces = _Numbers()
        self._n_chars = 0
        self._types = np.empty(0, dtype=np.int64)
        self._borders = np.zeros(1, dtype=np.int64)

    @property
    def is_full(self) -> bool:
        """Whether it holds more than it should: spaCy, too, remembers every word it reads, for ever."""
        return len(self._pieces) > MAX_PIECES or self._n_chars > MAX_PIECE_CHARS

    def tokenise(self, texts: Sequence[str]) -> Tokens:
        """Take texts apart."""
        numbers, unspaced, n_pieces = self._cut(texts)
        self._learn(self._pieces.take_new())
        firsts = self._borders[numbers]
        lengths = self._borders[numbers + 1] - firsts
        ends = np.append(0, np.cumsum(lengths))
        places = np.arange(ends[-1]) + np.repeat(firsts - ends[:-1], lengths)
        # A space follows pieces alone: none is within one.
        is_spaced = np.ones(len(numbers), dtype=bool)
        is_spaced[unspaced] = False
        has_space = np.zeros(len(places), dtype=bool)
        has_space[ends[1:][is_spaced] - 1] = True
        return Tokens(self._types[places], has_space, ends[n_pieces])

    def _cut(self, texts: Sequence[str]) -> tuple[Ints, list[int], list[int]]:
        """Cut texts into pieces, by number; say which no space follows, and how many there are up to each border."""
        number_of = self._pieces.__getitem__
        numbers: list[int] = []
        unspaced: list[int] = []
        n_pieces = [0]
        for text in texts:
            if _has_lone_spaces(text):
                for part in _BREAK.split(text):
                    numbers += map(number_of, part.split(" "))
                    unspaced.append(len(numbers) - 1)
            else:
                for word, space, blank in _PIECE.findall(text):
                    numbers.append(number_of(word or blank))
                    if not space:
                        unspaced.append(len(numbers) - 1)
            n_pieces.append(len(numbers))
        return np.array(numbers, dtype=np.int64), unspaced, n_pieces

    def _learn(self, pieces: Sequence[str]) -> None:
        """Let spaCy take apart what it was not asked before."""
        if not pieces:
            return
        arrays = [self._nlp.make_doc(piece).to_array([ORTH, NORM]) for piece in pieces]
        joined = np.concatenate(arrays)
        self._n_chars += sum(map(len, pieces))
        self._types = np.append(self._types, self.table.number(joined[:, 0], joined[:, 1]))
        self._borders = np.append(self._borders, self._borders[-1] + np.cumsum([*map(len, arrays)]))


def _has_lone_spaces(text: str) -> bool:
    """Say whether all blanks are line ends and single spaces between words, as in what is clean: cut much faster."""
    if not text or text.strip() != text or "  " in text or " \n" in text or "\n " in text:
        return False
    # No other blank is printable.
    return text.replace("\n", "").isprintable()


class _Numbers(dict[str, int]):
    """Numbers of pieces, from 0; one that has none gets the next."""

    def __init__(self) -> None:
        self._new: list[str] = []

    def __missing__(self, piece: str) -> int:
        number = self[piece] = len(self)
        self._new.append(piece)
        return number

    def take_new(self) -> list[str]:
        """Return those that got a number since the last time, in order."""
        new, self._new = self._new, []
        return new


def blank_english() -> Language:
    """Build spaCy's English tokeniser, and take "DON'T" apart as "don't" is: it knows small letters alone."""
    nlp = spacy.blank("en")
    for text, tokens in TOKENIZER_EXCEPTIONS.items():
        if text.islower() and ("'" in text or text.endswith(("nt", "not"))):
            shouted = [{ORTH: t[ORTH].upper(), NORM: t.get(NORM, t[ORTH])} for t in tokens]
            nlp.tokenizer.add_special_case(text.upper(), shouted)
    return nlp
