"""Tune the encoder of the default model: an hour and a half on two cores.

``python -m data.encoder --texts FOLDER --base FOLDER -o build/encoder``

Answers are cut by question: four fifths are tuned on, and what the encoder says of the others is kept, so that a
model can learn from them how far it can be trusted. See `pipeline.encoder.Tuning`.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from data.encoder.network import Base, to_encoder
from data.encoder.tuning import Example, Settings, tune
from data.measure.datasheet import field_of, is_asked, read_part
from pipeline.encoder import (
    Encoder,
    Tuning,
    WordPieces,
    cut_answer,
    dump_encoder,
    dump_tuning,
    hash_asked,
    load_encoder,
    read_batch,
    texts_to_read,
)
from pipeline.estimator import Bools, Floats, Ints
from pipeline.evaluate import group_questions, split_answers
from pipeline.lexicon import default_lexicon_text, parse_lexicon
from pipeline.manifest import ENCODER_TUNING, hash_answer
from pipeline.preprocess import AnswerParser, ParsedBatch, parse_answers
from pipeline.schema import AnswerRecord, read_gold_evidence
from pipeline.workflow.scheme import default_scheme

N_PARTS = 5
"""One of so many parts of the questions is held out."""

WEIGHTS = {
    "corpus": 2.0,
    "general": 0.8,
    "labels/medical_qa.csv": 1.0,
    "labels/medical_qa_more.csv": 0.8,
    "labels/medical_qa_turned.csv": 1.0,
}
"""How much an answer of each part of the labelled data counts."""


def main() -> None:
    """Tune and save."""
    parser = argparse.ArgumentParser(prog="python -m data.encoder", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--texts", required=True, help="folder of the real answers that the tables of data/labels are on"
    )
    parser.add_argument("--base", required=True, type=Path, help="folder of the published model: a BERT of English")
    parser.add_argument("-o", "--output", required=True, type=Path, help="where the encoder goes")
    options = parser.parse_args()
    root = Path(__file__).parents[1]
    answers, weights = [], []
    for part, weight in WEIGHTS.items():
        read = read_part(root / part, options.texts if part.endswith(".csv") else None)
        answers += read
        weights += [weight] * len(read)
    options.output.mkdir(parents=True, exist_ok=True)
    tune_all(answers, weights, Base.read(options.base), options.output, Settings())


def tune_all(
    answers: Sequence[AnswerRecord], weights: Sequence[float], base: Base, folder: Path, settings: Settings
) -> None:
    """Tune on all parts but one and read that; write the three files of an encoder."""
    scheme = default_scheme()
    labels = scheme.names
    batches = list(parse_answers(AnswerParser(parse_lexicon(default_lexicon_text(), "cues.toml")), answers))
    examples = _build_examples(batches, weights, base, labels)
    gold = np.array([field_of(answer, "label") for answer in answers])
    questions = np.array(group_questions([a.question_id for a in answers], [a.question for a in answers]))
    train, test = split_answers(gold, questions, N_PARTS)[0][0]
    sys.stderr.write(f"{len(train)} answers to tune on, {len(test)} held out\n")
    network = tune(base, scheme, [examples[row] for row in train], settings)
    for name, content in dump_encoder(to_encoder(network, base, labels)).items():
        (folder / name).write_bytes(content)
    # Read as users will: by the matrices that were rounded when saved.
    held_out = _read_some(load_encoder(folder), batches, test)
    tuning = Tuning(frozenset(hash_answer(answers[row]) for row in train), held_out)
    (folder / ENCODER_TUNING).write_bytes(dump_tuning(tuning, len(labels)))


def _build_examples(
    batches: Sequence[ParsedBatch], weights: Sequence[float], base: Base, labels: Sequence[str]
) -> list[Example]:
    pieces = WordPieces(base.pieces)
    examples: list[Example] = []
    for batch in batches:
        answers = [answer for answer in batch.answers if isinstance(answer, AnswerRecord)]
        marked = batch.mark_sentences([read_gold_evidence(answer) for answer in answers])
        for row, answer in enumerate(answers):
            begin, end = batch.sentence_borders[row : row + 2]
            sentences = batch.sentence_ranges[begin:end, 0], marked[begin:end]
            judged = labels.index(field_of(answer, "label")), weights[len(examples)]
            proposition, question, text = texts_to_read(batch, row)
            bare = _cut_example(pieces, (None, question, text), sentences, judged) if is_asked(answer) else None
            examples.append(replace(_cut_example(pieces, (proposition, question, text), sentences, judged), bare=bare))
    return examples


def _cut_example(
    pieces: WordPieces, read: tuple[str | None, str, str], sentences: tuple[Ints, Bools], judged: tuple[int, float]
) -> Example:
    """Cut what is read, with where its sentences start and which are marked, and its label and weight."""
    numbers, first, starts = cut_answer(pieces, *read)
    sentence_starts, is_marked = sentences
    sentence_of = np.searchsorted(sentence_starts, starts, side="right") - 1
    return Example(numbers, first, is_marked[sentence_of].tolist(), *judged)


def _read_some(encoder: Encoder, batches: Sequence[ParsedBatch], rows: Ints) -> dict[int, Floats]:
    """Read some answers of the data, by their places in it."""
    is_wanted = np.zeros(sum(len(batch.answers) for batch in batches), dtype=bool)
    is_wanted[rows] = True
    starts = np.cumsum([0, *(len(batch.answers) for batch in batches)])
    wanted = [np.flatnonzero(is_wanted[start:end]).tolist() for start, end in pairwise(starts)]
    # Each thread calculates by itself: NumPy lets others run meanwhile.
    with threadpool_limits(1), ThreadPoolExecutor(os.cpu_count()) as pool:
        read = list(pool.map(lambda batch, chosen: read_batch(encoder, batch, chosen), batches, wanted))
    found: dict[int, Floats] = {}
    for batch, chosen, readings in zip(batches, wanted, read, strict=True):
        borders = batch.sentence_borders
        found |= {hash_asked(batch.answers[row]): readings[borders[row] : borders[row + 1]] for row in chosen}
    return found


if __name__ == "__main__":
    main()
