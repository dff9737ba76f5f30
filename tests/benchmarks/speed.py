"""How long ``stance classify`` takes, as a multiple of merely tokenising the same texts.

``python -m tests.benchmarks.speed``: both read the same JSONL, one process each, in turn; CPU time of the
whole process, start-up included.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

CORPUS = Path(__file__).parents[2] / "data" / "corpus"
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_FIELDS = ("question_id", "question", "proposition", "headline", "text", "respondent")

TOKENISE = """
import json, sys
import spacy
nlp = spacy.blank("en")
n_tokens = 0
with open(sys.argv[1], encoding="utf-8") as lines:
    for line in lines:
        n_tokens += len(nlp.make_doc(json.loads(line)["text"]))
"""


def mix_answers(n_answers: int) -> Iterator[dict[str, Any]]:
    """Make any number of answers from those of the corpus, each of the sentences of two to its question."""
    rows = [json.loads(line) for path in sorted(CORPUS.glob("*.jsonl")) for line in path.open(encoding="utf-8")]
    by_question: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_question.setdefault(row["question_id"], []).append(row)
    draw = random.Random(0)  # noqa: S311
    for number in range(n_answers):
        row = rows[number % len(rows)]
        other = draw.choice(by_question[row["question_id"]])
        sentences = _SENTENCE_END.split(row["text"]) + _SENTENCE_END.split(other["text"])
        draw.shuffle(sentences)
        kept = {name: row[name] for name in _FIELDS if row.get(name) is not None}
        yield {**kept, "answer_id": f"answer-{number}", "text": " ".join(sentences[: (len(sentences) + 1) // 2])}


def cpu_seconds(command: Sequence[str]) -> float:
    """Run a command and return the CPU time it took, children included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)


def measure(n_answers: int, n_rounds: int, model: str) -> list[tuple[float, float]]:
    """Return the CPU time of tokenising and of classifying, by round."""
    with tempfile.TemporaryDirectory() as folder:
        source, output = Path(folder) / "answers.jsonl", Path(folder) / "called.jsonl"
        with source.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in mix_answers(n_answers))
        tokenise = [sys.executable, "-c", TOKENISE, str(source)]
        classify = [sys.executable, "-m", "pipeline", "classify", str(source), "-o", str(output), "--model", model]
        return [(cpu_seconds(tokenise), cpu_seconds(classify)) for _ in range(n_rounds)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.speed", description=__doc__)
    parser.add_argument("--answers", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", default="default")
    options = parser.parse_args()
    rounds = measure(options.answers, options.rounds, options.model)
    for tokenising, classifying in rounds:
        print(f"tokenising {tokenising:.1f} s, classifying {classifying:.1f} s: {classifying / tokenising:.2f} x")  # noqa: T201
    print(f"median of {len(rounds)} rounds: {median(c / t for t, c in rounds):.2f} x")  # noqa: T201


if __name__ == "__main__":
    main()
