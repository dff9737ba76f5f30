"""A labelled answer becomes the pieces that an encoder reads, with what readers marked and how much it counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from data.encoder.examples import LEAST_NEUTRAL, Example, build_examples
from data.parts import PARTS, Part
from pipeline.preprocess import AnswerParser
from pipeline.schema import AnswerRecord, Source
from pipeline.workflow.scheme import default_scheme
from tests.tiny_encoder import tiny_encoder

LABELS = default_scheme().names
PIECES = tiny_encoder().pieces
TIDY, ROUGH = Part("corpus", "tidy", 2.0, 0.4, 1.0), Part("retold", "rough", 1.5, 0.3, 1.0)


def answer(text: str = "It is safe. I would not.", **fields: Any) -> AnswerRecord:
    known = {"question_id": "q", "question": "Is it safe?", "proposition": "do it", "answer_id": "a", "position": 1}
    return AnswerRecord.model_validate(
        known | {"text": text, "label": "supportive", "source": Source(file="t", locator="1")} | fields
    )


def build(parser: AnswerParser, one: AnswerRecord, part: Part = TIDY) -> Example:
    (example,) = build_examples([parser.parse([one])], [part], PIECES, LABELS)
    return example


def read_out(example: Example) -> str:
    return " ".join(PIECES[number] for number in example.numbers)


def test_what_is_asked_stands_before_the_answer(parser: AnswerParser) -> None:
    example = build(parser, answer())
    asked, said = example.numbers[: example.first], example.numbers[example.first :]
    assert PIECES[asked[0]] == "[CLS]"
    assert "do it" in read_out(example)
    assert " ".join(PIECES[number] for number in said).startswith("it is safe . i would not")


@pytest.mark.parametrize(
    ("text", "start", "end", "marked"),
    [
        pytest.param("It is safe. I would not.", 0, 11, "it is safe .", id="the first sentence"),
        pytest.param("It is safe. I would not.", 12, 24, "i would not .", id="the second sentence"),
        pytest.param("It is safe. I would not.", 3, 24, "it is safe . i would not .", id="both"),
    ],
)
def test_pieces_of_marked_sentences_are_evidence(
    parser: AnswerParser, text: str, start: int, end: int, marked: str
) -> None:
    span = {"field": "text", "start": start, "end": end}
    example = build(parser, answer(text, gold_evidence=[span]))
    said = zip(example.numbers[example.first : -1], example.is_evidence, strict=True)
    assert " ".join(PIECES[number] for number, is_marked in said if is_marked) == marked


def test_of_a_long_answer_the_middle_is_left_out_and_evidence_keeps_its_place(parser: AnswerParser) -> None:
    text = f"{'It is the risk. ' * 150}I would not do it."
    example = build(parser, answer(text, gold_evidence=[{"field": "text", "start": len(text) - 18, "end": len(text)}]))
    said = example.numbers[example.first : -1]
    assert len(said) == len(example.is_evidence) == 256
    marked = [PIECES[n] for n, is_marked in zip(said, example.is_evidence, strict=True) if is_marked]
    assert " ".join(marked) == "i would not do it ."


@pytest.mark.parametrize(
    ("fields", "has_bare"),
    [
        pytest.param({"explicit": True}, True, id="the question asks about the proposition"),
        pytest.param({"explicit": False}, False, id="it does not"),
        pytest.param({"explicit": True, "answer_id": "a-b"}, False, id="a further proposition"),
    ],
)
def test_an_answer_is_read_without_its_proposition_only_where_that_goes_without_saying(
    parser: AnswerParser, fields: dict[str, Any], has_bare: bool
) -> None:
    example = build(parser, answer(**fields))
    assert (example.bare is not None) == has_bare
    if example.bare is not None:
        assert "do it" not in read_out(example.bare)
        assert (example.bare.label, example.bare.weight) == (example.label, example.weight)


@pytest.mark.parametrize(
    ("label", "part", "share"),
    [
        pytest.param("against", ROUGH, ROUGH.in_round, id="as the part"),
        pytest.param("neutral", ROUGH, LEAST_NEUTRAL, id="a rare one more often"),
        pytest.param("neutral", TIDY, TIDY.in_round, id="but not of invented answers in good order"),
        pytest.param("neutral", ROUGH._replace(in_round=0.9), 0.9, id="nor less often than its part"),
    ],
)
def test_answers_count_as_their_part_does(parser: AnswerParser, label: str, part: Part, share: float) -> None:
    example = build(parser, answer(label=label), part)
    assert (example.weight, example.share, example.is_rough) == (part.in_encoder, share, part.is_rough)
    assert LABELS[example.label] == label


def test_answers_of_several_batches_keep_their_parts(parser: AnswerParser) -> None:
    answers = [answer(answer_id=f"a{number}", label=LABELS[number % 6]) for number in range(7)]
    batches = [parser.parse(answers[:3]), parser.parse(answers[3:])]
    parts = [PARTS[number] for number in range(7)]
    examples = build_examples(batches, parts, PIECES, LABELS)
    np.testing.assert_array_equal([e.label for e in examples], [number % 6 for number in range(7)])
    np.testing.assert_array_equal([e.weight for e in examples], [part.in_encoder for part in parts])
