"""The spaCy pipeline: sentences, cues, negation scopes, contrasts and target mentions on extensions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import spacy
from spacy.attrs import NORM, ORTH
from spacy.lang.en.tokenizer_exceptions import TOKENIZER_EXCEPTIONS
from spacy.language import Language
from spacy.matcher import PhraseMatcher
from spacy.tokens import Doc, Span, Token
from spacy.util import filter_spans

from pipeline.lexicon import TARGET, CueLexicon
from pipeline.preprocess.clean import clean_text
from pipeline.preprocess.compose import compose_answer
from pipeline.schema import AnswerRecord


class Cue(NamedTuple):
    """A wording of a family; `start` and `end` are token offsets, half-open."""

    family: str
    start: int
    end: int


_CLAUSE_BORDERS = frozenset({",", ";", ":", ".", "..", "...", "…", "!", "?", "(", ")", "--", "/", "\n", "\n\n"})
_CLAUSE_WORDS = frozenset({"because", "so", "which", "who", "since", "as", "if", "unless", "and"})
_SCOPE_TOKENS = 8


def build_nlp(lexicon: CueLexicon) -> Language:
    """Build the pipeline: tokeniser, sentences, cues, negation scopes, target mentions.

    Parameters
    ----------
    lexicon
        The wordings to mark.

    Returns
    -------
    spacy.language.Language
        A blank English pipeline with the components ``medstance_sentences``, ``medstance_cues``,
        ``medstance_negation``, ``medstance_targets`` and ``medstance_target_cues``. They set, on a Doc,
        ``doc._.cues`` (list of `Cue` in order of place), ``doc._.negated``, ``doc._.contrasted`` and
        ``doc._.targets`` (boolean arrays of shape (n_tokens,)), and make ``token._.is_negated``,
        ``token._.follows_contrast``, ``token._.is_target`` and ``token._.cues`` available.
        The targets are those of the words in
        ``doc._.target_words``, a frozenset of stems set before the pipeline runs: see `parse_answers`.
    """
    _register_extensions()
    nlp = spacy.blank("en")
    _add_shouted_contractions(nlp)
    nlp.add_pipe("medstance_sentences")
    plain, with_target = _divide_phrases(lexicon.phrases())
    nlp.add_pipe("medstance_cues", config={"phrases": plain})
    nlp.add_pipe("medstance_negation")
    nlp.add_pipe("medstance_targets", config={"stock_words": list(lexicon.stock_words)})
    nlp.add_pipe("medstance_target_cues", config={"phrases": with_target})
    return nlp


def _divide_phrases(phrases: dict[str, list[str]]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Part the phrases without a mention of the target from those with one."""
    plain = {family: [p for p in wordings if TARGET not in p.split()] for family, wordings in phrases.items()}
    with_target = {family: [p for p in wordings if TARGET in p.split()] for family, wordings in phrases.items()}
    return plain, {family: wordings for family, wordings in with_target.items() if wordings}


def _add_shouted_contractions(nlp: Language) -> None:
    """Take "DON'T" apart as "don't" is: spaCy knows contractions in small letters alone."""
    for text, tokens in TOKENIZER_EXCEPTIONS.items():
        if text.islower() and ("'" in text or text.endswith(("nt", "not"))):
            shouted = [{ORTH: t[ORTH].upper(), NORM: t.get(NORM, t[ORTH])} for t in tokens]
            nlp.tokenizer.add_special_case(text.upper(), shouted)


def _register_extensions() -> None:
    # spaCy keeps extensions in one registry per process; registering the same again changes nothing.
    for name in ("cues", "negated", "contrasted", "targets", "source", "is_flipped"):
        Doc.set_extension(name, default=None, force=True)
    Doc.set_extension("target_words", default=frozenset(), force=True)
    Token.set_extension("is_negated", getter=lambda token: bool(token.doc._.negated[token.i]), force=True)
    Token.set_extension("follows_contrast", getter=lambda token: bool(token.doc._.contrasted[token.i]), force=True)
    Token.set_extension("is_target", getter=lambda token: bool(token.doc._.targets[token.i]), force=True)
    Token.set_extension("cues", getter=_token_cues, force=True)


def _token_cues(token: Token) -> list[str]:
    return [cue.family for cue in token.doc._.cues if cue.start <= token.i < cue.end]


