"""Cleaning that can be traced back, and what the spaCy pipeline marks on an answer."""

from __future__ import annotations

import signal
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.features import extract_features
from pipeline.lexicon import REQUIRED_FAMILIES, TARGET, default_lexicon_text, parse_lexicon
from pipeline.preprocess import (
    align_clean,
    build_nlp,
    clean_dashes,
    clean_furniture,
    clean_invisible,
    clean_letters,
    clean_markup,
    clean_punctuation,
    clean_run_on,
    clean_spaces,
    clean_text,
    compose_answer,
    parse_answers,
    stem,
)
from pipeline.schema import AnswerRecord, Source

if TYPE_CHECKING:
    from types import FrameType

    from spacy.language import Language
    from spacy.tokens import Doc

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
)


@given(MESSY)
@settings(deadline=None, max_examples=300)
def test_clean_text_is_the_cleaning_steps_in_their_documented_order(text: str) -> None:
    expected = text
    for step in STEPS:
        expected = step(expected)
    assert clean_text(text) == expected


@given(MESSY)
@settings(deadline=None, max_examples=300)
def test_offsets_trace_every_clean_character_to_an_original_one_in_order(text: str) -> None:
    clean, origins = align_clean(text)
    if origins is None:
        assert len(clean) == len(text)
        return
    assert origins.shape == (len(clean), 2)
    assert (np.diff(origins, axis=0) >= 0).all()
    assert (origins[:, 0] < origins[:, 1]).all()
    assert ((origins >= 0) & (origins <= len(text))).all()


@pytest.mark.parametrize("text", ["-" * 200_000, "{{" * 100_000, "{%" * 100_000], ids=["dashes", "braces", "percent"])
def test_cleaning_takes_time_in_proportion_to_the_length(text: str) -> None:
    def give_up(_signal: int, _frame: FrameType | None) -> None:
        raise AssertionError("ten seconds of work for 200 000 characters: the time grows with the square")

    previous = signal.signal(signal.SIGVTALRM, give_up)
    signal.setitimer(signal.ITIMER_VIRTUAL, 10)
    try:
        assert clean_text(text) == text
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
@settings(deadline=None, max_examples=300)
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


# ---------------------------------------------------------------- sentences


def sentences(nlp: Language, text: str) -> list[str]:
    found = [sentence.text.strip() for sentence in nlp(clean_text(text)).sents]
    return [sentence for sentence in found if sentence]


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
        pytest.param("...", ["..."], id="nothing but points"),
    ],
)  # fmt: skip
def test_sentences_start_and_end_where_a_reader_sees_them(nlp: Language, text: str, expected: list[str]) -> None:
    assert sentences(nlp, text) == expected


@pytest.mark.parametrize("text", ["It is not\nsafe.", "pain\n\nswelling", "Not safe\nDo not try"])
def test_the_line_ends_of_windows_change_no_sentence(nlp: Language, text: str) -> None:
    assert sentences(nlp, text.replace("\n", "\r\n")) == sentences(nlp, text)


@pytest.mark.parametrize("text", ["\u200b", "{{ voteCount }}", "<br>", "&nbsp;"])
def test_an_answer_of_which_cleaning_leaves_nothing_has_no_sentences_and_no_features(nlp: Language, text: str) -> None:
    for ((_, doc),) in parse_answers(nlp, [answer(text)]):
        assert [s.text.strip() for s in doc.sents if s.text.strip()] == []
        assert extract_features(doc).documents() == ("", "")


@pytest.mark.parametrize(
    ("headline", "text", "expected"),
    [
        pytest.param("Peels and skin", "They help.", ["Peels and skin", "They help."], id="a headline of its own"),
        pytest.param("Peels help", "only a little. Wait.", ["Peels help only a little.", "Wait."], id="it runs on"),
        pytest.param("Safe? Yes", "They help.", ["Safe?", "Yes", "They help."], id="a headline of two sentences"),
    ],
)
def test_a_headline_is_a_sentence_unless_the_body_goes_on_with_it(
    nlp: Language, headline: str, text: str, expected: list[str]
) -> None:
    for ((_, doc),) in parse_answers(nlp, [answer(text, headline=headline)]):
        assert [sentence.text.strip() for sentence in doc.sents] == expected


# ---------------------------------------------------------------- cues

CONTRACTIONS = ["don't", "dont", "do not", "don\u2019t", "don`t", "Don't", "Dont", "DO NOT", "DON'T", "DONT"]


