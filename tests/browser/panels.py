"""Reports with every field filled, made of the records themselves: what the texts say is the caller's choice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

from pipeline.schema import (
    AnswerRecord,
    Cell,
    ClassifiedAnswer,
    Comparison,
    Consensus,
    Dissent,
    Evidence,
    Flip,
    Interval,
    Merger,
    Prevalence,
    Relabelling,
    Report,
    Respondent,
    Source,
    StanceCall,
    Verdict,
    VerdictChange,
)

Fill = Callable[[str], str]
"""From the name of a field to its text."""

Strength = Literal["consensus", "majority", "split", "insufficient"]


class Labels(NamedTuple):
    """Stances and their sides in scheme order, and the stance that takes none."""

    sides: dict[str, str]
    none: str

    @property
    def stances(self) -> list[str]:
        return [*self.sides, self.none]


DEFAULT_LABELS = Labels(
    {
        "against": "oppose",
        "cautiously_against": "oppose",
        "neutral": "neutral",
        "cautiously_supportive": "support",
        "supportive": "support",
    },
    "no_stance",
)


class Pattern(NamedTuple):
    """Which stances, by their place in the scheme, a panel's answers take (the last place takes no side)."""

    strength: Strength
    stances: tuple[int, ...]
    probability: float | None


# After these, every panel has an answer too unsure to call and one that is counted with another.
PATTERNS = (
    Pattern("consensus", (0, 0, 0, 0, 1, 1, 3, -1), 0.91),
    Pattern("majority", (4, 4, 3, 3, 0, 1, 2), 0.62),
    Pattern("split", (0, 0, 1, 2, 2, 4, 3, -1), 0.38),
    Pattern("split", (0, 1, 4, 4), None),
    Pattern("insufficient", (2, -1, -1), None),
)

# As above, in fewer answers: for reports of hundreds of questions.
SMALL_PATTERNS = (
    Pattern("consensus", (0, 0, 3, -1), 0.91),
    Pattern("majority", (4, 3, 0), 0.62),
    Pattern("split", (0, 2, 4), 0.38),
    Pattern("split", (0, 4), None),
    Pattern("insufficient", (2, -1), None),
)

_PLAIN = {
    "question": "Is it safe to have a chemical peel while nursing?",
    "proposition": "having a chemical peel while nursing",
    "headline": "Better to wait a little",
    "text": "I would hold off until the baby is weaned. The skin is at its worst now, and nothing is lost by it.",
    "procedure": "chemical peel",
    "respondent.name": "Ottilie Marchbanks",
    "respondent.credentials": "MD",
    "respondent.specialty": "Dermatologist",
    "respondent.location": "Leeds, England",
    "respondent.clinic": "A house by the canal",
    "warning": "2 records were left out",
    "model": "default (1a2b3c4d)",
    "rule": "delphi-75",
    "weight": "respondent.n_reviews",
    "field": "respondent.specialty",
    "source": "answers.jsonl",
    "locator": "line 3",
    "against": "march.json",
    "version": "0.1.0",
    "disclaimer": "Not medical advice. What these doctors say is their view, and no diagnosis.",
    "question_id": "peel-while-nursing",
    "answer_id": "answer",
}


def plain_fill(number: int) -> Fill:
    """Give harmless texts that differ from question to question where a reader would expect it."""

    def fill(field: str) -> str:
        text = _PLAIN[field]
        if field == "question":
            return f"{text} ({_spell(number)})"
        if field == "procedure":
            return ("chemical peel", "veneers", "laser")[number % 3]
        return f"{text}-{number}" if field.endswith("_id") else text

    return fill


def _spell(number: int) -> str:
    """Spell a number so that no name contains another as a word."""
    digits = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    return " ".join(digits[int(digit)] for digit in str(number))


def build_report(n_questions: int) -> Report:
    """Make a harmless report with verdicts of every strength in turn."""
    fills = [plain_fill(number) for number in range(n_questions)]
    questions = [build_consensus(fill, DEFAULT_LABELS, PATTERNS[n % len(PATTERNS)]) for n, fill in enumerate(fills)]
    return join_report(questions, plain_fill(0), [_PLAIN["warning"]])


