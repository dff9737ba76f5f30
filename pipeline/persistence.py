"""The model folder: artefact, lexicon, manifest and card; written whole, loaded with distrust.

A folder holds

- ``model.npz``: the fitted regressions and their features, plain NumPy arrays, which cannot run code;
- ``cues.toml``: the cue lexicon its features were made with;
- ``training_answers.txt``: a hash of every training answer, so that scoring on them is noticed;
- ``README.md``: the model card, and its figures (SVG);
- ``manifest.json``: everything else, and the SHA-256 of every other file.

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
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from pipeline.card import FIGURES, Manifest, draw_figures, render_card
from pipeline.classify import StanceModel
from pipeline.errors import ModelError, WrongUsage
from pipeline.estimator import LinearModel, StanceEstimator
from pipeline.features import DOCUMENTS, FEATURE_VERSION, Vocabulary
from pipeline.folders import open_folder
from pipeline.schema import AnswerRecord, first_problem

MANIFEST = "manifest.json"
ARTEFACT = "model.npz"
LEXICON = "cues.toml"
TRAINING_ANSWERS = "training_answers.txt"
CARD = "README.md"
FORMAT = 4
_VERSIONED = ("matplotlib", "medstance", "numpy", "scikit-learn", "scipy", "spacy")
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class ModelFolder:
    """A verified model folder.

    Attributes
    ----------
    path
        Where it is.
    manifest
        What it says of itself.
    digest
        First twelve hex digits of the manifest's SHA-256: they stand for every file of the folder.
    """

    path: Path
    manifest: Manifest
    digest: str

    @property
    def full_name(self) -> str:
        """Name and digest, as in every call the model makes."""
        return f"{self.manifest.name}@{self.digest}"

    def read_card(self) -> str:
        """Return the model card, Markdown."""
        return self.read_text(CARD)

    def training_hashes(self) -> frozenset[str]:
        """Return the hashes of the answers it was trained on: see `hash_answer`."""
        return frozenset(self.read_text(TRAINING_ANSWERS).split())

    def read_text(self, name: str) -> str:
        """Return the text of one of its files.

        Raises
        ------
        ModelError
            When it is no text.
        """
        try:
            return (self.path / name).read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise ModelError(f"{self.path / name}: is no UTF-8 text ({error.reason}): not trusted") from error


def hash_answer(answer: AnswerRecord) -> str:
    """Hash an answer's question, headline and text: 16 hex digits.

    Spacing and case do not count, so that a copy of a training answer is found again.
    """
    parts = (answer.question, answer.headline or "", answer.text)
    joined = "\x1f".join(" ".join(part.casefold().split()) for part in parts)
    return hashlib.sha256(joined.encode()).hexdigest()[:16]


# ---------------------------------------------------------------- where models are


def model_roots() -> list[Path]:
    """Return the folders that named models are looked up in: the package's own, then the checkout's."""
    package = Path(__file__).resolve().parent
    return [root for root in (package / "models", package.parent / "models") if root.is_dir()]


def find_model(name: str) -> Path:
    """Return the folder of a model given by name or by path; an installed model's name counts first.

    Raises
    ------
    ModelError
        When there is none.
    """
    if Path(name).name == name:
        for root in model_roots():
            if (root / name / MANIFEST).is_file():
                return root / name
    if (Path(name) / MANIFEST).is_file():
        return Path(name)
    known = ", ".join(folder.name for folder in list_models()) or "none"
    raise ModelError(
        f"{name}: no model folder with a {MANIFEST} there, and no installed model of that name (installed: {known})"
    )


def list_models() -> list[Path]:
    """Return the installed model folders, by name, the first of a name counting."""
    found: dict[str, Path] = {}
    for root in model_roots():
        for manifest in sorted(root.glob(f"*/{MANIFEST}")):
            if not manifest.parent.name.startswith("."):
                found.setdefault(manifest.parent.name, manifest.parent)
    return [found[name] for name in sorted(found)]


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


def read_folder(path: Path) -> ModelFolder:
    """Read and verify a model folder without loading its artefact.

    Raises
    ------
    ModelError
        When a file is missing or is not what the manifest says, or the manifest cannot be understood.
    """
    try:
        data = (path / MANIFEST).read_bytes()
        manifest = Manifest.model_validate_json(data)
    except OSError as error:
        raise ModelError(f"{path}: no readable {MANIFEST}: {error.strerror}") from error
    except ValidationError as error:
        where, problem = first_problem(error)
        raise ModelError(f"{path / MANIFEST}: {where or 'content'}: {problem}: not a model of this version") from error
    if manifest.format != FORMAT:
        raise ModelError(
            f"{path}: folder format {manifest.format}, this medstance reads {FORMAT}: retrain it with stance train"
        )
    needed = {ARTEFACT, LEXICON, TRAINING_ANSWERS, CARD}
    wrong = (needed - manifest.files.keys()) | (manifest.files.keys() - needed - set(FIGURES))
    if wrong:
        differs = min(wrong)
        what = "is missing or not a model's" if Path(differs).name == differs else "leads out of the folder"
        raise ModelError(f"{path / MANIFEST}: file name {differs!r} {what}: not trusted")
    for name, expected in manifest.files.items():
        try:
            found = hashlib.sha256((path / name).read_bytes()).hexdigest()
        except OSError as error:
            raise ModelError(
                f"{path / name}: cannot be read ({error.strerror}): install or train the model again"
            ) from error
        if found != expected:
            hashes = f"SHA-256 {found[:12]}, expected {expected[:12]}"
            raise ModelError(f"{path / name}: not the file the manifest describes ({hashes}): changed, not trusted")
    return ModelFolder(path, manifest, hashlib.sha256(data).hexdigest()[:12])


def load_model(folder: ModelFolder) -> StanceModel:
    """Load the artefact of a verified folder.

    Raises
    ------
    ModelError
        When it holds anything but the arrays of a stance classifier, or was made with another version of
        medstance's features.
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
    return StanceModel(
        name=folder.full_name,
        scheme=manifest.scheme,
        vocabulary=vocabulary,
        estimator=estimator,
        lexicon_text=folder.read_text(LEXICON),
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
