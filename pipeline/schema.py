"""The frozen records that pass between the stages, and the label scheme.

Every stage takes some of these and gives others; nothing else crosses a stage's border.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Protocol

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)


def _number_to_str(value: object) -> object:
    """Take a number for a name: in a user's table identifiers often are."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _blank_to_none(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


def _visible(value: str) -> str:
    if not value.strip():
        raise ValueError("is empty")
    return value


def first_problem(error: ValidationError) -> tuple[str, str]:
    """Return the place (dotted names) and the message of a validation error's first problem."""
    first = error.errors(include_url=False)[0]
    return ".".join(map(str, first["loc"])), first["msg"].removeprefix("Value error, ")


Identifier = Annotated[str, BeforeValidator(_number_to_str), Field(min_length=1)]
# Far above any answer, and below what spaCy takes in one piece.
MAX_TEXT_CHARS = 200_000
Text = Annotated[str, Field(max_length=MAX_TEXT_CHARS)]
OptionalText = Annotated[Text | None, BeforeValidator(_blank_to_none)]
Share = Annotated[float, Field(ge=0, le=1)]


class Frozen(BaseModel):
    """A record that cannot be changed once made and takes no field it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


# ---------------------------------------------------------------- the label scheme


class Label(Frozen):
    """One label of a scheme.

    Attributes
    ----------
    name
        The label as it stands in data and output.
    value
        Its place on the ordinal scale; None outside the order.
    side
        The side it takes; None when it takes none.
    meaning
        One line for people.
    """

    name: str = Field(min_length=1)
    value: float | None = None
    side: str | None = None
    meaning: str = ""


class LabelScheme(Frozen):
    """An ordered list of labels: the columns of every posterior matrix, left to right.

    Examples
    --------
    >>> scheme = LabelScheme.from_labels("claims", ["favor", "against", "none"])
    >>> scheme.names
    ('favor', 'against', 'none')
    >>> scheme.sides
    ('favor', 'against', 'none')
    """

    name: str
    labels: tuple[Label, ...] = Field(min_length=2)

    @model_validator(mode="after")
    def _names_are_unique(self) -> LabelScheme:
        if len(set(self.names)) != len(self.names):
            raise ValueError("two labels have the same name")
        return self

    @classmethod
    def from_labels(cls, name: str, names: list[str]) -> LabelScheme:
        """Build an unordered scheme in which every label is a side of its own."""
        return cls(name=name, labels=tuple(Label(name=n, side=n) for n in names))

    @property
    def names(self) -> tuple[str, ...]:
        """Label names in scheme order."""
        return tuple(label.name for label in self.labels)

    @property
    def with_side(self) -> tuple[Label, ...]:
        """The labels that take a side, in scheme order."""
        return tuple(label for label in self.labels if label.side is not None)

    @property
    def sides(self) -> tuple[str, ...]:
        """Distinct sides in scheme order."""
        return tuple(dict.fromkeys(label.side for label in self.labels if label.side is not None))

    @property
    def is_ordered(self) -> bool:
        """Whether the labels that take a side have a value on an ordinal scale."""
        return bool(self.with_side) and all(label.value is not None for label in self.with_side)

    def side_of(self, name: str) -> str | None:
        """Return the side of the label called `name`; None when it takes none.

        Raises
        ------
        KeyError
            When the scheme has no such label.
        """
        return {label.name: label.side for label in self.labels}[name]


# ---------------------------------------------------------------- answers


class Respondent(BaseModel):
    """Who answered, as far as the source says; further fields of the source are kept."""

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str | None = None
    credentials: str | None = None
    specialty: str | None = None
    location: str | None = None
    rating: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    n_reviews: int | None = Field(default=None, ge=0)


class Source(Frozen):
    """Where a record came from: the file as named, and the place in it in words."""

    file: str
    locator: str


class AnswerRecord(BaseModel):
    """One respondent's answer to one question.

    Fields of the source that are not named here are kept, in `model_extra`.

    Attributes
    ----------
    question_id, answer_id
        Names that are stable for the same source; answer ids are unique in a run.
    question
        The question as the patient worded it.
    proposition
        The target of a stance, worded affirmatively; None when the source has none.
    position
        1-based place of the answer among those to its question in the source.
    headline
        The answer's own title; None when it has none.
    text
        The answer, exactly as in the source: evidence offsets count in it.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    question_id: Identifier
    question: Text
    proposition: OptionalText = None
    answer_id: Identifier
    position: int = Field(ge=1)
    headline: OptionalText = None
    text: Text
    respondent: Respondent = Respondent()
    source: Source

    _question_is_visible = field_validator("question")(_visible)
    _text_is_visible = field_validator("text")(_visible)

    def to_row(self) -> dict[str, Any]:
        """Return the record as JSON-ready data, its own fields first, in the order of the design."""
        return self.model_dump(mode="json")


