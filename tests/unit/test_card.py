"""The model card: the names that users give are shown as they are, and break neither tables nor lines."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from pipeline.card import render_card
from pipeline.manifest import ClassifierConfig, Manifest
from pipeline.schema import Label, LabelScheme

if TYPE_CHECKING:
    from markdown_it.token import Token

MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])
NAMES = [
    pytest.param("for | against", id="the border of a table's cell"),
    pytest.param("<b>for</b>", id="a tag"),
    pytest.param("<script>alert(1)</script>", id="a script"),
    pytest.param("a &amp; b &lt;", id="entities"),
    pytest.param("*for* **it**", id="emphasis"),
    pytest.param("_for_ __it__", id="emphasis by underscores"),
    pytest.param("~~for~~", id="struck out"),
    pytest.param("strongly_against_it", id="underscores inside a word"),
    pytest.param("`for`", id="code"),
    pytest.param("[for](https://example.org)", id="a link"),
    pytest.param("![for](x.png)", id="an image"),
    pytest.param("<https://example.org>", id="an address"),
    pytest.param("for\\", id="a backslash at the end"),
    pytest.param("a\\|b\\\\|c", id="backslashes before a border"),
    pytest.param("# for", id="a heading"),
    pytest.param("caf\u00e9 \u7532\u72b6\u817a", id="letters of any alphabet"),
    pytest.param("|", id="a border alone"),
]


def manifest_of(
    one: str, other: str = "other", *, name: str = "m", source: str = "s", group: str = "g", encoder: str | None = None
) -> Manifest:
    """Give a manifest with names of the user's in every place that has some."""
    scheme = LabelScheme(name="s", labels=(Label(name=one, side="for"), Label(name=other, side="against")))
    scores: dict[str, Any] = {
        "n_folds": 5,
        "grouped_by": "question",
        "confusion": [[3, 1], [2, 4]],
        "labels": {label: {"precision": 0.5, "recall": 0.5, "f1": 0.5, "n": 5} for label in (one, other)},
        "curves": {
            "learning": [{"n_answers": 1000, "side_accuracy": 0.65, "low": 0.6, "high": 0.7}],
            "groups": [{"group": group, "n_answers": 10, "side_accuracy": 0.7, "low": 0.6, "high": 0.8}],
        },
    }
    training = {
        "n_answers": 10,
        "n_questions": 2,
        "digest": "0" * 64,
        "source_weights": {source: 2.0},
        "labels": {one: 4, other: 6},
        "encoder": encoder,
        "n_tuned_on": 0 if encoder is None else 99,
    }
    return Manifest(
        format=1,
        name=name,
        versions={},
        scheme=scheme,
        feature_version=1,
        abstain_below=0.5,
        temperature=1.0,
        config=ClassifierConfig(),
        training=training,
        scores=scores,
        files={},
    )


def read_lines(card: str) -> list[list[str]]:
    """Return what a reader sees: each line of text, and each row of a table by its cells."""
    rows: list[list[str]] = []
    in_row = False
    for token in MARKDOWN.parse(card):
        if token.type == "tr_open":
            rows.append([])
        in_row = token.type != "tr_close" and (in_row or token.type == "tr_open")
        if token.type == "inline":
            shown = see(token)
            if in_row:
                rows[-1].append(shown)
            else:
                rows += [[line] for line in shown.split("\n")]
        assert token.type != "html_block"
    return rows


def see(token: Token) -> str:
    """Return the text of some tokens; what is no plain text stands as its kind, so that it is no name."""
    breaks = {"softbreak": "\n", "hardbreak": "\n"}
    plain = {"text", "code_inline"}
    parts = [
        child.content if child.type in plain else breaks.get(child.type, f"<{child.type}>")
        for child in token.children or []
    ]
    return "".join(parts)


def all_places(one: str, *, name: str, source: str, group: str) -> list[list[str]]:
    """Return the lines that must be in the card."""
    return [
        [f"Model card: {name}"],
        [f"An answer of {source} counts 2."],
        [one, "4"],
        ["other", "6"],
        ["gold \\ called", one, "other"],
        [one, "3", "1"],
        [one, "0.50", "0.50", "0.50", "5"],
        [f"1 answers that are {one} are called other."],
        [f"2 answers that are other are called {one}."],
        [group, "10", "0.700", "0.600 to 0.800"],
    ]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_of_the_users_is_shown_as_it_is_and_breaks_no_table(name: str) -> None:
    lines = read_lines(render_card(manifest_of(name, name=name, source=name, group=name)))
    for expected in all_places(name, name=name, source=name, group=name):
        assert expected in lines


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_a_name_of_two_lines_is_shown_on_one(line_end: str) -> None:
    name = f"for{line_end}{line_end}# it"
    lines = read_lines(render_card(manifest_of(name, name=name, source=name, group=name)))
    flat = " ".join(name.split())
    squeezed = [[" ".join(cell.split()) for cell in line] for line in lines]
    for expected in all_places(flat, name=flat, source=flat, group=flat):
        assert expected in squeezed


@given(st.text("ab|<>&`*[]()!\\\n-#+.1 ", min_size=1, max_size=12).filter(str.strip))
@settings(max_examples=100)
def test_whatever_a_name_is_the_card_has_the_same_rows_and_columns(name: str) -> None:
    plain = read_lines(render_card(manifest_of("plain", name="plain", source="plain", group="plain")))
    odd = read_lines(render_card(manifest_of(f"x{name}x", name=f"x{name}x", source=f"x{name}x", group=f"x{name}x")))
    assert [len(line) for line in odd] == [len(line) for line in plain]


ENCODER_SENTENCES = [
    "It was tuned on 99 answers, counted once for each question they are labelled under; "
    "none of these is among the answers below.",
    "The encoder is the same throughout.",
    "The encoder may have been tuned on others of a group.",
]


def test_a_card_says_what_an_encoder_was_tuned_on_and_what_its_curves_do_not_tell() -> None:
    card = render_card(manifest_of("for", encoder="<b>mine@1"))
    assert [sentence for sentence in ENCODER_SENTENCES if sentence not in card] == []
    assert any("of each sentence (<b>mine@1)" in line for row in read_lines(card) for line in row)
    assert not any(sentence in render_card(manifest_of("for")) for sentence in ENCODER_SENTENCES)


def test_settings_and_numbers_stand_in_the_card_as_they_are() -> None:
    lines = read_lines(render_card(manifest_of("for")))
    for setting, value in asdict(ClassifierConfig()).items():
        assert [setting, str(value)] in lines
