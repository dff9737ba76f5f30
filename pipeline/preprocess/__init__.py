"""From answers' texts to tokens with their sentences, cues, scopes and targets."""

from __future__ import annotations

from pipeline.preprocess.clean import (
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
)
from pipeline.preprocess.compose import AnswerText, Part, Passage, compose_answer
from pipeline.preprocess.parse import ZONES, AnswerParser, Cue, ParsedBatch, parse_answers
from pipeline.preprocess.wordtypes import stem

__all__ = [
    "ZONES",
    "AnswerParser",
    "AnswerText",
    "Cue",
    "ParsedBatch",
    "Part",
    "Passage",
    "align_clean",
    "clean_dashes",
    "clean_furniture",
    "clean_invisible",
    "clean_letters",
    "clean_long_run",
    "clean_markup",
    "clean_punctuation",
    "clean_run_on",
    "clean_spaces",
    "clean_text",
    "compose_answer",
    "parse_answers",
    "stem",
]
