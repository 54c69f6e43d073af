"""Values of the rows of a table, one or several runs of each, summed up by group and drawn again and again.

Whole groups are drawn with replacement, and the seeds of a recipe where several were trained.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import nan, sqrt
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Groups: TypeAlias = Sequence[Hashable] | NDArray[np.generic]

_DRAWN = 200_000
"""Groups that are drawn at a time: memory stays small for any number of groups and resamples."""


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


def as_runs(values: Values) -> Runs:
    """The values as those of runs; a list is one run. Errors: ``ValueError`` where it is none."""
    if isinstance(values, Runs):
        return values
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.ndim != 1:
        raise ValueError(f"values {numbers.shape} and their groups must be two lists of one length")
    return Runs(numbers[:, None], (object(),))


class Sample:
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
        seeds = Seeds(seed)
        step = max(1, _DRAWN // self.count)
        for start in range(0, resamples, step):
            part = found[start : start + step]
            places = generator.integers(self.count, size=(len(part), self.count))
            places += self.count * np.arange(len(part))[:, None]
            times = np.bincount(places.ravel(), minlength=len(part) * self.count).reshape(len(part), -1)
            total = times @ self.sizes
            np.divide(self._totals(times, seeds), total, out=part, where=total > 0)
        return found

    def _totals(self, times: NDArray[np.intp], seeds: "Seeds") -> NDArray[np.float64]:
        if self._parts is None:
            return np.asarray(times @ self._sums)
        seeds.next(len(times))
        pairs = zip(self._parts, self._recipes, strict=True)
        return np.stack([((times @ parts) * seeds.weights(recipes)).sum(axis=1) for parts, recipes in pairs], axis=1)


class Seeds:
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
