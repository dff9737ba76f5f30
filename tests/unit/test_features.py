"""Features: exactly which ones an answer gives, what they are known by, and how they are counted."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.features import (
    DOCUMENTS,
    FEATURE_VERSION,
    Features,
    Kind,
    Vocabulary,
    build_vocabulary,
    count_columns,
    count_features,
    extract_features,
)
from pipeline.lexicon import default_lexicon_text, parse_lexicon
from pipeline.preprocess import AnswerParser, parse_answers, wordtypes
from pipeline.schema import AnswerRecord, Source

if TYPE_CHECKING:
    from random import Random

LEXICON = """
version = 1
[[family]]
name = "negation"
patterns = ["not"]
[[family]]
name = "pseudo_negation"
patterns = ["not only"]
[[family]]
name = "contrast"
patterns = ["but"]
[[family]]
name = "question_flip"
patterns = ["any harm"]
[[family]]
name = "safe"
patterns = ["safe"]
[[family]]
name = "works"
patterns = ["works"]
[[family]]
name = "yes"
patterns = ["yes"]
"""
QUESTION = "Does a peel help?"
TEXTS = st.text(min_size=1, max_size=60).filter(str.strip) | st.lists(
    st.sampled_from(
        ["not", "safe", "peel", "7", "but", "yes", ",", ".", "?", "\n", "\u2003", "\x1c", "\u200b", "any harm", "_"]
    ),
    min_size=1,
    max_size=15,
).map(" ".join).filter(str.strip)  # fmt: skip
# Sentences of few words: features that many answers share, and some that few do.
PLAIN_TEXTS = st.lists(
    st.sampled_from(["not", "safe", "peel", "works", "but", "yes", ".", "."]), min_size=1, max_size=8
).map(" ".join)


@pytest.fixture(scope="module")
def small_parser() -> AnswerParser:
    """A parser whose lexicon is small enough to say exactly what must come out."""
    return AnswerParser(parse_lexicon(LEXICON, "small.toml"))


@pytest.fixture(scope="module")
def other_parser() -> AnswerParser:
    """A parser with the same families in another order, which numbers words and families otherwise."""
    version, *families = LEXICON.split("[[family]]")
    parser = AnswerParser(parse_lexicon("[[family]]".join([version, *families[::-1]]), "other.toml"))
    parser.parse([answer("Other words, so that numbers differ: safe.")])
    return parser


def answer(text: str, *, question: str = QUESTION, headline: str | None = None) -> AnswerRecord:
    return AnswerRecord(
        question_id="q",
        question=question,
        answer_id="a",
        position=1,
        headline=headline,
        text=text,
        source=Source(file="t", locator="answer 1"),
    )


def features(parser: AnswerParser, *texts: str, question: str = QUESTION, headline: str | None = None) -> Features:
    return extract_features(parser.parse([answer(text, question=question, headline=headline) for text in texts]))


def in_place(found: Features, rows: np.ndarray) -> list[str]:
    """Name features in order of place, those of a token in the order they are given in."""
    return found.names(rows[np.argsort(found.tokens[rows], kind="stable")])


def list_names(found: Features, document: str) -> list[str]:
    return in_place(found, np.flatnonzero(found.documents(np.arange(len(found.kinds))) == DOCUMENTS.index(document)))


def all_names(found: Features) -> list[str]:
    return found.names(np.arange(len(found.kinds)))


def of_kinds(found: Features, *kinds: Kind) -> list[str]:
    return in_place(found, np.flatnonzero(np.isin(found.kinds, kinds)))


def words(parser: AnswerParser, text: str) -> list[str]:
    return list_names(features(parser, text), "words")


def cues(parser: AnswerParser, text: str, *, question: str = QUESTION, headline: str | None = None) -> list[str]:
    return list_names(features(parser, text, question=question, headline=headline), "cues")


# ---------------------------------------------------------------- words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("It works", ["it", "works", "it_works"], id="words and pairs, lower-cased"),
        pytest.param("Not safe, go", ["not", "!safe", "not_!safe", "go"], id="a scope is marked, a comma parts pairs"),
        pytest.param("safe. go", ["safe", "go"], id="a sentence's end parts pairs"),
        pytest.param("well-known", ["well", "known", "well_known"], id="a hyphen joins pairs"),
        pytest.param('a "safe" one', ["a", "safe", "a_safe", "NUM", "safe_NUM"], id="quotes do not part pairs"),
        pytest.param("A peel", ["a", "a_TARGET"], id="the target has no name, and naming it is no feature"),
        pytest.param("peel peels hurt", ["hurt", "TARGET_hurt"], id="a target of two words is one"),
        pytest.param("7 days", ["NUM", "days", "NUM_days"], id="a number has no value"),
        pytest.param("five", ["NUM"], id="a number in words"),
        pytest.param("not 7 peels", ["not", "!NUM", "not_!NUM"], id="both in a scope, but no pair of them"),
        pytest.param("7 peels, peel 7 8", ["NUM", "NUM", "NUM"], id="no pair of the target and numbers alone"),
        pytest.param("7 of 8", ["NUM", "of", "NUM_of", "NUM", "of_NUM"], id="a number and a word are a pair"),
        pytest.param("...", [], id="nothing but points"),
    ],
)
def test_words_give_exactly_these_features(small_parser: AnswerParser, text: str, expected: list[str]) -> None:
    assert words(small_parser, text) == expected


@pytest.mark.parametrize("form", ["don't", "dont", "don\u2019t", "Do not", "DO NOT", "DON'T"])
def test_a_contraction_gives_the_words_of_its_long_form(small_parser: AnswerParser, form: str) -> None:
    assert words(small_parser, f"I {form} know") == words(small_parser, "i do not know")


def test_a_pair_never_reaches_from_one_answer_into_the_next(small_parser: AnswerParser) -> None:
    assert list_names(features(small_parser, "so", "safe", "\u200b", "now"), "words") == ["so", "safe", "now"]


# ---------------------------------------------------------------- cues


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("It is safe.", ["^it_is", "safe", "safe@first"], id="plain, and where it stands"),
        pytest.param("It. So. It is safe.", ["^it_is", "safe", "safe@last"], id="in the last sentence"),
        pytest.param("It. So safe. It.", ["^so_safe", "safe", "safe@middle"], id="in a middle sentence"),
        pytest.param(
            "A peel is safe.",
            ["<a", "^a_TARGET", "^a_TARGET~target", ">is", "safe", "safe@first", "safe~target", ">safe"],
            id="near the target",
        ),
        pytest.param(
            "A peel. So safe.",
            ["<a", "^a_TARGET", "^a_TARGET~target", "^so_safe", "safe", "safe@last"],
            id="the target in another sentence is not near",
        ),
        pytest.param(
            "not safe",
            ["negation", "negation@first", "^not_!safe", "safe!", "safe!@first", "negation>safe!"],
            id="in a negation's scope",
        ),
        pytest.param(
            "not only safe",
            ["negation", "negation@first", "^not_only", "safe", "safe@first", "negation>safe"],
            id="not only opens no scope",
        ),
        pytest.param(
            "So safe but works",
            ["^so_safe", "safe", "safe@first", "contrast", "contrast@first", "safe>contrast",
             "works", "works@first", "works@after_contrast", "contrast>works"],
            id="after a contrast, and in order",
        ),
        pytest.param(
            "Safe. It works.", ["safe", "safe@first", "^it_works", "works", "works@last"], id="no order over sentences"
        ),
        pytest.param(
            "So safe safe", ["^so_safe", "safe", "safe@first", "safe", "safe@first"], id="the same twice has no order"
        ),
        pytest.param("Yes.", ["yes", "yes@first", "yes@opening"], id="the answer's first words"),
        pytest.param("Well so yes", ["^well_so", "yes", "yes@first", "yes@opening"], id="the third is one of them"),
        pytest.param("Well it is yes.", ["^well_it", "yes", "yes@first"], id="yes further on opens nothing"),
        pytest.param("any harm", ["^any_harm"], id="wordings of questions count in questions alone"),
    ],
)  # fmt: skip
def test_cues_give_exactly_these_features(small_parser: AnswerParser, text: str, expected: list[str]) -> None:
    assert cues(small_parser, text) == expected


def test_cues_of_a_headline_are_in_the_headline_and_the_body_begins_after_it(small_parser: AnswerParser) -> None:
    found = features(small_parser, "It works.", headline="Quite safe")
    assert of_kinds(found, Kind.CUE, Kind.CUE_ZONE) == ["safe", "safe@headline", "works", "works@first"]


def test_of_every_answer_in_a_batch_the_first_words_are_its_own(small_parser: AnswerParser) -> None:
    found = features(small_parser, "Well it is", "Yes", "Not so. Yes")
    assert of_kinds(found, Kind.CUE_OPENING, Kind.CUE_CUE) == ["yes@opening"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a b c d e peel f g h i j", "<b <c <d <e >f >g >h >i", id="up to four before and after"),
        pytest.param("a peel b peel", "<a >b <b", id="between two mentions"),
        pytest.param("so. peel is! on", ">is", id="in the sentence alone"),
        pytest.param("a, - b peel", "<a <b", id="punctuation takes up room and gives nothing"),
        pytest.param("a, , , b peel", "<b", id="and so it may keep a word out"),
        pytest.param("not so peel", "<not <!so", id="in a negation's scope"),
        pytest.param("7 peels", "<NUM", id="a number has no value"),
        pytest.param("peel peels", "", id="mentions are no neighbours"),
        pytest.param("so it is", "", id="no mention"),
    ],
)
def test_the_words_around_a_mention_of_the_target_are_exactly_these(
    small_parser: AnswerParser, text: str, expected: str
) -> None:
    found = features(small_parser, "peel", text, "peel")
    assert sorted(of_kinds(found, Kind.BEFORE, Kind.AFTER)) == sorted(expected.split())


@given(st.lists(TEXTS, max_size=4))
@settings(max_examples=60)
def test_the_words_around_a_mention_are_those_that_measuring_every_distance_finds(
    small_parser: AnswerParser, texts: list[str]
) -> None:
    found = features(small_parser, *texts)
    batch = found.batch
    is_word = ~batch.has(wordtypes.SPACE, wordtypes.PUNCT)
    mentions = np.flatnonzero(batch.targets).tolist()
    for kind, sign in ((Kind.BEFORE, 1), (Kind.AFTER, -1)):
        expected = [
            token
            for token in np.flatnonzero(is_word & ~batch.targets).tolist()
            if any(
                0 < sign * (mention - token) <= 4 and batch.sentence_of[mention] == batch.sentence_of[token]
                for mention in mentions
            )
        ]
        assert found.tokens[found.kinds == kind].tolist() == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("It is. So it was!", ["^it_is", "^so_it"], id="two words of every sentence"),
        pytest.param('"It, however', ["^it_however"], id="quotes and commas are no words"),
        pytest.param("Yes. No", [], id="one word is not enough"),
        pytest.param("7 peels", [], id="a number and the target"),
        pytest.param("Peels 7", [], id="the target and a number"),
        pytest.param("Not 7 8", ["^not_!NUM"], id="a word and a number"),
        pytest.param("Peels hurt", ["^TARGET_hurt", "^TARGET_hurt~target"], id="the target and a word"),
        pytest.param("It is a peel", ["^it_is", "^it_is~target"], id="the target further on"),
        pytest.param("Not so", ["^not_!so"], id="in a negation's scope"),
        pytest.param("...", [], id="no word"),
    ],
)
def test_sentences_start_with_exactly_these_words(small_parser: AnswerParser, text: str, expected: list[str]) -> None:
    found = features(small_parser, "So", text, "So")
    assert of_kinds(found, Kind.START, Kind.START_TARGET) == expected


# ---------------------------------------------------------------- what is said


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("It is safe.", ["it", "is", "safe", "safe"], id="words and a cue"),
        pytest.param("Not safe", ["negation", "not", "!safe", "safe!"], id="negated ones too"),
        pytest.param("A peel, 7 peels?", ["a"], id="neither the target nor a number, nor what stands around them"),
        pytest.param("Not 7 peels", ["negation", "not"], id="nor in a scope"),
        pytest.param("Peels. 7. Seven peels!", [], id="the target and numbers alone"),
        pytest.param("...", [], id="no word"),
    ],
)
def test_words_and_cues_alone_say_something(small_parser: AnswerParser, text: str, expected: list[str]) -> None:
    found = features(small_parser, text)
    assert sorted(found.names(np.flatnonzero(found.is_said))) == sorted(expected)


def test_a_target_that_is_a_cue_is_said(small_parser: AnswerParser) -> None:
    found = features(small_parser, "Safe.", question="Is it safe?")
    assert found.names(np.flatnonzero(found.is_said)) == ["safe"]
    assert found.kinds[found.is_said].tolist() == [Kind.CUE]


@given(
    st.lists(st.sampled_from(["peel", "Peels", "7", "seven", "12.5", ".", ",", "?", "\n\n", "-"]), min_size=1)
    .map(" ".join)
    .filter(str.strip)
)
@settings(max_examples=60)
def test_of_targets_and_numbers_alone_no_pair_and_no_start_is_a_feature(small_parser: AnswerParser, text: str) -> None:
    for question in (QUESTION, "Any harm in a peel?"):
        found = features(small_parser, text, question=question)
        assert not found.is_said.any()
        assert of_kinds(found, Kind.PAIR, Kind.START, Kind.START_TARGET) == []


# ---------------------------------------------------------------- pieces of words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("It", "*.i* *it* *t.* *.it* *it.* *.it.*", id="two to four letters with the borders"),
        pytest.param("ooo", "*.o* *oo* *o.* *.oo* *ooo* *oo.* *.ooo* *ooo.* *.ooo.*", id="a run counts once in a word"),
        pytest.param("a a", "*.a* *a.* *.a.* *.a* *a.* *.a.*", id="and in every word"),
        pytest.param("7 peels...", "", id="neither numbers nor the target nor points"),
        pytest.param("not a", "*.n* *no* *ot* *t.* *.no* *not* *ot.* *.not* *not.* *.not.* *.a* *a.* *.a.*",
                     id="negated or not is the same"),
    ],
)  # fmt: skip
def test_words_are_made_of_exactly_these_pieces(small_parser: AnswerParser, text: str, expected: str) -> None:
    found = extract_features(small_parser.parse([answer(text)]), with_pieces=True)
    assert Counter(list_names(found, "pieces")) == Counter(expected.split())


@given(st.lists(TEXTS, max_size=4))
@settings(max_examples=40)
def test_pieces_are_given_where_asked_for_and_change_nothing_else(small_parser: AnswerParser, texts: list[str]) -> None:
    batch = small_parser.parse([answer(text) for text in texts])
    plain, more = extract_features(batch), extract_features(batch, with_pieces=True)
    assert not (plain.kinds == Kind.PIECE).any()
    rows = np.flatnonzero(more.kinds != Kind.PIECE)
    assert more.names(rows) == all_names(plain)
    assert more.hashes[rows].tolist() == plain.hashes.tolist()
    assert more.tokens[rows].tolist() == plain.tokens.tolist()


# ---------------------------------------------------------------- flipped questions


def test_a_flipped_question_gives_every_cue_a_second_time_marked(small_parser: AnswerParser) -> None:
    plain = cues(small_parser, "Yes, a peel is not safe but works.")
    flipped = cues(small_parser, "Yes, a peel is not safe but works.", question="Any harm if a peel may help?")
    assert [name for name in flipped if not name.startswith("flip:")] == plain
    assert [name for name in flipped if name.startswith("flip:")] == [f"flip:{name}" for name in plain]
    assert {"flip:yes@opening", "flip:safe!~target", "flip:<a", "flip:^yes_a~target"} <= set(flipped)


def test_neither_words_nor_places_depend_on_the_polarity_of_the_question(small_parser: AnswerParser) -> None:
    plain = features(small_parser, "A peel is safe. Not so.", question="A peel?")
    flipped = features(small_parser, "A peel is safe. Not so.", question="Any harm in a peel?")
    assert list_names(flipped, "words") == list_names(plain, "words")
    assert of_kinds(flipped, Kind.SENTENCE, Kind.LENGTH) == of_kinds(plain, Kind.SENTENCE, Kind.LENGTH)
    assert not any(name.startswith("flip:") for name in list_names(flipped, "places"))


def test_in_a_batch_the_answers_to_flipped_questions_alone_are_given_twice(small_parser: AnswerParser) -> None:
    records = [answer("Yes"), answer("Yes", question="Any harm?"), answer("Yes")]
    found = extract_features(small_parser.parse(records))
    rows = np.flatnonzero([name.startswith("flip:") for name in all_names(found)])
    assert found.names(rows) == ["flip:yes", "flip:yes@first", "flip:yes@opening"]
    assert set(found.tokens[rows].tolist()) == {1}


# ---------------------------------------------------------------- places


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("One.", "sentence@first", id="one sentence"),
        pytest.param(
            "A peel. No. So", "sentence@first sentence@first~target sentence@middle sentence@last", id="three"
        ),
        pytest.param("One. Peel?", "sentence@first sentence@last sentence@last~target sentence?", id="a question"),
        pytest.param("Safe?! So", "sentence@first sentence? sentence@last", id="a question and more"),
        pytest.param('"Safe?" So', "sentence@first sentence? sentence@last", id="a question in quotes"),
        pytest.param("What, so", "sentence@first", id="no question mark, no question"),
        pytest.param("...", "", id="no word"),
        pytest.param("...?", "", id="no word, though it asks"),
    ],
)
def test_a_sentence_says_where_it_stands_and_whether_it_asks(
    small_parser: AnswerParser, text: str, expected: str
) -> None:
    found = features(small_parser, "So", text, "So.")
    listed = of_kinds(found, Kind.SENTENCE, Kind.SENTENCE_TARGET, Kind.QUESTION)
    assert listed == ["sentence@first", *expected.split(), "sentence@first"]


def test_a_headline_is_a_sentence_of_its_own_place(small_parser: AnswerParser) -> None:
    found = features(small_parser, "So. It is.", headline="A peel")
    assert of_kinds(found, Kind.SENTENCE, Kind.SENTENCE_TARGET) == [
        "sentence@headline", "sentence@headline~target", "sentence@first", "sentence@last",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("n_words", "expected"),
    [
        (1, ["sentence:short"]), (5, ["sentence:short"]), (6, []), (29, []), (30, ["sentence:long"]),
        (99, ["sentence:long"]),
    ],
)  # fmt: skip
def test_a_sentence_of_so_many_words_is_short_or_long(
    small_parser: AnswerParser, n_words: int, expected: list[str]
) -> None:
    found = features(small_parser, ", ".join(["so"] * n_words) + "...")
    assert of_kinds(found, Kind.LENGTH) == expected


@pytest.mark.parametrize(
    ("question", "text", "expected"),
    [
        pytest.param("A peel?", "Peel", {"": [5], " of most": [5], " before": [0], " after": [0]}, id="all"),
        pytest.param("A peel?", "No", {"": [0], " of most": [0], " before": [0], " after": [0]}, id="nothing"),
        pytest.param("Is it?", "It is", {"": [0], " of most": [0], " before": [0], " after": [0]}, id="no target"),
        pytest.param(
            "Peel, laser, filler?",
            "A peel. A peel and a laser. No",
            {"": [2, 4, 0], " of most": [3, 5, 0], " before": [0, 2, 4], " after": [4, 0, 0]},
            id="thirds are rounded up",
        ),
        pytest.param(
            "Peel, laser, filler, thread, botox?",
            "A peel, a laser, a filler. A peel.",
            {"": [3, 1], " of most": [5, 2], " before": [0, 3], " after": [1, 0]},
            id="fifths are not",
        ),
        pytest.param(
            "Peel, laser, filler, thread, botox, chin, nose, lip, brow, ear, skin, scar, mole, vein, tooth?",
            "Peel, laser, filler. Peel, laser, filler, thread, botox.",
            {"": [1, 2], " of most": [3, 5], " before": [0, 1], " after": [2, 0]},
            id="nor where division is not exact",
        ),
        pytest.param(
            "A peel?",
            "A peel. ... A peel",
            {"": [5, 5], " of most": [5, 5], " before": [0, 5], " after": [5, 0]},
            id="a sentence without words gives nothing",
        ),
    ],
)
def test_a_sentence_says_what_share_of_the_target_it_and_its_neighbours_have_in_fifths(
    small_parser: AnswerParser, question: str, text: str, expected: dict[str, list[int]]
) -> None:
    full = answer("peel", question="peel")
    found = extract_features(small_parser.parse([full, answer(text, question=question), full]))
    mine = found.batch.tokens.text_of[found.tokens] == 1
    kinds = (Kind.COVERED, Kind.COVERED_MOST, Kind.COVERED_BEFORE, Kind.COVERED_AFTER)
    for kind, (suffix, fifths) in zip(kinds, expected.items(), strict=True):
        assert found.names(np.flatnonzero(mine & (found.kinds == kind))) == [f"target={n}/5{suffix}" for n in fifths]


# ---------------------------------------------------------------- names, places in the text and hashes


def test_every_kind_of_feature_belongs_to_the_block_of_its_content(small_parser: AnswerParser) -> None:
    record = answer("Yes, a peel is not safe, but a peel works. So? Yes.", question="Any harm in a peel?")
    found = extract_features(small_parser.parse([record]), with_pieces=True)
    documents = found.documents(np.arange(len(found.kinds))).tolist()
    blocks = {(Kind(kind % 64), DOCUMENTS[place]) for kind, place in zip(found.kinds.tolist(), documents, strict=True)}
    expected = ["words"] * 2 + ["cues"] * 10 + ["places"] * 8 + ["pieces"]
    assert blocks == set(zip(Kind, expected, strict=True))


@given(TEXTS, st.none() | TEXTS)
@settings(max_examples=150)
def test_no_name_is_empty_or_of_two_lines_and_those_of_words_and_cues_hold_no_white_space(
    small_parser: AnswerParser, text: str, headline: str | None
) -> None:
    found = features(small_parser, text, headline=headline, question="Any harm in a peel?")
    assert all(name.splitlines() == [name] for name in all_names(found))
    assert all(name.split() == [name] for block in ("words", "cues") for name in list_names(found, block))


@given(st.lists(TEXTS, max_size=4))
@settings(max_examples=60)
def test_features_know_their_sentence(small_parser: AnswerParser, texts: list[str]) -> None:
    found = features(small_parser, *texts)
    assert found.sentences.tolist() == [found.batch.sentence_of[token] for token in found.tokens.tolist()]
    assert len({len(column) for column in (found.kinds, found.a, found.b, found.tokens, found.hashes)}) == 1


def known_by(found: Features) -> list[tuple[int, str, int]]:
    return list(zip(found.kinds.tolist(), all_names(found), found.hashes.tolist(), strict=True))


@given(st.lists(TEXTS, min_size=1, max_size=5))
@settings(max_examples=60)
@example(["not safe but works. Yes?", "! safe", "safe ! peel", "7 peels, five peels"])
def test_a_hash_stands_for_one_kind_and_name_in_whatever_batch_and_parser(
    small_parser: AnswerParser, other_parser: AnswerParser, texts: list[str]
) -> None:
    # An underscore in a word is left out: "a_b_c" may then be the pair of "a_b" and "c" or of "a" and "b_c".
    records = [answer(text.replace("_", "x"), question="Any harm in a peel?") for text in texts]
    records += [answer(record.text, headline="Not a peel") for record in records]
    known = known_by(extract_features(small_parser.parse(records), with_pieces=True))
    each = [extract_features(other_parser.parse([record]), with_pieces=True) for record in records]
    alone = [row for found in each for row in known_by(found)]
    assert sorted(alone) == sorted(known)
    pairs = {(kind, name): number for kind, name, number in known}
    assert set(known) == {(kind, name, number) for (kind, name), number in pairs.items()}
    assert len(set(pairs.values())) == len(pairs)


def test_no_two_features_of_eight_thousand_wordings_share_a_hash(parser: AnswerParser) -> None:
    lexicon = parse_lexicon(default_lexicon_text(), "cues.toml")
    wordings = [wording for listed in lexicon.phrases().values() for wording in listed]
    # One answer of a hundred wordings takes far less time than a hundred answers.
    texts = [". ".join(wordings[n : n + 100]) for n in range(0, len(wordings), 100)]
    records = [answer(text, question=q) for text in texts for q in (QUESTION, "Any harm in this?")]
    found = extract_features(parser.parse(records))
    hashes, rows = np.unique(found.hashes, return_index=True)
    contents = np.unique(np.stack([found.kinds, found.a, found.b]), axis=1)
    assert len(hashes) == contents.shape[1] > 10_000
    names = list(zip(found.documents(rows).tolist(), found.names(rows), strict=True))
    assert len(set(names)) == len(names)


def test_whoever_changes_what_a_text_gives_raises_the_feature_version(small_parser: AnswerParser) -> None:
    found = extract_features(
        small_parser.parse(
            [
                answer("Yes! It's not safe, but 7 peels DON'T hurt\u2026 \U0001f600", headline="Not only safe"),
                answer("It works. Is it safe? A peel helps. Yes", question="Any harm in a peel?"),
                answer("so " * 30, question="Any harm in a peel?"),
            ]
        )
    )
    digest = hashlib.sha256(repr(sorted(known_by(found))).encode()).hexdigest()[:16]
    # Models are stored with these hashes: when this fails, raise the version and train anew.
    assert (FEATURE_VERSION, digest) == (4, "b284974ba9c2efac")


# ---------------------------------------------------------------- the vocabulary

HASHES = st.lists(
    st.integers(0, 2**64 - 1)
    | st.integers(0, 9)
    | st.integers(2**64 - 9, 2**64 - 1)
    | st.integers(2**44 - 3, 2**44 + 3),
    max_size=30,
)


def name_plainly(batches: list[Features]) -> dict[tuple[int, str], tuple[int, int]]:
    """Give each feature's hash, and in how many answers it stands, by its block and name."""
    hashes: dict[tuple[int, str], int] = {}
    n_answers: Counter[tuple[int, str]] = Counter()
    for found in batches:
        documents = found.documents(np.arange(len(found.kinds))).tolist()
        names = list(zip(documents, all_names(found), strict=True))
        hashes |= dict(zip(names, found.hashes.tolist(), strict=True))
        answers = found.batch.tokens.text_of[found.tokens].tolist()
        n_answers.update(name for name, _ in set(zip(names, answers, strict=True)))
    return {name: (hashes[name], n_answers[name]) for name in sorted(hashes)}


