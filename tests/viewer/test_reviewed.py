from pathlib import Path

import numpy as np
import pytest

from sonoseg.images import masks
from sonoseg.images.image import Image
from sonoseg.viewer import coding
from sonoseg.viewer.frames import picture_of
from sonoseg.viewer.records import Case, Frame, Stored
from sonoseg.viewer.refusals import NotThere
from sonoseg.viewer.reviewed import Reviewed, reviewed
from sonoseg.viewer.store import Store


def box(right: int) -> np.ndarray:
    mask = np.zeros((40, 60), bool)
    mask[10:30, 10:right] = True
    return mask


def kept(folder: Path) -> tuple[Store, Case, Stored]:
    store, image = Store(folder / "reviews.sqlite3"), Image(np.full((40, 60), 90, np.uint8), (0.2, 0.1))
    case = store.add_case("a.png", "a" * 64, b"content", [Frame(1, 40, 60, picture_of(image), image.spacing)])
    found = Stored("c" * 64, "tiny", masks.encode(box(40)), 1, coding.pack(box(40).astype(np.float32)))
    store.add_prediction(case.id, 1, found)
    return store, case, found


def test_the_last_correction_stands_and_the_first_outline_is_not_lost(tmp_path: Path) -> None:
    store, case, found = kept(tmp_path)
    untouched = reviewed(store, case, 1, found)
    assert (untouched.final == untouched.first).all()
    assert (untouched.last, "review" in untouched.findings()) == (0, False)
    for right in (20, 50):
        store.add_correction(case.id, 1, "Dr Bell", "brush", masks.encode(box(right)))
    store.add_decision(case.id, 1, "Dr Bell", "accepted", "clear")
    now = reviewed(store, case, 1, found)
    assert (now.final == box(50)).all()
    assert (now.first == box(40)).all()
    assert now.last == 2
    told = now.findings()
    assert told["review"]["corrected"]["reader"] == "Dr Bell"
    assert told["review"]["decision"]["comment"] == "clear"
    store.close()


def test_strokes_that_were_all_taken_back_correct_nothing(tmp_path: Path) -> None:
    store, case, found = kept(tmp_path)
    for right, corrected in ((50, 1), (40, 0)):
        store.add_correction(case.id, 1, "Dr Bell", "brush", masks.encode(box(right)))
        now = reviewed(store, case, 1, found)
        assert ("review" in now.findings(), now.last > 0) == (bool(corrected), bool(corrected))
        assert [each.corrected for each in store.cases()] == [corrected]
    assert len(store.corrections(case.id)) == 2  # who did what is kept
    store.close()


def test_measures_are_of_what_stands_and_in_the_readers_millimetres(tmp_path: Path) -> None:
    store, case, found = kept(tmp_path)
    store.add_correction(case.id, 1, "A", "brush", masks.encode(box(50)))
    for spacing, width in ((None, 4.0), ((0.2, 0.3), 12.0)):  # the file's, the reader's
        store.set_spacing(case.id, spacing)
        (lesion,) = reviewed(store, store.case(case.id), 1, found).prediction.lesions
        assert (lesion.unit, lesion.width) == ("mm", pytest.approx(width))
    store.close()


def test_a_frame_that_is_not_there_is_told(tmp_path: Path) -> None:
    store, case, found = kept(tmp_path)
    with pytest.raises(NotThere):
        reviewed(store, case, 2, found)
    assert isinstance(reviewed(store, case, 1, found), Reviewed)
    store.close()
