"""What a data set is made of: samples that know how to read themselves, and the folds that keep groups together."""

import hashlib
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from sonoseg.data.copies import natural_key
from sonoseg.data.dealing import assign
from sonoseg.data.folds import Folds, Row
from sonoseg.errors import UserError
from sonoseg.images.image import Image
from sonoseg.images.pictures import FORMATS, read_image, read_mask

LABELS = ("benign", "malignant", "normal", "unknown")

ALONE = "each image alone (copies were not looked for; sonoseg data folds finds them)"
"""The ``grouping`` of a set that tells no groups."""

FOLDS = 5

_EXIF_ORIENTATION = 0x0112
_TURNED = (5, 6, 7, 8)

Pair = tuple[Image, NDArray[np.bool_]]


@dataclass(frozen=True)
class Sample:
    """One image with its truth, read when it is asked for.

    name: unique in its set. label: one of ``LABELS``. read: gives the ``Image`` and its mask, ``bool (H, W)`` of the
    same size, all lesions united; it can be pickled. masks: how many masks were united, None where a set tells none.
    original: ``digest`` of the image that this one was made from; empty where it is the original itself. marks: whether
    that bore burnt-in marks, and beside: what was cut beside its lesions, where both were looked for beforehand.
    Errors: ``ValueError`` for a label that is not known.
    """

    name: str
    label: str
    read: Callable[[], Pair]
    masks: int | None = None
    original: str = ""
    marks: bool | None = None
    beside: tuple[Image, ...] | None = None

    def __post_init__(self) -> None:
        if self.label not in LABELS:
            raise ValueError(f"label must be one of {LABELS}, not {self.label!r}")


@dataclass(frozen=True)
class DataSet:
    """A named set, its samples in a stable order.

    spec: what the user typed. folds: group, fold and flags of each sample. grouping: what a group is (copies, patient).
    citation, licence: as the set's authors state them.
    Errors: ``ValueError`` where two samples have one name, or one has no row in the folds.
    """

    name: str
    spec: str
    samples: tuple[Sample, ...]
    folds: Folds
    grouping: str
    citation: str
    licence: str

    def __post_init__(self) -> None:
        names = {sample.name for sample in self.samples}
        if len(names) < len(self.samples) or not names <= self.folds.groups.keys():
            raise ValueError(f"a sample of {self.spec} has the name of another one, or no row in the folds")


def read_pair(image_path: Path, mask_paths: tuple[Path, ...], spacing: tuple[float, float] | None = None) -> Pair:
    """Read an image and the union of its masks; without a mask file the mask is empty.

    spacing: (row, column) in mm where the set tells it beside the file.
    Errors: ``UserError`` for a file that cannot be read and for a mask of another size than its image.
    """
    image = read_image(image_path)
    union = np.zeros(image.shape, bool)
    for path in mask_paths:
        mask = read_mask(path)
        check_same_size(image_path, image.shape, path, mask.shape)
        union |= mask
    return (replace(image, spacing=spacing) if spacing else image), union


def check_same_size(image: Path, image_shape: tuple[int, ...], mask: Path, mask_shape: tuple[int, ...]) -> None:
    """Refuse a mask of another (H, W) than its image. Errors: ``UserError`` naming both."""
    if mask_shape != image_shape:
        raise UserError(
            f"{mask} is {mask_shape[0]} x {mask_shape[1]} pixels, its image {image.name} is "
            f"{image_shape[0]} x {image_shape[1]}; they must be of one size",
            hint=f"replace {mask.name} from the original release",
        )


def picture_shape(path: Path) -> tuple[int, int]:
    """(H, W) of a picture, upright, from its header alone. Errors: ``UserError`` for a file that is no picture."""
    try:
        with warnings.catch_warnings(), PIL.Image.open(path, formats=FORMATS) as picture:
            warnings.simplefilter("ignore")
            width, height = picture.size
            # The plugins' own getexif decodes the whole picture to look behind it.
            turned = PIL.Image.Image.getexif(picture).get(_EXIF_ORIENTATION) in _TURNED
    except Exception as error:  # a broken file can raise nearly anything in a decoder
        raise UserError(f"{path} is not a picture that can be read", hint="use PNG, JPEG, BMP or TIFF") from error
    return (width, height) if turned else (height, width)


def whole_groups(labels: Mapping[str, str], groups: Mapping[str, str]) -> Folds:
    """Make folds of groups that are no copies, such as patients: whole, classes balanced, no flags.

    labels, groups: by name. Fewer than ``FOLDS`` groups make fewer folds; a single group is in none.
    """
    names = sorted(labels, key=natural_key)
    count = min(FOLDS, len({groups[name] for name in names}))
    folds = assign(names, labels, groups, count) if count > 1 else {}
    return Folds(tuple(Row(name, labels[name], groups[name], folds.get(name)) for name in names))


def digest(image: Image) -> str:
    """16 hexadecimal digits that tell this image's pixels from any other's, whatever the file is called."""
    content = hashlib.sha256(repr(image.shape).encode() + image.pixels.tobytes())
    return content.hexdigest()[:16]


def digest_of(sample: Sample, image: Image) -> str:
    """The digest of the original that a sample's image is, or was made from."""
    return sample.original or digest(image)
