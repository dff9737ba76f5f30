"""The charts of an HTML report: shares in, lean inline SVG out.

matplotlib draws, and of what it draws only the lines are kept, each with a class instead of a colour, so that the
page's style decides how they look, in the light and in the dark.
There is no text, no id and no clip path in them: labels are the page's own text, which grows with the reader's letters
and does not shrink with the chart.
A chart is stretched to the width that it is given (one unit is one percent), so a bar is a thick line, whose
thickness must not scale with it: ``vector-effect: non-scaling-stroke``.
Numbers are rounded to whole percent, as on the page. The same numbers give the same bytes, and are drawn once: ten
thousand questions have few different panels.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from functools import lru_cache
from html import escape
from typing import NamedTuple

_GAP = 12
_WIDE = 300 + _GAP
_NARROW = 200
_ROW = 46
"""Height of a row, of which the upper part is left for its label."""
_BAR = 29
_INTERVAL = 40
_GLANCE_HEIGHT = 8
_CACHED = 8192
"""Drawn charts that are kept: some 3 MB."""

_SHAPE = re.compile(r'<g id="([a-z]+)">\s*<path d="([^"]*)"')
_POINT = re.compile(r"([ML]) ([-\d.e]+) ([-\d.e]+)")

_Line = tuple[float, float, float]
"""From one place on the horizontal axis to another, and the place on the vertical one."""


class SideBar(NamedTuple):
    """One side of a diverging bar; shares are from 0 to 1.

    Attributes
    ----------
    parts
        What the bar is made of, from the middle outward: the last is drawn solid, those before it striped.
    low, high
        The interval of their sum.
    """

    parts: tuple[float, ...]
    low: float
    high: float


class SideBars(NamedTuple):
    """A row of a diverging bar; `neutral` is None where the scheme has no such side."""

    oppose: SideBar
    neutral: SideBar | None
    support: SideBar


def draw_diverging(rows: Sequence[SideBars], label: str) -> str:
    """Draw the shares of the sides: oppose to the left of the middle, support to the right, neutral apart.

    Below each bar lies its interval.

    Parameters
    ----------
    rows
        One or more, from top to bottom, all with a neutral side or all without.
    label
        The numbers in words: the text alternative.

    Returns
    -------
    str
        An SVG element, 200 units wide, or 312 with a neutral side; one unit is one percent. Its paths are of the
        classes ``o``, ``n`` and ``s`` for the sides, ``oc`` and ``sc`` for their striped parts, ``w`` for intervals.

    References
    ----------
    Robbins and Heiberger, "Plotting Likert and other rating scales", Proceedings of the Survey Research Methods
    Section, American Statistical Association, 2011.

    Examples
    --------
    >>> row = SideBars(SideBar((0.2, 0.5), 0.4, 0.9), None, SideBar((0.3,), 0.1, 0.6))
    >>> draw_diverging([row], "oppose 70 %")  # doctest: +NORMALIZE_WHITESPACE
    '<svg class="two one" viewBox="0 0 200 46" preserveAspectRatio="none" role="img" aria-label="oppose 70 %"><path
    class=o d="M80 29H30"/><path class=oc d="M100 29H80"/><path class=s d="M100 29H130"/><path class=w d="M60 40H10M110
    40H160"/></svg>'
    """
    has_neutral = rows[0].neutral is not None
    numbers = tuple(tuple(None if bar is None else _to_percent(bar) for bar in row) for row in rows)
    shape = " ".join(name for name, holds in (("two", not has_neutral), ("one", len(rows) == 1)) if holds)
    kind = f'class="{shape}" ' if shape else ""
    size = (_WIDE if has_neutral else _NARROW, _ROW * len(rows))
    return _wrap(_draw_diverging(numbers, size), size, kind, f'role="img" aria-label="{escape(label)}"')


def draw_glance(oppose: float, neutral: float, support: float) -> str:
    """Draw the three shares without intervals, small: for a table that links to the numbers.

    Examples
    --------
    >>> draw_glance(0.5, 0.2, 0.3).count("<path")
    3
    """
    numbers = (round(oppose * 100), round(neutral * 100), round(support * 100))
    return _wrap(_draw_glance(*numbers), (_WIDE, _GLANCE_HEIGHT), "", "aria-hidden=true")


def draw_share(share: float, low: float, high: float) -> str:
    """Draw one share from 0 to 100 % with its interval: for a table that has the numbers beside it.

    Examples
    --------
    >>> draw_share(0.5, 0.2, 0.8).count("<path")
    2
    """
    return _wrap(_draw_share(_to_percent(SideBar((share,), low, high))), (100, _ROW), "", "aria-hidden=true")


def _to_percent(bar: SideBar) -> tuple[int, ...]:
    """Return low, high and the ends of the parts in whole percent: as precise as the page's own numbers."""
    ends = [sum(bar.parts[: n + 1]) for n in range(len(bar.parts))]
    return tuple(round(share * 100) for share in (bar.low, bar.high, *ends))


