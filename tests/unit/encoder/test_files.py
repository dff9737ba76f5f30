"""An encoder comes back from its files as it was saved, and nothing else is taken for one."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.archive import dump_arrays
from pipeline.encoder import (
    Encoder,
    Tuning,
    dump_encoder,
    dump_tuning,
    load_encoder,
    load_tuning,
)
from pipeline.errors import ModelError
from pipeline.manifest import ENCODER_LAYERS, ENCODER_TUNING, ENCODER_WORDS
from tests.tiny_encoder import LABELS, tiny_encoder


def unpack(data: bytes) -> dict[str, Any]:
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def save(folder: Path, encoder: Encoder) -> None:
    for name, data in dump_encoder(encoder).items():
        (folder / name).write_bytes(data)


def test_a_loaded_encoder_reads_as_the_saved_one_but_for_rounding(tmp_path: Path) -> None:
    encoder = tiny_encoder(3)
    save(tmp_path, encoder)
    loaded = load_encoder(tmp_path)
    assert (loaded.pieces, loaded.labels, loaded.n_heads) == (encoder.pieces, encoder.labels, encoder.n_heads)
    _, given = encoder.read("safe", "Is it safe?", "It is not safe.")
    _, found = loaded.read("safe", "Is it safe?", "It is not safe.")
    np.testing.assert_allclose(found, given, atol=0.2)


def test_the_same_encoder_gives_the_same_bytes() -> None:
    assert dump_encoder(tiny_encoder(5)) == dump_encoder(tiny_encoder(5))


def drop(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda content: content.pop(name)


def put(name: str, change: Callable[[Any], Any]) -> Callable[[dict[str, Any]], None]:
    def apply(content: dict[str, Any]) -> None:
        content[name] = change(content[name])

    return apply


def spoil(array: Any) -> Any:
    spoilt = array.copy()
    spoilt.flat[0] = np.nan
    return spoilt


@pytest.mark.parametrize(
    ("file", "change"),
    [
        pytest.param(ENCODER_WORDS, drop("pieces"), id="no pieces"),
        pytest.param(ENCODER_WORDS, drop("words.values"), id="no words"),
        pytest.param(ENCODER_WORDS, put("words.values", lambda a: a[:, 1:]), id="a word too few"),
        pytest.param(ENCODER_WORDS, put("words.values", lambda a: a.astype(np.int16)), id="words of another kind"),
        pytest.param(ENCODER_WORDS, put("words.scales", spoil), id="a scale that is no number"),
        pytest.param(ENCODER_WORDS, put("pieces", lambda a: a.astype(np.float32)), id="pieces that are no text"),
        pytest.param(
            ENCODER_WORDS, put("pieces", lambda a: np.append(a, [10, 97]).astype(np.uint8)), id="a piece twice"
        ),
        pytest.param(ENCODER_LAYERS, drop("labels"), id="no labels"),
        pytest.param(ENCODER_LAYERS, drop("layer1.widens_bias"), id="a layer without a bias"),
        pytest.param(ENCODER_LAYERS, put("layer0.asks.values", lambda a: a.T.copy()), id="a matrix turned round"),
        pytest.param(ENCODER_LAYERS, put("layer0.narrows.values", lambda a: a[1:]), id="a matrix too small"),
        pytest.param(
            ENCODER_LAYERS, put("layer1.norm.gain", lambda a: a.astype(np.float64)), id="a norm of another kind"
        ),
        pytest.param(ENCODER_LAYERS, put("segments", lambda a: a[:1]), id="one segment"),
        pytest.param(ENCODER_LAYERS, put("positions", lambda a: a[:100]), id="too few places"),
        pytest.param(ENCODER_LAYERS, put("positions", spoil), id="a place that is no number"),
        pytest.param(ENCODER_LAYERS, put("n_heads", lambda _: np.array([3])), id="heads that do not divide the width"),
        pytest.param(ENCODER_LAYERS, put("n_heads", lambda _: np.array([0])), id="no heads"),
        pytest.param(ENCODER_LAYERS, put("reading", lambda a: a[:, :2]), id="a label too few"),
        pytest.param(ENCODER_LAYERS, put("attention", lambda a: a[:0]), id="no width"),
        pytest.param(
            ENCODER_LAYERS, put("labels", lambda _: np.frombuffer(b"no\nno\nyes", np.uint8)), id="a label twice"
        ),
    ],
)
def test_what_is_no_encoder_is_not_trusted(tmp_path: Path, file: str, change: Callable[[dict[str, Any]], None]) -> None:
    save(tmp_path, tiny_encoder())
    content = unpack((tmp_path / file).read_bytes())
    change(content)
    (tmp_path / file).write_bytes(dump_arrays(content))
    with pytest.raises(ModelError, match=r"encoder_layers\.npz: holds no encoder .*not trusted"):
        load_encoder(tmp_path)


@pytest.mark.parametrize("file", [ENCODER_WORDS, ENCODER_LAYERS])
@pytest.mark.parametrize("data", [b"", b"no archive", None], ids=["empty", "text", "cut off"])
def test_a_damaged_file_is_named(tmp_path: Path, file: str, data: bytes | None) -> None:
    save(tmp_path, tiny_encoder())
    whole = (tmp_path / file).read_bytes()
    (tmp_path / file).write_bytes(whole[: len(whole) // 2] if data is None else data)
    with pytest.raises(ModelError, match=file):
        load_encoder(tmp_path)


def test_an_archive_that_could_run_code_is_refused(tmp_path: Path) -> None:
    save(tmp_path, tiny_encoder())
    with zipfile.ZipFile(tmp_path / ENCODER_LAYERS, "w") as archive:
        data = io.BytesIO()
        np.save(data, np.array([print], dtype=object), allow_pickle=True)
        archive.writestr("labels.npy", data.getvalue())
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_encoder(tmp_path)


# ------------------------------------------------- what it was tuned on


def tuning() -> Tuning:
    held_out = {7: np.array([[0.5, -1.25, 2.0]]), 2**63 + 1: np.array([[0.001, 0.0, -3.0], [1.0, 1.0, 1.0]])}
    return Tuning(frozenset({"0" * 15 + "7", "f" * 16}), held_out)


def test_what_it_was_tuned_on_comes_back(tmp_path: Path) -> None:
    (tmp_path / ENCODER_TUNING).write_bytes(dump_tuning(tuning(), 3))
    found = load_tuning(tmp_path, len(LABELS))
    assert found.tuned_on == tuning().tuned_on
    assert found.held_out.keys() == tuning().held_out.keys()
    for key, reading in tuning().held_out.items():
        np.testing.assert_array_equal(found.held_out[key], reading)


def test_an_encoder_may_have_been_tuned_elsewhere(tmp_path: Path) -> None:
    (tmp_path / ENCODER_TUNING).write_bytes(dump_tuning(Tuning(frozenset(), {}), 3))
    assert load_tuning(tmp_path, 3) == Tuning(frozenset(), {})


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(drop("tuned_on"), id="nothing tuned on"),
        pytest.param(put("tuned_on", lambda a: a.astype(np.int64)), id="tuned on another kind"),
        pytest.param(put("tuned_on", lambda a: a[None]), id="tuned on a table"),
        pytest.param(drop("held_out"), id="no answers"),
        pytest.param(put("held_out", lambda a: a.astype(np.int64)), id="answers of another kind"),
        pytest.param(put("n_sentences", lambda a: a + np.uint32(1)), id="sentences too many"),
        pytest.param(put("readings", lambda a: a[:, :2]), id="a label too few"),
        pytest.param(put("readings", lambda a: a.astype(np.float32)), id="readings of another kind"),
        pytest.param(put("n_sentences", lambda a: a[:1]), id="an answer too many"),
    ],
)
def test_what_does_not_say_what_it_was_tuned_on_is_not_trusted(
    tmp_path: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    content = unpack(dump_tuning(tuning(), 3))
    change(content)
    (tmp_path / ENCODER_TUNING).write_bytes(dump_arrays(content))
    with pytest.raises(ModelError, match=r"encoder_tuning\.npz: does not say"):
        load_tuning(tmp_path, len(LABELS))
