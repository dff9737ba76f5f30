"""One question's classified answers to the panel's view: the composition of everything in this package."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.aggregate.agreement import measure_agreement, measure_polarisation, order_votes
from pipeline.aggregate.dissent import find_dissent
from pipeline.aggregate.flips import Vote, find_flip
from pipeline.aggregate.prevalence import CallErrors, MixEstimate, estimate_mix, estimate_prevalence
from pipeline.aggregate.rules import ConsensusRule, decide_verdict, estimate_probability, find_rivals
from pipeline.aggregate.votes import count_effective, find_mergers, read_field, read_weight
from pipeline.schema import (
    Cell,
    ClassifiedAnswer,
    Consensus,
    Interval,
    LabelScheme,
    Prevalence,
    Verdict,
)


def aggregate_question(
    answers: Sequence[ClassifiedAnswer],
    scheme: LabelScheme,
    rule: ConsensusRule,
    *,
    errors: CallErrors | None = None,
    by: Sequence[str] = (),
) -> Consensus:
    """Aggregate the classified answers to one question.

    Parameters
    ----------
    answers
        At least one, all to the same question, in the order to show.
    scheme
        The labels of the calls.
    rule
        The rule of the verdict, also of what counts as a vote and how much.
    errors
        How the model that made the calls errs; None where that is not known: then no share is corrected and the
        verdict has no probability.
    by
        Fields of the answers or of their respondents to break the votes down by.

    Returns
    -------
    Consensus
        Shares are of the votes with a stance: of the answers that count for their respondent, were not
        abstained on and whose label takes a side.

    Raises
    ------
    BadInput
        When the rule wants weights and an answer has none.
    """
    mergers = () if rule.keep_repeats else find_mergers(answers)
    merged = {name for merger in mergers for name in merger.others}
    votes = [_cast_vote(a, rule) for a in answers if a.answer.answer_id not in merged]
    panel = Panel(votes, scheme, rule)
    mix = None if errors is None else _estimate_mix(panel, errors)
    verdict = decide_verdict(panel.side_weights, rule, len(panel.with_stance))
    grades = order_votes(panel.label_weights, scheme)
    first = answers[0].answer
    return Consensus(
        question_id=first.question_id,
        question=first.question,
        proposition=first.proposition,
        n_answers=len(answers),
        n_with_stance=len(panel.with_stance),
        n_no_stance=panel.n_called - len(panel.with_stance),
        n_abstained=len(votes) - panel.n_called,
        n_merged=len(merged),
        prevalence=_estimate_shares(
            panel.label_weights, panel.label_counts, panel, None if mix is None else mix.labels
        ),
        sides=_estimate_shares(panel.side_weights, panel.side_counts, panel, None if mix is None else mix.sides),
        verdict=_add_probability(verdict, panel, mix),
        agreement=None if grades is None else measure_agreement(grades),
        polarisation=None if grades is None else measure_polarisation(grades),
        dissent=find_dissent(
            [vote.answer for vote in panel.with_stance], scheme, verdict, find_rivals(panel.side_weights, rule)
        ),
        flip=find_flip(votes, scheme, rule),
        mergers=mergers,
        breakdown={field: break_down(votes, field, scheme, rule) for field in by},
        answers=tuple(answers),
    )


def _cast_vote(answer: ClassifiedAnswer, rule: ConsensusRule) -> Vote:
    weight = 1.0 if rule.weight_by is None else read_weight(answer.answer, rule.weight_by)
    return Vote(answer, None if answer.call.abstained else answer.call.side, weight)


@dataclass(frozen=True)
class Panel:
    """The votes of one question, and their sums.

    Attributes
    ----------
    votes
        In the order of the panel.
    scheme, rule
        As for the verdict.
    """

    votes: Sequence[Vote]
    scheme: LabelScheme
    rule: ConsensusRule

    @property
    def with_stance(self) -> list[Vote]:
        """The votes that count in shares."""
        return [vote for vote in self.votes if vote.side is not None]

    @property
    def n_called(self) -> int:
        """How many were not abstained on."""
        return sum(not vote.answer.call.abstained for vote in self.votes)

    @property
    def label_counts(self) -> dict[str, int]:
        """Votes per label with a side, in scheme order."""
        called = [vote.answer.call.stance for vote in self.with_stance]
        return {label.name: called.count(label.name) for label in self.scheme.with_side}

    @property
    def label_weights(self) -> dict[str, float]:
        """Weight of the votes per label with a side, in scheme order."""
        weights = dict.fromkeys((label.name for label in self.scheme.with_side), 0.0)
        for vote in self.with_stance:
            weights[vote.answer.call.stance] += vote.weight
        return weights

    @property
    def side_counts(self) -> dict[str, int]:
        """Votes per side, in scheme order."""
        called = [vote.side for vote in self.with_stance]
        return {side: called.count(side) for side in self.scheme.sides}

    @property
    def side_weights(self) -> dict[str, float]:
        """Weight of the votes per side, in scheme order."""
        weights = dict.fromkeys(self.scheme.sides, 0.0)
        for vote in self.with_stance:
            weights[vote.side or ""] += vote.weight
        return weights


def _estimate_shares(
    weights: Mapping[str, float],
    counts: Mapping[str, int],
    panel: Panel,
    corrected: Mapping[str, Interval] | None,
) -> dict[str, Prevalence]:
    """Estimate plain shares from as many votes as the weights amount to, and put the corrected ones beside them."""
    total = sum(weights.values())
    effective = count_effective([vote.weight for vote in panel.with_stance])
    estimates = {}
    for name, weight in weights.items():
        n = weight / total * effective if total else 0.0
        # Where all votes are on one side, rounding of their weights must not leave a rest.
        n = effective if total and counts[name] == len(panel.with_stance) else n
        plain = estimate_prevalence(n, effective, panel.rule.interval)
        correction = None if corrected is None else corrected[name]
        estimates[name] = plain.model_copy(update={"n": counts[name], "corrected": correction})
    return estimates


def _estimate_mix(panel: Panel, errors: CallErrors) -> MixEstimate:
    """Estimate the mix of stances among doctors from as many votes as the weights amount to."""
    places = {name: place for place, name in enumerate(panel.scheme.names)}
    counts = np.zeros(len(places) + 1)
    for vote in panel.votes:
        call = vote.answer.call
        counts[len(places) if call.abstained else places[call.stance]] += vote.weight
    total = counts.sum()
    if panel.rule.weight_by is not None and total > 0:
        counts *= count_effective([vote.weight for vote in panel.votes]) / total
    return estimate_mix(counts, errors, panel.rule.interval, panel.rule.n_draws)


def _add_probability(verdict: Verdict, panel: Panel, mix: MixEstimate | None) -> Verdict:
    if mix is None:
        return verdict
    probability = estimate_probability(mix.side_draws, panel.scheme.sides, len(panel.with_stance), panel.rule, verdict)
    return verdict.model_copy(update={"probability": probability})


# ---------------------------------------------------------------- broken down by a field


def break_down(votes: Sequence[Vote], field: str, scheme: LabelScheme, rule: ConsensusRule) -> tuple[Cell, ...]:
    """Break votes down by a field of the answers or of their respondents.

    Parameters
    ----------
    votes
        Of one question.
    field
        As `pipeline.aggregate.votes.read_field` takes it.
    scheme, rule
        As for the verdict.

    Returns
    -------
    tuple of Cell
        One per value, most votes first, then by value; plain shares only, for the correction needs more votes than
        a cell has.
    """
    groups: dict[str | None, list[Vote]] = {}
    for vote in votes:
        groups.setdefault(_show_value(read_field(vote.answer.answer, field)), []).append(vote)
    cells = [_build_cell(value, Panel(group, scheme, rule)) for value, group in groups.items()]
    return tuple(sorted(cells, key=lambda cell: (-cell.n_votes, cell.value is None, cell.value or "")))


def _show_value(value: object) -> str | None:
    text = "" if value is None else f"{value:g}" if isinstance(value, float) else " ".join(str(value).split())
    return text or None


def _build_cell(value: str | None, panel: Panel) -> Cell:
    n_with_stance = len(panel.with_stance)
    return Cell(
        value=value,
        n_votes=len(panel.votes),
        n_with_stance=n_with_stance,
        sides=_estimate_shares(panel.side_weights, panel.side_counts, panel, None),
        is_small=n_with_stance < panel.rule.min_answers,
    )
