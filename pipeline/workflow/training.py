"""Training, scoring, and the labelled answers for both."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from pipeline.card import score_lines
from pipeline.errors import BadInput, WrongUsage
from pipeline.flat import Row
from pipeline.lexicon import default_lexicon_text, parse_lexicon
from pipeline.manifest import ENCODER, ENCODER_LAYERS, MANIFEST, ClassifierConfig, ModelFolder, hash_answer
from pipeline.schema import (
    AnswerRecord,
    LabelScheme,
    first_problem,
    read_gold_evidence,
)
from pipeline.workflow.classifying import Classifier
from pipeline.workflow.intake import Intake, Say
from pipeline.workflow.models import open_model
from pipeline.workflow.scheme import default_scheme

if TYPE_CHECKING:
    from pipeline.encoder import Encoder, Tuning
    from pipeline.estimator import Floats
    from pipeline.evaluate import CrossValidation
    from pipeline.features import Features, Vocabulary
    from pipeline.fitting import TrainingData

# Stages that need spaCy or scikit-learn are imported where they are used: a command starts with what it needs.


@dataclass(frozen=True)
class LabelledData:
    """Labelled answers, read and checked against a scheme.

    Attributes
    ----------
    answers, labels
        Shape (n_answers,) each.
    scheme
        The labels.
    source_weights
        How much an answer of a source counts, by the source as named; 1 where it is not.
    """

    answers: list[AnswerRecord]
    labels: list[str]
    scheme: LabelScheme
    source_weights: Mapping[str, float] = field(default_factory=dict)

    @cached_property
    def weights(self) -> list[float]:
        """How much each answer counts in training."""
        return [self._weight_of(answer.source.file) for answer in self.answers]

    def _weight_of(self, file: str) -> float:
        return next((weight for name, weight in self.source_weights.items() if _is_from(file, name)), 1.0)

    @cached_property
    def questions(self) -> list[str]:
        """The question of each answer; one name for a question under two ids."""
        from pipeline.evaluate import group_questions

        return group_questions([a.question_id for a in self.answers], [a.question for a in self.answers])

    def digest(self) -> str:
        """Return a SHA-256 of what a model can learn from, in order.

        Questions, texts, labels, marked evidence, and how much each answer counts.
        """
        state = hashlib.sha256()
        for answer, label, weight in zip(self.answers, self.labels, self.weights, strict=True):
            parts = [
                answer.question_id,
                answer.question,
                answer.proposition,
                answer.headline,
                answer.text,
                label,
                [[span.field, span.start, span.end] for span in read_gold_evidence(answer)],
                weight,
            ]
            state.update(json.dumps(parts, ensure_ascii=False).encode() + b"\n")
        return state.hexdigest()


def read_weights(given: Sequence[str], sources: Sequence[str]) -> dict[str, float]:
    """Read how much each answer of a source counts, written ``SOURCE=W``.

    Raises
    ------
    WrongUsage
        When it names no source of the run, or no positive number.
    """
    weights: dict[str, float] = {}
    for item in given:
        name, sign, number = item.rpartition("=")
        if not sign or not name:
            raise WrongUsage(f"--weight {item}: expected SOURCE=W, as in {sources[0]}=2")
        if name not in sources:
            raise WrongUsage(f"--weight {item}: {name!r} is no source that is read ({', '.join(sources)})")
        try:
            weights[name] = float(number)
        except ValueError:
            weights[name] = math.nan
        if not 0 < weights[name] < math.inf:
            raise WrongUsage(f"--weight {item}: {number!r} is no positive number: write SOURCE=W, as in {name}=2")
    return weights


def read_labelled(
    intake: Intake,
    scheme: LabelScheme | None,
    *,
    is_models: bool = False,
    source_weights: Mapping[str, float] | None = None,
) -> LabelledData:
    """Read labelled answers; those without a label of the scheme are quarantined.

    Parameters
    ----------
    intake
        Sources whose records have a field `label`.
    scheme
        The labels; None to take the scheme of medstance where the data has at least three of its labels,
        and the data's own labels, unordered, where it has not.
    is_models
        Whether the scheme is a model's: then data of another scheme is refused, not quarantined row by row.
    source_weights
        How much each answer of a source counts in training, by the source as named.

    Raises
    ------
    BadInput
        When the scheme is a model's and has less than half of the data's labels.
    WrongUsage
        When a source has a weight and no record says that it is from there.
    """
    answers: list[AnswerRecord] = []
    labels: list[str] = []
    for answer in intake:
        label = (answer.model_extra or {}).get("label")
        label = str(label) if isinstance(label, int) and not isinstance(label, bool) else label
        problem = _find_bad_evidence(answer)
        if problem is not None:
            intake.reject(answer, *problem)
        elif isinstance(label, str) and label.strip():
            answers.append(answer)
            labels.append(label.strip())
        else:
            intake.reject(answer, "label", "is missing or empty (labelled data needs a field 'label')")
    _check_weights(source_weights or {}, {a.source.file for a in answers} | {r.file for r in intake.rejected})
    if scheme is None:
        scheme = _infer_scheme(labels)
        if scheme.name != default_scheme().name:
            intake.say(f"labels are {', '.join(scheme.names)}: an unordered scheme of their own (see --scheme)")
    found = set(labels)
    if is_models and found and len(found & set(scheme.names)) * 2 < len(found):
        theirs, ours = ", ".join(sorted(found)[:6]), ", ".join(scheme.names)
        raise BadInput(intake.sources[0], f"its labels ({theirs}) are not those of the model ({ours}): see --model")
    kept = [place for place, label in enumerate(labels) if label in scheme.names]
    for place in sorted(set(range(len(labels))) - set(kept)):
        known = ", ".join(scheme.names)
        intake.reject(answers[place], "label", f"{labels[place]!r} is no label of the scheme ({known})")
    return LabelledData([answers[i] for i in kept], [labels[i] for i in kept], scheme, source_weights or {})


def _is_from(file: str, source: str) -> bool:
    """Say whether a record's file is a source as named, or in that folder."""
    path = Path(file)
    return Path("<stdin>" if source == "-" else source) in {path, *path.parents}


