"""Make the picture of the README: ``python docs/make_phantom_picture.py`` writes ``docs/phantom.png``.

Phantoms in a row, the outline of each mask drawn in; the last one is a normal.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import binary_dilation, binary_erosion

from sonoseg.data.sets import phantom

CHOSEN = ((10, "benign"), (13, "benign"), (18, "malignant"), (19, "malignant"), (28, "normal"))
SIZE = (230, 170)
GAP = 4
LEVELS, OUTLINE, PAPER = 63, 63, 64
PALETTE = [*np.repeat(np.linspace(0, 255, LEVELS).astype(int), 3).tolist(), *(255, 170, 0), *(255, 255, 255)]


def panel(index: int, label: str) -> NDArray[np.uint8]:
    """Palette indices of one phantom with its outline, cut to the form of ``SIZE`` from its top and middle."""
    drawing = phantom.draw(0, index, label)
    height, width = drawing.pixels.shape
    part = min(width, height * SIZE[0] / SIZE[1])
    box = ((width - part) / 2, 0, (width + part) / 2, part * SIZE[1] / SIZE[0])
    pixels, cover = (
        np.asarray(Image.fromarray(layer).resize(SIZE, Image.Resampling.BILINEAR, box))
        for layer in (drawing.pixels, drawing.mask * np.uint8(255))
    )
    mask = cover > 127
    return np.where(binary_dilation(mask) & ~binary_erosion(mask), OUTLINE, pixels / 256 * LEVELS).astype(np.uint8)


def main() -> None:
    """Write the picture, in few colours, so that it stays small."""
    gap = np.full((SIZE[1], GAP), PAPER, np.uint8)
    strip = Image.fromarray(np.hstack([part for each in CHOSEN for part in (panel(*each), gap)][:-1]))
    strip.putpalette(PALETTE)
    strip.save(Path(__file__).with_name("phantom.png"), optimize=True)


if __name__ == "__main__":
    main()
