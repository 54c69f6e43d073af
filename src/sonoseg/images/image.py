"""What is looked at: an upright grey image, the parts of it that show tissue, and its place in a file."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Window(NamedTuple):
    """A part of an image, in pixels."""

    top: int
    left: int
    height: int
    width: int

    @property
    def part(self) -> tuple[slice, slice]:
        """Rows and columns, as an index."""
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)


@dataclass(frozen=True)
class Image:
    """One upright grey image.

    pixels: ``uint8 (H, W)``. spacing: ``(row, column)`` in mm, or None where it is not known.
    source: where it came from, for messages. coloured: whether the file held colour before it was made grey.
    windows: the parts that show tissue, where the file says so; later ones lie over earlier ones; none for all of it.
    notes: what a person should know of how it was read. fitted: all of it in a network's frame, ``uint8 (S, S)``, where
    the file held no more than that; the pixels are then what that gives at the image's own size.
    Errors: ``ValueError`` where a field is not of this form.
    """

    pixels: NDArray[np.uint8]
    spacing: tuple[float, float] | None = None
    source: str = ""
    coloured: bool = False
    windows: tuple[Window, ...] = ()
    notes: tuple[str, ...] = ()
    fitted: NDArray[np.uint8] | None = None

    def __post_init__(self) -> None:
        if self.pixels.ndim != 2 or self.pixels.dtype != np.uint8 or 0 in self.pixels.shape:
            raise ValueError(f"pixels must be uint8 (H, W), not {self.pixels.dtype} {self.pixels.shape}")
        if self.spacing is not None and not all(np.isfinite(s) and s > 0 for s in self.spacing):
            raise ValueError(f"spacing must be two positive lengths in mm, not {self.spacing}")
        if any(not _fits(window, *self.pixels.shape) for window in self.windows):
            raise ValueError(f"windows must lie in an image of {self.pixels.shape}, not {self.windows}")

    def __repr__(self) -> str:
        height, width = self.shape
        spacing = "unknown spacing" if self.spacing is None else "{:g} x {:g} mm per pixel".format(*self.spacing)
        return f"<Image of {height} x {width} pixels, {spacing}{self.source and ', '}{self.source}>"

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) in pixels."""
        height, width = self.pixels.shape
        return height, width

    @property
    def parts(self) -> tuple[Window, ...]:
        """What is looked at: the windows, or all of the image where there are none."""
        return self.windows or (Window(0, 0, *self.shape),)


def _fits(window: Window, height: int, width: int) -> bool:
    down, right = window.top + window.height, window.left + window.width
    return 0 <= window.top < down <= height and 0 <= window.left < right <= width


@dataclass(frozen=True)
class Item:
    """One image of a file: its only picture, a page of it, or a frame of a clip.

    number: from 1. of: how many the file has, None where nobody knows before its end. seconds: from the beginning of a
    clip, None where nothing moves. rate: frames per second of the whole clip, None where nothing moves.
    """

    image: Image
    number: int = 1
    of: int | None = 1
    seconds: float | None = None
    rate: float | None = None

    @property
    def moves(self) -> bool:
        """Whether it is of a clip: one result in time, and not a result for each item."""
        return self.seconds is not None
