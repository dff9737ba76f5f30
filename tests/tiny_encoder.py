"""An encoder of a few numbers, drawn by chance: small enough to calculate by hand, whole enough to be saved."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.encoder import Encoder, Layer, Norm, Quantised

PIECES = (
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", ".", ",", "?", "!", "'"),
    *"abcdefghijklmnopqrstuvwxyz0123456789",
    *(f"##{sign}" for sign in "abcdefghijklmnopqrstuvwxyz0123456789"),
    *("it", "is", "safe", "not", "i", "would", "do", "the", "risk", "##s", "un"),
)
LABELS = ("no", "perhaps", "yes")


def tiny_encoder(seed: int = 0, *, labels: tuple[str, ...] = LABELS, n_layers: int = 2) -> Encoder:
    """Draw an encoder."""
    drawn = np.random.default_rng(seed)
    width, inner = 8, 12

    def draw(*shape: int) -> NDArray[np.float32]:
        return drawn.normal(0, 0.6, size=shape).astype(np.float32)

    def draw_norm() -> Norm:
        return Norm(1 + 0.1 * draw(width), draw(width))

    def draw_layer() -> Layer:
        return Layer(
            asks=draw(width, 3 * width),
            asks_bias=draw(3 * width),
            mixes=draw(width, width),
            mixes_bias=draw(width),
            mixed_norm=draw_norm(),
            widens=draw(width, inner),
            widens_bias=draw(inner),
            narrows=draw(inner, width),
            narrows_bias=draw(width),
            norm=draw_norm(),
        )

    return Encoder(
        pieces=tuple(dict.fromkeys(PIECES)),
        words=Quantised.of(draw(width, len(set(PIECES)))),
        positions=draw(400, width),
        segments=draw(2, width),
        norm=draw_norm(),
        layers=tuple(draw_layer() for _ in range(n_layers)),
        n_heads=2,
        labels=labels,
        attention=draw(width),
        reading=draw(width, len(labels)),
    )
