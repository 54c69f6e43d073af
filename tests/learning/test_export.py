import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from sonoseg.errors import UserError
from sonoseg.images.image import Image
from sonoseg.learning import checkpoint
from sonoseg.learning import export as exporting
from sonoseg.learning.export import export
from sonoseg.learning.networks.catalogue import build
from sonoseg.prediction import modelfile
from sonoseg.prediction.record import USE

RECORD = {
    "model": {"model": "recurrent-attention-unet", "width": 4, "steps": 1},
    "size": 48,
    "threshold": 0.5,
    "classes": ["lesion"],
    "trained_on": {"set": "phantom", "licence": "MIT", "digests": ["00"]},
    "settings": {"seed": 0},
    "program": "sonoseg test",
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("run")
    weights = build("recurrent-attention-unet", width=4, steps=1).state_dict()
    checkpoint.save(folder / "model.safetensors", weights, RECORD)
    return folder


@pytest.fixture(scope="module")
def written(run: Path) -> Path:
    assert export(run, run / "model.onnx") < exporting.TOLERANCE
    return run / "model.onnx"


def test_the_file_answers_as_torch_does_in_any_number_and_size(run: Path, written: Path) -> None:
    generator = np.random.default_rng(0)
    images = [Image(generator.integers(0, 256, shape, np.uint8)) for shape in ((40, 60), (97, 33), (200, 210))]
    ours, theirs = checkpoint.load(run).predictor(), modelfile.load(written, backend="onnxruntime")
    for first, second in zip(ours.predict_batch(images), theirs.predict_batch(images), strict=True):
        assert np.abs(first.probability - second.probability).max() < 1e-3
        assert (first.mask != second.mask).mean() <= 1e-4


def test_kernels_are_stored_in_half_the_bytes_and_all_else_as_it_is(run: Path, written: Path) -> None:
    stored = {tensor.name: tensor.data_type for tensor in onnx.load(str(written)).graph.initializer}
    of_torch = checkpoint.load(run).network
    for name, parameter in of_torch.named_parameters():
        kind = onnx.TensorProto.FLOAT16 if parameter.ndim > 1 else onnx.TensorProto.FLOAT
        assert stored[modelfile.NETWORK + name] == kind
    onnx.checker.check_model(str(written), full_check=True)


def test_the_record_travels_and_the_gates_have_names(written: Path) -> None:
    record = modelfile.read_record(written)
    assert record["name"] == "model"
    assert record["use"] == USE
    assert record["licence"] == exporting.UNLICENSED
    assert record["trained_on"] == RECORD["trained_on"]
    assert record["provenance"]["model"]["model"] == "recurrent-attention-unet"
    outputs = [output.name for output in onnx.load(str(written)).graph.output]
    assert outputs == ["logits", "gate_1", "gate_2", "gate_3", "gate_4"]
    maps = modelfile.load(written).explain(Image(np.full((30, 50), 80, np.uint8)))
    assert all(values.shape == (30, 50) and 0 <= values.min() <= values.max() <= 1 for values in maps.values())


def test_a_file_that_differs_is_not_written(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "TOLERANCE", -1.0)
    with pytest.raises(UserError, match="differs from torch"):
        export(run, tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())


def test_no_path_of_the_machine_is_in_the_file(written: Path) -> None:
    content = written.read_bytes()
    assert str(Path(exporting.__file__).parent).encode() not in content
    json.dumps(modelfile.read_record(written))


def test_presence_is_an_output_of_its_own_and_its_rule_stands_in_the_record(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = {"model": "attention-unet", "width": 4, "presence": True}
    checkpoint.save(tmp_path / "a.safetensors", build(**model).state_dict(), RECORD | {"model": model})
    export(tmp_path / "a.safetensors", tmp_path / "a.onnx", extra={"least_presence": 0.999})
    outputs = [output.name for output in onnx.load(str(tmp_path / "a.onnx")).graph.output]
    assert outputs == ["logits", "presence", "gate_1", "gate_2", "gate_3", "gate_4"]
    images = [Image(np.random.default_rng(0).integers(0, 256, shape, np.uint8)) for shape in ((40, 60), (97, 33))]
    ours, theirs = checkpoint.load(tmp_path / "a.safetensors").predictor(), modelfile.load(tmp_path / "a.onnx")
    for first, second in zip(ours.predict_batch(images), theirs.predict_batch(images), strict=True):
        assert second.presence == pytest.approx(first.presence, abs=2e-2)  # where OpenVINO has bfloat16
        assert not second.mask.any()
    assert theirs.least_presence == 0.999