def build_report_of(texts: Sequence[str], *, foreign: bool = True) -> Report:
    """Make a report with a question per text, in which every field is that text.

    Parameters
    ----------
    texts
        The texts; no two the same.
    foreign
        Whether the labels are texts, too; otherwise they are those of the default scheme.
    """
    questions = []
    for number, text in enumerate(texts):
        # Five sides or stances of one text need something to tell them apart.
        labels = Labels({text + end: text + end for end in ("", " 2", " 3", " 4", " 5")}, f"{text} 0")
        pattern = SMALL_PATTERNS[number % len(SMALL_PATTERNS)]
        questions.append(build_consensus(lambda _, t=text: t, labels if foreign else DEFAULT_LABELS, pattern))  # type: ignore[misc]
    every = " ".join(texts)
    return join_report(questions, lambda _: every, texts)


def build_consensus(fill: Fill, labels: Labels, pattern: Pattern) -> Consensus:
    """Make the panel of one question with all that a panel can have."""
    stances = [labels.stances[place] for place in pattern.stances]
    answers = [_build_answer(fill, labels, n, stance) for n, stance in enumerate(stances, start=1)]
    n = len(answers)
    unsure = _build_answer(fill, labels, n + 1, labels.stances[0], abstained=True)
    repeat = _build_answer(fill, labels, n + 2, stances[0])
    called = [stance for stance in stances if stance != labels.none]
    sides = [labels.sides[stance] for stance in called]
    leader = Counter(sides).most_common(1)[0][0]
    verdict = _build_verdict(pattern, leader)
    others = [a for a in answers if a.call.side not in (None, leader)]
    return Consensus(
        question_id=fill("question_id"),
        question=fill("question"),
        proposition=fill("proposition"),
        n_answers=n + 2,
        n_with_stance=len(called),
        n_no_stance=n - len(called),
        n_abstained=1,
        n_merged=1,
        prevalence={stance: _build_prevalence(called.count(stance), len(called)) for stance in labels.stances[:-1]},
        sides={side: _build_prevalence(sides.count(side), len(sides)) for side in dict.fromkeys(labels.sides.values())},
        verdict=verdict,
        agreement=0.41,
        polarisation=0.37,
        dissent=() if pattern.strength == "insufficient" else tuple(map(_build_dissent, others)),
        flip=None if pattern.strength == "insufficient" else _build_flip(answers, unsure, leader),
        mergers=(
            Merger(
                counted=answers[0].answer.answer_id,
                others=(repeat.answer.answer_id,),
                reason="same respondent",
                disagree=False,
            ),
        ),
        breakdown={fill("field"): _build_cells(fill, sides)},
        answers=(*answers, unsure, repeat),
    )


def join_report(questions: Sequence[Consensus], fill: Fill, warnings: Sequence[str]) -> Report:
    """Make a report of panels, compared with an earlier one in which some verdicts were others."""
    changes = [_build_change(question, number) for number, question in enumerate(questions)]
    return Report(
        medstance=fill("version"),
        model={"names": [fill("model")], "scheme": fill("model"), "side_accuracy": 0.87},
        rule={
            "name": fill("rule"),
            "kind": "delphi",
            "share": 0.75,
            "min_answers": 5,
            "interval": 0.9,
            "n_draws": 4000,
            "weight_by": fill("weight"),
            "keep_repeats": False,
        },
        warnings=tuple(warnings),
        disclaimer=fill("disclaimer"),
        comparison=Comparison(
            against=fill("against"), models=(fill("model"),), rule=fill("rule"), changes=tuple(changes)
        ),
        questions=tuple(questions),
    )


def _build_verdict(pattern: Pattern, leader: str) -> Verdict:
    has_side = pattern.strength != "insufficient" and pattern.probability is not None
    return Verdict(side=leader if has_side else None, strength=pattern.strength, probability=pattern.probability)


