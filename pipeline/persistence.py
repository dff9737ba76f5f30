"""The model folder written whole, and its artefact loaded with distrust; what a folder holds is in `pipeline.manifest`.

The same training data, settings, locked dependencies and number of threads of the linear algebra library
give the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import zipfile
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.card import draw_figures, render_card
from pipeline.classify import StanceModel
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
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)


# ---------------------------------------------------------------- saving


def save_model(
    folder: Path,
    model: StanceModel,
    *,
    temperature: float,
    training: Mapping[str, Any],
    scores: Mapping[str, Any],
    answers: Iterable[AnswerRecord],
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

    Raises
    ------
    WrongUsage
        When something other than a model is at `folder`.
    """
    folder = check_place(folder)
    files = {
        ARTEFACT: dump_model(model.vocabulary, model.estimator),
        LEXICON: model.lexicon_text.encode(),
        TRAINING_ANSWERS: ("\n".join(sorted({hash_answer(a) for a in answers})) + "\n").encode("ascii"),
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
    """Serialise what was learned as an archive of arrays (NumPy's npz) whose bytes depend on it alone.

    NumPy itself stamps the archive with the time.
    """
    arrays = {
        "names": _text_array(vocabulary.names),
        "hashes": vocabulary.hashes,
        "documents": vocabulary.documents.astype(np.uint8),
        "relevance_power": np.array([estimator.relevance_power]),
        **_linear_arrays("stance", estimator.stance),
        **({} if estimator.relevance is None else _linear_arrays("relevance", estimator.relevance)),
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, array in sorted(arrays.items()):
            info = zipfile.ZipInfo(f"{name}.npy", _ZIP_DATE)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = 3
            info.external_attr = 0o600 << 16
            data = io.BytesIO()
            np.lib.format.write_array(data, np.ascontiguousarray(array), allow_pickle=False)
            archive.writestr(info, data.getvalue())
    return out.getvalue()


def _linear_arrays(name: str, model: LinearModel) -> dict[str, Any]:
    return {
        f"{name}.idf": model.idf,
        f"{name}.weights": model.weights,
        f"{name}.is_normed": model.is_normed,
        f"{name}.classes": _text_array(model.classes),
        f"{name}.coefficients": model.coefficients,
        f"{name}.intercepts": model.intercepts,
    }


def _text_array(names: Iterable[str]) -> Any:
    """Store names as the bytes of one text, a line each: far smaller than an array of texts of one length."""
    return np.frombuffer("\n".join(names).encode(), dtype=np.uint8)


def _read_text_array(array: Any) -> tuple[str, ...]:
    if array.dtype != np.uint8:
        raise TypeError("its names are no text")
    return tuple(array.tobytes().decode().split("\n"))


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
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            content = {name: archive[name] for name in archive.files}
    except Exception as error:
        # Whatever a malformed archive makes NumPy raise, to the user it is one thing, in one line.
        reason = " ".join(str(error).split())
        raise ModelError(f"{path}: cannot be loaded ({type(error).__name__}: {reason})") from error
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
    return StanceModel(
        name=folder.full_name,
        scheme=manifest.scheme,
        vocabulary=vocabulary,
        estimator=estimator,
        lexicon_text=lexicon_text,
        abstain_below=manifest.abstain_below,
        config=manifest.config,
    )


def read_content(content: Mapping[str, Any]) -> tuple[Vocabulary, StanceEstimator]:
    """Read the arrays that `dump_model` serialised.

    Raises
    ------
    LookupError, TypeError, ValueError, AttributeError, ArithmeticError
        When they are anything else, or do not fit together.
    """
    names = _read_text_array(content["names"])
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
    estimator = StanceEstimator(relevance, _read_linear(content, "stance", documents), power)
    return Vocabulary(names, hashes, documents), estimator


def _read_linear(content: Mapping[str, Any], name: str, documents: Any) -> LinearModel:
    parts = ("idf", "weights", "is_normed", "classes", "coefficients", "intercepts")
    idf, weights, is_normed, classes, coefficients, intercepts = (content[f"{name}.{part}"] for part in parts)
    labels = _read_text_array(classes)
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
