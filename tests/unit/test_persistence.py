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
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import skops.io
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from pipeline.card import FIGURES
from pipeline.classify import call_answers
from pipeline.errors import ModelError, WrongUsage
from pipeline.estimator import (
    ClassifierConfig,
    SentenceCounts,
    StanceEstimator,
    TrainingData,
    fit_estimator,
    predict_posteriors,
)
from pipeline.features import DOCUMENTS, FEATURE_VERSION, Vocabulary
from pipeline.persistence import (
    ARTEFACT,
    CARD,
    FORMAT,
    LEXICON,
    MANIFEST,
    TRAINING_ANSWERS,
    ModelFolder,
    dump_model,
    find_model,
    hash_answer,
    list_models,
    load_model,
    read_content,
    read_folder,
    save_model,
)
from pipeline.schema import AnswerRecord, LabelScheme, Source

if TYPE_CHECKING:
    from pathlib import Path

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


@pytest.fixture(scope="module")
def small(model: StanceModel) -> StanceModel:
    """A model that is saved in no time."""
    return replace(model, vocabulary=VOCABULARY, estimator=fit_small(model.scheme.names), config=CONFIG)


@pytest.fixture(scope="module")
def saved_small(small: StanceModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model that is saved and loaded in no time."""
    return save_copy(tmp_path_factory.mktemp("small") / "small", small).path


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
    assert dump_model(model.vocabulary, model.estimator) == (find_model("default") / ARTEFACT).read_bytes()


FIT_AND_DUMP = """
import hashlib
import numpy as np
from scipy.sparse import csr_matrix
from pipeline.estimator import ClassifierConfig, SentenceCounts, TrainingData, fit_estimator
from pipeline.features import Vocabulary
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
    assert skops.io.get_untrusted_types(data=data) == []
    vocabulary, loaded = read_content(skops.io.loads(data, trusted=[]))
    assert (loaded.relevance is None) == (not marked)
    scheme, sentences = LabelScheme.from_labels("s", list(labels)), draw_sentences(1)
    assert np.array_equal(
        predict_posteriors(loaded, sentences, scheme), predict_posteriors(estimator, sentences, scheme)
    )
    assert np.array_equal(loaded.weigh_sentences(sentences), estimator.weigh_sentences(sentences))
    assert (vocabulary.names, vocabulary.hashes.tolist()) == (VOCABULARY.names, VOCABULARY.hashes.tolist())
    assert vocabulary.documents.tolist() == VOCABULARY.documents.tolist()
    assert dump_model(vocabulary, loaded) == data


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
    tmp_path: Path, parser: AnswerParser, model: StanceModel
) -> None:
    saved = save_copy(tmp_path / "mine", model)
    batch = parser.parse(
        [answer("No, I would not. It is not safe."), answer("Yes, it works.", headline="Sure"), answer("x")]
    )
    calls = call_answers(load_model(saved), batch)
    assert calls == [c.model_copy(update={"model": saved.full_name}) for c in call_answers(model, batch)]


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
    "forged",
    [
        pytest.param(["no", "estimator"], id="a list"),
        pytest.param("no estimator", id="a text"),
        pytest.param(None, id="nothing"),
        pytest.param({}, id="an empty dictionary"),
        pytest.param(Pipeline([("f", FunctionTransformer())]), id="another pipeline"),
        pytest.param(LogisticRegression(), id="a regression by itself"),
    ],
)
def test_an_artefact_that_is_no_stance_classifier_is_refused(folder: Path, forged: object) -> None:
    forge(folder, ARTEFACT, skops.io.dumps(forged))
    message = refuse(folder)
    assert ARTEFACT in message
    assert "holds no stance classifier" in message


def test_an_artefact_of_other_labels_than_the_scheme_is_refused_and_they_are_named(folder: Path) -> None:
    forge(folder, ARTEFACT, dump_model(VOCABULARY, fit_small(("con", "pro", "supportive"))))
    message = refuse(folder)
    assert ARTEFACT in message
    assert "labels that the manifest's scheme has not (con, pro)" in message


