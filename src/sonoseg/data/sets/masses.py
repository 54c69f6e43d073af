"""What a phantom has in its breast: lesions, and fat lobules and ribs that look like them.

Each is an outline, given by a formula in mm, and its acoustics. Places are (depth, lateral) in mm from the scan's
upper left corner. The kinds are those of the BI-RADS lexicon that tell benign from malignant; how often each occurs
is our choice, not a statistic.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Place = tuple[float, float]

SHAPES = {
    "benign": {"oval": 0.5, "lobulated": 0.25, "round": 0.2, "irregular": 0.05},
    "malignant": {"irregular": 0.5, "spiculated": 0.3, "lobulated": 0.1, "round": 0.05, "oval": 0.05},
}
ECHOES = {
    "benign": {"hypoechoic": 0.5, "anechoic": 0.25, "isoechoic": 0.15, "hyperechoic": 0.1},
    "malignant": {"hypoechoic": 0.88, "isoechoic": 0.12},
}
POSTERIORS = {
    "benign": {"enhancement": 0.5, "none": 0.45, "shadow": 0.05},
    "malignant": {"shadow": 0.5, "none": 0.4, "enhancement": 0.1},
}
LEVELS = {"anechoic": (-45, -34), "hypoechoic": (-16, -9), "isoechoic": (-7, -4), "hyperechoic": (6, 9)}
"""Echo levels in dB beside gland."""

SLOPES = {"enhancement": (0.7, 1.5), "none": (-0.1, 0.1), "shadow": (-1.6, -0.6)}
"""Change of gain behind a mass in dB per mm of path through it."""

FAT, BONE = -11.0, -17.0
"""Echo levels of fat and of what lies in the shadow of a rib's surface, in dB beside gland."""


