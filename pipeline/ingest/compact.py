"""Tables that know millions of ids without holding them: 16 bytes a slot, whatever the length of an id.

A key is the 64-bit hash of a string. Two different strings out of n have the same key with a probability of
about n^2 / 2^65 (the birthday bound): 3e-8 for a million, 3e-4 for a hundred million, 3 % for a billion.
The one that comes later is then taken for the earlier.
"""

from __future__ import annotations

from array import array
from hashlib import blake2b

_FIRST_SLOTS = 8
# The number at a locator's end has the lower bits of a packed place: room for ten digits.
_NUMBER_BITS = 34
_MAX_DIGITS = 10
_DIGITS = "0123456789"


def hash_key(text: str) -> int:
    """Return the 64-bit key of a string without lone surrogates: the same in every process and never 0.

    Examples
    --------
    >>> hex(hash_key("answer-1"))
    '0xea02c658f621e339'
    """
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little") or 1


class CompactTable:
    """Numbers from 0 to 2^64 - 1 by keys of `hash_key`, in a hash table with open addressing.

    It grows by doubling and is never more than two thirds full: 24 to 48 bytes a key, and half as much again
    while it grows.

    Examples
    --------
    >>> table = CompactTable()
    >>> key = hash_key("answer-1")
    >>> table.insert(key, 7), table.insert(key, 8), table.add(key, 2), table.get(key), len(table)
    (None, 7, 9, 9, 1)
    """

    def __init__(self) -> None:
        self._n_keys = 0
        self._allot(_FIRST_SLOTS)

    def _allot(self, n_slots: int) -> None:
        # Keys are hashes, so their lower bits say where to begin; 0 is the key of a free slot.
        self._keys = array("Q", [0]) * n_slots
        self._values = array("Q", [0]) * n_slots
        self._mask = n_slots - 1
        self._room = n_slots * 2 // 3

    def __len__(self) -> int:
        return self._n_keys

    def get(self, key: int) -> int | None:
        """Return a key's number; None when it has none."""
        place = self._find(key)
        return self._values[place] if self._keys[place] else None

    def insert(self, key: int, value: int) -> int | None:
        """Give a key its number unless it has one, and return the one it had; None when it had none."""
        place = self._find(key)
        if self._keys[place]:
            return self._values[place]
        self._take(place, key, value)
        return None

    def add(self, key: int, amount: int) -> int:
        """Add to a key's number, which is 0 when it has none, and return the sum."""
        place = self._find(key)
        if not self._keys[place]:
            self._take(place, key, amount)
            return amount
        self._values[place] += amount
        return self._values[place]

    def _find(self, key: int) -> int:
        """Return the slot that has the key, or the free one that it would have."""
        keys, mask = self._keys, self._mask
        place = key & mask
        while (found := keys[place]) and found != key:
            place = (place + 1) & mask
        return place

    def _take(self, place: int, key: int, value: int) -> None:
        if self._n_keys == self._room:
            self._grow()
            place = self._find(key)
        self._keys[place] = key
        self._values[place] = value
        self._n_keys += 1

    def _grow(self) -> None:
        keys, values = self._keys, self._values
        self._allot(2 * len(keys))
        for key, value in zip(keys, values, strict=True):
            if key:
                place = self._find(key)
                self._keys[place] = key
                self._values[place] = value


class Places:
    """Places in sources as numbers: "a.jsonl, line 12" is the number of ``("a.jsonl", "line ")``, and 12.

    Examples
    --------
    >>> places = Places()
    >>> places.name(places.pack("a.jsonl", "line 12"))
    'a.jsonl, line 12'
    """

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, str], int] = {}
        self._names: list[tuple[str, str]] = []

    def pack(self, file: str, locator: str) -> int:
        """Return the number of a place, below 2^64; 0 stands for no number at the locator's end."""
        words = locator.rstrip(_DIGITS)
        digits = locator[len(words) :]
        if digits and digits[0] != "0" and len(digits) <= _MAX_DIGITS:
            number = int(digits)
        else:
            words, number = locator, 0
        outer = self._numbers.get((file, words))
        if outer is None:
            outer = self._numbers[file, words] = len(self._names)
            self._names.append((file, words))
        return outer << _NUMBER_BITS | number

    def name(self, packed: int) -> str:
        """Return the file and the locator of a place, as in messages."""
        file, words = self._names[packed >> _NUMBER_BITS]
        number = packed & ((1 << _NUMBER_BITS) - 1)
        return f"{file}, {words}{number or ''}"
