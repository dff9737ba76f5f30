"""The use cases: the only place where stages are composed."""

from __future__ import annotations

import hashlib
import json
import math
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from importlib.metadata import version
from itertools import chain, count, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from pipeline.aggregate import ConsensusRule, aggregate_question, build_rule
from pipeline.errors import BadInput, ModelError, WrongUsage
from pipeline.flat import Row
from pipeline.ingest import FIELDS, ReadOptions, read_answers
from pipeline.lexicon import default_lexicon_text, parse_lexicon
from pipeline.output import record_format, to_json_line, write_rows, write_text
from pipeline.schema import (
    AnswerRecord,
    ClassifiedAnswer,
    LabelScheme,
    Notice,
    Rejected,
    Report,
    StanceCall,
    first_problem,
    join_call,
    read_gold_evidence,
    split_classified,
)

if TYPE_CHECKING:
    from pipeline.classify import Explanation, StanceModel
    from pipeline.estimator import ClassifierConfig
    from pipeline.evaluate import CrossValidation
    from pipeline.features import Features, Vocabulary
    from pipeline.fitting import TrainingData
    from pipeline.persistence import ModelFolder
    from pipeline.preprocess import AnswerParser, ParsedBatch

# Stages that need spaCy or scikit-learn are imported where they are used: a command starts with what it needs.

# What the command line hands on to the stages, so that it need know none of them.
__all__ = ["FIELDS", "ConsensusRule", "ReadOptions", "build_rule"]

DISCLAIMER = "Not medical advice: it counts what answers say, not what is medically right."
BATCH_SIZE = 1024
_POSTERIOR_SLACK = 0.01
Say = Callable[[str], None]


def package_file(name: str) -> str:
    """Return a data file's text from the installed package, or from the checkout it runs in."""
    package = Path(__file__).resolve().parent
    places = (package / "resources" / Path(name).name, package.parent / name)
    return next(place for place in places if place.is_file()).read_text(encoding="utf-8")


def default_scheme() -> LabelScheme:
    """Return the label scheme that comes with medstance."""
    return parse_scheme(package_file("data/label_scheme.toml"), "label_scheme.toml")


def parse_scheme(text: str, name: str) -> LabelScheme:
    """Read a label scheme from TOML text.

    Raises
    ------
    BadInput
        When it is none.
    """
    try:
        data = tomllib.loads(text)
        return LabelScheme.model_validate({"name": data.get("name"), "labels": data.get("label")})
    except tomllib.TOMLDecodeError as error:
        raise BadInput(name, f"is no TOML: {error}") from error
    except ValidationError as error:
        where, problem = first_problem(error)
        raise BadInput(name, problem, where=where) from error


