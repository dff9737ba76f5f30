"""The use cases: what is read, classified, reported, explained and learnt from, and what is left out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import log
from pathlib import Path
from typing import Any

import pytest

from pipeline.aggregate import ConsensusRule
from pipeline.errors import BadInput, WrongUsage
from pipeline.ingest import ReadOptions
from pipeline.persistence import find_model, read_folder
from pipeline.schema import AnswerRecord, LabelScheme
from pipeline.workflow import (
    BATCH_SIZE,
    Classifier,
    Intake,
    LabelledData,
    classify_sources,
    default_scheme,
    explain_text,
    ingest_sources,
    parse_scheme,
    read_labelled,
    render_report,
    report_format,
    report_sources,
    write_report,
)

QUESTION = "Is a night guard worth it?"
TEXTS = [
    "Yes, I recommend it to everyone who grinds.",
    "No. Save your money, it does nothing.",
    "It depends on how hard you grind.",
    "I would not, though it is safe.",
    "Absolutely, wear it every night.",
]


def record(**fields: Any) -> AnswerRecord:
    given = {
        "question_id": "q",
        "question": QUESTION,
        "answer_id": "a",
        "position": 1,
        "text": TEXTS[0],
        "source": {"file": "mine.jsonl", "locator": "line 1"},
    }
    return AnswerRecord.model_validate(given | fields)


def write_jsonl(path: Path, rows: Sequence[Mapping[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def intake_of(*sources: str, said: list[str] | None = None) -> Intake:
    heard: list[str] = [] if said is None else said
    return Intake(sources, ReadOptions(), heard.append)


def silent(_: int) -> None:
    pass


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier("default")


@pytest.fixture(scope="module")
def calls(classifier: Classifier) -> list[dict[str, Any]]:
    """Rows as ``stance classify`` writes them."""
    rows = [{"text": text, "answer_id": f"a{n}", "position": n} for n, text in enumerate(TEXTS, start=1)]
    return [answer.to_row() for answer in classifier.classify(record(**row) for row in rows)]


# ---------------------------------------------------------------- schemes


def test_the_default_scheme_is_that_of_the_design() -> None:
    assert [(label.name, label.value, label.side) for label in default_scheme().labels] == [
        ("against", -2, "oppose"),
        ("cautiously_against", -1, "oppose"),
        ("neutral", 0, "neutral"),
        ("cautiously_supportive", 1, "support"),
        ("supportive", 2, "support"),
        ("no_stance", None, None),
    ]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("name = ", id="no TOML"),
        pytest.param('name = "x"', id="no labels"),
        pytest.param('name = "x"\n[[label]]\nname = "yes"', id="one label"),
        pytest.param('name = "x"\nlabel = "yes"', id="a label that is no table"),
        pytest.param('name = "x"\n[[label]]\nname = "yes"\n[[label]]\nname = "yes"', id="a name twice"),
        pytest.param('name = "x"\n[[label]]\nname = ""\n[[label]]\nname = "yes"', id="an empty name"),
        pytest.param('name = "x"\n[[label]]\nname = "a"\nsid = "b"\n[[label]]\nname = "b"', id="a misspelt key"),
        pytest.param('name = "x"\n[[label]]\nname = "a"\nvalue = "high"\n[[label]]\nname = "b"', id="a value in words"),
    ],
)
def test_a_scheme_that_is_none_is_bad_input_that_names_the_file(text: str) -> None:
    with pytest.raises(BadInput, match=r"^mine\.toml") as caught:
        parse_scheme(text, "mine.toml")
    assert "\n" not in str(caught.value)


# ---------------------------------------------------------------- reading


def test_an_intake_gives_answers_in_the_order_of_its_sources(tmp_path: Path) -> None:
    files = [write_jsonl(tmp_path / name, [{"question": "Q?", "text": name}]) for name in ("z.jsonl", "a.jsonl")]
    assert [a.text for a in intake_of(*files)] == ["z.jsonl", "a.jsonl"]
    assert [a.text for a in intake_of(*files[::-1])] == ["a.jsonl", "z.jsonl"]


def test_records_left_out_are_counted_said_and_written_with_place_and_reason(tmp_path: Path) -> None:
    rows = [{"question": "Q?", "text": "Yes."}, {"question": "Q?"}, {"text": "No."}]
    source, said, quarantine = write_jsonl(tmp_path / "in.jsonl", rows), list[str](), tmp_path / "out.jsonl"
    intake = intake_of(source, said=said)
    assert len(list(ingest_sources(intake))) == 1
    assert intake.close(quarantine) == 2
    written = [json.loads(line) for line in quarantine.read_text(encoding="utf-8").splitlines()]
    assert [(row["file"], row["locator"], row["column"]) for row in written] == [
        (source, "line 2", "text"),
        (source, "line 3", "question"),
    ]
    assert [json.loads(row["raw"]) for row in written] == rows[1:]
    assert all(row["reason"] for row in written)
    assert "2 records left out" in said[0]
    assert f"{source}, line 2, column text" in said[0]
    assert str(quarantine) in said[1]


def test_no_quarantine_file_is_written_when_nothing_was_left_out(tmp_path: Path) -> None:
    intake = intake_of(write_jsonl(tmp_path / "in.jsonl", [{"question": "Q?", "text": "Yes."}]))
    assert len(list(intake)) == 1
    assert intake.close(tmp_path / "out.jsonl") == 0
    assert not (tmp_path / "out.jsonl").exists()


def test_a_source_of_which_nothing_can_be_used_is_bad_input_that_names_the_first_place(tmp_path: Path) -> None:
    source = write_jsonl(tmp_path / "in.jsonl", [{"question": "Q?"}, {"question": "Q?"}])
    intake = intake_of(source)
    assert list(intake) == []
    with pytest.raises(BadInput) as caught:
        intake.close(tmp_path / "out.jsonl")
    assert str(caught.value).startswith(f"{source}, line 1, column text: is missing or empty")
    assert "none of 2 records" in str(caught.value)
    assert (tmp_path / "out.jsonl").exists()


# ---------------------------------------------------------------- classifying


def test_classifying_keeps_every_field_and_the_order(tmp_path: Path) -> None:
    rows = [
        {"question": QUESTION, "text": text, "n": n, "nested": {"a": [1, {"b": None}]}, "": "nameless", "v1.0": True}
        for n, text in enumerate(TEXTS)
    ]
    source = write_jsonl(tmp_path / "in.jsonl", rows)
    classified = list(classify_sources(intake_of(source), "default", progress=silent))
    assert [{name: row[name] for name in rows[0]} for row in classified] == rows


def test_the_users_own_columns_that_are_named_like_a_call_are_kept_under_another_name(tmp_path: Path) -> None:
    own = {
        "side": "left",
        "model": "T-800",
        "stance": "firm",
        "posteriors": "high",
        "confidence": "low",
        "abstained": "maybe",
        "evidence": [1],
    }
    for names in (["side", "model"], list(own)):
        mine = {name: own[name] for name in names}
        source = write_jsonl(tmp_path / "in.jsonl", [{"question": QUESTION, "text": TEXTS[0]} | mine])
        (row,) = classify_sources(intake_of(source), "default", progress=silent)
        assert {name: row[f"input_{name}"] for name in names} == mine
        assert row["side"] in {"oppose", "neutral", "support", None}
        assert row["model"].startswith("default@")


def test_a_column_already_named_input_side_is_not_lost_beside_one_named_side(tmp_path: Path) -> None:
    mine = {"side": "left", "input_side": "port"}
    source = write_jsonl(tmp_path / "in.jsonl", [{"question": QUESTION, "text": TEXTS[0]} | mine])
    (row,) = classify_sources(intake_of(source), "default", progress=silent)
    assert {"left", "port"} <= {value for value in row.values() if isinstance(value, str)}


def test_classifying_again_replaces_the_call_and_adds_no_field(
    classifier: Classifier, calls: list[dict[str, Any]]
) -> None:
    stale = [row | {"stance": "neutral", "side": "neutral", "model": "old@0"} for row in calls]
    again = [a.to_row() for a in classifier.classify(AnswerRecord.model_validate(row) for row in stale)]
    assert again == calls


def test_a_call_says_the_same_whatever_else_is_classified_with_it(
    classifier: Classifier, calls: list[dict[str, Any]]
) -> None:
    alone = [next(classifier.classify([record(text=row["text"])])).call.model_dump(mode="json") for row in calls]
    assert [{name: row[name] for name in alone[0]} for row in calls] == alone


def test_known_calls_are_kept_and_new_answers_classified_in_their_place(
    classifier: Classifier, calls: list[dict[str, Any]]
) -> None:
    n = BATCH_SIZE + 20
    rows = [
        calls[place % 5] | {"answer_id": str(place), "model": "other@1"}
        if place % 3
        else {"answer_id": str(place), "text": TEXTS[place % 5]}
        for place in range(n)
    ]
    completed = list(classifier.complete(record(**row) for row in rows))
    assert [a.answer.answer_id for a in completed] == [str(place) for place in range(n)]
    assert {a.call.model for place, a in enumerate(completed) if place % 3} == {"other@1"}
    assert {a.call.model for place, a in enumerate(completed) if not place % 3} == {classifier.folder.full_name}


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"posteriors": {"yes": 0.5, "no": 0.5}}, id="labels of another scheme"),
        pytest.param({"posteriors": "high"}, id="posteriors that are none"),
        pytest.param({"confidence": 7}, id="a confidence beyond 1"),
        pytest.param({"abstained": "perhaps"}, id="neither abstained nor not"),
        pytest.param({"stance": "suportive"}, id="a stance that is not in the scheme"),
        pytest.param({"stance": "supportive", "side": "oppose"}, id="a side that is not the stance's"),
        pytest.param({"posteriors": dict.fromkeys(default_scheme().names, 0.0)}, id="posteriors that sum to nothing"),
    ],
)
def test_a_call_that_cannot_be_is_bad_input_that_names_file_and_place(
    tmp_path: Path, calls: list[dict[str, Any]], changes: dict[str, Any]
) -> None:
    rows = [row | {"source": {"file": "mine.jsonl", "locator": f"line {n}"}} for n, row in enumerate(calls, start=1)]
    rows[2] |= changes
    source = write_jsonl(tmp_path / "classified.jsonl", rows)
    with pytest.raises(BadInput, match=r"^mine\.jsonl, line 3: ") as caught:
        report_sources(intake_of(source), "default", ConsensusRule(), progress=silent)
    assert "\n" not in str(caught.value)


# ---------------------------------------------------------------- reporting


def test_a_report_has_its_questions_in_order_of_appearance_and_joins_their_answers(tmp_path: Path) -> None:
    first = [{"question": q, "text": TEXTS[0]} for q in ("Second thoughts?", "A first one?", "Second thoughts?")]
    second = [{"question": q, "text": TEXTS[1]} for q in ("A first one?", "Third?")]
    sources = [write_jsonl(tmp_path / f"{n}.jsonl", rows) for n, rows in enumerate((first, second))]
    report = report_sources(intake_of(*sources), "default", ConsensusRule(), progress=silent)
    found = [(q.question, q.n_answers) for q in report.questions]
    assert found == [("Second thoughts?", 2), ("A first one?", 2), ("Third?", 1)]
    reverse = report_sources(intake_of(*sources[::-1]), "default", ConsensusRule(), progress=silent)
    found = [(q.question, q.n_answers) for q in reverse.questions]
    assert found == [("A first one?", 2), ("Third?", 1), ("Second thoughts?", 2)]
    assert report == report_sources(intake_of(*sources), "default", ConsensusRule(), progress=silent)


def test_a_report_warns_of_answers_classified_by_another_model_and_of_records_left_out(
    tmp_path: Path, calls: list[dict[str, Any]]
) -> None:
    rows = [calls[0] | {"model": "elder@1"}, *calls[1:], {"question": QUESTION}]
    source = write_jsonl(tmp_path / "in.jsonl", rows)
    report = report_sources(intake_of(source), "default", ConsensusRule(), progress=silent)
    assert report.model["names"] == ["elder@1", read_folder(find_model("default")).full_name]
    assert [w for w in report.warnings if "1 answers were classified by elder@1" in w]
    assert [w for w in report.warnings if "1 records could not be read" in w]
    assert report.questions[0].n_answers == 5


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a.html", "html"), ("a.HTM", "html"), ("a.md", "md"), ("a.markdown", "md"), ("a.json", "json"), ("a.csv", "csv")],
)
def test_a_reports_format_is_told_by_the_files_name(name: str, expected: str) -> None:
    assert report_format(Path(name)) == expected


@pytest.mark.parametrize("name", ["a", "a.pdf", "a.jsonl", ".html", "html"])
def test_a_name_that_tells_no_report_format_is_wrong_usage(name: str) -> None:
    with pytest.raises(WrongUsage, match="cannot tell"):
        report_format(Path(name))


def test_a_written_report_is_the_rendered_one(tmp_path: Path, calls: list[dict[str, Any]]) -> None:
    source = write_jsonl(tmp_path / "in.jsonl", calls)
    report = report_sources(intake_of(source), "default", ConsensusRule(), progress=silent)
    for name in ("html", "md", "json", "csv"):
        write_report(report, tmp_path / f"out.{name}")
        assert (tmp_path / f"out.{name}").read_bytes().decode() == render_report(report, name)


# ---------------------------------------------------------------- explaining


@pytest.mark.parametrize("text", [*TEXTS, "x", "Not safe. " * 40], ids=repr)
def test_an_explanation_adds_up_to_the_log_odds_of_its_posteriors(text: str) -> None:
    found = explain_text(QUESTION, text, "default")
    total = found["intercept"] + sum(word["weight"] for word in found["words"]) + found["rest"]["weight"]
    assert total == pytest.approx(found["total"], abs=2e-3)
    logs = {name: log(p) for name, p in found["posteriors"].items() if p > 0.002}
    if len(logs) == len(found["posteriors"]):
        expected = logs[found["stance"]] - sum(logs.values()) / len(logs)
        assert found["total"] == pytest.approx(expected, abs=0.03)


def test_an_explanation_quotes_the_records_own_words_strongest_first() -> None:
    fields = {"text": "I wouldn\u2019t do  it; it is not safe!", "headline": "Please don\u2019t"}
    found = explain_text(QUESTION, fields["text"], "default", headline=fields["headline"])
    assert {word["field"] for word in found["words"]} == {"headline", "text"}
    for part in (*found["words"], *found["evidence"]):
        assert fields[part["field"]][part["start"] : part["end"]] == part["quote"]
    weights = [abs(word["weight"]) for word in found["words"]]
    assert weights == sorted(weights, reverse=True)


@pytest.mark.parametrize(("question", "text"), [("", "Yes."), ("  ", "Yes."), ("Q?", ""), ("Q?", " \n")])
def test_an_explanation_of_nothing_is_wrong_usage(question: str, text: str) -> None:
    with pytest.raises(WrongUsage, match="is empty"):
        explain_text(question, text, "default")


# ---------------------------------------------------------------- labelled data


def read_labels(
    tmp_path: Path, labels: Sequence[Any], scheme: LabelScheme | None = None
) -> tuple[LabelledData, Intake]:
    rows = [
        {"question": "Q?", "text": f"Answer {n}."} | ({} if label is None else {"label": label})
        for n, label in enumerate(labels)
    ]
    intake = intake_of(write_jsonl(tmp_path / "labelled.jsonl", rows))
    return read_labelled(intake, scheme), intake


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        pytest.param(["against", "neutral", "supportive"], None, id="three of medstance's own"),
        pytest.param(["against", "supportive"], None, id="two, both of medstance's own"),
        pytest.param(["against", "neutral", "supportive", "suportive"], None, id="three and one misspelt"),
        pytest.param(["favor", "against", "none"], ("against", "favor", "none"), id="favor, against, none"),
        pytest.param(["yes", "no", "maybe"], ("maybe", "no", "yes"), id="yes, no, maybe"),
        pytest.param(["yes", "against"], ("against", "yes"), id="two, one of them medstance's"),
    ],
)
def test_the_scheme_is_medstances_own_or_the_datas_labels_without_order(
    tmp_path: Path, labels: list[str], expected: tuple[str, ...] | None
) -> None:
    scheme = read_labels(tmp_path, labels)[0].scheme
    if expected is None:
        assert scheme == default_scheme()
    else:
        assert scheme.names == scheme.sides == expected
        assert not scheme.is_ordered


def test_answers_without_a_label_of_the_scheme_are_quarantined_with_what_would_do(tmp_path: Path) -> None:
    labels = ["against", None, "suportive", "  supportive ", "", "neutral"]
    data, intake = read_labels(tmp_path, labels)
    assert data.labels == ["against", "supportive", "neutral"]
    assert [a.text for a in data.answers] == ["Answer 0.", "Answer 3.", "Answer 5."]
    assert intake.n_answers == 3
    places = {r.locator: r.reason for r in intake.rejected}
    assert places.keys() == {"line 2", "line 3", "line 5"}
    assert {r.column for r in intake.rejected} == {"label"}
    assert "'suportive'" in places["line 3"]
    assert "cautiously_against" in places["line 3"]


def test_a_given_scheme_decides_which_labels_count(tmp_path: Path) -> None:
    scheme = LabelScheme.from_labels("mine", ["yes", "no"])
    data, intake = read_labels(tmp_path, ["yes", "no", "against", "neutral", "supportive"], scheme)
    assert data.labels == ["yes", "no"]
    assert len(intake.rejected) == 3


def test_a_label_that_is_a_number_is_a_label_like_any_other(tmp_path: Path) -> None:
    # In CSV the same label is text and is taken: JSON must not be told that it "is missing or empty".
    data, intake = read_labels(tmp_path, [0, 1, 1])
    assert data.labels == ["0", "1", "1"]
    assert not intake.rejected


def test_the_digest_of_labelled_data_depends_on_all_that_can_be_learnt_and_on_nothing_else(scheme: LabelScheme) -> None:
    data = LabelledData([record(), record(text=TEXTS[1])], ["supportive", "against"], scheme)
    same = LabelledData([record(respondent={"name": "X"}), record(text=TEXTS[1], answer_id="b")], data.labels, scheme)
    assert same.digest() == data.digest()
    others = [
        replace(data, labels=data.labels[::-1]),
        replace(data, answers=data.answers[::-1]),
        replace(data, answers=[record(headline="Yes"), data.answers[1]]),
        replace(data, answers=[record(proposition="guards"), data.answers[1]]),
        replace(data, answers=[record(question_id="other"), data.answers[1]]),
        replace(data, answers=data.answers[:1], labels=data.labels[:1]),
    ]
    assert len({d.digest() for d in [data, *others]}) == 1 + len(others)
