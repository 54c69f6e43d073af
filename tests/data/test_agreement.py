import numpy as np
import pytest

from scans import brightened, cropped, resized, scan
from sonoseg.data.agreement import agreement

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
