"""The figures of a model card: numbers in, SVG text out.

The same numbers give the same bytes: nothing of the user's matplotlib settings, the clock or chance is in
them.
A figure has a white ground of its own, a text alternative that holds its numbers, and says nothing by
colour alone.
matplotlib is imported when a figure is drawn, so that the command line starts without it.
"""

from __future__ import annotations

import io
import re
import textwrap
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

WIDTH = 640
"""Of every figure, in CSS pixels."""

MARKED_COVERAGE = 0.7
"""The share of answers called that is marked on the curve, as in the card's table of scores."""

_PIXELS_PER_INCH = 96
_INK = "#1a1a1a"
_QUIET = "#666666"
_FAINT = "#dddddd"
# Okabe and Ito, "Color universal design", 2008: told apart with any colour vision.
_BLUE = "#0072b2"
_ORANGE = "#d55e00"
_DEEPEST = np.array([0.0, 63.0, 107.0]) / 255
"""A cell of the confusion matrix that holds its whole row."""
_LIGHT_TEXT_ABOVE = 0.7

_MAX_NAME = 30
_MAX_SHARES = 8
"""Labels up to which a confusion matrix has the shares written in its cells, beside the counts."""

_STYLE: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": _QUIET,
    "axes.grid": True,
    "axes.labelcolor": _INK,
    "axes.labelsize": 10,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.constrained_layout.h_pad": 0.08,
    "figure.constrained_layout.w_pad": 0.1,
    "figure.facecolor": "white",
    "font.family": ["sans-serif"],
    # The first comes with matplotlib and is wide: what fits in it fits in the others.
    "font.sans-serif": ["DejaVu Sans", "Verdana"],
    "font.size": 9,
    "grid.color": _FAINT,
    "grid.linewidth": 0.6,
    "savefig.facecolor": "white",
    "svg.fonttype": "none",
    "svg.hashsalt": "medstance",
    "text.color": _INK,
    # A dollar sign in a name is a dollar sign.
    "text.parse_math": False,
    "xtick.color": _QUIET,
    "xtick.labelcolor": _INK,
    "ytick.color": _QUIET,
    "ytick.labelcolor": _INK,
}

_Floats = NDArray[np.float64]


# ---------------------------------------------------------------- the figures


def draw_reliability(bins: Sequence[tuple[float, float, int]]) -> str:
    """Draw how often calls are right against how sure they are.

    Parameters
    ----------
    bins
        Per bin its mean confidence (0 to 1), its accuracy (0 to 1) and its number of answers, as
        `ReliabilityBin`; empty bins left out, one or more.

    Returns
    -------
    str
        SVG, 640 pixels wide.

    Raises
    ------
    ValueError
        When there is no bin, or a share is not within 0 and 1.

    Examples
    --------
    >>> draw_reliability([(0.55, 0.5, 40), (0.75, 0.8, 60)])[:4]
    '<svg'
    """
    confidence = _numbers("confidence", [b[0] for b in bins], 0, 1)
    accuracy = _numbers("accuracy", [b[1] for b in bins], 0, 1)
    counts = _numbers("number of answers", [b[2] for b in bins], 0)
    with _house_style():
        figure = _new_figure(480)
        grid = figure.add_gridspec(2, 1, height_ratios=[4, 1])
        dots = figure.add_subplot(grid[0])
        bars = figure.add_subplot(grid[1], sharex=dots)
        _draw_calibration(dots, confidence, accuracy)
        _draw_counts(bars, confidence, counts)
        dots.tick_params(labelbottom=False)
        bars.set_xlabel("How sure the model is of the side it calls")
        return _to_svg(
            figure,
            "Is the model right as often as it is sure?",
            "Mean confidence, share of right sides and number of answers per bin: "
            + "; ".join(
                f"sure {_percent(c)}, right {_percent(a)}, {_count(n)} answers"
                for c, a, n in zip(confidence, accuracy, counts, strict=True)
            ),
        )


