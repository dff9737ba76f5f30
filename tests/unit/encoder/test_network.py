"""The network computes what its formulas say, one text at a time."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.encoder import Encoder, Layer, Norm, Quantised
from pipeline.encoder.network import ANSWER_PIECES, ASKED_PIECES
from tests.tiny_encoder import LABELS, tiny_encoder

Doubles = NDArray[np.float64]
ENCODER = tiny_encoder()


# ------------------------------------------------- the same formulas, written out number by number


def norm_by_hand(x: Doubles, norm: Norm) -> Doubles:
    rows = []
    for row in x:
        mean = sum(row) / len(row)
        spread = math.sqrt(sum((value - mean) ** 2 for value in row) / len(row) + 1e-12)
        rows.append([(v - mean) / spread * g + b for v, g, b in zip(row, norm.gain, norm.bias, strict=True)])
    return np.array(rows)


def layer_by_hand(x: Doubles, layer: Layer, n_heads: int) -> Doubles:
    n, width = x.shape
    size = width // n_heads
    asked = x @ layer.asks.astype(float) + layer.asks_bias
    mixed = np.zeros((n, width))
    for head in range(n_heads):
        queries, keys, values = (asked[:, part * width + head * size :][:, :size] for part in range(3))
        for i in range(n):
            odds = np.array([math.exp(queries[i] @ keys[j] / math.sqrt(size)) for j in range(n)])
            mixed[i, head * size : (head + 1) * size] = (odds / odds.sum()) @ values
    x = norm_by_hand(x + mixed @ layer.mixes.astype(float) + layer.mixes_bias, layer.mixed_norm)
    inner = x @ layer.widens.astype(float) + layer.widens_bias
    inner = np.array(
        [[0.5 * v * (1 + math.tanh(math.sqrt(2 / math.pi) * (v + 0.044715 * v**3))) for v in row] for row in inner]
    )
    return norm_by_hand(x + inner @ layer.narrows.astype(float) + layer.narrows_bias, layer.norm)


def view_by_hand(encoder: Encoder, numbers: list[int], first: int) -> Doubles:
    words = encoder.words.to_singles().astype(float)
    x = np.array(
        [
            words[:, number] + encoder.positions[place] + encoder.segments[int(place >= first)]
            for place, number in enumerate(numbers)
        ]
    )
    x = norm_by_hand(x, encoder.norm)
    for layer in encoder.layers:
        x = layer_by_hand(x, layer, encoder.n_heads)
    return x


@pytest.mark.parametrize("seed", range(4))
def test_the_view_of_each_piece_is_that_of_the_formulas(seed: int) -> None:
    encoder = tiny_encoder(seed)
    numbers, first, _ = encoder.cut("safe", "Is it safe?", "It is not safe. I would not do it.")
    np.testing.assert_allclose(encoder.view(numbers, first), view_by_hand(encoder, numbers, first), atol=2e-4)


def test_a_reading_is_the_sum_of_what_each_word_adds() -> None:
    starts, added = ENCODER.read("safe", "Is it safe?", "It is not safe.")
    numbers, first, _ = ENCODER.cut("safe", "Is it safe?", "It is not safe.")
    views = view_by_hand(ENCODER, numbers, first)[first:-1]
    odds = np.exp(views @ ENCODER.attention)
    expected = (odds / odds.sum()) @ views @ ENCODER.reading
    assert added.shape == (len(starts), len(LABELS))
    np.testing.assert_allclose(added.sum(axis=0), expected, atol=1e-3)


# ------------------------------------------------- what is read


def test_what_is_asked_stands_before_the_answer() -> None:
    numbers, first, starts = ENCODER.cut("safe", "is it", "risk.")
    pieces = [ENCODER.pieces[number] for number in numbers]
    assert pieces == ["[CLS]", "safe", "[SEP]", "is", "it", "[SEP]", "risk", ".", "[SEP]"]
    assert (first, starts) == (6, [0, 4])


def test_without_a_proposition_the_question_is_read_in_its_place() -> None:
    numbers, first, _ = ENCODER.cut(None, "is it", "risk")
    pieces = [ENCODER.pieces[number] for number in numbers]
    assert pieces == ["[CLS]", "is", "it", "[SEP]", "[SEP]", "risk", "[SEP]"]
    assert first == 5


def test_of_a_long_answer_the_beginning_and_the_end_are_read() -> None:
    text = " ".join(["it"] * 300 + ["safe"] * 300)
    numbers, first, starts = ENCODER.cut("do", "is it?", text)
    assert len(starts) == ANSWER_PIECES
    read = [ENCODER.pieces[number] for number in numbers[first:-1]]
    assert read == ["it"] * 160 + ["safe"] * 96
    assert starts[-1] == len(text) - 4
    assert all(before < after for before, after in pairwise(starts))


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=2000))
def test_no_text_is_too_long_for_the_places(proposition: str, question: str, text: str) -> None:
    numbers, first, starts = ENCODER.cut(proposition * 20, question * 20, text * 3)
    assert first <= 2 * ASKED_PIECES + 3
    assert len(numbers) == first + len(starts) + 1 <= len(ENCODER.positions)


@pytest.mark.parametrize("text", ["", " ", "\n\n"], ids=["nothing", "a space", "lines"])
def test_an_answer_without_words_says_nothing(text: str) -> None:
    starts, added = ENCODER.read("safe", "is it safe?", text)
    assert (starts, added.shape) == ([], (0, len(LABELS)))


# ------------------------------------------------- matrices in bytes


@given(st.integers(0, 1000), st.floats(1e-3, 1e3))
def test_rounding_to_bytes_errs_by_half_a_step_at_most(seed: int, size: float) -> None:
    matrix = (np.random.default_rng(seed).normal(size=(7, 5)) * size).astype(np.float32)
    rounded = Quantised.of(matrix)
    assert np.abs(rounded.values).max() == 63
    assert (np.abs(rounded.to_singles() - matrix) <= rounded.scales * 0.5001).all()


def test_a_column_of_nothing_stays_nothing() -> None:
    assert (Quantised.of(np.zeros((3, 2), dtype=np.float32)).to_singles() == 0).all()
