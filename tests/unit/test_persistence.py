"""The model folder: the same bytes every time, whole or not at all, and loaded with distrust."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from fractions import Fraction
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import skops.io
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from pipeline.classify import ClassifierConfig, fit_estimator, predict_posteriors
from pipeline.errors import ModelError, WrongUsage
from pipeline.features import FEATURE_VERSION
from pipeline.persistence import (
    ARTEFACT,
    CARD,
    FORMAT,
    LEXICON,
    MANIFEST,
    TRAINING_ANSWERS,
    ModelFolder,
    dump_estimator,
    find_model,
    hash_answer,
    list_models,
    load_estimator,
    load_model,
    read_folder,
    save_model,
)
from pipeline.schema import AnswerRecord, Source

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from pipeline.classify import StanceModel

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


@pytest.fixture(scope="module")
def small(model: StanceModel) -> StanceModel:
    """A model that is saved in no time."""
    X = np.array([[f"{word} thing", f"cue_{word} cue"] for word in model.scheme.names for _ in range(3)], dtype=object)
    y = [name for name in model.scheme.names for _ in range(3)]
    return replace(model, estimator=fit_estimator(X, y, model.config))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the model that comes with medstance, to be damaged."""
    return shutil.copytree(find_model("default"), tmp_path / "copy")


# ---------------------------------------------------------------- saving


def test_saving_twice_gives_identical_bytes(tmp_path: Path, small: StanceModel) -> None:
    one = save_copy(tmp_path / "one" / "m", small)
    two = save_copy(tmp_path / "two" / "m", small)
    assert contents(one.path) == contents(two.path)
    assert one.full_name == two.full_name


def test_an_artefact_that_is_loaded_and_dumped_again_keeps_its_bytes(model: StanceModel) -> None:
    assert dump_estimator(model.estimator) == (find_model("default") / ARTEFACT).read_bytes()


FIT_AND_DUMP = """
import hashlib, sys
import numpy as np
from pipeline.classify import ClassifierConfig, fit_estimator
from pipeline.persistence import dump_estimator
X = np.empty((40, 2), dtype=object)
X[:] = [(f"word{n % 7} other{n % 3} common", f"cue{n % 5}") for n in range(40)]
for shared in (np.array(["no", "yes", "depends"]), ["no", "yes", "depends"]):
    estimator = fit_estimator(X, [str(shared[n % 3]) for n in range(40)], ClassifierConfig())
    print(hashlib.sha256(dump_estimator(estimator)).hexdigest())
"""


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


def test_a_saved_model_predicts_as_the_one_in_memory(tmp_path: Path) -> None:
    X: NDArray[np.object_] = np.empty((8, 2), dtype=object)
    X[:] = [("good works", "yes"), ("bad hurts", "no")] * 4
    estimator = fit_estimator(X, ["pro", "con"] * 4, ClassifierConfig())
    path = tmp_path / ARTEFACT
    path.write_bytes(dump_estimator(estimator))
    assert skops.io.get_untrusted_types(file=path) == []
    assert np.array_equal(load_estimator(path.read_bytes()).predict_proba(X), estimator.predict_proba(X))


def test_loading_gives_back_everything_that_was_saved(tmp_path: Path, small: StanceModel) -> None:
    given = replace(small, abstain_below=0.61, config=ClassifierConfig(inverse_penalty=2.5, max_evidence=7))
    saved = save_copy(tmp_path / "mine", given)
    loaded = load_model(saved)
    assert replace(loaded, estimator=given.estimator) == replace(given, name=saved.full_name)
    X: NDArray[np.object_] = np.empty((2, 2), dtype=object)
    X[:] = [("not !safe no", "negation says_no"), ("", "")]
    assert np.array_equal(
        predict_posteriors(loaded.estimator, X, loaded.scheme), predict_posteriors(given.estimator, X, given.scheme)
    )


