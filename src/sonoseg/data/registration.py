"""One scan laid over another: how far two images agree, and where a mask of the one lies on the other.

One is laid over the other by correlation at nine scales, then scale and shift are fitted tile by tile, and the score is
the median correlation of the tiles. Marks and text spoil a few tiles and leave the median alone.

All of it is done on images made *flat*: the local mean is taken off and the local contrast is made equal, so that gain,
gamma and depth compensation do not count. What is left is texture, and two different scans do not share that.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import product

import numpy as np
import PIL.Image
import scipy  # its rooms open when they are entered, see sets/oasbud.py
from numpy.typing import NDArray

from sonoseg.images.masks import dice

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]

COPY_SCORE = 0.63
"""Pairs that score this or more are copies; ``docs/decisions/0002-near-duplicates.md`` tells how it was chosen."""

NEIGHBOUR_SCORE = 0.455
"""Pairs between this and ``COPY_SCORE`` are neighbours: other moments of one sweep over one lesion. No copies, but no
test images for each other either."""

_ROUGH_SCORE = 0.6
_FIRST_SCORE = 0.5
_SIDE = 128
_ROUGH_SIDE = 48
_CANVAS = 120
_ASPECT = 2.5
_SCALES = tuple(1.1**step for step in range(-4, 5))
_TILE = 16
_REACH = (4, 2, 1, 0)
_OVERLAP = 0.4
_TEXTURE = 0.1
_LEAST_TILES = 6


@dataclass(frozen=True, eq=False)
class Small:
    """An image as it is compared: ``uint8 (h, w)`` of about 128 x 128 pixels, and the (H, W) that it had.

    Who compares a set more than once keeps these, 16 KB each, instead of reading it again.
    """

    pixels: Pixels
    shape: tuple[int, int]


@dataclass(frozen=True)
class Registration:
    """How a second image lies on a first: ``first = scale * second + shift``, each (row, column).

    Coordinates are in pixels of the images' own sizes, 0 at the outer edge of the first pixel. score: median
    correlation of the tiles, up to 1, three decimals; where it is below ``COPY_SCORE`` the rest means little.
    """

    score: float
    scale: tuple[float, float]
    shift: tuple[float, float]


@dataclass(frozen=True)
class Spectrum:
    """A flat image on the canvas, as its Fourier transform; its shape and mean square there."""

    transform: NDArray[np.complex64]
    shape: tuple[int, int]
    power: float


def small(image: Pixels | Small) -> Small:
    """Reduce an image, ``uint8 (H, W)``; one that was reduced stays as it is."""
    if isinstance(image, Small):
        return image
    height, width = image.shape
    return Small(_reduced(image, _SIDE), (height, width))


def register(first: Pixels | Small, second: Pixels | Small) -> Registration:
    """Lay a second image, ``uint8 (H, W)``, over a first one of any other size; reduced ones give the same."""
    first, second = small(first), small(second)
    laid = lay(first.pixels, second.pixels, spectra(second.pixels))
    unit_first = [full / side for full, side in zip(first.shape, first.pixels.shape, strict=True)]
    unit_second = [full / side for full, side in zip(second.shape, second.pixels.shape, strict=True)]
    (scale_y, scale_x), (shift_y, shift_x) = laid.scale, laid.shift
    return Registration(
        laid.score,
        (scale_y * unit_first[0] / unit_second[0], scale_x * unit_first[1] / unit_second[1]),
        (shift_y * unit_first[0], shift_x * unit_first[1]),
    )


def warp_mask(
    mask: NDArray[np.bool_], registration: Registration, shape: tuple[int, int]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Carry a mask of the second image, ``bool (H, W)``, to where it lies in the first one, of the given ``shape``.

    Returns the mask and where the second image covers the first one at all, both ``bool`` of ``shape``: two outlines
    can be compared only there. Linear between pixel centres, set from one half on.
    """
    wanted = _onto(np.where(mask, np.float32(1), np.float32(0)), registration, shape)
    covered = _onto(np.ones(mask.shape, np.float32), registration, shape)
    return wanted >= 0.5, covered >= 0.5


def agreement(
    image_a: Pixels | Small, mask_a: NDArray[np.bool_], image_b: Pixels | Small, mask_b: NDArray[np.bool_]
) -> float | None:
    """Dice of two masks, ``bool (H, W)``, of images, ``uint8 (H, W)``, that may be copies of any crop and size.

    The second image is registered on the first, its mask is carried into the first one, and the two are
    compared there, where both images are: 0 to 1. Images reduced by ``small`` give the same. None where the
    images are no copies (``COPY_SCORE``), and where neither mask has anything in the common part, as two empty masks
    say nothing about outlines.
    Errors: ``ValueError`` for a mask of another size than its image.
    """
    first, second = small(image_a), small(image_b)
    for image, mask in ((first, mask_a), (second, mask_b)):
        if image.shape != mask.shape:
            raise ValueError(f"a mask of {mask.shape} cannot belong to an image of {image.shape}")
    laid = register(first, second)
    if laid.score < COPY_SCORE:
        return None
    carried, covered = warp_mask(mask_b, laid, first.shape)
    return dice(mask_a & covered, carried)


