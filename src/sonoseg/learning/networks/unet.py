"""The one network: an encoder, a decoder of equal steps, a head. What differs is handed in."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from sonoseg.learning.networks.blocks import Block, convolution_unit
from sonoseg.learning.networks.encoders import Encoder
from sonoseg.learning.networks.gates import Gate

# A lesion covers few pixels: the first answer is a probability of 0.12, not of one half.
FIRST_LOGIT = -2.0


class UpStep(nn.Module):
    """Resize to the size of the skip, convolve, put the gated skip beside it, block."""

    def __init__(self, in_channels: int, skip_channels: int, out_channels: int, block: Block, gate: Gate) -> None:
        super().__init__()
        self.convolve = convolution_unit(in_channels, out_channels)
        self.gate = gate(skip_channels, out_channels)
        self.block = block(skip_channels + out_channels, out_channels)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """Float (N, in_channels, h, w) and (N, skip_channels, H, W) to (N, out_channels, H, W)."""
        x = self.convolve(functional.interpolate(x, size=skip.shape[-2:], mode="nearest"))
        y: Tensor = self.block(torch.cat((self.gate(skip, x), x), dim=1))
        return y


class PresenceHead(nn.Module):
    """Is there a lesion at all? Two linear layers on mean and maximum of each channel of the coarsest features."""

    def __init__(self, channels: int, inner: int = 64) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2 * channels, inner), nn.ReLU(inplace=True), nn.Linear(inner, 1))

    def forward(self, features: Tensor) -> Tensor:
        """Float (N, channels, h, w) to logits (N,)."""
        logits: Tensor = self.layers(torch.cat((features.mean((2, 3)), features.amax((2, 3))), dim=1))
        return logits[:, 0]


class UNet(nn.Module):
    """U-Net of any encoder, block and gate (Ronneberger et al. 2015).

    ``widths`` are the channels of the decoder's levels, finest first; by default those of the encoder. ``presence``
    says whether there is a ``PresenceHead``.
    The normalisation of the input is the first layer, and its values ``mean`` and ``std`` are in the state dict.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        encoder: Encoder,
        block: Block,
        gate: Gate,
        classes: int,
        widths: Sequence[int] | None = None,
        presence: bool = False,
    ) -> None:
        super().__init__()
        skips = encoder.channels[:-1]
        widths = tuple(widths or skips)
        inputs = (*widths[1:], encoder.channels[-1])
        self.register_buffer("mean", torch.tensor(encoder.mean))
        self.register_buffer("std", torch.tensor(encoder.std))
        self.encoder = encoder
        self.decoder = nn.ModuleList(
            UpStep(below, skip, width, block, gate)
            for below, skip, width in reversed(list(zip(inputs, skips, widths, strict=True)))
        )
        self.widths = widths
        self.head = mask_head(widths[0], classes)
        self.presence = PresenceHead(encoder.channels[-1]) if presence else None

    def forward(self, image: Tensor) -> Tensor:
        """Grey values in [0, 1], float32 (N, 1, H, W), at least 32 x 32, to logits (N, classes, H, W)."""
        return self.answer(image)[0]

    def answer(self, image: Tensor) -> tuple[Tensor, Tensor | None]:
        """As ``forward``, and beside it the logits of presence, (N,), or None without that head."""
        levels, presence = self.levels(image)
        return self.head(levels[0]), presence

    def levels(self, image: Tensor) -> tuple[list[Tensor], Tensor | None]:
        """The features of the decoder's levels, finest first, of the channels ``widths``, and presence as above."""
        *skips, x = self.encoder((image - self.mean) / self.std)
        presence = self.presence(x) if self.presence else None
        levels: list[Tensor] = []
        for step, skip in zip(self.decoder, reversed(skips), strict=True):
            x = step(x, skip)
            levels.insert(0, x)
        return levels, presence


def mask_head(channels: int, classes: int) -> nn.Conv2d:
    """Features to logits, pixel by pixel."""
    head = nn.Conv2d(channels, classes, 1)
    nn.init.constant_(head.bias, FIRST_LOGIT)  # type: ignore[arg-type]
    return head
