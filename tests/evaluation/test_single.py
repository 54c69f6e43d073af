import numpy as np
import pytest

import sonoseg
from sonoseg.evaluation.metrics import measure
from sonoseg.images.image import Image
from sonoseg.prediction.predictor import Prediction
from trees import blob


def test_a_prediction_is_measured_with_what_it_knows() -> None:
    mask, truth = blob(), blob(left=10)
    image = Image(np.zeros(mask.shape, np.uint8), (0.1, 0.1))
    found = Prediction(image, mask.astype(np.float32), mask)
    told = sonoseg.measure(found, truth)
    assert told == pytest.approx(measure(mask, truth, found.probability, (0.1, 0.1)), nan_ok=True)
    assert told["dice"] == pytest.approx(2 * 63 / 162)
    assert sonoseg.measure(mask, truth)["dice"] == told["dice"]


@pytest.mark.parametrize(
    ("drawn", "truth", "said"),
    [
        (blob(), blob().astype(np.uint8), "truth must be bool"),
        (blob(), blob().tolist(), "not a list"),
        (blob()[None], blob(), "drawn mask must be bool"),
        (blob()[:0], blob()[:0], "drawn mask must be bool"),
        (blob(), blob((10, 10)), "and the truth"),
    ],
)
def test_masks_of_another_form_are_refused(drawn: object, truth: object, said: str) -> None:
    with pytest.raises(sonoseg.UserError, match=said) as caught:
        sonoseg.measure(drawn, truth)
    assert caught.value.hint
