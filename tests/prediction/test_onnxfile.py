from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from sonoseg.prediction import onnxfile
from tiny_model import record, write_model


def test_a_record_replaces_the_former_one_and_the_network_stays(tmp_path: Path) -> None:
    content = write_model(tmp_path / "tiny.onnx", gates=2).read_bytes()
    sealed = onnxfile.seal(onnxfile.seal(content, record()), record(name="other"))
    assert onnxfile.record(sealed)["name"] == "other"
    one, other = onnx.load_from_string(content), onnx.load_from_string(sealed)
    assert [entry.key for entry in other.metadata_props] == ["sonoseg"]
    assert one.graph == other.graph


def test_a_digest_is_of_network_and_record_and_not_of_itself(tmp_path: Path) -> None:
    content = write_model(tmp_path / "tiny.onnx").read_bytes()
    sealed = onnxfile.seal(content, record())
    assert (
        onnxfile.record(sealed)["digest"]
        == onnxfile.digest(content, record())
        == onnxfile.digest(sealed, onnxfile.record(sealed))
    )
    others = [(content, record(threshold=0.4)), (write_model(tmp_path / "gated.onnx", gates=1).read_bytes(), record())]
    assert onnxfile.digest(content, record()) not in {onnxfile.digest(*other) for other in others}


def test_a_network_without_a_record_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LookupError):
        onnxfile.record(write_model(tmp_path / "bare.onnx", {}).read_bytes())


def test_weights_are_those_that_onnx_finds(tmp_path: Path) -> None:
    values = {"a": np.arange(12, dtype=np.float32).reshape(3, 1, 2, 2), "b": np.float32(7.5), "c": np.zeros((0, 2))}
    tensors = [onnx.numpy_helper.from_array(np.asarray(each, np.float32), name) for name, each in values.items()]
    values["half"] = np.float16([[0.1, -6e4], [65504, 6e-8]])
    tensors.append(onnx.numpy_helper.from_array(values["half"], "half"))
    whole = onnx.numpy_helper.from_array(np.array([1, 2]), "whole")
    model = onnx.ModelProto(graph=helper.make_graph([], "g", [], [], [*tensors, whole]))
    found = onnxfile.weights(model.SerializeToString())
    assert found.keys() == values.keys()
    assert {each.dtype for each in found.values()} == {np.dtype(np.float32)}
    assert all(
        np.array_equal(found[name], each) and found[name].shape == np.shape(each) for name, each in values.items()
    )


@pytest.mark.parametrize("kind", ["Loop", "If", "Scan"])
@pytest.mark.parametrize("place", ["graph", "function", "inner"])
def test_a_loop_is_seen_wherever_it_is(kind: str, place: str) -> None:
    node = helper.make_node(kind, ["a"], ["b"])
    model = onnx.ModelProto()
    if place == "graph":
        model.graph.node.append(node)
    elif place == "function":
        model.functions.add().node.append(node)
    else:
        inner = helper.make_graph([node], "inner", [], [])
        model.graph.node.append(helper.make_node("Custom", [], [], body=inner))
    assert onnxfile.has_loop(model.SerializeToString())
    node.op_type = "Conv"
    assert not onnxfile.has_loop(onnx.ModelProto(graph=helper.make_graph([node], "g", [], [])).SerializeToString())


@pytest.mark.parametrize("place", ["initializer", "constant", "branch"])
def test_external_data_is_seen_wherever_it_is(place: str) -> None:
    tensor = helper.make_tensor("weight", TensorProto.FLOAT, [1], np.ones(1, np.float32).tobytes(), raw=True)
    graph = onnx.GraphProto()
    inner = helper.make_graph([], "inner", [], [], [tensor])
    if place == "initializer":
        graph.initializer.append(tensor)
    elif place == "constant":
        graph.node.append(helper.make_node("Constant", [], ["weight"], value=tensor))
    else:
        graph.node.append(helper.make_node("If", ["condition"], ["out"], then_branch=inner, else_branch=inner))
    model = onnx.ModelProto(graph=graph)
    assert not onnxfile.has_external_data(model.SerializeToString())
    _elsewhere(model)
    assert onnxfile.has_external_data(model.SerializeToString())


def _elsewhere(model: onnx.ModelProto) -> None:
    """Say of every tensor that it lies in another file."""
    for node in model.graph.node:
        for attribute in node.attribute:
            for tensor in (attribute.t, *attribute.g.initializer):
                if tensor.name:
                    tensor.data_location = TensorProto.EXTERNAL
    for tensor in model.graph.initializer:
        tensor.data_location = TensorProto.EXTERNAL
