"""Cleaning that can be traced back, and what is marked on the tokens of a batch of answers."""

from __future__ import annotations

import signal
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.features import extract_features
from pipeline.lexicon import REQUIRED_FAMILIES, TARGET, default_lexicon_text, parse_lexicon
from pipeline.preprocess import (
    ZONES,
    AnswerParser,
    Cue,
    ParsedBatch,
    align_clean,
    clean_dashes,
    clean_furniture,
    clean_invisible,
    clean_letters,
    clean_long_run,
    clean_markup,
    clean_punctuation,
    clean_run_on,
    clean_spaces,
    clean_text,
    compose_answer,
    parse_answers,
    stem,
    tokenise,
    wordtypes,
)
from pipeline.schema import AnswerRecord, MarkedSpan, Source

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from numpy.typing import NDArray
    from spacy.tokens import Doc, Token

PIECES = st.sampled_from(
    [
        "safe", "not", "Don", "\u2019t", "unsafe.Don't", " ", "\n", "\r\n", "\u00a0", "\u200b", "\ufeff", "\u00ad",
        "&amp;", "&quot;", "&lt;b&gt;", "<br>", "<b>", "</p>", "{{ vote }}", "{% if x %}", "--><link>", "e\u0301",
        "\ufb00", "\ufb01", "\u0301", "\u2014", "\u2026", ".", "!", "<5", "{{", "-", "\u201c", "\u201d", "\U0001f600",
    ]
)  # fmt: skip
MESSY = st.lists(PIECES, max_size=12).map("".join) | st.text(max_size=30)


def answer(
    text: str, *, headline: str | None = None, proposition: str | None = None, question: str = "Is a peel safe?"
) -> AnswerRecord:
    return AnswerRecord(
        question_id="q",
        question=question,
        proposition=proposition,
        answer_id="a",
        position=1,
        headline=headline,
        text=text,
        source=Source(file="t", locator="answer 1"),
    )


# ---------------------------------------------------------------- cleaning


@pytest.mark.parametrize(
    ("clean", "before", "after"),
    [
        pytest.param(clean_punctuation, "don\u2019t", "don't", id="curly apostrophe"),
        pytest.param(clean_punctuation, "don`t, don\u00b4t", "don't, don't", id="backtick and acute accent"),
        pytest.param(clean_punctuation, "\u201cno\u201d \u00abno\u00bb", '"no" "no"', id="curly and angle quotes"),
        pytest.param(clean_dashes, "a \u2013 b\u2014c -- d--e", "a - b - c - d - e", id="dashes"),
        pytest.param(clean_dashes, "10\u201320 days", "10-20 days", id="a range of numbers"),
        pytest.param(clean_spaces, "a  b\r\nc\n \n\nD\nE", "a b c\n\nD\nE", id="spaces and lines"),
        pytest.param(clean_punctuation, "a\u00a0b\u3000c\td", "a b c d", id="wide spaces and tab"),
        pytest.param(clean_punctuation, "a\u2028b\u0085c", "a\nb\nc", id="line separators"),
        pytest.param(clean_invisible, "bo\u200bto\u00adx\ufeff", "botox", id="zero width, soft hyphen, mark"),
        pytest.param(clean_invisible, "a\u202eb\x00c\x1fd", "abcd", id="direction mark and controls"),
        pytest.param(clean_invisible, "yes\u2600\ufe0f", "yes\u2600", id="variation selector"),
        pytest.param(clean_markup, "a &amp; b &lt; c &#39;d&#x27;", "a & b < c 'd'", id="entities"),
        pytest.param(clean_markup, "&amp;lt;", "&lt;", id="an entity is undone once"),
        pytest.param(clean_markup, "a<br/>b<P class='x'>c</p>", "a\nb\nc\n", id="tags that break the line"),
        pytest.param(clean_markup, "un<b>safe</b> <a href='x'>here</a>", "unsafe here", id="tags that do not"),
        pytest.param(clean_furniture, "{{ n +\n1 }}ok{% if x %}", " ok ", id="templates"),
        pytest.param(clean_furniture, "see --><link>", "see  ", id="link placeholder"),
        pytest.param(clean_letters, "e\u0301clat \ufb01ller", "\u00e9clat filler", id="accents and ligatures"),
        pytest.param(clean_run_on, "It is unsafe.Stop!Really", "It is unsafe. Stop! Really", id="run-on sentences"),
    ],
)  # fmt: skip
def test_a_cleaning_step_makes_this_of_that(clean: Callable[[str], str], before: str, after: str) -> None:
    assert clean(before) == after


@pytest.mark.parametrize(
    ("clean", "text"),
    [
        pytest.param(clean_punctuation, 'It\'s "fine" - really (5 mm)\u2026 caf\u00e9 \U0001f600\n', id="plain text"),
        pytest.param(clean_invisible, "line\nline\ttab \U0001f600 \u00e9", id="visible text"),
        pytest.param(clean_markup, "if < 5 mm and > 2 mm, AT&T, <3 &c; x<y>z", id="comparisons and a heart"),
        pytest.param(clean_markup, "<unknown> <button>", id="tags that are not known"),
        pytest.param(clean_furniture, "a { b } {{ open - dash -- link", id="braces that do not close"),
        pytest.param(clean_letters, "x\u00b2 \u2122 \u00bd \u00e9 5\u0301 \uff21", id="signs that only look composed"),
        pytest.param(clean_run_on, "0.5 ml, 3.Five, e.g.Botox, a.B, U.S.A, no.yes, ... And", id="points inside words"),
    ],
)
def test_a_cleaning_step_leaves_this_alone(clean: Callable[[str], str], text: str) -> None:
    assert clean(text) == text


STEPS = (
    clean_markup,
    clean_punctuation,
    clean_invisible,
    clean_furniture,
    clean_letters,
    clean_dashes,
    clean_spaces,
    clean_run_on,
    clean_long_run,
)


@given(MESSY)
@settings(max_examples=300)
def test_clean_text_is_the_cleaning_steps_in_their_documented_order(text: str) -> None:
    expected = text
    for step in STEPS:
        expected = step(expected)
    assert clean_text(text) == expected


@given(MESSY)
@settings(max_examples=300)
def test_every_clean_character_is_traced_to_original_ones_in_order(text: str) -> None:
    clean, alignment = align_clean(text)
    origins = [alignment.trace(n, n + 1) for n in range(len(clean))]
    assert all(0 <= start < end <= len(text) for start, end in origins)
    assert all(one[0] <= other[0] and one[1] <= other[1] for one, other in pairwise(origins))
    if not alignment.steps:
        assert origins == [(n, n + 1) for n in range(len(text))]


@pytest.mark.parametrize("text", ["-" * 200_000, "{{" * 100_000, "{%" * 100_000], ids=["dashes", "braces", "percent"])
def test_cleaning_takes_time_in_proportion_to_the_length(text: str) -> None:
    def give_up(_signal: int, _frame: FrameType | None) -> None:
        raise AssertionError("ten seconds of work for 200 000 characters: the time grows with the square")

    previous = signal.signal(signal.SIGVTALRM, give_up)
    signal.setitimer(signal.ITIMER_VIRTUAL, 10)
    try:
        assert clean_text(text).replace(" ", "") == text
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, previous)


