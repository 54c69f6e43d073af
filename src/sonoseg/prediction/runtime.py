"""What computes an ONNX network: ONNX Runtime, which is always there, or OpenVINO, which is faster where it is.

Both compute in float32, on every processor: a size does not depend on the machine. Less is taken by name only.
"""

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sonoseg.errors import UserError, need

Floats = NDArray[np.float32]

FLOAT32, BFLOAT16 = "float32", "bfloat16"
"""Precisions of the arithmetic. A network of 8-bit integers says so in its file, and computes the rest in float32."""

Ports = Mapping[str, Sequence[int | str | None]]
"""Names of inputs or outputs, with the shape of each; a size that is free is None or a name."""


class Session(Protocol):
    """A network that is ready to compute. Several threads may ask at once."""

    inputs: Ports
    outputs: Ports

    def run(self, feed: Mapping[str, Floats], names: Sequence[str]) -> list[Floats]:
        """Compute the named outputs of one feed."""


class OnnxRuntime:
    """ONNX Runtime on the CPU, in float32."""

    def __init__(self, content: bytes, threads: int, parallel: int, precision: str) -> None:
        import onnxruntime

        _need(precision, (FLOAT32,), "onnxruntime")

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 4
        self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        self.inputs: Ports = {node.name: node.shape for node in self._session.get_inputs()}
        self.outputs: Ports = {node.name: node.shape for node in self._session.get_outputs()}

    def run(self, feed: Mapping[str, Floats], names: Sequence[str]) -> list[Floats]:
        """See ``Session``."""
        return list(self._session.run(list(names), dict(feed)))


class OpenVino:
    """OpenVINO on the CPU, in float32 also where the processor has something faster, or in bfloat16 where it has it."""

    def __init__(self, content: bytes, threads: int, parallel: int, precision: str) -> None:
        import openvino

        core = openvino.Core()
        has_bfloat16 = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        _need(precision, (FLOAT32, BFLOAT16) if has_bfloat16 else (FLOAT32,), "openvino on this processor")
        device = {
            "INFERENCE_NUM_THREADS": threads * parallel,
            "NUM_STREAMS": parallel,
            "INFERENCE_PRECISION_HINT": {FLOAT32: "f32", BFLOAT16: "bf16"}[precision],
        }
        self._network = core.compile_model(core.read_model(content), "CPU", device)
        self._requests = threading.local()
        self.inputs: Ports = {port.any_name: _openvino_shape(port) for port in self._network.inputs}
        self.outputs: Ports = {port.any_name: _openvino_shape(port) for port in self._network.outputs}

    def run(self, feed: Mapping[str, Floats], names: Sequence[str]) -> list[Floats]:
        """See ``Session``."""
        if not hasattr(self._requests, "own"):
            self._requests.own = self._network.create_infer_request()
        found = self._requests.own.infer(dict(feed))
        return [np.array(found[name], np.float32) for name in names]


BACKENDS: dict[str, Callable[[bytes, int, int, str], Session]] = {"openvino": OpenVino, "onnxruntime": OnnxRuntime}
"""By name: (content of an ONNX file, threads for one image, images at the same time, precision) -> session."""


def default_backend() -> str:
    """OpenVINO where it is installed."""
    return "openvino" if find_spec("openvino") else "onnxruntime"


def start(
    content: bytes,
    source: str,
    backend: str,
    threads: int | None = None,
    parallel: int = 1,
    precision: str = FLOAT32,
) -> Session:
    """Make a network ready to compute.

    threads: for one image; None shares the processor's among the images that run at the same time (``parallel``).
    Errors: ``UserError`` for a backend that is not known or not installed, a precision that it does not have here, a
    network that it refuses.
    """
    if backend not in BACKENDS:
        raise UserError(f"the backend {backend!r} is not known; there are {', '.join(BACKENDS)}", hint="leave it out")
    if backend == "openvino":
        need("openvino", "openvino", by=f"the backend {backend!r}")
    share = threads or max(1, (os.cpu_count() or 1) // parallel)
    try:
        return BACKENDS[backend](content, share, parallel, precision)
    except UserError:
        raise
    except Exception as error:  # each backend has errors of its own
        reason = " ".join(str(error).split())[:300]
        raise UserError(
            f"{source} holds a network that {backend} cannot load ({reason})", hint="copy or export it again"
        ) from error


def _need(precision: str, there: Sequence[str], who: str) -> None:
    if precision not in there:
        raise UserError(f"{who} does not compute in {precision!r}; it has {', '.join(there)}", hint="leave it out")


def _openvino_shape(port: Any) -> list[int | None]:
    shape = port.get_partial_shape()
    return [side.get_length() if side.is_static else None for side in shape]
