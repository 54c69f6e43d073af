"""Numbers -> SVG, drawn directly: the same bytes on every machine, and colours that follow the page's theme.

A chart names its colours by class only (``c0`` neutral, ``c1`` and on for models); the page's style sheet knows them.
"""

import base64
import io
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import PIL.Image
from markupsafe import Markup, escape
from numpy.typing import ArrayLike, NDArray

from sonoseg.prediction.lesions import components, corners, trace
from sonoseg.reports.figures import short

WIDTH = 420
LEFT, RIGHT, TOP, BOTTOM = 44, 400, 40, 260
"""Where the axes of a chart of lines and dots end; titles stand above, labels below."""

PICTURE_SIDE = 360
"""Scans are shown no larger than this; smaller ones as they are."""


@dataclass(frozen=True)
class Axis:
    """One direction of a chart: its label, ends, ticks and how they are written. log: a logarithmic scale."""

    label: str
    low: float
    high: float
    ticks: tuple[float, ...]
    log: bool = False
    write: Callable[[float], str] = short

    def place(self, values: ArrayLike) -> NDArray[np.float64]:
        """Where values lie, 0 at the low end and 1 at the high one; what is beyond an end lies on it."""
        inside = np.clip(np.asarray(values, np.float64), self.low, self.high)
        low, high = self.low, self.high
        if self.log:
            inside, low, high = np.log(inside), math.log(low), math.log(high)
        return (inside - low) / (high - low)


@dataclass(frozen=True, eq=False)
class Series:
    """One line (dots, where ``dots``) of a chart. colour: 0 neutral, 1 and on for models. faint: in the background."""

    name: str
    colour: int
    x: ArrayLike
    y: ArrayLike
    dots: bool = False
    faint: bool = False


@dataclass(frozen=True)
class Estimate:
    """One row of an interval chart; None is undefined. outer: a wider interval, drawn thin. text: the figures."""

    name: str
    colour: int
    mean: float | None
    low: float | None
    high: float | None
    text: str
    outer: tuple[float, float] | None = None


def linear_axis(label: str, low: float, high: float, count: int = 5) -> Axis:
    """Make an axis whose ends and ticks are round numbers around low and high."""
    span = max(high - low, 1e-9) / count
    power = 10.0 ** math.floor(math.log10(span))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= span * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    ticks = tuple(round(i * step, 12) for i in range(first, max(last, first + 1) + 1))
    return Axis(label, ticks[0], ticks[-1], ticks)


