"""The classifier: posteriors over the scheme's labels, the call, and the passages that moved it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from spacy.tokens import Doc

from pipeline.errors import BadInput
from pipeline.features import AnswerFeatures, Feature, extract_features, stack_documents
from pipeline.preprocess import AnswerText
from pipeline.schema import Evidence, LabelScheme, StanceCall

Floats = NDArray[np.float64]
COEFFICIENT_DECIMALS = 4
_POSTERIOR_DECIMALS = 4
_WEIGHT_DECIMALS = 4


@dataclass(frozen=True)
class ClassifierConfig:
    """What a training run is free to choose; copied into the model's manifest.

    Attributes
    ----------
    inverse_penalty
        scikit-learn's C: larger trusts the training data more.
    min_answers
        A feature seen in fewer training answers is left out.
    word_weight, cue_weight
        How far the two feature documents count against each other.
    balance
        Weight the labels as if each were equally common.
    max_evidence
        Passages given per answer, at most.
    min_evidence_share
        A passage that moves less than this share of what the strongest moves is left out.
    """

    inverse_penalty: float = 4.0
    min_answers: int = 2
    word_weight: float = 2.0
    cue_weight: float = 1.0
    balance: bool = True
    max_evidence: int = 3
    min_evidence_share: float = 0.4


@dataclass(frozen=True)
class StanceModel:
    """A fitted classifier with all that is needed to use it.

    Attributes
    ----------
    name
        "name@digest" once saved, as it stands in every call.
    scheme
        The labels: the columns of `predict_posteriors`, in order.
    estimator
        Fitted by `fit_estimator`.
    lexicon_text
        The cue lexicon (TOML) its features were made with.
    abstain_below
        Least probability of the called side.
    config
        What it was fitted with.
    """

    name: str
    scheme: LabelScheme
    estimator: Pipeline
    lexicon_text: str
    abstain_below: float = 0.0
    config: ClassifierConfig = field(default_factory=ClassifierConfig)


DOCUMENTS = ("words", "cues")
"""The feature documents, by column of what `pipeline.features.stack_documents` gives."""


def build_estimator(config: ClassifierConfig, documents: Sequence[str] = DOCUMENTS) -> Pipeline:
    """Build the unfitted estimator: TF-IDF of words and of cues, then multinomial logistic regression.

    All parts are scikit-learn's own, so that a stored model holds no code.

    Parameters
    ----------
    config
        What to fit with.
    documents
        Which of `DOCUMENTS` to use.

    Returns
    -------
    sklearn.pipeline.Pipeline
        Takes what `pipeline.features.stack_documents` gives.
    """
    vectoriser = {
        "token_pattern": r"\S+",
        "lowercase": False,
        "min_df": config.min_answers,
        "sublinear_tf": True,
    }
    weights = {"words": config.word_weight, "cues": config.cue_weight}
    features = ColumnTransformer(
        [(name, TfidfVectorizer(**vectoriser), DOCUMENTS.index(name)) for name in documents],
        transformer_weights={name: weights[name] for name in documents},
        sparse_threshold=1.0,
    )
    regression = LogisticRegression(
        C=config.inverse_penalty,
        class_weight="balanced" if config.balance else None,
        solver="newton-cg",
        tol=1e-8,
        max_iter=1000,
    )
    return Pipeline([("features", features), ("regression", regression)])


def fit_estimator(X: NDArray[np.object_], y: Sequence[str], config: ClassifierConfig) -> Pipeline:
    """Fit the estimator.

    Parameters
    ----------
    X
        Shape (n_answers, 2): see `pipeline.features.stack_documents`.
    y
        Labels, shape (n_answers,).
    config
        What to fit with.

    Returns
    -------
    sklearn.pipeline.Pipeline
        Fitted. Coefficients are rounded to `COEFFICIENT_DECIMALS`, far above the solver's last digits,
        so that the same data gives the same bytes whatever the processor.

    Raises
    ------
    BadInput
        When the answers share too few words and cues to learn from.
    """
    usable = [name for column, name in enumerate(DOCUMENTS) if _has_common_token(X[:, column], config.min_answers)]
    if not usable:
        reason = f"no word or cue stands in {config.min_answers} of {len(X)} answers: too few to learn from"
        raise BadInput("labelled data", reason)
    estimator = build_estimator(config, usable).fit(X, list(y))
    regression = estimator["regression"]
    regression.coef_ = regression.coef_.round(COEFFICIENT_DECIMALS)
    regression.intercept_ = regression.intercept_.round(COEFFICIENT_DECIMALS)
    return estimator


def _has_common_token(documents: Iterable[str], min_answers: int) -> bool:
    counts = Counter(token for document in documents for token in set(document.split()))
    return any(n >= min_answers for n in counts.values())


def scale_temperature(estimator: Pipeline, temperature: float) -> Pipeline:
    """Divide the estimator's logits by a temperature, in place, and return it.

    A logistic regression's logits are linear in its coefficients, so that temperature scaling is a
    change of coefficients and the contributions of `explain_answer` stay exact.

    References
    ----------
    Guo, Pleiss, Sun, Weinberger, "On calibration of modern neural networks", ICML 2017, section 4.2.
    """
    regression = estimator["regression"]
    regression.coef_ = (regression.coef_ / temperature).round(COEFFICIENT_DECIMALS)
    regression.intercept_ = (regression.intercept_ / temperature).round(COEFFICIENT_DECIMALS)
    return estimator


def predict_posteriors(estimator: Pipeline, X: NDArray[np.object_], scheme: LabelScheme) -> Floats:
    """Predict posteriors.

    Returns
    -------
    ndarray
        Shape (n_answers, n_stances), columns in scheme order; rows sum to 1. A label the estimator
        never saw has probability 0.
    """
    return _posteriors_of_matrix(estimator, estimator["features"].transform(X), scheme)


def _posteriors_of_matrix(estimator: Pipeline, matrix: Any, scheme: LabelScheme) -> Floats:
    posteriors = np.zeros((matrix.shape[0], len(scheme.names)))
    columns = [scheme.names.index(name) for name in estimator.classes_]
    posteriors[:, columns] = estimator["regression"].predict_proba(matrix)
    return posteriors


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
    chosen = sums.argmax(axis=1)
    stances = [
        scheme.names[max(members[group], key=lambda column: row[column])]
        for row, group in zip(posteriors, chosen, strict=True)
    ]
    return stances, sums.max(axis=1)


@dataclass(frozen=True)
class Contributions:
    """What every feature of an answer adds to the log-odds of a stance over the mean of all stances.

    Attributes
    ----------
    stance
        The stance explained.
    intercept
        What it starts from.
    features
        The feature tokens with a weight, in order of place; a token that stands n times has an n-th
        of its column's contribution each time.
    weights
        Shape (n_features,); ``intercept + weights.sum()`` is the stance's logit less the mean logit.
    """

    stance: str
    intercept: float
    features: tuple[Feature, ...]
    weights: Floats


def call_answers(model: StanceModel, docs: Sequence[Doc]) -> list[StanceCall]:
    """Classify parsed answers.

    Parameters
    ----------
    model
        The model; the Docs must come from a pipeline built with its lexicon.
    docs
        From `pipeline.preprocess.parse_answers`.

    Returns
    -------
    list of StanceCall
        In the order of `docs`; plain data that may outlive the Docs.
    """
    if not docs:
        return []
    features = [extract_features(doc) for doc in docs]
    matrix = model.estimator["features"].transform(stack_documents(features)).tocsr()
    posteriors = _posteriors_of_matrix(model.estimator, matrix, model.scheme)
    stances, confidence = choose_stances(posteriors, model.scheme)
    calls = []
    for row, (doc, answer, stance) in enumerate(zip(docs, features, stances, strict=True)):
        contributions = _explain_row(model, matrix[row], answer, stance)
        calls.append(
            StanceCall(
                stance=stance,
                side=model.scheme.side_of(stance),
                posteriors=_rounded(model.scheme, posteriors[row]),
                confidence=round(float(confidence[row]), _POSTERIOR_DECIMALS),
                # An answer without a single known word is called by the intercepts alone: that is no call.
                abstained=bool(confidence[row] < model.abstain_below or matrix[row].nnz == 0),
                evidence=collect_evidence(doc, contributions, model.config),
                model=model.name,
            )
        )
    return calls


def _rounded(scheme: LabelScheme, row: Floats) -> dict[str, float]:
    return {name: round(float(p), _POSTERIOR_DECIMALS) for name, p in zip(scheme.names, row, strict=True)}


def explain_answer(model: StanceModel, doc: Doc, stance: str) -> Contributions:
    """Say exactly what each feature token of an answer adds to a stance.

    Returns
    -------
    Contributions
        Additive: they sum to the decision.
    """
    features = extract_features(doc)
    matrix = model.estimator["features"].transform(stack_documents([features])).tocsr()
    return _explain_row(model, matrix[0], features, stance)


def _explain_row(model: StanceModel, row: Any, features: AnswerFeatures, stance: str) -> Contributions:
    regression = model.estimator["regression"]
    coefficients, intercepts = _class_weights(regression)
    class_index = list(regression.classes_).index(stance)
    centred = coefficients[class_index, row.indices] - coefficients[:, row.indices].mean(axis=0)
    by_column = dict(zip(row.indices.tolist(), (row.data * centred).tolist(), strict=True))
    found = _feature_columns(model.estimator, features)
    counts = Counter(column for column, _ in found)
    return Contributions(
        stance=stance,
        intercept=float(intercepts[class_index] - intercepts.mean()),
        features=tuple(feature for _, feature in found),
        weights=np.array([by_column[column] / counts[column] for column, _ in found], dtype=np.float64),
    )


def _class_weights(regression: LogisticRegression) -> tuple[Floats, Floats]:
    """Return one row of coefficients per class; scikit-learn stores a single row for two classes."""
    if len(regression.classes_) > 2:
        return regression.coef_, regression.intercept_
    half = regression.coef_[0] / 2
    return np.stack([-half, half]), np.array([-0.5, 0.5]) * regression.intercept_[0]


def _feature_columns(estimator: Pipeline, features: AnswerFeatures) -> list[tuple[int, Feature]]:
    documents = estimator["features"]
    found: list[tuple[int, Feature]] = []
    for name in (name for name in DOCUMENTS if name in documents.named_transformers_):
        tokens: tuple[Feature, ...] = getattr(features, name)
        vocabulary = documents.named_transformers_[name].vocabulary_
        first = documents.output_indices_[name].start
        found += [(first + int(vocabulary[t.name]), t) for t in tokens if t.name in vocabulary]
    return found


def collect_evidence(doc: Doc, contributions: Contributions, config: ClassifierConfig) -> tuple[Evidence, ...]:
    """Collect the sentences that moved the answer towards the stance, strongest first.

    Parameters
    ----------
    doc
        The parsed answer.
    contributions
        From `explain_answer` for the called stance.
    config
        How many passages at most, and how strong at least.

    Returns
    -------
    tuple of Evidence
        Sentences whose features sum to more than zero, quoted from the original record. A sentence that
        begins in the headline and ends in the body gives a passage of each.
    """
    by_token = np.zeros(len(doc))
    for feature, weight in zip(contributions.features, contributions.weights, strict=True):
        by_token[feature.token] += weight
    source: AnswerText = doc._.source
    starts = np.array([token.idx for token in doc], dtype=np.int64)
    found: list[Evidence] = []
    for sentence in doc.sents:
        for passage in source.locate(sentence.start_char, sentence.end_char):
            inside = (starts >= passage.composed_start) & (starts < passage.composed_end)
            weight = round(float(by_token[inside].sum()), _WEIGHT_DECIMALS)
            if weight > 0:
                field, start, end, quote, _, _ = passage
                found.append(Evidence(field=field, start=start, end=end, quote=quote, weight=weight))
    found.sort(key=lambda e: (-e.weight, e.field, e.start))
    least = found[0].weight * config.min_evidence_share if found else 0.0
    return tuple(e for e in found[: config.max_evidence] if e.weight >= least)
