"""Means with intervals, by resampling groups: images of one patient or one set of copies are not independent."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import nan

import numpy as np
from numpy.typing import ArrayLike, NDArray

_DRAWN = 200_000
"""Groups that are drawn at a time: memory stays small for any number of groups and resamples."""


@dataclass(frozen=True)
class Interval:
    """A mean with its interval, over n values in so many groups; NaN where there is nothing to say it from."""

    mean: float
    low: float
    high: float
    n: int
    groups: int


def bootstrap_mean(
    values: ArrayLike,
    groups: Sequence[Hashable] | NDArray[np.generic],
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Mean of the values, with a percentile interval by drawing whole groups with replacement (cluster bootstrap).

    values: float ``(n,)``; NaN is undefined and left out. groups: ``(n,)``, the group of each value, numbers or texts.
    The same seed gives the same draws, in whatever order the rows come. A single group gives no interval, but NaN.
    Errors: ``ValueError`` where the lengths differ, resamples are not positive or the level is not in (0, 1).
    Source: Field and Welsh, Journal of the Royal Statistical Society B 2007, doi 10.1111/j.1467-9868.2007.00593.x.
    """
    numbers, names = np.asarray(values, dtype=np.float64), np.asarray(groups)
    if numbers.ndim != 1 or numbers.shape != names.shape:
        raise ValueError(f"values {numbers.shape} and groups {names.shape} must be two lists of one length")
    if resamples < 1 or not 0 < level < 1:
        raise ValueError(f"resamples must be positive and the level in (0, 1), not {resamples} and {level}")
    sums, sizes = _by_group(numbers, names)
    n, count = int(sizes.sum()), len(sizes)
    mean = float(sums.sum() / n) if n else nan
    if count < 2:
        return Interval(mean, nan, nan, n, count)
    means = _resampled_means(sums, sizes, resamples, np.random.default_rng(seed))
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(mean, float(low), float(high), n, count)


