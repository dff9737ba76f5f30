"""The labelled data as it stands in its files, for tests of its own rules."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

NEAR_DUPLICATE = 0.2
"""Two texts are near duplicates that share so much of the shorter one's 5-grams."""


def read_rows(folder: Path) -> list[dict[str, Any]]:
    """Read the lines of every JSONL file of a folder, in the order of the files' names."""
    files = sorted(folder.glob("*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]