@pytest.fixture(scope="module")
def small_nlp() -> Language:
    """A pipeline with a lexicon small enough to say exactly what must be found."""
    families = {
        "negation": ["no", "not", "no longer"],
        "pseudo_negation": ["not only"],
        "contrast": ["but", "even though"],
        "question_flip": ["any harm"],
        "recommends": ["recommend", "highly? recommend it", "would recommend"],
        "praises": ["highly"],
    }
    assert set(REQUIRED_FAMILIES) <= set(families)
    listed = "".join(f'[[family]]\nname = "{name}"\npatterns = {patterns}\n' for name, patterns in families.items())
    return build_nlp(parse_lexicon(f"version = 1\nstock_words = ['used', 'safe']\n{listed}", "small.toml"))


def cues(nlp: Language, text: str, *, target_words: Collection[str] = ()) -> list[tuple[str, str]]:
    doc = nlp.make_doc(clean_text(text))
    doc._.target_words = frozenset(target_words)
    doc = nlp(doc)
    return [(cue.family, doc[cue.start : cue.end].text) for cue in doc._.cues]


def test_the_longest_wording_of_a_family_counts_and_other_families_are_found_inside(small_nlp: Language) -> None:
    assert cues(small_nlp, "I highly recommend it, and recommend more.") == [
        ("praises", "highly"),
        ("recommends", "highly recommend it"),
        ("recommends", "recommend"),
    ]


@pytest.mark.parametrize("text", ["would recommend", "would  recommend", "would\nrecommend", "Would\tRecommend"])
def test_a_wording_is_found_however_its_words_are_spaced(small_nlp: Language, text: str) -> None:
    assert [family for family, _ in cues(small_nlp, text)] == ["recommends"]
    assert cues(small_nlp, text)[0][1].split() == text.split()


def test_a_wording_is_not_found_across_a_sentence_end(small_nlp: Language) -> None:
    assert ("recommends", "would recommend") not in cues(small_nlp, "Yes I would. recommend")


@pytest.mark.parametrize("form", CONTRACTIONS)
def test_a_negated_verb_gives_the_same_cues_and_scope_however_it_is_written(nlp: Language, form: str) -> None:
    def read(text: str) -> tuple[list[str], list[str]]:
        doc = nlp(clean_text(text))
        return [cue.family for cue in doc._.cues], negated(doc)

    assert read(f"I {form} recommend this") == read("I do not recommend this")


@pytest.mark.parametrize(
    ("short", "full"),
    [("can't", "can not"), ("cannot", "can not"), ("won't", "will not"), ("isn't", "is not"), ("doesnt", "does not"),
     ("shouldn't", "should not"), ("SHOULDN'T", "should not"), ("CANNOT", "can not"), ("Wouldn't", "would not")],
)  # fmt: skip
def test_a_contraction_negates_as_its_long_form_does(nlp: Language, short: str, full: str) -> None:
    assert negated(nlp(f"it {short} hurt")) == negated(nlp(f"it {full} hurt")) == ["hurt"]


def test_every_wording_of_the_lexicon_is_found_in_its_own_family(nlp: Language) -> None:
    phrases = parse_lexicon(default_lexicon_text(), "cues.toml").phrases()
    pairs = [(name, wording) for name, wordings in phrases.items() for wording in wordings]
    plain = [pair for pair in pairs if TARGET not in pair[1]]
    assert [pair for pair in plain if pair not in cues(nlp, pair[1])] == []
    with_target = [(name, wording.replace(TARGET, "peel peels")) for name, wording in pairs if TARGET in wording]
    assert with_target
    assert [pair for pair in with_target if pair not in cues(nlp, pair[1], target_words=("peel",))] == []


# ---------------------------------------------------------------- negation and contrast


def negated(doc: Doc) -> list[str]:
    return [token.text for token in doc if token._.is_negated]


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
def test_a_negation_reaches_exactly_these_tokens(nlp: Language, text: str, expected: list[str]) -> None:
    assert negated(nlp(clean_text(text))) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("It hurts but works.", ["works", "."], id="after one word"),
        pytest.param("It hurts. But it works. It does.", ["it", "works", "."], id="in its sentence alone"),
        pytest.param("It works even though it hurts", ["it", "hurts"], id="after the whole of a wording"),
        pytest.param("It hurts but works but hurts", ["works", "but", "hurts"], id="from the first of two"),
        pytest.param("It works.", [], id="no contrast"),
    ],
)
def test_what_follows_a_contrast_is_marked(small_nlp: Language, text: str, expected: list[str]) -> None:
    assert [token.text for token in small_nlp(text) if token._.follows_contrast] == expected


