"""Cases -> Dice by class, size, copies, fold, seed and pair of models: what the page shows beside the summary."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonoseg.evaluation.intervals import Interval, bootstrap_difference, bootstrap_mean, bootstrap_simultaneous

Case = Mapping[str, Any]
"""A row of ``cases.csv``. The columns ``confidence`` and ``marks`` are used where they are there."""

BANDS = ("best", "middle", "worst", "false alarms")


@dataclass(frozen=True, eq=False)
class Scores:
    """The images that have a lesion, n of them, and the Dice of every model on each; seeds are averaged.

    models: k names. images, groups, labels: text ``(n,)``. folds: int ``(n,)``. share: of the image that is lesion,
    float ``(n,)``. marks: whether marks were burnt in, float ``(n,)``, NaN where nobody looked. dice, confidence: float
    ``(n, k)``, NaN where the model did not see the image or said nothing.
    """

    models: tuple[str, ...]
    images: NDArray[np.str_]
    groups: NDArray[np.str_]
    labels: NDArray[np.str_]
    folds: NDArray[np.int64]
    share: NDArray[np.float64]
    marks: NDArray[np.float64]
    dice: NDArray[np.float64]
    confidence: NDArray[np.float64]


def lesion_scores(cases: Iterable[Case]) -> Scores:
    """Sort the rows of lesion images by image (in order of appearance) and model."""
    rows: dict[str, dict[str, list[Case]]] = defaultdict(lambda: defaultdict(list))
    models: dict[str, None] = {}
    for case in cases:
        models.setdefault(case["model"])
        if has_lesion(case):
            rows[case["image"]][case["model"]].append(case)
    first = [next(iter(of_model.values()))[0] for of_model in rows.values()]

    def table(name: str) -> NDArray[np.float64]:
        values = [[_mean(of.get(model, ()), name) for model in models] for of in rows.values()]
        return np.array(values, np.float64).reshape(len(rows), len(models))

    return Scores(
        models=tuple(models),
        images=np.array(list(rows), np.str_),
        groups=np.array([case["group"] for case in first], np.str_),
        labels=np.array([case["label"] for case in first], np.str_),
        folds=np.array([case["fold"] for case in first], np.int64),
        share=np.array([lesion_share(case) for case in first], np.float64),
        marks=np.array([case.get("marks", math.nan) for case in first], np.float64),
        dice=table("dice"),
        confidence=table("confidence"),
    )


def has_lesion(case: Case) -> bool:
    """Whether the truth holds any pixel of lesion."""
    return bool(case["tp"] + case["fn"] > 0)


def lesion_share(case: Case) -> float:
    """Pixels of lesion / pixels of the image."""
    return float((case["tp"] + case["fn"]) / (case["tp"] + case["fp"] + case["fn"] + case["tn"]))


def _mean(cases: Sequence[Case], name: str) -> float:
    values = [value for value in (case.get(name, math.nan) for case in cases) if not math.isnan(value)]
    return sum(values) / len(values) if values else math.nan


@dataclass(frozen=True)
class Stratum:
    """A part of the images: its name, how many images and groups it has, and the mean Dice of each model."""

    name: str
    images: int
    groups: int
    dice: tuple[Interval, ...]


def strata(scores: Scores, parts: Mapping[str, NDArray[np.bool_]]) -> list[Stratum]:
    """Mean Dice with its interval in each part, given as ``bool (n,)`` by name; empty parts are left out."""
    return [
        Stratum(
            name,
            int(part.sum()),
            len(set(scores.groups[part])),
            tuple(bootstrap_mean(column, scores.groups[part]) for column in scores.dice[part].T),
        )
        for name, part in parts.items()
        if part.any()
    ]


def by_label(scores: Scores) -> dict[str, NDArray[np.bool_]]:
    """One part for each label."""
    return {str(label): scores.labels == label for label in sorted(set(scores.labels))}


def by_size(scores: Scores) -> dict[str, NDArray[np.bool_]]:
    """Three parts of nearly equal number by the lesion's share of the image."""
    if len(scores.share) < 3:
        return {}
    low, high = (float(bound) for bound in np.quantile(scores.share, [1 / 3, 2 / 3]))
    return {
        f"small: up to {100 * low:.1f} % of the image": scores.share <= low,
        f"medium: {100 * low:.1f} to {100 * high:.1f} %": (scores.share > low) & (scores.share <= high),
        f"large: over {100 * high:.1f} %": scores.share > high,
    }


def by_copies(scores: Scores) -> dict[str, NDArray[np.bool_]]:
    """Images that are alone in their group, and those with company."""
    sizes = Counter(scores.groups.tolist())
    alone = np.array([sizes[group] == 1 for group in scores.groups.tolist()], bool)
    return {"alone in its group": alone, "group of several images": ~alone}


def by_fold(scores: Scores) -> dict[str, NDArray[np.bool_]]:
    """One part for each held-out fold."""
    return {f"fold {fold}": scores.folds == fold for fold in sorted(set(scores.folds.tolist()))}


def by_marks(scores: Scores) -> dict[str, NDArray[np.bool_]]:
    """Images with marks burnt in and without, where the cases tell."""
    return {"marks burnt in": scores.marks > 0, "no marks": scores.marks == 0}