def draw_coverage(coverage: ArrayLike, accuracy: ArrayLike, abstention: tuple[float, float] | None = None) -> str:
    """Draw the accuracy on sides against the share of answers called, surest first.

    The point nearest to 70 % of the answers is marked.

    Parameters
    ----------
    coverage
        Share of answers called, 0 to 1, increasing, shape (n_points,).
    accuracy
        Share of right sides among them, 0 to 1, shape (n_points,).
    abstention
        Coverage and accuracy at the confidence below which the model abstains, to be marked as well.

    Returns
    -------
    str
        SVG, 640 pixels wide.

    Raises
    ------
    ValueError
        When there is no point, a share is not within 0 and 1, or lengths differ.

    Examples
    --------
    >>> draw_coverage([0.5, 0.7, 1.0], [0.9, 0.8, 0.7], abstention=(0.9, 0.75))[:4]
    '<svg'
    """
    x, y = _numbers("coverage", coverage, 0, 1), _numbers("accuracy", accuracy, 0, 1)
    _need_one_each(x, y)
    nearest = int(np.abs(x - MARKED_COVERAGE).argmin())
    marks = [(float(x[nearest]), float(y[nearest]), f"surest {_percent(x[nearest])}")]
    if abstention is not None:
        kept, right = _numbers("abstention", abstention, 0, 1)
        marks.append((float(kept), float(right), f"called at the model's threshold: {_percent(kept)}"))
    with _house_style():
        figure = _new_figure(400)
        axes = figure.add_subplot()
        axes.plot(x, y, color=_BLUE, linewidth=1.8, marker="." if len(x) < 20 else "")
        axes.set_xlim(0, 1.02)
        low, high = _rounded_out(np.append(y, [mark[1] for mark in marks]), step=0.1)
        axes.set_ylim(max(low, 0), min(high, 1.02))
        _mark_points(axes, marks)
        _show_percent(axes.xaxis)
        _show_percent(axes.yaxis)
        axes.set_xlabel("Share of answers called, surest first")
        axes.set_ylabel("Share of right sides among those called")
        return _to_svg(
            figure,
            "How often the side is right when only the surest answers are called",
            "; ".join(f"{words}: {_percent(right)} right" for _, right, words in marks)
            + f"; all {_percent(x[-1])}: {_percent(y[-1])} right",
        )


def draw_confusion(confusion: ArrayLike, names: Sequence[str]) -> str:
    """Draw a confusion matrix: gold labels by row, calls by column, shaded by share of the row.

    Parameters
    ----------
    confusion
        Counts, 0 or more, shape (n_labels, n_labels).
    names
        The labels, in the order of rows and columns, shape (n_labels,); more than ten are hard to read.

    Returns
    -------
    str
        SVG, 640 pixels wide.

    Raises
    ------
    ValueError
        When a count is negative, or there is not one row and one column for each name.

    Examples
    --------
    >>> draw_confusion([[8, 2], [1, 9]], ["no", "yes"])[:4]
    '<svg'
    """
    counts, n = _numbers("confusion", confusion, 0), len(names)
    if counts.shape != (n, n):
        raise ValueError(f"confusion: shape {counts.shape} for {n} names")
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    shown = [_shown(name) for name in names]
    with _house_style():
        figure = _new_figure(min(560, 150 + 75 * n))
        axes = figure.add_subplot()
        axes.grid(visible=False)
        _draw_cells(axes, counts, shares)
        _name_cells(axes, shown)
        return _to_svg(
            figure,
            "Which labels are taken for which",
            "Gold label, then how its answers are called: "
            + "; ".join(
                f"{gold}: " + ", ".join(f"{_count(k)} {called}" for k, called in zip(row, shown, strict=True))
                for gold, row in zip(shown, counts, strict=True)
            ),
        )


