"""How much ``stance classify`` costs, as ratios measured side by side in one run; half an hour on two cores.

Machines are shared and noisy: what counts is CPU time, and wall-clock time only for the scaling with jobs.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.sections import SECTIONS, Setting, warm_up
from tests.benchmarks.table import Row, describe_setting, render_json, render_table


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--answers", metavar="N", type=_at_least_one, default=100_000, help="answers of most sections")
    parser.add_argument("--rounds", metavar="N", type=_at_least_one, default=1, help="how often all is measured")
    parser.add_argument("--largest", metavar="N", type=_at_least_one, default=1_000_000, help="the largest size")
    parser.add_argument("--model", default="fast", help="an installed model's name or a model folder")
    parser.add_argument("--json", metavar="FILE", type=Path, help="also write every round here")
    parser.add_argument("--only", action="append", choices=SECTIONS, help="a section; may be repeated. Else all.")
    options = parser.parse_args(arguments)
    setting = Setting(options.answers, options.rounds, options.largest, options.model)
    described = describe_setting(options.rounds)
    rows: list[Row] = []
    warm_up(setting)
    # What was measured is not lost where a later section fails or is interrupted.
    try:
        for name in SECTIONS:
            if not options.only or name in options.only:
                for row in SECTIONS[name](setting):
                    rows.append(row)
                    if options.json is not None:
                        options.json.write_text(render_json(rows, described), encoding="utf-8")
    finally:
        print(render_table(rows, described))  # noqa: T201


def _at_least_one(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text}: expected a number of at least 1")
    return int(text)


if __name__ == "__main__":
    main()
