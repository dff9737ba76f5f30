"""From an answer's text to a spaCy Doc that knows its sentences, cues, scopes and targets."""

from __future__ import annotations

from pipeline.preprocess.clean import (
    align_clean,
    clean_dashes,
    clean_furniture,
    clean_invisible,
    clean_letters,
    clean_markup,
    clean_punctuation,
    clean_run_on,
    clean_spaces,
    clean_text,
)
from pipeline.preprocess.compose import AnswerText, Part, Passage, compose_answer
from pipeline.preprocess.nlp import Cue, TargetMarker, build_nlp, parse_answers, stem

__all__ = [
    "AnswerText",
    "Cue",
    "Part",
    "Passage",
    "TargetMarker",
    "align_clean",
    "build_nlp",
    "clean_dashes",
    "clean_furniture",
    "clean_invisible",
    "clean_letters",
    "clean_markup",
    "clean_punctuation",
    "clean_run_on",
    "clean_spaces",
    "clean_text",
    "compose_answer",
    "parse_answers",
    "stem",
]
