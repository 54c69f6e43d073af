"""What is burnt into a phantom, as scanners burn it into their pictures: calipers and a line of text."""

import numpy as np
from numpy.typing import NDArray

GLYPHS = {
    " ": "0000000",
    "A": "EHHVHHH",
    "B": "UHHUHHU",
    "E": "VGGUGGV",
    "F": "VGGUGGG",
    "G": "EHGNHHE",
    "H": "HHHVHHH",
    "I": "E44444E",
    "L": "GGGGGGV",
    "O": "EHHHHHE",
    "Q": "EHHHLID",
    "R": "UHHUKIH",
    "S": "FGGE11U",
    "T": "V444444",
    "U": "HHHHHHE",
    "1": "4C4444E",
    "2": "EH1248V",
}
"""Letters of 5 x 7 dots, a row of dots per base-32 digit."""

INK = 235
"""Its grey value."""

TEXTS = ("LEFT BREAST", "RIGHT BREAST", "LT UOQ", "RT UOQ", "RT UIQ", "LT 12H")


def measure(pixels: NDArray[np.uint8], ends: list[tuple[int, int]]) -> None:
    """Burn a caliper into ``uint8 (H, W)``: a cross at both ends, (row, column), and a dotted line between them.

    What lies outside is left out.
    """
    steps = max(abs(ends[0][0] - ends[1][0]), abs(ends[0][1] - ends[1][1])) // 4 + 1
    dots = np.rint(np.linspace(ends[0], ends[1], steps + 1)).astype(int).tolist()
    arms = [(r + k * down, c + k * (1 - down)) for r, c in ends for k in range(-4, 5) for down in (0, 1)]
    for row, column in (*dots, *arms):
        if 0 <= row < pixels.shape[0] and 0 <= column < pixels.shape[1]:
            pixels[row, column] = INK


def write(rng: np.random.Generator, pixels: NDArray[np.uint8]) -> None:
    """Burn a line of text into the lower part of ``uint8 (H, W)``, in one of two sizes."""
    text, zoom = str(rng.choice(TEXTS)), int(rng.integers(1, 3))
    letters = [[[int(digit, 32) >> bit & 1 for bit in range(5, -1, -1)] for digit in GLYPHS[c]] for c in text]
    dots = np.kron(np.hstack(letters), np.ones((zoom, zoom), int)).astype(bool)
    row = int(rng.integers(0.6 * pixels.shape[0], pixels.shape[0] - dots.shape[0]))
    column = int(rng.integers(pixels.shape[1] - dots.shape[1]))
    pixels[row : row + dots.shape[0], column : column + dots.shape[1]][dots] = INK