# ---------------------------------------------------------------- headline and body


@pytest.mark.parametrize(
    ("headline", "text", "composed"),
    [
        pytest.param(None, "It helps.", "It helps.", id="no headline"),
        pytest.param(" \n", "It helps.", "It helps.", id="a blank headline"),
        pytest.param("A topic", "It helps.", "A topic\n\nIt helps.", id="a headline of its own"),
        pytest.param("Fillers help", "only for a while.", "Fillers help only for a while.", id="it runs on"),
        pytest.param("Fillers help.", "only for a while.", "Fillers help.\n\nonly for a while.", id="a full stop"),
        pytest.param("fillers", "they help. try it", "fillers\n\nthey help. try it", id="no capitals anywhere"),
    ],
)  # fmt: skip
def test_headline_and_body_are_joined_as_they_read(headline: str | None, text: str, composed: str) -> None:
    assert compose_answer(headline, text).text == composed


@given(st.none() | MESSY, MESSY, st.data())
@settings(max_examples=300)
def test_any_range_of_the_composed_text_is_traced_to_verbatim_passages(
    headline: str | None, text: str, data: st.DataObject
) -> None:
    composed = compose_answer(headline, text)
    start = data.draw(st.integers(0, len(composed.text)))
    end = data.draw(st.integers(start, len(composed.text)))
    record = {"headline": headline or "", "text": text}
    passages = composed.locate(start, end)
    for passage in passages:
        assert 0 <= passage.start < passage.end <= len(record[passage.field])
        assert record[passage.field][passage.start : passage.end] == passage.quote
        assert start <= passage.composed_start < passage.composed_end <= end
    assert [passage.field for passage in passages] == [f for f in record if any(p.field == f for p in passages)]


@pytest.mark.parametrize(
    ("text", "read", "quote"),
    [
        pytest.param("bo\u200btox", "botox", "bo\u200btox", id="an invisible character inside"),
        pytest.param("<b>unsafe</b> now", "unsafe", "unsafe", id="tags around"),
        pytest.param("unsafe.Don't", "unsafe.", "unsafe.", id="a run-on sentence before"),
        pytest.param("unsafe.Don't", "Don't", "Don't", id="a run-on sentence after"),
        pytest.param("He said &quot;no&quot; twice", '"no"', "&quot;no&quot;", id="entities at both ends"),
        pytest.param("a cliche\u0301 indeed", "clich\u00e9", "cliche\u0301", id="a composed accent at the end"),
        pytest.param("such stu\ufb00 here", "stuff", "stu\ufb00", id="a ligature at the end"),
        pytest.param("such stu\ufb00", "stuff", "stu\ufb00", id="a ligature at the end of the text"),
    ],
)
def test_a_quote_is_all_that_was_read_and_no_more(text: str, read: str, quote: str) -> None:
    composed = compose_answer(None, text)
    start = composed.text.index(read)
    (passage,) = composed.locate(start, start + len(read))
    assert passage.quote == quote
    assert passage.end <= len(text)


# ---------------------------------------------------------------- reading a batch

SMALL_FAMILIES = {
    "negation": ["no", "not", "no longer"],
    "pseudo_negation": ["not only"],
    "contrast": ["but", "even though"],
    "question_flip": ["any harm"],
    "recommends": ["recommend", "highly? recommend it", "would recommend"],
    "praises": ["highly", "superb"],
    "loves": ["love TARGET", "love TARGET a lot", "TARGET over TARGET"],
    "cheers": ["superb"],
}


@pytest.fixture(scope="module")
def small_parser() -> AnswerParser:
    """A parser with a lexicon small enough to say exactly what must be found."""
    return build_small_parser()


def build_small_parser(*, stock: str = "'used', 'safe'", **families: list[str]) -> AnswerParser:
    """Build a parser of the small lexicon, some families of which may have other wordings."""
    assert set(REQUIRED_FAMILIES) <= set(SMALL_FAMILIES)
    listed = "".join(
        f'[[family]]\nname = "{name}"\npatterns = {patterns}\n'
        for name, patterns in (SMALL_FAMILIES | families).items()
    )
    return AnswerParser(parse_lexicon(f"version = 1\nstock_words = [{stock}]\n{listed}", "small.toml"))


def list_sentences(batch: ParsedBatch, row: int = 0) -> list[str]:
    places = np.flatnonzero(batch.sentence_answers == row).tolist()
    found = [batch.sources[row].text[slice(*batch.sentence_range(place))].strip() for place in places]
    return [sentence for sentence in found if sentence]


def list_marked(batch: ParsedBatch, marks: NDArray[np.bool_], row: int = 0) -> list[str]:
    first, last = batch.tokens.borders[row : row + 2]
    return [text for text, is_marked in zip(batch.token_texts(row), marks[first:last], strict=True) if is_marked]


def list_cues(batch: ParsedBatch, row: int = 0) -> list[tuple[str, str]]:
    """Give each cue's family, and its text as it stands in the composed text."""
    first = int(batch.tokens.borders[row])
    return [
        (
            cue.family,
            batch.sources[row].text[
                batch.token_range(first + cue.start)[0] : batch.token_range(first + cue.end - 1)[1]
            ],
        )
        for cue in batch.answer_cues(row)
    ]


def list_zones(batch: ParsedBatch) -> list[str]:
    return [ZONES[zone] for zone in batch.zones.tolist()]


def read_answers(batch: ParsedBatch) -> list[object]:
    """Give all that is known of each answer by itself, as plain data."""
    features = extract_features(batch)
    names = np.array(features.names(np.arange(len(features.kinds))), dtype=object)
    views: list[object] = []
    for row in range(len(batch.answers)):
        first, last = batch.tokens.borders[row : row + 2].tolist()
        sentences = np.flatnonzero(batch.sentence_answers == row)
        own = np.flatnonzero((features.tokens >= first) & (features.tokens < last))
        of_tokens = (batch.flags, batch.offsets, batch.targets, batch.negated, batch.contrasted)
        views.append(
            (
                batch.sources[row].text,
                batch.token_texts(row),
                [marks[first:last].tolist() for marks in of_tokens],
                [batch.sentence_range(sentence) for sentence in sentences.tolist()],
                batch.zones[sentences].tolist(),
                batch.coverage[sentences].tolist(),
                batch.answer_cues(row),
                bool(batch.is_flipped[row]),
                names[own].tolist(),
                features.hashes[own].tolist(),
                (features.tokens[own] - first).tolist(),
            )
        )
    return views


