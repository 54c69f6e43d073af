"""What a user has: files and folders, found in a stable order and read item by item, whatever they hold.

A file is what its first bytes say, not its suffix. A new kind of file is a row of ``READERS``.
"""

import io
import math
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from sonoseg.errors import UserError
from sonoseg.images import clips, dicom, pictures
from sonoseg.images.image import Image, Item
from sonoseg.images.pictures import MAX_PIXELS, from_array, from_picture


class Reader(NamedTuple):
    """One kind of file. suffixes: that its files mostly have. begins: whether the first bytes, ``HEAD``, are its own.

    items: gives its images one at a time, of at most so many pixels; errors: ``UserError``.
    """

    suffixes: tuple[str, ...]
    begins: Callable[[bytes], bool]
    items: Callable[[Path, int], Iterator[Item]]


READERS = {  # DICOM first: its first bytes may be those of a TIFF
    "DICOM": Reader(dicom.SUFFIXES, dicom.is_dicom, dicom.read_dicom),
    "picture": Reader(pictures.SUFFIXES, pictures.is_picture, pictures.read_pages),
    "clip": Reader(clips.SUFFIXES, clips.is_clip, clips.read_clip),
}

Given = Image | NDArray[np.generic] | PIL.Image.Image | Path | str
"""What a user may have for an image."""

Spacing = float | tuple[float, float] | None

HEAD = 512
"""Bytes at the beginning of a file that tell what it is."""

MIN_SIDE = 16
"""Pictures with a shorter side hold nothing to be found, and are refused."""

PLAUSIBLE = (2, 300)
"""Sides of a scan, in mm, that a spacing may give it; beyond, it was meant in another unit."""

_OUTPUT = re.compile(r"(?P<stem>.+)_(mask(_\d+)?|overlay|explain|seg|sr|sc)")
"""Names of masks and of what is written here; they are no scans where the scan or its JSON lies beside them."""

_PAGE = re.compile(r"(?P<stem>.+)_page\d{3,}")
"""Names of the outputs of a page."""


@dataclass(frozen=True)
class Found:
    """One file to predict. name: as the user would find it, with forward slashes. stem: of its outputs, without suffix.

    Both are relative to the folder that was given, or to the file's own; stems differ, also where case does not count.
    """

    path: Path
    name: str
    stem: str


def find(inputs: Sequence[Path], reserved: Sequence[str] = ()) -> list[Found]:
    """Find the files to predict: those named, and those in the folders named that some reader knows, by name.

    A reader knows them by suffix or by content. Hidden files, what is written here beside its scan, and the reports,
    segmentations and lists of a DICOM study are left out. A DICOMDIR that is named stands for the files that it lists,
    and a folder that cannot be read for itself. reserved: stems that no file may have.
    Errors: ``UserError`` for a path that does not exist, or where nothing is found.
    """
    named: list[tuple[Path, PurePosixPath]] = []
    for given in inputs:
        if given.is_dir():
            named += [(path, PurePosixPath(path.relative_to(given).as_posix())) for path in _in_folder(given)]
        elif dicom.is_directory(_head(given)):
            listed = dicom.read_directory(given)
            named += [(path, PurePosixPath(path.relative_to(given.parent).as_posix())) for path in listed]
        elif given.exists():
            named.append((given, PurePosixPath(given.name)))
        else:
            raise UserError(f"{given} does not exist", hint="check the path")
    if not named:
        raise UserError(
            f"there is no picture and no clip in {', '.join(map(str, inputs))}; "
            f"looked for {', '.join(suffix for reader in READERS.values() for suffix in reader.suffixes)}",
            hint="give a folder that holds some, or a file",
        )
    return [Found(path, str(name), stem) for (path, name), stem in zip(named, _stems(named, reserved), strict=True)]


def read(path: Path, spacing: tuple[float, float] | None = None, max_pixels: int = MAX_PIXELS) -> Iterator[Item]:
    """Read a file of any kind, one image at a time. spacing: (row, column) in mm, or None to keep what the file says.

    Errors: ``UserError`` of its reader, for an image with a side shorter than ``MIN_SIDE``, and where there is none.
    """
    item = None
    for item in _reader(path).items(path, max_pixels):
        yield replace(item, image=_checked(item.image, spacing))
    if item is None:
        raise UserError(f"{path} holds no image", hint="copy or download it again")


def find_dicom(inputs: Sequence[Path]) -> list[Path]:
    """Find the DICOM files of any kind: those named, whatever they are, and those in the folders named, by name.

    A DICOMDIR is left out. Errors: ``UserError`` where no file is DICOM.
    """
    found, known = list[Path](), 0
    for given in inputs:
        is_folder = given.is_dir()
        for file in sorted(given.rglob("*")) if is_folder else [given]:
            head = _head(file)
            is_dicom = dicom.is_dicom(head)
            if not dicom.is_directory(head) and (is_dicom or not is_folder):
                found.append(file)
                known += is_dicom
    if not known:
        raise UserError(f"there is no DICOM in {', '.join(map(str, inputs))}", hint="check the path")
    return found


def as_image(given: Given, spacing: Spacing = None) -> Image:
    """Make an ``Image`` of what a user has: one already, an array (see ``from_array``), a Pillow picture, a file.

    spacing: mm per pixel, one length or (row, column); None keeps what the file or image says. Of a file of pages it is
    the first. Errors: ``UserError`` as the readers raise it, for a clip, and for an image or spacing that is too small.
    """
    if isinstance(given, str | Path):
        if not str(given).strip():
            raise UserError("an empty name was given for an image", hint="give its path")
        item = next(read(Path(given)))
        if item.moves:
            raise UserError(f"{given} is a clip; one image is needed", hint=f"sonoseg predict {given}")
        image = item.image
    elif isinstance(given, Image):
        image = given
    elif isinstance(given, np.ndarray | PIL.Image.Image):
        image = from_array(given) if isinstance(given, np.ndarray) else from_picture(given)
    else:
        raise UserError(f"a {type(given).__name__} is no image", hint="give a path, an array or a Pillow picture")
    return image if image is given and spacing is None else _checked(image, _lengths(spacing))


