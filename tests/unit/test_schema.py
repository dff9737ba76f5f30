from __future__ import annotations

import json
import math
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from pipeline.schema import (
    CALL_FIELDS,
    AnswerRecord,
    ClassifiedAnswer,
    Consensus,
    Dissent,
    Evidence,
    Label,
    LabelScheme,
    Notice,
    Prevalence,
    Rejected,
    Report,
    Respondent,
    Source,
    StanceCall,
    Verdict,
    split_classified,
)

SOURCE = Source(file="a.csv", locator="row at line 2")
CALL = StanceCall(
    stance="against",
    side="oppose",
    posteriors={"against": 0.75, "supportive": 0.25},
    confidence=0.75,
    abstained=False,
    evidence=(Evidence(field="text", start=0, end=4, quote="Wait", weight=1.5),),
    model="default 0a1b",
)


def _answer(**fields: Any) -> AnswerRecord:
    required = {
        "question_id": "q",
        "question": "Is it?",
        "answer_id": "q-01",
        "position": 1,
        "text": "Wait.",
        "source": SOURCE,
    }
    return AnswerRecord.model_validate({**required, **fields})


# ---------------------------------------------------------------- the label scheme


def test_the_default_scheme_is_the_one_of_the_design(scheme: LabelScheme) -> None:
    assert [(label.name, label.value, label.side) for label in scheme.labels] == [
        ("against", -2, "oppose"),
        ("cautiously_against", -1, "oppose"),
        ("neutral", 0, "neutral"),
        ("cautiously_supportive", 1, "support"),
        ("supportive", 2, "support"),
        ("no_stance", None, None),
    ]
    assert scheme.sides == ("oppose", "neutral", "support")
    assert scheme.is_ordered
    assert "no_stance" not in [label.name for label in scheme.with_side]
    assert all(label.meaning for label in scheme.labels)


def test_the_side_of_a_label_is_told_by_its_name(scheme: LabelScheme) -> None:
    assert {name: scheme.side_of(name) for name in ("against", "supportive", "no_stance")} == {
        "against": "oppose",
        "supportive": "support",
        "no_stance": None,
    }


def test_the_side_of_an_unknown_label_is_an_error_that_no_loop_swallows(scheme: LabelScheme) -> None:
    with pytest.raises((KeyError, ValueError)):
        scheme.side_of("undecided")


def test_a_scheme_of_bare_labels_is_unordered_and_each_is_a_side() -> None:
    scheme = LabelScheme.from_labels("claims", ["favor", "against", "none"])
    assert scheme.names == scheme.sides == ("favor", "against", "none")
    assert not scheme.is_ordered


def test_a_scheme_is_ordered_when_every_label_with_a_side_has_a_value() -> None:
    yes, no = Label(name="yes", value=1, side="yes"), Label(name="no", value=-1, side="no")
    assert LabelScheme(name="s", labels=(yes, no, Label(name="maybe"))).is_ordered
    assert not LabelScheme(name="s", labels=(yes, no, Label(name="maybe", side="maybe"))).is_ordered


@pytest.mark.parametrize("names", [[], ["a"], ["a", "a"], ["a", ""]], ids=["none", "one", "double", "nameless"])
def test_a_scheme_has_at_least_two_labels_of_different_names(names: list[str]) -> None:
    with pytest.raises(ValidationError):
        LabelScheme.from_labels("s", names)


# ---------------------------------------------------------------- answers


def test_an_answer_needs_no_more_than_its_place_question_and_text() -> None:
    answer = _answer()
    assert (answer.headline, answer.proposition, answer.respondent) == (None, None, Respondent())


@pytest.mark.parametrize("name", ["question_id", "question", "answer_id", "position", "text", "source"])
def test_an_answer_without_a_field_it_needs_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match=name):
        AnswerRecord.model_validate({k: v for k, v in _answer().model_dump().items() if k != name})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("text", ""),
        ("text", " \u00a0\n"),
        ("text", 12),
        ("question", "  "),
        ("question_id", ""),
        ("question_id", True),
        ("answer_id", ["x"]),
        ("position", 0),
        ("position", 1.5),
        ("headline", 3),
        ("respondent", {"rating": -0.1}),
        ("respondent", {"rating": math.nan}),
        ("respondent", {"rating": math.inf}),
        ("respondent", {"n_reviews": -1}),
        ("respondent", {"name": 7}),
        ("source", {"file": "a"}),
        ("source", {"file": "a", "locator": "b", "page": 3}),
    ],
    ids=str,
)
def test_an_answer_with_a_wrong_value_is_refused_by_its_name(name: str, value: Any) -> None:
    with pytest.raises(ValidationError, match=name):
        _answer(**{name: value})


