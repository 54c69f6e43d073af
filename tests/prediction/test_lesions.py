from math import atan2, cos, degrees, hypot, pi, sin

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from skimage.measure import find_contours, regionprops

from sonoseg.images.masks import fill
from sonoseg.prediction.lesions import Lesion, components, confidences, corners, measure, remove_specks, trace

Mask = NDArray[np.bool_]
MASKS = arrays(np.bool_, st.tuples(st.integers(1, 24), st.integers(1, 24)))
ROWS, COLUMNS = np.mgrid[:400, :400] - 199.7


def only(mask: Mask, spacing: tuple[float, float] | None = None) -> Lesion:
    (lesion,) = measure(mask, mask.astype(np.float32), spacing)
    return lesion


def ellipse(long: float, short: float, turn: float) -> Mask:
    """Half axes in pixels; turn in degrees, positive where the right end is deeper."""
    angle = np.radians(turn)
    along, across = COLUMNS * cos(angle) + ROWS * sin(angle), ROWS * cos(angle) - COLUMNS * sin(angle)
    return np.asarray((along / long) ** 2 + (across / short) ** 2 <= 1)


def rectangle(height: int, width: int) -> Mask:
    mask = np.zeros((height + 20, width + 30), bool)
    mask[7 : 7 + height, 11 : 11 + width] = True
    return mask


@settings(deadline=None, max_examples=100)
@given(MASKS, st.booleans())
def test_components_are_those_of_scipy(mask: Mask, by_corner: bool) -> None:
    labels, count = scipy.ndimage.label(mask, np.ones((3, 3)) if by_corner else None)
    found = components(mask, by_corner)
    assert np.array_equal(found.labels, labels)
    assert found.sizes.tolist() == np.bincount(labels.ravel(), minlength=count + 1)[1:].tolist()
    boxes = [(r.start, c.start, r.stop, c.stop) for r, c in scipy.ndimage.find_objects(labels)]
    assert [tuple(box) for box in found.boxes.tolist()] == boxes


@pytest.mark.parametrize("share", [0.1, 0.4, 0.6, 0.9])
@pytest.mark.parametrize("by_corner", [True, False])
def test_components_of_noise_are_those_of_scipy(share: float, by_corner: bool) -> None:
    mask = np.random.default_rng(0).random((200, 300)) < share
    labels, _ = scipy.ndimage.label(mask, np.ones((3, 3)) if by_corner else None)
    assert np.array_equal(components(mask, by_corner).labels, labels)


@pytest.mark.parametrize("turned", [False, True])
def test_a_long_way_round_is_one_component(turned: bool) -> None:
    snake = np.zeros((90, 101), bool)
    snake[:, ::2] = snake[0, 1::4] = snake[-1, 3::4] = True
    snake = snake.T if turned else snake
    assert components(snake, by_corner=False).sizes.tolist() == [snake.sum()]


@settings(deadline=None, max_examples=60)
@given(MASKS)
def test_outlines_give_the_mask_back(mask: Mask) -> None:
    assert np.array_equal(fill(trace(mask), mask.shape), mask)
    assert np.array_equal(fill([corners(outline) for outline in trace(mask)], mask.shape), mask)


def test_an_outline_is_the_contour_of_scikit_image() -> None:
    mask = ellipse(60, 35, 25)
    (outline,) = trace(mask)
    (contour,) = find_contours(np.pad(mask, 1).astype(float), 0.5)
    assert {tuple(point) for point in outline} == {tuple(point) for point in contour - 1}


def test_corners_keep_the_shape() -> None:
    (outline,) = trace(rectangle(10, 30))
    kept = corners(outline)
    assert len(outline) == 80
    assert len(kept) == 8  # each corner of the rectangle is cut by half a pixel
    (r0, c0), (r1, c1) = kept.T, np.roll(kept, -1, axis=0).T
    assert (c0 * r1 - r0 * c1).sum() / 2 == 300 - 4 / 8


@pytest.mark.parametrize("turn", [0, 20, 45, 70, 90, -30])
def test_an_ellipse_has_its_known_values(turn: int) -> None:
    lesion = only(ellipse(80, 50, turn))
    angle = np.radians(turn)
    assert lesion.unit == "px"
    assert lesion.longest_diameter == pytest.approx(160, abs=1)
    assert lesion.perpendicular_diameter == pytest.approx(100, abs=1)
    assert lesion.area == pytest.approx(pi * 80 * 50, rel=0.003)
    assert lesion.depth == pytest.approx(2 * hypot(80 * sin(angle), 50 * cos(angle)), abs=1)
    assert lesion.width == pytest.approx(2 * hypot(80 * cos(angle), 50 * sin(angle)), abs=1)
    assert (lesion.orientation - turn + 90) % 180 == pytest.approx(90, abs=0.5)
    assert lesion.solidity > 0.98
    # Ramanujan's perimeter of an ellipse
    perimeter = pi * (3 * 130 - ((3 * 80 + 50) * (80 + 3 * 50)) ** 0.5)
    assert lesion.circularity == pytest.approx(4 * pi * pi * 80 * 50 / perimeter**2, abs=0.03)
    assert lesion.centroid == pytest.approx((199.7, 199.7), abs=0.2)


