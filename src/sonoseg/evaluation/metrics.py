"""Agreement of a drawn mask with the truth: counts, overlap, boundary, lesions, and a named rule for empty masks.

Measures are chosen after Metrics Reloaded (Maier-Hein et al., Nature Methods 2024, doi 10.1038/s41592-023-02151-z).
Overlap, HD95 and NSD agree with MONAI wherever MONAI defines them. Masks are ``bool (H, W)``; arrays of any other form,
or of two shapes, are a ``ValueError`` everywhere here.
"""

from dataclasses import dataclass
from math import hypot, nan
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.spatial import KDTree

from sonoseg.images.masks import extent
from sonoseg.prediction.lesions import LESION_PIXELS, components

Mask: TypeAlias = NDArray[np.bool_]
Spacing: TypeAlias = tuple[float, float]

EMPTY_RULE = (
    "On an image with a lesion where nothing is drawn, Dice, IoU, sensitivity and NSD are 0 and HD95 is the image's "
    "diagonal, so that silence never improves their means; precision divides by what is drawn and is undefined there. "
    "On an image without a lesion, overlap and boundary measures are undefined; reported instead are whether anything "
    "is drawn and how many pixels. What is undefined is left out of means."
)
"""How empty masks count, for the page that shows the numbers. ``measure`` keeps this rule."""

TOLERANCE_PIXELS = 2.0
"""NSD tolerance of the column ``nsd``."""

TOLERANCE_MM = 0.5
"""NSD tolerance of the column ``nsd_mm``; 5 to 8 pixels at the usual 0.06 to 0.1 mm per pixel."""


@dataclass(frozen=True)
class Counts:
    """Pixels by truth and drawing: true and false positives, false and true negatives. Counts of images add up."""

    tp: int
    fp: int
    fn: int
    tn: int

    def __post_init__(self) -> None:
        if min(self.tp, self.fp, self.fn, self.tn) < 0:
            raise ValueError(f"counts cannot be negative: {self}")

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn, self.tn + other.tn)

    @property
    def drawn(self) -> int:
        """Pixels drawn."""
        return self.tp + self.fp

    @property
    def lesion(self) -> int:
        """Pixels of lesion in the truth."""
        return self.tp + self.fn

    @property
    def pixels(self) -> int:
        """Pixels in all."""
        return self.tp + self.fp + self.fn + self.tn


def count(prediction: Mask, truth: Mask) -> Counts:
    """Count the pixels of two masks, ``bool (H, W)``."""
    _check_pair(prediction, truth)
    both, drawn, lesion = (int(np.count_nonzero(mask)) for mask in (prediction & truth, prediction, truth))
    return Counts(both, drawn - both, lesion - both, truth.size - drawn - lesion + both)


def dice(counts: Counts) -> float:
    """2 tp / (2 tp + fp + fn); NaN without a lesion."""
    return 2 * counts.tp / (counts.drawn + counts.lesion) if counts.lesion else nan


def iou(counts: Counts) -> float:
    """Return tp / (tp + fp + fn); NaN without a lesion."""
    return counts.tp / (counts.tp + counts.fp + counts.fn) if counts.lesion else nan


def sensitivity(counts: Counts) -> float:
    """Return tp / (tp + fn); NaN without a lesion."""
    return counts.tp / counts.lesion if counts.lesion else nan


def precision(counts: Counts) -> float:
    """Return tp / (tp + fp); NaN where nothing is drawn."""
    return counts.tp / counts.drawn if counts.drawn else nan


def accuracy(counts: Counts) -> float:
    """(tp + tn) / all pixels; NaN without pixels."""
    return (counts.tp + counts.tn) / counts.pixels if counts.pixels else nan


def study_accuracy(probability: NDArray[np.floating], truth: Mask) -> float:
    """1 - mean abs(probability - mask): the "accuracy" of earlier studies. Drawing nothing anywhere scores high on it.

    probability: float ``(H, W)`` in [0, 1].
    """
    _check_mask("truth", truth)
    if probability.shape != truth.shape or not np.issubdtype(probability.dtype, np.floating):
        found = f"{probability.dtype} {probability.shape}"
        raise ValueError(f"probability must be float {truth.shape}, as the truth, not {found}")
    difference = probability - truth
    return 1.0 - float(np.abs(difference, out=difference).mean(dtype=np.float64))


