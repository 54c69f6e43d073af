"""What a mask says about its lesions: outline, diameters, area and shape, in mm where the spacing is known.

Written on numpy alone: importing SciPy takes longer than a whole prediction.
"""

from dataclasses import dataclass
from math import atan2, degrees, pi
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sonoseg.images.masks import Outline, extent

LESION_PIXELS = 20
"""Smaller components are specks, in the truth and in what is drawn."""


@dataclass(frozen=True, eq=False)
class Lesion:
    """One component of a mask, pixels touching by side or corner. Lengths are in ``unit``, the area in its square.

    number: 1 for the largest. unit: "mm" or "px". pixels: how many it has.
    longest_diameter: between the two points of the outline that are farthest apart. perpendicular_diameter: the longest
    one across it, between the sides of the convex hull. depth: extent along the beam (down the image). width: extent
    across it. orientation: of the long axis of the ellipse with the same second moments, degrees in (-90, 90], 0 along
    the skin, positive where the right end is deeper. circularity: 4 pi area / perimeter ** 2 of the outer outline, at
    most 1. solidity: area / area of the convex hull. confidence: mean probability of its pixels.
    outlines: the outer one, then holes, each closed, through the middles between pixels inside and outside; a pixel
    belongs to the lesion where its centre lies inside. box: (top, left, height, width) in pixels.
    centroid: (row, column) in pixels. calipers: both diameters as two points each, in pixels.
    """

    number: int
    unit: str
    pixels: int
    area: float
    longest_diameter: float
    perpendicular_diameter: float
    depth: float
    width: float
    orientation: float
    circularity: float
    solidity: float
    confidence: float
    outlines: tuple[Outline, ...]
    box: tuple[int, int, int, int]
    centroid: tuple[float, float]
    calipers: tuple[Outline, Outline]

    def __repr__(self) -> str:
        size = f"{self.longest_diameter:.1f} x {self.perpendicular_diameter:.1f} {self.unit}"
        return f"<Lesion {self.number}: {size}, confidence {self.confidence:.2f}>"

    @property
    def depth_to_width(self) -> float:
        """Depth / width: over 1 is taller than wide."""
        return self.depth / self.width

    @property
    def bi_rads_orientation(self) -> str:
        """The word of BI-RADS: "not parallel" where taller than wide, else "parallel"."""
        return "not parallel" if self.depth_to_width > 1 else "parallel"


def measure(
    mask: NDArray[np.bool_], probability: NDArray[np.float32], spacing: tuple[float, float] | None = None
) -> tuple[Lesion, ...]:
    """Measure each lesion of a mask, largest first.

    mask: ``bool (H, W)``; probability: ``float32 (H, W)``; spacing: (row, column) in mm, or None for pixels.
    """
    if not mask.any():
        return ()
    part = extent(mask)
    found, probability = components(mask[part]), probability[part]
    corner, order = (part[0].start, part[1].start), np.argsort(-found.sizes, kind="stable")
    return tuple(
        _lesion(number, found, int(index), probability, corner, spacing) for number, index in enumerate(order, 1)
    )


class Components(NamedTuple):
    """The n components of a mask, in the order of their first pixels.

    labels: ``int32 (H, W)``, 0 for background, then 1 to n. sizes: pixels of each, ``int64 (n,)``.
    boxes: (top, left, bottom, right) of each, the last two beyond it, ``int64 (n, 4)``.
    """

    labels: NDArray[np.int32]
    sizes: NDArray[np.int64]
    boxes: NDArray[np.int64]


def components(mask: NDArray[np.bool_], by_corner: bool = True) -> Components:
    """Find the components of ``bool (H, W)``: pixels that touch by side, or by corner too."""
    padded = np.pad(mask, ((0, 0), (1, 1)))
    stride, flat = padded.shape[1], padded.ravel()
    changes = np.flatnonzero(flat[1:] != flat[:-1])
    starts, ends = changes[::2], changes[1::2]
    numbers = _joined(starts, ends, stride, int(by_corner))
    count = int(numbers.max(initial=-1)) + 1
    labels = np.zeros(mask.shape, np.int32)
    labels[mask] = np.repeat(numbers + 1, ends - starts)
    boxes = np.full((count, 4), (flat.size, flat.size, 0, 0))
    rows = starts // stride
    for side, (take, values) in enumerate(
        ((np.minimum, rows), (np.minimum, starts % stride), (np.maximum, rows + 1), (np.maximum, ends % stride))
    ):
        take.at(boxes[:, side], numbers, values)
    return Components(labels, np.bincount(numbers, ends - starts, minlength=count).astype(np.int64), boxes)