@pytest.mark.parametrize("radius", [4, 8, 20, 90])
def test_a_disc_is_round(radius: int) -> None:
    lesion = only(ellipse(radius, radius, 0))
    assert lesion.circularity == pytest.approx(1, abs=0.04)
    assert lesion.longest_diameter == pytest.approx(2 * radius, abs=1)
    assert lesion.perpendicular_diameter == pytest.approx(2 * radius, abs=1)
    assert lesion.depth_to_width == pytest.approx(1, abs=0.5 / radius)


def test_a_rectangle_has_its_known_values() -> None:
    lesion = only(rectangle(40, 90))
    assert (lesion.depth, lesion.width, lesion.area) == (40, 90, 3600)
    assert lesion.box == (7, 11, 40, 90)
    assert lesion.centroid == (26.5, 55.5)
    assert lesion.depth_to_width == pytest.approx(40 / 90)
    assert lesion.longest_diameter == pytest.approx(hypot(40, 90), abs=1)
    # A chord at right angles to the diagonal of a rectangle is bounded by its long sides.
    assert lesion.perpendicular_diameter == pytest.approx(40 / cos(atan2(40, 90)), abs=1)
    assert lesion.orientation == pytest.approx(0, abs=1e-9)
    assert lesion.circularity == pytest.approx(4 * pi * 3600 / 260**2, abs=0.03)
    assert lesion.solidity == pytest.approx(1, abs=0.001)
    assert lesion.bi_rads_orientation == "parallel"
    assert only(rectangle(90, 40)).bi_rads_orientation == "not parallel"
    assert only(rectangle(90, 40)).orientation == 90


def test_a_bent_shape_is_not_solid() -> None:
    mask = rectangle(60, 60)
    mask[7:47, 31:71] = False  # an L of 60 x 60 with arms of 20: hull 60 * 60 - 40 * 40 / 2
    assert only(mask).solidity == pytest.approx((3600 - 1600) / (3600 - 800), abs=0.01)


def test_a_hole_is_an_outline_and_lowers_solidity_and_area() -> None:
    mask = rectangle(30, 30)
    mask[17:27, 21:31] = False
    lesion = only(mask)
    assert len(lesion.outlines) == 2
    assert lesion.area == 800
    assert lesion.solidity == pytest.approx(8 / 9, abs=0.01)
    assert lesion.circularity == only(rectangle(30, 30)).circularity


def test_a_single_pixel_and_a_line_are_measured() -> None:
    mask = np.zeros((5, 5), bool)
    mask[2, 2] = True
    lesion = only(mask)
    assert (lesion.longest_diameter, lesion.perpendicular_diameter, lesion.area) == (1, 1, 1)
    assert (lesion.depth, lesion.width, lesion.circularity) == (1, 1, 1)
    mask[2] = True
    lesion = only(mask)
    assert (lesion.longest_diameter, lesion.perpendicular_diameter) == (5, 1)
    assert only(np.ones((3, 4), bool)).area == 12


def test_anisotropic_spacing_is_measured_in_mm() -> None:
    # 0.2 mm down and 0.1 mm across: an ellipse of 100 rows by 300 columns is 20 by 30 mm.
    mask = (ROWS / 50) ** 2 + (COLUMNS / 150) ** 2 <= 1
    lesion = only(mask, (0.2, 0.1))
    assert lesion.unit == "mm"
    assert lesion.longest_diameter == pytest.approx(30, abs=0.2)
    assert lesion.perpendicular_diameter == pytest.approx(20, abs=0.2)
    assert (lesion.depth, lesion.width) == (pytest.approx(20, abs=0.2), pytest.approx(30, abs=0.2))
    assert lesion.area == pytest.approx(pi * 10 * 15, rel=0.003)
    assert lesion.depth_to_width == pytest.approx(2 / 3, rel=0.01)
    assert lesion.pixels == np.count_nonzero(mask)
    disc = (ROWS / 50) ** 2 + (COLUMNS / 100) ** 2 <= 1
    assert only(disc, (0.2, 0.1)).circularity == pytest.approx(1, abs=0.04)
    start, end = lesion.calipers[0]
    assert hypot((end[0] - start[0]) * 0.2, (end[1] - start[1]) * 0.1) == pytest.approx(lesion.longest_diameter)