def log_axis(label: str, low: float, high: float) -> Axis:
    """Make a logarithmic axis over positive values with ticks at 1, 3 and 10, 30 and so on."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [factor * 10.0**decade for decade in decades for factor in (1, 3)]
    inner = tuple(float(f"{tick:.6g}") for tick in ticks if low <= tick <= high)
    return Axis(label, low, high, inner, log=True)


def plot(title: str, x: Axis, y: Axis, series: Iterable[Series], alt: str) -> Markup:
    """Draw lines and dots over two axes. title stands above the chart; alt says what it shows to who cannot see it."""
    parts = [_text(0, 12, title, "title"), _text(0, 29, y.label, "label")]
    for tick, level in zip(y.ticks, _down(y, y.ticks), strict=True):
        parts.append(f'<path class="grid" d="M{LEFT} {_n(level)}H{RIGHT}"/>')
        parts.append(_text(LEFT - 6, level + 4, y.write(tick), "tick end"))
    for tick, across in zip(x.ticks, _across(x, x.ticks), strict=True):
        parts.append(f'<path class="grid" d="M{_n(across)} {BOTTOM}v4"/>')
        parts.append(_text(across, BOTTOM + 17, x.write(tick), "tick middle"))
    parts.append(_text((LEFT + RIGHT) / 2, BOTTOM + 36, x.label, "label middle"))
    parts += [_series(each, x, y) for each in series]
    return _svg(BOTTOM + 42, parts, alt)


def _across(axis: Axis, values: ArrayLike) -> NDArray[np.float64]:
    return LEFT + axis.place(values) * (RIGHT - LEFT)


def _down(axis: Axis, values: ArrayLike) -> NDArray[np.float64]:
    return BOTTOM - axis.place(values) * (BOTTOM - TOP)


def _series(series: Series, x: Axis, y: Axis) -> str:
    places = zip(_across(x, series.x), _down(y, series.y), strict=True)
    points = [f"{_n(across)} {_n(down)}" for across, down in places if not math.isnan(across + down)]
    if not points:
        return ""
    # Dots are strokes of no length with round ends: ten bytes for one instead of fifty.
    path = "".join(f"M{point}h0" for point in points) if series.dots else "M" + "L".join(points)
    style = f"{'dots' if series.dots else 'line'} c{series.colour}{' faint' if series.faint else ''}"
    title = f"<title>{escape(series.name)}</title>" if series.name else ""
    return f'<path class="{style}" d="{path}">{title}</path>'


def intervals(title: str, axis: Axis, rows: Sequence[Estimate], alt: str, lines: Sequence[float] = ()) -> Markup:
    """Draw a mean with its interval in each row, name and figures above it; ``lines`` are values to compare with."""
    row, top, left, right = 44, 24, 16, WIDTH - 16
    bottom = top + row * len(rows) + 6
    parts = [_text(0, 12, title, "title")]

    def at(value: float) -> float:
        return left + float(axis.place(value)) * (right - left)

    for tick in axis.ticks:
        parts.append(f'<path class="grid" d="M{_n(at(tick))} {top}V{bottom}"/>')
        parts.append(_text(at(tick), bottom + 16, axis.write(tick), "tick middle"))
    for value in lines:
        style = "margin" if value else "zero"
        parts.append(f'<path class="{style}" d="M{_n(at(value))} {top}V{bottom}"/>')
    parts.append(_text((left + right) / 2, bottom + 32, axis.label, "label middle"))
    for index, each in enumerate(rows):
        level = top + row * index + 34
        parts.append(_text(left, level - 12, each.name, "name halo"))
        parts.append(_text(right, level - 12, each.text, "value end halo"))
        parts.append(_interval(each, at, level))
    return _svg(bottom + (38 if axis.label else 22), parts, alt)


def _interval(row: Estimate, at: Callable[[float], float], level: float) -> str:
    if row.mean is None:
        return ""
    lines = []
    if row.outer:
        lines.append(f'<path class="outer" d="M{_n(at(row.outer[0]))} {level}H{_n(at(row.outer[1]))}"/>')
    if row.low is not None and row.high is not None:
        lines.append(f'<path class="inner" d="M{_n(at(row.low))} {level}H{_n(at(row.high))}"/>')
    mark = f'<path class="mean" d="M{_n(at(row.mean))} {level - 7}v14"/>'
    return f'<g class="estimate c{row.colour}">{"".join(lines)}{mark}</g>'


def scan(pixels: NDArray[np.uint8], side: int = PICTURE_SIDE) -> str:
    """Encode ``uint8 (H, W)`` as the data URI of a JPEG, no larger than ``side`` pixels."""
    picture = PIL.Image.fromarray(pixels)
    picture.thumbnail((side, side), PIL.Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, format="JPEG", quality=82, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def outline(mask: NDArray[np.bool_]) -> str:
    """Outlines of ``bool (H, W)`` as the path of an SVG, in half pixels: a whole number for every place between two."""
    found = components(mask)
    paths = []
    for number in range(1, len(found.sizes) + 1):
        for line in trace(found.labels == number):
            turns = np.rint(corners(line)[:, ::-1] * 2 + 1).astype(int)
            moves = " ".join(f"{x} {y}" for x, y in np.diff(turns, axis=0).tolist())
            paths.append(f"M{turns[0, 0]} {turns[0, 1]}l{moves}z")
    return "".join(paths)


def _svg(height: float, parts: Iterable[str], alt: str) -> Markup:
    head = f'<svg class="chart" viewBox="0 0 {WIDTH} {_n(height)}" role="img" aria-label="{escape(alt)}">'
    return Markup(head + "".join(parts) + "</svg>")


def _text(x: float, y: float, text: str, style: str) -> str:
    return f'<text x="{_n(x)}" y="{_n(y)}" class="{style}">{escape(text)}</text>'


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
