"""The learned part: two regressions, from counts of features per sentence to posteriors per answer.

The first weighs each sentence by how likely it is to be the one
that gives the stance; the second reads the answer as the weighted sum of its sentences. With the weights
given, the stance is a linear model, so that what each word adds to it is exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from pipeline.schema import LabelScheme

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
COEFFICIENT_DECIMALS = 4


@dataclass(frozen=True)
class SentenceCounts:
    """The features of some answers, counted per sentence.

    Attributes
    ----------
    counts
        Shape (n_sentences, n_features).
    answers
        The answer each sentence is of, from 0, non-decreasing; shape (n_sentences,).
    is_headline
        Whether a sentence is in the answer's headline, shape (n_sentences,).
    n_answers
        How many answers; one without any sentence counts too.
    documents
        Place in `pipeline.features.DOCUMENTS` of each feature, shape (n_features,).
    readings
        What the encoder says of each sentence for each of its labels, shape (n_sentences, n_readings); None
        where there is no encoder.
    """

    counts: csr_matrix
    answers: Ints
    is_headline: Bools
    n_answers: int
    documents: Ints
    readings: Floats | None = None

    def of_answers(self, rows: Ints) -> SentenceCounts:
        """Return some answers, in the order of the data."""
        number = np.full(self.n_answers, -1, dtype=np.int64)
        number[np.sort(rows)] = np.arange(len(rows))
        kept = np.flatnonzero(number[self.answers] >= 0)
        return replace(
            self,
            counts=self.counts[kept],
            answers=number[self.answers[kept]],
            is_headline=self.is_headline[kept],
            n_answers=len(rows),
            readings=None if self.readings is None else self.readings[kept],
        )

    def of_features(self, columns: Ints) -> SentenceCounts:
        """Return some features."""
        return replace(self, counts=self.counts[:, columns], documents=self.documents[columns])

    def n_answers_with(self) -> Ints:
        """Return the number of answers each feature stands in, shape (n_features,)."""
        weighted = self.weigh(np.ones(len(self.answers)))
        return np.bincount(weighted.indices, minlength=self.counts.shape[1]).astype(np.int64)

    def weigh(self, weights: Floats) -> csr_matrix:
        """Sum each answer's sentences, weighted; shape (n_answers, n_features)."""
        places = np.arange(len(self.answers))
        shape = (self.n_answers, len(self.answers))
        return csr_matrix(csr_matrix((weights, (self.answers, places)), shape=shape) @ self.counts)

    def sum_readings(self) -> Floats:
        """Sum each answer's readings, shape (n_answers, n_readings); without an encoder there are none."""
        if self.readings is None:
            return np.empty((self.n_answers, 0))
        summed = np.zeros((self.n_answers, self.readings.shape[1]))
        np.add.at(summed, self.answers, self.readings)
        return summed


