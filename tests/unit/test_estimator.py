"""The two regressions: scikit-learn's arithmetic, weights that add up, and no sentence weighed by its own marks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from pipeline.errors import BadInput
from pipeline.estimator import (
    COEFFICIENT_DECIMALS,
    Floats,
    LinearModel,
    SentenceCounts,
    StanceEstimator,
    predict_posteriors,
    scale_temperature,
    weigh_by_relevance,
)
from pipeline.evaluate import apply_temperature
from pipeline.features import DOCUMENTS
from pipeline.fitting import TrainingData, _fit_relevance, _weigh_out_of_fold, fit_estimator
from pipeline.manifest import ClassifierConfig
from pipeline.schema import LabelScheme

TWO, THREE = ("no", "yes"), ("depends", "no", "yes")
CONFIG = ClassifierConfig(min_answers=1, relevance_min_sentences=2, piece_weight=0.7)
N_FEATURES = 24
FEATURE_DOCUMENTS = np.repeat(np.arange(len(DOCUMENTS)), N_FEATURES // len(DOCUMENTS))
WORDS, PLACES = (np.flatnonzero(np.isin(FEATURE_DOCUMENTS, DOCUMENTS.index(name))) for name in ("words", "places"))
SEEDS = st.integers(0, 2**32 - 1)


def scheme_of(names: tuple[str, ...]) -> LabelScheme:
    return LabelScheme.from_labels("s", list(names))


def draw_sentences(seed: int, n_answers: int = 40) -> SentenceCounts:
    """Draw answers of none to four sentences, of which each has a few of the features once or more.

    The first sentence of every other answer is a headline, and an encoder says something of all.
    """
    random = np.random.default_rng(seed)
    answers = np.repeat(np.arange(n_answers), random.integers(0, 5, size=n_answers))
    counts = random.poisson(0.3, size=(len(answers), N_FEATURES)).astype(np.float64)
    is_headline = (np.diff(answers, prepend=-1) > 0) & (answers % 2 == 0)
    readings = random.normal(size=(len(answers), 4)).round(3)
    return SentenceCounts(csr_matrix(counts), answers, is_headline, n_answers, FEATURE_DOCUMENTS, readings)


def draw_data(
    seed: int = 0, labels: tuple[str, ...] = THREE, n_answers: int = 60, *, is_read: bool = False
) -> TrainingData:
    """Draw labelled answers, three to a question, with marks on about a third of the sentences.

    A label has its own words, and these stand in the marked sentences alone.
    """
    random = np.random.default_rng(seed)
    sentences = draw_sentences(seed, n_answers)
    gold = random.integers(0, len(labels), size=n_answers)
    is_evidence = random.random(len(sentences.answers)) < 0.35
    counts = sentences.counts.toarray()
    counts[:, WORDS] = 0
    counts[is_evidence, WORDS[gold[sentences.answers[is_evidence]]]] = 1
    counts[~is_evidence, WORDS[-1]] = 1
    readings = sentences.readings if is_read else None
    return TrainingData(
        sentences=replace(sentences, counts=csr_matrix(counts), readings=readings),
        labels=np.array(labels)[gold],
        questions=np.array([f"q{k // 3}" for k in range(n_answers)]),
        is_evidence=is_evidence,
        weights=np.ones(n_answers),
    )


def unmarked(data: TrainingData) -> TrainingData:
    return replace(data, is_evidence=np.zeros_like(data.is_evidence))


@pytest.fixture(
    scope="module",
    params=[(TWO, False), (THREE, False), (TWO, True), (THREE, True)],
    ids=["two labels", "three labels", "two labels and readings", "three labels and readings"],
)
def data(request: pytest.FixtureRequest) -> TrainingData:
    labels, is_read = request.param
    return draw_data(labels=labels, is_read=is_read)


@pytest.fixture(scope="module")
def estimator(data: TrainingData) -> StanceEstimator:
    return fit_estimator(data, CONFIG)


# ---------------------------------------------------------------- counts

ROWS = st.sets(st.integers(0, 39)).map(lambda rows: np.array(sorted(rows), dtype=np.int64))


@given(SEEDS, ROWS, st.data())
@settings(max_examples=50)
def test_some_answers_are_those_answers_in_the_order_of_the_data_whatever_the_order_asked(
    seed: int, rows: np.ndarray[Any, np.dtype[np.int64]], data: st.DataObject
) -> None:
    sentences = draw_sentences(seed)
    shuffled = np.array(data.draw(st.permutations(rows.tolist())), dtype=np.int64)
    some = sentences.of_answers(shuffled)
    assert some.n_answers == len(rows)
    for place, row in enumerate(rows):
        mine = sentences.counts[np.flatnonzero(sentences.answers == row)]
        assert np.array_equal(some.counts[np.flatnonzero(some.answers == place)].toarray(), mine.toarray())
        headlines = sentences.is_headline[sentences.answers == row].tolist()
        assert some.is_headline[some.answers == place].tolist() == headlines
    assert (np.diff(some.answers) >= 0).all()


@given(SEEDS)
@settings(max_examples=50)
def test_sentences_are_summed_by_answer_as_weighted(seed: int) -> None:
    sentences = draw_sentences(seed)
    weights = np.random.default_rng(seed).random(len(sentences.answers))
    expected = np.zeros((sentences.n_answers, N_FEATURES))
    np.add.at(expected, sentences.answers, sentences.counts.toarray() * weights[:, None])
    np.testing.assert_allclose(sentences.weigh(weights).toarray(), expected, rtol=1e-12)


@given(SEEDS)
@settings(max_examples=50)
def test_a_feature_that_stands_twice_in_an_answer_stands_in_one_answer(seed: int) -> None:
    sentences = draw_sentences(seed, n_answers=8)
    dense = sentences.counts.toarray()
    expected = [
        len({int(answer) for answer, row in zip(sentences.answers, dense, strict=True) if row[column]})
        for column in range(N_FEATURES)
    ]
    assert sentences.n_answers_with().tolist() == expected


def test_some_features_are_those_features_with_their_documents() -> None:
    sentences, columns = draw_sentences(0), np.array([1, 7, 20])
    some = sentences.of_features(columns)
    assert np.array_equal(some.counts.toarray(), sentences.counts.toarray()[:, columns])
    assert some.documents.tolist() == FEATURE_DOCUMENTS[columns].tolist()
    assert (some.n_answers, some.answers.tolist()) == (sentences.n_answers, sentences.answers.tolist())
    assert some.is_headline.tolist() == sentences.is_headline.tolist()


def test_training_data_of_some_answers_has_their_labels_questions_weights_and_marks() -> None:
    data = replace(draw_data(), weights=np.arange(60.0))
    rows = np.array([40, 3, 17])
    some = data.of_answers(rows)
    assert some.weights.tolist() == [3, 17, 40]
    assert some.labels.tolist() == data.labels[[3, 17, 40]].tolist()
    assert some.questions.tolist() == ["q1", "q5", "q13"]
    marks = [data.is_evidence[data.sentences.answers == row].tolist() for row in (3, 17, 40)]
    assert [some.is_evidence[some.sentences.answers == place].tolist() for place in range(3)] == marks


# ---------------------------------------------------------------- the arithmetic is scikit-learn's


def transform_by_sklearn(model: LinearModel) -> ColumnTransformer:
    """Build the same scaling of scikit-learn's parts, one transformer by document, unfitted."""
    return ColumnTransformer(
        [
            (name, TfidfTransformer(norm="l2" if is_normed else None), np.flatnonzero(model.documents == place))
            for place, (name, is_normed) in enumerate(zip(DOCUMENTS, model.is_normed, strict=True))
        ],
        transformer_weights=dict(zip(DOCUMENTS, model.weights.tolist(), strict=True)),
        sparse_threshold=1.0,
    )


