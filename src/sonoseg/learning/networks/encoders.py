"""From an image to features: the plain U-Net encoder, and any convolutional backbone of timm.

An encoder declares ``channels``, one number per level, and the ``mean`` and ``std`` of the grey values in [0, 1] that
it expects to be normalised by. Called on float (N, 1, H, W) it gives a list of features: number i is
(N, channels[i], H / 2**i, W / 2**i), odd sizes rounded up or down.
"""

import difflib
import hashlib
import itertools
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from sonoseg.errors import UserError
from sonoseg.learning.networks.blocks import Block, convolution_unit

SIGNED_INPUT = "RGB in [-1, 1]"


class Encoder(Protocol):
    """What a U-Net needs to know of its encoder; it is an ``nn.Module`` as well."""

    channels: tuple[int, ...]
    mean: float
    std: float

    def __call__(self, image: Tensor) -> list[Tensor]:
        """Give the features, finest first."""


class PlainEncoder(nn.Module):
    """Block, max pooling, block, ...: level i has ``width * 2**i`` channels (Ronneberger et al. 2015)."""

    # About the grey values of breast ultrasound. The first normalisation evens out what differs.
    mean = 0.32
    std = 0.20

    def __init__(self, block: Block, width: int, levels: int = 5) -> None:
        super().__init__()
        self.channels = tuple(width * 2**level for level in range(levels))
        inputs = (1, *self.channels[:-1])
        self.blocks = nn.ModuleList(block(before, after) for before, after in zip(inputs, self.channels, strict=True))
        self.pool = nn.MaxPool2d(2)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Float (N, 1, H, W), at least 16 x 16, to the features of all levels."""
        features: list[Tensor] = []
        for block in self.blocks:
            features.append(block(self.pool(features[-1]) if features else image))
        return features


class TimmEncoder(nn.Module):
    """A backbone of timm, with a small trainable stem for the fine levels that it lacks.

    ``weights`` is "none", "timm" (downloaded by timm) or the path of a safetensors file with timm's names. Level i of
    the stem has ``stem_width * 2**i`` channels. ``options`` go to ``timm.create_model``; ``pad_type="same"`` is one,
    for backbones that know it.

    Raises UserError for an unknown name, a backbone whose reductions do not double or that is not NCHW, and weights
    that cannot be had or do not fit.
    """

    def __init__(self, name: str, weights: str | Path = "none", stem_width: int = 16, **options: Any) -> None:
        super().__init__()
        self.backbone = _create(name, pretrained=weights == "timm", **options)
        reductions = tuple(self.backbone.feature_info.reduction())
        _check_layout(name, reductions, str(getattr(self.backbone, "output_fmt", "NCHW")))
        missing = reductions[0].bit_length() - 1
        stem_channels = tuple(stem_width * 2**level for level in range(missing))
        self.stem = nn.ModuleList(
            convolution_unit(before, after, stride=2 if level else 1)
            for level, (before, after) in enumerate(zip((1, *stem_channels), stem_channels, strict=False))
        )
        self.channels = (*stem_channels, *self.backbone.feature_info.channels())
        self.coarsest = reductions[-1]
        self.mean, self.std = _timm_grey_values(name)
        if weights not in ("none", "timm"):
            signed = load_backbone(self.backbone, Path(weights))
            self.mean, self.std = (0.5, 0.5) if signed else (self.mean, self.std)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Float (N, 1, H, W), at least 32 x 32, to the features of all levels."""
        features: list[Tensor] = []
        for unit in self.stem:
            features.append(unit(features[-1] if features else image))
        # BatchNorm cannot train on one value per channel. A single small image takes its mirror image along.
        alone = self.training and image.shape[0] == 1 and max(image.shape[-2:]) < 2 * self.coarsest
        coarse = self.backbone(torch.cat((image, image.flip(-1))) if alone else image)
        return features + [feature[:1] if alone else feature for feature in coarse]