# What ends, joins and parts sentences and clauses, negates and does not, among words asked about and others.
READ_PIECES = st.sampled_from(
    [
        "safe", "Safe", "peel", "Peels", "freckle", "no", "not", "no longer", "not only", "no doubt", "but",
        "even though", "however", "because", "and", "which", "recommend", "7", "don't", ",", ".", "..", "...", "\u2026",
        "!", "?!", "(", ")", '"', "-", " - ", "a-b", "\n", "\n\n", "\n- ", " ", "  ", "<br>", "\u200b",
    ]
)  # fmt: skip
READ_TEXTS = (
    st.lists(READ_PIECES, max_size=25).map(" ".join) | st.lists(READ_PIECES, max_size=15).map("".join) | MESSY
).filter(str.strip)


# ---------------------------------------------------------------- tokens and their places


@given(st.lists(st.tuples(st.none() | MESSY, READ_TEXTS), max_size=5))
@settings(max_examples=100)
def test_tokens_and_sentences_stand_in_the_composed_text_where_the_batch_says(
    parser: AnswerParser, rows: list[tuple[str | None, str]]
) -> None:
    batch = parser.parse([answer(text, headline=headline) for headline, text in rows])
    assert len(batch.tokens.types) == batch.tokens.borders[-1] == batch.sentence_starts[-1] == len(batch.sentence_of)
    for row, source in enumerate(batch.sources):
        first, last = batch.tokens.borders[row : row + 2].tolist()
        ranges = [batch.token_range(token) for token in range(first, last)]
        assert [source.text[start:end] for start, end in ranges] == batch.token_texts(row)
        spaces = [" " if has_space else "" for has_space in batch.tokens.has_space[first:last].tolist()]
        joined = [text + space for text, space in zip(batch.token_texts(row), spaces, strict=True)]
        assert "".join(joined) == source.text
        sentences = np.flatnonzero(batch.sentence_answers == row).tolist()
        assert [n for n in sentences for _ in range(*batch.sentence_starts[n : n + 2])] == batch.sentence_of[
            first:last
        ].tolist()
        for sentence in sentences:
            start, end = batch.sentence_starts[sentence : sentence + 2].tolist()
            assert batch.sentence_range(sentence) == (ranges[start - first][0], ranges[end - 1 - first][1])


def test_tokens_know_the_text_they_are_of_and_where_it_ends(small_parser: AnswerParser) -> None:
    batch = small_parser.parse([answer("It is safe."), answer("\u200b"), answer("Yes")])
    assert batch.tokens.borders.tolist() == [0, 4, 4, 5]
    assert batch.tokens.text_of.tolist() == [0, 0, 0, 0, 2]
    assert batch.tokens.ends.tolist() == [4, 4, 4, 4, 5]


def test_a_batch_says_which_tokens_have_one_of_some_flags(small_parser: AnswerParser) -> None:
    batch = small_parser.parse([answer("Safe? Yes, 7 days")])
    assert list_marked(batch, batch.has(wordtypes.PUNCT)) == ["?", ","]
    assert list_marked(batch, batch.has(wordtypes.ASKS, wordtypes.NUMBER)) == ["?", "7"]
    assert list_marked(batch, batch.has(wordtypes.SPACE)) == []


# ---------------------------------------------------------------- sentences


def sentences(parser: AnswerParser, text: str) -> list[str]:
    return list_sentences(parser.parse([answer(text)]))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("It is safe. Do it!", ["It is safe.", "Do it!"], id="two sentences"),
        pytest.param("Dr. Kell and J. Ost say no. Ask.", ["Dr. Kell and J. Ost say no.", "Ask."], id="titles"),
        pytest.param("A scar vs. a mole, i.e. both. No.", ["A scar vs. a mole, i.e. both.", "No."], id="abbreviations"),
        pytest.param("Use 0.5 ml at 5 p.m. daily.", ["Use 0.5 ml at 5 p.m. daily."], id="decimals and hours"),
        pytest.param("no. never do it. wait", ["no.", "never do it.", "wait"], id="lower-case text"),
        pytest.param("It works.I do it.Try!Yes", ["It works.", "I do it.", "Try!", "Yes"], id="run-on sentences"),
        pytest.param("I wouldn't.Go home", ["I wouldn't.", "Go home"], id="run-on after a contraction"),
        pytest.param("Well... maybe. Well... No.", ["Well... maybe.", "Well...", "No."], id="ellipsis"),
        pytest.param("Well\u2026 maybe. Well\u2026 No.", ["Well\u2026 maybe.", "Well\u2026", "No."], id="one sign"),
        pytest.param("Safe?! Yes!!! Go", ["Safe?!", "Yes!!!", "Go"], id="several marks"),
        pytest.param('She said "no." Then yes.', ['She said "no."', "Then yes."], id="a closing quote stays"),
        pytest.param("It is not\nsafe at all", ["It is not safe at all"], id="a wrapped line goes on"),
        pytest.param("Not safe\nDo not try", ["Not safe", "Do not try"], id="a capital on a new line"),
        pytest.param("pain\n\nswelling", ["pain", "swelling"], id="an empty line"),
        pytest.param("Risks:\n- pain\n- scars", ["Risks:", "- pain", "- scars"], id="a list"),
        pytest.param("Great \U0001f600. Go \U0001f44d", ["Great \U0001f600.", "Go \U0001f44d"], id="emoji"),
        pytest.param('"Go." They went.', ['"Go."', "They went."], id="an opening quote goes with what follows"),
        pytest.param(" \n\nIt is safe. Go", ["It is safe.", "Go"], id="spaces before the first word"),
        pytest.param("... and so on. Go", ["... and so on.", "Go"], id="points before the first word"),
        pytest.param("...", ["..."], id="nothing but points"),
    ],
)  # fmt: skip
def test_sentences_start_and_end_where_a_reader_sees_them(parser: AnswerParser, text: str, expected: list[str]) -> None:
    assert sentences(parser, text) == expected


@pytest.mark.parametrize("text", [" It is safe", '"It is safe', "\n\nIt is safe", ") It is safe"])
def test_what_stands_before_the_first_word_makes_no_sentence_of_its_own(parser: AnswerParser, text: str) -> None:
    batch = parser.parse([answer("One. Two"), answer(text), answer("Three")])
    assert batch.sentence_answers.tolist() == [0, 0, 1, 2]


@pytest.mark.parametrize("text", ["It is not\nsafe.", "pain\n\nswelling", "Not safe\nDo not try"])
def test_the_line_ends_of_windows_change_no_sentence(parser: AnswerParser, text: str) -> None:
    assert sentences(parser, text.replace("\n", "\r\n")) == sentences(parser, text)


@pytest.mark.parametrize("text", ["\u200b", "{{ voteCount }}", "<br>", "&nbsp;"])
def test_an_answer_of_which_cleaning_leaves_nothing_has_no_sentences_and_no_features(
    parser: AnswerParser, text: str
) -> None:
    batch = parser.parse([answer(text)])
    assert list_sentences(batch) == []
    assert len(extract_features(batch).kinds) == 0


