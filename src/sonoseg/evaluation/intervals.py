"""Means with intervals, by resampling groups: images of one patient or one set of copies are not independent.

Where several seeds of a recipe were trained they are resampled too: another seed would have given other figures.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from math import nan, sqrt
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

Groups: TypeAlias = Sequence[Hashable] | NDArray[np.generic]

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


def plain(interval: Interval) -> dict[str, float | int | None]:
    """An interval as plain data, as ``summary.json`` holds it."""
    return {name: plain_number(value) for name, value in vars(interval).items()}


def plain_number(value: float) -> float | None:
    """A figure as plain data: six decimals, None for NaN."""
    return None if np.isnan(value) else round(value, 6)


@dataclass(frozen=True, eq=False)
class Runs:
    """Values that several runs gave: a row's value is the sum of its parts.

    parts: float ``(n, m)``, each run's share in the row, 0 where it did not judge it; NaN where the value is undefined.
    recipes: ``(m,)``; runs of one recipe differ in nothing but their seed.
    """

    parts: NDArray[np.float64]
    recipes: tuple[Hashable, ...]

    @property
    def values(self) -> NDArray[np.float64]:
        """The value of each row, float ``(n,)``."""
        return np.asarray(self.parts.sum(axis=1))

    def __sub__(self, other: "Runs") -> "Runs":
        """Row by row; undefined where either is."""
        return Runs(np.concatenate([self.parts, -other.parts], axis=1), (*self.recipes, *other.recipes))

    def __getitem__(self, rows: NDArray[np.bool_]) -> "Runs":
        """The rows that are told, ``bool (n,)``."""
        return Runs(self.parts[rows], self.recipes)


def mean_of_runs(values: ArrayLike, recipes: Sequence[Hashable]) -> Runs:
    """Make each row the mean over the runs that judged it. values: float ``(n, m)``, NaN where one did not."""
    numbers = np.asarray(values, np.float64)
    known = ~np.isnan(numbers)
    judged = known.sum(axis=1, keepdims=True)
    parts = np.divide(np.nan_to_num(numbers), judged, out=np.full(numbers.shape, nan), where=judged > 0)
    return Runs(parts, tuple(recipes))


Values: TypeAlias = ArrayLike | Runs
"""One value for each row, float ``(n,)``; NaN is undefined and left out. Or those of several runs."""


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
    sample = _Sample([_runs(values)], groups)
    return sample.interval(sample.drawn(resamples, seed, level)[:, 0], level)


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
    low, high = np.quantile(medians, [(1 - level) / 2, (1 + level) / 2])
    return Interval(median, float(low), float(high), about.n, about.groups)


def bootstrap_difference(
    first: Values, second: Values, groups: Groups, resamples: int = 2000, seed: int = 0, level: float = 0.95
) -> Interval:
    """Mean of first - second, paired by row, as ``bootstrap_mean``; a row where either is NaN is left out."""
    one, other = _runs(first), _runs(second)
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
    samples = [_Sample([_runs(first)], first_groups), _Sample([_runs(second)], second_groups)]
    one, other = (sample.drawn(resamples, seed + place, level)[:, 0] for place, sample in enumerate(samples))
    low, high = np.quantile(one - other, [(1 - level) / 2, (1 + level) / 2])
    n, count = (int(sum(getattr(sample, name)[0] for sample in samples)) for name in ("n", "counts"))
    return Interval(float(samples[0].means[0] - samples[1].means[0]), float(low), float(high), n, count)


def bootstrap_contrast(
    values: Values, part: ArrayLike, groups: Groups, resamples: int = 2000, seed: int = 0, level: float = 0.95
) -> Interval:
    """Mean of the values in a part, ``bool (n,)``, - mean of the others; each draw of whole groups serves both.

    A draw that leaves one of the two empty has that one's own mean. NaN without two groups, or where one is empty.
    Everything else as ``bootstrap_mean``.
    """
    found, inside, names = _runs(values), np.asarray(part, dtype=bool), np.asarray(groups)
    if not found.values.shape == inside.shape == names.shape:
        told = f"values {found.values.shape}, part {inside.shape} and groups {names.shape}"
        raise ValueError(f"{told} must be of one length")
    known = ~np.isnan(found.values)
    columns = [Runs(np.where(rows[:, None], found.parts, nan), found.recipes)[known] for rows in (inside, ~inside)]
    sample = _Sample(columns, names[known])
    drawn = sample.drawn(resamples, seed, level)
    mean, count = float(sample.means[0] - sample.means[1]), sample.count
    if count < 2 or np.isnan(mean):
        return Interval(mean, nan, nan, int(sample.n.sum()), count)
    low, high = np.quantile(drawn[:, 0] - drawn[:, 1], [(1 - level) / 2, (1 + level) / 2])
    return Interval(mean, float(low), float(high), int(sample.n.sum()), count)


def bootstrap_simultaneous(
    columns: Sequence[Values], groups: Groups, resamples: int = 10_000, seed: int = 0, level: float = 0.95
) -> list[Interval]:
    """Means of several columns of one length, with intervals that hold for all of them at once at the level.

    Each draw of whole groups, and of seeds, serves every column; the percentiles are moved outwards, alike for all,
    until the share ``level`` of the draws lies within every interval. One column gives what ``bootstrap_mean`` does, up
    to the draws. NaN, groups, errors: as ``bootstrap_mean``.
    Source: Mandel and Betensky, Computational Statistics and Data Analysis 2008, doi 10.1016/j.csda.2007.07.005.
    """
    sample = _Sample([_runs(column) for column in columns], groups)
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
    sample = _Sample([_runs(column) for column in rows.T], groups)
    figure = float(statistic(sample.means[None])[0])
    low, high = np.quantile(statistic(sample.drawn(resamples, seed, level)), [(1 - level) / 2, (1 + level) / 2])
    return Interval(figure, float(low), float(high), len(rows), sample.count)


def share(values: Values, groups: Groups, resamples: int = 2000, seed: int = 0, level: float = 0.95) -> Interval:
    """Share of the rows that are true, 0 or 1 each (between where seeds differ), with an interval for small counts.

    Wilson's interval at an effective number of rows: as many independent ones as would vary like the draws of
    ``bootstrap_mean``, never more than there are; with Student's quantile for so many groups. Where all rows are alike
    the draws tell nothing, and the rows of a group count as one. Arguments, errors: as ``bootstrap_mean``.
    Sources: Wilson, Journal of the American Statistical Association 1927, doi 10.1080/01621459.1927.10502953; with an
    effective number: Dean and Pagano, Journal of Survey Statistics and Methodology 2015, doi 10.1093/jssam/smv024.
    """
    sample = _Sample([_runs(values)], groups)
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


class _Sample:
    """Columns of runs summed up by group, ready to be drawn.

    k columns over the same rows; groups in order of their names, without those that no column has a value in.
    means: of each column, float ``(k,)``. n, counts: of its values and of their groups. sizes: float ``(groups, k)``.
    """

    def __init__(self, columns: Sequence[Runs], groups: Groups) -> None:
        names = np.asarray(groups)
        values = np.stack([column.values for column in columns], axis=1) if columns else np.empty((len(names), 0))
        if names.ndim != 1 or len(values) != len(names):
            raise ValueError(f"values {values.shape} and groups {names.shape} must be two lists of one length")
        known = ~np.isnan(values)
        any_known = known.any(axis=1)
        unique, self._rows = np.unique(names[any_known], return_inverse=True)
        self.count = len(unique)
        self.sizes = self._summed(known[any_known].astype(np.float64))
        sums = self._summed(np.nan_to_num(values[any_known]))
        self.n, self.counts = self.sizes.sum(axis=0), (self.sizes > 0).sum(axis=0)
        self.means = np.full(self.n.shape, nan)
        np.divide(sums.sum(axis=0), self.n, out=self.means, where=self.n > 0)
        self._recipes = [column.recipes for column in columns]
        seeded = any(len(set(recipes)) < len(recipes) for recipes in self._recipes)
        self._parts = [self._summed(np.nan_to_num(each.parts[any_known])) for each in columns] if seeded else None
        self._sums = sums

    def _summed(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        total: NDArray[np.float64] = np.zeros((self.count, rows.shape[1]))
        np.add.at(total, self._rows, rows)
        return total

    def drawn(self, resamples: int, seed: int, level: float) -> NDArray[np.float64]:
        """Mean of each column in each draw, float ``(resamples, k)``; one without values in a draw keeps its mean.

        NaN throughout where there are not two groups.
        """
        if resamples < 1 or not 0 < level < 1:
            raise ValueError(f"resamples must be positive and the level in (0, 1), not {resamples} and {level}")
        if self.count < 2:
            return np.full((resamples, len(self.means)), nan)
        generator, found = np.random.default_rng(seed), np.tile(self.means, (resamples, 1))
        seeds = _Seeds(seed)
        step = max(1, _DRAWN // self.count)
        for start in range(0, resamples, step):
            part = found[start : start + step]
            places = generator.integers(self.count, size=(len(part), self.count))
            places += self.count * np.arange(len(part))[:, None]
            times = np.bincount(places.ravel(), minlength=len(part) * self.count).reshape(len(part), -1)
            total = times @ self.sizes
            np.divide(self._totals(times, seeds), total, out=part, where=total > 0)
        return found

    def _totals(self, times: NDArray[np.intp], seeds: "_Seeds") -> NDArray[np.float64]:
        if self._parts is None:
            return np.asarray(times @ self._sums)
        seeds.next(len(times))
        pairs = zip(self._parts, self._recipes, strict=True)
        return np.stack([((times @ parts) * seeds.weights(recipes)).sum(axis=1) for parts, recipes in pairs], axis=1)

    def interval(self, drawn: NDArray[np.float64], level: float) -> Interval:
        """The percentiles of one column's draws."""
        low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
        return Interval(float(self.means[0]), float(low), float(high), int(self.n[0]), self.count)


