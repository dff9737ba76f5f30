"""The use cases: what is read, classified, reported, explained and learnt from, and what is left out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from math import log
from pathlib import Path
from typing import Any

import pytest

from pipeline.aggregate import ConsensusRule
from pipeline.errors import BadInput, WrongUsage
from pipeline.ingest import ReadOptions
from pipeline.manifest import ClassifierConfig, find_model, read_folder
from pipeline.persistence import load_model
from pipeline.schema import AnswerRecord, LabelScheme
from pipeline.workflow.classifying import BATCH_SIZE, Classifier
from pipeline.workflow.explaining import MAX_EXPLAINED_WORDS, explain_text
from pipeline.workflow.intake import Intake, ingest_sources
from pipeline.workflow.reporting import render_report, report_format, report_sources, write_report
from pipeline.workflow.scheme import default_scheme, parse_scheme
from pipeline.workflow.training import LabelledData, evaluate_model, read_labelled, read_weights, train_model

CONFIG = ClassifierConfig(min_answers=1, relevance_min_sentences=2)
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


def silent(_: object) -> None:
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
    classified = [answer.to_row() for answer in Classifier("default").classify(intake_of(source))]
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
        (row,) = (answer.to_row() for answer in Classifier("default").classify(intake_of(source)))
        assert {name: row[f"input_{name}"] for name in names} == mine
        assert row["side"] in {"oppose", "neutral", "support", None}
        assert row["model"].startswith("default@")


def test_a_column_already_named_input_side_is_not_lost_beside_one_named_side(tmp_path: Path) -> None:
    mine = {"side": "left", "input_side": "port"}
    source = write_jsonl(tmp_path / "in.jsonl", [{"question": QUESTION, "text": TEXTS[0]} | mine])
    (row,) = (answer.to_row() for answer in Classifier("default").classify(intake_of(source)))
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
    # The model's accuracy is not that of another's calls.
    assert report.model["side_accuracy"] is None
    assert [w for w in report.warnings if "1 record could not be read" in w]
    assert report.questions[0].n_answers == 5


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.html", "html"),
        ("a.HTM", "html"),
        ("a.md", "md"),
        ("a.markdown", "md"),
        ("a.json", "json"),
        ("a.csv", "csv"),
        ("a", "site"),
    ],
)
def test_a_reports_format_is_told_by_the_files_name(name: str, expected: str) -> None:
    assert report_format(Path(name)) == expected


@pytest.mark.parametrize("name", ["a.pdf", "a.jsonl", ".html"])
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


EXPLAINED = [
    *TEXTS,
    "x",
    "\u200b",
    "{{ vote }}",
    "Not safe. " * 40,
    "Is it? No!\n\nI would not; but it works, so they say.",
]


@pytest.mark.parametrize("model", ["default", "fast"])
@pytest.mark.parametrize("headline", [None, "Not safe at all", "I would not recommend"])
@pytest.mark.parametrize("text", EXPLAINED, ids=repr)
def test_an_explanation_adds_up_by_sentence_and_by_cue_and_word_to_the_log_odds_of_its_posteriors(
    text: str, headline: str | None, model: str
) -> None:
    found = explain_text(QUESTION, text, model, headline=headline)
    by_sentence = found["intercept"] + sum(sentence["weight"] for sentence in found["sentences"])
    assert by_sentence == pytest.approx(found["total"], abs=5e-5 * (2 + len(found["sentences"])))
    parts = [*found["cues"], *found["words"], found["rest"]]
    readings = [sentence["reading"] or 0.0 for sentence in found["sentences"]]
    by_part = found["intercept"] + sum(readings) + sum(part["weight"] for part in parts)
    assert by_part == pytest.approx(found["total"], abs=5e-5 * (2 + len(parts) + len(readings)))
    logs = {name: log(p) for name, p in found["posteriors"].items() if p > 0.002}
    if len(logs) == len(found["posteriors"]):
        expected = logs[found["stance"]] - sum(logs.values()) / len(logs)
        assert found["total"] == pytest.approx(expected, abs=0.03)


FIELDS = {
    "text": "I wouldn\u2019t do  it; it is not safe! Ask your dentist &amp; see.",
    "headline": "Please don\u2019t",
}


def test_an_explanation_quotes_the_records_own_words_strongest_first() -> None:
    found = explain_text(QUESTION, FIELDS["text"], "default", headline=FIELDS["headline"])
    assert {part["field"] for part in (*found["words"], *found["cues"])} == {"headline", "text"}
    for part in (*found["words"], *found["cues"], *found["sentences"], *found["evidence"]):
        assert FIELDS[part["field"]][part["start"] : part["end"]] == part["quote"] != ""
    for kind in ("words", "cues"):
        weights = [abs(part["weight"]) for part in found[kind]]
        assert weights == sorted(weights, reverse=True)
    assert len(found["words"]) + len(found["cues"]) <= MAX_EXPLAINED_WORDS
    assert found["rest"]["n"] > 0


def test_an_explanation_gives_every_sentence_in_its_place_with_how_much_it_counts() -> None:
    found = explain_text(QUESTION, FIELDS["text"], "default", headline=FIELDS["headline"])
    assert [(sentence["field"], sentence["quote"]) for sentence in found["sentences"]] == [
        ("headline", "Please don\u2019t"),
        ("text", "I wouldn\u2019t do  it; it is not safe!"),
        ("text", "Ask your dentist &amp; see."),
    ]
    assert all(0 <= sentence["relevance"] <= 1 for sentence in found["sentences"])
    strongest = max(found["sentences"], key=lambda sentence: sentence["weight"])
    place = ("field", "start", "end", "quote", "weight")
    assert found["evidence"][0] == {name: strongest[name] for name in place}


def test_a_cue_is_quoted_whole_and_named() -> None:
    found = explain_text(QUESTION, "Please do not do it.", "default")
    features = {feature for cue in found["cues"] for feature in cue["features"]}
    assert features
    assert features.isdisjoint(feature for word in found["words"] for feature in word["features"])
    assert max(len(cue["quote"].split()) for cue in found["cues"]) > 1
    assert all(" " not in word["quote"] for word in found["words"])


def test_a_sentence_that_runs_on_from_the_headline_is_quoted_from_there() -> None:
    found = explain_text(QUESTION, "only for a while.", "default", headline="A guard helps")
    assert [(s["field"], s["quote"]) for s in found["sentences"]] == [("headline", "A guard helps")]


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
        replace(data, answers=[record(gold_evidence=[SPAN]), data.answers[1]]),
        replace(data, answers=[record(gold_evidence=[SPAN | {"end": 4}]), data.answers[1]]),
        replace(data, source_weights={"mine.jsonl": 2.0}),
    ]
    weighted_as_ever = replace(data, source_weights={"mine.jsonl": 1.0, "other.jsonl": 5.0})
    assert weighted_as_ever.digest() == data.digest()
    assert len({d.digest() for d in [data, *others]}) == 1 + len(others)


# ---------------------------------------------------------------- marked evidence

SPAN = {"field": "text", "start": 0, "end": 3}


def labelled(**fields: Any) -> dict[str, Any]:
    return {"question": "Q?", "text": "Yes. It is safe.", "label": "supportive"} | fields


@pytest.mark.parametrize(
    "marks",
    [
        pytest.param(None, id="nothing"),
        pytest.param([], id="none"),
        pytest.param([SPAN], id="one"),
        pytest.param([SPAN, SPAN | {"start": 5, "end": 16}], id="two"),
        pytest.param([{"field": "headline", "start": 0, "end": 2}], id="in the headline"),
    ],
)
def test_answers_with_marked_evidence_and_without_are_read(tmp_path: Path, marks: Any) -> None:
    source = write_jsonl(tmp_path / "in.jsonl", [labelled(gold_evidence=marks, headline="Go")])
    intake = intake_of(source)
    assert len(read_labelled(intake, default_scheme()).answers) == 1
    assert not intake.rejected


@pytest.mark.parametrize(
    ("marks", "column"),
    [
        pytest.param("Yes.", "", id="a text"),
        pytest.param("", "", id="an empty text"),
        pytest.param(7, "", id="a number"),
        pytest.param(-0.5, "", id="a fraction"),
        pytest.param(True, "", id="a yes"),
        pytest.param(SPAN, "", id="a mark by itself"),
        pytest.param([0, 3], ".0", id="offsets by themselves"),
        pytest.param([[0, 3]], ".0", id="a list of lists"),
        pytest.param([["text", 0, 3]], ".0", id="a list of lists with the field"),
        pytest.param([None], ".0", id="a list of nothing"),
        pytest.param(["Yes."], ".0", id="a list of texts"),
        pytest.param([SPAN, {}], ".1.field", id="the second is empty"),
        pytest.param([{"field": "text", "start": 0}], ".0.end", id="no end"),
        pytest.param([SPAN | {"field": "body"}], ".0.field", id="a field that there is not"),
        pytest.param([SPAN | {"field": ["text"]}], ".0.field", id="a field in a list"),
        pytest.param([SPAN | {"start": -1}], ".0.start", id="a start below 0"),
        pytest.param([SPAN | {"end": -3}], ".0.end", id="an end below 0"),
        pytest.param([SPAN | {"start": -(10**400)}], ".0.start", id="a start far below 0"),
        pytest.param([SPAN | {"start": 0.5}], ".0.start", id="half a character"),
        pytest.param([SPAN | {"start": "zero"}], ".0.start", id="a start in words"),
        pytest.param([SPAN | {"start": None}], ".0.start", id="no start"),
        pytest.param([SPAN | {"start": {"a": []}}], ".0.start", id="a start in a dictionary"),
        pytest.param([SPAN | {"note": "x"}], ".0.note", id="a key too many"),
        pytest.param([SPAN | {"end": 0}], ".0", id="a mark on nothing"),
        pytest.param([SPAN | {"start": 3, "end": 1}], ".0", id="an end before the start"),
        pytest.param([SPAN | {"end": 17}], ".0", id="one beyond the end of the text"),
        pytest.param([SPAN, SPAN | {"end": 10**400}], ".1", id="far beyond the end of the text"),
        pytest.param([SPAN] * 5000 + [SPAN | {"field": ""}], ".5000.field", id="the last of thousands"),
        pytest.param([{"field": "headline", "start": 0, "end": 1}], ".0", id="in a headline that there is not"),
    ],
)
@pytest.mark.parametrize("is_models", [False, True], ids=["to train", "to evaluate"])
def test_evidence_that_is_none_is_quarantined_with_column_and_reason(
    tmp_path: Path, marks: Any, column: str, is_models: bool
) -> None:
    rows = [labelled(), labelled(gold_evidence=marks), labelled(text="No.", label="against")]
    intake = intake_of(write_jsonl(tmp_path / "in.jsonl", rows))
    data = read_labelled(intake, default_scheme(), is_models=is_models)
    assert data.labels == ["supportive", "against"]
    (rejected,) = intake.rejected
    assert (rejected.locator, rejected.column) == ("line 2", f"gold_evidence{column}")
    assert "marked evidence is a list of" in rejected.reason or "expected offsets within the" in rejected.reason
    assert intake.close(tmp_path / "quarantine.jsonl") == 1
    (written,) = (tmp_path / "quarantine.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(json.loads(written)["raw"])["gold_evidence"] == marks


# ---------------------------------------------------------------- how much a source counts


@pytest.mark.parametrize(
    ("given", "weights"),
    [
        pytest.param([], {}, id="none"),
        pytest.param(["a.csv=2"], {"a.csv": 2.0}, id="one"),
        pytest.param(["a.csv=0.5", "x=y.csv=3"], {"a.csv": 0.5, "x=y.csv": 3.0}, id="a name with the sign in it"),
        pytest.param(["-=1e3"], {"-": 1000.0}, id="standard input"),
        pytest.param(["a.csv=2", "a.csv=4"], {"a.csv": 4.0}, id="the last counts"),
    ],
)
def test_weights_are_read_by_source(given: list[str], weights: dict[str, float]) -> None:
    assert read_weights(given, ["a.csv", "x=y.csv", "-"]) == weights


@pytest.mark.parametrize(
    ("item", "problem"),
    [
        pytest.param("", "expected SOURCE=W, as in a.csv=2", id="nothing"),
        pytest.param("a.csv", "expected SOURCE=W, as in a.csv=2", id="no weight"),
        pytest.param("=2", "expected SOURCE=W, as in a.csv=2", id="no source"),
        pytest.param("c.csv=2", "'c.csv' is no source that is read (a.csv, b)", id="another source"),
        pytest.param("./a.csv=2", "'./a.csv' is no source that is read (a.csv, b)", id="another name for it"),
        pytest.param("b/x.csv=2", "'b/x.csv' is no source that is read (a.csv, b)", id="a file of a folder"),
        *(
            pytest.param(
                f"a.csv={number}", f"{number!r} is no positive number: write SOURCE=W", id=number or "no number"
            )
            for number in ("", "two", "0", "-1", "nan", "inf", "-inf", "1e999", "1,5", "0x2")
        ),
    ],
)
def test_a_weight_that_is_none_is_wrong_usage_that_repeats_it(item: str, problem: str) -> None:
    with pytest.raises(WrongUsage) as caught:
        read_weights([item], ["a.csv", "b"])
    assert str(caught.value).startswith(f"--weight {item}: {problem}")
    assert caught.value.exit_code == 2


def test_answers_count_as_their_source_does_in_a_folder_and_by_itself(tmp_path: Path) -> None:
    folder, alone, other = tmp_path / "folder", tmp_path / "alone.jsonl", tmp_path / "other.jsonl"
    (folder / "deep").mkdir(parents=True)
    for n, path in enumerate((folder / "a.jsonl", folder / "deep" / "b.jsonl", alone, other)):
        write_jsonl(path, [labelled(text=f"Answer {n}.")])
    sources = [str(folder), str(alone), str(other)]
    data = read_labelled(intake_of(*sources), None, source_weights={str(folder): 2.0, str(alone): 0.5})
    found = {Path(answer.source.file).name: weight for answer, weight in zip(data.answers, data.weights, strict=True)}
    assert found == {"a.jsonl": 2.0, "b.jsonl": 2.0, "alone.jsonl": 0.5, "other.jsonl": 1.0}


def test_answers_from_standard_input_can_have_a_weight() -> None:
    data = LabelledData(
        [record(source={"file": "<stdin>", "locator": "line 1"})], ["yes"], default_scheme(), {"-": 3.0}
    )
    assert data.weights == [3.0]


def test_a_weight_on_a_source_whose_records_say_they_are_from_elsewhere_is_wrong_usage(tmp_path: Path) -> None:
    # As `stance classify` writes them: the analyst corrects and labels these, and gives them weight.
    elsewhere = {"file": "page.txt", "locator": "answer 1"}
    plain = write_jsonl(tmp_path / "plain.jsonl", [labelled()])
    corrected = write_jsonl(tmp_path / "corrected.jsonl", [labelled(source=elsewhere)])
    with pytest.raises(WrongUsage, match=r"--weight .*corrected.jsonl=2: .* from elsewhere"):
        read_labelled(intake_of(plain, corrected), None, source_weights={corrected: 2.0})


def test_a_weight_on_a_source_without_a_record_that_can_be_used_is_no_mistake(tmp_path: Path) -> None:
    good = write_jsonl(tmp_path / "good.jsonl", [labelled()])
    bad = [write_jsonl(tmp_path / f"{n}.jsonl", [row]) for n, row in enumerate(({"text": "No."}, labelled(label="")))]
    data = read_labelled(intake_of(good, *bad), None, source_weights=dict.fromkeys(bad, 2.0))
    assert data.weights == [1.0]


# ---------------------------------------------------------------- training


def few_answers(folder: Path) -> tuple[str, str]:
    """Write two sources of labelled answers with marked evidence, and return their paths."""
    texts = {"yes": "Yes, I recommend {}.", "no": "No, avoid {}."}
    rows = [
        {
            "question": f"Is {topic} any good?",
            "text": f"{text.format(topic)} Note {n}.",
            "label": label,
            "gold_evidence": [{"field": "text", "start": 0, "end": len(text.format(topic))}],
        }
        for n, topic in enumerate(("cupping", "yoga", "collagen", "a balm", "a brush", "an ice roller"))
        for label, text in texts.items()
    ]
    return write_jsonl(folder / "one.jsonl", rows[:6]), write_jsonl(folder / "two.jsonl", rows[6:])


def test_a_model_says_what_its_sources_counted_and_how_well_it_quotes(tmp_path: Path) -> None:
    one, two = few_answers(tmp_path)
    said: list[str] = []
    data = read_labelled(intake_of(one, two), None, source_weights={one: 2.5})
    plain = train_model(replace(data, source_weights={}), tmp_path / "plain", CONFIG, say=said.append, n_folds=3)
    weighted = train_model(data, tmp_path / "weighted", CONFIG, say=said.append, n_folds=3)
    assert (plain.manifest.training["source_weights"], weighted.manifest.training["source_weights"]) == ({}, {one: 2.5})
    assert plain.manifest.training["digest"] != weighted.manifest.training["digest"]
    assert plain.manifest.files["model.npz"] != weighted.manifest.files["model.npz"]
    for folder in (plain, weighted):
        assert 0 < folder.manifest.scores["evidence_precision"] <= 1
        assert 0 < folder.manifest.scores["evidence_recall"] <= 1
        assert 0 < folder.manifest.scores["evidence_first"] <= 1
    assert load_model(weighted).estimator.relevance is not None


def test_a_model_of_answers_without_marked_evidence_has_no_score_for_its_quotes(tmp_path: Path) -> None:
    one, two = few_answers(tmp_path)
    data = read_labelled(intake_of(one, two), None)
    bare = [record(**{k: v for k, v in a.to_row().items() if k != "gold_evidence"}) for a in data.answers]
    folder = train_model(replace(data, answers=bare), tmp_path / "m", CONFIG, say=silent, n_folds=3)
    assert not [name for name in folder.manifest.scores if name.startswith("evidence")]
    assert load_model(folder).estimator.relevance is None


def test_evaluating_scores_the_quotes_where_any_evidence_is_marked(tmp_path: Path) -> None:
    one, two = few_answers(tmp_path)
    folder = train_model(read_labelled(intake_of(one), None), tmp_path / "m", CONFIG, say=silent, n_folds=3)
    classifier = Classifier(str(folder.path))
    data = read_labelled(intake_of(two), classifier.scheme, is_models=True)
    scores = evaluate_model(data, classifier, say=silent)
    assert scores["evidence_precision"] > 0.5
    bare = [record(**{k: v for k, v in a.to_row().items() if k != "gold_evidence"}) for a in data.answers]
    unmarked = evaluate_model(replace(data, answers=bare), classifier, say=silent)
    assert unmarked == {name: value for name, value in scores.items() if not name.startswith("evidence")}


def test_scoring_calls_and_quotes_answers_as_classifying_does() -> None:
    classifier = Classifier("default")
    answers = [record(answer_id=str(n), text=f"{a} {b}") for n, (a, b) in enumerate(product(TEXTS, TEXTS))]
    calls = [answer.call for answer in classifier.classify(answers)]
    # Gold labels and marks that are what the model itself says: it must get all of them right.
    marked = [
        record(**a.to_row(), gold_evidence=[{"field": e.field, "start": e.start, "end": e.end} for e in c.evidence])
        for a, c in zip(answers, calls, strict=True)
    ]
    scores = evaluate_model(LabelledData(marked, [c.stance for c in calls], classifier.scheme), classifier, say=silent)
    assert scores["accuracy"] == 1
    assert scores["evidence_precision"] == scores["evidence_recall"] == scores["evidence_first"] == 1


def test_scoring_counts_an_answer_as_abstained_on_where_classifying_abstains() -> None:
    classifier = Classifier("default")
    texts = [*TEXTS, "7", "xyzzy", "7 xyzzy.", "...", "It may or may not."]
    answers = [record(answer_id=str(n), text=text) for n, text in enumerate(texts)]
    calls = [answer.call for answer in classifier.classify(answers)]
    names = classifier.scheme.names
    gold = [names[n % len(names)] for n in range(len(texts))]
    scores = evaluate_model(LabelledData(answers, gold, classifier.scheme), classifier, say=silent)
    expected = [[0] * (len(names) + 1) for _ in names]
    for label, made in zip(gold, calls, strict=True):
        assert made is not None
        expected[names.index(label)][len(names) if made.abstained else names.index(made.stance)] += 1
    assert scores["calls"] == expected
    n_abstained = sum(row[-1] for row in expected)
    assert 4 <= n_abstained < len(texts)
    assert scores["coverage"] == pytest.approx(1 - n_abstained / len(texts), abs=1e-4)


def test_the_calls_in_a_models_manifest_are_of_all_its_training_answers(tmp_path: Path) -> None:
    one, two = few_answers(tmp_path)
    manifest = train_model(
        read_labelled(intake_of(one, two), None), tmp_path / "m", CONFIG, say=silent, n_folds=3
    ).manifest
    calls, names = manifest.scores["calls"], manifest.scheme.names
    assert [len(row) for row in calls] == [len(names) + 1] * len(names)
    assert {name: sum(row) for name, row in zip(names, calls, strict=True)} == manifest.training["labels"]
    n_abstained = sum(row[-1] for row in calls)
    assert manifest.scores["coverage"] == pytest.approx(1 - n_abstained / manifest.training["n_answers"], abs=1e-4)