@lru_cache(_CACHED)
def _draw_diverging(rows: tuple[tuple[tuple[int, ...] | None, ...], ...], size: tuple[int, int]) -> str:
    lines: dict[str, list[_Line]] = {name: [] for name in ("o", "oc", "n", "nc", "s", "sc", "w")}
    for nth, row in enumerate(rows):
        for name, middle, direction, numbers in zip("ons", (100, _NARROW + _GAP, 100), (-1, 1, 1), row, strict=True):
            if numbers is not None:
                _add_side(lines, name, numbers, (middle, direction, nth * _ROW))
    return _draw(lines, size)


def _add_side(
    lines: dict[str, list[_Line]], name: str, numbers: tuple[int, ...], place: tuple[float, int, float]
) -> None:
    low, high, *ends = numbers
    middle, direction, top = place
    for nth, (start, end) in enumerate(zip([0, *ends], ends, strict=False), start=1):
        part = name if nth == len(ends) else f"{name}c"
        lines[part].append((middle + direction * start, middle + direction * end, top + _BAR))
    lines["w"].append((middle + direction * low, middle + direction * high, top + _INTERVAL))


@lru_cache(_CACHED)
def _draw_glance(oppose: int, neutral: int, support: int) -> str:
    start, y = _NARROW + _GAP, _GLANCE_HEIGHT / 2
    bars: dict[str, list[_Line]] = {
        "o": [(100, 100 - oppose, y)],
        "n": [(start, start + neutral, y)],
        "s": [(100, 100 + support, y)],
    }
    return _draw(bars, (_WIDE, _GLANCE_HEIGHT))


@lru_cache(_CACHED)
def _draw_share(numbers: tuple[int, ...]) -> str:
    lines: dict[str, list[_Line]] = {"n": [], "w": []}
    _add_side(lines, "n", numbers, (0, 1, 0))
    return _draw(lines, (100, _ROW))


# ---------------------------------------------------------------- drawing


def _draw(lines: dict[str, list[_Line]], size: tuple[int, int]) -> str:
    """Draw horizontal lines, in units of the chart and downward, and return their path elements.

    Figure and artists without axes: axes that are not shown take ten times as long to draw.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.transforms import Affine2D

    points_per_inch = 72
    width, height = size
    downward = Affine2D().scale(1, -1).translate(0, height)
    # What the user has set must not sketch what is drawn, nor cut it out.
    with rc_context({"path.sketch": None, "path.effects": [], "savefig.bbox": None}):
        figure = Figure(figsize=(width / points_per_inch, height / points_per_inch), dpi=points_per_inch)
        for name, found in lines.items():
            drawn = [line for line in found if line[0] != line[1]]
            if drawn:
                across = [x for start, end, _ in drawn for x in (start, end, float("nan"))]
                down = [y for _, _, y in drawn for _ in range(3)]
                figure.add_artist(Line2D(across, down, marker="", linestyle="-", transform=downward, gid=name))
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return "".join(f'<path class={name} d="{_shorten(data)}"/>' for name, data in _SHAPE.findall(out.getvalue()))


def _shorten(data: str) -> str:
    """Write a path of horizontal lines in fewer characters.

    Examples
    --------
    >>> _shorten("M 20.04 1 L 70 1 M 30 15.0 L 20.04 15")
    'M20 1H70M30 15H20'
    """
    numbers = [(command, round(float(x), 1), round(float(y), 1)) for command, x, y in _POINT.findall(data)]
    return "".join(f"M{x:g} {y:g}" if command == "M" else f"H{x:g}" for command, x, y in numbers)


def _wrap(paths: str, size: tuple[int, int], kind: str, alternative: str) -> str:
    return f'<svg {kind}viewBox="0 0 {size[0]} {size[1]}" preserveAspectRatio="none" {alternative}>{paths}</svg>'
