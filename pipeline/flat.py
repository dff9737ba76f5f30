"""Records as flat rows, for CSV and Parquet: dotted names, and cells no spreadsheet will run.

The JSON form of a record nests (``respondent: {name: …}``); the flat form has ``respondent.name``.
Lists (the evidence) are one cell of JSON.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

Row = Mapping[str, Any]

LIST_FIELDS = ("evidence", "gold_evidence")
_PLAIN = (str, int, float, type(None))
_OWN_COLUMN = "source.locator"
_FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")


class Writable(Protocol):
    """Anything text can be written to."""

    def write(self, text: str, /) -> object:
        """Write some text."""


def flatten(row: Row, prefix: str = "") -> dict[str, Any]:
    """Return the row with dotted names for nested fields and JSON text for lists.

    Examples
    --------
    >>> flatten({"id": "a", "respondent": {"name": "N", "rating": 4.5}, "tags": ["x"]})
    {'id': 'a', 'respondent.name': 'N', 'respondent.rating': 4.5, 'tags': '["x"]'}
    """
    flat: dict[str, Any] = {}
    for name, value in row.items():
        # Most values are plain, and to tell a mapping is slow.
        if isinstance(value, _PLAIN):
            flat[f"{prefix}{name}"] = value
        elif isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{name}.")
        elif isinstance(value, list | tuple):
            flat[f"{prefix}{name}"] = json.dumps(value, ensure_ascii=False)
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def unflatten(fields: Mapping[str, Any], nested: Iterable[str]) -> dict[str, Any]:
    """Nest the dotted names that begin with one of `nested`; leave every other name as it is.

    Examples
    --------
    >>> unflatten({"respondent.name": "N", "v1.0 score": "3"}, nested=["respondent"])
    {'respondent': {'name': 'N'}, 'v1.0 score': '3'}
    """
    row: dict[str, Any] = {}
    for name, value in fields.items():
        outer, dot, inner = name.partition(".")
        if dot and outer in nested and isinstance(row.get(outer, {}), Mapping):
            row[outer] = {**row.get(outer, {}), inner: value}
        elif name in LIST_FIELDS and isinstance(value, str) and value.startswith("["):
            row[name] = _json_or_text(value)
        else:
            row[name] = value
    return row


def _json_or_text(value: str) -> Any:
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def is_own_table(header: Iterable[str]) -> bool:
    """Whether medstance wrote the table, so that its cells carry the mark of `write_cell`."""
    return _OWN_COLUMN in header


def write_cell(value: Any) -> Any:
    """Return a cell that a spreadsheet shows and does not run.

    Text that begins like a formula gets an apostrophe in front, as OWASP advises against CSV injection;
    text that already has apostrophes there gets one more, so that `read_cell` gives it back exactly.

    References
    ----------
    OWASP, "CSV Injection".

    Examples
    --------
    >>> write_cell("=1+1"), write_cell("safe"), write_cell(-2)
    ("'=1+1", 'safe', -2)
    """
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value


def read_cell(cell: str, *, own: bool) -> str:
    """Undo `write_cell` in a table that medstance wrote; a stranger's cell stays as it is.

    Examples
    --------
    >>> read_cell("'=1+1", own=True), read_cell("'=1+1", own=False)
    ('=1+1', "'=1+1")
    """
    return cell[1:] if own and cell.startswith("'") and _FORMULA.match(cell) else cell


def flatten_rows(rows: Iterable[Row]) -> tuple[list[dict[str, Any]], list[str]]:
    """Flatten rows and collect their columns, in order of first appearance."""
    flat = [flatten(row) for row in rows]
    return flat, collect_columns(flat)


def collect_columns(rows: Iterable[Row]) -> list[str]:
    """Return the columns that the rows have when flat, in order of first appearance.

    Examples
    --------
    >>> collect_columns([{"b": 1}, {"a": {"c": 2}, "b": 3}])
    ['b', 'a.c']
    """
    return list(dict.fromkeys(name for row in rows for name in flatten(row)))


def write_table(rows: Iterable[Row], columns: Sequence[str], file: Writable, delimiter: str = ",") -> int:
    """Write rows as CSV or TSV as they come, formulas made harmless, and return how many there were.

    Parameters
    ----------
    rows
        Records, nested or flat.
    columns
        The header, see `collect_columns`; what a row has besides is left out.
    file
        Where to.
    delimiter
        What divides cells.
    """
    # The line ends of RFC 4180: with them, the writer quotes a cell that holds either half of one.
    writer = csv.writer(file, delimiter=delimiter, lineterminator="\r\n")
    writer.writerow([write_cell(name) for name in columns])
    count = 0
    for count, row in enumerate(map(flatten, rows), start=1):  # noqa: B007
        writer.writerow(["" if (value := row.get(name)) is None else write_cell(value) for name in columns])
    return count


def write_delimited(rows: Iterable[Row], file: Writable, delimiter: str = ",") -> int:
    """Write rows as CSV or TSV under the columns of all of them, which are held in memory, and return how many."""
    flat, columns = flatten_rows(rows)
    return write_table(flat, columns, file, delimiter)
