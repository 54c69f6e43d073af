"""The blocks, and the trap of recurrent ones: statistics shared over the steps fit none of them in eval mode."""

import copy
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from sonoseg.data.sources import open_set
from sonoseg.models.blocks import Block, DoubleConvolution, RecurrentConvolution, RecurrentResidual
from sonoseg.models.encoders import PlainEncoder
from sonoseg.models.gates import PassThrough
from sonoseg.models.unet import UNet
from sonoseg.training.batches import Packed, Share, pack, training_batches
from sonoseg.training.losses import dice_and_cross_entropy, lesion_dice

CPU = torch.device("cpu")
STEPS, EPOCHS, WATCHED, BATCH = 3, 24, 8, 8


class SharedStatistics(RecurrentResidual):
    """The published variant: one BatchNorm serves every step of a recurrent convolution."""

    def __init__(self, in_channels: int, out_channels: int, steps: int) -> None:
        super().__init__(in_channels, out_channels, steps)
        for recurrent in self.recurrent:
            assert isinstance(recurrent, RecurrentConvolution)
            recurrent.step_norms = nn.ModuleList(recurrent.first_norm for _ in range(steps))


def gap(network: UNet, images: Tensor, masks: Tensor) -> float:
    """Mean lesion Dice with the statistics of the batch, less that in eval mode, of the same weights."""
    twin = copy.deepcopy(network)
    with torch.no_grad():
        running = lesion_dice(twin.eval()(images), masks).nanmean()
        return float(lesion_dice(twin.train()(images), masks).nanmean() - running)


def train_and_watch(block: Block, data: Packed) -> float:
    """Train a small network and give the mean gap over its last epochs: one alone is noisy."""
    torch.manual_seed(0)
    network = UNet(PlainEncoder(block, 4), block, PassThrough, 1)
    optimizer = torch.optim.AdamW(network.parameters(), lr=5e-3)
    steps = EPOCHS * -(-len(data) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, steps)
    gaps = []
    for epoch in range(EPOCHS):
        for images, masks in training_batches(data, BATCH, 0, epoch, Share(), CPU):
            optimizer.zero_grad()
            dice_and_cross_entropy(network(images), masks).backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
        if epoch >= EPOCHS - WATCHED:
            gaps.append(gap(network, *data.at(torch.arange(len(data)), CPU)))
    return sum(gaps) / len(gaps)


def test_eval_mode_holds_with_statistics_per_step_and_collapses_with_shared_ones() -> None:
    data = pack([sample for sample in open_set("phantom:60").samples if sample.label != "normal"], 32)
    own = train_and_watch(partial(RecurrentResidual, steps=STEPS), data)
    shared = train_and_watch(partial(SharedStatistics, steps=STEPS), data)
    assert abs(own) < 0.02
    assert shared > 0.03


@pytest.mark.parametrize("block", [DoubleConvolution, partial(RecurrentResidual, steps=2)])
def test_a_block_changes_channels_and_keeps_the_size(block: Block) -> None:
    assert block(3, 5)(torch.rand(2, 3, 7, 9)).shape == (2, 5, 7, 9)


def test_steps_share_the_convolution_and_not_the_normalisation() -> None:
    counts = [sum(p.numel() for p in RecurrentConvolution(8, steps).parameters()) for steps in (0, 1, 2)]
    assert counts[0] == 9 * 8 * 8 + 2 * 8
    assert counts[1] - counts[0] == counts[2] - counts[1] == 2 * 8


def test_a_recurrence_is_what_the_paper_writes() -> None:
    torch.manual_seed(0)
    block = RecurrentConvolution(4, 1, normalise=lambda channels: nn.Identity())
    x = torch.rand(1, 4, 6, 6)
    first = block.convolution(x).relu()
    torch.testing.assert_close(block(x), block.convolution(x + first).relu())


def test_other_normalisations_can_be_given() -> None:
    block = RecurrentResidual(3, 8, steps=1, normalise=partial(nn.GroupNorm, 4))
    assert not [module for module in block.modules() if isinstance(module, nn.BatchNorm2d)]
    assert block(torch.rand(1, 3, 5, 5)).shape == (1, 8, 5, 5)