def pipeline_of(model: LinearModel) -> Pipeline:
    """Build the pipeline of scikit-learn's that has what the model has learnt."""
    transform = transform_by_sklearn(model).fit(csr_matrix((1, len(model.idf))))
    for place, name in enumerate(DOCUMENTS):
        transform.named_transformers_[name].idf_ = model.idf[model.documents == place]
    regression = LogisticRegression()
    regression.classes_ = np.array(model.classes)
    regression.n_features_in_ = len(model.idf)
    # Of two classes scikit-learn keeps a single row: what speaks for the second over the first.
    is_binary = len(model.classes) == 2
    regression.coef_ = np.diff(model.coefficients).T if is_binary else model.coefficients.T
    regression.intercept_ = np.diff(model.intercepts) if is_binary else model.intercepts
    return Pipeline([("transform", transform), ("regression", regression)])


@given(seed=SEEDS)
@settings(max_examples=25)
def test_scaling_and_predicting_are_those_of_scikit_learn(estimator: StanceEstimator, seed: int) -> None:
    sentences = draw_sentences(seed)
    weights = np.random.default_rng(seed).random(len(sentences.answers))
    assert estimator.relevance is not None
    for model, counts in (
        (estimator.stance, sentences.weigh(weights)),
        (estimator.relevance, sentences.counts),
    ):
        reference = pipeline_of(model)
        scaled, factors = model.scale(counts)
        np.testing.assert_allclose(scaled.toarray(), reference["transform"].transform(counts).toarray(), atol=1e-12)
        np.testing.assert_allclose(model.predict(scaled), reference.predict_proba(counts), atol=1e-9)
        np.testing.assert_allclose(
            scaled.toarray(), counts.toarray() * model.idf * factors[:, model.documents], atol=1e-12
        )


