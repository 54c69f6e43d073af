"""Masks, ``bool (H, W)``: their extent and overlap, and how files write them: as outlines and as run lengths.

COCO's run lengths, plain or packed into text, go down the columns and begin with what is outside. A pixel belongs to a
polygon when its centre lies in it.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

Outline = NDArray[np.float64]
"""``float64 (n, 2)``: (row, column), pixel centres at whole numbers."""

_DIGIT, _SIGN, _MORE = 0x1F, 0x10, 0x20
_LONGEST = 7
"""Characters of one packed number; more could not be a length."""

_BLOCK = 4096
"""Edges that are filled at a time: memory does not grow with their number."""


def extent(mask: Mask, margin: int = 0) -> tuple[slice, slice]:
    """The smallest part of an image that holds all of a mask: rows, columns; both empty where it is.

    margin: pixels that are added on every side, as far as the image goes.
    """
    rows, columns = (np.flatnonzero(mask.any(axis=axis)).tolist() for axis in (1, 0))
    if not rows:
        return slice(0), slice(0)
    top, bottom = max(0, rows[0] - margin), rows[-1] + margin + 1
    return slice(top, bottom), slice(max(0, columns[0] - margin), columns[-1] + margin + 1)


def dice(one: Mask, other: Mask) -> float | None:
    """Twice what two masks of one shape share, of what both have; None where both are empty."""
    both = int(np.count_nonzero(one)) + int(np.count_nonzero(other))
    return 2 * int(np.count_nonzero(one & other)) / both if both else None


def fill(outlines: Iterable[Outline], shape: tuple[int, int]) -> Mask:
    """Fill closed outlines by the even-odd rule, ``bool`` of ``shape``; what lies beyond the image is cut.

    A pixel is inside where an odd number of edges crosses its row on its left.
    """
    height, width = shape
    toggles = np.zeros(height * (width + 1), np.intp)
    for outline in outlines:
        edges = np.concatenate((outline, np.roll(outline, -1, axis=0)), axis=1)
        for start in range(0, len(edges), _BLOCK):
            toggles += np.bincount(_crossings(edges[start : start + _BLOCK], shape), minlength=len(toggles))
    return np.asarray(np.cumsum(toggles.reshape(height, width + 1)[:, :width], axis=1) % 2 == 1)


def encode(mask: Mask) -> dict[str, Any]:
    """Write ``bool (H, W)`` as plain run lengths: ``{"size": [H, W], "counts": [...]}``."""
    flat = mask.ravel(order="F")
    edges = np.flatnonzero(np.diff(flat)) + 1
    counts = np.diff(np.concatenate(([0], edges, [flat.size]))).tolist()
    return {"size": list(mask.shape), "counts": [0, *counts] if flat[0] else counts}


def segmentation(outlines: Sequence[Outline], shape: tuple[int, int]) -> Any:
    """Write an outer outline and its holes as COCO has a segmentation: a polygon, or run lengths where there are holes.

    A polygon is x and y in turn, counted from the corner of the first pixel.
    """
    if len(outlines) == 1:
        return [(outlines[0][:, ::-1] + 0.5).ravel().tolist()]
    return encode(fill(outlines, shape))


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
            mask |= fill([_corners(polygon)], shape)
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


def _crossings(edges: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.intp]:
    """Where edges ``(n, 4)``, from (row, column) to (row, column), toggle the rows that they cross.

    They cross from their upper end up to, not at, their lower one. Places are in an image with a column more.
    """
    height, width = shape
    y0, x0, y1, x1 = edges.T
    first, last = (np.ceil(end).clip(0, height).astype(np.intp) for end in (np.minimum(y0, y1), np.maximum(y0, y1)))
    lengths = last - first
    edge = np.repeat(np.arange(len(edges)), lengths)
    rows = np.arange(len(edge)) - np.repeat(np.cumsum(lengths) - lengths - first, lengths)
    columns = x0[edge] + (rows - y0[edge]) * (x1[edge] - x0[edge]) / (y1[edge] - y0[edge])
    return np.asarray(rows * (width + 1) + (np.floor(columns) + 1).clip(0, width).astype(np.intp))


def _corners(polygon: Any) -> Outline:
    """COCO's x and y in turn, counted from the corner of the first pixel, as an outline."""
    if not isinstance(polygon, Sequence) or isinstance(polygon, str) or len(polygon) < 6 or len(polygon) % 2:
        raise ValueError("a polygon of it is not a list of three corners or more, x and y in turn")
    if not all(isinstance(value, int | float) for value in polygon):
        raise ValueError("a polygon of it holds what is no number")
    corners = np.asarray(polygon, np.float64).reshape(-1, 2)
    if not np.isfinite(corners).all():
        raise ValueError("a polygon of it holds what is no number")
    return corners[:, ::-1] - 0.5