class Asked(Protocol):
    """What a call depends on: an `AnswerRecord`, or as much of one."""

    @property
    def question(self) -> str:
        """As the patient worded it."""
        ...

    @property
    def proposition(self) -> str | None:
        """The target of a stance."""
        ...

    @property
    def headline(self) -> str | None:
        """The answer's own title."""
        ...

    @property
    def text(self) -> str:
        """The answer."""
        ...


class MarkedSpan(Frozen):
    """A stretch of a record that a reader marked as evidence: ``record.<field>[start:end]``."""

    field: Literal["headline", "text"]
    start: int = Field(ge=0)
    end: int = Field(ge=0)


_MARKED_SPANS = TypeAdapter(tuple[MarkedSpan, ...])


def read_gold_evidence(answer: AnswerRecord) -> tuple[MarkedSpan, ...]:
    """Return what a reader marked as evidence in a labelled answer, its field `gold_evidence`.

    Raises
    ------
    pydantic.ValidationError
        When the field is something else.
    """
    given = (answer.model_extra or {}).get("gold_evidence")
    return () if given is None else _MARKED_SPANS.validate_python(given)


class Rejected(Frozen):
    """A record that could not be used, as it goes to the quarantine file.

    Attributes
    ----------
    file
        The source as the user named it.
    locator
        The line, row or answer, in words.
    column
        The field at fault; None when the whole record is.
    reason
        What is wrong and what to do.
    raw
        The record as found, cut after a length that the reader sets.
    """

    file: str
    locator: str
    column: str | None = None
    reason: str
    raw: str = ""


class Notice(Frozen):
    """Something about a source that a user should know and that stops nothing."""

    file: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}: {self.message}"


# ---------------------------------------------------------------- classification


class Evidence(Frozen):
    """A passage that moved the label, verbatim.

    Attributes
    ----------
    field
        The record's field the offsets count in: "headline" or "text".
    start, end
        Half-open character offsets: ``record.<field>[start:end] == quote``.
    quote
        The passage.
    weight
        What it adds to the log-odds of the called stance over the mean of all; positive.
    """

    field: Literal["headline", "text"]
    start: int = Field(ge=0)
    end: int = Field(ge=0)
    quote: str
    weight: float


class StanceCall(Frozen):
    """What the classifier says of one answer.

    Attributes
    ----------
    stance, side
        The most probable stance on the most probable side; side is None for a label without one.
    posteriors
        Probability per stance, in scheme order; sums to 1 up to rounding.
    confidence
        Probability of the called side.
    abstained
        Whether that is below the model's threshold: the call then counts in no share.
    evidence
        Passages in order of weight; may be empty.
    model
        Name and digest of the model.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())

    stance: str
    side: str | None
    posteriors: dict[str, Share]
    confidence: Share
    abstained: bool
    evidence: tuple[Evidence, ...]
    model: str


CALL_FIELDS = tuple(StanceCall.model_fields)


class ClassifiedAnswer(Frozen):
    """An answer with the classifier's call."""

    answer: AnswerRecord
    call: StanceCall

    def to_row(self) -> dict[str, Any]:
        """Return answer and call as one flat JSON-ready row, see `join_call`."""
        return join_call(self.answer.to_row(), self.call.model_dump(mode="json"))


