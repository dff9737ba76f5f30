"""From labelled answers to counts: every answer in its place, and the sentences that readers marked."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.features import DOCUMENTS, Features, build_vocabulary, extract_features
from pipeline.preprocess import AnswerParser, parse_answers
from pipeline.schema import AnswerRecord
from pipeline.training import count_labelled, featurise

TEXTS = [
    "It is safe. I would do it.",
    "No, do not do it!",
    "\u200b",
    "It is safe.\nIt works. It is safe.",
    "It depends on your skin; I would not.",
]


def answer(text: str, **fields: Any) -> AnswerRecord:
    given = {
        "question_id": "q",
        "question": "Does a peel help?",
        "answer_id": "a",
        "position": 1,
        "text": text,
        "source": {"file": "t", "locator": "line 1"},
    }
    return AnswerRecord.model_validate(given | fields)


def span(start: int, end: int, field: str = "text") -> dict[str, Any]:
    return {"field": field, "start": start, "end": end}


def in_batches(answers: list[AnswerRecord], parser: AnswerParser, batch_size: int) -> list[Features]:
    return [extract_features(batch) for batch in parse_answers(parser, answers, batch_size=batch_size)]


def names_of(features: Features) -> list[tuple[int, int, str]]:
    """List the features as sentence, document and name."""
    rows = np.arange(len(features.kinds))
    return list(zip(features.sentences.tolist(), features.documents(rows).tolist(), features.names(rows), strict=True))


def test_answers_are_featurised_in_their_order(parser: AnswerParser) -> None:
    answers = [answer(text) for text in TEXTS * 250]
    batches = featurise(answers, parser)
    assert [a for features in batches for a in features.batch.answers] == answers
    assert len(batches) > 1


@pytest.mark.parametrize("with_pieces", [False, True])
def test_pieces_of_words_are_given_where_asked_for(parser: AnswerParser, with_pieces: bool) -> None:
    (features,) = featurise([answer(text) for text in TEXTS], parser, with_pieces=with_pieces)
    assert (DOCUMENTS.index("pieces") in features.documents(np.arange(len(features.kinds)))) == with_pieces


def test_each_feature_is_counted_as_often_as_it_stands_in_the_sentence(parser: AnswerParser) -> None:
    (features,) = featurise([answer(text) for text in TEXTS], parser)
    vocabulary = build_vocabulary([features], 1)
    data = count_labelled([features], vocabulary, ["l"] * 5, ["q"] * 5, [1.0] * 5)
    counts = data.sentences.counts.tocoo()
    found = {
        (int(row), int(vocabulary.documents[column]), vocabulary.names[column]): int(n)
        for row, column, n in zip(counts.row, counts.col, counts.data, strict=True)
    }
    assert found == Counter(names_of(features))
    assert data.sentences.documents.tolist() == vocabulary.documents.tolist()


def test_a_feature_that_is_not_in_the_vocabulary_is_not_counted(parser: AnswerParser) -> None:
    known, new = (featurise([answer(text)], parser) for text in ("It is safe.", "It hurts badly, it does."))
    vocabulary = build_vocabulary(known, 1)
    data = count_labelled(new, vocabulary, ["l"], ["q"], [1.0])
    words = [name for name, document in zip(vocabulary.names, vocabulary.documents, strict=True) if document == 0]
    assert {"it", "safe"} <= set(words)
    totals = dict(zip(vocabulary.names, data.sentences.counts.sum(axis=0).A1.tolist(), strict=True))
    assert (totals["it"], totals["safe"]) == (2, 0)


def test_an_answer_without_a_sentence_is_an_answer_all_the_same(parser: AnswerParser) -> None:
    batches = featurise([answer(text) for text in TEXTS], parser)
    data = count_labelled(batches, build_vocabulary(batches, 1), list("abcde"), list("vwxyz"), [1, 2, 3, 4, 5])
    assert data.sentences.n_answers == 5
    assert Counter(data.sentences.answers.tolist()) == {0: 2, 1: 1, 3: 3, 4: 1}
    assert (data.labels.tolist(), data.questions.tolist()) == (list("abcde"), list("vwxyz"))
    assert data.weights.tolist() == [1, 2, 3, 4, 5]


@given(
    st.lists(st.tuples(st.sampled_from(TEXTS), st.integers(0, 20), st.integers(1, 20)), min_size=1, max_size=7),
    st.integers(1, 4),
)
@settings(max_examples=40)
def test_the_size_of_the_batches_changes_nothing(
    parser: AnswerParser, rows: list[tuple[str, int, int]], batch_size: int
) -> None:
    answers = [answer(text, gold_evidence=[span(start, start + length)]) for text, start, length in rows]
    n = len(answers)
    whole, parts = in_batches(answers, parser, 100), in_batches(answers, parser, batch_size)
    vocabulary = build_vocabulary(whole, 1)
    other = build_vocabulary(parts, 1)
    assert (other.names, other.hashes.tolist()) == (vocabulary.names, vocabulary.hashes.tolist())
    one, two = (count_labelled(batches, vocabulary, ["l"] * n, ["q"] * n, [1.0] * n) for batches in (whole, parts))
    assert np.array_equal(one.sentences.counts.toarray(), two.sentences.counts.toarray())
    assert np.array_equal(one.sentences.answers, two.sentences.answers)
    assert np.array_equal(one.sentences.is_headline, two.sentences.is_headline)
    assert np.array_equal(one.is_evidence, two.is_evidence)


def test_the_sentences_of_headlines_are_known(parser: AnswerParser) -> None:
    batches = in_batches([answer(TEXTS[0]), answer(TEXTS[1], headline="Never. Not me."), answer(TEXTS[2])], parser, 1)
    data = count_labelled(batches, build_vocabulary(batches, 1), ["l"] * 3, ["q"] * 3, [1.0] * 3)
    assert data.sentences.is_headline.tolist() == [False, False, True, True, False]


# "It is safe." is 0 to 11, "I would do it." 12 to 26, "Go ahead." 27 to 36.
THREE_SENTENCES = "It is safe. I would do it. Go ahead."


@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        pytest.param(None, [False] * 4, id="no field"),
        pytest.param([], [False] * 4, id="no mark"),
        pytest.param([span(0, 11)], [False, True, False, False], id="a whole sentence"),
        pytest.param([span(14, 19)], [False, False, True, False], id="a word"),
        pytest.param([span(10, 13)], [False, True, True, False], id="across a border"),
        pytest.param([span(11, 12)], [False] * 4, id="the space between two sentences"),
        pytest.param([span(26, 27), span(35, 36)], [False, False, False, True], id="a space and a full stop"),
        pytest.param([span(0, 2), span(27, 29)], [False, True, False, True], id="two marks"),
        pytest.param([span(0, 3, "headline")], [True, False, False, False], id="in the headline"),
        pytest.param([span(3, 3)], [False] * 4, id="a mark on nothing"),
        pytest.param([span(5, 900)], [False, True, True, True], id="beyond the end"),
    ],
)
def test_the_sentences_that_share_a_character_with_a_mark_are_evidence(
    parser: AnswerParser, marks: list[dict[str, Any]] | None, expected: list[bool]
) -> None:
    fields = {} if marks is None else {"gold_evidence": marks}
    batches = featurise([answer(TEXTS[0]), answer(THREE_SENTENCES, headline="Yes.", **fields)], parser)
    data = count_labelled(batches, build_vocabulary(batches, 1), ["l"] * 2, ["q"] * 2, [1.0] * 2)
    assert data.is_evidence.tolist() == [False, False, *expected]
