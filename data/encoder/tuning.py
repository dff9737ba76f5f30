"""Tuning: labelled answers in, a network that tells their stance out."""

from __future__ import annotations

import math
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from data.encoder.network import Network
from pipeline.schema import LabelScheme


@dataclass(frozen=True)
class Settings:
    """How to tune.

    Attributes
    ----------
    n_epochs, batch_size
        How often every answer is seen, and how many at once.
    rate, head_rate
        Highest learning rate of the published weights and of the new ones; it rises for a tenth of the
        steps and then falls to nothing.
    smoothing
        Share of a label's mass that is spread over all.
    evidence_weight
        How far it counts that the words weighed most are those of the marked evidence.
    side_weight
        How far the side of the label counts beside the label itself.
    bare_share
        How often an answer is read without its proposition, where its label would be the same.
    masked_share
        Share of the pieces of answer, question and proposition that are masked, in half of the readings.
    taught_share
        How far an answer's target is what earlier networks say of it instead of its label, where there are some.
    seed
        Of the order of the answers and of what is dropped out.
    """

    n_epochs: int = 4
    batch_size: int = 16
    rate: float = 2e-4
    head_rate: float = 1e-3
    smoothing: float = 0.05
    evidence_weight: float = 0.2
    side_weight: float = 1.0
    bare_share: float = 0.4
    masked_share: float = 0.0
    taught_share: float = 0.5
    seed: int = 0


AGAIN = Settings(n_epochs=3, rate=1.2e-4, head_rate=1.2e-4, masked_share=0.12)
"""How to tune a network that starts between earlier ones."""


@dataclass(frozen=True)
class Example:
    """One answer, cut into pieces, with what is to be said of it.

    Attributes
    ----------
    numbers, first
        As `pipeline.encoder.Encoder.cut` gives them.
    is_evidence
        Whether each piece of the answer stands in a sentence that readers marked.
    target
        The share of each label, in the order of the scheme: all of one where readers gave it.
    weight
        How much it counts.
    bare
        The same without the proposition, as a page has it; None where the proposition is another thing than
        what the question asks about.
    """

    numbers: Sequence[int]
    first: int
    is_evidence: Sequence[bool]
    target: Sequence[float]
    weight: float
    bare: Example | None = None


def tune(network: Network, scheme: LabelScheme, examples: Sequence[Example], settings: Settings) -> None:
    """Tune a network on some answers, to tell the labels of a scheme apart, and their sides."""
    side_of = [label.side or label.name for label in scheme.labels]
    sides = torch.tensor([[float(side == of) for side in sorted(set(side_of))] for of in side_of])
    torch.manual_seed(settings.seed)
    shuffled = random.Random(settings.seed)  # noqa: S311
    published = [p for name, p in network.named_parameters() if name.startswith("bert.") and p.requires_grad]
    new = [p for name, p in network.named_parameters() if not name.startswith("bert.")]
    optimizer = torch.optim.AdamW(
        [{"params": published, "lr": settings.rate}, {"params": new, "lr": settings.head_rate}],
        weight_decay=0.01,
        fused=True,
    )
    n_steps = math.ceil(len(examples) / settings.batch_size) * settings.n_epochs
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / (0.1 * n_steps), max(0.0, (n_steps - step) / (0.9 * n_steps)))
    )
    mean_weight = float(np.mean([example.weight for example in examples]))
    started, n_done = time.monotonic(), 0
    network.train()
    for _ in range(settings.n_epochs):
        shown = [_choose(example, settings.bare_share, shuffled) for example in examples]
        for rows in _cut_batches(shown, settings.batch_size, shuffled):
            batch = Batch.of([_mask(shown[row], network, settings.masked_share, shuffled) for row in rows])
            optimizer.zero_grad()
            loss = _measure_loss(network, batch, sides, settings) / mean_weight
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            n_done += 1
            if n_done % 200 == 0:
                spent = time.monotonic() - started
                sys.stderr.write(f"step {n_done} of {n_steps}, {spent / 60:.0f} min, loss {loss.item():.2f}\n")
    network.eval()


@dataclass(frozen=True)
class Batch:
    """Some answers, filled up to the longest of them."""

    inputs: tuple[Tensor, Tensor, Tensor, Tensor]
    is_evidence: Tensor
    targets: Tensor
    weights: Tensor

    @classmethod
    def of(cls, examples: Sequence[Example]) -> Batch:
        """Fill up."""
        shape = (len(examples), max(len(example.numbers) for example in examples))
        numbers = torch.zeros(shape, dtype=torch.long)
        segments = torch.zeros(shape, dtype=torch.long)
        is_piece = torch.zeros(shape, dtype=torch.long)
        is_answer = torch.zeros(shape, dtype=torch.bool)
        is_evidence = torch.zeros(shape, dtype=torch.bool)
        for row, example in enumerate(examples):
            n, first = len(example.numbers), example.first
            numbers[row, :n] = torch.tensor(example.numbers)
            segments[row, first:n] = 1
            is_piece[row, :n] = 1
            is_answer[row, first : n - 1] = True
            is_evidence[row, first : n - 1] = torch.tensor(example.is_evidence, dtype=torch.bool)
        targets = torch.tensor([example.target for example in examples])
        weights = torch.tensor([example.weight for example in examples])
        return cls((numbers, segments, is_piece, is_answer), is_evidence, targets, weights)


def _measure_loss(network: Network, batch: Batch, sides: Tensor, settings: Settings) -> Tensor:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits, shares = network(*batch.inputs)
    stances = torch.log_softmax(logits, dim=1)
    smoothed = (1 - settings.smoothing) * batch.targets + settings.smoothing / logits.shape[1]
    losses = -(smoothed * stances).sum(dim=1)
    on_sides = (stances.exp() @ sides).clamp(min=1e-9).log()
    losses = losses - settings.side_weight * (batch.targets @ sides * on_sides).sum(dim=1)
    on_evidence = (shares * batch.is_evidence).sum(dim=1).clamp(min=1e-4)
    losses = losses - settings.evidence_weight * on_evidence.log() * batch.is_evidence.any(dim=1)
    return (losses * batch.weights).mean()


def _choose(example: Example, bare_share: float, shuffled: random.Random) -> Example:
    return example.bare if example.bare is not None and shuffled.random() < bare_share else example


def _mask(example: Example, network: Network, share: float, shuffled: random.Random) -> Example:
    """Hide some pieces in half of the readings: an answer that is known by heart is to be read all the same."""
    if not share or shuffled.random() < 0.5:
        return example
    numbers = [
        network.mask if number not in network.borders and shuffled.random() < share else number
        for number in example.numbers
    ]
    return replace(example, numbers=numbers)


def _cut_batches(examples: Sequence[Example], size: int, shuffled: random.Random) -> list[list[int]]:
    """Cut into batches of answers about as long as each other: less is filled up."""
    rows = list(range(len(examples)))
    shuffled.shuffle(rows)
    batches: list[list[int]] = []
    for start in range(0, len(rows), size * 50):
        part = sorted(rows[start : start + size * 50], key=lambda row: len(examples[row].numbers))
        batches += [part[place : place + size] for place in range(0, len(part), size)]
    shuffled.shuffle(batches)
    return batches