def read_scheme(path: Path) -> LabelScheme:
    """Read a label scheme from a TOML file.

    Raises
    ------
    BadInput
        When it cannot be read or is none.
    """
    try:
        return parse_scheme(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(str(path), f"cannot be read ({error})") from error


# ---------------------------------------------------------------- where results go


def write_records(rows: Iterable[Row], path: Path | None, format_name: str | None) -> int:
    """Write records whole or not at all, and return how many.

    Parameters
    ----------
    rows
        JSON-ready records.
    path
        Where to; None for standard output.
    format_name
        "jsonl", "csv", "tsv" or "parquet"; None to go by the file's name, or for "jsonl" on standard output.
    """
    if format_name is None:
        format_name = "jsonl" if path is None else record_format(str(path))
    return write_rows(rows, path, format_name)


def quarantine_path(given: Path | None, output: Path | None, sources: Sequence[str]) -> Path:
    """Return where bad records go: as given, else beside the output, else in the working directory.

    Raises
    ------
    WrongUsage
        When that place, or the output's, is a source too.
    """
    path = given or _default_quarantine(output)
    for target in (path, output):
        if target is not None and any(_is_same_file(target, source) for source in sources):
            raise WrongUsage(f"{target}: is a source too: write somewhere else")
    return path


def _default_quarantine(output: Path | None) -> Path:
    if output is not None and not output.is_dir() and (output.is_file() or not output.exists()):
        place = output if output.name else output.resolve()
        return place.with_name(f"{place.name}.quarantine.jsonl")
    # In a folder of the user's own nothing is written over.
    names = chain(["quarantine.jsonl"], (f"quarantine-{n}.jsonl" for n in count(2)))
    return next(path for path in map(Path, names) if not path.exists())


def _is_same_file(path: Path, source: str) -> bool:
    return source != "-" and path.exists() and Path(source).exists() and path.samefile(source)


# ---------------------------------------------------------------- reading


@dataclass
class Intake:
    """Answers of some sources, with notices said and bad records quarantined as they come.

    Attributes
    ----------
    sources
        Files, folders, or ``-``.
    options
        How to read them.
    say
        Where notices go.
    n_answers
        Answers given so far.
    rejected
        Records left out so far.
    notices
        What was said so far.
    """

    sources: Sequence[str]
    options: ReadOptions
    say: Say
    n_answers: int = 0
    rejected: list[Rejected] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)

    def __iter__(self) -> Iterator[AnswerRecord]:
        for item in read_answers(self.sources, self.options):
            if isinstance(item, AnswerRecord):
                self.n_answers += 1
                yield item
            elif isinstance(item, Rejected):
                self.rejected.append(item)
            else:
                self.notices.append(item)
                self.say(f"warning: {item}")

    def reject(self, answer: AnswerRecord, column: str, reason: str) -> None:
        """Quarantine an answer that was read well and cannot be used for this task."""
        self.n_answers -= 1
        source = answer.source
        raw = to_json_line(answer.to_row())
        rejected = Rejected(file=source.file, locator=source.locator, column=column, reason=reason, raw=raw)
        self.rejected.append(rejected)

    def checked(self, rows: Iterable[Row], quarantine: Path) -> Iterator[Row]:
        """Give rows made of the answers; at the end, raise if there were none but bad records.

        Raised while the rows are being written, it leaves an earlier result as it was.
        """
        yield from rows
        if self.n_answers == 0:
            self.close(quarantine)

    def close(self, quarantine: Path) -> int:
        """Write the quarantine file if any record was left out, and return how many were.

        Raises
        ------
        BadInput
            When no answer at all was left.
        """
        if not self.rejected:
            return 0
        write_rows((r.model_dump() for r in self.rejected), quarantine, "jsonl")
        n, first = len(self.rejected), self.rejected[0]
        where = f"{first.locator}, column {first.column}" if first.column else first.locator
        if self.n_answers == 0:
            reason = f"{first.reason} (none of {n} records can be used; all are in {quarantine})"
            raise BadInput(first.file, reason, where=where)
        self.say(f"warning: {n} record{'s' * (n > 1)} left out, the first {first.file}, {where}: {first.reason}")
        self.say(f"warning: see {quarantine}")
        return n


def ingest_sources(intake: Intake) -> Iterator[Row]:
    """Read sources into answer records."""
    return (answer.to_row() for answer in intake)


# ---------------------------------------------------------------- classifying


