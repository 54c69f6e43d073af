"""Pictures in and out: any file that Pillow reads becomes an upright grey ``Image``; masks become PNG."""

import io
import warnings
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageChops
import PIL.ImageOps
import PIL.PngImagePlugin
from numpy.typing import NDArray

from sonoseg.errors import UserError
from sonoseg.images.image import Image, Item
from sonoseg.images.limits import check_cost, check_size, check_whole, too_large

MAX_PIXELS = 25_000_000
"""Larger pictures are refused before they are decoded, as predicting takes 30 bytes a pixel; every reader takes another
limit. Where a decoder looks at each pixel several times, or takes long, as many fewer are allowed."""

MAX_PAGES = 100
"""Files of more pages are refused: each page has outputs of its own."""

_BAND = 256
"""Rows that are scaled at a time."""

FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "GIF", "WEBP", "PPM", "JPEG2000")
"""Pillow's decoders that are used; the others start programs or do not hold scans."""

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".gif", ".webp", ".pgm", ".jp2")

_SIGNATURES = (
    b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"GIF87a", b"GIF89a",
    b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51",
)  # fmt: skip

_PHOTOMETRIC, _WHITE_IS_ZERO = 262, 0
"""Tag of TIFF for what a value means, and the one under which 0 is white: Pillow heeds it up to 8 bits."""

_ANIMATIONS = {"PNG", "GIF", "WEBP"}

_COLOUR_DIFFERENCE = 24
"""Channels of a grey picture stay closer than this after JPEG."""


def read_image(path: Path, max_pixels: int = MAX_PIXELS) -> Image:
    """Read the first picture of a file as an upright grey image.

    Rule: EXIF rotation is applied; transparent pixels lie on black; colour becomes grey by ITU-R 601 luma; grey files
    of 16 or 32 bits or floats are scaled by the smallest full range (1 for floats; 8, 10, 12 or 16 bits) that holds
    their maximum, and turned where a TIFF says that 0 is white; of colour files of 16 bits the upper byte counts.
    Errors: ``UserError`` for a file that is missing, unreadable, truncated, animated or larger than ``max_pixels``.
    """
    with _opened(path, max_pixels) as picture:
        return from_picture(picture, str(path))


def is_picture(head: bytes) -> bool:
    """Whether a file that begins with ``head``, its first bytes, is of one of ``FORMATS``."""
    if head.startswith(b"BM"):  # two letters begin many a text: the length of the header must be one of BMP's as well
        return head[15:18] == bytes(3) and 12 <= head[14] <= 124
    if head[:1] == b"P" and head[1:2] in {b"1", b"2", b"3", b"4", b"5", b"6"}:
        return head[2:3].isspace()
    return head.startswith(_SIGNATURES) or (head.startswith(b"RIFF") and head[8:12] == b"WEBP")


def read_pages(path: Path, max_pixels: int = MAX_PIXELS) -> Iterator[Item]:
    """Read every page of a TIFF, one at a time, or the one picture of another file, by the rule of ``read_image``.

    Errors: as ``read_image``, when the page that is wrong is reached; ``max_pixels`` holds for each page.
    """
    with _opened(path, max_pixels) as picture:
        pages = _pages(picture)
        if pages > MAX_PAGES:
            raise UserError(
                f"{path} has {pages} pages; {MAX_PAGES} are allowed", hint="give those that count, or a clip"
            )
        for number in range(1, pages + 1):
            picture.seek(number - 1)
            check_size(path, picture, max_pixels)
            yield Item(from_picture(picture, str(path)), number, pages)


def read_mask(path: Path, max_pixels: int = MAX_PIXELS) -> NDArray[np.bool_]:
    """Read a mask, ``bool (H, W)``: 1-bit, grey, palette, RGB or RGBA.

    Rule: the brightest of the colour channels counts, alpha does not; values are 0 and 1, or 0 and 255 cut at 128.
    Errors: as ``read_levels``.
    """
    values = read_levels(path, max_pixels)
    return np.asarray(values > (0 if values.max(initial=0) <= 1 else 127))


