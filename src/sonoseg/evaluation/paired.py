"""Every pair of models on the same images: which is ahead, paired by image."""

from dataclasses import dataclass
from itertools import combinations

from sonoseg.evaluation.breakdown import Scores
from sonoseg.evaluation.intervals import Interval, bootstrap_difference, bootstrap_simultaneous

MARGIN = 0.015
"""Two models whose difference in mean lesion Dice lies within it, interval and all, are held to be alike."""


@dataclass(frozen=True)
class Difference:
    """Mean Dice of ``first`` minus that of ``second``, paired by image.

    alone: its 95 % interval, as if it were the only comparison. together: the interval that holds at 95 % for all
    comparisons at once; what is said of the two models is said by it.
    """

    first: str
    second: str
    alone: Interval
    together: Interval

    @property
    def ahead(self) -> str | None:
        """The model that is ahead after the adjustment; None where the two are not told apart."""
        if self.together.low > 0:
            return self.first
        return self.second if self.together.high < 0 else None

    @property
    def alike(self) -> bool:
        """Whether the two make no difference of ``MARGIN`` or more."""
        return self.together.low > -MARGIN and self.together.high < MARGIN


def differences(scores: Scores, first_alone: bool = False) -> list[Difference]:
    """Compare every pair of models, clustered by group and adjusted for the number of pairs.

    first_alone: only the first model with each of the others.
    """
    pairs = list(combinations(zip(scores.models, scores.runs, strict=True), 2))
    if first_alone:
        pairs = pairs[: max(0, len(scores.models) - 1)]
    together = bootstrap_simultaneous([one - other for (_, one), (_, other) in pairs], scores.groups)
    return [
        Difference(first, second, bootstrap_difference(one, other, scores.groups), adjusted)
        for ((first, one), (second, other)), adjusted in zip(pairs, together, strict=True)
    ]