def flat(image: Floats, near: float, far: float) -> Floats:
    """Take off the local mean (over ``far``) and make the local contrast equal; along the last two axes."""
    axes = (-2, -1)
    values = scipy.ndimage.gaussian_filter(np.sqrt(image), near, axes=axes) if near else np.sqrt(image)
    values = values - scipy.ndimage.gaussian_filter(values, far, axes=axes)
    contrast = np.sqrt(scipy.ndimage.gaussian_filter(values * values, far, axes=axes))
    return np.asarray(np.clip(values / (contrast + 0.15), -3, 3), np.float32)


def spectra(pixels: Pixels) -> list[Spectrum]:
    """The spectra of a reduced image at all scales, by which ``lay`` lays it over others."""
    return [_spectrum(pixels, scale) for scale in _SCALES]


def _spectrum(image: NDArray[np.uint8], scale: float) -> Spectrum:
    values = flat(np.asarray(_reduced(image, _ROUGH_SIDE * scale), np.float32), 1, 4)
    return Spectrum(scipy.fft.rfft2(values, s=(_CANVAS, _CANVAS)), values.shape, float((values * values).mean()))


def lay(first: Pixels, second: Pixels, moved: Sequence[Spectrum]) -> Registration:
    """Register reduced images, in pixels of these; ``moved`` are the ``spectra`` of the second one."""
    fixed = _spectrum(first, 1)
    score, best, shift = max((_overlay(fixed, moving) for moving in moved), key=lambda found: found[0])
    (h1, w1), (h2, w2) = first.shape, second.shape
    rough = Registration(
        round(score, 3),
        (best[0] / h2 * h1 / fixed.shape[0], best[1] / w2 * w1 / fixed.shape[1]),
        (shift[0] * h1 / fixed.shape[0], shift[1] * w1 / fixed.shape[1]),
    )
    if score < _ROUGH_SCORE:
        return Registration(0.0, rough.scale, rough.shift)
    return _fitted(first, second, rough)


def _reduced(pixels: NDArray[np.uint8], side: float) -> NDArray[np.uint8]:
    """Resize to an area of ``side`` x ``side`` pixels, so that two sizes of one image become the same."""
    height, width = pixels.shape
    stretch = min(max((width / height) ** 0.5, _ASPECT**-0.5), _ASPECT**0.5)
    size = (max(1, round(side * stretch)), max(1, round(side / stretch)))
    return np.asarray(PIL.Image.fromarray(pixels).resize(size, PIL.Image.Resampling.BILINEAR))