def draw_learning_curve(
    n_answers: ArrayLike, values: ArrayLike, low: ArrayLike, high: ArrayLike, *, score: str = "Score"
) -> str:
    """Draw a score against the number of labelled answers it was learnt from.

    Parameters
    ----------
    n_answers
        Numbers of labelled answers, 1 or more, shape (n_points,); the axis is logarithmic, so that equal
        steps are doublings.
    values
        The score for each, shape (n_points,).
    low, high
        Ends of its interval, shape (n_points,).
    score
        What the score is, in words.

    Returns
    -------
    str
        SVG, 640 pixels wide.

    Raises
    ------
    ValueError
        When there is no point, a number is not finite, or lengths differ.

    Examples
    --------
    >>> draw_learning_curve([500, 1000], [0.6, 0.65], [0.55, 0.62], [0.64, 0.68])[:4]
    '<svg'
    """
    n = _numbers("number of answers", n_answers, 1)
    columns = [_numbers("score", column) for column in (values, low, high)]
    _need_one_each(n, *columns)
    order = np.argsort(n, kind="stable")
    n, y, bottom, top = n[order], *(column[order] for column in columns)
    name = _shown(score, max_chars=60)
    with _house_style():
        figure = _new_figure(400)
        axes = figure.add_subplot()
        axes.set_xscale("log", base=2)
        axes.fill_between(n, bottom, top, color=_BLUE, alpha=0.18, linewidth=0)
        axes.vlines(n, bottom, top, color=_BLUE, linewidth=0.8)
        axes.plot(n, y, color=_BLUE, linewidth=1.8, marker="o", markersize=5)
        _label_doublings(axes, n, y, top)
        axes.set_ylim(*_rounded_out(np.concatenate([y, bottom, top]), step=0.05))
        axes.set_xlabel("Labelled answers it learnt from (every doubling is equally wide)")
        axes.set_ylabel(f"{name} (band: interval)")
        return _to_svg(
            figure,
            "What more labelled answers bring",
            f"{name}, with its interval: "
            + "; ".join(
                f"{_count(k)} answers {v:.2f} ({a:.2f} to {b:.2f})"
                for k, v, a, b in zip(n, y, bottom, top, strict=True)
            ),
        )


def draw_groups(
    names: Sequence[str],
    values: ArrayLike,
    counts: ArrayLike,
    intervals: Sequence[tuple[float, float]] | None = None,
    *,
    score: str = "Score",
) -> str:
    """Draw the score of each group of procedures by a model that never saw that group, best first.

    Parameters
    ----------
    names
        The groups, shape (n_groups,).
    values
        The score of each, shape (n_groups,).
    counts
        Answers of each, shape (n_groups,).
    intervals
        Low and high end of each score's interval, shape (n_groups, 2).
    score
        What the score is, in words.

    Returns
    -------
    str
        SVG, 640 pixels wide, as high as there are groups.

    Raises
    ------
    ValueError
        When there is no group, a number is not finite, or lengths differ.

    Examples
    --------
    >>> draw_groups(["fillers", "lasers"], [0.7, 0.6], [120, 80], [(0.6, 0.8), (0.5, 0.7)])[:4]
    '<svg'
    """
    scores, n = _numbers("score", values), _numbers("number of answers", counts, 0)
    spans = _numbers("interval", intervals if intervals is not None else np.column_stack([scores, scores]))
    _need_one_each(np.arange(len(names)), scores, n, spans)
    order = sorted(range(len(names)), key=lambda i: (-scores[i], names[i]))
    scores, n, spans = scores[order], n[order], spans[order]
    shown = [_shown(names[i]) for i in order]
    name = _shown(score, max_chars=60)
    with _house_style():
        figure = _new_figure(110 + 26 * len(names))
        axes = figure.add_subplot()
        rows = np.arange(len(names))
        axes.hlines(rows, spans[:, 0], spans[:, 1], color=_BLUE, linewidth=1.6)
        axes.plot(scores, rows, linestyle="", color=_BLUE, marker="o", markersize=6)
        axes.set_xlim(*_rounded_out(np.append(spans.ravel(), scores), step=0.05))
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.set_yticks(rows, shown)
        axes.tick_params(axis="y", length=0)
        for row, value, k in zip(rows, scores, n, strict=True):
            axes.text(
                1.02, float(row), f"{value:.2f} (n = {_count(k)})", transform=axes.get_yaxis_transform(), va="center"
            )
        axes.set_xlabel(name if intervals is None else f"{name} (lines: intervals)")
        return _to_svg(
            figure,
            "How well the model does on procedures it never saw",
            f"{name} per group that was left out of training: "
            + "; ".join(
                f"{group} {value:.2f}"
                + (f" ({a:.2f} to {b:.2f})" if intervals is not None else "")
                + f", n {_count(k)}"
                for group, value, (a, b), k in zip(shown, scores, spans, n, strict=True)
            ),
        )


