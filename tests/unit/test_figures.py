"""Figures: the same bytes everywhere, readable without colour and without eyes, whatever the names hold."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline import figures
from pipeline.curves import ReliabilityBin
from pipeline.figures import draw_confusion, draw_coverage, draw_groups, draw_learning_curve, draw_reliability

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = ["<b>&amp;", "a & b", "$x_1$ \\$ $\\frac{", "]]> <!--", "x" * 500, "\x00\x0b\ud800", "", "_", "漢字 🙂", "\n"]

CONFUSION = [[1072, 402, 13], [379, 1329, 23], [64, 81, 167]]
SHARES = np.linspace(0.01, 1, 100)

DRAWN: dict[str, Callable[[], str]] = {
    "reliability": lambda: draw_reliability([ReliabilityBin(k / 10 + 0.05, k / 10, 1000 + k) for k in range(10)]),
    "coverage": lambda: draw_coverage(SHARES, 0.9 - SHARES / 4, abstention=(0.706, 0.72)),
    "confusion": lambda: draw_confusion(CONFUSION, ["against", "neutral", "in favour"]),
    "confusion of ten": lambda: draw_confusion(np.arange(100).reshape(10, 10) * 97, HOSTILE),
    "learning curve": lambda: draw_learning_curve([400, 800, 1600], [0.5, 0.6, 0.7], [0.4, 0.5, 0.6], [0.6, 0.7, 0.8]),
    "groups": lambda: draw_groups(
        [f"group {k}" for k in range(30)], np.linspace(0.5, 0.7, 30), range(30), [(0.4, 0.8)] * 30
    ),
}


@cache
def drawn(name: str) -> str:
    return DRAWN[name]()


@pytest.fixture(params=DRAWN)
def svg(request: pytest.FixtureRequest) -> str:
    return drawn(request.param)


def parse(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314  # drawn here, a moment ago


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in parse(svg).iter(f"{SVG}text")]


def description(svg: str) -> str:
    return parse(svg)[1].text or ""


# ---------------------------------------------------------------- what all have


def test_a_figure_has_a_text_alternative(svg: str) -> None:
    root = parse(svg)
    assert root.get("role") == "img"
    assert [child.tag for child in root][:2] == [f"{SVG}title", f"{SVG}desc"]
    assert root[0].text in texts(svg)
    assert any(character.isdigit() for character in description(svg))


def test_a_figure_is_640_pixels_wide_on_a_white_ground(svg: str) -> None:
    root = parse(svg)
    # A point is 4/3 of a CSS pixel.
    assert root.get("width") == "480pt"
    height = (root.get("height") or "").removesuffix("pt")
    ground = next(root.iter(f"{SVG}path"))
    assert (ground.get("d") or "").split() == [
        "M",
        "0",
        height,
        "L",
        "480",
        height,
        "L",
        "480",
        "0",
        "L",
        "0",
        "0",
        "z",
    ]
    assert ground.get("style") == "fill: #ffffff"


def test_a_figure_is_small(svg: str) -> None:
    assert len(svg.encode()) < 60_000


def test_a_figure_names_no_address_but_its_name_spaces(svg: str) -> None:
    assert svg.startswith("<svg")
    assert svg.count("://") == 2
    assert svg.count('xmlns="http://www.w3.org/2000/svg"') == 1
    assert svg.count('xmlns:xlink="http://www.w3.org/1999/xlink"') == 1
    assert "<image" not in svg


@pytest.mark.parametrize("name", DRAWN)
def test_figures_drawn_again_are_the_same_bytes(name: str) -> None:
    assert DRAWN[name]() == drawn(name)


def test_neither_the_users_settings_nor_the_process_change_a_byte(tmp_path: Path, checkout: Path) -> None:
    (tmp_path / "matplotlibrc").write_text(
        "font.size: 20\nsvg.fonttype: path\naxes.facecolor: black\nlines.linewidth: 9\ntext.parse_math: True\n"
        "axes.formatter.use_locale: True\nfigure.autolayout: True\n",
        encoding="utf-8",
    )
    program = (
        "import sys; from pipeline.figures import draw_coverage;"
        "sys.stdout.reconfigure(encoding='utf-8');"
        "sys.stdout.write(draw_coverage([0.5, 1.0], [0.9, 0.8]))"
    )
    env = os.environ | {"MATPLOTLIBRC": str(tmp_path), "PYTHONHASHSEED": "7", "SOURCE_DATE_EPOCH": "1"}
    elsewhere = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, cwd=checkout, env=env)
    assert elsewhere.stdout.decode() == draw_coverage([0.5, 1.0], [0.9, 0.8])


def test_drawing_leaves_the_users_settings_and_needs_no_pyplot(checkout: Path) -> None:
    program = (
        "import sys, pipeline.figures; assert 'matplotlib' not in sys.modules;"
        "from matplotlib import rcParams; rcParams['font.size'] = 20;"
        "pipeline.figures.draw_groups(['a'], [0.5], [3]);"
        "assert (rcParams['font.size'], rcParams['svg.fonttype'], rcParams['text.parse_math']) == (20, 'path', True);"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=checkout)


@settings(max_examples=5)
@given(st.lists(st.text(max_size=60), min_size=2, max_size=4))
@example(HOSTILE)
def test_names_of_any_kind_are_text_and_nothing_else(names: list[str]) -> None:
    numbers = np.arange(len(names) ** 2).reshape(len(names), -1)
    for svg in (draw_confusion(numbers, names), draw_groups(names, numbers[0], numbers[0])):
        parse(svg)
        assert description(svg).count(";") >= len(names) - 1
        assert "<b>" not in svg


def test_a_dollar_sign_is_a_dollar_sign_and_a_long_name_is_cut() -> None:
    shown = texts(draw_groups(["$x$ & <y>", "z" * 500], [0.6, 0.5], [1, 2]))
    assert "$x$ & <y>" in shown
    assert [name for name in shown if name.startswith("zzz")] == ["z" * 29 + "…"]


@pytest.mark.parametrize("share", np.linspace(0, 1, 41))
def test_numbers_stand_out_from_every_shade(share: float) -> None:
    """WCAG 2.2, 1.4.3: a contrast of 4.5 or more."""
    channels = figures._shade(np.array(share))
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    ground = float(linear @ [0.2126, 0.7152, 0.0722])
    ink = 1.0 if figures._text_on(share) == "white" else 0.0
    assert (max(ground, ink) + 0.05) / (min(ground, ink) + 0.05) >= 4.5


# ---------------------------------------------------------------- one by one


def test_reliability_shows_the_count_of_every_bin() -> None:
    svg = draw_reliability([ReliabilityBin(0.55, 0.5, 1234), ReliabilityBin(0.95, 0.9, 7)])
    assert {"1,234", "7"} <= set(texts(svg))
    assert "sure 55 %, right 50 %, 1,234 answers" in description(svg)


def test_coverage_marks_seventy_per_cent_and_the_threshold() -> None:
    shown = texts(draw_coverage(SHARES, SHARES[::-1], abstention=(0.55, 0.46)))
    assert "surest 70 %, 31 % right" in shown
    assert "called at the model's threshold: 55 %, 46 % right" in shown
    assert not any("threshold" in text for text in texts(draw_coverage(SHARES, SHARES)))


def test_confusion_writes_the_count_and_the_share_of_its_row_in_every_cell() -> None:
    svg = draw_confusion(CONFUSION, ["against", "neutral", "in favour"])
    shown = texts(svg)
    start = shown.index("1,072")
    assert shown[start : start + 6] == ["1,072", "72 %", "402", "27 %", "13", "1 %"]
    assert "against: 1,072 against, 402 neutral, 13 in favour" in description(svg)


def test_confusion_without_answers_of_a_label_is_drawn() -> None:
    assert texts(draw_confusion([[0, 0], [1, 3]], ["no", "yes"])).count("0 %") == 2


def test_doublings_are_equally_far_apart_on_the_learning_curve() -> None:
    svg = draw_learning_curve([1600, 400, 800], [0.7, 0.5, 0.6], [0.6, 0.4, 0.5], [0.8, 0.6, 0.7], score="Right sides")
    places = {e.text: float(e.get("x") or 0) for e in parse(svg).iter(f"{SVG}text")}
    assert places["800"] - places["400"] == pytest.approx(places["1,600"] - places["800"])
    assert "400 answers 0.50 (0.40 to 0.60); 800 answers" in description(svg)
    assert any(text.startswith("Right sides") for text in places if text)


def test_groups_stand_best_first_with_their_counts() -> None:
    svg = draw_groups(["low", "high", "middle"], [0.1, 0.9, 0.5], [1000, 20, 3], score="Right sides")
    shown = texts(svg)
    assert [text for text in shown if text in {"low", "high", "middle"}] == ["high", "middle", "low"]
    assert {"0.90 (n = 20)", "0.50 (n = 3)", "0.10 (n = 1,000)"} <= set(shown)


@pytest.mark.parametrize(
    "draw",
    [
        lambda: draw_reliability([]),
        lambda: draw_reliability([(1.2, 0.5, 3)]),
        lambda: draw_coverage([0.5, 1.0], [0.5]),
        lambda: draw_coverage([0.5], [float("nan")]),
        lambda: draw_confusion([[1, 2]], ["no", "yes"]),
        lambda: draw_confusion([[1, -2], [0, 1]], ["no", "yes"]),
        lambda: draw_learning_curve([0], [0.5], [0.4], [0.6]),
        lambda: draw_learning_curve([10, 20], [0.5, 0.6], [0.4], [0.6]),
        lambda: draw_groups([], [], []),
        lambda: draw_groups(["a"], [0.5, 0.6], [1, 2]),
    ],
)
def test_numbers_that_cannot_be_drawn_are_refused(draw: Callable[[], str]) -> None:
    with pytest.raises(ValueError, match=r"wants|lengths|shape"):
        draw()
