"""Tuning: what PyTorch tunes is what NumPy reads, and it learns what it is shown.

PyTorch is larger than all that is installed together, and only who tunes an encoder needs it: without it these are
skipped.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.encoder.examples import Example, build_examples
from data.parts import PARTS
from pipeline.encoder import (
    Encoder,
    Tuning,
    dump_encoder,
    dump_tuning,
    hash_asked,
    load_encoder,
    load_tuning,
    read_batch,
)
from pipeline.errors import BadInput, WrongUsage
from pipeline.manifest import ENCODER_TUNING, find_model, hash_answer
from pipeline.preprocess import AnswerParser
from pipeline.schema import AnswerRecord, Source
from pipeline.workflow.scheme import default_scheme
from tests.tiny_encoder import tiny_encoder

torch = pytest.importorskip("torch", reason="PyTorch is not installed: nothing but tuning an encoder needs it")
transformers = pytest.importorskip("transformers", reason="transformers is not installed")

from data.encoder.__main__ import main  # noqa: E402
from data.encoder.network import Network, average, to_encoder  # noqa: E402
from data.encoder.run import tune_and_save  # noqa: E402
from data.encoder.tuning import Batch, Settings, measure_loss, rate_at, tune  # noqa: E402

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


VOCABULARY = ("[PAD]", "[unused0]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "safe", "ß")


def publish(folder: Path, **change: int) -> Any:
    """Save a BERT as transformers does."""
    usual = {"vocab_size": len(VOCABULARY), "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = usual | {"intermediate_size": 12, "max_position_embeddings": 400} | change
    published = transformers.BertModel(transformers.BertConfig(**config))
    published.save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    return published


def test_a_published_model_loses_the_pieces_that_no_english_text_has(tmp_path: Path) -> None:
    published = publish(tmp_path)
    network = Network.published(tmp_path, LABELS)
    assert network.pieces == ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "safe")
    words = network.bert.embeddings.word_embeddings.weight
    np.testing.assert_array_equal(
        words.detach().numpy(), published.embeddings.word_embeddings.weight.detach().numpy()[[0, 2, 3, 4, 5, 6]]
    )
    assert not words.requires_grad


def test_tuning_learns_what_it_is_shown_and_the_words_keep_their_vectors(parser: AnswerParser) -> None:
    network = with_mask()
    words = network.bert.embeddings.word_embeddings.weight.detach().clone()
    examples = [replace(example, share=1.0) for example in examples_of(network, parser)]
    tune(network, default_scheme(), examples, Settings(120, rate=3e-3, head_rate=3e-2))
    with torch.inference_mode():
        called = network(*Batch.of(examples).inputs)[0].argmax(dim=1)
    expected = [LABELS.index(str((one.model_extra or {})["label"])) for one in ANSWERS]
    assert called.tolist() == expected
    assert torch.equal(words, network.bert.embeddings.word_embeddings.weight)


def test_the_same_seed_tunes_alike(parser: AnswerParser) -> None:
    tuned = []
    for seed in (0, 0, 1):
        network = with_mask()
        tune(network, default_scheme(), examples_of(network, parser), Settings(5, 6e-5, 6e-5, seed))
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


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Path]:
    """Tune a tiny network and say where its files are."""

    def tune_tiny(name: str, network: Network, answers: list[AnswerRecord], earlier: list[Tuning], n: int) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        tune_and_save(network, default_scheme(), {PART: answers}, earlier, Settings(n, 6e-5, 6e-5), folder)
        return folder

    return tune_tiny


def test_an_encoder_is_saved_with_what_it_was_tuned_on_and_what_it_says_of_the_others(
    run: Callable[..., Path], parser: AnswerParser, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = run("first", with_mask(), ANSWERS, [], 3)
    tuning = load_tuning(folder, len(LABELS))
    held_out = [one for one in ANSWERS if hash_asked(one) in tuning.held_out]
    assert 0 < len(held_out) < len(ANSWERS) / 2
    assert tuning.tuned_on == {hash_answer(one) for one in ANSWERS if one not in held_out}
    for one in held_out:
        expected = read_batch(load_encoder(folder), parser.parse([one]))
        np.testing.assert_array_equal(tuning.held_out[hash_asked(one)], expected)
    said = capsys.readouterr().err
    assert f"{len(ANSWERS) - len(held_out)} labelled answers to tune on, {len(held_out)} held out" in said
    assert "of their sides are right, by readings alone" in said


def test_what_was_held_out_stays_so_and_a_mean_learns_nothing_new(run: Callable[..., Path]) -> None:
    first = run("first", with_mask(), ANSWERS, [], 3)
    started, network = load_tuning(first, len(LABELS)), Network.tuned(load_encoder(first))
    new = [answer(n, f"I would not do it {n}.", "against") for n in range(100, 120)]
    further = run("further", network, [*ANSWERS, *new], [started], 3)
    went_on = load_tuning(further, len(LABELS))
    assert went_on.tuned_on > started.tuned_on
    assert set(went_on.held_out) > set(started.held_out)

    newest = [answer(n, f"It is the risk {n}.", "against") for n in range(200, 220)]
    mean = average([Network.tuned(load_encoder(folder)) for folder in (first, further)])
    saved = run("mean", mean, [*ANSWERS, *new, *newest], [started, went_on], 0)
    tuning = load_tuning(saved, len(LABELS))
    assert tuning.tuned_on == went_on.tuned_on
    assert set(tuning.held_out) >= set(went_on.held_out)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(tiny_encoder(labels=LABELS[::-1]), id="labels in another order"),
        pytest.param(tiny_encoder(labels=LABELS, n_layers=3), id="more layers"),
        pytest.param(replace(ENCODER, n_heads=4), id="more heads"),
        pytest.param(replace(ENCODER, pieces=ENCODER.pieces[::-1]), id="another vocabulary"),
    ],
)
def test_encoders_that_do_not_fit_have_no_mean(other: Encoder) -> None:
    with pytest.raises(WrongUsage, match="have no mean"):
        average([Network.tuned(ENCODER), Network.tuned(other)])


def test_the_loss_is_the_one_said() -> None:
    """Two labels of two sides, and one piece in three is evidence: worked out by hand."""
    examples = [
        Example([0, 1, 2, 3, 4, 0], 2, [True, False, False], 0, weight=2.0),
        Example([0, 1, 2, 3, 4, 0], 2, [False, False, False], 1, weight=1.0),
    ]
    batch = Batch.of(examples)
    logits = torch.log(torch.tensor([[0.8, 0.2], [0.6, 0.4]]))
    shares = torch.tensor([[0.0, 0.0, 0.5, 0.3, 0.2, 0.0]] * 2)
    settings = Settings(1, 1.0, 1.0, smoothing=0.1, side_weight=0.5, evidence_weight=0.25)
    first = -(0.95 * math.log(0.8) + 0.05 * math.log(0.2)) - 0.5 * math.log(0.8) - 0.25 * math.log(0.5)
    second = -(0.95 * math.log(0.4) + 0.05 * math.log(0.6)) - 0.5 * math.log(0.4)
    loss = measure_loss(logits, shares, batch, torch.eye(2), settings)
    assert loss.item() == pytest.approx((2 * first + second) / 2)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param({"vocab_size": 9}, "vocab.txt has 8 pieces, the model another", id="another vocabulary"),
        pytest.param({"max_position_embeddings": 300}, "fewer pieces at once than the 356", id="too few places"),
        pytest.param({"type_vocab_size": 1}, "does not tell what is asked from the answer", id="one segment"),
    ],
)
def test_a_published_model_of_other_sizes_is_refused(tmp_path: Path, change: dict[str, int], reason: str) -> None:
    publish(tmp_path, **change)
    with pytest.raises(BadInput, match=reason):
        Network.published(tmp_path, LABELS)


def spoil(name: str, before: bytes, after: bytes) -> Callable[[Path], int]:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes().replace(before, after))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param(spoil("vocab.txt", b"safe", b"[CLS]"), "has a piece twice", id="a piece twice"),
        pytest.param(spoil("vocab.txt", b"[MASK]", b"masked"), r"lacks one of .*\[MASK\]", id="no hidden piece"),
        pytest.param(spoil("vocab.txt", b"safe", b"\xff"), "cannot be read", id="no UTF-8"),
        pytest.param(spoil("config.json", b'"bert"', b'"roberta"'), "it is a roberta: name a BERT", id="no BERT"),
        pytest.param(
            spoil("config.json", b'"intermediate_size": 12', b'"intermediate_size": 13'), "weights", id="sizes"
        ),
        pytest.param(lambda folder: (folder / "model.safetensors").write_bytes(b"no"), "weights", id="damaged weights"),
    ],
)
def test_a_published_model_with_a_fault_is_refused(
    tmp_path: Path, change: Callable[[Path], object], reason: str
) -> None:
    publish(tmp_path)
    change(tmp_path)
    with pytest.raises(BadInput, match=reason):
        Network.published(tmp_path, LABELS)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        pytest.param(["--from", "{tmp}/none"], "no model", id="no such model"),
        pytest.param(["--from", "{tmp}/bare"], "encoder_tuning", id="an encoder without what it was tuned on"),
        pytest.param(
            ["--from", "{tmp}/other"], "its labels are not those of medstance's own scheme", id="other labels"
        ),
        pytest.param(["--from", "fast"], "fast: that model has no encoder: name one that has", id="no encoder"),
        pytest.param(["--base", "{tmp}/none"], "none", id="no published model"),
        pytest.param(["--from", "default"], "texts", id="no real answers"),
        pytest.param(
            ["--from", "default", "--texts", "{tmp}/some"], "medical_qa.csv, row at line 2: no text", id="too few"
        ),
    ],
)
def test_what_cannot_be_used_is_named_in_one_line(
    arguments: list[str], reason: str, tmp_path: Path, refusal: Callable[..., str]
) -> None:
    save(tmp_path / "bare", dump_encoder(ENCODER))
    other = save(tmp_path / "other", dump_encoder(tiny_encoder()))
    (other / ENCODER_TUNING).write_bytes(dump_tuning(Tuning(frozenset(), {}), 3))
    (tmp_path / "some").mkdir()
    text = {"id": "x-1", "question": "Is it safe?", "answer": "It is.", "question_text": "Is it?"}
    (tmp_path / "some" / "x.jsonl").write_text(json.dumps(text) + "\n", encoding="utf-8")
    given = [one.format(tmp=tmp_path) for one in arguments]
    output = tmp_path / "new"
    assert reason in refusal("--texts", tmp_path / "texts", "-o", output, *given)
    assert not output.exists()


def test_the_command_goes_on_from_an_encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the answers of part one alone: the real ones are not at hand everywhere."""
    start = save(tmp_path / "start", dump_encoder(to_encoder(with_mask())))
    (start / ENCODER_TUNING).write_bytes(dump_tuning(Tuning(frozenset(["0" * 16]), {}), len(LABELS)))
    monkeypatch.setattr("data.encoder.__main__.PARTS", (PART,))
    output = tmp_path / "new"
    monkeypatch.setattr(
        "sys.argv", ["encoder", "--texts", "-", "--from", str(start), "--steps", "2", "-o", str(output)]
    )
    main()
    tuning = load_tuning(output, len(LABELS))
    assert "0" * 16 in tuning.tuned_on
    assert len(tuning.tuned_on) > len(tuning.held_out) > 50
    assert (output / "encoder_layers.npz").read_bytes() != (start / "encoder_layers.npz").read_bytes()
    assert (output / "encoder_words.npz").read_bytes() == (start / "encoder_words.npz").read_bytes()
