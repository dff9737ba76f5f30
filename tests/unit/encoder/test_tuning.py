"""Tuning: what PyTorch tunes is what NumPy reads, and it learns what it is shown.

PyTorch is larger than all that is installed together, and only who tunes an encoder needs it: without it these are
skipped.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data.encoder.examples import Example
from data.parts import PARTS
from pipeline.encoder import dump_encoder, hash_asked, load_encoder, load_tuning, read_batch
from pipeline.manifest import find_model, hash_answer
from pipeline.preprocess import AnswerParser
from pipeline.schema import AnswerRecord, Source
from pipeline.workflow.scheme import default_scheme
from tests.tiny_encoder import tiny_encoder

torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing but tuning an encoder needs it")
transformers = pytest.importorskip("transformers", reason="transformers is not installed")

from data.encoder.__main__ import build_examples, tune_and_save  # noqa: E402
from data.encoder.network import Network, average, to_encoder  # noqa: E402
from data.encoder.tuning import Batch, Settings, rate_at, tune  # noqa: E402

LABELS = default_scheme().names
ENCODER = tiny_encoder(labels=LABELS)
PART = PARTS[0]


def with_mask(seed: int = 0) -> Network:
    """A network that can be tuned: one whose vocabulary has a piece for what is hidden, in place of an idle one."""
    encoder = tiny_encoder(seed, labels=LABELS)
    rare = encoder.pieces.index("##9")
    return Network.tuned(replace(encoder, pieces=(*encoder.pieces[:rare], "[MASK]", *encoder.pieces[rare + 1 :])))


def answer(number: int, text: str, label: str) -> AnswerRecord:
    return AnswerRecord.model_validate(
        {
            "question_id": f"q{number}",
            "question": f"Is {number} safe?",
            "answer_id": f"a{number}",
            "position": 1,
            "text": text,
            "label": label,
            "source": Source(file="t", locator="1"),
        }
    )


ANSWERS = [
    answer(
        n, f"I would do it {n}. It is safe." if n % 2 else f"{n} not safe, not I!", "supportive" if n % 2 else "against"
    )
    for n in range(60)
]


def save(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def examples_of(network: Network, parser: AnswerParser) -> list[Example]:
    return build_examples([parser.parse(ANSWERS)], [PART] * len(ANSWERS), network.pieces, LABELS)


def test_a_saved_encoder_comes_back_byte_for_byte(tmp_path: Path) -> None:
    files = dump_encoder(ENCODER)
    loaded = load_encoder(save(tmp_path / "saved", files))
    assert dump_encoder(to_encoder(Network.tuned(loaded))) == files


def test_pytorch_reads_what_numpy_reads(parser: AnswerParser) -> None:
    network = Network.tuned(ENCODER).eval()
    examples = examples_of(network, parser)[:9]
    with torch.inference_mode():
        logits, shares = network(*Batch.of(examples).inputs)
    added = [ENCODER.read(None, one.question, one.text)[1].sum(axis=0) for one in ANSWERS[:9]]
    np.testing.assert_allclose(logits.numpy(), added, atol=1e-4)
    np.testing.assert_allclose(shares.sum(dim=1).numpy(), 1, atol=1e-5)


def test_the_shipped_encoder_comes_back_byte_for_byte_too() -> None:
    folder = find_model("default")
    files = dump_encoder(to_encoder(Network.tuned(load_encoder(folder))))
    assert {name: (folder / name).read_bytes() for name in files} == files


def test_the_mean_of_networks_is_of_all_their_weights() -> None:
    first, second = (to_encoder(Network.tuned(tiny_encoder(seed, labels=LABELS))) for seed in (1, 2))
    mean = to_encoder(average([Network.tuned(tiny_encoder(seed, labels=LABELS)) for seed in (1, 2)]))
    for name in ("positions", "segments", "attention", "reading"):
        expected = (getattr(first, name) + getattr(second, name)) / 2
        np.testing.assert_allclose(getattr(mean, name), expected, atol=1e-6, err_msg=name)
    for layer, one, other in zip(mean.layers, first.layers, second.layers, strict=True):
        np.testing.assert_allclose(layer.asks, (one.asks + other.asks) / 2, atol=1e-6)


def test_a_published_model_loses_the_pieces_that_no_english_text_has(tmp_path: Path) -> None:
    config = transformers.BertConfig(
        vocab_size=5,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=12,
        max_position_embeddings=400,
    )
    published = transformers.BertModel(config)
    published.save_pretrained(tmp_path)
    (tmp_path / "vocab.txt").write_text("[PAD]\n[unused0]\n[CLS]\nsafe\nß\n", encoding="utf-8")
    network = Network.published(tmp_path, LABELS)
    assert network.pieces == ("[PAD]", "[CLS]", "safe")
    words = network.bert.embeddings.word_embeddings.weight
    np.testing.assert_array_equal(
        words.detach().numpy(), published.embeddings.word_embeddings.weight.detach().numpy()[[0, 2, 3]]
    )
    assert not words.requires_grad


def test_tuning_learns_what_it_is_shown_and_the_words_keep_their_vectors(parser: AnswerParser) -> None:
    network = with_mask()
    words = network.bert.embeddings.word_embeddings.weight.detach().clone()
    examples = [replace(example, share=1.0) for example in examples_of(network, parser)]
    tune(network, default_scheme(), examples, Settings(n_steps=120, rate=3e-3, head_rate=3e-2))
    with torch.inference_mode():
        called = network(*Batch.of(examples).inputs)[0].argmax(dim=1)
    expected = [LABELS.index(str((one.model_extra or {})["label"])) for one in ANSWERS]
    assert called.tolist() == expected
    assert torch.equal(words, network.bert.embeddings.word_embeddings.weight)


def test_the_same_seed_tunes_alike(parser: AnswerParser) -> None:
    tuned = []
    for seed in (0, 0, 1):
        network = with_mask()
        tune(network, default_scheme(), examples_of(network, parser), Settings(n_steps=5, seed=seed))
        tuned.append(dump_encoder(to_encoder(network)))
    assert tuned[0] == tuned[1] != tuned[2]


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        pytest.param(0, 0.25, id="rising"),
        pytest.param(3, 1.0, id="risen"),
        pytest.param(44, 1.0, id="still high"),
        pytest.param(71, 28 / 55, id="falling"),
        pytest.param(99, 0.02, id="nearly nothing"),
    ],
)
def test_the_learning_rate_rises_stays_and_falls(step: int, expected: float) -> None:
    assert rate_at(step, 100) == pytest.approx(expected)


def test_an_encoder_is_saved_with_what_it_was_tuned_on_and_what_it_says_of_the_others(
    tmp_path: Path, parser: AnswerParser
) -> None:
    first, further, mean = (tmp_path / name for name in ("first", "further", "mean"))
    for folder in (first, further, mean):
        folder.mkdir()
    settings = Settings(n_steps=3)
    tune_and_save(with_mask(), default_scheme(), {PART: ANSWERS}, [], settings, first)
    started = load_tuning(first, len(LABELS))
    held_out = [one for one in ANSWERS if hash_asked(one) in started.held_out]
    assert 0 < len(held_out) < len(ANSWERS) / 2
    assert started.tuned_on == {hash_answer(one) for one in ANSWERS if one not in held_out}
    for one in held_out:
        kept = started.held_out[hash_asked(one)]
        np.testing.assert_array_equal(kept, read_batch(load_encoder(first), parser.parse([one])))

    new = answer(99, "I would not do it.", "against")
    tune_and_save(
        Network.tuned(load_encoder(first)), default_scheme(), {PART: [*ANSWERS, new]}, [started], settings, further
    )
    went_on = load_tuning(further, len(LABELS))
    assert went_on.tuned_on >= started.tuned_on
    assert set(went_on.held_out) >= set(started.held_out)

    networks = [Network.tuned(load_encoder(folder)) for folder in (first, further)]
    tune_and_save(average(networks), default_scheme(), {PART: ANSWERS}, [started, went_on], Settings(n_steps=0), mean)
    assert load_tuning(mean, len(LABELS)).tuned_on == went_on.tuned_on
