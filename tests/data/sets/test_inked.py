import numpy as np

from sonoseg.data.sets.inked import GLYPHS, INK, TEXTS, measure, write
from sonoseg.images.marks import MARK_SCORE, score


def test_a_caliper_has_a_cross_at_both_ends_and_dots_between() -> None:
    pixels = np.zeros((60, 80), np.uint8)
    measure(pixels, [(20, 10), (20, 50)])
    rows, columns = np.nonzero(pixels)
    assert set(np.unique(pixels)) == {0, INK}
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (16, 24, 6, 54)
    assert 6 <= (pixels[20, 15:45] > 0).sum() <= 8  # a dot in four pixels
    measure(pixels, [(-3, -3), (70, 90)])  # what lies outside is left out


def test_text_stands_in_the_lower_part_and_is_told_from_tissue() -> None:
    for seed in range(20):
        pixels = np.full((220, 260), 60, np.uint8)
        write(np.random.default_rng(seed), pixels)
        rows, _ = np.nonzero(pixels == INK)
        assert rows.min() >= 132
        assert score(pixels) >= MARK_SCORE


def test_every_letter_of_the_texts_is_known() -> None:
    assert set("".join(TEXTS)) == GLYPHS.keys()
