"""The encoder as PyTorch has it: loaded from a published model, tuned, and turned into NumPy's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import BertModel

from pipeline.encoder import Encoder, Layer, Norm, Quantised, WordPieces

DROPOUT = 0.1


@dataclass(frozen=True)
class Base:
    """A published model of English that tuning starts from.

    Attributes
    ----------
    folder
        With `config.json` and `model.safetensors` of a BERT, as transformers saves them, and `vocab.txt`.
    pieces
        The vocabulary that is kept.
    rows
        Their places in the published one.
    """

    folder: Path
    pieces: tuple[str, ...]
    rows: NDArray[np.int64]

    @classmethod
    def read(cls, folder: Path) -> Base:
        """Read the vocabulary; pieces that are not ASCII, and those that stand for nothing, are left out."""
        lines = (folder / "vocab.txt").read_text(encoding="utf-8").splitlines()
        kept = [(row, piece) for row, piece in enumerate(lines) if piece.isascii() and not piece.startswith("[unused")]
        return cls(folder, tuple(piece for _, piece in kept), np.array([row for row, _ in kept]))


class Network(nn.Module):
    """A BERT, whose view of each word of the answer is read and weighed.

    The vectors of words stay as they were published, so that words which no labelled answer has keep their
    place among the others.

    Attributes
    ----------
    mask, borders
        The number of the piece that stands for a hidden one, and those of the pieces that are never hidden.
    """

    def __init__(self, base: Base, n_labels: int) -> None:
        super().__init__()
        # The formula of the activation that NumPy can calculate; to drop shares of attention at random would take a
        # sixth of the time, and another attention a tenth.
        self.bert = BertModel.from_pretrained(
            base.folder,
            add_pooling_layer=False,
            attn_implementation="eager",
            hidden_act="gelu_pytorch_tanh",
            attention_probs_dropout_prob=0.0,
        )
        words = self.bert.embeddings.word_embeddings
        words.weight = nn.Parameter(words.weight.data[torch.from_numpy(base.rows)], requires_grad=False)
        pieces = WordPieces(base.pieces)
        self.mask = base.pieces.index("[MASK]")
        self.borders = {pieces.start, pieces.separator}
        width = self.bert.config.hidden_size
        self.drop = nn.Dropout(DROPOUT)
        # Networks whose new weights start alike can be averaged, whatever else their seeds decide.
        torch.manual_seed(0)
        self.reading = nn.Linear(width, n_labels)
        self.attention = nn.Linear(width, 1, bias=False)
        nn.init.zeros_(self.attention.weight)

    def forward(self, numbers: Tensor, segments: Tensor, is_piece: Tensor, is_answer: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits of the labels, and what share each piece has in them.

        Parameters
        ----------
        numbers, segments
            Shape (n_answers, n_pieces): the pieces, and 1 from the answer's first piece on.
        is_piece, is_answer
            The same shape: what is no filling, and what is read.
        """
        views = self.bert(input_ids=numbers, token_type_ids=segments, attention_mask=is_piece).last_hidden_state
        views = self.drop(views)
        shares = torch.softmax(self.attention(views)[..., 0].float().masked_fill(~is_answer, -1e4), dim=1)
        return (shares[..., None] * self.reading(views).float()).sum(dim=1), shares


def to_encoder(network: Network, base: Base, labels: tuple[str, ...]) -> Encoder:
    """Turn a tuned network into the one that NumPy calculates; the matrices are rounded to bytes when saved.

    The intercepts of the labels are left out: the regression that weighs readings has its own.
    """
    bert, config = network.bert, network.bert.config
    embeddings = bert.embeddings
    return Encoder(
        pieces=base.pieces,
        words=Quantised.of(_array(embeddings.word_embeddings.weight).T),
        positions=_array(embeddings.position_embeddings.weight),
        segments=_array(embeddings.token_type_embeddings.weight),
        norm=_norm(embeddings.LayerNorm),
        layers=tuple(_layer(layer) for layer in bert.encoder.layer),
        n_heads=config.num_attention_heads,
        labels=labels,
        attention=_array(network.attention.weight[0]),
        reading=_array(network.reading.weight.T),
    )


def _layer(layer: nn.Module) -> Layer:
    attention = layer.attention
    asked = (attention.self.query, attention.self.key, attention.self.value)
    return Layer(
        asks=np.concatenate([_array(part.weight.T) for part in asked], axis=1),
        asks_bias=np.concatenate([_array(part.bias) for part in asked]),
        mixes=_array(attention.output.dense.weight.T),
        mixes_bias=_array(attention.output.dense.bias),
        mixed_norm=_norm(attention.output.LayerNorm),
        widens=_array(layer.intermediate.dense.weight.T),
        widens_bias=_array(layer.intermediate.dense.bias),
        narrows=_array(layer.output.dense.weight.T),
        narrows_bias=_array(layer.output.dense.bias),
        norm=_norm(layer.output.LayerNorm),
    )


def _norm(norm: nn.LayerNorm) -> Norm:
    return Norm(_array(norm.weight), _array(norm.bias))


def _array(weights: Tensor) -> NDArray[np.float32]:
    return np.ascontiguousarray(weights.detach().float().numpy())
