"""An encoder as files of a model folder, and read from them with distrust."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.archive import dump_arrays, read_arrays, read_text_array, text_array
from pipeline.encoder.network import ANSWER_PIECES, ASKED_PIECES, Encoder, Layer, Norm, Quantised
from pipeline.encoder.reading import READING_UNITS, Tuning
from pipeline.errors import ModelError
from pipeline.manifest import ENCODER_LAYERS, ENCODER_TUNING, ENCODER_WORDS

LEAST_POSITIONS = ANSWER_PIECES + 2 * ASKED_PIECES + 4
"""So many pieces an encoder must be able to read at once: proposition, question, answer and the borders."""

_MATRICES = ("asks", "mixes", "widens", "narrows")


def dump_encoder(encoder: Encoder) -> dict[str, bytes]:
    """Serialise an encoder, its matrices in bytes: the content of each of its files, by name."""
    words = {
        "pieces": text_array(encoder.pieces),
        **_dump_quantised("words", encoder.words),
    }
    layers: dict[str, Any] = {
        "positions": encoder.positions,
        "segments": encoder.segments,
        **_dump_norm("norm", encoder.norm),
        "n_heads": np.array([encoder.n_heads]),
        "labels": text_array(encoder.labels),
        "attention": encoder.attention,
        "reading": encoder.reading,
    }
    for number, layer in enumerate(encoder.layers):
        layers |= _dump_layer(f"layer{number}", layer)
    return {ENCODER_WORDS: dump_arrays(words), ENCODER_LAYERS: dump_arrays(layers)}


def _dump_quantised(name: str, matrix: Quantised) -> dict[str, Any]:
    return {f"{name}.values": matrix.values, f"{name}.scales": matrix.scales}


def _dump_norm(name: str, norm: Norm) -> dict[str, Any]:
    return {f"{name}.gain": norm.gain, f"{name}.bias": norm.bias}


def _dump_layer(name: str, layer: Layer) -> dict[str, Any]:
    arrays: dict[str, Any] = {}
    for field in fields(layer):
        value = getattr(layer, field.name)
        if isinstance(value, Norm):
            arrays |= _dump_norm(f"{name}.{field.name}", value)
        elif field.name in _MATRICES:
            arrays |= _dump_quantised(f"{name}.{field.name}", Quantised.of(value))
        else:
            arrays[f"{name}.{field.name}"] = value
    return arrays


def load_encoder(folder: Path) -> Encoder:
    """Load the encoder of a model folder.

    Raises
    ------
    ModelError
        When the files hold anything but an encoder.
    """
    words, layers = read_arrays(folder / ENCODER_WORDS), read_arrays(folder / ENCODER_LAYERS)
    try:
        return read_encoder(words | layers)
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise ModelError(f"{folder / ENCODER_LAYERS}: holds no encoder ({error}): not trusted") from error


def read_encoder(content: Mapping[str, Any]) -> Encoder:
    """Read the arrays that `dump_encoder` serialised.

    Raises
    ------
    LookupError, TypeError, ValueError, AttributeError, ArithmeticError
        When they are anything else, or do not fit together.
    """
    pieces = read_text_array(content["pieces"])
    labels = read_text_array(content["labels"])
    n_heads = int(content["n_heads"].item())
    width = len(content["attention"])
    if n_heads < 1 or width % n_heads or not width or len(set(labels)) != len(labels):
        raise ValueError("its heads or labels do not fit")
    if len(set(pieces)) != len(pieces):
        raise ValueError("its pieces are not distinct")
    arrays = _Arrays(content)
    n_layers = sum(name.endswith(".asks.values") for name in content)
    n_positions = len(content["positions"])
    if n_positions < LEAST_POSITIONS:
        raise ValueError(f"it has {n_positions} places for the {LEAST_POSITIONS} pieces that are read")
    return Encoder(
        pieces=pieces,
        words=arrays.quantised("words", width, len(pieces)),
        positions=arrays.singles("positions", n_positions, width),
        segments=arrays.singles("segments", 2, width),
        norm=arrays.norm("norm", width),
        layers=tuple(arrays.layer(f"layer{number}", width) for number in range(n_layers)),
        n_heads=n_heads,
        labels=labels,
        attention=arrays.singles("attention", width),
        reading=arrays.singles("reading", width, len(labels)),
    )


class _Arrays:
    """The arrays of an archive, each checked when it is taken."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self._content = content

    def singles(self, name: str, *shape: int) -> Any:
        array = self._content[name]
        if array.shape != shape or array.dtype != np.float32 or not np.isfinite(array).all():
            raise ValueError(f"{name} is not as expected")
        return array

    def quantised(self, name: str, *shape: int) -> Quantised:
        values = self._content[f"{name}.values"]
        if values.shape != shape or values.dtype != np.int8:
            raise ValueError(f"{name} is not as expected")
        return Quantised(values, self.singles(f"{name}.scales", shape[1]))

    def norm(self, name: str, width: int) -> Norm:
        return Norm(self.singles(f"{name}.gain", width), self.singles(f"{name}.bias", width))

    def layer(self, name: str, width: int) -> Layer:
        inner = self._content[f"{name}.widens.values"].shape[1]
        shapes = {"asks": (width, 3 * width), "mixes": (width, width), "widens": (width, inner)}
        shapes["narrows"] = (inner, width)
        matrices = {part: self.quantised(f"{name}.{part}", *shape).to_singles() for part, shape in shapes.items()}
        biases = {f"{part}_bias": self.singles(f"{name}.{part}_bias", shape[1]) for part, shape in shapes.items()}
        return Layer(
            **matrices,
            **biases,
            mixed_norm=self.norm(f"{name}.mixed_norm", width),
            norm=self.norm(f"{name}.norm", width),
        )