def _check_weights(weights: Mapping[str, float], files: Collection[str]) -> None:
    for name, weight in weights.items():
        if not any(_is_from(file, name) for file in files):
            problem = "its records say that they are from elsewhere: take away their field 'source'"
            raise WrongUsage(f"--weight {name}={weight:g}: {problem}")


def _find_bad_evidence(answer: AnswerRecord) -> tuple[str, str] | None:
    try:
        spans = read_gold_evidence(answer)
    except ValidationError as error:
        where, problem = first_problem(error)
        shape = "a list of field ('headline' or 'text'), start and end"
        return f"gold_evidence.{where}".rstrip("."), f"{problem} (marked evidence is {shape})"
    for place, span in enumerate(spans):
        n_chars = len(getattr(answer, span.field) or "")
        if not span.start < span.end <= n_chars:
            problem = f"expected offsets within the {span.field}'s {n_chars} characters"
            return f"gold_evidence.{place}", f"{problem}, found {span.start} to {span.end}"
    return None


def _infer_scheme(labels: Sequence[str]) -> LabelScheme:
    scheme, found = default_scheme(), set(labels)
    if len(found & set(scheme.names)) >= min(3, len(found)):
        return scheme
    if len(found) < 2:
        raise BadInput(
            "labelled data", f"{len(labels)} answers with {len(found)} labels: two at least are needed to learn from"
        )
    return LabelScheme.from_labels("labels of the data", sorted(found))


@dataclass(frozen=True)
class EncoderSource:
    """An encoder that a new model is to read with.

    Attributes
    ----------
    encoder
        The encoder.
    tuning
        What it was tuned on: such answers are not learnt from.
    files
        Its files, by name.
    """

    encoder: Encoder
    tuning: Tuning
    files: Mapping[str, bytes]

    @cached_property
    def name(self) -> str:
        """What it is, whichever model it was taken from: a hash of its files."""
        state = hashlib.sha256()
        for name in sorted(self.files):
            state.update(hashlib.sha256(self.files[name]).digest())
        return f"encoder@{state.hexdigest()[:12]}"


def open_encoder(name: str) -> EncoderSource:
    """Load the encoder of a model, or one that was just tuned and has no model yet.

    Raises
    ------
    ModelError
        When there is no such model, or it is damaged.
    WrongUsage
        When it reads without an encoder.
    """
    from pipeline.encoder import load_encoder, load_tuning

    path = Path(name)
    if not (path / ENCODER_LAYERS).is_file() or (path / MANIFEST).is_file():
        folder = open_model(name)
        if not folder.has_encoder:
            reason = "that model has no encoder: name one that has, or train with none, on words and cues alone"
            raise WrongUsage(f"{name}: {reason}")
        path = folder.path
    encoder = load_encoder(path)
    tuning = load_tuning(path, len(encoder.labels))
    return EncoderSource(encoder, tuning, {file: (path / file).read_bytes() for file in ENCODER})


