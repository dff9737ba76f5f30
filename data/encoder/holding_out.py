"""Which labelled answers are held out: what an encoder was tuned on, or was not, stays so when it is tuned further."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from pipeline.encoder import Tuning, hash_asked
from pipeline.errors import BadInput
from pipeline.estimator import Bools
from pipeline.evaluate import group_questions
from pipeline.manifest import hash_answer
from pipeline.schema import AnswerRecord

ONE_IN = 10
"""One of so many groups of questions that no earlier tuning knows is held out."""

LEAST_WORDS = 6
"""A shorter text, such as "No." or "See your doctor.", says nothing of where it comes from."""


def hold_out(answers: Sequence[AnswerRecord], earlier: Sequence[Tuning]) -> Bools:
    """Choose the labelled answers that an encoder is not tuned on.

    Answers that share an id or the wording of their question, or a text of six words or more, are of one group.
    A group is held out as a whole or not at all: as in the earlier tunings, and of the groups that are all new one in
    ten, by a hash of its first id.

    Parameters
    ----------
    answers
        All of them.
    earlier
        What the encoders that tuning starts from were tuned on, and what they held out; what they held out and is not
        among the answers counts for nothing.

    Returns
    -------
    ndarray
        Whether each is held out, shape (n_answers,).

    Raises
    ------
    BadInput
        When an answer that was held out is of one group with an answer that was tuned on.
    """
    tuned_on = frozenset[str]().union(*(tuning.tuned_on for tuning in earlier))
    held_out = frozenset[int]().union(*(tuning.held_out for tuning in earlier))
    groups = group_answers(answers)
    were_tuned_on, were_held_out = set(), set()
    for answer, group in zip(answers, groups, strict=True):
        if hash_answer(answer) in tuned_on:
            were_tuned_on.add(group)
        if hash_asked(answer) in held_out:
            were_held_out.add(group)
    torn = were_tuned_on & were_held_out
    if torn:
        advice = "start from one encoder" if len(earlier) > 1 else "leave out the new answers that join the two"
        raise BadInput(min(torn), f"some answers of its group were tuned on, and others held out: {advice}")
    known = were_tuned_on | were_held_out
    return np.array([group in were_held_out if group in known else _draw(group) for group in groups], dtype=bool)


def group_answers(answers: Sequence[AnswerRecord]) -> list[str]:
    """Group answers by question and by text: per answer, the first id of its group."""
    questions = group_questions([a.question_id for a in answers], [a.question for a in answers])
    texts = [a.text if len(a.text.split()) >= LEAST_WORDS else a.answer_id for a in answers]
    return group_questions(questions, texts)


def _draw(group: str) -> bool:
    return int.from_bytes(hashlib.sha256(group.encode()).digest()[:8], "big") % ONE_IN == 0
