"""What a data set is made of: samples that know how to read themselves, and the folds that keep groups together."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sonoseg.data.folds import Folds
from sonoseg.errors import UserError
from sonoseg.images import Image, read_image, read_mask

LABELS = ("benign", "malignant", "normal", "unknown")

Pair = tuple[Image, NDArray[np.bool_]]


@dataclass(frozen=True)
class Sample:
    """One image with its truth, read when it is asked for.

    name: unique in its set. label: one of ``LABELS``. read: gives the ``Image`` and its mask, ``bool (H, W)`` of the
    same size, all lesions united; it can be pickled. Errors: ``ValueError`` for a label that is not known.
    """

    name: str
    label: str
    read: Callable[[], Pair]

    def __post_init__(self) -> None:
        if self.label not in LABELS:
            raise ValueError(f"label must be one of {LABELS}, not {self.label!r}")


@dataclass(frozen=True)
class DataSet:
    """A named set, its samples in a stable order.

    spec: what the user typed. folds: group, fold and flags of each sample. grouping: what a group is (copies, patient).
    citation, licence: as the set's authors state them.
    """

    name: str
    spec: str
    samples: tuple[Sample, ...]
    folds: Folds
    grouping: str
    citation: str
    licence: str


def read_pair(image_path: Path, mask_paths: tuple[Path, ...]) -> Pair:
    """Read an image and the union of its masks; without a mask file the mask is empty.

    Errors: ``UserError`` for a file that cannot be read and for a mask of another size than its image.
    """
    image = read_image(image_path)
    union = np.zeros(image.shape, bool)
    for path in mask_paths:
        mask = read_mask(path)
        if mask.shape != image.shape:
            raise UserError(
                f"{path} is {mask.shape[0]} x {mask.shape[1]} pixels, its image {image_path.name} is "
                f"{image.shape[0]} x {image.shape[1]}; they must be of one size",
                hint=f"replace {path.name} from the original release",
            )
        union |= mask
    return image, union


def digest(image: Image) -> str:
    """16 hexadecimal digits that tell this image's pixels from any other's, whatever the file is called."""
    content = hashlib.sha256(repr(image.shape).encode() + image.pixels.tobytes())
    return content.hexdigest()[:16]
