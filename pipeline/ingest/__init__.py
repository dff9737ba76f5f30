"""Sources of answers, of whatever kind, to answer records.

`read_answers` is the one door: it finds out what kind of source it has, reads it, validates every
record and says what it had to leave out.
"""

from __future__ import annotations

from pipeline.ingest.meter import Meter
from pipeline.ingest.reader import FIELDS, ReadOptions, read_answers
from pipeline.ingest.source import KINDS, STDIN, list_files

__all__ = ["FIELDS", "KINDS", "STDIN", "Meter", "ReadOptions", "list_files", "read_answers"]
