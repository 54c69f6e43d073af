"""Near-duplicates in a set of images, found from their pixels.

Copies of a scan differ in crop, size, brightness and burnt-in marks, so that hashes and plain differences miss them.
Two stages find them. *Candidates*: every image as a whole, 16 x 16, is compared with 16 crops of every other one, by
products of matrices in blocks; each image keeps its six best partners above a loose threshold. *Registration*, of the
candidates alone: see ``registration``.

Reading and registration grow as n, the candidates as n**2 * 4096 multiply-adds: for 20,000 images both take minutes.
Memory: about 20 KB for an image.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from operator import length_hint

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from sonoseg.data.registration import COPY_SCORE, Floats, Pixels, Small, flat, lay, small, spectra

Steps = Callable[[int, int], None]
"""Told after each step, such as an image: how many are done, and of how many."""

_CANDIDATE_SCORE = 0.6
_CANDIDATES = 6
_GRID = 16
_CUT = 0.1
_WINDOWS = tuple((top, 1 - low, left, 1 - right) for top, low, left, right in product((0.0, _CUT), repeat=4))
_BLOCK = 64


@dataclass(frozen=True)
class Pair:
    """Two images that are copies of each other; names in natural order, score up to 1."""

    first: str
    second: str
    score: float


def natural_key(name: str) -> tuple[tuple[str | int, ...], str]:
    """Sort key that puts ``benign (9)`` before ``benign (10)``."""
    return tuple(int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)), name


def find_pairs(
    images: Mapping[str, Pixels | Small] | Iterable[tuple[str, Pixels | Small]],
    progress: Steps | None = None,
    least: float = COPY_SCORE,
) -> list[Pair]:
    """Find all pairs that score ``least`` or more among named images, ``uint8 (H, W)``, read once, one at a time.

    What was reduced by ``small`` gives the same pairs.

    progress: called with (steps done, steps in all): one for an image read, one for an image compared; "in all" is 0
    while the number of images is not known. Pairs come in natural order. Errors: ``ValueError`` for a name given twice.
    """
    report = progress or (lambda _done, _all: None)
    reduced: dict[str, Pixels] = {}
    expected = length_hint(images)
    for name, pixels in images.items() if isinstance(images, Mapping) else images:
        if name in reduced:
            raise ValueError(f"{name!r} is named twice")
        reduced[name] = small(pixels).pixels
        report(len(reduced), 2 * expected)
    names = sorted(reduced, key=natural_key)
    ordered = [reduced[name] for name in names]
    pairs = []
    for second, partners in enumerate(_candidates(ordered)):
        moved = spectra(ordered[second]) if partners else []
        for first in partners:
            score = lay(ordered[first], ordered[second], moved).score
            if score >= least:
                pairs.append(Pair(names[first], names[second], score))
        report(len(names) + second + 1, 2 * len(names))
    return sorted(pairs, key=lambda pair: (natural_key(pair.first), natural_key(pair.second)))


def group(names: Iterable[str], pairs: Iterable[Pair]) -> dict[str, str]:
    """Close pairs into groups: name -> group, which is called by its first member in natural order.

    Errors: ``KeyError`` for a pair with a name that is not among ``names``.
    """
    parent = {name: name for name in sorted(names, key=natural_key)}

    def root(name: str) -> str:
        while parent[name] != name:
            name = parent[name]
        return name

    for pair in pairs:
        low, high = sorted((root(pair.first), root(pair.second)), key=natural_key)
        parent[high] = low
    return {name: root(name) for name in parent}


def _candidates(images: Sequence[NDArray[np.uint8]]) -> list[list[int]]:
    """For every image the earlier ones that may be its copies."""
    if not images:
        return []
    whole = np.stack([_crops(image)[0] for image in images])
    partners: list[set[int]] = [set() for _ in images]
    for start in range(0, len(images), _BLOCK):
        crops = np.concatenate([_crops(image) for image in images[start : start + _BLOCK]])
        alike = (crops @ whole.T).reshape(-1, len(_WINDOWS), len(images)).max(axis=1)
        for offset, scores in enumerate(alike):
            index = start + offset
            scores[index] = -1
            best = np.argsort(-scores, kind="stable")[:_CANDIDATES]
            for other in best[scores[best] >= _CANDIDATE_SCORE]:
                partners[max(index, int(other))].add(min(index, int(other)))
    return [sorted(found) for found in partners]


def _crops(image: NDArray[np.uint8]) -> Floats:
    """The windows of an image as unit vectors, ``float32 (windows, 256)``; the first one is the whole image."""
    picture = PIL.Image.fromarray(image)
    width, height = picture.size
    crops = [
        picture.resize((_GRID, _GRID), PIL.Image.Resampling.BOX, (x0 * width, y0 * height, x1 * width, y1 * height))
        for y0, y1, x0, x1 in _WINDOWS
    ]
    vectors = flat(np.stack([np.asarray(crop, np.float32) for crop in crops]), 0, 3).reshape(len(_WINDOWS), -1)
    vectors = vectors - vectors.mean(axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6), np.float32)