class Classifier:
    """A model, loaded when the first answer needs it, and the parser built from its lexicon."""

    def __init__(self, name: str) -> None:
        self.folder: ModelFolder = open_model(name)

    @property
    def scheme(self) -> LabelScheme:
        """The labels of its calls."""
        return self.folder.manifest.scheme

    @cached_property
    def model(self) -> StanceModel:
        """The model, loaded."""
        from pipeline.persistence import load_model

        return load_model(self.folder)

    @cached_property
    def parser(self) -> AnswerParser:
        """The parser with the model's own lexicon."""
        from pipeline.preprocess import AnswerParser

        return AnswerParser(parse_lexicon(self.model.lexicon_text, f"{self.folder.path}/cues.toml"))

    def classify(self, answers: Iterable[AnswerRecord]) -> Iterator[ClassifiedAnswer]:
        """Classify answers, in order; earlier calls that they carry are replaced."""
        from pipeline.classify import call_answers
        from pipeline.preprocess import parse_answers

        for batch in parse_answers(self.parser, answers, batch_size=BATCH_SIZE):
            calls = call_answers(self.model, batch)
            for answer, call in zip(batch.answers, calls, strict=True):
                yield ClassifiedAnswer(answer=_without_call(answer), call=call)

    def classify_rows(self, answers: Iterable[AnswerRecord]) -> Iterator[Row]:
        """Classify answers as `classify` does, and give answer and call as one row."""
        from pipeline.classify import call_rows, explain_answers
        from pipeline.preprocess import parse_answers

        for batch in parse_answers(self.parser, answers, batch_size=BATCH_SIZE):
            calls = call_rows(self.model, explain_answers(self.model, batch))
            for answer, call in zip(batch.answers, calls, strict=True):
                yield join_call(_without_call(answer).to_row(), call)

    def complete(self, answers: Iterable[AnswerRecord]) -> Iterator[ClassifiedAnswer]:
        """Give answers with the calls they carry, and classify those that carry none."""
        stream = iter(answers)
        while batch := list(islice(stream, BATCH_SIZE)):
            known = [self._known_call(answer) for answer in batch]
            new = (
                self.classify(a for a, k in zip(batch, known, strict=True) if k is None) if None in known else iter(())
            )
            for answer in known:
                yield next(new) if answer is None else answer

    def _known_call(self, answer: AnswerRecord) -> ClassifiedAnswer | None:
        source = answer.source
        try:
            known = split_classified(answer)
        except ValidationError as error:
            column, problem = first_problem(error)
            raise BadInput(source.file, f"{column}: {problem}: classify it again", where=source.locator) from error
        contradiction = None if known is None else self._find_contradiction(known.call)
        if contradiction is not None:
            raise BadInput(source.file, f"{contradiction}: classify it again", where=source.locator)
        return known

    def _find_contradiction(self, call: StanceCall) -> str | None:
        """Say what cannot be in a call under this model's scheme."""
        if set(call.posteriors) != set(self.scheme.names):
            labels, name = ", ".join(call.posteriors), self.folder.manifest.name
            return f"posteriors: of other labels ({labels}) than those of {name} (name its model with --model)"
        if abs(sum(call.posteriors.values()) - 1) > _POSTERIOR_SLACK:
            return f"posteriors: sum to {sum(call.posteriors.values()):g}, not to 1"
        if call.stance not in self.scheme.names:
            return f"stance: {call.stance!r} is no label of the scheme ({', '.join(self.scheme.names)})"
        if call.side != self.scheme.side_of(call.stance):
            return f"side: {call.side!r} is not the side of {call.stance!r}"
        return None


def _without_call(answer: AnswerRecord) -> AnswerRecord:
    """Take an earlier call out of a record; fields that are only named like a call's are the user's own."""
    try:
        earlier = split_classified(answer)
    except ValidationError:
        return answer
    return answer if earlier is None else earlier.answer


def classify_sources(intake: Intake, model_name: str, *, progress: Callable[[int], None]) -> Iterator[Row]:
    """Classify every answer of some sources, in order, every field kept."""
    for n, row in enumerate(Classifier(model_name).classify_rows(intake), start=1):
        progress(n)
        yield row


# ---------------------------------------------------------------- reporting


def report_sources(intake: Intake, model_name: str, rule: ConsensusRule, *, progress: Callable[[int], None]) -> Report:
    """Aggregate the answers of some sources per question, classified first where they are not.

    Questions stand in order of first appearance.
    """
    classifier = Classifier(model_name)
    by_question: dict[str, list[ClassifiedAnswer]] = {}
    for n, answer in enumerate(classifier.complete(intake), start=1):
        progress(n)
        by_question.setdefault(answer.answer.question_id, []).append(answer)
    manifest = classifier.folder.manifest
    names = Counter(a.call.model for answers in by_question.values() for a in answers)
    warnings = [str(notice) for notice in intake.notices]
    warnings += [
        f"{n} answers were classified by {name}, not by {classifier.folder.full_name}"
        for name, n in names.items()
        if name != classifier.folder.full_name
    ]
    if intake.rejected:
        warnings.append(f"{len(intake.rejected)} records could not be read and are in no number here")
    return Report(
        medstance=version("medstance"),
        model={
            "names": list(names),
            "scheme": manifest.scheme.name,
            "side_accuracy": manifest.scores["side_accuracy"],
        },
        rule=asdict(rule),
        warnings=tuple(warnings),
        disclaimer=DISCLAIMER,
        questions=tuple(aggregate_question(answers, classifier.scheme, rule) for answers in by_question.values()),
    )


