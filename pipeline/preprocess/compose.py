"""An answer's headline and body as one clean text that can be traced back to the record."""

from __future__ import annotations

from typing import Literal, NamedTuple

from pipeline.preprocess.clean import Alignment, align_clean

Field = Literal["headline", "text"]
_SENTENCE_ENDS = (".", "!", "?", ":", "…")


class Part(NamedTuple):
    """Where a field of the record stands in the composed text.

    Attributes
    ----------
    field
        "headline" or "text".
    start, end
        Half-open character range in the composed text.
    original
        The field as it is in the record.
    alignment
        From clean to original characters.
    """

    field: Field
    start: int
    end: int
    original: str
    alignment: Alignment


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

    field: Field
    start: int
    end: int
    quote: str
    composed_start: int
    composed_end: int


class AnswerText(NamedTuple):
    """An answer's clean headline and body as one text, traceable to the record."""

    text: str
    parts: tuple[Part, ...]

    def locate(self, start: int, end: int) -> list[Passage]:
        """Trace a range of the composed text to the record; one passage per field that it touches.

        White space at the ends of a passage is left out.
        """
        passages = []
        for part in self.parts:
            if start >= part.end or end <= part.start:
                continue
            low, high = self._without_space(max(start, part.start), min(end, part.end))
            if low >= high:
                continue
            first, last = part.alignment.trace(low - part.start, high - part.start)
            passages.append(Passage(part.field, first, last, part.original[first:last], low, high))
        return passages

    def _without_space(self, start: int, end: int) -> tuple[int, int]:
        while start < end and self.text[start].isspace():
            start += 1
        while start < end and self.text[end - 1].isspace():
            end -= 1
        return start, end


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
    body, body_alignment = align_clean(text)
    if not headline or not headline.strip():
        return AnswerText(body, (Part("text", 0, len(body), text, body_alignment),))
    head, head_alignment = align_clean(headline)
    gap = " " if _runs_on(head, body) else "\n\n"
    start = len(head) + len(gap)
    parts = (
        Part("headline", 0, len(head), headline, head_alignment),
        Part("text", start, start + len(body), text, body_alignment),
    )
    return AnswerText(head + gap + body, parts)


def _runs_on(head: str, body: str) -> bool:
    if head.rstrip().endswith(_SENTENCE_ENDS) or not body.lstrip()[:1].islower():
        return False
    # A typist who uses no capitals at all has not run on.
    return any(char.isupper() for char in head + body[:200])
