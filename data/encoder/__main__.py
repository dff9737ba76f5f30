"""Tune an encoder, such as the default model has: two hours on two cores for each run.

``python -m data.encoder --texts FOLDER --base FOLDER -o build/one``
``python -m data.encoder --texts FOLDER --base FOLDER -o build/two --seed 1``
``python -m data.encoder --texts FOLDER --base FOLDER --between build/one build/two -o build/encoder``

The first two tune the published model, the third starts between them and learns from them too.
Answers are cut by question: four fifths are tuned on, and what the encoder says of the others is kept, so that a
model can learn from them how far it can be trusted. See `pipeline.encoder.Tuning`.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from data.encoder.network import Base, Network, to_encoder
from data.encoder.pairs import pair_up
from data.encoder.teaching import average, teach
from data.encoder.tuning import AGAIN, Example, Settings, tune
from data.measure.datasheet import field_of, is_asked, read_part
from data.parts import PARTS
from pipeline.encoder import (
    Encoder,
    Tuning,
    WordPieces,
    cut_answer,
    dump_encoder,
    dump_tuning,
    hash_asked,
    load_encoder,
    load_tuning,
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

N_PAIRS, PAIR_WEIGHT = 3, 0.7
"""How many pairs without a label are made for each answer at most, and how much one counts."""

NETWORK = "network.pt"
"""Where a tuned network's weights are kept, for another to start from."""


def main() -> None:
    """Tune and save."""
    parser = argparse.ArgumentParser(prog="python -m data.encoder", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--texts", required=True, help="folder of the real answers that the tables of data/labels are on"
    )
    parser.add_argument("--base", required=True, type=Path, help="folder of the published model: a BERT of English")
    parser.add_argument(
        "--between", nargs="+", default=[], type=Path, metavar="FOLDER", help="earlier tunings to start and learn from"
    )
    parser.add_argument(
        "--seed", default=0, type=int, help="of the order of the answers, what is dropped out and which pairs are made"
    )
    parser.add_argument("-o", "--output", required=True, type=Path, help="where the encoder goes")
    options = parser.parse_args()
    root = Path(__file__).parents[1]
    answers, weights = [], []
    for part in PARTS:
        read = read_part(root / part.path, options.texts if part.path.endswith(".csv") else None)
        answers += read
        weights += [part.in_encoder] * len(read)
    options.output.mkdir(parents=True, exist_ok=True)
    settings = replace(AGAIN if options.between else Settings(), seed=options.seed)
    tune_all(answers, weights, Base.read(options.base), options.between, options.output, settings)


def tune_all(
    answers: Sequence[AnswerRecord],
    weights: Sequence[float],
    base: Base,
    between: Sequence[Path],
    folder: Path,
    settings: Settings,
) -> None:
    """Tune on all parts but one and read that; write the three files of an encoder, and its network."""
    scheme = default_scheme()
    labels = scheme.names
    parser = AnswerParser(parse_lexicon(default_lexicon_text(), "cues.toml"))
    batches = list(parse_answers(parser, answers))
    gold = np.array([field_of(answer, "label") for answer in answers])
    questions = np.array(group_questions([a.question_id for a in answers], [a.question for a in answers]))
    train, test = split_answers(gold, questions, N_PARTS)[0][0]
    sys.stderr.write(f"{len(train)} answers to tune on, {len(test)} held out\n")
    built = _build_examples(batches, weights, base, labels)
    examples = [built[row] for row in train]
    network = Network(base, len(labels))
    if between:
        held_out = {hash_answer(answers[row]) for row in test}
        earlier = [_load_earlier(path, base, labels, held_out) for path in between]
        average(earlier, network)
        pairs = list(pair_up([answers[row] for row in train], N_PAIRS, settings.seed))
        unlabelled = _build_examples(parse_answers(parser, pairs), [PAIR_WEIGHT] * len(pairs), base, labels)
        examples = [*teach(earlier, examples, settings.taught_share), *teach(earlier, unlabelled, 1.0)]
    tune(network, scheme, examples, settings)
    torch.save(network.state_dict(), folder / NETWORK)
    for name, content in dump_encoder(to_encoder(network, base, labels)).items():
        (folder / name).write_bytes(content)
    # Read as users will: by the matrices that were rounded when saved.
    readings = _read_some(load_encoder(folder), batches, test)
    tuning = Tuning(frozenset(hash_answer(answers[row]) for row in train), readings)
    (folder / ENCODER_TUNING).write_bytes(dump_tuning(tuning, len(labels)))


def _load_earlier(folder: Path, base: Base, labels: Sequence[str], held_out: AbstractSet[str]) -> Network:
    if held_out & load_tuning(folder, len(labels)).tuned_on:
        raise SystemExit(f"{folder} was tuned on answers that are held out of this data: tune it again")
    network = Network(base, len(labels))
    network.load_state_dict(torch.load(folder / NETWORK, weights_only=True))
    return network


def _build_examples(
    batches: Iterable[ParsedBatch], weights: Sequence[float], base: Base, labels: Sequence[str]
) -> list[Example]:
    pieces = WordPieces(base.pieces)
    examples: list[Example] = []
    for batch in batches:
        answers = [answer for answer in batch.answers if isinstance(answer, AnswerRecord)]
        marked = batch.mark_sentences([read_gold_evidence(answer) for answer in answers])
        for row, answer in enumerate(answers):
            begin, end = batch.sentence_borders[row : row + 2]
            sentences = batch.sentence_ranges[begin:end, 0], marked[begin:end]
            label = (answer.model_extra or {}).get("label")
            judged = [float(name == label) for name in labels], weights[len(examples)]
            proposition, question, text = texts_to_read(batch, row)
            bare = _cut_example(pieces, (None, question, text), sentences, judged) if is_asked(answer) else None
            examples.append(replace(_cut_example(pieces, (proposition, question, text), sentences, judged), bare=bare))
    return examples


def _cut_example(
    pieces: WordPieces,
    read: tuple[str | None, str, str],
    sentences: tuple[Ints, Bools],
    judged: tuple[Sequence[float], float],
) -> Example:
    """Cut what is read, with where its sentences start and which are marked, and its target and weight."""
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
