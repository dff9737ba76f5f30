"""Which labelled answers are held out: what an encoder was tuned on, or was not, stays so when it is tuned further."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from pipeline.encoder import Tuning, hash_asked
from pipeline.estimator import Bools
from pipeline.evaluate import group_questions
from pipeline.manifest import hash_answer
from pipeline.schema import AnswerRecord

N_PARTS = 10
"""One of so many groups of questions that no earlier tuning knows is held out."""


def hold_out(answers: Sequence[AnswerRecord], earlier: Sequence[Tuning]) -> Bools:
    """Choose the labelled answers that an encoder is not tuned on.

    Answers that share an id or the wording of their question, or their text, are of one group.
    A new answer goes with its group: it is tuned on where one of the group was, else held out where one of it was; of
    the groups that are all new, one in ten is held out, by a hash of its first id.

    Parameters
    ----------
    answers
        All of them.
    earlier
        What the encoders that tuning starts from were tuned on, and what they held out.

    Returns
    -------
    ndarray
        Whether each is held out, shape (n_answers,).

    Raises
    ------
    ValueError
        When an answer that one of the encoders held out is one that another was tuned on.
    """
    tuned_on = frozenset[str]().union(*(tuning.tuned_on for tuning in earlier))
    held_out = frozenset[int]().union(*(tuning.held_out for tuning in earlier))
    was_tuned_on = np.array([hash_answer(answer) in tuned_on for answer in answers], dtype=bool)
    was_held_out = np.array([hash_asked(answer) in held_out for answer in answers], dtype=bool)
    for answer, is_torn in zip(answers, was_tuned_on & was_held_out, strict=True):
        if is_torn:
            raise ValueError(f"{answer.answer_id} was held out of one tuning, and another learnt from its text")
    questions = group_questions([a.question_id for a in answers], [a.question for a in answers])
    groups = np.array(group_questions(questions, [a.text for a in answers]))
    known = dict.fromkeys(groups[was_held_out].tolist(), True)
    known |= dict.fromkeys(groups[was_tuned_on].tolist(), False)
    follows = np.array([known[group] if group in known else _draw(group) for group in groups.tolist()], dtype=bool)
    is_held_out: Bools = was_held_out | follows
    return is_held_out


def _draw(group: str) -> bool:
    return int.from_bytes(hashlib.sha256(group.encode()).digest()[:8], "big") % N_PARTS == 0
