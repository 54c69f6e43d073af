"""The figures and tables of an audit's page: how far masks agree, marks by class, classes and sizes."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from sonoseg.data.audit import Audit, Look
from sonoseg.reports import charts
from sonoseg.reports.charts import Axis, Estimate, Series
from sonoseg.reports.figures import MISSING, Found, number, percent, span
from sonoseg.reports.table import Cell, Table, estimate

ENOUGH = 10
"""Groups from which on the agreement of masks is said at the top of the page."""

_TENTHS = tuple(step / 10 for step in range(0, 11, 2))


def agreement(audit: Audit, found: Found | None) -> dict[str, Any] | None:
    """Chart, table and note about two outlines of one scan and their figure; None where there are no such pairs."""
    if not found:
        return None
    dice = np.sort([each.dice or 0.0 for each in audit.outlined_twice()])
    reached = np.linspace(1, 0, len(dice) + 1)
    y = Axis("Pairs that agree at least so", 0, 1, _TENTHS, write=lambda share: percent(share, 0))
    series = [Series("pairs of copies", 1, np.r_[0, np.repeat(dice, 2), 1], np.repeat(reached, 2))]
    chart = charts.plot("", Axis("Dice", 0, 1, _TENTHS), y, series, "Share of pairs of copies that reach a Dice")
    table = Table(
        "Dice of two outlines of one scan",
        (Cell("Pairs"), Cell("Groups"), Cell("Mean"), Cell("Median", "quartiles")),
        ((str(found["n"]), (Cell(str(found["groups"])), estimate(found), _quartiles(found["quartiles"], 3))),),
    )
    pairs, empty = len(audit.comparisons), sum(each.one_empty for each in audit.comparisons)
    note = (
        f"{pairs} pairs lie in one group. Left out: {empty} where one mask of the two is empty, and "
        f"{pairs - empty - found['n']} where both are, or where the pair could not be laid over each other."
    )
    return {"chart": chart, "table": table, "note": note, "enough": found["groups"] >= ENOUGH}


def marks_chart(marked: Mapping[str, Found], labels: Sequence[str]) -> Markup:
    """Share of the images of each label that bear marks, with its interval."""
    estimates = []
    for colour, label in enumerate(labels, 1):
        found = marked[label]
        text = f"{percent(found['mean'], 0)} of {found['n']}"
        estimates.append(Estimate(label, colour, found["mean"], found["low"], found["high"], text))
    axis = Axis("% of the images", 0, 1, _TENTHS, write=lambda share: number(100 * share, 0))
    alt = "Share with marks: " + "; ".join(f"{each.name} {each.text}" for each in estimates)
    return charts.intervals("Images with burnt-in marks, 95\u00a0% interval", axis, estimates, alt)


def class_table(audit: Audit, labels: Sequence[str]) -> Table:
    """A row for each label: images, scans, marks, colour, sizes of lesions and images; one for all where several."""

    def row(looks: Sequence[Look]) -> tuple[Cell, ...]:
        shares = [100 * look.share for look in looks if not look.empty]
        heights, widths = ([look.shape[axis] for look in looks] for axis in (0, 1))
        return (
            Cell(str(len(looks))),
            Cell(str(len({audit.groups[look.name] for look in looks}))),
            Cell(percent(float(np.mean([look.marked for look in looks])), 0)),
            Cell(str(sum(look.coloured for look in looks))),
            _quartiles(np.quantile(shares, (0.25, 0.5, 0.75)), 1) if shares else Cell(MISSING),
            Cell(str(sum(look.lesions > 1 for look in looks))),
            Cell(str(sum(look.empty for look in looks))),
            _range(heights),
            _range(widths),
        )

    heads = (
        *(Cell(text) for text in ("Class", "Images", "Scans", "Marks", "Colour")),
        Cell("Lesion, % of the image", "median, quartiles"),
        *(Cell(text) for text in ("Several lesions", "Empty masks")),
        *(Cell(text, "median, range") for text in ("Height", "Width")),
    )
    by_label = _by_label(audit, labels)
    parts = {**by_label, **({"all": audit.looks} if len(labels) > 1 else {})}
    return Table("Images of each class", heads, tuple((name, row(looks)) for name, looks in parts.items()))


def size_charts(audit: Audit, labels: Sequence[str]) -> list[Markup]:
    """Sizes of the lesions, where there are any, and of the images, by label."""
    by_label = _by_label(audit, labels)
    drawn = []
    shares = {
        label: np.sort([100 * look.share for look in looks if not look.empty]) for label, looks in by_label.items()
    }
    every = np.concatenate([*shares.values(), []])
    if len(every):
        x = charts.log_axis("lesion, % of the image", 0.9 * float(every.min()), 1.1 * float(every.max()))
        y = Axis("Lesions no larger than this", 0, 1, _TENTHS, write=lambda share: percent(share, 0))
        lines = [
            Series(label, colour, values, np.arange(1, len(values) + 1) / len(values))
            for colour, (label, values) in enumerate(shares.items(), 1)
            if len(values)
        ]
        drawn.append(charts.plot("Size of the lesions", x, y, lines, "Share of lesions up to a size, for each class"))
    sides = [[look.shape[axis] for look in audit.looks] for axis in (1, 0)]
    x, y = (charts.linear_axis(name, 0, max(side)) for name, side in zip(("width", "Height"), sides, strict=True))
    dots = [
        Series(label, colour, [look.shape[1] for look in looks], [look.shape[0] for look in looks], dots=True)
        for colour, (label, looks) in enumerate(by_label.items(), 1)
    ]
    drawn.append(charts.plot("Size of the images, in pixels", x, y, dots, "Height against width of each image"))
    return drawn


def _by_label(audit: Audit, labels: Sequence[str]) -> dict[str, list[Look]]:
    return {label: [look for look in audit.looks if look.label == label] for label in labels}


def _quartiles(quartiles: Iterable[float], digits: int) -> Cell:
    low, middle, high = quartiles
    return _with_span(middle, low, high, digits)


def _range(values: Sequence[int]) -> Cell:
    return _with_span(np.median(values), min(values), max(values), 0)


def _with_span(value: float, low: float, high: float, digits: int) -> Cell:
    return Cell(number(float(value), digits), span({"low": float(low), "high": float(high)}, digits))