def _overlay(fixed: Spectrum, moving: Spectrum) -> tuple[float, tuple[int, int], tuple[int, int]]:
    """Best correlation over all shifts, the shape of the moving image, and the shift."""
    power = (fixed.power * moving.power) ** 0.5
    if power < 1e-6:
        return 0.0, moving.shape, (0, 0)
    products = scipy.fft.irfft2(fixed.transform * np.conj(moving.transform), s=(_CANVAS, _CANVAS))
    rows, columns = (_overlaps(f, m) for f, m in zip(fixed.shape, moving.shape, strict=True))
    area = np.outer(rows, columns)
    least = _OVERLAP * min(np.prod(fixed.shape), np.prod(moving.shape))
    scores = np.divide(products, area * np.float32(power), out=np.zeros_like(products), where=area >= least)
    at = np.unravel_index(int(scores.argmax()), scores.shape)
    row, column = (int(i) - _CANVAS if i > _CANVAS // 2 else int(i) for i in at)
    return float(scores[at]), moving.shape, (row, column)


@cache
def _overlaps(fixed: int, moving: int) -> Floats:
    """Common length for every circular shift; 0 where a shift and its alias around the canvas cannot be told apart."""
    shifts = np.arange(_CANVAS)
    shifts[shifts > _CANVAS // 2] -= _CANVAS
    common = np.minimum(fixed, moving + shifts) - np.maximum(0, shifts)
    common[(shifts < fixed - _CANVAS) | (shifts > _CANVAS - moving)] = 0
    return np.asarray(np.maximum(common, 0), np.float32)


def _fitted(first: NDArray[np.uint8], second: NDArray[np.uint8], start: Registration) -> Registration:
    """Fit scale and shift of each axis to the displacements of the tiles, in rounds of shrinking reach, and score."""
    fixed, moving = np.asarray(first, np.float32), np.asarray(second, np.float32)
    laid = start
    for reach in _REACH:
        window = _common(laid, first.shape, second.shape)
        if window is None:
            return replace(laid, score=0.0)
        tiles = _Tiles(fixed[window], _onto(moving, laid, first.shape)[window], reach)
        if reach == _REACH[0] and tiles.score < _FIRST_SCORE:
            return replace(laid, score=0.0)
        if reach:
            laid = tiles.refit(laid, (window[0].start, window[1].start))
    return replace(laid, score=round(tiles.score, 3))


def _common(laid: Registration, first: tuple[int, int], second: tuple[int, int]) -> tuple[slice, slice] | None:
    """The part of the first image that the second one covers, or None where it is too small to judge."""
    slices = []
    for scale, shift, here, there in zip(laid.scale, laid.shift, first, second, strict=True):
        start, stop = max(0, int(np.ceil(shift))), min(here, int(scale * there + shift))
        slices.append(slice(start, max(start, stop)))
    rows, columns = (part.stop - part.start for part in slices)
    if min(rows, columns) < 2 * _TILE or rows * columns < _OVERLAP * min(np.prod(first), np.prod(second)):
        return None
    return slices[0], slices[1]


def _onto(image: Floats, laid: Registration, shape: tuple[int, ...]) -> Floats:
    """Resample a second image, ``float32``, as it lies on the first one, ``float32 (shape)``; 0 beside it."""
    (scale_y, scale_x), (shift_y, shift_x) = laid.scale, laid.shift
    inverse = (1 / scale_x, 0, -shift_x / scale_x, 0, 1 / scale_y, -shift_y / scale_y)
    picture = PIL.Image.fromarray(image).transform(
        (shape[1], shape[0]), PIL.Image.Transform.AFFINE, inverse, PIL.Image.Resampling.BILINEAR
    )
    return np.asarray(picture)


class _Tiles:
    """Correlations of the tiles of two equally large images, each at the shift up to ``reach`` that suits it best."""

    def __init__(self, fixed: Floats, moving: Floats, reach: int) -> None:
        self.edges = [np.linspace(0, side, max(3, side // _TILE) + 1).astype(int) for side in fixed.shape]
        a, b = flat(fixed, 1, 5), flat(moving, 1, 5)
        self.rows, self.columns = (_membership(edge) for edge in self.edges)
        power_a, power_b = self._sums(a * a), self._sums(b * b)
        wrapped = np.pad(b, reach, mode="wrap")
        squares = wrapped * wrapped
        moves = list(product(range(-reach, reach + 1), repeat=2))
        correlations = []
        for down, right in moves:
            moved = tuple(slice(reach - by, reach - by + side) for by, side in zip((down, right), a.shape, strict=True))
            power = power_a * self._sums(squares[moved])
            correlations.append(self._sums(a * wrapped[moved]) / np.sqrt(power + 1e-3))
        found = np.stack(correlations)
        self.best = found.max(axis=0)
        self.moves = np.array(moves)[found.argmax(axis=0)]
        area = np.outer(*(np.diff(edge) for edge in self.edges))
        self.textured = np.maximum(power_a, power_b) >= _TEXTURE * area

    @property
    def score(self) -> float:
        """Median over the tiles with texture; 0 where there are too few of them."""
        if np.count_nonzero(self.textured) < _LEAST_TILES:
            return 0.0
        return float(np.median(self.best[self.textured]))

    def refit(self, laid: Registration, corner: tuple[int, int]) -> Registration:
        """Fit scale and shift anew to where the tiles went, weighted by how well they fit there."""
        weights = np.where(self.textured, np.clip(self.best - 0.2, 0, None) ** 2, 0) + 1e-6
        weights /= weights.sum()
        scales, shifts = [], []
        for axis in (0, 1):
            centres = corner[axis] + (self.edges[axis][1:] + self.edges[axis][:-1]) / 2
            here = np.broadcast_to(np.expand_dims(centres, 1 - axis), weights.shape)
            there = (here - self.moves[..., axis] - laid.shift[axis]) / laid.scale[axis]
            mean_here, mean_there = (weights * here).sum(), (weights * there).sum()
            spread = (weights * (there - mean_there) ** 2).sum()
            slope = (weights * (there - mean_there) * (here - mean_here)).sum() / spread
            scale = float(np.clip(slope, laid.scale[axis] * 0.9, laid.scale[axis] * 1.1))
            scales.append(scale)
            shifts.append(float(mean_here - scale * mean_there))
        return Registration(laid.score, (scales[0], scales[1]), (shifts[0], shifts[1]))

    def _sums(self, values: Floats) -> Floats:
        return np.asarray(self.rows @ values @ self.columns.T, np.float32)


def _membership(edges: NDArray[np.int64]) -> Floats:
    """Which tile a position lies in, ``float32 (tiles, positions)`` of 0 and 1: sums over tiles become a product."""
    tiles = np.repeat(np.arange(len(edges) - 1), np.diff(edges))
    return np.asarray(tiles == np.arange(len(edges) - 1)[:, None], np.float32)