def join_call(answer: Mapping[str, Any], call: Mapping[str, Any]) -> dict[str, Any]:
    """Join the rows of an answer and of its call into one.

    A field of the source that has the name of a call's field is kept as ``input_<name>``.
    """
    if call.keys().isdisjoint(answer):
        return {**answer, **call}
    row: dict[str, Any] = {}
    for name, value in answer.items():
        kept = name
        while kept in CALL_FIELDS or (kept != name and kept in answer):
            kept = f"input_{kept}"
        row[kept] = value
    return {**row, **call}


def split_classified(record: AnswerRecord) -> ClassifiedAnswer | None:
    """Take the call out of a record that ``stance classify`` wrote.

    Returns
    -------
    ClassifiedAnswer or None
        None when the record carries no call.

    Raises
    ------
    pydantic.ValidationError
        When the call's fields are there and are not a call.
    """
    extra: Mapping[str, Any] = record.model_extra or {}
    if not all(name in extra for name in ("stance", "posteriors", "confidence", "abstained", "model")):
        return None
    call = StanceCall.model_validate(
        {"side": None, "evidence": ()} | {name: extra[name] for name in CALL_FIELDS if name in extra}
    )
    rest = {name: value for name, value in record.to_row().items() if name not in CALL_FIELDS}
    return ClassifiedAnswer(answer=AnswerRecord.model_validate(rest), call=call)


# ---------------------------------------------------------------- consensus


class Interval(Frozen):
    """A share and the bounds of its interval."""

    share: Share
    low: Share
    high: Share


class Prevalence(Frozen):
    """How many answers are called so, and what share that is.

    Attributes
    ----------
    n
        Votes that are called so.
    share, low, high
        The plain share of the votes with a stance (weighted where weights are asked for), and its interval
        for the sampling error of few answers alone.
    corrected
        The share among doctors at large, corrected for the classifier's errors, with an interval that holds
        both uncertainties; None where the model's errors are not known.
    """

    n: int = Field(ge=0)
    share: Share
    low: Share
    high: Share
    corrected: Interval | None = None


class Verdict(Frozen):
    """What the panel as a whole says, by a rule fixed beforehand.

    Attributes
    ----------
    side
        The side that the rule names; None for a tie, for a split without a leader, and for too few answers.
    strength
        ``consensus``, ``majority``, ``split`` or ``insufficient``, as the rule defines them.
    probability
        Probability that the rule gives this same side and strength of doctors at large, given that the
        answers are few and the classifier errs; None when insufficient and for a tie.
    """

    side: str | None
    strength: Literal["consensus", "majority", "split", "insufficient"]
    probability: Share | None

    @property
    def outcome(self) -> tuple[str, str | None]:
        """Strength and side: two verdicts with the same are the same."""
        return self.strength, self.side


class Dissent(Frozen):
    """An answer on another side than the verdict's, with its strongest words."""

    answer_id: str
    respondent: str | None
    stance: str
    confidence: Share
    quote: str


class Merger(Frozen):
    """Answers that count as one vote.

    Attributes
    ----------
    counted
        The answer whose call is the vote.
    others
        Those that count nothing, in the order of the panel.
    reason
        Why they are one voice.
    disagree
        Whether their calls are on different sides.
    """

    counted: str
    others: tuple[str, ...]
    reason: Literal["same respondent", "near-identical text"]
    disagree: bool


class Relabelling(Frozen):
    """One answer of a set that could flip a verdict: called `side`, and how likely it is on side `to`.

    Attributes
    ----------
    side, to
        Sides; None for no stance. An abstained answer has side None.
    probability
        Of `to`, by the classifier's posteriors.
    """

    answer_id: str
    respondent: str | None
    side: str | None
    to: str | None
    probability: Share


