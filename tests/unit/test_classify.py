"""The classifier: posteriors, calls, and explanations that add up to the decision."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.classify import (
    COEFFICIENT_DECIMALS,
    ClassifierConfig,
    StanceModel,
    call_answers,
    choose_stances,
    explain_answer,
    fit_estimator,
    predict_posteriors,
    scale_temperature,
    sum_sides,
)
from pipeline.evaluate import apply_temperature
from pipeline.features import extract_features, stack_documents
from pipeline.lexicon import default_lexicon_text
from pipeline.preprocess import parse_answers
from pipeline.schema import AnswerRecord, Label, LabelScheme, Source, StanceCall

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from spacy.language import Language

TRAINING = [
    ("yes", "Yes, it works well and I recommend it to my patients."),
    ("yes", "It is safe. I would do it, the results are good."),
    ("yes", "Certainly, go ahead, this works and it is safe."),
    ("no", "No, it is not safe. Do not do it."),
    ("no", "I would not recommend it; the risks are high and it does not work."),
    ("no", "Never. It hurts and the results are bad, do not do it."),
    ("depends", "It depends on your skin, please see a doctor in person."),
    ("depends", "Hard to say, it depends on the photo and on the doctor."),
    ("depends", "In some patients it may, it depends, a consultation is needed."),
]
SENTENCES = [
    "Yes, go ahead.", "It is not safe!", "I recommend it, but the risks are high", "it depends on your skin.",
    "The results\nare good", "Do not do it.", "please see a doctor in person.", "\u201cNever\u201d &amp; no.",
    "Sure\u2026", "xyzzy", "It works.It is safe", "{{ vote }}", "\U0001f600",
]  # fmt: skip
WORDLESS = ["xyzzy", "{{ vote }}", "\U0001f600"]
TEXTS = st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=6).map(" ".join)


def answer(text: str, headline: str | None = None) -> AnswerRecord:
    return AnswerRecord(
        question_id="q",
        question="Does a peel help?",
        answer_id="a",
        position=1,
        headline=headline,
        text=text,
        source=Source(file="t", locator="answer 1"),
    )


def documents(nlp: Language, texts: Sequence[str]) -> NDArray[np.object_]:
    batches = parse_answers(nlp, [answer(text) for text in texts])
    return stack_documents([extract_features(doc) for batch in batches for _, doc in batch])


def train(nlp: Language, scheme: LabelScheme, **settings: float) -> StanceModel:
    rows = [(label, text) for label, text in TRAINING if label in scheme.names]
    config = ClassifierConfig(min_answers=1, **settings)  # type: ignore[arg-type]
    X = documents(nlp, [text for _, text in rows])
    return StanceModel(
        "t@0", scheme, fit_estimator(X, [label for label, _ in rows], config), default_lexicon_text(), config=config
    )


@pytest.fixture(scope="module")
def models(nlp: Language, model: StanceModel) -> dict[int, StanceModel]:
    """Models of two, three and (the one that comes with medstance) six labels, by their number."""
    return {
        2: train(nlp, LabelScheme.from_labels("two", ["yes", "no"])),
        3: train(nlp, LabelScheme.from_labels("three", ["no", "depends", "yes"]), word_weight=2.0),
        6: model,
    }


def call(nlp: Language, model: StanceModel, text: str, headline: str | None = None) -> StanceCall:
    return next(call_answers(model, [doc])[0] for ((_, doc),) in parse_answers(nlp, [answer(text, headline)]))


# ---------------------------------------------------------------- posteriors


@pytest.mark.parametrize("n_labels", [2, 3, 6])
def test_posteriors_have_a_row_per_answer_and_a_column_per_label_and_rows_sum_to_one(
    nlp: Language, models: dict[int, StanceModel], n_labels: int
) -> None:
    model = models[n_labels]
    posteriors = predict_posteriors(model.estimator, documents(nlp, SENTENCES), model.scheme)
    assert posteriors.shape == (len(SENTENCES), n_labels)
    assert (posteriors >= 0).all()
    np.testing.assert_allclose(posteriors.sum(axis=1), 1)


@pytest.mark.parametrize("names", [["yes", "no"], ["no", "yes"], ["yes", "depends", "no"], ["depends", "no", "yes"]])
def test_columns_stand_in_the_order_of_the_scheme_whatever_the_order_of_the_labels(
    nlp: Language, names: list[str]
) -> None:
    model = train(nlp, LabelScheme.from_labels("s", names))
    rows = [(label, text) for label, text in TRAINING if label in names]
    posteriors = predict_posteriors(model.estimator, documents(nlp, [text for _, text in rows]), model.scheme)
    assert [names[column] for column in posteriors.argmax(axis=1)] == [label for label, _ in rows]


def test_a_label_that_was_never_seen_has_probability_zero_and_is_never_called(nlp: Language) -> None:
    seen = train(nlp, LabelScheme.from_labels("s", ["no", "yes"]))
    model = replace(seen, scheme=LabelScheme.from_labels("s", ["no", "unseen", "yes"]))
    posteriors = predict_posteriors(model.estimator, documents(nlp, SENTENCES), model.scheme)
    assert (posteriors[:, 1] == 0).all()
    np.testing.assert_allclose(posteriors.sum(axis=1), 1)
    calls = [call(nlp, model, text) for text in SENTENCES]
    assert {c.stance for c in calls} == {"no", "yes"}
    assert all(c.posteriors["unseen"] == 0 for c in calls)


def test_fitting_twice_gives_the_same_rounded_coefficients(nlp: Language) -> None:
    X, y = documents(nlp, [text for _, text in TRAINING]), [label for label, _ in TRAINING]
    one, two = (fit_estimator(X, y, ClassifierConfig(min_answers=1))["regression"] for _ in range(2))
    assert np.array_equal(one.coef_, two.coef_)
    assert np.array_equal(one.coef_, one.coef_.round(COEFFICIENT_DECIMALS))
    assert np.array_equal(one.intercept_, one.intercept_.round(COEFFICIENT_DECIMALS))


@pytest.mark.parametrize("names", [["no", "yes"], ["no", "depends", "yes"]])
@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
def test_scaling_the_estimator_scales_its_posteriors(nlp: Language, names: list[str], temperature: float) -> None:
    model = train(nlp, LabelScheme.from_labels("s", names))
    X = documents(nlp, SENTENCES)
    before = predict_posteriors(model.estimator, X, model.scheme)
    after = predict_posteriors(scale_temperature(model.estimator, temperature), X, model.scheme)
    np.testing.assert_allclose(after, apply_temperature(before, temperature), atol=1e-3)


def test_a_small_training_set_of_like_answers_gives_a_model_that_can_be_used(nlp: Language) -> None:
    rows = [("yes", "It is safe."), ("no", "It is not safe.")] * 4
    X = documents(nlp, [text for _, text in rows])
    estimator = fit_estimator(X, [label for label, _ in rows], ClassifierConfig())
    model = StanceModel("t@0", LabelScheme.from_labels("s", ["yes", "no"]), estimator, default_lexicon_text())
    assert call(nlp, model, "It is not safe.").stance == "no"
    assert call(nlp, model, "It is safe.").stance == "yes"


# ---------------------------------------------------------------- the call

SIDED = LabelScheme(
    name="sided",
    labels=(
        Label(name="con", value=-2, side="oppose"),
        Label(name="lean_con", value=-1, side="oppose"),
        Label(name="pro", value=1, side="support"),
        Label(name="none"),
        Label(name="other"),
    ),
)


def test_sides_are_summed_in_scheme_order_and_a_label_without_a_side_stands_for_itself() -> None:
    groups, sums = sum_sides(np.array([[0.1, 0.2, 0.3, 0.15, 0.25]]), SIDED)
    assert groups == ("oppose", "support", None, None)
    np.testing.assert_allclose(sums, [[0.3, 0.3, 0.15, 0.25]])


@pytest.mark.parametrize(
    ("row", "stance", "confidence"),
    [
        pytest.param([0.3, 0.3, 0.4, 0.0, 0.0], "con", 0.6, id="two grades of one side beat the likeliest label"),
        pytest.param([0.2, 0.35, 0.45, 0.0, 0.0], "lean_con", 0.55, id="the likelier grade of the side"),
        pytest.param([0.2, 0.2, 0.5, 0.1, 0.0], "pro", 0.5, id="a side of one label"),
        pytest.param([0.1, 0.1, 0.1, 0.4, 0.3], "none", 0.4, id="labels without a side do not add up"),
        pytest.param([0.0, 0.0, 0.1, 0.3, 0.6], "other", 0.6, id="the likelier of two labels without a side"),
    ],
)
def test_the_side_is_chosen_first_then_the_stance_on_it(row: list[float], stance: str, confidence: float) -> None:
    stances, found = choose_stances(np.array([row]), SIDED)
    assert stances == [stance]
    np.testing.assert_allclose(found, [confidence])


@given(TEXTS, st.none() | TEXTS)
@settings(deadline=None, max_examples=40)
def test_a_call_agrees_with_its_posteriors(nlp: Language, model: StanceModel, text: str, headline: str | None) -> None:
    made = call(nlp, model, text, headline)
    assert list(made.posteriors) == list(model.scheme.names)
    assert sum(made.posteriors.values()) == pytest.approx(1, abs=1e-3)
    sides: dict[str, float] = {}
    for name, p in made.posteriors.items():
        sides[model.scheme.side_of(name) or name] = sides.get(model.scheme.side_of(name) or name, 0.0) + p
    assert made.side == model.scheme.side_of(made.stance)
    assert made.confidence == pytest.approx(max(sides.values()), abs=1e-3)
    assert sides[made.side or made.stance] == pytest.approx(made.confidence, abs=1e-3)
    assert made.model == model.name


@pytest.mark.parametrize(("threshold", "abstained"), [(0.0, False), (1.01, True)])
def test_a_model_abstains_below_its_threshold_alone(
    nlp: Language, model: StanceModel, threshold: float, abstained: bool
) -> None:
    worded = [text for text in SENTENCES if text not in WORDLESS]
    made = [call(nlp, replace(model, abstain_below=threshold), text) for text in worded]
    assert {c.abstained for c in made} == {abstained}
    assert [c.stance for c in made] == [call(nlp, model, text).stance for text in worded]


@pytest.mark.parametrize("text", WORDLESS)
def test_an_answer_without_a_known_word_is_never_called(nlp: Language, model: StanceModel, text: str) -> None:
    assert call(nlp, replace(model, abstain_below=0.0), text).abstained


def test_answers_called_together_are_called_as_each_alone_in_their_order(nlp: Language, model: StanceModel) -> None:
    batches = parse_answers(nlp, [answer(text) for text in SENTENCES])
    together = list(chain.from_iterable(call_answers(model, [doc for _, doc in batch]) for batch in batches))
    assert together == [call(nlp, model, text) for text in SENTENCES]


def test_no_answers_give_no_calls(model: StanceModel) -> None:
    assert call_answers(model, []) == []


# ---------------------------------------------------------------- explanations


@pytest.mark.parametrize("n_labels", [2, 3, 6])
@given(text=TEXTS, headline=st.none() | TEXTS)
@settings(deadline=None, max_examples=25)
def test_contributions_sum_to_the_logit_of_the_stance_less_the_mean_logit(
    nlp: Language, models: dict[int, StanceModel], n_labels: int, text: str, headline: str | None
) -> None:
    model = models[n_labels]
    for ((_, doc),) in parse_answers(nlp, [answer(text, headline)]):
        # Log posteriors are logits up to a constant, which the mean takes away.
        X = stack_documents([extract_features(doc)])
        logits = np.log(model.estimator.predict_proba(X)[0])
        for stance, logit in zip(model.estimator.classes_, logits, strict=True):
            explained = explain_answer(model, doc, stance)
            assert explained.stance == stance
            assert explained.intercept + explained.weights.sum() == pytest.approx(logit - logits.mean(), abs=1e-9)
            assert len(explained.features) == len(explained.weights)


def test_a_feature_that_stands_twice_has_half_of_its_weight_each_time(
    nlp: Language, models: dict[int, StanceModel]
) -> None:
    for ((_, doc),) in parse_answers(nlp, [answer("Works; works; good")]):
        explained = explain_answer(models[2], doc, "yes")
        weights = [w for f, w in zip(explained.features, explained.weights, strict=True) if f.name == "works"]
        assert len(weights) >= 2
        assert len(set(weights[:2])) == 1


def test_an_answer_of_unknown_words_is_explained_by_the_intercept_alone(nlp: Language, model: StanceModel) -> None:
    for ((_, doc),) in parse_answers(nlp, [answer("xyzzy")]):
        explained = explain_answer(model, doc, "against")
        assert explained.features == ()
        assert explained.weights.shape == (0,)


# ---------------------------------------------------------------- evidence


@given(text=TEXTS, headline=st.none() | TEXTS)
@settings(deadline=None, max_examples=60)
def test_evidence_is_verbatim_positive_and_strongest_first(
    nlp: Language, model: StanceModel, text: str, headline: str | None
) -> None:
    found = call(nlp, model, text, headline).evidence
    record = {"headline": headline or "", "text": text}
    for passage in found:
        assert 0 <= passage.start < passage.end <= len(record[passage.field])
        assert record[passage.field][passage.start : passage.end] == passage.quote
        assert passage.quote == passage.quote.strip()
    weights = [passage.weight for passage in found]
    assert weights == sorted(weights, reverse=True)
    assert all(weight > 0 for weight in weights)
    assert all(weight >= model.config.min_evidence_share * weights[0] for weight in weights)
    assert len(found) <= model.config.max_evidence


def test_evidence_is_the_sentences_that_speak_for_the_call(nlp: Language, models: dict[int, StanceModel]) -> None:
    config = replace(models[3].config, min_evidence_share=0.0)
    made = call(nlp, replace(models[3], config=config), "Xyzzy plugh.  Do not do it, never. Plugh!", headline="No")
    assert made.stance == "no"
    assert {passage.quote for passage in made.evidence} == {"Do not do it, never.", "No"}


def test_a_sentence_from_headline_to_body_gives_a_passage_of_each(
    nlp: Language, models: dict[int, StanceModel]
) -> None:
    config = replace(models[3].config, min_evidence_share=0.0)
    made = call(nlp, replace(models[3], config=config), "do not do it.", headline="Never ")
    assert {(passage.field, passage.quote) for passage in made.evidence} == {
        ("headline", "Never"),
        ("text", "do not do it."),
    }


@pytest.mark.parametrize("limit", [0, 1, 2])
def test_no_more_evidence_is_given_than_asked_for_and_the_strongest_is_kept(
    nlp: Language, model: StanceModel, limit: int
) -> None:
    text = "I would not do it. It is not safe. Do not do it. Avoid it."
    every = call(nlp, replace(model, config=replace(model.config, max_evidence=9, min_evidence_share=0.0)), text)
    few = call(nlp, replace(model, config=replace(model.config, max_evidence=limit, min_evidence_share=0.0)), text)
    assert len(every.evidence) > 2
    assert few.evidence == every.evidence[:limit]


def test_evidence_much_weaker_than_the_strongest_is_left_out(nlp: Language, model: StanceModel) -> None:
    text = "I would not do it. It is not safe. Do not do it. Avoid it."
    every = call(nlp, replace(model, config=replace(model.config, max_evidence=9, min_evidence_share=0.0)), text)
    strong = call(nlp, replace(model, config=replace(model.config, max_evidence=9, min_evidence_share=0.99)), text)
    assert strong.evidence == every.evidence[: len(strong.evidence)]
    assert 1 <= len(strong.evidence) < len(every.evidence)
