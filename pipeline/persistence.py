"""The model folder written whole, and its artefact loaded with distrust; what a folder holds is in `pipeline.manifest`.

The same training data, settings, locked dependencies, number of threads and kind of processor
give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.archive import dump_arrays, read_arrays, read_text_array, text_array
from pipeline.card import draw_figures, render_card
from pipeline.classify import StanceModel
from pipeline.encoder import load_encoder
from pipeline.errors import ModelError, WrongUsage
from pipeline.estimator import LinearModel, StanceEstimator
from pipeline.features import DOCUMENTS, FEATURE_VERSION, Vocabulary
from pipeline.folders import open_folder
from pipeline.manifest import (
    ARTEFACT,
    CARD,
    FORMAT,
    LEXICON,
    MANIFEST,
    TRAINING_ANSWERS,
    Manifest,
    ModelFolder,
    hash_answer,
    read_folder,
)
from pipeline.schema import AnswerRecord

_VERSIONED = ("matplotlib", "medstance", "numpy", "scikit-learn", "scipy", "spacy")


# ---------------------------------------------------------------- saving


def save_model(
    folder: Path,
    model: StanceModel,
    *,
    temperature: float,
    training: Mapping[str, Any],
    scores: Mapping[str, Any],
    answers: Iterable[AnswerRecord],
    encoder: Mapping[str, bytes] | None = None,
    tuned_on: frozenset[str] = frozenset(),
) -> ModelFolder:
    """Write a model folder; it appears whole or not at all, and replaces an earlier model there.

    Parameters
    ----------
    folder
        Where to; its name becomes the model's.
    model
        The fitted model.
    temperature, training, scores
        For the manifest and the card.
    answers
        What it was trained on.
    encoder
        The files of its encoder, by name; None without one.
    tuned_on
        Hashes of the answers that the encoder was tuned on.

    Raises
    ------
    WrongUsage
        When something other than a model is at `folder`.
    """
    folder = check_place(folder)
    files = {
        **({} if encoder is None else encoder),
        ARTEFACT: dump_model(model.vocabulary, model.estimator),
        LEXICON: model.lexicon_text.encode(),
        TRAINING_ANSWERS: ("\n".join(sorted({hash_answer(a) for a in answers} | tuned_on)) + "\n").encode("ascii"),
    }
    manifest = Manifest(
        format=FORMAT,
        name=folder.name,
        versions={name: version(name) for name in _VERSIONED},
        scheme=model.scheme,
        feature_version=FEATURE_VERSION,
        abstain_below=model.abstain_below,
        temperature=temperature,
        config=model.config,
        training=dict(training),
        scores=dict(scores),
        files={},
    )
    files[CARD] = render_card(manifest).encode()
    files |= {name: figure.encode() for name, figure in draw_figures(manifest).items()}
    hashed = {name: hashlib.sha256(data).hexdigest() for name, data in sorted(files.items())}
    manifest = manifest.model_copy(update={"files": hashed})
    files[MANIFEST] = (json.dumps(manifest.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n").encode()
    with open_folder(folder) as new:
        for name, data in files.items():
            (new / name).write_bytes(data)
    return read_folder(folder)


def check_place(folder: Path) -> Path:
    """Return the place for a model in full, if a model can be written there.

    Raises
    ------
    WrongUsage
        When something other than a model is there, or nothing can be written there.
    """
    place = folder.resolve()
    if place.exists() and not (place / MANIFEST).is_file():
        raise WrongUsage(f"{folder}: exists and is no model folder: name another place with -o")
    parent = next(parent for parent in place.parents if parent.exists())
    if not os.access(parent, os.W_OK) or not parent.is_dir():
        raise WrongUsage(f"{folder}: nothing can be written to {parent}: name another place with -o")
    return place


def dump_model(vocabulary: Vocabulary, estimator: StanceEstimator) -> bytes:
    """Serialise what was learned as an archive of arrays."""
    arrays = {
        "names": text_array(vocabulary.names),
        "hashes": vocabulary.hashes,
        "documents": vocabulary.documents.astype(np.uint8),
        "relevance_power": np.array([estimator.relevance_power]),
        **_linear_arrays("stance", estimator.stance),
        **({} if estimator.relevance is None else _linear_arrays("relevance", estimator.relevance)),
        **({} if estimator.readings is None else {"readings": estimator.readings}),
    }
    return dump_arrays(arrays)


def _linear_arrays(name: str, model: LinearModel) -> dict[str, Any]:
    return {
        f"{name}.idf": model.idf,
        f"{name}.weights": model.weights,
        f"{name}.is_normed": model.is_normed,
        f"{name}.classes": text_array(model.classes),
        f"{name}.coefficients": model.coefficients,
        f"{name}.intercepts": model.intercepts,
    }


# ---------------------------------------------------------------- loading


def load_model(folder: ModelFolder) -> StanceModel:
    """Load the artefact of a verified folder.

    Raises
    ------
    ModelError
        When it holds anything but the arrays of a stance classifier, was made with another version of
        medstance's features, or was replaced since it was verified.
    """
    path, manifest = folder.path / ARTEFACT, folder.manifest
    if manifest.feature_version != FEATURE_VERSION:
        versions = f"made with features of version {manifest.feature_version}, this medstance has {FEATURE_VERSION}"
        raise ModelError(f"{folder.path}: {versions}: retrain it with stance train")
    content = read_arrays(path)
    try:
        vocabulary, estimator = read_content(content)
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise ModelError(f"{path}: holds no stance classifier ({error}): not trusted") from error
    foreign = sorted(set(estimator.stance.classes) - set(manifest.scheme.names))
    if foreign:
        raise ModelError(f"{path}: calls labels that the manifest's scheme has not ({', '.join(foreign)}): not trusted")
    lexicon_text = folder.read_text(LEXICON)
    # A model is loaded when the first answer needs it, which may be hours after its folder was verified.
    if read_folder(folder.path).full_name != folder.full_name:
        raise ModelError(
            f"{folder.path}: was replaced by another model while {folder.full_name} was in use: run it again"
        )
    encoder = load_encoder(folder.path) if folder.has_encoder else None
    n_readings = None if estimator.readings is None else len(estimator.readings)
    if n_readings != (None if encoder is None else len(encoder.labels)):
        raise ModelError(f"{path}: weighs readings of another encoder than the folder's: not trusted")
    return StanceModel(
        name=folder.full_name,
        scheme=manifest.scheme,
        vocabulary=vocabulary,
        estimator=estimator,
        lexicon_text=lexicon_text,
        abstain_below=manifest.abstain_below,
        config=manifest.config,
        encoder=encoder,
    )


def read_content(content: Mapping[str, Any]) -> tuple[Vocabulary, StanceEstimator]:
    """Read the arrays that `dump_model` serialised.

    Raises
    ------
    LookupError, TypeError, ValueError, AttributeError, ArithmeticError
        When they are anything else, or do not fit together.
    """
    names = read_text_array(content["names"])
    hashes, documents = content["hashes"], content["documents"]
    if hashes.dtype != np.uint64 or documents.dtype != np.uint8:
        raise TypeError("its features are no numbers")
    if not (len(names),) == documents.shape == hashes.shape or documents.max(initial=0) >= len(DOCUMENTS):
        raise ValueError("its features do not fit together")
    documents = documents.astype(np.int64)
    has_relevance = any(name.startswith("relevance.") for name in content)
    relevance = _read_linear(content, "relevance", documents) if has_relevance else None
    if relevance is not None and relevance.classes != ("False", "True"):
        raise ValueError("a sentence is evidence or it is not")
    power = content["relevance_power"].item()
    if not isinstance(power, float) or not 0 <= power < math.inf:
        raise ValueError(f"a power of {power!r}")
    stance = _read_linear(content, "stance", documents)
    estimator = StanceEstimator(relevance, stance, power, _read_readings(content, len(stance.classes)))
    return Vocabulary(names, hashes, documents), estimator


def _read_readings(content: Mapping[str, Any], n_classes: int) -> Any:
    readings = content.get("readings")
    if readings is None:
        return None
    if readings.dtype != np.float64 or readings.ndim != 2 or readings.shape[1] != n_classes:
        raise ValueError("its weights of readings do not fit the labels")
    if not np.isfinite(readings).all():
        raise ValueError("its arrays hold what is no number")
    return readings


def _read_linear(content: Mapping[str, Any], name: str, documents: Any) -> LinearModel:
    parts = ("idf", "weights", "is_normed", "classes", "coefficients", "intercepts")
    idf, weights, is_normed, classes, coefficients, intercepts = (content[f"{name}.{part}"] for part in parts)
    labels = read_text_array(classes)
    n, n_classes, each = len(documents), len(set(labels)), (len(DOCUMENTS),)
    numbers = (idf, weights, coefficients, intercepts)
    shapes = [array.shape for array in (*numbers, is_normed)]
    if n_classes < 2 or n_classes != len(labels) or shapes != [(n,), each, (n, n_classes), (n_classes,), each]:
        raise ValueError("its arrays do not fit together")
    if any(array.dtype != np.float64 for array in numbers) or is_normed.dtype != np.bool_:
        raise TypeError("its arrays are of another kind")
    if not all(np.isfinite(array).all() for array in numbers):
        raise ValueError("its arrays hold what is no number")
    return LinearModel(idf, documents, weights, is_normed, labels, coefficients, intercepts)