class Flip(Frozen):
    """The smallest set of answers whose relabelling changes the verdict, of several the likeliest.

    Attributes
    ----------
    strength, side
        The verdict they would give.
    answers
        What would have to be otherwise.
    """

    strength: Literal["consensus", "majority", "split", "insufficient"]
    side: str | None
    answers: tuple[Relabelling, ...]


class Cell(Frozen):
    """The votes of the respondents that have one value of a field.

    Attributes
    ----------
    value
        Of the field; None where it is not given.
    is_small
        Whether they are too few to be told from chance: fewer with a stance than the rule wants.
    """

    value: str | None
    n_votes: int
    n_with_stance: int
    sides: dict[str, Prevalence]
    is_small: bool


class Consensus(Frozen):
    """The panel's view of one question.

    ``n_answers = n_with_stance + n_no_stance + n_abstained + n_merged``; shares are of `n_with_stance`.

    Attributes
    ----------
    n_merged
        Answers that count nothing because their respondent has another vote: see `mergers`.
    agreement
        Ordinal agreement: 1 all alike, 0 spread evenly, -1 half at each end; None where it has no meaning.
    polarisation
        0 all alike, 1 half at each end, in between for what is spread evenly.
    flip
        None when insufficient, or when no relabelling changes the verdict.
    breakdown
        By field of the respondents, as asked for.
    """

    question_id: str
    question: str
    proposition: str | None
    n_answers: int
    n_with_stance: int
    n_no_stance: int
    n_abstained: int
    n_merged: int
    prevalence: dict[str, Prevalence]
    sides: dict[str, Prevalence]
    verdict: Verdict
    agreement: float | None
    polarisation: float | None
    dissent: tuple[Dissent, ...]
    flip: Flip | None
    mergers: tuple[Merger, ...]
    breakdown: dict[str, tuple[Cell, ...]]
    answers: tuple[ClassifiedAnswer, ...]

    @property
    def merged_ids(self) -> frozenset[str]:
        """The answers that count nothing."""
        return frozenset(name for merger in self.mergers for name in merger.others)

    def to_row(self) -> dict[str, Any]:
        """Return the consensus as JSON-ready data, each answer as one flat row."""
        row = self.model_dump(mode="json", exclude={"answers"})
        return row | {"answers": [answer.to_row() for answer in self.answers]}


class VerdictChange(Frozen):
    """What became of one question from one report to another.

    Attributes
    ----------
    kind
        ``same``, ``changed`` (side or strength), ``new`` (not in the earlier report), ``gone`` (not in this one).
    before, after
        The verdicts; None where the question is not in that report.
    shares
        Plain share of each side, this report's less the earlier one's; empty for ``new`` and ``gone``.
    """

    question_id: str
    question: str
    kind: Literal["same", "changed", "new", "gone"]
    before: Verdict | None
    after: Verdict | None
    shares: dict[str, float]


class Comparison(Frozen):
    """A report against an earlier one.

    Attributes
    ----------
    against
        The earlier report's file, as named.
    models, rule
        What the earlier report rests on.
    changes
        Of every question of either, this report's order first.
    """

    against: str
    models: tuple[str, ...]
    rule: str
    changes: tuple[VerdictChange, ...]


class Report(Frozen):
    """Everything a report shows: one consensus per question, and what it rests on."""

    medstance: str
    model: dict[str, Any]
    rule: dict[str, Any]
    warnings: tuple[str, ...]
    disclaimer: str
    comparison: Comparison | None = None
    questions: tuple[Consensus, ...]

    def to_row(self) -> dict[str, Any]:
        """Return the report as JSON-ready data."""
        row = self.model_dump(mode="json", exclude={"questions"})
        return row | {"questions": [question.to_row() for question in self.questions]}
