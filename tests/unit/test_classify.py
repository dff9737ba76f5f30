"""The classifier: posteriors, calls, and explanations that add up to the decision."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.classify import (
    StanceModel,
    call_answers,
    call_explained,
    choose_evidence,
    choose_stances,
    explain_answers,
    find_said,
    sum_sides,
)
from pipeline.encoder import read_batch
from pipeline.estimator import Floats, SentenceCounts, predict_posteriors
from pipeline.features import build_vocabulary, count_features, extract_features
from pipeline.fitting import fit_estimator
from pipeline.lexicon import default_lexicon_text, parse_lexicon
from pipeline.manifest import ClassifierConfig
from pipeline.preprocess import AnswerParser, ParsedBatch, parse_answers
from pipeline.schema import AnswerRecord, Label, LabelScheme, MarkedSpan, Source, StanceCall
from pipeline.training import count_labelled, featurise

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


def answer(text: str, headline: str | None = None, *, evidence: str | None = None) -> AnswerRecord:
    start = 0 if evidence is None else text.index(evidence)
    marks = [] if evidence is None else [MarkedSpan(field="text", start=start, end=start + len(evidence))]
    return AnswerRecord(
        question_id="q",
        question="Does a peel help?",
        answer_id="a",
        position=1,
        headline=headline,
        text=text,
        source=Source(file="t", locator="answer 1"),
        gold_evidence=[mark.model_dump() for mark in marks],
    )


def parse(parser: AnswerParser, *texts: str) -> ParsedBatch:
    return parser.parse([answer(text) for text in texts])


def train(parser: AnswerParser, scheme: LabelScheme, *, marked: bool = False, **settings: float) -> StanceModel:
    """Train on the few answers above; marked, the first sentence of each is evidence."""
    rows = [(label, text) for label, text in TRAINING if label in scheme.names]
    config = ClassifierConfig(min_answers=1, relevance_min_sentences=2, **settings)  # type: ignore[arg-type]
    features = featurise(
        [answer(f"{text} Thank you for asking.", evidence=text if marked else None) for _, text in rows],
        parser,
        with_pieces=config.piece_weight > 0,
    )
    vocabulary = build_vocabulary(features, 1)
    questions = [f"q{n % 3}" for n in range(len(rows))]
    data = count_labelled(features, vocabulary, [label for label, _ in rows], questions, [1.0] * len(rows))
    return StanceModel("t@0", scheme, vocabulary, fit_estimator(data, config), default_lexicon_text(), config=config)


@pytest.fixture(scope="module")
def models(parser: AnswerParser, model: StanceModel, fast_model: StanceModel) -> dict[str, StanceModel]:
    """Models of two, three and (those that come with medstance) six labels."""
    three = LabelScheme.from_labels("three", ["no", "depends", "yes"])
    return {
        "two": train(parser, LabelScheme.from_labels("two", ["yes", "no"])),
        "three": train(parser, three, word_weight=1.5),
        "marked": train(parser, three, marked=True),
        "pieces": train(parser, three, marked=True, piece_weight=0.5, relevance_power=1.0),
        "default": model,
        "fast": fast_model,
    }


MODELS = ["two", "three", "marked", "pieces", "default", "fast"]


def call(parser: AnswerParser, model: StanceModel, text: str, headline: str | None = None) -> StanceCall:
    (made,) = call_answers(model, parser.parse([answer(text, headline)]))
    return made


def count_sentences(model: StanceModel, batch: ParsedBatch) -> SentenceCounts:
    """Count as training and scoring do."""
    features = extract_features(batch, with_pieces=model.config.piece_weight > 0)
    counts = count_features(features, model.vocabulary)
    return SentenceCounts(
        counts,
        batch.sentence_answers,
        batch.is_headline,
        len(batch.answers),
        model.vocabulary.documents,
        None if model.encoder is None else read_batch(model.encoder, batch),
    )


# ---------------------------------------------------------------- posteriors


@pytest.mark.parametrize("name", MODELS)
def test_posteriors_have_a_row_per_answer_and_a_column_per_label_and_rows_sum_to_one(
    parser: AnswerParser, models: dict[str, StanceModel], name: str
) -> None:
    model = models[name]
    posteriors = explain_answers(model, parse(parser, *SENTENCES)).posteriors
    assert posteriors.shape == (len(SENTENCES), len(model.scheme.names))
    assert (posteriors >= 0).all()
    np.testing.assert_allclose(posteriors.sum(axis=1), 1)


@pytest.mark.parametrize("name", MODELS)
def test_answers_are_called_by_the_posteriors_that_a_model_is_scored_by(
    parser: AnswerParser, models: dict[str, StanceModel], name: str
) -> None:
    model, batch = models[name], parse(parser, *SENTENCES)
    expected = predict_posteriors(model.estimator, count_sentences(model, batch), model.scheme)
    np.testing.assert_allclose(explain_answers(model, batch).posteriors, expected, rtol=1e-12)
    assert [c.stance for c in call_answers(model, batch)] == choose_stances(expected, model.scheme)[0]


@pytest.mark.parametrize("names", [["yes", "no"], ["no", "yes"], ["yes", "depends", "no"], ["depends", "no", "yes"]])
def test_columns_stand_in_the_order_of_the_scheme_whatever_the_order_of_the_labels(
    parser: AnswerParser, names: list[str]
) -> None:
    model = train(parser, LabelScheme.from_labels("s", names))
    rows = [(label, text) for label, text in TRAINING if label in names]
    posteriors = explain_answers(model, parse(parser, *(text for _, text in rows))).posteriors
    assert [names[column] for column in posteriors.argmax(axis=1)] == [label for label, _ in rows]


def test_a_label_that_was_never_seen_has_probability_zero_and_is_never_called(parser: AnswerParser) -> None:
    seen = train(parser, LabelScheme.from_labels("s", ["no", "yes"]))
    model = replace(seen, scheme=LabelScheme.from_labels("s", ["no", "unseen", "yes"]))
    posteriors = explain_answers(model, parse(parser, *SENTENCES)).posteriors
    assert (posteriors[:, 1] == 0).all()
    np.testing.assert_allclose(posteriors.sum(axis=1), 1)
    calls = [call(parser, model, text) for text in SENTENCES]
    assert {c.stance for c in calls} == {"no", "yes"}
    assert all(c.posteriors["unseen"] == 0 for c in calls)


def test_a_small_training_set_of_like_answers_gives_a_model_that_can_be_used(parser: AnswerParser) -> None:
    rows = [("yes", "It is safe."), ("no", "It is not safe.")] * 4
    features = featurise([answer(text) for _, text in rows], parser)
    vocabulary = build_vocabulary(features, ClassifierConfig().min_answers)
    data = count_labelled(features, vocabulary, [label for label, _ in rows], list("aabbccdd"), [1.0] * 8)
    scheme = LabelScheme.from_labels("s", ["yes", "no"])
    estimator = fit_estimator(data, ClassifierConfig())
    model = StanceModel("t@0", scheme, vocabulary, estimator, default_lexicon_text())
    assert call(parser, model, "It is not safe.").stance == "no"
    assert call(parser, model, "It is safe.").stance == "yes"


# ---------------------------------------------------------------- answers together and alone

MANY_TEXTS = st.lists(TEXTS | st.text(min_size=1, max_size=40).filter(str.strip), min_size=1, max_size=9)


@pytest.mark.parametrize("name", ["two", "pieces", "default", "fast"])
@given(texts=MANY_TEXTS, batch_size=st.sampled_from([1, 2, 7, 1024]), data=st.data())
@settings(max_examples=15)
def test_an_answer_is_called_the_same_in_any_batch_in_any_order_and_whatever_was_called_before(
    parser: AnswerParser,
    models: dict[str, StanceModel],
    name: str,
    texts: list[str],
    batch_size: int,
    data: st.DataObject,
) -> None:
    model, answers = models[name], [answer(text) for text in texts]
    order = data.draw(st.permutations(range(len(texts))))
    alone = [explain_answers(model, parser.parse([answer])).posteriors[0] for answer in answers]
    calls = [call(parser, model, text) for text in texts]
    seen = 0
    for batch in parse_answers(parser, [answers[place] for place in order], batch_size=batch_size):
        mine = order[seen : seen + len(batch.answers)]
        seen += len(mine)
        posteriors = explain_answers(model, batch).posteriors
        np.testing.assert_allclose(posteriors, [alone[place] for place in mine], rtol=1e-11)
        assert call_answers(model, batch) == [calls[place] for place in mine]
    assert seen == len(texts)


def test_a_parser_that_has_read_thousands_of_answers_reads_the_next_as_a_new_one_does(
    parser: AnswerParser, models: dict[str, StanceModel]
) -> None:
    model = models["marked"]
    worn = AnswerParser(parse_lexicon(model.lexicon_text, "cues.toml"))
    before = call_answers(model, parse(worn, *SENTENCES))
    for n in range(3):
        parse(worn, *(f"Strange{n}word{k} and other{k}n't things." for k in range(1024)))
    assert call_answers(model, parse(worn, *SENTENCES)) == before == call_answers(model, parse(parser, *SENTENCES))


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
@settings(max_examples=40)
def test_a_call_agrees_with_its_posteriors(
    parser: AnswerParser, model: StanceModel, text: str, headline: str | None
) -> None:
    made = call(parser, model, text, headline)
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
    parser: AnswerParser, model: StanceModel, threshold: float, abstained: bool
) -> None:
    worded = [text for text in SENTENCES if text not in WORDLESS]
    made = [call(parser, replace(model, abstain_below=threshold), text) for text in worded]
    assert {c.abstained for c in made} == {abstained}
    assert [c.stance for c in made] == [call(parser, model, text).stance for text in worded]


@pytest.mark.parametrize("text", WORDLESS)
def test_an_answer_without_a_known_word_is_never_called(parser: AnswerParser, model: StanceModel, text: str) -> None:
    assert call(parser, replace(model, abstain_below=0.0), text).abstained


@pytest.mark.parametrize("name", ["three", "marked", "default", "fast"])
@pytest.mark.parametrize(
    "text",
    ["Peel.", "Peel? Peels!", "7", "12 34 56", "7 peels", "Peels, 7, seven.", "\n7.\n\nPeels\n"],
)
def test_an_answer_of_nothing_but_targets_and_numbers_is_never_called(
    parser: AnswerParser, models: dict[str, StanceModel], name: str, text: str
) -> None:
    model = replace(models[name], abstain_below=0.0)
    assert call(parser, model, text).abstained
    assert call(parser, model, "xyzzy", headline=text).abstained
    # A word or a cue beside them is enough.
    assert not call(parser, model, f"{text} It works.").abstained


@given(
    st.lists(st.sampled_from(["peel", "Peels", "7", "seven", "1.5", ".", ",", "?", "xyzzy"]), min_size=1).map(" ".join)
)
@settings(max_examples=40)
def test_an_answer_that_abstains_for_saying_nothing_keeps_its_posteriors_and_stance(
    parser: AnswerParser, model: StanceModel, text: str
) -> None:
    made = call(parser, replace(model, abstain_below=0.0), text)
    assert made.abstained
    assert made.stance == choose_stances(explain_answers(model, parse(parser, text)).posteriors, model.scheme)[0][0]
    assert made.posteriors[made.stance] > 0


def test_answers_say_something_by_a_known_word_or_cue_each_by_itself(
    parser: AnswerParser, models: dict[str, StanceModel]
) -> None:
    texts = {"It works.": True, "7 peels": False, "xyzzy": False, "Not 7": True, "...": False, "Peels are good": True}
    found = extract_features(parse(parser, *texts))
    columns = models["three"].vocabulary.columns(found.hashes)
    assert find_said(found, columns >= 0).tolist() == list(texts.values())
    assert find_said(found, np.flatnonzero(columns >= 0)).tolist() == list(texts.values())
    assert not find_said(found, np.zeros(len(columns), dtype=bool)).any()
    assert find_said(extract_features(parser.parse([])), np.zeros(0, dtype=bool)).shape == (0,)


def test_answers_called_together_are_called_as_each_alone_in_their_order(
    parser: AnswerParser, model: StanceModel
) -> None:
    together = call_answers(model, parse(parser, *SENTENCES))
    assert together == [call(parser, model, text) for text in SENTENCES]


def test_no_answers_give_no_calls(parser: AnswerParser, model: StanceModel) -> None:
    assert call_answers(model, parser.parse([])) == []


# ---------------------------------------------------------------- explanations


@pytest.mark.parametrize("name", MODELS)
@given(texts=st.lists(TEXTS, min_size=1, max_size=3), headline=st.none() | TEXTS, data=st.data())
@settings(max_examples=20)
def test_contributions_sum_to_the_logit_of_the_stance_less_the_mean_logit(
    parser: AnswerParser,
    models: dict[str, StanceModel],
    name: str,
    texts: list[str],
    headline: str | None,
    data: st.DataObject,
) -> None:
    model = models[name]
    batch = parser.parse([answer(text, headline) for text in texts])
    classes = model.estimator.stance.classes
    stances = [data.draw(st.sampled_from(classes)) for _ in texts]
    explained = explain_answers(model, batch, stances)
    assert explained.stances == stances
    assert len(explained.rows) == len(explained.weights) == len(explained.tokens)
    by_sentence = explained.sentence_weights()
    assert by_sentence.shape == batch.sentence_answers.shape
    n = len(texts)
    by_answer = np.bincount(batch.sentence_answers, weights=by_sentence, minlength=n)
    of_features = np.bincount(batch.tokens.text_of[explained.tokens], weights=explained.weights, minlength=n)
    of_readings = np.bincount(batch.sentence_answers, weights=explained.readings, minlength=n)
    # Log posteriors are logits up to a constant, which the mean takes away.
    logits = np.log(explained.posteriors[:, [model.scheme.names.index(c) for c in classes]])
    expected = logits[np.arange(n), [classes.index(s) for s in stances]] - logits.mean(axis=1)
    np.testing.assert_allclose(explained.intercepts + by_answer, expected, atol=1e-9)
    np.testing.assert_allclose(explained.intercepts + of_features + of_readings, expected, atol=1e-9)


@pytest.mark.parametrize("name", MODELS)
@given(texts=st.lists(TEXTS, min_size=1, max_size=3), headline=st.none() | TEXTS)
@settings(max_examples=15)
def test_a_sentence_adds_what_it_adds_where_a_model_is_scored(
    parser: AnswerParser, models: dict[str, StanceModel], name: str, texts: list[str], headline: str | None
) -> None:
    model = models[name]
    batch = parser.parse([answer(text, headline) for text in texts])
    explained, sentences = explain_answers(model, batch), count_sentences(model, batch)
    assert explained.stances == choose_stances(explained.posteriors, model.scheme)[0]
    scored = model.estimator.weigh_features(sentences, explained.stances)
    np.testing.assert_allclose(explained.sentence_weights(), scored, atol=1e-9)
    np.testing.assert_allclose(explained.relevance, model.estimator.weigh_sentences(sentences), rtol=1e-12)
    np.testing.assert_allclose(explained.probability, model.estimator.predict_relevance(sentences), rtol=1e-12)


def test_a_feature_that_stands_twice_in_a_sentence_has_half_of_its_weight_each_time(
    parser: AnswerParser, models: dict[str, StanceModel]
) -> None:
    explained = explain_answers(models["two"], parse(parser, "Works; works; good"), ["yes"])
    names, documents = explained.features.names(explained.rows), explained.features.documents(explained.rows)
    # A word and a family of wordings may have one name.
    of_words = zip(names, documents.tolist(), explained.weights.tolist(), strict=True)
    one, two = (weight for name, document, weight in of_words if (name, document) == ("works", 0))
    assert one == two != 0


@pytest.mark.parametrize("name", ["two", "three"])
def test_without_marked_evidence_every_sentence_counts_in_full(
    parser: AnswerParser, models: dict[str, StanceModel], name: str
) -> None:
    assert models[name].estimator.relevance is None
    explained = explain_answers(models[name], parse(parser, *SENTENCES))
    assert (explained.relevance == 1).all()
    assert (explained.probability == 1).all()


def test_a_sentence_unlike_any_evidence_counts_less(parser: AnswerParser, models: dict[str, StanceModel]) -> None:
    explained = explain_answers(models["marked"], parse(parser, "It is safe, I would do it. Thank you for asking."))
    first, second = explained.relevance.tolist()
    assert 0 < second < first < 1


@pytest.mark.parametrize("name", ["default", "fast"])
@pytest.mark.parametrize("text", [*WORDLESS, "\u200b"])
def test_an_answer_of_unknown_words_is_explained_by_the_intercept_and_what_an_encoder_reads(
    parser: AnswerParser, models: dict[str, StanceModel], name: str, text: str
) -> None:
    explained = explain_answers(models[name], parse(parser, text), ["against"])
    assert explained.rows.shape == explained.weights.shape == (0,)
    assert (explained.sentence_weights() == explained.readings).all()
    assert name == "default" or (explained.readings == 0).all()


# ---------------------------------------------------------------- evidence


@given(text=TEXTS, headline=st.none() | TEXTS)
@settings(max_examples=60)
def test_evidence_is_verbatim_and_positive_and_no_more_than_asked_for(
    parser: AnswerParser, model: StanceModel, text: str, headline: str | None
) -> None:
    found = call(parser, model, text, headline).evidence
    record = {"headline": headline or "", "text": text}
    for passage in found:
        assert 0 <= passage.start < passage.end <= len(record[passage.field])
        assert record[passage.field][passage.start : passage.end] == passage.quote
        assert passage.quote == passage.quote.strip()
    assert all(passage.weight > 0 for passage in found)
    assert len(found) <= model.config.max_evidence


@pytest.mark.parametrize("name", MODELS)
@given(text=TEXTS, headline=st.none() | TEXTS, share=st.sampled_from([0.0, 0.4, 1.0]))
@settings(max_examples=20)
def test_evidence_stands_in_order_of_what_a_sentence_adds_times_how_likely_it_is_to_be_evidence(
    parser: AnswerParser, models: dict[str, StanceModel], name: str, text: str, headline: str | None, share: float
) -> None:
    config = replace(models[name].config, min_evidence_share=share)
    model = replace(models[name], config=config)
    batch = parser.parse([answer(text, headline)])
    explained = explain_answers(model, batch)
    weights = explained.sentence_weights()
    strengths = weights * explained.probability
    order = sorted(range(len(strengths)), key=lambda sentence: -strengths[sentence])
    kept = [s for s in order if strengths[s] > 0 and strengths[s] >= share * strengths[order[0]]]
    expected = []
    for sentence in kept[: config.max_evidence]:
        passages = batch.sources[0].locate(*batch.sentence_range(sentence))
        # What a sentence adds is what its one passage weighs: its likelihood is for the order alone.
        weight = round(float(weights[sentence]), 4) if len(passages) == 1 else None
        expected += [(p.field, p.start, p.end, weight) for p in passages if weight != 0]
    found = call_explained(model, explained)[0].evidence
    given_weights = {(p.field, p.start, p.end): p.weight for p in found}
    split = {(f, s, e) for f, s, e, weight in expected if weight is None}
    kept_expected = [row for row in expected if row[:3] not in split or row[:3] in given_weights]
    assert [(p.field, p.start, p.end) for p in found] == [row[:3] for row in kept_expected][: config.max_evidence]
    assert all(
        given_weights[row[:3]] == row[3] for row in kept_expected if row[3] is not None and row[:3] in given_weights
    )


def test_a_sentence_that_adds_more_but_is_less_likely_to_be_evidence_is_quoted_after(
    parser: AnswerParser, models: dict[str, StanceModel]
) -> None:
    model = replace(models["marked"], config=replace(models["marked"].config, min_evidence_share=0.0))
    batch = parse(parser, "Do not do it. I would not recommend it. It is not safe.")
    explained = explain_answers(model, batch, ["no"])
    weights = explained.sentence_weights()
    assert (weights > 0).all()
    for probability in ([0.9, 0.5, 0.1], [0.1, 0.9, 0.5], [0.2, 0.2, 0.9]):
        # The likeliest sentence is made to come first, whatever each adds.
        likely = np.array(probability) ** 9
        found = call_explained(model, replace(explained, probability=likely))[0].evidence
        order = np.argsort(-likely * weights, kind="stable").tolist()
        ranges = [batch.sentence_range(sentence) for sentence in order]
        assert [(p.start, p.end) for p in found] == ranges
        assert [p.weight for p in found] == [round(float(weights[sentence]), 4) for sentence in order]
        assert order[0] == int(np.argmax(likely))


def test_a_headline_counts_in_full_and_is_quoted_as_likely_as_it_is_evidence(
    parser: AnswerParser, models: dict[str, StanceModel]
) -> None:
    batch = parser.parse([answer("Do not do it.", "Thank you for asking")])
    explained = explain_answers(models["marked"], batch)
    assert explained.relevance[0] == 1
    assert explained.probability[0] < explained.probability[1] < 1


def test_evidence_is_the_sentences_that_speak_for_the_call(
    parser: AnswerParser, models: dict[str, StanceModel]
) -> None:
    config = replace(models["three"].config, min_evidence_share=0.0)
    made = call(
        parser, replace(models["three"], config=config), "Xyzzy plugh.  Do not do it, never. Plugh!", headline="No"
    )
    assert made.stance == "no"
    assert {passage.quote for passage in made.evidence} == {"Do not do it, never.", "No"}


def test_a_sentence_from_headline_to_body_gives_a_passage_of_each(
    parser: AnswerParser, models: dict[str, StanceModel]
) -> None:
    config = replace(models["three"].config, min_evidence_share=0.0)
    made = call(parser, replace(models["three"], config=config), "do not do it.", headline="Never ")
    assert {(passage.field, passage.quote) for passage in made.evidence} == {
        ("headline", "Never"),
        ("text", "do not do it."),
    }


def test_passages_of_headline_and_body_have_the_weights_of_the_answer_alone_wherever_it_stands_in_a_batch(
    parser: AnswerParser, models: dict[str, StanceModel]
) -> None:
    model = replace(models["three"], config=replace(models["three"].config, min_evidence_share=0.0))
    answers = [
        answer("It is not safe, do not do it. Never."),
        answer("are high and it is not safe, do not do it. Never.", "The risks "),
        answer("xyzzy"),
        answer("do not do it.", "Never "),
        answer("are high and I would not do it.", "Risks "),
    ]
    together = call_answers(model, parser.parse(answers))
    assert [made.evidence for made in together] == [call_answers(model, parser.parse([a]))[0].evidence for a in answers]
    assert sum({"headline", "text"} == {passage.field for passage in made.evidence} for made in together) == 3


@pytest.mark.parametrize("limit", [0, 1, 2])
def test_no_more_evidence_is_given_than_asked_for_and_the_strongest_is_kept(
    parser: AnswerParser, model: StanceModel, limit: int
) -> None:
    text = "I would not do it. It is not safe. Do not do it. Avoid it."
    every = call(parser, replace(model, config=replace(model.config, max_evidence=9, min_evidence_share=0.0)), text)
    few = call(parser, replace(model, config=replace(model.config, max_evidence=limit, min_evidence_share=0.0)), text)
    assert len(every.evidence) > 2
    assert few.evidence == every.evidence[:limit]


def test_evidence_much_weaker_than_the_strongest_is_left_out(parser: AnswerParser, model: StanceModel) -> None:
    text = "I would not do it. It is not safe. Do not do it. Avoid it."
    every = call(parser, replace(model, config=replace(model.config, max_evidence=9, min_evidence_share=0.0)), text)
    strong = call(parser, replace(model, config=replace(model.config, max_evidence=9, min_evidence_share=0.99)), text)
    assert strong.evidence == every.evidence[: len(strong.evidence)]
    assert 1 <= len(strong.evidence) < len(every.evidence)


@pytest.mark.parametrize(
    ("share", "limit", "expected"),
    [
        pytest.param(0.0, 9, ["The risks", "are high and it is not safe, do not do it.", "Never."], id="in order"),
        pytest.param(0.0, 2, ["The risks", "are high and it is not safe, do not do it."], id="two passages"),
        pytest.param(0.0, 1, ["The risks"], id="one passage"),
        pytest.param(0.99, 9, ["The risks", "are high and it is not safe, do not do it."], id="the strongest sentence"),
    ],
)
def test_the_passages_of_one_sentence_stand_together_and_each_has_its_own_weight(
    parser: AnswerParser, models: dict[str, StanceModel], share: float, limit: int, expected: list[str]
) -> None:
    config = replace(models["three"].config, min_evidence_share=share, max_evidence=limit)
    model = replace(models["three"], config=config)
    text = "are high and it is not safe, do not do it. Never."
    found = call(parser, model, text, headline="The risks ").evidence
    assert [passage.quote for passage in found] == expected
    if limit > 1:
        first, second = (passage.weight for passage in found[:2])
        explained = explain_answers(model, parser.parse([answer(text, "The risks ")]))
        assert 0 < first < second
        assert first + second == pytest.approx(explained.sentence_weights()[0], abs=1e-4)


@pytest.mark.parametrize(
    ("weights", "answers", "limit", "share", "expected"),
    [
        pytest.param([], [], 3, 0.4, [], id="no sentence"),
        pytest.param([1.0, 3.0, 2.0], [0, 0, 0], 3, 0.0, [1, 2, 0], id="strongest first"),
        pytest.param([1.0, 2.0, 1.0, 2.0], [0, 0, 0, 0], 4, 0.0, [1, 3, 0, 2], id="of like ones the first first"),
        pytest.param([1.0, 2.0, 3.0], [0, 0, 0], 2, 0.0, [2, 1], id="no more than asked for"),
        pytest.param([1.0, 2.0], [0, 0], 0, 0.0, [], id="none is asked for"),
        pytest.param([1.0, 0.4, 0.39], [0, 0, 0], 3, 0.4, [0, 1], id="just the least share, and less"),
        pytest.param([1.0, 1.0, 0.9], [0, 0, 0], 3, 1.0, [0, 1], id="as strong as the strongest"),
        pytest.param([0.0, -1.0, 0.5], [0, 0, 0], 3, 0.0, [2], id="what adds nothing, or speaks against"),
        pytest.param([-1.0, -2.0], [0, 0], 3, 0.0, [], id="all speak against"),
        pytest.param([0.0], [0], 3, 0.0, [], id="nothing is added"),
        pytest.param([1.0, 9.0, 2.0, 4.0], [0, 1, 1, 3], 3, 0.4, [0, 1, 3], id="each answer by itself"),
        pytest.param([1.0, 2.0, 3.0], [0, 1, 2], 1, 0.4, [0, 1, 2], id="a sentence to each answer"),
    ],
)
def test_the_strongest_sentences_are_chosen_answer_by_answer(
    weights: list[float], answers: list[int], limit: int, share: float, expected: list[int]
) -> None:
    config = ClassifierConfig(max_evidence=limit, min_evidence_share=share)
    chosen = choose_evidence(np.array(weights), np.array(answers, dtype=np.int64), config)
    assert chosen.tolist() == expected


@given(
    st.lists(st.tuples(st.integers(0, 4), st.sampled_from([-1.0, 0.0, 0.1, 0.5, 0.5, 1.0, 2.0])), max_size=20),
    st.integers(0, 4),
    st.sampled_from([0.0, 0.25, 0.4, 1.0]),
)
def test_choosing_evidence_is_what_sorting_answer_by_answer_gives(
    rows: list[tuple[int, float]], limit: int, share: float
) -> None:
    rows.sort(key=lambda row: row[0])
    expected: list[int] = []
    for answer_number in sorted({number for number, _ in rows}):
        mine = [(place, weight) for place, (number, weight) in enumerate(rows) if number == answer_number]
        mine.sort(key=lambda pair: -pair[1])
        least = mine[0][1] * share
        expected += [place for place, weight in mine[:limit] if weight > 0 and weight >= least]
    weights: Floats = np.array([weight for _, weight in rows], dtype=np.float64)
    answers = np.array([number for number, _ in rows], dtype=np.int64)
    config = ClassifierConfig(max_evidence=limit, min_evidence_share=share)
    assert choose_evidence(weights, answers, config).tolist() == expected