@pytest.mark.parametrize("empty", ["\u200b", "{{ voteCount }}", "<br>"])
def test_an_empty_answer_among_others_changes_nothing_of_theirs(parser: AnswerParser, empty: str) -> None:
    answers = [answer("It is not safe"), answer("but a peel works. Any harm? No."), answer('" and not')]
    (alone,) = read_answers(parser.parse([answer(empty)]))
    one, two, three = read_answers(parser.parse(answers))
    mixed = [answer(empty), answers[0], answer(empty), answer(empty), answers[1], answers[2], answer(empty)]
    assert read_answers(parser.parse(mixed)) == [alone, one, alone, alone, two, three, alone]


@pytest.mark.parametrize(
    ("headline", "text", "expected"),
    [
        pytest.param("Peels and skin", "They help.", ["Peels and skin", "They help."], id="a headline of its own"),
        pytest.param("Peels help", "only a little. Wait.", ["Peels help only a little.", "Wait."], id="it runs on"),
        pytest.param("Safe? Yes", "They help.", ["Safe?", "Yes", "They help."], id="a headline of two sentences"),
    ],
)
def test_a_headline_is_a_sentence_unless_the_body_goes_on_with_it(
    parser: AnswerParser, headline: str, text: str, expected: list[str]
) -> None:
    assert list_sentences(parser.parse([answer(text, headline=headline)])) == expected


@pytest.mark.parametrize(
    ("headline", "text", "expected"),
    [
        pytest.param(None, "One.", ["first"], id="the only sentence is the first"),
        pytest.param(None, "One. Two.", ["first", "last"], id="two sentences"),
        pytest.param(None, "One. Two. Three. Four.", ["first", "middle", "middle", "last"], id="four sentences"),
        pytest.param("Safe", "One.", ["headline", "first"], id="a headline and one sentence"),
        pytest.param("Safe? Yes", "One. Two.", ["headline", "headline", "first", "last"], id="a headline of two"),
        pytest.param("Peels help", "a bit. Two. Three.", ["headline", "first", "last"], id="a headline that runs on"),
        pytest.param("Peels help", "a bit", ["headline"], id="a headline that takes in all of the body"),
        pytest.param("Safe", "\u200b", ["headline"], id="a headline and nothing else"),
        pytest.param("\u200b", "One. Two.", ["first", "last"], id="a headline that cleaning empties"),
        pytest.param(None, "\u200b", [], id="nothing at all"),
    ],
)
def test_a_sentence_stands_in_the_headline_or_first_in_the_middle_or_last(
    parser: AnswerParser, headline: str | None, text: str, expected: list[str]
) -> None:
    around = [answer("One. Two. Three."), answer(text, headline=headline), answer("One. Two. Three.", headline="Yes")]
    three = ["first", "middle", "last"]
    assert list_zones(parser.parse(around)) == [*three, *expected, "headline", *three]


def start_sentences_plainly(doc: Doc) -> list[int]:
    starts: list[int] = []
    starts_next = False
    for token in doc:
        following = doc[token.i + 1] if token.i + 1 < len(doc) else None
        ends = token.text[0] in ".!?\u2026" and not token.text.strip(".!?\u2026")
        closes = ends or token.text in {'"', "'", ")", "]"}
        if token.i == 0 or (starts_next and not token.is_space and not closes):
            starts.append(token.i)
            starts_next = False
        if token.is_space and token.i > 0:
            n_breaks = token.text.count("\n")
            starts_next |= n_breaks > 1 or (n_breaks == 1 and following is not None and opens_line(following))
        elif ends:
            is_trail = token.text in {"...", "\u2026", ".."}
            starts_next = not is_trail or following is None or not following.is_lower
    return starts


def opens_line(token: Token) -> bool:
    return bool(token.is_title or token.is_upper or token.is_digit or token.text in {"-", "*", "\u2022", "\u00b7"})


@given(st.lists(READ_TEXTS, max_size=6))
@settings(max_examples=150)
def test_sentences_are_those_that_reading_token_by_token_gives(parser: AnswerParser, texts: list[str]) -> None:
    batch = parser.parse([answer(text) for text in texts])
    expected = [
        int(first) + start
        for source, first in zip(batch.sources, batch.tokens.borders[:-1], strict=True)
        for start in start_sentences_plainly(parser.nlp.make_doc(source.text))
    ]
    assert batch.sentence_starts.tolist() == [*expected, len(batch.tokens.types)]


# ---------------------------------------------------------------- sentences that readers marked


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        pytest.param([], [False] * 4, id="nothing"),
        pytest.param([("headline", 0, 7)], [True, False, False, False], id="the headline"),
        pytest.param([("text", 0, 7)], [False, True, False, False], id="offsets count in each field by itself"),
        pytest.param([("text", 9, 10)], [False, False, True, False], id="one character"),
        pytest.param([("text", 5, 12)], [False, True, True, False], id="over a sentence's end"),
        pytest.param([("text", 7, 10)], [False, True, True, False], id="a character of each"),
        pytest.param([("text", 8, 9)], [False] * 4, id="the space between two sentences"),
        pytest.param([("text", 10, 10)], [False] * 4, id="a stretch without characters"),
        pytest.param([("text", 12, 9)], [False] * 4, id="a stretch that ends before it starts"),
        pytest.param([("text", 0, 99)], [False, True, True, True], id="all of the text and more"),
        pytest.param([("text", 20, 23), ("headline", 1, 2)], [True, False, False, True], id="two stretches"),
    ],
)
def test_a_sentence_is_marked_where_it_shares_a_character_with_a_stretch_of_the_record(
    parser: AnswerParser, spans: list[tuple[Literal["headline", "text"], int, int]], expected: list[bool]
) -> None:
    batch = parser.parse([answer("One. Two."), answer("It hurt. It works. Try it.", headline="On peels"), answer("No")])
    marked = batch.mark_sentences([(), [MarkedSpan(field=f, start=s, end=e) for f, s, e in spans], ()])
    assert marked.tolist() == [False, False, *expected, False]


def test_a_sentence_of_a_cleaned_text_is_marked_by_the_characters_of_the_record(parser: AnswerParser) -> None:
    text = "<b>It&nbsp;is safe.</b>   bo\u200btox works"
    start = text.index("tox")
    batch = parser.parse([answer(text)])
    assert list_sentences(batch) == ["It is safe.", "botox works"]
    assert batch.mark_sentences([[MarkedSpan(field="text", start=start, end=start + 1)]]).tolist() == [False, True]
    assert batch.mark_sentences([[MarkedSpan(field="text", start=0, end=start - 9)]]).tolist() == [True, False]


@given(st.none() | MESSY, READ_TEXTS, st.data())
@settings(max_examples=80)
def test_a_passage_of_a_sentence_marks_that_sentence(
    parser: AnswerParser, headline: str | None, text: str, data: st.DataObject
) -> None:
    batch = parser.parse([answer(text, headline=headline)])
    passages = [
        (n, p) for n in range(len(batch.zones)) for p in batch.sources[0].locate(*batch.sentence_range(n)) if p.quote
    ]
    if passages:
        sentence, passage = data.draw(st.sampled_from(passages))
        span = MarkedSpan(field=passage.field, start=passage.start, end=passage.end)
        marked = batch.mark_sentences([[span]])
        # A neighbour may be marked too: both may come of one entity of the record.
        assert marked[sentence]
        assert set(np.flatnonzero(marked).tolist()) <= {sentence - 1, sentence, sentence + 1}


