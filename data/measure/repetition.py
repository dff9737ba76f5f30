"""How much texts repeat themselves and one another."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_SHINGLE = 5


def split_words(text: str) -> list[str]:
    """Split a text into lower-cased words.

    Examples
    --------
    >>> split_words("Don't do it, ever!")
    ["don't", 'do', 'it', 'ever']
    """
    return [word.replace("’", "'") for word in _WORD.findall(text.casefold())]


def _grams(words: Sequence[str], n: int) -> list[tuple[str, ...]]:
    return [tuple(words[place : place + n]) for place in range(len(words) - n + 1)]


@dataclass(frozen=True)
class Repetition:
    """How repetitive a set of texts is.

    Attributes
    ----------
    n_texts, n_words
        How much was looked at.
    distinct_4grams
        Distinct word 4-grams over all word 4-grams.
    sharing_6gram
        Share of texts that have a word 6-gram in common with another text.
    """

    n_texts: int
    n_words: int
    distinct_4grams: float
    sharing_6gram: float


def measure_repetition(texts: Sequence[str]) -> Repetition:
    """Measure how repetitive texts are.

    Distinct 4-grams fall with the amount of text, so compare sets of about as many words.

    References
    ----------
    Li et al., "A diversity-promoting objective function for neural conversation models", NAACL 2016 (distinct-n).

    Examples
    --------
    >>> measure_repetition(["a b c d e f", "x a b c d e f"]).sharing_6gram
    1.0
    """
    words = [split_words(text) for text in texts]
    fours = Counter(gram for text in words for gram in _grams(text, 4))
    sixes = Counter(gram for text in words for gram in set(_grams(text, 6)))
    sharing = [any(sixes[gram] > 1 for gram in _grams(text, 6)) for text in words]
    return Repetition(
        n_texts=len(texts),
        n_words=sum(map(len, words)),
        distinct_4grams=len(fours) / max(1, fours.total()),
        sharing_6gram=float(np.mean(sharing)),
    )


@dataclass(frozen=True)
class Overlap:
    """Two texts and the share of the shorter one's word 5-grams that the other has too."""

    first: int
    second: int
    share: float


def find_overlaps(
    texts: Sequence[str], others: Sequence[str], *, threshold: float, min_shingles: int = 3
) -> list[Overlap]:
    """Find texts that share much of their wording with one of `others`.

    Both are cut into word 5-grams; two texts overlap when at least `threshold` of the shorter one's distinct
    5-grams, and at least `min_shingles` of them, stand in the other too (containment of shingles).

    References
    ----------
    Broder, "On the resemblance and containment of documents", SEQUENCES 1997.

    Returns
    -------
    list of Overlap
        Places in `texts` and in `others`, the greatest share first.

    Examples
    --------
    >>> find_overlaps(["one two three four five six seven"], ["Zero one two three four five six seven"], threshold=0.5)
    [Overlap(first=0, second=0, share=1.0)]
    """
    shingles = [_hash_shingles(text) for text in [*texts, *others]]
    sizes = np.array([len(hashes) for hashes in shingles])
    _, columns, n_texts = np.unique(np.concatenate(shingles), return_inverse=True, return_counts=True)
    rows = np.repeat(np.arange(len(sizes)), sizes)
    # Most stand in a single text: none is shared by those.
    is_shared = n_texts[columns] > 1
    ones = np.ones(int(is_shared.sum()), dtype=np.int32)
    counts = csr_matrix((ones, (rows[is_shared], columns[is_shared])), shape=(len(sizes), len(n_texts)))
    shared = csr_matrix(counts[: len(texts)] @ counts[len(texts) :].T).tocoo()
    share = shared.data / np.minimum(sizes[shared.row], sizes[len(texts) + shared.col])
    found = (share >= threshold) & (shared.data >= min_shingles)
    pairs = zip(shared.row[found].tolist(), shared.col[found].tolist(), share[found].tolist(), strict=True)
    return sorted((Overlap(*pair) for pair in pairs), key=lambda o: (-o.share, o.first, o.second))


def _hash_shingles(text: str) -> NDArray[np.int64]:
    """Return the hashes of a text's distinct word 5-grams: with 64 bits, two of millions are hardly ever alike."""
    return np.fromiter(map(hash, set(_grams(split_words(text), _SHINGLE))), np.int64)
