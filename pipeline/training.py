"""From labelled answers to what a classifier is trained and scored on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

import numpy as np
from scipy.sparse import vstack

from pipeline.estimator import Floats, SentenceCounts
from pipeline.features import Features, Vocabulary, count_features, extract_features
from pipeline.fitting import TrainingData
from pipeline.preprocess import AnswerParser, parse_answers
from pipeline.schema import AnswerRecord, read_gold_evidence


def featurise(answers: Iterable[AnswerRecord], parser: AnswerParser, *, with_pieces: bool = False) -> list[Features]:
    """Parse answers and extract their features, a batch at a time."""
    return [extract_features(batch, with_pieces=with_pieces) for batch in parse_answers(parser, answers)]


def count_labelled(
    batches: Sequence[Features],
    vocabulary: Vocabulary,
    labels: Sequence[str],
    questions: Sequence[str],
    weights: Sequence[float],
    readings: Floats | None = None,
) -> TrainingData:
    """Count the features of labelled answers, and find the sentences that readers marked.

    Parameters
    ----------
    batches
        From `featurise`.
    vocabulary
        The features to count.
    labels, questions, weights
        Of each answer, shape (n_answers,): see `pipeline.fitting.TrainingData`.
    readings
        What an encoder says of each sentence, shape (n_sentences, n_readings); None without one.
    """
    firsts = np.cumsum([0, *(len(features.batch.answers) for features in batches)])
    sentences = SentenceCounts(
        counts=vstack([count_features(features, vocabulary) for features in batches]).tocsr(),
        answers=np.concatenate([f.batch.sentence_answers + n for f, n in zip(batches, firsts[:-1], strict=True)]),
        is_headline=np.concatenate([f.batch.is_headline for f in batches]),
        n_answers=len(labels),
        documents=vocabulary.documents,
        readings=readings,
    )
    marked = [
        f.batch.mark_sentences(
            [read_gold_evidence(answer) for answer in cast("Sequence[AnswerRecord]", f.batch.answers)]
        )
        for f in batches
    ]
    return TrainingData(
        sentences=sentences,
        labels=np.array(labels),
        questions=np.array(questions),
        is_evidence=np.concatenate(marked),
        weights=np.array(weights, dtype=np.float64),
    )