# ---------------------------------------------------------------- cues

CONTRACTIONS = ["don't", "dont", "do not", "don\u2019t", "don`t", "Don't", "Dont", "DO NOT", "DON'T", "DONT"]


def cues(parser: AnswerParser, text: str, *, question: str = "?") -> list[tuple[str, str]]:
    return list_cues(parser.parse([answer(text, question=question)]))


def test_the_longest_wording_of_a_family_counts_and_other_families_are_found_inside(
    small_parser: AnswerParser,
) -> None:
    assert cues(small_parser, "I highly recommend it, and recommend more.") == [
        ("praises", "highly"),
        ("recommends", "highly recommend it"),
        ("recommends", "recommend"),
    ]


def test_the_first_of_two_overlapping_wordings_of_a_family_counts(small_parser: AnswerParser) -> None:
    assert cues(small_parser, "I would recommend it") == [("recommends", "would recommend")]


def test_families_that_share_a_wording_come_in_the_order_of_the_lexicon(small_parser: AnswerParser) -> None:
    assert cues(small_parser, "Superb, but superb") == [
        ("praises", "Superb"),
        ("cheers", "Superb"),
        ("contrast", "but"),
        ("praises", "superb"),
        ("cheers", "superb"),
    ]
    assert small_parser.families == tuple(SMALL_FAMILIES)


@pytest.mark.parametrize("text", ["would recommend", "would  recommend", "would\nrecommend", "Would\tRecommend"])
def test_a_wording_is_found_however_its_words_are_spaced(small_parser: AnswerParser, text: str) -> None:
    ((family, found),) = cues(small_parser, text)
    assert family == "recommends"
    assert found.split() == text.split()


def test_a_wording_is_not_found_across_a_sentence_end(small_parser: AnswerParser) -> None:
    assert ("recommends", "would recommend") not in cues(small_parser, "Yes I would. recommend")


def test_a_wording_is_not_found_across_two_answers(small_parser: AnswerParser) -> None:
    batch = small_parser.parse([answer(text) for text in ("I would", "recommend", "I love", "peels", "over peels")])
    assert [list_cues(batch, row) for row in range(5)] == [[], [("recommends", "recommend")], [], [], []]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("I love peels.", ["love peels"], id="one word"),
        pytest.param("I LOVE Peeling", ["LOVE Peeling"], id="in any form"),
        pytest.param("I love peels freckle peel now", ["love peels freckle peel"], id="several words are one mention"),
        pytest.param("love a peel", [], id="a strange word between"),
        pytest.param("love TARGET", [], id="the mark itself is no mention"),
        pytest.param("love", [], id="no mention"),
        pytest.param("love peels a lot", ["love peels a lot"], id="the longest at a place"),
        pytest.param("love peels a bit", ["love peels"], id="a longer one that breaks off"),
        pytest.param("peel peels over freckles", ["peel peels over freckles"], id="two mentions"),
        pytest.param("love peels over freckles", ["love peels"], id="the first of two"),
        pytest.param("love peels over, peels over freckle", ["love peels", "peels over freckle"], id="both"),
    ],
)
def test_a_wording_may_hold_mentions_of_what_is_asked_about(
    small_parser: AnswerParser, text: str, expected: list[str]
) -> None:
    found = cues(small_parser, text, question="Can a peel fade a freckle?")
    assert found == [("loves", wording) for wording in expected]
    around = [answer("love", question="Can a peel fade a freckle?")] * 3
    around[1] = answer(text, question="Can a peel fade a freckle?")
    assert list_cues(small_parser.parse(around), 1) == found


def test_a_word_that_is_asked_about_still_counts_in_wordings_without_a_mention(small_parser: AnswerParser) -> None:
    assert cues(small_parser, "would recommend", question="Who would recommend it?") == [
        ("recommends", "would recommend")
    ]


@pytest.mark.parametrize("form", CONTRACTIONS)
def test_a_negated_verb_gives_the_same_cues_and_scope_however_it_is_written(parser: AnswerParser, form: str) -> None:
    def read(text: str) -> tuple[list[str], list[str]]:
        batch = parser.parse([answer(text)])
        return [cue.family for cue in batch.answer_cues(0)], list_marked(batch, batch.negated)

    assert read(f"I {form} recommend this") == read("I do not recommend this")


@pytest.mark.parametrize(
    ("short", "full"),
    [("can't", "can not"), ("cannot", "can not"), ("won't", "will not"), ("isn't", "is not"), ("doesnt", "does not"),
     ("shouldn't", "should not"), ("SHOULDN'T", "should not"), ("CANNOT", "can not"), ("Wouldn't", "would not")],
)  # fmt: skip
def test_a_contraction_negates_as_its_long_form_does(parser: AnswerParser, short: str, full: str) -> None:
    assert negated(parser, f"it {short} hurt") == negated(parser, f"it {full} hurt") == ["hurt"]


def test_every_wording_of_the_lexicon_is_found_in_its_own_family(parser: AnswerParser) -> None:
    phrases = parse_lexicon(default_lexicon_text(), "cues.toml").phrases()
    pairs = [
        (name, wording.replace(TARGET, "peel peels"), "A peel?" if TARGET in wording else "?")
        for name, wordings in phrases.items()
        for wording in wordings
    ]
    assert {question for _, _, question in pairs} == {"A peel?", "?"}
    batches = parse_answers(parser, [answer(wording, question=question) for _, wording, question in pairs])
    found = [list_cues(batch, row) for batch in batches for row in range(len(batch.answers))]
    assert [pair for pair, listed in zip(pairs, found, strict=True) if pair[:2] not in listed] == []


# ---------------------------------------------------------------- negation and contrast


def negated(parser: AnswerParser, text: str) -> list[str]:
    batch = parser.parse([answer(text)])
    return list_marked(batch, batch.negated)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("It is not safe.", ["safe"], id="to the sentence's end"),
        pytest.param("It is not safe. It works.", ["safe"], id="never into the next sentence"),
        pytest.param("It is not safe, it works.", ["safe"], id="to a comma"),
        pytest.param("It is not safe but it works.", ["safe"], id="to a contrast"),
        pytest.param("It is not safe however good.", ["safe"], id="to another contrast"),
        pytest.param("never do this because it hurts", ["do", "this"], id="to a clause word"),
        pytest.param("It is (not needed) here", ["needed"], id="to a closing bracket"),
        pytest.param("not good - it works", ["good"], id="to a dash"),
        pytest.param("not good\u2014it works", ["good"], id="to a dash without spaces"),
        pytest.param("not good... it works", ["good"], id="to three points"),
        pytest.param("not good\u2026 it works", ["good"], id="to an ellipsis sign"),
        pytest.param("not good.. it works", ["good"], id="to two points"),
        pytest.param("not a long-term fix", ["a", "long", "-", "term", "fix"], id="over the hyphen of a word"),
        pytest.param("not a b c d e f g h i", list("abcdefgh"), id="eight tokens on"),
        pytest.param("no longer safe", ["safe"], id="from the end of the longest wording"),
        pytest.param("It is safe, is it not", [], id="nothing follows"),
        pytest.param("It is not, I think, safe", [], id="a border at once"),
        pytest.param("It is not only safe", [], id="not only"),
        pytest.param("It is without doubt safe", [], id="without doubt"),
        pytest.param("Yes. not only good, not safe", ["safe"], id="not only beside a plain not"),
        pytest.param("It is safe", [], id="no negation"),
    ],
)
def test_a_negation_reaches_exactly_these_tokens(parser: AnswerParser, text: str, expected: list[str]) -> None:
    assert negated(parser, text) == expected


