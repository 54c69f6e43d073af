"""Whether probabilities mean what they say: of the pixels that are given 0.7, 70 % should be lesion.

Counted on the band around the outline alone. Elsewhere nearly every pixel of an ultrasound image is background that any
network is sure of, and a figure over all pixels would tell how much background there is (Mehrtash et al., IEEE
Transactions on Medical Imaging 2020, doi 10.1109/TMI.2020.3006437, restrict it for that reason too).

Reliability diagram and expected calibration error: Guo et al., ICML 2017, arXiv 1706.04599; here of the probability of
lesion itself, so that too much and too little of it are told apart.
"""

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from sonoseg.errors import UserError
from sonoseg.evaluation.intervals import Interval, bootstrap_mean, bootstrap_sums, plain, plain_number
from sonoseg.evaluation.metrics import boundary
from sonoseg.evaluation.resampling import mean_of_runs
from sonoseg.files import write_csv
from sonoseg.images.masks import extent

BINS = 10
"""Steps of probability, all of one width."""

BAND = 0.5
"""How far the band reaches on both sides of the outline, in radii of a disc of the lesion's area."""

LEAST = 2.0
"""It reaches so many pixels at least."""

BAND_RULE = (
    f"pixels no further from the true outline, on either side, than {BAND:g} of the radius of a disc of the lesion's "
    f"area, and {LEAST:g} pixels at least"
)
"""What the band is, for the page that shows the figure."""

KEYS = ("model", "fold", "seed", "image", "group")
SUMS = ("pixels", "probability", "lesion")
COLUMNS = (*KEYS, *(f"{name}_{step}" for name in SUMS for step in range(BINS)))
"""The columns of ``calibration.csv``: a row for each image with a lesion; of the ten steps of probability, from the
lowest, the pixels of the band, the sum of what they were given, and those that are lesion."""

EARLIER = ("model", "fold", "seed", "low", "high", "pixels", "probability_sum", "lesion_pixels")
"""The columns of earlier versions: a row for each step of a run, all its images together."""


@dataclass(frozen=True, eq=False)
class Reliability:
    """Pixels of bands by the probability that they were given; sums add up over images, folds and seeds.

    pixels, lesion: how many there are and how many of them are lesion, int64 ``(BINS,)``. probability: the sum of what
    they were given, float64 ``(BINS,)``.
    """

    pixels: NDArray[np.int64]
    probability: NDArray[np.float64]
    lesion: NDArray[np.int64]

    def __add__(self, other: "Reliability") -> "Reliability":
        return Reliability(self.pixels + other.pixels, self.probability + other.probability, self.lesion + other.lesion)

    @property
    def error(self) -> float:
        """Expected calibration error in [0, 1]: mean distance of probability and share of lesion, by pixels; or NaN."""
        total = int(self.pixels.sum())
        return float(np.abs(self.probability - self.lesion).sum() / total) if total else math.nan


def nothing_counted() -> Reliability:
    """Count no pixels yet."""
    return Reliability(np.zeros(BINS, np.int64), np.zeros(BINS), np.zeros(BINS, np.int64))


