"""Tune the encoder of the default model: hours on two cores.

``python -m data.encoder --texts FOLDER --base FOLDER -o build/encoder``

Answers are cut into folds by question. For each fold an encoder is tuned on the others, and what it says of
the fold's answers is kept: see `pipeline.encoder.KnownReadings`. Then the one to be used is tuned on all.
What is done is kept in the folder, so that a run that was cut off goes on where it was: when the labelled data has
changed, name another.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from data.encoder.network import Base, to_encoder
from data.encoder.tuning import Example, Settings, tune
from data.measure.datasheet import field_of, read_part
from pipeline.encoder import (
    Encoder,
    KnownReadings,
    WordPieces,
    cut_answer,
    dump_encoder,
    dump_readings,
    hash_asked,
    load_readings,
    read_batch,
    texts_to_read,
)
from pipeline.estimator import Floats, Ints
from pipeline.evaluate import group_questions, split_answers
from pipeline.lexicon import default_lexicon_text, parse_lexicon
from pipeline.manifest import ENCODER_READINGS
from pipeline.preprocess import AnswerParser, ParsedBatch, parse_answers
from pipeline.schema import AnswerRecord, read_gold_evidence
from pipeline.workflow.scheme import default_scheme

N_FOLDS = 2
WEIGHTS = {
    "corpus": 3.0,
    "general": 1.0,
    "labels/medical_qa.csv": 1.0,
    "labels/medical_qa_more.csv": 0.7,
    "labels/medical_qa_turned.csv": 0.8,
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
    """Tune on the other folds and read each fold, then tune on all; write the three files of an encoder."""
    labels = default_scheme().names
    batches = list(parse_answers(AnswerParser(parse_lexicon(default_lexicon_text(), "cues.toml")), answers))
    examples = _build_examples(batches, weights, base, labels)
    gold = np.array([field_of(answer, "label") for answer in answers])
    questions = np.array(group_questions([a.question_id for a in answers], [a.question for a in answers]))
    splits, _ = split_answers(gold, questions, N_FOLDS)
    known: dict[int, Floats] = {}
    for number, (train, test) in enumerate(splits):
        place = folder / f"fold{number}"
        if not (place / ENCODER_READINGS).is_file():
            sys.stderr.write(f"fold {number + 1} of {len(splits)}: {len(train)} answers\n")
            network = tune(base, len(labels), [examples[row] for row in train], settings)
            readings = _read_some(to_encoder(network, base, labels), batches, test)
            place.mkdir(exist_ok=True)
            (place / ENCODER_READINGS).write_bytes(dump_readings(readings, len(labels)))
        known |= load_readings(place, len(labels)).by_answer
    sys.stderr.write(f"all: {len(examples)} answers\n")
    encoder = to_encoder(tune(base, len(labels), examples, settings), base, labels)
    files = dump_encoder(encoder) | {ENCODER_READINGS: dump_readings(KnownReadings(known), len(labels))}
    for name, content in files.items():
        (folder / name).write_bytes(content)


def _build_examples(
    batches: Sequence[ParsedBatch], weights: Sequence[float], base: Base, labels: Sequence[str]
) -> list[Example]:
    pieces = WordPieces(base.pieces)
    examples: list[Example] = []
    for batch in batches:
        answers = [answer for answer in batch.answers if isinstance(answer, AnswerRecord)]
        marked = batch.mark_sentences([read_gold_evidence(answer) for answer in answers])
        for row, answer in enumerate(answers):
            numbers, first, starts = cut_answer(pieces, *texts_to_read(batch, row))
            begin, end = batch.sentence_borders[row : row + 2]
            sentence_of = begin + np.searchsorted(batch.sentence_ranges[begin:end, 0], starts, side="right") - 1
            examples.append(
                Example(
                    numbers=numbers,
                    first=first,
                    is_evidence=marked[sentence_of].tolist(),
                    label=labels.index(field_of(answer, "label")),
                    weight=weights[len(examples)],
                )
            )
    return examples


def _read_some(encoder: Encoder, batches: Sequence[ParsedBatch], rows: Ints) -> KnownReadings:
    """Read some answers of the data, by their places in it."""
    is_wanted = np.zeros(sum(len(batch.answers) for batch in batches), dtype=bool)
    is_wanted[rows] = True
    found: dict[int, Floats] = {}
    start = 0
    for batch in batches:
        wanted = np.flatnonzero(is_wanted[start : start + len(batch.answers)]).tolist()
        readings = read_batch(encoder, batch, wanted)
        borders = batch.sentence_borders
        found |= {hash_asked(batch.answers[row]): readings[borders[row] : borders[row + 1]] for row in wanted}
        start += len(batch.answers)
    return KnownReadings(found)


if __name__ == "__main__":
    main()