def bootstrap_median(
    values: ArrayLike,
    groups: Sequence[Hashable] | NDArray[np.generic],
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
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
    low, high = np.quantile(medians, [(1 - level) / 2, (1 + level) / 2])
    return Interval(median, float(low), float(high), about.n, about.groups)


def bootstrap_difference(
    first: ArrayLike,
    second: ArrayLike,
    groups: Sequence[Hashable] | NDArray[np.generic],
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Mean of first - second, paired by row, as ``bootstrap_mean``; a row where either is NaN is left out."""
    one, other = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if one.shape != other.shape:
        raise ValueError(f"first {one.shape} and second {other.shape} must be paired row by row")
    return bootstrap_mean(one - other, groups, resamples, seed, level)


def bootstrap_apart(
    first: ArrayLike,
    first_groups: Sequence[Hashable] | NDArray[np.generic],
    second: ArrayLike,
    second_groups: Sequence[Hashable] | NDArray[np.generic],
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Mean of first - mean of second, of two samples that have nothing to do with each other: each is drawn by itself.

    Everything else as ``bootstrap_mean``; n and groups are those of both together.
    """
    samples = [(first, first_groups, seed), (second, second_groups, seed + 1)]
    one, other = (bootstrap_mean(values, groups, resamples, start, level) for values, groups, start in samples)
    n, count, mean = one.n + other.n, one.groups + other.groups, one.mean - other.mean
    if min(one.groups, other.groups) < 2:
        return Interval(mean, nan, nan, n, count)
    drawn = [_drawn_means(values, groups, resamples, start) for values, groups, start in samples]
    low, high = np.quantile(drawn[0] - drawn[1], [(1 - level) / 2, (1 + level) / 2])
    return Interval(mean, float(low), float(high), n, count)


def bootstrap_contrast(
    values: ArrayLike,
    part: ArrayLike,
    groups: Sequence[Hashable] | NDArray[np.generic],
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Mean of the values in a part, ``bool (n,)``, - mean of the others; each draw of whole groups serves both.

    A draw that leaves one of the two empty has that one's own mean. NaN without two groups, or where one is empty.
    Everything else as ``bootstrap_mean``.
    """
    numbers, inside, names = np.asarray(values, dtype=np.float64), np.asarray(part, dtype=bool), np.asarray(groups)
    if not numbers.shape == inside.shape == names.shape:
        raise ValueError(f"values {numbers.shape}, part {inside.shape} and groups {names.shape} must be of one length")
    columns = np.stack([np.where(inside, numbers, nan), np.where(inside, nan, numbers)], axis=1)
    unique, rows = np.unique(names[~np.isnan(numbers)], return_inverse=True)
    sums, sizes = (np.zeros((len(unique), 2)) for _ in range(2))
    defined = columns[~np.isnan(numbers)]
    np.add.at(sums, rows, np.nan_to_num(defined))
    np.add.at(sizes, rows, ~np.isnan(defined))
    n = sizes.sum(axis=0)
    means = np.divide(sums.sum(axis=0), n, out=np.full(2, nan), where=n > 0)
    mean = float(means[0] - means[1])
    if len(unique) < 2 or np.isnan(mean):
        return Interval(mean, nan, nan, int(n.sum()), len(unique))
    drawn = _resampled_columns(sums, sizes, means, resamples, np.random.default_rng(seed))
    low, high = np.quantile(drawn[:, 0] - drawn[:, 1], [(1 - level) / 2, (1 + level) / 2])
    return Interval(mean, float(low), float(high), int(n.sum()), len(unique))


def bootstrap_simultaneous(
    values: ArrayLike,
    groups: Sequence[Hashable] | NDArray[np.generic],
    resamples: int = 10_000,
    seed: int = 0,
    level: float = 0.95,
) -> list[Interval]:
    """Means of the columns, with intervals that hold for all columns at once at the level.

    Each draw of whole groups serves every column; the percentiles are moved outwards, alike for all, until the share
    ``level`` of the draws lies within every interval. One column gives what ``bootstrap_mean`` does, up to the draws.
    values: float ``(n, k)``; NaN is left out of its column. groups, NaN intervals, errors: as ``bootstrap_mean``.
    Source: Mandel and Betensky, Computational Statistics and Data Analysis 2008, doi 10.1016/j.csda.2007.07.005.
    """
    numbers, names = np.asarray(values, dtype=np.float64), np.asarray(groups)
    if numbers.ndim != 2 or names.shape != numbers.shape[:1]:
        raise ValueError(
            f"values {numbers.shape} must be rows and columns, with a group for each row, not {names.shape}"
        )
    if resamples < 1 or not 0 < level < 1:
        raise ValueError(f"resamples must be positive and the level in (0, 1), not {resamples} and {level}")
    unique, rows = np.unique(names, return_inverse=True)
    sums, sizes = (np.zeros((len(unique), numbers.shape[1])) for _ in range(2))
    np.add.at(sums, rows, np.nan_to_num(numbers))
    np.add.at(sizes, rows, ~np.isnan(numbers))
    n, counts = sizes.sum(axis=0), (sizes > 0).sum(axis=0)
    means = np.divide(sums.sum(axis=0), n, out=np.full(n.shape, nan), where=n > 0)
    drawn = _resampled_columns(sums, sizes, means, resamples, np.random.default_rng(seed))
    ordered = np.sort(drawn, axis=0)
    kept = _depths(drawn, ordered)[int((1 - level) * resamples)]
    bounds = np.where(counts > 1, ordered[[kept - 1, resamples - kept]], nan).T
    return [
        Interval(float(mean), float(low), float(high), int(size), int(count))
        for mean, (low, high), size, count in zip(means, bounds, n, counts, strict=True)
    ]


def _by_group(
    numbers: NDArray[np.float64], names: NDArray[np.generic]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Sum and number of the defined values of each group, groups in order of their names."""
    defined = ~np.isnan(numbers)
    _, rows = np.unique(names[defined], return_inverse=True)
    return np.bincount(rows, weights=numbers[defined]).astype(np.float64), np.bincount(rows).astype(np.int64)


def _drawn_means(
    values: ArrayLike, groups: Sequence[Hashable] | NDArray[np.generic], resamples: int, seed: int
) -> NDArray[np.float64]:
    sums, sizes = _by_group(np.asarray(values, dtype=np.float64), np.asarray(groups))
    return _resampled_means(sums, sizes, resamples, np.random.default_rng(seed))


def _resampled_columns(
    sums: NDArray[np.float64],
    sizes: NDArray[np.float64],
    means: NDArray[np.float64],
    resamples: int,
    generator: np.random.Generator,
) -> NDArray[np.float64]:
    """Mean of each column in each draw, ``(resamples, k)``; a column without values in a draw keeps its mean."""
    count, drawn = len(sums), np.tile(means, (resamples, 1))
    step = max(1, _DRAWN // max(1, count))
    for start in range(0, resamples if count else 0, step):
        part = drawn[start : start + step]
        places = generator.integers(count, size=(len(part), count)) + count * np.arange(len(part))[:, None]
        times = np.bincount(places.ravel(), minlength=len(part) * count).reshape(len(part), count)
        total = times @ sizes
        np.divide(times @ sums, total, out=part, where=total > 0)
    return drawn


def _depths(drawn: NDArray[np.float64], ordered: NDArray[np.float64]) -> NDArray[np.intp]:
    """Rank of each draw from the nearer end in the column where that is smallest, 1 for an extreme; sorted."""
    depths = np.full(len(drawn), len(drawn))
    for column, sorted_column in zip(drawn.T, ordered.T, strict=True):
        from_low = np.searchsorted(sorted_column, column, side="right")
        from_high = len(column) - np.searchsorted(sorted_column, column, side="left")
        depths = np.minimum(depths, np.minimum(from_low, from_high))
    return np.sort(depths)


def _resampled_means(
    sums: NDArray[np.floating | np.integer], sizes: NDArray[np.integer], resamples: int, generator: np.random.Generator
) -> NDArray[np.float64]:
    means, step = np.empty(resamples), max(1, _DRAWN // len(sums))
    for start in range(0, resamples, step):
        drawn = generator.integers(len(sums), size=(min(step, resamples - start), len(sums)))
        means[start : start + step] = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    return means