def boundary(mask: Mask) -> Mask:
    """Pixels of the mask with a side neighbour outside it, ``bool (H, W)``; all around the image is outside."""
    _check_mask("mask", mask)
    padded = np.pad(mask, 1)
    inside = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return mask & ~inside


@dataclass(frozen=True, eq=False)
class SurfaceDistances:
    """Distances between two boundaries, once for all measures on them.

    drawn: from each boundary pixel of the prediction to the nearest one of the truth, float32 ``(n,)``. true: from each
    one of the truth to the prediction. Infinite where the other is empty. diagonal: of the image. In pixels, or in mm.
    Single precision, as in MONAI: a distance equal to the tolerance stays equal to it when multiplied by a spacing.
    """

    drawn: NDArray[np.float32]
    true: NDArray[np.float32]
    diagonal: float

    def hd95(self) -> float:
        """Hausdorff distance, 95 %: the larger of the 95th percentiles (interpolated) of the two directions.

        The image's diagonal where only the prediction is empty; NaN where the truth is.
        """
        if not self.true.size:
            return nan
        if not self.drawn.size:
            return self.diagonal
        return max(_percentile_95(distances) for distances in (self.drawn, self.true))

    def nsd(self, tolerance: float) -> float:
        """Normalised surface Dice (Nikolov et al., arXiv 1809.04430): share of both boundaries within the tolerance.

        0 where one of the masks is empty; NaN where both are.
        """
        pixels = self.drawn.size + self.true.size
        near = sum(int(np.count_nonzero(each <= np.float32(tolerance))) for each in (self.drawn, self.true))
        return near / pixels if pixels else nan


def surface_distances(prediction: Mask, truth: Mask, spacing: Spacing | None = None) -> SurfaceDistances:
    """Measure between the boundaries of two masks, ``bool (H, W)``, in pixels, or in mm by spacing (row, column)."""
    _check_pair(prediction, truth)
    row, column = spacing or (1.0, 1.0)
    if not (row > 0 and column > 0):
        raise ValueError(f"spacing must be two positive lengths in mm, not {spacing}")
    drawn, true = (np.argwhere(boundary(mask)) * (row, column) for mask in _crop(prediction, truth))
    diagonal = hypot(truth.shape[0] * row, truth.shape[1] * column)
    return SurfaceDistances(_nearest(drawn, true), _nearest(true, drawn), diagonal)


def hd95(prediction: Mask, truth: Mask, spacing: Spacing | None = None) -> float:
    """Hausdorff distance, 95 %, in pixels, or in mm by spacing (row, column). See ``SurfaceDistances``."""
    return surface_distances(prediction, truth, spacing).hd95()


def nsd(prediction: Mask, truth: Mask, tolerance: float, spacing: Spacing | None = None) -> float:
    """Normalised surface Dice, tolerance in pixels, or in mm with a spacing (row, column). See ``SurfaceDistances``."""
    return surface_distances(prediction, truth, spacing).nsd(tolerance)


@dataclass(frozen=True)
class Detection:
    """Lesions in the truth, those of them that were found, and drawn ones that match none."""

    lesions: int
    found: int
    false: int


def lesion_overlaps(prediction: Mask, truth: Mask) -> NDArray[np.float64]:
    """IoU of each lesion with each drawn one, float64 ``(lesions, drawn)``; lesions are components, but specks."""
    _check_pair(prediction, truth)
    prediction, truth = _crop(prediction, truth)
    (drawn, columns), (lesions, rows) = _lesions(prediction), _lesions(truth)
    pairs = lesions.ravel() * (columns + 1) + drawn.ravel()
    table = np.bincount(pairs, minlength=(rows + 1) * (columns + 1)).reshape(rows + 1, columns + 1)
    both = table[1:, 1:]
    either = table.sum(axis=1)[1:, None] + table.sum(axis=0)[None, 1:] - both
    return np.asarray(both / either)