def band(truth: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The pixels that ``BAND_RULE`` names, ``bool (H, W)``; empty without a lesion."""
    near = np.zeros(truth.shape, bool)
    area = int(np.count_nonzero(truth))
    if not area:
        return near
    reach = max(LEAST, BAND * math.sqrt(area / math.pi))
    box = extent(truth, margin=math.ceil(reach))
    near[box] = distance_transform_edt(~boundary(truth)[box]) <= reach
    return near


def count(probability: NDArray[np.floating], truth: NDArray[np.bool_]) -> Reliability:
    """Sort the band's pixels of an image by probability, float ``(H, W)`` in [0, 1]; truth: ``bool (H, W)``.

    A probability of 1 is in the highest step. Errors: ``ValueError`` for two shapes.
    """
    if probability.shape != truth.shape:
        raise ValueError(f"probability {probability.shape} and truth {truth.shape} must have one shape")
    near = band(truth)
    given, lesion = probability[near].astype(np.float64), truth[near]
    step = np.clip((given * BINS).astype(np.intp), 0, BINS - 1)
    return Reliability(
        np.bincount(step, minlength=BINS),
        np.bincount(step, weights=given, minlength=BINS).astype(np.float64),
        np.bincount(step[lesion], minlength=BINS),
    )


@dataclass(frozen=True, eq=False)
class Counted:
    """The band of one image as one run saw it; image and group are empty where a run's images are told together."""

    model: str
    fold: int
    seed: int
    image: str
    group: str
    found: Reliability


def write(path: Path, rows: Iterable[Counted]) -> None:
    """Write ``calibration.csv``, whole or not at all."""
    write_csv(path, COLUMNS, map(_row, rows))


def read(path: Path) -> list[Counted]:
    """Read what ``write`` wrote, now or in an earlier version.

    Errors: ``UserError`` for a file with other columns, and for a damaged one.
    """
    try:
        return _read(path)
    except (ValueError, OverflowError, TypeError, csv.Error) as error:
        raise UserError(f"{path} is a damaged table of calibration ({error})", hint="evaluate again") from error


def _read(path: Path) -> list[Counted]:
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        rows, columns = list(reader), tuple(reader.fieldnames or ())
    if columns == COLUMNS:
        return [_counted(row, *([row[f"{name}_{step}"] for step in range(BINS)] for name in SUMS)) for row in rows]
    if columns != EARLIER or len(rows) % BINS:
        raise UserError(f"{path} is not a table of calibration of this version", hint="evaluate again")
    runs = [rows[start : start + BINS] for start in range(0, len(rows), BINS)]
    return [_counted(run[0], *([row[name] for row in run] for name in EARLIER[-3:])) for run in runs]


def summarise(rows: Sequence[Counted]) -> dict[str, Any]:
    """Plain data of one model's counts together: ``ece`` and ``bins``, each with its mean probability and lesion share.

    What has no pixels is None. band: ``BAND_RULE``. Where the rows tell images, ece_interval: the error with its
    interval by groups; per_image: the mean of the errors of single images, with its own.
    """
    together = sum((row.found for row in rows), nothing_counted())
    bins = [
        {
            "low": number / BINS,
            "high": (number + 1) / BINS,
            "pixels": int(pixels),
            "mean_probability": round(float(probability / pixels), 6) if pixels else None,
            "lesion_share": round(float(lesion / pixels), 6) if pixels else None,
        }
        for number, (pixels, probability, lesion) in enumerate(
            zip(together.pixels, together.probability, together.lesion, strict=True)
        )
    ]
    told = {"ece_interval": plain(_error(rows)), "per_image": plain(_per_image(rows))} if _by_image(rows) else {}
    return {"ece": plain_number(together.error), **told, "band": BAND_RULE, "bins": bins}


def _by_image(rows: Sequence[Counted]) -> bool:
    return bool(rows) and all(row.image for row in rows)


def _error(rows: Sequence[Counted]) -> Interval:
    """The error of all images together; a draw of groups brings all of their images and runs."""
    sums = np.array([np.r_[row.found.pixels, row.found.probability - row.found.lesion] for row in rows], np.float64)

    def error(drawn: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.abs(drawn[:, BINS:]).sum(axis=1) / drawn[:, :BINS].sum(axis=1))

    return bootstrap_sums(sums, [row.group for row in rows], error)


def _per_image(rows: Sequence[Counted]) -> Interval:
    images = {row.image: row.group for row in rows}
    runs = {(row.model, row.fold, row.seed): place for place, row in enumerate(rows)}
    places = {run: place for place, run in enumerate(runs)}
    numbers = {image: place for place, image in enumerate(images)}
    values = np.full((len(images), len(runs)), math.nan)
    for row in rows:
        values[numbers[row.image], places[row.model, row.fold, row.seed]] = row.found.error
    return bootstrap_mean(mean_of_runs(values, [(model, fold) for model, fold, _ in runs]), list(images.values()))


def _row(row: Counted) -> dict[str, Any]:
    found = row.found
    sums = (found.pixels.tolist(), [f"{value:.4f}" for value in found.probability.tolist()], found.lesion.tolist())
    steps = {f"{name}_{step}": value for name, each in zip(SUMS, sums, strict=True) for step, value in enumerate(each)}
    return {name: getattr(row, name) for name in KEYS} | steps


def _counted(row: Mapping[str, str], pixels: list[str], probability: list[str], lesion: list[str]) -> Counted:
    found = Reliability(np.array(pixels, np.int64), np.array(probability, np.float64), np.array(lesion, np.int64))
    keys = row["model"], int(row["fold"]), int(row["seed"]), row.get("image", ""), row.get("group", "")
    return Counted(*keys, found)
