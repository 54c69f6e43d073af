"""The network's frame: an image is fitted into a square without distortion, and a map is brought back exactly."""

from dataclasses import dataclass

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from sonoseg.images.image import Image, Window

BLACK = 0
"""What fills the frame beside the image: the black that surrounds a scan."""


@dataclass(frozen=True)
class Letterbox:
    """Where an image of ``height`` x ``width`` pixels lies in a square frame of ``size`` x ``size``.

    The longer side fills the frame, the image is centred, the proportions stay. A side that would vanish keeps a pixel.
    """

    height: int
    width: int
    size: int

    @property
    def inner(self) -> tuple[int, int]:
        """(rows, columns) that the image takes in the frame."""
        longest = max(self.height, self.width)
        sides = (self.height, self.width)
        rows, columns = (max(1, (side * self.size * 2 + longest) // (longest * 2)) for side in sides)
        return rows, columns

    @property
    def offset(self) -> tuple[int, int]:
        """(row, column) of the image's first pixel in the frame."""
        rows, columns = self.inner
        return (self.size - rows) // 2, (self.size - columns) // 2

    def fit(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Put ``uint8 (height, width)`` into the frame, ``uint8 (size, size)``, by an area-aware triangle."""
        rows, columns = self.inner
        frame = np.full((self.size, self.size), BLACK, np.uint8)
        small = PIL.Image.fromarray(pixels).resize((columns, rows), PIL.Image.Resampling.BILINEAR)
        frame[self._window] = np.asarray(small)
        return frame

    def fit_mask(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Put ``bool (height, width)`` into the frame: a pixel is set where at least half of it is covered."""
        return self.fit(np.where(mask, np.uint8(255), np.uint8(0))) >= 128

    def undo(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Bring ``float32 (size, size)`` back: ``float32 (height, width)``, linear between pixel centres."""
        inner = PIL.Image.fromarray(np.ascontiguousarray(values[self._window], np.float32))
        return np.asarray(inner.resize((self.width, self.height), PIL.Image.Resampling.BILINEAR))

    @property
    def _window(self) -> tuple[slice, slice]:
        (top, left), (rows, columns) = self.offset, self.inner
        return slice(top, top + rows), slice(left, left + columns)


def fit(image: Image, window: Window, size: int) -> NDArray[np.uint8]:
    """A part of an image in the frame, ``uint8 (size, size)``. window: one of ``image.parts``."""
    if not image.windows:
        return whole(image, size)
    return Letterbox(window.height, window.width, size).fit(image.pixels[window.part])


def whole(image: Image, size: int) -> NDArray[np.uint8]:
    """All of an image in the frame, ``uint8 (size, size)``: as it was fitted beforehand, if that was to this size."""
    if image.fitted is not None and image.fitted.shape == (size, size):
        return image.fitted
    return Letterbox(*image.shape, size).fit(image.pixels)
