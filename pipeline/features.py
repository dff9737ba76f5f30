"""From parsed answers to features, and from features to counts per sentence.

A feature has a name that people can read and a 64-bit hash of the same content that arrays can be
searched by. Features are counted per sentence, because the classifier weighs sentences.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from spacy.strings import get_string_id

from pipeline.preprocess import ZONES, ParsedBatch
from pipeline.preprocess import wordtypes as flag

Ints = NDArray[np.int64]
Hashes = NDArray[np.uint64]
Bools = NDArray[np.bool_]

FEATURE_VERSION = 4
"""Raised whenever the same text may give other features: a model of another version is refused."""

DOCUMENTS = ("words", "cues", "places", "pieces")
"""The blocks of features: what is said, in words and in cues, what kind of sentence it is said in, and the
pieces that the words are made of, which are given only where asked for."""

_STRUCTURAL = ("pseudo_negation", "question_flip")
_ANSWERS = ("yes", "says_no")
_OPENING_TOKENS = 3
_NEAR_TOKENS = 4
_SHORT_WORDS, _LONG_WORDS = 5, 30
_FIFTHS = 5
_SLOT_BITS = 20
_SLOT_SHIFT = np.uint64(64 - _SLOT_BITS)
_PIECE_LETTERS = range(2, 6)


class Kind(IntEnum):
    """What a feature says; `a` and `b` are the words, families or places it is about."""

    WORD = 0  # a
    PAIR = 1  # a b
    CUE = 2  # family a
    CUE_ZONE = 3  # family a in a sentence of zone b
    CUE_CONTRAST = 4  # family a after a contrast
    CUE_TARGET = 5  # family a in a sentence that mentions the target
    CUE_CUE = 6  # family a, then family b in one sentence
    CUE_OPENING = 7  # family a among the answer's first tokens
    BEFORE = 8  # word a shortly before a mention of the target
    AFTER = 9  # word a shortly after one
    START = 10  # a sentence starts with a b
    START_TARGET = 11  # and mentions the target
    SENTENCE = 12  # a sentence of zone a
    SENTENCE_TARGET = 13  # and mentions the target
    QUESTION = 14  # a sentence that asks
    LENGTH = 15  # a short or long sentence
    COVERED = 16  # what share of the target's words the sentence has, in fifths
    COVERED_MOST = 17  # how that compares with the answer's best sentence
    COVERED_BEFORE = 18  # that share in the sentence before
    COVERED_AFTER = 19  # and in the sentence after
    PIECE = 20  # two to five letters of a word


_FLIP = 64
"""Added to the kind of a cue feature that is given a second time because the question is flipped."""

_LENGTHS = ("short", "long")
_TEMPLATES = {
    Kind.WORD: "{a}",
    Kind.PAIR: "{a}_{b}",
    Kind.CUE: "{a}",
    Kind.CUE_ZONE: "{a}@{b}",
    Kind.CUE_CONTRAST: "{a}@after_contrast",
    Kind.CUE_TARGET: "{a}~target",
    Kind.CUE_CUE: "{a}>{b}",
    Kind.CUE_OPENING: "{a}@opening",
    Kind.BEFORE: "<{a}",
    Kind.AFTER: ">{a}",
    Kind.START: "^{a}_{b}",
    Kind.START_TARGET: "^{a}_{b}~target",
    Kind.SENTENCE: "sentence@{a}",
    Kind.SENTENCE_TARGET: "sentence@{a}~target",
    Kind.QUESTION: "sentence?",
    Kind.LENGTH: "sentence:{a}",
    Kind.COVERED: "target={a}/5",
    Kind.COVERED_MOST: "target={a}/5 of most",
    Kind.COVERED_BEFORE: "target={a}/5 before",
    Kind.COVERED_AFTER: "target={a}/5 after",
    Kind.PIECE: "*{a}*",
}
_FAMILY_KINDS = (Kind.CUE, Kind.CUE_ZONE, Kind.CUE_CONTRAST, Kind.CUE_TARGET, Kind.CUE_CUE, Kind.CUE_OPENING)


@dataclass(frozen=True)
class Features:
    """The features of a batch of answers, one row each time one stands in a text.

    Those of a kind stand together, in order of place; those that are given a second time come last.

    Attributes
    ----------
    batch
        The answers they are of.
    kinds
        `Kind`, plus 64 where it is given a second time for a flipped question; shape (n_features,).
    a, b
        What the feature is about: of words and families, twice the number, plus one in the scope of a
        negation; shape (n_features,).
    tokens
        The token of the batch each belongs to, shape (n_features,).
    hashes
        The same in every run for the same name and document, shape (n_features,).
    pieces
        The pieces of words, by their number.
    """

    batch: ParsedBatch
    kinds: Ints
    a: Ints
    b: Ints
    tokens: Ints
    hashes: Hashes
    pieces: Sequence[str] = ()

    @property
    def sentences(self) -> Ints:
        """The sentence of the batch each belongs to, shape (n_features,)."""
        return self.batch.sentence_of[self.tokens]

    @property
    def is_said(self) -> Bools:
        """Whether each is a word or a cue: places, mentions of the target and numbers by themselves say nothing."""
        said: Bools = ((self.kinds == Kind.WORD) & _is_said(self.a)) | (self.kinds == Kind.CUE)
        return said

    def names(self, rows: Ints) -> list[str]:
        """Return the names of some features."""
        return [self._name(*row) for row in zip(*(x[rows].tolist() for x in (self.kinds, self.a, self.b)), strict=True)]

    def documents(self, rows: Ints) -> Ints:
        """Return the place in `DOCUMENTS` of some features."""
        return np.searchsorted([Kind.CUE, Kind.SENTENCE, Kind.PIECE], self.kinds[rows] % _FLIP, side="right")

    def _name(self, kind: int, a: int, b: int) -> str:
        plain = Kind(kind % _FLIP)
        named = _TEMPLATES[plain].format(
            a=self._part(plain, a, is_second=False), b=self._part(plain, b, is_second=True)
        )
        return f"flip:{named}" if kind >= _FLIP else named

    def _part(self, kind: Kind, number: int, *, is_second: bool) -> str:
        if kind == Kind.LENGTH:
            return _LENGTHS[number]
        if kind == Kind.PIECE:
            return self.pieces[number]
        if kind >= Kind.COVERED:
            return str(number)
        if kind in {Kind.SENTENCE, Kind.SENTENCE_TARGET} or (kind == Kind.CUE_ZONE and is_second):
            return ZONES[number]
        if kind in _FAMILY_KINDS:
            return self.batch.families[number // 2] + "!" * (number % 2)
        return "!" * (number % 2) + self.batch.table.words[number // 2]


def extract_features(batch: ParsedBatch, *, with_pieces: bool = False) -> Features:
    """Extract the features of parsed answers.

    Words and pairs of words (NORM; ``!`` in a negation's scope; ``TARGET`` for what is asked about and
    ``NUM`` for a number, so that neither can be learnt); cue families, plain and with where they stand,
    whether negated, whether near the target and in what order; the words around a mention of the target
    and those that start a sentence, cues and these a second time where the question is flipped; and of
    each sentence where it stands, its length, and what share of the target's words it has. With pieces,
    also the runs of two to five letters of each word, its borders written as ``.``.

    Examples
    --------
    >>> from pipeline.lexicon import default_lexicon_text, parse_lexicon
    >>> from pipeline.preprocess import AnswerParser
    >>> from pipeline.schema import AnswerRecord, Source
    >>> parser = AnswerParser(parse_lexicon(default_lexicon_text(), "cues.toml"))
    >>> answer = AnswerRecord(question_id="q", question="Is it?", answer_id="a", position=1, text="Not safe.",
    ...                       source=Source(file="f", locator="line 1"))
    >>> features = extract_features(parser.parse([answer]))
    >>> features.names(np.flatnonzero(features.documents(...) == 0))
    ['not', '!safe', 'not_!safe']
    """
    has_target = np.zeros(len(batch.zones), dtype=bool)
    has_target[batch.sentence_of[batch.targets]] = True
    words = _number_words(batch)
    places = np.flatnonzero(words >= 0)
    hashes = _with_negated(batch.table.word_hashes())
    parts = [
        *_word_parts(batch, words, places, hashes),
        *_cue_parts(batch, has_target),
        *_window_parts(batch, words, places, hashes),
        *_sentence_parts(batch, words, places, has_target, hashes),
    ]
    pieces: list[str] = []
    if with_pieces:
        part, pieces = _piece_part(batch, words, places)
        parts.append(part)
    kinds, a, b, tokens, hashed = (np.concatenate(column) for column in zip(*parts, strict=True))
    twice = np.flatnonzero((kinds >= Kind.CUE) & (kinds < Kind.SENTENCE))
    twice = twice[batch.is_flipped[batch.tokens.text_of[tokens[twice]]]]
    return Features(
        batch=batch,
        kinds=np.append(kinds, kinds[twice] + _FLIP),
        a=np.append(a, a[twice]),
        b=np.append(b, b[twice]),
        tokens=np.append(tokens, tokens[twice]),
        hashes=np.append(hashed, _mix(hashed[twice] + np.uint64(_FLIP))),
        pieces=pieces,
    )


_Part = tuple[Ints, Ints, Ints, Ints, Hashes]


def _number_words(batch: ParsedBatch) -> Ints:
    """Return of each token twice the number of its word, plus one where negated; -1 for what is no word."""
    numbers = batch.table.word_numbers(batch.tokens.types)
    numbers = np.where(batch.targets, 0, numbers) * 2 + batch.negated
    return np.where(batch.has(flag.SPACE, flag.PUNCT), -1, numbers)


def _is_said(words: Ints) -> Bools:
    """Say which words are neither a mention of the target nor a number: those alone say nothing."""
    said: Bools = words // 2 > 1
    return said


def _word_parts(batch: ParsedBatch, words: Ints, places: Ints, hashes: Hashes) -> list[_Part]:
    # A pair never reaches over a comma or a sentence's end; quotes and hyphens do not part words.
    parts_words = batch.has(flag.SPACE, flag.PUNCT) & ~batch.has(flag.JOINER)
    n_parted = np.cumsum(parts_words)
    text_of = batch.tokens.text_of
    left, right = places[:-1], places[1:]
    joined = (n_parted[left] == n_parted[right]) & (text_of[left] == text_of[right])
    joined &= _is_said(words[left]) | _is_said(words[right])
    left, right = left[joined], right[joined]
    # How often the target is named says nothing of what is said of it.
    named = places[~batch.targets[places]]
    return [
        _part(Kind.WORD, words[named], None, named, hashes, None),
        _part(Kind.PAIR, words[left], words[right], right, hashes, hashes),
    ]


def _cue_parts(batch: ParsedBatch, has_target: Bools) -> list[_Part]:
    structural = [batch.families.index(name) for name in _STRUCTURAL]
    kept = ~np.isin(batch.cues.family, structural)
    families, starts = batch.cues.family[kept], batch.cues.start[kept]
    names = families * 2 + batch.negated[starts]
    sentences = batch.sentence_of[starts]
    hashes = _with_negated(np.array([get_string_id(name) for name in batch.families], dtype=np.uint64))
    zones = np.array([get_string_id(name) for name in ZONES], dtype=np.uint64)
    follows = np.flatnonzero((sentences[1:] == sentences[:-1]) & (names[1:] != names[:-1])) + 1
    contrasted, near = batch.contrasted[starts], has_target[sentences]
    from_start = starts - batch.tokens.borders[batch.tokens.text_of[starts]]
    answers = [batch.families.index(name) for name in _ANSWERS if name in batch.families]
    opening = (from_start < _OPENING_TOKENS) & np.isin(families, answers)
    return [
        _part(Kind.CUE, names, None, starts, hashes, None),
        _part(Kind.CUE_ZONE, names, batch.zones[sentences], starts, hashes, zones),
        _part(Kind.CUE_CONTRAST, names[contrasted], None, starts[contrasted], hashes, None),
        _part(Kind.CUE_TARGET, names[near], None, starts[near], hashes, None),
        _part(Kind.CUE_CUE, names[follows - 1], names[follows], starts[follows], hashes, hashes),
        _part(Kind.CUE_OPENING, families[opening] * 2, None, starts[opening], hashes, None),
    ]


def _window_parts(batch: ParsedBatch, words: Ints, places: Ints, hashes: Hashes) -> list[_Part]:
    """Give the words up to four tokens before and after a mention of the target in their sentence."""
    n_tokens = len(words)
    spots = np.arange(n_tokens)
    ahead = np.minimum.accumulate(np.where(batch.targets, spots, n_tokens + _NEAR_TOKENS)[::-1])[::-1]
    behind = np.maximum.accumulate(np.where(batch.targets, spots, -1 - _NEAR_TOKENS))
    others = places[~batch.targets[places]]
    mine = batch.sentence_of[others]
    before = ahead[others] - others <= _NEAR_TOKENS
    before &= batch.sentence_of[np.minimum(ahead[others], n_tokens - 1)] == mine
    after = others - behind[others] <= _NEAR_TOKENS
    after &= batch.sentence_of[np.maximum(behind[others], 0)] == mine
    return [
        _part(Kind.BEFORE, words[others[before]], None, others[before], hashes, None),
        _part(Kind.AFTER, words[others[after]], None, others[after], hashes, None),
    ]


def _sentence_parts(batch: ParsedBatch, words: Ints, places: Ints, has_target: Bools, hashes: Hashes) -> list[_Part]:
    firsts, lasts = batch.sentence_starts[:-1], batch.sentence_starts[1:]
    place_from, place_to = np.searchsorted(places, firsts), np.searchsorted(places, lasts)
    n_words = place_to - place_from
    is_visible = n_words > 0
    zones, near, n_words = batch.zones[is_visible], has_target[is_visible], n_words[is_visible]
    first_word = places[place_from[is_visible]]
    second_word = places[np.minimum(place_from[is_visible] + 1, len(places) - 1)]
    two = (n_words > 1) & (_is_said(words[first_word]) | _is_said(words[second_word]))
    one, other = first_word[two], second_word[two]
    asks = np.zeros(len(batch.zones), dtype=bool)
    asks[batch.sentence_of[batch.has(flag.ASKS)]] = True
    asks = asks[is_visible]
    lengths = np.where(n_words <= _SHORT_WORDS, 0, np.where(n_words >= _LONG_WORDS, 1, -1))
    extreme = lengths >= 0
    zone_hashes = np.array([get_string_id(name) for name in ZONES], dtype=np.uint64)
    length_hashes = np.array([get_string_id(name) for name in _LENGTHS], dtype=np.uint64)
    coverage = batch.coverage
    most = np.zeros(len(batch.answers))
    np.maximum.at(most, batch.sentence_answers, coverage)
    relative = coverage / np.maximum(most[batch.sentence_answers], 1e-9)
    same = batch.sentence_answers[1:] == batch.sentence_answers[:-1]
    before, after = np.zeros_like(coverage), np.zeros_like(coverage)
    before[1:][same], after[:-1][same] = coverage[:-1][same], coverage[1:][same]
    shares = {
        Kind.COVERED: coverage,
        Kind.COVERED_MOST: relative,
        Kind.COVERED_BEFORE: before,
        Kind.COVERED_AFTER: after,
    }
    fifth_hashes = np.array([get_string_id(f"{n}/{_FIFTHS}") for n in range(_FIFTHS + 1)], dtype=np.uint64)
    return [
        *(
            _part(kind, _fifths(share[is_visible]), None, first_word, fifth_hashes, None)
            for kind, share in shares.items()
        ),
        _part(Kind.START, words[one], words[other], one, hashes, hashes),
        _part(Kind.START_TARGET, words[one[near[two]]], words[other[near[two]]], one[near[two]], hashes, hashes),
        _part(Kind.SENTENCE, zones, None, first_word, zone_hashes, None),
        _part(Kind.SENTENCE_TARGET, zones[near], None, first_word[near], zone_hashes, None),
        _part(Kind.QUESTION, np.zeros(asks.sum(), dtype=np.int64), None, first_word[asks], length_hashes, None),
        _part(Kind.LENGTH, lengths[extreme], None, first_word[extreme], length_hashes, None),
    ]


def _piece_part(batch: ParsedBatch, words: Ints, places: Ints) -> tuple[_Part, list[str]]:
    """Give the runs of letters of each word but the masked ones, and name them.

    References
    ----------
    McNamee, Mayfield, "Character n-gram tokenization for European language text retrieval", Information
    Retrieval 7, 2004.
    """
    numbers = words[places] // 2
    others = places[numbers > 1]
    distinct, which = np.unique(words[others] // 2, return_inverse=True)
    names: dict[str, int] = {}
    listed = []
    for number in distinct.tolist():
        word = f".{batch.table.words[number]}."
        runs = {word[i : i + n] for n in _PIECE_LETTERS for i in range(len(word) - n + 1)}
        listed.append(np.array([names.setdefault(run, len(names)) for run in sorted(runs)], dtype=np.int64))
    n_runs = np.array([len(runs) for runs in listed], dtype=np.int64)
    given = np.concatenate([np.empty(0, dtype=np.int64), *(listed[number] for number in which)])
    hashes = np.array([get_string_id(name) for name in names], dtype=np.uint64)
    tokens = np.repeat(others, n_runs[which]) if len(others) else others
    return _part(Kind.PIECE, given, None, tokens, hashes, None), list(names)


def _fifths(shares: NDArray[np.float64]) -> Ints:
    """Round shares up to fifths: 0 is nothing, 5 is more than four fifths."""
    return np.ceil(shares * _FIFTHS - 1e-9).astype(np.int64)


def _part(kind: Kind, a: Ints, b: Ints | None, tokens: Ints, a_hashes: Hashes, b_hashes: Hashes | None) -> _Part:
    kinds = np.full(len(a), int(kind), dtype=np.int64)
    hashes = a_hashes[a] * np.uint64(3) + np.uint64(kind + 1)
    if b is not None and b_hashes is not None:
        hashes = _mix(hashes) + b_hashes[b]
    return kinds, a, np.zeros_like(a) if b is None else b, tokens, _mix(hashes)


def _with_negated(hashes: Hashes) -> Hashes:
    """Return the hash of each name plain and negated, by twice the number, plus one for negated."""
    return np.stack([hashes, _mix(hashes ^ np.uint64(0x5BD1E995))], axis=1).ravel()


def _mix(hashes: Hashes) -> Hashes:
    """Spread the bits of 64-bit numbers.

    References
    ----------
    Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014 (the finaliser of SplitMix64).
    """
    hashes = (hashes ^ (hashes >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    hashes = (hashes ^ (hashes >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return hashes ^ (hashes >> np.uint64(31))


@dataclass(frozen=True)
class Vocabulary:
    """The features a model knows: its columns, in order of document and name.

    Attributes
    ----------
    names
        By column.
    hashes
        By column.
    documents
        Place in `DOCUMENTS` by column, non-decreasing.
    """

    names: tuple[str, ...]
    hashes: Hashes
    documents: Ints

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def _slots(self) -> NDArray[np.int32]:
        """A column whose hash begins with each number of `_SLOT_BITS` bits; -1 for none."""
        slots = np.full(1 << _SLOT_BITS, -1, dtype=np.int32)
        slots[self.hashes >> _SLOT_SHIFT] = np.arange(len(self))
        return slots

    @cached_property
    def _others(self) -> tuple[Hashes, Ints]:
        """The hashes that begin as another's in `_slots` does, in order, and their columns; at last one of none."""
        columns = np.flatnonzero(self._slots[self.hashes >> _SLOT_SHIFT] != np.arange(len(self)))
        columns = columns[np.argsort(self.hashes[columns])]
        return np.append(self.hashes[columns], np.uint64(0)), np.append(columns, -1)

    @cached_property
    def _with_none(self) -> Hashes:
        """The hashes by column, and one more for the column -1."""
        return np.append(self.hashes, np.uint64(0))

    def columns(self, hashes: Hashes) -> Ints:
        """Return the column of each hash, shape (n,); -1 for a feature that is not known."""
        # One look settles nearly all; a binary search of all takes a dozen and a half steps for each.
        columns = self._slots[(hashes >> _SLOT_SHIFT).astype(np.int64)].astype(np.int64)
        rows = np.flatnonzero((self._with_none[columns] != hashes) & (columns >= 0))
        others, other_columns = self._others
        places = np.searchsorted(others[:-1], hashes[rows])
        columns[rows] = np.where(others[places] == hashes[rows], other_columns[places], -1)
        return columns


