"""The tables of ``docs/method.md`` on words and cues: peers and ablations on the same folds, and kinds of hard answers.

``python -m data.measure.study --texts FOLDER``; about half an hour on two cores.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import spacy
from numpy.typing import NDArray
from sklearn.dummy import DummyClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from spacy.language import Language
from spacy.training import Example

from data.measure.datasheet import read_part, replace_sections
from data.parts import PARTS, learnt_by
from pipeline.classify import choose_stances
from pipeline.estimator import Floats, Ints
from pipeline.evaluate import Scores, group_questions, predict_fold, score_posteriors, split_answers
from pipeline.features import Vocabulary, build_vocabulary
from pipeline.fitting import TrainingData
from pipeline.lexicon import default_lexicon_text, parse_lexicon
from pipeline.manifest import ClassifierConfig
from pipeline.preprocess import AnswerParser
from pipeline.schema import AnswerRecord, LabelScheme
from pipeline.training import count_labelled, featurise
from pipeline.workflow.scheme import default_scheme

N_FOLDS = 3
TFIDF = "TF-IDF (1-2 words) + logistic regression"
OWN = "words and cues, as `fast`"

Predict = Callable[[Ints, Ints], Floats]
"""From the rows to learn from and the rows to predict to posteriors of the latter."""


@dataclass(frozen=True)
class StudyData:
    """The labelled answers of all parts."""

    answers: list[AnswerRecord]
    parts: NDArray[np.str_]
    scheme: LabelScheme
    vocabulary: Vocabulary
    training: TrainingData

    @classmethod
    def read(cls, folder: Path, texts: str, model: str) -> StudyData:
        """Read what a shipped model learns from, in a data folder, with the folder of the real answers."""
        weights_of = learnt_by(model)
        read = {part: read_part(folder / part, texts if part.endswith(".csv") else None) for part in weights_of}
        answers = [answer for part in read.values() for answer in part]
        parts = np.array([name for name, part in read.items() for _ in part])
        features = featurise(answers, AnswerParser(parse_lexicon(default_lexicon_text(), "cues.toml")))
        vocabulary = build_vocabulary(features, ClassifierConfig().min_answers)
        labels = [_extra(answer, "label") for answer in answers]
        questions = group_questions([a.question_id for a in answers], [a.question for a in answers])
        weights = [weights_of[part] for part in parts]
        training = count_labelled(features, vocabulary, labels, questions, weights)
        return cls(answers, parts, default_scheme(), vocabulary, training)

    def of_answers(self, rows: Ints) -> StudyData:
        """Return some answers, in the order of the data."""
        rows = np.sort(rows)
        answers = [self.answers[row] for row in rows]
        return replace(self, answers=answers, parts=self.parts[rows], training=self.training.of_answers(rows))

    @property
    def texts(self) -> list[str]:
        """Headline and text of each answer, as a peer reads them."""
        return [f"{answer.headline or ''}\n{answer.text}".strip() for answer in self.answers]


def _extra(answer: AnswerRecord, name: str) -> str:
    return str((answer.model_extra or {}).get(name, ""))


# ---------------------------------------------------------------- who is compared


def list_peers(data: StudyData) -> dict[str, Predict]:
    """Return what one would use instead, by name."""
    return {
        "calling everything the commonest label": _peer(data, make_pipeline(DummyClassifier())),
        TFIDF: _peer(
            data,
            make_pipeline(
                TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True),
                LogisticRegression(C=4.0, class_weight="balanced", max_iter=1000),
            ),
        ),
        "spaCy textcat, bag of words": _spacy_peer(data, "bow", n_epochs=5),
        "spaCy textcat, CNN": _spacy_peer(data, "cnn", n_epochs=2),
    }


def _peer(data: StudyData, estimator: object) -> Predict:
    texts, labels = np.array(data.texts, dtype=object), data.training.labels

    def predict(train: Ints, test: Ints) -> Floats:
        fitted = estimator.fit(texts[train], labels[train])  # type: ignore[attr-defined]
        posteriors = np.zeros((len(test), len(data.scheme.names)))
        posteriors[:, [data.scheme.names.index(name) for name in fitted.classes_]] = fitted.predict_proba(texts[test])
        return posteriors

    return predict


_BOW = {"@architectures": "spacy.TextCatBOW.v3", "exclusive_classes": True, "ngram_size": 2, "no_output_layer": False}
_CNN = {
    "@architectures": "spacy.TextCatReduce.v1",
    "exclusive_classes": True,
    "use_reduce_first": False,
    "use_reduce_last": False,
    "use_reduce_max": True,
    "use_reduce_mean": True,
    "tok2vec": {
        "@architectures": "spacy.HashEmbedCNN.v2",
        "pretrained_vectors": None,
        "width": 96,
        "depth": 4,
        "embed_size": 2000,
        "window_size": 1,
        "maxout_pieces": 3,
        "subword_features": True,
    },
}


def train_textcat(
    kind: str, texts: Sequence[str], labels: Sequence[str], names: Sequence[str], *, n_epochs: int
) -> Language:
    """Train spaCy's own textcat: ``bow``, a bag of words, or ``cnn``."""
    spacy.util.fix_random_seed(0)
    nlp = spacy.blank("en")
    textcat = nlp.add_pipe("textcat", config={"model": _BOW if kind == "bow" else _CNN})
    for name in names:
        textcat.add_label(name)
    examples = [
        Example.from_dict(nlp.make_doc(text), {"cats": {name: float(name == label) for name in names}})
        for text, label in zip(texts, labels, strict=True)
    ]
    optimizer = nlp.initialize(lambda: examples)
    shuffled = random.Random(0)  # noqa: S311
    for _ in range(n_epochs):
        shuffled.shuffle(examples)
        for batch in spacy.util.minibatch(examples, size=64):
            nlp.update(batch, sgd=optimizer, drop=0.2)
    return nlp


