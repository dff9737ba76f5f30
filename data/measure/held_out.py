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

from data.measure.datasheet import is_asked, replace_sections
from data.measure.study import TFIDF, StudyData, compare_table, list_peers, phenomena_table
from pipeline.encoder import read_unseen
from pipeline.estimator import Floats, Ints
from pipeline.evaluate import predict_fold, split_answers
from pipeline.features import build_vocabulary
from pipeline.fitting import TrainingData
from pipeline.lexicon import default_lexicon_text, parse_lexicon
from pipeline.manifest import ClassifierConfig, hash_answer
from pipeline.preprocess import AnswerParser
from pipeline.training import count_labelled, featurise
from pipeline.workflow.training import EncoderSource, default_config, open_encoder

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
    parser.add_argument("--encoder", default="default", help="the model whose encoder it is, or the encoder's folder")
    parser.add_argument("--print", action="store_true", help="print the tables instead of writing them")
    options = parser.parse_args()
    root = Path(__file__).parents[2]
    source = open_encoder(options.encoder)
    data = StudyData.read(root / "data", options.texts, "default")
    is_seen = np.array([hash_answer(answer) in source.tuning.tuned_on for answer in data.answers])
    train, test = np.flatnonzero(is_seen), np.flatnonzero(~is_seen)
    held_out = data.of_answers(test)
    asked = np.flatnonzero([is_asked(answer) for answer in held_out.answers])
    with_encoder, bare = predict_with_encoder(held_out, asked, source)
    found = predict_held_out(data, train, test) | with_encoder
    sections = {
        "held-out": compare_table(held_out, found),
        "held-out-asked": compare_table(
            held_out.of_answers(asked), {"with a proposition": found[BOTH][asked], "without": bare}
        ),
        "held-out-phenomena": phenomena_table(held_out, found, [BOTH, WORDS, TFIDF]),
    }
    if options.print:
        sys.stdout.write("\n\n".join(sections.values()) + "\n")
        return
    method = root / "docs" / "method.md"
    method.write_text(replace_sections(method.read_text(encoding="utf-8"), sections), encoding="utf-8")


def predict_held_out(data: StudyData, train: Ints, test: Ints) -> dict[str, Floats]:
    """Predict the held-out answers by what learns from those that the encoder was tuned on."""
    found = {name: peer(train, test) for name, peer in list_peers(data).items() if name in {COMMONEST, TFIDF}}
    found[WORDS] = predict_fold(data.training, train, test, data.scheme, default_config(data.scheme))[0]
    return found


def predict_with_encoder(held_out: StudyData, asked: Ints, source: EncoderSource) -> tuple[dict[str, Floats], Floats]:
    """Predict each held-out answer by what learnt from those to other questions.

    Parameters
    ----------
    held_out
        The answers.
    asked
        Which of them are also read without their propositions.
    source
        What reads them.

    Returns
    -------
    found
        The posteriors by the readings alone and by the default model.
    bare
        By the default model, of those of `asked` without their propositions.
    """
    n, names = len(held_out.answers), held_out.scheme.names
    rows = np.concatenate([np.arange(n), asked])
    training = _read_held_out(held_out, asked, source)
    config = default_config(held_out.scheme, source)
    both, alone = np.zeros((len(rows), len(names))), np.zeros((n, len(names)))
    readings = training.sentences.sum_readings()
    splits, _ = split_answers(held_out.training.labels, held_out.training.questions, 5)
    for learnt, test in splits:
        scored = np.flatnonzero(np.isin(rows, test))
        both[scored] = predict_fold(training, np.sort(learnt), scored, held_out.scheme, config)[0]
        regression = LogisticRegression(max_iter=1000)
        regression.fit(readings[learnt], training.labels[learnt], training.weights[learnt])
        columns = np.array([names.index(name) for name in regression.classes_])
        alone[np.ix_(test, columns)] = regression.predict_proba(readings[test])
    return {ENCODER: alone, BOTH: both[:n]}, both[n:]


def _read_held_out(held_out: StudyData, asked: Ints, source: EncoderSource) -> TrainingData:
    """Return what the default model learns from, all answers and then some of them without their propositions."""
    bare = [held_out.answers[row].model_copy(update={"proposition": None}) for row in asked]
    parser = AnswerParser(parse_lexicon(default_lexicon_text(), "cues.toml"))
    features = featurise(held_out.answers + bare, parser)
    vocabulary = build_vocabulary(features, ClassifierConfig().min_answers)
    readings = read_unseen(source.encoder, source.tuning, (part.batch for part in features))
    labels, questions, weights = held_out.training.labels, held_out.training.questions, held_out.training.weights
    return count_labelled(
        features,
        vocabulary,
        np.concatenate([labels, labels[asked]]).tolist(),
        np.concatenate([questions, questions[asked]]).tolist(),
        np.concatenate([weights, weights[asked]]).tolist(),
        readings,
    )


if __name__ == "__main__":
    main()