def test_the_folder_names_the_model_and_its_digest_stands_for_the_manifest(tmp_path: Path, small: StanceModel) -> None:
    saved = save_copy(tmp_path / "mine", small)
    digest = hashlib.sha256((tmp_path / "mine" / MANIFEST).read_bytes()).hexdigest()
    assert saved.full_name == f"mine@{digest[:12]}"
    assert saved == read_folder(tmp_path / "mine")
    assert {path.name for path in saved.path.iterdir()} == {*FILES, MANIFEST}


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


INTERRUPTED_SAVE = """
import sys
from dataclasses import replace
from pathlib import Path
from pipeline.persistence import load_model, read_folder, save_model

folder, event, place, times = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
old = read_folder(folder)
model = replace(load_model(old), abstain_below=0.99)
seen = 0

def interrupt(name, arguments):
    global seen
    if name == event and place in str(arguments[0]) and str(folder.parent) in str(arguments[0]):
        seen += 1
        if seen == times:
            raise KeyboardInterrupt

sys.addaudithook(interrupt)
try:
    m = old.manifest
    save_model(folder, model, temperature=m.temperature, training=m.training, scores=m.scores, answers=[])
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.parametrize(
    ("event", "place", "times"),
    [
        pytest.param("open", ARTEFACT, 1, id="while the artefact is written"),
        pytest.param("open", MANIFEST, 1, id="while the manifest is written"),
        pytest.param("os.rename", "", 1, id="before the old model is moved away"),
        pytest.param("os.rename", "", 2, id="before the new model is moved in"),
    ],
)
def test_an_interrupted_save_leaves_the_old_model(
    checkout: Path, tmp_path: Path, small: StanceModel, event: str, place: str, times: int
) -> None:
    folder = save_copy(tmp_path / "copy", small).path
    before = contents(folder)
    command = [sys.executable, "-c", INTERRUPTED_SAVE, str(folder), event, place, str(times)]
    assert subprocess.run(command, cwd=checkout, check=False).returncode == 130
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
    assert contents(folder) == before


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


@pytest.mark.parametrize("name", [*FILES, MANIFEST])
def test_a_missing_file_is_refused_and_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert name in refuse(folder)


@pytest.mark.parametrize("name", FILES)
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


def test_another_folder_format_is_refused_and_both_are_named(folder: Path) -> None:
    change_manifest(folder, format=FORMAT + 1)
    assert f"format {FORMAT + 1}, this medstance reads {FORMAT}" in refuse(folder)


def test_another_version_of_the_features_is_refused_and_both_are_named(folder: Path) -> None:
    change_manifest(folder, feature_version=FEATURE_VERSION + 1)
    message = refuse(folder)
    assert f"version {FEATURE_VERSION + 1}" in message
    assert f"has {FEATURE_VERSION}" in message


@pytest.mark.parametrize("name", ["../outside", "/etc/hostname", "a/b", "..", "", "nul\x00"])
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


@pytest.mark.parametrize(
    ("forged", "named"),
    [
        pytest.param(Pipeline([("f", FunctionTransformer(func=os.getcwd))]), "posix.getcwd", id="a function"),
        pytest.param(Pipeline([("f", Fraction(1, 2))]), "fractions.Fraction", id="a foreign class"),
    ],
)
def test_an_artefact_with_a_foreign_type_is_refused_though_its_hash_is_right(
    folder: Path, forged: object, named: str
) -> None:
    forge(folder, ARTEFACT, skops.io.dumps(forged))
    message = refuse(folder)
    assert "not trusted" in message
    assert named in message


@pytest.mark.parametrize("data", [b"", b"no archive", b"PK\x05\x06" + bytes(18)], ids=["empty", "text", "empty zip"])
def test_an_artefact_that_is_no_archive_is_refused_though_its_hash_is_right(folder: Path, data: bytes) -> None:
    forge(folder, ARTEFACT, data)
    assert ARTEFACT in refuse(folder)


def test_an_artefact_that_was_cut_short_is_refused_though_its_hash_is_right(folder: Path) -> None:
    data = (folder / ARTEFACT).read_bytes()
    forge(folder, ARTEFACT, data[: len(data) // 2])
    assert ARTEFACT in refuse(folder)


@pytest.mark.parametrize(
    "forged", [["no", "estimator"], Pipeline([("f", FunctionTransformer())])], ids=["a list", "another pipeline"]
)
def test_an_artefact_that_is_no_stance_classifier_is_refused(folder: Path, forged: object) -> None:
    forge(folder, ARTEFACT, skops.io.dumps(forged))
    assert ARTEFACT in refuse(folder)


def test_an_artefact_of_other_labels_than_the_scheme_is_refused(folder: Path) -> None:
    X: NDArray[np.object_] = np.empty((8, 2), dtype=object)
    X[:] = [("good works", "yes"), ("bad hurts", "no")] * 4
    forge(folder, ARTEFACT, dump_estimator(fit_estimator(X, ["pro", "con"] * 4, ClassifierConfig())))
    assert ARTEFACT in refuse(folder)


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


def test_an_artefact_of_another_scikit_learn_is_refused_and_both_versions_named(folder: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(folder / ARTEFACT) as archive, zipfile.ZipFile(out, "w") as other:
        for name in archive.namelist():
            data = archive.read(name)
            if name == "schema.json":
                installed = json.dumps(json.dumps(version("scikit-learn"))).encode()
                assert installed in data
                data = data.replace(installed, json.dumps(json.dumps("1.2.3")).encode())
            other.writestr(name, data)
    forge(folder, ARTEFACT, out.getvalue())
    message = refuse(folder)
    assert "1.2.3" in message
    assert version("scikit-learn") in message


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


# ---------------------------------------------------------------- the shipped model


def test_the_shipped_model_is_intact_and_its_card_says_how_good_it_is() -> None:
    shipped = read_folder(find_model("default"))
    load_model(shipped)
    card = shipped.read_card()
    assert f"{shipped.manifest.scores['side_accuracy']:.3f}" in card
    assert all(name in card for name in shipped.manifest.scheme.names)


FIT_THE_SHIPPED_MODEL = """
import hashlib, sys
from pathlib import Path
from pipeline.classify import fit_estimator, scale_temperature
from pipeline.ingest import ReadOptions
from pipeline.persistence import dump_estimator, read_folder
from pipeline.workflow import Intake, featurise, read_labelled

