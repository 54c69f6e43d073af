import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.draw import polygon2mask

from sonoseg.images.masks import decode, dice, encode, extent, fill, segmentation
from sonoseg.prediction.lesions import corners, trace

MASKS = st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(lambda shape: arrays(bool, shape))


def pack(counts):
    """Pack run lengths as the COCO API does."""
    text = ""
    for number, count in enumerate(counts):
        value = count - counts[number - 2] if number > 2 else count
        more = True
        while more:
            code, value = value & 0x1F, value >> 5
            more = value != (-1 if code & 0x10 else 0)
            text += chr(48 + (code | (0x20 if more else 0)))
    return text


@settings(deadline=None, max_examples=50)
@given(MASKS)
def test_what_was_encoded_is_decoded(mask):
    found = encode(mask)
    assert sum(found["counts"]) == mask.size
    assert np.array_equal(decode(found, mask.shape), mask)


@settings(deadline=None, max_examples=50)
@given(MASKS)
def test_packed_lengths_are_unpacked(mask):
    found = encode(mask)
    assert np.array_equal(decode(found | {"counts": pack(found["counts"])}, mask.shape), mask)


def test_a_margin_of_the_extent_ends_with_the_image():
    mask = np.zeros((10, 12), bool)
    mask[1, 6] = True
    grown = np.zeros_like(mask)
    grown[extent(mask, margin=2)] = True
    assert np.argwhere(grown).min(0).tolist() == [0, 4]
    assert np.argwhere(grown).max(0).tolist() == [3, 8]
    assert extent(np.zeros((3, 3), bool), margin=1) == (slice(0), slice(0))


@settings(deadline=None, max_examples=50)
@given(MASKS)
def test_the_extent_holds_all_of_a_mask_and_no_line_more(mask):
    part = mask[extent(mask)]
    assert part.sum() == mask.sum()
    assert all(edge.any() for edge in (part[:1], part[-1:], part[:, :1], part[:, -1:])) == mask.any()


def test_dice_is_of_what_both_have():
    one, other = np.zeros((2, 4, 5), bool)
    assert dice(one, other) is None
    one[:2] = True
    assert dice(one, other) == dice(other, one) == 0
    other[1:3] = True
    assert dice(one, other) == 0.5
    assert dice(one, one) == 1


@pytest.mark.parametrize("seed", range(20))
def test_a_polygon_is_filled_as_by_scikit_image(seed):
    outline = np.random.default_rng(seed).uniform(-10, 60, (3 + seed, 2))
    assert np.array_equal(fill([outline], (40, 50)), polygon2mask((40, 50), outline))


def test_many_edges_are_filled_in_parts():
    turn = np.linspace(0, 200 * np.pi, 20_001, endpoint=False)  # a hundred times round, and a step more
    once = np.stack((20 + 15.2 * np.sin(turn), 25 + 15.2 * np.cos(turn)), axis=1)
    odd = np.concatenate((once, once[:201]))
    assert np.array_equal(fill([odd], (40, 50)), fill([once[:201]], (40, 50)))


def test_lengths_go_down_the_columns_and_begin_outside():
    mask = np.array([[True, False, False], [True, True, False]])
    assert encode(mask) == {"size": [2, 3], "counts": [0, 2, 1, 1, 2]}


def test_packed_lengths_of_a_known_mask():
    # made with pycocotools of a 30 x 40 mask with ones in rows 5 to 19 and columns 7 to 32
    mask = np.zeros((30, 40), bool)
    mask[5:20, 7:33] = True
    assert pack(encode(mask)["counts"]) == PACKED
    assert np.array_equal(decode({"size": [30, 40], "counts": PACKED}, (30, 40)), mask)


PACKED = "g6??0000000000000000000000000000000000000000000000000]6"


def test_a_polygon_holds_the_pixels_whose_centres_lie_in_it():
    expected = np.zeros((6, 8), bool)
    expected[1:4, 2:7] = True
    assert np.array_equal(decode([[2, 1, 7, 1, 7, 4, 2, 4]], (6, 8)), expected)
    assert np.array_equal(decode([[2, 4, 7, 4, 7, 1, 2, 1]], (6, 8)), expected)  # the other way round


def test_traced_outlines_come_back_from_what_is_written_of_them():
    mask = np.zeros((20, 30), bool)
    mask[3:15, 4:20] = mask[8:10, 20:25] = True
    polygon = segmentation([corners(outline) for outline in trace(mask)], mask.shape)
    assert len(polygon) == 1
    assert np.array_equal(decode(polygon, mask.shape), mask)
    mask[5:8, 6:9] = False
    lengths = segmentation([corners(outline) for outline in trace(mask)], mask.shape)
    assert isinstance(lengths, dict)
    assert np.array_equal(decode(lengths, mask.shape), mask)


def test_polygons_are_united_and_cut_at_the_border():
    expected = np.zeros((6, 8), bool)
    expected[:2, :3] = expected[1:4, 2:] = True
    assert np.array_equal(decode([[-5, -5, 3, -5, 3, 2, -5, 2], [2, 1, 99, 1, 99, 4, 2, 4]], (6, 8)), expected)


def test_a_disc_has_the_area_of_a_disc():
    turn = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    corners = np.column_stack((50 + 30 * np.cos(turn), 40 + 20 * np.sin(turn)))
    mask = decode([corners.ravel().tolist()], (80, 100))
    assert mask.sum() == pytest.approx(np.pi * 600, rel=0.005)
    assert np.array_equal(mask, mask[:, ::-1])


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        ({"size": [2, 3], "counts": [7]}, "make 7 pixels, the image has 6"),
        ({"size": [2, 3], "counts": [-1, 7]}, "not whole numbers"),
        ({"size": [2, 3], "counts": [6.0]}, "not whole numbers"),
        ({"size": [2, 3]}, "not whole numbers"),
        ({"size": [3, 2], "counts": [6]}, r"its size is \[3, 2\]"),
        ({"counts": [6]}, "its size is None"),
        ({"size": [2, 3], "counts": "\x01"}, "damaged"),
        ({"size": [2, 3], "counts": "o" * 40}, "damaged"),
        ({"size": [2, 3], "counts": "o"}, "break off"),
        ([[1, 1, 2, 2]], "three corners or more"),
        ([[1, 1, 2, 2, 3]], "three corners or more"),
        (["abcdef"], "three corners or more"),
        ([[1, 1, 2, 2, 3, "x"]], "no number"),
        ([[1, 1, 2, 2, 3, float("inf")]], "no number"),
        (None, "it is NoneType"),
    ],
)
def test_what_is_no_segmentation_is_refused(segmentation, message):
    with pytest.raises(ValueError, match=message):
        decode(segmentation, (2, 3))
