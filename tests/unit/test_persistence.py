"""The model folder: the same bytes every time, whole or not at all, and loaded with distrust."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from data.parts import learnt_by
from pipeline.card import draw_figures, render_card
from pipeline.classify import call_answers
from pipeline.errors import ModelError, WrongUsage
from pipeline.estimator import SentenceCounts, StanceEstimator, predict_posteriors
from pipeline.features import DOCUMENTS, FEATURE_VERSION, Vocabulary
from pipeline.fitting import TrainingData, fit_estimator
from pipeline.manifest import (
    ARTEFACT,
    CARD,
    FIGURES,
    FORMAT,
    LEXICON,
    MANIFEST,
    TRAINING_ANSWERS,
    ClassifierConfig,
    ModelFolder,
    find_model,
    hash_answer,
    list_models,
    read_folder,
)
from pipeline.persistence import dump_model, load_model, read_content, save_model
from pipeline.schema import AnswerRecord, LabelScheme, Source
from pipeline.workflow.scheme import default_scheme
from pipeline.workflow.training import default_config, open_encoder

if TYPE_CHECKING:
    from pipeline.classify import StanceModel
    from pipeline.preprocess import AnswerParser

FILES = (ARTEFACT, LEXICON, TRAINING_ANSWERS, CARD)


def answer(text: str, *, question: str = "Does it help?", headline: str | None = None) -> AnswerRecord:
    return AnswerRecord(
        question_id="q",
        question=question,
        answer_id="a",
        position=1,
        headline=headline,
        text=text,
        source=Source(file="t", locator="answer 1"),
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def change_manifest(folder: Path, **fields: Any) -> None:
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    (folder / MANIFEST).write_text(json.dumps(manifest | fields), encoding="utf-8")


def forge(folder: Path, name: str, data: bytes) -> None:
    """Replace a file and its hash in the manifest, as somebody would who means harm."""
    (folder / name).write_bytes(data)
    files = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]
    change_manifest(folder, files=files | {name: hashlib.sha256(data).hexdigest()})


def save_copy(folder: Path, model: StanceModel) -> ModelFolder:
    """Save the model that comes with medstance to another place."""
    manifest = read_folder(find_model("default")).manifest
    return save_model(
        folder,
        model,
        temperature=manifest.temperature,
        training=manifest.training,
        scores=manifest.scores,
        answers=[answer("Yes."), answer("No.")],
    )


SHIPPED = {model: tuple(f"data/{path}" for path in learnt_by(model)) for model in ("default", "fast")}
"""The shipped models, and what they are made from, in order."""

N_FEATURES = 12
CONFIG = ClassifierConfig(min_answers=1, relevance_min_sentences=2)
VOCABULARY = Vocabulary(
    names=tuple(f"feature_{n}" for n in range(N_FEATURES)),
    hashes=(np.arange(N_FEATURES, dtype=np.uint64) + np.uint64(1)) << np.uint64(60),
    documents=np.repeat(np.arange(3), N_FEATURES // 3),
)


def draw_sentences(seed: int = 0) -> SentenceCounts:
    """Draw forty answers of two sentences each."""
    counts = np.random.default_rng(seed).poisson(0.6, size=(80, N_FEATURES)).astype(np.float64)
    is_headline = np.arange(80) % 8 == 0
    return SentenceCounts(csr_matrix(counts), np.repeat(np.arange(40), 2), is_headline, 40, VOCABULARY.documents)


def fit_small(labels: tuple[str, ...], *, marked: bool = True) -> StanceEstimator:
    """Fit on a few drawn answers."""
    return fit_estimator(
        TrainingData(
            sentences=draw_sentences(),
            labels=np.array([labels[n % len(labels)] for n in range(40)]),
            questions=np.array([f"q{n // 2}" for n in range(40)]),
            is_evidence=np.array([marked and n % 3 == 0 for n in range(80)]),
            weights=np.ones(40),
        ),
        CONFIG,
    )


Content = dict[str, Any]


def unpack(data: bytes) -> Content:
    """Return the arrays of an artefact by name, as NumPy reads them without pickle."""
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def pack(content: Content) -> bytes:
    """Write arrays as NumPy itself does, those of objects too; bytes become members as they are."""
    out = io.BytesIO()
    arrays = {name: value for name, value in content.items() if not isinstance(value, bytes)}
    np.savez_compressed(out, **arrays)
    with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as archive:
        for name, value in content.items():
            if isinstance(value, bytes):
                archive.writestr(f"{name}.npy", value)
    return out.getvalue()


@pytest.fixture(scope="module")
def small(fast_model: StanceModel) -> StanceModel:
    """A model that is saved in no time."""
    return replace(fast_model, vocabulary=VOCABULARY, estimator=fit_small(fast_model.scheme.names), config=CONFIG)


@pytest.fixture(scope="module")
def saved_small(small: StanceModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model that is saved and loaded in no time."""
    return save_copy(tmp_path_factory.mktemp("small") / "small", small).path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of a model that comes with medstance, to be damaged."""
    return shutil.copytree(find_model("fast"), tmp_path / "copy")


# ---------------------------------------------------------------- saving


def test_saving_twice_gives_identical_bytes(tmp_path: Path, small: StanceModel) -> None:
    one = save_copy(tmp_path / "one" / "m", small)
    two = save_copy(tmp_path / "two" / "m", small)
    assert contents(one.path) == contents(two.path)
    assert one.full_name == two.full_name


@pytest.mark.parametrize("name", SHIPPED)
def test_an_artefact_that_is_loaded_and_dumped_again_keeps_its_bytes(name: str) -> None:
    model = load_model(read_folder(find_model(name)))
    assert dump_model(model.vocabulary, model.estimator) == (find_model(name) / ARTEFACT).read_bytes()


def test_the_bytes_of_an_artefact_do_not_depend_on_the_time_or_the_place(
    monkeypatch: pytest.MonkeyPatch, small: StanceModel
) -> None:
    made = []
    for year in (1999, 2031):
        monkeypatch.setattr(time, "time", lambda year=year: (year - 1970) * 365.25 * 86400)
        monkeypatch.setattr(time, "localtime", lambda *_, year=year: time.struct_time((year, 7, 1, 0, 0, 0, 3, 182, 0)))
        made.append(dump_model(small.vocabulary, small.estimator))
    assert made[0] == made[1]
    with zipfile.ZipFile(io.BytesIO(made[0])) as archive:
        members = archive.infolist()
    assert {(m.date_time, m.create_system, m.external_attr >> 16) for m in members} == {
        ((1980, 1, 1, 0, 0, 0), 3, 0o600)
    }


def test_the_bytes_of_an_artefact_do_not_depend_on_how_its_arrays_lie_in_memory(small: StanceModel) -> None:
    stance = small.estimator.stance
    turned = replace(stance, coefficients=np.asfortranarray(stance.coefficients), idf=np.repeat(stance.idf, 2)[::2])
    other = dump_model(small.vocabulary, replace(small.estimator, stance=turned))
    assert other == dump_model(small.vocabulary, small.estimator)


@pytest.mark.parametrize("marked", [True, False], ids=["with evidence", "without evidence"])
def test_an_artefact_is_an_archive_of_plain_arrays_that_numpy_reads_without_pickle(marked: bool) -> None:
    data = dump_model(VOCABULARY, fit_small(("con", "pro"), marked=marked))
    parts = ("idf", "weights", "is_normed", "classes", "coefficients", "intercepts")
    models = ("stance", "relevance") if marked else ("stance",)
    content = unpack(data)
    assert content.keys() == {*KEYS, *(f"{model}.{part}" for model in models for part in parts)}
    assert {array.dtype.kind for array in content.values()} == {"f", "u", "b"}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.namelist() == sorted(archive.namelist())
        assert archive.testzip() is None


FIT_AND_DUMP = """
import hashlib
import numpy as np
from scipy.sparse import csr_matrix
from pipeline.estimator import SentenceCounts
from pipeline.features import Vocabulary
from pipeline.fitting import TrainingData, fit_estimator
from pipeline.manifest import ClassifierConfig
from pipeline.persistence import dump_model
random = np.random.default_rng(0)
counts = csr_matrix(random.poisson(0.5, size=(120, 12)).astype(float))
documents = np.repeat(np.arange(3), 4)
for shared in (np.array(["no", "yes", "depends"]), ["no", "yes", "depends"]):
    data = TrainingData(
        sentences=SentenceCounts(counts, np.repeat(np.arange(40), 3), np.zeros(120, dtype=bool), 40, documents),
        labels=np.array([str(shared[n % 3]) for n in range(40)]),
        questions=np.array([f"q{n // 4}" for n in range(40)]),
        is_evidence=np.arange(120) % 3 == 0,
        weights=np.ones(40),
    )
    estimator = fit_estimator(data, ClassifierConfig(relevance_min_sentences=2))
    assert estimator.relevance is not None
    vocabulary = Vocabulary(tuple(f"f{n}" for n in range(12)), np.arange(12, dtype=np.uint64), documents)
    print(hashlib.sha256(dump_model(vocabulary, estimator)).hexdigest())