def render_report(report: Report, format_name: str) -> str:
    """Render a report in a format that files have: html, md, json or csv."""
    from pipeline.report import render_csv, render_html, render_json, render_markdown

    renderers = {"html": render_html, "md": render_markdown, "json": render_json, "csv": render_csv}
    return renderers[format_name](report)


REPORT_FORMATS = {
    ".html": "html",
    ".htm": "html",
    ".md": "md",
    ".markdown": "md",
    ".json": "json",
    ".csv": "csv",
}


def report_format(path: Path) -> str:
    """Return the report format that a file's name asks for.

    Raises
    ------
    WrongUsage
        When the name asks for none.
    """
    if path.is_dir():
        raise WrongUsage(f"{path}: is a folder: name a file")
    suffix = path.suffix.lower()
    if suffix not in REPORT_FORMATS:
        raise WrongUsage(f"{path}: cannot tell a report's format from its name: use .html, .md, .json or .csv")
    return REPORT_FORMATS[suffix]


def write_report(report: Report, path: Path) -> None:
    """Write a report in the format that the file's name asks for, whole or not at all."""
    write_text(path, render_report(report, report_format(path)))


# ---------------------------------------------------------------- explaining

MAX_EXPLAINED_WORDS = 12


def explain_text(
    question: str, text: str, model_name: str, *, proposition: str | None = None, headline: str | None = None
) -> Row:
    """Classify one answer and say what moved it.

    Returns
    -------
    mapping
        The call's fields, and: `intercept`; `sentences` (in order of place: quote, what it adds, and
        `relevance`, the weight it is read with); `cues` and `words` (strongest first: what it adds,
        features, quote, and place in the record), `rest` (number and weight of the weaker words), `total`.
        ``intercept + sentences = intercept + cues + words + rest = total``, the log-odds of the stance over
        the mean of all stances.
    """
    from pipeline.preprocess import parse_answers

    fields = {"question": question, "text": text, "proposition": proposition, "headline": headline}
    classifier = Classifier(model_name)
    (batch,) = parse_answers(classifier.parser, _records_of([fields]))
    return _explain_answer(classifier.model, batch)


def _explain_answer(model: StanceModel, batch: ParsedBatch) -> Row:
    from pipeline.classify import call_explained, explain_answers

    explanation = explain_answers(model, batch)
    (call,) = call_explained(model, explanation)
    marks = _sum_by_place(explanation)
    shown, rest = marks[:MAX_EXPLAINED_WORDS], marks[MAX_EXPLAINED_WORDS:]
    sentences = zip(explanation.sentence_weights().tolist(), explanation.relevance.tolist(), strict=True)
    return {
        **call.model_dump(mode="json"),
        "intercept": round(float(explanation.intercepts[0]), 4),
        "sentences": [
            {**_quote(batch, *batch.sentence_range(n)), "weight": round(weight, 4), "relevance": round(relevance, 4)}
            for n, (weight, relevance) in enumerate(sentences)
        ],
        "cues": [_mark_row(batch, mark) for mark in shown if mark.document == "cues"],
        "words": [_mark_row(batch, mark) for mark in shown if mark.document == "words"],
        "rest": {"n": len(rest), "weight": round(sum(mark.weight for mark in rest), 4)},
        "total": round(float(explanation.intercepts[0] + explanation.weights.sum()), 4),
    }


class _Mark(NamedTuple):
    """All that one document's features add at a token."""

    document: str
    token: int
    weight: float
    features: tuple[str, ...]


def _sum_by_place(explanation: Explanation) -> list[_Mark]:
    """Sum what the features of each document add at each token, strongest first."""
    names = explanation.features.names(explanation.rows)
    documents = explanation.features.documents(explanation.rows).tolist()
    found: dict[tuple[str, int], list[tuple[float, str]]] = {}
    for document, token, weight, name in zip(
        documents, explanation.tokens.tolist(), explanation.weights.tolist(), names, strict=True
    ):
        found.setdefault((("cues" if document == 1 else "words"), token), []).append((weight, name))
    marks = [
        _Mark(document, token, sum(weight for weight, _ in parts), tuple(dict.fromkeys(name for _, name in parts)))
        for (document, token), parts in found.items()
    ]
    return sorted(marks, key=lambda mark: (-abs(mark.weight), mark.token, mark.document))


