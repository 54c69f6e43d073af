from itertools import combinations

import numpy as np
import pytest

from scans import brightened, cropped, resized, scan
from sonoseg.data.registration import NEIGHBOUR_SCORE, agreement, register, warp_mask

IMAGE = scan(3, 300, 360)
ROWS, COLUMNS = np.mgrid[:300, :360]


def disc(row=150, column=180, radius=50):
    return (ROWS - row) ** 2 + (COLUMNS - column) ** 2 < radius**2


def copy(mask):
    """A crop of the image in another size and brightness, and its mask."""
    grey = np.where(mask, np.uint8(255), np.uint8(0))
    cut = (0.08, 0.06, 0.1, 0.03)
    return brightened(resized(cropped(IMAGE, *cut), 1.4), 0.8), resized(cropped(grey, *cut), 1.4) > 127


def test_one_outline_on_two_copies_agrees() -> None:
    assert agreement(IMAGE, disc(), *copy(disc())) == pytest.approx(1, abs=0.02)


def test_outlines_agree_as_far_as_their_dice_would_in_one_frame() -> None:
    other = disc(160, 190, 42)
    expected = 2 * (disc() & other).sum() / (disc().sum() + other.sum())
    assert agreement(IMAGE, disc(), *copy(other)) == pytest.approx(expected, abs=0.02)


def test_what_lies_beyond_the_crop_does_not_count() -> None:
    edge = COLUMNS < 36
    assert agreement(IMAGE, disc() | edge, *copy(disc())) == pytest.approx(1, abs=0.03)


def test_an_empty_mask_agrees_with_nothing_and_two_tell_nothing() -> None:
    nothing = np.zeros(IMAGE.shape, bool)
    assert agreement(IMAGE, disc(), *copy(nothing)) == 0
    assert agreement(IMAGE, nothing, *copy(disc())) == 0
    assert agreement(IMAGE, nothing, *copy(nothing)) is None


def test_other_scans_have_no_agreement() -> None:
    assert agreement(IMAGE, disc(), scan(4, 300, 360), disc()) is None


def test_a_mask_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot belong"):
        agreement(IMAGE, disc()[1:], IMAGE, disc())


def test_registration_recovers_crop_and_size() -> None:
    first = scan(7, 300, 360)
    second = resized(first[30:290, 40:350], 1.5)
    found = register(first, second)
    assert found.score > 0.9
    for factor, size, start in zip(found.scale, second.shape, (30, 40), strict=True):
        assert factor == pytest.approx(1 / 1.5, rel=0.01)
        assert factor * size == pytest.approx(size / 1.5, abs=2.5)
        assert start == pytest.approx(found.shift[start == 40], abs=1.5)


def test_a_mask_is_carried_to_where_it_belongs() -> None:
    first = scan(8, 300, 360)
    rows, columns = np.mgrid[:300, :360]
    lesion = (rows - 150) ** 2 + (columns - 200) ** 2 < 60**2
    second = resized(first[30:290, 40:350], 1.5)
    mask = resized(np.where(lesion, np.uint8(255), np.uint8(0))[30:290, 40:350], 1.5) > 127
    carried, covered = warp_mask(mask, register(first, second), (300, 360))
    assert carried.shape == covered.shape == (300, 360)
    assert carried.dtype == covered.dtype == np.bool_
    assert 2 * np.count_nonzero(carried & lesion) > 0.97 * (carried.sum() + lesion.sum())
    assert abs(np.count_nonzero(covered) - 260 * 310) < 0.02 * 260 * 310
    assert not (carried & ~covered).any()


def test_two_scans_do_not_register() -> None:
    assert max(register(scan(a), scan(b)).score for a, b in combinations(range(20, 25), 2)) < NEIGHBOUR_SCORE