@dataclass(frozen=True)
class Difference:
    """Mean Dice of ``first`` minus that of ``second``, paired by image.

    alone: its 95 % interval, as if it were the only comparison. together: the interval that holds at 95 % for all
    comparisons at once.
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


def differences(scores: Scores) -> list[Difference]:
    """Compare every pair of models, clustered by group and adjusted for the number of pairs."""
    pairs = list(combinations(range(len(scores.models)), 2))
    if not pairs:
        return []
    gaps = np.stack([scores.dice[:, one] - scores.dice[:, other] for one, other in pairs], axis=1)
    return [
        Difference(
            scores.models[one],
            scores.models[other],
            bootstrap_difference(scores.dice[:, one], scores.dice[:, other], scores.groups),
            together,
        )
        for (one, other), together in zip(pairs, bootstrap_simultaneous(gaps, scores.groups), strict=True)
    ]


def by_seed(cases: Iterable[Case]) -> dict[str, dict[int, float]]:
    """Mean lesion Dice of each model and seed, over the images that all seeds of the model were judged on."""
    values: dict[str, dict[int, dict[str, list[float]]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    for case in cases:
        if has_lesion(case):
            values[case["model"]][case["seed"]][case["image"]].append(case["dice"])
    found = {}
    for model, of_model in values.items():
        shared = set.intersection(*(set(of_seed) for of_seed in of_model.values()))
        means = {
            seed: [_average(dice) for image, dice in of_seed.items() if image in shared]
            for seed, of_seed in sorted(of_model.items())
        }
        found[model] = {seed: _average(dice) for seed, dice in means.items() if dice}
    return found


@dataclass(frozen=True)
class Spread:
    """How far apart the seeds of a model are in mean Dice: standard deviation (n - 1) and range; NaN for one seed."""

    deviation: float
    range: float


def seed_spread(of_model: Mapping[int, float]) -> Spread:
    """Measure the spread of one model's entry of ``by_seed``."""
    values = np.array(list(of_model.values()))
    if len(values) < 2:
        return Spread(math.nan, math.nan)
    return Spread(float(values.std(ddof=1)), float(values.max() - values.min()))


def pick(cases: Iterable[Case], each: int = 3) -> dict[str, list[str]]:
    """Choose images to look at, by name, for each of ``BANDS``; no image is in two.

    The lesion images with the highest, the middle and the lowest Dice, as the mean over models and seeds (worst first);
    false alarms are the images without a lesion on which most is drawn, where anything is.
    """
    dice: dict[str, list[float]] = defaultdict(list)
    drawn: dict[str, list[float]] = defaultdict(list)
    for case in cases:
        if has_lesion(case):
            dice[case["image"]].append(case["dice"])
        else:
            drawn[case["image"]].append(case["fp"] / (case["fp"] + case["tn"]))
    order = sorted(dice, key=lambda image: (-_average(dice[image]), image))
    count = min(each, max(1, len(order) // 3))
    best, worst = order[:count], order[count:][::-1][:count]
    rest = [image for image in order if image not in {*best, *worst}]
    start = max(0, (len(rest) - count) // 2)
    alarms = sorted(drawn, key=lambda image: (-_average(drawn[image]), image))
    alarms = [image for image in alarms if any(drawn[image])][:each]
    return dict(zip(BANDS, (best, rest[start : start + count], worst, alarms), strict=True))


def _average(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def moving_median(
    x: NDArray[np.float64], y: NDArray[np.float64], points: int = 40
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Median of y over a window of a sixth of the values (25 at least) that moves along x; both float ``(points,)``.

    Fewer values than two windows give no curve.
    """
    window = max(25, len(x) // 6)
    if len(x) < 2 * window:
        return np.empty(0), np.empty(0)
    order = np.argsort(x, kind="stable")
    starts = np.unique(np.linspace(0, len(x) - window, points).round().astype(np.int64))
    parts = order[starts[:, None] + np.arange(window)]
    return np.median(x[parts], axis=1), np.median(y[parts], axis=1)


def risk_coverage(
    dice: NDArray[np.float64], confidence: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean Dice of the most certain images, for every share of them: coverage in (0, 1] and mean, both float ``(n,)``.

    dice, confidence: float ``(n,)``; rows where either is NaN are left out. Images of equal confidence count alike, so
    that their order does not matter.
    Source: Geifman and El-Yaniv, Selective classification, NeurIPS 2017, arXiv 1705.08500.
    """
    known = ~(np.isnan(dice) | np.isnan(confidence))
    scores, certain = dice[known], confidence[known]
    _, levels = np.unique(-certain, return_inverse=True)
    alike = np.bincount(levels, weights=scores) / np.bincount(levels) if len(scores) else scores
    kept = np.arange(1, len(scores) + 1)
    return kept / max(1, len(scores)), np.cumsum(alike[np.sort(levels)]) / kept


def kept_dice(dice: NDArray[np.float64], confidence: NDArray[np.float64], share: float) -> float:
    """Mean Dice when the least certain images are set aside and at least ``share`` of them is kept; NaN without any.

    dice, confidence: as of ``risk_coverage``.
    """
    coverage, mean = risk_coverage(dice, confidence)
    return float(mean[np.searchsorted(coverage, share - 1e-9)]) if len(mean) else math.nan