def train_model(
    data: LabelledData,
    folder: Path,
    config: ClassifierConfig,
    *,
    say: Say,
    encoder: EncoderSource | None = None,
    n_folds: int = 5,
    target_accuracy: float = 0.85,
    with_curves: bool = False,
) -> ModelFolder:
    """Train a model, score it by cross-validation across questions, and save it with its card.

    Parameters
    ----------
    data
        Labelled answers.
    folder
        Where the model goes.
    config
        What to fit with.
    say
        Where progress goes.
    encoder
        What reads the answers beside their words and cues; None for a model without.
    n_folds
        Folds of the cross-validation.
    target_accuracy
        Share of right sides that the threshold of abstention aims at.
    with_curves
        Also measure the learning curve and, where answers name a `group`, scores on groups never seen;
        takes several times as long.
    """
    from pipeline.classify import StanceModel
    from pipeline.estimator import scale_temperature
    from pipeline.evaluate import (
        choose_abstention,
        cross_validate,
        score_abstention,
        score_evidence,
        score_posteriors,
        split_answers,
    )
    from pipeline.features import build_vocabulary
    from pipeline.fitting import fit_estimator
    from pipeline.persistence import save_model
    from pipeline.preprocess import AnswerParser
    from pipeline.training import count_labelled, featurise

    if encoder is not None:
        data = leave_out_tuned_on(data, encoder, say)
    # Too few answers are told of before they are read, which an encoder does slowly.
    split_answers(np.array(data.labels), np.array(data.questions), n_folds)
    lexicon_text = default_lexicon_text()
    say(f"reading {len(data.answers)} answers to {len(set(data.questions))} questions")
    parser = AnswerParser(parse_lexicon(lexicon_text, "cues.toml"))
    features = featurise(data.answers, parser, with_pieces=config.piece_weight > 0)
    vocabulary = build_vocabulary(features, config.min_answers)
    readings = None if encoder is None else _read_to_learn(encoder, features, say)
    training = count_labelled(features, vocabulary, data.labels, data.questions, data.weights, readings)
    validation = cross_validate(training, data.scheme, config, n_folds=n_folds)
    say(f"scored over {validation.n_folds} folds, by {validation.grouped_by}")
    threshold = choose_abstention(validation.posteriors, data.labels, data.scheme, target_accuracy)
    estimator = scale_temperature(fit_estimator(training, config), validation.temperature)
    scores = score_posteriors(validation.posteriors, data.labels, data.questions, data.scheme)
    counts = Counter(data.labels)
    return save_model(
        folder,
        StanceModel(folder.name, data.scheme, vocabulary, estimator, lexicon_text, threshold, config),
        temperature=validation.temperature,
        training={
            "n_answers": len(data.answers),
            "n_questions": len(set(data.questions)),
            "labels": {name: counts[name] for name in data.scheme.names},
            "sources": sorted({Path(a.source.file).name for a in data.answers}),
            "source_weights": dict(data.source_weights),
            "digest": data.digest(),
            "encoder": None if encoder is None else encoder.name,
            "n_tuned_on": 0 if encoder is None else len(encoder.tuning.tuned_on),
        },
        scores=scores.to_row()
        | score_abstention(
            validation.posteriors, data.labels, data.scheme, threshold, is_silent=_find_silent(features, vocabulary)
        )
        | score_evidence(validation.evidence, training.is_evidence, training.sentences.answers)
        | {"curves": _measure_curves(data, training, validation, config, say, n_folds if with_curves else None)}
        | {"grouped_by": validation.grouped_by, "n_folds": validation.n_folds},
        answers=data.answers,
        encoder=None if encoder is None else encoder.files,
        tuned_on=frozenset() if encoder is None else encoder.tuning.tuned_on,
    )


def _read_to_learn(source: EncoderSource, features: Sequence[Features], say: Say) -> Floats:
    from pipeline.encoder import count_unread, read_unseen

    batches = [part.batch for part in features]
    n_unread = count_unread(source.tuning, batches)
    if n_unread:
        say(f"{source.name} reads {n_unread} answers, some 25 a second (--encoder none learns without it)")
    return read_unseen(source.encoder, source.tuning, batches)


def leave_out_tuned_on(data: LabelledData, source: EncoderSource, say: Say) -> LabelledData:
    """Leave out what an encoder was tuned on: there it is better than it will be.

    Raises
    ------
    BadInput
        When nothing is left.
    """
    n, tuned_on = len(data.answers), source.tuning.tuned_on
    left = [row for row, answer in enumerate(data.answers) if hash_answer(answer) not in tuned_on]
    if len(left) == n:
        return data
    if not left:
        reason = f"{source.name} was tuned on all {n} answers: name others, or --encoder none"
        raise BadInput("labelled data", reason)
    say(
        f"{source.name} was tuned on {n - len(left)} of {n} answers: {len(left)} are left to learn from and to score on"
    )
    return replace(data, answers=[data.answers[row] for row in left], labels=[data.labels[row] for row in left])


