"""The cue lexicon: families of wordings, read from data and checked before use."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from importlib.resources import files
from itertools import islice, product

from pydantic import Field, ValidationError, model_validator

from pipeline.errors import BadInput
from pipeline.schema import Frozen, first_problem

TARGET = "TARGET"
"""What stands in a pattern for a mention of the thing asked about."""

REQUIRED_FAMILIES = ("negation", "pseudo_negation", "contrast", "question_flip")
_WORD = re.compile(r"[^\s|?]+(?:\|[^\s|?]+)*\??")
_MAX_PHRASES = 400


class CueFamily(Frozen):
    """One family: its name, and the patterns whose wordings belong to it."""

    name: str = Field(pattern=r"^[a-z][a-z_]*$")
    patterns: tuple[str, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _patterns_expand(self) -> CueFamily:
        for pattern in self.patterns:
            try:
                n_phrases = sum(1 for _ in islice(expand_pattern(pattern), _MAX_PHRASES + 1))
            except ValueError as error:
                raise ValueError(f"family {self.name!r}: {error}") from error
            if n_phrases > _MAX_PHRASES:
                raise ValueError(
                    f"family {self.name!r}: pattern {pattern!r} stands for more than {_MAX_PHRASES} phrases"
                )
        return self

    def phrases(self) -> list[str]:
        """Return every phrase the family's patterns stand for, without repeats, in order."""
        return list(dict.fromkeys(phrase for pattern in self.patterns for phrase in expand_pattern(pattern)))


class CueLexicon(Frozen):
    """All families, in the order of the file.

    Attributes
    ----------
    version
        Raised with every change of meaning.
    stock_words
        Words of questions that name no target: "safe", "worth", "years".
    family
        The families.
    """

    version: int = Field(ge=1)
    stock_words: tuple[str, ...] = ()
    family: tuple[CueFamily, ...]

    @model_validator(mode="after")
    def _families_are_complete(self) -> CueLexicon:
        names = [family.name for family in self.family]
        double = next((name for name in names if names.count(name) > 1), None)
        if double:
            raise ValueError(f"family {double!r} stands twice")
        missing = [name for name in REQUIRED_FAMILIES if name not in names]
        if missing:
            raise ValueError(f"family {missing[0]!r} is missing")
        return self

    def phrases(self) -> dict[str, list[str]]:
        """Return the phrases of every family by its name."""
        return {family.name: family.phrases() for family in self.family}


def expand_pattern(pattern: str) -> Iterator[str]:
    """Give every phrase a pattern stands for.

    Parameters
    ----------
    pattern
        Words divided by single spaces; ``a|b`` is either word, a final ``?`` makes a word optional, and
        ``TARGET`` stands for a mention of what is asked about.

    Raises
    ------
    ValueError
        When the pattern is empty, malformed, or optional in every word.

    Examples
    --------
    >>> list(expand_pattern("would? advise|recommend against"))
    ['would advise against', 'would recommend against', 'advise against', 'recommend against']
    """
    words = pattern.split(" ")
    if not all(_WORD.fullmatch(word) for word in words):
        raise ValueError(
            f"pattern {pattern!r} is malformed: words divided by single spaces, as in 'not a|an good? idea'"
        )
    if all(word.endswith("?") for word in words):
        raise ValueError(f"pattern {pattern!r} is optional in every word")
    choices = [[*word.rstrip("?").split("|"), *([""] if word.endswith("?") else [])] for word in words]
    for chosen in product(*choices):
        yield " ".join(word for word in chosen if word)


def parse_lexicon(text: str, name: str) -> CueLexicon:
    """Read a lexicon from TOML text.

    Parameters
    ----------
    text
        The file's content.
    name
        What errors call the file.

    Raises
    ------
    BadInput
        When it is no TOML, or not a lexicon; names the family and the pattern at fault.
    """
    try:
        return CueLexicon.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise BadInput(name, f"is no TOML: {error}") from error
    except ValidationError as error:
        where, problem = first_problem(error)
        raise BadInput(name, problem, where=where) from error


def default_lexicon_text() -> str:
    """Return the text of the lexicon that comes with medstance."""
    return (files("pipeline") / "resources" / "cues.toml").read_text(encoding="utf-8")
