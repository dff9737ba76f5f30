"""The walk from every token at once finds what looking at every place, wording by wording, finds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.preprocess.trie import Matches, PhraseTrie

Found = list[tuple[int, int, int]]
N_WORDS = 3
WORDINGS = st.lists(st.lists(st.integers(1, N_WORDS), min_size=1, max_size=4), max_size=6)
PHRASES = st.lists(WORDINGS, max_size=3).map(lambda families: dict(enumerate(families)))
TEXTS = st.lists(st.lists(st.integers(0, N_WORDS), max_size=9), max_size=4)


def find(phrases: dict[int, list[list[int]]], texts: list[list[int]]) -> Matches:
    words = np.array([word for text in texts for word in text], dtype=np.int64)
    lengths = [len(text) for text in texts]
    return PhraseTrie(phrases, N_WORDS).find(words, np.repeat(np.cumsum(lengths, dtype=np.int64), lengths))


def listed(matches: Matches) -> Found:
    return [(int(family), int(start), int(end)) for family, start, end in zip(*matches, strict=True)]


def find_plainly(phrases: dict[int, list[list[int]]], texts: list[list[int]]) -> Found:
    found, first = [], 0
    for text in texts:
        for family, wordings in phrases.items():
            longest = [
                (start, max(start + len(wording) for wording in here))
                for start in range(len(text))
                if (here := [wording for wording in wordings if text[start : start + len(wording)] == wording])
            ]
            for start, end in longest:
                if not any(other < start < other_end for other, other_end in longest):
                    found.append((first + start, first + end, family))
        first += len(text)
    return [(family, start, end) for start, end, family in sorted(found)]


@given(PHRASES, TEXTS)
@settings(max_examples=400)
@example({0: [[1, 2], [2, 3], [3, 1]]}, [[1, 2, 3, 1]])
@example({0: [[1]], 1: [[1]], 2: [[1, 1]]}, [[1], [], [1, 1]])
def test_the_trie_finds_what_a_search_wording_by_wording_finds(
    phrases: dict[int, list[list[int]]], texts: list[list[int]]
) -> None:
    assert listed(find(phrases, texts)) == find_plainly(phrases, texts)


@pytest.mark.parametrize(
    ("wordings", "text", "expected"),
    [
        pytest.param([[1, 2]], [3, 1, 2, 3], [(1, 3)], id="in the middle"),
        pytest.param([[1, 2]], [1, 2, 1, 2], [(0, 2), (2, 4)], id="one right after the other"),
        pytest.param([[1], [1, 2], [1, 2, 3]], [1, 2, 3], [(0, 3)], id="the longest at a place"),
        pytest.param([[1], [1, 2, 3]], [1, 2, 1], [(0, 1), (2, 3)], id="a longer one that breaks off"),
        pytest.param([[1, 2], [2, 3, 3]], [1, 2, 3, 3], [(0, 2)], id="the first, though the other is longer"),
        pytest.param([[1, 2, 3], [2]], [1, 2, 3, 2], [(0, 3), (3, 4)], id="not inside another"),
        pytest.param([[1, 2]], [1, 0, 2], [], id="a strange word between"),
        pytest.param([[1, 2], [1, 2]], [1, 2], [(0, 2)], id="a wording that is given twice"),
        pytest.param([[1, 2, 3]], [1, 2], [], id="longer than the text"),
        pytest.param([[1]], [], [], id="no text"),
    ],
)
def test_of_one_family_exactly_these_wordings_count(
    wordings: list[list[int]], text: list[int], expected: list[tuple[int, int]]
) -> None:
    assert [(start, end) for _, start, end in listed(find({0: wordings}, [text]))] == expected


def test_families_do_not_hide_each_other_and_come_in_order_of_start_end_and_number() -> None:
    phrases = {2: [[1, 2]], 0: [[1, 2, 3], [3]], 1: [[1], [1, 2], [2, 3]]}
    assert listed(find(phrases, [[1, 2, 3]])) == [(1, 0, 2), (2, 0, 2), (0, 0, 3)]


@pytest.mark.parametrize("texts", [[[1], [2]], [[1], [], [2]], [[3, 1], [2, 3]]])
def test_no_wording_reaches_past_the_end_of_its_text(texts: list[list[int]]) -> None:
    assert listed(find({0: [[1, 2]]}, texts)) == []


@pytest.mark.parametrize(
    ("phrases", "texts"),
    [
        pytest.param({}, [[1, 2]], id="no families"),
        pytest.param({0: [], 1: []}, [[1, 2]], id="families without wordings"),
        pytest.param({0: [[1]]}, [[2, 3]], id="nothing found"),
        pytest.param({0: [[1]]}, [], id="no texts"),
        pytest.param({}, [], id="nothing at all"),
    ],
)
def test_nothing_found_is_three_empty_arrays_of_integers(
    phrases: dict[int, list[list[int]]], texts: list[list[int]]
) -> None:
    assert [(column.shape, column.dtype) for column in find(phrases, texts)] == [((0,), np.dtype(np.int64))] * 3


@given(PHRASES, TEXTS)
@settings(max_examples=60)
def test_a_text_gives_the_same_alone_as_among_others(
    phrases: dict[int, list[list[int]]], texts: list[list[int]]
) -> None:
    first, alone = 0, []
    for text in texts:
        alone += [(family, first + start, first + end) for family, start, end in listed(find(phrases, [text]))]
        first += len(text)
    assert listed(find(phrases, texts)) == alone