def _spacy_peer(data: StudyData, kind: str, *, n_epochs: int) -> Predict:
    texts, labels, names = data.texts, data.training.labels, data.scheme.names

    def predict(train: Ints, test: Ints) -> Floats:
        nlp = train_textcat(
            kind, [texts[row] for row in train], [labels[row] for row in train], names, n_epochs=n_epochs
        )
        docs = nlp.pipe([texts[row] for row in test])
        return np.array([[doc.cats[name] for name in names] for doc in docs])

    return predict


def list_ablations(data: StudyData) -> dict[str, Predict]:
    """Return the fast model, whole and with one part left out, by name."""
    config, training = ClassifierConfig(), data.training
    documents = training.sentences.documents
    names = np.array(data.vocabulary.names)
    plain = np.char.replace(names, "flip:", "")
    is_word, is_cue = documents == 0, documents == 1
    is_start, is_window = is_cue & np.char.startswith(plain, "^"), is_cue & _starts_with(plain, "<", ">")
    is_family = is_cue & ~is_start & ~is_window
    is_pair = is_word & (np.char.find(names, "_") > 0)
    flat = replace(training, weights=np.ones(len(training.weights)))
    without = {
        "words": ~is_word,
        "pairs of words": ~is_pair,
        "families of cues": ~is_family,
        "where a cue stands and what it follows": ~(is_family & _has_any(plain, "@", "~", ">")),
        "words near the target": ~is_window,
        "how sentences start": ~is_start,
        "the polarity of the question": ~(is_cue & np.char.startswith(names, "flip:")),
        "what stands in a negation's scope": ~(np.char.find(names, "!") >= 0),
    }
    return {
        OWN: _own(data, training, config),
        **{
            f"without {name}": _own(data, training.of_features(np.flatnonzero(k)), config)
            for name, k in without.items()
        },
        "without weighing sentences": _own(data, training, replace(config, relevance_power=0.0)),
        "without weighing the parts of the data": _own(data, flat, config),
        "without balancing the labels": _own(data, training, replace(config, balance=False)),
        "without the further propositions": _own(data, training, config, left_out="labels/medical_qa_more.csv"),
        "without the real answers": _own(data, training, config, left_out="labels/"),
        "without the written answers": _own(data, training, config, left_out="corpus"),
    }


def _starts_with(names: NDArray[np.str_], *starts: str) -> NDArray[np.bool_]:
    found = np.zeros(len(names), dtype=bool)
    for start in starts:
        found |= np.char.startswith(names, start)
    return found


def _has_any(names: NDArray[np.str_], *parts: str) -> NDArray[np.bool_]:
    found = np.zeros(len(names), dtype=bool)
    for part in parts:
        found |= np.char.find(names, part) >= 0
    return found


def _own(data: StudyData, training: TrainingData, config: ClassifierConfig, *, left_out: str | None = None) -> Predict:
    def predict(train: Ints, test: Ints) -> Floats:
        kept = train if left_out is None else train[~np.char.startswith(data.parts[train], left_out)]
        return predict_fold(training, kept, np.sort(test), data.scheme, config)[0]

    return predict


# ---------------------------------------------------------------- tables


def predict_all(data: StudyData, systems: Mapping[str, Predict]) -> dict[str, Floats]:
    """Predict every answer by each system, learnt from other questions; the folds are the same for all."""
    splits, _ = split_answers(data.training.labels, data.training.questions, N_FOLDS)
    found = {}
    for name, predict in systems.items():
        posteriors = np.zeros((len(data.answers), len(data.scheme.names)))
        for train, test in splits:
            posteriors[np.sort(test)] = predict(np.sort(train), np.sort(test))
        found[name] = posteriors
        sys.stderr.write(f"{name}\n")
    return found


