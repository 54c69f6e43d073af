"""How far the masks of two copies of one scan agree, after one is laid over the other: what the data allow a mean."""

import numpy as np
from numpy.typing import NDArray

from sonoseg.data.copies import COPY_SCORE, Pixels, Small, register, small, warp_mask


def agreement(
    image_a: Pixels | Small, mask_a: NDArray[np.bool_], image_b: Pixels | Small, mask_b: NDArray[np.bool_]
) -> float | None:
    """Dice of two masks, ``bool (H, W)``, of images, ``uint8 (H, W)``, that may be copies of any crop and size.

    The second image is registered on the first, its mask is carried into the first one's frame, and the two are
    compared there, where both images are: 0 to 1. Images reduced by ``copies.small`` give the same. None where the
    images are no copies (``COPY_SCORE``), and where neither mask has anything in the common part, as two empty masks
    say nothing about outlines.
    Errors: ``ValueError`` for a mask of another size than its image.
    """
    first, second = small(image_a), small(image_b)
    for image, mask in ((first, mask_a), (second, mask_b)):
        if image.shape != mask.shape:
            raise ValueError(f"a mask of {mask.shape} cannot belong to an image of {image.shape}")
    laid = register(first, second)
    if laid.score < COPY_SCORE:
        return None
    carried, covered = warp_mask(mask_b, laid, first.shape)
    here = mask_a & covered
    both = int(here.sum()) + int(carried.sum())
    return 2 * int((here & carried).sum()) / both if both else None
