import hashlib
import json
from pathlib import Path

import jsonschema
import numpy as np
import PIL.Image
import pytest

import sonoseg
from sonoseg.delivery.saving import picture
from sonoseg.errors import UserError
from sonoseg.images.image import Image
from sonoseg.images.pictures import read_mask
from sonoseg.prediction.predictor import Prediction
from tiny_model import scan, write_model

SCHEMA = json.loads((Path(sonoseg.__file__).parent / "delivery" / "schema" / "prediction-1.json").read_text())


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> sonoseg.Predictor:
    return sonoseg.load(write_model(tmp_path_factory.mktemp("model") / "tiny.onnx"), "onnxruntime")


def test_a_prediction_saves_what_the_command_writes(predictor: sonoseg.Predictor, tmp_path: Path) -> None:
    PIL.Image.fromarray(scan().pixels).save(tmp_path / "scan.png")
    prediction = predictor.predict(tmp_path / "scan.png")
    mask, overlay, told = prediction.save(tmp_path / "out")
    assert [path.name for path in (mask, overlay, told)] == ["scan_mask.png", "scan_overlay.png", "scan.json"]
    assert np.array_equal(read_mask(mask), prediction.mask)
    found = json.loads(told.read_text(encoding="utf-8"))
    jsonschema.validate(found, SCHEMA)
    assert found["file"] == "scan.png"
    assert found["sha256"] == hashlib.sha256((tmp_path / "scan.png").read_bytes()).hexdigest()
    with PIL.Image.open(overlay) as drawn:
        assert drawn.width == 160


def test_one_of_an_array_has_a_name_of_its_own(predictor: sonoseg.Predictor, tmp_path: Path) -> None:
    for name, stem in (("", "prediction"), ("left", "left")):
        assert predictor.predict(scan(spacing=(0.1, 0.1))).save(tmp_path, name)[0] == tmp_path / f"{stem}_mask.png"
    assert json.loads((tmp_path / "left.json").read_text(encoding="utf-8"))["unit"] == "mm"


def test_who_made_it_must_be_known(tmp_path: Path) -> None:
    empty = np.zeros((32, 32), np.float32)
    prediction = Prediction(Image(np.zeros((32, 32), np.uint8)), empty, empty > 0)
    with pytest.raises(UserError, match="what made it"):
        prediction.save(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_notebook_sees_a_picture_and_short_words(predictor: sonoseg.Predictor) -> None:
    prediction = predictor.predict(scan())
    assert prediction._repr_png_() == picture(prediction)
    assert picture(prediction).startswith(b"\x89PNG")
    for shown in (prediction, prediction.lesions, prediction.image, predictor):
        assert len(repr(shown)) < 300
