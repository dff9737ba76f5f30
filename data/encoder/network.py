"""The encoder as PyTorch has it: from a published model or from a tuned encoder, and turned into NumPy's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import AutoConfig, BertConfig, BertModel

from pipeline.encoder import LEAST_POSITIONS, Encoder, Layer, Norm, Quantised
from pipeline.errors import BadInput, WrongUsage

DROPOUT = 0.1

SPECIAL_PIECES = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}

# The formula of the activation that NumPy can calculate; to drop shares of attention at random would take a sixth more
# time, and another implementation of attention a tenth more.
_CALCULATED: dict[str, Any] = {
    "attn_implementation": "eager",
    "hidden_act": "gelu_pytorch_tanh",
    "attention_probs_dropout_prob": 0.0,
}


class Network(nn.Module):
    """A BERT, whose view of each word of the answer is read and weighed.

    The vectors of words stay as they were published, so that words which no labelled answer has keep their
    place among the others.

    Attributes
    ----------
    pieces
        Its vocabulary.
    labels
        What it tells.
    """

    def __init__(self, bert: nn.Module, pieces: tuple[str, ...], labels: tuple[str, ...]) -> None:
        super().__init__()
        self.pieces, self.labels = pieces, labels
        self.bert = bert
        self.bert.embeddings.word_embeddings.weight.requires_grad = False
        width = bert.config.hidden_size
        self.drop = nn.Dropout(DROPOUT)
        # Networks whose new weights start alike can be averaged, whatever else their seeds decide.
        torch.manual_seed(0)
        self.reading = nn.Linear(width, len(labels))
        self.attention = nn.Linear(width, 1, bias=False)
        nn.init.zeros_(self.attention.weight)

    @classmethod
    def published(cls, folder: Path, labels: tuple[str, ...]) -> Network:
        """Load a published BERT of uncased English: `config.json`, `model.safetensors` and `vocab.txt`.

        Pieces that are not ASCII, and those that stand for nothing, are left out.

        Raises
        ------
        BadInput
            When it cannot be read, is no BERT, or has a vocabulary or sizes that it cannot be tuned with.
        OSError
            When a file is missing.
        """
        lines, bert = _read_published(folder)
        kept = [(row, piece) for row, piece in enumerate(lines) if piece.isascii() and not piece.startswith("[unused")]
        words = bert.embeddings.word_embeddings
        words.weight = nn.Parameter(words.weight.data[torch.tensor([row for row, _ in kept])])
        return cls(bert, tuple(piece for _, piece in kept), labels)

    @classmethod
    def tuned(cls, encoder: Encoder) -> Network:
        """Go on from a tuned encoder, its matrices as they were rounded when saved.

        The intercepts of the labels, which no encoder keeps, start at nothing.
        """
        config = BertConfig(
            vocab_size=len(encoder.pieces),
            hidden_size=len(encoder.attention),
            num_hidden_layers=len(encoder.layers),
            num_attention_heads=encoder.n_heads,
            intermediate_size=len(encoder.layers[0].widens_bias),
            max_position_embeddings=len(encoder.positions),
            **_CALCULATED,
        )
        network = cls(BertModel(config, add_pooling_layer=False), encoder.pieces, encoder.labels)
        with torch.no_grad():
            network.bert.embeddings.word_embeddings.weight.copy_(torch.from_numpy(encoder.words.to_singles().T))
            network.reading.bias.zero_()
            for weights, array in _pair_up(network, encoder):
                weights.copy_(torch.from_numpy(np.ascontiguousarray(array)))
        return network

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


def _read_published(folder: Path) -> tuple[list[str], Any]:
    """Read the vocabulary and the network of a published model; hours later would be too late to find a fault."""
    try:
        lines = (folder / "vocab.txt").read_text(encoding="utf-8").rstrip("\n").split("\n")
        config = AutoConfig.from_pretrained(folder)
    except ValueError as error:
        raise BadInput(str(folder), f"its vocab.txt or config.json cannot be read ({first_line(error)})") from error
    sizes = (
        (config.model_type == "bert", f"it is a {config.model_type}: name a BERT"),
        (
            getattr(config, "vocab_size", 0) == len(lines),
            f"vocab.txt has {len(lines)} pieces, the model another number",
        ),
        (len(set(lines)) == len(lines), "vocab.txt has a piece twice"),
        (set(lines) >= SPECIAL_PIECES, f"vocab.txt lacks one of {' '.join(sorted(SPECIAL_PIECES))}"),
        (
            getattr(config, "type_vocab_size", 0) == 2,
            "it does not tell what is asked from the answer (type_vocab_size 2)",
        ),
        (
            getattr(config, "max_position_embeddings", 0) >= LEAST_POSITIONS,
            f"it reads fewer pieces at once than the {LEAST_POSITIONS} that are needed",
        ),
    )
    for is_right, reason in sizes:
        if not is_right:
            raise BadInput(str(folder), reason)
    try:
        return lines, BertModel.from_pretrained(folder, add_pooling_layer=False, **_CALCULATED)
    except (SafetensorError, RuntimeError, ValueError) as error:
        raise BadInput(str(folder), f"its weights cannot be loaded ({first_line(error)}): fetch it again") from error


def first_line(error: Exception) -> str:
    """Return the first line of what an error says."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def average(networks: Sequence[Network]) -> Network:
    """Give the first network the mean of the weights of all: Wortsman et al. 2022, arXiv:2203.05482.

    Raises
    ------
    WrongUsage
        When they differ in vocabulary, labels or shape.
    """
    first = networks[0]
    states = [network.state_dict() for network in networks]
    if len({_shape_of(network) for network in networks}) > 1:
        raise WrongUsage("encoders with other vocabularies, labels or layers have no mean: name those of one lineage")
    first.load_state_dict(
        {
            name: torch.stack([state[name] for state in states]).mean(dim=0) if weights.is_floating_point() else weights
            for name, weights in states[0].items()
        }
    )
    return first