# ---------------------------------------------------------------- parts of them


def _draw_calibration(axes: Axes, confidence: _Floats, accuracy: _Floats) -> None:
    axes.plot([0, 1], [0, 1], color=_QUIET, linewidth=1, linestyle="--")
    axes.vlines(confidence, confidence, accuracy, color=_ORANGE, linewidth=1.4)
    axes.plot(confidence, accuracy, linestyle="", color=_BLUE, marker="o", markersize=6)
    legend = "dashed: right as often as it is sure\nupright lines: how far it is from that"
    axes.text(0.02, 0.98, legend, color=_QUIET, va="top")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.03)
    _show_percent(axes.yaxis)
    axes.set_ylabel("How often that side is right")


def _draw_counts(axes: Axes, confidence: _Floats, counts: _Floats) -> None:
    axes.bar(confidence, counts, width=0.03, color=_BLUE)
    for x, n in zip(confidence, counts, strict=True):
        axes.annotate(_count(n), (x, n), xytext=(0, 2), textcoords="offset points", ha="center", fontsize=8)
    axes.set_ylim(0, 1.35 * max(float(counts.max()), 1.0))
    axes.set_yticks([])
    _show_percent(axes.xaxis)
    axes.set_ylabel("Answers")


def _mark_points(axes: Axes, marks: Sequence[tuple[float, float, str]]) -> None:
    """Mark the first point from above and the second from below and inside it, as they may be one point."""
    shapes = [("o", 10, _INK, (0.97, 0.93)), ("D", 5, _ORANGE, (0.03, 0.07))]
    for (x, y, words), (marker, size, colour, place) in zip(marks, shapes, strict=False):
        face = "white" if marker == "o" else colour
        axes.plot([x], [y], color=colour, marker=marker, markersize=size, markerfacecolor=face, linestyle="", zorder=3)
        axes.annotate(
            f"{words}, {_percent(y)} right",
            (x, y),
            xytext=place,
            textcoords="axes fraction",
            ha="right" if place[0] > 0.5 else "left",
            va="center",
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.8, "shrinkB": 4},
        )


def _draw_cells(axes: Axes, counts: _Floats, shares: _Floats) -> None:
    from matplotlib.patches import Rectangle

    n = len(counts)
    size = 10.0 if n <= 7 else 70.0 / n
    edges = np.arange(n + 1) - 0.5
    axes.pcolormesh(edges, edges, _shade(shares), edgecolors="white", linewidth=0.8)
    for row, column in product(range(n), range(n)):
        share = float(shares[row, column])
        words = _count(counts[row, column]) + (f"\n{_percent(share)}" if n <= _MAX_SHARES else "")
        axes.text(column, row, words, ha="center", va="center", color=_text_on(share), fontsize=size)
    for place in range(n):
        axes.add_patch(Rectangle((place - 0.5, place - 0.5), 1, 1, fill=False, edgecolor=_INK, linewidth=1.8))
    axes.set_xlim(-0.55, n - 0.45)
    axes.set_ylim(n - 0.45, -0.55)


def _shade(shares: _Floats) -> _Floats:
    """Blend white, for a share of 0, with a deep blue, for a share of 1: one more axis, of red, green, blue."""
    blended: _Floats = 1 - shares[..., np.newaxis] * (1 - _DEEPEST)
    return blended


def _text_on(share: float) -> str:
    return "white" if share > _LIGHT_TEXT_ABOVE else "black"


def _name_cells(axes: Axes, names: Sequence[str]) -> None:
    places = np.arange(len(names))
    many = len(names) > 7
    wrapped = ["\n".join(textwrap.wrap(name, 12 if not many else 18, max_lines=3, placeholder="…")) for name in names]
    upright: dict[str, Any] = {"rotation": 90, "rotation_mode": "anchor", "ha": "right", "va": "center"}
    axes.set_xticks(places, wrapped, **(upright if many else {}))
    axes.set_yticks(places, wrapped)
    axes.tick_params(length=0, labelsize=9 if not many else 8)
    for spine in axes.spines.values():
        spine.set_visible(False)
    legend = "darker: larger share of the row" if len(names) > _MAX_SHARES else "below each number: share of the row"
    axes.set_xlabel(f"Called ({legend}; framed: right)")
    axes.set_ylabel("Gold label")


