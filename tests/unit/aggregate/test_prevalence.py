"""From counts of votes to shares: the plain ones, and those of doctors at large behind a model that errs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import betaincinv

from pipeline.aggregate.prevalence import CallErrors, estimate_mix, estimate_prevalence
from pipeline.schema import Label, LabelScheme

Floats = NDArray[np.float64]

GRADES = LabelScheme(
    name="grades",
    labels=(
        Label(name="never", value=-2, side="oppose"),
        Label(name="rarely", value=-1, side="oppose"),
        Label(name="depends", value=0, side="neutral"),
        Label(name="often", value=1, side="support"),
        Label(name="always", value=2, side="support"),
        Label(name="silent"),
    ),
)
CLAIMS = LabelScheme.from_labels("claims", ["favor", "against", "none"])
YES_NO = LabelScheme.from_labels("yes or no", ["yes", "no"])
ONE_SIDED = LabelScheme(name="one side", labels=(Label(name="yes", side="yes"), Label(name="silent")))
SIDELESS = LabelScheme(name="no side", labels=(Label(name="long"), Label(name="short")))
SCHEMES = [GRADES, CLAIMS, YES_NO, ONE_SIDED]
DRAWS = 500
LEVEL = 0.9


def errors_of(scheme: LabelScheme, right: float = 0.8, n: float = 300.0) -> CallErrors:
    """A model that is as often wrong in one way as in another, and abstains on a tenth."""
    n_labels = len(scheme.labels)
    rows = np.full((n_labels, n_labels), (1 - right) / (n_labels - 1))
    np.fill_diagonal(rows, right)
    return CallErrors(scheme, n * np.hstack([0.9 * rows, np.full((n_labels, 1), 0.1)]))


def calls(scheme: LabelScheme, **votes: float) -> Floats:
    return np.array([votes.get(name, 0.0) for name in (*scheme.names, "abstained")])


ERRORS = {scheme.name: errors_of(scheme) for scheme in SCHEMES}
NO_ERRORS = CallErrors(GRADES, np.hstack([1e7 * np.eye(6), np.zeros((6, 1))]))


# ---------------------------------------------------------------- plain


@given(n=st.integers(0, 60), more=st.integers(0, 60), level=st.floats(0.5, 0.99))
def test_a_plain_interval_is_that_of_jeffreys(n: int, more: int, level: float) -> None:
    found = estimate_prevalence(n, n + more, level)
    if n + more == 0:
        assert (found.share, found.low, found.high) == (0, 0, 1)
        return
    assert found.n == n
    assert found.share == round(n / (n + more), 4)
    assert found.low == (0 if n == 0 else round(betaincinv(n + 0.5, more + 0.5, (1 - level) / 2), 4))
    assert found.high == (1 if more == 0 else round(betaincinv(n + 0.5, more + 0.5, (1 + level) / 2), 4))


@given(n=st.floats(0, 50), more=st.floats(0, 50), level=st.floats(0.05, 0.99))
def test_weighted_votes_have_a_share_inside_their_interval(n: float, more: float, level: float) -> None:
    found = estimate_prevalence(n, n + more, level)
    assert 0 <= found.low <= found.share <= found.high <= 1


@pytest.mark.parametrize(("n", "total"), [(2.5, 4), (0.3, 7.2)], ids=["halves", "less than one vote"])
def test_the_interval_of_a_weight_lies_between_those_of_its_neighbours(n: float, total: float) -> None:
    below, found, above = (estimate_prevalence(k, total).high for k in (np.floor(n), n, np.ceil(n)))
    assert below < found < above


# ---------------------------------------------------------------- corrected


@settings(max_examples=60)
@given(data=st.data(), scheme=st.sampled_from(SCHEMES), level=st.floats(0.05, 0.99))
def test_shares_are_shares_and_agree_with_their_draws(data: st.DataObject, scheme: LabelScheme, level: float) -> None:
    n = len(scheme.labels) + 1
    votes = np.array(data.draw(st.lists(st.floats(0, 40) | st.integers(0, 40), min_size=n, max_size=n)), dtype=float)
    found = estimate_mix(votes, ERRORS[scheme.name], level, DRAWS)
    assert tuple(found.sides) == scheme.sides
    assert list(found.labels) == [label.name for label in scheme.with_side]
    assert found.side_draws.shape == (DRAWS, len(scheme.sides))
    for shares in (found.labels, found.sides):
        assert sum(one.share for one in shares.values()) == pytest.approx(1, abs=1e-3)
        assert all(0 <= one.low <= one.share <= one.high <= 1 for one in shares.values())
    assert found.side_draws.min() >= 0
    np.testing.assert_allclose(found.side_draws.sum(axis=1), 1)
    for one, draws in zip(found.sides.values(), found.side_draws.T, strict=True):
        assert one.share == pytest.approx(draws.mean(), abs=1e-4)
        held = ((draws >= one.low - 1e-4) & (draws <= one.high + 1e-4)).mean()
        assert held >= level - 2 / DRAWS


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: scheme.name)
def test_labels_add_up_to_their_side(scheme: LabelScheme) -> None:
    found = estimate_mix(np.arange(len(scheme.labels) + 1.0), ERRORS[scheme.name], LEVEL, DRAWS)
    for side in scheme.sides:
        of_side = sum(found.labels[label.name].share for label in scheme.with_side if label.side == side)
        assert of_side == pytest.approx(found.sides[side].share, abs=5e-4)


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: scheme.name)
def test_without_votes_nothing_is_known(scheme: LabelScheme) -> None:
    found = estimate_mix(np.zeros(len(scheme.labels) + 1), ERRORS[scheme.name])
    for shares in (found.labels, found.sides):
        assert {(one.low, one.high) for one in shares.values()} == {(0.0, 1.0)}
    for one in found.sides.values():
        assert one.share == pytest.approx(1 / len(scheme.sides), abs=0.02)


def test_a_scheme_without_sides_has_no_shares() -> None:
    found = estimate_mix(np.array([3.0, 1.0, 0.0]), errors_of(SIDELESS), LEVEL, DRAWS)
    assert (found.labels, found.sides, found.side_draws.shape) == ({}, {}, (DRAWS, 0))


@pytest.mark.parametrize(
    ("n", "total"), [(0, 5), (3, 5), (5, 5), (12, 30), (70, 100), (900, 1000)], ids=lambda n: str(n)
)
def test_a_model_that_does_not_err_leaves_the_posterior_of_the_counts(n: int, total: int) -> None:
    """Of no errors the posterior is known: Dirichlet(votes + ½), of one side Beta."""
    votes = calls(GRADES, never=n, depends=(total - n) / 2, always=(total - n) / 2)
    draws = estimate_mix(votes, NO_ERRORS).side_draws[:, 0]
    exact = betaincinv(n + 0.5, total - n + 1.0, np.array([0.05, 0.25, 0.5, 0.75, 0.95]))
    # Four errors of a quantile that an eighth as many independent draws would give, on the scale of shares.
    spread = np.sqrt((n + 0.5) * (total - n + 1)) / (total + 1.5) ** 1.5
    np.testing.assert_allclose(np.quantile(draws, [0.05, 0.25, 0.5, 0.75, 0.95]), exact, atol=0.2 * spread)


def test_the_posterior_of_two_labels_is_that_of_a_fine_grid() -> None:
    scheme, votes = YES_NO, np.array([9.0, 4.0, 2.0])
    rows = np.array([[0.6, 0.3, 0.1], [0.1, 0.7, 0.2]])
    found = estimate_mix(votes, CallErrors(scheme, 1e6 * rows)).side_draws[:, 0]
    grid = (np.arange(20_000) + 0.5) / 20_000
    weight = (grid * (1 - grid)) ** -0.5 * np.prod(
        (grid[:, None] * rows[0] + (1 - grid[:, None]) * rows[1]) ** votes, axis=1
    )
    reached = np.cumsum(weight) / weight.sum()
    for part in (0.05, 0.25, 0.5, 0.75, 0.95):
        assert np.quantile(found, part) == pytest.approx(grid[np.searchsorted(reached, part)], abs=0.015)


@pytest.mark.parametrize("n", [10, 100, 1000], ids=lambda n: f"{n} votes")
def test_a_biased_model_is_corrected(n: int) -> None:
    """Of doctors who all say yes it calls 40 % no: that many no's are what nobody's no looks like."""
    errors = CallErrors(YES_NO, np.array([[600.0, 400.0, 0.0], [0.0, 1000.0, 0.0]]))
    found = estimate_mix(n * np.array([0.6, 0.4, 0.0]), errors).sides["no"]
    assert found.share < 0.4
    assert found.low == 0


def test_abstentions_tell_where_a_model_abstains_on_one_side() -> None:
    errors = CallErrors(YES_NO, np.array([[900.0, 0.0, 100.0], [0.0, 100.0, 900.0]]))
    few, many = (estimate_mix(np.array([5.0, 1.0, n]), errors).sides["no"].share for n in (0.0, 10.0))
    assert many > few + 0.2


@pytest.mark.parametrize("n", [10, 400], ids=lambda n: f"{n} votes")
def test_what_is_not_known_of_the_errors_widens_the_interval(n: int) -> None:
    votes = n * calls(GRADES, never=0.5, depends=0.1, often=0.3, abstained=0.1)
    known, unknown = (estimate_mix(votes, errors_of(GRADES, n=m)).sides["oppose"] for m in (30_000.0, 10.0))
    assert unknown.high - unknown.low > known.high - known.low


@pytest.mark.parametrize("right", [0.9, 0.7, 0.5], ids=lambda right: f"{right:.0%} right")
def test_more_votes_narrow_the_interval(right: float) -> None:
    errors = errors_of(GRADES, right)
    widths = []
    for n in (3, 10, 30, 100, 300):
        found = estimate_mix(n * calls(GRADES, never=0.6, depends=0.1, often=0.2, abstained=0.1), errors).sides
        widths.append(sum(one.high - one.low for one in found.values()))
    assert widths == sorted(widths, reverse=True)


def test_a_label_that_no_answer_has_leaves_the_estimate_finite() -> None:
    counts = errors_of(GRADES).counts.copy()
    counts[2] = 0
    found = estimate_mix(calls(GRADES, never=50, depends=50), CallErrors(GRADES, counts))
    assert np.isfinite(found.side_draws).all()


def test_a_panel_of_one_mind_reaches_the_border() -> None:
    found = estimate_mix(calls(GRADES, always=20), ERRORS["grades"]).sides
    assert found["oppose"].low == found["neutral"].low == 0
    assert found["support"].high > 0.99


@pytest.mark.parametrize("n", [3, 30, 300, 5000], ids=lambda n: f"{n} votes")
def test_sides_that_are_alike_have_shares_alike(n: int) -> None:
    """What is drawn must not favour one; at 5,000 votes the model's errors are the greater uncertainty."""
    found = estimate_mix(n * calls(CLAIMS, favor=0.4, against=0.4, none=0.1, abstained=0.1), ERRORS["claims"]).sides
    assert found["favor"].share == pytest.approx(found["against"].share, abs=0.03)


def test_the_same_votes_give_the_same_draws() -> None:
    votes = calls(GRADES, never=21, often=7.5, abstained=3)
    one, other = (estimate_mix(votes, errors_of(GRADES)).side_draws for _ in range(2))
    np.testing.assert_array_equal(one, other)


def test_draws_cannot_be_written_to() -> None:
    draws = estimate_mix(calls(GRADES, never=3), ERRORS["grades"]).side_draws
    with pytest.raises(ValueError, match="read-only"):
        draws[0] = 0


@pytest.mark.parametrize(
    "votes", [np.zeros(6), np.zeros((7, 1)), np.array([1.0, 2, 3, -1, 0, 0, 0])], ids=["short", "a column", "negative"]
)
def test_votes_that_are_none_are_refused(votes: Floats) -> None:
    with pytest.raises(ValueError, match="votes must have shape"):
        estimate_mix(votes, ERRORS["grades"])


@pytest.mark.parametrize("counts", [np.zeros((6, 6)), -np.ones((6, 7))], ids=["no abstentions", "negative"])
def test_counts_that_are_none_are_refused(counts: Floats) -> None:
    with pytest.raises(ValueError, match="counts of errors"):
        CallErrors(GRADES, counts)
