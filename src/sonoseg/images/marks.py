"""Calipers, lines, text and body marks that a scanner burnt into a picture.

What tells them from tissue is the thin upright stroke. Along a row a scanner cannot resolve a bright line of a few
pixels, so tissue is smeared sideways; a letter and the arm of a cross are not. The score of a picture is its strongest
stroke: how much brighter than both its sides a line narrower than 7 pixels is, along 6 pixels of its height.

The top edge is passed over, where the maker's name stands on nearly every picture, mostly cut. Not seen: marks without
an upright stroke (a lone dotted line), marks cut by the picture's edge, and faint or very small ones. How often it is
right was counted by eye: ``results/marks/judged.csv``, summed up in ``docs/data.md``.
"""

import numpy as np
from numpy.typing import NDArray

from sonoseg.images.image import Image

MARK_SCORE = 55
"""Pictures that score this or more bear marks. On BUSI's folds 0 and 1, where it was chosen, none scores 51 to 73."""

_WIDTH = 7
_HEIGHT = 6
_TOP_SHARE, _TOP_PIXELS = 0.06, 20
_SIDE = 3


def marks(image: Image) -> bool:
    """Whether calipers or text are burnt into the picture, below its top edge."""
    return score(image.pixels) >= MARK_SCORE


def score(pixels: NDArray[np.uint8]) -> int:
    """Contrast, 0 to 255, of the strongest thin upright stroke in ``uint8 (H, W)``; 0 where it is too small to tell."""
    top = max(_TOP_PIXELS, round(_TOP_SHARE * pixels.shape[0]))
    scan = pixels[top:-_SIDE]
    if scan.shape[0] < _HEIGHT or scan.shape[1] <= 2 * _SIDE:
        return 0
    strokes = _least(_thin(scan), _HEIGHT, axis=0)
    return int(strokes[:, _SIDE:-_SIDE].max())


def _thin(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What a grey opening along the rows takes away: bright parts narrower than ``_WIDTH``."""
    padded = np.pad(pixels, ((0, 0), (_WIDTH - 1, _WIDTH - 1)), mode="edge")
    opened = ~_least(~_least(padded, _WIDTH, axis=1), _WIDTH, axis=1)
    return pixels - opened


def _least(values: NDArray[np.uint8], length: int, axis: int) -> NDArray[np.uint8]:
    """Minimum of every ``length`` neighbours along an axis, shorter by ``length - 1``; windows double in each step."""
    reach = 1
    while reach < length:
        step = min(reach, length - reach)
        stop = values.shape[axis] - step
        values = np.minimum(_cut(values, 0, stop, axis), _cut(values, step, None, axis))
        reach += step
    return values


def _cut(values: NDArray[np.uint8], start: int, stop: int | None, axis: int) -> NDArray[np.uint8]:
    return values[start:stop] if axis == 0 else values[:, start:stop]