def _label_doublings(axes: Axes, n: _Floats, y: _Floats, top: _Floats) -> None:
    """Label the points of a learning curve, from the largest on, leaving out those without room."""
    from matplotlib.ticker import NullLocator

    octaves = np.log2(n)
    room = max(float(octaves[-1] - octaves[0]), 1.0) / 10
    kept: list[int] = []
    for place in reversed(range(len(n))):
        if not kept or octaves[kept[-1]] - octaves[place] >= room:
            kept.append(place)
    axes.set_xticks(n[kept], [_count(n[place]) for place in kept])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlim(2 ** (octaves[0] - room / 2), 2 ** (octaves[-1] + room / 2))
    for place in kept:
        axes.annotate(f"{y[place]:.2f}", (n[place], top[place]), xytext=(0, 4), textcoords="offset points", ha="center")


def _show_percent(axis: Axis) -> None:
    axis.set_major_formatter(lambda value, _: _percent(value))


def _rounded_out(values: _Floats, step: float) -> tuple[float, float]:
    """Round the range of values outward to steps, with room for what is written at its ends."""
    low = np.floor(values.min() / step - 0.5) * step
    high = np.ceil(values.max() / step + 0.5) * step
    return float(low), float(high)


# ---------------------------------------------------------------- what all have


@contextmanager
def _house_style() -> Iterator[None]:
    """Draw with matplotlib's own defaults and the house style, whatever the user has set."""
    from matplotlib import style

    with style.context("default"), style.context(_STYLE), warnings.catch_warnings():
        # The text stays text: a glyph that matplotlib's font has not is drawn by the viewer's.
        warnings.filterwarnings("ignore", message=r"Glyph \d+", category=UserWarning)
        yield


def _new_figure(height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(WIDTH / _PIXELS_PER_INCH, height / _PIXELS_PER_INCH), layout="constrained")


def _to_svg(figure: Figure, title: str, description: str) -> str:
    """Render a figure as an SVG element, fit for a file and for a page, with its text alternative."""
    figure.suptitle(title, x=0.015, ha="left", fontsize=11.5, fontweight="bold")
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    drawn = out.getvalue()
    # Without XML declaration and document type: the one would break a page, the other names an address.
    root, content = drawn[drawn.index("<svg") :].split(">", maxsplit=1)
    alternative = f"<title>{escape(title)}</title>\n <desc>{escape(description)}</desc>"
    # Without the names of groups, that nothing refers to and that several figures on a page would share.
    content = re.sub(r'<g id="[^"]*"', "<g", content)
    return f'{root} role="img">\n {alternative}{content}'


def _numbers(what: str, values: ArrayLike, low: float = -np.inf, high: float = np.inf) -> _Floats:
    numbers = np.asarray(values, dtype=np.float64)
    if not numbers.size or not (np.isfinite(numbers) & (numbers >= low) & (numbers <= high)).all():
        raise ValueError(f"{what}: wants one or more numbers from {low:g} to {high:g}, got {values!r:.200}")
    return numbers


def _need_one_each(*columns: NDArray[Any]) -> None:
    if len({len(column) for column in columns}) != 1:
        raise ValueError(f"lengths differ: {', '.join(str(len(column)) for column in columns)}")


def _shown(name: str, max_chars: int = _MAX_NAME) -> str:
    """Make one line of printable characters of a name: what XML and the margins can hold."""
    spaced = "".join(c if c.isprintable() and c != "_" else " " for c in name)
    line = " ".join(spaced.split()) or "(no name)"
    return line if len(line) <= max_chars else line[: max_chars - 1] + "…"


def _percent(share: float) -> str:
    return f"{share * 100:.0f} %"


def _count(n: float) -> str:
    return f"{n:,.0f}"
