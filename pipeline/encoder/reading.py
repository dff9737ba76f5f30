"""What an encoder says of each sentence of parsed answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from pipeline.encoder.network import Encoder
from pipeline.manifest import digest_texts
from pipeline.preprocess import ParsedBatch
from pipeline.preprocess.clean import clean_text
from pipeline.schema import Asked

Floats = NDArray[np.float64]

READING_UNITS = 1000
"""Readings are whole thousandths: what a processor rounds otherwise is far smaller."""


def texts_to_read(batch: ParsedBatch, row: int) -> tuple[str | None, str, str]:
    """Return the clean proposition, if there is one, question and text of an answer: all that an encoder reads."""
    answer = batch.answers[row]
    proposition = clean_text(answer.proposition) if answer.proposition else None
    return proposition, clean_text(answer.question), batch.sources[row].text


def read_batch(encoder: Encoder, batch: ParsedBatch, rows: Sequence[int] | None = None) -> Floats:
    """Read the answers of a batch, each by itself: what is read beside it changes no digit.

    Parameters
    ----------
    encoder
        What reads.
    batch
        Parsed answers.
    rows
        Which of them to read; None for all.

    Returns
    -------
    ndarray
        What each sentence adds for each label, shape (n_sentences, n_labels), in thousandths; 0 for the
        sentences of answers that are not read.
    """
    readings = np.zeros((len(batch.zones), len(encoder.labels)))
    borders = batch.sentence_borders.tolist()
    sentence_starts = batch.sentence_ranges[:, 0]
    # One thread, so that sums are made in one order whatever the machine has.
    with _thread_pools().limit(limits=1, user_api="blas"):
        for row in range(len(batch.answers)) if rows is None else rows:
            first, last = borders[row : row + 2]
            starts, added = encoder.read(*texts_to_read(batch, row))
            sentences = np.searchsorted(sentence_starts[first:last], starts, side="right") - 1
            np.add.at(readings[first:last], sentences, added)
    rounded: Floats = np.rint(readings * READING_UNITS) / READING_UNITS
    return rounded


@cache
def _thread_pools() -> ThreadpoolController:
    """Return the libraries that NumPy calculates with: to look for them takes longer than to read an answer."""
    return ThreadpoolController()


@dataclass(frozen=True)
class Tuning:
    """Which labelled answers an encoder was tuned on, and what it says of those that were held out.

    What it says of an answer it was tuned on is better than what it will say of others: a regression that learnt
    from it would trust it too far, and scores on it would flatter.

    Attributes
    ----------
    tuned_on
        Answers it was tuned on, by `pipeline.manifest.hash_answer`.
    held_out
        Answers to questions that it saw no answer to, by `hash_asked`: what each sentence adds for each label,
        shape (n_sentences, n_labels), kept so that they need not be read again.
    """

    tuned_on: frozenset[str]
    held_out: Mapping[int, Floats]

    def find(self, answer: Asked, n_sentences: int) -> Floats | None:
        """Return the reading of an answer, if it is kept and the text has as many sentences as then."""
        found = self.held_out.get(hash_asked(answer))
        return found if found is not None and len(found) == n_sentences else None


def hash_asked(answer: Asked) -> int:
    """Hash what an encoder reads: question, proposition, headline and text; spacing and case do not count."""
    digest = digest_texts(answer.question, answer.proposition or "", answer.headline or "", answer.text)
    return int.from_bytes(digest[:8], "little")


def count_unread(tuning: Tuning, batches: Iterable[ParsedBatch]) -> int:
    """Count the answers that `read_unseen` has to read, because no reading of them is kept."""
    return sum(reading is None for batch in batches for reading in _find_kept(tuning, batch))


def _find_kept(tuning: Tuning, batch: ParsedBatch) -> list[Floats | None]:
    borders = batch.sentence_borders
    return [tuning.find(answer, borders[row + 1] - borders[row]) for row, answer in enumerate(batch.answers)]


def read_unseen(encoder: Encoder, tuning: Tuning, batches: Iterable[ParsedBatch]) -> Floats:
    """Read labelled answers that an encoder was not tuned on, but for those whose readings are kept.

    Returns
    -------
    ndarray
        Of all batches' sentences, as in `read_batch`.
    """
    parts = []
    for batch in batches:
        borders, kept = batch.sentence_borders, _find_kept(tuning, batch)
        readings = read_batch(encoder, batch, [row for row, reading in enumerate(kept) if reading is None])
        for row, reading in enumerate(kept):
            if reading is not None:
                readings[borders[row] : borders[row + 1]] = reading
        parts.append(readings)
    return np.concatenate(parts)
