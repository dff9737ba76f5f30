"""From an answer's text to a spaCy Doc that knows its sentences, cues, scopes and targets.

Cleaning is done by pure ``str -> str`` functions that only replace or delete, so that every character
of the clean text can be traced to the original and evidence can be quoted verbatim.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import spacy
from numpy.typing import NDArray
from spacy.language import Language
from spacy.matcher import PhraseMatcher
from spacy.tokens import Doc, Span, Token
from spacy.util import filter_spans

from pipeline.lexicon import CueLexicon
from pipeline.schema import AnswerRecord

# ---------------------------------------------------------------- cleaning

Replacement = str | Callable[[re.Match[str]], str]
_TRANSLATION = str.maketrans(
    {"\u2018": "'", "\u2019": "'", "\u201a": "'", "\u2032": "'", "\u00b4": "'", "`": "'"}
    | {"\u201c": '"', "\u201d": '"', "\u201e": '"', "\u00ab": '"', "\u00bb": '"'}
    | {"\u2010": "-", "\u2011": "-", "\u2012": "-", "\u2013": "-", "\u2014": "-", "\u2212": "-"}
    | dict.fromkeys(
        "\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000\t\v\f",
        " ",
    )
    | dict.fromkeys("\u2028\u2029\u0085\r", "\n")
)
_INVISIBLE = re.compile(
    "[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufe00-\ufe0f\ufeff\x00-\x08\x0e-\x1f\x7f]+"
)
_ENTITY = re.compile(r"&(?:amp|lt|gt|quot|apos|nbsp|#39|#x27|#160);")
_ENTITIES = {"&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&nbsp;": " ", "&#160;": " "}
_TAG = re.compile(
    r"</?(?:p|br|div|span|b|i|u|em|strong|a|ul|ol|li|h[1-6]|blockquote|font)(?:\s[^<>]*)?/?>", re.IGNORECASE
)
_FURNITURE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|-*>?\s?<link>", re.DOTALL)
_DECOMPOSED = re.compile("[^\\W\\d_][\u0300-\u036f]+|[\ufb00-\ufb06]")
_RUN_ON = re.compile(r"(?<=[a-z]{2})([.!?])(?=[A-Z][a-z])")


def clean_punctuation(text: str) -> str:
    r"""Make quotes, dashes, spaces and line ends plain, one character for one.

    Examples
    --------
    >>> clean_punctuation("don\u2019t\u00a0\u2013 \u201cever\u201d")
    'don\'t - "ever"'
    """
    return text.translate(_TRANSLATION)


def clean_invisible(text: str) -> str:
    """Delete characters that show nothing: zero-width spaces, soft hyphens, direction marks, controls.

    Examples
    --------
    >>> clean_invisible("bo\u200btox\ufeff")
    'botox'
    """
    return _INVISIBLE.sub("", text)


def clean_markup(text: str) -> str:
    r"""Replace HTML entities by their characters and tags by line breaks or nothing.

    Examples
    --------
    >>> clean_markup("safe &amp; sound<br>if < 5 mm")
    'safe & sound\nif < 5 mm'
    """
    return _TAG.sub(_break_or_nothing, _ENTITY.sub(_entity, text))


def clean_furniture(text: str) -> str:
    """Replace page templates and link placeholders by a space.

    Examples
    --------
    >>> clean_furniture("{{ voteCount + 1 }}It works.")
    ' It works.'
    """
    return _FURNITURE.sub(" ", text)


def clean_letters(text: str) -> str:
    r"""Compose letters and their accents, and take ligatures apart.

    Examples
    --------
    >>> clean_letters("e\u0301clat, \ufb01ller")
    '\xe9clat, filler'
    """
    return _DECOMPOSED.sub(_normalise, text)


def clean_run_on(text: str) -> str:
    """Put the missing space between two sentences that run into each other.

    Examples
    --------
    >>> clean_run_on("It is unsafe.Don't.")
    "It is unsafe. Don't."
    """
    return _RUN_ON.sub(r"\1 ", text)


def _entity(match: re.Match[str]) -> str:
    return _ENTITIES.get(match[0], "'")


def _break_or_nothing(match: re.Match[str]) -> str:
    return "\n" if re.match(r"</?(?:p|br|div|li|ul|ol|h[1-6]|blockquote)\b", match[0], re.IGNORECASE) else ""


def _normalise(match: re.Match[str]) -> str:
    return unicodedata.normalize("NFKC", match[0])


# The steps of `clean_text` that change the length: pattern and replacement.
_STEPS: tuple[tuple[re.Pattern[str], Replacement], ...] = (
    (_INVISIBLE, ""),
    (_ENTITY, _entity),
    (_TAG, _break_or_nothing),
    (_FURNITURE, " "),
    (_DECOMPOSED, _normalise),
    (_RUN_ON, lambda match: match[1] + " "),
)


def clean_text(text: str) -> str:
    """Apply every cleaning step, in order.

    Examples
    --------
    >>> clean_text("It\u2019s <b>unsafe</b>.Don\u2019t{{ vote }}")
    "It's unsafe. Don't "
    """
    return align_clean(text)[0]


def align_clean(text: str) -> tuple[str, NDArray[np.int64] | None]:
    """Clean a text and trace each character of the result to the original.

    Returns
    -------
    clean
        The clean text.
    offsets
        ``offsets[i]`` is the original offset of ``clean[i]``, and the last entry is the original
        length: shape (len(clean) + 1,), non-decreasing. None when no length changed.
    """
    clean = clean_punctuation(text)
    offsets: NDArray[np.int64] | None = None
    for pattern, replacement in _STEPS:
        if pattern.search(clean) is None:
            continue
        current = np.arange(len(clean) + 1) if offsets is None else offsets
        clean, offsets = _substitute(pattern, replacement, clean, current)
    return clean, offsets


def _substitute(
    pattern: re.Pattern[str], replacement: Replacement, text: str, offsets: NDArray[np.int64]
) -> tuple[str, NDArray[np.int64]]:
    pieces: list[str] = []
    traced: list[NDArray[np.int64]] = []
    end = 0
    for match in pattern.finditer(text):
        new = match.expand(replacement) if isinstance(replacement, str) else replacement(match)
        pieces += [text[end : match.start()], new]
        # What a match becomes is traced to the match's own characters, the last one standing for the rest.
        inside = np.minimum(np.arange(match.start(), match.start() + len(new)), match.end())
        traced += [offsets[end : match.start()], offsets[inside]]
        end = match.end()
    return "".join([*pieces, text[end:]]), np.concatenate([*traced, offsets[end:]])


# ---------------------------------------------------------------- headline and body as one text


@dataclass(frozen=True)
class Part:
    """Where a field of the record stands in the composed text.

    Attributes
    ----------
    field
        "headline" or "text".
    start, end
        Half-open character range in the composed text.
    original
        The field as it is in the record.
    offsets
        From clean to original characters, see `align_clean`; None for the identity.
    """

    field: Literal["headline", "text"]
    start: int
    end: int
    original: str
    offsets: NDArray[np.int64] | None


class Passage(NamedTuple):
    """A stretch of one field of the original record.

    Attributes
    ----------
    field, start, end
        ``record.<field>[start:end] == quote``.
    quote
        The original characters.
    composed_start, composed_end
        The same stretch in the composed text.
    """

    field: Literal["headline", "text"]
    start: int
    end: int
    quote: str
    composed_start: int
    composed_end: int


@dataclass(frozen=True)
class AnswerText:
    """An answer's clean headline and body as one text, traceable to the record."""

    text: str
    parts: tuple[Part, ...]

    def locate(self, start: int, end: int) -> list[Passage]:
        """Trace a range of the composed text to the record; one passage per field that it touches."""
        passages = []
        for part in self.parts:
            low, high = max(start, part.start), min(end, part.end)
            if low >= high:
                continue
            first, last = low - part.start, high - part.start
            if part.offsets is not None:
                first, last = int(part.offsets[first]), int(part.offsets[last - 1]) + 1
            passages.append(Passage(part.field, first, last, part.original[first:last], low, high))
        return passages