def test_isotropic_spacing_only_scales() -> None:
    pixels, mm = only(ellipse(70, 30, 33)), only(ellipse(70, 30, 33), (0.1, 0.1))
    assert mm.longest_diameter == pytest.approx(pixels.longest_diameter / 10)
    assert mm.perpendicular_diameter == pytest.approx(pixels.perpendicular_diameter / 10)
    assert mm.area == pytest.approx(pixels.area / 100)
    for same in ("orientation", "circularity", "solidity", "depth_to_width"):
        assert getattr(mm, same) == pytest.approx(getattr(pixels, same))


def test_measures_agree_with_scikit_image() -> None:
    rng = np.random.default_rng(5)
    for _ in range(20):
        noise = scipy.ndimage.gaussian_filter(rng.random((160, 200)), 9)
        mask = remove_specks(noise > np.quantile(noise, 0.85), noise, 300)
        labels = components(mask).labels
        regions = sorted(regionprops(labels), key=lambda region: -region.area)
        for lesion, region in zip(measure(mask, mask.astype(np.float32)), regions, strict=True):
            assert lesion.area == region.area
            assert lesion.centroid == pytest.approx(region.centroid)
            assert lesion.box == (*region.bbox[:2], region.bbox[2] - region.bbox[0], region.bbox[3] - region.bbox[1])
            assert lesion.longest_diameter == pytest.approx(region.feret_diameter_max, abs=1)
            assert lesion.solidity == pytest.approx(region.solidity, abs=0.02)
            turned = (lesion.orientation - 90 + degrees(region.orientation)) % 180
            assert min(turned, 180 - turned) < 1e-6
            round_ = 4 * pi * region.area_filled / region.perimeter_crofton**2
            assert lesion.circularity == pytest.approx(min(1, round_), rel=0.12)


@settings(deadline=None, max_examples=60)
@given(MASKS, st.floats(0.05, 2), st.floats(0.05, 2))
def test_laws_of_every_lesion(mask: Mask, row: float, column: float) -> None:
    lesions = measure(mask, np.full(mask.shape, 0.75, np.float32), (row, column))
    assert sum(lesion.pixels for lesion in lesions) == mask.sum()
    assert [lesion.number for lesion in lesions] == list(range(1, len(lesions) + 1))
    for lesion in lesions:
        assert lesion.perpendicular_diameter <= lesion.longest_diameter * (1 + 1e-9)
        assert lesion.longest_diameter <= hypot(lesion.depth, lesion.width) * (1 + 1e-9)
        assert max(lesion.depth, lesion.width) <= lesion.longest_diameter * (1 + 1e-9)
        assert 0 < lesion.circularity <= 1
        assert 0 < lesion.solidity <= 1
        assert -90 < lesion.orientation <= 90
        assert lesion.confidence == pytest.approx(0.75)


def test_lesions_come_largest_first() -> None:
    mask = np.zeros((40, 40), bool)
    mask[2:5, 2:5] = mask[20:30, 20:30] = mask[2:5, 30:33] = True
    lesions = measure(mask, mask.astype(np.float32))
    assert [lesion.pixels for lesion in lesions] == [100, 9, 9]
    assert [lesion.box[1] for lesion in lesions] == [20, 2, 30]
    assert measure(np.zeros((9, 9), bool), np.zeros((9, 9), np.float32)) == ()


def test_confidence_is_the_mean_probability_inside() -> None:
    probability = np.zeros((10, 10), np.float32)
    probability[2:4, 2:4] = [[0.6, 0.8], [0.9, 0.7]]
    assert measure(probability >= 0.5, probability)[0].confidence == pytest.approx(0.75)


def test_specks_are_removed_by_size() -> None:
    mask = np.zeros((40, 40), bool)
    mask[20:30, 20:30] = mask[2:5, 2:5] = True
    sure = mask.astype(np.float32)
    assert np.array_equal(remove_specks(mask, sure, 9), mask)
    assert remove_specks(mask, sure, 9.5).sum() == 100
    assert not remove_specks(mask, sure, 101).any()
    assert not remove_specks(np.zeros((4, 4), bool), np.zeros((4, 4), np.float32), 10).any()


def test_what_is_faint_is_removed_by_its_mean_probability() -> None:
    probability = np.zeros((40, 40), np.float32)
    probability[20:30, 20:30], probability[2:5, 2:5] = 0.6, 0.9
    probability[2, 2] = 0.5
    mask = probability >= 0.5
    found = components(mask)
    assert confidences(found, probability) == pytest.approx([(8 * 0.9 + 0.5) / 9, 0.6])
    lesions = measure(mask, probability)
    assert sorted(lesion.confidence for lesion in lesions) == pytest.approx(sorted(confidences(found, probability)))
    assert remove_specks(mask, probability, 0, 0.8).sum() == 9
    assert not remove_specks(mask, probability, 10, 0.8).any()
    assert np.array_equal(remove_specks(mask, probability, 0, 0.55), mask)
