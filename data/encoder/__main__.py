"""Tune an encoder, such as the default model has: some ninety steps a minute on two cores.

``python -m data.encoder --texts FOLDER --base FOLDER --steps 40000 -o build/first``
``python -m data.encoder --texts FOLDER --from build/first -o build/further``
``python -m data.encoder --texts FOLDER --from build/first build/further --steps 0 -o build/encoder``

The first tunes a published model, the second goes on from a tuned one, the third takes the mean of their weights.
A tenth of the questions is held out, and what the encoder says of the answers to them is kept, so that a model can
learn from them how far it can be trusted: see `pipeline.encoder.Tuning`.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from data.encoder.examples import Example
from data.encoder.holding_out import hold_out
from data.encoder.network import Network, average, to_encoder
from data.encoder.tuning import Settings, tune
from data.measure.datasheet import field_of, is_asked, read_part
from data.parts import PARTS, Part
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
from pipeline.lexicon import default_lexicon_text, parse_lexicon
from pipeline.manifest import ENCODER_TUNING, hash_answer
from pipeline.preprocess import AnswerParser, ParsedBatch, parse_answers
from pipeline.schema import AnswerRecord, LabelScheme, read_gold_evidence
from pipeline.workflow.scheme import default_scheme

LEAST_NEUTRAL = 0.5
"""What share of the neutral answers a round sees at least, where they are rough: there are few."""

BASE_RATE, BASE_HEAD_RATE = 2e-4, 1e-3
"""Learning rates that suit a published model; a tuned one keeps more of what it knows at those of `Settings`."""


def main() -> None:
    """Tune and save."""
    parser = argparse.ArgumentParser(
        prog="python -m data.encoder", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--texts", required=True, help="folder of the real answers that the tables of data/labels are on"
    )
    start = parser.add_mutually_exclusive_group(required=True)
    start.add_argument("--base", type=Path, metavar="FOLDER", help="start from a published model: a BERT of English")
    start.add_argument(
        "--from", nargs="+", dest="earlier", type=Path, metavar="FOLDER", help="start from the mean of tuned encoders"
    )
    parser.add_argument("--steps", type=int, default=Settings.n_steps, help="of 16 answers each; 0 to tune no further")
    parser.add_argument("--rate", type=float, help="highest learning rate")
    parser.add_argument("--seed", type=int, default=0, help="of the order of the answers and how they are varied")
    parser.add_argument("-o", "--output", required=True, type=Path, help="where the encoder goes")
    options = parser.parse_args()
    settings = Settings(n_steps=options.steps, seed=options.seed)
    if options.base:
        settings = replace(settings, rate=BASE_RATE, head_rate=BASE_HEAD_RATE)
    if options.rate:
        settings = replace(settings, rate=options.rate, head_rate=options.rate * settings.head_rate / settings.rate)
    scheme = default_scheme()
    if options.base:
        network, earlier = Network.published(options.base, scheme.names), []
    else:
        network = average([Network.tuned(load_encoder(folder)) for folder in options.earlier])
        earlier = [load_tuning(folder, len(scheme.names)) for folder in options.earlier]
    root = Path(__file__).parents[1]
    parts = {part: read_part(root / part.path, options.texts if part.path.endswith(".csv") else None) for part in PARTS}
    options.output.mkdir(parents=True, exist_ok=True)
    tune_and_save(network, scheme, parts, earlier, settings, options.output)


def tune_and_save(
    network: Network,
    scheme: LabelScheme,
    parts: dict[Part, list[AnswerRecord]],
    earlier: Sequence[Tuning],
    settings: Settings,
    folder: Path,
) -> None:
    """Tune on what is not held out and read what is; write the three files of an encoder."""
    answers = [answer for answers in parts.values() for answer in answers]
    part_of = [part for part, answers in parts.items() for _ in answers]
    is_held_out = hold_out(answers, earlier)
    tuned = np.flatnonzero(~is_held_out)
    sys.stderr.write(f"{len(tuned)} answers to tune on, {is_held_out.sum()} held out\n")
    parser = AnswerParser(parse_lexicon(default_lexicon_text(), "cues.toml"))
    if settings.n_steps:
        batches = parse_answers(parser, [answers[row] for row in tuned])
        examples = build_examples(batches, [part_of[row] for row in tuned], network.pieces, scheme.names)
        tune(network, scheme, examples, settings)
    for name, content in dump_encoder(to_encoder(network)).items():
        (folder / name).write_bytes(content)
    # Read as users will: by the matrices that were rounded when saved.
    held_out = [answers[row] for row in np.flatnonzero(is_held_out)]
    readings = read_answers(load_encoder(folder), list(parse_answers(parser, held_out)))
    tuned_on = frozenset(hash_answer(answers[row]) for row in tuned)
    tuning = Tuning(tuned_on.union(*(one.tuned_on for one in earlier)), readings)
    (folder / ENCODER_TUNING).write_bytes(dump_tuning(tuning, len(scheme.names)))


def build_examples(
    batches: Iterable[ParsedBatch], part_of: Sequence[Part], pieces: Sequence[str], labels: Sequence[str]
) -> list[Example]:
    """Cut labelled answers into pieces of words."""
    cutter = WordPieces(tuple(pieces))
    examples: list[Example] = []
    for batch in batches:
        answers = [answer for answer in batch.answers if isinstance(answer, AnswerRecord)]
        marked = batch.mark_sentences([read_gold_evidence(answer) for answer in answers])
        for row, answer in enumerate(answers):
            begin, end = batch.sentence_borders[row : row + 2]
            sentences = batch.sentence_ranges[begin:end, 0], marked[begin:end]
            part, label = part_of[len(examples)], field_of(answer, "label")
            is_rare = label == "neutral" and part.is_rough
            blank = Example(
                numbers=(),
                first=0,
                is_evidence=(),
                target=[float(name == label) for name in labels],
                weight=part.in_encoder,
                share=max(part.in_round, LEAST_NEUTRAL) if is_rare else part.in_round,
                is_rough=part.is_rough,
            )
            proposition, question, text = texts_to_read(batch, row)
            bare = _cut(cutter, (None, question, text), sentences, blank) if is_asked(answer) else None
            examples.append(replace(_cut(cutter, (proposition, question, text), sentences, blank), bare=bare))
    return examples


def _cut(
    cutter: WordPieces, read: tuple[str | None, str, str], sentences: tuple[Ints, Bools], blank: Example
) -> Example:
    """Cut what is read, with where its sentences start and which of them are marked."""
    numbers, first, starts = cut_answer(cutter, *read)
    sentence_starts, is_marked = sentences
    sentence_of = np.searchsorted(sentence_starts, starts, side="right") - 1
    return replace(blank, numbers=numbers, first=first, is_evidence=is_marked[sentence_of].tolist())


def read_answers(encoder: Encoder, batches: Sequence[ParsedBatch]) -> dict[int, Floats]:
    """Read answers: what each sentence adds for each label, by `pipeline.encoder.hash_asked`."""
    # Each thread calculates by itself: NumPy lets others run meanwhile.
    with threadpool_limits(1), ThreadPoolExecutor(os.cpu_count()) as pool:
        read = list(pool.map(lambda batch: read_batch(encoder, batch), batches))
    found: dict[int, Floats] = {}
    for batch, readings in zip(batches, read, strict=True):
        borders = batch.sentence_borders
        found |= {
            hash_asked(answer): readings[begin:end]
            for answer, (begin, end) in zip(batch.answers, pairwise(borders), strict=True)
        }
    return found


if __name__ == "__main__":
    main()