@pytest.mark.parametrize("value", ["", "  \n"])
def test_a_blank_headline_or_proposition_is_none(value: str) -> None:
    answer = _answer(headline=value, proposition=value)
    assert (answer.headline, answer.proposition) == (None, None)


def test_a_text_is_kept_to_the_last_space() -> None:
    assert _answer(text="  Wait.\r\n ").text == "  Wait.\r\n "


def test_numbers_of_a_table_will_do_for_ids_positions_and_ratings() -> None:
    answer = _answer(question_id=0, answer_id=17, position="3", respondent={"rating": "4.5", "n_reviews": "12"})
    assert (answer.question_id, answer.answer_id, answer.position) == ("0", "17", 3)
    assert (answer.respondent.rating, answer.respondent.n_reviews) == (4.5, 12)


def test_every_other_field_is_kept_and_comes_after_the_fields_of_the_design() -> None:
    row = _answer(zeta=1, alpha=[2], respondent={"name": "Ada", "email": "a@a.example"}).to_row()
    assert list(row) == [
        *("question_id", "question", "proposition", "answer_id", "position", "headline", "text"),
        *("respondent", "source", "zeta", "alpha"),
    ]
    assert list(row["respondent"])[:6] == ["name", "credentials", "specialty", "location", "rating", "n_reviews"]
    assert row["respondent"]["email"] == "a@a.example"
    assert AnswerRecord.model_validate(json.loads(json.dumps(row))).to_row() == row


# ---------------------------------------------------------------- records do not change

RECORDS: list[BaseModel] = [
    _answer(),
    Respondent(),
    SOURCE,
    CALL,
    CALL.evidence[0],
    ClassifiedAnswer(answer=_answer(), call=CALL),
    Label(name="a"),
    LabelScheme.from_labels("s", ["a", "b"]),
    Notice(file="a", message="b"),
    Rejected(file="a", locator="b", reason="c"),
    Prevalence(n=1, share=0.5, low=0, high=1),
    Verdict(side=None, strength="split", probability=0.5),
    Dissent(answer_id="a", respondent=None, stance="against", confidence=0.5, quote=""),
]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_a_record_does_not_change_once_made(record: BaseModel) -> None:
    name = next(iter(type(record).model_fields))
    with pytest.raises(ValidationError, match="frozen"):
        setattr(record, name, getattr(record, name))


@pytest.mark.parametrize(
    "record",
    [r for r in RECORDS if not isinstance(r, AnswerRecord | Respondent | StanceCall)],
    ids=lambda record: type(record).__name__,
)
def test_a_record_of_medstances_own_takes_no_field_it_does_not_know(record: BaseModel) -> None:
    with pytest.raises(ValidationError, match="surprise"):
        type(record).model_validate({**record.model_dump(), "surprise": 1})


def test_a_notice_is_one_line_that_begins_with_its_file() -> None:
    assert str(Notice(file="a.csv", message="is not UTF-8")) == "a.csv: is not UTF-8"


# ---------------------------------------------------------------- classification


@pytest.mark.parametrize("share", [-0.01, 1.01, math.nan, math.inf, "much"])
@pytest.mark.parametrize("field", ["confidence", "posteriors"])
def test_a_share_lies_between_0_and_1(field: str, share: Any) -> None:
    with pytest.raises(ValidationError):
        StanceCall.model_validate({**CALL.model_dump(), field: {"against": share} if field == "posteriors" else share})


