"""Other people's data, learnt from and scored with the project's own code; the messages here are invented."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from data.measure import benchmarks
from data.measure.benchmarks import (
    GRID,
    Labels,
    benchmark_table,
    choose_setting,
    favor_against,
    macro_f1,
    read_pubmedqa,
    read_semeval,
)
from pipeline.errors import BadInput
from tests.tiny_encoder import tiny_encoder

SAID = {
    "favor": ["we need more trams", "trams are great for this town", "build the tram line now please"],
    "against": ["no more trams here", "trams are noisy and dear", "never build that tram line"],
    "none": ["what a sunny day", "my cat sleeps all day", "see you at the match tonight"],
}
PLAIN, READ = ([n for n, setting in enumerate(GRID) if setting.is_read is wanted][3] for wanted in (False, True))


def write_part(path: Path, labels: dict[str, str], n_rounds: int, question: str = "") -> None:
    """Write invented texts of three labels, under the data set's own names."""
    rows = [
        {"id": f"{label}-{n}-{turn}", "question": question or f"Trams, turn {turn}?", "text": text, "label": name}
        for turn in range(n_rounds)
        for label, name in labels.items()
        for n, text in enumerate(SAID[label])
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture
def semeval(tmp_path: Path) -> Path:
    folder = tmp_path / "semeval"
    folder.mkdir()
    names = {name: name for name in SAID}
    for part, n_rounds in (("train", 4), ("test", 2)):
        write_part(folder / f"TR_{part}.jsonl", names, n_rounds, "Building trams")
    return folder


@pytest.fixture
def pubmedqa(tmp_path: Path) -> Path:
    folder = tmp_path / "pubmedqa"
    folder.mkdir()
    for part, n_rounds in (("train", 6), ("test", 2)):
        write_part(folder / f"{part}.jsonl", {"favor": "yes", "against": "no", "none": "maybe"}, n_rounds)
    return folder


def call(gold: Labels, n_wrong: int) -> Labels:
    """Return gold labels, the first of them wrong."""
    called = gold.copy()
    called[:n_wrong] = np.where(gold[:n_wrong] == "favor", "against", "favor")
    return called


@pytest.mark.parametrize(
    ("wrong_plain", "wrong_read", "chosen"),
    [
        pytest.param(60, 20, READ, id="the encoder is clearly better"),
        pytest.param(32, 20, READ, id="the encoder is better by more than a standard error"),
        pytest.param(25, 20, PLAIN, id="the encoder is better within chance"),
        pytest.param(20, 20, PLAIN, id="they are alike"),
        pytest.param(20, 60, PLAIN, id="the encoder is worse"),
    ],
)
def test_the_encoder_is_learnt_from_only_where_it_is_clearly_better(
    wrong_plain: int, wrong_read: int, chosen: int
) -> None:
    gold = np.array(["favor", "against", "none", "none"] * 50)
    # Those that both get wrong are others, as they are with real calls.
    plain, read = call(gold, wrong_plain), call(gold[::-1], wrong_read)[::-1]
    worst = call(gold, len(gold))
    called = [worst] * len(GRID)
    called[PLAIN], called[READ] = plain, read
    assert choose_setting(called, gold, macro_f1) == chosen


def test_the_figure_of_semeval_is_the_mean_f1_of_favor_and_against() -> None:
    gold = np.array(["favor", "favor", "against", "none"])
    assert favor_against(gold, np.array(["favor", "none", "against", "none"])) == pytest.approx((2 / 3 + 1) / 2)


def test_both_data_sets_are_read_learnt_from_and_scored(
    semeval: Path, pubmedqa: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benchmarks, "GRID", [GRID[PLAIN], GRID[READ]])
    lines = benchmark_table(semeval, pubmedqa, tiny_encoder()).splitlines()
    assert [line.split(" | ")[:2] for line in lines[2:]] == [
        ["| SemEval-2016 task 6, five targets", "18"],
        ["| PubMedQA", "18"],
    ]
    # The test parts repeat the training parts.
    assert all(float(line.split(" | ")[2]) > 0.9 for line in lines[2:])


def test_a_data_set_that_is_not_named_is_left_out(pubmedqa: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmarks, "GRID", [GRID[PLAIN], GRID[READ]])
    assert "SemEval" not in benchmark_table(None, pubmedqa, tiny_encoder())


def test_messages_on_one_target_are_cut_into_folds_one_by_one(semeval: Path) -> None:
    (task,) = read_semeval(semeval, tiny_encoder())
    assert len(set(task._groups)) == len(task.labels)


def test_a_part_without_a_label_of_the_scheme_is_refused(pubmedqa: Path) -> None:
    write_part(pubmedqa / "test.jsonl", {"favor": "pro", "against": "contra"}, 1)
    with pytest.raises(BadInput, match=r"test\.jsonl.*no answer with a label of pubmedqa \(yes, no, maybe\)"):
        list(read_pubmedqa(pubmedqa, tiny_encoder()))
