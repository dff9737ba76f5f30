"""Finding the lexicon's wordings in many texts at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


class Matches(NamedTuple):
    """Wordings found: family number, and half-open range of tokens; in order of start, end, family."""

    family: Ints
    start: Ints
    end: Ints


class PhraseTrie:
    """A trie of word numbers that is walked from every token of a batch at the same time.

    spaCy's PhraseMatcher finds the same, a text and a Span at a time; with eight thousand wordings in
    short texts that takes many times as long as tokenising them.

    Parameters
    ----------
    phrases
        By family number, the word numbers of each wording; numbers are 1 and up.
    n_words
        The highest word number.
    """

    def __init__(self, phrases: Mapping[int, Iterable[Sequence[int]]], n_words: int) -> None:
        self._base = n_words + 1
        children: dict[int, int] = {}
        families: dict[int, list[int]] = {}
        for family, wordings in phrases.items():
            for wording in wordings:
                node = 0
                for word in wording:
                    node = children.setdefault(node * self._base + word, len(children) + 1)
                families.setdefault(node, []).append(family)
        order = sorted(children)
        self._keys = np.array(order, dtype=np.int64)
        self._nodes = np.array([children[key] for key in order], dtype=np.int64)
        self._root = np.zeros(self._base, dtype=np.int64)
        from_root = self._keys < self._base
        self._root[self._keys[from_root]] = self._nodes[from_root]
        counts = [len(families.get(node, ())) for node in range(len(children) + 1)]
        self._n_families = np.array(counts, dtype=np.int64)
        self._first_family = np.cumsum(self._n_families) - self._n_families
        listed = [family for node in range(len(children) + 1) for family in families.get(node, ())]
        self._families = np.array(listed, dtype=np.int64)

    def find(self, words: Ints, ends: Ints) -> Matches:
        """Find every wording; where two of a family overlap, the first counts, and the longest at a place.

        Parameters
        ----------
        words
            Word number of each token, 0 for a word that no wording has; shape (n_tokens,).
        ends
            Where the text of each token ends, shape (n_tokens,): no wording reaches past it.
        """
        if not len(self._keys):
            return Matches(*(np.empty(0, dtype=np.int64) for _ in range(3)))
        found: list[Matches] = []
        nodes = self._root[words]
        starts = np.flatnonzero(nodes)
        nodes = nodes[starts]
        places = starts
        while len(starts):
            n = self._n_families[nodes]
            hit = np.flatnonzero(n)
            if len(hit):
                n = n[hit]
                within = np.arange(n.sum()) - np.repeat(np.cumsum(n) - n, n)
                families = self._families[np.repeat(self._first_family[nodes[hit]], n) + within]
                found.append(Matches(families, np.repeat(starts[hit], n), np.repeat(places[hit] + 1, n)))
            places = places + 1
            alive = np.flatnonzero(places < ends[starts])
            starts, places, nodes = starts[alive], places[alive], nodes[alive]
            keys = nodes * self._base + words[places]
            slots = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
            alive = np.flatnonzero(self._keys[slots] == keys)
            starts, places, nodes = starts[alive], places[alive], self._nodes[slots[alive]]
        return (
            _keep_longest(Matches(*(np.concatenate(column) for column in zip(*found, strict=True))))
            if found
            else (Matches(*(np.empty(0, dtype=np.int64) for _ in range(3))))
        )


def _keep_longest(matches: Matches) -> Matches:
    family, start, end = matches
    order = np.lexsort((-end, start, family))
    family, start, end = family[order], start[order], end[order]
    # Families are set so far apart that the furthest end so far is the family's own.
    shift = family * (int(end.max()) + 1)
    furthest = np.maximum.accumulate(end + shift)
    is_free = np.ones(len(start), dtype=bool)
    is_free[1:] = start[1:] + shift[1:] >= furthest[:-1]
    family, start, end = family[is_free], start[is_free], end[is_free]
    order = np.lexsort((family, end, start))
    return Matches(family[order], start[order], end[order])
