import logging
from pathlib import Path

import numpy as np
import pytest

from sonoseg.data.sets.sources import open_set
from sonoseg.errors import UserError
from sonoseg.learning import checkpoint, quantise
from sonoseg.learning.config import Config
from sonoseg.learning.export import export, export_int8
from sonoseg.learning.run import Watch, train_run
from sonoseg.prediction import modelfile


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    watch = Watch(lambda done, of: None, lambda epochs, images: lambda epoch, share, loss: None)
    config = Config("phantom:40", size=32, width=4, epochs=8, batch=8, device="cpu", precision="32")
    train_run(config, open_set("phantom:40"), folder, False, watch)
    return folder


def test_int8_answers_nearly_as_float_does_and_keeps_the_record(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantise, "ALLOWED", 1.0)
    level = logging.getLogger().level
    found = export_int8(run, tmp_path / "small.onnx")
    assert logging.getLogger().level == level
    export(run, tmp_path / "exact.onnx", "small")
    records = [modelfile.read_record(tmp_path / name) for name in ("small.onnx", "exact.onnx")]
    assert records[0].pop("digest") != records[1].pop("digest")
    assert records[0] == records[1] | {"precision": "int8"}
    assert b"QuantizeLinear" in (tmp_path / "small.onnx").read_bytes()
    image = open_set("phantom:40").samples[0].read()[0]
    rounded = modelfile.load(tmp_path / "small.onnx", backend="onnxruntime").predict(image).probability
    exact = checkpoint.load(run).predictor().predict(image).probability
    assert 0 < np.abs(rounded - exact).mean() < 0.1
    assert found.images > 5


def test_a_fall_of_dice_is_refused_and_nothing_is_written(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantise, "ALLOWED", -1.0)
    with pytest.raises(UserError, match="int8 loses"):
        export_int8(run, tmp_path / "small.onnx")
    assert not list(tmp_path.iterdir())


def test_too_few_images_are_refused(run: Path, tmp_path: Path) -> None:
    export(run, tmp_path / "exact.onnx")
    lesions = [sample for sample in open_set("phantom:40").samples if sample.label != "normal"]
    with pytest.raises(UserError, match="3 images with a lesion are too few"):
        quantise.quantise(tmp_path / "exact.onnx", tmp_path / "small.onnx", lesions[:3])