# ---------------------------------------------------------------- artefacts whose parts do not fit together

Content = dict[str, Any]


def at(*path: str) -> Callable[[Callable[[Any], Any]], Callable[[Content], None]]:
    """Change what stands at a place of the artefact's content; the last step may be an attribute."""

    def with_change(change: Callable[[Any], Any]) -> Callable[[Content], None]:
        def apply(content: Content) -> None:
            holder: Any = content
            for step in path[:-1]:
                holder = holder[step]
            if isinstance(holder, dict):
                holder[path[-1]] = change(holder[path[-1]])
            else:
                setattr(holder, path[-1], change(getattr(holder, path[-1])))

        return apply

    return with_change


def becomes(value: Any) -> Callable[[Any], Any]:
    return lambda _: value


def drop(*path: str) -> Callable[[Content], None]:
    def apply(content: Content) -> None:
        holder = content
        for step in path[:-1]:
            holder = holder[step]
        del holder[path[-1]]

    return apply


def first_is(value: float) -> Callable[[Any], Any]:
    def change(array: Any) -> Any:
        changed = array.copy()
        changed.flat[0] = value
        return changed

    return change


KEYS = ["names", "hashes", "documents", "relevance", "stance", "relevance_power"]
LINEAR_KEYS = ["idf", "weights", "is_normed", "regression"]
ATTRIBUTES = ["coef_", "intercept_", "classes_"]
TAMPERED = [
    *(pytest.param(drop(key), id=f"{key} is missing") for key in KEYS),
    *(pytest.param(drop(m, key), id=f"{m} {key} is missing") for m in ("stance", "relevance") for key in LINEAR_KEYS),
    *(
        pytest.param(at(*path)(change), id=f"{' '.join(path)} {how}")
        for path in [
            *((key,) for key in KEYS[1:3]),
            *((m, key) for m in ("stance", "relevance") for key in LINEAR_KEYS[:3]),
            *((m, "regression", a) for m in ("stance", "relevance") for a in ATTRIBUTES),
        ]
        for how, change in {
            "one short": lambda array: array[:-1],
            "one long": lambda array: np.concatenate([array, array[-1:]]),
            "empty": lambda array: array[:0],
            "as a table": lambda array: np.stack([array, array]),
            "as a list": lambda array: array.tolist(),
            "as texts": lambda array: array.astype(str) if array.dtype.kind != "U" else array.astype("S"),
            "as nothing": lambda _: None,
        }.items()
        # Whether a sentence is evidence may be said in words too.
        if not (path[0] == "relevance" and path[-1] == "classes_" and how == "as texts")
    ),
    *(
        pytest.param(at(m, *path)(first_is(value)), id=f"{m} {' '.join(path)} has {value}")
        for m in ("stance", "relevance")
        for path in [("idf",), ("weights",), ("regression", "coef_"), ("regression", "intercept_")]
        for value in (np.nan, np.inf)
    ),
    pytest.param(at("documents")(first_is(len(DOCUMENTS))), id="a document that there is not"),
    pytest.param(at("documents")(lambda array: array.astype(np.int64) - 1), id="documents below 0"),
    pytest.param(at("hashes")(lambda array: array.astype(np.float64)), id="hashes that are fractions"),
    pytest.param(at("names")(lambda array: np.append(array, np.uint8(255))), id="names that are no UTF-8"),
    pytest.param(at("names")(lambda array: array[array != ord("\n")]), id="names in one line"),
    pytest.param(at("names")(lambda array: np.append(array, np.uint8(ord("\n")))), id="a name too many"),
    pytest.param(at("names")(lambda array: array.tolist()), id="names as a list"),
    pytest.param(at("relevance", "regression", "classes_")(lambda array: array[::-1]), id="evidence is none"),
    pytest.param(at("relevance")(lambda _: "none"), id="relevance in words"),
    pytest.param(at("stance")(lambda _: None), id="stance is nothing"),
    pytest.param(at("stance", "regression")(lambda _: Ridge()), id="another kind of regression"),
    pytest.param(at("stance", "regression")(lambda _: LogisticRegression()), id="a regression that was never fitted"),
    pytest.param(at("relevance", "regression")(lambda _: Ridge()), id="another kind of regression for relevance"),
    pytest.param(lambda content: content.update(relevance=content["stance"]), id="relevance of many labels"),
    pytest.param(at("stance", "regression", "classes_")(lambda a: np.repeat(a[:1], len(a))), id="one label many times"),
    *(
        pytest.param(at("relevance_power")(becomes(value)), id=f"a power of {value!r}"[:40])
        for value in ["half", None, -1.0, np.nan, np.inf, 10**400]
    ),
]