def compose_answer(headline: str | None, text: str) -> AnswerText:
    r"""Join headline and body into the text that is parsed.

    A body that goes on in lower case after a headline without a full stop continues its sentence
    ("Botox works" / "only locally."); otherwise the headline is a paragraph of its own.

    Examples
    --------
    >>> compose_answer("Fillers help", "only for a while.").text
    'Fillers help only for a while.'
    >>> compose_answer("A topic", "It helps.").text
    'A topic\n\nIt helps.'
    """
    body, body_offsets = align_clean(text)
    if not headline or not headline.strip():
        return AnswerText(body, (Part("text", 0, len(body), text, body_offsets),))
    head, head_offsets = align_clean(headline)
    runs_on = body.lstrip()[:1].islower() and not headline.rstrip().endswith((".", "!", "?", ":", "…"))
    # A typist who uses no capitals at all has not run on.
    runs_on = runs_on and any(char.isupper() for char in head + body[:200])
    gap = " " if runs_on else "\n\n"
    start = len(head) + len(gap)
    parts = (
        Part("headline", 0, len(head), headline, head_offsets),
        Part("text", start, start + len(body), text, body_offsets),
    )
    return AnswerText(head + gap + body, parts)


# ---------------------------------------------------------------- the spaCy pipeline


class Cue(NamedTuple):
    """A wording of a family; `start` and `end` are token offsets, half-open."""

    family: str
    start: int
    end: int


