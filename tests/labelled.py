"""The labelled data as it stands in its files, for tests of its own rules."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from data.measure.repetition import split_words

Rows = list[dict[str, Any]]

NEAR_DUPLICATE = 0.2
"""Two texts are near duplicates that share so much of the shorter one's 5-grams."""
COPIED = 8
"""So many words in a row of a real text are copied."""


def read_rows(folder: Path) -> Rows:
    """Read the lines of every JSONL file of a folder, in the order of the files' names."""
    files = sorted(folder.glob("*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]


def wording(question: str) -> str:
    """Return a question's words alone, to find it again whatever its signs and case."""
    return " ".join(split_words(question))


def runs_of(text: str) -> set[tuple[str, ...]]:
    """Return every run of so many words that it would be copied."""
    words = split_words(text)
    return {tuple(words[place : place + COPIED]) for place in range(len(words) - COPIED + 1)}


def assert_sound(rows: Rows, labels: set[str], min_words: int) -> None:
    """Assert what holds of every row: its labels, how they were settled, its white space and its lengths."""
    assert len({row["answer_id"] for row in rows}) == len(rows)
    for row in rows:
        name = row["answer_id"]
        assert {row["label"], row["first_label"], row["second_label"]} <= labels, name
        assert row["second_label"] != row["first_label"] or row["label"] == row["first_label"], name
        assert isinstance(row["explicit"], bool), name
        for field in ("question", "proposition", "text"):
            assert row[field] == " ".join(row[field].split()), name
        assert 1 <= len(row["proposition"].split()) <= 20, name
        assert len(row["text"].split()) >= min_words, name


def assert_asked_once_or_twice(rows: Rows) -> None:
    """Assert that each text that is told again stands once, under one question or two on different things."""
    asked: defaultdict[str, Rows] = defaultdict(list)
    for row in rows:
        asked[row["question_id"]].append(row)
    assert len({row["text"] for row in rows}) == len(asked) > 0
    for name, both in asked.items():
        assert [row["answer_id"] for row in both] == [f"{name}-{n}" for n in (1, 2)][: len(both)]
        assert len({row["text"] for row in both}) == 1, name
        for field in ("question", "proposition"):
            assert len({row[field].casefold() for row in both}) == len(both), name