def _measure_curves(
    data: LabelledData,
    training: TrainingData,
    validation: CrossValidation,
    config: ClassifierConfig,
    say: Say,
    n_folds: int | None,
) -> dict[str, Any]:
    """Measure what the card draws; the curves that need further fits where a number of folds is given."""
    from pipeline.curves import coverage_curve, reliability_bins
    from pipeline.evaluate import judge_sides, measure_groups, measure_learning_curve

    confidence, right = judge_sides(validation.posteriors, data.labels, data.scheme)
    called, accuracy = coverage_curve(confidence, right)
    curves: dict[str, Any] = {
        "reliability": [
            (round(b.confidence, 4), round(b.accuracy, 4), b.n) for b in reliability_bins(confidence, right)
        ],
        "coverage": list(zip(called.round(4).tolist(), accuracy.round(4).tolist(), strict=True)),
    }
    if n_folds is not None:
        say("measuring the learning curve")
        curves["learning"] = measure_learning_curve(
            training, data.scheme, config, temperature=validation.temperature, n_folds=n_folds
        )
        groups = [(answer.model_extra or {}).get("group") for answer in data.answers]
        groups = [group if isinstance(group, str) else None for group in groups]
        if any(groups):
            say("scoring groups never seen")
            curves["groups"] = measure_groups(training, groups, data.scheme, config, temperature=validation.temperature)
    return curves


def evaluate_model(data: LabelledData, classifier: Classifier, *, say: Say) -> Row:
    """Score a model on labelled answers, and warn of those it was trained on."""
    from pipeline.classify import choose_evidence, choose_stances
    from pipeline.encoder import read_batch
    from pipeline.estimator import predict_posteriors
    from pipeline.evaluate import score_abstention, score_evidence, score_posteriors
    from pipeline.training import count_labelled, featurise

    model = classifier.model
    seen = classifier.folder.training_hashes()
    n_seen = sum(hash_answer(answer) in seen for answer in data.answers)
    if n_seen:
        say(
            f"warning: {n_seen} of {len(data.answers)} answers were in the model's training data: the scores flatter it"
        )
    features = featurise(data.answers, classifier.parser, with_pieces=model.config.piece_weight > 0)
    readings = None if model.encoder is None else np.concatenate([read_batch(model.encoder, f.batch) for f in features])
    scored = count_labelled(features, model.vocabulary, data.labels, data.questions, data.weights, readings)
    posteriors = predict_posteriors(model.estimator, scored.sentences, model.scheme)
    stances, _ = choose_stances(posteriors, model.scheme)
    strengths = model.estimator.weigh_features(scored.sentences, stances)
    strengths *= model.estimator.predict_relevance(scored.sentences)
    evidence = choose_evidence(strengths, scored.sentences.answers, model.config)
    is_silent = _find_silent(features, model.vocabulary)
    return (
        {"model": model.name, "n_seen_in_training": n_seen}
        | score_posteriors(posteriors, data.labels, data.questions, model.scheme).to_row()
        | score_abstention(posteriors, data.labels, model.scheme, model.abstain_below, is_silent=is_silent)
        | score_evidence(evidence, scored.is_evidence, scored.sentences.answers)
    )


def _find_silent(features: Sequence[Features], vocabulary: Vocabulary) -> NDArray[np.bool_]:
    """Say which answers have no word and no cue of a vocabulary, shape (n_answers,)."""
    from pipeline.classify import find_said

    return np.concatenate([~find_said(batch, vocabulary.columns(batch.hashes) >= 0) for batch in features])


def check_model_place(folder: Path) -> None:
    """Raise, before any work is done, when a model cannot be written to a place."""
    from pipeline.persistence import check_place

    check_place(folder)


def default_config(scheme: LabelScheme, encoder: EncoderSource | None = None) -> ClassifierConfig:
    """Return what a classifier is fitted with unless told otherwise.

    Beside an encoder that was tuned to tell the scheme's labels apart, words and cues add little and are held
    back, and the labels count as often as they occur: both measured across questions, see docs/method.md.

    Parameters
    ----------
    scheme
        The labels.
    encoder
        What reads the answers; None for words and cues alone.
    """
    if encoder is None or encoder.encoder.labels != scheme.names:
        return ClassifierConfig()
    return ClassifierConfig(inverse_penalty=0.1, balance=False)


def show_scores(scores: Row) -> list[tuple[str, str]]:
    """Return scores in words, in a fixed order."""
    return score_lines(scores)