# ---------------------------------------------------------------- what it was tuned on


def dump_tuning(tuning: Tuning, n_labels: int) -> bytes:
    """Serialise what an encoder was tuned on, and readings of others in thousandths."""
    keys = sorted(tuning.held_out)
    readings = [np.empty((0, n_labels)), *(tuning.held_out[key] for key in keys)]
    arrays = {
        "tuned_on": np.array([int(hashed, 16) for hashed in sorted(tuning.tuned_on)], dtype=np.uint64),
        "held_out": np.array(keys, dtype=np.uint64),
        "n_sentences": np.array([len(tuning.held_out[key]) for key in keys], dtype=np.uint32),
        "readings": np.rint(np.concatenate(readings) * READING_UNITS).astype(np.int16),
    }
    return dump_arrays(arrays)


def load_tuning(folder: Path, n_labels: int) -> Tuning:
    """Load what the encoder of a model folder was tuned on.

    Raises
    ------
    ModelError
        When the file holds anything else.
    """
    path = folder / ENCODER_TUNING
    content = read_arrays(path)
    try:
        return _read_tuning(content, n_labels)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise ModelError(f"{path}: does not say what the encoder was tuned on ({error}): not trusted") from error


def _read_tuning(content: Mapping[str, Any], n_labels: int) -> Tuning:
    tuned_on, keys = content["tuned_on"], content["held_out"]
    n_sentences, readings = content["n_sentences"], content["readings"]
    kinds = (tuned_on.dtype, keys.dtype, n_sentences.dtype, readings.dtype)
    if kinds != (np.uint64, np.uint64, np.uint32, np.int16) or keys.shape != n_sentences.shape:
        raise TypeError("its arrays are of another kind")
    if tuned_on.ndim != 1 or keys.ndim != 1 or readings.shape != (int(n_sentences.sum()), n_labels):
        raise ValueError("its readings do not fit the answers")
    parts = np.split(readings / READING_UNITS, np.cumsum(n_sentences.astype(np.int64))[:-1])
    return Tuning(
        frozenset(f"{number:016x}" for number in tuned_on.tolist()), dict(zip(keys.tolist(), parts, strict=False))
    )
