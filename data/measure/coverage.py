"""How often the intervals of shares hold the truth: ``python -m data.measure.coverage``.

Panels are simulated whose truth is known: a mix of sides among doctors at large is drawn, then the answers of a few
doctors, then the calls of a model that errs. Every panel has a mix of its own, drawn anew of its kind, for with three
answers no interval can be right for each single mix; what is known of the model's errors is drawn too, as from the
answers it was tested on.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data.measure.datasheet import render_table, replace_sections
from pipeline.aggregate.prevalence import CallErrors, estimate_mix, estimate_prevalence
from pipeline.schema import LabelScheme
from pipeline.workflow.scheme import default_scheme

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

SIZES = (3, 5, 10, 30, 100)
LEVEL = 0.9
N_DRAWS = 1000
"""Fewer than a report makes, for the sake of time: what is measured is a little worse than what is shown there."""

N_TESTED = 2000
"""Answers of which a model's errors are known."""

N_TESTS = 10
"""How often these are drawn anew."""

ABSTAINED = (0.2, 0.4)
"""Share that the even model abstains on of the calls whose side is right, and of those whose side is wrong."""

ALIKE, ALL = "of one mind (one side 100 %)", "mean of these five"


# ---------------------------------------------------------------- the truth


def _lead(rng: np.random.Generator, n: int, least: float, most: float) -> Floats:
    """Draw mixes in which one of three sides has a share between two bounds, and the others divide the rest."""
    lead, part = rng.uniform(least, most, n), rng.random(n)
    return np.stack([lead, (1 - lead) * part, (1 - lead) * (1 - part)], axis=1)


def _halve(rng: np.random.Generator, n: int) -> Floats:
    """Draw mixes of two sides about alike and little of the third."""
    third, part = rng.uniform(0, 0.2, n), rng.uniform(0.4, 0.6, n)
    return np.stack([(1 - third) * part, (1 - third) * (1 - part), third], axis=1)


KINDS: dict[str, Callable[[np.random.Generator, int], Floats]] = {
    "strong (one side 80–100 %)": lambda rng, n: _lead(rng, n, 0.8, 1.0),
    "leaning (one side 55–80 %)": lambda rng, n: _lead(rng, n, 0.55, 0.8),
    "split in two": _halve,
    "even": lambda rng, n: rng.dirichlet([10.0, 10.0, 10.0], n),
    "any": lambda rng, n: rng.dirichlet([1.0, 1.0, 1.0], n),
    ALIKE: lambda rng, n: _lead(rng, n, 1.0, 1.0),
}
"""Mixes of three sides by kind; which side is which is drawn too."""


