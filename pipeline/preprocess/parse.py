"""From answers to tokens: sentences, cues, negation scopes, contrasts and target mentions, a batch at a time.

spaCy takes the texts apart; what is marked on the tokens is worked out on arrays of a whole batch, so
that marking them costs less than tokenising them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.blocks import cut_blocks
from pipeline.lexicon import TARGET, CueLexicon
from pipeline.preprocess import wordtypes as flag
from pipeline.preprocess.clean import clean_text
from pipeline.preprocess.compose import AnswerText, compose_answer
from pipeline.preprocess.tokenise import Tokeniser, Tokens, blank_english
from pipeline.preprocess.trie import Matches, PhraseTrie
from pipeline.preprocess.wordtypes import WordTypes
from pipeline.schema import Asked, MarkedSpan

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

ZONES = ("headline", "first", "middle", "last")
"""Where a sentence stands: in the headline, or as the first, a middle or the last of the body."""

_SCOPE_TOKENS = 8


class Cue(NamedTuple):
    """A wording of a family; `start` and `end` are token offsets in the answer, half-open."""

    family: str
    start: int
    end: int


@dataclass(frozen=True)
class ParsedBatch:
    """A batch of answers, taken apart and marked; arrays and plain Python, no spaCy objects.

    Tokens, sentences and cues are numbered through the batch, in order of place.

    Attributes
    ----------
    answers
        The records.
    sources
        Their composed texts, traceable to the record.
    table
        What is known of each type of token.
    families
        Names of the lexicon's families, by number.
    tokens
        The tokens of the composed texts.
    flags
        What each token is by itself, see `pipeline.preprocess.wordtypes`; shape (n_tokens,).
    offsets
        Where each token starts in its composed text, in characters; shape (n_tokens,).
    targets, negated, contrasted
        Whether a token is in a mention of what is asked about, stands in the scope of a negation, or after a
        contrast in its sentence; shape (n_tokens,).
    sentence_of
        The sentence each token is in, shape (n_tokens,).
    sentence_starts
        The first token of each sentence, and the number of tokens; shape (n_sentences + 1,).
    sentence_answers
        The answer each sentence is of, shape (n_sentences,).
    zones
        Place in `ZONES` of each sentence, shape (n_sentences,).
    coverage
        What share of the stems of what is asked about each sentence mentions, shape (n_sentences,).
    cues
        Families' wordings.
    is_flipped
        Whether a plain "no" to the answer's question supports the proposition, shape (n_answers,).
    """

    answers: Sequence[Asked]
    sources: Sequence[AnswerText]
    table: WordTypes
    families: tuple[str, ...]
    tokens: Tokens
    flags: Ints
    offsets: Ints
    targets: Bools
    negated: Bools
    contrasted: Bools
    sentence_of: Ints
    sentence_starts: Ints
    sentence_answers: Ints
    zones: Ints
    coverage: NDArray[np.float64]
    cues: Matches
    is_flipped: Bools

    def has(self, *marks: int) -> Bools:
        """Say which tokens have one of some flags."""
        found: Bools = (self.flags & sum(marks)) != 0
        return found

    def token_texts(self, row: int) -> list[str]:
        """Return an answer's tokens as text."""
        first, last = self.tokens.borders[row : row + 2]
        lengths = self.table.lengths(self.tokens.types[first:last])
        text = self.sources[row].text
        return [text[start : start + n] for start, n in zip(self.offsets[first:last], lengths, strict=True)]

    def answer_cues(self, row: int) -> list[Cue]:
        """Return an answer's cues, in order of place."""
        first, last = self.tokens.borders[row : row + 2]
        mine = np.flatnonzero((self.cues.start >= first) & (self.cues.start < last))
        return [
            Cue(self.families[self.cues.family[i]], int(self.cues.start[i] - first), int(self.cues.end[i] - first))
            for i in mine
        ]

    @property
    def is_headline(self) -> Bools:
        """Whether each sentence is in the headline, shape (n_sentences,)."""
        found: Bools = self.zones == ZONES.index("headline")
        return found

    def token_range(self, token: int) -> tuple[int, int]:
        """Return where a token stands in its composed text, in characters, half-open."""
        start = int(self.offsets[token])
        return start, start + int(self.table.lengths(self.tokens.types[token : token + 1])[0])

    def mark_sentences(self, spans: Sequence[Sequence[MarkedSpan]]) -> Bools:
        """Say which sentences share a character with some stretches of the records.

        Parameters
        ----------
        spans
            Of each answer.
        """
        marked = np.zeros(len(self.zones), dtype=bool)
        for sentence, row in enumerate(self.sentence_answers.tolist()):
            passages = self.sources[row].locate(*self.sentence_range(sentence)) if spans[row] else ()
            marked[sentence] = any(
                p.field == span.field and max(p.start, span.start) < min(p.end, span.end)
                for p in passages
                for span in spans[row]
            )
        return marked

    @cached_property
    def sentence_borders(self) -> Ints:
        """The first sentence of each answer, and the number of sentences; shape (n_answers + 1,)."""
        return np.searchsorted(self.sentence_answers, np.arange(len(self.answers) + 1))

    @cached_property
    def sentence_ranges(self) -> Ints:
        """Where each sentence stands in its composed text, in characters, half-open; shape (n_sentences, 2)."""
        firsts, lasts = self.sentence_starts[:-1], self.sentence_starts[1:] - 1
        return np.stack(
            [self.offsets[firsts], self.offsets[lasts] + self.table.lengths(self.tokens.types[lasts])], axis=1
        )

    def sentence_range(self, sentence: int) -> tuple[int, int]:
        """Return where a sentence stands in its composed text, in characters, half-open."""
        start, end = self.sentence_ranges[sentence].tolist()
        return start, end


