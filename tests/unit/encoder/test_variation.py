"""An answer is shown otherwise each time, and what is marked in it, what is asked and its label stay."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.encoder.examples import Example
from data.encoder.variation import Variation, draw_round, split_sentences
from pipeline.errors import BadInput
from tests.tiny_encoder import PIECES

VOCABULARY = tuple(dict.fromkeys((*PIECES, "[MASK]", *'();:-"')))
N_PIECES = 40
VARIATION = Variation.of(VOCABULARY, N_PIECES)
START, SEPARATOR = VOCABULARY.index("[CLS]"), VOCABULARY.index("[SEP]")
PLAIN = replace(VARIATION, rough_share=0.0, shortened_share=0.0, bare_share=0.0, masked_shares=(0.0,))
"""Shows an answer as it is."""

seeds = st.integers(0, 2**32).map(random.Random)
words = st.integers(SEPARATOR + 1, len(VOCABULARY) - 1).filter(lambda number: number != VARIATION.mask)


@st.composite
def examples(draw: st.DrawFn) -> Example:
    asked = draw(st.lists(words, max_size=5))
    answer = draw(st.lists(st.tuples(words, st.booleans()), min_size=1, max_size=N_PIECES))
    numbers = [START, *asked, SEPARATOR, *(number for number, _ in answer), SEPARATOR]
    return Example(numbers, len(asked) + 2, [is_marked for _, is_marked in answer], 1, is_rough=draw(st.booleans()))


def answer_of(example: Example) -> list[int]:
    return list(example.numbers[example.first : -1])


def marked_in(example: Example) -> list[int]:
    pieces = zip(answer_of(example), example.is_evidence, strict=True)
    return [number for number, is_marked in pieces if is_marked]


@given(example=examples(), chance=seeds)
def test_every_showing_fits_together_and_keeps_what_is_asked_and_the_label(
    example: Example, chance: random.Random
) -> None:
    shown = VARIATION.vary(example, chance)
    assert len(shown.is_evidence) == len(answer_of(shown)) <= N_PIECES
    assert shown.numbers[0] == START
    assert shown.numbers[-1] == SEPARATOR
    assert (shown.first, shown.label, shown.weight) == (example.first, example.label, example.weight)
    asked = zip(shown.numbers[: shown.first], example.numbers[: example.first], strict=True)
    assert all(now in {before, VARIATION.mask} for now, before in asked)


@given(example=examples(), chance=seeds)
def test_a_rough_answer_loses_only_sentences_in_which_nothing_is_marked(
    example: Example, chance: random.Random
) -> None:
    shown = replace(PLAIN, shortened_share=1.0, dropped_share=1.0).vary(replace(example, is_rough=True), chance)
    assert marked_in(shown) == marked_in(example)
    kept = iter(answer_of(example))
    assert all(number in kept for number in answer_of(shown)), "in order"
    if not any(example.is_evidence):
        assert shown.numbers == example.numbers


@given(example=examples(), chance=seeds)
def test_an_answer_in_good_order_loses_only_punctuation_and_is_greeted_and_closed(
    example: Example, chance: random.Random
) -> None:
    shown = replace(PLAIN, rough_share=1.0).vary(replace(example, is_rough=False), chance)
    kept = iter(marked_in(example))
    assert all(number in kept for number in marked_in(shown)), "in order, and no greeting is marked"

    def without_marks(numbers: list[int]) -> list[int]:
        return [number for number in numbers if number not in VARIATION.marks]

    said, shown_words = without_marks(answer_of(example)), without_marks(answer_of(shown))
    places = range(len(shown_words) - len(said) + 1)
    around = [(shown_words[:place], shown_words[place + len(said) :]) for place in places]
    usual = [[], *(without_marks([*text]) for text in (*VARIATION.greetings, *VARIATION.closings))]
    assert any(before in usual and after in usual for before, after in around)


ALWAYS = replace(
    VARIATION,
    rough_share=1.0,
    unmarked_share=1.0,
    unmarked_signs=1.0,
    greeted_share=1.0,
    closed_share=1.0,
    shortened_share=1.0,
    dropped_share=1.0,
    hidden_share=0.0,
)
"""Does all that it can do, and hides nothing."""


def spell(text: str) -> list[int]:
    return [VOCABULARY.index(piece) for piece in text.split()]


def read_out(numbers: list[int]) -> str:
    return " ".join(VOCABULARY[number] for number in numbers)


def show(text: str, marked: str, *, is_rough: bool) -> Example:
    """Vary an answer, below each of whose pieces a plus says that it is marked."""
    is_evidence = [sign == "+" for sign in marked.replace(" ", "")]
    example = Example([START, SEPARATOR, *spell(text), SEPARATOR], 2, is_evidence, 1, is_rough=is_rough)
    return ALWAYS.vary(example, random.Random(0))  # noqa: S311


@pytest.mark.parametrize(
    ("text", "marked", "expected"),
    [
        pytest.param("i do . it is safe . not the risk", "--- ++++ ---", "it is safe .", id="what is marked stays"),
        pytest.param("i do ? it is ! safe", "--- --+ -", "it is !", id="any stop ends a sentence"),
        pytest.param("i do , it is", "-- + --", "i do , it is", id="a comma ends none"),
        pytest.param("i do . it is", "--- --", "i do . it is", id="nothing marked and nothing dropped"),
    ],
)
def test_rough_answers_lose_sentences_in_which_nothing_is_marked(text: str, marked: str, expected: str) -> None:
    assert read_out(answer_of(show(text, marked, is_rough=True))) == expected


def test_an_answer_in_good_order_loses_its_punctuation_and_is_greeted_and_closed() -> None:
    example = show("it is safe . i would do it !", "++++ -----", is_rough=False)
    assert read_out(marked_in(example)) == "it is safe"
    shown = answer_of(example)
    body = spell("it is safe i would do it")
    place = next(place for place in range(len(shown)) if shown[place : place + len(body)] == body)
    assert shown[:place] in [list(text) for text in VARIATION.greetings]
    assert shown[place + len(body) :] in [list(text) for text in VARIATION.closings]


def test_an_answer_that_no_greeting_fits_loses_its_punctuation_all_the_same() -> None:
    text = " ".join(["safe ."] * (N_PIECES // 2))
    variation = replace(ALWAYS, n_pieces=N_PIECES // 2)
    example = Example([START, SEPARATOR, *spell(text), SEPARATOR], 2, [False] * N_PIECES, 1, is_rough=False)
    assert read_out(answer_of(variation.vary(example, random.Random(0)))) == " ".join(["safe"] * 20)  # noqa: S311


def test_an_answer_of_signs_alone_stays() -> None:
    variation = replace(ALWAYS, greeted_share=0.0, closed_share=0.0)
    example = Example([START, SEPARATOR, *spell(". ! ?"), SEPARATOR], 2, [False] * 3, 1, is_rough=False)
    assert read_out(answer_of(variation.vary(example, random.Random(0)))) == ". ! ?"  # noqa: S311


LONG = Example([START, SEPARATOR, *spell("safe .") * 10, SEPARATOR], 2, [True, True, *[False] * 18], 1)
BARE = replace(LONG, numbers=[START, SEPARATOR, *spell("do it"), SEPARATOR], is_evidence=[False] * 2)


@pytest.mark.parametrize(
    ("share", "is_rough", "others"),
    [
        pytest.param("bare_share", True, {}, id="read without the proposition"),
        pytest.param("shortened_share", True, {"dropped_share": 1.0}, id="shortened"),
        pytest.param("rough_share", False, {"unmarked_share": 1.0}, id="roughened"),
        pytest.param("unmarked_share", False, {"rough_share": 1.0}, id="unmarked"),
        pytest.param("greeted_share", False, {"rough_share": 1.0}, id="greeted"),
        pytest.param("closed_share", False, {"rough_share": 1.0}, id="closed"),
    ],
)
def test_answers_are_varied_as_often_as_said(share: str, is_rough: bool, others: dict[str, Any]) -> None:
    still: dict[str, Any] = {"unmarked_share": 0.0, "greeted_share": 0.0, "closed_share": 0.0, "unmarked_signs": 1.0}
    variation = replace(PLAIN, **(still | others | {share: 0.3}))
    example = replace(LONG, is_rough=is_rough, bare=BARE)
    shown = [variation.vary(example, random.Random(seed)).numbers for seed in range(400)]  # noqa: S311
    assert 90 <= sum(numbers != LONG.numbers for numbers in shown) <= 150


@pytest.mark.parametrize(
    ("share", "is_rough", "others", "n_most"),
    [
        pytest.param("dropped_share", True, {"shortened_share": 1.0}, 18, id="sentences"),
        pytest.param("unmarked_signs", False, {"rough_share": 1.0, "unmarked_share": 1.0}, 10, id="signs"),
    ],
)
def test_as_much_is_left_out_as_said(share: str, is_rough: bool, others: dict[str, Any], n_most: int) -> None:
    variation = replace(PLAIN, greeted_share=0.0, closed_share=0.0, **(others | {share: 0.3}))
    example = replace(LONG, is_rough=is_rough)
    lost = [20 - len(answer_of(variation.vary(example, random.Random(seed)))) for seed in range(400)]  # noqa: S311
    assert 0.25 <= sum(lost) / (400 * n_most) <= 0.35


def test_pieces_are_hidden_as_often_as_said() -> None:
    variation = replace(PLAIN, masked_shares=(0.5,))
    example = Example([START, SEPARATOR, *spell("it is safe") * 10, SEPARATOR], 2, [False] * 30, 1)
    shown = [variation.vary(example, random.Random(seed)).numbers for seed in range(400)]  # noqa: S311
    hidden = [sum(number == VARIATION.mask for number in numbers) for numbers in shown]
    assert 160 <= sum(n > 0 for n in hidden) <= 240
    assert 13 <= sum(hidden) / sum(n > 0 for n in hidden) <= 17


@given(example=examples(), chance=seeds)
def test_a_rough_answer_is_not_roughened_and_one_in_good_order_not_shortened(
    example: Example, chance: random.Random
) -> None:
    usual = replace(PLAIN, shortened_share=0.0 if example.is_rough else 1.0, dropped_share=1.0)
    other = replace(usual, rough_share=1.0 if example.is_rough else 0.0)
    assert other.vary(example, chance).numbers == example.numbers


@given(n_before=st.integers(1, N_PIECES), chance=seeds)
def test_an_answer_grows_no_longer_than_is_read(n_before: int, chance: random.Random) -> None:
    word = VOCABULARY.index("safe")
    example = Example([START, SEPARATOR, *[word] * n_before, SEPARATOR], 2, [False] * n_before, 1, is_rough=False)
    shown = replace(PLAIN, rough_share=1.0, greeted_share=1.0, closed_share=1.0).vary(example, chance)
    assert n_before <= len(answer_of(shown)) <= N_PIECES


@given(example=examples(), chance=seeds)
def test_pieces_are_hidden_but_never_borders(example: Example, chance: random.Random) -> None:
    shown = replace(PLAIN, masked_shares=(1.0,)).vary(example, chance)
    hidden = [number if number in VARIATION.borders else VARIATION.mask for number in example.numbers]
    assert list(shown.numbers) in (list(example.numbers), hidden)


@given(example=examples(), bare=examples(), chance=seeds)
def test_an_answer_is_read_without_its_proposition_as_often_as_said(
    example: Example, bare: Example, chance: random.Random
) -> None:
    both = replace(example, bare=bare)
    assert replace(PLAIN, bare_share=1.0).vary(both, chance).numbers == bare.numbers
    assert PLAIN.vary(both, chance).numbers == example.numbers


@given(st.lists(st.integers(0, 5)))
def test_sentences_follow_each_other_and_end_at_stops(numbers: list[int]) -> None:
    sentences = list(split_sentences(numbers, {0, 1}))
    assert [place for sentence in sentences for place in sentence] == list(range(len(numbers)))
    assert all(numbers[sentence[-1]] in {0, 1} for sentence in sentences[:-1])
    assert all(numbers[place] > 1 for sentence in sentences for place in sentence[:-1])


def test_a_round_sees_an_answer_by_its_share() -> None:
    plain = Example([START, 7, SEPARATOR, 8, SEPARATOR], 3, [False], 1)
    drawn = [replace(plain, weight=float(n), share=share) for n, share in enumerate([0.0, 1.0, 0.25] * 400)]
    batches = draw_round(drawn, VARIATION, 16, random.Random(0))  # noqa: S311
    assert max(map(len, batches)) == 16
    seen = sorted(example.weight for batch in batches for example in batch)
    assert len(set(seen)) == len(seen)
    by_share = [sum(weight % 3 == place for weight in seen) for place in range(3)]
    assert by_share[:2] == [0, 400]
    assert 70 <= by_share[2] <= 130


def test_answers_of_a_batch_are_about_as_long_as_each_other() -> None:
    lengths = [*range(1, 41)] * 20
    drawn = [Example([START, SEPARATOR, *[8] * n, SEPARATOR], 2, [False] * n, 1) for n in lengths]
    batches = draw_round(drawn, PLAIN, 16, random.Random(0))  # noqa: S311
    spread = [max(len(e.numbers) for e in batch) - min(len(e.numbers) for e in batch) for batch in batches]
    assert max(spread) <= 3


def test_answers_and_batches_are_seen_in_no_order() -> None:
    drawn = [Example([START, SEPARATOR, *[8] * n, SEPARATOR], 2, [False] * n, n) for n in [*range(1, 41)] * 40]
    batches = draw_round(drawn, PLAIN, 16, random.Random(0))  # noqa: S311
    lengths = [len(batch[0].numbers) for batch in batches]
    assert lengths[:50] != sorted(lengths[:50])
    same = [Example([START, SEPARATOR, 8, SEPARATOR], 2, [False], n) for n in range(64)]
    assert [e.label for e in draw_round(same, PLAIN, 64, random.Random(0))[0]] != [*range(64)]  # noqa: S311


def test_rounds_of_one_seed_are_the_same_and_of_another_are_not() -> None:
    drawn = [Example([START, 7, SEPARATOR, *[8] * n, SEPARATOR], 3, [False] * n, 1) for n in range(1, 40)]
    chances = (random.Random(seed) for seed in (1, 1, 2))  # noqa: S311
    first, same, other = (draw_round(drawn, VARIATION, 8, chance) for chance in chances)
    assert first == same != other


def test_a_vocabulary_without_a_hidden_piece_is_refused() -> None:
    with pytest.raises(BadInput, match=r"has no piece \[MASK\]"):
        Variation.of(PIECES, N_PIECES)
