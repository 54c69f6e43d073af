"""What a user has: files and folders, found in a stable order and read as images."""

import math
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from sonoseg.errors import UserError
from sonoseg.images import clips
from sonoseg.images.pictures import MAX_PIXELS, Image, Page, read_pages

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".gif", ".webp", ".pgm", ".jp2")

MIN_SIDE = 16
"""Pictures with a shorter side hold nothing to be found, and are refused."""

_OUTPUT = re.compile(r"(?P<stem>.+)_(mask(_\d+)?|overlay|explain)")
"""Names of masks and of what is written here; they are no scans where the scan or its JSON lies beside them."""


@dataclass(frozen=True)
class Found:
    """One file to predict. name: as the user would find it, with forward slashes. stem: of its outputs, without suffix.

    Both are relative to the folder that was given, or to the file's own; stems differ, also where case does not count.
    """

    path: Path
    name: str
    stem: str

    @property
    def is_clip(self) -> bool:
        """Whether the name is that of a clip."""
        return self.path.suffix.lower() in clips.SUFFIXES


def find(inputs: Sequence[Path]) -> list[Found]:
    """Find the files to predict: those named, and all pictures and clips in the folders named, by name.

    Hidden files, and masks and overlays beside their scan, are left out of folders.
    Errors: ``UserError`` for a path that does not exist, or where nothing is found.
    """
    named: list[tuple[Path, PurePosixPath]] = []
    for given in inputs:
        if given.is_dir():
            named += [(path, PurePosixPath(path.relative_to(given).as_posix())) for path in _in_folder(given)]
        elif given.exists():
            named.append((given, PurePosixPath(given.name)))
        else:
            raise UserError(f"{given} does not exist", hint="check the path")
    if not named:
        raise UserError(
            f"there is no picture and no clip in {', '.join(map(str, inputs))}; "
            f"looked for {', '.join((*PICTURES, *clips.SUFFIXES))}",
            hint="give a folder that holds some, or a file",
        )
    return [Found(path, str(name), stem) for (path, name), stem in zip(named, _stems(named), strict=True)]


def read(path: Path, spacing: tuple[float, float] | None = None, max_pixels: int = MAX_PIXELS) -> Iterator[Page]:
    """Read the pages of a picture file. spacing: (row, column) in mm, or None to keep what the file says.

    Errors: ``UserError`` as ``read_pages``, and for a picture with a side shorter than ``MIN_SIDE``.
    """
    for page in read_pages(path, max_pixels):
        yield page._replace(image=checked(page.image, spacing))


def checked(image: Image, spacing: tuple[float, float] | None = None) -> Image:
    """Give the image its spacing. Errors: ``UserError`` where a side is shorter than ``MIN_SIDE``."""
    if min(image.shape) < MIN_SIDE:
        height, width = image.shape
        raise UserError(
            f"{image.source} has {width:,} x {height:,} pixels; at least {MIN_SIDE} on each side are needed",
            hint="give the whole scan",
        )
    return replace(image, spacing=spacing) if spacing else image


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
    paths = []
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        stems = {Path(file).stem for file in files}
        for file in sorted(files):
            output = _OUTPUT.fullmatch(Path(file).stem)
            beside_its_scan = output is not None and output["stem"] in stems
            known = Path(file).suffix.lower() in (*PICTURES, *clips.SUFFIXES)
            if known and not beside_its_scan and not file.startswith("."):
                paths.append(Path(place) / file)
    return paths


def _stems(named: Sequence[tuple[Path, PurePosixPath]]) -> list[str]:
    """Names of outputs: without the suffix, or with it where that tells two files apart, or with a number."""
    short = [str(name.with_suffix("")) for _, name in named]
    often = Counter(stem.casefold() for stem in short)
    stems: list[str] = []
    taken: set[str] = set()
    for stem, (_, name) in zip(short, named, strict=True):
        wanted = str(name) if often[stem.casefold()] > 1 else stem
        free, number = wanted, 1
        while free.casefold() in taken:
            number += 1
            free = f"{wanted}_{number}"
        taken.add(free.casefold())
        stems.append(free)
    return stems