def parse_in_batches(parser: AnswerParser, texts: list[str], batch_size: int) -> list[Features]:
    batches = parse_answers(parser, [answer(text) for text in texts], batch_size=batch_size)
    return [extract_features(batch) for batch in batches]


@given(st.lists(PLAIN_TEXTS, min_size=1, max_size=8), st.integers(1, 4), st.integers(1, 9))
@settings(max_examples=60)
def test_the_vocabulary_is_what_stands_in_so_many_answers_in_order_of_block_and_name(
    small_parser: AnswerParser, texts: list[str], min_answers: int, batch_size: int
) -> None:
    batches = parse_in_batches(small_parser, texts, batch_size)
    vocabulary = build_vocabulary(batches, min_answers)
    expected = {name: number for name, (number, n) in name_plainly(batches).items() if n >= min_answers}
    assert list(zip(vocabulary.documents.tolist(), vocabulary.names, strict=True)) == list(expected)
    assert vocabulary.hashes.tolist() == list(expected.values())
    assert len(vocabulary) == len(expected)


def test_a_feature_that_stands_often_in_one_answer_stands_in_one(small_parser: AnswerParser) -> None:
    batches = [features(small_parser, "so so so so", "well"), features(small_parser, "well", "now")]
    names = [
        name for name, document in zip(*vocabulary_rows(build_vocabulary(batches, 2)), strict=True) if not document
    ]
    assert names == ["well"]