def confidences(found: Components, probability: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean probability of the pixels of each component, ``float64 (n,)``; probability: ``float32 (H, W)``."""
    labels = found.labels.ravel()
    inside = np.flatnonzero(labels > 0)
    sums = np.bincount(labels[inside], probability.ravel()[inside], minlength=len(found.sizes) + 1)[1:]
    return np.asarray(sums / found.sizes)


def remove_specks(
    mask: NDArray[np.bool_], probability: NDArray[np.float32], smallest: float, least_confidence: float = 0.0
) -> NDArray[np.bool_]:
    """Leave out what is too small or too faint to be called a lesion.

    mask: ``bool (H, W)``; probability: ``float32 (H, W)``. Components of fewer than ``smallest`` pixels go, and those
    whose mean probability is below ``least_confidence``.
    """
    if (smallest <= 1 and least_confidence <= 0) or not mask.any():
        return mask
    part = extent(mask)
    found = components(mask[part])
    kept = (found.sizes >= smallest) & (confidences(found, probability[part]) >= least_confidence)
    if kept.all():
        return mask
    cleaned = np.zeros_like(mask)
    cleaned[part] = np.concatenate(([False], kept))[found.labels]
    return cleaned


def trace(mask: NDArray[np.bool_]) -> tuple[Outline, ...]:
    """Trace the outlines of one component, ``bool (H, W)``: the outer one clockwise, then its holes the other way.

    Vertices are the middles between neighbours inside and outside, one for each such pair: marching squares at 0.5.
    """
    padded = np.pad(mask, 1)
    stride, flat = padded.shape[1], padded.ravel()
    pixels = np.flatnonzero(flat)
    steps = (-stride, 1, stride, -1)  # up, right, down, left: the way out of the lesion; clockwise is the next one
    follows: dict[int, int] = {}
    for way, out in enumerate(steps):
        ahead = steps[(way + 1) % 4]
        here = pixels[~flat[pixels + out]]
        onward = np.where(flat[here + ahead], (here + ahead) * 4 + way, here * 4 + (way + 1) % 4)
        turned = np.where(flat[here + ahead + out], (here + ahead + out) * 4 + (way + 3) % 4, onward)
        follows.update(zip((here * 4 + way).tolist(), turned.tolist(), strict=True))
    outlines = []
    while follows:
        edge, loop = next(iter(follows)), []
        while edge in follows:
            loop.append(edge)
            edge = follows.pop(edge)
        inside, ways = np.divmod(np.array(loop), 4)
        outward = np.array([(-0.5, 0.0), (0.0, 0.5), (0.5, 0.0), (0.0, -0.5)])[ways]
        outlines.append(np.stack(np.divmod(inside, stride), axis=1) - 1 + outward)
    return tuple(outlines)


def corners(outline: Outline) -> Outline:
    """Leave out the vertices of a closed outline that lie on a straight line between their neighbours."""
    before, after = outline - np.roll(outline, 1, axis=0), np.roll(outline, -1, axis=0) - outline
    turns = before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0]
    return np.asarray(outline[turns])


def _joined(starts: NDArray[np.int64], ends: NDArray[np.int64], stride: int, reach: int) -> NDArray[np.int64]:
    """Number the runs of a flat mask by component: runs are joined with those that they touch in the next row.

    reach: 1 where corners touch, 0 where sides alone do.
    """
    first = np.searchsorted(ends, starts + stride - reach, side="right")
    touching = np.searchsorted(starts, ends + stride + reach, side="left") - first
    one = np.repeat(np.arange(len(starts)), touching)
    other = np.arange(len(one)) - np.repeat(np.cumsum(touching) - touching - first, touching)
    roots = np.arange(len(starts))
    while (apart := roots[one] != roots[other]).any():
        one, other = one[apart], other[apart]
        low, high = np.minimum(roots[one], roots[other]), np.maximum(roots[one], roots[other])
        np.minimum.at(roots, high, low)
        while (roots != (above := roots[roots])).any():
            roots = above
    return np.asarray(np.cumsum(roots == np.arange(len(roots)))[roots] - 1)


def _lesion(
    number: int,
    found: Components,
    index: int,
    probability: NDArray[np.float32],
    origin: tuple[int, int],
    spacing: tuple[float, float] | None,
) -> Lesion:
    """Measure a component; components and probability are of the part of the image that begins at ``origin``."""
    top, left, bottom, right = found.boxes[index].tolist()
    inside = found.labels[top:bottom, left:right] == index + 1
    confidence = float(probability[top:bottom, left:right][inside].mean(dtype=np.float64))
    top, left, bottom, right = top + origin[0], left + origin[1], bottom + origin[0], right + origin[1]
    corner, scale = np.array((top, left), np.float64), np.array(spacing or (1.0, 1.0))
    outlines = tuple(outline + corner for outline in trace(inside))
    scaled = [outline * scale for outline in outlines]
    hull = _hull(corners(scaled[0]))
    longest, across = _diameters(hull)
    moments = _moments(inside)
    depth, width = (bottom - top) * scale[0], (right - left) * scale[1]
    return Lesion(
        number=number,
        unit="mm" if spacing else "px",
        pixels=moments.pixels,
        area=moments.pixels * float(scale.prod()),
        longest_diameter=_length(longest),
        perpendicular_diameter=_length(across),
        depth=float(depth),
        width=float(width),
        orientation=_orientation(moments, scale),
        circularity=min(1.0, 4 * pi * _area(scaled[0]) / _perimeter(scaled[0]) ** 2),
        solidity=min(1.0, sum(_area(outline) for outline in scaled) / _area(hull)),
        confidence=confidence,
        outlines=outlines,
        box=(top, left, bottom - top, right - left),
        centroid=(top + moments.down / moments.pixels, left + moments.right / moments.pixels),
        calipers=(longest / scale, across / scale),
    )


def _area(outline: Outline) -> float:
    """Of a closed outline, positive where it runs clockwise."""
    (rows, columns), (next_rows, next_columns) = outline.T, np.roll(outline, -1, axis=0).T
    return float((columns * next_rows - rows * next_columns).sum() / 2)


def _perimeter(outline: Outline) -> float:
    # The steps of a traced outline make it 5 % too long; the mean of each three vertices is right within 1 %.
    smooth = (np.roll(outline, 1, axis=0) + outline + np.roll(outline, -1, axis=0)) / 3
    return float(np.hypot(*(np.roll(smooth, -1, axis=0) - smooth).T).sum())


def _hull(points: Outline) -> Outline:
    """Convex hull, clockwise, by Andrew's monotone chain over the two ends of each row."""
    points = points[np.lexsort(points.T[::-1])]
    starts = np.flatnonzero(np.diff(points[:, 0], prepend=-np.inf))
    ends = np.append(starts[1:], len(points)) - 1
    ordered = list(map(tuple, points[np.unique(np.concatenate((starts, ends)))].tolist()))
    halves = []
    for side in (ordered, ordered[::-1]):
        half: list[tuple[float, ...]] = []
        for point in side:
            while len(half) > 1 and _turn(half[-2], half[-1], point) >= 0:
                half.pop()
            half.append(point)
        halves.append(half[:-1])
    return np.array(halves[0] + halves[1])


def _turn(a: tuple[float, ...], b: tuple[float, ...], c: tuple[float, ...]) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _diameters(hull: Outline) -> tuple[Outline, Outline]:
    """Longest diameter of a convex hull and the longest one perpendicular to it, ``(2, 2)`` each."""
    squares = ((hull[:, None] - hull[None]) ** 2).sum(axis=2)
    first, second = sorted(int(i) for i in np.unravel_index(squares.argmax(), squares.shape))
    start, end = hull[first], hull[second]
    axis = (end - start) / np.sqrt(squares[first, second])
    normal = np.array((-axis[1], axis[0]))
    # The ends of the longest diameter cut the hull into two sides that run along it.
    one = hull[first : second + 1] - start
    other = (np.concatenate((hull[second:], hull[: first + 1])) - start)[::-1]
    along = np.sort(np.concatenate((one, other)) @ axis)
    heights = [np.interp(along, side @ axis, side @ normal) for side in (one, other)]
    best = int(np.abs(heights[0] - heights[1]).argmax())
    across = np.stack([start + along[best] * axis + height[best] * normal for height in heights])
    return np.stack((start, end)), across


def _length(segment: Outline) -> float:
    return float(np.hypot(*(segment[1] - segment[0])))


class _Moments(NamedTuple):
    """Sums over the pixels of a lesion: of 1, row, column, row ** 2, column ** 2 and row * column; whole numbers."""

    pixels: int
    down: int
    right: int
    tall: int
    wide: int
    mixed: int


def _moments(inside: NDArray[np.bool_]) -> _Moments:
    rows, columns = (np.arange(side) for side in inside.shape)
    in_row, in_column = inside.sum(axis=1), inside.sum(axis=0)
    mixed = rows @ (inside @ columns)
    sums = (in_row.sum(), rows @ in_row, columns @ in_column, rows**2 @ in_row, columns**2 @ in_column, mixed)
    return _Moments(*(int(each) for each in sums))


def _orientation(moments: _Moments, scale: NDArray[np.float64]) -> float:
    """Of the long axis, where pixels are ``scale`` large, (row, column)."""
    # Whole numbers, so that a symmetric shape has no mixed moment at all, and 90 does not turn into -90.
    pixels, down, right, tall, wide, mixed = moments
    row, column = scale
    across = (pixels * wide - right**2) * column**2 - (pixels * tall - down**2) * row**2
    return degrees(atan2(2 * (pixels * mixed - down * right) * row * column, across) / 2)