def test_a_negation_at_an_answers_end_does_not_reach_into_the_next(parser: AnswerParser) -> None:
    batch = parser.parse([answer("It is not"), answer("safe at all"), answer("not"), answer("\u200b"), answer("safe")])
    assert not batch.negated.any()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("It hurts but works.", ["works", "."], id="after one word"),
        pytest.param("It hurts. But it works. It does.", ["it", "works", "."], id="in its sentence alone"),
        pytest.param("It works even though it hurts", ["it", "hurts"], id="after the whole of a wording"),
        pytest.param("It hurts but works but hurts", ["works", "but", "hurts"], id="from the first of two"),
        pytest.param("It works but", [], id="nothing follows"),
        pytest.param("It works.", [], id="no contrast"),
    ],
)
def test_what_follows_a_contrast_is_marked(small_parser: AnswerParser, text: str, expected: list[str]) -> None:
    batch = small_parser.parse([answer("So but"), answer(text), answer("it works")])
    assert list_marked(batch, batch.contrasted, 1) == expected
    assert batch.contrasted.sum() == len(expected)


@pytest.mark.parametrize("text", ["It works, but no doubt it hurts.", "It works, however not only here."])
def test_a_contrast_before_a_negation_that_is_none_is_a_contrast(parser: AnswerParser, text: str) -> None:
    assert parser.parse([answer(text)]).contrasted[-2]


def test_a_token_may_belong_to_several_families(small_parser: AnswerParser) -> None:
    found = small_parser.parse([answer("I highly recommend it")]).answer_cues(0)
    families = [[cue.family for cue in found if cue.start <= token < cue.end] for token in range(4)]
    assert families == [[], ["praises", "recommends"], ["recommends"], ["recommends"]]


CLAUSE_BORDERS = {",", ";", ":", ".", "..", "...", "\u2026", "!", "?", "(", ")", "--", "/", "\n", "\n\n"}
CLAUSE_WORDS = {"because", "so", "which", "who", "since", "as", "if", "unless", "and"}


def mark_scopes_plainly(doc: Doc, found: list[Cue]) -> tuple[list[int], list[int]]:
    pseudo = {i for cue in found if cue.family == "pseudo_negation" for i in range(cue.start, cue.end)}
    plain = [cue for cue in found if pseudo.isdisjoint(range(cue.start, cue.end))]
    contrasts = {cue.start: cue.end for cue in plain if cue.family == "contrast"}
    starts = start_sentences_plainly(doc)
    negated: set[int] = set()
    contrasted: set[int] = set()
    for start, end in pairwise([*starts, len(doc)]):
        first = min((place for place in contrasts if start <= place < end), default=None)
        if first is not None:
            contrasted.update(range(contrasts[first], end))
        for cue in plain:
            if cue.family == "negation" and start <= cue.end - 1 < end:
                for place in range(cue.end, min(cue.end + 8, end)):
                    is_dash = doc[place].text == "-" and doc[place - 1].whitespace_
                    is_clause = place > cue.end and doc[place].norm_ in CLAUSE_WORDS
                    if place in contrasts or doc[place].text in CLAUSE_BORDERS or is_dash or is_clause:
                        break
                    negated.add(place)
    return sorted(negated), sorted(contrasted)


@given(st.lists(READ_TEXTS, max_size=6))
@settings(max_examples=150)
def test_scopes_and_contrasts_are_those_that_reading_token_by_token_gives(
    parser: AnswerParser, texts: list[str]
) -> None:
    batch = parser.parse([answer(text) for text in texts])
    for row, source in enumerate(batch.sources):
        first, last = batch.tokens.borders[row : row + 2]
        expected = mark_scopes_plainly(parser.nlp.make_doc(source.text), batch.answer_cues(row))
        marks = (batch.negated[first:last], batch.contrasted[first:last])
        assert tuple(np.flatnonzero(mark).tolist() for mark in marks) == expected


# ---------------------------------------------------------------- targets and the question


def targets(parser: AnswerParser, record: AnswerRecord) -> list[str]:
    batch = parser.parse([record])
    return list_marked(batch, batch.targets)


def test_targets_are_the_content_words_of_the_question_in_any_form(small_parser: AnswerParser) -> None:
    record = answer(
        "Peeling fades freckles, is used a lot and is safe.", question="Can I use peels to fade my freckle?"
    )
    assert targets(small_parser, record) == ["Peeling", "fades", "freckles"]


def test_targets_are_those_of_the_proposition_where_there_is_one(small_parser: AnswerParser) -> None:
    record = answer("Lasers beat peels.", question="Do lasers hurt?", proposition="a peel")
    assert targets(small_parser, record) == ["peels"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("Peels of freckles", ["Peels", "of", "freckles"], id="one word of glue"),
        pytest.param("Peels for the freckles", ["Peels", "for", "the", "freckles"], id="two words of glue"),
        pytest.param("Peels or of the freckles", ["Peels", "freckles"], id="three are too many"),
        pytest.param("Peels hurt freckles", ["Peels", "freckles"], id="a word that says something"),
        pytest.param("Peels not freckles", ["Peels", "freckles"], id="a negation is no glue"),
        pytest.param("Peels, or freckles", ["Peels", "freckles"], id="a comma parts mentions"),
        pytest.param("Peels. Of freckles", ["Peels", "freckles"], id="a sentence's end parts mentions"),
        pytest.param("The peels of", ["peels"], id="glue joins only what stands on both sides"),
        pytest.param("Of", [], id="glue alone"),
    ],
)
def test_words_of_glue_inside_a_mention_belong_to_it(
    small_parser: AnswerParser, text: str, expected: list[str]
) -> None:
    around = answer("of peels", question="Peels?")
    batch = small_parser.parse([around, answer(text, question="Can peels fade freckles?"), around])
    first, last = batch.tokens.borders[1:3]
    said = [word for word, is_in in zip(batch.token_texts(1), batch.targets[first:last], strict=True) if is_in]
    assert said == expected
    assert batch.targets.sum() == len(expected) + 2


