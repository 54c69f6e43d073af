"""The loss: cross-entropy on every pixel plus Dice on every image that has a lesion."""

import torch
from torch import Tensor
from torch.nn import functional

SMOOTH = 1.0
"""Pixels added above and below the Dice fraction, so that it is defined and smooth for tiny lesions."""


def dice_and_cross_entropy(logits: Tensor, masks: Tensor) -> Tensor:
    """Mean of both over a batch, a scalar.

    logits: ``float (N, 1, H, W)``. masks: ``float (N, 1, H, W)`` of 0 and 1. The Dice part is soft (Milletari et al.
    2016), per image, and leaves images without a lesion to the cross-entropy, where its gradient says nothing.
    """
    cross_entropy = functional.binary_cross_entropy_with_logits(logits, masks)
    probabilities = logits.sigmoid()
    overlap = (probabilities * masks).sum((1, 2, 3))
    extent = masks.sum((1, 2, 3))
    dice = (2 * overlap + SMOOTH) / (probabilities.sum((1, 2, 3)) + extent + SMOOTH)
    with_lesion = (extent > 0).to(dice.dtype)
    return cross_entropy + ((1 - dice) * with_lesion).sum() / with_lesion.sum().clamp(min=1)


def lesion_dice(logits: Tensor, masks: Tensor) -> Tensor:
    """Dice at probability 0.5 of each image, ``float (N,)``; NaN where an image has no lesion."""
    drawn = (logits > 0).to(masks.dtype)
    extent = masks.sum((1, 2, 3))
    dice = 2 * (drawn * masks).sum((1, 2, 3)) / (drawn.sum((1, 2, 3)) + extent)
    return torch.where(extent > 0, dice, torch.nan)