checkout, texts = Path(sys.argv[1]), sys.argv[2]
manifest = read_folder(checkout / "models" / "default").manifest
labels = checkout / "data" / "labels"
sources = [checkout / "data" / "corpus", labels / "medical_qa.csv", labels / "medical_qa_more.csv"]
data = read_labelled(Intake([str(s) for s in sources], ReadOptions(texts=texts), print), None)
assert data.digest() == manifest.training["digest"]
lexicon = (checkout / "pipeline" / "resources" / "cues.toml").read_text(encoding="utf-8")
estimator = fit_estimator(featurise(data, lexicon), data.labels, manifest.config)
artefact = dump_estimator(scale_temperature(estimator, manifest.temperature))
print(hashlib.sha256(artefact).hexdigest())
"""


def test_the_shipped_model_is_made_from_the_labelled_data_byte_for_byte(checkout: Path, shared: Path) -> None:
    """All but the scores, which cross-validation gives: `make model` makes these again too."""
    shipped = read_folder(checkout / "models" / "default")
    installed = {name: version(name) for name in shipped.manifest.versions}
    if installed != shipped.manifest.versions:
        pytest.skip(f"the shipped model was made with other packages than are installed: {shipped.manifest.versions}")
    texts = str(shared / "corpora" / "medical_qa")
    # In a process of its own: measuring coverage would take it several times as long.
    command = [sys.executable, "-c", FIT_THE_SHIPPED_MODEL, str(checkout), texts]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV_")}
    made = subprocess.run(command, cwd=checkout, env=environment, check=True, capture_output=True, text=True)
    assert made.stdout.strip() == shipped.manifest.files[ARTEFACT]
    assert (checkout / "pipeline" / "resources" / "cues.toml").read_bytes() == (shipped.path / LEXICON).read_bytes()