@dataclass(frozen=True)
class LinearModel:
    """TF-IDF by document and a multinomial logistic regression on it, over all features at once.

    Attributes
    ----------
    idf
        Inverse document frequency of each feature, 0 for one that is not used; shape (n_features,).
    documents
        Place in `pipeline.features.DOCUMENTS` of each feature, shape (n_features,).
    weights
        How far each document counts, shape (n_documents,).
    is_normed
        Whether a document's vector is made one long, shape (n_documents,).
    classes
        The labels it knows, in the order of its coefficients.
    coefficients
        Of what `scale` gives, shape (n_features, n_classes).
    intercepts
        Shape (n_classes,).
    """

    idf: Floats
    documents: Ints
    weights: Floats
    is_normed: Bools
    classes: tuple[str, ...]
    coefficients: Floats
    intercepts: Floats

    @cached_property
    def centred(self) -> Floats:
        """The coefficients less their mean over the classes, shape (n_features, n_classes)."""
        centred: Floats = self.coefficients - self.coefficients.mean(axis=1, keepdims=True)
        return centred

    def scale(self, counts: csr_matrix) -> tuple[csr_matrix, Floats]:
        """Return what the regression is fed, and by how much each document of each row was scaled.

        Parameters
        ----------
        counts
            Shape (n_rows, n_features).

        Returns
        -------
        scaled
            Shape (n_rows, n_features).
        factors
            Shape (n_rows, n_documents): ``scaled = counts * idf * factors``.

        References
        ----------
        Salton, Buckley, "Term-weighting approaches in automatic text retrieval", Information Processing &
        Management 24(5), 1988 (TF-IDF with cosine normalisation).
        """
        n_rows, n_documents = counts.shape[0], len(self.weights)
        # Once: NumPy would convert places of 32 bits at every look-up.
        columns = counts.indices.astype(np.int64)
        values = counts.data * self.idf[columns]
        rows = np.repeat(np.arange(n_rows), np.diff(counts.indptr))
        cells = rows * n_documents + self.documents[columns]
        squares = np.bincount(cells, weights=values * values, minlength=n_rows * n_documents)
        norms = np.where(squares > 0, np.sqrt(squares), 1.0).reshape(n_rows, n_documents)
        factors = self.weights / np.where(self.is_normed, norms, 1.0)
        scaled = csr_matrix((values * factors.ravel()[cells], counts.indices, counts.indptr), shape=counts.shape)
        return scaled, factors

    def contribute(self, columns: Ints, rows: Ints, factors: Floats, classes: Ints) -> Floats:
        """Return what each occurrence of a feature adds to the log-odds of a class over the mean of all classes.

        Parameters
        ----------
        columns, rows
            The feature, and the row of `factors` and `classes` that it is in, shape (n,) each.
        factors
            From `scale`, shape (n_rows, n_documents).
        classes
            The class asked about, shape (n_rows,).
        """
        # Flat places: NumPy takes longer to look up pairs of them.
        scales = self.idf[columns] * factors.ravel()[rows * factors.shape[1] + self.documents[columns]]
        added: Floats = scales * self.centred.ravel()[columns * len(self.classes) + classes[rows]]
        return added

    def predict(self, scaled: csr_matrix, further: Floats | float = 0.0) -> Floats:
        """Predict from what `scale` gave and what is further said for each class, shape (n_rows, n_classes)."""
        logits = scaled @ self.coefficients + self.intercepts + further
        # SciPy's softmax is the same; to import it takes as long as to classify several hundred answers.
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        posteriors: Floats = odds / odds.sum(axis=1, keepdims=True)
        return posteriors


@dataclass(frozen=True)
class StanceEstimator:
    """The two fitted models.

    Attributes
    ----------
    relevance
        From a sentence's counts to the probability that it is evidence; None where no reader marked any:
        then all sentences count alike.
    stance
        From an answer's weighted counts to its posteriors.
    relevance_power
        See `pipeline.manifest.ClassifierConfig`.
    readings
        From what the encoder says of an answer to the log-odds of each class, shape (n_readings, n_classes);
        None where there is no encoder.
    """

    relevance: LinearModel | None
    stance: LinearModel
    relevance_power: float
    readings: Floats | None = None

    def weigh_sentences(self, sentences: SentenceCounts) -> Floats:
        """Return the weight of each sentence, shape (n_sentences,), between 0 and 1."""
        return weigh_by_relevance(self.predict_relevance(sentences), sentences, self.relevance_power)

    def predict_relevance(self, sentences: SentenceCounts) -> Floats:
        """Predict the probability that each sentence is evidence, shape (n_sentences,)."""
        return predict_relevance(self.relevance, sentences)

    def predict(self, scaled: csr_matrix, sentences: SentenceCounts) -> Floats:
        """Predict from the scaled counts of answers and their readings, shape (n_answers, n_classes)."""
        return self.stance.predict(scaled, 0.0 if self.readings is None else sentences.sum_readings() @ self.readings)

    def weigh_readings(self, sentences: SentenceCounts, classes: Ints) -> Floats:
        """Return what the encoder's reading of each sentence adds to the log-odds of a class, shape (n_sentences,).

        Parameters
        ----------
        sentences
            Of some answers.
        classes
            The class asked about of each answer, shape (n_answers,).
        """
        if self.readings is None or sentences.readings is None:
            return np.zeros(len(sentences.answers))
        centred = self.readings - self.readings.mean(axis=1, keepdims=True)
        added: Floats = (sentences.readings * centred.T[classes[sentences.answers]]).sum(axis=1)
        return added

    def weigh_features(self, sentences: SentenceCounts, stances: Sequence[str]) -> Floats:
        """Return what each sentence adds to the log-odds of a stance over the mean of all stances.

        Parameters
        ----------
        sentences
            Of some answers.
        stances
            The stance of each answer, shape (n_answers,).

        Returns
        -------
        ndarray
            Shape (n_sentences,); of each answer, they and the intercept sum to the stance's centred logit.
        """
        weights, counts, stance = self.weigh_sentences(sentences), sentences.counts, self.stance
        classes = np.array([stance.classes.index(name) for name in stances], dtype=np.int64)
        _, factors = stance.scale(sentences.weigh(weights))
        rows = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
        columns = counts.indices.astype(np.int64)
        added = stance.contribute(columns, sentences.answers[rows], factors, classes)
        added *= counts.data * weights[rows]
        summed = np.bincount(rows, weights=added, minlength=counts.shape[0])
        return summed + self.weigh_readings(sentences, classes)


