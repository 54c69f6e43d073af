"""What computes an ONNX network: ONNX Runtime, which is always there, or OpenVINO, which is faster where it is."""

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sonoseg.errors import UserError

Floats = NDArray[np.float32]

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

    def __init__(self, content: bytes, threads: int, parallel: int) -> None:
        import onnxruntime

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
    """OpenVINO on the CPU, in the precision that the processor is fastest in (bfloat16 where it has it).

    settings: further properties of the device.
    """

    settings: Mapping[str, str] = {}

    def __init__(self, content: bytes, threads: int, parallel: int) -> None:
        import openvino

        device = {"INFERENCE_NUM_THREADS": threads * parallel, "NUM_STREAMS": parallel, **self.settings}
        core = openvino.Core()
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


class OpenVinoFloat32(OpenVino):
    """OpenVINO on the CPU, in float32 also where the processor has something faster."""

    settings: Mapping[str, str] = {"INFERENCE_PRECISION_HINT": "f32"}


BACKENDS: dict[str, Callable[[bytes, int, int], Session]] = {
    "openvino": OpenVino,
    "openvino-float32": OpenVinoFloat32,
    "onnxruntime": OnnxRuntime,
}
"""By name: (content of an ONNX file, threads for one image, images at the same time) -> session."""


def default_backend() -> str:
    """OpenVINO where it is installed."""
    return "openvino" if find_spec("openvino") else "onnxruntime"


def start(content: bytes, source: str, backend: str, threads: int | None = None, parallel: int = 1) -> Session:
    """Make a network ready to compute.

    threads: for one image; None shares the processor's among the images that run at the same time (``parallel``).
    Errors: ``UserError`` for a backend that is not known or not installed, a network that it refuses.
    """
    if backend not in BACKENDS:
        raise UserError(f"the backend {backend!r} is not known; there are {', '.join(BACKENDS)}", hint="leave it out")
    share = threads or max(1, (os.cpu_count() or 1) // parallel)
    try:
        return BACKENDS[backend](content, share, parallel)
    except ImportError as error:
        raise UserError(
            f"the backend {backend!r} is not installed ({error})",
            hint=f'pip install "sonoseg[{backend.partition("-")[0]}]", or leave the backend out',
        ) from error
    except Exception as error:  # each backend has errors of its own
        reason = " ".join(str(error).split())[:300]
        raise UserError(
            f"{source} holds a network that {backend} cannot load ({reason})", hint="copy or export it again"
        ) from error


def _openvino_shape(port: Any) -> list[int | None]:
    shape = port.get_partial_shape()
    return [side.get_length() if side.is_static else None for side in shape]
