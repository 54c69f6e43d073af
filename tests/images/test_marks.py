import numpy as np
import PIL.Image
import PIL.ImageDraw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scans import scan
from sonoseg.data.sets import phantom
from sonoseg.images.image import Image
from sonoseg.images.marks import MARK_SCORE, marks, score


def crossed(pixels, row, column, arm=8, value=225):
    """With the cross of a caliper, two pixels thick."""
    marked = pixels.copy()
    marked[row - arm : row + arm, column : column + 2] = value
    marked[row : row + 2, column - arm : column + arm] = value
    return marked


def written(pixels, text, place):
    picture = PIL.Image.fromarray(pixels)
    PIL.ImageDraw.Draw(picture).text(place, text, fill=225, font_size=18)
    return np.asarray(picture)


@pytest.fixture(scope="module")
def phantoms():
    return [phantom.read(plan) for plan in phantom.plan(24)]


def test_no_phantom_without_marks_is_flagged_and_large_marks_are_seen(phantoms) -> None:
    flagged = [marks(Image(drawing.pixels)) for drawing in phantoms]
    assert not [drawing for drawing, flag in zip(phantoms, flagged, strict=True) if flag and not drawing.marked]
    assert 2 * sum(flagged) >= sum(drawing.marked for drawing in phantoms) > 0


def test_a_cross_or_text_drawn_on_a_clean_phantom_is_seen(phantoms) -> None:
    for drawing in [drawing for drawing in phantoms if not drawing.marked][:6]:
        dark, (height, width) = drawing.pixels // 2, drawing.pixels.shape
        assert marks(Image(crossed(dark, height - 30, width // 2)))
        assert marks(Image(written(dark, "LT AXILLA", (width // 4, height - 40))))


def test_bright_layers_edges_and_broad_echoes_are_tissue() -> None:
    pixels = scan(1)
    pixels[100:103] = 255
    pixels[:, 250:] = 0
    pixels[120:160, 50:60] = 255
    assert score(pixels) < MARK_SCORE


def test_the_name_at_the_top_edge_does_not_count() -> None:
    assert not marks(Image(written(scan(2), "LOGIQ", (0, -4))))


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 255), st.integers(40, 220), st.integers(20, 270))
def test_the_score_is_the_contrast_of_the_stroke(value, row, column) -> None:
    background = 60
    pixels = np.full((240, 300), background, np.uint8)
    pixels[row - 6 : row + 6, column : column + 3] = value
    assert score(pixels) == max(0, value - background)


@pytest.mark.parametrize("shape", [(1, 1), (27, 6), (27, 40), (28, 40), (300, 5), (2, 300)])
def test_small_pictures_have_a_score(shape) -> None:
    assert score(np.full(shape, 9, np.uint8)) == 0
