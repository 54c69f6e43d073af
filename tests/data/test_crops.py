import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonoseg.data.crops import LEAST, LONGEST, beside
from sonoseg.data.sets.sources import open_set
from sonoseg.images.image import Image


def scan(height: int, width: int, spacing: tuple[float, float] | None = None) -> Image:
    """Every pixel differs from its neighbours by where it is."""
    rows, columns = np.mgrid[:height, :width]
    return Image(((7 * rows + 13 * columns) % 251).astype(np.uint8), spacing)


def places(whole: np.ndarray, crop: np.ndarray) -> list[tuple[int, int]]:
    windows = np.lib.stride_tricks.sliding_window_view(whole, crop.shape)
    return [tuple(map(int, place)) for place in np.argwhere((windows == crop).all((2, 3)))]


@given(st.integers(30, 90), st.integers(30, 90), st.data())
def test_crops_are_parts_of_the_image_without_a_lesion_large_and_of_its_shape(height, width, data) -> None:
    top, left = data.draw(st.integers(0, height - 2)), data.draw(st.integers(0, width - 2))
    mask = np.zeros((height, width), bool)
    mask[top : data.draw(st.integers(top + 1, height)), left : data.draw(st.integers(left + 1, width))] = True
    image = scan(height, width, (0.1, 0.2))
    for crop, truth in beside(image, mask):
        assert truth.shape == crop.shape
        assert not truth.any()
        assert crop.spacing == image.spacing
        rows, columns = crop.shape
        assert any(not mask[r : r + rows, c : c + columns].any() for r, c in places(image.pixels, crop.pixels))
        high, wide = rows / height, columns / width
        assert min(high, wide) >= LEAST
        but_for_a_pixel = min(high, wide) + 1 / min(height, width)
        assert max(high, wide) <= LONGEST * but_for_a_pixel + 1e-9


def test_the_largest_two_are_cut_and_always_the_same() -> None:
    mask = np.zeros((100, 100), bool)
    mask[45:50, 45:50] = True  # room on all four sides, most on the right and below
    first, again = (beside(scan(100, 100), mask) for _ in range(2))
    assert len(first) == 2
    assert all(np.array_equal(a.pixels, b.pixels) for (a, _), (b, _) in zip(first, again, strict=True))
    assert len(beside(scan(100, 100), mask, most=4)) == 4
    sizes = [crop.pixels.size for crop, _ in beside(scan(100, 100), mask, most=4)]
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize("drawn", [np.zeros((40, 40), bool), np.ones((40, 40), bool)])
def test_without_a_lesion_or_without_room_there_are_none(drawn: np.ndarray) -> None:
    assert beside(scan(40, 40), drawn) == []


def test_crops_of_phantoms_are_cut_beside_lesions_only() -> None:
    cut = 0
    for sample in open_set("phantom:20").samples:
        image, mask = sample.read()
        for crop, _ in beside(image, mask):
            cut += 1
            assert crop.pixels.size >= LEAST**2 * image.pixels.size
            assert sample.label != "normal"
    assert cut >= 10
