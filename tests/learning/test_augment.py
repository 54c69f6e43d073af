import pytest
import torch
from torch import Generator, Tensor

from sonoseg.learning.augment import Draw, Spoil, augment, draw, shade, spoil, warp

IDENTITY = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


def half(count: int, size: int) -> Tensor:
    """Images that are bright above and dark below."""
    images = torch.zeros(count, 1, size, size)
    images[:, :, : size // 2] = 1
    return images


def still(count: int, size: int) -> Draw:
    one = torch.ones(count, 1, 1, 1)
    return Draw(IDENTITY.expand(count, 2, 3), one, one, 0 * one, torch.zeros(count, 1, size // 2, size // 2))


def test_identity_changes_nothing() -> None:
    images = torch.rand(2, 1, 17, 17, generator=Generator().manual_seed(0))
    masks = (images > 0.5).float()
    moved, moved_masks = augment(images, masks, still(2, 17))
    torch.testing.assert_close(moved, images)
    assert torch.equal(moved_masks, masks)


def test_image_and_mask_move_together_and_masks_stay_binary() -> None:
    images = half(8, 32)
    moved, masks = warp(images, images, draw(8, 32, Generator().manual_seed(1)).affine)
    assert set(masks.unique().tolist()) <= {0.0, 1.0}
    assert ((moved - masks).abs() > 0.5).float().mean() < 0.01


def test_depth_keeps_its_direction() -> None:
    """However it is turned, shifted and mirrored, what was above stays above."""
    rows = torch.arange(64.0).view(1, 1, 64, 1)
    images = torch.zeros(64, 1, 64, 64)
    images[:, :, 8:24, 16:48] = 1
    below = torch.zeros(64, 1, 64, 64)
    below[:, :, 40:56, 16:48] = 1
    drawn = draw(64, 64, Generator().manual_seed(2))
    upper, lower = warp(images, below, drawn.affine)
    depth = [(part * rows).sum((1, 2, 3)) / part.sum((1, 2, 3)) for part in (upper, lower)]
    assert (depth[0] < depth[1]).all()


def test_left_and_right_are_mirrored_half_of_the_time() -> None:
    mirrored = (torch.det(draw(1000, 8, Generator().manual_seed(3)).affine[:, :, :2]) < 0).float().mean()
    assert float(mirrored) == pytest.approx(0.5, abs=0.06)


def test_brightness_stays_in_range_and_black_stays_black() -> None:
    images = half(16, 32)
    shaded = shade(images, draw(16, 32, Generator().manual_seed(4)))
    assert shaded.min() >= 0
    assert shaded.max() <= 1
    assert (shaded[images == 0] == 0).all()


def test_one_seed_draws_the_same() -> None:
    first, second = (draw(3, 16, Generator().manual_seed(5)) for _ in range(2))
    assert first.spoil is second.spoil is None
    assert all(torch.equal(getattr(first, name), getattr(second, name)) for name in vars(first) if name != "spoil")


def test_a_share_of_the_images_is_only_mirrored() -> None:
    drawn = draw(400, 16, Generator().manual_seed(6), share=0.25)
    images = torch.rand(400, 1, 16, 16, generator=Generator().manual_seed(7))
    moved, _ = augment(images, (images > 0.5).float(), drawn)
    spared = [
        any(torch.allclose(one, other, atol=1e-5) for other in (before, before.flip(-1)))
        for one, before in zip(moved, images, strict=True)
    ]
    assert 0.65 < sum(spared) / 400 < 0.85
    whole, same = draw(3, 16, Generator().manual_seed(5)), draw(3, 16, Generator().manual_seed(5), share=1.0)
    assert torch.equal(whole.affine, same.affine)


def test_what_spoils_falls_on_its_share_and_leaves_the_rest_as_it_would_be() -> None:
    images = torch.rand(400, 1, 16, 16, generator=Generator().manual_seed(7)) * 0.5 + 0.2
    drawn = draw(400, 16, Generator().manual_seed(6), spoiled=0.1)
    assert torch.equal(drawn.affine, draw(400, 16, Generator().manual_seed(6)).affine)
    assert drawn.spoil is not None
    fallen = [
        drawn.spoil.blur > 0, drawn.spoil.coarse > 0, drawn.spoil.contrast != 1, drawn.spoil.grain > 0,
    ]  # fmt: skip
    assert all(0.05 < float(part.float().mean()) < 0.16 for part in fallen)
    untouched = ~torch.stack(fallen).any(0).flatten()
    spoiled = spoil(images, drawn.spoil)
    torch.testing.assert_close(spoiled[untouched], images[untouched])
    assert (spoiled - images).abs().amax((1, 2, 3))[~untouched].min() > 1e-3
    assert 0 <= spoiled.min() <= spoiled.max() <= 1


def test_blur_is_of_the_deviation_that_was_drawn() -> None:
    point = torch.zeros(2, 1, 17, 17)
    point[:, :, 8, 8] = 1
    zero = torch.zeros(2, 1, 1, 1)
    deviation = torch.tensor([0.7, 1.5]).view(2, 1, 1, 1)
    blurred = spoil(point, Spoil(deviation, zero, zero + 1, zero, torch.zeros_like(point)))
    places = torch.arange(17.0) - 8
    found = (blurred.sum((1, 2)) * places**2).sum(-1).sqrt()
    torch.testing.assert_close(found, deviation.flatten(), atol=0.03, rtol=0)


def test_a_part_of_a_draw_is_that_of_its_images() -> None:
    drawn = draw(6, 16, Generator().manual_seed(5), spoiled=0.5)
    part = drawn.taken(torch.tensor([1, 3, 5]), torch.device("cpu"))
    images = torch.rand(6, 1, 16, 16, generator=Generator().manual_seed(1))
    torch.testing.assert_close(augment(images, images, drawn)[0][1::2], augment(images[1::2], images[1::2], part)[0])
