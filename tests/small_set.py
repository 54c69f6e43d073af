"""A small set in memory, with everything that a set can have."""

import numpy as np

from sonoseg.data.folds import Folds, Row
from sonoseg.data.samples import DataSet, Sample
from sonoseg.images.image import Image
from trees import blob, grey

SHAPES = {
    "benign (1)": (24, 32),
    "malignant (1)": (30, 20),
    "normal (1)": (24, 24),
    "benign (2)": (24, 32),
    "p/x": (25, 33),
}


class Reader:
    """Gives an image with one lesion, two that touch at a corner, or none; the mask is full for the last."""

    def __init__(self, name):
        self.name = name

    def __call__(self):
        number = list(SHAPES).index(self.name)
        shape = SHAPES[self.name]
        mask = [
            blob(shape),
            blob(shape, 2, 2, 4) | blob(shape, 12, 10, 4) | blob(shape, 16, 14, 3),
            np.zeros(shape, bool),
            blob(shape, 0, 0, 3),
            np.ones(shape, bool),
        ][number]
        return Image(grey(shape, number), (0.1, 0.125) if number == 0 else None, self.name), mask


def small_set():
    rows = (
        Row("benign (1)", "benign", "benign (1)", 0, ("copy",)),
        Row("malignant (1)", "malignant", "malignant (1)", 1),
        Row("normal (1)", "normal", "normal (1)", None, ("copy", "crosses-classes", "excluded")),
        Row("benign (2)", "benign", "benign (1)", 0, ("copy",)),
        Row("p/x", "unknown", "p", 1),
    )
    samples = tuple(Sample(row.image, row.label, Reader(row.image)) for row in rows)
    return DataSet("small", "small:", samples, Folds(rows), "copies", "Somebody 2020", "CC BY 4.0")


def assert_same(first, second):
    """Names, labels, folds, images, masks and spacing are equal."""
    assert {s.name: s.label for s in first.samples} == {s.name: s.label for s in second.samples}
    assert set(first.folds.rows) == set(second.folds.rows)
    assert (first.grouping, first.citation, first.licence) == (second.grouping, second.citation, second.licence)
    others = {sample.name: sample for sample in second.samples}
    for sample in first.samples:
        (image, mask), (other, other_mask) = sample.read(), others[sample.name].read()
        assert np.array_equal(image.pixels, other.pixels)
        assert np.array_equal(mask, other_mask)
        assert image.spacing == other.spacing