def match_lesions(overlaps: NDArray[np.float64], threshold: float) -> Detection:
    """Pair lesions with drawn ones, one to one, at an IoU of at least ``threshold`` (in (0, 1]).

    overlaps: as ``lesion_overlaps`` gives them. As many pairs as can be made are made (optimal assignment), so no order
    and no tie decides the numbers.
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"the IoU at which lesions match must be over 0 and at most 1, not {threshold}")
    matches = overlaps >= threshold
    found = int(matches[linear_sum_assignment(matches, maximize=True)].sum())
    return Detection(len(overlaps), found, overlaps.shape[1] - found)


def measure(
    prediction: Mask,
    truth: Mask,
    probability: NDArray[np.floating] | None = None,
    spacing: Spacing | None = None,
) -> dict[str, float | int]:
    """Measure one image: every column of ``cases.csv`` that compares, in its fixed order, under ``EMPTY_RULE``.

    prediction, truth: ``bool (H, W)``. probability: float ``(H, W)`` in [0, 1]; spacing: (row, column) in mm;
    without them ``study_accuracy`` and ``nsd_mm`` are NaN. ``hd95`` is in pixels, ``nsd`` at ``TOLERANCE_PIXELS``,
    ``nsd_mm`` at ``TOLERANCE_MM``. Lesions are matched at an IoU of 0.1, and at 0.5 in the columns that end in ``_50``.
    """
    counts = count(prediction, truth)
    lesion = counts.lesion > 0
    distances = surface_distances(prediction, truth) if lesion else None
    overlaps = lesion_overlaps(prediction, truth)
    loose, strict = match_lesions(overlaps, 0.1), match_lesions(overlaps, 0.5)
    return {
        "tp": counts.tp,
        "fp": counts.fp,
        "fn": counts.fn,
        "tn": counts.tn,
        "dice": dice(counts),
        "iou": iou(counts),
        "sensitivity": sensitivity(counts),
        "precision": precision(counts) if lesion else nan,
        "accuracy": accuracy(counts),
        "study_accuracy": nan if probability is None else study_accuracy(probability, truth),
        "hd95": distances.hd95() if distances else nan,
        "nsd": distances.nsd(TOLERANCE_PIXELS) if distances else nan,
        "nsd_mm": nsd(prediction, truth, TOLERANCE_MM, spacing) if lesion and spacing else nan,
        "lesions": loose.lesions,
        "lesions_found": loose.found,
        "false_lesions": loose.false,
        "lesions_found_50": strict.found,
        "false_lesions_50": strict.false,
        "drawn": int(counts.drawn > 0),
        "drawn_pixels": counts.drawn,
    }


def _lesions(mask: Mask) -> tuple[NDArray[np.intp], int]:
    """Number the components of ``LESION_PIXELS`` or more, ``intp (H, W)``, 0 for the rest, and count them."""
    found = components(mask)
    kept = np.concatenate(([False], found.sizes >= LESION_PIXELS))
    return np.asarray((kept * np.cumsum(kept))[found.labels]), int(kept.sum())


def _nearest(points: NDArray[np.floating], others: NDArray[np.floating]) -> NDArray[np.float32]:
    if not len(points) or not len(others):
        return np.full(len(points), np.inf, dtype=np.float32)
    # A boundary is a few hundred pixels: a tree of them is several times faster than a distance transform.
    return np.asarray(KDTree(others).query(points)[0], dtype=np.float32)


def _percentile_95(distances: NDArray[np.float32]) -> float:
    # 0.95 and the result in single precision, the rank between two distances in double: so does torch.quantile, and
    # with it MONAI. A rank that is off by 1e-5 shows where two distances lie far apart.
    return float(np.float32(np.quantile(distances.astype(np.float64), float(np.float32(0.95)))))


def _crop(prediction: Mask, truth: Mask) -> tuple[Mask, Mask]:
    """Cut both to the bounding box of their union; boundaries and components there are those of the whole image."""
    box = extent(prediction | truth)
    return prediction[box], truth[box]


def _check_mask(name: str, mask: Mask) -> None:
    if mask.ndim != 2 or mask.dtype != np.bool_:
        raise ValueError(f"{name} must be bool (H, W), not {mask.dtype} {mask.shape}")


def _check_pair(prediction: Mask, truth: Mask) -> None:
    _check_mask("prediction", prediction)
    _check_mask("truth", truth)
    if prediction.shape != truth.shape:
        raise ValueError(f"prediction {prediction.shape} and truth {truth.shape} must have one shape")
