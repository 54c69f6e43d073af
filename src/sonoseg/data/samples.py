"""What a data set is made of: samples that know how to read themselves."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sonoseg.images import Image

LABELS = ("benign", "malignant", "normal", "unknown")

Pair = tuple[Image, NDArray[np.bool_]]


@dataclass(frozen=True)
class Sample:
    """One image with its truth, read when it is asked for.

    name: unique in its set. label: one of ``LABELS``. group: images that must stay on one side of every split.
    read: gives the ``Image`` and its mask, ``bool (H, W)`` of the same size, all lesions united; it can be pickled.
    Errors: ``ValueError`` for a label that is not known.
    """

    name: str
    label: str
    group: str
    read: Callable[[], Pair]

    def __post_init__(self) -> None:
        if self.label not in LABELS:
            raise ValueError(f"label must be one of {LABELS}, not {self.label!r}")


@dataclass(frozen=True)
class DataSet:
    """A named set: samples in a stable order, what a group of it means, spec as the user gave it, how to cite it."""

    name: str
    spec: str
    samples: tuple[Sample, ...]
    grouping: str
    citation: str
    licence: str


def digest(image: Image) -> str:
    """16 hexadecimal digits that tell this image's pixels from any other's, whatever the file is called."""
    content = hashlib.sha256(repr(image.shape).encode() + image.pixels.tobytes())
    return content.hexdigest()[:16]