class AnswerParser:
    """Takes answers apart with spaCy's English tokeniser and marks what a lexicon names.

    Parameters
    ----------
    lexicon
        The wordings to mark.

    Attributes
    ----------
    nlp
        spaCy's English tokeniser, see `blank_english`.
    families
        Names of the lexicon's families, by number.
    """

    def __init__(self, lexicon: CueLexicon) -> None:
        self.nlp = blank_english()
        phrases = lexicon.phrases()
        self.families = tuple(phrases)
        self._family_numbers = {name: number for number, name in enumerate(self.families)}
        self._stock_words = lexicon.stock_words
        self._words: dict[str, int] = {}
        self._numbers: dict[str, list[int]] = {}
        plain, with_target = {}, {}
        for number, wordings in enumerate(phrases.values()):
            plain[number] = [self._number_words(w) for w in wordings if TARGET not in w.split()]
            with_target[number] = [self._number_words(w) for w in wordings if TARGET in w.split()]
        self._plain = PhraseTrie(plain, len(self._words))
        self._with_target = PhraseTrie(with_target, len(self._words))
        self._target_word = self._words.get(TARGET, 0)
        self._tokeniser = self._new_tokeniser()

    def _number_words(self, wording: str) -> list[int]:
        return [number for part in wording.split(" ") for number in self._number_part(part)]

    def _number_part(self, part: str) -> list[int]:
        """Return the numbers of the words of a part between spaces; the same parts stand in many wordings."""
        if part not in self._numbers:
            words = (TARGET if token.text == TARGET else token.norm_ for token in self.nlp.make_doc(part))
            self._numbers[part] = [self._words.setdefault(word, len(self._words) + 1) for word in words]
        return self._numbers[part]

    def _new_tokeniser(self) -> Tokeniser:
        words = {word: number for word, number in self._words.items() if word != TARGET}
        return Tokeniser(self.nlp, words, self._stock_words)

    def parse(self, answers: Sequence[Asked]) -> ParsedBatch:
        """Take a batch of answers apart and mark it."""
        if self._tokeniser.is_full:
            self.nlp = blank_english()
            self._tokeniser = self._new_tokeniser()
        sources = [compose_answer(answer.headline, answer.text) for answer in answers]
        asked = _AskedTexts.collect(answers)
        questions = self._tokeniser.tokenise([clean_text(text) for text in asked.texts])
        tokens = self._tokeniser.tokenise([source.text for source in sources])
        table = self._tokeniser.table
        flags = table.flags(tokens.types)
        offsets = _offsets(table.lengths(tokens.types), tokens)
        wanted = _wanted_stems(table, questions)
        stems = np.repeat(asked.target_of, np.diff(tokens.borders)) * table.n_stems + table.stems(tokens.types)
        is_wanted = np.isin(stems, wanted)
        sentence_starts = _start_sentences(flags, tokens)
        sentence_of = np.cumsum(sentence_starts) - 1
        starts = np.append(np.flatnonzero(sentence_starts), len(tokens.types))
        sentence_answers = tokens.text_of[starts[:-1]]
        targets = _join_mentions(is_wanted, flags, sentence_of)
        cues = _merge(self._find_plain(tokens), self._find_with_target(tokens, targets))
        negated, contrasted = self._mark_scopes(flags, tokens, starts, sentence_of, cues)
        return ParsedBatch(
            answers=answers,
            sources=sources,
            table=table,
            families=self.families,
            tokens=tokens,
            flags=flags,
            offsets=offsets,
            targets=targets,
            negated=negated,
            contrasted=contrasted,
            sentence_of=sentence_of,
            sentence_starts=starts,
            sentence_answers=sentence_answers,
            zones=_find_zones(offsets[starts[:-1]], sentence_answers, sources),
            coverage=_cover(
                sentence_of[is_wanted],
                stems[is_wanted],
                wanted // max(table.n_stems, 1),
                asked.target_of[sentence_answers],
            ),
            cues=cues,
            is_flipped=self._find_flips(questions)[asked.question_of],
        )

    def _find_plain(self, tokens: Tokens) -> Matches:
        return self._plain.find(self._tokeniser.table.lexicon_words(tokens.types), tokens.ends)

    def _find_with_target(self, tokens: Tokens, targets: Bools) -> Matches:
        """Find the wordings that hold a mention of the target; a run of target words is one mention."""
        goes_on = targets.copy()
        goes_on[1:] &= targets[:-1]
        goes_on[tokens.borders[:-1][np.diff(tokens.borders) > 0]] = False
        places = np.flatnonzero(~goes_on)
        words = np.where(targets, self._target_word, self._tokeniser.table.lexicon_words(tokens.types))[places]
        found = self._with_target.find(words, np.searchsorted(places, tokens.ends[places]))
        places = np.append(places, len(targets))
        return Matches(found.family, places[found.start], places[found.end])

    def _find_flips(self, questions: Tokens) -> Bools:
        """Say of each question whether a plain "no" to it supports what it asks about.

        What it asks about are here its own content words, so that "Is Botox dangerous?" needs no proposition.
        """
        flags = self._tokeniser.table.flags(questions.types)
        sentence_of = np.cumsum(_start_sentences(flags, questions), dtype=np.int64)
        targets = _join_mentions((flags & flag.CONTENT) != 0, flags, sentence_of)
        # "the peel" and "my fillers" are mentions as "Botox" is.
        leads = (flags[:-1] & flag.DETERMINER) != 0
        targets[:-1] |= leads & targets[1:] & (sentence_of[:-1] == sentence_of[1:])
        found = _merge(self._find_plain(questions), self._find_with_target(questions, targets))
        flips = found.start[found.family == self._family_numbers["question_flip"]]
        flipped = np.zeros(len(questions.borders) - 1, dtype=bool)
        flipped[questions.text_of[flips]] = True
        return flipped

    def _mark_scopes(
        self, flags: Ints, tokens: Tokens, sentence_starts: Ints, sentence_of: Ints, cues: Matches
    ) -> tuple[Bools, Bools]:
        """Mark the tokens in the scope of a negation, and those that follow a contrast in their sentence.

        A scope runs from the token after the negation cue to the next clause border or contrast, at most
        eight tokens on, and never past the sentence: half-open, its end is not in it.
        """
        n_tokens = len(flags)
        of_family = {name: cues.family == self._family_numbers[name] for name in ("negation", "contrast")}
        pseudo = cues.family == self._family_numbers["pseudo_negation"]
        in_pseudo = _fill(cues.start[pseudo], cues.end[pseudo], n_tokens)
        n_pseudo = np.concatenate([[0], np.cumsum(in_pseudo)])
        is_plain = n_pseudo[cues.end] == n_pseudo[cues.start]
        sentence_ends = sentence_starts[1:]

        contrast = of_family["contrast"] & is_plain
        sentences, first = np.unique(sentence_of[cues.start[contrast]], return_index=True)
        contrasted = _fill(cues.end[contrast][first], sentence_ends[sentences], n_tokens)

        negation = of_family["negation"] & is_plain
        starts = cues.end[negation]
        is_border = (flags & flag.BORDER) != 0
        is_border[1:] |= ((flags[1:] & flag.DASH) != 0) & tokens.has_space[:-1]
        is_border[cues.start[contrast]] = True
        is_clause = (flags & flag.CLAUSE) != 0
        ends = np.minimum(starts + _SCOPE_TOKENS, sentence_ends[sentence_of[starts - 1]])
        ends = np.minimum(ends, _next(is_border)[starts])
        ends = np.minimum(ends, _next(is_clause)[np.minimum(starts + 1, n_tokens)])
        return _fill(starts, ends, n_tokens), contrasted


