"""One run: labelled answers in, the files of an encoder out."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy.special import softmax
from threadpoolctl import threadpool_limits

from data.encoder.examples import build_examples
from data.encoder.holding_out import hold_out
from data.encoder.network import Network, to_encoder
from data.encoder.tuning import Settings, tune
from data.measure.datasheet import field_of
from data.parts import Part
from pipeline.encoder import Encoder, Tuning, dump_encoder, dump_tuning, hash_asked, load_encoder, read_batch
from pipeline.estimator import Floats
from pipeline.evaluate import Scores, score_posteriors
from pipeline.lexicon import default_lexicon_text, parse_lexicon
from pipeline.manifest import ENCODER_TUNING, hash_answer
from pipeline.preprocess import AnswerParser, ParsedBatch, parse_answers
from pipeline.schema import AnswerRecord, LabelScheme


def tune_and_save(
    network: Network,
    scheme: LabelScheme,
    parts: Mapping[Part, Sequence[AnswerRecord]],
    earlier: Sequence[Tuning],
    settings: Settings,
    folder: Path,
) -> None:
    """Tune on what is not held out and read what is; write the three files of an encoder, that of its tuning last.

    Parameters
    ----------
    network
        Where to start; it is changed.
    scheme
        The labels, which are the network's.
    parts
        Labelled answers, by the part that they are of.
    earlier
        Of the encoders that the network starts from.
    settings
        How to tune; with no steps the network is saved as it is, and nothing more counts as tuned on.
    folder
        Where the files go.

    Raises
    ------
    BadInput
        When answers of one group were tuned on and held out, or the network has no piece for what is hidden.
    """
    answers = [answer for some in parts.values() for answer in some]
    part_of = [part for part, some in parts.items() for _ in some]
    is_held_out = hold_out(answers, earlier)
    rows = np.flatnonzero(~is_held_out) if settings.n_steps else np.empty(0, dtype=np.int64)
    learnt, held_out = [answers[row] for row in rows], [answers[row] for row in np.flatnonzero(is_held_out)]
    _say(f"{len(learnt)} labelled answers to tune on, {len(held_out)} held out")
    parser = AnswerParser(parse_lexicon(default_lexicon_text(), "cues.toml"))
    if learnt:
        parsed = parse_answers(parser, learnt)
        examples = build_examples(parsed, [part_of[row] for row in rows], network.pieces, scheme.names)
        tune(network, scheme, examples, settings)
    for name, content in dump_encoder(to_encoder(network)).items():
        (folder / name).write_bytes(content)
    # Read as users will: by the matrices that were rounded when saved.
    readings = read_answers(load_encoder(folder), list(parse_answers(parser, held_out)))
    if held_out and (right := score_readings(held_out, readings, scheme).side_accuracy) is not None:
        _say(f"{right:.3f} of their sides are right, by readings alone")
    tuned_on = frozenset(map(hash_answer, learnt)).union(*(tuning.tuned_on for tuning in earlier))
    (folder / ENCODER_TUNING).write_bytes(dump_tuning(Tuning(tuned_on, readings), len(scheme.names)))


def read_answers(encoder: Encoder, batches: Sequence[ParsedBatch]) -> dict[int, Floats]:
    """Read answers: what each sentence adds for each label, by `pipeline.encoder.hash_asked`."""
    # Each thread calculates by itself: NumPy lets others run meanwhile.
    with threadpool_limits(1), ThreadPoolExecutor(os.cpu_count()) as pool:
        read = list(pool.map(lambda batch: read_batch(encoder, batch), batches))
    found: dict[int, Floats] = {}
    for batch, readings in zip(batches, read, strict=True):
        spans = zip(batch.answers, pairwise(batch.sentence_borders), strict=True)
        found |= {hash_asked(answer): readings[begin:end] for answer, (begin, end) in spans}
    return found


def score_readings(answers: Sequence[AnswerRecord], readings: Mapping[int, Floats], scheme: LabelScheme) -> Scores:
    """Score what readings alone say, which no regression has weighed."""
    logits = np.array([readings[hash_asked(answer)].sum(axis=0) for answer in answers])
    gold = [field_of(answer, "label") for answer in answers]
    return score_posteriors(softmax(logits, axis=1), gold, [answer.question_id for answer in answers], scheme)


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
