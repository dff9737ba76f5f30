"""The one list of the parts of the labelled data, by which models are trained and scores are shown."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from data.measure.datasheet import read_table
from data.parts import PARTS, learnt_by, main, train_arguments
from pipeline.manifest import find_model, read_folder


def test_every_part_of_the_labelled_data_is_listed_and_there(checkout: Path) -> None:
    folder = checkout / "data"
    labelled = {f"{path.parent.name}/{path.name}" for path in (folder / "labels").glob("medical_qa*.csv")}
    written = {path.parent.name for path in folder.glob("*/*.jsonl")}
    assert {part.path for part in PARTS} == labelled | written - {"samples"}


def test_an_id_stands_in_one_part_alone(checkout: Path) -> None:
    """A second record of the same id would be quarantined in a run over all parts."""
    ids: Counter[str] = Counter()
    for part in PARTS:
        path = checkout / "data" / part.path
        if path.suffix == ".csv":
            ids.update(row["answer_id"] for row in read_table(path))
        else:
            for file in path.glob("*.jsonl"):
                ids.update(json.loads(line)["answer_id"] for line in file.read_text(encoding="utf-8").splitlines())
    assert [name for name, n in ids.items() if n > 1] == []


def test_paths_and_titles_of_parts_are_unique() -> None:
    for names in ([part.path for part in PARTS], [part.title for part in PARTS]):
        assert len(set(names)) == len(names)


@pytest.mark.parametrize("model", ["default", "fast"])
def test_a_shipped_model_learnt_from_the_parts_listed_as_they_are_weighed(model: str) -> None:
    training = read_folder(find_model(model)).manifest.training
    weighed = {f"data/{path}": weight for path, weight in learnt_by(model).items() if weight != 1}
    assert training["source_weights"] == weighed


@pytest.mark.parametrize("model", ["default", "fast"])
def test_without_the_real_answers_no_table_of_labels_is_trained_on(model: str) -> None:
    arguments = train_arguments(model, written_only=True)
    assert "data/corpus" in arguments
    assert not [word for word in arguments if ".csv" in word]


@pytest.mark.parametrize(
    ("given", "printed"),
    [
        pytest.param(["fast"], train_arguments("fast"), id="fast"),
        pytest.param(["default", "--written-only"], train_arguments("default", written_only=True), id="default"),
    ],
)
def test_the_arguments_are_printed_for_the_makefile(
    given: list[str], printed: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["parts", *given])
    main()
    assert capsys.readouterr().out == " ".join(printed) + "\n"


def test_a_model_that_is_not_shipped_is_refused() -> None:
    with pytest.raises(ValueError, match="'slow' is not shipped: default or fast"):
        learnt_by("slow")
