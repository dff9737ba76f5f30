"""Labels kept apart from their texts: joined by the text's id, checked by its hash.

A label table has no texts in it, because they are not its author's to give away.
It names each text by the id that it has at its source (`text_id`) and by hashes (`text_sha256`, and
`question_sha256` where the question matters), and says what was read in it: proposition, label, where the
words that carry the label stand.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.ingest.raw import BadRecord, RawRecord
from pipeline.schema import AnswerRecord

TEXT_ID = "text_id"
TEXT_HASH = "text_sha256"
_HASHES = {TEXT_HASH: "text", "question_sha256": "question"}
_EVIDENCE = ("evidence_start", "evidence_end")
_OF_THE_TEXT = ("question", "headline", "text", "respondent")
_OFFSET = re.compile(r"\d{1,9}", re.ASCII)


def hash_text(text: str) -> str:
    """Return the SHA-256 of a text's UTF-8, in hexadecimal.

    Examples
    --------
    >>> hash_text("Please do not.")[:12]
    '57561d30e4de'
    """
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def is_label_table(columns: Sequence[str]) -> bool:
    """Say whether columns are those of labels that are kept apart from their texts.

    Examples
    --------
    >>> is_label_table(["answer_id", "text_id", "text_sha256", "label"])
    True
    >>> is_label_table(["answer_id", "text", "label"])
    False
    """
    return TEXT_ID in columns or TEXT_HASH in columns


def attach_text(record: RawRecord, texts: Mapping[str, AnswerRecord], folder: str) -> RawRecord | BadRecord:
    """Join a row of a label table with the text it is on.

    Parameters
    ----------
    record
        A row with `text_id` and `text_sha256`; with `question_sha256` where the question must be the same
        too, and `evidence_start` and `evidence_end`, half-open offsets in the text, where it says what
        carries the label.
    texts
        The answers there are, by their id.
    folder
        Where they were read, for messages.

    Returns
    -------
    RawRecord or BadRecord
        The row with question, text, headline and respondent, and its offsets as `gold_evidence`; or why
        it cannot be joined: no such text, another text or question under that id, or offsets outside the text.
    """
    fields = dict(record.fields)
    text_id = str(fields.get(TEXT_ID, ""))
    answer = texts.get(text_id)
    if answer is None:
        return _reject(record, TEXT_ID, f"no text {_shown(text_id)} in {folder}")
    row = answer.to_row()
    for column, name in _HASHES.items():
        expected, found = str(fields.get(column, "")).strip().lower(), hash_text(row[name])
        if found != expected and (expected or column == TEXT_HASH):
            hashes = f"SHA-256 {found[:12]}, labelled was {expected[:12] or 'none given'}"
            return _reject(record, column, f"the {name} of {_shown(text_id)} in {folder} is another one ({hashes})")
    joined: dict[str, Any] = {name: row[name] for name in _OF_THE_TEXT}
    span = [str(fields.pop(name, "")) for name in _EVIDENCE]
    if any(span):
        if not all(_OFFSET.fullmatch(place) for place in span) or not int(span[0]) < int(span[1]) <= len(answer.text):
            found = f"found {_shown(span[0])} to {_shown(span[1])}"
            return _reject(
                record, _EVIDENCE[0], f"expected offsets within the text's {len(answer.text)} characters, {found}"
            )
        joined["gold_evidence"] = [{"field": "text", "start": int(span[0]), "end": int(span[1])}]
    return RawRecord(joined | fields, record.locator, record.raw)


def _shown(value: str) -> str:
    return repr(value if len(value) <= 40 else value[:37] + "...")


def _reject(record: RawRecord, column: str, reason: str) -> BadRecord:
    return BadRecord(record.locator, reason, record.shown(), column)