def load_backbone(backbone: nn.Module, path: Path) -> bool:
    """Load a safetensors file with timm's names; tell whether it was made for input in [-1, 1].

    Tensors that the backbone does not have are left aside; the first convolution is summed over its input channels.
    Raises UserError when the file cannot be read, lacks a tensor or has one of another shape.
    """
    stored, metadata = _read_safetensors(path)
    wanted = backbone.state_dict()
    loaded: dict[str, Tensor] = {}
    unfit: list[str] = []
    for name, tensor in wanted.items():
        # timm turns "stages.0" into "stages_0" where it cuts a network into features.
        value = stored.get(name.replace(".", "_"))
        if value is not None and value.ndim == 4 and tensor.shape[1] == 1 and value.shape[1] == 3:
            value = value.sum(dim=1, keepdim=True)
        if value is not None and value.shape == tensor.shape:
            loaded[name] = value
        elif not name.endswith("num_batches_tracked"):
            unfit.append(name)
    if unfit:
        shown = ", ".join(unfit[:5]) + (", ..." if len(unfit) > 5 else "")
        raise UserError(
            f"{path} does not fit this encoder: {len(unfit)} of {len(wanted)} tensors are missing or have another "
            f"shape: {shown}",
            hint="give the weights of the same timm model, or --encoder-weights none",
        )
    backbone.load_state_dict(loaded, strict=False)
    return metadata.get("input") == SIGNED_INPUT


def origin(weights: str) -> dict[str, str]:
    """Say where an encoder's weights came from: the file's name, checksum and own words; empty where there are none."""
    path = Path(weights)
    if weights in ("none", "timm"):
        return {} if weights == "none" else {"from": "timm"}
    _, told = _read_safetensors(path)
    return with_origin({"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()[:16], **told})


ORIGINS = {
    "389cdaca1376fc6c": {
        "origin": "ImageNet, MobileNetV2 1.0 224 of Google Coral's test data, quantised, made float again; the "
        "statistics of its normalisations set on 126 images of BUS-BRA, folds 1 to 3, without masks",
        "licence": "Apache-2.0",
    }
}
"""What is known of weights that do not say it themselves, by the beginning of their SHA-256."""


def with_origin(told: dict[str, str]) -> dict[str, str]:
    """What ``origin`` tells, with what else is known of these weights."""
    return told | ORIGINS.get(told.get("sha256", ""), {})


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with safe_open(path, framework="pt") as file:
            return {name.replace(".", "_"): file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise UserError(
            f"encoder weights {path} cannot be read as safetensors: {error}",
            hint="--encoder-weights takes none, timm or the path of a .safetensors file",
        ) from error


def _create(name: str, pretrained: bool, **options: Any) -> Any:
    # timm takes a second to import, and the plain encoder does not need it.
    import timm

    if not timm.is_model(name):
        nearest = difflib.get_close_matches(name, timm.list_models(), n=1, cutoff=0.0)[0]
        raise UserError(f"no timm encoder is called {name!r}", hint=f"--encoder {nearest}")
    try:
        return timm.create_model(name, features_only=True, in_chans=1, pretrained=pretrained, **options)
    except Exception as error:
        # Anything can come out of here: no network, no weights under this name, no features from this architecture.
        wish = "with timm's weights" if pretrained else "as an encoder"
        raise UserError(
            f"timm cannot give {name!r} {wish}: {error}",
            hint="--encoder-weights FILE or none needs no network" if pretrained else "--encoder mobilenetv2_100",
        ) from error


def _check_layout(name: str, reductions: tuple[int, ...], layout: str) -> None:
    doubling = all(after == 2 * before for before, after in itertools.pairwise(reductions))
    if not doubling or reductions[0].bit_count() != 1:
        raise UserError(
            f"{name!r} gives features at 1/{', 1/'.join(map(str, reductions))} of the image; "
            "a U-Net needs an encoder whose reductions double",
            hint="--encoder mobilenetv2_100",
        )
    if not layout.endswith("NCHW"):
        raise UserError(
            f"{name!r} gives its features as {layout.removeprefix('Format.')}; a U-Net needs NCHW",
            hint="--encoder mobilenetv2_100",
        )


def _timm_grey_values(name: str) -> tuple[float, float]:
    import timm

    known = timm.get_pretrained_cfg(name)
    mean, std = (known.mean, known.std) if known else ((0.5,), (0.5,))
    return sum(mean) / len(mean), sum(std) / len(std)
