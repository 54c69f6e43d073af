import numpy as np
import pytest
from numpy.typing import NDArray

from sonoseg.delivery import overlay
from sonoseg.images.image import Image
from sonoseg.prediction.predictor import Prediction, Predictor
from tiny_model import scan


def predict(image: Image) -> Prediction:
    return Predictor(lambda frames: 20 * (np.float32(0.3) - frames), 128).predict(image)


def has(colour: tuple[int, int, int], pixels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return np.asarray((pixels == colour).all(axis=2))


def test_the_outline_lies_on_the_border_of_the_mask() -> None:
    prediction = predict(scan())
    picture = overlay.draw(prediction, [])[:120]
    outline = has(overlay.OUTLINE, picture)
    assert outline.sum() > 100
    rows, columns = np.nonzero(outline)
    distance = np.abs(np.hypot((rows - 60) / 20, (columns - 90) / 40) - 1)
    assert distance.max() < 0.12
    assert has(overlay.CALIPER, picture).sum() > 20


def test_outside_of_the_drawing_the_scan_is_untouched() -> None:
    prediction = predict(scan())
    picture = overlay.draw(prediction, ["a line"])
    assert picture.shape[0] > 120
    assert picture.shape[1:] == (160, 3)
    assert np.array_equal(picture[:30, :, 0], prediction.image.pixels[:30])


def test_without_a_lesion_only_text_is_added() -> None:
    prediction = predict(scan(lesion=False))
    picture = overlay.draw(prediction, ["No lesion outlined."])
    assert np.array_equal(picture[:120], np.repeat(prediction.image.pixels[..., None], 3, axis=2))
    assert picture[120:].max() > 100


@pytest.mark.parametrize("shape", [(16, 16), (2000, 30), (300, 1200)])
def test_any_size_is_drawn(shape: tuple[int, int]) -> None:
    prediction = predict(Image(np.full(shape, 10, np.uint8)))
    assert len(prediction.lesions) == 1
    assert overlay.draw(prediction, ["a line of several words that may be long"]).shape[1] == shape[1]


def test_long_lines_are_broken() -> None:
    prediction = predict(scan())
    once, often = (overlay.draw(prediction, ["word " * count]).shape[0] for count in (2, 60))
    assert often > once + 30


def test_explain_puts_panels_side_by_side() -> None:
    prediction = predict(scan())
    gate = np.linspace(0, 1, 120 * 160, dtype=np.float32).reshape(120, 160)
    picture = overlay.explain(prediction, {"gate_1": gate}, ["made by"])
    assert picture.shape[1] == 3 * 160
    probability = picture[:120, 160:320].astype(int).sum(axis=2)
    assert probability[60, 90] > probability[10, 10] + 300
    bright = picture[:120, 320:].astype(int).sum(axis=2).mean(axis=1)
    assert (np.diff(bright) > -1).all()
    large = predict(Image(np.full((1500, 900), 200, np.uint8)))
    assert overlay.explain(large, {}, []).shape[1] == 2 * round(900 * 512 / 1500)


def test_the_same_prediction_gives_the_same_picture() -> None:
    assert np.array_equal(overlay.draw(predict(scan()), ["x"]), overlay.draw(predict(scan()), ["x"]))


def test_a_frame_keeps_its_size() -> None:
    assert overlay.frame(predict(scan()), "a line").shape == (120, 160, 3)
