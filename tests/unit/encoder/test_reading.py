"""What an encoder says of each sentence depends on that answer and question alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.encoder import Tuning, count_unread, hash_asked, read_batch, read_unseen
from pipeline.preprocess import AnswerParser
from pipeline.schema import AnswerRecord, Source
from tests.tiny_encoder import LABELS, tiny_encoder

ENCODER = tiny_encoder()
TEXTS = ("It is safe. I would do it!", "The risks are not nil.", "No. No. Not safe, not I.", "It is.", "do it")


def answer(text: str, **fields: str | None) -> AnswerRecord:
    given = {"question": "Is it safe?", "proposition": "do it", "headline": None} | fields
    return AnswerRecord.model_validate(
        {"question_id": "q", "answer_id": text, "position": 1, "text": text}
        | given
        | {"source": Source(file="t", locator="1")}
    )


def test_a_sentence_gets_what_its_words_add(parser: AnswerParser) -> None:
    batch = parser.parse([answer("It is safe. I would not do it.")])
    starts, added = ENCODER.read("do it", "Is it safe?", batch.sources[0].text)
    second = np.array(starts) >= 12
    expected = [added[~second].sum(axis=0), added[second].sum(axis=0)]
    np.testing.assert_allclose(read_batch(ENCODER, batch), expected, atol=5.1e-4)


def test_readings_are_whole_thousandths(parser: AnswerParser) -> None:
    readings = read_batch(ENCODER, parser.parse([answer(text) for text in TEXTS]))
    np.testing.assert_array_equal(readings, np.rint(readings * 1000) / 1000)
    assert np.abs(readings).max() > 0


@settings(max_examples=20)
@given(rows=st.lists(st.integers(0, len(TEXTS) - 1), min_size=1, max_size=8))
def test_what_is_read_beside_an_answer_changes_no_digit(parser: AnswerParser, rows: list[int]) -> None:
    alone = [read_batch(ENCODER, parser.parse([answer(TEXTS[row])])) for row in rows]
    together = read_batch(ENCODER, parser.parse([answer(TEXTS[row]) for row in rows]))
    np.testing.assert_array_equal(together, np.concatenate(alone))


def test_answers_left_out_get_nothing(parser: AnswerParser) -> None:
    batch = parser.parse([answer(text) for text in TEXTS])
    some, every = read_batch(ENCODER, batch, [1, 3]), read_batch(ENCODER, batch)
    is_read = np.isin(batch.sentence_answers, [1, 3])
    np.testing.assert_array_equal(some[is_read], every[is_read])
    assert (some[~is_read] == 0).all()


def test_a_headline_is_read_with_its_answer(parser: AnswerParser) -> None:
    batch = parser.parse([answer("It is safe.", headline="Not I")])
    readings = read_batch(ENCODER, batch)
    assert batch.is_headline.tolist() == [True, False]
    assert (np.abs(readings) > 0).any(axis=1).all()


@pytest.mark.parametrize("text", ["", "\u200b", " "], ids=["empty", "invisible", "a space"])
def test_an_answer_without_text_says_nothing(parser: AnswerParser, text: str) -> None:
    batch = parser.parse([answer("It is safe."), answer("x").model_copy(update={"text": text})])
    assert (read_batch(ENCODER, batch)[batch.sentence_answers == 1] == 0).all()


# ------------------------------------------------- answers whose readings are kept


def test_answers_whose_reading_is_kept_get_it(parser: AnswerParser) -> None:
    answers = [answer(text) for text in TEXTS]
    batches = [parser.parse(answers[:2]), parser.parse(answers[2:])]
    marked = np.full((2, len(LABELS)), 0.125)
    tuning = Tuning(frozenset(), {hash_asked(answers[0]): marked})
    assert count_unread(tuning, batches) == len(TEXTS) - 1
    readings = read_unseen(ENCODER, tuning, batches)
    np.testing.assert_array_equal(readings[:2], marked)
    every = np.concatenate([read_batch(ENCODER, batch) for batch in batches])
    np.testing.assert_array_equal(readings[2:], every[2:])


def test_a_reading_of_another_number_of_sentences_is_not_used(parser: AnswerParser) -> None:
    batch = parser.parse([answer(TEXTS[0])])
    tuning = Tuning(frozenset(), {hash_asked(batch.answers[0]): np.ones((3, len(LABELS)))})
    assert count_unread(tuning, [batch]) == 1
    readings = read_unseen(ENCODER, tuning, [batch])
    np.testing.assert_array_equal(readings, read_batch(ENCODER, batch))


@pytest.mark.parametrize(
    ("fields", "is_same"),
    [
        pytest.param({"text": "it  is SAFE."}, True, id="case and spacing"),
        pytest.param({"question": "Is it unsafe?"}, False, id="another question"),
        pytest.param({"proposition": "do not"}, False, id="another proposition"),
        pytest.param({"proposition": None}, False, id="no proposition"),
        pytest.param({"headline": "Yes"}, False, id="a headline"),
        pytest.param({"text": "It is safe!"}, False, id="another text"),
    ],
)
def test_an_answer_is_known_by_all_that_is_read(fields: dict[str, str | None], is_same: bool) -> None:
    plain = {"text": "It is safe."} | fields
    text = str(plain.pop("text"))
    assert (hash_asked(answer(text, **plain)) == hash_asked(answer("It is safe."))) is is_same