@pytest.mark.parametrize("nothing", ["Is it safe?", "Used?", "To be or not to be?", "?"])
def test_a_question_of_stock_and_stop_words_names_no_target(small_parser: AnswerParser, nothing: str) -> None:
    record = answer("It is used to be safe, or not to be?", question=nothing)
    assert targets(small_parser, record) == []
    assert not small_parser.parse([record]).coverage.any()


@pytest.mark.parametrize(
    ("question", "text", "expected"),
    [
        pytest.param("Can peels fade freckles?", "A peel. Freckles fade. No.", [1 / 3, 2 / 3, 0], id="in any form"),
        pytest.param("Can peels fade freckles?", "Peels fade a freckle", [1], id="all of it"),
        pytest.param("Can peels fade freckles?", "A peel is a peel is peeling", [1 / 3], id="a word counts once"),
        pytest.param("A peel for peeling peels?", "A peel", [1], id="a word of the question counts once"),
        pytest.param("Is it safe?", "It is safe", [0], id="nothing is asked about"),
    ],
)
def test_a_sentence_covers_the_share_of_the_words_asked_about_that_it_mentions(
    small_parser: AnswerParser, question: str, text: str, expected: list[float]
) -> None:
    around = answer("A peel. No.", question="Peel or laser?")
    batch = small_parser.parse([around, answer(text, question=question), around])
    assert batch.coverage.tolist() == pytest.approx([0.5, 0, *expected, 0.5, 0])


def test_of_a_proposition_it_is_the_words_of_the_proposition_that_a_sentence_covers(small_parser: AnswerParser) -> None:
    record = answer("A laser. A peel.", question="Does a laser hurt more?", proposition="a peel or acid")
    assert small_parser.parse([record]).coverage.tolist() == [0, 0.5]


ASKED = st.lists(st.sampled_from(["peel", "peels", "freckle", "fading", "laser", "safe", "is"]), min_size=1, max_size=5)


@given(st.lists(st.tuples(ASKED, st.none() | ASKED, ASKED, ASKED), max_size=5))
@settings(max_examples=80)
def test_each_answer_of_a_batch_is_read_by_its_own_question(
    small_parser: AnswerParser, rows: list[tuple[list[str], list[str] | None, list[str], list[str]]]
) -> None:
    batch = small_parser.parse(
        [
            answer(
                f"{' '.join(one)}. {' '.join(other)}",
                question=" ".join(question),
                proposition=None if proposition is None else " ".join(proposition),
            )
            for question, proposition, one, other in rows
        ]
    )
    mentioned, coverage = [], []
    for question, proposition, one, other in rows:
        wanted = {stem(word) for word in (proposition or question) if word not in {"safe", "is"}}
        mentioned += [stem(word) in wanted for word in [*one, ".", *other]]
        coverage += [len({stem(word) for word in said} & wanted) / max(len(wanted), 1) for said in (one, other)]
    assert batch.targets.tolist() == mentioned
    assert batch.coverage.tolist() == pytest.approx(coverage)


@pytest.mark.parametrize(
    ("question", "flipped"),
    [("Is there any harm in a peel?", True), ("ANY HARM?", True), ("Does a peel work?", False)],
)
def test_a_question_is_flipped_where_a_plain_no_supports(
    small_parser: AnswerParser, question: str, flipped: bool
) -> None:
    batch = small_parser.parse([answer("No.", question=q) for q in ("Why?", question, "What harm?", question)])
    assert batch.is_flipped.tolist() == [False, flipped, False, flipped]


def test_the_question_alone_says_whether_it_is_flipped(small_parser: AnswerParser) -> None:
    of_proposition = answer("Any harm? No.", question="Is a peel good?", proposition="any harm in a peel")
    of_question = answer("No.", question="Any harm in a peel?", proposition="a peel is good")
    assert small_parser.parse([of_proposition, of_question]).is_flipped.tolist() == [False, True]


FLIPPED = [
    "Is Botox dangerous?",
    "Are fillers harmful?",
    "Is a laser peel risky for dark skin?",
    "Is Botox in pregnancy harmful?",
    "Am I too young for a facelift?",
    "Am I too old for braces?",
    "Should I worry about swelling?",
    "Should I be worried about a lump after fillers?",
    "Should I avoid the sun after a peel?",
    "Should I stop retinol before surgery?",
    "Will fillers damage my skin?",
    "Can lasers hurt the eyes?",
    "Does Botox ruin the muscles?",
    "Would it be a mistake to have a facelift at 40?",
    "Is liposuction a waste of money?",
    "Is a chin implant a bad idea?",
    "Is it wrong to want Botox at 25?",
    "Is it too early for a second peel?",
    "Is there any harm in a peel?",
    "Is there a risk with microneedling?",
    "Any downsides to dermal fillers?",
    "Do I really need a facelift?",
    "Do I have to stop smoking?",
    "Is surgery really necessary?",
    "Is Botox contraindicated with migraine?",
    "Is Botox toxic?",
    "Are daily peels excessive?",
    "Is it a problem to drink after Botox?",
    "Is there a reason not to have Botox?",
    "Is it dangerous to exercise after liposuction?",
    "Must I avoid alcohol?",
    "Am I crazy to consider a third rhinoplasty?",
    "Would Botox be a waste?",
    "Is the laser a danger to the eyes?",
    "IS BOTOX DANGEROUS?",
    "Is a peel dangerous?",
    "Is the peel dangerous?",
    "Are my fillers harmful?",
    "Can a peel hurt?",
    "Will the laser damage my eyes?",
    "Is a facelift a waste of money?",
    "Is this dangerous?",
    "Ok to skip the antibiotics?",
    "Does Botox worsen migraine?",
    "Is Botox a scam?",
    "Is Botox a problem?",
    "Is a facelift a bad choice?",
    "Is a facelift a terrible idea?",
    "Is a facelift silly?",
]
STRAIGHT = [
    "Is Botox safe?",
    "Does a peel help?",
    "Are fillers worth it?",
    "Is a facelift a good idea?",
    "Can I have Botox while nursing?",
    "Should I have a facelift?",
    "Am I old enough for fillers?",
    "Am I a good candidate for liposuction?",
    "Will Botox help my migraine?",
    "Would you recommend a peel?",
    "What are the risks of liposuction?",
    "How dangerous is Botox?",
    "Which is more dangerous, Botox or fillers?",
    "Do fillers last?",
    "Can lasers remove damaged skin?",
    "Does Botox help a damaged nerve?",
    "Is laser good for bad skin?",
    "Can a peel repair sun damage?",
    "Will surgery fix a bad nose job?",
    "Should I use sunscreen to avoid scars?",
    "Does sunscreen prevent harmful rays?",
    "Can Botox treat pain?",
    "Is it possible to fix a botched lip lift?",
    "Is a second opinion necessary?",
    "Can fillers be removed?",
    "Is it okay to fly after surgery?",
    "Should I wait until I am 30?",
    "Is Botox effective for a bad mood?",
    "Is arnica good for harmful bruises?",
    "Is Botox a good way to avoid surgery?",
]


