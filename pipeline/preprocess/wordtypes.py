"""Distinct tokens, numbered, with all that the annotation asks of a token by itself."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from spacy.lexeme import Lexeme
from spacy.strings import get_string_id
from spacy.vocab import Vocab

SPACE, PUNCT, JOINER, NUMBER = 1, 2, 4, 8
CLOSES, ENDS, TRAIL, ASKS = 16, 32, 64, 128
BREAK, PARAGRAPH, OPENS_LINE, LOWER = 256, 512, 1024, 2048
BORDER, CLAUSE, DASH, CONTENT = 4096, 8192, 16384, 32768
GLUE, DETERMINER = 65536, 131072
"""What a token by itself may be; the flags of a type are added up."""

TARGET_WORD, NUMBER_WORD = "TARGET", "NUM"

_CLAUSE_BORDERS = frozenset({",", ";", ":", ".", "..", "...", "…", "!", "?", "(", ")", "--", "/", "\n", "\n\n"})
_CLAUSE_WORDS = frozenset({"because", "so", "which", "who", "since", "as", "if", "unless", "and"})
_DETERMINERS = frozenset(
    {"the", "a", "an", "my", "your", "his", "her", "our", "their", "this", "that", "these", "those"}
)
_GLUE_WORDS = _DETERMINERS | {"of", "in", "on", "for", "to", "with", "and", "or", "from", "at", "by", "into"}
_CLOSING = frozenset({'"', "'", ")", "]"})
_TRAILS = frozenset({"...", "…", ".."})
_LINE_MARKS = frozenset({"-", "*", "•", "·"})
_MIX = np.uint64(0x9E3779B97F4A7C15)


class WordTypes:
    """The distinct tokens seen so far: what is asked of a token is worked out once for its type.

    Parameters
    ----------
    vocab
        Where spaCy keeps the strings.
    lexicon_words
        Number, 1 and up, of each word (NORM) that stands in a wording of the lexicon.
    stock_words
        Words of questions that name no target.

    Attributes
    ----------
    words
        Distinct words: NORM without spaces; `TARGET_WORD` and `NUMBER_WORD` first.
    """

    def __init__(self, vocab: Vocab, lexicon_words: Mapping[str, int], stock_words: Collection[str]) -> None:
        self._vocab = vocab
        self._lexicon_words = lexicon_words
        self._stock_words = frozenset(stock_words)
        self._types: dict[int, int] = {}
        self._word_numbers = {TARGET_WORD: 0, NUMBER_WORD: 1}
        self._stem_numbers: dict[str, int] = {}
        self.words = [TARGET_WORD, NUMBER_WORD]
        self._rows: list[tuple[int, int, int, int, int]] = []
        self._table = np.empty((0, 5), dtype=np.int64)
        self._hashes = np.array([get_string_id(word) for word in self.words], dtype=np.uint64)

    def __len__(self) -> int:
        return len(self._rows)

    def number(self, orths: NDArray[np.uint64], norms: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Return the type of each token, shape (n_tokens,), adding those never seen.

        Parameters
        ----------
        orths, norms
            spaCy's ORTH and NORM, shape (n_tokens,).
        """
        keys, first, inverse = np.unique(orths ^ (norms * _MIX), return_index=True, return_inverse=True)
        numbers = [self._types.get(key, -1) for key in keys.tolist()]
        for place, number in enumerate(numbers):
            if number < 0:
                numbers[place] = self._add(int(keys[place]), int(orths[first[place]]), int(norms[first[place]]))
        return np.array(numbers, dtype=np.int64)[inverse]

    def _add(self, key: int, orth: int, norm: int) -> int:
        lexeme, normal = self._vocab[orth], self._vocab.strings[norm]
        word = NUMBER_WORD if lexeme.like_num else ("".join(normal.split()) or "?")
        if word not in self._word_numbers:
            self._word_numbers[word] = len(self.words)
            self.words.append(word)
        stemmed = stem(lexeme.lower_)
        self._types[key] = len(self._rows)
        self._rows.append(
            (
                self._flags(lexeme, normal),
                self._word_numbers[word],
                self._stem_numbers.setdefault(stemmed, len(self._stem_numbers)),
                self._lexicon_words.get(normal, 0),
                len(lexeme.text),
            )
        )
        return self._types[key]

    def _flags(self, lexeme: Lexeme, norm: str) -> int:
        text = lexeme.text
        ends = text[0] in ".!?…" and not text.strip(".!?…")
        n_breaks = text.count("\n") if lexeme.is_space else 0
        is_content = lexeme.is_alpha and len(text) > 2 and not lexeme.is_stop
        marks = {
            SPACE: lexeme.is_space,
            PUNCT: lexeme.is_punct,
            JOINER: text in {"'", '"', "-"},
            NUMBER: lexeme.like_num,
            CLOSES: ends or text in _CLOSING,
            ENDS: ends,
            TRAIL: text in _TRAILS,
            ASKS: ends and "?" in text,
            BREAK: n_breaks == 1,
            PARAGRAPH: n_breaks > 1,
            OPENS_LINE: lexeme.is_title or lexeme.is_upper or lexeme.is_digit or text in _LINE_MARKS,
            LOWER: lexeme.is_lower,
            BORDER: text in _CLAUSE_BORDERS,
            CLAUSE: norm in _CLAUSE_WORDS,
            DASH: text == "-",
            GLUE: norm in _GLUE_WORDS,
            DETERMINER: norm in _DETERMINERS,
            CONTENT: is_content and lexeme.lower_ not in self._stock_words,
        }
        return sum(flag for flag, holds in marks.items() if holds)

    def _column(self, column: int, types: NDArray[np.int64]) -> NDArray[np.int64]:
        if len(self._table) < len(self._rows):
            new = np.array(self._rows[len(self._table) :], dtype=np.int64)
            self._table = np.concatenate([self._table, new])
        return np.ascontiguousarray(self._table[:, column])[types]

    def flags(self, types: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the flags of each type."""
        return self._column(0, types)

    def word_numbers(self, types: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return for each type the place of its word in `words`."""
        return self._column(1, types)

    def stems(self, types: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the number of each type's stem, below `n_stems`."""
        return self._column(2, types)

    @property
    def n_stems(self) -> int:
        """How many stems have a number."""
        return len(self._stem_numbers)

    def lexicon_words(self, types: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return for each type the number of its word in the lexicon, 0 for none."""
        return self._column(3, types)

    def lengths(self, types: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the characters of each type."""
        return self._column(4, types)

    def word_hashes(self) -> NDArray[np.uint64]:
        """Return a 64-bit hash of each of `words`, the same in every run."""
        if len(self._hashes) < len(self.words):
            new = [get_string_id(word) for word in self.words[len(self._hashes) :]]
            self._hashes = np.concatenate([self._hashes, np.array(new, dtype=np.uint64)])
        return self._hashes


@lru_cache(maxsize=1 << 16)
def stem(word: str) -> str:
    """Cut the commonest English endings, so that a question's words are found in other forms.

    Examples
    --------
    >>> stem("injections") == stem("injected") == stem("injecting")
    True
    >>> stem("legs"), stem("lip")
    ('leg', 'lip')
    """
    for ending in (
        "'s",
        "ations",
        "ation",
        "ions",
        "ion",
        "ings",
        "ing",
        "ies",
        "ied",
        "es",
        "ed",
        "s",
        "e",
        "y",
    ):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            return word[: -len(ending)]
    return word
