"""Means with intervals, by resampling groups: images of one patient or one set of copies are not independent.

Where several seeds of a recipe were trained they are resampled too: another seed would have given other figures.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import nan, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from sonoseg.evaluation.resampling import Groups, Runs, Sample, Values, as_runs


@dataclass(frozen=True)
class Interval:
    """A mean with its interval, over n values in so many groups; NaN where there is nothing to say it from."""

    mean: float
    low: float
    high: float
    n: int
    groups: int


def plain(interval: Interval) -> dict[str, float | int | None]:
    """An interval as plain data, as ``summary.json`` holds it."""
    return {name: plain_number(value) for name, value in vars(interval).items()}


def plain_number(value: float) -> float | None:
    """A figure as plain data: six decimals, None for NaN."""
    return None if np.isnan(value) else round(value, 6)


def bootstrap_mean(
    values: Values, groups: Groups, resamples: int = 2000, seed: int = 0, level: float = 0.95
) -> Interval:
    """Mean of the values, with a percentile interval by drawing whole groups with replacement (cluster bootstrap).

    groups: ``(n,)``, the group of each value, numbers or texts. Where the values are of several seeds of a recipe, its
    seeds are drawn as well, independently of the groups (pigeonhole bootstrap).
    The same seed gives the same draws, in whatever order the rows come. A single group gives no interval, but NaN.
    Errors: ``ValueError`` where the lengths differ, resamples are not positive or the level is not in (0, 1).
    Sources: Field and Welsh, Journal of the Royal Statistical Society B 2007, doi 10.1111/j.1467-9868.2007.00593.x;
    Owen, Annals of Applied Statistics 2007, doi 10.1214/07-AOAS122.
    """
    sample = Sample([as_runs(values)], groups)
    drawn = sample.drawn(resamples, seed, level)[:, 0]
    return Interval(float(sample.means[0]), *_ends(drawn, level), int(sample.n[0]), sample.count)


def bootstrap_median(
    values: ArrayLike, groups: Groups, resamples: int = 2000, seed: int = 0, level: float = 0.95
) -> Interval:
    """Median of the values, otherwise as ``bootstrap_mean``; the field ``mean`` holds the median."""
    numbers, names = np.asarray(values, dtype=np.float64), np.asarray(groups)
    about = bootstrap_mean(numbers, names, 1, seed, level)
    defined = ~np.isnan(numbers)
    median = float(np.median(numbers[defined])) if about.n else nan
    if about.groups < 2:
        return Interval(median, nan, nan, about.n, about.groups)
    _, rows = np.unique(names[defined], return_inverse=True)
    order = np.argsort(rows, kind="stable")
    members = np.split(numbers[defined][order], np.cumsum(np.bincount(rows))[:-1])
    generator = np.random.default_rng(seed)
    medians = [
        np.median(np.concatenate([members[place] for place in generator.integers(about.groups, size=about.groups)]))
        for _ in range(resamples)
    ]
    return Interval(median, *_ends(np.array(medians), level), about.n, about.groups)


def bootstrap_difference(
    first: Values, second: Values, groups: Groups, resamples: int = 2000, seed: int = 0, level: float = 0.95
) -> Interval:
    """Mean of first - second, paired by row, as ``bootstrap_mean``; a row where either is NaN is left out."""
    one, other = as_runs(first), as_runs(second)
    if len(one.parts) != len(other.parts):
        raise ValueError(f"first {one.values.shape} and second {other.values.shape} must be paired row by row")
    return bootstrap_mean(one - other, groups, resamples, seed, level)


def bootstrap_apart(
    first: Values,
    first_groups: Groups,
    second: Values,
    second_groups: Groups,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Mean of first - mean of second, of two samples that have nothing to do with each other: each is drawn by itself.

    Everything else as ``bootstrap_mean``; n and groups are those of both together.
    """
    samples = [Sample([as_runs(first)], first_groups), Sample([as_runs(second)], second_groups)]
    one, other = (sample.drawn(resamples, seed + place, level)[:, 0] for place, sample in enumerate(samples))
    n, count = (int(sum(getattr(sample, name)[0] for sample in samples)) for name in ("n", "counts"))
    return Interval(float(samples[0].means[0] - samples[1].means[0]), *_ends(one - other, level), n, count)


def bootstrap_contrast(
    values: Values, part: ArrayLike, groups: Groups, resamples: int = 2000, seed: int = 0, level: float = 0.95
) -> Interval:
    """Mean of the values in a part, ``bool (n,)``, - mean of the others; each draw of whole groups serves both.

    A draw that leaves one of the two empty has that one's own mean. NaN where either has fewer than two groups.
    Everything else as ``bootstrap_mean``.
    """
    found, inside, names = as_runs(values), np.asarray(part, dtype=bool), np.asarray(groups)
    if not found.values.shape == inside.shape == names.shape:
        told = f"values {found.values.shape}, part {inside.shape} and groups {names.shape}"
        raise ValueError(f"{told} must be of one length")
    known = ~np.isnan(found.values)
    columns = [Runs(np.where(rows[:, None], found.parts, nan), found.recipes)[known] for rows in (inside, ~inside)]
    sample = Sample(columns, names[known])
    drawn = sample.drawn(resamples, seed, level)
    mean, count = float(sample.means[0] - sample.means[1]), sample.count
    if min(sample.counts) < 2:
        return Interval(mean, nan, nan, int(sample.n.sum()), count)
    return Interval(mean, *_ends(drawn[:, 0] - drawn[:, 1], level), int(sample.n.sum()), count)


