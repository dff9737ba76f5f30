"""Answers to calls, by a model that is loaded when the first answer needs it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property, lru_cache
from itertools import islice
from typing import TYPE_CHECKING

from pydantic import ValidationError

from pipeline.errors import BadInput, ModelError
from pipeline.flat import Row
from pipeline.lexicon import parse_lexicon
from pipeline.schema import (
    CALL_FIELDS,
    AnswerRecord,
    Asked,
    ClassifiedAnswer,
    LabelScheme,
    StanceCall,
    first_problem,
    split_classified,
)
from pipeline.workflow.models import open_model

if TYPE_CHECKING:
    from pipeline.aggregate import CallErrors
    from pipeline.classify import StanceModel
    from pipeline.preprocess import AnswerParser

# NumPy and stages that need spaCy or scikit-learn are imported where they are used: a command starts with what it
# needs, and the process that only hands out work needs none of them.


BATCH_SIZE = 1024
_POSTERIOR_SLACK = 0.01


class Classifier:
    """A model, loaded when the first answer needs it, and the parser built from its lexicon."""

    def __init__(self, name: str) -> None:
        self.folder = open_model(name)

    @property
    def scheme(self) -> LabelScheme:
        """The labels of its calls."""
        return self.folder.manifest.scheme

    @cached_property
    def call_errors(self) -> CallErrors | None:
        """How often it calls what each label, out of fold; None where its manifest does not say.

        Raises
        ------
        ModelError
            When the manifest says something else.
        """
        import numpy as np

        given = self.folder.manifest.scores.get("calls")
        if given is None:
            return None
        n_labels = len(self.scheme.labels)
        try:
            counts = np.array(given, dtype=np.float64)
        except (TypeError, ValueError):
            counts = np.empty(0)
        if counts.shape != (n_labels, n_labels + 1) or not (np.isfinite(counts) & (counts >= 0)).all():
            shape = f"{n_labels} rows of {n_labels + 1} counts"
            raise ModelError(f"{self.folder.path}/manifest.json: scores.calls: expected {shape}")
        return _build_errors(self.scheme, tuple(map(tuple, counts.tolist())))

    @cached_property
    def model(self) -> StanceModel:
        """The model, loaded."""
        from pipeline.persistence import load_model

        return load_model(self.folder)

    @cached_property
    def parser(self) -> AnswerParser:
        """The parser with the model's own lexicon."""
        return _build_parser(self.model.lexicon_text, f"{self.folder.path}/cues.toml")

    def classify(self, answers: Iterable[AnswerRecord]) -> Iterator[ClassifiedAnswer]:
        """Classify answers, in order; earlier calls that they carry are replaced."""
        stream = iter(answers)
        while batch := list(islice(stream, BATCH_SIZE)):
            for answer, call in zip(batch, self.call(batch), strict=True):
                yield ClassifiedAnswer(answer=without_call(answer), call=StanceCall.model_validate(call))

    def call(self, answers: Iterable[Asked]) -> Iterator[Row]:
        """Classify answers, and give their calls in order, as JSON-ready data."""
        from pipeline.classify import call_rows, explain_answers
        from pipeline.preprocess import parse_answers

        for batch in parse_answers(self.parser, answers, batch_size=BATCH_SIZE):
            yield from call_rows(self.model, explain_answers(self.model, batch))

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


@lru_cache(maxsize=2)
def _build_parser(lexicon_text: str, name: str) -> AnswerParser:
    """Build the parser of a lexicon once: its wordings take a second to read."""
    from pipeline.preprocess import AnswerParser

    return AnswerParser(parse_lexicon(lexicon_text, name))


@lru_cache(maxsize=2)
def _build_errors(scheme: LabelScheme, calls: tuple[tuple[float, ...], ...]) -> CallErrors:
    """Build the errors of a model once, so that what `estimate_mix` keeps for them is found again."""
    import numpy as np

    from pipeline.aggregate import CallErrors

    return CallErrors(scheme, np.array(calls, dtype=np.float64))


def without_call(answer: AnswerRecord) -> AnswerRecord:
    """Take an earlier call out of a record; fields that are only named like a call's are the user's own."""
    if not answer.model_extra or answer.model_extra.keys().isdisjoint(CALL_FIELDS):
        return answer
    try:
        earlier = split_classified(answer)
    except ValidationError:
        return answer
    return answer if earlier is None else earlier.answer
