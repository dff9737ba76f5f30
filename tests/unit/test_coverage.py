"""The study of intervals: what it simulates is what it says, and small runs find what the large one shows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data.measure import coverage
from data.measure.coverage import (
    ALIKE,
    KINDS,
    SIZES,
    abstain,
    build_even_errors,
    coverage_table,
    draw_truth,
    measure_panels,
    read_own_errors,
)
from pipeline.schema import LabelScheme
from pipeline.workflow.scheme import default_scheme

ROOT = Path(__file__).parents[2]
MANIFEST = ROOT / "models" / "fast" / "manifest.json"
SCHEME = default_scheme()
BOUNDS = {
    "strong (one side 80–100 %)": (0.8, 1.0),
    "leaning (one side 55–80 %)": (0.55, 0.8),
    "split in two": (0.32, 0.6),
    "even": (1 / 3, 0.95),
    "any": (1 / 3, 1.0),
    ALIKE: (1.0, 1.0),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_of_mix_is_what_its_name_says(kind: str) -> None:
    mixes, sides = draw_truth(kind, 500, SCHEME, np.random.default_rng(0))
    least, most = BOUNDS[kind]
    leader = sides.max(axis=1)
    assert least - 1e-9 <= leader.min()
    assert leader.max() <= most + 1e-9
    np.testing.assert_allclose(mixes.sum(axis=1), 1)
    with_stance = mixes[:, [label.side is not None for label in SCHEME.labels]].sum(axis=1)
    for side, shares in zip(SCHEME.sides, sides.T, strict=True):
        of_side = mixes[:, [label.side == side for label in SCHEME.labels]].sum(axis=1)
        np.testing.assert_allclose(of_side / with_stance, shares)
    # No side is favoured.
    np.testing.assert_allclose(sides.mean(axis=0), 1 / 3, atol=0.07)


def test_every_label_is_called_something_or_abstained_on() -> None:
    own, tested = read_own_errors(MANIFEST)
    for rows in (own, build_even_errors(SCHEME), abstain(np.eye(6), SCHEME)):
        np.testing.assert_allclose(rows.sum(axis=1), 1)
        assert rows.min() >= 0
    assert tested.min() > 0


def test_a_small_run_finds_the_corrected_interval_near_its_level_and_the_plain_one_short(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(coverage, "SIZES", (3, 10))
    monkeypatch.setattr(coverage, "N_TESTS", 2)
    own, tested = read_own_errors(MANIFEST)
    found = dict(measure_panels(own, tested, SCHEME, 60, 1))
    kinds = [kind for kind in KINDS if kind != ALIKE]
    assert set(found) == {(size, kind) for size in (3, 10) for kind in KINDS}
    # 300 panels of three sides each: three standard errors are less than .05.
    for size in (3, 10):
        assert np.mean([found[size, kind].corrected for kind in kinds]) == pytest.approx(0.91, abs=0.05)
    assert np.mean([found[10, kind].plain for kind in kinds]) < 0.75


def test_the_table_has_every_size_and_is_the_same_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coverage, "SIZES", SIZES[:2])
    monkeypatch.setattr(coverage, "N_TESTS", 1)
    one, other = (coverage_table(MANIFEST, SCHEME, 10, 3) for _ in range(2))
    assert one == other
    rows = one.splitlines()[2:]
    assert len(rows) == 2 * (len(KINDS) + 1)
    assert all(row.count("|") == rows[0].count("|") for row in rows)


def test_a_scheme_without_labels_outside_is_simulated_too() -> None:
    scheme = LabelScheme.from_labels("claims", ["favor", "against", "none"])
    mixes, sides = draw_truth("any", 50, scheme, np.random.default_rng(0))
    np.testing.assert_allclose(mixes, sides)


def test_too_few_panels_are_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["coverage", "--panels", "3", "--print"])
    with pytest.raises(SystemExit) as left:
        coverage.main()
    assert left.value.code == 2
    assert "--panels 3: must be at least" in capsys.readouterr().err
