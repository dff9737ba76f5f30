"""What an encoder was tuned on, or was not, stays so when it is tuned further."""

from __future__ import annotations

import numpy as np
import pytest

from data.encoder.holding_out import group_answers, hold_out
from pipeline.encoder import Tuning, hash_asked
from pipeline.errors import BadInput
from pipeline.manifest import hash_answer
from pipeline.schema import AnswerRecord, Source

NOTHING = np.zeros((1, 3))


def answer(question_id: str, text: str, question: str | None = None) -> AnswerRecord:
    return AnswerRecord(
        question_id=question_id,
        question=question or f"Is {question_id} safe?",
        answer_id=f"{question_id}-{text}",
        position=1,
        text=text,
        source=Source(file="t", locator="1"),
    )


def tuning(tuned_on: list[AnswerRecord], held_out: list[AnswerRecord]) -> Tuning:
    return Tuning(frozenset(map(hash_answer, tuned_on)), {hash_asked(one): NOTHING for one in held_out})


SAFE, UNSAFE = "It is safe, and I would do it.", "It is not safe, and I would not."
TUNED, HELD = answer("a", SAFE), answer("b", UNSAFE)
EARLIER = tuning([TUNED], [HELD])


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        pytest.param(TUNED, False, id="tuned on before"),
        pytest.param(HELD, True, id="held out before"),
        pytest.param(answer("a", "perhaps"), False, id="another answer to a question tuned on"),
        pytest.param(answer("b", "perhaps"), True, id="another answer to a question held out"),
        pytest.param(answer("c", "perhaps", "is  A safe?"), False, id="the wording of a question tuned on"),
        pytest.param(answer("c", "perhaps", "is  B safe?"), True, id="the wording of a question held out"),
        pytest.param(answer("c", SAFE), False, id="a text tuned on, asked about otherwise"),
        pytest.param(answer("c", f"{UNSAFE} "), True, id="a text held out, asked about otherwise"),
    ],
)
def test_an_answer_goes_with_its_group(new: AnswerRecord, expected: bool) -> None:
    answers = [TUNED, HELD, new]
    assert hold_out(answers, [EARLIER]).tolist() == [False, True, expected]


def test_about_a_tenth_of_new_groups_is_held_out_whole() -> None:
    answers = [
        answer(f"q{number}", f"text {number} {copy} of no more words") for number in range(1000) for copy in range(2)
    ]
    is_held_out = hold_out(answers, []).reshape(1000, 2)
    assert (is_held_out[:, 0] == is_held_out[:, 1]).all()
    assert 70 <= is_held_out[:, 0].sum() <= 130
    np.testing.assert_array_equal(hold_out(answers, []), is_held_out.ravel())


def test_all_tunings_count() -> None:
    other = answer("c", "maybe")
    found = hold_out([TUNED, HELD, other], [EARLIER, tuning([], [other])])
    assert found.tolist() == [False, True, True]


def test_encoders_of_which_one_learnt_what_the_other_held_out_have_no_mean() -> None:
    with pytest.raises(
        BadInput, match=r"^b: some answers of its group were tuned on, and others held out: start from one"
    ):
        hold_out([TUNED, HELD], [EARLIER, tuning([HELD], [])])


@pytest.mark.parametrize(
    "between",
    [
        pytest.param(answer("a", UNSAFE), id="its question tuned on and its text held out"),
        pytest.param(answer("b", SAFE), id="its question held out and its text tuned on"),
    ],
)
def test_an_answer_that_would_be_of_both_kinds_is_refused(between: AnswerRecord) -> None:
    with pytest.raises(BadInput, match="others held out: leave out the new answers"):
        hold_out([TUNED, HELD, between], [EARLIER])


def test_a_few_words_join_no_questions() -> None:
    short = [answer(f"q{number}", "See a doctor now, please.") for number in range(5)]
    longer = [answer(f"r{number}", "See a doctor about it, please.") for number in range(5)]
    assert group_answers(short) == [f"q{number}" for number in range(5)]
    assert group_answers(longer) == ["r0"] * 5