_CLAUSE_BORDERS = frozenset({",", ";", ":", ".", "!", "?", "(", ")", "-", "--", "...", "/"})
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
        ``medstance_negation`` and ``medstance_targets``. They set, on a Doc, ``doc._.cues`` (list of
        `Cue` in order of place), ``doc._.negated``, ``doc._.contrasted`` and ``doc._.targets`` (boolean arrays
        of shape (n_tokens,)), and make ``token._.is_negated``, ``token._.follows_contrast``,
        ``token._.is_target`` and ``token._.cues`` available. The targets are those of the words in
        ``doc._.target_words``, a frozenset of stems set before the pipeline runs: see `parse_answers`.
    """
    _register_extensions()
    nlp = spacy.blank("en")
    nlp.add_pipe("medstance_sentences")
    nlp.add_pipe("medstance_cues", config={"phrases": lexicon.phrases()})
    nlp.add_pipe("medstance_negation")
    nlp.add_pipe("medstance_targets", config={"stock_words": list(lexicon.stock_words)})
    return nlp


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
        doc[token.i].is_sent_start = is_start or token.i == 0
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
    contrasts = {cue.start for cue in doc._.cues if cue.family == "contrast"}
    negated = np.zeros(n_tokens, dtype=bool)
    contrasted = np.zeros(n_tokens, dtype=bool)
    sentence_end = np.full(n_tokens, n_tokens)
    for sentence in doc.sents:
        sentence_end[sentence.start : sentence.end] = sentence.end
        first = next((i for i in range(sentence.start, sentence.end) if i in contrasts), None)
        if first is not None:
            contrasted[first + 1 : sentence.end] = True
    for cue in doc._.cues:
        if cue.family == "negation" and not pseudo.intersection(range(cue.start, cue.end)):
            limit = min(cue.end + _SCOPE_TOKENS, int(sentence_end[cue.end - 1]))
            negated[cue.end : _scope_end(doc, cue.end, limit, contrasts)] = True
    doc._.negated = negated
    doc._.contrasted = contrasted
    return doc


def _scope_end(doc: Doc, start: int, limit: int, contrasts: set[int]) -> int:
    for i in range(start, limit):
        if i in contrasts or doc[i].text in _CLAUSE_BORDERS or (i > start and doc[i].norm_ in _CLAUSE_WORDS):
            return i
    return limit


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
