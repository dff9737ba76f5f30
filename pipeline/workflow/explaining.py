"""One answer, and what moved its call."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from pydantic import ValidationError

from pipeline.errors import WrongUsage
from pipeline.flat import Row
from pipeline.schema import (
    AnswerRecord,
    first_problem,
)
from pipeline.workflow.classifying import Classifier

if TYPE_CHECKING:
    from pipeline.classify import Explanation, StanceModel
    from pipeline.preprocess import ParsedBatch

# Stages that need spaCy or scikit-learn are imported where they are used: a command starts with what it needs.


MAX_EXPLAINED_WORDS = 12


def explain_text(
    question: str, text: str, model_name: str, *, proposition: str | None = None, headline: str | None = None
) -> Row:
    """Classify one answer and say what moved it.

    Returns
    -------
    mapping
        The call's fields, and: `intercept`; `sentences` (in order of place: quote, what it adds, and
        `relevance`, the weight its words and cues are read with, and `reading`, what of it the encoder
        adds, None without one); `cues` and `words` (strongest first: what it adds, features, quote, and
        place in the record), `rest` (number and weight of the weaker words), `total`.
        ``intercept + sentences = intercept + readings + cues + words + rest = total``, the log-odds of the
        stance over the mean of all stances.
    """
    from pipeline.preprocess import parse_answers

    fields = {"question": question, "text": text, "proposition": proposition, "headline": headline}
    classifier = Classifier(model_name)
    (batch,) = parse_answers(classifier.parser, _records_of([fields]))
    return _explain_answer(classifier.model, batch)


def _explain_answer(model: StanceModel, batch: ParsedBatch) -> Row:
    from pipeline.classify import call_explained, explain_answers

    explanation = explain_answers(model, batch)
    (call,) = call_explained(model, explanation)
    marks = _sum_by_place(explanation)
    shown, rest = marks[:MAX_EXPLAINED_WORDS], marks[MAX_EXPLAINED_WORDS:]
    has_encoder = model.encoder is not None
    columns = (explanation.sentence_weights(), explanation.relevance, explanation.readings)
    sentences = zip(*(column.round(4).tolist() for column in columns), strict=True)
    return {
        **call.model_dump(mode="json"),
        "intercept": round(float(explanation.intercepts[0]), 4),
        "sentences": [
            {
                **_quote(batch, *batch.sentence_range(n)),
                "weight": weight,
                "relevance": relevance,
                "reading": reading if has_encoder else None,
            }
            for n, (weight, relevance, reading) in enumerate(sentences)
        ],
        "cues": [_mark_row(batch, mark) for mark in shown if mark.document == "cues"],
        "words": [_mark_row(batch, mark) for mark in shown if mark.document == "words"],
        "rest": {"n": len(rest), "weight": round(sum(mark.weight for mark in rest), 4)},
        "total": round(float(explanation.intercepts[0] + explanation.sentence_weights().sum()), 4),
    }


class _Mark(NamedTuple):
    """All that one document's features add at a token."""

    document: str
    token: int
    weight: float
    features: tuple[str, ...]


def _sum_by_place(explanation: Explanation) -> list[_Mark]:
    """Sum what the features of each document add at each token, strongest first."""
    names = explanation.features.names(explanation.rows)
    documents = explanation.features.documents(explanation.rows).tolist()
    found: dict[tuple[str, int], list[tuple[float, str]]] = {}
    for document, token, weight, name in zip(
        documents, explanation.tokens.tolist(), explanation.weights.tolist(), names, strict=True
    ):
        found.setdefault((("cues" if document == 1 else "words"), token), []).append((weight, name))
    marks = [
        _Mark(document, token, sum(weight for weight, _ in parts), tuple(dict.fromkeys(name for _, name in parts)))
        for (document, token), parts in found.items()
    ]
    return sorted(marks, key=lambda mark: (-abs(mark.weight), mark.token, mark.document))


def _mark_row(batch: ParsedBatch, mark: _Mark) -> Row:
    ends = [mark.token + 1]
    if mark.document == "cues":
        ends += [cue.end for cue in batch.answer_cues(0) if cue.start == mark.token]
    start, _ = batch.token_range(mark.token)
    _, end = batch.token_range(max(ends) - 1)
    return {**_quote(batch, start, end), "weight": round(mark.weight, 4), "features": list(mark.features)}


def _quote(batch: ParsedBatch, start: int, end: int) -> Row:
    """Quote a stretch of the only answer's composed text from the record; its first field where it has two."""
    places = batch.sources[0].locate(start, end)
    if not places:
        return {"quote": "", "field": "text", "start": 0, "end": 0}
    return {"quote": places[0].quote, "field": places[0].field, "start": places[0].start, "end": places[0].end}


_SURROGATE = re.compile("[\ud800-\udfff]")


def _records_of(rows: Iterable[dict[str, str | None]]) -> Iterator[AnswerRecord]:
    for place, row in enumerate(rows, start=1):
        garbled = next((name for name, value in row.items() if value and _SURROGATE.search(value)), None)
        if garbled is not None:
            raise WrongUsage(f"the {garbled} is no UTF-8 text")
        given = {name: value for name, value in row.items() if value is not None}
        source = {"file": "<command line>", "locator": f"answer {place}"}
        derived = {"question_id": "question", "answer_id": str(place), "position": place, "source": source}
        try:
            yield AnswerRecord.model_validate(derived | given)
        except ValidationError as error:
            column, problem = first_problem(error)
            raise WrongUsage(f"the {column} {problem}") from error
