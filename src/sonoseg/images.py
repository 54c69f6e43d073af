"""Pictures in and out: any file that Pillow reads becomes an upright grey ``Image``; masks become PNG."""

import io
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageOps
from numpy.typing import NDArray

from sonoseg.errors import UserError
from sonoseg.files import write_bytes

MAX_PIXELS = 100_000_000
"""Larger pictures are refused before they are decoded; every reader takes another limit."""

_COLOUR_DIFFERENCE = 24
"""Channels of a grey picture stay closer than this after JPEG."""


@dataclass(frozen=True)
class Image:
    """One upright grey image.

    pixels: ``uint8 (H, W)``. spacing: ``(row, column)`` in mm, or None where it is not known.
    source: where it came from, for messages. coloured: whether the file held colour before it was made grey.
    Errors: ``ValueError`` where a field is not of this form.
    """

    pixels: NDArray[np.uint8]
    spacing: tuple[float, float] | None = None
    source: str = ""
    coloured: bool = False

    def __post_init__(self) -> None:
        if self.pixels.ndim != 2 or self.pixels.dtype != np.uint8 or 0 in self.pixels.shape:
            raise ValueError(f"pixels must be uint8 (H, W), not {self.pixels.dtype} {self.pixels.shape}")
        if self.spacing is not None and not all(np.isfinite(s) and s > 0 for s in self.spacing):
            raise ValueError(f"spacing must be two positive lengths in mm, not {self.spacing}")

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) in pixels."""
        height, width = self.pixels.shape
        return height, width


def read_image(path: Path, max_pixels: int = MAX_PIXELS) -> Image:
    """Read the first picture of a file as an upright grey image.

    Rule: EXIF rotation is applied; transparent pixels lie on black; colour becomes grey by ITU-R 601 luma; 16-bit,
    32-bit and float files are scaled by the smallest full range (1 for floats; 8, 10, 12 or 16 bits) that holds their
    maximum. Errors: ``UserError`` for a file that is missing, unreadable, truncated or larger than ``max_pixels``.
    """
    with _opened(path, max_pixels) as picture:
        return from_picture(picture, str(path))


def read_mask(path: Path, max_pixels: int = MAX_PIXELS) -> NDArray[np.bool_]:
    """Read a mask, ``bool (H, W)``: 1-bit, grey, palette, RGB or RGBA.

    Rule: the brightest of the colour channels counts, alpha does not; values are 0 and 1, or 0 and 255 cut at 128.
    Errors: as ``read_image``.
    """
    with _opened(path, max_pixels) as picture:
        if picture.mode in {"1", "L", "I", "F"} or picture.mode.startswith("I;16"):
            values = np.asarray(picture.convert("L") if picture.mode == "1" else picture)
        else:
            values = np.asarray(picture.convert("RGB")).max(axis=2)
    return np.asarray(values > (0 if values.max(initial=0) <= 1 else 127))


def from_picture(picture: PIL.Image.Image, source: str = "") -> Image:
    """Make an ``Image`` of an opened Pillow picture, by the rule of ``read_image``."""
    picture = PIL.ImageOps.exif_transpose(picture)
    if picture.mode in {"I", "F"} or picture.mode.startswith("I;16"):
        return Image(_to_8_bit(np.asarray(picture)), source=source)
    if picture.mode in {"1", "L"}:
        return Image(np.array(picture.convert("L")), source=source)
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        black = PIL.Image.new("RGBA", picture.size, (0, 0, 0, 255))
        picture = PIL.Image.alpha_composite(black, picture)
    colours = picture.convert("RGB")
    channels = np.asarray(colours)
    spread = channels.max(axis=2).astype(np.int16) - channels.min(axis=2)
    return Image(np.array(colours.convert("L")), source=source, coloured=bool((spread > _COLOUR_DIFFERENCE).any()))


def write_mask(path: Path, mask: NDArray[np.bool_]) -> None:
    """Write ``bool (H, W)`` as a grey PNG with values 0 and 255."""
    write_bytes(path, encode_png(np.where(mask, np.uint8(255), np.uint8(0))))


def encode_png(pixels: NDArray[np.uint8]) -> bytes:
    """Encode ``uint8 (H, W)`` or ``(H, W, 3)`` as PNG; the same pixels give the same bytes."""
    buffer = io.BytesIO()
    PIL.Image.fromarray(pixels).save(buffer, format="PNG", compress_level=4)
    return buffer.getvalue()


class _opened:
    """Opens a picture, its size checked before anything is decoded, and names whatever is wrong with it."""

    def __init__(self, path: Path, max_pixels: int) -> None:
        self.path, self.max_pixels = path, max_pixels

    def __enter__(self) -> PIL.Image.Image:
        if not self.path.is_file():
            found = "is a folder" if self.path.is_dir() else "does not exist"
            raise UserError(f"{self.path} {found}; a picture file is needed", hint="check the path")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self.picture = PIL.Image.open(self.path)
                self._check_size(*self.picture.size)
                self.picture.load()
        except UserError:
            raise
        except PIL.Image.DecompressionBombError as error:
            raise UserError(
                f"{self.path} claims to hold more pixels than are allowed ({self.max_pixels:,})",
                hint="if the file is right, raise the limit with --max-pixels",
            ) from error
        except PIL.UnidentifiedImageError as error:
            raise UserError(f"{self.path} is not a picture that can be read", hint="use PNG, JPEG, BMP or TIFF") from error
        except Exception as error:  # a broken file can raise nearly anything in a decoder
            raise UserError(
                f"{self.path} cannot be decoded ({type(error).__name__}: {error}); it may be truncated or damaged",
                hint="copy or download it again",
            ) from error
        return self.picture

    def __exit__(self, *_: object) -> None:
        self.picture.close()

    def _check_size(self, width: int, height: int) -> None:
        if width * height > self.max_pixels:
            self.picture.close()
            raise UserError(
                f"{self.path} claims {width:,} x {height:,} pixels; {self.max_pixels:,} in all are allowed",
                hint="if the file is right, raise the limit with --max-pixels",
            )


def _to_8_bit(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    numbers = np.nan_to_num(values.astype(np.float64), posinf=0.0, neginf=0.0).clip(min=0)
    largest = numbers.max(initial=0)
    ranges = [1.0] if np.issubdtype(values.dtype, np.floating) else []
    full = next((r for r in [*ranges, 255.0, 1023.0, 4095.0, 65535.0] if largest <= r), largest)
    return np.rint(numbers * (255.0 / full)).astype(np.uint8)
