"""The model card: what a manifest says, as Markdown with figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from pipeline.figures import draw_confusion, draw_coverage, draw_groups, draw_learning_curve, draw_reliability
from pipeline.manifest import Manifest
from pipeline.schema import LabelScheme

_SIDES_RIGHT = "Share of right sides"


def render_card(manifest: Manifest) -> str:
    """Render the model card from the manifest: what it is, how good, what it gets wrong."""
    scores, training = manifest.scores, manifest.training
    lines = [
        f"# Model card: {_plain(manifest.name)}",
        "",
        "Labels the stance of one respondent's free-text answer to one question.",
        "It is not medical advice: a stance is what an answer says, not what is medically right.",
        "",
        "This file is written by `stance train`.",
        "",
        "## What it is",
        "",
        "A logistic regression weighs each sentence by the probability that it gives the stance; "
        "a second one, multinomial, reads the weighted sum: TF-IDF of words and of cues (families of wordings, "
        "where they stand, negation, the words around a mention of the target).",
        *_encoder_lines(training),
        f"Its logits are divided by {manifest.temperature} to make posteriors honest.",
        f"It abstains where the called side has a probability below {manifest.abstain_below}.",
        "",
        "| setting | value |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in asdict(manifest.config).items()),
        *(f"| {name} | {value} |" for name, value in manifest.versions.items()),
        "",
        "## What it was trained on",
        "",
        f"{training['n_answers']} answers to {training['n_questions']} questions; digest `{training['digest'][:16]}`.",
        *(f"An answer of {_plain(name)} counts {weight:g}." for name, weight in training["source_weights"].items()),
        "",
        "| label | answers |",
        "|---|--:|",
        *(f"| {_plain(name)} | {n} |" for name, n in training["labels"].items()),
        "",
        "## How good it is",
        "",
        f"Out-of-fold scores, {scores['n_folds']} folds grouped by {scores['grouped_by']}: "
        "every answer is called by a model that saw no other answer of its group.",
        "Temperature and threshold of abstention were fitted on the same out-of-fold posteriors.",
        "",
        "| score | value |",
        "|---|--:|",
        *_score_rows(scores),
        "",
        "## What it gets wrong",
        "",
        "Gold labels by row, calls by column; abstentions are counted as called.",
        "",
        *_confusion_rows(manifest.scheme, scores["confusion"]),
        "",
        "| label | precision | recall | F1 | n |",
        "|---|--:|--:|--:|--:|",
        *(
            f"| {_plain(name)} | {s['precision']:.2f} | {s['recall']:.2f} | {s['f1']:.2f} | {s['n']} |"
            for name, s in scores["labels"].items()
        ),
        "",
        *_worst_confusions(manifest.scheme, scores["confusion"]),
        "",
        "![Confusion matrix](confusion.svg)",
        *_evidence_lines(scores),
        *_curve_lines(scores.get("curves", {}), has_encoder=bool(training.get("encoder"))),
    ]
    return "\n".join(lines) + "\n"


def _encoder_lines(training: Mapping[str, Any]) -> list[str]:
    if not training.get("encoder"):
        return []
    return [
        f"Beside them it reads what an encoder says of each sentence ({_plain(training['encoder'])}): a small "
        "transformer that sees proposition, question and answer together.",
        f"It was tuned on {training['n_tuned_on']:,} answers, counted once for each question they are labelled under; "
        "none of these is among the answers below.",
    ]


_SCORE_NAMES = {
    "accuracy": "exact labels right",
    "baseline_accuracy": "the same, calling everything the commonest label",
    "side_accuracy": "sides right, of answers that oppose or support",
    "side_accuracy_interval": "90 % interval of that, questions resampled",
    "baseline_side_accuracy": "the same, calling everything the commonest side",
    "macro_f1": "macro-F1 over labels",
    "side_macro_f1": "macro-F1 over sides",
    "weighted_kappa": "quadratic-weighted kappa on grades",
    "calibration_error": "expected calibration error of sides, 10 bins",
    "log_loss": "log loss, nats",
    "accuracy_at_coverage": "sides right, of all answers' surest 70 %",
    "side_accuracy_at_coverage": "the same, of answers that oppose or support",
    "coverage": "share of answers not abstained on",
    "accuracy_when_called": "sides right, of all answers not abstained on",
    "evidence_precision": "quoted sentences that readers marked",
    "evidence_recall": "marked sentences that are quoted",
    "evidence_first": "first quotes that readers marked",
}


def score_lines(scores: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the scores in words, in a fixed order; those without a value are left out."""
    shown = []
    for name, words in _SCORE_NAMES.items():
        value = scores.get(name)
        if isinstance(value, tuple | list):
            shown.append((words, " to ".join(f"{v:.3f}" for v in value)))
        elif value is not None:
            shown.append((words, f"{value:.3f}"))
    return shown


def _score_rows(scores: Mapping[str, Any]) -> list[str]:
    return [f"| {words} | {value} |" for words, value in score_lines(scores)]


def _confusion_rows(scheme: LabelScheme, confusion: list[list[int]]) -> list[str]:
    header = "| gold \\ called | " + " | ".join(map(_plain, scheme.names)) + " |"
    ruler = "|---|" + "--:|" * len(scheme.names)
    rows = (
        f"| {_plain(name)} | " + " | ".join(map(str, row)) + " |"
        for name, row in zip(scheme.names, confusion, strict=True)
    )
    return [header, ruler, *rows]


