"""Classified answers by question, in memory or on disk, and the panel's view of each."""

from __future__ import annotations

import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, Self

from pipeline.aggregate import ConsensusRule, aggregate_question, read_field
from pipeline.errors import WrongUsage
from pipeline.schema import ClassifiedAnswer, Consensus
from pipeline.workflow.classifying import Classifier
from pipeline.workflow.intake import Intake


class Panels(Protocol):
    """Classified answers by question, in order of the questions' first appearance."""

    def add(self, answer: ClassifiedAnswer) -> None:
        """Add an answer to those to its question."""
        ...

    def __iter__(self) -> Iterator[Sequence[ClassifiedAnswer]]: ...


class PanelsInMemory:
    """Panels of a report that is made in one piece."""

    def __init__(self) -> None:
        self._by_question: dict[str, list[ClassifiedAnswer]] = {}

    def add(self, answer: ClassifiedAnswer) -> None:
        """Add an answer to those to its question."""
        self._by_question.setdefault(answer.answer.question_id, []).append(answer)

    def __iter__(self) -> Iterator[Sequence[ClassifiedAnswer]]:
        return iter(self._by_question.values())


class PanelsOnDisk:
    """Panels of a report too large for memory, in a temporary SQLite file; and the view of each, once there is one.

    Used in a ``with`` block, at whose end the file goes. Only the ids of the questions are in memory.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="stance-")
        self._numbers: dict[str, int] = {}
        self._database = sqlite3.connect(Path(self._folder.name) / "panels.sqlite")
        # A run that is cut short starts anew: nothing of this file is ever needed again.
        self._database.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
            "CREATE TABLE answer (question INTEGER, content BLOB); CREATE TABLE consensus (content BLOB);"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()
        self._folder.cleanup()

    def add(self, answer: ClassifiedAnswer) -> None:
        """Add an answer to those to its question."""
        number = self._numbers.setdefault(answer.answer.question_id, len(self._numbers))
        self._database.execute("INSERT INTO answer VALUES (?, ?)", (number, answer.model_dump_json()))

    def __iter__(self) -> Iterator[Sequence[ClassifiedAnswer]]:
        self._database.execute("CREATE INDEX IF NOT EXISTS of_question ON answer (question)")
        for number in range(len(self._numbers)):
            rows = self._database.execute("SELECT content FROM answer WHERE question = ? ORDER BY rowid", (number,))
            yield [ClassifiedAnswer.model_validate_json(content) for (content,) in rows]

    def keep(self, consensus: Consensus) -> None:
        """Keep the view of the next question."""
        self._database.execute("INSERT INTO consensus VALUES (?)", (consensus.model_dump_json(),))

    def kept(self) -> Iterator[Consensus]:
        """Give the views that were kept, in order."""
        rows = self._database.execute("SELECT content FROM consensus ORDER BY rowid")
        return (Consensus.model_validate_json(content) for (content,) in rows)


@dataclass
class Tally:
    """What a report says of all its answers, counted as they pass.

    Attributes
    ----------
    by
        Fields that votes are broken down by.
    models
        Answers by the model that called them.
    found
        Those of `by` that any answer has.
    n_questions, n_foreign
        Questions, and those not all of whose answers were called by the report's own model.
    n_cells, n_small
        Cells of the breakdowns, and those that are too small.
    """

    by: Sequence[str] = ()
    models: Counter[str] = field(default_factory=Counter)
    found: set[str] = field(default_factory=set)
    n_questions: int = 0
    n_foreign: int = 0
    n_cells: int = 0
    n_small: int = 0

    def count_answer(self, answer: ClassifiedAnswer) -> None:
        """Count an answer."""
        self.models[answer.call.model] += 1
        self.found.update(name for name in self.by if name not in self.found and _has_field(answer, name))

    def count_question(self, consensus: Consensus, own: str) -> None:
        """Count a question; `own` is the full name of the report's model."""
        self.n_questions += 1
        self.n_foreign += any(answer.call.model != own for answer in consensus.answers)
        cells = [cell for found in consensus.breakdown.values() for cell in found]
        self.n_cells += len(cells)
        self.n_small += sum(cell.is_small for cell in cells)

    def check_fields(self) -> None:
        """Raise when no answer has a field of `by`."""
        for name in self.by:
            if name not in self.found:
                raise WrongUsage(f"--by {name}: no answer has such a field, and no respondent")

    def list_warnings(self, classifier: Classifier, rule: ConsensusRule) -> list[str]:
        """List what a reader of the report should know of its models and its breakdowns."""
        own = classifier.folder.full_name
        warnings = [
            f"{n} answers were classified by {name}, not by {own} (--model names the one a report is made with)"
            for name, n in self.models.items()
            if name != own
        ]
        if classifier.call_errors is None:
            warnings.append(
                f"no share is corrected and no verdict has a probability: {own} does not say how its calls err"
            )
        elif self.n_foreign:
            warnings.append(
                f"{self.n_foreign} of {self.n_questions} questions have no corrected shares and no probability: "
                f"not all of their answers were classified by {own}"
            )
        if self.n_small:
            warnings.append(
                f"{self.n_small} of {self.n_cells} cells of the breakdowns have fewer than {rule.min_answers} votes "
                "with a stance: too few to be told from chance"
            )
        return warnings


def _has_field(answer: ClassifiedAnswer, name: str) -> bool:
    return read_field(answer.answer, name) is not None


def read_panels(
    intake: Intake, classifier: Classifier, panels: Panels, tally: Tally, progress: Callable[[int], None]
) -> None:
    """Read answers into panels, classified where they are not.

    Raises
    ------
    WrongUsage
        When none of them has a field of the tally's `by`.
    """
    for n, answer in enumerate(classifier.complete(intake), start=1):
        progress(n)
        tally.count_answer(answer)
        panels.add(answer)
    if tally.models:
        tally.check_fields()


def aggregate_panels(
    panels: Iterable[Sequence[ClassifiedAnswer]], classifier: Classifier, rule: ConsensusRule, tally: Tally
) -> Iterator[Consensus]:
    """Aggregate each question; shares are corrected where the classifier's own model called all answers."""
    errors, own, by = classifier.call_errors, classifier.folder.full_name, tuple(dict.fromkeys(tally.by))
    for answers in panels:
        is_own = all(answer.call.model == own for answer in answers)
        consensus = aggregate_question(answers, classifier.scheme, rule, errors=errors if is_own else None, by=by)
        tally.count_question(consensus, own)
        yield consensus
