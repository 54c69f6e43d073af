"""What the tools do to a mask, in a real browser: what they change, and what they leave alone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from reader import Reader
from serving import png, served


@pytest.fixture
def reader(browser: Any, tmp_path: Path) -> Iterator[Reader]:
    """A person before a scan without a lesion."""
    with served(tmp_path) as url:
        person = Reader(browser, url)
        person.drop(png(lesion=False))
        yield person
        person.done()


def mask(reader: Reader) -> NDArray[np.uint8]:
    found = reader.page.evaluate(
        "import('/static/js/desk.js').then(({ desk: { work: { mask } } }) => [mask.height, mask.width, [...mask.data]])"
    )
    return np.array(found[2], np.uint8).reshape(found[:2])


def ring(reader: Reader) -> None:
    """A square from (40, 20) to (120, 100) with a square hole, and a small lesion in the hole."""
    reader.press("o")
    for button, (left, top, right, bottom) in (
        ("left", (40, 20, 120, 100)),
        ("right", (60, 40, 100, 80)),
        ("left", (75, 55, 85, 65)),
    ):
        reader.stroke((left, top), (right, top), (right, bottom), (left, bottom), (left, top + 1), button=button)


def test_a_lesion_within_another_is_chosen_where_it_lies(reader: Reader) -> None:
    ring(reader)
    assert reader.text("#headline") == "2 lesions"
    reader.press("v")
    for place, number in (((80, 60), 2), ((50, 60), 1), ((70, 60), 0)):
        reader.page.mouse.click(*reader.spot(*place))
        chosen = reader.page.evaluate("import('/static/js/desk.js').then(({ desk }) => desk.work.chosen)")
        assert chosen == number, place


def test_what_is_chosen_stays_so_where_it_becomes_the_larger_one(reader: Reader) -> None:
    reader.press("o")
    for left, right in ((10, 60), (90, 120)):
        reader.stroke((left, 20), (right, 20), (right, 60), (left, 60), (left, 21))
    reader.press("2", "b", "]", "]", "]", "]")
    for y in range(30, 100, 8):
        reader.stroke((92, y), (150, y))
    sizes = reader.page.locator(".lesion.chosen .size-of").all_inner_texts()
    assert len(sizes) == 1
    assert reader.page.locator(".lesion").first.get_attribute("class") == "lesion chosen"


def test_a_point_pulls_the_line_between_its_neighbours_and_nothing_else(reader: Reader) -> None:
    ring(reader)
    before = mask(reader)
    reader.press("1", "p")
    reader.stroke((120, 100), (140, 110))
    after = mask(reader)
    assert after[100:108, 120:134].sum() > 30
    assert np.array_equal(after[:100, :120], before[:100, :120])  # hole, small lesion and the other sides
    reader.stroke((140, 110), (130, 105))  # the same point lies where it was left
    assert before.sum() < mask(reader).sum() < after.sum()
    reader.press("z", "z")
    assert np.array_equal(mask(reader), before)


def test_a_point_that_is_pressed_twice_is_gone(reader: Reader) -> None:
    ring(reader)
    before = mask(reader)
    reader.press("1", "p")
    reader.page.mouse.dblclick(*reader.spot(120, 100))
    reader.settled()
    cut = mask(reader)
    rows, columns = np.indices(cut.shape)
    kept, gone = rows + columns < 138, rows + columns > 142
    assert np.array_equal(cut[kept], before[kept])
    assert not cut[gone].any()  # the corner, cut off by a straight line
    reader.press("z")
    assert np.array_equal(mask(reader), before)


def test_of_an_outline_each_corner_can_be_taken_back(reader: Reader) -> None:
    reader.press("o")
    for place in ((40, 40), (80, 40), (150, 110), (150, 110)):
        reader.page.mouse.click(*reader.spot(*place))
    reader.press("z", "Backspace")  # undo, and the key of its own
    for place in ((80, 80), (40, 80)):
        reader.page.mouse.click(*reader.spot(*place))
    reader.press("Enter")
    assert int(mask(reader).sum()) == pytest.approx(1600, rel=0.05)


def test_undo_keeps_no_more_than_what_a_stroke_changed(reader: Reader) -> None:
    reader.press("o")
    reader.stroke((40, 40), (80, 40), (80, 80), (40, 80), (40, 41))
    reader.press("b")
    reader.stroke((80, 60), (90, 60))
    reader.press("s")
    areas = reader.page.evaluate(
        "import('/static/js/desk.js').then(({ desk }) => desk.work.history.done.map((each) => each.area))"
    )
    assert len(areas) == 3
    assert all((right - left) * (bottom - top) < 60 * 60 for left, top, right, bottom in areas)


def test_the_ruler_is_given_up_where_its_length_is_asked(reader: Reader) -> None:
    reader.press("m")
    reader.stroke((20, 20), (80, 20))
    assert reader.page.locator("#ruler").is_visible()
    reader.press("Escape")
    assert reader.page.locator("#ruler").is_hidden()
    assert "Not known" in reader.text("#spacing")