@pytest.mark.parametrize(
    ("question", "flipped"), [*((q, True) for q in FLIPPED), *((q, False) for q in STRAIGHT)], ids=[*FLIPPED, *STRAIGHT]
)
def test_a_plain_no_to_a_question_supports_what_it_asks_about_or_opposes_it(
    parser: AnswerParser, question: str, flipped: bool
) -> None:
    # Whatever the answer, the proposition and the other questions of the batch are.
    batch = parser.parse(
        [
            answer("No.", question=question),
            answer("Is it dangerous? No.", question="Does it help?"),
            answer("It helps.", question=question, proposition="It is dangerous."),
        ]
    )
    assert batch.is_flipped.tolist() == [flipped, False, flipped]


@pytest.mark.parametrize(
    ("question", "flipped"),
    [
        pytest.param("Will chemical peels harm dark skin?", True, id="a name of two words"),
        pytest.param("Will peels of the face harm skin?", True, id="a name with glue inside"),
        pytest.param("A peel? Will it harm skin?", True, id="a pronoun for the name"),
        pytest.param("Will harm come of a peel?", False, id="in another order"),
        pytest.param("Will a peel work? Harm skin?", False, id="parted by a sentence's end"),
        pytest.param("Will they harm skin?", False, id="a word that is no mention"),
    ],
)
def test_what_the_question_itself_names_counts_as_the_target_in_its_wordings(question: str, flipped: bool) -> None:
    parser = build_small_parser(question_flip=["any harm", "will TARGET harm", "will it harm"], stock="'harm'")
    # The answer's proposition names something else.
    batch = parser.parse([answer("No.", question=question, proposition="lasers burn")])
    assert batch.is_flipped.tolist() == [flipped]


# ---------------------------------------------------------------- batches and memory

ROWS = st.lists(st.tuples(st.sampled_from(["Any harm in a peel?", "Do fillers last?"]), READ_TEXTS), max_size=9)


def read_all(parser: AnswerParser, answers: list[AnswerRecord], batch_size: int) -> list[object]:
    batches = parse_answers(parser, answers, batch_size=batch_size)
    return [view for batch in batches for view in read_answers(batch)]


@given(ROWS)
@settings(max_examples=12)
def test_nothing_of_an_answer_depends_on_the_batch_size(parser: AnswerParser, rows: list[tuple[str, str]]) -> None:
    answers = [answer(text, question=question) for question, text in rows]
    assert read_all(parser, answers, 1) == read_all(parser, answers, 2) == read_all(parser, answers, 7)


@given(ROWS)
@settings(max_examples=12)
def test_nothing_of_an_answer_depends_on_what_was_parsed_before(
    parser: AnswerParser, rows: list[tuple[str, str]]
) -> None:
    answers = [answer(text, question=question) for question, text in rows]
    known = read_all(parser, answers, 9)
    with pytest.MonkeyPatch.context() as patch:
        # Every batch begins a tokeniser and a table of its own.
        patch.setattr(tokenise, "MAX_PIECES", -1)
        assert read_all(parser, answers[::-1], 4) == known[::-1]
    assert read_all(parser, answers, 9) == known


def test_answers_come_back_in_order_and_in_batches_of_the_size_asked_for(parser: AnswerParser) -> None:
    answers = [answer(f"Answer {n}.") for n in range(5)]
    batches = [list(batch.answers) for batch in parse_answers(parser, iter(answers), batch_size=2)]
    assert batches == [answers[:2], answers[2:4], answers[4:]]


def test_no_answers_give_no_batches(parser: AnswerParser) -> None:
    assert list(parse_answers(parser, [])) == []


def test_an_empty_batch_has_no_tokens_no_sentences_and_no_cues(parser: AnswerParser) -> None:
    batch = parser.parse([])
    assert (batch.tokens.borders.tolist(), batch.sentence_starts.tolist()) == ([0], [0])
    arrays: list[NDArray[np.generic]] = [
        batch.flags,
        batch.offsets,
        batch.targets,
        batch.negated,
        batch.contrasted,
        batch.sentence_of,
    ]
    arrays += [batch.sentence_answers, batch.zones, batch.coverage, batch.is_flipped, *batch.cues]
    assert [array.shape for array in arrays] == [(0,)] * len(arrays)
    assert batch.mark_sentences([]).shape == (0,)
    assert batch.sentence_ranges.shape == (0, 2)
    assert len(extract_features(batch).kinds) == 0


def new_words(n_answers: int) -> list[AnswerRecord]:
    """Give answers of twenty words each that no other answer has."""
    random = np.random.default_rng(7)
    words = ["".join(row) for row in random.choice(list("bcdfghjklmnpqrstvwxz"), size=(20 * n_answers, 12))]
    return [answer(" ".join(words[n : n + 20]), question=f"Is {words[n]} safe?") for n in range(0, 20 * n_answers, 20)]


def test_a_stream_of_new_words_does_not_grow_the_vocabulary_and_plain_data_survives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parser, answers = build_small_parser(), new_words(300)
    expected = read_all(build_small_parser(), answers, 16)
    n_strings, n_lexemes = len(parser.nlp.vocab.strings), len(list(parser.nlp.vocab))
    monkeypatch.setattr(tokenise, "MAX_PIECES", 1000)
    batches, most_strings, most_lexemes = [], 0, 0
    for batch in parse_answers(parser, answers, batch_size=16):
        batches.append(batch)
        most_strings = max(most_strings, len(parser.nlp.vocab.strings))
        most_lexemes = max(most_lexemes, len(list(parser.nlp.vocab)))
    # 6000 new words were read. A batch may go past the limit by its own words; each word brings its ending, too.
    n_most = 2 * (1000 + 16 * 22)
    assert most_strings < n_strings + n_most
    assert most_lexemes < n_lexemes + n_most
    assert [view for batch in batches for view in read_answers(batch)] == expected
    assert answers[0].text.split()[1] in batches[0].token_texts(0)
    assert answers[0].text.split()[1] in extract_features(batches[0]).names(np.arange(20))


def test_a_tokeniser_that_is_begun_anew_still_takes_shouted_contractions_apart(
    parser: AnswerParser, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, nlp = read_all(parser, [answer("I DON'T know. It ISN'T safe.")], 1), parser.nlp
    monkeypatch.setattr(tokenise, "MAX_PIECES", -1)
    assert read_all(parser, [answer("I DON'T know. It ISN'T safe.")], 1) == before
    assert parser.nlp is not nlp


def test_a_full_table_of_types_is_begun_anew_and_nothing_else_changes(
    small_parser: AnswerParser, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = new_words(40)
    expected = read_all(small_parser, answers, 4)
    monkeypatch.setattr(tokenise, "MAX_PIECES", 200)
    batches = list(parse_answers(small_parser, answers, batch_size=4))
    tables = {id(batch.table): batch.table for batch in batches}
    assert len(tables) > 2
    # A table is begun anew before a batch, so one batch may take it past the limit.
    assert max(map(len, tables.values())) <= 200 + 4 * 21
    assert [view for batch in batches for view in read_answers(batch)] == expected
