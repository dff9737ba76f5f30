"""One vote per doctor: which answers are one voice, which of them counts, and how much."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from pydantic import BaseModel

from pipeline.errors import BadInput
from pipeline.schema import AnswerRecord, ClassifiedAnswer, Merger, Respondent

SHINGLE_WORDS = 3
RESEMBLANCE = 0.8
"""Least resemblance of near-identical texts: of thirty words, one may differ."""

MIN_WORDS = 12
"""Shorter texts of different respondents, such as "Yes.", stay apart however alike they are."""

# What stands where a name should be and is none.
_NO_NAMES = frozenset({"", "-", "?", "anon", "anonymous", "doctor", "dr", "dr.", "n/a", "na", "none", "not given"})
_NO_NAMES |= {"name not given", "no name", "unknown"}

Words = tuple[str, ...]
Shingles = frozenset[Words]


def find_mergers(answers: Sequence[ClassifiedAnswer]) -> tuple[Merger, ...]:
    """Find answers to one question that are one voice, and say which of them counts.

    Answers are one voice when they are by the same respondent (see `group_respondents`) or near-identical (see
    `measure_resemblance`); what either joins is one voice together. The surest answer that was not abstained on
    counts, of equally sure ones the first.

    Parameters
    ----------
    answers
        The answers to one question, in the order of the panel.

    Returns
    -------
    tuple of Merger
        In the order of their first answers; empty when every answer is a voice of its own.
    """
    roots = list(range(len(answers)))
    by_respondent = group_respondents([a.answer.respondent for a in answers])
    for earlier, later in by_respondent:
        _join(roots, earlier, later)
    same_respondent = [_find(roots, place) for place in range(len(answers))]
    for earlier, later in _near_identical([a.answer.text for a in answers], roots):
        _join(roots, earlier, later)
    groups: dict[int, list[int]] = {}
    for place in range(len(answers)):
        groups.setdefault(_find(roots, place), []).append(place)
    return tuple(
        _build_merger(
            [answers[place] for place in group],
            "same respondent" if len({same_respondent[place] for place in group}) == 1 else "near-identical text",
        )
        for group in groups.values()
        if len(group) > 1
    )


def _build_merger(
    answers: Sequence[ClassifiedAnswer], reason: Literal["same respondent", "near-identical text"]
) -> Merger:
    counted = max(answers, key=lambda a: (not a.call.abstained, a.call.confidence))
    sides = {a.call.side for a in answers if not a.call.abstained and a.call.side is not None}
    return Merger(
        counted=counted.answer.answer_id,
        others=tuple(a.answer.answer_id for a in answers if a is not counted),
        reason=reason,
        disagree=len(sides) > 1,
    )


def _find(roots: list[int], place: int) -> int:
    while roots[place] != place:
        roots[place] = roots[roots[place]]
        place = roots[place]
    return place


def _join(roots: list[int], one: int, other: int) -> None:
    first, second = sorted((_find(roots, one), _find(roots, other)))
    roots[second] = first


# ---------------------------------------------------------------- the same respondent


def fold_name(name: str | None) -> str:
    """Return a name without case and spacing; empty for none, and for what only stands in a name's place.

    Examples
    --------
    >>> fold_name("  Ada   QUILL "), fold_name("Anonymous"), fold_name(None)
    ('ada quill', '', '')
    """
    folded = " ".join(unicodedata.normalize("NFKC", name or "").casefold().split())
    return "" if folded in _NO_NAMES else folded


def group_respondents(respondents: Sequence[Respondent]) -> list[tuple[int, int]]:
    """Find who answered more than once.

    Two are the same when their names are, and neither credentials nor location contradict: of each, one has all
    words of the other. Someone who fits several namesakes is taken for the first of them; nobody is the same as
    someone without a name.

    Returns
    -------
    list of tuple of int
        Places of a respondent's first answer and of each later one.

    Examples
    --------
    >>> names = [{"name": "Ada Quill"}, {"name": "ada quill", "credentials": "MD"}, {"name": "Bo Fenn"}]
    >>> group_respondents([Respondent.model_validate(name) for name in names])
    [(0, 1)]
    """
    people: dict[str, list[tuple[int, list[Respondent]]]] = {}
    pairs = []
    for place, respondent in enumerate(respondents):
        name = fold_name(respondent.name)
        if not name:
            continue
        namesakes = people.setdefault(name, [])
        same = next((known for known in namesakes if not any(_contradict(r, respondent) for r in known[1])), None)
        if same is None:
            namesakes.append((place, [respondent]))
        else:
            same[1].append(respondent)
            pairs.append((same[0], place))
    return pairs


def _contradict(one: Respondent, other: Respondent) -> bool:
    return any(
        not (a <= b or b <= a)
        for a, b in (
            (_split_words(one.credentials), _split_words(other.credentials)),
            (_split_words(one.location), _split_words(other.location)),
        )
    )


def _split_words(text: str | None) -> frozenset[str]:
    return frozenset(_cut_words((text or "").replace(".", "")))


# ---------------------------------------------------------------- near-identical texts


def _cut_words(text: str) -> Words:
    return tuple("".join(c if c.isalnum() else " " for c in text.casefold()).split())


def measure_resemblance(one: str, other: str) -> float:
    """Measure how alike two texts are by Broder's resemblance of their shingles.

    A shingle is a run of three words, case and punctuation aside; the resemblance is the number of distinct
    shingles that both have, divided by the number that either has.

    Returns
    -------
    float
        In [0, 1]; 0 where one of them has fewer than three words.

    References
    ----------
    Broder, "On the resemblance and containment of documents", Proceedings of Compression and Complexity of
    SEQUENCES, 1997.

    Examples
    --------
    >>> measure_resemblance("I would wait for a year.", "I would wait, for a month!")
    0.6
    """
    a, b = _shingle(_cut_words(one)), _shingle(_cut_words(other))
    return len(a & b) / len(a | b) if a and b else 0.0


def _shingle(words: Words) -> Shingles:
    return frozenset(zip(*(words[start:] for start in range(SHINGLE_WORDS)), strict=False))


def _near_identical(texts: Sequence[str], roots: list[int]) -> Iterator[tuple[int, int]]:
    """Give pairs of near-identical texts that are not joined yet, by place; `roots` may change meanwhile."""
    first_place: dict[Words, int] = {}
    distinct: list[tuple[int, Shingles]] = []
    for place, text in enumerate(texts):
        words = _cut_words(text)
        if len(words) < MIN_WORDS:
            continue
        first = first_place.setdefault(words, place)
        if first != place:
            yield first, place
            continue
        shingles = _shingle(words)
        for other, known in distinct:
            if _find(roots, other) != _find(roots, place) and _resemble(known, shingles):
                yield other, place
        distinct.append((place, shingles))


def _resemble(one: Shingles, other: Shingles) -> bool:
    fewer, more = sorted((len(one), len(other)))
    # With sizes that differ so much, or nothing in common, the resemblance cannot be reached.
    if fewer < RESEMBLANCE * more or one.isdisjoint(other):
        return False
    n_both = len(one & other)
    return n_both >= RESEMBLANCE * (fewer + more - n_both)


# ---------------------------------------------------------------- weights and fields


def read_field(answer: AnswerRecord, field: str) -> Any:
    """Return a field of an answer, or else of its respondent; None where neither has it.

    Parameters
    ----------
    answer
        The record.
    field
        ``respondent.specialty``, ``specialty``, or the name of a further column.

    Examples
    --------
    >>> record = {"question_id": "q", "question": "Q?", "answer_id": "a", "position": 1, "text": "T", "ward": 3}
    >>> record |= {"source": {"file": "f", "locator": "l"}, "respondent": {"specialty": "Dentist"}}
    >>> answer = AnswerRecord.model_validate(record)
    >>> read_field(answer, "specialty"), read_field(answer, "respondent.specialty"), read_field(answer, "ward")
    ('Dentist', 'Dentist', 3)
    """
    own, respondent = _fields_of(answer), _fields_of(answer.respondent)
    return next((v for v in (own.get(field), respondent.get(field.removeprefix("respondent."))) if v is not None), None)


def _fields_of(record: AnswerRecord | Respondent) -> dict[str, Any]:
    fields = record.__dict__ | (record.model_extra or {})
    return {name: value for name, value in fields.items() if not isinstance(value, BaseModel)}


def read_weight(answer: AnswerRecord, field: str) -> float:
    """Return how much an answer's vote counts.

    Returns
    -------
    float
        Finite and not negative.

    Raises
    ------
    BadInput
        When the field is missing or is no such number.
    """
    value = read_field(answer, field)
    if value is None or (isinstance(value, str) and not value.strip()):
        problem = "is missing or empty"
    elif not 0 <= (weight := _to_number(value)) < math.inf:
        problem = f"{str(value)[:40]!r} is no finite number of 0 or more"
    else:
        return weight
    source = answer.source
    reason = f"{problem}: every answer needs one to be weighted by"
    raise BadInput(source.file, reason, where=f"{source.locator}, column {field}")


def _to_number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return math.nan
    try:
        return float(value)
    except (ValueError, OverflowError):
        return math.nan


def count_effective(weights: Sequence[float]) -> float:
    """Return the effective number of weighted votes, ``(sum w)^2 / sum w^2``.

    Returns
    -------
    float
        Between 0 and the number of votes: as many when all weigh alike, 1 when one outweighs all others;
        0 when nothing weighs anything.

    References
    ----------
    Kish, "Survey Sampling", 1965.

    Examples
    --------
    >>> count_effective([2, 2, 2, 2]), count_effective([1, 0, 0]), count_effective([])
    (4.0, 1.0, 0.0)
    """
    heaviest = max(weights, default=0.0)
    if heaviest <= 0:
        return 0.0
    scaled = [w / heaviest for w in weights]
    return sum(scaled) ** 2 / sum(w * w for w in scaled)
