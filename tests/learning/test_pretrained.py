import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from sonoseg.data.sets.sources import open_set
from sonoseg.errors import UserError
from sonoseg.learning import checkpoint, pretrained
from sonoseg.learning.config import Config, configure
from sonoseg.learning.export import export
from sonoseg.learning.networks.catalogue import build
from sonoseg.learning.run import Watch, train_run
from sonoseg.prediction import modelfile, onnxfile
from tiny_model import write_model

SILENT = Watch(lambda done, of: None, lambda epochs, images: lambda epoch, share, loss: None)
STATED = {
    "model": "attention-unet", "width": 4, "encoder": "plain", "steps": 2, "norms": "each", "padding": "plain",
    "presence": 0.2, "size": 32,
}  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, with its model file beside the checkpoint."""
    folder = tmp_path_factory.mktemp("begun") / "run"
    data = open_set("phantom:20")
    train_run(Config("phantom:20", fold=-1, epochs=1, device="cpu", **STATED), data, folder, False, SILENT)
    export(folder, folder / "model.onnx")
    return folder


def as_stored(values: torch.Tensor) -> torch.Tensor:
    """A weight as a model file holds it: kernels in float16."""
    return values.half().float() if values.ndim > 1 else values


@pytest.mark.parametrize("place", ["", "model.safetensors", "model.onnx"])
def test_a_run_its_checkpoint_and_its_model_file_are_begun_with_alike(run: Path, place: str) -> None:
    begun, own = pretrained.load(str(run / place)), checkpoint.load(run)
    weights, others = begun.network.state_dict(), own.network.state_dict()
    for name, values in others.items():
        if not name.endswith("tracked"):
            assert torch.equal(weights[name], as_stored(values) if place == "model.onnx" else values)
    for key in ("model", "size", "settings", "trained_on"):
        assert begun.record[key] == own.record[key]
    assert pretrained.settings_of(str(run / place)) == STATED


def test_architecture_and_size_are_those_of_what_is_begun_with_where_no_others_are_given(run: Path) -> None:
    path = str(run / "model.onnx")
    assert configure({"data": "phantom", "pretrained": path}) == Config("phantom", pretrained=path, **STATED)
    assert configure({"data": "phantom", "pretrained": path, "size": 64}).size == 64


def test_a_model_file_is_gone_on_with(run: Path, tmp_path: Path) -> None:
    images = tmp_path / "images"
    shutil.copytree(run, images)  # a folder of another name; its images are of a set of another name
    (images / "model.safetensors").unlink()
    still = {"data": "phantom:40", "pretrained": str(images / "model.onnx"), "fold": -1, "learning_rate": 1e-12}
    config = configure(still | {"epochs": 1, "device": "cpu"})
    train_run(config, open_set("phantom:40"), tmp_path / "second", False, SILENT)
    before, after = checkpoint.load(run), checkpoint.load(tmp_path / "second")
    torch.testing.assert_close(after.network.head.weight, as_stored(before.network.head.weight.detach()))
    assert set(before.record["trained_on"]["digests"]) <= set(after.record["trained_on"]["digests"])
    assert after.record["settings"]["pretrained"] == {"sets": "phantom"} | before.record["settings"]


def test_the_default_model_can_be_gone_on_with() -> None:
    begun = pretrained.load("default")
    assert begun.record["trained_on"] == modelfile.read_record(modelfile.resolve("default"))["trained_on"]
    image, _ = open_set("phantom:20").samples[0].read()
    ours, theirs = begun.predictor().predict(image), modelfile.load("default").predict(image)
    assert np.abs(ours.probability - theirs.probability).max() < 1e-3
    assert configure({"data": "phantom", "pretrained": "default"}).encoder == begun.record["model"]["encoder"]


def test_what_is_not_there_is_told_before_torch_is_loaded() -> None:
    with pytest.raises(UserError, match="nothing to begin with at 'nowhere'") as caught:
        configure({"data": "phantom", "pretrained": "nowhere"})
    assert "default" in caught.value.hint


def test_a_file_without_its_weights_as_they_were_trained_is_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="as they were trained"):
        pretrained.load(str(write_model(tmp_path / "tiny.onnx")))
    record = modelfile.read_record(run / "model.onnx")
    content = (run / "model.onnx").read_bytes().replace(b"network.head.bias", b"network.head.bics")
    (tmp_path / "renamed.onnx").write_bytes(onnxfile.seal(content, record))
    with pytest.raises(UserError, match="as they were trained") as caught:
        pretrained.load(str(tmp_path / "renamed.onnx"))
    assert "export the run again" in caught.value.hint


@pytest.mark.parametrize("content", [b"", b"\xff" * 8, (4).to_bytes(8, "little") + b"null", b"\x00" * 100])
def test_of_a_damaged_checkpoint_no_settings_are_taken(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.safetensors").write_bytes(content)
    assert pretrained.settings_of(str(tmp_path)) == {}


@pytest.mark.parametrize(
    "variant",
    [
        {"model": "recurrent-unet", "norms": "shared"},
        {"model": "recurrent-attention-unet", "presence": True},
        {"model": "unet", "encoder": "mobilenetv2_100", "padding": "same"},
    ],
    ids=["shared", "presence", "timm"],
)
def test_every_weight_is_in_the_file_under_its_name(tmp_path: Path, variant: dict[str, object]) -> None:
    torch.manual_seed(0)
    network = build(width=4, **variant)
    record = {"model": {"width": 4, **variant}, "size": 32, "threshold": 0.5, "classes": ["lesion"], "settings": {}}
    record |= {"trained_on": {"digests": []}, "program": "sonoseg test"}
    checkpoint.save(tmp_path / "a.safetensors", network.state_dict(), json.loads(json.dumps(record)))
    export(tmp_path / "a.safetensors", tmp_path / "a.onnx")
    weights = pretrained.load(str(tmp_path / "a.onnx")).network.state_dict()
    assert all(torch.equal(weights[name], as_stored(values)) for name, values in network.state_dict().items())