@pytest.mark.parametrize("tamper", TAMPERED)
def test_an_artefact_whose_parts_do_not_fit_is_refused_though_its_hash_is_right(
    tmp_path: Path, saved_small: Path, tamper: Callable[[Content], None]
) -> None:
    folder = shutil.copytree(saved_small, tmp_path / "copy")
    content = skops.io.loads((folder / ARTEFACT).read_bytes(), trusted=[])
    tamper(content)
    forge(folder, ARTEFACT, skops.io.dumps(content))
    message = refuse(folder)
    assert ARTEFACT in message
    assert "not trusted" in message


@given(st.data())
@settings(deadline=None, max_examples=60)
def test_content_of_any_kind_is_either_read_or_refused_as_foreseen(data: st.DataObject) -> None:
    anything = st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3), st.just([]), st.just({}),
        st.sampled_from([np.zeros(N_FEATURES), np.zeros((2, 2)), np.array("x"), np.zeros(0, dtype=np.uint8)]),
    )  # fmt: skip
    content = skops.io.loads(dump_model(VOCABULARY, fit_small(("con", "pro"))), trusted=[])
    holder = data.draw(st.sampled_from([content, content["stance"], content["relevance"]]))
    holder[data.draw(st.sampled_from(sorted(holder)))] = data.draw(anything)
    with suppress(LookupError, TypeError, ValueError, AttributeError, ArithmeticError):
        vocabulary, estimator = read_content(content)
        scheme = LabelScheme.from_labels("s", estimator.stance.classes)
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
from pipeline.estimator import fit_estimator, scale_temperature
from pipeline.features import build_vocabulary
from pipeline.ingest import ReadOptions
from pipeline.lexicon import parse_lexicon
from pipeline.persistence import dump_model, read_folder
from pipeline.preprocess import AnswerParser
from pipeline.training import count_labelled, featurise
from pipeline.workflow import Intake, read_labelled

checkout, texts = Path(sys.argv[1]), sys.argv[2]
manifest = read_folder(checkout / "models" / "default").manifest
labels = checkout / "data" / "labels"
sources = [checkout / "data" / "corpus", labels / "medical_qa.csv", labels / "medical_qa_more.csv"]
weights = {str(checkout / name): weight for name, weight in manifest.training["source_weights"].items()}
intake = Intake([str(s) for s in sources], ReadOptions(texts=texts), print)
data = read_labelled(intake, None, source_weights=weights)
assert data.digest() == manifest.training["digest"]
lexicon = (checkout / "pipeline" / "resources" / "cues.toml").read_text(encoding="utf-8")
parser, config = AnswerParser(parse_lexicon(lexicon, "cues.toml")), manifest.config
features = featurise(data.answers, parser, with_pieces=config.piece_weight > 0)
vocabulary = build_vocabulary(features, config.min_answers)
training = count_labelled(features, vocabulary, data.labels, data.questions, data.weights)
estimator = scale_temperature(fit_estimator(training, config), manifest.temperature)
print(hashlib.sha256(dump_model(vocabulary, estimator)).hexdigest())
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
    environment |= {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"}  # as in `make model`
    made = subprocess.run(command, cwd=checkout, env=environment, check=True, capture_output=True, text=True)
    assert made.stdout.strip() == shipped.manifest.files[ARTEFACT]
    assert (checkout / "pipeline" / "resources" / "cues.toml").read_bytes() == (shipped.path / LEXICON).read_bytes()
