"""Masks as COCO writes them: run lengths, plain or packed into text, and polygons.

Run lengths go down the columns and begin with what is outside. A pixel belongs to a polygon when its centre lies in
it; pixel (0, 0) covers 0 to 1.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

_DIGIT, _SIGN, _MORE = 0x1F, 0x10, 0x20
_LONGEST = 7
"""Characters of one packed number; more could not be a length."""


def encode(mask: Mask) -> dict[str, Any]:
    """Write ``bool (H, W)`` as plain run lengths: ``{"size": [H, W], "counts": [...]}``."""
    flat = mask.ravel(order="F")
    edges = np.flatnonzero(np.diff(flat)) + 1
    counts = np.diff(np.concatenate(([0], edges, [flat.size]))).tolist()
    return {"size": list(mask.shape), "counts": [0, *counts] if flat[0] else counts}


def decode(segmentation: Any, shape: tuple[int, int]) -> Mask:
    """Read what COCO calls a segmentation, for an image of ``shape``; ``bool (H, W)``.

    Errors: ``ValueError`` for another size, run lengths that do not fill it, and what is none of the three forms.
    """
    if isinstance(segmentation, dict):
        counts = segmentation.get("counts")
        if list(segmentation.get("size", ())) != list(shape):
            raise ValueError(f"its size is {segmentation.get('size')}, that of the image {list(shape)}")
        return _fill(_unpack(counts) if isinstance(counts, str) else counts, shape)
    if isinstance(segmentation, list):
        mask = np.zeros(shape, bool)
        for polygon in segmentation:
            mask |= _inside(polygon, shape)
        return mask
    raise ValueError(f"it is {type(segmentation).__name__}; run lengths or polygons are needed")


def _fill(counts: Any, shape: tuple[int, int]) -> Mask:
    if not isinstance(counts, list) or not all(isinstance(c, int) and c >= 0 for c in counts):
        raise ValueError("its run lengths are not whole numbers from 0")
    if sum(counts) != shape[0] * shape[1]:
        raise ValueError(f"its run lengths make {sum(counts):,} pixels, the image has {shape[0] * shape[1]:,}")
    values = np.arange(len(counts)) % 2 == 1
    return np.repeat(values, counts).reshape(shape, order="F")


def _unpack(text: str) -> list[int]:
    """Read packed run lengths: five bits to a character, lowest first; later ones are less that before the last."""
    counts: list[int] = []
    value = place = 0
    for character in text:
        code = ord(character) - 48
        if not 0 <= code < 64 or place >= _LONGEST:
            raise ValueError("its packed run lengths are damaged")
        value |= (code & _DIGIT) << 5 * place
        place += 1
        if not code & _MORE:
            if code & _SIGN:
                value -= 1 << 5 * place
            counts.append(value + (counts[-2] if len(counts) > 2 else 0))
            value = place = 0
    if place:
        raise ValueError("its packed run lengths break off")
    return counts


def _inside(polygon: Any, shape: tuple[int, int]) -> Mask:
    """Even-odd rule: a pixel is inside where an odd number of edges crosses its row on its left."""
    corners = _corners(polygon)
    height, width = shape
    toggles = np.zeros((height, width + 1), np.int32)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        low, high = sorted((y0, y1))
        rows = np.arange(max(0, np.ceil(low - 0.5)), min(height, np.ceil(high - 0.5)), dtype=np.intp)
        if len(rows):
            crossings = x0 + (rows + 0.5 - y0) * (x1 - x0) / (y1 - y0)
            columns = np.clip(np.floor(crossings - 0.5) + 1, 0, width).astype(np.intp)
            toggles[rows, columns] += 1
    return np.asarray(np.cumsum(toggles[:, :width], axis=1) % 2 == 1)


def _corners(polygon: Any) -> NDArray[np.float64]:
    if not isinstance(polygon, Sequence) or isinstance(polygon, str) or len(polygon) < 6 or len(polygon) % 2:
        raise ValueError("a polygon of it is not a list of three corners or more, x and y in turn")
    if not all(isinstance(value, int | float) for value in polygon):
        raise ValueError("a polygon of it holds what is no number")
    corners = np.asarray(polygon, np.float64).reshape(-1, 2)
    if not np.isfinite(corners).all():
        raise ValueError("a polygon of it holds what is no number")
    return corners