def test_the_inverse_document_frequency_is_that_of_scikit_learn_and_0_where_a_feature_is_not_used() -> None:
    data = draw_data()
    config = replace(CONFIG, min_answers=15)
    estimator = fit_estimator(data, config)
    counts = data.sentences.weigh(_weigh_out_of_fold(data, estimator.relevance, config))
    is_used = (data.sentences.n_answers_with() >= 15) & ~np.isin(np.arange(N_FEATURES), PLACES)
    assert 0 < is_used.sum() < N_FEATURES - len(PLACES)
    expected = np.where(is_used, TfidfTransformer().fit(counts).idf_, 0)
    np.testing.assert_allclose(estimator.stance.idf, expected, atol=10**-COEFFICIENT_DECIMALS)
    assert (estimator.stance.coefficients[~is_used] == 0).all()


@pytest.mark.parametrize("balance", [True, False], ids=["balanced", "as they come"])
@pytest.mark.parametrize("labels", [TWO, THREE], ids=["two labels", "three labels"])
def test_fitting_is_fitting_scikit_learns_pipeline_on_the_weighted_counts(
    labels: tuple[str, ...], balance: bool
) -> None:
    data = draw_data(labels=labels)
    config = replace(CONFIG, balance=balance, inverse_penalty=0.8)
    estimator = fit_estimator(data, config)
    counts = data.sentences.weigh(_weigh_out_of_fold(data, estimator.relevance, config))
    used = np.flatnonzero(estimator.stance.idf > 0)
    columns = {name: np.flatnonzero(FEATURE_DOCUMENTS[used] == place) for place, name in enumerate(DOCUMENTS)}
    reference = Pipeline(
        [
            (
                "transform",
                ColumnTransformer(
                    [(name, TfidfTransformer(), columns[name]) for name in ("words", "cues", "pieces")],
                    transformer_weights={"words": 2.0, "cues": 1.0, "pieces": 0.7},
                ),
            ),
            ("regression", LogisticRegression(C=0.8, class_weight="balanced" if balance else None, tol=1e-8)),
        ]
    ).fit(counts[:, used], data.labels)
    assert estimator.stance.classes == labels
    ours, theirs = pipeline_of(estimator.stance)["regression"], reference["regression"]
    np.testing.assert_allclose(ours.coef_[:, used], theirs.coef_, atol=1e-3)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-3)


def test_a_model_is_plain_arrays_of_a_column_per_class(data: TrainingData, estimator: StanceEstimator) -> None:
    assert estimator.relevance is not None
    labels = tuple(sorted(set(data.labels.tolist())))
    for model, classes in ((estimator.stance, labels), (estimator.relevance, ("False", "True"))):
        assert model.classes == classes
        assert {type(name) for name in model.classes} == {str}
        assert type(model.coefficients) is type(model.intercepts) is np.ndarray
        assert model.coefficients.shape == (N_FEATURES, len(classes))
        assert model.intercepts.shape == (len(classes),)
        np.testing.assert_allclose(model.centred.sum(axis=1), 0, atol=1e-12)


