"""Pictures with as much texture as an ultrasound image has, and copies of them."""

import io

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

Pixels = NDArray[np.uint8]


def scan(seed: int, height: int = 240, width: int = 300) -> Pixels:
    """Layers, speckle, attenuation and a dark ellipse: as much texture as an ultrasound image has, another by seed."""
    rng = np.random.default_rng(seed)

    def noise(*sigma: float) -> NDArray[np.float64]:
        values = gaussian_filter(rng.normal(size=(height, width)), sigma)
        return np.asarray(values / values.std())

    speckle = np.log(np.hypot(noise(1, 2), noise(1, 2)) + 0.1)
    depth, across = np.mgrid[:height, :width] / height
    lesion = (depth - rng.uniform(0.3, 0.6)) ** 2 + (across - rng.uniform(0.4, 0.9)) ** 2 / 2 < rng.uniform(
        0.1, 0.2
    ) ** 2
    return np.clip(
        125 + 22 * noise(12, 30) + 14 * noise(4, 14) + 10 * speckle - 60 * lesion - 50 * depth, 0, 255
    ).astype(np.uint8)


def cropped(pixels: Pixels, top: float, low: float, left: float, right: float) -> Pixels:
    height, width = pixels.shape
    return pixels[
        round(top * height) : height - round(low * height), round(left * width) : width - round(right * width)
    ]


def resized(pixels: Pixels, factor: float) -> Pixels:
    height, width = pixels.shape
    picture = PIL.Image.fromarray(pixels).resize((round(width * factor), round(height * factor)))
    return np.asarray(picture)


def marked(pixels: Pixels, seed: int) -> Pixels:
    """Four burnt-in white crosses and a line of text's worth of white."""
    result = pixels.copy()
    height, width = result.shape
    rng = np.random.default_rng(seed)
    for row, column in rng.integers((20, 20), (height - 20, width - 20), (4, 2)):
        result[row - 8 : row + 9, column - 1 : column + 2] = 255
        result[row - 1 : row + 2, column - 8 : column + 9] = 255
    result[height - 30 : height - 20, 20:90:2] = 255
    return result


def saved_as_jpeg(pixels: Pixels) -> Pixels:
    file = io.BytesIO()
    PIL.Image.fromarray(pixels).save(file, "JPEG", quality=50)
    return np.asarray(PIL.Image.open(file))


def brightened(pixels: Pixels, gamma: float) -> Pixels:
    return (255 * (pixels / 255) ** gamma).astype(np.uint8)


def copied(pixels: Pixels, seed: int) -> Pixels:
    """All at once: crop of up to 12 % a side, another size, gamma, marks, JPEG."""
    rng = np.random.default_rng(seed)
    crop = cropped(pixels, *rng.uniform(0, 0.12, 4))
    return saved_as_jpeg(marked(brightened(resized(crop, rng.uniform(0.6, 1.7)), rng.uniform(0.6, 1.6)), seed))
