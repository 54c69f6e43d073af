"""Images without a lesion from images with one: what lies beside the lesions, cut out.

Many sets have no images of healthy breasts, and those of one scanner teach little of another's.
"""

import numpy as np
from numpy.typing import NDArray

from sonoseg.data.samples import Pair, Sample, digest
from sonoseg.images.image import Image

LEAST = 1 / 3
"""Sides of a crop are at least this share of the image's."""

MARGIN = 0.02
"""Share of the image's longer side that a crop keeps away from the lesions: outlines are seldom drawn too wide."""

LONGEST = 1.5
"""A crop is at most this many times as high, or as wide, as the image's proportions make it: else its shape tells that
it is one."""

CROPS = 2
"""Crops of an image, at most."""

Box = tuple[int, int, int, int]
"""First row, first column, row and column behind the last."""


def beside(image: Image, mask: NDArray[np.bool_], most: int = CROPS) -> list[Pair]:
    """Cut the largest crops without a lesion, each with its empty mask; none where lesions leave no room, or are none.

    mask: ``bool (H, W)``, all lesions united. The same pixels give the same crops.
    """
    if not mask.any():
        return []
    generator = np.random.default_rng(int(digest(image), 16))
    boxes = [_shortened(box, mask.shape, generator) for box in _around(mask)]
    large = [box for box in boxes if _is_large(box, mask.shape)]
    large.sort(key=lambda box: (box[0] - box[2]) * (box[3] - box[1]))
    return [_cut(image, box) for box in large[:most]]


def crops_of(sample: Sample, most: int = CROPS) -> list[Image]:
    """The crops beside the lesions of a sample, those that were cut beforehand where some were looked for."""
    if sample.beside is not None:
        return list(sample.beside[:most])
    return [crop for crop, _ in beside(*sample.read(), most)]


def _around(mask: NDArray[np.bool_]) -> list[Box]:
    """What lies left of all lesions, right of them, above and below; sides may be empty or negative."""
    height, width = mask.shape
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    away = round(MARGIN * max(height, width)) + 1
    return [
        (0, 0, height, int(columns[0]) + 1 - away),
        (0, int(columns[-1]) + away, height, width),
        (0, 0, int(rows[0]) + 1 - away, width),
        (int(rows[-1]) + away, 0, height, width),
    ]


def _shortened(box: Box, shape: tuple[int, ...], generator: np.random.Generator) -> Box:
    """Cut the longer side, measured in the image's, to ``LONGEST`` times the other; at a place that is drawn."""
    top, left, bottom, right = box
    rows, columns = (bottom - top) / shape[0], (right - left) / shape[1]
    high, wide = int(min(rows, LONGEST * columns) * shape[0]), int(min(columns, LONGEST * rows) * shape[1])
    top += int(generator.random() * max(0, bottom - top - high + 1))
    left += int(generator.random() * max(0, right - left - wide + 1))
    return top, left, top + high, left + wide


def _is_large(box: Box, shape: tuple[int, ...]) -> bool:
    top, left, bottom, right = box
    return bottom - top >= LEAST * shape[0] and right - left >= LEAST * shape[1]


def _cut(image: Image, box: Box) -> Pair:
    top, left, bottom, right = box
    pixels = np.ascontiguousarray(image.pixels[top:bottom, left:right])
    return Image(pixels, image.spacing), np.zeros(pixels.shape, bool)
