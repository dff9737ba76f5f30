"""The network: a small transformer, with NumPy alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pipeline.encoder.pieces import WordPieces

Singles = NDArray[np.float32]
Floats = NDArray[np.float64]
Bytes = NDArray[np.int8]

ASKED_PIECES = 48
"""Pieces of words that are read of the proposition, and as many of the question."""

ANSWER_PIECES = 256
"""Pieces of words that are read of an answer: of a longer one the beginning and the end."""

_END_PIECES = 96
# A bit less than a byte holds: a tenth less to store, for differences that no label turns on.
_LEVELS = 63
_NORM_EPSILON = np.float32(1e-12)


@dataclass(frozen=True)
class Quantised:
    """A matrix in bytes, and what each of its columns is multiplied by.

    Attributes
    ----------
    values
        Shape (n_rows, n_columns), -63 to 63.
    scales
        Shape (n_columns,).
    """

    values: Bytes
    scales: Singles

    @classmethod
    def of(cls, matrix: Singles) -> Quantised:
        """Round a matrix to bytes, column by column."""
        scales = np.maximum(np.abs(matrix).max(axis=0), 1e-12) / np.float32(_LEVELS)
        return cls(np.rint(matrix / scales).astype(np.int8), scales.astype(np.float32))

    def to_singles(self) -> Singles:
        """Return the matrix it stands for."""
        matrix: Singles = self.values.astype(np.float32) * self.scales
        return matrix


@dataclass(frozen=True)
class Norm:
    """Layer normalisation: Ba, Kiros, Hinton, arXiv:1607.06450.

    Attributes
    ----------
    gain, bias
        Shape (width,).
    """

    gain: Singles
    bias: Singles

    def apply(self, x: Singles) -> Singles:
        """Normalise each row."""
        x = x - x.mean(axis=1, keepdims=True)
        x *= 1 / np.sqrt((x * x).mean(axis=1, keepdims=True) + _NORM_EPSILON)
        x *= self.gain
        x += self.bias
        return x


@dataclass(frozen=True)
class Layer:
    """One layer of a transformer's encoder.

    Attributes
    ----------
    asks
        From a piece to its queries, keys and values, shape (width, 3 * width), and the bias.
    mixes
        From the mixed values back, shape (width, width), and the bias.
    mixed_norm
        Of the sum with what came in.
    widens, narrows
        The two steps of the feed-forward part, shape (width, inner) and (inner, width), and their biases.
    norm
        Of the sum with what went into these.
    """

    asks: Singles
    asks_bias: Singles
    mixes: Singles
    mixes_bias: Singles
    mixed_norm: Norm
    widens: Singles
    widens_bias: Singles
    narrows: Singles
    narrows_bias: Singles
    norm: Norm

    def apply(self, x: Singles, n_heads: int) -> Singles:
        """Apply the layer to the pieces of one text, shape (n_pieces, width).

        References
        ----------
        Vaswani et al., "Attention is all you need", NeurIPS 2017, sections 3.1 to 3.3.
        """
        n, width = x.shape
        size = width // n_heads
        asked = (x @ self.asks + self.asks_bias).reshape(n, 3, n_heads, size)
        queries, keys, values = np.ascontiguousarray(asked.transpose(1, 2, 0, 3))
        shares = _softmax(queries @ keys.transpose(0, 2, 1) * np.float32(1 / math.sqrt(size)))
        mixed = np.ascontiguousarray((shares @ values).transpose(1, 0, 2)).reshape(n, width)
        x = self.mixed_norm.apply(x + (mixed @ self.mixes + self.mixes_bias))
        inner = _gelu(x @ self.widens + self.widens_bias)
        return self.norm.apply(x + (inner @ self.narrows + self.narrows_bias))


def _softmax(x: Singles) -> Singles:
    x -= x.max(axis=-1, keepdims=True)
    np.exp(x, out=x)
    x /= x.sum(axis=-1, keepdims=True)
    return x


def _gelu(x: Singles) -> Singles:
    """Apply the Gaussian error linear unit, by its formula with tanh: Hendrycks, Gimpel, arXiv:1606.08415."""
    inner = x * x
    inner *= np.float32(0.044715)
    inner += 1
    inner *= x
    inner *= np.float32(math.sqrt(2 / math.pi))
    np.tanh(inner, out=inner)
    inner += 1
    inner *= x
    inner *= np.float32(0.5)
    return inner


@dataclass(frozen=True)
class Encoder:
    """A tuned transformer, and how its view of each word is read.

    Attributes
    ----------
    pieces
        Its vocabulary, in the order of `words`.
    words
        The vector of each piece, a column each, shape (width, n_pieces).
    positions
        What is added by place, shape (n_positions, width).
    segments
        What is added to what is asked and to the answer, shape (2, width).
    norm
        Of their sum.
    layers
        In order.
    n_heads
        Of each layer.
    labels
        What it was tuned to tell.
    attention
        From a word's vector to how far it counts, shape (width,).
    reading
        From a word's vector to what it says for each label, shape (width, n_labels).
    """

    pieces: tuple[str, ...]
    words: Quantised
    positions: Singles
    segments: Singles
    norm: Norm
    layers: tuple[Layer, ...]
    n_heads: int
    labels: tuple[str, ...]
    attention: Singles
    reading: Singles

    @cached_property
    def _cutter(self) -> WordPieces:
        return WordPieces(self.pieces)

    def cut(self, proposition: str | None, question: str, text: str) -> tuple[list[int], int, list[int]]:
        """Cut what is asked and an answer into the pieces that are read together.

        Returns
        -------
        numbers
            Of all pieces, with those that begin and part the texts.
        first
            The place of the answer's first piece; its last is the last but one.
        starts
            Where the word of each of the answer's pieces starts, in characters.
        """
        return cut_answer(self._cutter, proposition, question, text)

    def view(self, numbers: Sequence[int], first: int) -> Singles:
        """Return the vector of each piece, shape (n_pieces, width)."""
        places = np.arange(len(numbers))
        words = self.words.values[:, list(numbers)].T * self.words.scales[list(numbers), None]
        x = self.norm.apply(words + self.positions[places] + self.segments[(places >= first).astype(np.int64)])
        for layer in self.layers:
            x = layer.apply(x, self.n_heads)
        return x

    def read(self, proposition: str | None, question: str, text: str) -> tuple[list[int], Floats]:
        """Read one answer.

        Returns
        -------
        starts
            Where the word of each piece starts in the text, in characters.
        added
            What each piece adds for each label, shape (n_pieces, n_labels): their sum is the reading.
        """
        numbers, first, starts = self.cut(proposition, question, text)
        if not starts:
            return [], np.empty((0, len(self.labels)))
        vectors = self.view(numbers, first)[first:-1]
        shares = _softmax(vectors @ self.attention)
        return starts, (shares[:, None] * (vectors @ self.reading)).astype(np.float64)


def cut_answer(
    pieces: WordPieces, proposition: str | None, question: str, text: str
) -> tuple[list[int], int, list[int]]:
    """Cut as `Encoder.cut` does."""
    target, _ = pieces.cut(proposition or question)
    asked, _ = pieces.cut(question if proposition else "")
    answer, starts = pieces.cut(text)
    if len(answer) > ANSWER_PIECES:
        n_first = ANSWER_PIECES - _END_PIECES
        answer = answer[:n_first] + answer[-_END_PIECES:]
        starts = starts[:n_first] + starts[-_END_PIECES:]
    before = [pieces.start, *target[:ASKED_PIECES], pieces.separator, *asked[:ASKED_PIECES], pieces.separator]
    return [*before, *answer, pieces.separator], len(before), starts
