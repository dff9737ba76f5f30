"""The installed models."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipeline.errors import ModelError
from pipeline.flat import Row
from pipeline.manifest import ModelFolder, find_model, list_models, read_folder

# Stages that need spaCy or scikit-learn are imported where they are used: a command starts with what it needs.


def open_model(name: str) -> ModelFolder:
    """Find and verify a model folder without loading its artefact."""
    return read_folder(find_model(name))


def describe_models() -> list[Row]:
    """Describe the installed models: name, digest, path, training answers, sides right out of fold."""
    folders = [read_folder(path) for path in list_models()]
    return [
        {
            "name": folder.manifest.name,
            "digest": folder.digest,
            "path": str(folder.path),
            "n_answers": folder.manifest.training["n_answers"],
            "side_accuracy": folder.manifest.scores["side_accuracy"],
        }
        for folder in folders
    ]


def verify_models(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Read, hash and load models; give each one's name and full name.

    Raises
    ------
    ModelError
        At the first that is not intact.
    """
    from pipeline.persistence import load_model

    folders = [find_model(name) for name in names] or list_models()
    if not folders:
        raise ModelError("no model is installed")
    for path in folders:
        folder = read_folder(path)
        load_model(folder)
        yield str(path), folder.full_name
