"""Ultrasound-like breast images with exact masks, made from a seed.

A scan is a map of echo levels in dB (skin, fat, gland, muscle, masses), given to scatterers of random phase, blurred
by a point-spread function and log-compressed. A drawing is a view of a scan: a crop, a size and some marks. Views of
one scan are near-copies of each other, as public sets hold them. Outlines are formulas in mm, so that a mask is exact
in every view. Speckle: Wagner et al. 1983, doi 10.1109/T-SU.1983.31404.
"""

import math
from dataclasses import dataclass

import numpy as np
import scipy  # its rooms open when they are entered, see oasbud.py
from numpy.typing import NDArray

from sonoseg.data.sets import inked
from sonoseg.data.sets.masses import FAT, Floats, Mass, Place, distractors, lesions

GRID = (288, 360)
"""Rows and columns of a scan before it is cropped and resized."""

HEIGHTS, WIDTHS = (200, 320), (240, 400)
"""Smallest and largest height and width of a drawing, in pixels."""

SHARES = {"benign": 437, "malignant": 210, "normal": 133}
"""Images per label in BUSI; a plan keeps their proportions."""

COPIES = (0.78, 0.15, 0.07)
"""How often a scan is seen in one, two and three images."""

MUSCLE, DEEP = -9.0, -17.0
"""Echo levels in dB beside gland."""


@dataclass(frozen=True)
class Phantom:
    """What it takes to draw one image of a set. Images with the same ``group`` are views of one scan."""

    name: str
    label: str
    seed: int
    index: int
    copy: int

    @property
    def group(self) -> int:
        """Number of the scan that the image shows."""
        return self.index


@dataclass(frozen=True)
class Drawing:
    """One image. pixels: uint8 (H, W). mask: bool (H, W), all lesions. spacing: (row, column) in mm.

    lesions: as drawn into the scan, of which a view may cut a part off. marked: whether marks are burnt in.
    """

    pixels: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    spacing: tuple[float, float]
    lesions: tuple[Mass, ...]
    marked: bool


@dataclass(frozen=True)
class Scan:
    """What views are cut from. brightness: float32 ``GRID`` in [0, 1], square pixels of ``spacing`` mm.

    start, stop: corners of the part that every view shows, less a little, (depth, lateral) in mm.
    """

    brightness: Floats
    spacing: float
    start: Place
    stop: Place
    lesions: tuple[Mass, ...]
    distractors: tuple[Mass, ...]


def plan(count: int, seed: int = 0) -> list[Phantom]:
    """List ``count`` images in BUSI's proportions of labels and under its kind of names, some of them near-copies."""
    rng = np.random.default_rng(np.random.SeedSequence((seed, count)))
    bounds = np.cumsum([0, *SHARES.values()])
    wanted = np.diff(np.round(bounds * count / bounds[-1])).astype(int).tolist()
    plans: list[Phantom] = []
    scan = 0
    for label, images in zip(SHARES, wanted, strict=True):
        views: list[tuple[int, int]] = []
        while len(views) < images:
            copies = min(int(rng.choice(3, p=COPIES)) + 1, images - len(views))
            views += [(scan, copy) for copy in range(copies)]
            scan += 1
        order = rng.permutation(images).tolist()
        plans += [Phantom(f"{label} ({k})", label, seed, *views[i]) for k, i in enumerate(order, start=1)]
    return plans


def read(planned: Phantom) -> Drawing:
    """Draw the image that was planned."""
    return draw(planned.seed, planned.index, planned.label, planned.copy)


def draw(seed: int, index: int, label: str, copy: int = 0) -> Drawing:
    """Draw image ``index`` of the set ``seed``; ``copy`` chooses among the views of the same scan.

    The same arguments give the same bytes on one machine, in any order. ``label`` is a key of ``SHARES``.
    """
    scan = _scan(np.random.default_rng(np.random.SeedSequence((seed, index))), label)
    return _view(np.random.default_rng(np.random.SeedSequence((seed, index), spawn_key=(copy,))), scan)


