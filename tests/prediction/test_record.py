import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from sonoseg.errors import UserError
from sonoseg.prediction.record import Record, licence, read
from tiny_model import record, write_model


def _read(path: Path) -> Record:
    return read(path.read_bytes(), path)


def test_a_record_in_range_is_given_as_it_is(tmp_path: Path) -> None:
    assert _read(write_model(tmp_path / "tiny.onnx")) == record()


def test_the_licence_is_that_of_the_weights() -> None:
    assert licence({"licence": "MIT"}) == "MIT"
    assert licence({"licence": "of the data", "weights_licence": "MIT"}) == "MIT"


@pytest.mark.parametrize(
    "content",
    [b"", b"text, not a network", b"\x00" * 100, b"\xff" * 100, bytes(range(256)), b"\x72\xff\xff\xff\xff\x0f"],
)
def test_a_file_that_is_not_ours_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.onnx"
    path.write_bytes(content)
    with pytest.raises(UserError, match="not a model of sonoseg"):
        _read(path)


def test_a_network_of_others_is_named(tmp_path: Path) -> None:
    for name, entries in (("bare", {}), ("other", {"sonoseg": "[1]"}), ("broken", {"sonoseg": "{"})):
        with pytest.raises(UserError, match="not a model of sonoseg"):
            _read(write_model(tmp_path / f"{name}.onnx", entries))


def test_another_version_is_named(tmp_path: Path) -> None:
    path = write_model(tmp_path / "new.onnx", {"sonoseg": json.dumps(record(version=3))})
    with pytest.raises(UserError, match="version 3; this program reads versions 1 and 2"):
        _read(path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("size", "64"),
        ("size", 0),
        ("threshold", 1.5),
        ("smallest_lesion", None),
        ("name", ""),
        ("classes", ["a", "b"]),
        ("least_presence", 1.5),
    ],
)
def test_a_record_out_of_range_is_named(tmp_path: Path, key: str, value: object) -> None:
    path = write_model(tmp_path / "wrong.onnx", {"sonoseg": json.dumps(record(**{key: value}))})
    with pytest.raises(UserError, match=f"not valid: {key} is"):
        _read(path)


def test_weights_in_other_files_are_refused(tmp_path: Path) -> None:
    model = onnx.load(str(write_model(tmp_path / "tiny.onnx")))
    tensor = model.graph.initializer[0]
    tensor.raw_data = np.float32(0.3).tobytes()
    tensor.ClearField("float_data")
    onnx.save(model, str(tmp_path / "split.onnx"), save_as_external_data=True, location="weights", size_threshold=0)
    with pytest.raises(UserError, match="keeps weights in other files"):
        _read(tmp_path / "split.onnx")


def test_a_loop_without_an_end_is_refused(tmp_path: Path) -> None:
    model = onnx.load(str(write_model(tmp_path / "tiny.onnx")))
    always = onnx.helper.make_tensor("always", onnx.TensorProto.BOOL, [], [True])
    said = onnx.helper.make_tensor_value_info("go_on", onnx.TensorProto.BOOL, [])
    number = onnx.helper.make_tensor_value_info("number", onnx.TensorProto.INT64, [])
    body = onnx.helper.make_graph(
        [onnx.helper.make_node("Identity", ["go_on"], ["still"])], "body", [number, said],
        [onnx.helper.make_tensor_value_info("still", onnx.TensorProto.BOOL, [])],
    )  # fmt: skip
    model.graph.initializer.append(always)
    model.graph.node.insert(0, onnx.helper.make_node("Loop", ["", "always"], [], body=body))
    onnx.save(model, str(tmp_path / "endless.onnx"))
    with pytest.raises(UserError, match="a loop or a choice, which might never end"):
        _read(tmp_path / "endless.onnx")