class _AskedTexts(NamedTuple):
    """The distinct texts that say what is asked, and which of them an answer's question and target are."""

    texts: list[str]
    question_of: Ints
    target_of: Ints

    @classmethod
    def collect(cls, answers: Sequence[Asked]) -> _AskedTexts:
        numbers: dict[str, int] = {}
        questions = [numbers.setdefault(a.question, len(numbers)) for a in answers]
        targets = [numbers.setdefault(a.proposition or a.question, len(numbers)) for a in answers]
        return cls(list(numbers), np.array(questions, dtype=np.int64), np.array(targets, dtype=np.int64))


def _offsets(lengths: Ints, tokens: Tokens) -> Ints:
    ends = np.cumsum(np.append(0, lengths + tokens.has_space))
    offsets: Ints = ends[:-1] - np.repeat(ends[tokens.borders[:-1]], np.diff(tokens.borders))
    return offsets


def _wanted_stems(table: WordTypes, asked: Tokens) -> Ints:
    """Return the stems of each text's content words, once each, as ``text * table.n_stems + stem``."""
    is_content = (table.flags(asked.types) & flag.CONTENT) != 0
    return np.unique(asked.text_of[is_content] * table.n_stems + table.stems(asked.types)[is_content])


def _join_mentions(is_wanted: Bools, flags: Ints, sentence_of: Ints) -> Bools:
    """Join words of what is asked about that one or two words of glue part: "arms or legs", "lift of the brow".

    What stands inside a mention is how the thing is called, not what is said of it.
    """
    joined = is_wanted.copy()
    is_glue = ((flags & flag.GLUE) != 0) & ~is_wanted
    for n_glue in (1, 2):
        n = len(flags) - n_glue - 1
        if n < 1:
            break
        fits = is_wanted[:n] & is_wanted[-n:] & (sentence_of[:n] == sentence_of[-n:])
        for offset in range(1, n_glue + 1):
            fits &= is_glue[offset : offset + n]
        for offset in range(1, n_glue + 1):
            joined[offset : offset + n] |= fits
    return joined


