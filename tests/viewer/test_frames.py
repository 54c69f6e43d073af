import numpy as np

from sonoseg.images.pictures import Image, Window
from sonoseg.viewer.frames import image_of, picture_of
from sonoseg.viewer.records import Frame


def test_an_image_is_the_same_again_with_what_shows_tissue() -> None:
    pixels = np.arange(600, dtype=np.uint16).astype(np.uint8).reshape(20, 30)
    for windows in ((), (Window(2, 3, 10, 20), Window(4, 5, 6, 7))):
        image = Image(pixels, (0.1, 0.2), windows=windows)
        again = image_of(Frame(1, 20, 30, picture_of(image), image.spacing))
        assert (again.pixels == pixels).all()
        assert (again.windows, again.spacing) == (windows, (0.1, 0.2))