def _scan(rng: np.random.Generator, label: str) -> Scan:
    spacing = rng.uniform(0.145, 0.2)
    size = (GRID[0] * spacing, GRID[1] * spacing)
    masses = lesions(rng, label, size)
    others = distractors(rng, size, masses)
    level, shade = _tissue(rng, spacing, masses), _shading(rng, spacing)
    for mass in (*others, *masses):
        _paint(rng, level, shade, mass, spacing)
    amplitude = np.exp((level + shade) * (math.log(10) / 20)) + 10 ** rng.uniform(-2.3, -1.9)  # the scanner's noise
    return Scan(
        _compress(rng, _envelope(rng, amplitude, spacing)),
        spacing,
        start=(0.0, rng.uniform(0, 0.08) * size[1]),
        stop=(rng.uniform(0.8, 0.98) * size[0], rng.uniform(0.92, 1) * size[1]),
        lesions=masses,
        distractors=others,
    )


def _places(count: int, spacing: float, start: float = 0.0) -> Floats:
    """Centres of ``count`` pixels in mm, float32."""
    return (start + (np.arange(count) + 0.5) * spacing).astype(np.float32)


def _noise(rng: np.random.Generator, shape: tuple[int, ...], depth: float, lateral: float) -> Floats:
    """Smooth random field of about unit variance, float32 ``shape``: a spline with a knot per depth x lateral pixels.

    Sums of taps, not a matrix product: BLAS may round differently with another number of threads.
    """
    (row, down), (column, right) = _taps(shape[0], depth), _taps(shape[1], lateral)
    knots = 2.1 * rng.standard_normal((row[-1] + 4, column[-1] + 4), dtype=np.float32)
    wide = np.zeros((len(knots), shape[1]), np.float32)
    for k, weight in enumerate(right):
        wide += knots[:, column + k] * weight
    field = np.zeros(shape, np.float32)
    for k, weight in enumerate(down):
        field += wide[row + k] * weight[:, None]
    return field


def _taps(count: int, cell: float) -> tuple[NDArray[np.intp], list[Floats]]:
    """First knot and the four weights of a cubic B-spline with a knot per ``cell`` pixels, at ``count`` pixels."""
    place = np.arange(count) / cell
    first = place.astype(np.intp)
    t = (place - first).astype(np.float32)
    return first, [(1 - t) ** 3 / 6, (3 * t**3 - 6 * t**2 + 4) / 6, (-3 * t**3 + 3 * t**2 + 3 * t + 1) / 6, t**3 / 6]


def _tissue(rng: np.random.Generator, spacing: float, masses: tuple[Mass, ...]) -> Floats:
    """Echo level of the layers in dB, float32 ``GRID``: laid out flat, then bent. The masses lie above the muscle."""
    skin = rng.uniform(1.2, 2.2)
    fat = skin + rng.uniform(2, 10)
    gland = max([fat + rng.uniform(14, 30), *(mass.centre[0] + mass.reach for mass in masses)])
    muscle = gland + rng.uniform(1, 3)
    deep = muscle + rng.uniform(5, 12)

    waves, lobules, islands, fine, long = (
        _noise(rng, GRID, down / spacing, right / spacing)
        for down, right in ((9, 9), (3.2, rng.uniform(6, 9)), (3, 6), (0.45, rng.uniform(2, 4)), (0.7, 10))
    )
    depth = _places(GRID[0], spacing)[:, None]
    layer = (50 * np.clip(depth + np.minimum(depth / 6, 1) * waves, 0, 199)).astype(np.intp)
    profile = np.arange(10_000, dtype=np.float32) / 50  # every depth that ``layer`` looks up, in mm
    below = [np.clip((profile - border) / 0.6, 0, 1) for border in (skin, fat, gland, muscle, deep)]
    lines = np.zeros_like(profile)
    for border, gain in ((0.3, 12), (skin, 9), (muscle, 17), (deep, 15)):
        lines += gain * np.exp(-(((profile - border) / 0.28) ** 2))

    in_gland = (below[1] - below[2])[layer]
    islands = np.clip(1.6 * islands - rng.uniform(0.4, 2.4), 0, 1) * in_gland
    in_fat = (below[0] - below[1] + below[2] - below[3])[layer] + islands
    septa, ducts = np.exp(-((6 * lobules) ** 2)), np.exp(-((8 * lobules - 9) ** 2))
    level = in_fat * (FAT + 11 * septa + 1.5 * fine)
    level += (in_gland - islands) * (4.5 * fine + 3 * long + 2 * waves + 4 * septa - 8 * ducts)
    level += (below[3] - below[4])[layer] * (MUSCLE + 7 * np.maximum(long, 0) + 2 * fine)
    level += (DEEP * below[4])[layer] + lines[layer] * (1 + 0.3 * long)
    return _bend(rng, level, spacing, masses)


