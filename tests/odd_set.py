"""A set in memory with one of everything that an audit finds."""

import numpy as np

from scans import cropped, resized, scan
from sonoseg.data.folds import Folds, Row
from sonoseg.data.samples import DataSet, Sample
from sonoseg.errors import UserError
from sonoseg.images.image import Image

SHAPE = (240, 300)
ROWS, COLUMNS = np.mgrid[: SHAPE[0], : SHAPE[1]]
NOTHING = np.zeros(SHAPE, bool)


def disc(row, column, radius):
    return (ROWS - row) ** 2 + (COLUMNS - column) ** 2 <= radius**2


def ringed():
    """Two lesions, one with a hole, and a speck of five pixels."""
    mask = disc(120, 80, 20) | disc(120, 200, 12)
    mask[118:121, 78:81] = False
    mask[20, 20:25] = True
    return mask


def marked(pixels):
    pixels = pixels // 2
    pixels[180:200, 150:152] = 230
    return pixels


def copy_of(pixels, mask):
    grey = np.where(mask, np.uint8(255), np.uint8(0))
    cut = (0.05, 0.08, 0.03, 0.06)
    return resized(cropped(pixels, *cut), 1.3), resized(cropped(grey, *cut), 1.3) > 127


MADE = {
    "plain": ("benign", 1, lambda: (Image(scan(1)), disc(120, 150, 30))),
    "copy": ("malignant", 1, lambda: (lambda p, m: (Image(p), m))(*copy_of(scan(1), disc(120, 150, 30)))),
    "odd": ("benign", 2, lambda: (Image(scan(2)), ringed())),
    "normal": ("normal", 0, lambda: (Image(scan(3)), NOTHING)),
    "normal too": ("normal", None, lambda: (Image(scan(4)), disc(0, 150, 30))),
    "missing": ("benign", 1, lambda: (Image(scan(5)), NOTHING)),
    "full": ("benign", 1, lambda: (Image(marked(scan(6)), coloured=True), ~NOTHING)),
    "broken": ("benign", 1, None),
}


class Reader:
    def __init__(self, name):
        self.name = name

    def __call__(self):
        if MADE[self.name][2] is None:
            raise UserError(f"{self.name}.png cannot be decoded", hint="copy it again")
        return MADE[self.name][2]()


def odd_set(names=tuple(MADE), grouping="patient", groups=None):
    """The named images; each is a group of its own unless ``groups`` says otherwise, in fold 0 or 1 by turns."""
    rows = tuple(Row(name, MADE[name][0], (groups or {}).get(name, name), i % 2) for i, name in enumerate(names))
    samples = tuple(Sample(name, MADE[name][0], Reader(name), MADE[name][1]) for name in names)
    return DataSet("odd", "odd:", samples, Folds(rows), grouping, "Somebody <2020>", "CC BY 4.0")