def vocabulary_rows(vocabulary: Vocabulary) -> tuple[list[str], list[int]]:
    return list(vocabulary.names), vocabulary.documents.tolist()


def test_answers_without_features_give_an_empty_vocabulary(small_parser: AnswerParser) -> None:
    vocabulary = build_vocabulary([features(small_parser, "\u200b"), features(small_parser)], 1)
    assert (len(vocabulary), vocabulary.names, vocabulary.hashes.shape, vocabulary.documents.shape) == (
        0,
        (),
        (0,),
        (0,),
    )
    assert vocabulary.columns(np.array([0, 1, 2**64 - 1], dtype=np.uint64)).tolist() == [-1, -1, -1]
    assert count_features(features(small_parser, "It is. So."), vocabulary).shape == (2, 0)


@given(HASHES, HASHES, st.randoms(use_true_random=False))
@settings(max_examples=40)
def test_a_hash_is_found_in_its_column_and_one_that_is_not_known_in_none(
    known: list[int], others: list[int], random: Random
) -> None:
    known = list(dict.fromkeys(known))
    vocabulary = Vocabulary(
        names=tuple(map(str, known)),
        hashes=np.array(known, dtype=np.uint64),
        documents=np.zeros(len(known), dtype=np.int64),
    )
    asked = [*known, *known, *others]
    random.shuffle(asked)
    expected = [known.index(number) if number in known else -1 for number in asked]
    assert vocabulary.columns(np.array(asked, dtype=np.uint64)).tolist() == expected


