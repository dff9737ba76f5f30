"""From a saved page to the report an analyst defends: everything the page says is there, and every number adds up."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from selectolax.lexbor import LexborHTMLParser

from pipeline.cli import run
from pipeline.ingest import ReadOptions, read_answers
from pipeline.schema import AnswerRecord

Json = Any
pytestmark = pytest.mark.usefixtures("no_model_named")


@pytest.fixture(scope="module")
def page(samples: Path) -> Path:
    return samples / "laser_while_nursing.txt"


@pytest.fixture(scope="module")
def records(page: Path) -> list[AnswerRecord]:
    return [item for item in read_answers([str(page)], ReadOptions()) if isinstance(item, AnswerRecord)]


@pytest.fixture(scope="module")
def reports(page: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reports")
    outputs = [part for name in ("html", "md", "json", "csv") for part in ("-o", str(folder / f"report.{name}"))]
    assert run(["report", str(page), *outputs]) == 0
    return folder


@pytest.fixture(scope="module")
def consensus(reports: Path) -> Json:
    (question,) = json.loads((reports / "report.json").read_bytes())["questions"]
    return question


def test_every_answer_of_the_page_is_in_the_report_verbatim(
    page: Path, records: list[AnswerRecord], consensus: Json
) -> None:
    saved = page.read_text(encoding="utf-8")
    assert consensus["question"] == "Is laser hair removal safe while I am breastfeeding?"
    assert consensus["n_answers"] == len(records) == 9
    for record, answer in zip(records, consensus["answers"], strict=True):
        assert answer["text"] == record.text
        assert all(paragraph in saved for paragraph in answer["text"].split("\n\n"))
        assert not any(mark in answer["text"] for mark in ("{{", "stars", "educational purposes"))


def test_every_quote_stands_in_the_page_at_the_place_it_names(page: Path, consensus: Json) -> None:
    saved = " ".join(page.read_text(encoding="utf-8").split())
    quotes = [(answer, passage) for answer in consensus["answers"] for passage in answer["evidence"]]
    assert quotes
    for answer, passage in quotes:
        assert answer[passage["field"]][passage["start"] : passage["end"]] == passage["quote"]
        assert " ".join(passage["quote"].split()) in saved
        assert passage["weight"] > 0


def test_the_numbers_of_the_report_follow_from_its_answers(consensus: Json) -> None:
    called = [a for a in consensus["answers"] if not a["abstained"]]
    sides = Counter(a["side"] for a in called if a["side"] is not None)
    stances = Counter(a["stance"] for a in called if a["side"] is not None)
    n = sum(sides.values())
    assert consensus["n_with_stance"] == n
    assert consensus["n_no_stance"] == len(called) - n
    assert consensus["n_abstained"] == len(consensus["answers"]) - len(called)
    for found, counts in ((consensus["sides"], sides), (consensus["prevalence"], stances)):
        assert {name: p["n"] for name, p in found.items()} == {name: counts[name] for name in found}
        for prevalence in found.values():
            assert prevalence["share"] == pytest.approx(prevalence["n"] / n, abs=1e-4)
            assert prevalence["low"] <= prevalence["share"] <= prevalence["high"]
    verdict = consensus["verdict"]
    assert -1 <= consensus["agreement"] <= 1
    assert 0 <= verdict["probability"] <= 1
    if verdict["side"] is not None:
        assert sides[verdict["side"]] == max(sides.values())
        assert len(consensus["dissent"]) == n - sides[verdict["side"]]


def test_the_html_report_carries_every_answer_completely_and_marks_its_evidence(reports: Path, consensus: Json) -> None:
    html = LexborHTMLParser((reports / "report.html").read_text(encoding="utf-8"))
    items = {node.text().split(" ")[0]: node for node in html.css("details li")}
    assert len(items) == 9
    for number, answer in enumerate(consensus["answers"], start=1):
        item = items[f"#{number}"]
        assert [node.text() for node in item.css("p:last-child")] == [answer["text"]]
        assert [node.text() for node in item.css("p > b")] == [answer["headline"]] * bool(answer["headline"])
        marked = {node.text() for node in item.css("mark")}
        assert marked == {passage["quote"] for passage in answer["evidence"]}
        name = answer["respondent"]["name"]
        assert name is None or name in item.text()


def test_every_form_of_the_report_tells_the_same_verdict(reports: Path, consensus: Json) -> None:
    (row,) = csv.DictReader((reports / "report.csv").read_text(encoding="utf-8").splitlines())
    assert row["question_id"] == consensus["question_id"]
    assert row["verdict.strength"] == consensus["verdict"]["strength"]
    assert float(row["verdict.probability"]) == consensus["verdict"]["probability"]
    chance = f"Probability of this verdict: {consensus['verdict']['probability'] * 100:.0f} %"
    for name in ("html", "md"):
        text = (reports / f"report.{name}").read_text(encoding="utf-8")
        assert consensus["verdict"]["strength"].capitalize() in text
        assert chance in text
    assert "Not medical advice" in (reports / "report.md").read_text(encoding="utf-8")


def test_the_same_page_gives_the_same_reports_to_the_byte(page: Path, reports: Path, tmp_path: Path) -> None:
    for name in ("html", "md", "json", "csv"):
        assert run(["report", str(page), "-o", str(tmp_path / f"again.{name}")]) == 0
        assert (tmp_path / f"again.{name}").read_bytes() == (reports / f"report.{name}").read_bytes()


@pytest.mark.slow
def test_the_analysts_corrections_change_the_report_and_train_a_new_model(
    page: Path, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    classified, corrected = tmp_path / "classified.jsonl", tmp_path / "corrected.jsonl"
    assert run(["classify", str(page), "-o", str(classified)]) == 0
    rows = [json.loads(line) for line in classified.read_bytes().splitlines()]
    labels = ["supportive", "cautiously_against", "cautiously_supportive", "supportive", "cautiously_against"]
    labels += ["no_stance", "supportive", "neutral", "cautiously_supportive"]
    labelled = [row | {"label": label} for row, label in zip(rows, labels, strict=True)]
    corrected.write_text("".join(json.dumps(row) + "\n" for row in labelled), encoding="utf-8")
    assert run(["train", str(corrected), "-o", str(tmp_path / "mine"), "--folds", "2"]) == 0
    assert run(["evaluate", str(corrected), "--model", str(tmp_path / "mine"), "--json"]) == 0
    out, err = capsysbinary.readouterr()
    assert json.loads(out.splitlines()[-1])["n_seen_in_training"] == 9
    assert b"9 of 9 answers were in the model's training data" in err
    assert run(["report", str(page), "--model", str(tmp_path / "mine"), "--json"]) == 0
    report = json.loads(capsysbinary.readouterr().out)
    assert report["model"]["names"][0].startswith("mine@")


def test_several_pages_of_any_kind_make_one_report(samples: Path, tmp_path: Path) -> None:
    assert (
        run(
            ["report", str(samples / "chin_implant.html"), str(samples / "answers.csv"), "-o", str(tmp_path / "r.json")]
        )
        == 0
    )
    questions = json.loads((tmp_path / "r.json").read_bytes())["questions"]
    assert [q["n_answers"] for q in questions] == [6, 3]
    assert [q["verdict"]["strength"] for q in questions][1] == "insufficient"


def test_a_real_page_goes_all_the_way(shared: Path, tmp_path: Path) -> None:
    for place, path in enumerate(sorted((shared / "pages").iterdir())):
        output = tmp_path / f"{place}.html"
        assert run(["report", str(path), "-o", str(output), "-o", str(output.with_suffix(".json"))]) in {0, 5}
        questions = json.loads(output.with_suffix(".json").read_bytes())["questions"]
        html = LexborHTMLParser(output.read_text(encoding="utf-8"))
        shown = {node.text() for node in html.css("details li p:last-child")}
        assert {a["text"] for q in questions for a in q["answers"]} == shown