def test_the_kind_of_a_sentence_tells_what_is_evidence_and_never_the_stance() -> None:
    estimator = fit_estimator(draw_data(), CONFIG)
    assert estimator.relevance is not None
    assert (estimator.relevance.idf[PLACES] == 1).all()
    assert (estimator.relevance.coefficients[PLACES] != 0).any()
    assert (estimator.stance.idf[PLACES] == 0).all()


def test_fitting_twice_gives_the_same_rounded_coefficients(data: TrainingData) -> None:
    one, two = (fit_estimator(data, CONFIG) for _ in range(2))
    for first, second in ((one.stance, two.stance), (one.relevance, two.relevance)):
        assert first is not None
        assert second is not None
        assert first.classes == second.classes
        for name in ("idf", "coefficients", "intercepts"):
            found = getattr(first, name)
            assert np.array_equal(found, getattr(second, name))
            assert np.array_equal(found, found.round(COEFFICIENT_DECIMALS))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"min_answers": 61}, id="no feature in so many answers"),
        pytest.param({"documents": np.full(N_FEATURES, DOCUMENTS.index("places"))}, id="nothing but places"),
        pytest.param(
            {
                "counts": csr_matrix((0, N_FEATURES)),
                "answers": np.empty(0, dtype=np.int64),
                "is_headline": np.empty(0, dtype=bool),
            },
            id="no sentence",
        ),
    ],
)
def test_answers_without_a_feature_in_common_are_bad_input(change: dict[str, Any]) -> None:
    data = draw_data()
    config = replace(CONFIG, min_answers=change.get("min_answers", 1))
    sentences = replace(data.sentences, **{k: v for k, v in change.items() if k != "min_answers"})
    is_evidence = data.is_evidence[: len(sentences.answers)]
    with pytest.raises(BadInput, match="too few to learn from"):
        fit_estimator(replace(data, sentences=sentences, is_evidence=is_evidence), config)


# ---------------------------------------------------------------- what each sentence adds


@given(seed=SEEDS, choice=st.data())
@settings(max_examples=40)
def test_intercept_and_sentences_sum_to_the_logit_of_the_stance_less_the_mean_logit(
    estimator: StanceEstimator, seed: int, choice: st.DataObject
) -> None:
    sentences = draw_sentences(seed, n_answers=12)
    classes = estimator.stance.classes
    stances = [choice.draw(st.sampled_from(classes)) for _ in range(12)]
    added = estimator.weigh_features(sentences, stances)
    assert added.shape == sentences.answers.shape
    sums = np.bincount(sentences.answers, weights=added, minlength=12)
    # Log posteriors are logits up to a constant, which the mean takes away.
    logits = np.log(predict_posteriors(estimator, sentences, scheme_of(tuple(classes))))
    centred = logits - logits.mean(axis=1, keepdims=True)
    intercepts = estimator.stance.intercepts - estimator.stance.intercepts.mean()
    for row, stance in enumerate(stances):
        column = classes.index(stance)
        assert intercepts[column] + sums[row] == pytest.approx(centred[row, column], abs=1e-9)


def test_what_an_answer_adds_to_all_stances_sums_to_nothing(estimator: StanceEstimator) -> None:
    sentences = draw_sentences(5)
    each = [estimator.weigh_features(sentences, [name] * sentences.n_answers) for name in estimator.stance.classes]
    np.testing.assert_allclose(np.sum(each, axis=0), 0, atol=1e-12)


def test_an_encoder_is_trusted_as_far_as_it_is_right() -> None:
    data = draw_data(labels=TWO, n_answers=200, is_read=True)
    says = np.where(data.labels == "yes", 1.0, -1.0)[data.sentences.answers]
    noise = np.random.default_rng(1).normal(size=(len(says), 2))
    told = replace(data, sentences=replace(data.sentences, readings=np.column_stack([says, noise[:, 0]])))
    silent = replace(data, sentences=replace(data.sentences, readings=noise))
    for_yes, for_noise = (np.abs(_readings(d)) for d in (told, silent))
    assert for_yes[0].max() > 3 * for_yes[1].max()
    assert for_yes[0].max() > 3 * for_noise.max()


def _readings(data: TrainingData) -> np.ndarray[Any, np.dtype[np.float64]]:
    readings = fit_estimator(data, CONFIG).readings
    assert readings is not None
    return readings