def test_a_token_knows_the_families_it_belongs_to(small_nlp: Language) -> None:
    doc = small_nlp("I highly recommend it")
    assert [token._.cues for token in doc] == [[], ["praises", "recommends"], ["recommends"], ["recommends"]]


# ---------------------------------------------------------------- targets and the question


def targets(nlp: Language, record: AnswerRecord) -> list[str]:
    return [token.text for ((_, doc),) in parse_answers(nlp, [record]) for token in doc if token._.is_target]


def test_targets_are_the_content_words_of_the_question_in_any_form(small_nlp: Language) -> None:
    record = answer(
        "Peeling fades freckles, is used a lot and is safe.", question="Can I use peels to fade my freckle?"
    )
    assert targets(small_nlp, record) == ["Peeling", "fades", "freckles"]


def test_targets_are_those_of_the_proposition_where_there_is_one(small_nlp: Language) -> None:
    record = answer("Lasers beat peels.", question="Do lasers hurt?", proposition="a peel")
    assert targets(small_nlp, record) == ["peels"]


@pytest.mark.parametrize("nothing", ["Is it safe?", "Used?", "To be or not to be?", "?"])
def test_a_question_of_stock_and_stop_words_names_no_target(small_nlp: Language, nothing: str) -> None:
    assert targets(small_nlp, answer("It is used to be safe, or not to be?", question=nothing)) == []


@pytest.mark.parametrize(
    ("question", "flipped"),
    [("Is there any harm in a peel?", True), ("ANY HARM?", True), ("Does a peel work?", False)],
)
def test_a_question_is_flipped_where_a_plain_no_supports(small_nlp: Language, question: str, flipped: bool) -> None:
    for ((_, doc),) in parse_answers(small_nlp, [answer("No.", question=question)]):
        assert doc._.is_flipped is flipped


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        pytest.param(["inject", "injected", "injecting", "injection", "injections"], "inject", id="verb and noun"),
        pytest.param(["biopsy", "biopsies"], "biops", id="y and ies"),
        pytest.param(["nose", "noses"], "nos", id="e and es"),
        pytest.param(["lip"], "lip", id="a short word"),
        pytest.param(["less"], "less", id="a double s"),
        pytest.param([""], "", id="nothing"),
    ],
)
def test_forms_of_a_word_have_one_stem(words: list[str], expected: str) -> None:
    assert {stem(word) for word in words} == {expected}


# ---------------------------------------------------------------- batches and memory


@given(
    st.lists(
        st.tuples(st.sampled_from(["Any harm in a peel?", "Do fillers last?"]), MESSY.filter(str.strip)), max_size=9
    )
)
@settings(deadline=None, max_examples=30)
def test_features_do_not_depend_on_the_batch_size(nlp: Language, rows: list[tuple[str, str]]) -> None:
    answers = [answer(text, question=question) for question, text in rows]

    def read(batch_size: int) -> list[object]:
        batches = parse_answers(nlp, answers, batch_size=batch_size)
        return [extract_features(doc) for batch in batches for _, doc in batch]

    assert read(1) == read(2) == read(7)


def test_answers_come_back_in_order_and_in_batches_of_the_size_asked_for(nlp: Language) -> None:
    answers = [answer(f"Answer {n}.") for n in range(5)]
    batches = [[record for record, _ in batch] for batch in parse_answers(nlp, answers, batch_size=2)]
    assert batches == [answers[:2], answers[2:4], answers[4:]]


def test_no_answers_give_no_batches(nlp: Language) -> None:
    assert list(parse_answers(nlp, [])) == []


def test_a_stream_of_new_words_does_not_grow_the_vocabulary_and_plain_data_survives(nlp: Language) -> None:
    random = np.random.default_rng(7)
    words = ["".join(row) for row in random.choice(list("bcdfghjklmnpqrstvwxz"), size=(6000, 12))]
    answers = [answer(" ".join(words[n : n + 20]), question=f"Is {words[n]} safe?") for n in range(0, len(words), 20)]

    def read_all() -> list[tuple[str, str]]:
        batches = parse_answers(nlp, answers, batch_size=16)
        return [extract_features(doc).documents() for batch in batches for _, doc in batch]

    n_strings = len(nlp.vocab.strings)
    first, second = read_all(), read_all()
    assert len(nlp.vocab.strings) < n_strings + 100
    assert first == second
    assert words[1] in first[0][0].split(" ")


@pytest.mark.parametrize("text", ["It works, but no doubt it hurts.", "It works, however not only here."])
def test_a_contrast_before_a_negation_that_is_none_is_a_contrast(nlp: Language, text: str) -> None:
    doc = nlp(text)
    assert doc[len(doc) - 2]._.follows_contrast
