"""The losses: cross-entropy on every pixel plus soft Dice per image, with two ways to treat images without a lesion."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

SMOOTH = 1.0
"""Pixels added above and below the Dice fraction, so that it is defined and smooth for tiny lesions."""

QUIET = 0.01
"""The same for an image without a lesion, as a share of the frame: what is drawn costs most around this much."""


def dice_and_cross_entropy(logits: Tensor, masks: Tensor, wanted: Tensor, normals: bool = False) -> Tensor:
    """Mean of both over a batch, a scalar.

    logits: ``float (N, 1, H, W)``. masks: ``float (N, 1, H, W)`` of 0 and 1, which tell the images with a lesion.
    wanted: what is to be answered, as large, in [0, 1]: the masks, or what teachers make of them. The Dice part is soft
    (Milletari et al. 2016) and per image. normals: whether images without a lesion are in it, smoothed by ``QUIET``; if
    not they are left to the cross-entropy.
    """
    cross_entropy = functional.binary_cross_entropy_with_logits(logits, wanted)
    probabilities = logits.sigmoid()
    overlap = (probabilities * wanted).sum((1, 2, 3))
    extent = wanted.sum((1, 2, 3))
    with_lesion = masks.amax((1, 2, 3))
    smooth = SMOOTH * with_lesion + QUIET * masks[0].numel() * (1 - with_lesion) if normals else SMOOTH
    dice = (2 * overlap + smooth) / (probabilities.sum((1, 2, 3)) + extent + smooth)
    if normals:
        return cross_entropy + (1 - dice).mean()
    return cross_entropy + ((1 - dice) * with_lesion).sum() / with_lesion.sum().clamp(min=1)


def presence_loss(logits: Tensor, masks: Tensor) -> Tensor:
    """Mean cross-entropy of there being a lesion at all, a scalar. logits: ``float (N,)``. masks: as above."""
    return functional.binary_cross_entropy_with_logits(logits, masks.amax((1, 2, 3)))


def cross_entropy_alone(logits: Tensor, masks: Tensor, wanted: Tensor) -> Tensor:
    """As ``dice_and_cross_entropy`` without the Dice part, so that the masks do not matter."""
    return functional.binary_cross_entropy_with_logits(logits, wanted)


LOSSES: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "lesions": dice_and_cross_entropy,
    "all": partial(dice_and_cross_entropy, normals=True),
    "none": cross_entropy_alone,
}
"""By name: which images the Dice part is taken over."""


def lesion_dice(logits: Tensor, masks: Tensor) -> Tensor:
    """Dice at probability 0.5 of each image, ``float (N,)``; NaN where an image has no lesion."""
    drawn = (logits > 0).to(masks.dtype)
    extent = masks.sum((1, 2, 3))
    dice = 2 * (drawn * masks).sum((1, 2, 3)) / (drawn.sum((1, 2, 3)) + extent)
    return torch.where(extent > 0, dice, torch.nan)