# ---------------------------------------------------------------- which sentences count


def test_sentences_weigh_between_nothing_and_all_and_marked_ones_the_more(
    data: TrainingData, estimator: StanceEstimator
) -> None:
    weights = estimator.weigh_sentences(data.sentences)
    in_body = ~data.sentences.is_headline
    assert ((weights[in_body] > 0) & (weights[in_body] < 1)).all()
    assert weights[in_body & data.is_evidence].mean() > weights[in_body & ~data.is_evidence].mean()


def test_headlines_count_in_full_in_training_and_at_use(data: TrainingData, estimator: StanceEstimator) -> None:
    is_headline = data.sentences.is_headline
    assert is_headline.any()
    for weights in (estimator.weigh_sentences(data.sentences), weigh_in_training(data)):
        assert (weights[is_headline] == 1).all()
        assert (weights[~is_headline] < 1).all()


@pytest.mark.parametrize("power", [0.25, 0.5, 1.0, 2.0])
def test_a_sentence_weighs_its_probability_to_be_evidence_to_the_power_asked_for(power: float) -> None:
    data = draw_data()
    estimator = fit_estimator(data, replace(CONFIG, relevance_power=power))
    assert estimator.relevance is not None
    probability = pipeline_of(estimator.relevance).predict_proba(data.sentences.counts)[:, 1]
    expected = np.where(data.sentences.is_headline, 1.0, probability**power)
    np.testing.assert_allclose(estimator.predict_relevance(data.sentences), probability, rtol=1e-9)
    np.testing.assert_allclose(estimator.weigh_sentences(data.sentences), expected, rtol=1e-9)
    np.testing.assert_allclose(weigh_by_relevance(probability, data.sentences, power), expected, rtol=1e-12)


def test_a_headline_counts_in_full_and_is_as_likely_to_be_evidence_as_its_words_say(
    estimator: StanceEstimator,
) -> None:
    sentences = draw_sentences(6)
    assert sentences.is_headline.any()
    in_body = replace(sentences, is_headline=np.zeros_like(sentences.is_headline))
    probability = estimator.predict_relevance(sentences)
    assert np.array_equal(probability, estimator.predict_relevance(in_body))
    assert (probability[sentences.is_headline] < 1).all()


def weigh_in_training(data: TrainingData, config: ClassifierConfig = CONFIG) -> Floats:
    return _weigh_out_of_fold(data, _fit_relevance(data, config), config)


@pytest.mark.parametrize("folds", [2, 4, 99])
def test_a_training_answers_sentences_are_weighed_without_the_marks_on_any_answer_to_its_question(folds: int) -> None:
    data = draw_data()
    config = replace(CONFIG, relevance_folds=folds)
    weights = weigh_in_training(data, config)
    of_question = data.questions[data.sentences.answers]
    n_changed = 0
    for question in np.unique(data.questions):
        mine = of_question == question
        turned = replace(data, is_evidence=np.where(mine, ~data.is_evidence, data.is_evidence))
        again = weigh_in_training(turned, config)
        assert np.array_equal(again[mine], weights[mine])
        n_changed += int((again[~mine] != weights[~mine]).sum())
    assert n_changed > 0


def test_with_a_fold_to_each_question_the_weights_are_those_of_a_model_of_all_others() -> None:
    data = draw_data()
    config = replace(CONFIG, relevance_folds=99)
    weights, stance = weigh_in_training(data, config), fit_estimator(data, config).stance
    for question in np.unique(data.questions):
        rest, mine = np.flatnonzero(data.questions != question), np.flatnonzero(data.questions == question)
        others = StanceEstimator(_fit_relevance(data.of_answers(rest), config), stance, config.relevance_power)
        expected = others.weigh_sentences(data.sentences.of_answers(mine))
        np.testing.assert_allclose(weights[np.isin(data.sentences.answers, mine)], expected, atol=1e-4)


def test_the_relevance_model_learns_from_the_answers_with_a_mark_alone() -> None:
    data = draw_data()
    marked = np.unique(data.sentences.answers[data.is_evidence])
    assert len(marked) < 60
    every, some = _fit_relevance(data, CONFIG), _fit_relevance(data.of_answers(marked), CONFIG)
    assert every is not None
    assert some is not None
    assert np.array_equal(every.coefficients, some.coefficients)
    assert np.array_equal(every.idf, some.idf)


