"""Tuning: labelled answers in, a network that tells their stance out."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from data.encoder.examples import Example
from data.encoder.network import Network
from data.encoder.variation import Variation, draw_round
from pipeline.encoder import ANSWER_PIECES
from pipeline.schema import LabelScheme


@dataclass(frozen=True)
class Settings:
    """How to tune.

    Attributes
    ----------
    n_steps
        How often the weights are changed.
    rate, head_rate
        Highest learning rate of the transformer and of what reads its views. It rises for 4 % of the steps, stays
        there until 45 % and then falls evenly to a fiftieth.
    seed
        Of the order of the answers, how they are varied and what is dropped out.
    batch_size
        By how many answers the weights are changed each time.
    smoothing
        Share of a label's mass that is spread over all.
    evidence_weight
        How far it counts that the words weighed most are those of the marked evidence.
    side_weight
        How far the side of the label counts beside the label itself.
    """

    n_steps: int
    rate: float
    head_rate: float
    seed: int = 0
    batch_size: int = 16
    smoothing: float = 0.05
    evidence_weight: float = 0.2
    side_weight: float = 1.0


def tune(network: Network, scheme: LabelScheme, examples: Sequence[Example], settings: Settings) -> None:
    """Tune a network on some answers, to tell the labels of a scheme apart, and their sides."""
    side_of = [label.side or label.name for label in scheme.labels]
    sides = torch.tensor([[float(side == of) for side in sorted(set(side_of))] for of in side_of])
    torch.manual_seed(settings.seed)
    body = [p for name, p in network.named_parameters() if name.startswith("bert.") and p.requires_grad]
    head = [p for name, p in network.named_parameters() if not name.startswith("bert.")]
    optimizer = torch.optim.AdamW(
        [{"params": body, "lr": settings.rate}, {"params": head, "lr": settings.head_rate}],
        weight_decay=0.01,
        fused=True,
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate_at(step, settings.n_steps))
    mean_weight = float(np.average([e.weight for e in examples], weights=[e.share for e in examples]))
    started = time.monotonic()
    network.train()
    for step, batch in zip(range(1, settings.n_steps + 1), _draw(network, examples, settings), strict=False):
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits, shares = network(*batch.inputs)
        loss = measure_loss(logits, shares, batch, sides, settings) / mean_weight
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 200 == 0:
            spent = time.monotonic() - started
            sys.stderr.write(f"step {step} of {settings.n_steps}, {spent / 60:.0f} min, loss {loss.item():.2f}\n")
    network.eval()


def rate_at(step: int, n_steps: int) -> float:
    """Return what share of the highest learning rate is used for a step, the first of which is 0."""
    done = (step + 1) / n_steps
    return min(1.0, done / 0.04, max(0.02, (1 - done) / 0.55))


def _draw(network: Network, examples: Sequence[Example], settings: Settings) -> Iterator[Batch]:
    """Draw batches, round after round, without end."""
    variation = Variation.of(network.pieces, ANSWER_PIECES)
    chance = random.Random(settings.seed)  # noqa: S311
    while True:
        yield from map(Batch.of, draw_round(examples, variation, settings.batch_size, chance))


@dataclass(frozen=True)
class Batch:
    """Some answers, filled up to the longest of them."""

    inputs: tuple[Tensor, Tensor, Tensor, Tensor]
    is_evidence: Tensor
    labels: Tensor
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
        labels = torch.tensor([example.label for example in examples])
        weights = torch.tensor([example.weight for example in examples])
        return cls((numbers, segments, is_piece, is_answer), is_evidence, labels, weights)


def measure_loss(logits: Tensor, shares: Tensor, batch: Batch, sides: Tensor, settings: Settings) -> Tensor:
    """Measure how far what a network says is from the labels of a batch.

    Parameters
    ----------
    logits, shares
        What it says for each label, shape (n_answers, n_labels), and what share each piece has in it, shape
        (n_answers, n_pieces).
    batch
        The answers.
    sides
        Which labels are of which side, shape (n_labels, n_sides).
    settings
        What counts how far.

    Returns
    -------
    Tensor
        The mean over the answers, by their weights, of the cross-entropy with the smoothed label, that of the side,
        and, where evidence is marked, the negative logarithm of its share.
    """
    n_labels = logits.shape[1]
    is_label = nn.functional.one_hot(batch.labels, n_labels).float()
    stances = torch.log_softmax(logits, dim=1)
    smoothed = (1 - settings.smoothing) * is_label + settings.smoothing / n_labels
    losses = -(smoothed * stances).sum(dim=1)
    on_sides = (stances.exp() @ sides).clamp(min=1e-9).log()
    losses = losses - settings.side_weight * (is_label @ sides * on_sides).sum(dim=1)
    on_evidence = (shares * batch.is_evidence).sum(dim=1).clamp(min=1e-4)
    losses = losses - settings.evidence_weight * on_evidence.log() * batch.is_evidence.any(dim=1)
    return (losses * batch.weights).mean()