@pytest.mark.parametrize("fields", [{"field": "question"}, {"start": -1}, {"end": -1}], ids=str)
def test_evidence_has_its_place_in_headline_or_text(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Evidence.model_validate({**CALL.evidence[0].model_dump(), **fields})


def test_a_classified_answer_is_one_row_with_the_fields_of_the_answer_first() -> None:
    row = ClassifiedAnswer(answer=_answer(note="kept"), call=CALL).to_row()
    assert list(row) == [*_answer(note="kept").to_row(), *CALL_FIELDS]
    assert row["evidence"] == [{"field": "text", "start": 0, "end": 4, "quote": "Wait", "weight": 1.5}]
    json.dumps(row, allow_nan=False)


@pytest.mark.parametrize("name", CALL_FIELDS)
def test_a_field_of_the_source_with_the_name_of_a_calls_is_kept_under_another(name: str) -> None:
    row = ClassifiedAnswer(answer=_answer(**{name: "theirs"}), call=CALL).to_row()
    assert row[f"input_{name}"] == "theirs"
    assert row[name] == CALL.model_dump(mode="json")[name]


def test_a_field_that_has_the_other_name_already_is_not_overwritten() -> None:
    row = ClassifiedAnswer(answer=_answer(stance="theirs", input_stance="first"), call=CALL).to_row()
    assert {"theirs", "first"} <= {value for value in row.values() if isinstance(value, str)}


def test_a_call_is_taken_out_of_the_row_it_was_written_to() -> None:
    classified = ClassifiedAnswer(answer=_answer(note="kept", respondent={"name": "Ada"}), call=CALL)
    assert split_classified(AnswerRecord.model_validate(classified.to_row())) == classified


def test_a_call_is_read_from_the_cells_of_a_table() -> None:
    cells = {
        "stance": "no_stance",
        "posteriors": {"against": "0.75", "supportive": "0.25"},
        "confidence": "0.75",
        "abstained": "True",
        "model": "default",
    }
    split = split_classified(_answer(**cells))
    assert split is not None
    assert (split.call.side, split.call.abstained, split.call.confidence, split.call.evidence) == (None, True, 0.75, ())
    assert split.answer == _answer()


@pytest.mark.parametrize("name", ["stance", "posteriors", "confidence", "abstained", "model"])
def test_a_record_that_lacks_part_of_a_call_carries_none(name: str) -> None:
    row = ClassifiedAnswer(answer=_answer(), call=CALL).to_row()
    del row[name]
    assert split_classified(AnswerRecord.model_validate(row)) is None


@pytest.mark.parametrize(
    "fields", [{"confidence": 3}, {"posteriors": "high"}, {"abstained": "perhaps"}, {"evidence": "words"}], ids=str
)
def test_fields_that_are_no_call_are_an_error(fields: dict[str, Any]) -> None:
    row = ClassifiedAnswer(answer=_answer(), call=CALL).to_row() | fields
    with pytest.raises(ValidationError):
        split_classified(AnswerRecord.model_validate(row))


# ---------------------------------------------------------------- consensus


def test_a_report_is_json_with_questions_and_each_answer_as_one_row() -> None:
    classified = ClassifiedAnswer(answer=_answer(), call=CALL)
    some = Prevalence(n=1, share=1, low=0.2, high=1)
    consensus = Consensus(
        question_id="q",
        question="Is it?",
        proposition=None,
        n_answers=1,
        n_with_stance=1,
        n_no_stance=0,
        n_abstained=0,
        n_merged=0,
        prevalence={"against": some},
        sides={"oppose": some},
        verdict=Verdict(side=None, strength="insufficient", probability=None),
        agreement=None,
        polarisation=None,
        dissent=(),
        flip=None,
        mergers=(),
        breakdown={},
        answers=(classified,),
    )
    report = Report(medstance="0.1.0", model={}, rule={}, warnings=(), disclaimer="", questions=(consensus,))
    row = json.loads(json.dumps(report.to_row(), allow_nan=False))
    assert row["questions"] == [consensus.to_row()]
    assert row["questions"][0]["answers"] == [classified.to_row()]
    assert {"questions", "model", "rule", "warnings"} <= row.keys()


@pytest.mark.parametrize("strength", ["consensus", "majority", "split", "insufficient"])
def test_a_verdict_has_one_of_four_strengths(strength: str) -> None:
    assert Verdict.model_validate({"side": None, "strength": strength, "probability": None}).strength == strength
    with pytest.raises(ValidationError):
        Verdict.model_validate({"side": None, "strength": strength.upper(), "probability": None})