@pytest.mark.parametrize(
    ("marks", "config"),
    [
        pytest.param(np.zeros_like, CONFIG, id="none is marked"),
        pytest.param(np.ones_like, CONFIG, id="all are marked"),
        pytest.param(np.copy, replace(CONFIG, relevance_min_sentences=10**6), id="no feature in so many sentences"),
    ],
)
def test_where_nothing_tells_evidence_apart_all_sentences_weigh_alike(marks: Any, config: ClassifierConfig) -> None:
    data = draw_data()
    estimator = fit_estimator(replace(data, is_evidence=marks(data.is_evidence)), config)
    assert estimator.relevance is None
    assert (estimator.predict_relevance(draw_sentences(9)) == 1).all()
    assert (estimator.weigh_sentences(draw_sentences(9)) == 1).all()
    assert np.array_equal(estimator.stance.coefficients, fit_estimator(unmarked(data), CONFIG).stance.coefficients)


def test_a_power_of_0_weighs_all_sentences_alike_and_gives_the_stance_model_of_unmarked_data() -> None:
    data = draw_data()
    estimator = fit_estimator(data, replace(CONFIG, relevance_power=0.0))
    assert (estimator.weigh_sentences(draw_sentences(9)) == 1).all()
    plain = fit_estimator(unmarked(data), CONFIG).stance
    assert np.array_equal(estimator.stance.coefficients, plain.coefficients)
    assert np.array_equal(estimator.stance.intercepts, plain.intercepts)


def test_a_single_question_with_marks_can_be_learnt_from() -> None:
    data = draw_data()
    estimator = fit_estimator(replace(data, questions=np.full(60, "q")), CONFIG)
    assert estimator.relevance is not None


# ---------------------------------------------------------------- how much an answer counts


def stand_everywhere(data: TrainingData) -> TrainingData:
    """Let every feature stand in every answer: then repeating an answer changes no document frequency."""
    random = np.random.default_rng(1)
    counts = csr_matrix(random.integers(1, 5, size=(60, N_FEATURES)).astype(np.float64))
    sentences = SentenceCounts(counts, np.arange(60), np.zeros(60, dtype=bool), 60, FEATURE_DOCUMENTS)
    return replace(data, sentences=sentences, is_evidence=np.zeros(60, dtype=bool))


@pytest.mark.parametrize("balance", [True, False], ids=["balanced", "as they come"])
@pytest.mark.parametrize("labels", [TWO, THREE], ids=["two labels", "three labels"])
def test_an_answer_of_weight_2_counts_as_two_such_answers(labels: tuple[str, ...], balance: bool) -> None:
    data = stand_everywhere(draw_data(labels=labels))
    config = replace(CONFIG, balance=balance)
    weights = np.where(np.arange(60) % 3 == 0, 2.0, 1.0)
    rows = np.repeat(np.arange(60), weights.astype(int))
    sentences = data.sentences
    doubled = TrainingData(
        sentences=replace(
            sentences,
            counts=sentences.counts[rows],
            answers=np.arange(80),
            is_headline=np.zeros(80, dtype=bool),
            n_answers=80,
        ),
        labels=data.labels[rows],
        questions=data.questions[rows],
        is_evidence=np.zeros(80, dtype=bool),
        weights=np.ones(80),
    )
    weighted = fit_estimator(replace(data, weights=weights), config).stance
    plain = fit_estimator(data, config).stance
    repeated = fit_estimator(doubled, config).stance
    np.testing.assert_allclose(weighted.coefficients, repeated.coefficients, atol=2e-4)
    np.testing.assert_allclose(weighted.intercepts, repeated.intercepts, atol=2e-4)
    assert np.abs(weighted.coefficients - plain.coefficients).max() > 0.01


@pytest.mark.parametrize("weight", [0.25, 2.0, 10.0])
def test_the_same_weight_for_all_answers_is_a_weaker_penalty_and_nothing_else(
    data: TrainingData, weight: float
) -> None:
    weighted = fit_estimator(replace(data, weights=np.full(60, weight)), CONFIG)
    freer = fit_estimator(data, replace(CONFIG, inverse_penalty=CONFIG.inverse_penalty * weight))
    assert np.array_equal(weighted.stance.idf, freer.stance.idf)
    np.testing.assert_allclose(weighted.stance.coefficients, freer.stance.coefficients, atol=2e-4)
    np.testing.assert_allclose(weighted.stance.intercepts, freer.stance.intercepts, atol=2e-4)


