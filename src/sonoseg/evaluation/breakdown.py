"""Cases -> Dice by class, size, copies, fold and seed: what stands beside the means."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sonoseg.evaluation.cases import Case, Table, by_model, table
from sonoseg.evaluation.intervals import Interval, bootstrap_mean
from sonoseg.evaluation.resampling import Runs

BANDS = ("best", "middle", "worst", "false alarms")


@dataclass(frozen=True, eq=False)
class Scores:
    """The images that have a lesion, n of them, and the Dice of every model on each.

    models: k names. images, groups, labels: text ``(n,)``. folds: int ``(n,)``. share: of the image that is lesion,
    float ``(n,)``. marks: whether marks were burnt in, float ``(n,)``, NaN where nobody looked. runs: of each model,
    the Dice of its runs, by row. confidence: float ``(n, k)``; seeds are averaged. Both are NaN where the model did not
    see the image or said nothing.
    """

    models: tuple[str, ...]
    images: NDArray[np.str_]
    groups: NDArray[np.str_]
    labels: NDArray[np.str_]
    folds: NDArray[np.int64]
    share: NDArray[np.float64]
    marks: NDArray[np.float64]
    runs: tuple[Runs, ...]
    confidence: NDArray[np.float64]

    @property
    def dice(self) -> NDArray[np.float64]:
        """Dice of each model, seeds averaged, float ``(n, k)``; NaN where the model did not see the image."""
        return np.stack([runs.values for runs in self.runs], axis=1) if self.runs else np.empty((len(self.images), 0))


def lesion_scores(cases: Iterable[Case]) -> Scores:
    """Sort the rows of lesion images by image (in order of appearance) and model."""
    tables = {model: table(rows) for model, rows in by_model(cases).items()}
    first: dict[str, Case] = {}
    for found in tables.values():
        for row in found.rows:
            if row.has_lesion:
                first.setdefault(row.image, row)
    rows = list(first.values())
    return Scores(
        models=tuple(tables),
        images=np.array(list(first), np.str_),
        groups=np.array([row.group for row in rows], np.str_),
        labels=np.array([row.label for row in rows], np.str_),
        folds=np.array([row.fold for row in rows], np.int64),
        share=np.array([row.lesion_share for row in rows], np.float64),
        marks=np.array([row.marks for row in rows], np.float64),
        runs=tuple(placed(found, first, "dice") for found in tables.values()),
        confidence=np.array([placed(found, first, "confidence").values for found in tables.values()]).T,
    )


def placed(found: Table, images: Iterable[str], name: str) -> Runs:
    """A measure (or property) of a model's runs on these images, NaN on those that it did not see."""
    place_of = {row.image: place for place, row in enumerate(found.rows)}
    column = found.column(name)
    missing = np.full((1, column.parts.shape[1]), math.nan)
    parts = np.concatenate([column.parts, missing])
    return Runs(parts[[place_of.get(image, len(found.rows)) for image in images]], column.recipes)


@dataclass(frozen=True, eq=False)
class Part:
    """A part of the images: its name and which they are, ``bool (n,)``.

    low, high: where it was cut by the lesion's share of the image; None where it was not.
    """

    name: str
    inside: NDArray[np.bool_]
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Stratum:
    """How many images and groups a part has, and the mean Dice of each model on it."""

    part: Part
    images: int
    groups: int
    dice: tuple[Interval, ...]


def strata(scores: Scores, parts: Iterable[Part]) -> list[Stratum]:
    """Mean Dice with its interval in each part; empty parts are left out."""
    return [
        Stratum(
            part,
            int(part.inside.sum()),
            len(set(scores.groups[part.inside])),
            tuple(bootstrap_mean(runs[part.inside], scores.groups[part.inside]) for runs in scores.runs),
        )
        for part in parts
        if part.inside.any()
    ]


def by_size(scores: Scores) -> list[Part]:
    """Three parts of nearly equal number by the lesion's share of the image."""
    if len(scores.share) < 3:
        return []
    low, high = (float(bound) for bound in np.quantile(scores.share, [1 / 3, 2 / 3]))
    return [
        Part("small", scores.share <= low, None, low),
        Part("medium", (scores.share > low) & (scores.share <= high), low, high),
        Part("large", scores.share > high, high, None),
    ]


def by_label(scores: Scores) -> list[Part]:
    """One part for each label."""
    return [Part(str(label), scores.labels == label) for label in sorted(set(scores.labels))]


def by_copies(scores: Scores) -> list[Part]:
    """Images that are alone in their group, and those with company."""
    sizes = Counter(scores.groups.tolist())
    alone = np.array([sizes[group] == 1 for group in scores.groups.tolist()], bool)
    return [Part("alone in its group", alone), Part("group of several images", ~alone)]


def by_marks(scores: Scores) -> list[Part]:
    """Images with marks burnt in and without, where the cases tell."""
    return [Part("marks burnt in", scores.marks > 0), Part("no marks", scores.marks == 0)]


def by_fold(scores: Scores) -> list[Part]:
    """One part for each held-out fold."""
    return [Part(f"fold {fold}", scores.folds == fold) for fold in sorted(set(scores.folds.tolist()))]


def by_seed(cases: Iterable[Case]) -> dict[str, dict[int, float]]:
    """Mean lesion Dice of each model and seed, over the images that all seeds of the model were judged on."""
    values: dict[str, dict[int, dict[str, list[float]]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    for case in cases:
        if case.has_lesion:
            values[case.model][case.seed][case.image].append(case.dice)
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
        if case.has_lesion:
            dice[case.image].append(case.dice)
        else:
            drawn[case.image].append(case.drawn_share)
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


def reached(dice: NDArray[np.float64], levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of the images that have at least each of the levels, as those; NaN without images. dice: float ``(n,)``."""
    known = dice[~np.isnan(dice)]
    if not len(known):
        return np.full(len(levels), math.nan)
    return np.asarray((known[:, None] >= levels).mean(axis=0))


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
