"""One step of training: forward, loss, backward, update; and the average of the weights that it leaves behind."""

import copy
from collections.abc import Sequence
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional

from sonoseg.errors import UserError
from sonoseg.learning.config import Config
from sonoseg.learning.losses import LOSSES, presence_loss
from sonoseg.learning.networks.unet import UNet, mask_head

LARGEST_GRADIENT = 1.0


class Answers(nn.Module):
    """A network as it is trained: all its answers in one pass.

    deep: how many of the decoder's coarser levels answer as well (deep supervision, Lee et al. 2015), by heads that no
    checkpoint keeps. Errors: ``UserError`` where there are fewer.
    """

    def __init__(self, network: UNet, deep: int = 0) -> None:
        super().__init__()
        coarser = network.widths[1:]
        if deep > len(coarser):
            raise UserError(f"the decoder has {len(coarser)} coarser levels, not {deep}", hint=f"--deep {len(coarser)}")
        self.network = network
        self.coarse = nn.ModuleList(mask_head(width, network.head.out_channels) for width in coarser[:deep])

    def forward(self, image: Tensor) -> tuple[list[Tensor], Tensor | None]:
        """Logits of the network, and of its coarser levels in the same frame, finest first; presence as of ``UNet``."""
        (finest, *coarser), presence = self.network.levels(image)
        logits = [self.network.head(finest)]
        for head, features in zip(self.coarse, coarser, strict=False):
            logits.append(functional.interpolate(head(features), size=finest.shape[-2:], mode="bilinear"))
        return logits, presence


class Average:
    """The averaged weights, in a network of their own. Its statistics are computed anew before it answers."""

    def __init__(self, network: UNet) -> None:
        self.network = copy.deepcopy(network).requires_grad_(False)
        self._own: list[Tensor] = list(self.network.parameters())
        self._theirs: list[Tensor] = list(network.parameters())

    def update(self, decay: float) -> None:
        """Move towards the network's weights by 1 - decay."""
        with torch.no_grad():
            torch._foreach_lerp_(self._own, self._theirs, 1 - decay)


class Step:
    """One step: forward, loss, backward, update. Called with images and masks, gives the loss, before the update.

    On one CUDA device the step is recorded once and replayed then: to start its thousand kernels one by one takes
    longer than to compute them. The first ones are done plainly, as recording wants it; all batches are of one size.
    """

    PLAIN = 3

    def __init__(self, fabric: Fabric, model: nn.Module, optimizer: Any, config: Config) -> None:
        self.fabric, self.model, self.optimizer, self.config = fabric, model, optimizer, config
        self.records = records(config, fabric.device)
        self.done = 0
        torch.backends.cudnn.benchmark = self.records
        for group in optimizer.param_groups if self.records else ():
            group["lr"] = torch.zeros((), device=fabric.device)  # what is recorded reads it where it lies

    def __call__(self, images: Tensor, masks: Tensor, rate: float) -> Tensor:
        """Images and masks as ``training_batches`` gives them, and the learning rate; gives the loss, on the device."""
        for group in self.optimizer.param_groups:
            if self.records:
                group["lr"].fill_(rate * group["share"])
            else:
                group["lr"] = rate * group["share"]
        self.done += 1
        if not self.records:
            return self._compute(images, masks)
        if self.done <= self.PLAIN:
            return self._aside(images, masks)
        if self.done == self.PLAIN + 1:
            self._record(images, masks)
        self._images.copy_(images)
        self._masks.copy_(masks)
        self._graph.replay()
        return self._loss

    def _compute(self, images: Tensor, masks: Tensor) -> Tensor:
        logits, presence = self.model(images)
        masks, soft = masks[:, :1], masks[:, 1:]
        wanted = torch.lerp(masks, soft, self.config.soft) if soft.numel() else masks
        loss = self._of_levels([LOSSES[self.config.loss](level, masks, wanted) for level in logits])
        if presence is not None:
            loss = loss + self.config.presence * presence_loss(presence, masks)
        self.optimizer.zero_grad(set_to_none=True)
        self.fabric.backward(loss)
        self.fabric.clip_gradients(self.model, self.optimizer, max_norm=LARGEST_GRADIENT, error_if_nonfinite=False)
        self.optimizer.step()
        return loss.detach()

    @staticmethod
    def _of_levels(losses: Sequence[Tensor]) -> Tensor:
        """Their mean, each counting half of the finer one."""
        weights = [0.5**level for level in range(len(losses))]
        return torch.stack([weight * loss for weight, loss in zip(weights, losses, strict=True)]).sum() / sum(weights)

    def _aside(self, images: Tensor, masks: Tensor) -> Tensor:
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            loss = self._compute(images, masks)
        torch.cuda.current_stream().wait_stream(stream)
        return loss

    def _record(self, images: Tensor, masks: Tensor) -> None:
        self._images, self._masks = images.clone(), masks.clone()
        self._graph = torch.cuda.CUDAGraph()
        self.optimizer.zero_grad(set_to_none=True)
        with torch.cuda.graph(self._graph):
            self._loss = self._compute(self._images, self._masks)


def records(config: Config, device: torch.device) -> bool:
    """Whether steps are recorded and replayed on a device."""
    return device.type == "cuda" and config.devices == 1
