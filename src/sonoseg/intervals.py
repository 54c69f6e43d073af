"""Means with intervals, by resampling groups: images of one patient or one set of copies are not independent."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import nan

import numpy as np
from numpy.typing import ArrayLike, NDArray


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
    defined = ~np.isnan(numbers)
    unique, rows = np.unique(names[defined], return_inverse=True)
    sums, sizes = np.bincount(rows, weights=numbers[defined]), np.bincount(rows)
    n, count = int(defined.sum()), len(unique)
    mean = float(sums.sum() / n) if n else nan
    if count < 2:
        return Interval(mean, nan, nan, n, count)
    means = _resampled_means(sums, sizes, resamples, np.random.default_rng(seed))
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(mean, float(low), float(high), n, count)


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


def _resampled_means(
    sums: NDArray[np.floating | np.integer], sizes: NDArray[np.integer], resamples: int, generator: np.random.Generator
) -> NDArray[np.float64]:
    means = np.empty(resamples)
    for i in range(resamples):  # one draw at a time: memory stays that of one draw for any number of groups
        drawn = generator.integers(len(sums), size=len(sums))
        means[i] = sums[drawn].sum() / sizes[drawn].sum()
    return means