def _cover(sentences: Ints, stems: Ints, wanted_texts: Ints, asked_of: Ints) -> NDArray[np.float64]:
    """Return the share of the wanted stems that each sentence mentions.

    Parameters
    ----------
    sentences, stems
        Of each mention.
    wanted_texts
        Of each wanted stem, the text that wants it.
    asked_of
        Of each sentence, the text that says what is asked about.
    """
    pairs = np.unique(np.stack([sentences, stems]), axis=1)
    n_found = np.bincount(pairs[0], minlength=len(asked_of))
    n_wanted = np.bincount(wanted_texts, minlength=int(asked_of.max(initial=0)) + 1)[asked_of]
    coverage: NDArray[np.float64] = n_found / np.maximum(n_wanted, 1)
    return coverage


def _start_sentences(flags: Ints, tokens: Tokens) -> Bools:
    """Start a sentence after closing punctuation, after an empty line, and at a new line's capital."""
    n_tokens = len(flags)
    is_first = np.zeros(n_tokens, dtype=bool)
    is_first[tokens.borders[:-1][np.diff(tokens.borders) > 0]] = True
    following = np.zeros_like(flags)
    following[:-1] = np.where(is_first[1:], 0, flags[1:])

    def is_(mark: int, of: Ints = flags) -> Bools:
        found: Bools = (of & mark) != 0
        return found

    # Lines before a text's first word end nothing.
    ends = (is_(flag.PARAGRAPH) | (is_(flag.BREAK) & is_(flag.OPENS_LINE, following))) & ~is_first
    goes_on = is_(flag.TRAIL) & is_(flag.LOWER, following)
    ends |= is_(flag.ENDS) & ~goes_on
    can_start = ~is_(flag.SPACE | flag.CLOSES)
    # A token starts a sentence if, since the last that could have, a sentence has ended.
    places = np.arange(n_tokens)
    last_end = np.maximum.accumulate(np.where(ends, places, -1))
    last_other = np.maximum.accumulate(np.where(can_start | goes_on, places, np.where(is_first, places - 1, -1)))
    starts = is_first.copy()
    starts[1:] |= can_start[1:] & (last_end[:-1] > last_other[:-1]) & ~is_first[1:]
    return starts


