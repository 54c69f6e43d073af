"""A model file that finds what is dark, made in a test: the whole chain runs on it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from sonoseg.images.image import Image

SIZE = 64


def record(**changes: Any) -> dict[str, Any]:
    return {
        "format": "sonoseg-model",
        "version": 1,
        "name": "tiny",
        "size": SIZE,
        "threshold": 0.5,
        "smallest_lesion": 0.001,
        "classes": ["lesion"],
        "input": {"name": "image", "range": [0, 1], "layout": "N1HW"},
        "output": {"name": "logits"},
        "provenance": {},
        "scores": {},
        "licence": "MIT",
        "trained_on": {"digests": []},
        **changes,
    }


def write_model(
    path: Path,
    entries: dict[str, str] | None = None,
    gates: int = 0,
    names: tuple[str, str] = ("image", "logits"),
    presence: bool = False,
) -> Path:
    """Logits are 20 * (0.3 - image), that of presence their mean + 4; gate k is the image at 1 / 2**k of its size."""
    sides: list[Any] = ["N", 1, SIZE, SIZE]
    source, target = names
    nodes = [
        helper.make_node("Sub", ["level", source], ["distance"]),
        helper.make_node("Mul", ["distance", "slope"], [target]),
    ]
    outputs = [helper.make_tensor_value_info(target, TensorProto.FLOAT, sides)]
    for gate in range(1, gates + 1):
        step = 2**gate
        pool = helper.make_node("AveragePool", [source], [f"gate_{gate}"], kernel_shape=[step] * 2, strides=[step] * 2)
        nodes.append(pool)
        shape: list[Any] = ["N", 1, SIZE // step, SIZE // step]
        outputs.append(helper.make_tensor_value_info(f"gate_{gate}", TensorProto.FLOAT, shape))
    if presence:
        nodes.append(helper.make_node("ReduceMean", [target], ["mean"], axes=[1, 2, 3], keepdims=0))
        nodes.append(helper.make_node("Add", ["mean", "more"], ["presence"]))
        outputs.append(helper.make_tensor_value_info("presence", TensorProto.FLOAT, ["N"]))
    values = {"level": 0.3, "slope": 20, "more": 4}
    constants = [helper.make_tensor(name, TensorProto.FLOAT, [], [value]) for name, value in values.items()]
    graph = helper.make_graph(
        nodes, "tiny", [helper.make_tensor_value_info(source, TensorProto.FLOAT, sides)], outputs, constants
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"sonoseg": json.dumps(record())} if entries is None else entries)
    onnx.save(model, str(path))
    return path


def scan(height: int = 120, width: int = 160, lesion: bool = True, spacing: tuple[float, float] | None = None) -> Image:
    """Grey with a dark ellipse of 80 x 40 pixels around row 60, column 90."""
    rows, columns = np.mgrid[:height, :width]
    inside = ((rows - 60) / 20) ** 2 + ((columns - 90) / 40) ** 2 <= 1
    return Image(np.where(inside & lesion, 20, 180).astype(np.uint8), spacing)
