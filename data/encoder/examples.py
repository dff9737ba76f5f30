"""Labelled answers as an encoder is tuned on them: cut into pieces of words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, cast

import numpy as np

from data.measure.datasheet import field_of, is_asked
from data.parts import Part
from pipeline.encoder import WordPieces, cut_answer, texts_to_read
from pipeline.estimator import Bools, Ints
from pipeline.preprocess import ParsedBatch
from pipeline.schema import AnswerRecord, read_gold_evidence

LEAST_NEUTRAL = 0.5
"""What share of the neutral answers a round sees at least, where they are rough: there are few."""


@dataclass(frozen=True)
class Example:
    """One answer, cut into pieces, with what is to be said of it.

    Attributes
    ----------
    numbers, first
        As `pipeline.encoder.cut_answer` gives them: the pieces of what is asked and of the answer, a border at
        either end, and where the answer starts.
    is_evidence
        Whether each piece of the answer stands in a sentence that readers marked.
    label
        The place of its label in the scheme.
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
    label: int
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


def build_examples(
    batches: Iterable[ParsedBatch], part_of: Sequence[Part], pieces: Sequence[str], labels: Sequence[str]
) -> list[Example]:
    """Cut labelled answers into pieces of words.

    Parameters
    ----------
    batches
        The answers, parsed.
    part_of
        The part of the labelled data that each of them is of, shape (n_answers,).
    pieces
        The vocabulary.
    labels
        Those of the scheme, in order.
    """
    cutter = WordPieces(tuple(pieces))
    parts = iter(part_of)
    examples: list[Example] = []
    for batch in batches:
        answers = cast("Sequence[AnswerRecord]", batch.answers)
        marked = batch.mark_sentences([read_gold_evidence(answer) for answer in answers])
        for row, (answer, part) in enumerate(zip(answers, islice(parts, len(answers)), strict=True)):
            begin, end = batch.sentence_borders[row : row + 2]
            sentences = batch.sentence_ranges[begin:end, 0], marked[begin:end]
            proposition, question, text = texts_to_read(batch, row)
            known = _describe(field_of(answer, "label"), labels, part)
            bare = _cut(cutter, (None, question, text), sentences, known) if is_asked(answer) else None
            examples.append(_cut(cutter, (proposition, question, text), sentences, known | {"bare": bare}))
    return examples


def _describe(label: str, labels: Sequence[str], part: Part) -> dict[str, Any]:
    is_rare = label == "neutral" and part.is_rough
    return {
        "label": labels.index(label),
        "weight": part.in_encoder,
        "share": max(part.in_round, LEAST_NEUTRAL) if is_rare else part.in_round,
        "is_rough": part.is_rough,
    }


def _cut(
    cutter: WordPieces, read: tuple[str | None, str, str], sentences: tuple[Ints, Bools], known: Mapping[str, Any]
) -> Example:
    """Cut what is read, with where its sentences start and which of them are marked."""
    numbers, first, starts = cut_answer(cutter, *read)
    sentence_starts, is_marked = sentences
    sentence_of = np.searchsorted(sentence_starts, starts, side="right") - 1
    return Example(numbers, first, is_marked[sentence_of].tolist(), **known)
