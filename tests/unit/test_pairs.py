"""Pairs without a label, which a network that starts between others learns from."""

from __future__ import annotations

import pytest

from data.encoder.pairs import pair_up
from pipeline.schema import AnswerRecord


def answer(answer_id: str, question: str, text: str, proposition: str | None) -> AnswerRecord:
    return AnswerRecord.model_validate(
        {
            "question_id": answer_id.split("-")[0],
            "question": question,
            "proposition": proposition,
            "answer_id": answer_id,
            "position": 1,
            "text": text,
            "source": {"file": "answers.jsonl", "locator": "line 1"},
            "label": "against",
            "explicit": "true",
            "gold_evidence": [{"field": "text", "start": 0, "end": 2}],
        }
    )


ANSWERS = [
    answer("q1-1", "Can I fly?", "No.", "flying"),
    answer("q1-2", "Can I fly?", "Take the train.", "taking the train"),
    answer("q1-3", "Can I fly?", "Take the train.", "flying"),
    answer("q1-4", "Can I fly?", "Wait a week.", None),
    answer("q2-1", "Can I run?", "Yes.", "running"),
]


def test_answers_get_the_propositions_that_others_to_their_question_were_labelled_on() -> None:
    found = {(pair.question, pair.text, pair.proposition) for pair in pair_up(ANSWERS, 3, seed=0)}
    assert found == {
        ("Can I fly?", "No.", "taking the train"),
        ("Can I fly?", "Wait a week.", "flying"),
        ("Can I fly?", "Wait a week.", "taking the train"),
    }


def test_nothing_that_was_read_in_the_answer_goes_with_it() -> None:
    assert [pair.model_extra for pair in pair_up(ANSWERS, 3, seed=0)] == [{}] * 3


def test_pairs_have_names_of_their_own() -> None:
    assert len({pair.answer_id for pair in pair_up(ANSWERS, 3, seed=0)} - {a.answer_id for a in ANSWERS}) == 3


@pytest.mark.parametrize("n_each", [0, 1, 2])
def test_a_question_gets_so_many_for_each_of_its_texts_at_most(n_each: int) -> None:
    many = [answer(f"q-{n}", "Can I fly?", f"Text {n}.", f"thing {n}") for n in range(6)]
    assert len(list(pair_up(many, n_each, seed=0))) == 6 * n_each


def test_the_seed_decides_which_where_there_are_more() -> None:
    many = [answer(f"q-{n}", "Can I fly?", f"Text {n}.", f"thing {n}") for n in range(9)]
    first, again, other = (list(pair_up(many, 1, seed)) for seed in (0, 0, 1))
    assert first == again
    assert first != other