"""


@pytest.mark.slow
def test_fitting_and_saving_in_other_processes_gives_identical_bytes(checkout: Path) -> None:
    def run(seed: str) -> list[str]:
        environment = os.environ | {"PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", FIT_AND_DUMP]
        return subprocess.run(
            command, cwd=checkout, env=environment, check=True, capture_output=True, text=True
        ).stdout.split()

    hashes = [*run("1"), *run("4242")]
    assert len(hashes) == 4
    assert len(set(hashes)) == 1


@pytest.mark.parametrize("marked", [True, False], ids=["with evidence", "without evidence"])
@pytest.mark.parametrize("labels", [("con", "pro"), ("con", "neither", "pro")], ids=["two labels", "three labels"])
def test_a_saved_model_predicts_as_the_one_in_memory(labels: tuple[str, ...], marked: bool) -> None:
    estimator = fit_small(labels, marked=marked)
    data = dump_model(VOCABULARY, estimator)
    vocabulary, loaded = read_content(unpack(data))
    assert (loaded.relevance is None) == (not marked)
    scheme, sentences = LabelScheme.from_labels("s", list(labels)), draw_sentences(1)
    assert np.array_equal(
        predict_posteriors(loaded, sentences, scheme), predict_posteriors(estimator, sentences, scheme)
    )
    assert np.array_equal(loaded.weigh_sentences(sentences), estimator.weigh_sentences(sentences))
    assert (vocabulary.names, vocabulary.hashes.tolist()) == (VOCABULARY.names, VOCABULARY.hashes.tolist())
    assert vocabulary.documents.tolist() == VOCABULARY.documents.tolist()
    assert dump_model(vocabulary, loaded) == data


def test_a_model_that_was_replaced_since_it_was_verified_is_not_taken_for_the_other(
    tmp_path: Path, small: StanceModel
) -> None:
    found = save_copy(tmp_path / "mine", small)
    save_copy(tmp_path / "mine", replace(small, abstain_below=0.123))
    with pytest.raises(ModelError, match=r"mine: was replaced by another model while mine@\w+ was in use"):
        load_model(found)


def test_loading_gives_back_everything_that_was_saved(tmp_path: Path, small: StanceModel) -> None:
    given = replace(small, abstain_below=0.61, config=ClassifierConfig(inverse_penalty=2.5, max_evidence=7))
    saved = save_copy(tmp_path / "mine", given)
    loaded = load_model(saved)
    same = replace(loaded, estimator=given.estimator, vocabulary=given.vocabulary)
    assert same == replace(given, name=saved.full_name)
    assert loaded.vocabulary.names == given.vocabulary.names
    sentences = draw_sentences(1)
    assert np.array_equal(
        predict_posteriors(loaded.estimator, sentences, loaded.scheme),
        predict_posteriors(given.estimator, sentences, given.scheme),
    )


def test_a_model_saved_again_makes_the_same_calls_under_its_new_name(
    tmp_path: Path, parser: AnswerParser, fast_model: StanceModel
) -> None:
    saved = save_copy(tmp_path / "mine", fast_model)
    batch = parser.parse(
        [answer("No, I would not. It is not safe."), answer("Yes, it works.", headline="Sure"), answer("x")]
    )
    calls = call_answers(load_model(saved), batch)
    assert calls == [c.model_copy(update={"model": saved.full_name}) for c in call_answers(fast_model, batch)]


def test_the_folder_names_the_model_and_its_digest_stands_for_the_manifest(tmp_path: Path, small: StanceModel) -> None:
    saved = save_copy(tmp_path / "mine", small)
    digest = hashlib.sha256((tmp_path / "mine" / MANIFEST).read_bytes()).hexdigest()
    assert saved.full_name == f"mine@{digest[:12]}"
    assert saved == read_folder(tmp_path / "mine")
    names = {path.name for path in saved.path.iterdir()}
    assert names == {*saved.manifest.files, MANIFEST}
    assert names - set(FIGURES) == {*FILES, MANIFEST}


def test_missing_parent_folders_are_made_and_nothing_else_is_left_there(tmp_path: Path, small: StanceModel) -> None:
    save_copy(tmp_path / "a" / "b", small)
    save_copy(tmp_path / "a" / "b", replace(small, abstain_below=0.9))
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b"]
    assert read_folder(tmp_path / "a" / "b").manifest.abstain_below == 0.9


def test_a_saved_model_can_be_read_by_others(tmp_path: Path, small: StanceModel) -> None:
    assert save_copy(tmp_path / "m", small).path.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("kind", ["folder", "file", "empty folder"])
def test_saving_onto_what_is_no_model_is_refused_and_leaves_it_alone(
    tmp_path: Path, small: StanceModel, kind: str
) -> None:
    place = tmp_path / "thesis"
    if kind == "file":
        place.write_text("mine")
    else:
        place.mkdir()
    if kind == "folder":
        (place / "chapter.txt").write_text("mine")
    with pytest.raises(WrongUsage, match="no model folder") as caught:
        save_copy(place, small)
    assert caught.value.exit_code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["thesis"]
    assert kind != "folder" or (place / "chapter.txt").read_text() == "mine"


INTERRUPTED_SAVES = """
import json, sys
from dataclasses import replace
from pathlib import Path
from pipeline.manifest import read_folder
from pipeline.persistence import load_model, save_model

