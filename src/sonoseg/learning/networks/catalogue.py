"""The models by name, and what each costs."""

import copy
import difflib
from collections.abc import Callable
from functools import partial

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from sonoseg.errors import UserError
from sonoseg.learning.networks.blocks import Block, DoubleConvolution, RecurrentResidual
from sonoseg.learning.networks.encoders import Encoder, PlainEncoder, TimmEncoder
from sonoseg.learning.networks.gates import AttentionGate, Gate, PassThrough
from sonoseg.learning.networks.unet import UNet


def _double(steps: int, shared: bool) -> Block:
    return DoubleConvolution


def _recurrent(steps: int, shared: bool) -> Block:
    return partial(RecurrentResidual, steps=steps, shared=shared)


# name: (block by its number of recurrences and whether they share a normalisation, gate)
CATALOGUE: dict[str, tuple[Callable[[int, bool], Block], Gate]] = {
    "unet": (_double, PassThrough),
    "recurrent-unet": (_recurrent, PassThrough),
    "attention-unet": (_double, AttentionGate),
    "recurrent-attention-unet": (_recurrent, AttentionGate),
}


def build(
    model: str,
    width: int = 32,
    encoder: str | None = None,
    encoder_weights: str = "none",
    classes: int = 1,
    steps: int = 2,
    padding: str = "plain",
    presence: bool = False,
    norms: str = "each",
) -> UNet:
    """Make a model of the catalogue, with fresh weights except those of ``encoder_weights``.

    ``width`` is the number of channels at full size; with a timm ``encoder`` the decoder has half of it there, and
    twice as many at each coarser level; its strided convolutions are padded on both sides ("plain") or as TensorFlow
    does ("same"). ``steps`` is the number of recurrences, for the recurrent ones, and ``norms`` says whether each of
    them has a normalisation of its own ("each") or all have one ("shared"). ``presence`` adds a ``PresenceHead``.
    Raises UserError for an unknown name, a number that is too small, and whatever ``TimmEncoder`` refuses.
    """
    if model not in CATALOGUE:
        nearest = difflib.get_close_matches(model, CATALOGUE, n=1, cutoff=0.0)[0]
        raise UserError(f"no model is called {model!r}; there are {', '.join(CATALOGUE)}", hint=f"--model {nearest}")
    for name, value, least, usual in (("width", width, 1, 32), ("classes", classes, 1, 1), ("steps", steps, 0, 2)):
        if value < least:
            raise UserError(f"{name} is {value}; it must be {least} or more", hint=f"--{name} {usual}")
    make_block, gate = CATALOGUE[model]
    block = make_block(steps, norms == "shared")
    if encoder is None:
        plain: Encoder = PlainEncoder(block, width)
        return UNet(plain, block, gate, classes, presence=presence)
    finest = max(1, width // 2)
    options = {"pad_type": padding} if padding == "same" else {}
    backbone: Encoder = TimmEncoder(encoder, encoder_weights, stem_width=finest, **options)
    widths = [finest * 2**level for level in range(len(backbone.channels) - 1)]
    return UNet(backbone, block, gate, classes, widths, presence)


def count_parameters(model: nn.Module) -> int:
    """Count the trainable numbers."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def multiply_adds(model: nn.Module, size: int) -> int:
    """Count the multiply-adds of the convolutions for one image of size x size. Nothing is computed."""
    twin = copy.deepcopy(model).to("meta").eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        twin(torch.empty(1, 1, size, size, device="meta"))
    return int(counter.get_total_flops()) // 2