def _find_zones(first_offsets: Ints, sentence_answers: Ints, sources: Sequence[AnswerText]) -> Ints:
    headline_ends = [source.parts[0].end if source.parts[0].field == "headline" else 0 for source in sources]
    in_body = first_offsets >= np.array(headline_ends, dtype=np.int64)[sentence_answers]
    zones = np.where(in_body, ZONES.index("middle"), ZONES.index("headline"))
    body = np.flatnonzero(in_body)
    answers = sentence_answers[body]
    is_last = np.append(answers[1:] != answers[:-1], True)[: len(body)]
    is_first = np.append(True, answers[1:] != answers[:-1])[: len(body)]
    zones[body[is_last]] = ZONES.index("last")
    zones[body[is_first]] = ZONES.index("first")
    return zones


def _merge(one: Matches, other: Matches) -> Matches:
    family, start, end = (np.concatenate(pair) for pair in zip(one, other, strict=True))
    order = np.lexsort((family, end, start))
    return Matches(family[order], start[order], end[order])


def _fill(starts: Ints, ends: Ints, n: int) -> Bools:
    """Mark all places of some half-open ranges."""
    steps = np.zeros(n + 1, dtype=np.int64)
    np.add.at(steps, starts, 1)
    np.add.at(steps, np.maximum(ends, starts), -1)
    filled: Bools = np.cumsum(steps[:-1]) > 0
    return filled


def _next(marked: Bools) -> Ints:
    """Return for each place, and one past the end, the next that is marked; the end where there is none."""
    n = len(marked)
    places = np.append(np.where(marked, np.arange(n), n), n)
    found: Ints = np.minimum.accumulate(places[::-1])[::-1]
    return found


def parse_answers(
    parser: AnswerParser, answers: Iterable[Asked], *, batch_size: int = 1024, max_chars: int = 1_000_000
) -> Iterator[ParsedBatch]:
    """Parse answers, a batch at a time.

    Parameters
    ----------
    parser
        Built with the lexicon wanted.
    answers
        In the order wanted.
    batch_size
        Answers per batch; changes speed and memory, never the result.
    max_chars
        A batch whose texts are as long as this takes no further answer: memory grows with the text.
    """
    for batch in cut_blocks(answers, _count_chars, max_items=batch_size, max_size=max_chars):
        yield parser.parse(batch)


def _count_chars(answer: Asked) -> int:
    return len(answer.text)