folder, event, place, left = Path(), "", "", 0

def interrupt(name, arguments):
    global left
    if name == event and place in str(arguments[0]) and str(folder.parent) in str(arguments[0]):
        left -= 1
        if left == 0:
            raise KeyboardInterrupt

sys.addaudithook(interrupt)
for name, *when in json.loads(sys.argv[1]):
    folder = Path(name)
    old = read_folder(folder)
    model = replace(load_model(old), abstain_below=0.99)
    event, place, left = when
    try:
        m = old.manifest
        save_model(folder, model, temperature=m.temperature, training=m.training, scores=m.scores, answers=[])
    except KeyboardInterrupt:
        print(name)
    left = 0
"""

INTERRUPTIONS = {
    "while the artefact is written": ("open", ARTEFACT, 1),
    "while the manifest is written": ("open", MANIFEST, 1),
    "before the old model is moved away": ("os.rename", "", 1),
    "before the new model is moved in": ("os.rename", "", 2),
}


def test_an_interrupted_save_leaves_the_old_model(checkout: Path, tmp_path: Path, small: StanceModel) -> None:
    folders = {moment: save_copy(tmp_path / moment / "copy", small).path for moment in INTERRUPTIONS}
    before = {moment: contents(folder) for moment, folder in folders.items()}
    saves = json.dumps([(str(folders[moment]), *when) for moment, when in INTERRUPTIONS.items()])
    # A hook of the interpreter cannot be taken away again: all in one process of their own.
    command = [sys.executable, "-c", INTERRUPTED_SAVES, saves]
    done = subprocess.run(command, cwd=checkout, check=True, capture_output=True, text=True)
    assert done.stdout.splitlines() == [str(folder) for folder in folders.values()]
    assert {moment: contents(folder) for moment, folder in folders.items()} == before
    assert all([path.name for path in folder.parent.iterdir()] == [folder.name] for folder in folders.values())


# ---------------------------------------------------------------- training answers


@pytest.mark.parametrize(
    "copy",
    [answer("YES,  it\n helps."), answer(" Yes, it helps."), answer("Yes, it helps.", question="does it  help?")],
    ids=["case and spacing", "a leading space", "the question's case"],
)
def test_a_copy_of_an_answer_has_its_hash_whatever_its_case_and_spacing(copy: AnswerRecord) -> None:
    assert hash_answer(copy) == hash_answer(answer("Yes, it helps."))


def test_other_answers_have_other_hashes() -> None:
    others = [
        answer("Yes it helps."),
        answer("Yes, it helps.", question="Is it safe?"),
        answer("it helps.", headline="Yes,"),
        answer("helps.", headline="Yes, it"),
    ]
    assert len({hash_answer(other) for other in [*others, answer("Yes, it helps.")]}) == 5


def test_a_folder_knows_the_answers_it_was_trained_on(tmp_path: Path, small: StanceModel) -> None:
    hashes = save_copy(tmp_path / "m", small).training_hashes()
    assert hashes == {hash_answer(answer("Yes.")), hash_answer(answer("No."))}


# ---------------------------------------------------------------- damage


def refuse(folder: Path) -> str:
    """Read and load a folder that must be refused, and return what the user is told."""
    with pytest.raises(ModelError) as caught:
        load_model(read_folder(folder))
    assert caught.value.exit_code == 4
    message = str(caught.value)
    assert "\n" not in message
    assert str(folder) in message
    return message


@pytest.mark.parametrize("name", [*FILES, MANIFEST, "confusion.svg"])
def test_a_missing_file_is_refused_and_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert name in refuse(folder)


@pytest.mark.parametrize("name", [*FILES, "confusion.svg"])
@pytest.mark.parametrize("place", [0, -1], ids=["first", "last"])
def test_a_changed_byte_is_refused_and_the_file_named(folder: Path, name: str, place: int) -> None:
    data = bytearray((folder / name).read_bytes())
    data[place] ^= 1
    (folder / name).write_bytes(data)
    message = refuse(folder)
    assert name in message
    assert "not trusted" in message


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_not_in_the_manifest_is_not_used(folder: Path, name: str) -> None:
    files = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]
    change_manifest(folder, files={key: value for key, value in files.items() if key != name})
    assert name in refuse(folder)


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"format": 1}', b'{"format": "one"}', b"\x00"]
)
def test_a_manifest_that_cannot_be_understood_is_refused(folder: Path, data: bytes) -> None:
    (folder / MANIFEST).write_bytes(data)
    assert MANIFEST in refuse(folder)


def test_a_folder_in_place_of_the_manifest_is_refused(folder: Path) -> None:
    (folder / MANIFEST).unlink()
    (folder / MANIFEST).mkdir()
    assert MANIFEST in refuse(folder)


@pytest.mark.parametrize("other", [FORMAT + 1, FORMAT - 1, 1, 0])
def test_another_folder_format_is_refused_and_both_are_named(folder: Path, other: int) -> None:
    change_manifest(folder, format=other)
    assert f"format {other}, this medstance reads {FORMAT}: retrain it" in refuse(folder)


def test_the_manifest_of_an_older_medstance_is_refused_for_its_format(folder: Path) -> None:
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    settings_of_2 = ("inverse_penalty", "min_answers", "word_weight", "cue_weight", "balance", "max_evidence")
    config = {name: manifest["config"][name] for name in settings_of_2}
    change_manifest(folder, format=2, feature_version=2, config=config)
    assert f"format 2, this medstance reads {FORMAT}" in refuse(folder)


def test_another_version_of_the_features_is_refused_and_both_are_named(folder: Path) -> None:
    change_manifest(folder, feature_version=FEATURE_VERSION + 1)
    message = refuse(folder)
    assert f"version {FEATURE_VERSION + 1}" in message
    assert f"has {FEATURE_VERSION}" in message


@pytest.mark.parametrize("name", ["../outside", "/etc/hostname", "a/b", "..", "", "nul\x00", "other.svg"])
def test_a_file_name_that_is_none_of_the_folders_own_is_refused(folder: Path, name: str) -> None:
    (folder.parent / "outside").write_bytes(b"")
    files = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]
    change_manifest(folder, files=files | {name: hashlib.sha256(b"").hexdigest()})
    refuse(folder)


@pytest.mark.parametrize("name", ["../outside", "/etc/hostname", "a/b"])
def test_a_file_name_that_leads_out_of_the_folder_is_said_to(folder: Path, name: str) -> None:
    files = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]
    change_manifest(folder, files=files | {name: "0" * 64})
    assert "leads out of the folder" in refuse(folder)


@pytest.mark.parametrize(
    "config",
    [{"unheard_of": 1}, {"max_evidence": "many"}, {"inverse_penalty": None}],
    ids=["an unknown setting", "words for a number", "nothing for a number"],
)
def test_settings_that_this_version_does_not_know_are_refused(folder: Path, config: dict[str, Any]) -> None:
    known = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["config"]
    change_manifest(folder, config=known | config)
    refuse(folder)


# ---------------------------------------------------------------- forged artefacts


class Trap:
    """What makes a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def pickled_alone(trap: Trap) -> bytes:
    return pickle.dumps(trap)


