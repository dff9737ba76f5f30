"""Cutting a stream into blocks that fit in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def cut_blocks(items: Iterable[T], size_of: Callable[[T], int], *, max_items: int, max_size: int) -> Iterator[list[T]]:
    """Cut a stream into blocks: the same stream gives the same blocks.

    Parameters
    ----------
    items
        What to cut.
    size_of
        How large an item is.
    max_items
        Items of a block at most.
    max_size
        A block that is as large as this takes no further item.

    Examples
    --------
    >>> list(cut_blocks(["a", "b", "ccccc", "d"], len, max_items=2, max_size=4))
    [['a', 'b'], ['ccccc'], ['d']]
    """
    block: list[T] = []
    size = 0
    for item in items:
        block.append(item)
        size += size_of(item)
        if len(block) == max_items or size >= max_size:
            yield block
            block, size = [], 0
    if block:
        yield block