@given(st.lists(PLAIN_TEXTS, min_size=1, max_size=6), st.lists(PLAIN_TEXTS, max_size=4))
@settings(max_examples=40)
def test_each_sentence_counts_its_known_features(
    small_parser: AnswerParser, known: list[str], texts: list[str]
) -> None:
    vocabulary = build_vocabulary(parse_in_batches(small_parser, known, 2), 2)
    found = features(small_parser, *texts)
    documents = found.documents(np.arange(len(found.kinds))).tolist()
    counts = Counter(zip(found.sentences.tolist(), zip(documents, all_names(found), strict=True), strict=True))
    columns = list(zip(vocabulary.documents.tolist(), vocabulary.names, strict=True))
    expected = [[counts[row, name] for name in columns] for row in range(len(found.batch.zones))]
    counted = count_features(found, vocabulary)
    assert counted.shape == (len(found.batch.zones), len(vocabulary))
    assert counted.toarray().tolist() == expected


def test_a_pair_of_row_and_column_is_counted_as_often_as_it_is_given() -> None:
    counted = count_columns(np.array([2, 0, 2, 2]), np.array([1, 0, 1, 0]), (3, 2))
    assert counted.toarray().tolist() == [[1, 0], [0, 0], [1, 2]]
    assert count_columns(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64), (0, 5)).shape == (0, 5)