def pickled_array(trap: Trap) -> bytes:
    out = io.BytesIO()
    np.save(out, np.array([trap], dtype=object))
    return out.getvalue()


def pickled_member(trap: Trap) -> bytes:
    return pack({"names": pickle.dumps(trap)})


def objects_of(name: str) -> Callable[[Trap], bytes]:
    def forge_one(trap: Trap) -> bytes:
        content = unpack(dump_model(VOCABULARY, fit_small(("supportive", "against"))))
        return pack(content | {name: np.array([trap], dtype=object)})

    return forge_one


def records_of(trap: Trap) -> bytes:
    content = unpack(dump_model(VOCABULARY, fit_small(("supportive", "against"))))
    return pack(content | {"hashes": np.array([(1, trap)], dtype=[("a", np.uint64), ("b", object)])})


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param(pickled_alone, id="a pickle in place of the archive"),
        pytest.param(pickled_array, id="an array of objects in place of the archive"),
        pytest.param(pickled_member, id="a pickle in place of an array"),
        pytest.param(records_of, id="records with an object"),
        *(
            pytest.param(objects_of(name), id=f"{name} of objects")
            for name in ("names", "hashes", "relevance_power", "stance.idf", "stance.classes", "relevance.classes")
        ),
        pytest.param(objects_of("another"), id="objects under a name that is not asked for"),
    ],
)
def test_an_artefact_with_a_pickled_object_is_refused_and_nothing_of_it_is_run(
    folder: Path, tmp_path: Path, forged: Callable[[Trap], bytes]
) -> None:
    trap = Trap(tmp_path / "sprung")
    forge(folder, ARTEFACT, forged(trap))
    assert ARTEFACT in refuse(folder)
    assert not trap.path.exists()
    pickle.loads(pickle.dumps(trap))  # noqa: S301
    assert trap.path.exists()


