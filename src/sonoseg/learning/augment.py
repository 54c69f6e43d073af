"""Augmentation of a whole batch: draw the parameters, then apply them."""

import math
from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor
from torch.nn import functional

BLUR, NOISE, CONTRAST = (0.5, 1.5), (0.02, 0.1), (0.5, 1.6)
"""Of what spoils an image: standard deviations in pixels of the frame and in shares of white, and a factor."""

_REACH = 4


@dataclass(frozen=True)
class Spoil:
    """What spoils few images, but much; each ``float (N, 1, 1, 1)`` but the last.

    blur: standard deviation in pixels. coarse: 1 where the image has half the resolution. contrast: factor around the
    mean. grain: standard deviation of ``noise``, ``float (N, 1, h, w)`` of the image's size. Nothing happens at
    0, 0, 1, 0.
    """

    blur: Tensor
    coarse: Tensor
    contrast: Tensor
    grain: Tensor
    noise: Tensor


@dataclass(frozen=True)
class Draw:
    """The parameters of one batch of N images.

    affine: ``float (N, 2, 3)``, from output to input coordinates as ``affine_grid`` takes them. gain, gamma, speckle:
    ``float (N, 1, 1, 1)``. noise: ``float (N, 1, h, w)``, the speckle pattern at half the size. spoil: None for nothing
    of it.
    """

    affine: Tensor
    gain: Tensor
    gamma: Tensor
    speckle: Tensor
    noise: Tensor
    spoil: Spoil | None = None

    def taken(self, part: Tensor, device: torch.device) -> "Draw":
        """The parameters of some of the images, ``int64 (n,)`` of them, on a device."""
        spoil = self.spoil and Spoil(**_taken(self.spoil, part, device))
        return Draw(**_taken(self, part, device), spoil=spoil)


def _taken(drawn: Draw | Spoil, part: Tensor, device: torch.device) -> dict[str, Tensor]:
    tensors = {name: value for name, value in vars(drawn).items() if isinstance(value, Tensor)}
    return {name: value[part.to(value.device)].to(device) for name, value in tensors.items()}