def _worst_confusions(scheme: LabelScheme, confusion: list[list[int]]) -> list[str]:
    pairs = [
        (n, gold, called)
        for gold, row in zip(scheme.names, confusion, strict=True)
        for called, n in zip(scheme.names, row, strict=True)
        if gold != called and n
    ]
    pairs.sort(key=lambda pair: (-pair[0], pair[1], pair[2]))
    return [f"- {n} answers that are {_plain(gold)} are called {_plain(called)}." for n, gold, called in pairs[:5]]


def _evidence_lines(scores: Mapping[str, Any]) -> list[str]:
    if "evidence_precision" not in scores:
        return []
    return [
        "",
        "## How good its quotes are",
        "",
        "Out of fold, against the sentences that readers marked, over the answers with any marked.",
        "",
        f"- {scores['evidence_precision']:.0%} of the quoted sentences are marked.",
        f"- {scores['evidence_recall']:.0%} of the marked sentences are quoted.",
        f"- In {scores['evidence_first']:.0%} of the answers the first quote is marked.",
    ]


def _curve_lines(curves: Mapping[str, Any], *, has_encoder: bool) -> list[str]:
    lines: list[str] = []
    if "reliability" in curves:
        lines += ["", "## How honest its confidence is", "", "| confidence | right | answers |", "|--:|--:|--:|"]
        lines += [f"| {sure:.3f} | {right:.3f} | {n} |" for sure, right, n in curves["reliability"]]
        lines += ["", "![Reliability diagram](reliability.svg)"]
    if "coverage" in curves:
        lines += ["", "## What abstaining buys", "", "| answers called | sides right |", "|--:|--:|"]
        lines += [f"| {called:.2f} | {right:.3f} |" for called, right in _thin(curves["coverage"])]
        lines += ["", "![Coverage and accuracy](coverage.svg)"]
    if curves.get("learning"):
        lines += ["", "## What more labelled answers buy", ""]
        lines += ["The encoder is the same throughout.", ""] if has_encoder else []
        lines += ["| labelled answers | sides right | 90 % interval |", "|--:|--:|--:|"]
        lines += [*(_interval_row(f"{p['n_answers']:,}", p) for p in curves["learning"])]
        lines += ["", "![Learning curve](learning.svg)"]
    if curves.get("groups"):
        lines += ["", "## Groups it never saw", "", "Each group is called by a model trained without it."]
        n_scored = sum(p["n_answers"] for p in curves["groups"])
        lines += [f"Only answers that name their group take part: {n_scored:,} in all."]
        lines += ["The encoder may have been tuned on others of a group."] if has_encoder else []
        lines += ["", "| group | answers | sides right | 90 % interval |", "|---|--:|--:|--:|"]
        lines += [_interval_row(f"{_plain(p['group'])} | {p['n_answers']}", p) for p in curves["groups"]]
        lines += ["", "![Scores by group](groups.svg)"]
    return lines


_MARKUP = str.maketrans({sign: f"\\{sign}" for sign in "\\`*_~[]<>|&#"} | {"\n": " ", "\r": " "})


def _plain(text: str) -> str:
    r"""Escape a name of the user's for Markdown, so that it is shown as it is and breaks no table.

    Examples
    --------
    >>> print(_plain("no_stance|<b>"))
    no\_stance\|\<b\>
    """
    return text.translate(_MARKUP)


def _interval_row(start: str, point: Mapping[str, Any]) -> str:
    return f"| {start} | {point['side_accuracy']:.3f} | {point['low']:.3f} to {point['high']:.3f} |"


def _thin(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the points nearest to every tenth of the answers."""
    tenths = [n / 10 for n in range(1, 11)]
    found = [min(points, key=lambda point: abs(point[0] - tenth)) for tenth in tenths]
    return list(dict.fromkeys((called, right) for called, right in found))


def draw_figures(manifest: Manifest) -> dict[str, str]:
    """Draw the figures of a card, SVG by file name; those whose numbers were measured."""
    scores = manifest.scores
    curves = scores.get("curves", {})
    figures = {"confusion.svg": draw_confusion(scores["confusion"], manifest.scheme.names)}
    if "reliability" in curves:
        figures["reliability.svg"] = draw_reliability(curves["reliability"])
    if "coverage" in curves:
        called, right = zip(*curves["coverage"], strict=True)
        figures["coverage.svg"] = draw_coverage(called, right, (scores["coverage"], scores["accuracy_when_called"]))
    if curves.get("learning"):
        points = curves["learning"]
        n_answers, *values = ([p[name] for p in points] for name in ("n_answers", "side_accuracy", "low", "high"))
        figures["learning.svg"] = draw_learning_curve(n_answers, *values, score=_SIDES_RIGHT)
    if curves.get("groups"):
        groups = curves["groups"]
        figures["groups.svg"] = draw_groups(
            [p["group"] for p in groups],
            [p["side_accuracy"] for p in groups],
            [p["n_answers"] for p in groups],
            [(p["low"], p["high"]) for p in groups],
            score=_SIDES_RIGHT,
        )
    return figures