def _shape_of(network: Network) -> tuple[object, ...]:
    shapes = tuple((name, tuple(weights.shape)) for name, weights in network.state_dict().items())
    return network.pieces, network.labels, network.bert.config.num_attention_heads, shapes


def to_encoder(network: Network) -> Encoder:
    """Turn a tuned network into the one that NumPy calculates; the matrices are rounded to bytes when saved.

    The intercepts of the labels are left out: the regression that weighs readings has its own.
    """
    bert, config = network.bert, network.bert.config
    embeddings = bert.embeddings
    return Encoder(
        pieces=network.pieces,
        words=Quantised.of(_array(embeddings.word_embeddings.weight).T),
        positions=_array(embeddings.position_embeddings.weight),
        segments=_array(embeddings.token_type_embeddings.weight),
        norm=_norm(embeddings.LayerNorm),
        layers=tuple(_layer(layer) for layer in bert.encoder.layer),
        n_heads=config.num_attention_heads,
        labels=network.labels,
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


def _pair_up(network: Network, encoder: Encoder) -> Iterator[tuple[Tensor, NDArray[np.float32]]]:
    """Pair the weights of a network, save the vectors of words, with what an encoder has for them."""
    embeddings = network.bert.embeddings
    yield embeddings.position_embeddings.weight, encoder.positions
    yield embeddings.token_type_embeddings.weight, encoder.segments
    yield from _pair_norms(embeddings.LayerNorm, encoder.norm)
    yield network.attention.weight, encoder.attention[np.newaxis]
    yield network.reading.weight, encoder.reading.T
    for layer, tuned in zip(network.bert.encoder.layer, encoder.layers, strict=True):
        attention = layer.attention
        asked = (attention.self.query, attention.self.key, attention.self.value)
        parts = zip(np.split(tuned.asks, 3, axis=1), np.split(tuned.asks_bias, 3), strict=True)
        matrices = [
            *((linear, *part) for linear, part in zip(asked, parts, strict=True)),
            (attention.output.dense, tuned.mixes, tuned.mixes_bias),
            (layer.intermediate.dense, tuned.widens, tuned.widens_bias),
            (layer.output.dense, tuned.narrows, tuned.narrows_bias),
        ]
        for linear, weights, bias in matrices:
            yield linear.weight, weights.T
            yield linear.bias, bias
        yield from _pair_norms(attention.output.LayerNorm, tuned.mixed_norm)
        yield from _pair_norms(layer.output.LayerNorm, tuned.norm)


def _pair_norms(norm: nn.LayerNorm, tuned: Norm) -> Iterator[tuple[Tensor, NDArray[np.float32]]]:
    yield norm.weight, tuned.gain
    yield norm.bias, tuned.bias