# ---------------------------------------------------------------- temperature and prediction


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
def test_scaling_the_estimator_scales_its_posteriors(data: TrainingData, temperature: float) -> None:
    estimator, sentences = fit_estimator(data, CONFIG), draw_sentences(3)
    scheme = scheme_of(tuple(estimator.stance.classes))
    before = predict_posteriors(estimator, sentences, scheme)
    scaled = scale_temperature(estimator, temperature)
    np.testing.assert_allclose(
        predict_posteriors(scaled, sentences, scheme), apply_temperature(before, temperature), atol=1e-3
    )
    assert np.array_equal(scaled.weigh_sentences(sentences), estimator.weigh_sentences(sentences))
    for name in ("coefficients", "intercepts"):
        found, unscaled = getattr(scaled.stance, name), getattr(estimator.stance, name)
        assert np.array_equal(found, found.round(COEFFICIENT_DECIMALS))
        np.testing.assert_allclose(found * temperature, unscaled, atol=temperature * 10**-COEFFICIENT_DECIMALS)


def test_scaling_gives_another_estimator_and_leaves_the_first_as_it_is(estimator: StanceEstimator) -> None:
    coefficients, intercepts = estimator.stance.coefficients.copy(), estimator.stance.intercepts.copy()
    scaled = scale_temperature(estimator, 2.5)
    assert np.array_equal(estimator.stance.coefficients, coefficients)
    assert np.array_equal(estimator.stance.intercepts, intercepts)
    assert scaled.relevance is estimator.relevance
    assert (scaled.relevance_power, scaled.stance.classes) == (estimator.relevance_power, estimator.stance.classes)
    # What was worked out of the first is not carried over.
    np.testing.assert_allclose(scaled.stance.centred, estimator.stance.centred / 2.5, atol=2e-4)


@given(seed=SEEDS, rows=ROWS)
@settings(max_examples=25)
def test_an_answer_is_predicted_the_same_whatever_else_is_predicted_with_it(
    estimator: StanceEstimator, seed: int, rows: np.ndarray[Any, np.dtype[np.int64]]
) -> None:
    sentences = draw_sentences(seed)
    scheme = scheme_of(tuple(estimator.stance.classes))
    together = predict_posteriors(estimator, sentences, scheme)
    some = predict_posteriors(estimator, sentences.of_answers(rows), scheme)
    np.testing.assert_allclose(some, together[rows], rtol=1e-12)
    alone = [predict_posteriors(estimator, sentences.of_answers(rows[[n]]), scheme)[0] for n in range(len(rows))]
    np.testing.assert_allclose(np.array(alone).reshape(some.shape), some, rtol=1e-12)


def test_an_answer_without_a_sentence_is_predicted_by_the_intercepts(estimator: StanceEstimator) -> None:
    nothing = draw_sentences(0).of_answers(np.empty(0, dtype=np.int64))
    nothing = replace(nothing, n_answers=2)
    odds = np.exp(estimator.stance.intercepts)
    posteriors = predict_posteriors(estimator, nothing, scheme_of(tuple(estimator.stance.classes)))
    np.testing.assert_allclose(posteriors, np.tile(odds / odds.sum(), (2, 1)))


@pytest.mark.parametrize("names", [("yes", "no"), ("unseen", "yes", "no"), ("yes", "unseen", "other", "no")])
def test_columns_stand_in_the_order_of_the_scheme_and_a_label_never_seen_has_probability_0(
    names: tuple[str, ...],
) -> None:
    estimator = fit_estimator(draw_data(labels=TWO), CONFIG)
    sentences = draw_sentences(4)
    plain = predict_posteriors(estimator, sentences, scheme_of(TWO))
    posteriors = predict_posteriors(estimator, sentences, scheme_of(names))
    for column, name in enumerate(names):
        expected = plain[:, TWO.index(name)] if name in TWO else np.zeros(len(plain))
        assert np.array_equal(posteriors[:, column], expected)