def _mark_row(batch: ParsedBatch, mark: _Mark) -> Row:
    ends = [mark.token + 1]
    if mark.document == "cues":
        ends += [cue.end for cue in batch.answer_cues(0) if cue.start == mark.token]
    start, _ = batch.token_range(mark.token)
    _, end = batch.token_range(max(ends) - 1)
    return {**_quote(batch, start, end), "weight": round(mark.weight, 4), "features": list(mark.features)}


def _quote(batch: ParsedBatch, start: int, end: int) -> Row:
    """Quote a stretch of the only answer's composed text from the record; its first field where it has two."""
    places = batch.sources[0].locate(start, end)
    if not places:
        return {"quote": "", "field": "text", "start": 0, "end": 0}
    return {"quote": places[0].quote, "field": places[0].field, "start": places[0].start, "end": places[0].end}


_SURROGATE = re.compile("[\ud800-\udfff]")


def _records_of(rows: Iterable[dict[str, str | None]]) -> Iterator[AnswerRecord]:
    for place, row in enumerate(rows, start=1):
        garbled = next((name for name, value in row.items() if value and _SURROGATE.search(value)), None)
        if garbled is not None:
            raise WrongUsage(f"the {garbled} is no UTF-8 text")
        given = {name: value for name, value in row.items() if value is not None}
        source = {"file": "<command line>", "locator": f"answer {place}"}
        derived = {"question_id": "question", "answer_id": str(place), "position": place, "source": source}
        try:
            yield AnswerRecord.model_validate(derived | given)
        except ValidationError as error:
            column, problem = first_problem(error)
            raise WrongUsage(f"the {column} {problem}") from error


# ---------------------------------------------------------------- training and scoring


@dataclass(frozen=True)
class LabelledData:
    """Labelled answers, read and checked against a scheme.

    Attributes
    ----------
    answers, labels
        Shape (n_answers,) each.
    scheme
        The labels.
    source_weights
        How much an answer of a source counts, by the source as named; 1 where it is not.
    """

    answers: list[AnswerRecord]
    labels: list[str]
    scheme: LabelScheme
    source_weights: Mapping[str, float] = field(default_factory=dict)

    @cached_property
    def weights(self) -> list[float]:
        """How much each answer counts in training."""
        return [self._weight_of(answer.source.file) for answer in self.answers]

    def _weight_of(self, file: str) -> float:
        return next((weight for name, weight in self.source_weights.items() if _is_from(file, name)), 1.0)

    @cached_property
    def questions(self) -> list[str]:
        """The question of each answer; one name for a question under two ids."""
        from pipeline.evaluate import group_questions

        return group_questions([a.question_id for a in self.answers], [a.question for a in self.answers])

    def digest(self) -> str:
        """Return a SHA-256 of what a model can learn from, in order.

        Questions, texts, labels, marked evidence, and how much each answer counts.
        """
        state = hashlib.sha256()
        for answer, label, weight in zip(self.answers, self.labels, self.weights, strict=True):
            parts = [
                answer.question_id,
                answer.question,
                answer.proposition,
                answer.headline,
                answer.text,
                label,
                [[span.field, span.start, span.end] for span in read_gold_evidence(answer)],
                weight,
            ]
            state.update(json.dumps(parts, ensure_ascii=False).encode() + b"\n")
        return state.hexdigest()


def read_weights(given: Sequence[str], sources: Sequence[str]) -> dict[str, float]:
    """Read how much each answer of a source counts, written ``SOURCE=W``.

    Raises
    ------
    WrongUsage
        When it names no source of the run, or no positive number.
    """
    weights: dict[str, float] = {}
    for item in given:
        name, sign, number = item.rpartition("=")
        if not sign or not name:
            raise WrongUsage(f"--weight {item}: expected SOURCE=W, as in {sources[0]}=2")
        if name not in sources:
            raise WrongUsage(f"--weight {item}: {name!r} is no source that is read ({', '.join(sources)})")
        try:
            weights[name] = float(number)
        except ValueError:
            weights[name] = math.nan
        if not 0 < weights[name] < math.inf:
            raise WrongUsage(f"--weight {item}: {number!r} is no positive number: write SOURCE=W, as in {name}=2")
    return weights