def bootstrap_simultaneous(
    columns: Sequence[Values], groups: Groups, resamples: int = 10_000, seed: int = 0, level: float = 0.95
) -> list[Interval]:
    """Means of several columns of one length, with intervals that hold for all of them at once at the level.

    Each draw of whole groups, and of seeds, serves every column; the percentiles are moved outwards, alike for all,
    until the share ``level`` of the draws lies within every interval. One column gives what ``bootstrap_mean`` does, up
    to the draws. NaN, groups, errors: as ``bootstrap_mean``.
    Source: Mandel and Betensky, Computational Statistics and Data Analysis 2008, doi 10.1016/j.csda.2007.07.005.
    """
    sample = Sample([as_runs(column) for column in columns], groups)
    drawn = sample.drawn(resamples, seed, level)
    if not columns:
        return []
    ordered = np.sort(drawn, axis=0)
    kept = _depths(drawn, ordered)[int((1 - level) * resamples)]
    bounds = np.where(sample.counts > 1, ordered[[kept - 1, resamples - kept]], nan).T
    return [
        Interval(float(mean), float(low), float(high), int(size), int(count))
        for mean, (low, high), size, count in zip(sample.means, bounds, sample.n, sample.counts, strict=True)
    ]


def bootstrap_sums(
    rows: NDArray[np.float64],
    groups: Groups,
    statistic: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """A figure that follows from the sums of rows, float ``(n, k)``, with its interval by drawing whole groups.

    statistic: sums ``(draws, k)``, up to a factor for each draw, -> the figure of each draw, ``(draws,)``. The
    interval of a figure that is not a mean may lie to one side of it. Everything else as ``bootstrap_mean``.
    """
    sample = Sample([as_runs(column) for column in rows.T], groups)
    figure = float(statistic(sample.means[None])[0])
    return Interval(figure, *_ends(statistic(sample.drawn(resamples, seed, level)), level), len(rows), sample.count)


def share(values: Values, groups: Groups, resamples: int = 2000, seed: int = 0, level: float = 0.95) -> Interval:
    """Share of the rows that are true, 0 or 1 each (between where seeds differ), with an interval for small counts.

    Wilson's interval at an effective number of rows: as many independent ones as would vary like the draws of
    ``bootstrap_mean``, never more than there are; with Student's quantile for so many groups. Where all rows are alike
    the draws tell nothing, and the rows of a group count as one. Arguments, errors: as ``bootstrap_mean``.
    Sources: Wilson, Journal of the American Statistical Association 1927, doi 10.1080/01621459.1927.10502953; with an
    effective number: Dean and Pagano, Journal of Survey Statistics and Methodology 2015, doi 10.1093/jssam/smv024.
    """
    sample = Sample([as_runs(values)], groups)
    drawn = sample.drawn(resamples, seed, level)[:, 0]
    mean, n, count = float(sample.means[0]), int(sample.n[0]), sample.count
    if count < 2:
        return Interval(mean, nan, nan, n, count)
    varied = float(drawn.var()) * count / (count - 1)
    alike = n**2 / float((sample.sizes[:, 0] ** 2).sum())
    effective = min(n, mean * (1 - mean) / varied) if varied and 0 < mean < 1 else alike
    z = float(stdtrit(count - 1, (1 + level) / 2))
    middle, scale = mean + z**2 / (2 * effective), 1 + z**2 / effective
    half = z * sqrt(mean * (1 - mean) / effective + z**2 / (4 * effective**2))
    return Interval(mean, max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale), n, count)


def _ends(drawn: NDArray[np.float64], level: float) -> tuple[float, float]:
    """The percentiles between which the share ``level`` of the draws lies."""
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2]).tolist()
    return low, high


def _depths(drawn: NDArray[np.float64], ordered: NDArray[np.float64]) -> NDArray[np.intp]:
    """Rank of each draw from the nearer end in the column where that is smallest, 1 for an extreme; sorted."""
    depths = np.full(len(drawn), len(drawn))
    for column, sorted_column in zip(drawn.T, ordered.T, strict=True):
        from_low = np.searchsorted(sorted_column, column, side="right")
        from_high = len(column) - np.searchsorted(sorted_column, column, side="left")
        depths = np.minimum(depths, np.minimum(from_low, from_high))
    return np.sort(depths)
