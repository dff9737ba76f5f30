"""Labelled answers as an encoder is tuned on them, cut into pieces of words and varied from reading to reading."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from pipeline.encoder import WordPieces

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
class Example:
    """One answer, cut into pieces, with what is to be said of it.

    Attributes
    ----------
    numbers, first
        As `pipeline.encoder.Encoder.cut` gives them: the pieces of what is asked and of the answer, a border at
        either end, and where the answer starts.
    is_evidence
        Whether each piece of the answer stands in a sentence that readers marked.
    target
        The share of each label, in the order of the scheme: all of one where readers gave it.
    weight
        How much it counts.
    share
        In what share of the rounds it is seen.
    is_rough
        Whether the answer is worded as hasty doctors type.
    bare
        The same without the proposition, as a page has it; None where the proposition is another thing than
        what the question asks about.
    """

    numbers: Sequence[int]
    first: int
    is_evidence: Sequence[bool]
    target: Sequence[float]
    weight: float = 1.0
    share: float = 1.0
    is_rough: bool = True
    bare: Example | None = None

    def keep(self, places: Sequence[int]) -> Example:
        """Keep some pieces of the answer, by their places in it."""
        end = len(self.numbers) - 1
        kept = [self.numbers[self.first + place] for place in places]
        return replace(
            self,
            numbers=[*self.numbers[: self.first], *kept, *self.numbers[end:]],
            is_evidence=[self.is_evidence[place] for place in places],
        )

    def surround(self, before: Sequence[int], after: Sequence[int]) -> Example:
        """Put pieces that are no evidence before the answer and after it."""
        end = len(self.numbers) - 1
        asked, answer = self.numbers[: self.first], self.numbers[self.first : end]
        return replace(
            self,
            numbers=[*asked, *before, *answer, *after, *self.numbers[end:]],
            is_evidence=[*[False] * len(before), *self.is_evidence, *[False] * len(after)],
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
    rough_share, unmarked_share, greeted_share, closed_share
        How many of the answers in good order are roughened, and how many of these lose their punctuation, are greeted
        and are closed.
    shortened_share, dropped_share
        How many of the rough answers lose sentences without evidence, and how many of these.
    masked_shares
        What share of the pieces is hidden, one of these by chance, in half of the readings.
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
    greeted_share: float = 0.33
    closed_share: float = 0.4
    shortened_share: float = 0.5
    dropped_share: float = 0.25
    masked_shares: tuple[float, ...] = (0.1, 0.2)

    @classmethod
    def of(cls, pieces: Sequence[str], n_pieces: int) -> Variation:
        """Vary answers that are cut into pieces of a vocabulary."""
        cutter = WordPieces(tuple(pieces))

        def cut(text: str) -> list[int]:
            return list(cutter.cut(text)[0])

        return cls(
            marks=frozenset(cut(mark)[0] for mark in '.,;:!?()-"'),
            stops=frozenset(cut(mark)[0] for mark in ".?!"),
            greetings=[cut(text) for text in GREETINGS],
            closings=[cut(text) for text in CLOSINGS],
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
            kept = [place for place, number in enumerate(answer) if number not in self.marks or chance.random() < 0.2]
            shown = example.keep(kept) if kept else example
        before = chance.choice(self.greetings) if chance.random() < self.greeted_share else ()
        after = chance.choice(self.closings) if chance.random() < self.closed_share else ()
        shown = shown.surround(before, after)
        return shown if len(shown.is_evidence) <= self.n_pieces else example

    def _shorten(self, example: Example, chance: random.Random) -> Example:
        """Leave out some of the sentences in which readers marked nothing, where they marked anything."""
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
        """Hide some pieces of answer, question and proposition in half of the readings."""
        share = chance.choice(self.masked_shares)
        if chance.random() < 0.5:
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