def draw(
    count: int,
    size: int,
    generator: Generator,
    share: float = 1.0,
    spoiled: float = 0.0,
    noise: Generator | None = None,
) -> Draw:
    """Draw for ``count`` images of ``size`` x ``size``; all randomness of augmentation is here.

    generator: on the CPU, so that every device is given the same. noise: of the patterns, on the device where they are
    needed: they are too large to be sent there; ``generator`` if left out.

    Left and right are mirrored; up and down never are: depth has a direction. Rotation within 15 degrees, zoom 0.75 to
    1.33, a change of proportions within 15 %, shifts within 10 % of the frame. share: of the images, in [0, 1], that
    get more than the mirror. spoiled: of them, the share that each part of ``Spoil`` falls upon.
    """

    noise = noise or generator

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, generator=generator)

    angle = uniform(-math.pi / 12, math.pi / 12)
    zoom, stretch = uniform(math.log(0.75), math.log(1.33)).exp(), uniform(math.log(0.87), math.log(1.15)).exp()
    mirror = torch.where(torch.rand(count, generator=generator) < 0.5, -1.0, 1.0)
    cosine, sine = angle.cos() / zoom, angle.sin() / zoom
    rows = [
        torch.stack([mirror * cosine, -mirror * sine * stretch, uniform(-0.2, 0.2)], 1),
        torch.stack([sine, cosine * stretch, uniform(-0.2, 0.2)], 1),
    ]

    def per_image(values: Tensor) -> Tensor:
        return values.view(count, 1, 1, 1)

    drawn = Draw(
        affine=torch.stack(rows, 1),
        gain=per_image(uniform(math.log(0.75), math.log(1.33)).exp()),
        gamma=per_image(uniform(math.log(0.67), math.log(1.5)).exp()),
        speckle=per_image(uniform(0.0, 0.2)),
        noise=torch.randn(count, 1, size // 2, size // 2, generator=noise, device=noise.device),
    )
    if share < 1:
        drawn = _spared(drawn, mirror, torch.rand(count, generator=generator) >= share)
    return replace(drawn, spoil=_draw_spoil(count, size, generator, noise, spoiled)) if spoiled else drawn


def _draw_spoil(count: int, size: int, generator: Generator, noise: Generator, share: float) -> Spoil:
    def fallen(between: tuple[float, float], without: float) -> Tensor:
        low, high = between
        values = low + (high - low) * torch.rand(count, generator=generator)
        return torch.where(torch.rand(count, generator=generator) < share, values, without).view(count, 1, 1, 1)

    return Spoil(
        blur=fallen(BLUR, 0.0),
        coarse=fallen((1.0, 1.0), 0.0),
        contrast=fallen(CONTRAST, 1.0),
        grain=fallen(NOISE, 0.0),
        noise=torch.randn(count, 1, size, size, generator=noise, device=noise.device),
    )


def _spared(drawn: Draw, mirror: Tensor, chosen: Tensor) -> Draw:
    """Leave nothing but the mirror for the chosen ones, ``bool (N,)``; mirror: ``float (N,)``, -1 or 1."""
    still = torch.zeros_like(drawn.affine)
    still[:, 0, 0], still[:, 1, 1] = mirror, 1.0
    one = chosen.view(-1, 1, 1, 1)
    return Draw(
        affine=torch.where(chosen.view(-1, 1, 1), still, drawn.affine),
        gain=drawn.gain.masked_fill(one, 1.0),
        gamma=drawn.gamma.masked_fill(one, 1.0),
        speckle=drawn.speckle.masked_fill(one, 0.0),
        noise=drawn.noise,
    )


def warp(images: Tensor, masks: Tensor, affine: Tensor) -> tuple[Tensor, Tensor]:
    """Move images and masks alike: ``float (N, 1, H, W)`` each; images are interpolated, masks stay 0 and 1.

    Where the masks have a second channel, the teachers' answers, it is interpolated as well.
    """
    both = torch.cat([images, masks], 1)
    grid = functional.affine_grid(affine, list(both.shape), align_corners=False)
    moved = functional.grid_sample(both, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    images, masks, soft = moved[:, :1], moved[:, 1:2], moved[:, 2:]
    return images, torch.cat([(masks >= 0.5).to(masks.dtype), soft], 1)


def shade(images: Tensor, drawn: Draw) -> Tensor:
    """Apply speckle, gain and gamma to ``float (N, 1, H, W)`` in [0, 1]; black stays black."""
    noise = functional.interpolate(drawn.noise, size=images.shape[-2:], mode="bilinear", align_corners=False)
    spoiled = images * (1 + drawn.speckle * noise) * drawn.gain
    return spoiled.clamp(0, 1).pow(drawn.gamma)


def spoil(images: Tensor, drawn: Spoil) -> Tensor:
    """Apply blur, half resolution, contrast and noise to ``float (N, 1, H, W)`` in [0, 1]."""
    images = _blurred(images, drawn.blur)
    coarse = functional.interpolate(functional.avg_pool2d(images, 2), images.shape[-2:], mode="bilinear")
    images = torch.lerp(images, coarse, drawn.coarse)
    mean = images.mean((2, 3), keepdim=True)
    return (mean + drawn.contrast * (images - mean) + drawn.grain * drawn.noise).clamp(0, 1)


def _blurred(images: Tensor, deviation: Tensor) -> Tensor:
    """Each image blurred by a Gaussian of its own deviation, ``float (N, 1, 1, 1)`` in pixels; 0 leaves it alone."""
    places = torch.arange(-_REACH, _REACH + 1, device=images.device)
    kernels = torch.exp(-0.5 * (places / deviation.clamp(min=1e-3)) ** 2)
    kernels = kernels / kernels.sum(-1, keepdim=True)
    alone = images.transpose(0, 1)
    for kernel in (kernels, kernels.transpose(2, 3)):
        alone = functional.conv2d(alone, kernel, padding="same", groups=len(images))
    return alone.transpose(0, 1)


def augment(images: Tensor, masks: Tensor, drawn: Draw) -> tuple[Tensor, Tensor]:
    """Geometry for both, then brightness for the image: ``float (N, 1, H, W)`` each, masks as of ``warp``, in the order
    given."""
    images, masks = warp(images, masks, drawn.affine)
    images = shade(images, drawn)
    return (spoil(images, drawn.spoil) if drawn.spoil else images), masks
