import math

import pytest
import torch

from sonoseg.learning.losses import LOSSES, QUIET, SMOOTH, dice_and_cross_entropy, lesion_dice, presence_loss


def test_value_worked_out_by_hand() -> None:
    masks = torch.tensor([[[[1.0, 0.0]]]])
    logits = torch.zeros(1, 1, 1, 2)
    soft_dice = (2 * 0.5 + SMOOTH) / (1.0 + 1.0 + SMOOTH)
    assert float(dice_and_cross_entropy(logits, masks, masks)) == pytest.approx(math.log(2) + 1 - soft_dice, rel=1e-6)


def test_right_is_better_than_wrong_and_perfect_is_nearly_zero() -> None:
    masks = (torch.rand(4, 1, 16, 16, generator=torch.Generator().manual_seed(0)) > 0.7).float()
    right, wrong = (masks * 2 - 1) * 20, (1 - masks * 2) * 20
    good, bad = (float(dice_and_cross_entropy(logits, masks, masks)) for logits in (right, wrong))
    assert good < 1e-3 < bad


def test_an_image_without_a_lesion_pulls_every_logit_down() -> None:
    logits = torch.zeros(1, 1, 8, 8, requires_grad=True)
    nothing = torch.zeros(1, 1, 8, 8)
    dice_and_cross_entropy(logits, nothing, nothing).backward()
    assert logits.grad is not None
    assert (logits.grad > 0).all()


def test_lesion_dice_is_undefined_without_a_lesion() -> None:
    masks = torch.zeros(2, 1, 2, 2)
    masks[0, 0, 0] = 1
    logits = torch.full((2, 1, 2, 2), -1.0)
    logits[0, 0, 0, 0] = 1
    scores = lesion_dice(logits, masks)
    assert float(scores[0]) == pytest.approx(2 / 3)
    assert scores[1].isnan()


def test_with_normals_in_the_dice_part_a_small_thing_drawn_on_one_costs_far_more() -> None:
    masks = torch.zeros(1, 1, 32, 32)
    logits = torch.full((1, 1, 32, 32), -20.0)
    logits[..., :3, :3] = 2.0
    lesions, every = (float(LOSSES[name](logits, masks, masks)) for name in ("lesions", "all"))
    drawn = 9 * torch.tensor(2.0).sigmoid().item()
    smooth = QUIET * 32 * 32
    assert every - lesions == pytest.approx(1 - smooth / (drawn + smooth), abs=1e-4)
    assert every > 10 * lesions


def test_both_losses_agree_where_every_image_has_a_lesion() -> None:
    generator = torch.Generator().manual_seed(1)
    masks = (torch.rand(3, 1, 8, 8, generator=generator) > 0.5).float()
    logits = torch.randn(3, 1, 8, 8, generator=generator)
    every, lesions = (float(LOSSES[name](logits, masks, masks)) for name in ("all", "lesions"))
    assert every == pytest.approx(lesions, rel=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_what_is_wanted_pulls_each_pixel_its_way(name: str) -> None:
    masks = torch.zeros(1, 1, 4, 4)
    masks[..., :2] = 1
    logits = torch.full((1, 1, 4, 4), -2.0, requires_grad=True)
    LOSSES[name](logits, masks, 0.8 * masks).backward()
    assert logits.grad is not None
    assert (logits.grad[..., :2] < 0).all()
    assert (logits.grad[..., 2:] > 0).all()


def test_which_images_have_a_lesion_is_told_by_the_masks_and_not_by_teachers() -> None:
    nothing, faint = torch.zeros(1, 1, 4, 4), torch.full((1, 1, 4, 4), 0.1)
    logits = torch.zeros(1, 1, 4, 4)
    assert float(LOSSES["lesions"](logits, nothing, faint)) == float(LOSSES["none"](logits, nothing, faint))


def test_presence_is_of_the_whole_image() -> None:
    masks = torch.zeros(2, 1, 4, 4)
    masks[0, 0, 3, 3] = 1
    assert float(presence_loss(torch.zeros(2), masks)) == pytest.approx(math.log(2))
    assert float(presence_loss(torch.tensor([9.0, -9.0]), masks)) < 1e-3
    assert float(presence_loss(torch.tensor([-9.0, 9.0]), masks)) == pytest.approx(9, abs=1e-3)