def member(header: bytes, data: bytes = b"", *, format_version: bytes = b"\x01\x00") -> bytes:
    """Give an array's bytes under a header that says what it likes."""
    n_bytes = 2 if format_version[0] == 1 else 4
    return b"\x93NUMPY" + format_version + len(header).to_bytes(n_bytes, "little") + header + data


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"no array", id="a text"),
        pytest.param(b"\x93NUMPY", id="an array that breaks off after its first word"),
        pytest.param(member(b"{'descr': '<f8', 'fortran_order': False, 'shape': (12,), }\n"), id="no data"),
        pytest.param(member(b"{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999,), }\n"),
                     id="more than there is memory"),
        pytest.param(member(b"{'descr': '<f8', 'fortran_order': False, 'shape': (-12,), }\n"), id="a negative length"),
        pytest.param(member(b"{'descr': '<f8', 'fortran_order': False, 'shape': (2**70,), }\n"), id="a sum, no length"),
        pytest.param(member(b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n", b"cos\nsystem\n."),
                     id="objects"),
        pytest.param(member(b"{'descr': 'nonsense', 'fortran_order': False, 'shape': (1,), }\n"), id="no such type"),
        pytest.param(member(b"{'shape': (1,)}\n"), id="half a header"),
        pytest.param(member(b"__import__('os').getcwd()\n"), id="code for a header"),
        pytest.param(member(b"(" * 900 + b"\n"), id="a header of brackets"),
        pytest.param(member(b"{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }" + b" " * 20000 + b"\n"),
                     id="a header of twenty thousand signs"),
        pytest.param(member(b"{}\n", format_version=b"\x09\x00"), id="a format that there is not"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["names", "hashes", "relevance.idf", "stance.coefficients"])
def test_an_array_that_is_nonsense_is_refused_though_its_hash_is_right(
    tmp_path: Path, saved_small: Path, name: str, data: bytes
) -> None:
    folder = shutil.copytree(saved_small, tmp_path / "copy")
    forge(folder, ARTEFACT, pack(unpack((folder / ARTEFACT).read_bytes()) | {name: data}))
    assert ARTEFACT in refuse(folder)


@pytest.mark.parametrize("name", ["names", "hashes", "stance.idf", "stance.coefficients", "relevance_power"])
def test_an_archive_that_unpacks_to_a_thousand_times_its_size_is_refused(
    tmp_path: Path, saved_small: Path, name: str
) -> None:
    folder = shutil.copytree(saved_small, tmp_path / "copy")
    content = unpack((folder / ARTEFACT).read_bytes())
    bomb = pack(content | {name: np.zeros(8_000_000, dtype=content[name].dtype.str[1:])})
    assert len(bomb) < 500_000
    forge(folder, ARTEFACT, bomb)
    message = refuse(folder)
    assert "not trusted" in message
    # What is wrong with it is said, and not all that it holds.
    assert len(message) < 500


def rename_members(data: bytes, rename: Callable[[str], str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as archive, zipfile.ZipFile(out, "w") as other:
        for name in archive.namelist():
            other.writestr(rename(name), archive.read(name))
    return out.getvalue()


@pytest.mark.parametrize(
    "rename",
    [
        pytest.param(lambda name: name.replace(".", "/", 1), id="folders for dots"),
        pytest.param(lambda name: f"model/{name}", id="in a folder"),
        pytest.param(lambda name: f"../{name}", id="out of the folder"),
        pytest.param(lambda name: name.upper(), id="capitals"),
        pytest.param(lambda name: name.replace("stance", "stances"), id="another name for the stance"),
        pytest.param(lambda name: name.replace("relevance.idf", "relevance.other"), id="another name for one array"),
        pytest.param(lambda name: name.replace("relevance.", "stance.", 1) if "power" not in name else name + "x",
                     id="the power has another name"),
        pytest.param(lambda name: f"{name}.npy", id="an ending too many"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_archive_whose_names_do_not_fit_is_refused_though_its_hash_is_right(
    tmp_path: Path, saved_small: Path, rename: Callable[[str], str]
) -> None:
    folder = shutil.copytree(saved_small, tmp_path / "copy")
    forge(folder, ARTEFACT, rename_members((folder / ARTEFACT).read_bytes(), rename))
    message = refuse(folder)
    assert ARTEFACT in message
    assert "holds no stance classifier" in message
    assert {path.name for path in tmp_path.iterdir()} == {"copy"}


@pytest.mark.parametrize("data", [b"", b"no archive", b"PK\x05\x06" + bytes(18)], ids=["empty", "text", "empty zip"])
def test_an_artefact_that_is_no_archive_is_refused_though_its_hash_is_right(folder: Path, data: bytes) -> None:
    forge(folder, ARTEFACT, data)
    assert ARTEFACT in refuse(folder)


@pytest.mark.parametrize("share", [0.02, 0.5, 0.98])
def test_an_artefact_that_was_cut_short_is_refused_though_its_hash_is_right(folder: Path, share: float) -> None:
    data = (folder / ARTEFACT).read_bytes()
    forge(folder, ARTEFACT, data[: int(len(data) * share)])
    assert ARTEFACT in refuse(folder)


@pytest.mark.parametrize("place", [0.1, 0.5, 0.9])
def test_an_archive_with_a_changed_byte_is_refused_though_its_hash_is_right(folder: Path, place: float) -> None:
    data = bytearray((folder / ARTEFACT).read_bytes())
    data[int(len(data) * place)] ^= 0xFF
    forge(folder, ARTEFACT, bytes(data))
    assert ARTEFACT in refuse(folder)


def single_array(array: Any) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def plain_zip(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        pytest.param(single_array(np.zeros(3)), "cannot be loaded", id="a single array"),
        pytest.param(plain_zip(), "cannot be loaded|holds no stance classifier", id="an archive of nothing"),
        pytest.param(plain_zip(schema=b"{}"), "holds no stance classifier", id="an archive of something else"),
        pytest.param(plain_zip(names=b"a"), "holds no stance classifier", id="a text for an array"),
        pytest.param(pack({"names": np.zeros(3)}), "holds no stance classifier", id="an archive of one array"),
        pytest.param(pack({"arr_0": np.zeros(3)}), "holds no stance classifier", id="an array without a name"),
    ],
)
def test_an_artefact_that_is_no_stance_classifier_is_refused(folder: Path, data: bytes, problem: str) -> None:
    forge(folder, ARTEFACT, data)
    message = refuse(folder)
    assert ARTEFACT in message
    assert re.search(problem, message)


def test_an_artefact_of_other_labels_than_the_scheme_is_refused_and_they_are_named(folder: Path) -> None:
    forge(folder, ARTEFACT, dump_model(VOCABULARY, fit_small(("con", "pro", "supportive"))))
    message = refuse(folder)
    assert ARTEFACT in message
    assert "labels that the manifest's scheme has not (con, pro)" in message


# ---------------------------------------------------------------- artefacts whose parts do not fit together

Change = Callable[[Any], Any]


def first_is(value: float) -> Change:
    def change(array: Any) -> Any:
        changed = array.copy()
        changed.flat[0] = value
        return changed

    return change


def as_text(*names: str) -> Any:
    return np.frombuffer("\n".join(names).encode(), dtype=np.uint8)


KEYS = ["names", "hashes", "documents", "relevance_power"]
MODELS = ["stance", "relevance"]
PARTS = ["idf", "weights", "is_normed", "classes", "coefficients", "intercepts"]
TEXTS = ["names", "stance.classes", "relevance.classes"]
OTHER_KINDS: dict[str, list[Any]] = {
    "f": [np.float32, np.float16, np.int64, np.complex128, ">f8", str],
    "u": [np.int64, np.float64, ">u8", ">u2", str],
    "b": [np.uint8, np.float64, str],
}
TAMPERED = [
    *(
        pytest.param({name: how}, id=f"{name} {words}")
        for name in [*KEYS[1:3], *(f"{model}.{part}" for model in MODELS for part in PARTS)]
        for words, how in {
            "one short": lambda array: array[:-1],
            "one long": lambda array: np.concatenate([array, array[-1:]]),
            "empty": lambda array: array[:0],
            "as a table": lambda array: np.stack([array, array]),
            "as a single number": lambda array: array.ravel()[0],
        }.items()
    ),
    *(
        pytest.param({f"{model}.coefficients": how}, id=f"{model}.coefficients {words}")
        for model in MODELS
        for words, how in {
            "of a class too few": lambda array: array[:, :-1],
            "turned": lambda array: np.ascontiguousarray(array.T),
            "in one row": np.ravel,
        }.items()
    ),
    *(
        pytest.param({name: lambda array, kind=kind: array.astype(kind)}, id=f"{name} as {np.dtype(kind)}")
        for name, code in {
            "names": "u",
            "hashes": "u",
            "documents": "u",
            **{f"{m}.{p}": {"is_normed": "b", "classes": "u"}.get(p, "f") for m in MODELS for p in PARTS},
        }.items()
        for kind in OTHER_KINDS[code]
    ),
    *(
        pytest.param({f"{model}.{part}": first_is(value)}, id=f"{model}.{part} has {value}")
        for model in MODELS
        for part in ("idf", "weights", "coefficients", "intercepts")
        for value in (np.nan, np.inf, -np.inf)
    ),
    pytest.param({"documents": first_is(len(DOCUMENTS))}, id="a document that there is not"),
    pytest.param({"documents": lambda array: array.astype(np.int8) - 1}, id="documents below 0"),
    *(
        pytest.param({name: how}, id=f"{name} {words}")
        for name in TEXTS
        for words, how in {
            "are no UTF-8": lambda array: np.append(array, np.uint8(255)),
            "in one line": lambda array: array[array != ord("\n")],
            "and one too many": lambda array: np.append(array, np.uint8(ord("\n"))),
            "are none": lambda array: array[:0],
        }.items()
    ),
    *(
        pytest.param({"relevance.classes": lambda _, names=names: as_text(*names)}, id=f"relevance of {names}")
        for names in [
            ("True", "False"),
            ("false", "true"),
            ("0", "1"),
            ("supportive", "against"),
            ("False", "True", "Maybe"),
            ("True",),
        ]
    ),
    pytest.param(
        {"stance.classes": lambda array: as_text(*[array.tobytes().decode().split("\n")[0]] * 6)},
        id="one label many times",
    ),
    *(
        pytest.param({"relevance_power": lambda _, value=value: np.array(value)}, id=f"a power of {value!r}")
        for value in [
            [],
            [0.5, 0.5],
            "half",
            ["half"],
            ["in\ntwo lines"],
            [-1.0],
            [np.nan],
            [np.inf],
            [-np.inf],
            [1],
            [True],
            [1j],
        ]
    ),
    pytest.param({"relevance_power": lambda _: b"0.5"}, id="a power that is no array"),
]


def test_the_names_of_an_artefact_are_all_needed(tmp_path: Path, saved_small: Path) -> None:
    folder = shutil.copytree(saved_small, tmp_path / "copy")
    content = unpack((folder / ARTEFACT).read_bytes())
    assert len(content) == len(KEYS) + len(MODELS) * len(PARTS)
    for name in content:
        forge(folder, ARTEFACT, pack({other: array for other, array in content.items() if other != name}))
        message = refuse(folder)
        assert f"holds no stance classifier ('{name}'): not trusted" in message


@pytest.mark.parametrize("tamper", TAMPERED)
def test_an_artefact_whose_parts_do_not_fit_is_refused_though_its_hash_is_right(
    tmp_path: Path, saved_small: Path, tamper: dict[str, Change]
) -> None:
    folder = shutil.copytree(saved_small, tmp_path / "copy")
    content = unpack((folder / ARTEFACT).read_bytes())
    forge(folder, ARTEFACT, pack(content | {name: change(content[name]) for name, change in tamper.items()}))
    message = refuse(folder)
    assert ARTEFACT in message
    assert "not trusted" in message


@given(st.data())
@settings(max_examples=60)
def test_content_of_any_kind_is_either_read_or_refused_as_foreseen(data: st.DataObject) -> None:
    anything = st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3), st.just([]), st.just({}),
        st.binary(max_size=3), st.lists(st.floats(), max_size=3).map(np.array), st.floats().map(np.float64),
        st.sampled_from([np.zeros(N_FEATURES), np.zeros((2, 2)), np.array("x"), np.zeros(0, dtype=np.uint8)]),
    )  # fmt: skip
    content = unpack(dump_model(VOCABULARY, fit_small(("con", "pro"))))
    content[data.draw(st.sampled_from(sorted(content)))] = data.draw(anything)
    with suppress(LookupError, TypeError, ValueError, AttributeError, ArithmeticError):
        vocabulary, estimator = read_content(content)
        scheme = LabelScheme.from_labels("s", list(estimator.stance.classes))
        posteriors = predict_posteriors(estimator, replace(draw_sentences(), documents=vocabulary.documents), scheme)
        assert np.isfinite(posteriors).all()


@pytest.mark.parametrize("name", [LEXICON, TRAINING_ANSWERS, CARD])
def test_a_text_file_that_is_no_text_is_refused(folder: Path, name: str) -> None:
    forge(folder, name, b"\xff\xfe\x00")
    with pytest.raises(ModelError):
        read_everything(folder)


def read_everything(folder: Path) -> None:
    read = read_folder(folder)
    load_model(read)
    read.read_card()
    read.training_hashes()


@pytest.mark.parametrize("name", ["scikit-learn", "numpy", "scipy"])
def test_an_artefact_made_with_other_versions_of_what_fitted_it_is_loaded(folder: Path, name: str) -> None:
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    before = load_model(read_folder(folder)).estimator
    change_manifest(folder, versions=manifest["versions"] | {name: "0.0.1"})
    after = load_model(read_folder(folder)).estimator
    assert np.array_equal(after.stance.coefficients, before.stance.coefficients)


# ---------------------------------------------------------------- finding


def test_a_model_is_found_by_name_and_by_path(folder: Path) -> None:
    assert find_model(str(folder)) == folder
    assert find_model("default") in list_models()


@pytest.mark.parametrize("name", ["no-such-model", "", "no/such/path", "..", "../default"])
def test_a_name_that_is_no_model_is_refused_and_the_installed_ones_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=r"installed: .*default") as caught:
        find_model(name)
    assert caught.value.exit_code == 4


# ---------------------------------------------------------------- the shipped models


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_model_is_intact_and_its_card_says_how_good_it_is(name: str) -> None:
    shipped = read_folder(find_model(name))
    load_model(shipped)
    card = shipped.read_card()
    assert f"{shipped.manifest.scores['side_accuracy']:.3f}" in card
    assert all(name in card.replace("\\", "") for name in shipped.manifest.scheme.names)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_model_is_fitted_with_the_settings_of_its_kind(name: str) -> None:
    shipped = read_folder(find_model(name))
    source = open_encoder(str(shipped.path)) if shipped.has_encoder else None
    assert shipped.manifest.config == default_config(shipped.manifest.scheme, source)


def test_labels_are_balanced_unless_an_encoder_was_tuned_for_them() -> None:
    source = open_encoder("default")
    others = LabelScheme.from_labels("claims", ["favor", "against", "none"])
    assert not default_config(default_scheme(), source).balance
    assert default_config(others, source) == default_config(default_scheme()) == ClassifierConfig()


def test_one_shipped_model_reads_with_an_encoder_and_one_without() -> None:
    assert {name: read_folder(find_model(name)).has_encoder for name in SHIPPED} == {"default": True, "fast": False}


@pytest.mark.parametrize("model", SHIPPED)
def test_a_shipped_card_and_its_figures_are_what_the_manifest_gives(model: str) -> None:
    shipped = read_folder(find_model(model))
    assert shipped.read_card() == render_card(shipped.manifest)
    if shipped.manifest.versions["matplotlib"] != version("matplotlib"):
        pytest.skip("the figures were drawn by another matplotlib than is installed")
    for name, figure in draw_figures(shipped.manifest).items():
        assert shipped.read_text(name) == figure


@pytest.mark.parametrize("name", SHIPPED)
def test_the_calls_of_a_shipped_model_are_of_all_its_training_answers(name: str) -> None:
    manifest = read_folder(find_model(name)).manifest
    calls = np.array(manifest.scores["calls"])
    n = len(manifest.scheme.names)
    assert calls.shape == (n, n + 1)
    assert calls.sum() == manifest.training["n_answers"]
    assert calls.sum(axis=1).tolist() == list(manifest.training["labels"].values())
    assert 1 - calls[:, -1].sum() / calls.sum() == pytest.approx(manifest.scores["coverage"], abs=1e-4)


FIT_A_SHIPPED_MODEL = """
import hashlib, sys
from pathlib import Path
from pipeline.encoder import hash_asked, read_unseen
from pipeline.estimator import scale_temperature
from pipeline.features import build_vocabulary
from pipeline.fitting import fit_estimator
from pipeline.ingest import ReadOptions
from pipeline.lexicon import parse_lexicon
from pipeline.manifest import read_folder
from pipeline.persistence import dump_model
from pipeline.preprocess import AnswerParser
from pipeline.training import count_labelled, featurise
from pipeline.workflow.intake import Intake
from pipeline.workflow.training import leave_out_tuned_on, open_encoder, read_labelled

checkout, texts, name = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
folder = read_folder(checkout / "models" / name)
manifest = folder.manifest
sources = [checkout / source for source in sys.argv[4:]]
weights = {str(checkout / name): weight for name, weight in manifest.training["source_weights"].items()}
intake = Intake([str(s) for s in sources], ReadOptions(texts=texts), lambda _: None)
data = read_labelled(intake, None, source_weights=weights)
source = open_encoder(str(folder.path)) if folder.has_encoder else None
if source is not None:
    data = leave_out_tuned_on(data, source, lambda _: None)
assert data.digest() == manifest.training["digest"]
lexicon = (checkout / "pipeline" / "resources" / "cues.toml").read_text(encoding="utf-8")
parser, config = AnswerParser(parse_lexicon(lexicon, "cues.toml")), manifest.config
features = featurise(data.answers, parser, with_pieces=config.piece_weight > 0)
vocabulary = build_vocabulary(features, config.min_answers)
readings = None
if source is not None:
    assert all(hash_asked(answer) in source.tuning.held_out for answer in data.answers)
    readings = read_unseen(source.encoder, source.tuning, (part.batch for part in features))
training = count_labelled(features, vocabulary, data.labels, data.questions, data.weights, readings)
estimator = scale_temperature(fit_estimator(training, config), manifest.temperature)
print(hashlib.sha256(dump_model(vocabulary, estimator)).hexdigest())
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_model_is_made_from_the_labelled_data_byte_for_byte(checkout: Path, shared: Path, name: str) -> None:
    """All but the encoder, and the scores, which cross-validation gives: `make model` makes these again too."""
    shipped = read_folder(checkout / "models" / name)
    installed = {name: version(name) for name in shipped.manifest.versions}
    if installed != shipped.manifest.versions:
        pytest.skip(f"the shipped model was made with other packages than are installed: {shipped.manifest.versions}")
    texts = str(shared / "corpora" / "medical_qa")
    # In a process of its own: measuring coverage would take it several times as long.
    command = [sys.executable, "-c", FIT_A_SHIPPED_MODEL, str(checkout), texts, name, *SHIPPED[name]]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV_")}
    # As in `make model`.
    environment |= {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2", "OPENBLAS_CORETYPE": "Haswell"}
    made = subprocess.run(command, cwd=checkout, env=environment, check=True, capture_output=True, text=True)
    assert made.stdout.strip() == shipped.manifest.files[ARTEFACT]
    assert (checkout / "pipeline" / "resources" / "cues.toml").read_bytes() == (shipped.path / LEXICON).read_bytes()