def _bend(rng: np.random.Generator, level: Floats, spacing: float, masses: tuple[Mass, ...]) -> Floats:
    """Move the layers up and down along each column; they part around a lesion."""
    depth, lateral = (_places(count, spacing) for count in GRID)
    sway = _noise(rng, GRID, 22 / spacing, rng.uniform(12, 20) / spacing) * rng.uniform(0.8, 2.4)
    source: Floats = depth[:, None] - sway * np.minimum(depth / 10, 1)[:, None]
    for mass in masses:
        down, right = (depth - mass.centre[0]) / mass.radii[0], (lateral - mass.centre[1]) / mass.radii[1]
        source -= (0.6 * mass.radii[0] * down * np.exp(-0.5 * down**2))[:, None] * np.exp(-0.5 * right**2)
    source = np.clip(source / spacing - 0.5, 0, GRID[0] - 1.01)
    first = source.astype(np.intp)
    part = source - first.astype(np.float32)
    here = first * GRID[1] + np.arange(GRID[1])
    bent: Floats = level.take(here) * (1 - part) + level.take(here + GRID[1]) * part
    return bent


def _shading(rng: np.random.Generator, spacing: float) -> Floats:
    """Gain in dB that attenuation, gain control and poor contact leave, float32 ``GRID``."""
    depth = _places(GRID[0], spacing)[:, None]
    ripple = _noise(rng, (GRID[0], 1), 12 / spacing, 1)
    columns = _noise(rng, (1, GRID[1]), 1, rng.uniform(3, 7) / spacing)
    loss = rng.uniform(0.2, 1.1) * np.maximum(depth - rng.uniform(12, 30), 0)
    streaks = rng.uniform(0.05, 0.45) * np.maximum(columns - 0.6, 0) * depth
    shade: Floats = 1.5 * ripple + 1.5 * columns - loss - streaks
    return shade


def _paint(rng: np.random.Generator, level: Floats, shade: Floats, mass: Mass, spacing: float) -> None:
    """Put a mass into ``level``, and what lies behind it into ``shade``."""
    box, distance = mass.distance(*(_places(count, spacing) for count in GRID))
    inside = np.clip(0.5 - distance / mass.edge, 0, 1)
    coarse = _noise(rng, distance.shape, 2.5 / spacing, 3.5 / spacing)
    fine = _noise(rng, distance.shape, 0.6 / spacing, 1.2 / spacing)
    level[box] += inside * (mass.level + 2 * coarse + 2 * fine - level[box])
    level[box] += mass.rim * np.exp(-((distance / mass.edge - 0.7) ** 2))
    path = scipy.ndimage.gaussian_filter1d(np.cumsum(inside, axis=0), 0.5 / spacing, axis=1, truncate=2) * spacing
    behind = np.clip(mass.posterior * path, -20, 11)
    shade[box] += behind
    shade[box[0].stop :, box[1]] += behind[-1]


