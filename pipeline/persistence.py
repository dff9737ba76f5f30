"""The model folder: artefact, lexicon, manifest and card; written whole, loaded with distrust.

A folder holds

- ``model.skops``: the fitted estimator, scikit-learn classes only, in a format that cannot run code;
- ``cues.toml``: the cue lexicon its features were made with;
- ``training_answers.txt``: a hash of every training answer, so that scoring on them is noticed;
- ``README.md``: the model card;
- ``manifest.json``: everything else, and the SHA-256 of every other file.

The same training data, settings and locked dependencies give the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import tempfile
import warnings
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import skops.io
from pydantic import ValidationError
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.pipeline import Pipeline

from pipeline.classify import ClassifierConfig, StanceModel
from pipeline.errors import ModelError, WrongUsage
from pipeline.features import FEATURE_VERSION
from pipeline.schema import AnswerRecord, Frozen, LabelScheme, first_problem

MANIFEST = "manifest.json"
ARTEFACT = "model.skops"
LEXICON = "cues.toml"
TRAINING_ANSWERS = "training_answers.txt"
CARD = "README.md"
FORMAT = 2
_VERSIONED = ("medstance", "numpy", "scikit-learn", "scipy", "skops", "spacy")
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)


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
        ARTEFACT: dump_estimator(model.estimator),
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
    hashed = {name: hashlib.sha256(data).hexdigest() for name, data in sorted(files.items())}
    manifest = manifest.model_copy(update={"files": hashed})
    files[MANIFEST] = (json.dumps(manifest.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n").encode()
    _write_folder(folder, files)
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


def _write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as error:
        raise WrongUsage(f"{folder}: cannot be written ({error.strerror}): name another place with -o") from error
    try:
        for name, data in files.items():
            (new / name).write_bytes(data)
        new.chmod(0o755)
        if folder.exists():
            old = new.with_name(new.name + "-old")
            folder.rename(old)
            try:
                new.rename(folder)
            except BaseException:
                old.rename(folder)
                raise
            shutil.rmtree(old)
        else:
            new.rename(folder)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def dump_estimator(estimator: Pipeline) -> bytes:
    """Serialise an estimator with skops, then make the bytes depend on its content alone.

    skops numbers objects by their place in memory and stamps its archive with the time; here they are
    numbered in order of appearance, and the stamp is constant.
    """
    vectorisers = list(estimator["features"].named_transformers_.values())
    vocabularies = [vectoriser.vocabulary_ for vectoriser in vectorisers]
    for vectoriser in vectorisers:
        # A place in memory that the vectorisers note and can do without.
        vars(vectoriser).pop("_stop_words_id", None)
        # As an array: skops takes seconds to check a mapping of many terms one by one.
        vectoriser.vocabulary_ = np.array(sorted(vectoriser.vocabulary_, key=vectoriser.vocabulary_.get))
    try:
        archive = zipfile.ZipFile(io.BytesIO(skops.io.dumps(estimator)))
    finally:
        for vectoriser, vocabulary in zip(vectorisers, vocabularies, strict=True):
            vectoriser.vocabulary_ = vocabulary
    schema = json.loads(archive.read("schema.json"))
    names: dict[str, str] = {}
    _renumber(schema, {}, names)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as canonical:
        members = {names[name]: archive.read(name) for name in archive.namelist() if name in names}
        members["schema.json"] = json.dumps(schema, ensure_ascii=False, separators=(",", ":")).encode()
        for name in sorted(members):
            info = zipfile.ZipInfo(name, _ZIP_DATE)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = 3
            info.external_attr = 0o600 << 16
            canonical.writestr(info, members[name])
    return out.getvalue()


def _renumber(node: Any, ids: dict[int, int], names: dict[str, str]) -> None:
    """Give every object a number in order of appearance, and its array file the same."""
    if isinstance(node, list):
        for item in node:
            _renumber(item, ids, names)
    elif isinstance(node, dict):
        if isinstance(node.get("__id__"), int):
            # Constants may or may not be shared in memory; each gets a number of its own, here a key no id has.
            key = -1 - len(ids) if node.get("is_json") else node["__id__"]
            node["__id__"] = ids.setdefault(key, len(ids))
        if isinstance(node.get("file"), str):
            node["file"] = names.setdefault(node["file"], f"{len(names)}.npy")
        for value in node.values():
            _renumber(value, ids, names)


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
    known = {ARTEFACT, LEXICON, TRAINING_ANSWERS, CARD}
    if known != manifest.files.keys():
        differs = min(known ^ manifest.files.keys())
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
        When it holds anything but scikit-learn's own classes, or was written by another version of
        scikit-learn or of medstance's features.
    """
    path, manifest = folder.path / ARTEFACT, folder.manifest
    if manifest.feature_version != FEATURE_VERSION:
        versions = f"made with features of version {manifest.feature_version}, this medstance has {FEATURE_VERSION}"
        raise ModelError(f"{folder.path}: {versions}: retrain it with stance train")
    data = path.read_bytes()
    _refuse_foreign_types(path, data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", InconsistentVersionWarning)
            estimator = load_estimator(data)
    except InconsistentVersionWarning as error:
        versions = f"scikit-learn {error.original_sklearn_version}, installed is {error.current_sklearn_version}"
        advice = "install that version or retrain it with stance train"
        raise ModelError(f"{path}: written by {versions}: {advice}") from error
    except Exception as error:
        # Whatever a malformed archive makes skops raise, to the user it is one thing.
        raise ModelError(f"{path}: cannot be loaded ({type(error).__name__}: {error})") from error
    _refuse_foreign_estimator(path, estimator, manifest.scheme)
    return StanceModel(
        name=folder.full_name,
        scheme=manifest.scheme,
        estimator=estimator,
        lexicon_text=folder.read_text(LEXICON),
        abstain_below=manifest.abstain_below,
        config=manifest.config,
    )


def load_estimator(data: bytes) -> Any:
    """Load what `dump_estimator` gave; of anything else, whatever skops makes of it."""
    estimator = skops.io.loads(data, trusted=[])
    if isinstance(estimator, Pipeline) and isinstance(estimator.steps[0][1], ColumnTransformer):
        for vectoriser in estimator.steps[0][1].named_transformers_.values():
            terms = getattr(vectoriser, "vocabulary_", None)
            if isinstance(terms, np.ndarray):
                vectoriser.vocabulary_ = {term: place for place, term in enumerate(terms.tolist())}
    return estimator


def _refuse_foreign_estimator(path: Path, estimator: object, scheme: LabelScheme) -> None:
    is_ours = isinstance(estimator, Pipeline) and [name for name, _ in estimator.steps] == ["features", "regression"]
    if not is_ours or not isinstance(estimator, Pipeline):
        raise ModelError(f"{path}: holds no stance classifier: not trusted")
    foreign = sorted(set(map(str, estimator.classes_)) - set(scheme.names))
    if foreign:
        raise ModelError(f"{path}: calls labels that the manifest's scheme has not ({', '.join(foreign)}): not trusted")


def _refuse_foreign_types(path: Path, data: bytes) -> None:
    try:
        foreign = skops.io.get_untrusted_types(data=data)
    except Exception as error:
        raise ModelError(f"{path}: cannot be read ({type(error).__name__}: {error})") from error
    if foreign:
        raise ModelError(f"{path}: holds types that are not trusted: {', '.join(foreign)}")


# ---------------------------------------------------------------- the card


def render_card(manifest: Manifest) -> str:
    """Render the model card from the manifest: what it is, how good, what it gets wrong."""
    scores, training = manifest.scores, manifest.training
    lines = [
        f"# Model card: {manifest.name}",
        "",
        "Labels the stance of one respondent's free-text answer to one question.",
        "It is not medical advice: a stance is what an answer says, not what is medically right.",
        "",
        "This file is written by `stance train`.",
        "",
        "## What it is",
        "",
        "TF-IDF of words and of cues (families of wordings, where they stand, negation), "
        f"then multinomial logistic regression; logits divided by {manifest.temperature} to make posteriors honest.",
        f"It abstains where the called side has a probability below {manifest.abstain_below}.",
        "",
        "| setting | value |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in asdict(manifest.config).items()),
        *(f"| {name} | {value} |" for name, value in manifest.versions.items()),
        "",
        "## What it was trained on",
        "",
        f"{training['n_answers']} answers to {training['n_questions']} questions; digest `{training['digest'][:16]}`.",
        "",
        "| label | answers |",
        "|---|--:|",
        *(f"| {name} | {n} |" for name, n in training["labels"].items()),
        "",
        "## How good it is",
        "",
        f"Out-of-fold scores, {scores['n_folds']} folds grouped by {scores['grouped_by']}: "
        "every answer is called by a model that saw no other answer of its group.",
        "Temperature and threshold of abstention were fitted on the same out-of-fold posteriors.",
        "",
        "| score | value |",
        "|---|--:|",
        *_score_rows(scores),
        "",
        "## What it gets wrong",
        "",
        "Gold labels by row, calls by column; abstentions are counted as called.",
        "",
        *_confusion_rows(manifest.scheme, scores["confusion"]),
        "",
        "| label | precision | recall | F1 | n |",
        "|---|--:|--:|--:|--:|",
        *(
            f"| {name} | {s['precision']:.2f} | {s['recall']:.2f} | {s['f1']:.2f} | {s['n']} |"
            for name, s in scores["labels"].items()
        ),
        "",
        *_worst_confusions(manifest.scheme, scores["confusion"]),
    ]
    return "\n".join(lines) + "\n"


_SCORE_NAMES = {
    "accuracy": "exact labels right",
    "baseline_accuracy": "the same, calling everything the commonest label",
    "side_accuracy": "sides right, of answers that oppose or support",
    "side_accuracy_interval": "90 % interval of that, questions resampled",
    "baseline_side_accuracy": "the same, calling everything the commonest side",
    "macro_f1": "macro-F1 over labels",
    "side_macro_f1": "macro-F1 over sides",
    "weighted_kappa": "quadratic-weighted kappa on grades",
    "calibration_error": "expected calibration error of sides, 10 bins",
    "log_loss": "log loss, nats",
    "accuracy_at_coverage": "sides right, of all answers' surest 70 %",
    "coverage": "share of answers not abstained on",
    "accuracy_when_called": "sides right, of all answers not abstained on",
}


def score_lines(scores: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the scores in words, in a fixed order; those without a value are left out."""
    shown = []
    for name, words in _SCORE_NAMES.items():
        value = scores.get(name)
        if isinstance(value, tuple | list):
            shown.append((words, " to ".join(f"{v:.3f}" for v in value)))
        elif value is not None:
            shown.append((words, f"{value:.3f}"))
    return shown


def _score_rows(scores: Mapping[str, Any]) -> list[str]:
    return [f"| {words} | {value} |" for words, value in score_lines(scores)]


def _confusion_rows(scheme: LabelScheme, confusion: list[list[int]]) -> list[str]:
    header = "| gold \\ called | " + " | ".join(scheme.names) + " |"
    ruler = "|---|" + "--:|" * len(scheme.names)
    rows = (
        f"| {name} | " + " | ".join(map(str, row)) + " |" for name, row in zip(scheme.names, confusion, strict=True)
    )
    return [header, ruler, *rows]


def _worst_confusions(scheme: LabelScheme, confusion: list[list[int]]) -> list[str]:
    pairs = [
        (n, gold, called)
        for gold, row in zip(scheme.names, confusion, strict=True)
        for called, n in zip(scheme.names, row, strict=True)
        if gold != called and n
    ]
    pairs.sort(key=lambda pair: (-pair[0], pair[1], pair[2]))
    return [f"- {n} answers that are `{gold}` are called `{called}`." for n, gold, called in pairs[:5]]
