"""What a reader takes away: the longest diameter of what was drawn against that of the truth."""

import math

import numpy as np
from numpy.typing import NDArray

from sonoseg.prediction.lesions import components, measure


def longest(mask: NDArray[np.bool_]) -> float:
    """Longest diameter of the largest component of ``bool (H, W)``, in pixels; NaN where nothing is drawn."""
    if not mask.any():
        return math.nan
    found = components(mask)
    largest = found.labels == int(found.sizes.argmax()) + 1
    return measure(largest, largest.astype(np.float32))[0].longest_diameter
