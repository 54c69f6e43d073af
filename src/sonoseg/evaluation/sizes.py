"""What a reader takes away: the longest diameter of what was drawn against that of the truth."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonoseg.evaluation.cases import Case
from sonoseg.evaluation.intervals import plain_number
from sonoseg.prediction.lesions import components, measure


def longest(mask: NDArray[np.bool_]) -> float:
    """Longest diameter of the largest component of ``bool (H, W)``, in pixels; NaN where nothing is drawn."""
    if not mask.any():
        return math.nan
    found = components(mask)
    largest = found.labels == int(found.sizes.argmax()) + 1
    return measure(largest, largest.astype(np.float32))[0].longest_diameter


def summarise(rows: Sequence[Case]) -> dict[str, Any]:
    """How far the longest diameters of one model lie from the truth; plain data, {} without any.

    missed: images with a lesion where nothing is drawn, left out of the rest. error: of the diameter without its sign,
    in per cent of the truth's, median and 90th percentile. agreement: mean of drawn minus true in pixels, and the
    limits that 95 % of the differences of a normal distribution would lie between (Bland and Altman 1986).
    """
    truths = np.array([row.true_diameter for row in rows if row.has_lesion], np.float64)
    found = np.array([row.diameter for row in rows if row.has_lesion], np.float64)
    drawn = ~np.isnan(found) & ~np.isnan(truths)
    if not drawn.any():
        return {}
    difference = found[drawn] - truths[drawn]
    error = 100 * np.abs(difference) / truths[drawn]
    mean, deviation = difference.mean(), difference.std(ddof=1) if len(difference) > 1 else 0.0
    return {
        "n": int(drawn.sum()),
        "missed": int((np.isnan(found) & ~np.isnan(truths)).sum()),
        "error": {"median": plain_number(float(np.median(error))), "p90": plain_number(float(np.quantile(error, 0.9)))},
        "agreement": {
            name: plain_number(float(value))
            for name, value in (("mean", mean), ("low", mean - 1.96 * deviation), ("high", mean + 1.96 * deviation))
        },
    }