class _Seeds:
    """How much each run weighs in each draw, 1 on average: the seeds of a recipe are drawn with replacement.

    S draws of S vary by (S - 1) / S of what S new seeds would; the weights are stretched to make up for it. A recipe
    has the same weights in every column; its runs stand in the same order in all of them.
    """

    def __init__(self, seed: int) -> None:
        self._generator = np.random.default_rng([seed, 1])
        self._known: dict[tuple[Hashable, int], NDArray[np.float64]] = {}
        self._draws = 0

    def next(self, draws: int) -> None:
        """Go on to so many new draws."""
        self._known, self._draws = {}, draws

    def weights(self, recipes: Sequence[Hashable]) -> NDArray[np.float64]:
        """The weight of each run in each draw, float ``(draws, m)``."""
        found = np.ones((self._draws, len(recipes)))
        for recipe in dict.fromkeys(recipes):
            places = [place for place, other in enumerate(recipes) if other == recipe]
            count = len(places)
            if count > 1 and (recipe, count) not in self._known:
                times = self._generator.multinomial(count, [1 / count] * count, size=self._draws)
                stretched = 1 + sqrt(count / (count - 1)) * (times - 1)
                self._known[recipe, count] = np.asarray(stretched, np.float64)
            if count > 1:
                found[:, places] = self._known[recipe, count]
        return found


def _runs(values: Values) -> Runs:
    if isinstance(values, Runs):
        return values
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.ndim != 1:
        raise ValueError(f"values {numbers.shape} and their groups must be two lists of one length")
    return Runs(numbers[:, None], (object(),))


def _depths(drawn: NDArray[np.float64], ordered: NDArray[np.float64]) -> NDArray[np.intp]:
    """Rank of each draw from the nearer end in the column where that is smallest, 1 for an extreme; sorted."""
    depths = np.full(len(drawn), len(drawn))
    for column, sorted_column in zip(drawn.T, ordered.T, strict=True):
        from_low = np.searchsorted(sorted_column, column, side="right")
        from_high = len(column) - np.searchsorted(sorted_column, column, side="left")
        depths = np.minimum(depths, np.minimum(from_low, from_high))
    return np.sort(depths)
