"""From posteriors to calls: the stance, whether to abstain, and the passages that moved it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from pipeline.encoder import Encoder, read_batch
from pipeline.estimator import (
    Bools,
    Floats,
    Ints,
    SentenceCounts,
    StanceEstimator,
    in_scheme_order,
    weigh_by_relevance,
)
from pipeline.features import Features, Vocabulary, count_columns, extract_features
from pipeline.manifest import ClassifierConfig
from pipeline.preprocess import ParsedBatch, Passage
from pipeline.schema import LabelScheme, StanceCall

_POSTERIOR_DECIMALS = 4
_WEIGHT_DECIMALS = 4


@dataclass(frozen=True)
class StanceModel:
    """A fitted classifier with all that is needed to use it.

    Attributes
    ----------
    name
        "name@digest" once saved, as it stands in every call.
    scheme
        The labels: the columns of posteriors, in order.
    vocabulary
        The features it knows.
    estimator
        Fitted by `pipeline.estimator.fit_estimator`.
    lexicon_text
        The cue lexicon (TOML) its features were made with.
    abstain_below
        Least probability of the called side.
    config
        What it was fitted with.
    encoder
        What reads each answer beside what is asked; None for a model of words and cues alone.
    """

    name: str
    scheme: LabelScheme
    vocabulary: Vocabulary
    estimator: StanceEstimator
    lexicon_text: str
    abstain_below: float = 0.0
    config: ClassifierConfig = field(default_factory=ClassifierConfig)
    encoder: Encoder | None = None


def sum_sides(posteriors: Floats, scheme: LabelScheme) -> tuple[tuple[str | None, ...], Floats]:
    """Sum posteriors over the labels of each side; each label without a side stands for itself.

    Returns
    -------
    groups
        The sides in scheme order, then None once per label without a side.
    sums
        Shape (n_answers, n_groups).
    """
    groups, members = _group_labels(scheme)
    return groups, np.stack([posteriors[:, columns].sum(axis=1) for columns in members], axis=1)


def _group_labels(scheme: LabelScheme) -> tuple[tuple[str | None, ...], list[list[int]]]:
    by_side: dict[str, list[int]] = {side: [] for side in scheme.sides}
    alone: list[list[int]] = []
    for column, label in enumerate(scheme.labels):
        if label.side is None:
            alone.append([column])
        else:
            by_side[label.side].append(column)
    return (*by_side, *([None] * len(alone))), [*by_side.values(), *alone]


def choose_stances(posteriors: Floats, scheme: LabelScheme) -> tuple[list[str], Floats]:
    """Choose the most probable side, then the most probable stance on that side.

    Going by sides first keeps two half-likely grades of one side from losing to a single grade of the other.

    Returns
    -------
    stances
        One per answer.
    confidence
        Probability of the chosen side, shape (n_answers,).
    """
    _, members = _group_labels(scheme)
    _, sums = sum_sides(posteriors, scheme)
    is_member = np.zeros((len(members), len(scheme.names)), dtype=bool)
    for group, columns in enumerate(members):
        is_member[group, columns] = True
    within = np.where(is_member[sums.argmax(axis=1)], posteriors, -1.0)
    return [scheme.names[column] for column in within.argmax(axis=1).tolist()], sums.max(axis=1)


@dataclass(frozen=True)
class Explanation:
    """What moved each answer of a batch towards a stance, exactly.

    Attributes
    ----------
    posteriors
        Shape (n_answers, n_stances), columns in scheme order.
    stances
        The stance explained of each answer.
    intercepts
        What each starts from: the log-odds of the stance over the mean of all stances in an answer without
        features, shape (n_answers,).
    probability
        How likely each sentence of the batch is to be evidence, shape (n_sentences,).
    relevance
        What weight each sentence of the batch has, between 0 and 1, shape (n_sentences,).
    features
        All features of the batch.
    rows
        Places in `features` of those the model knows, shape (n_known,).
    weights
        What each of these adds, shape (n_known,).
    readings
        What the encoder's reading of each sentence adds, shape (n_sentences,): of each answer, intercept,
        weights and readings sum to the stance's logit less the mean logit.
    """

    posteriors: Floats
    stances: list[str]
    intercepts: Floats
    probability: Floats
    relevance: Floats
    features: Features
    rows: Ints
    weights: Floats
    readings: Floats

    @cached_property
    def tokens(self) -> Ints:
        """The token of the batch that each weight belongs to, shape (n_known,)."""
        return self.features.tokens[self.rows]

    @cached_property
    def sentences(self) -> Ints:
        """The sentence of the batch that each weight belongs to, shape (n_known,)."""
        return self.features.batch.sentence_of[self.tokens]

    @cached_property
    def token_weights(self) -> Floats:
        """What the features of each token add, shape (n_tokens,)."""
        n_tokens = len(self.features.batch.offsets)
        return np.bincount(self.tokens, weights=self.weights, minlength=n_tokens).astype(np.float64)

    def sentence_weights(self) -> Floats:
        """Return what each sentence adds, shape (n_sentences,)."""
        summed = np.bincount(self.sentences, weights=self.weights, minlength=len(self.relevance))
        return summed + self.readings


def explain_answers(model: StanceModel, batch: ParsedBatch, stances: Sequence[str] | None = None) -> Explanation:
    """Predict the answers of a batch, and say exactly what each feature adds to a stance.

    Parameters
    ----------
    model
        The model; the batch must come from a parser with its lexicon.
    batch
        Parsed answers.
    stances
        The stance to explain of each; None for the one that is called.
    """
    features = extract_features(batch, with_pieces=model.config.piece_weight > 0)
    estimator, stance = model.estimator, model.estimator.stance
    columns = model.vocabulary.columns(features.hashes)
    rows = np.flatnonzero(columns >= 0)
    columns = columns[rows]
    sentence_of = features.sentences[rows]
    counts = count_columns(sentence_of, columns, (len(batch.zones), len(model.vocabulary)))
    sentences = SentenceCounts(
        counts=counts,
        answers=batch.sentence_answers,
        is_headline=batch.is_headline,
        n_answers=len(batch.answers),
        documents=model.vocabulary.documents,
        readings=None if model.encoder is None else read_batch(model.encoder, batch),
    )
    probability = estimator.predict_relevance(sentences)
    relevance = weigh_by_relevance(probability, sentences, estimator.relevance_power)
    scaled, factors = stance.scale(sentences.weigh(relevance))
    posteriors = in_scheme_order(estimator, estimator.predict(scaled, sentences), model.scheme)
    if stances is None:
        stances, _ = choose_stances(posteriors, model.scheme)
    classes = np.array([stance.classes.index(name) for name in stances], dtype=np.int64)
    answers = batch.sentence_answers[sentence_of]
    used = np.flatnonzero(stance.idf[columns] > 0)
    columns, answers, sentence_of = columns[used], answers[used], sentence_of[used]
    return Explanation(
        posteriors=posteriors,
        stances=list(stances),
        intercepts=(stance.intercepts - stance.intercepts.mean())[classes],
        probability=probability,
        relevance=relevance,
        features=features,
        rows=rows[used],
        weights=relevance[sentence_of] * stance.contribute(columns, answers, factors, classes),
        readings=estimator.weigh_readings(sentences, classes),
    )


def call_answers(model: StanceModel, batch: ParsedBatch) -> list[StanceCall]:
    """Classify parsed answers.

    Parameters
    ----------
    model
        The model; the batch must come from a parser with its lexicon.
    batch
        Parsed answers.

    Returns
    -------
    list of StanceCall
        In the order of the answers.
    """
    return call_explained(model, explain_answers(model, batch))


def call_explained(model: StanceModel, explanation: Explanation) -> list[StanceCall]:
    """Give the calls of answers whose called stances are explained, in the order of the answers."""
    return [StanceCall.model_validate(row) for row in call_rows(model, explanation)]


def call_rows(model: StanceModel, explanation: Explanation) -> list[dict[str, Any]]:
    """Give the same calls as JSON-ready data, the fields of `StanceCall`: a long run needs no records of them."""
    confidence = sum_sides(explanation.posteriors, model.scheme)[1].max(axis=1)
    abstained = (confidence < model.abstain_below) | ~find_said(explanation.features, explanation.rows)
    evidence = collect_evidence(explanation, model.config)
    sides = {name: model.scheme.side_of(name) for name in model.scheme.names}
    names = model.scheme.names
    rounded = explanation.posteriors.round(_POSTERIOR_DECIMALS).tolist()
    return [
        {
            "stance": stance,
            "side": sides[stance],
            "posteriors": dict(zip(names, row, strict=True)),
            "confidence": sure,
            "abstained": is_abstained,
            "evidence": passages,
            "model": model.name,
        }
        for stance, row, sure, is_abstained, passages in zip(
            explanation.stances,
            rounded,
            confidence.round(_POSTERIOR_DECIMALS).tolist(),
            abstained.tolist(),
            evidence,
            strict=True,
        )
    ]


def find_said(features: Features, known: Ints | Bools) -> Bools:
    """Say which answers have a known word or cue: the others say nothing that could be called.

    Parameters
    ----------
    features
        Of a batch of answers.
    known
        Which of the features the model knows.

    Returns
    -------
    ndarray
        Shape (n_answers,).
    """
    batch = features.batch
    said = features.tokens[known][features.is_said[known]]
    return np.bincount(batch.tokens.text_of[said], minlength=len(batch.answers)) > 0


def collect_evidence(explanation: Explanation, config: ClassifierConfig) -> list[list[dict[str, Any]]]:
    """Collect the sentences that speak for each answer's stance, strongest first.

    How strongly one speaks is what it adds, times how likely it is to be evidence: a headline counts in full
    and often says nothing that could be quoted.

    Parameters
    ----------
    explanation
        From `explain_answers`.
    config
        How many passages at most, and how strong at least.

    Returns
    -------
    list of list of dict
        Of each answer, the fields of `Evidence`: sentences whose features sum to more than zero, quoted from
        the original record. A sentence that begins in the headline and ends in the body gives a passage of each.
    """
    batch = explanation.features.batch
    found: list[list[dict[str, Any]]] = [[] for _ in batch.answers]
    weights = explanation.sentence_weights()
    strengths = weights * explanation.probability
    chosen = choose_evidence(strengths, batch.sentence_answers, config)
    columns = (chosen, batch.sentence_answers[chosen], batch.sentence_ranges[chosen], weights[chosen])
    for sentence, row, (start, end), weight_of_all in zip(*(c.tolist() for c in columns), strict=True):
        passages = batch.sources[row].locate(start, end)
        shares = [weight_of_all] if len(passages) == 1 else _divide_weight(explanation, sentence, passages)
        found[row] += [
            {"field": p.field, "start": p.start, "end": p.end, "quote": p.quote, "weight": weight}
            for p, share in zip(passages, shares, strict=True)
            if (weight := round(share, _WEIGHT_DECIMALS)) > 0
        ]
    # One sentence may give two passages.
    return [passages[: config.max_evidence] for passages in found]


def choose_evidence(strengths: Floats, answers: Ints, config: ClassifierConfig) -> Ints:
    """Choose the sentences that speak most for each answer's stance.

    Parameters
    ----------
    strengths
        How strongly each sentence speaks for it, shape (n_sentences,).
    answers
        The answer each is of, shape (n_sentences,).
    config
        How many at most, and how strong at least.

    Returns
    -------
    ndarray
        Places of the chosen, those of an answer together, strongest first.
    """
    order = np.lexsort((np.arange(len(strengths)), -strengths, answers))
    ranked = answers[order]
    first = np.flatnonzero(np.append(True, ranked[1:] != ranked[:-1])[: len(ranked)])
    n = np.diff(np.append(first, len(ranked)))
    rank = np.arange(len(ranked)) - np.repeat(first, n)
    least = np.repeat(strengths[order][first], n) * config.min_evidence_share
    is_kept: Bools = (rank < config.max_evidence) & (strengths[order] >= least) & (strengths[order] > 0)
    return order[is_kept]


def _divide_weight(explanation: Explanation, sentence: int, passages: Sequence[Passage]) -> list[float]:
    """Divide a sentence's weight among its passages."""
    batch = explanation.features.batch
    mine = slice(*batch.sentence_starts[sentence : sentence + 2])
    offsets = batch.offsets[mine]
    # The encoder reads a sentence as one: each of its tokens has an equal part in what that adds.
    inside = [(offsets >= p.composed_start) & (offsets < p.composed_end) for p in passages]
    each = explanation.readings[sentence] / max(sum(int(tokens.sum()) for tokens in inside), 1)
    weights = explanation.token_weights[mine] + each
    return [float(weights[tokens].sum()) for tokens in inside]
