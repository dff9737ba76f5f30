"""The charts: every number where it belongs, lean, the same each time, and with words for who cannot see them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from pipeline.report.charts import SideBar, SideBars, draw_diverging, draw_glance, draw_share

ROW = SideBars(
    oppose=SideBar((0.2, 0.3), 0.25, 0.75), neutral=SideBar((0.1,), 0.02, 0.3), support=SideBar((0.4,), 0.2, 0.6)
)
SHARES = st.floats(0, 1)


def lines(svg: str) -> dict[str, list[tuple[float, float, float]]]:
    """Return the lines of each class: from, to, and height."""
    return {
        str(path.attributes["class"]): [
            (float(a), float(b), float(y))
            for a, y, b in re.findall(r"M([-\d.]+) ([-\d.]+)H([-\d.]+)", str(path.attributes["d"]))
        ]
        for path in LexborHTMLParser(svg).css("path")
    }


def test_oppose_goes_left_support_right_and_neutral_stands_apart() -> None:
    found = lines(draw_diverging([ROW], "numbers"))
    assert found["oc"] == [(100, 80, 29)]
    assert found["o"] == [(80, 50, 29)]
    assert found["s"] == [(100, 140, 29)]
    assert found["n"] == [(212, 222, 29)]
    assert "sc" not in found


def test_an_interval_lies_below_each_bar() -> None:
    below = lines(draw_diverging([ROW], "numbers"))["w"]
    assert below == [(75, 25, 40), (214, 242, 40), (120, 160, 40)]


def test_a_second_row_lies_below_the_first() -> None:
    other = ROW._replace(support=SideBar((0.1, 0.2), 0.1, 0.5))
    found = lines(draw_diverging([ROW, other], "numbers"))
    assert found["s"] == [(100, 140, 29), (110, 130, 75)]
    assert found["sc"] == [(100, 110, 75)]
    assert len(found["w"]) == 6


def test_without_a_neutral_side_the_chart_is_narrower() -> None:
    svg = draw_diverging([ROW._replace(neutral=None)], "numbers")
    assert 'viewBox="0 0 200 46"' in svg
    assert "n" not in lines(svg)


@pytest.mark.parametrize("share", [0.0, 1.0], ids=["none", "all"])
def test_nobody_and_everybody_can_be_drawn(share: float) -> None:
    rest = SideBar((1 - share,), 1 - share, 1 - share)
    found = lines(draw_diverging([SideBars(SideBar((share,), share, share), rest, rest)], "numbers"))
    assert found.get("o", []) == ([(100, 0, 29)] if share else [])
    assert found.get("s", []) == ([] if share else [(100, 200, 29)])
    assert "w" not in found


@given(SHARES, SHARES, SHARES)
@settings(max_examples=40)
def test_a_share_is_where_its_number_says_whatever_it_is(share: float, first: float, second: float) -> None:
    low, high = sorted((first, second))
    found = lines(draw_share(share, low, high))
    assert found.get("n", [(0, 0, 29)]) == [(0, round(share * 100), 29)]
    bounds = (round(low * 100), round(high * 100))
    assert found.get("w", [(*bounds, 40)]) == [(*bounds, 40)]
    assert ("w" in found) == (bounds[0] != bounds[1])


def test_the_text_alternative_is_escaped() -> None:
    svg = draw_diverging([ROW], """a" onload="x' <b> &amp;""")
    root = LexborHTMLParser(svg).css_first("svg")
    assert root is not None
    assert root.attributes["aria-label"] == """a" onload="x' <b> &amp;"""
    assert root.attributes["role"] == "img"
    assert "onload" not in root.attributes


@pytest.mark.parametrize(
    "svg",
    [draw_diverging([ROW, ROW], "numbers"), draw_glance(0.5, 0.2, 0.3), draw_share(0.5, 0.2, 0.8)],
    ids=["diverging", "glance", "share"],
)
def test_a_chart_is_lean_and_has_nothing_that_could_clash_on_a_page(svg: str) -> None:
    assert len(svg) < 600
    root = LexborHTMLParser(svg).css_first("svg")
    assert root is not None
    assert {node.tag for node in root.traverse()} == {"svg", "path"}
    names = {name for node in root.traverse() for name in node.attributes}
    assert not {"id", "style", "clip-path", "xmlns", "fill", "stroke"} & names
    assert root.attributes.get("aria-label") or root.attributes.get("aria-hidden") == "true"


def test_a_chart_does_not_depend_on_the_users_settings_of_the_plotting_library(tmp_path: Path) -> None:
    (tmp_path / "matplotlibrc").write_text(
        "path.sketch: 3, 100, 2\nlines.marker: o\nlines.linestyle: --\nsavefig.bbox: tight\nfigure.autolayout: True\n"
        "axes.xmargin: 0.4\nfigure.dpi: 33\nsvg.fonttype: path\n"
    )
    code = "from pipeline.report.charts import draw_share; print(draw_share(0.123, 0.045, 0.678))"
    found = subprocess.run(
        [sys.executable, "-c", code], env={"MATPLOTLIBRC": str(tmp_path), "PYTHONPATH": ":".join(sys.path)}, text=True,
        capture_output=True, check=True,
    )  # fmt: skip
    assert found.stdout.strip() == draw_share(0.123, 0.045, 0.678)


def test_a_chart_is_drawn_without_importing_the_plotting_library_before() -> None:
    code = "import sys, pipeline.report.charts; print('matplotlib' in sys.modules)"
    found = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": ":".join(sys.path)}, text=True, capture_output=True, check=True
    )
    assert found.stdout.strip() == "False"
