"""What one would use instead, each one process over the same JSONL.

``python -m tests.benchmarks.peers NAME --models FOLDER`` trains a peer; with ``FILE`` after the name it labels
every text of the file and prints nothing. How often peers are right is another matter: ``data/measure/study.py``.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from tests.benchmarks.corpus import read_corpus

# Libraries are imported where they are used: start-up counts, and a peer pays for its own alone.
_BATCH = 1000
_SENTENCE_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
_STATIC_MODEL = "minishlab/potion-base-8M"

Train = Callable[[Path], None]
Label = Callable[[Iterator[str], Path], None]


@dataclass(frozen=True)
class Peer:
    """A way to go through texts."""

    what: str
    label: Label
    train: Train | None = None
    needs: tuple[str, ...] = ()
    """Packages of which one must be there."""
    at_most: int | None = None
    """Slow ones are measured on no more answers than this."""

    @property
    def is_installed(self) -> bool:
        """Whether what it needs is there."""
        return not self.needs or any(importlib.util.find_spec(name) is not None for name in self.needs)


def _tokenise(texts: Iterator[str], _: Path) -> None:
    import spacy

    nlp = spacy.blank("en")
    for text in texts:
        nlp.make_doc(text)


def _read_labelled() -> tuple[list[str], list[str]]:
    rows = read_corpus()
    return [row["text"] for row in rows], [row["label"] for row in rows]


def _train_tfidf(folder: Path) -> None:
    import joblib
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    # Set as the peer of the study is.
    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True),
        LogisticRegression(C=4.0, class_weight="balanced", max_iter=1000),
    )
    joblib.dump(model.fit(*_read_labelled()), folder / "tfidf.joblib")


def _label_tfidf(texts: Iterator[str], folder: Path) -> None:
    import joblib

    model = joblib.load(folder / "tfidf.joblib")
    for batch in _batches(texts):
        model.predict_proba(batch)


def _batches(texts: Iterator[str]) -> Iterator[list[str]]:
    while batch := list(islice(texts, _BATCH)):
        yield batch


def _train_textcat(kind: str, n_epochs: int) -> Train:
    def train(folder: Path) -> None:
        from data.measure.study import train_textcat

        texts, labels = _read_labelled()
        nlp = train_textcat(kind, texts, labels, sorted(set(labels)), n_epochs=n_epochs)
        nlp.to_disk(folder / f"textcat-{kind}")

    return train


def _label_textcat(kind: str) -> Label:
    def label(texts: Iterator[str], folder: Path) -> None:
        import spacy

        for doc in spacy.load(folder / f"textcat-{kind}").pipe(texts):
            max(doc.cats, key=doc.cats.get)

    return label


def _parse(texts: Iterator[str], _: Path) -> None:
    import spacy

    for _doc in spacy.load("en_core_web_sm").pipe(texts):
        pass


def _load_encoder() -> Any:
    # Imported by name: neither is a dependency, and neither need be there for the types to be checked.
    if importlib.util.find_spec("sentence_transformers") is not None:
        return importlib.import_module("sentence_transformers").SentenceTransformer(_SENTENCE_MODEL, device="cpu")
    return importlib.import_module("model2vec").StaticModel.from_pretrained(_STATIC_MODEL)


def _train_vectors(folder: Path) -> None:
    import joblib
    from sklearn.linear_model import LogisticRegression

    texts, labels = _read_labelled()
    model = LogisticRegression(class_weight="balanced", max_iter=1000)
    joblib.dump(model.fit(_load_encoder().encode(texts), labels), folder / "vectors.joblib")


def _label_vectors(texts: Iterator[str], folder: Path) -> None:
    import joblib

    encoder, model = _load_encoder(), joblib.load(folder / "vectors.joblib")
    for batch in _batches(texts):
        model.predict_proba(encoder.encode(batch))


PEERS = {
    "tokenise": Peer("tokenising alone", _tokenise),
    "tfidf": Peer("TF-IDF (1-2 words) + logistic regression", _label_tfidf, _train_tfidf),
    "textcat-bow": Peer("spaCy textcat, bag of words", _label_textcat("bow"), _train_textcat("bow", 2)),
    "textcat-cnn": Peer(
        "spaCy textcat, CNN",
        _label_textcat("cnn"),
        _train_textcat("cnn", 1),
        at_most=10_000,
    ),
    "en_core_web_sm": Peer("spaCy en_core_web_sm, all of it", _parse, needs=("en_core_web_sm",), at_most=10_000),
    "vectors": Peer(
        "sentence vectors + logistic regression",
        _label_vectors,
        _train_vectors,
        needs=("sentence_transformers", "model2vec"),
        at_most=10_000,
    ),
}
"""By name; the first is the unit."""


def read_texts(path: Path) -> Iterator[str]:
    """Read the texts of a JSONL, one at a time."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)["text"]


def main() -> None:
    """Train a peer, or let it label."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.peers", description=__doc__)
    parser.add_argument("name", choices=PEERS)
    parser.add_argument("file", nargs="?", type=Path, help="answers to label; else the peer is trained")
    parser.add_argument("--models", type=Path, default=Path(), help="folder of the trained peers")
    options = parser.parse_args()
    peer = PEERS[options.name]
    if options.file is not None:
        peer.label(read_texts(options.file), options.models)
    elif peer.train is not None:
        peer.train(options.models)


if __name__ == "__main__":
    main()