def read_labelled(
    intake: Intake,
    scheme: LabelScheme | None,
    *,
    is_models: bool = False,
    source_weights: Mapping[str, float] | None = None,
) -> LabelledData:
    """Read labelled answers; those without a label of the scheme are quarantined.

    Parameters
    ----------
    intake
        Sources whose records have a field `label`.
    scheme
        The labels; None to take the scheme of medstance where the data has at least three of its labels,
        and the data's own labels, unordered, where it has not.
    is_models
        Whether the scheme is a model's: then data of another scheme is refused, not quarantined row by row.
    source_weights
        How much each answer of a source counts in training, by the source as named.

    Raises
    ------
    BadInput
        When the scheme is a model's and has less than half of the data's labels.
    WrongUsage
        When a source has a weight and no record says that it is from there.
    """
    answers: list[AnswerRecord] = []
    labels: list[str] = []
    for answer in intake:
        label = (answer.model_extra or {}).get("label")
        label = str(label) if isinstance(label, int) and not isinstance(label, bool) else label
        problem = _find_bad_evidence(answer)
        if problem is not None:
            intake.reject(answer, *problem)
        elif isinstance(label, str) and label.strip():
            answers.append(answer)
            labels.append(label.strip())
        else:
            intake.reject(answer, "label", "is missing or empty (labelled data needs a field 'label')")
    _check_weights(source_weights or {}, {a.source.file for a in answers} | {r.file for r in intake.rejected})
    if scheme is None:
        scheme = _infer_scheme(labels)
        if scheme.name != default_scheme().name:
            intake.say(f"labels are {', '.join(scheme.names)}: an unordered scheme of their own (see --scheme)")
    found = set(labels)
    if is_models and found and len(found & set(scheme.names)) * 2 < len(found):
        theirs, ours = ", ".join(sorted(found)[:6]), ", ".join(scheme.names)
        raise BadInput(intake.sources[0], f"its labels ({theirs}) are not those of the model ({ours}): see --model")
    kept = [place for place, label in enumerate(labels) if label in scheme.names]
    for place in sorted(set(range(len(labels))) - set(kept)):
        known = ", ".join(scheme.names)
        intake.reject(answers[place], "label", f"{labels[place]!r} is no label of the scheme ({known})")
    return LabelledData([answers[i] for i in kept], [labels[i] for i in kept], scheme, source_weights or {})


def _is_from(file: str, source: str) -> bool:
    """Say whether a record's file is a source as named, or in that folder."""
    path = Path(file)
    return Path("<stdin>" if source == "-" else source) in {path, *path.parents}


def _check_weights(weights: Mapping[str, float], files: Collection[str]) -> None:
    for name, weight in weights.items():
        if not any(_is_from(file, name) for file in files):
            problem = "its records say that they are from elsewhere: take away their field 'source'"
            raise WrongUsage(f"--weight {name}={weight:g}: {problem}")


def _find_bad_evidence(answer: AnswerRecord) -> tuple[str, str] | None:
    try:
        spans = read_gold_evidence(answer)
    except ValidationError as error:
        where, problem = first_problem(error)
        shape = "a list of field ('headline' or 'text'), start and end"
        return f"gold_evidence.{where}".rstrip("."), f"{problem} (marked evidence is {shape})"
    for place, span in enumerate(spans):
        n_chars = len(getattr(answer, span.field) or "")
        if not span.start < span.end <= n_chars:
            problem = f"expected offsets within the {span.field}'s {n_chars} characters"
            return f"gold_evidence.{place}", f"{problem}, found {span.start} to {span.end}"
    return None