@Language.component("medstance_sentences")  # type: ignore[untyped-decorator]
def mark_sentences(doc: Doc) -> Doc:
    """Start a sentence after closing punctuation, after an empty line, and at a new line's capital."""
    starts_next = True
    for token in doc:
        is_start = starts_next and not token.is_space and not _closes(token)
        token.is_sent_start = is_start or token.i == 0
        if is_start:
            starts_next = False
        if token.is_space:
            n_breaks = token.text.count("\n")
            following = doc[token.i + 1] if token.i + 1 < len(doc) else None
            if n_breaks > 1 or (n_breaks == 1 and following is not None and _opens_line(following)):
                starts_next = True
        elif token.text[0] in ".!?…" and not token.text.strip(".!?…"):
            is_trail = token.text in {"...", "…", ".."}
            following = doc[token.i + 1] if token.i + 1 < len(doc) else None
            starts_next = not is_trail or following is None or not following.is_lower
    return doc


def _closes(token: Token) -> bool:
    return token.text in {'"', "'", ")", "]"} or (token.text[0] in ".!?…" and not token.text.strip(".!?…"))


def _opens_line(token: Token) -> bool:
    return token.is_title or token.is_upper or token.is_digit or token.text in {"-", "*", "•", "·"}


@Language.factory("medstance_cues")
class CueMatcher:
    """Marks the wordings of the lexicon, on NORM; within a family the longest match wins."""

    def __init__(self, nlp: Language, name: str, phrases: dict[str, list[str]]) -> None:
        self.name = name
        self._matcher = PhraseMatcher(nlp.vocab, attr="NORM")
        for family, wordings in phrases.items():
            self._matcher.add(family, [nlp.make_doc(wording) for wording in wordings])

    def __call__(self, doc: Doc) -> Doc:
        """Set ``doc._.cues``."""
        by_family: dict[str, list[Span]] = {}
        for span in self._matcher(doc, as_spans=True):
            by_family.setdefault(span.label_, []).append(span)
        doc._.cues = sorted(
            (Cue(family, s.start, s.end) for family, spans in by_family.items() for s in filter_spans(spans)),
            key=lambda cue: (cue.start, cue.end, cue.family),
        )
        return doc


@Language.component("medstance_negation")  # type: ignore[untyped-decorator]
def mark_negation(doc: Doc) -> Doc:
    """Mark the tokens in the scope of a negation, and those that follow a contrast in their sentence.

    A scope runs from the token after the negation cue to the next clause border or contrast, at most
    eight tokens on, and never past the sentence: half-open, its end is not in it.
    """
    n_tokens = len(doc)
    pseudo = {i for cue in doc._.cues if cue.family == "pseudo_negation" for i in range(cue.start, cue.end)}
    contrasts = {
        cue.start: cue.end
        for cue in doc._.cues
        if cue.family == "contrast" and not pseudo.intersection(range(cue.start, cue.end))
    }
    negated = np.zeros(n_tokens, dtype=bool)
    contrasted = np.zeros(n_tokens, dtype=bool)
    sentence_end = np.full(n_tokens, n_tokens)
    for sentence in doc.sents:
        sentence_end[sentence.start : sentence.end] = sentence.end
        first = next((i for i in range(sentence.start, sentence.end) if i in contrasts), None)
        if first is not None:
            contrasted[contrasts[first] : sentence.end] = True
    for cue in doc._.cues:
        if cue.family == "negation" and not pseudo.intersection(range(cue.start, cue.end)):
            limit = min(cue.end + _SCOPE_TOKENS, int(sentence_end[cue.end - 1]))
            negated[cue.end : _scope_end(doc, cue.end, limit, contrasts.keys())] = True
    doc._.negated = negated
    doc._.contrasted = contrasted
    return doc


def _scope_end(doc: Doc, start: int, limit: int, contrasts: Collection[int]) -> int:
    for i in range(start, limit):
        is_border = doc[i].text in _CLAUSE_BORDERS or _is_dash(doc[i])
        if i in contrasts or is_border or (i > start and doc[i].norm_ in _CLAUSE_WORDS):
            return i
    return limit


def _is_dash(token: Token) -> bool:
    """Whether a hyphen stands between spaces and so parts clauses, not the halves of a word."""
    return bool(token.text == "-" and token.i > 0 and token.nbor(-1).whitespace_)


@Language.factory("medstance_targets")
class TargetMarker:
    """Marks the mentions of what the question asks about, by the stems of its content words."""

    def __init__(self, nlp: Language, name: str, stock_words: list[str]) -> None:
        self.name = name
        self._nlp = nlp
        self._stock_words = frozenset(stock_words)

    def __call__(self, doc: Doc) -> Doc:
        """Set ``doc._.targets`` from ``doc._.target_words``."""
        words = doc._.target_words
        doc._.targets = np.fromiter((stem(token.lower_) in words for token in doc), dtype=bool, count=len(doc))
        return doc

    def find_words(self, question: str, proposition: str | None) -> frozenset[str]:
        """Return the stems of the content words of the proposition, or of the question where there is none.

        Examples
        --------
        >>> import spacy
        >>> marker = TargetMarker(spacy.blank("en"), "targets", stock_words=["use"])
        >>> sorted(marker.find_words("Can I use peels to fade freckles?", None))
        ['fad', 'freckl', 'peel']
        """
        doc = self._nlp.make_doc(clean_text(proposition or question))
        return frozenset(
            stem(token.lower_)
            for token in doc
            if token.is_alpha and len(token) > 2 and not token.is_stop and token.lower_ not in self._stock_words
        )