def build_vocabulary(batches: Sequence[Features], min_answers: int) -> Vocabulary:
    """Name the features that stand in at least so many answers, in order of document and name."""
    firsts = np.cumsum([0, *(len(features.batch.answers) for features in batches)])
    answers = [f.batch.tokens.text_of[f.tokens] + first for f, first in zip(batches, firsts[:-1], strict=True)]
    hashes, numbers = np.unique(np.concatenate([f.hashes for f in batches]), return_inverse=True)
    standing = np.unique(numbers * firsts[-1] + np.concatenate(answers))
    n_answers = np.bincount(standing // max(firsts[-1], 1), minlength=len(hashes))
    wanted = hashes[n_answers >= min_answers]
    named: list[tuple[int, str, int]] = []
    for features in batches:
        found, rows = np.unique(features.hashes, return_index=True)
        rows = rows[np.isin(found, wanted, assume_unique=True)]
        named += zip(
            features.documents(rows).tolist(), features.names(rows), features.hashes[rows].tolist(), strict=True
        )
        wanted = np.setdiff1d(wanted, features.hashes[rows], assume_unique=True)
    named.sort()
    return Vocabulary(
        names=tuple(name for _, name, _ in named),
        hashes=np.array([number for _, _, number in named], dtype=np.uint64),
        documents=np.array([document for document, _, _ in named], dtype=np.int64),
    )


def count_features(features: Features, vocabulary: Vocabulary) -> csr_matrix:
    """Count the features of each sentence.

    Returns
    -------
    scipy.sparse.csr_matrix
        Shape (n_sentences, len(vocabulary)).
    """
    columns = vocabulary.columns(features.hashes)
    known = columns >= 0
    return count_columns(features.sentences[known], columns[known], (len(features.batch.zones), len(vocabulary)))


def count_columns(rows: Ints, columns: Ints, shape: tuple[int, int]) -> csr_matrix:
    """Count how often each pair of row and column is given."""
    return csr_matrix((np.ones(len(rows)), (rows, columns)), shape=shape)
