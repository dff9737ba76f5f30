"""Words are cut into the longest pieces that the vocabulary has, and each piece knows where its word stands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.encoder import WordPieces
from tests.tiny_encoder import PIECES

CUTTER = WordPieces(PIECES)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("It is safe.", ["it", "is", "safe", "."], id="whole words, lower case"),
        pytest.param("unsafe", ["un", "##s", "##a", "##f", "##e"], id="the longest piece first"),
        pytest.param("risks", ["risk", "##s"], id="an ending"),
        pytest.param("SÁFÉ", ["safe"], id="accents"),
        pytest.param("do_not", ["do", "[UNK]", "not"], id="an underscore parts"),
        pytest.param("isn't", ["is", "##n", "'", "t"], id="an apostrophe parts"),
        pytest.param("safe漢", ["[UNK]"], id="a word with a sign that no piece has"),
        pytest.param("a" * 101, ["[UNK]"], id="an endless word"),
        pytest.param("a" * 100, ["a", *["##a"] * 99], id="a word just short of endless"),
        pytest.param(" \n\t ", [], id="nothing"),
    ],
)
def test_words_become_pieces(text: str, expected: list[str]) -> None:
    numbers, starts = CUTTER.cut(text)
    assert [PIECES[number] for number in numbers] == expected
    assert len(starts) == len(numbers)


def test_every_piece_starts_where_its_word_does() -> None:
    numbers, starts = CUTTER.cut("  risks, unsafe")
    assert [PIECES[number] for number in numbers] == ["risk", "##s", ",", "un", "##s", "##a", "##f", "##e"]
    assert starts == [2, 2, 7, 9, 9, 9, 9, 9]


@given(st.text())
def test_no_text_breaks_the_cutter_and_starts_are_in_order(text: str) -> None:
    numbers, starts = CUTTER.cut(text)
    assert all(0 <= number < len(PIECES) for number in numbers)
    assert starts == sorted(starts)
    assert all(not text[start].isspace() for start in starts)


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=100))
def test_the_pieces_of_a_word_spell_it(word: str) -> None:
    numbers, _ = CUTTER.cut(word)
    assert "".join(PIECES[number].removeprefix("##") for number in numbers) == word


@given(st.lists(st.text(alphabet="abc dé.,", max_size=20), max_size=5))
def test_what_was_cut_before_changes_nothing(texts: list[str]) -> None:
    alone = [WordPieces(PIECES).cut(text) for text in texts]
    assert [CUTTER.cut(text) for text in texts] == alone
