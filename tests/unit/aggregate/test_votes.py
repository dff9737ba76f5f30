"""One vote per doctor: who and what is one voice, which answer counts, and how much."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.aggregate.votes import (
    MIN_WORDS,
    count_effective,
    find_mergers,
    fold_name,
    group_respondents,
    measure_resemblance,
    read_field,
    read_weight,
)
from pipeline.errors import BadInput
from pipeline.schema import ClassifiedAnswer, LabelScheme, Respondent

Build = Callable[..., ClassifiedAnswer]

LONG = (
    "The skin needs about six weeks to settle, so I would leave it alone until then, keep it out of the sun, "
    "and come back when the redness has gone; most of my patients do not need anything further after that."
)


def named(*people: dict[str, str | None]) -> list[Respondent]:
    return [Respondent.model_validate(person) for person in people]


# ---------------------------------------------------------------- the same respondent


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        pytest.param({"name": "Ada Quill"}, {"name": "Ada Quill"}, True, id="the same name"),
        pytest.param({"name": "Ada Quill"}, {"name": "  ADA   quill "}, True, id="case and spaces"),
        pytest.param({"name": "Ada Quill"}, {"name": "Ada Quell"}, False, id="another name"),
        pytest.param({"name": None}, {"name": None}, False, id="no names"),
        pytest.param({"name": ""}, {"name": "  "}, False, id="empty names"),
        pytest.param({"name": "Anonymous"}, {"name": "anonymous"}, False, id="what is no name"),
        pytest.param(
            {"name": "Ada Quill", "credentials": "MD"}, {"name": "Ada Quill"}, True, id="credentials of one alone"
        ),
        pytest.param(
            {"name": "Ada Quill", "credentials": "MD"},
            {"name": "Ada Quill", "credentials": "M.D., FAAD"},
            True,
            id="credentials that go on",
        ),
        pytest.param(
            {"name": "Ada Quill", "credentials": "MD"},
            {"name": "Ada Quill", "credentials": "DDS"},
            False,
            id="credentials that contradict",
        ),
        pytest.param(
            {"name": "Ada Quill", "location": "Fenwick"},
            {"name": "Ada Quill", "location": "Aldermoor"},
            False,
            id="places that contradict",
        ),
        pytest.param(
            {"name": "Ada Quill", "location": "Fenwick"},
            {"name": "Ada Quill", "location": "fenwick, Northmark"},
            True,
            id="a place that goes on",
        ),
        pytest.param(
            {"name": "Ada Quill", "specialty": "Dentist"},
            {"name": "Ada Quill", "specialty": "Surgeon"},
            True,
            id="specialties do not count",
        ),
    ],
)
def test_a_respondent_is_known_by_the_name_unless_something_contradicts(
    one: dict[str, str | None], other: dict[str, str | None], is_same: bool
) -> None:
    assert group_respondents(named(one, other)) == ([(0, 1)] if is_same else [])
    assert group_respondents(named(other, one)) == ([(0, 1)] if is_same else [])


def test_namesakes_who_contradict_are_never_joined_by_one_who_fits_both() -> None:
    people = named(
        {"name": "Ada Quill", "location": "Fenwick"},
        {"name": "Ada Quill", "location": "Aldermoor"},
        {"name": "Ada Quill"},
        {"name": "Ada Quill", "location": "Aldermoor"},
    )
    assert group_respondents(people) == [(0, 2), (1, 3)]


@pytest.mark.parametrize("name", ["", "-", "N/A", "Doctor", "unknown", " Name  not given "])
def test_what_stands_in_a_names_place_is_no_name(name: str) -> None:
    assert fold_name(name) == ""


# ---------------------------------------------------------------- near-identical texts


@pytest.mark.parametrize(
    ("one", "other", "resemblance"),
    [
        pytest.param("a b c d e", "a b c d e", 1.0, id="the same"),
        pytest.param("A, b: c! d? e", "a b c d e", 1.0, id="case and punctuation do not count"),
        # Shingles abc bcd cde and abc bcd cdx: two of four.
        pytest.param("a b c d e", "a b c d x", 0.5, id="another last word"),
        pytest.param("a b c d e", "v w x y z", 0.0, id="nothing in common"),
        pytest.param("a b c d e", "e d c b a", 0.0, id="the order counts"),
        pytest.param("a b", "a b", 0.0, id="no shingle"),
        pytest.param("", "", 0.0, id="no word"),
    ],
)
def test_the_resemblance_of_texts_is_broders(one: str, other: str, resemblance: float) -> None:
    assert measure_resemblance(one, other) == resemblance
    assert measure_resemblance(other, one) == resemblance


WORDS = st.lists(st.sampled_from("abcdefgh"), max_size=30).map(" ".join)


@given(WORDS, WORDS)
@settings(max_examples=60)
def test_a_resemblance_is_a_symmetric_share(one: str, other: str) -> None:
    found = measure_resemblance(one, other)
    assert 0 <= found <= 1
    assert found == measure_resemblance(other, one)
    assert measure_resemblance(one, one) == float(len(one.split()) >= 3)


@pytest.mark.parametrize(
    ("texts", "n_voices"),
    [
        pytest.param([LONG, LONG], 1, id="the same text"),
        pytest.param([LONG, LONG.upper().replace(",", " -")], 1, id="case and punctuation"),
        pytest.param([LONG, LONG.replace("six weeks", "eight weeks")], 1, id="one word of thirty"),
        pytest.param([LONG, LONG.replace("six", "ten").replace("sun", "heat").replace("most", "few")], 2, id="three"),
        pytest.param(
            [LONG, f"{LONG} But there is another thing to think of, which is how deep it goes."], 2, id="more"
        ),
        pytest.param(["Yes.", "Yes."], 2, id="short"),
        pytest.param([" ".join(["no"] * (MIN_WORDS - 1))] * 2, 2, id="just too short"),
        pytest.param([" ".join(["no"] * MIN_WORDS)] * 2, 1, id="just long enough"),
    ],
)
def test_near_identical_texts_of_differently_named_respondents_are_one_voice(
    scheme: LabelScheme, build: Build, texts: list[str], n_voices: int
) -> None:
    panel = [
        build("against", scheme, n, text=text, respondent={"name": f"Doctor {'ABC'[n]}"})
        for n, text in enumerate(texts)
    ]
    mergers = find_mergers(panel)
    assert len(panel) - sum(len(merger.others) for merger in mergers) == n_voices
    assert all(merger.reason == "near-identical text" for merger in mergers)


# ---------------------------------------------------------------- which counts


def test_the_surest_answer_that_was_not_abstained_on_counts(scheme: LabelScheme, build: Build) -> None:
    person = {"name": "Ada Quill"}
    panel = [
        build("against", scheme, 1, confidence=0.6, respondent=person),
        build("supportive", scheme, 2, confidence=0.8),
        build("supportive", scheme, 3, confidence=0.7, respondent=person),
        build("against", scheme, 4, confidence=0.99, abstained=True, respondent=person),
        build("against", scheme, 5, confidence=0.7, respondent=person),
    ]
    (merger,) = find_mergers(panel)
    assert (merger.counted, merger.others) == ("a3", ("a1", "a4", "a5"))
    assert merger.reason == "same respondent"
    assert merger.disagree


@pytest.mark.parametrize(
    ("stances", "disagree"),
    [
        pytest.param(["against", "supportive"], True, id="opposite sides"),
        pytest.param(["against", "cautiously_against"], False, id="one side"),
        pytest.param(["against", "no_stance"], False, id="one without a stance"),
    ],
)
def test_a_merger_says_whether_its_answers_take_different_sides(
    scheme: LabelScheme, build: Build, stances: list[str], disagree: bool
) -> None:
    panel = [build(stance, scheme, n, respondent={"name": "Ada Quill"}) for n, stance in enumerate(stances)]
    assert [merger.disagree for merger in find_mergers(panel)] == [disagree]


def test_what_name_and_text_join_is_one_voice_together(scheme: LabelScheme, build: Build) -> None:
    panel = [
        build("against", scheme, 1, text="Not at all.", respondent={"name": "Ada Quill"}),
        build("against", scheme, 2, text=LONG, respondent={"name": "ada quill"}),
        build("neutral", scheme, 3, text="It depends."),
        build("against", scheme, 4, text=LONG.replace("six", "eight"), respondent={"name": "Bo Fenn"}),
        build("against", scheme, 5, text="Never.", respondent={"name": "Bo Fenn"}),
    ]
    (merger,) = find_mergers(panel)
    assert {merger.counted, *merger.others} == {"a1", "a2", "a4", "a5"}
    assert merger.reason == "near-identical text"


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6)), min_size=1, max_size=12))
@settings(max_examples=60)
def test_mergers_part_the_answers_that_they_name(
    scheme: LabelScheme, build: Build, people: list[tuple[int, int]]
) -> None:
    texts = [f"{LONG} {'word ' * 40}{n}" if n < 3 else f"Number {n}." for n in range(7)]
    panel = [
        build(
            "against", scheme, place, text=texts[text], respondent={"name": f"Doctor {'VWXYZ'[who]}" if who else None}
        )
        for place, (who, text) in enumerate(people)
    ]
    mergers = find_mergers(panel)
    named_ids = [name for merger in mergers for name in (merger.counted, *merger.others)]
    assert len(named_ids) == len(set(named_ids))
    assert set(named_ids) <= {a.answer.answer_id for a in panel}
    counted = [a for a in panel if a.answer.answer_id not in {n for m in mergers for n in m.others}]
    assert find_mergers(counted) == ()


def test_two_hundred_long_answers_are_compared_without_a_pair_too_many(scheme: LabelScheme, build: Build) -> None:
    words = [f"word{n}" for n in range(500)]
    chance = random.Random(0)  # noqa: S311
    texts = [" ".join(chance.choices(words, k=200)) for _ in range(100)]
    panel = [build("against", scheme, n, text=text) for n, text in enumerate([*texts, *texts])]
    assert [len(merger.others) for merger in find_mergers(panel)] == [1] * 100


# ---------------------------------------------------------------- weights


@pytest.mark.parametrize(
    ("field", "fields", "weight"),
    [
        pytest.param("respondent.n_reviews", {"respondent": {"n_reviews": 12}}, 12.0, id="of the respondent"),
        pytest.param("n_reviews", {"respondent": {"n_reviews": 12}}, 12.0, id="without its prefix"),
        pytest.param("respondent.years", {"respondent": {"years": "7"}}, 7.0, id="further and a text"),
        pytest.param("years", {"years": 2.5}, 2.5, id="a column"),
        pytest.param("years", {"years": " 2.5 "}, 2.5, id="a column of text"),
        pytest.param("years", {"years": 0}, 0.0, id="nothing"),
    ],
)
def test_a_weight_is_a_number_of_the_answer_or_its_respondent(
    scheme: LabelScheme, build: Build, field: str, fields: dict[str, Any], weight: float
) -> None:
    assert read_weight(build("against", scheme, **fields).answer, field) == weight


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        pytest.param(None, "is missing or empty", id="missing"),
        pytest.param("  ", "is missing or empty", id="empty"),
        pytest.param("many", "'many' is no finite number of 0 or more", id="words"),
        pytest.param(-1, "'-1' is no finite number of 0 or more", id="negative"),
        pytest.param("nan", "'nan' is no finite number of 0 or more", id="no number"),
        pytest.param("inf", "'inf' is no finite number of 0 or more", id="infinite"),
        pytest.param("1e999", "'1e999' is no finite number of 0 or more", id="too large"),
        pytest.param(True, "'True' is no finite number of 0 or more", id="a truth value"),
        pytest.param([1], "'[1]' is no finite number of 0 or more", id="a list"),
        pytest.param(10**400, "is no finite number of 0 or more", id="a number without end"),
    ],
)
def test_what_is_no_weight_is_bad_input_that_names_file_row_and_column(
    scheme: LabelScheme, build: Build, value: object, problem: str
) -> None:
    with pytest.raises(BadInput) as caught:
        read_weight(build("against", scheme, 3, years=value).answer, "years")
    said = str(caught.value)
    assert said.startswith("f.csv, row at line 4, column years: ")
    assert problem in said
    assert "\n" not in said


@pytest.mark.parametrize("field", ["respondent", "source", "nonsense", "respondent.nonsense", ""])
def test_what_is_no_field_is_none(scheme: LabelScheme, build: Build, field: str) -> None:
    assert read_field(build("against", scheme).answer, field) is None


@given(st.lists(st.just(0.0) | st.floats(1e-100, 1e300), min_size=1, max_size=30))
def test_the_effective_number_lies_between_one_and_all_and_knows_no_unit(weights: list[float]) -> None:
    found = count_effective(weights)
    if max(weights) == 0:
        assert found == 0
        return
    assert 1 - 1e-9 <= found <= len(weights) + 1e-9
    assert count_effective([w * 0.5 for w in weights]) == pytest.approx(found, rel=1e-6)


def test_the_effective_number_of_equal_weights_is_their_number() -> None:
    assert count_effective([0.3] * 7) == pytest.approx(7)
    # Kish: (3 + 1)^2 / (9 + 1).
    assert count_effective([3, 1]) == pytest.approx(1.6)
