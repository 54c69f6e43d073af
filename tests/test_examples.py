"""The examples that use a model without this program give its masks."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import PIL.Image
import pytest
from numpy.typing import NDArray

import sonoseg
from sonoseg.data.sets.sources import open_set
from sonoseg.files import write_json
from sonoseg.prediction import modelfile, onnxfile

EXAMPLES = Path(__file__).parents[1] / "examples"
PHANTOMS = open_set("phantom:20").samples[:10]
DARK = 0.415
"""Presence that some of the phantoms reach in a twin whose presence falls with the brightness, and some do not."""

MODULES = EXAMPLES / "node_modules" / "onnxruntime-web"


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "mirrored"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default model, and a twin that keeps specks, asks for the mirror image and draws only in dark images."""
    default = modelfile.resolve("default")
    if not request.param:
        return default
    changes = {"mirrored": True, "smallest_lesion": 0.0, "least_confidence": 0.0, "least_presence": DARK}
    twin = onnx.load(str(default))
    if modelfile.PRESENCE not in [output.name for output in twin.graph.output]:
        twin.graph.initializer.append(onnx.numpy_helper.from_array(np.array([1, 2, 3]), "sides"))
        mean = onnx.helper.make_node("ReduceMean", ["image", "sides"], ["brightness"], keepdims=0)
        twin.graph.node.extend([mean, onnx.helper.make_node("Neg", ["brightness"], ["presence"])])
        twin.graph.output.append(onnx.helper.make_tensor_value_info("presence", onnx.TensorProto.FLOAT, ["N"]))
    path = tmp_path_factory.mktemp("model") / "mirrored.onnx"
    path.write_bytes(onnxfile.seal(twin.SerializeToString(), modelfile.read_record(default) | changes))
    return path


def scans(folder: Path, suffix: str, model: Path) -> dict[Path, sonoseg.Image]:
    """Ten phantoms, for the twin three, by the file that each is written to."""
    samples = PHANTOMS[: 10 if model == modelfile.resolve("default") else 3]
    images = {folder / f"{number}{suffix}": sample.read()[0] for number, sample in enumerate(samples)}
    for path, image in images.items():
        PIL.Image.fromarray(image.pixels).save(path)
    return images


def ours(model: Path, image: sonoseg.Image) -> NDArray[np.bool_]:
    return sonoseg.load(model, backend="onnxruntime", threads=1).predict(image).mask


def test_python_alone_gives_our_masks(model: Path, tmp_path: Path) -> None:
    drawn = 0
    for path, image in scans(tmp_path, ".png", model).items():
        out = tmp_path / "mask.png"
        subprocess.run([sys.executable, EXAMPLES / "outline.py", model, path, out], check=True)
        assert np.array_equal(np.asarray(PIL.Image.open(out)) > 0, ours(model, image)), path.name
        drawn += ours(model, image).any()
    assert drawn


def test_javascript_gives_our_masks(model: Path, tmp_path: Path) -> None:
    if not MODULES.is_dir() or not shutil.which("node"):
        pytest.skip("needs Node and `npm install --prefix examples`")
    write_json(tmp_path / "model.json", modelfile.sidecar(model))
    images = scans(tmp_path, ".pgm", model)
    subprocess.run(["node", EXAMPLES / "outline.mjs", model, tmp_path / "model.json", *images], check=True, timeout=200)
    for path, image in images.items():
        mask = np.asarray(PIL.Image.open(path.with_name(f"{path.stem}_mask.pgm"))) > 0
        assert np.array_equal(mask, ours(model, image)), path.name