def _lengths(spacing: Spacing) -> tuple[float, float] | None:
    if spacing is None:
        return None
    try:
        lengths = [
            float(each) for each in ((spacing, spacing) if isinstance(spacing, int | float | np.number) else spacing)
        ]
    except (TypeError, ValueError):
        lengths = []
    if len(lengths) != 2 or not all(math.isfinite(length) and length > 0 for length in lengths):
        raise UserError(f"the spacing {spacing!r} is not mm per pixel", hint="spacing=0.07, or spacing=(row, column)")
    return lengths[0], lengths[1]


def is_dicom(path: Path) -> bool:
    """Whether a file is read as DICOM."""
    return _reader(path) is READERS["DICOM"]


def _reader(path: Path) -> Reader:
    """Who reads a file: by its first bytes, or by its suffix where they tell nothing, or else the one of pictures."""
    return _known(path) or READERS["picture"]


def _known(path: Path) -> Reader | None:
    head, suffix = _head(path), path.suffix.lower()
    by_content = (reader for reader in READERS.values() if reader.begins(head))
    by_suffix = (reader for reader in READERS.values() if suffix in reader.suffixes)
    return next(by_content, None) or next(by_suffix, None)


def _head(path: Path) -> bytes:
    """The first bytes of a file; none of what cannot be read, or might never end."""
    try:
        with path.open("rb") if path.is_file() else io.BytesIO() as file:
            return file.read(HEAD)
    except OSError:
        return b""


def _checked(image: Image, spacing: tuple[float, float] | None = None) -> Image:
    if min(image.shape) < MIN_SIDE:
        (height, width), source = image.shape, image.source or "the image"
        raise UserError(
            f"{source} has {width:,} x {height:,} pixels; at least {MIN_SIDE} on each side are needed",
            hint="give the whole scan",
        )
    if not spacing:
        return image
    check_spacing(image.shape, spacing, image.source or "the image")
    return measured(image, spacing)


def measured(image: Image, spacing: tuple[float, float]) -> Image:
    """Give an image the size of a pixel that somebody told; what its file notes of its own does not hold then."""
    return replace(image, spacing=spacing, notes=tuple(note for note in image.notes if note not in dicom.SCALE))


def check_spacing(shape: tuple[int, int], spacing: tuple[float, float], name: str) -> None:
    """Refuse a size of a pixel that makes no scan of an image, (H, W). Errors: ``UserError``."""
    sides = [pixels * each for pixels, each in zip(shape, spacing, strict=True)]
    if not PLAUSIBLE[0] <= min(sides) <= max(sides) <= PLAUSIBLE[1]:
        raise UserError(
            f"at this spacing {name} would be {sides[1]:.0f} mm wide and {sides[0]:.0f} mm high; "
            f"a scan has {PLAUSIBLE[0]} to {PLAUSIBLE[1]} mm",
            hint="give the size of one pixel in mm, such as --spacing 0.07",
        )


def spacing_of(text: str) -> tuple[float, float]:
    """Understand ``0.07`` or ``ROW,COLUMN``, in mm per pixel. Errors: ``UserError``."""
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) not in {1, 2} or not all(math.isfinite(value) and 0 < value < 10 for value in values):
        raise UserError(
            f"the spacing {text!r} is not understood; it is mm per pixel, over 0 and under 10, or ROW,COLUMN",
            hint="--spacing 0.07, or --spacing 0.07,0.05",
        )
    return values[0], values[-1]


def _in_folder(folder: Path) -> list[Path]:
    paths = list[Path]()
    for place, folders, files in os.walk(folder, onerror=lambda error: paths.append(Path(error.filename))):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        stems = {Path(file).stem for file in files}
        for file in sorted(files):
            output = _OUTPUT.fullmatch(Path(file).stem)
            beside_its_scan = output is not None and output["stem"] in stems
            path = Path(place) / file
            if beside_its_scan or file.startswith(".") or dicom.is_document(_head(path)):
                continue
            if _known(path):
                paths.append(path)
    return paths


def _stems(named: Sequence[tuple[Path, PurePosixPath]], reserved: Sequence[str]) -> list[str]:
    """Names of outputs: without the suffix, or with it where that tells two files apart, or with a number.

    None is reserved, nor one that the pages of another file could have.
    """
    short = [str(name.with_suffix("")) for _, name in named]
    often = Counter(_alike(stem) for stem in short)
    stems = dict[int, str]()
    taken = {_alike(stem) for stem in reserved}
    for index in sorted(range(len(named)), key=lambda index: len(short[index])):  # a page's name is longer
        wanted = str(named[index][1]) if often[_alike(short[index])] > 1 else short[index]
        free, number = wanted, 1
        while _alike(free) in taken or _is_page(free, taken):
            number += 1
            free = f"{wanted}_{number}"
        taken.add(_alike(free))
        stems[index] = free
    return [stems[index] for index in range(len(named))]


def _alike(stem: str) -> str:
    """The same for names that some file system does not tell apart."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", stem).casefold())


def _is_page(stem: str, stems: Collection[str]) -> bool:
    page = _PAGE.fullmatch(_alike(stem))
    return page is not None and page["stem"] in stems
