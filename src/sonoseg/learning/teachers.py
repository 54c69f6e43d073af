"""Networks whose answers another one learns from, beside the masks (Noothout et al. 2022)."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from sonoseg.learning import pretrained
from sonoseg.learning.batches import Packed
from sonoseg.learning.checkpoint import Checkpoint
from sonoseg.learning.config import Config

AT_ONCE = 16
"""Images that a teacher is asked about at once."""


def load(config: Config) -> list[Checkpoint]:
    """Read the teachers that a configuration names. Errors: ``UserError`` where one is missing or cannot be read."""
    return [pretrained.load(name) for name in config.taught_by]


def taught(data: Packed, teachers: Sequence[Checkpoint], device: torch.device) -> Packed:
    """The same samples with the mean probability of the teachers.

    Each is asked in its own frame. An image without a lesion is answered by its mask alone: that there is nothing is
    known.
    """
    if not teachers:
        return data
    total = torch.zeros(data.images.shape)
    for teacher in teachers:
        network = teacher.network.to(device)
        for indices in torch.split(torch.arange(len(data.images)), AT_ONCE):
            images, masks = data.at(indices, device)
            there = masks.amax((2, 3), keepdim=True)
            total[indices] += (there * _answer(network, images, teacher.record["size"])).cpu()
    return replace(data, soft=(total / len(teachers) * 255).round().to(torch.uint8))


@torch.inference_mode()
def _answer(network: torch.nn.Module, images: Tensor, size: int) -> Tensor:
    """Probabilities in the images' frame, from a network of another; both are squares around the whole image."""
    own = images if size == images.shape[-1] else _resized(images, size).clamp(0, 1)
    return _resized(network(own).float().sigmoid(), images.shape[-1])


def _resized(values: Tensor, size: int) -> Tensor:
    return functional.interpolate(values, size=(size, size), mode="bilinear", antialias=True, align_corners=False)
