"""What earlier networks say together, for one that starts between them to learn.

Two networks tuned from one published model err in different places: the mean of what they say is right more often
than either, and a network with the mean of their weights is hardly worse than they are. That one learns what they
say together, on the labelled answers beside the labels, and on further pairs of answer and proposition that nobody
labelled (distillation: Hinton, Vinyals and Dean 2015, arXiv:1503.02531; mean of weights: Wortsman et al. 2022,
arXiv:2203.05482).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from data.encoder.network import Network
from data.encoder.tuning import Batch, Example
from pipeline.estimator import Floats

N_AT_ONCE = 32
"""So many examples are read at once."""


def average(networks: Sequence[Network], into: Network) -> None:
    """Give a network the mean of the weights of others."""
    states = [network.state_dict() for network in networks]
    into.load_state_dict(
        {
            name: torch.stack([state[name] for state in states]).mean(dim=0) if first.is_floating_point() else first
            for name, first in states[0].items()
        }
    )


def teach(networks: Sequence[Network], examples: Sequence[Example], share: float) -> list[Example]:
    """Put what networks say together in place of a share of each target, read with the proposition and without."""
    with_bare = [row for row, example in enumerate(examples) if example.bare is not None]
    taught = _teach(networks, examples, share)
    bare = _teach(networks, [example.bare for example in examples if example.bare is not None], share)
    for row, example in zip(with_bare, bare, strict=True):
        taught[row] = replace(taught[row], bare=example)
    return taught


def _teach(networks: Sequence[Network], examples: Sequence[Example], share: float) -> list[Example]:
    if not examples:
        return []
    said = np.mean([_ask(network, examples) for network in networks], axis=0)
    shares = np.exp(said - said.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    targets = (1 - share) * np.array([example.target for example in examples]) + share * shares
    return [replace(example, target=target.tolist()) for example, target in zip(examples, targets, strict=True)]


def _ask(network: Network, examples: Sequence[Example]) -> Floats:
    """Return the logits of the labels, shape (n_examples, n_labels)."""
    network.eval()
    said = np.zeros((len(examples), len(examples[0].target)))
    # By length, so that little is filled up.
    order = sorted(range(len(examples)), key=lambda row: len(examples[row].numbers))
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        for start in range(0, len(order), N_AT_ONCE):
            rows = order[start : start + N_AT_ONCE]
            said[rows] = network(*Batch.of([examples[row] for row in rows]).inputs)[0].float().numpy()
    return said
