"""A stream is cut into blocks that fit in memory, the same ones every time."""

from __future__ import annotations

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.blocks import cut_blocks


@given(st.lists(st.integers(0, 9)), st.integers(1, 5), st.integers(1, 20))
def test_blocks_are_the_stream_and_none_is_larger_than_it_must_be(sizes: list[int], n: int, size: int) -> None:
    blocks = list(cut_blocks(sizes, int, max_items=n, max_size=size))
    assert list(chain.from_iterable(blocks)) == sizes
    assert all(1 <= len(block) <= n and sum(block[:-1]) < size for block in blocks)
    # None ends before it must.
    assert all(len(block) == n or sum(block) >= size for block in blocks[:-1])


def test_a_stream_is_read_no_further_than_it_is_needed() -> None:
    stream = iter(range(10))
    blocks = cut_blocks(stream, lambda _: 1, max_items=2, max_size=100)
    assert next(blocks) == [0, 1]
    assert next(stream) == 2


def test_a_stream_that_breaks_off_gives_the_blocks_before() -> None:
    def items() -> chain[int]:
        return chain([1, 2, 3], (1 // 0 for _ in [0]))

    blocks = cut_blocks(items(), int, max_items=2, max_size=100)
    assert next(blocks) == [1, 2]
    with pytest.raises(ZeroDivisionError):
        next(blocks)
