"""What every test of aggregation may use: a builder of classified answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from pipeline.schema import AnswerRecord, ClassifiedAnswer, LabelScheme, StanceCall


def build_answer(
    stance: str,
    scheme: LabelScheme,
    place: int = 1,
    *,
    confidence: float = 1.0,
    abstained: bool = False,
    posteriors: Mapping[str, float] | None = None,
    model: str = "m@1",
    **fields: Any,
) -> ClassifiedAnswer:
    record = {
        "question_id": "q",
        "question": "Is a nose clip worth it?",
        "answer_id": f"a{place}",
        "position": max(place, 1),
        "text": f"Answer {place}.",
        "source": {"file": "f.csv", "locator": f"row at line {place + 1}"},
    }
    return ClassifiedAnswer(
        answer=AnswerRecord.model_validate(record | fields),
        call=StanceCall(
            stance=stance,
            side=scheme.side_of(stance),
            posteriors=dict(posteriors or {name: float(name == stance) for name in scheme.names}),
            confidence=confidence,
            abstained=abstained,
            evidence=(),
            model=model,
        ),
    )


@pytest.fixture(scope="session")
def build() -> Callable[..., ClassifiedAnswer]:
    """Build a classified answer: stance, scheme, place in the panel, and whatever else is to be said."""
    return build_answer


@pytest.fixture(scope="session")
def build_all(build: Callable[..., ClassifiedAnswer]) -> Callable[..., list[ClassifiedAnswer]]:
    """Build a panel of answers with these stances."""

    def build_panel(scheme: LabelScheme, *stances: str, **fields: Any) -> list[ClassifiedAnswer]:
        return [build(stance, scheme, place, **fields) for place, stance in enumerate(stances, start=1)]

    return build_panel