def predict_relevance(relevance: LinearModel | None, sentences: SentenceCounts) -> Floats:
    """Predict the probability that each sentence is evidence, shape (n_sentences,); 1 without a model."""
    if relevance is None:
        return np.ones(len(sentences.answers))
    scaled, _ = relevance.scale(sentences.counts)
    return np.ascontiguousarray(relevance.predict(scaled)[:, 1])


def weigh_by_relevance(probability: Floats, sentences: SentenceCounts, power: float) -> Floats:
    """Return the weight of each sentence, shape (n_sentences,): its probability to be evidence, to a power.

    Readers mark headlines seldom, though respondents put the gist there: they count in full.
    """
    return np.where(sentences.is_headline, 1.0, probability) ** power


def scale_temperature(estimator: StanceEstimator, temperature: float) -> StanceEstimator:
    """Divide the stance's logits by a temperature.

    They are linear in the coefficients, so that temperature scaling is a change of coefficients and
    contributions stay exact.

    References
    ----------
    Guo, Pleiss, Sun, Weinberger, "On calibration of modern neural networks", ICML 2017, section 4.2.
    """
    stance = estimator.stance
    scaled = replace(
        stance,
        coefficients=(stance.coefficients / temperature).round(COEFFICIENT_DECIMALS),
        intercepts=(stance.intercepts / temperature).round(COEFFICIENT_DECIMALS),
    )
    readings = None if estimator.readings is None else (estimator.readings / temperature).round(COEFFICIENT_DECIMALS)
    return replace(estimator, stance=scaled, readings=readings)


# ---------------------------------------------------------------- predicting


def predict_posteriors(estimator: StanceEstimator, sentences: SentenceCounts, scheme: LabelScheme) -> Floats:
    """Predict posteriors.

    Returns
    -------
    ndarray
        Shape (n_answers, n_stances), columns in scheme order; rows sum to 1. A label the estimator
        never saw has probability 0.
    """
    scaled, _ = estimator.stance.scale(sentences.weigh(estimator.weigh_sentences(sentences)))
    return in_scheme_order(estimator, estimator.predict(scaled, sentences), scheme)


def in_scheme_order(estimator: StanceEstimator, probabilities: Floats, scheme: LabelScheme) -> Floats:
    """Set each label's probability in its column of the scheme."""
    posteriors = np.zeros((len(probabilities), len(scheme.names)))
    posteriors[:, [scheme.names.index(name) for name in estimator.stance.classes]] = probabilities
    return posteriors