@dataclass(frozen=True)
class Mass:
    """Something with an outline.

    centre, radii: (depth, lateral) in mm. tilt: radians. outline: float32 (N,), the radius over a full turn in units
    of ``radii``. level: dB beside gland. posterior: dB per mm of path through it. edge: width of the transition, in
    mm; the outline is its middle. rim: dB that the border is brighter.
    """

    shape: str
    echo: str
    centre: Place
    radii: tuple[float, float]
    tilt: float
    outline: Floats
    level: float
    edge: float = 0.3
    rim: float = 0.0
    posterior: float = 0.0

    @property
    def area(self) -> float:
        """Area in mm2 within the outline."""
        return float(math.pi * self.radii[0] * self.radii[1] * np.mean(np.square(self.outline, dtype=np.float64)))

    @property
    def reach(self) -> float:
        """Radius in mm of a circle about the centre that holds the outline."""
        return float(max(self.radii) * self.outline.max())

    def distance(self, depth: Floats, lateral: Floats) -> tuple[tuple[slice, slice], Floats]:
        """Distance in mm to the outline along the ray from the centre, negative inside, float32.

        ``depth`` and ``lateral`` are the rising places of rows and columns. Only the box that may hold the mass is
        computed: returned are its slices and the distances in it.
        """
        reach = self.reach + 2 * self.edge
        box = _within(depth, self.centre[0], reach), _within(lateral, self.centre[1], reach)
        down, right = (depth[box[0]] - self.centre[0])[:, None], (lateral[box[1]] - self.centre[1])[None, :]
        along = (right * math.cos(self.tilt) + down * math.sin(self.tilt)) / self.radii[1]
        across = (down * math.cos(self.tilt) - right * math.sin(self.tilt)) / self.radii[0]
        turn = np.arctan2(across, along) * (len(self.outline) / (2 * math.pi))
        border = self.outline[np.rint(turn).astype(np.intp) % len(self.outline)]
        return box, np.hypot(down, right) * (1 - border / np.maximum(np.hypot(along, across), 1e-6))

    def ends(self) -> list[Place]:
        """Both ends of one axis, then of the other, where a reader would set calipers."""
        points = []
        for quarter in (0, 2, 1, 3):
            radius = float(self.outline[quarter * len(self.outline) // 4])
            along = self.radii[1] * radius * math.cos(quarter * math.pi / 2)
            across = self.radii[0] * radius * math.sin(quarter * math.pi / 2)
            down = along * math.sin(self.tilt) + across * math.cos(self.tilt)
            right = along * math.cos(self.tilt) - across * math.sin(self.tilt)
            points.append((self.centre[0] + down, self.centre[1] + right))
        return points

    def touches(self, other: "Mass") -> bool:
        """Whether the circles about both overlap."""
        return math.dist(self.centre, other.centre) < self.reach + other.reach


def lesions(rng: np.random.Generator, label: str, size: tuple[float, float]) -> tuple[Mass, ...]:
    """Draw one lesion, seldom two, for a scan of ``size`` mm; none for ``normal``."""
    if label == "normal":
        return ()
    first = _lesion(rng, label, size)
    if rng.random() > 0.08:
        return (first,)
    second = _lesion(rng, label, size)
    return (first,) if first.touches(second) else (first, second)


def distractors(rng: np.random.Generator, size: tuple[float, float], clear_of: tuple[Mass, ...]) -> tuple[Mass, ...]:
    """Draw up to three fat lobules and a rib for a scan of ``size`` mm, away from the lesions."""
    found = []
    for _ in range(int(rng.integers(0, 4))):
        wide = rng.uniform(4, 10)
        radii = (wide * rng.uniform(0.25, 0.45), wide)
        centre = (rng.uniform(4, 0.6 * size[0]), rng.uniform(0, size[1]))
        outline = _outline(rng, "lobulated")
        found.append(Mass("lobulated", "fat", centre, radii, rng.normal(0, 0.2), outline, FAT, edge=0.6, rim=6.0))
    if rng.random() < 0.25:
        centre = (rng.uniform(0.75, 0.9) * size[0], rng.uniform(0, size[1]))
        rib = Mass("oval", "rib", centre, (4.0, 7.0), 0.0, _outline(rng, "oval"), BONE, 0.8, rim=9.0, posterior=-5.0)
        found.append(rib)
    return tuple(mass for mass in found if not any(mass.touches(other) for other in clear_of))


def _lesion(rng: np.random.Generator, label: str, size: tuple[float, float]) -> Mass:
    shape, echo, posterior = (_pick(rng, odds[label]) for odds in (SHAPES, ECHOES, POSTERIORS))
    malignant = label == "malignant"
    share = np.clip((0.065 if malignant else 0.028) * np.exp(rng.normal(0, 0.6)), 0.006, 0.22)
    ratios = {"oval": (0.5, 0.75), "round": (0.92, 1.05)}.get(shape, (0.65, 1.3) if malignant else (0.55, 0.85))
    tall = math.sqrt(rng.uniform(*ratios))
    radius = math.sqrt(share * size[0] * size[1] / math.pi)
    highest = 4.5 + radius * tall
    return Mass(
        shape,
        echo,
        centre=(rng.uniform(highest, max(0.55 * size[0], highest + 1)), rng.uniform(0.25, 0.75) * size[1]),
        radii=(radius * tall, radius / tall),
        tilt=rng.normal(0, 0.2),
        outline=_outline(rng, shape),
        level=rng.uniform(*LEVELS[echo]),
        edge=rng.uniform(0.7, 2.2) if malignant else rng.uniform(0.25, 0.5),
        rim=rng.uniform(0, 8),
        posterior=rng.uniform(*SLOPES["enhancement" if echo == "anechoic" else posterior]),
    )


def _outline(rng: np.random.Generator, shape: str) -> Floats:
    """Radius over a full turn, float32 (2048,), about 1."""
    turn = np.linspace(0, 2 * math.pi, 2048, endpoint=False)
    outline = np.ones(2048)
    if shape == "oval":
        outline += 0.03 * np.cos(3 * turn + rng.uniform(0, 2 * math.pi))
    if shape == "lobulated":
        lobes = np.cos(rng.integers(3, 5) * turn / 2 + rng.uniform(0, math.pi))
        outline += rng.uniform(0.15, 0.28) * (np.sqrt(lobes**2 + 0.03) - 0.68)
        outline += 0.06 * np.cos(turn + rng.uniform(0, 2 * math.pi))
    if shape in ("irregular", "spiculated"):
        for order in range(2, 11):
            outline += rng.normal(0, 0.17 / order**0.6) * np.cos(order * turn + rng.uniform(0, 2 * math.pi))
    if shape == "spiculated":
        for _ in range(rng.integers(7, 14)):
            away = np.cos(turn - rng.uniform(0, 2 * math.pi)) - 1
            outline += rng.uniform(0.15, 0.45) * np.exp(away / rng.uniform(0.004, 0.015))
    return np.maximum(outline, 0.45).astype(np.float32)


def _pick(rng: np.random.Generator, odds: dict[str, float]) -> str:
    return str(rng.choice(list(odds), p=list(odds.values())))


def _within(places: Floats, centre: float, reach: float) -> slice:
    return slice(*np.searchsorted(places, (centre - reach, centre + reach)).tolist())
