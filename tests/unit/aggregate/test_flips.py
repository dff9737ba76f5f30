"""What could flip a verdict: the smallest set, of several the likeliest, as a search of all relabellings finds it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, product
from math import log
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.aggregate.flips import Vote, find_flip
from pipeline.aggregate.rules import THIRDS, ConsensusRule, build_rule, decide_verdict
from pipeline.schema import ClassifiedAnswer, Flip, LabelScheme, Verdict

Build = Callable[..., ClassifiedAnswer]
Relabels = tuple[tuple[int, str | None], ...]

FOUR = LabelScheme.from_labels("four sides", ["a", "b", "c", "d"])
DELPHI = build_rule()
RAND = build_rule(rule="rand-ucla")
# As in the module: what the posteriors rule out is very unlikely and not impossible.
FLOOR = 1e-6


def cast(answers: Sequence[ClassifiedAnswer], weights: Sequence[float] | None = None) -> list[Vote]:
    return [
        Vote(a, None if a.call.abstained else a.call.side, 1.0 if weights is None else weights[n])
        for n, a in enumerate(answers)
    ]


def decide(votes: Sequence[Vote], relabels: Relabels, scheme: LabelScheme, rule: ConsensusRule) -> Verdict:
    sides = [vote.side for vote in votes]
    for place, to in relabels:
        sides[place] = to
    counts = {side: sum(v.weight for v, s in zip(votes, sides, strict=True) if s == side) for side in scheme.sides}
    return decide_verdict(counts, rule, sum(side is not None for side in sides))


def side_posterior(vote: Vote, side: str | None, scheme: LabelScheme) -> float:
    return sum(p for name, p in vote.answer.call.posteriors.items() if scheme.side_of(name) == side)


def value_of(votes: Sequence[Vote], relabels: Relabels, scheme: LabelScheme) -> float:
    """Log of how likely relabellings are, relative to the calls."""
    return sum(
        log(max(side_posterior(votes[place], to, scheme), FLOOR))
        - log(max(side_posterior(votes[place], votes[place].answer.call.side, scheme), FLOOR))
        for place, to in relabels
    )


def all_relabellings(votes: Sequence[Vote], scheme: LabelScheme, n: int) -> Iterator[Relabels]:
    can_be_none = any(label.side is None for label in scheme.labels)
    for places in combinations(range(len(votes)), n):
        options: list[list[str | None]] = [
            [s for s in scheme.sides if s != votes[p].side]
            + ([None] if can_be_none and votes[p].side is not None else [])
            for p in places
        ]
        for targets in product(*options):
            yield tuple(zip(places, targets, strict=True))


class Best(NamedTuple):
    n: int
    value: float


def search_all(votes: Sequence[Vote], scheme: LabelScheme, rule: ConsensusRule) -> Best | None:
    """Search every relabelling of a small panel."""
    verdict = decide(votes, (), scheme, rule)
    if verdict.strength == "insufficient":
        return None
    for n in range(1, len(votes) + 1):
        values = [
            value_of(votes, relabels, scheme)
            for relabels in all_relabellings(votes, scheme, n)
            if decide(votes, relabels, scheme, rule).outcome != verdict.outcome
        ]
        if values:
            return Best(n, max(values))
    return None


def relabels_of(flip: Flip, votes: Sequence[Vote]) -> Relabels:
    places = {vote.answer.answer.answer_id: place for place, vote in enumerate(votes)}
    return tuple((places[found.answer_id], found.to) for found in flip.answers)


def draw_votes(build: Build, scheme: LabelScheme, n: int, seed: int, *, lean: float = 0.4) -> list[Vote]:
    """Draw a panel with posteriors, some of it abstained on, that leans to the first label."""
    rng = np.random.default_rng(seed)
    answers = []
    for place in range(n):
        p = rng.dirichlet(np.full(len(scheme.labels), 0.7))
        stance = scheme.names[0] if rng.random() < lean else scheme.names[int(rng.integers(len(p)))]
        posteriors = dict(zip(scheme.names, p.round(4).tolist(), strict=True))
        answers.append(build(stance, scheme, place, posteriors=posteriors, abstained=bool(rng.random() < 0.15)))
    return cast(answers)


@given(
    st.integers(1, 7),
    st.integers(0, 10**6),
    st.sampled_from([0.0, 0.5, 0.9]),
    st.sampled_from(
        [*(ConsensusRule(share=s, min_answers=m) for s in (0.6, 0.75, 1.0) for m in (1, 4)), RAND]
        + [build_rule(rule="rand-ucla", min_answers=m) for m in (1, 3)]
    ),
)
@settings(max_examples=150)
def test_the_set_is_as_small_and_as_likely_as_a_search_of_all_relabellings_finds(
    scheme: LabelScheme, build: Build, n: int, seed: int, lean: float, rule: ConsensusRule
) -> None:
    for labels in (scheme, FOUR) if rule.kind == "delphi" and n < 7 else (scheme,):
        votes = draw_votes(build, labels, n, seed, lean=lean)
        best, flip = search_all(votes, labels, rule), find_flip(votes, labels, rule)
        if best is None:
            assert flip is None
            continue
        assert flip is not None
        relabels = relabels_of(flip, votes)
        assert len(relabels) == best.n
        assert value_of(votes, relabels, labels) == pytest.approx(best.value, abs=1e-6)
        assert decide(votes, relabels, labels, rule).outcome == (flip.strength, flip.side)
        assert (flip.strength, flip.side) != decide(votes, (), labels, rule).outcome


@given(st.integers(2, 6), st.integers(0, 10**6), st.sampled_from([0.5, 0.9]))
@settings(max_examples=60)
def test_with_weights_the_set_is_as_small_as_can_be(
    scheme: LabelScheme, build: Build, n: int, seed: int, lean: float
) -> None:
    rule = ConsensusRule(min_answers=2, weight_by="w")
    weights = np.random.default_rng(seed).choice([0.1, 0.5, 1.0, 3.0], size=n).tolist()
    votes = [
        Vote(vote.answer, vote.side, weight)
        for vote, weight in zip(draw_votes(build, scheme, n, seed, lean=lean), weights, strict=True)
    ]
    best, flip = search_all(votes, scheme, rule), find_flip(votes, scheme, rule)
    assert (best is None) == (flip is None)
    if best is not None and flip is not None:
        relabels = relabels_of(flip, votes)
        assert len(relabels) == best.n
        assert decide(votes, relabels, scheme, rule).outcome != decide(votes, (), scheme, rule).outcome


@pytest.mark.parametrize(
    ("stances", "rule", "size", "outcome"),
    [
        pytest.param(["against"] * 4, DELPHI, None, None, id="insufficient"),
        pytest.param(["against"] * 5, DELPHI, 1, ("insufficient", None), id="one fewer would be too few"),
        # 7 of 10 are no 75 %.
        pytest.param(["against"] * 10, DELPHI, 3, ("majority", "oppose"), id="three of ten"),
        pytest.param(["against"] * 8 + ["supportive"] * 2, DELPHI, 1, ("majority", "oppose"), id="eight of ten"),
        pytest.param(["against"] * 4 + ["supportive"] * 4, DELPHI, 1, ("majority", "oppose"), id="a tie"),
        # Seven of ten with three opposite is disagreement.
        pytest.param(["against"] * 10, RAND, 3, ("split", None), id="three of ten by the table"),
        pytest.param(["against"] * 8 + ["supportive"] * 2, RAND, 1, ("split", None), id="two of ten by the table"),
    ],
)
def test_known_panels_flip_as_worked_by_hand(
    scheme: LabelScheme,
    build_all: Callable[..., list[ClassifiedAnswer]],
    stances: list[str],
    rule: ConsensusRule,
    size: int | None,
    outcome: tuple[str, str | None] | None,
) -> None:
    # The likeliest other side is the opposite one, and of no stance where the panel is about to be too few.
    likely = {"against": 0.5, "no_stance": 0.3} if size == 1 and outcome == ("insufficient", None) else {}
    posteriors = {"against": 0.6, "supportive": 0.2, "neutral": 0.1, "no_stance": 0.1} | likely
    votes = cast(build_all(scheme, *stances, posteriors=posteriors))
    flip = find_flip(votes, scheme, rule)
    assert (None if flip is None else len(flip.answers)) == size
    if flip is not None and len(set(stances)) == 1:
        assert (flip.strength, flip.side) == outcome


def test_of_equally_likely_sets_the_earlier_answers_are_named(
    scheme: LabelScheme, build_all: Callable[..., list[ClassifiedAnswer]]
) -> None:
    for n, expected in ((8, ["a1"]), (10, ["a1", "a2", "a3"])):
        stances = ["against"] * n + ["supportive"] * (10 - n)
        flip = find_flip(cast(build_all(scheme, *stances)), scheme, DELPHI)
        assert flip is not None
        assert [found.answer_id for found in flip.answers] == expected


def test_an_abstained_answer_that_could_flip_the_verdict_is_named_with_no_side(
    scheme: LabelScheme, build: Build
) -> None:
    sure = [build("against", scheme, n) for n in range(1, 7)] + [build("supportive", scheme, n) for n in (7, 8)]
    unsure = build(
        "supportive",
        scheme,
        9,
        abstained=True,
        posteriors={"supportive": 0.5, "against": 0.4, "neutral": 0.1},
        respondent={"name": "Ada Quill"},
    )
    flip = find_flip(cast([*sure, unsure]), scheme, DELPHI)
    assert flip is not None
    (found,) = flip.answers
    assert (found.answer_id, found.respondent, found.side, found.to) == ("a9", "Ada Quill", None, "support")
    assert found.probability == 0.5
    assert (flip.strength, flip.side) == ("majority", "oppose")


def test_no_answer_goes_to_no_stance_where_the_scheme_has_no_such_label(build: Build) -> None:
    for seed in range(30):
        flip = find_flip(draw_votes(build, FOUR, 6, seed), FOUR, ConsensusRule(min_answers=2))
        assert flip is None or all(found.to is not None for found in flip.answers)


@pytest.mark.parametrize("rule", [DELPHI, RAND], ids=["delphi", "rand-ucla"])
@pytest.mark.parametrize("counts", [(200, 0, 0), (150, 30, 20), (90, 20, 90), (60, 80, 60)])
def test_two_hundred_answers_are_searched_to_the_end(
    scheme: LabelScheme, build: Build, rule: ConsensusRule, counts: tuple[int, ...]
) -> None:
    rng = np.random.default_rng(1)
    names = dict(zip(THIRDS, ("against", "neutral", "supportive"), strict=True))
    votes: list[Vote] = []
    for side, n in zip(THIRDS, counts, strict=True):
        for _ in range(n):
            p = dict(zip(scheme.names, rng.dirichlet(np.ones(6)).tolist(), strict=True))
            votes.append(Vote(build(names[side], scheme, len(votes), posteriors=p), side))
    # A search of all sets of so many would not end.
    flip = find_flip(votes, scheme, rule)
    assert flip is not None
    assert decide(votes, relabels_of(flip, votes), scheme, rule).outcome == (flip.strength, flip.side)