def _infer_scheme(labels: Sequence[str]) -> LabelScheme:
    scheme, found = default_scheme(), set(labels)
    if len(found & set(scheme.names)) >= min(3, len(found)):
        return scheme
    if len(found) < 2:
        raise BadInput(
            "labelled data", f"{len(labels)} answers with {len(found)} labels: two at least are needed to learn from"
        )
    return LabelScheme.from_labels("labels of the data", sorted(found))


def train_model(
    data: LabelledData,
    folder: Path,
    config: ClassifierConfig,
    *,
    say: Say,
    n_folds: int = 5,
    target_accuracy: float = 0.75,
    with_curves: bool = False,
) -> ModelFolder:
    """Train a model, score it by cross-validation across questions, and save it with its card.

    Parameters
    ----------
    data
        Labelled answers.
    folder
        Where the model goes.
    config
        What to fit with.
    say
        Where progress goes.
    n_folds
        Folds of the cross-validation.
    target_accuracy
        Share of right sides that the threshold of abstention aims at.
    with_curves
        Also measure the learning curve and, where answers name a `group`, scores on groups never seen;
        takes several times as long.
    """
    from pipeline.classify import StanceModel
    from pipeline.estimator import scale_temperature
    from pipeline.evaluate import choose_abstention, cross_validate, score_abstention, score_evidence, score_posteriors
    from pipeline.features import build_vocabulary
    from pipeline.fitting import fit_estimator
    from pipeline.persistence import save_model
    from pipeline.preprocess import AnswerParser
    from pipeline.training import count_labelled, featurise

    lexicon_text = default_lexicon_text()
    say(f"reading {len(data.answers)} answers to {len(set(data.questions))} questions")
    parser = AnswerParser(parse_lexicon(lexicon_text, "cues.toml"))
    features = featurise(data.answers, parser, with_pieces=config.piece_weight > 0)
    vocabulary = build_vocabulary(features, config.min_answers)
    training = count_labelled(features, vocabulary, data.labels, data.questions, data.weights)
    validation = cross_validate(training, data.scheme, config, n_folds=n_folds)
    say(f"scored over {validation.n_folds} folds, by {validation.grouped_by}")
    threshold = choose_abstention(validation.posteriors, data.labels, data.scheme, target_accuracy)
    estimator = scale_temperature(fit_estimator(training, config), validation.temperature)
    scores = score_posteriors(validation.posteriors, data.labels, data.questions, data.scheme)
    counts = Counter(data.labels)
    return save_model(
        folder,
        StanceModel(folder.name, data.scheme, vocabulary, estimator, lexicon_text, threshold, config),
        temperature=validation.temperature,
        training={
            "n_answers": len(data.answers),
            "n_questions": len(set(data.questions)),
            "labels": {name: counts[name] for name in data.scheme.names},
            "sources": sorted({Path(a.source.file).name for a in data.answers}),
            "source_weights": dict(data.source_weights),
            "digest": data.digest(),
        },
        scores=scores.to_row()
        | score_abstention(
            validation.posteriors, data.labels, data.scheme, threshold, is_silent=_find_silent(features, vocabulary)
        )
        | score_evidence(validation.evidence, training.is_evidence, training.sentences.answers)
        | {"curves": _measure_curves(data, training, validation, config, say, n_folds if with_curves else None)}
        | {"grouped_by": validation.grouped_by, "n_folds": validation.n_folds},
        answers=data.answers,
    )


def _measure_curves(
    data: LabelledData,
    training: TrainingData,
    validation: CrossValidation,
    config: ClassifierConfig,
    say: Say,
    n_folds: int | None,
) -> dict[str, Any]:
    """Measure what the card draws; the curves that need further fits where a number of folds is given."""
    from pipeline.curves import coverage_curve, reliability_bins
    from pipeline.evaluate import judge_sides, measure_groups, measure_learning_curve

    confidence, right = judge_sides(validation.posteriors, data.labels, data.scheme)
    called, accuracy = coverage_curve(confidence, right)
    curves: dict[str, Any] = {
        "reliability": [
            (round(b.confidence, 4), round(b.accuracy, 4), b.n) for b in reliability_bins(confidence, right)
        ],
        "coverage": list(zip(called.round(4).tolist(), accuracy.round(4).tolist(), strict=True)),
    }
    if n_folds is not None:
        say("measuring the learning curve")
        curves["learning"] = measure_learning_curve(
            training, data.scheme, config, temperature=validation.temperature, n_folds=n_folds
        )
        groups = [(answer.model_extra or {}).get("group") for answer in data.answers]
        groups = [group if isinstance(group, str) else None for group in groups]
        if any(groups):
            say("scoring groups never seen")
            curves["groups"] = measure_groups(training, groups, data.scheme, config, temperature=validation.temperature)
    return curves