def read_levels(path: Path, max_pixels: int = MAX_PIXELS) -> NDArray[Any]:
    """Read what a mask or a map holds, ``(H, W)``, as it is stored: whole numbers, of more than 8 bits too, or floats.

    The brightest of the colour channels counts, alpha does not. Errors: as ``read_image``, and for several pages.
    """
    with _opened(path, max_pixels) as picture:
        if (pages := _pages(picture)) > 1:
            raise UserError(
                f"{path} has {pages} pages; a mask or a map is one picture", hint="save the page that counts alone"
            )
        if picture.mode in {"1", "L", "I", "F"} or picture.mode.startswith("I;16"):
            return np.asarray(picture.convert("L") if picture.mode == "1" else picture)
        return np.asarray(np.asarray(picture.convert("RGB")).max(axis=2))


def from_picture(picture: PIL.Image.Image, source: str = "") -> Image:
    """Make an ``Image`` of an opened Pillow picture, by the rule of ``read_image``."""
    turned = getattr(picture, "tag_v2", {}).get(_PHOTOMETRIC) == _WHITE_IS_ZERO
    picture = PIL.ImageOps.exif_transpose(picture)
    if picture.mode in {"I", "F"} or picture.mode.startswith("I;16"):
        values = np.asarray(picture)
        low = float(values.min())
        if not (low >= 0 and np.isfinite(values).all()):  # no comparison holds for NaN
            raise UserError(
                f"{source or 'the picture'} has values from {low:g} or that are no numbers; brightness begins at 0",
                hint="give the scan before it was normalised",
            )
        scaled = _to_8_bit(values)
        return Image(~scaled if turned else scaled, source=source)
    if picture.mode in {"1", "L"} and not picture.has_transparency_data:
        return Image(np.array(picture.convert("L")), source=source)
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        black = PIL.Image.new("RGBA", picture.size, (0, 0, 0, 255))
        picture = PIL.Image.alpha_composite(black, picture)
    colours = picture.convert("RGB")
    return Image(np.array(colours.convert("L")), source=source, coloured=_has_colour(colours))


def from_array(values: NDArray[np.generic]) -> Image:
    """Make an ``Image`` of an array: ``(H, W)`` grey, or ``uint8 (H, W, 3 or 4)`` colour.

    Floats lie in [0, 1]; whole numbers from 0 are scaled by the rule of ``read_image``.
    Errors: ``UserError`` for another form, and for numbers that mean no brightness: below 0, not finite, floats over 1.
    """
    eight_bit, empty = values.dtype == np.uint8, 0 in values.shape
    if values.ndim == 3 and not empty and eight_bit and values.shape[2] in {3, 4}:
        return from_picture(PIL.Image.fromarray(values))
    if values.ndim != 2 or empty or values.dtype.kind not in "uif":
        raise UserError(
            f"an image array must be (H, W), or uint8 (H, W, 3) in colour, not {values.dtype} {values.shape}",
            hint="for a stack of images, predict them one by one",
        )
    if eight_bit:
        return Image(values.astype(np.uint8))
    low, high = float(values.min()), float(values.max())
    if not (low >= 0 and high <= (1 if values.dtype.kind == "f" else np.inf)):  # no comparison holds for NaN
        raise UserError(
            f"an image array of {values.dtype} has values from {low:g} to {high:g}; floats in [0, 1] or whole numbers "
            "from 0 are allowed",
            hint="give the scan as uint8, before it was normalised",
        )
    return Image(_to_8_bit(values))


def encode_mask(mask: NDArray[np.bool_], text: Mapping[str, str] | None = None) -> bytes:
    """Encode ``bool (H, W)`` as a grey PNG with values 0 and 255; ``text`` travels in the file."""
    # Run lengths suit a mask: smaller than deflate's default, and in less time.
    return _encode(mask.view(np.uint8) * np.uint8(255), text, compress_level=1, compress_type=zlib.Z_RLE)


