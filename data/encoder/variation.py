"""How answers vary from one reading to the next, and which of them a round sees."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from data.encoder.examples import Example
from pipeline.encoder import WordPieces
from pipeline.errors import BadInput

GREETINGS = (
    "hi",
    "hello",
    "hi there",
    "hello thanks for your question",
    "hi dear",
    "thanks for the query",
    "good day",
    "dear patient",
    "hello and welcome",
)
CLOSINGS = (
    "good luck",
    "thanks",
    "regards",
    "hope this helps",
    "take care",
    "best wishes",
    "wish you good health",
    "hope it helps good luck",
    "let me know if you need more help",
)


@dataclass(frozen=True)
class Variation:
    """How an answer is shown otherwise each time, so that what is known by heart is to be read all the same.

    Attributes
    ----------
    marks, stops
        The numbers of the pieces that are signs of punctuation, and of those among them that end a sentence.
    greetings, closings
        What may be put before an answer and after it.
    mask, borders
        The number of the piece that stands for a hidden one, and those of the pieces that are never hidden.
    n_pieces
        An answer grows no longer than that.
    bare_share
        How often an answer is read without its proposition, where its label would be the same.
    rough_share, unmarked_share, unmarked_signs, greeted_share, closed_share
        How many of the answers in good order are roughened; how many of these lose punctuation, and how much of it;
        how many are greeted and how many closed.
    shortened_share, dropped_share
        How many of the rough answers in which evidence is marked lose sentences without any, and how many of these.
    hidden_share, masked_shares
        In how many of the readings pieces are hidden, and what share of them, one of these by chance.
    """

    marks: frozenset[int]
    stops: frozenset[int]
    greetings: Sequence[Sequence[int]]
    closings: Sequence[Sequence[int]]
    mask: int
    borders: frozenset[int]
    n_pieces: int
    bare_share: float = 0.4
    rough_share: float = 0.3
    unmarked_share: float = 0.5
    unmarked_signs: float = 0.8
    greeted_share: float = 0.33
    closed_share: float = 0.4
    shortened_share: float = 0.5
    dropped_share: float = 0.25
    hidden_share: float = 0.5
    masked_shares: tuple[float, ...] = (0.1, 0.2)

    @classmethod
    def of(cls, pieces: Sequence[str], n_pieces: int) -> Variation:
        """Vary answers that are cut into pieces of a vocabulary, to be no longer than `n_pieces`.

        Raises
        ------
        BadInput
            When no piece stands for a hidden one.
        """
        if "[MASK]" not in pieces:
            raise BadInput("the encoder's vocabulary", "has no piece [MASK]: it cannot be tuned")
        cutter = WordPieces(tuple(pieces))
        return cls(
            marks=frozenset(pieces.index(mark) for mark in '.,;:!?()-"' if mark in pieces),
            stops=frozenset(pieces.index(mark) for mark in ".?!" if mark in pieces),
            greetings=[cutter.cut(text)[0] for text in GREETINGS],
            closings=[cutter.cut(text)[0] for text in CLOSINGS],
            mask=pieces.index("[MASK]"),
            borders=frozenset((cutter.start, cutter.separator)),
            n_pieces=n_pieces,
        )

    def vary(self, example: Example, chance: random.Random) -> Example:
        """Show an answer another time."""
        if example.bare is not None and chance.random() < self.bare_share:
            example = example.bare
        if example.is_rough:
            shown = self._shorten(example, chance) if chance.random() < self.shortened_share else example
        else:
            shown = self._roughen(example, chance) if chance.random() < self.rough_share else example
        return self._hide(shown, chance)

    def _roughen(self, example: Example, chance: random.Random) -> Example:
        """Leave out most signs of punctuation, greet, close."""
        shown = example
        if chance.random() < self.unmarked_share:
            answer = example.numbers[example.first : -1]
            kept = [
                place
                for place, number in enumerate(answer)
                if number not in self.marks or chance.random() >= self.unmarked_signs
            ]
            shown = example.keep(kept) if kept else example
        before = chance.choice(self.greetings) if chance.random() < self.greeted_share else ()
        after = chance.choice(self.closings) if chance.random() < self.closed_share else ()
        surrounded = shown.surround(before, after)
        return surrounded if len(surrounded.is_evidence) <= self.n_pieces else shown

    def _shorten(self, example: Example, chance: random.Random) -> Example:
        """Leave out some of the sentences, cut at stops, in which readers marked nothing, where they marked any."""
        if not any(example.is_evidence):
            return example
        kept = [
            place
            for sentence in split_sentences(example.numbers[example.first : -1], self.stops)
            if any(example.is_evidence[place] for place in sentence) or chance.random() >= self.dropped_share
            for place in sentence
        ]
        return example.keep(kept)

    def _hide(self, example: Example, chance: random.Random) -> Example:
        """Hide some pieces of answer, question and proposition at times."""
        share = chance.choice(self.masked_shares)
        if chance.random() >= self.hidden_share:
            return example
        numbers = [
            self.mask if number not in self.borders and chance.random() < share else number
            for number in example.numbers
        ]
        return replace(example, numbers=numbers)


def split_sentences(numbers: Sequence[int], stops: Collection[int]) -> Iterator[range]:
    """Split the pieces of an answer after each stop.

    Examples
    --------
    >>> list(split_sentences([7, 1, 8, 9], {1}))
    [range(0, 2), range(2, 4)]
    """
    start = 0
    for place, number in enumerate(numbers):
        if number in stops:
            yield range(start, place + 1)
            start = place + 1
    if start < len(numbers):
        yield range(start, len(numbers))


def draw_round(
    examples: Sequence[Example], variation: Variation, size: int, chance: random.Random
) -> list[list[Example]]:
    """Draw what is seen in a round, each answer by its share, in batches of answers about as long as each other."""
    shown = [variation.vary(example, chance) for example in examples if chance.random() < example.share]
    chance.shuffle(shown)
    batches = []
    for start in range(0, len(shown), size * 50):
        # Less is filled up where those of a batch are about as long.
        part = sorted(shown[start : start + size * 50], key=lambda example: len(example.numbers))
        batches += [part[place : place + size] for place in range(0, len(part), size)]
    chance.shuffle(batches)
    return batches