def _build_answer(
    fill: Fill, labels: Labels, position: int, stance: str, *, abstained: bool = False
) -> ClassifiedAnswer:
    headline, text = fill("headline"), fill("text")
    middle = len(text) // 2
    extra: dict[str, Any] = {"procedure": fill("procedure")}
    answer = AnswerRecord(
        question_id=fill("question_id"),
        question=fill("question"),
        proposition=fill("proposition"),
        answer_id=f"{fill('answer_id')}{position}",
        position=position,
        headline=headline,
        text=text,
        respondent=Respondent.model_validate(
            {
                "name": fill("respondent.name"),
                "credentials": fill("respondent.credentials"),
                "specialty": fill("respondent.specialty"),
                "location": fill("respondent.location"),
                "clinic": fill("respondent.clinic"),
                "rating": 4.5,
                "n_reviews": 12,
            }
        ),
        source=Source(file=fill("source"), locator=fill("locator")),
        **extra,
    )
    confidence = 0.4 if abstained else 0.6 + 0.05 * (position % 7)
    rest = (1 - confidence) / (len(labels.stances) - 1)
    call = StanceCall(
        stance=stance,
        side=labels.sides.get(stance),
        posteriors={name: confidence if name == stance else rest for name in labels.stances},
        confidence=confidence,
        abstained=abstained,
        evidence=(
            Evidence(field="text", start=0, end=middle, quote=text[:middle], weight=1.5),
            Evidence(field="headline", start=0, end=len(headline), quote=headline, weight=0.5),
        ),
        model=fill("model"),
    )
    return ClassifiedAnswer(answer=answer, call=call)


def _build_prevalence(n: int, n_all: int) -> Prevalence:
    share = n / n_all if n_all else 0.0
    low, high = max(share - 0.2, 0.0), min(share + 0.2, 1.0)
    corrected = Interval(share=(share + 0.2) / 1.4, low=max(low - 0.05, 0.0), high=min(high + 0.05, 1.0))
    return Prevalence(n=n, share=share, low=low, high=high, corrected=corrected)


def _build_dissent(answer: ClassifiedAnswer) -> Dissent:
    return Dissent(
        answer_id=answer.answer.answer_id,
        respondent=answer.answer.respondent.name,
        stance=answer.call.stance,
        confidence=answer.call.confidence,
        quote=answer.answer.text,
    )


def _build_flip(answers: Sequence[ClassifiedAnswer], unsure: ClassifiedAnswer, leader: str) -> Flip:
    other = next(a.call.side for a in answers if a.call.side not in (None, leader))
    swayed = (answers[0], unsure)
    return Flip(
        strength="majority",
        side=other,
        answers=tuple(
            Relabelling(
                answer_id=a.answer.answer_id,
                respondent=a.answer.respondent.name,
                side=None if a.call.abstained else a.call.side,
                to=other,
                probability=0.2,
            )
            for a in swayed
        ),
    )


def _build_cells(fill: Fill, sides: Sequence[str]) -> tuple[Cell, ...]:
    names = dict.fromkeys(sides)
    shared = {side: _build_prevalence(sides.count(side), len(sides)) for side in names}
    nobody = {side: _build_prevalence(0, 0) for side in names}
    return (
        Cell(
            value=fill("respondent.specialty"),
            n_votes=len(sides),
            n_with_stance=len(sides),
            sides=shared,
            is_small=False,
        ),
        Cell(value=None, n_votes=1, n_with_stance=0, sides=nobody, is_small=True),
    )


def _build_change(question: Consensus, number: int) -> VerdictChange:
    kind: Literal["same", "changed", "new"] = ("same", "changed", "new")[number % 3]
    names = list(question.sides)
    before = {
        "same": question.verdict,
        "changed": Verdict(side=names[-1], strength="majority", probability=0.55),
        "new": None,
    }[kind]
    shares = {} if kind == "new" else dict(zip(names, (0.125, -0.125), strict=False))
    return VerdictChange(
        question_id=question.question_id,
        question=question.question,
        kind=kind,
        before=before,
        after=question.verdict,
        shares=shares,
    )
