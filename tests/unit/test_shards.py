"""Blocks go to other processes and come back as they were; a process keeps to the model of the run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.batch import open_store
from pipeline.errors import WrongUsage
from pipeline.persistence import load_model, save_model
from pipeline.schema import AnswerRecord, Respondent, Source
from pipeline.workflow.models import open_model
from pipeline.workflow.shards import ClassifyTask, Line, classify_block, list_versions, read_block, render_block

ANSWER = AnswerRecord(
    question_id="q",
    question="Is it safe?",
    answer_id="a",
    position=1,
    headline="Not \u201csafe\u201d",
    text="No.\n\u2028Do not do it.",
    respondent=Respondent(name="Ottoline Vance-Mbeki", rating=4.5),
    source=Source(file="t", locator="line 1"),
)
LINES = [Line.from_record(ANSWER)]


def task(model: str, place: Path) -> ClassifyTask:
    full_name = open_model(model).full_name
    return ClassifyTask(model=model, full_name=full_name, versions=list_versions(), place=str(place))


@pytest.mark.parametrize(
    "own",
    [{}, {"n": 10**30, "x": 0.1, "yes": None}, {"deep": {"er": [{"": []}, "\U0001f600"]}, "stance": "mine"}],
    ids=["none", "numbers", "nested"],
)
def test_a_block_comes_back_as_it_was_with_fields_of_the_users_own(own: dict[str, object]) -> None:
    answers = [
        ANSWER,
        ANSWER.model_copy(update={"answer_id": "b", "headline": None}),
        AnswerRecord(**dict(ANSWER), **own),
    ]
    block = [Line.from_record(answer) for answer in answers]
    assert read_block(render_block(block)) == block
    assert [line.is_apart for line in block] == [True, True, "stance" not in own]
    assert [AnswerRecord.model_validate_json(line.content) for line in block] == answers


def test_a_process_that_knows_a_model_by_its_folder_looks_again_when_it_was_retrained(tmp_path: Path) -> None:
    folder, place = tmp_path / "mine", tmp_path / "shards"
    open_store(str(place))
    known = open_model("fast")
    model = load_model(known)

    def save(abstain_below: float) -> ClassifyTask:
        save_model(
            folder,
            replace(model, abstain_below=abstain_below),
            temperature=known.manifest.temperature,
            training=known.manifest.training,
            scores=known.manifest.scores,
            answers=[ANSWER],
        )
        return task(str(folder), place)

    first = save(0.0)
    assert classify_block(first, 0, LINES)[1]["n_abstained"] == 0
    second = save(1.0)
    assert second.full_name != first.full_name
    assert classify_block(second, 1, LINES)[1]["n_abstained"] == 1


@pytest.mark.parametrize("name", ["python", "spacy"])
def test_a_process_with_another_version_refuses(tmp_path: Path, name: str) -> None:
    other = replace(task("default", tmp_path), versions={**list_versions(), name: "0.1"})
    with pytest.raises(WrongUsage, match=f"a worker has {name} .*, the run 0.1"):
        classify_block(other, 0, LINES)
    assert list(tmp_path.iterdir()) == []
