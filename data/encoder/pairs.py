"""Pairs of answer and proposition that nobody labelled, for earlier networks to say something of."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence

from pipeline.schema import AnswerRecord


def pair_up(answers: Sequence[AnswerRecord], n_each: int, seed: int) -> Iterator[AnswerRecord]:
    """Put propositions to answers that were labelled on other propositions to the same question.

    Parameters
    ----------
    answers
        Labelled answers.
    n_each
        How many pairs are made at most for each answer to a question; some answers to it may get more, others fewer.
    seed
        Of the choice where there are more.

    Yields
    ------
    AnswerRecord
        The answer with another proposition, and nothing that was read in it.
    """
    chosen = random.Random(seed)  # noqa: S311
    by_question: dict[str, dict[tuple[str, str | None], AnswerRecord]] = defaultdict(dict)
    for answer in answers:
        by_question[answer.question][answer.text, answer.proposition] = answer
    for labelled in by_question.values():
        by_text = {answer.text: answer for answer in labelled.values()}
        propositions = sorted({proposition for _, proposition in labelled if proposition})
        free = [(text, p) for text in by_text for p in propositions if (text, p) not in labelled]
        chosen.shuffle(free)
        for n, (text, proposition) in enumerate(free[: n_each * len(by_text)]):
            answer = by_text[text]
            yield AnswerRecord(
                question_id=answer.question_id,
                answer_id=f"{answer.answer_id}-pair-{n}",
                question=answer.question,
                proposition=proposition,
                position=answer.position,
                headline=answer.headline,
                text=text,
                source=answer.source,
            )