def encode_png(pixels: NDArray[np.uint8], text: Mapping[str, str] | None = None) -> bytes:
    """Encode ``uint8 (H, W)`` or ``(H, W, 3)`` as PNG; ``text`` travels in the file; the same in gives the same out."""
    return _encode(pixels, text, compress_level=1)


def _encode(pixels: NDArray[np.uint8], text: Mapping[str, str] | None, **settings: int) -> bytes:
    chunks = PIL.PngImagePlugin.PngInfo()
    for key, value in (text or {}).items():
        chunks.add_itxt(key, value)
    buffer = io.BytesIO()
    PIL.Image.fromarray(pixels).save(buffer, format="PNG", pnginfo=chunks, **settings)
    return buffer.getvalue()


@contextmanager
def _opened(path: Path, max_pixels: int) -> Iterator[PIL.Image.Image]:
    """Open a picture, its size checked before anything is decoded; name whatever is wrong with it, also in the body."""
    if not path.is_file():
        found = "is a folder" if path.is_dir() else "does not exist"
        raise UserError(f"{path} {found}; a picture file is needed", hint="check the path")
    if (PIL.Image.MAX_IMAGE_PIXELS or max_pixels) < max_pixels:
        PIL.Image.MAX_IMAGE_PIXELS = max_pixels  # Pillow's own limit would come first
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with path.open("rb") as file, PIL.Image.open(file, formats=FORMATS) as picture:
                check_size(path, picture, max_pixels)
                check_cost(path, picture, max_pixels)
                check_whole(path, picture)
                _check_still(path, picture)
                yield picture
    except UserError:
        raise
    except PIL.Image.DecompressionBombError as error:
        raise too_large(path, "more", max_pixels) from error
    except PIL.UnidentifiedImageError as error:
        raise UserError(f"{path} is not a picture that can be read", hint="use PNG, JPEG, BMP or TIFF") from error
    except Exception as error:  # a broken file can raise nearly anything in a decoder
        raise UserError(
            f"{path} cannot be decoded ({type(error).__name__}: {error}); it may be truncated or damaged",
            hint="copy or download it again",
        ) from error


def _check_still(path: Path, picture: PIL.Image.Image) -> None:
    if picture.format in _ANIMATIONS and getattr(picture, "is_animated", False):
        raise UserError(
            f"{path} is an animation; a still picture is needed",
            hint="save its frames as pictures or as pages of a TIFF, or give a clip (MP4)",
        )


def _pages(picture: PIL.Image.Image) -> int:
    return getattr(picture, "n_frames", 1) if picture.format == "TIFF" else 1


def _has_colour(picture: PIL.Image.Image) -> bool:
    """Whether the channels of an RGB picture differ by more than ``_COLOUR_DIFFERENCE`` somewhere."""
    red, green, blue = picture.split()
    lightest = PIL.ImageChops.lighter(PIL.ImageChops.lighter(red, green), blue)
    darkest = PIL.ImageChops.darker(PIL.ImageChops.darker(red, green), blue)
    spread = np.asarray(PIL.ImageChops.subtract(lightest, darkest))
    return bool(spread.max() > _COLOUR_DIFFERENCE)


def _to_8_bit(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Scale by the rule of ``read_image``, a few rows at a time: it takes no more memory than the picture."""
    bands = [slice(start, start + _BAND) for start in range(0, len(values), _BAND)]
    largest = max((float(_numbers(values[band]).max(initial=0)) for band in bands), default=0.0)
    ranges = [1.0] if np.issubdtype(values.dtype, np.floating) else []
    full = next((r for r in [*ranges, 255.0, 1023.0, 4095.0, 65535.0] if largest <= r), largest)
    scaled = np.empty(values.shape, np.uint8)
    for band in bands:
        scaled[band] = np.rint(_numbers(values[band]) * (255.0 / full)).astype(np.uint8)
    return scaled


def _numbers(values: NDArray[np.generic]) -> NDArray[np.float64]:
    return np.asarray(np.nan_to_num(values.astype(np.float64), posinf=0.0, neginf=0.0).clip(min=0))
