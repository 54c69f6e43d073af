"""A probability map as it travels and is kept: whole steps of 1 / 50,000, gzipped.

``p >= t`` is the same as ``step >= 50,000 t`` for every threshold of four decimals, so the page draws what we draw.
"""

import gzip

import numpy as np
from numpy.typing import NDArray

STEPS = 50_000

_CUTS = np.append(np.arange(STEPS + 1) / STEPS, np.inf).astype(np.float32)
"""Where each step begins, in the precision in which a probability is compared."""


def pack(probability: NDArray[np.float32]) -> bytes:
    """Pack ``float32 (H, W)`` in [0, 1] as ``uint16 (H, W)``, little-endian, row by row, gzipped."""
    steps = (probability.clip(0, 1) * np.float32(STEPS)).astype(np.int32)
    steps += _CUTS[steps + 1] <= probability
    steps -= _CUTS[steps] > probability
    return gzip.compress(steps.astype("<u2").tobytes(), compresslevel=1, mtime=0)


def unpack(packed: bytes, height: int, width: int) -> NDArray[np.float32]:
    """Give back ``float32 (H, W)``, at most a step below what was packed."""
    steps = np.frombuffer(gzip.decompress(packed), "<u2").reshape(height, width)
    return (steps / np.float32(STEPS)).astype(np.float32)
