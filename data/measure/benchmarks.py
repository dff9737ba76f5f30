"""Public data sets with the project's own code: ``python -m data.measure.benchmarks --semeval DIR --pubmedqa DIR``.

Settings are chosen by cross-validation on the training part, from one grid for all data sets, the encoder only where
it is better by more than the standard error of what it brings; the test part is scored once. Nothing is specific to a
data set but how its figure is defined.

References
----------
Breiman et al., "Classification and regression trees", 1984, section 3.4.3 (the rule of one standard error).
Mohammad et al., "SemEval-2016 task 6: detecting stance in tweets", SemEval 2016.
Jin et al., "PubMedQA: a dataset for biomedical research question answering", EMNLP 2019.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, f1_score

from data.measure.datasheet import render_table, replace_sections
from pipeline.encoder import Encoder, read_batch
from pipeline.errors import BadInput
from pipeline.estimator import Floats, predict_posteriors
from pipeline.evaluate import cross_validate
from pipeline.features import build_vocabulary
from pipeline.fitting import TrainingData, fit_estimator
from pipeline.ingest import ReadOptions, read_answers
from pipeline.lexicon import default_lexicon_text, parse_lexicon
from pipeline.manifest import ClassifierConfig
from pipeline.preprocess import AnswerParser
from pipeline.schema import AnswerRecord, LabelScheme
from pipeline.training import count_labelled, featurise
from pipeline.workflow.training import open_encoder

Labels = NDArray[np.str_]
Figure = Callable[[Labels, Labels], float]

SEMEVAL = LabelScheme.from_labels("semeval2016", ["favor", "against", "none"])
PUBMEDQA = LabelScheme.from_labels("pubmedqa", ["yes", "no", "maybe"])


class Setting(NamedTuple):
    """One way to learn that is tried: how to fit, and whether what the encoder says is learnt from."""

    config: ClassifierConfig
    is_read: bool

    def describe(self) -> str:
        """Say what was chosen."""
        config = self.config
        parts = [f"pieces {config.piece_weight:g}", f"cues {config.cue_weight:g}", f"C {config.inverse_penalty:g}"]
        parts += ["labels balanced" if config.balance else "labels as they come", "encoder" if self.is_read else ""]
        return ", ".join(filter(None, parts))


GRID = [
    Setting(
        replace(
            ClassifierConfig(),
            min_answers=1,
            piece_weight=pieces,
            cue_weight=cues,
            inverse_penalty=c,
            balance=is_balanced,
        ),
        is_read,
    )
    for is_read in (False, True)
    for is_balanced in (True, False)
    for pieces in (0.0, 2.0)
    for cues in (0.5, 1.0)
    for c in (1.0, 4.0)
]
"""What is tried for every data set: few answers leave no feature out, pieces of words for rough text."""


def favor_against(y_true: Labels, y_pred: Labels) -> float:
    """Mean F1 of favor and against, the figure of SemEval-2016 task 6."""
    return float(f1_score(y_true, y_pred, labels=["favor", "against"], average="macro", zero_division=0))


def macro_f1(y_true: Labels, y_pred: Labels) -> float:
    """Mean F1 over the labels, beside accuracy the figure of PubMedQA."""
    return float(f1_score(y_true, y_pred, average="macro", zero_division=0))


def read_part(path: Path, scheme: LabelScheme) -> list[AnswerRecord]:
    """Read a part of a data set; rows without a label of the scheme are left out.

    Raises
    ------
    BadInput
        When none is left.
    """
    options = ReadOptions()
    answers = [a for a in read_answers([str(path)], options) if isinstance(a, AnswerRecord)]
    answers = [a for a in answers if label_of(a) in scheme.names]
    if not answers:
        raise BadInput(str(path), f"no answer with a label of {scheme.name} ({', '.join(scheme.names)})")
    return answers


def label_of(answer: AnswerRecord) -> str:
    """Return the gold label."""
    return str((answer.model_extra or {}).get("label"))


class Task:
    """One data set, or one target of one: learnt from one part, scored on another."""

    def __init__(
        self, train: Sequence[AnswerRecord], test: Sequence[AnswerRecord], scheme: LabelScheme, encoder: Encoder
    ) -> None:
        self.scheme = scheme
        self.gold = np.array([label_of(a) for a in test])
        self.labels = np.array([label_of(a) for a in train])
        parser = AnswerParser(parse_lexicon(default_lexicon_text(), "cues.toml"))
        self._train = featurise(train, parser, with_pieces=True)
        self._test = featurise(test, parser, with_pieces=True)
        # A target is asked about in every answer of its part: folds can only be of answers.
        self._groups = [a.question for a in train]
        if len(set(self._groups)) == 1:
            self._groups = [str(number) for number in range(len(train))]
        self._vocabulary = build_vocabulary(self._train, 1)
        before = time.process_time()
        self._train_readings, self._test_readings = [
            np.concatenate([read_batch(encoder, part.batch) for part in parts]) for parts in (self._train, self._test)
        ]
        self.reading_seconds = time.process_time() - before

    def choose(self, setting: Setting) -> Labels:
        """Call the training answers out of fold."""
        return self._call(cross_validate(self._learn_from(setting), self.scheme, setting.config).posteriors)

    def predict(self, setting: Setting) -> Labels:
        """Call the test answers."""
        estimator = fit_estimator(self._learn_from(setting), setting.config)
        gold = self.gold.tolist()
        readings = self._test_readings if setting.is_read else None
        test = count_labelled(self._test, self._vocabulary, gold, gold, [1.0] * len(gold), readings)
        sentences = test.sentences.of_features(self._columns(setting.config))
        return self._call(predict_posteriors(estimator, sentences, self.scheme))

    def _learn_from(self, setting: Setting) -> TrainingData:
        weights = [1.0] * len(self.labels)
        readings = self._train_readings if setting.is_read else None
        data = count_labelled(self._train, self._vocabulary, self.labels.tolist(), self._groups, weights, readings)
        return data.of_features(self._columns(setting.config))

    def _call(self, posteriors: Floats) -> Labels:
        return np.array([self.scheme.names[column] for column in posteriors.argmax(axis=1)])

    def _columns(self, config: ClassifierConfig) -> NDArray[np.int64]:
        wanted = self._vocabulary.documents <= (3 if config.piece_weight > 0 else 2)
        return np.flatnonzero(wanted)


def score_tasks(tasks: Sequence[Task], figure: Figure) -> dict[str, object]:
    """Choose settings out of fold on the training parts, pooled, and score the test parts with them."""
    labels, gold = (np.concatenate([getattr(task, name) for task in tasks]) for name in ("labels", "gold"))
    found = [np.concatenate([task.choose(setting) for task in tasks]) for setting in GRID]
    best = choose_setting(found, labels, figure)
    before = time.process_time()
    called = np.concatenate([task.predict(GRID[best]) for task in tasks])
    return {
        "setting": GRID[best],
        "cross_validated": figure(labels, found[best]),
        "figure": figure(gold, called),
        "accuracy": float(accuracy_score(gold, called)),
        "macro_f1": macro_f1(gold, called),
        "n_test": len(gold),
        "cpu_seconds": time.process_time() - before,
        "reading_seconds": sum(task.reading_seconds for task in tasks),
    }


def choose_setting(called: Sequence[Labels], labels: Labels, figure: Figure) -> int:
    """Choose the setting that calls best, one with the encoder only where it is clearly better than all without.

    Parameters
    ----------
    called
        What each setting of the grid called the training answers, out of fold; shape (n_answers,) each.
    labels
        Their gold labels.
    figure
        What is best.

    Returns
    -------
    int
        Where the setting stands in the grid. The best one that learns from the encoder is chosen where its lead over
        the best one that does not is more than one standard error of that lead, by 200 bootstrap samples of the
        answers.
    """
    scores = [figure(labels, one) for one in called]
    plain, read = (
        max((n for n, setting in enumerate(GRID) if setting.is_read is wanted), key=scores.__getitem__)
        for wanted in (False, True)
    )
    rng = np.random.default_rng(0)
    samples = [rng.integers(len(labels), size=len(labels)) for _ in range(200)]
    leads = [figure(labels[rows], called[read][rows]) - figure(labels[rows], called[plain][rows]) for rows in samples]
    return read if scores[read] - scores[plain] > np.std(leads) else plain


def read_semeval(folder: Path, encoder: Encoder) -> Iterator[Task]:
    """Read one task per target: files ``<target>_train.jsonl`` and ``<target>_test.jsonl``."""
    for path in sorted(folder.glob("*_train.jsonl")):
        test = path.with_name(path.name.replace("_train", "_test"))
        yield Task(read_part(path, SEMEVAL), read_part(test, SEMEVAL), SEMEVAL, encoder)


def read_pubmedqa(folder: Path, encoder: Encoder) -> Iterator[Task]:
    """Read the one task: files ``train.jsonl`` and ``test.jsonl``."""
    train, test = (read_part(folder / f"{part}.jsonl", PUBMEDQA) for part in ("train", "test"))
    yield Task(train, test, PUBMEDQA, encoder)


def benchmark_table(semeval: Path | None, pubmedqa: Path | None, encoder: Encoder) -> str:
    """Render the figures of the data sets that are there."""
    rows = []
    for name, tasks, figure in (
        (
            "SemEval-2016 task 6, five targets",
            [] if semeval is None else [*read_semeval(semeval, encoder)],
            favor_against,
        ),
        ("PubMedQA", [] if pubmedqa is None else [*read_pubmedqa(pubmedqa, encoder)], macro_f1),
    ):
        if tasks:
            found = score_tasks(tasks, figure)
            setting: Setting = found["setting"]  # type: ignore[assignment]
            cells = [f"{found[key]:.3f}" for key in ("figure", "cross_validated", "accuracy", "macro_f1")]
            rows.append(
                [
                    name,
                    str(found["n_test"]),
                    *cells,
                    setting.describe(),
                    f"{found['cpu_seconds']:.0f} s",
                    f"{found['reading_seconds']:.0f} s",
                ]
            )
    names = ["data set", "test answers", "figure", "the same, out of fold", "accuracy", "macro-F1", "chosen"]
    return render_table([*names, "CPU time to fit and call", "to read all answers"], rows)


def main() -> None:
    """Measure and write the table of docs/method.md, or print it where nothing may be written."""
    parser = argparse.ArgumentParser(prog="python -m data.measure.benchmarks", description=__doc__)
    parser.add_argument("--semeval", type=Path, help="folder of <target>_train.jsonl and <target>_test.jsonl")
    parser.add_argument("--pubmedqa", type=Path, help="folder of train.jsonl and test.jsonl")
    parser.add_argument("--encoder", default="default", help="the model whose encoder reads the answers")
    parser.add_argument("--print", action="store_true", help="print the table instead of writing it")
    options = parser.parse_args()
    table = benchmark_table(options.semeval, options.pubmedqa, open_encoder(options.encoder).encoder)
    if options.print:
        sys.stdout.write(table + "\n")
        return
    method = Path(__file__).parents[2] / "docs" / "method.md"
    method.write_text(replace_sections(method.read_text(encoding="utf-8"), {"benchmarks": table}), encoding="utf-8")


if __name__ == "__main__":
    main()
