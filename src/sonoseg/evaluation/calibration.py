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
from sonoseg.evaluation.metrics import boundary
from sonoseg.files import write_csv

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

KEYS = ("model", "fold", "seed")
COLUMNS = (*KEYS, "low", "high", "pixels", "probability_sum", "lesion_pixels")
"""The columns of ``calibration.csv``: a row for each step of probability, from low up to high."""


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
    rows, columns = (np.flatnonzero(truth.any(axis=axis)) for axis in (1, 0))
    margin = math.ceil(reach)
    box = tuple(slice(max(0, line[0] - margin), line[-1] + margin + 1) for line in (rows, columns))
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


def write(path: Path, rows: Iterable[tuple[Mapping[str, Any], Reliability]]) -> None:
    """Write ``calibration.csv``, whole or not at all: each reliability with its model, fold and seed."""
    write_csv(path, COLUMNS, (row for keys, found in rows for row in _rows(keys, found)))


def read(path: Path) -> list[tuple[dict[str, Any], Reliability]]:
    """Read what ``write`` wrote. Errors: ``UserError`` for a file with other columns or other steps."""
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        rows = list(reader)
    if tuple(reader.fieldnames or ()) != COLUMNS or len(rows) % BINS:
        raise UserError(f"{path} is not a table of calibration of this version", hint="evaluate again")
    found = []
    for start in range(0, len(rows), BINS):
        part = rows[start : start + BINS]
        keys = {"model": part[0]["model"], "fold": int(part[0]["fold"]), "seed": int(part[0]["seed"])}
        pixels, lesion = (np.array([int(row[name]) for row in part]) for name in ("pixels", "lesion_pixels"))
        found.append((keys, Reliability(pixels, np.array([float(row["probability_sum"]) for row in part]), lesion)))
    return found


def summarise(found: Sequence[Reliability]) -> dict[str, Any]:
    """Plain data of several counts together: ``ece`` and ``bins``, each with its mean probability and lesion share.

    What has no pixels is None. band: ``BAND_RULE``.
    """
    together = sum(found, nothing_counted())
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
    ece = together.error
    return {"ece": None if math.isnan(ece) else round(ece, 6), "band": BAND_RULE, "bins": bins}


def _rows(keys: Mapping[str, Any], found: Reliability) -> Iterable[dict[str, Any]]:
    for number in range(BINS):
        yield {name: keys[name] for name in KEYS} | {
            "low": number / BINS,
            "high": (number + 1) / BINS,
            "pixels": int(found.pixels[number]),
            "probability_sum": f"{found.probability[number]:.6f}",
            "lesion_pixels": int(found.lesion[number]),
        }
