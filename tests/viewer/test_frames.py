import numpy as np

from sonoseg.images.dicom import FROM_REGIONS
from sonoseg.images.image import Image, Window
from sonoseg.images.pictures import encode_png
from sonoseg.viewer.frames import image_of, picture_of, windows_of
from sonoseg.viewer.records import Frame


def test_an_image_is_the_same_again_with_what_shows_tissue() -> None:
    pixels = np.arange(600, dtype=np.uint16).astype(np.uint8).reshape(20, 30)
    for windows in ((), (Window(2, 3, 10, 20), Window(4, 5, 6, 7))):
        image = Image(pixels, (0.1, 0.2), windows=windows, notes=(FROM_REGIONS, "a Doppler box"))
        frame = Frame(1, 20, 30, picture_of(image), image.spacing)
        again = image_of(frame)
        assert (again.pixels == pixels).all()
        assert (again.windows, again.spacing, again.notes) == (windows, (0.1, 0.2), image.notes)
        assert windows_of(frame) == windows
        measured = image_of(frame, (0.3, 0.3))  # as where --spacing is given
        assert (measured.spacing, measured.notes) == ((0.3, 0.3), ("a Doppler box",))


def test_a_picture_that_was_kept_before_its_notes_were_has_none() -> None:
    picture = encode_png(np.zeros((20, 30), np.uint8), {"Windows": "[[2, 3, 10, 20]]"})
    again = image_of(Frame(1, 20, 30, picture))
    assert (again.windows, again.notes) == ((Window(2, 3, 10, 20),), ())
