"""A model that reads with an encoder is trained, saved, verified and explained like any other."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.cli import run
from pipeline.encoder import Tuning, dump_encoder, dump_tuning, hash_asked, load_encoder, load_tuning, read_batch
from pipeline.ingest import ReadOptions, read_answers
from pipeline.manifest import ENCODER, ENCODER_LAYERS, ENCODER_TUNING, MANIFEST, find_model, hash_answer
from pipeline.preprocess import AnswerParser
from pipeline.schema import AnswerRecord
from pipeline.workflow import running
from tests.tiny_encoder import LABELS, tiny_encoder

YES = ("It is safe, do it.", "I would do it. Safe!", "Yes, it works and it is safe.", "I do it, the risk is nil.")
NO = ("It is not safe.", "I would not do it.", "No. The risks are too many.", "Do not do it, it is not safe.")


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("encoder")
    files = dump_encoder(tiny_encoder()) | {ENCODER_TUNING: dump_tuning(Tuning(frozenset(), {}), len(LABELS))}
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("labelled") / "answers.jsonl"
    rows = [
        {"question": f"Is treatment {n} safe?", "text": text, "label": label}
        for n in range(12)
        for label, texts in (("supportive", YES), ("against", NO))
        for text in (texts[n % 4], texts[(n + 1) % 4])
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def trained(encoder: Path, labelled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "reading"
    assert run(["train", str(labelled), "-o", str(folder), "--encoder", str(encoder)]) == 0
    return folder


def test_its_folder_holds_the_encoder_byte_for_byte_and_is_intact(trained: Path, encoder: Path) -> None:
    for name in ENCODER:
        assert (trained / name).read_bytes() == (encoder / name).read_bytes()
    manifest = json.loads((trained / MANIFEST).read_text(encoding="utf-8"))
    assert re.fullmatch("encoder@[0-9a-f]{12}", manifest["training"]["encoder"])
    assert run(["models", "verify", str(trained)]) == 0


def test_training_again_gives_the_same_bytes(trained: Path, encoder: Path, labelled: Path, tmp_path: Path) -> None:
    again = tmp_path / "reading"
    assert run(["train", str(labelled), "-o", str(again), "--encoder", str(encoder)]) == 0
    for file in trained.iterdir():
        assert file.read_bytes() == (again / file.name).read_bytes(), file.name


def test_another_model_is_trained_with_its_encoder(trained: Path, labelled: Path, tmp_path: Path) -> None:
    assert run(["train", str(labelled), "-o", str(tmp_path / "next"), "--encoder", str(trained)]) == 0
    assert (tmp_path / "next" / ENCODER_LAYERS).read_bytes() == (trained / ENCODER_LAYERS).read_bytes()
    manifests = [json.loads((path / MANIFEST).read_text(encoding="utf-8")) for path in (trained, tmp_path / "next")]
    assert len({manifest["training"]["encoder"] for manifest in manifests}) == 1


def calls(source: Path, model: Path, output: Path, *options: str) -> list[dict[str, Any]]:
    assert run(["classify", str(source), "--model", str(model), "-o", str(output), *options]) == 0
    return [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]


def test_what_is_read_beside_an_answer_changes_no_call(
    trained: Path, labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = calls(labelled, trained, tmp_path / "together.jsonl")
    monkeypatch.setattr(running, "MAX_BLOCK_ANSWERS", 8)
    parallel = calls(labelled, trained, tmp_path / "parallel.jsonl", "--jobs", "2")
    assert together == parallel
    lines = labelled.read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / "one.jsonl").write_text(lines[7], encoding="utf-8")
    (alone,) = calls(tmp_path / "one.jsonl", trained, tmp_path / "alone.jsonl")
    fields = ("stance", "posteriors", "confidence", "evidence")
    assert [alone[name] for name in fields] == [together[7][name] for name in fields]


def test_an_explanation_adds_up_with_what_the_encoder_adds(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "The risks are not nil. It is safe, I would do it."
    capsys.readouterr()
    assert run(["explain", "--question", "Is it safe?", "--model", str(trained), "--json", text]) == 0
    shown = json.loads(capsys.readouterr().out)
    readings = [sentence["reading"] for sentence in shown["sentences"]]
    assert len(readings) == 2
    assert any(readings)
    by_sentence = shown["intercept"] + sum(sentence["weight"] for sentence in shown["sentences"])
    parts = [part["weight"] for kind in ("cues", "words") for part in shown[kind]]
    by_part = shown["intercept"] + sum(readings) + sum(parts) + shown["rest"]["weight"]
    assert by_sentence == pytest.approx(shown["total"], abs=1e-3)
    assert by_part == pytest.approx(shown["total"], abs=1e-3)


def record_of(row: dict[str, str]) -> AnswerRecord:
    record = {"question_id": "q", "answer_id": "a", "position": 1, "source": {"file": "f", "locator": "l"}}
    return AnswerRecord.model_validate(record | {name: row[name] for name in ("question", "text")})


def encoder_with(encoder: Path, folder: Path, tuning: Tuning) -> str:
    """Copy an encoder that was tuned on other answers."""
    shutil.copytree(encoder, folder)
    (folder / ENCODER_TUNING).write_bytes(dump_tuning(tuning, len(LABELS)))
    return str(folder)


def test_a_reading_that_is_kept_is_learnt_from(encoder: Path, labelled: Path, trained: Path, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in labelled.read_text(encoding="utf-8").splitlines()]
    held_out = {}
    for row in rows:
        n_sentences = row["text"].count(".") + row["text"].count("!")
        held_out[hash_asked(record_of(row))] = np.full((n_sentences, len(LABELS)), 0.001)
    keeping = encoder_with(encoder, tmp_path / "keeping", Tuning(frozenset(), held_out))
    assert run(["train", str(labelled), "-o", str(tmp_path / "m"), "--encoder", keeping]) == 0
    assert (tmp_path / "m" / "model.npz").read_bytes() != (trained / "model.npz").read_bytes()


def test_answers_that_the_encoder_was_tuned_on_are_not_learnt_from(
    encoder: Path, labelled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [json.loads(line) for line in labelled.read_text(encoding="utf-8").splitlines()]
    tuned_on, others = rows[::3], [row for n, row in enumerate(rows) if n % 3]
    tuning = Tuning(frozenset(hash_answer(record_of(row)) for row in tuned_on), {})
    knowing = encoder_with(encoder, tmp_path / "knowing", tuning)
    given = tmp_path / "others" / labelled.name
    given.parent.mkdir()
    given.write_text("".join(json.dumps(row) + "\n" for row in others), encoding="utf-8")
    capsys.readouterr()
    made = []
    for number, source in enumerate((labelled, given)):
        folder = tmp_path / str(number) / "m"
        assert run(["train", str(source), "-o", str(folder), "--encoder", knowing]) == 0
        made.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert f"tuned on {len(tuned_on)} of {len(rows)} answers: {len(others)} are left" in capsys.readouterr().err
    assert made[0] == made[1]
    # They count as seen when a model is scored on them.
    assert run(["evaluate", str(labelled), "--model", str(tmp_path / "0" / "m"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["n_seen_in_training"] == len(rows)


def test_an_encoder_that_was_tuned_on_all_answers_leaves_none_to_learn_from(
    encoder: Path, labelled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [json.loads(line) for line in labelled.read_text(encoding="utf-8").splitlines()]
    tuning = Tuning(frozenset(hash_answer(record_of(row)) for row in rows), {})
    knowing = encoder_with(encoder, tmp_path / "knowing", tuning)
    capsys.readouterr()
    assert run(["train", str(labelled), "-o", str(tmp_path / "m"), "--encoder", knowing]) == 3
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1
    assert f"tuned on all {len(rows)} answers: name others, or --encoder none" in shown


@pytest.mark.parametrize("name", ENCODER)
def test_a_damaged_encoder_ends_in_one_line(
    trained: Path, labelled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    shutil.copytree(trained, tmp_path / "m")
    (tmp_path / "m" / name).write_bytes(b"x")
    capsys.readouterr()
    assert run(["classify", str(labelled), "--model", str(tmp_path / "m")]) == 4
    shown = capsys.readouterr()
    assert (shown.out, shown.err.count("\n")) == ("", 1)
    assert name in shown.err
    (tmp_path / "m" / name).unlink()
    assert run(["classify", str(labelled), "--model", str(tmp_path / "m")]) == 4


def test_an_encoder_of_other_labels_than_the_model_learnt_from_is_not_trusted(
    trained: Path, labelled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "m"
    shutil.copytree(trained, folder)
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    for name, data in dump_encoder(tiny_encoder(labels=("no", "yes"))).items():
        (folder / name).write_bytes(data)
        manifest["files"][name] = hashlib.sha256(data).hexdigest()
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    capsys.readouterr()
    assert run(["classify", str(labelled), "--model", str(folder)]) == 4
    assert "weighs readings of another encoder" in capsys.readouterr().err


def test_a_model_without_an_encoder_has_none_to_give(
    labelled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = tmp_path / "plain"
    assert run(["train", str(labelled), "-o", str(plain), "--encoder", "none"]) == 0
    assert not any((plain / name).exists() for name in ENCODER)
    capsys.readouterr()
    assert run(["train", str(labelled), "-o", str(tmp_path / "m"), "--encoder", str(plain)]) == 2
    assert "that model has no encoder" in capsys.readouterr().err
    assert run(["train", str(labelled), "-o", str(tmp_path / "m"), "--encoder", str(tmp_path / "nowhere")]) == 4


# ------------------------------------------------- the shipped one


def test_the_default_model_makes_the_same_bytes_in_any_number_of_processes_and_alone(
    samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, outputs = str(samples / "laser_while_nursing.txt"), [tmp_path / f"{n}.jsonl" for n in range(3)]
    assert run(["classify", page, "--model", "default", "-o", str(outputs[0])]) == 0
    monkeypatch.setattr(running, "MAX_BLOCK_ANSWERS", 1)
    assert run(["classify", page, "--model", "default", "-o", str(outputs[1])]) == 0
    assert run(["classify", page, "--model", "default", "-o", str(outputs[2]), "--jobs", "2"]) == 0
    assert len({output.read_bytes() for output in outputs}) == 1


def test_the_readings_that_the_shipped_encoder_keeps_are_its_own(checkout: Path, parser: AnswerParser) -> None:
    folder = find_model("default")
    encoder = load_encoder(folder)
    kept = load_tuning(folder, len(encoder.labels))
    answers = [
        a for a in read_answers([str(checkout / "data" / "corpus")], ReadOptions()) if isinstance(a, AnswerRecord)
    ]
    held_out = [answer for answer in answers if hash_asked(answer) in kept.held_out]
    # Whole questions are held out, about a fifth of them, and of what it was tuned on nothing is.
    assert 0.1 < len(held_out) / len(answers) < 0.3
    assert {a.question for a in held_out}.isdisjoint(a.question for a in answers if hash_answer(a) in kept.tuned_on)
    assert all((hash_answer(a) in kept.tuned_on) is (hash_asked(a) not in kept.held_out) for a in answers)
    batch = parser.parse(held_out[:12])
    expected = np.concatenate([kept.held_out[hash_asked(answer)] for answer in held_out[:12]])
    # A processor may round a thousandth the other way.
    np.testing.assert_allclose(read_batch(encoder, batch), expected, atol=0.0015)
