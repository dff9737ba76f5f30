"""Words cut into the pieces that an encoder knows."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

_WORD = re.compile(r"[^\W_]+|[^\w\s]|_")
_LONGEST_WORD = 100
_KNOWN_WORDS = 100_000
_UNKNOWN, _CLASS, _SEPARATOR = "[UNK]", "[CLS]", "[SEP]"


class WordPieces:
    """Cuts words into the pieces that a vocabulary has, the longest first.

    Parameters
    ----------
    pieces
        The vocabulary, in the order of the numbers; a piece within a word begins with ``##``.

    References
    ----------
    Devlin, Chang, Lee, Toutanova, "BERT: pre-training of deep bidirectional transformers", NAACL 2019;
    the algorithm is that of Wu et al., arXiv:1609.08144, section 4.1.

    Examples
    --------
    >>> pieces = WordPieces(["[UNK]", "[CLS]", "[SEP]", "un", "##safe", "."])
    >>> pieces.cut("Unsafe.")
    ([3, 4, 5], [0, 0, 6])
    """

    def __init__(self, pieces: Sequence[str]) -> None:
        self._numbers = {piece: number for number, piece in enumerate(pieces)}
        self._cut: dict[str, list[int]] = {}
        self.start, self.separator = self._numbers[_CLASS], self._numbers[_SEPARATOR]

    def cut(self, text: str) -> tuple[list[int], list[int]]:
        """Cut a text.

        Returns
        -------
        numbers
            Of the pieces.
        starts
            Where the word of each piece starts, in characters.
        """
        numbers: list[int] = []
        starts: list[int] = []
        for match in _WORD.finditer(text):
            found = self._cut_word(match[0])
            numbers += found
            starts += [match.start()] * len(found)
        return numbers, starts

    def _cut_word(self, word: str) -> list[int]:
        if word not in self._cut:
            # Bounded: a stream has ever new words.
            if len(self._cut) >= _KNOWN_WORDS:
                self._cut.clear()
            self._cut[word] = self._match(_fold(word))
        return self._cut[word]

    def _match(self, word: str) -> list[int]:
        unknown = [self._numbers[_UNKNOWN]]
        if len(word) > _LONGEST_WORD:
            return unknown
        found: list[int] = []
        start = 0
        while start < len(word):
            lead = "##" if start else ""
            ends = range(len(word), start, -1)
            end = next((end for end in ends if lead + word[start:end] in self._numbers), None)
            if end is None:
                return unknown
            found.append(self._numbers[lead + word[start:end]])
            start = end
        return found


def _fold(word: str) -> str:
    """Make a word lower case and strip its accents."""
    parts = unicodedata.normalize("NFD", word.lower())
    return "".join(sign for sign in parts if unicodedata.category(sign) != "Mn")
