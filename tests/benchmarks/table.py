"""One table of everything that was measured, as Markdown and as JSON."""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from statistics import median
from typing import Any

from tests.benchmarks.measure import Run

_HEADER = (
    ("section", "what", "answers", "CPU s", "answers per CPU s", "wall s", "peak MB", "ratio", "of what", "note"),
    ("---", "---", "--:", "--:", "--:", "--:", "--:", "--:", "---", "---"),
)


@dataclass(frozen=True)
class Row:
    """One thing that was measured, or that could not be."""

    section: str
    what: str
    n_answers: int | None = None
    runs: Sequence[Run] = ()
    """One of each round."""
    ratios: Sequence[float] = ()
    """One of each round: both sides were measured one after the other."""
    ratio_of: str = ""
    note: str = ""

    @property
    def rates(self) -> list[float]:
        """Answers per CPU second."""
        return [] if self.n_answers is None else [self.n_answers / run.cpu_seconds for run in self.runs]


def describe_setting(n_rounds: int) -> dict[str, Any]:
    """Say what was measured where: the figures alone are nobody's."""
    # Versions are asked of the installed packages: importing them would make this process large.
    return {
        "date": dt.datetime.now(tz=dt.UTC).date().isoformat(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "medstance": version("medstance"),
        "spacy": version("spacy"),
        "scikit_learn": version("scikit-learn"),
        "rounds": n_rounds,
    }


def render_table(rows: Sequence[Row], setting: dict[str, Any]) -> str:
    """Render the table, what it was measured on above it and how below."""
    n_rounds = setting["rounds"]
    rounds = "one round" if n_rounds == 1 else f"{n_rounds} rounds: median (range)"
    lines = [
        f"Measured on {setting['date']} with medstance {setting['medstance']}: {setting['cores']} cores, "
        f"Python {setting['python']}, spaCy {setting['spacy']}, scikit-learn {setting['scikit_learn']}; {rounds}.",
        "",
        *(f"| {' | '.join(cells)} |" for cells in (*_HEADER, *map(_render_row, rows))),
        "",
        "CPU time is that of the whole process tree, start-up included; a peer's training is not. "
        "Peak memory is the largest sum over the process tree at one time, shared pages counted in each process.",
    ]
    return "\n".join(lines)


def _render_row(row: Row) -> tuple[str, ...]:
    return (
        row.section,
        row.what,
        "" if row.n_answers is None else str(row.n_answers),
        _spread([run.cpu_seconds for run in row.runs], 2),
        _spread(row.rates, 0),
        _spread([run.wall_seconds for run in row.runs], 2),
        _spread([run.peak_mb for run in row.runs], 0),
        _spread(row.ratios, 2),
        row.ratio_of,
        row.note.replace("|", "\\|"),
    )


def _spread(values: Sequence[float], n_digits: int) -> str:
    if not values:
        return ""
    middle = f"{median(values):.{n_digits}f}"
    return middle if len(values) == 1 else f"{middle} ({min(values):.{n_digits}f}–{max(values):.{n_digits}f})"


def render_json(rows: Sequence[Row], setting: dict[str, Any]) -> str:
    """Render every round of every row."""
    return json.dumps({**setting, "rows": [asdict(row) for row in rows]}, ensure_ascii=False, indent=2) + "\n"
