"""The model folder as it describes itself: found, read and verified without loading what it learned.

A folder holds

- ``model.npz``: the fitted regressions and their features, plain NumPy arrays, which cannot run code;
- ``cues.toml``: the cue lexicon its features were made with;
- ``training_answers.txt``: a hash of every answer it learnt from, its encoder too, so that scoring on them is noticed;
- ``encoder_words.npz``, ``encoder_layers.npz`` and ``encoder_tuning.npz``, where it has an encoder: its words,
  its layers, and which answers it was tuned on;
- ``README.md``: the model card, and its figures (SVG);
- ``manifest.json``: everything else, and the SHA-256 of every other file.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipeline.errors import ModelError
from pipeline.schema import AnswerRecord, Frozen, LabelScheme, first_problem

# Neither spaCy nor an array library is imported here: a command that only asks what a model is starts without.

MANIFEST = "manifest.json"
ARTEFACT = "model.npz"
LEXICON = "cues.toml"
TRAINING_ANSWERS = "training_answers.txt"
CARD = "README.md"
ENCODER_WORDS = "encoder_words.npz"
ENCODER_LAYERS = "encoder_layers.npz"
ENCODER_TUNING = "encoder_tuning.npz"
ENCODER = (ENCODER_WORDS, ENCODER_LAYERS, ENCODER_TUNING)
"""Files of a model that reads with an encoder: all of them or none."""

FORMAT = 4
FIGURES = ("confusion.svg", "coverage.svg", "groups.svg", "learning.svg", "reliability.svg")
"""Figures that a model folder may have."""


@dataclass(frozen=True)
class ClassifierConfig:
    """What a training run is free to choose; copied into the model's manifest.

    Attributes
    ----------
    inverse_penalty
        scikit-learn's C: larger trusts the training data more.
    min_answers
        A feature seen in fewer training answers is left out.
    word_weight, cue_weight, piece_weight
        How far the kinds of features count against each other; pieces of words are left out where theirs is 0.
    balance
        Weight the labels as if each were equally common.
    relevance_power
        The exponent of a sentence's probability to be evidence in its weight; 0 weighs all alike.
    relevance_inverse_penalty
        C of the regression that gives that probability.
    relevance_min_sentences
        A feature that stands in fewer training sentences tells nothing of what is evidence.
    relevance_folds
        Folds by question over which training answers get their sentences' weights.
    max_evidence
        Passages given per answer, at most.
    min_evidence_share
        A passage that moves less than this share of what the strongest moves is left out.
    """

    inverse_penalty: float = 2.0
    min_answers: int = 2
    word_weight: float = 2.0
    cue_weight: float = 1.0
    piece_weight: float = 0.0
    balance: bool = True
    relevance_power: float = 0.5
    relevance_inverse_penalty: float = 1.0
    relevance_min_sentences: int = 40
    relevance_folds: int = 4
    max_evidence: int = 3
    min_evidence_share: float = 0.4


class Manifest(Frozen):
    """What a model folder says of itself.

    Attributes
    ----------
    format
        Version of the folder's layout.
    name
        The folder's name when it was written.
    versions
        Of the packages that wrote it.
    scheme
        The labels, in posterior order.
    feature_version
        Version of the features its artefact expects.
    abstain_below
        Least probability of the called side.
    temperature
        What the logits were divided by (already in the artefact).
    config
        `ClassifierConfig` as fitted.
    training
        Counts, sources and digest of the data.
    scores
        Out-of-fold scores on that data, and how the folds were made.
    files
        SHA-256 by file name.
    """

    format: int
    name: str
    versions: dict[str, str]
    scheme: LabelScheme
    feature_version: int
    abstain_below: float
    temperature: float
    config: ClassifierConfig
    training: dict[str, Any]
    scores: dict[str, Any]
    files: dict[str, str]


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
    def has_encoder(self) -> bool:
        """Whether it reads with an encoder."""
        return ENCODER_LAYERS in self.manifest.files

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
    return digest_texts(answer.question, answer.headline or "", answer.text).hex()[:16]


def digest_texts(*texts: str) -> bytes:
    """Return a SHA-256 of texts, whatever their spacing and case."""
    joined = "\x1f".join(" ".join(text.casefold().split()) for text in texts)
    return hashlib.sha256(joined.encode()).digest()


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


# ---------------------------------------------------------------- reading


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
    if not manifest.files.keys().isdisjoint(ENCODER):
        needed |= set(ENCODER)
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