def evaluate_model(data: LabelledData, classifier: Classifier, *, say: Say) -> Row:
    """Score a model on labelled answers, and warn of those it was trained on."""
    from pipeline.classify import choose_evidence, choose_stances
    from pipeline.estimator import predict_posteriors
    from pipeline.evaluate import score_abstention, score_evidence, score_posteriors
    from pipeline.persistence import hash_answer
    from pipeline.training import count_labelled, featurise

    model = classifier.model
    seen = classifier.folder.training_hashes()
    n_seen = sum(hash_answer(answer) in seen for answer in data.answers)
    if n_seen:
        say(
            f"warning: {n_seen} of {len(data.answers)} answers were in the model's training data: the scores flatter it"
        )
    features = featurise(data.answers, classifier.parser, with_pieces=model.config.piece_weight > 0)
    scored = count_labelled(features, model.vocabulary, data.labels, data.questions, data.weights)
    posteriors = predict_posteriors(model.estimator, scored.sentences, model.scheme)
    stances, _ = choose_stances(posteriors, model.scheme)
    strengths = model.estimator.weigh_features(scored.sentences, stances)
    strengths *= model.estimator.predict_relevance(scored.sentences)
    evidence = choose_evidence(strengths, scored.sentences.answers, model.config)
    is_silent = _find_silent(features, model.vocabulary)
    return (
        {"model": model.name, "n_seen_in_training": n_seen}
        | score_posteriors(posteriors, data.labels, data.questions, model.scheme).to_row()
        | score_abstention(posteriors, data.labels, model.scheme, model.abstain_below, is_silent=is_silent)
        | score_evidence(evidence, scored.is_evidence, scored.sentences.answers)
    )


def _find_silent(features: Sequence[Features], vocabulary: Vocabulary) -> NDArray[np.bool_]:
    """Say which answers have no word and no cue of a vocabulary, shape (n_answers,)."""
    from pipeline.classify import find_said

    return np.concatenate([~find_said(batch, vocabulary.columns(batch.hashes) >= 0) for batch in features])


def check_model_place(folder: Path) -> None:
    """Raise, before any work is done, when a model cannot be written to a place."""
    from pipeline.persistence import check_place

    check_place(folder)


def default_config() -> ClassifierConfig:
    """Return what a classifier is fitted with unless told otherwise."""
    from pipeline.estimator import ClassifierConfig

    return ClassifierConfig()


def show_scores(scores: Row) -> list[tuple[str, str]]:
    """Return scores in words, in a fixed order."""
    from pipeline.card import score_lines

    return score_lines(scores)


def open_model(name: str) -> ModelFolder:
    """Find and verify a model folder without loading its artefact."""
    from pipeline.persistence import find_model, read_folder

    return read_folder(find_model(name))


def describe_models() -> list[Row]:
    """Describe the installed models: name, digest, path, training answers, sides right out of fold."""
    from pipeline.persistence import list_models, read_folder

    folders = [read_folder(path) for path in list_models()]
    return [
        {
            "name": folder.manifest.name,
            "digest": folder.digest,
            "path": str(folder.path),
            "n_answers": folder.manifest.training["n_answers"],
            "side_accuracy": folder.manifest.scores["side_accuracy"],
        }
        for folder in folders
    ]


def verify_models(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Read, hash and load models; give each one's name and full name.

    Raises
    ------
    ModelError
        At the first that is not intact.
    """
    from pipeline.persistence import find_model, list_models, load_model, read_folder

    folders = [find_model(name) for name in names] or list_models()
    if not folders:
        raise ModelError("no model is installed")
    for path in folders:
        folder = read_folder(path)
        load_model(folder)
        yield str(path), folder.full_name
