"""What the encoder brings: ``python -m data.measure.held_out --texts FOLDER``, for the tables of ``docs/method.md``.

Everything is scored on the labelled answers that the encoder of the default model was not tuned on. Words and cues,
and peers, learn from the answers that it was tuned on; what weighs its readings learns from the held-out answers to
other questions, as `stance train` has it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

from data.measure.datasheet import replace_sections
from data.measure.study import PARTS, TFIDF, StudyData, compare_table, list_peers, phenomena_table
from pipeline.encoder import read_unseen
from pipeline.estimator import Floats
from pipeline.evaluate import cross_validate, predict_fold, split_answers
from pipeline.features import build_vocabulary
from pipeline.fitting import TrainingData
from pipeline.lexicon import default_lexicon_text, parse_lexicon
from pipeline.manifest import ClassifierConfig, hash_answer
from pipeline.preprocess import AnswerParser
from pipeline.training import count_labelled, featurise
from pipeline.workflow.training import EncoderSource, default_config, open_encoder

ALL_PARTS = {**PARTS, "general": 1.0, "labels/medical_qa_turned.csv": 1.0}
"""What the default model and its encoder learn from, and how much an answer of each counts."""

COMMONEST = "calling everything the commonest label"
WORDS = "words and cues"
ENCODER = "the encoder"
BOTH = "both: the default model"


def main() -> None:
    """Measure and write the tables."""
    parser = argparse.ArgumentParser(prog="python -m data.measure.held_out", description=__doc__)
    parser.add_argument(
        "--texts", required=True, help="folder of the real answers that the tables of data/labels are on"
    )
    parser.add_argument("--model", default="default", help="the model whose encoder it is, or the encoder's folder")
    parser.add_argument("--print", action="store_true", help="print the tables instead of writing them")
    options = parser.parse_args()
    root = Path(__file__).parents[2]
    source = open_encoder(options.model)
    data = StudyData.read(root / "data", options.texts, ALL_PARTS)
    held_out, found = predict_held_out(data, source)
    shown = [BOTH, WORDS, TFIDF]
    sections = {
        "held-out": compare_table(held_out, found),
        "held-out-phenomena": phenomena_table(held_out, found, shown),
    }
    if options.print:
        sys.stdout.write("\n\n".join(sections.values()) + "\n")
        return
    method = root / "docs" / "method.md"
    method.write_text(replace_sections(method.read_text(encoding="utf-8"), sections), encoding="utf-8")


def predict_held_out(data: StudyData, source: EncoderSource) -> tuple[StudyData, dict[str, Floats]]:
    """Return the held-out answers, and their posteriors by each system."""
    is_seen = np.array([hash_answer(answer) in source.tuning.tuned_on for answer in data.answers])
    train, test = np.flatnonzero(is_seen), np.flatnonzero(~is_seen)
    held_out = data.of_answers(test)
    found = {name: peer(train, test) for name, peer in list_peers(data).items() if name in {COMMONEST, TFIDF}}
    found[WORDS] = predict_fold(data.training, train, test, data.scheme, default_config(data.scheme))[0]
    training = read_held_out(held_out, source)
    found[ENCODER] = _weigh_readings(held_out, training)
    found[BOTH] = cross_validate(training, data.scheme, default_config(data.scheme, source)).posteriors
    return held_out, found


def read_held_out(held_out: StudyData, source: EncoderSource) -> TrainingData:
    """Return what the default model learns from: words and cues of the held-out answers, and their readings."""
    parser = AnswerParser(parse_lexicon(default_lexicon_text(), "cues.toml"))
    features = featurise(held_out.answers, parser)
    vocabulary = build_vocabulary(features, ClassifierConfig().min_answers)
    labels, questions = held_out.training.labels.tolist(), held_out.training.questions.tolist()
    readings = read_unseen(source.encoder, source.tuning, (part.batch for part in features))
    return count_labelled(features, vocabulary, labels, questions, held_out.training.weights.tolist(), readings)


def _weigh_readings(held_out: StudyData, training: TrainingData) -> Floats:
    """Predict from the readings alone, out of fold."""
    readings, names = training.sentences.sum_readings(), held_out.scheme.names
    posteriors = np.zeros((len(readings), len(names)))
    splits, _ = split_answers(training.labels, training.questions, 5)
    for learnt, scored in splits:
        regression = LogisticRegression(max_iter=1000)
        regression.fit(readings[learnt], training.labels[learnt], sample_weight=training.weights[learnt])
        columns = np.array([names.index(name) for name in regression.classes_])
        posteriors[np.ix_(scored, columns)] = regression.predict_proba(readings[scored])
    return posteriors


if __name__ == "__main__":
    main()