def draw_truth(kind: str, n: int, scheme: LabelScheme, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Draw mixes of a kind.

    Returns
    -------
    mixes
        Shape (n, n_labels): of labels. A side's share is divided among its labels at random, and about one doctor
        in eight has no stance where the scheme knows that.
    sides
        Shape (n, n_sides): of sides among those with a stance.
    """
    sides = rng.permuted(KINDS[kind](rng, n), axis=1)
    outside = rng.beta(1, 7, n) if len(scheme.with_side) < len(scheme.labels) else np.zeros(n)
    mixes = np.zeros((n, len(scheme.labels)))
    for side, share in [*zip(scheme.sides, (sides * (1 - outside)[:, None]).T, strict=True), (None, outside)]:
        columns = [place for place, label in enumerate(scheme.labels) if label.side == side]
        if columns:
            mixes[:, columns] = share[:, None] * rng.dirichlet(np.ones(len(columns)), n)
    return mixes, sides


# ---------------------------------------------------------------- models that err


def abstain(calls: Floats, scheme: LabelScheme) -> Floats:
    """Turn some calls into abstentions, more of the wrong ones; shape (n_labels, n_labels + 1), rows sum to 1."""
    sides = [label.side for label in scheme.labels]
    right, wrong = ABSTAINED
    kept = np.array([[1 - (right if one == other else wrong) for other in sides] for one in sides])
    kept = kept * calls / calls.sum(axis=1, keepdims=True)
    return np.hstack([kept, 1 - kept.sum(axis=1, keepdims=True)])


def build_even_errors(scheme: LabelScheme) -> Floats:
    """Build a model that errs to both sides alike: 72 % right, near labels rather than far ones."""
    n_labels = len(scheme.labels)
    far = np.abs(np.subtract.outer(np.arange(n_labels), np.arange(n_labels)))
    return abstain(np.where(far == 0, 0.72, 0.28 * 0.4**far / 0.5), scheme)


def read_own_errors(path: Path) -> tuple[Floats, Floats]:
    """Read the errors of a model out of fold, and how many answers it has of each label."""
    counts = np.array(json.loads(path.read_text(encoding="utf-8"))["scores"]["calls"], dtype=np.float64)
    return counts / counts.sum(axis=1, keepdims=True), counts.sum(axis=1)


# ---------------------------------------------------------------- the study


@dataclass(frozen=True)
class Found:
    """What was found of the panels of one kind and size.

    Attributes
    ----------
    corrected, plain
        Share of the intervals that hold the truth.
    width, plain_width
        Their mean width.
    """

    corrected: float
    plain: float
    width: float
    plain_width: float


def measure_panels(
    rows: Floats, tested: Floats, scheme: LabelScheme, n_panels: int, seed: int
) -> Iterator[tuple[tuple[int, str], Found]]:
    """Measure the intervals of the sides by size and kind.

    Parameters
    ----------
    rows
        Shape (n_labels, n_labels + 1): probability of each call, and of abstaining, by label.
    tested
        Shape (n_labels,): how many answers of each label the errors are known of, up to a factor.
    """
    rng = np.random.default_rng(seed)
    numbers = np.rint(tested / tested.sum() * N_TESTED).astype(np.int64)
    tests = [CallErrors(scheme, rng.multinomial(numbers, rows).astype(np.float64)) for _ in range(N_TESTS)]
    test_of = np.arange(n_panels) * N_TESTS // n_panels
    for size in SIZES:
        truths = {kind: draw_truth(kind, n_panels, scheme, rng) for kind in KINDS}
        votes = {kind: rng.multinomial(size, mixes @ rows) for kind, (mixes, _) in truths.items()}
        intervals = _estimate_all(np.concatenate([*votes.values()]), np.tile(test_of, len(KINDS)), tests)
        for number, (kind, (_, sides)) in enumerate(truths.items()):
            corrected = intervals[number * n_panels : (number + 1) * n_panels]
            plain = np.array([_estimate_plain(counts, scheme) for counts in votes[kind]])
            yield (
                (size, kind),
                Found(
                    _count_held(corrected, sides),
                    _count_held(plain, sides),
                    float((corrected[..., 1] - corrected[..., 0]).mean()),
                    float((plain[..., 1] - plain[..., 0]).mean()),
                ),
            )


def _estimate_all(votes: Ints, test_of: Ints, tests: list[CallErrors]) -> Floats:
    """Estimate the intervals of many panels, alike ones once; shape (n_panels, n_sides, 2)."""
    different, place = np.unique(np.column_stack([test_of, votes]), axis=0, return_inverse=True)
    found = [
        [
            (one.low, one.high)
            for one in estimate_mix(row[1:].astype(np.float64), tests[row[0]], LEVEL, N_DRAWS).sides.values()
        ]
        for row in different
    ]
    return np.array(found)[place.ravel()]


def _estimate_plain(votes: Ints, scheme: LabelScheme) -> list[tuple[float, float]]:
    """Estimate the intervals that take the calls for the truth."""
    counts = {
        side: sum(int(n) for n, label in zip(votes, scheme.labels, strict=False) if label.side == side)
        for side in scheme.sides
    }
    found = [estimate_prevalence(n, sum(counts.values()), LEVEL) for n in counts.values()]
    return [(one.low, one.high) for one in found]


def _count_held(intervals: Floats, truth: Floats) -> float:
    return float(((intervals[..., 0] <= truth) & (truth <= intervals[..., 1])).mean())


def coverage_table(own: Path, scheme: LabelScheme, n_panels: int, seed: int) -> str:
    """Measure two models and render the table."""
    own_rows, tested = read_own_errors(own)
    models = {"errs evenly": build_even_errors(scheme), "`fast`, which errs unevenly": own_rows}
    found = {}
    for name, rows in models.items():
        found[name] = dict(measure_panels(rows, tested, scheme, n_panels, seed))
        sys.stderr.write(f"{name}\n")
    return render_found(found)


def render_found(found: Mapping[str, Mapping[tuple[int, str], Found]]) -> str:
    """Render what was found, by size and kind, with the mean over the kinds."""
    header = ["answers and mix of sides"]
    for name in found:
        header += [f"corrected: model {name}", "width", "plain", "width"]
    lines = []
    for size in SIZES:
        for kind in (*[kind for kind in KINDS if kind != ALIKE], ALL, ALIKE):
            kinds = [one for one in KINDS if one != ALIKE] if kind == ALL else [kind]
            cells = []
            for cell in found.values():
                mean = np.mean(
                    [
                        [one.corrected, one.width, one.plain, one.plain_width]
                        for one in (cell[size, kind_of] for kind_of in kinds)
                    ],
                    axis=0,
                )
                cells += [f"{mean[0]:.1%}", f"{mean[1]:.2f}", f"{mean[2]:.1%}", f"{mean[3]:.2f}"]
            lines.append([f"{size}, {kind}", *[cell.replace("%", " %") for cell in cells]])
    return render_table(header, lines)


def main() -> None:
    """Measure and write the table of docs/method.md, or print it where nothing may be written."""
    root = Path(__file__).parents[2]
    parser = argparse.ArgumentParser(prog="python -m data.measure.coverage", description=__doc__)
    parser.add_argument("--panels", type=int, default=2000, help="panels per size, mix and model (default: 2000)")
    parser.add_argument("--seed", type=int, default=1, help="of the simulation (default: 1)")
    parser.add_argument("--print", action="store_true", help="print the table instead of writing it")
    options = parser.parse_args()
    if options.panels < N_TESTS:
        parser.error(f"--panels {options.panels}: must be at least {N_TESTS}")
    manifest = root / "models" / "fast" / "manifest.json"
    table = coverage_table(manifest, default_scheme(), options.panels, options.seed)
    if options.print:
        sys.stdout.write(table + "\n")
        return
    method = root / "docs" / "method.md"
    method.write_text(replace_sections(method.read_text(encoding="utf-8"), {"coverage": table}), encoding="utf-8")


if __name__ == "__main__":
    main()
