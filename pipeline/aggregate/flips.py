"""What could flip a verdict: the smallest set of answers that, read otherwise, would change it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from math import inf, log

import numpy as np
from numpy.typing import NDArray

from pipeline.aggregate.rules import (
    NO_SIDE,
    STRENGTHS,
    THIRDS,
    Bools,
    ConsensusRule,
    Floats,
    Ints,
    apply_rule,
    decide_verdict,
)
from pipeline.schema import ClassifiedAnswer, Flip, LabelScheme, Relabelling, Verdict

# A side that the posteriors rule out, rounded as they are, is very unlikely and not impossible.
_LEAST_PROBABILITY = 1e-6
# Of equally likely sets the one whose answers come earlier: far less than any difference that counts.
_TILT = 1e-9


_Flow = tuple[tuple[int, ...], tuple[int, ...]]
"""Votes that leave each group, and votes that come to it."""


@dataclass(frozen=True)
class Vote:
    """One vote, as far as a flip is concerned.

    Attributes
    ----------
    answer
        The answer whose call it is.
    side
        What it counts for; None for no stance and for an abstained answer.
    weight
        How much it counts.
    """

    answer: ClassifiedAnswer
    side: str | None
    weight: float = 1.0


@dataclass(frozen=True)
class Move:
    """A vote, by its place, that goes to another side."""

    place: int
    to: str | None


def find_flip(votes: Sequence[Vote], scheme: LabelScheme, rule: ConsensusRule) -> Flip | None:
    """Find the smallest set of answers whose relabelling changes the verdict, of several the likeliest.

    An answer can be relabelled to another side, or to no stance where the scheme has such a label; one that counts
    for no side, called so or abstained on, to any side. How likely a relabelling is, is the posterior of the new
    side divided by that of the called one, and of a set the product over its answers.

    Parameters
    ----------
    votes
        Of one question, in the order of the panel.
    scheme, rule
        As for the verdict.

    Returns
    -------
    Flip or None
        None when the votes are insufficient or no relabelling changes the verdict.

    Notes
    -----
    Without weights the set is exactly the smallest, and of the smallest the likeliest; of equally likely ones it
    is the one whose places in the panel have the smallest sum. The search goes over numbers of votes per side,
    which are few, and only then over answers: see `_find_smallest`.
    With weights the number of answers is the smallest, and where it is above one, the set is of those that shift
    most weight.
    """
    verdict = _decide(votes, (), scheme, rule)
    if verdict.strength == "insufficient":
        return None
    posteriors = [_side_posteriors(vote, scheme) for vote in votes]
    values = [_value_moves(vote, p, scheme) for vote, p in zip(votes, posteriors, strict=True)]
    moves = _find_single(votes, values, verdict, scheme, rule)
    if moves is None and rule.weight_by is not None:
        moves = _find_heaviest(votes, values, verdict, scheme, rule)
    elif moves is None:
        moves = _find_smallest(votes, values, _groupings(verdict, scheme, rule))
    return None if moves is None else _build_flip(votes, posteriors, moves, scheme, rule)


def _build_flip(
    votes: Sequence[Vote],
    posteriors: Sequence[Mapping[str | None, float]],
    moves: Sequence[Move],
    scheme: LabelScheme,
    rule: ConsensusRule,
) -> Flip:
    new = _decide(votes, moves, scheme, rule)
    answers = tuple(
        Relabelling(
            answer_id=votes[move.place].answer.answer.answer_id,
            respondent=votes[move.place].answer.answer.respondent.name,
            side=votes[move.place].side,
            to=move.to,
            probability=min(1.0, round(posteriors[move.place][move.to], 4)),
        )
        for move in sorted(moves, key=lambda move: move.place)
    )
    return Flip(strength=new.strength, side=new.side, answers=answers)


def _decide(votes: Sequence[Vote], moves: Sequence[Move], scheme: LabelScheme, rule: ConsensusRule) -> Verdict:
    sides = [vote.side for vote in votes]
    for move in moves:
        sides[move.place] = move.to
    counts = dict.fromkeys(scheme.sides, 0.0)
    for vote, side in zip(votes, sides, strict=True):
        if side is not None:
            counts[side] += vote.weight
    return decide_verdict(counts, rule, sum(side is not None for side in sides))


def _side_posteriors(vote: Vote, scheme: LabelScheme) -> dict[str | None, float]:
    posteriors: dict[str | None, float] = dict.fromkeys((*scheme.sides, None), 0.0)
    for label in scheme.labels:
        posteriors[label.side] += vote.answer.call.posteriors.get(label.name, 0.0)
    return posteriors


def _value_moves(vote: Vote, posteriors: Mapping[str | None, float], scheme: LabelScheme) -> dict[str | None, float]:
    """Return the log of how likely each relabelling of a vote is, relative to its call."""
    targets: list[str | None] = [side for side in scheme.sides if side != vote.side]
    if vote.side is not None and any(label.side is None for label in scheme.labels):
        targets.append(None)
    called = log(max(posteriors[vote.answer.call.side], _LEAST_PROBABILITY))
    return {side: log(max(posteriors[side], _LEAST_PROBABILITY)) - called for side in targets}


# ---------------------------------------------------------------- one answer


def _find_single(
    votes: Sequence[Vote],
    values: Sequence[Mapping[str | None, float]],
    verdict: Verdict,
    scheme: LabelScheme,
    rule: ConsensusRule,
) -> tuple[Move, ...] | None:
    """Return the likeliest single relabelling that changes the verdict; None when none does."""
    changes: dict[tuple[str | None, str | None, float], bool] = {}
    best: tuple[float, Move] | None = None
    for place, vote in enumerate(votes):
        for to, value in values[place].items():
            if best is not None and value <= best[0] + _TILT:
                continue
            kind = (vote.side, to, vote.weight)
            if kind not in changes:
                changes[kind] = _decide(votes, [Move(place, to)], scheme, rule).outcome != verdict.outcome
            if changes[kind]:
                best = (value, Move(place, to))
    return None if best is None else (best[1],)


# ---------------------------------------------------------------- several answers that weigh alike


@dataclass(frozen=True)
class _Grouping:
    """Sides put together where a verdict does not tell them apart.

    Attributes
    ----------
    members
        The sides of each group; those without a side are a last group of their own.
    changes
        Votes per group, shape (n, n_groups), to whether the verdict would be another; shape (n,).
    """

    members: tuple[tuple[str | None, ...], ...]
    changes: Callable[[Ints], Bools]


def _groupings(verdict: Verdict, scheme: LabelScheme, rule: ConsensusRule) -> list[_Grouping]:
    """Return the groupings that between them hold every smallest change of a verdict."""
    if rule.kind == "rand-ucla":
        strength = STRENGTHS.index(verdict.strength) if verdict.strength != "insufficient" else -1
        side = NO_SIDE if verdict.side is None else THIRDS.index(verdict.side)

        def changes_rand_ucla(counts: Ints) -> Bools:
            votes = counts[:, :-1]
            found = apply_rule(votes.astype(np.float64), THIRDS, rule)
            changed: Bools = (votes.sum(axis=1) < rule.min_answers) | ~found.match(strength, side)
            return changed

        return [_Grouping((*((third,) for third in THIRDS), (None,)), changes_rand_ucla)]

    def changes_delphi(counts: Ints) -> Bools:
        leader, rival, rest = counts[:, 0], counts[:, 1], counts[:, 2]
        total = leader + rival + rest
        enough = leader >= (rule.share or 0.0) * total - 1e-9 * total
        changed = {
            "consensus": ~enough | (rival >= leader),
            "majority": enough | (2 * leader <= total),
            "split": enough | (2 * leader > total) | (rival >= leader),
        }[verdict.strength]
        is_other: Bools = (total < rule.min_answers) | changed
        return is_other

    # A tie is always changed by one answer, so that there is a leader here. With more than half of the votes it
    # matters only how many others there are, and with less, whether one of them catches up.
    others = tuple(side for side in scheme.sides if side != verdict.side)
    rivals: list[tuple[str | None, ...]] = [(side,) for side in others]
    if verdict.strength != "split" and (rule.share or 0.0) > 0.5:
        rivals = [()]
    return [
        _Grouping(
            ((verdict.side,), rival, tuple(side for side in others if side not in rival), (None,)), changes_delphi
        )
        for rival in rivals
    ]


def _find_smallest(
    votes: Sequence[Vote], values: Sequence[Mapping[str | None, float]], groupings: Sequence[_Grouping]
) -> tuple[Move, ...] | None:
    """Return the likeliest of the smallest sets of relabellings that change the verdict; None when none does.

    The number of votes that must move between two divisions of votes over groups is half the sum of the absolute
    differences. So numbers of moves are tried from two up, and for each every division that far away; the first
    number at which one changes the verdict is the smallest. The answers are then chosen for each such division by
    `_choose_answers`, best bound first, until no bound is above what was found.
    """
    panels = [_Panel.build(votes, values, grouping) for grouping in groupings]
    for n_moves in range(2, len(votes) + 1):
        found: list[tuple[float, int, _Flow]] = []
        for number, panel in enumerate(panels):
            found += [(bound, number, flow) for bound, flow in panel.find_flows(n_moves)]
        # A flow may be one that no answers can make up, as when it takes some to a group that is closed to them.
        moves = _choose_likeliest(panels, found)
        if moves is not None:
            return moves
    return None


def _choose_likeliest(panels: Sequence[_Panel], found: list[tuple[float, int, _Flow]]) -> tuple[Move, ...] | None:
    best, moves = -inf, None
    for bound, number, flow in sorted(found, key=lambda item: -item[0]):
        if bound <= best:
            break
        value, chosen = _choose_answers(panels[number], flow)
        if value > best:
            best, moves = value, tuple(panels[number].to_move(place, group) for place, group in chosen)
    return moves


@dataclass(frozen=True)
class _Panel:
    """Votes by group.

    Attributes
    ----------
    grouping
        The groups.
    places
        Of the votes of each group, in order.
    values
        Log of how likely it is that a vote goes to a group; shape (n_votes, n_groups), -inf to its own.
    targets
        The side of the group that it would go to, by place and group.
    """

    grouping: _Grouping
    places: tuple[tuple[int, ...], ...]
    values: Floats
    targets: tuple[Mapping[int, str | None], ...]

    @classmethod
    def build(cls, votes: Sequence[Vote], values: Sequence[Mapping[str | None, float]], grouping: _Grouping) -> _Panel:
        members = grouping.members
        table = np.full((len(votes), len(members)), -inf)
        targets: list[dict[int, str | None]] = [{} for _ in votes]
        for place, (vote, options) in enumerate(zip(votes, values, strict=True)):
            for group, sides in enumerate(members):
                open_sides = [side for side in sides if side in options]
                if vote.side not in sides and open_sides:
                    targets[place][group] = max(open_sides, key=options.__getitem__)
                    table[place, group] = options[targets[place][group]] - _TILT * place
        places = tuple(tuple(p for p, vote in enumerate(votes) if vote.side in sides) for sides in members)
        return cls(grouping, places, table, tuple(targets))

    @property
    def counts(self) -> tuple[int, ...]:
        """Votes per group."""
        return tuple(map(len, self.places))

    def to_move(self, place: int, group: int) -> Move:
        """Return the move of a vote to a group."""
        return Move(place, self.targets[place][group])

    def find_flows(self, n_moves: int) -> list[tuple[float, _Flow]]:
        """Return every flow of so many votes that changes the verdict, and its bound.

        The bound is at least the log of how likely its likeliest moves are: each to its own best group.
        """
        flows: list[tuple[float, _Flow]] = []
        for leaving, coming in _list_flows(self.counts, n_moves):
            is_change = self.grouping.changes(np.array(self.counts) - leaving + coming)
            if is_change.any():
                leaving, coming = leaving[is_change], coming[is_change]
                bounds = self._bound(leaving, np.flatnonzero(coming[0]))
                flows += [
                    (bound, (tuple(out), tuple(into)))
                    for bound, out, into in zip(bounds.tolist(), leaving.tolist(), coming.tolist(), strict=True)
                    if bound > -inf
                ]
        return flows

    def _bound(self, leaving: Ints, open_groups: Ints) -> Floats:
        bounds = np.zeros(len(leaving))
        for group in np.flatnonzero(leaving[0]).tolist():
            best = self.values[list(self.places[group])][:, open_groups].max(axis=1)
            bounds += np.append(0.0, np.sort(best)[::-1].cumsum())[leaving[:, group]]
        return bounds


def _list_flows(counts: Sequence[int], n_moves: int) -> Iterator[tuple[Ints, Ints]]:
    """Give every way in which so many votes can leave some groups and come to others; shape (n, n_groups) each."""
    groups = range(len(counts))
    for n_losing in range(1, len(counts)):
        for losing in combinations(groups, n_losing):
            rest = [group for group in groups if group not in losing]
            leaving = _compose(n_moves, losing, len(counts))
            leaving = leaving[(leaving <= np.array(counts)).all(axis=1)]
            for n_gaining in range(1, len(rest) + 1):
                for gaining in combinations(rest, n_gaining):
                    coming = _compose(n_moves, gaining, len(counts))
                    if len(leaving) and len(coming):
                        yield np.repeat(leaving, len(coming), axis=0), np.tile(coming, (len(leaving), 1))


def _compose(total: int, groups: Sequence[int], n_groups: int) -> Ints:
    """Return every way to write a number as a sum of one positive part per group; shape (n, n_groups)."""
    parts = _split_number(total, len(groups))
    composed = np.zeros((len(parts), n_groups), dtype=np.int64)
    composed[:, list(groups)] = parts
    return composed


@lru_cache(maxsize=1024)
def _split_number(total: int, n_parts: int) -> Ints:
    """Return every way to write a number as a sum of so many positive parts in order; shape (n, n_parts)."""
    cuts = list(combinations(range(1, total), n_parts - 1))
    edges = np.zeros((len(cuts), n_parts + 1), dtype=np.int64)
    edges[:, 1:-1] = np.array(cuts, dtype=np.int64).reshape(len(cuts), n_parts - 1)
    edges[:, -1] = total
    return np.diff(edges, axis=1)


def _choose_answers(panel: _Panel, flow: _Flow) -> tuple[float, list[tuple[int, int]]]:
    """Choose the answers of a flow by dynamic programming: the likeliest that leave and come as it says.

    The state is how many have come to each group that gains; groups that lose are gone through one after the
    other, and after each as many must have come as have left so far.

    Returns
    -------
    tuple
        Log of how likely the moves are, and place and new group of each.
    """
    leaving, coming = flow
    gaining = [group for group, n in enumerate(coming) if n]
    shape = tuple(coming[group] + 1 for group in gaining)
    arrived = sum(np.indices(shape))
    table = np.where(arrived == 0, 0.0, -inf)
    order = [(group, place) for group, n in enumerate(leaving) if n for place in panel.places[group]]
    steps: list[NDArray[np.int8]] = []
    n_left = 0
    for number, (group, place) in enumerate(order):
        table, step = _add_answer(table, [panel.values[place, g] for g in gaining])
        steps.append(step)
        if number + 1 == len(order) or order[number + 1][0] != group:
            n_left += leaving[group]
            table = np.where(arrived == n_left, table, -inf)
    value = float(table[tuple(n - 1 for n in shape)])
    return value, _trace_back(steps, order, gaining, shape)


def _add_answer(table: Floats, values: Sequence[float]) -> tuple[Floats, NDArray[np.int8]]:
    """Return the best of passing an answer over and of moving it to each group, and which it was (-1: passed)."""
    best, step = table, np.full(table.shape, -1, dtype=np.int8)
    for axis, value in enumerate(values):
        moved = np.full(table.shape, -inf)
        ahead = tuple(slice(1, None) if a == axis else slice(None) for a in range(table.ndim))
        behind = tuple(slice(None, -1) if a == axis else slice(None) for a in range(table.ndim))
        moved[ahead] = table[behind] + value
        is_better = moved > best
        best, step = np.where(is_better, moved, best), np.where(is_better, np.int8(axis), step)
    return best, step


def _trace_back(
    steps: Sequence[NDArray[np.int8]], order: Sequence[tuple[int, int]], gaining: Sequence[int], shape: Sequence[int]
) -> list[tuple[int, int]]:
    state = [n - 1 for n in shape]
    chosen = []
    for step, (_, place) in zip(reversed(steps), reversed(order), strict=True):
        axis = int(step[tuple(state)])
        if axis >= 0:
            chosen.append((place, gaining[axis]))
            state[axis] -= 1
    return chosen


# ---------------------------------------------------------------- several answers that weigh differently


def _find_heaviest(
    votes: Sequence[Vote],
    values: Sequence[Mapping[str | None, float]],
    verdict: Verdict,
    scheme: LabelScheme,
    rule: ConsensusRule,
) -> tuple[Move, ...] | None:
    """Return a smallest set of weighted relabellings that changes the verdict.

    The verdict holds as long as some sums, linear in the weights, keep their signs; each is changed with fewest
    answers by those that shift it most, so that these are tried for each sum in turn.
    """
    orders = [_order_shifts(votes, values, sum_) for sum_ in _linear_sums(verdict, scheme, rule)]
    for n_moves in range(2, len(votes) + 1):
        changing = [
            order[:n_moves]
            for order in orders
            if len(order) >= n_moves and _decide(votes, order[:n_moves], scheme, rule).outcome != verdict.outcome
        ]
        if changing:
            return tuple(max(changing, key=lambda moves: sum(values[m.place][m.to] for m in moves)))
    return None


def _linear_sums(
    verdict: Verdict, scheme: LabelScheme, rule: ConsensusRule
) -> list[tuple[dict[str | None, float], bool]]:
    """Return what each side's weight adds to sums that may not grow too much, and whether weights count in it."""
    share, leader = rule.share or 0.0, verdict.side

    def lead(least: float, sign: int) -> tuple[dict[str | None, float], bool]:
        return {side: sign * ((side == leader) - least) for side in scheme.sides} | {None: 0.0}, True

    fewer: tuple[dict[str | None, float], bool] = (dict.fromkeys(scheme.sides, -1.0) | {None: 0.0}, False)
    overtakes = [
        ({side: float(side == rival) - float(side == leader) for side in scheme.sides} | {None: 0.0}, True)
        for rival in scheme.sides
        if rival != leader
    ]
    sums = {
        "consensus": [lead(share, -1)],
        "majority": [lead(share, 1), lead(0.5, -1)],
        "split": [lead(0.5, 1), *overtakes],
    }[verdict.strength]
    return [*sums, fewer]


def _order_shifts(
    votes: Sequence[Vote], values: Sequence[Mapping[str | None, float]], sum_: tuple[dict[str | None, float], bool]
) -> list[Move]:
    """Return each vote's relabelling that adds most to a sum, those that add most first; of equal ones the likelier."""
    adds, is_weighted = sum_
    moves: list[tuple[float, float, int, str | None]] = []
    for place, (vote, options) in enumerate(zip(votes, values, strict=True)):
        weight = vote.weight if is_weighted else 1.0
        gains = [(weight * (adds[to] - adds[vote.side]), value, to) for to, value in options.items()]
        gain, value, to = max(gains, key=lambda item: item[:2], default=(0.0, 0.0, None))
        if gain > 0:
            moves.append((-gain, -value, place, to))
    return [Move(place, to) for _, _, place, to in sorted(moves, key=lambda move: move[:3])]
