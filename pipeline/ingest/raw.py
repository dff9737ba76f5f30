"""What the readers of every kind of source give: fields as found, and the place they were found."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MAX_RAW_CHARS = 20_000


@dataclass(frozen=True)
class RawRecord:
    """One answer as found, before validation.

    Attributes
    ----------
    fields
        By name; nested where the source nests, or flat with dotted names.
    locator
        The line, row or answer, in words: "line 12".
    raw
        The record as it stood in the source, for the quarantine file.
    has_good_texts
        Whether the reader has made sure that no text, names of fields included, has a NUL or a lone surrogate.
    """

    fields: Mapping[str, Any]
    locator: str
    raw: str = ""
    has_good_texts: bool = field(default=False, compare=False)

    def shown(self) -> str:
        """Return the record as found, cut to `MAX_RAW_CHARS`."""
        return (self.raw or json.dumps(self.fields, ensure_ascii=False, default=str))[:MAX_RAW_CHARS]


@dataclass(frozen=True)
class BadRecord:
    """One record that could not even be read."""

    locator: str
    reason: str
    raw: str = ""
    column: str | None = None


@dataclass(frozen=True)
class PageAnswers:
    """The answers of one question on a saved page.

    Attributes
    ----------
    question
        As the page words it.
    details
        What the patient adds below it; empty when nothing.
    announced
        The number of answers the page says it has; None when it does not say.
    answers
        In page order; each has headline, text and respondent where present.
    left_out
        The beginning of text below the last signature, which is in no answer; empty when there is none.
    """

    question: str
    details: str = ""
    announced: int | None = None
    answers: list[RawRecord | BadRecord] = field(default_factory=list)
    left_out: str = ""