def _envelope(rng: np.random.Generator, amplitude: Floats, spacing: float) -> Floats:
    """Envelope of the echoes of random scatterers, float32, of the shape of ``amplitude``.

    The point-spread function is Gaussian, short in depth, wider sideways and wider still away from the focus, and of
    unit energy, so that uniform scatterers of amplitude 1 give Rayleigh's law with a mean square of 1. Its carrier is
    left out: scatterers of random phase look the same at every frequency.
    """
    rows, columns = amplitude.shape
    axial = rng.uniform(0.12, 0.17) / spacing
    away = (_places(rows, spacing) - rng.uniform(12, 25)) / 14
    lateral = (rng.uniform(0.2, 0.28) / spacing * np.hypot(1, away))[:, None]
    echo = np.empty((rows, columns), np.complex64)
    echo.real = rng.standard_normal((rows, columns), dtype=np.float32) * amplitude
    echo.imag = rng.standard_normal((rows, columns), dtype=np.float32) * amplitude
    spectrum = scipy.fft.fft(echo, axis=1)
    spectrum *= np.exp(-2 * np.pi**2 * lateral**2 * scipy.fft.fftfreq(columns).astype(np.float32) ** 2)
    echo = scipy.fft.ifft(spectrum, axis=1)
    parts = [
        scipy.ndimage.gaussian_filter1d(part, axial, axis=0, mode="reflect", truncate=3)
        for part in (echo.real, echo.imag)
    ]
    envelope: Floats = np.hypot(*parts) * np.sqrt(2 * np.pi * axial * lateral)
    return envelope


def _compress(rng: np.random.Generator, envelope: Floats) -> Floats:
    """Log compression to [0, 1] over 50 to 60 dB, gland a little above the middle.

    The envelope is smoothed a little first, as compounding does in today's scanners.
    """
    for axis, width in enumerate((0.6, 0.9)):
        envelope = scipy.ndimage.gaussian_filter1d(envelope, width, axis=axis, truncate=3)
    decibel = 20 / math.log(10) * np.log(envelope + 1e-6)
    brightness: Floats = np.clip(1 + (decibel - rng.uniform(15, 22)) / rng.uniform(50, 60), 0, 1)
    return brightness


def _view(rng: np.random.Generator, scan: Scan) -> Drawing:
    """Crop and resize a scan, and burn marks in."""
    cut = rng.uniform(0, (0.03, 0.05, 0.06, 0.05)) * scan.spacing * np.tile(GRID, 2)
    start = (scan.start[0] + float(cut[0]), scan.start[1] + float(cut[1]))
    span = (scan.stop[0] - float(cut[2]) - start[0], scan.stop[1] - float(cut[3]) - start[1])
    finest = max(0.12, span[0] / HEIGHTS[1], span[1] / WIDTHS[1])
    coarsest = min(0.2, span[0] / HEIGHTS[0], span[1] / WIDTHS[0])
    pixel = rng.uniform(finest, coarsest)
    rows = int(np.clip(round(span[0] / pixel), *HEIGHTS))
    columns = int(np.clip(round(span[1] / pixel / rng.uniform(0.95, 1.05)), *WIDTHS))
    spacing = (span[0] / rows, span[1] / columns)

    depth, lateral = _places(rows, spacing[0], start[0]), _places(columns, spacing[1], start[1])
    bright = _sample(_sample(scan.brightness, depth / scan.spacing).T, lateral / scan.spacing).T
    pixels = np.rint(255 * bright ** rng.uniform(0.9, 1.2)).astype(np.uint8)
    mask = np.zeros((rows, columns), bool)
    for mass in scan.lesions:
        box, distance = mass.distance(depth, lateral)
        mask[box] |= distance < 0
    measurable = [
        [(int((d - start[0]) / spacing[0]), int((r - start[1]) / spacing[1])) for d, r in mass.ends()]
        for mass in (*scan.lesions, *scan.distractors[:1])
    ]
    measured = bool(measurable) and rng.random() < (0.25 if scan.lesions else 0.1)
    if measured:
        ends = measurable[int(rng.integers(len(measurable)))]
        inked.measure(pixels, ends[:2])
        inked.measure(pixels, ends[2:])
    written = rng.random() < 0.3
    if written:
        inked.write(rng, pixels)
    return Drawing(pixels, mask, spacing, scan.lesions, measured or written)


def _sample(values: Floats, place: Floats) -> Floats:
    """Linear interpolation of rows at ``place``, where pixel i has its centre at i + 0.5."""
    place = np.clip(place - 0.5, 0, len(values) - 1.001)
    first = place.astype(np.intp)
    part = (place - first.astype(np.float32))[:, None]
    sampled: Floats = values[first] * (1 - part) + values[first + 1] * part
    return sampled
