import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonoseg.prediction.letterbox import Letterbox

SIDES = st.integers(1, 300)


@settings(deadline=None, max_examples=60)
@given(SIDES, SIDES, st.integers(8, 64))
def test_the_image_lies_inside_with_its_proportions(height: int, width: int, size: int) -> None:
    box = Letterbox(height, width, size)
    (rows, columns), (top, left) = box.inner, box.offset
    assert max(rows, columns) == size
    assert 0 <= top <= size - rows
    assert 0 <= left <= size - columns
    assert (
        abs(rows / size - height / max(height, width)) <= max(0.5, 1 - height * size / max(height, width)) / size + 1e-9
    )
    assert abs((size - rows - top) - top) <= 1


@settings(deadline=None, max_examples=60)
@given(SIDES, SIDES, st.integers(8, 64))
def test_there_and_back_keep_the_shape_and_a_constant(height: int, width: int, size: int) -> None:
    box = Letterbox(height, width, size)
    frame = box.fit(np.full((height, width), 77, np.uint8))
    assert frame.shape == (size, size)
    assert np.count_nonzero(frame == 77) == box.inner[0] * box.inner[1]
    assert np.count_nonzero(frame) == box.inner[0] * box.inner[1]
    back = box.undo(frame.astype(np.float32))
    assert back.shape == (height, width)
    assert back.dtype == np.float32
    assert np.allclose(back, 77)


def test_an_image_of_the_frames_size_is_left_alone() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32), dtype=np.uint8)
    box = Letterbox(32, 32, 32)
    assert np.array_equal(box.fit(pixels), pixels)
    assert np.array_equal(box.undo(pixels.astype(np.float32)), pixels)


@pytest.mark.parametrize("shape", [(300, 200), (200, 300), (471, 560), (90, 70)])
def test_a_ramp_stays_where_it_is(shape: tuple[int, int]) -> None:
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    ramp = (100 * rows / shape[0] + 100 * columns / shape[1]).astype(np.uint8)
    box = Letterbox(*shape, 128)
    back = box.undo(box.fit(ramp).astype(np.float32))
    inside = (slice(10, -10), slice(10, -10))
    assert np.abs(back[inside] - ramp[inside]).max() <= 2


def test_a_mask_keeps_its_area() -> None:
    rows, columns = np.mgrid[:400, :300]
    mask = (rows - 180) ** 2 + (columns - 150) ** 2 < 90**2
    small = Letterbox(400, 300, 100).fit_mask(mask)
    assert small.dtype == np.bool_
    assert small.sum() * 16 == pytest.approx(mask.sum(), rel=0.02)


@pytest.mark.parametrize("shape", [(20_000, 10), (10, 20_000), (1, 1)])
def test_extreme_proportions_keep_a_pixel(shape: tuple[int, int]) -> None:
    box = Letterbox(*shape, 64)
    assert min(box.inner) >= 1
    assert box.undo(box.fit(np.full(shape, 9, np.uint8)).astype(np.float32)).shape == shape
