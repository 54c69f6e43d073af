"""Checkpoint -> ONNX file with its record, compared with torch before it says that it worked."""

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sonoseg.data.samples import Sample
from sonoseg.data.sets.sources import open_set
from sonoseg.data.splits import split
from sonoseg.errors import UserError
from sonoseg.files import replacing
from sonoseg.learning import checkpoint
from sonoseg.learning.config import CONFIG, read_config
from sonoseg.learning.networks.gates import AttentionGate
from sonoseg.learning.networks.unet import UNet
from sonoseg.learning.quantise import Comparison, quantise
from sonoseg.prediction import modelfile, onnxfile
from sonoseg.prediction.record import FORMAT, USE, VERSION

TOLERANCE = 1e-3
"""Largest difference of a probability between torch and the exported file."""

DIFFERING = 1e-4
"""Largest share of the pixels of all masks that differ."""

UNLICENSED = "none stated: these weights are of whoever trained them, on data whose licences stand in trained_on"
"""What the record says of the licence of the weights, unless it is told."""

OPSET = 18
PHANTOMS = "phantom:24"


class WithGates(nn.Module):
    """A network that gives all that it knows: logits, presence where it has that head, and the maps of its attention
    gates, coarsest first."""

    def __init__(self, network: UNet) -> None:
        super().__init__()
        self.network = network
        self.gates = [module for module in network.modules() if isinstance(module, AttentionGate)]

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Float (N, 1, H, W) to logits (N, classes, H, W), logits of presence (N,), and one map in [0, 1] per gate."""
        maps: list[Tensor] = []
        hooks = [gate.weigh.register_forward_hook(lambda _module, _input, out: maps.append(out)) for gate in self.gates]
        logits, presence = self.network.answer(image)
        for hook in hooks:
            hook.remove()
        return (logits, *maps) if presence is None else (logits, presence, *maps)


def export(
    source: Path,
    out: Path,
    name: str | None = None,
    extra: Mapping[str, Any] | None = None,
    samples: Sequence[Sample] = (),
) -> float:
    """Write the checkpoint of a run as a model file; gives the largest difference of a probability that was seen.

    Kernels are rounded to float16 and stored so, which halves the file; all is computed in float32.

    source: the folder of a run or its checkpoint. name: what results call the model; the file's name if left out.
    extra: what the file's record says beside what the checkpoint knows, such as scores.
    samples: images that torch and the file are compared on, phantoms if left out. Errors: ``UserError`` where they
    differ by more than ``TOLERANCE``, or in more than ``DIFFERING`` of the pixels of the masks (nothing is written
    then), and those of ``checkpoint.load``.
    """
    stored = _rounded(checkpoint.load(source))
    with replacing(out) as temporary:
        record = _record(stored, name or out.stem) | dict(extra or {})
        temporary.write_bytes(onnxfile.seal(_graph(stored).SerializeToString(), record))
        difference, differing = compare(stored, temporary, samples or open_set(PHANTOMS).samples)
        if not (difference <= TOLERANCE and differing <= DIFFERING):
            raise UserError(
                f"the exported network differs from torch by {difference:.2g} in probability and in {differing:.2%} of "
                f"the masks' pixels; {TOLERANCE:g} and {DIFFERING:.2%} are allowed",
                hint="report it, with the versions of torch and onnx",
                exit_code=1,
            )
    return difference


def export_int8(source: Path, out: Path, name: str | None = None, data: str = "") -> Comparison:
    """Write the checkpoint of a run as a model file in 8-bit integers, compared with its float twin.

    source: the folder of the run. data: the set of the run, if it has moved. Only images that the run was trained on
    are used. Errors: those of ``export`` and ``quantise``.
    """
    config = read_config(source / CONFIG)
    parts = split(open_set(data or config.data), config.fold)
    with TemporaryDirectory() as folder:
        exact = Path(folder, "exact.onnx")
        export(source, exact, name or out.stem)
        return quantise(exact, out, parts.training)


def compare(stored: checkpoint.Checkpoint, path: Path, samples: Sequence[Sample]) -> tuple[float, float]:
    """Largest difference of a probability, of a pixel or of presence, between torch and the file, and the share of mask
    pixels that differ."""
    ours = stored.predictor()
    loaded = modelfile.load(path, backend="onnxruntime")
    theirs = replace(ours, network=loaded.network)
    largest, differing, pixels = 0.0, 0, 0
    for sample in samples:
        image = sample.read()[0]
        one, other = ours.predict(image), theirs.predict(image)
        largest = max(largest, float(np.abs(one.probability - other.probability).max()))
        if one.presence is not None and other.presence is not None:
            largest = max(largest, abs(one.presence - other.presence))
        differing += int(np.count_nonzero(one.mask != other.mask))
        pixels += one.mask.size
    return largest, differing / max(pixels, 1)


def _rounded(stored: checkpoint.Checkpoint) -> checkpoint.Checkpoint:
    """The network with its kernels as the file will hold them. Normalisations and biases, which are few, stay."""
    with torch.no_grad():
        for parameter in stored.network.parameters():
            if parameter.ndim > 1:
                parameter.copy_(parameter.half())
    return stored


def _graph(stored: checkpoint.Checkpoint) -> Any:
    size = stored.record["size"]
    network = WithGates(stored.network).eval()
    gates = [f"{modelfile.GATE}{number + 1}" for number in range(len(network.gates))]
    with warnings.catch_warnings(), _silent_passes():
        warnings.simplefilter("ignore")  # torch's own, about its own
        program = torch.onnx.export(
            network,
            (torch.zeros(2, 1, size, size),),
            input_names=[modelfile.INPUT],
            output_names=[modelfile.OUTPUT, *([modelfile.PRESENCE] if network.network.presence else []), *gates],
            dynamic_shapes={"image": {0: torch.export.Dim("batch", min=1, max=1024)}},
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
            optimize=False,
        )
        assert program is not None
        _simplify(program)
    model = program.model_proto
    _forget_sources(model)
    _store_halves(model.graph)
    return model


def _simplify(program: torch.onnx.ONNXProgram) -> None:
    """Leave out of the graph what computes nothing, and every weight as it was trained and under its name.

    What is an input is neither renamed nor made part of another weight, so all weights are that for the while; each
    runtime joins normalisations and convolutions itself.
    """
    graph = program.model.graph
    own = len(graph.inputs)
    graph.inputs.extend(graph.initializers.values())
    program.optimize()
    graph = program.model.graph
    del graph.inputs[own:]


def _store_halves(graph: Any) -> None:
    """Store kernels in float16, under their names, before a cast each, which runtimes do once at their start."""
    from onnx import TensorProto, helper, numpy_helper  # of an extra

    casts, names = [], {}
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        if tensor.name.startswith(modelfile.NETWORK) and values.ndim > 1 and values.dtype == np.float32:
            names[tensor.name] = f"{tensor.name}.float32"
            casts.append(helper.make_node("Cast", [tensor.name], [names[tensor.name]], to=TensorProto.FLOAT))
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), tensor.name))
    for value in graph.value_info:
        if value.name in names:
            value.type.tensor_type.elem_type = TensorProto.FLOAT16
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


@contextmanager
def _silent_passes() -> Iterator[None]:
    """Keep off the terminal that an initialiser is an input, once for each."""
    logger = logging.getLogger("onnx_ir")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _forget_sources(model: Any) -> None:
    """Take out where in whose files each node was made: nobody's business, and other bytes on every machine."""
    for graph in (model.graph, *model.functions):
        del graph.metadata_props[:]
        for part in (*graph.node, *graph.value_info):
            del part.metadata_props[:]
            part.doc_string = ""


def _record(stored: checkpoint.Checkpoint, name: str) -> dict[str, Any]:
    record = stored.record
    return {
        "format": FORMAT,
        "version": VERSION,
        "name": name,
        "size": record["size"],
        "threshold": record["threshold"],
        "smallest_lesion": record.get("smallest_lesion", 0.0),
        "classes": record["classes"],
        "input": {"name": modelfile.INPUT, "range": [0, 1], "layout": "N1HW"},
        "output": {"name": modelfile.OUTPUT},
        "provenance": {key: record[key] for key in ("model", "settings", "program")},
        "scores": record.get("scores", {}),
        "licence": UNLICENSED,
        "use": USE,
        "trained_on": record["trained_on"],
        "encoder_weights": record.get("encoder_weights", {}),
    }