def _score(data: StudyData, posteriors: Floats, rows: Ints) -> Scores:
    gold, questions = data.training.labels[rows].tolist(), data.training.questions[rows].tolist()
    return score_posteriors(posteriors[rows], gold, questions, data.scheme)


def compare_table(data: StudyData, found: Mapping[str, Floats]) -> str:
    """Render the scores of every system, over all answers and by part of the data."""
    explicit = np.array([_extra(answer, "explicit") == "true" for answer in data.answers])
    subsets = {}
    for part in PARTS:
        subsets[part.title] = data.parts == part.path
        if part.title == "part two":
            subsets["of these explicit"] = subsets[part.title] & explicit
    subsets = {name: rows for name, rows in subsets.items() if rows.any()}
    header = "| | sides right | macro-F1 of sides | kappa | ECE | " + " | ".join(subsets) + " |"
    lines = [header, "|---|" + "--:|" * (4 + len(subsets))]
    for name, posteriors in found.items():
        whole = _score(data, posteriors, np.arange(len(data.answers)))
        recalls = [balanced_sides(data, posteriors, rows) for rows in subsets.values()]
        kappa = "" if whole.weighted_kappa is None else _short(whole.weighted_kappa)
        cells = [_short(whole.side_accuracy or 0), _short(whole.side_macro_f1), kappa, _short(whole.calibration_error)]
        lines.append(f"| {name} | " + " | ".join([*cells, *map(_short, recalls)]) + " |")
    return "\n".join(lines)


def balanced_sides(data: StudyData, posteriors: Floats, chosen: NDArray[np.bool_]) -> float:
    """Mean recall of oppose and support when one of the two must be called; .5 is chance."""
    sides = np.array([data.scheme.side_of(label) or "" for label in data.training.labels])
    columns = {s: [i for i, label in enumerate(data.scheme.labels) if label.side == s] for s in ("oppose", "support")}
    opposes = posteriors[:, columns["oppose"]].sum(axis=1) > posteriors[:, columns["support"]].sum(axis=1)
    return float(
        np.mean([opposes[chosen & (sides == "oppose")].mean(), 1 - opposes[chosen & (sides == "support")].mean()])
    )


def phenomena_table(data: StudyData, found: Mapping[str, Floats], shown: Sequence[str]) -> str:
    """Render the share of right sides on each kind of hard answer, out of fold."""
    tags = [(answer.model_extra or {}).get("phenomena") or () for answer in data.answers]
    gold = np.array([data.scheme.side_of(label) or label for label in data.training.labels])
    right = {}
    for name in shown:
        stances, _ = choose_stances(found[name], data.scheme)
        right[name] = np.array([data.scheme.side_of(stance) or stance for stance in stances]) == gold
    kinds = sorted({tag for listed in tags for tag in listed})
    lines = ["| kind | answers | " + " | ".join(shown) + " |", "|---|--:|" + "--:|" * len(shown)]
    written = data.parts == "corpus"
    for kind, rows in (
        *((f"`{kind}`", np.array([kind in listed for listed in tags])) for kind in kinds),
        ("all of part one", written),
    ):
        cells = [_short(right[name][rows].mean()) for name in shown]
        lines.append(f"| {kind} | {rows.sum()} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _short(value: float) -> str:
    return f"{value:.3f}".replace("0.", ".", 1) if 0 <= value < 1 else f"{value:.3f}"


def main() -> None:
    """Measure and write the tables."""
    parser = argparse.ArgumentParser(prog="python -m data.measure.study", description=__doc__)
    parser.add_argument(
        "--texts", required=True, help="folder of the real answers that the tables of data/labels are on"
    )
    options = parser.parse_args()
    root = Path(__file__).parents[2]
    data = StudyData.read(root / "data", options.texts, "fast")
    own = predict_all(data, list_ablations(data))
    peers: dict[str, Floats] = {}
    # Written after each, the slowest last: what is measured is not lost.
    for name, predict in list_peers(data).items():
        peers |= predict_all(data, {name: predict})
        write_tables(root / "docs" / "method.md", data, own, peers)


def write_tables(path: Path, data: StudyData, own: Mapping[str, Floats], peers: Mapping[str, Floats]) -> None:
    """Write the tables into a Markdown file, each between its marks."""
    shown = [name for name in (OWN, "without weighing sentences", TFIDF) if name in own or name in peers]
    sections = {
        "peers": compare_table(data, {**peers, OWN: own[OWN]}),
        "ablations": compare_table(data, own),
        "phenomena": phenomena_table(data, {**own, **peers}, shown),
    }
    path.write_text(replace_sections(path.read_text(encoding="utf-8"), sections), encoding="utf-8")


if __name__ == "__main__":
    main()
