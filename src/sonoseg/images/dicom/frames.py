"""A DICOM file -> its frames, one at a time: grey, with the windows that show tissue and the size of a pixel."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from pydicom.dataset import Dataset

from sonoseg.errors import UserError
from sonoseg.images.dicom import codecs
from sonoseg.images.dicom.objects import Pixels, check_ultrasound, opened, quiet
from sonoseg.images.dicom.regions import Regions
from sonoseg.images.dicom.tones import tones
from sonoseg.images.image import Item
from sonoseg.images.pictures import MAX_PIXELS

_NEEDED = ("Rows", "Columns", "BitsAllocated", "BitsStored", "SamplesPerPixel", "PhotometricInterpretation")

_RATE = 25.0
"""Frames per second of a cine that does not say its own."""


def read_frames(path: Path, max_pixels: int = MAX_PIXELS) -> Iterator[Item]:
    """Read an ultrasound object frame by frame; one of several frames moves.

    Errors: ``UserError`` for another object than ultrasound, for what is missing or damaged, what is not shown as
    B-mode, a code that is not read, and frames over ``max_pixels``.
    """
    with opened(path) as (header, pixels):
        try:
            items = _items(header, check(header, pixels, path, max_pixels), str(path), max_pixels)
            while item := _next(items):
                yield item
        except (UserError, GeneratorExit):
            raise
        except Exception as error:  # a broken code stream can raise nearly anything in a decoder
            raise UserError(
                f"{path} has frames that cannot be decoded ({type(error).__name__}); it may be truncated or damaged",
                hint="copy or download it again",
            ) from error


def _next(items: Iterator[Item]) -> Item | None:
    with quiet():
        return next(items, None)


def frame_count(header: Dataset) -> int:
    """How many frames an object says that it has."""
    value = header.get("NumberOfFrames")
    return 1 if value is None else int(value)


def _items(header: Dataset, pixels: Pixels, source: str, max_pixels: int) -> Iterator[Item]:
    regions, grey = Regions(header, source), tones(header, source)
    count, rate = frame_count(header), _rate(header)
    known = regions.of(0).spacing is not None
    for number, (samples, model) in enumerate(codecs.frames(header, pixels, source, max_pixels), 1):
        view = regions.of(number - 1)
        image = replace(grey(samples, model), spacing=view.spacing, windows=view.windows, notes=view.notes)
        if (image.spacing is not None) != known:
            raise UserError(
                f"{source} tells the size of a pixel in some of its frames only", hint="give it with --spacing"
            )
        if image.shape != (header.Rows, header.Columns):
            raise UserError(f"{source} holds frames of another size than it says", hint="export it again")
        moves = {"seconds": (number - 1) / rate, "rate": rate} if count > 1 else {}
        yield Item(image, number, count, **moves)


def check(header: Dataset, pixels: Pixels | None, path: Path, max_pixels: int) -> Pixels:
    """Refuse what cannot be frames of ultrasound, before anything is decoded."""
    check_ultrasound(header, path)
    missing = [key for key in _NEEDED if header.get(key) in (None, "")]
    if missing or pixels is None:
        raise UserError(f"{path} lacks {', '.join(missing or ['Pixel Data'])}", hint="export it again")
    if frame_count(header) < 1:
        raise UserError(f"{path} says that it has {frame_count(header)} frames", hint="export it again")
    rows, columns = int(header.Rows), int(header.Columns)
    if rows < 1 or columns < 1:
        raise UserError(f"{path} says {columns} x {rows} pixels", hint="export it again")
    if rows * columns > max_pixels:
        raise UserError(
            f"{path} has frames of {columns:,} x {rows:,} pixels; {max_pixels:,} are allowed",
            hint="if the file is right, raise the limit with --max-pixels",
        )
    return pixels


def _rate(header: Dataset) -> float:
    """Frames per second: of display, else of the cine, else from the time of a frame in ms."""
    for key, scale in (("RecommendedDisplayFrameRate", 1.0), ("CineRate", 1.0), ("FrameTime", -1.0)):
        value = header.get(key)
        if isinstance(value, int | float) and 0 < value < 1e6:
            return float(value) if scale > 0 else 1000 / float(value)
    return _RATE
