"""Small pictures for the trees that tests make, and what is in such trees."""

import csv
from pathlib import Path

import numpy as np
import PIL.Image


def grey(shape=(24, 32), seed=0):
    """Noise, uint8."""
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def blob(shape=(24, 32), top=6, left=8, size=9):
    """A square of a mask, bool."""
    mask = np.zeros(shape, bool)
    mask[top : top + size, left : left + size] = True
    return mask


def write(path, pixels):
    """Save uint8 or bool pixels; folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.asarray(pixels)
    PIL.Image.fromarray(pixels.astype(np.uint8) * np.uint8(255) if pixels.dtype == bool else pixels).save(path)
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in names(folder)}


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
