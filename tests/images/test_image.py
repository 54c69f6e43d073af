import numpy as np
import pytest

from sonoseg.images.image import Image, Item, Window


def test_an_image_is_valid_once_constructed() -> None:
    with pytest.raises(ValueError, match="uint8"):
        Image(np.zeros((4, 4), np.float32))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="uint8"):
        Image(np.zeros((0, 4), np.uint8))
    with pytest.raises(ValueError, match="spacing"):
        Image(np.zeros((4, 4), np.uint8), spacing=(0.1, float("nan")))


def test_windows_lie_in_the_image() -> None:
    pixels = np.zeros((20, 30), np.uint8)
    assert Image(pixels).parts == (Window(0, 0, 20, 30),)
    assert Image(pixels, windows=(Window(2, 3, 18, 27),)).parts == (Window(2, 3, 18, 27),)
    for wrong in (Window(2, 3, 19, 27), Window(-1, 0, 5, 5), Window(0, 0, 0, 5)):
        with pytest.raises(ValueError, match="windows must lie"):
            Image(pixels, windows=(wrong,))


def test_an_image_says_its_size_and_an_item_whether_it_moves() -> None:
    image = Image(np.zeros((20, 30), np.uint8), (0.1, 0.2), "scan.png")
    assert repr(image) == "<Image of 20 x 30 pixels, 0.1 x 0.2 mm per pixel, scan.png>"
    assert repr(Image(image.pixels)) == "<Image of 20 x 30 pixels, unknown spacing>"
    assert not Item(image).moves
    assert Item(image, 2, None, 0.0, 25.0).moves