_END = ""


@Language.factory("medstance_target_cues")
class TargetCueMatcher:
    """Adds the wordings of the lexicon that hold a mention of the target; the longest at a place wins.

    A run of target words is one mention.
    """

    def __init__(self, nlp: Language, name: str, phrases: dict[str, list[str]]) -> None:
        self.name = name
        # A trie of words: each node maps a word to the next node, and `_END` to the families that end there.
        self._trie: dict[str, Any] = {}
        for family, wordings in phrases.items():
            for wording in wordings:
                node = self._trie
                for token in nlp.make_doc(wording):
                    node = node.setdefault(TARGET if token.text == TARGET else token.norm_, {})
                node.setdefault(_END, []).append(family)

    def __call__(self, doc: Doc) -> Doc:
        """Add to ``doc._.cues``."""
        targets = doc._.targets.tolist()
        if any(targets):
            doc._.cues = sorted(
                [*doc._.cues, *self._find(doc, targets)], key=lambda cue: (cue.start, cue.end, cue.family)
            )
        return doc

    def _find(self, doc: Doc, targets: list[bool]) -> Iterator[Cue]:
        starts = [i for i, is_target in enumerate(targets) if not (is_target and i and targets[i - 1])]
        words = [TARGET if targets[i] else doc[i].norm_ for i in starts]
        ends = [*starts[1:], len(doc)]
        for first in range(len(words)):
            node: dict[str, Any] = self._trie
            longest: dict[str, int] = {}
            for place in range(first, len(words)):
                if words[place] not in node:
                    break
                node = node[words[place]]
                longest |= dict.fromkeys(node.get(_END, ()), ends[place])
            for family, end in longest.items():
                yield Cue(family, starts[first], end)


@lru_cache(maxsize=1 << 16)
def stem(word: str) -> str:
    """Cut the commonest English endings, so that a question's words are found in other forms.

    Examples
    --------
    >>> stem("injections") == stem("injected") == stem("injecting")
    True
    >>> stem("legs"), stem("lip")
    ('leg', 'lip')
    """
    for ending in (
        "'s",
        "ations",
        "ation",
        "ions",
        "ion",
        "ings",
        "ing",
        "ies",
        "ied",
        "es",
        "ed",
        "s",
        "e",
        "y",
    ):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            return word[: -len(ending)]
    return word


def parse_answers(
    nlp: Language, answers: Iterable[AnswerRecord], *, batch_size: int = 256
) -> Iterator[list[tuple[AnswerRecord, Doc]]]:
    """Parse answers, a batch at a time, inside spaCy's memory zone.

    What is taken from the Docs must be plain Python (or NumPy) before the next batch is asked for:
    the strings of a batch are freed with it.

    Parameters
    ----------
    nlp
        From `build_nlp`.
    answers
        In the order wanted.
    batch_size
        Answers per batch; changes speed and memory, never the result.

    Yields
    ------
    list of (AnswerRecord, Doc)
        In order; ``doc._.source`` holds the `AnswerText`, ``doc._.is_flipped`` whether a plain "no" would
        support the proposition.
    """
    for batch in _batches(answers, batch_size):
        with nlp.memory_zone():
            questions = {(a.question, a.proposition): _Question.read(nlp, a.question, a.proposition) for a in batch}
            docs = [_make_doc(nlp, a, questions[a.question, a.proposition]) for a in batch]
            yield list(zip(batch, nlp.pipe(docs, batch_size=batch_size), strict=True))


@dataclass(frozen=True)
class _Question:
    target_words: frozenset[str]
    is_flipped: bool

    @classmethod
    def read(cls, nlp: Language, question: str, proposition: str | None) -> _Question:
        doc = nlp(clean_text(question))
        flipped = any(cue.family == "question_flip" for cue in doc._.cues)
        return cls(nlp.get_pipe("medstance_targets").find_words(question, proposition), flipped)


def _make_doc(nlp: Language, answer: AnswerRecord, question: _Question) -> Doc:
    source = compose_answer(answer.headline, answer.text)
    doc = nlp.make_doc(source.text)
    doc._.source = source
    doc._.target_words = question.target_words
    doc._.is_flipped = question.is_flipped
    return doc


def _batches(answers: Iterable[AnswerRecord], size: int) -> Iterator[Sequence[AnswerRecord]]:
    batch: list[AnswerRecord] = []
    for answer in answers:
        batch.append(answer)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
