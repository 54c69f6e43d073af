"""How well presence tells images with a lesion from those without, and what silence below a threshold of it costs."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonoseg.evaluation.cases import Case, Table
from sonoseg.evaluation.intervals import Interval, plain, plain_number

RESAMPLES, LEVEL = 2000, 0.95

THRESHOLDS = tuple(sorted({*(step / 50 for step in range(50)), 0.001, 0.002, 0.005, 0.01, 0.99, 0.995, 0.998, 0.999}))
"""Thresholds of presence that are tried."""


@dataclass(frozen=True, eq=False)
class Curve:
    """What is left at each of ``THRESHOLDS``, float ``(n,)`` each; NaN throughout without such images.

    dice: mean lesion Dice. drawn: share of the images without a lesion that are drawn on.
    """

    dice: NDArray[np.float64]
    drawn: NDArray[np.float64]


def auc(found: Table) -> Interval:
    """Share of the pairs of an image with a lesion and one without where the first has the higher presence.

    Ties count half. Images whose presence is not told are left out; NaN where they are all of one kind. The interval
    draws whole groups, not seeds.
    """
    presence = found.column("presence").values
    known = ~np.isnan(presence)
    lesion = np.array([row.has_lesion for row in found.rows], bool)
    names, places = np.unique(found.groups[known], return_inverse=True)
    presence, lesion, count = presence[known], lesion[known], len(names)
    if lesion.all() or not lesion.any():
        return Interval(math.nan, math.nan, math.nan, len(presence), count)
    won = _higher(presence[lesion], presence[~lesion])
    by_group = np.zeros((count, won.shape[1]))
    np.add.at(by_group, places[lesion], won)
    pairs = np.zeros((count, count))
    np.add.at(pairs, places[~lesion], by_group.T)
    sizes = np.stack([np.bincount(places[part], minlength=count) for part in (lesion, ~lesion)], axis=1)
    generator = np.random.default_rng(0)
    times = generator.multinomial(count, np.full(count, 1 / count), size=RESAMPLES).astype(np.float64)
    drawn = times @ sizes
    both = drawn.prod(axis=1) > 0
    shares = ((times @ pairs) * times).sum(axis=1)[both] / drawn[both].prod(axis=1)
    low, high = np.quantile(shares, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]) if count > 1 else (math.nan, math.nan)
    return Interval(float(won.mean()), float(low), float(high), len(presence), count)


def curve(cases: Iterable[Case]) -> Curve:
    """What silence below each threshold leaves of rows that were judged without any; seeds are averaged by image."""
    rows = [case for case in cases if not np.isnan(case.presence)]
    presence = np.array([row.presence for row in rows])
    lesion = np.array([row.has_lesion for row in rows], bool)
    value = np.array([row.dice if row.has_lesion else row.drawn for row in rows], np.float64)
    kept = np.where(presence[:, None] < np.array(THRESHOLDS), 0, value[:, None])
    _, places, runs = np.unique([row.image for row in rows], return_inverse=True, return_counts=True)
    weights = 1 / runs[places] if len(rows) else value
    dice, drawn = (_mean(kept[part], weights[part]) for part in (lesion, ~lesion))
    return Curve(dice, drawn)


def summarise(found: Table) -> dict[str, Any]:
    """Plain data of one model: ``auc``, and ``curve`` where the rows show what lower thresholds draw; {} without any.

    A row that is silent already says nothing of lower thresholds than its own.
    """
    cases = [case for judged in found.judged for case in judged if case is not None]
    if all(np.isnan(case.presence) for case in cases):
        return {}
    told = curve(cases)
    lines = {"dice": told.dice, "drawn": told.drawn}
    return {
        "auc": plain(auc(found)),
        "curve": {"threshold": list(THRESHOLDS)}
        | {name: [plain_number(value) for value in line.tolist()] for name, line in lines.items()},
    }


def _higher(above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((above[:, None] > below) + 0.5 * (above[:, None] == below), np.float64)


def _mean(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    if not len(values):
        return np.full(len(THRESHOLDS), np.nan)
    return np.asarray(weights @ values / weights.sum())
