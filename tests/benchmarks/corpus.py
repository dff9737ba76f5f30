"""Any number of answers, made from those of ``data/corpus``: ``python -m tests.benchmarks.corpus N -o FILE``."""

from __future__ import annotations

import argparse
import json
import random
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

CORPUS = Path(__file__).parents[2] / "data" / "corpus"
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_FIELDS = ("proposition", "headline", "respondent")


@cache
def read_corpus() -> list[dict[str, Any]]:
    """Read the written answers that come with the project, once; they are not to be changed."""
    rows = []
    for path in sorted(CORPUS.glob("*.jsonl")):
        with path.open(encoding="utf-8") as lines:
            rows += [json.loads(line) for line in lines]
    return rows


def mix_answers(n_answers: int, *, seed: int = 0, words: int | None = None) -> Iterator[dict[str, Any]]:
    """Make answers from those of the corpus, each of sentences of answers to its question.

    The corpus is gone through again and again. Each time its questions are new ones, in id and in wording: real
    collections grow by questions, and what is kept of a question must not look cheaper than it is.

    Parameters
    ----------
    n_answers
        How many to make; fewer are the first of more.
    seed
        Another seed takes other sentences for the same answer.
    words
        Words of each answer, the last sentence cut short; else half the sentences of two answers.

    Yields
    ------
    dict
        A record as ``stance`` reads it.
    """
    rows = read_corpus()
    texts: dict[str, list[str]] = {}
    for row in rows:
        texts.setdefault(row["question_id"], []).append(row["text"])
    draw = random.Random(seed)  # noqa: S311
    for number in range(n_answers):
        turn, place = divmod(number, len(rows))
        row = rows[place]
        others = texts[row["question_id"]]
        text = _mix_two(row["text"], draw.choice(others), draw) if words is None else _fill(others, words, draw)
        yield {
            "question_id": f"{row['question_id']}-case-{turn + 1}",
            "question": f"{row['question']} (case {turn + 1})",
            **{name: row[name] for name in _FIELDS if row.get(name) is not None},
            "answer_id": f"answer-{number}",
            "text": text,
        }


def _mix_two(one: str, other: str, draw: random.Random) -> str:
    sentences = _SENTENCE_END.split(one) + _SENTENCE_END.split(other)
    draw.shuffle(sentences)
    return " ".join(sentences[: (len(sentences) + 1) // 2])


def _fill(texts: Sequence[str], n_words: int, draw: random.Random) -> str:
    found: list[str] = []
    # Long answers need all sentences of a question more than once.
    while len(found) < n_words:
        sentences = [sentence for text in texts for sentence in _SENTENCE_END.split(text)]
        draw.shuffle(sentences)
        for sentence in sentences:
            found += sentence.split()
            if len(found) >= n_words:
                break
    return " ".join(found[:n_words])


def write_answers(path: Path, answers: Iterable[dict[str, Any]]) -> None:
    """Write records as JSONL, one at a time."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(json.dumps(answer, ensure_ascii=False) + "\n" for answer in answers)


def write_corpus(path: Path, n_answers: int, *, seed: int = 0, words: int | None = None) -> None:
    """Write what `mix_answers` makes; memory does not grow with it."""
    write_answers(path, mix_answers(n_answers, seed=seed, words=words))


def renew(answers: Iterable[dict[str, Any]], others: Iterable[dict[str, Any]], every: int) -> Iterator[dict[str, Any]]:
    """Replace one answer in so many by another one to the same question."""
    for number, (answer, other) in enumerate(zip(answers, others, strict=True)):
        is_new = number % every == 0
        yield {**other, "answer_id": f"new-{answer['answer_id']}"} if is_new else answer


def main() -> None:
    """Write a corpus."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.corpus", description=__doc__)
    parser.add_argument("answers", metavar="N", type=int, help="how many answers")
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, required=True, help="where they go (JSONL)")
    parser.add_argument("--words", type=int, help="words of each answer; else half the sentences of two answers")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    write_corpus(options.output, options.answers, seed=options.seed, words=options.words)


if __name__ == "__main__":
    main()
