"""From a parsed answer to the two short documents of feature tokens that the classifier counts.

A feature token is a string without spaces. The first document holds the answer's words, the second the
cues it gives; scikit-learn's own vectorisers turn the two into a matrix, so that a stored model holds
nothing but scikit-learn's own classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from spacy.tokens import Doc, Token

FEATURE_VERSION = 2
"""Raised whenever the same text may give other features: a model of another version is refused."""

_STRUCTURAL = frozenset({"pseudo_negation", "question_flip"})
_OPENING_TOKENS = 3
_NEAR_TOKENS = 4


class Feature(NamedTuple):
    """A feature token and the token of the Doc it belongs to."""

    name: str
    token: int


@dataclass(frozen=True)
class AnswerFeatures:
    """The feature tokens of one answer, in order of place.

    Attributes
    ----------
    words
        Unigrams and bigrams of NORM; ``!`` before a word marks a negation's scope, ``TARGET`` stands
        for what the question asks about and ``NUM`` for a number, so that neither can be learnt.
    cues
        Cue families, plain and with where they stand, whether negated, whether near the target, and
        in what order; and the words up to four tokens before (``<``) and after (``>``) a mention of the
        target. All with ``flip:`` in front a second time where the question's polarity is flipped.
    """

    words: tuple[Feature, ...]
    cues: tuple[Feature, ...]

    def documents(self) -> tuple[str, str]:
        """Return the two documents the vectorisers read: feature tokens divided by spaces."""
        return " ".join(f.name for f in self.words), " ".join(f.name for f in self.cues)


def extract_features(doc: Doc) -> AnswerFeatures:
    """Extract the feature tokens of a Doc that `pipeline.preprocess.parse_answers` gave.

    Examples
    --------
    >>> from pipeline.lexicon import default_lexicon_text, parse_lexicon
    >>> from pipeline.preprocess import build_nlp
    >>> doc = build_nlp(parse_lexicon(default_lexicon_text(), "cues.toml"))("Not safe.")
    >>> extract_features(doc).documents()[0]
    'not !safe not_!safe'
    """
    return AnswerFeatures(words=tuple(_word_features(doc)), cues=tuple(_cue_features(doc)))


def stack_documents(features: Sequence[AnswerFeatures]) -> NDArray[np.object_]:
    """Stack answers' documents.

    Returns
    -------
    ndarray
        Shape (n_answers, 2), dtype object: words, cues.
    """
    stacked = np.empty((len(features), 2), dtype=object)
    for row, answer in enumerate(features):
        stacked[row] = answer.documents()
    return stacked


def _word_features(doc: Doc) -> Iterator[Feature]:
    # Extensions are read once: asking every token for its own is what would take longest here.
    targets, negated = doc._.targets.tolist(), doc._.negated.tolist()
    previous = ""
    for token in doc:
        if token.is_space or token.is_punct:
            # A bigram never reaches over a comma or a sentence's end.
            previous = "" if token.text not in {"'", '"', "-"} else previous
            continue
        word = _word(token, is_target=targets[token.i], is_negated=negated[token.i])
        yield Feature(word, token.i)
        if previous and not (word == previous == "TARGET"):
            yield Feature(f"{previous}_{word}", token.i)
        previous = word


def _word(token: Token, *, is_target: bool, is_negated: bool) -> str:
    if is_target:
        word = "TARGET"
    elif token.like_num:
        word = "NUM"
    else:
        word = "".join(token.norm_.split()) or "?"
    return f"!{word}" if is_negated else word


def _cue_features(doc: Doc) -> Iterator[Feature]:
    is_flipped = doc._.is_flipped
    for feature in merge(_plain_cue_features(doc), _target_features(doc), key=lambda feature: feature.token):
        yield feature
        if is_flipped:
            yield Feature(f"flip:{feature.name}", feature.token)


def _plain_cue_features(doc: Doc) -> Iterator[Feature]:
    zones = _zones(doc)
    near_target = _sentences_with_target(doc)
    negated, contrasted = doc._.negated, doc._.contrasted
    previous, previous_sentence = "", -1
    for cue in doc._.cues:
        if cue.family in _STRUCTURAL:
            continue
        name = f"{cue.family}!" if negated[cue.start] else cue.family
        zone, sentence = zones[cue.start]
        yield Feature(name, cue.start)
        yield Feature(f"{name}@{zone}", cue.start)
        if contrasted[cue.start]:
            yield Feature(f"{name}@after_contrast", cue.start)
        if sentence in near_target:
            yield Feature(f"{name}~target", cue.start)
        if previous and previous_sentence == sentence and previous != name:
            yield Feature(f"{previous}>{name}", cue.start)
        if cue.start < _OPENING_TOKENS and cue.family in {"yes", "says_no"}:
            yield Feature(f"{cue.family}@opening", cue.start)
        previous, previous_sentence = name, sentence


def _target_features(doc: Doc) -> Iterator[Feature]:
    targets, negated = doc._.targets.tolist(), doc._.negated.tolist()
    if not any(targets):
        return
    for sentence in doc.sents:
        mentions = [i for i in range(sentence.start, sentence.end) if targets[i]]
        for token in sentence if mentions else ():
            if targets[token.i] or token.is_space or token.is_punct:
                continue
            word = _word(token, is_target=False, is_negated=negated[token.i])
            if any(0 < mention - token.i <= _NEAR_TOKENS for mention in mentions):
                yield Feature(f"<{word}", token.i)
            if any(0 < token.i - mention <= _NEAR_TOKENS for mention in mentions):
                yield Feature(f">{word}", token.i)


def _zones(doc: Doc) -> list[tuple[str, int]]:
    """Say of every token whether it is in the headline, the first, the last or a middle sentence of the body."""
    sentences = list(doc.sents)
    source = doc._.source
    headline_end = source.parts[0].end if source is not None and source.parts[0].field == "headline" else 0
    body = [n for n, sentence in enumerate(sentences) if sentence.start_char >= headline_end]
    zones: list[tuple[str, int]] = []
    for n, sentence in enumerate(sentences):
        if sentence.start_char < headline_end:
            zone = "headline"
        elif n == body[0]:
            zone = "first"
        else:
            zone = "last" if n == body[-1] else "middle"
        zones += [(zone, n)] * len(sentence)
    return zones


def _sentences_with_target(doc: Doc) -> set[int]:
    targets = doc._.targets
    return {n for n, sentence in enumerate(doc.sents) if targets[sentence.start : sentence.end].any()}
