"""A model file in float32 -> the same network in 8-bit integers, judged beside it before it says that it worked."""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from sonoseg.data.samples import Sample
from sonoseg.errors import UserError
from sonoseg.evaluation.metrics import measure
from sonoseg.files import replacing
from sonoseg.prediction import modelfile, onnxfile
from sonoseg.prediction.letterbox import Letterbox
from sonoseg.prediction.record import INT8

CALIBRATED, JUDGED = 96, 128
"""Images that the ranges are read off, and other images that both networks are compared on."""

ALLOWED = 0.005
"""Largest fall of the mean lesion Dice."""


@dataclass(frozen=True)
class Comparison:
    """Mean lesion Dice of both networks over the images that they were compared on."""

    float32: float
    int8: float
    images: int


def quantise(source: Path, out: Path, samples: Sequence[Sample]) -> Comparison:
    """Write the model file ``source`` with 8-bit weights and activations, static, symmetric per channel for weights.

    samples: images that the network was trained on or validated with, never a test fold: some to read the ranges of the
    activations off, others to compare on. Errors: ``UserError`` for too few of them, and where Dice falls by more than
    ``ALLOWED`` (nothing is written then).
    """
    lesions = [sample for sample in samples if sample.label != "normal"]
    calibration, judged = _parts(lesions, CALIBRATED, JUDGED)
    with replacing(out) as temporary:
        _write(source, temporary, calibration)
        found = compare(source, temporary, judged)
        if found.float32 - found.int8 > ALLOWED:
            raise UserError(
                f"int8 loses {found.float32 - found.int8:.4f} of a lesion Dice of {found.float32:.4f} over "
                f"{found.images} images; {ALLOWED:g} is allowed, and nothing was written",
                hint="leave --int8 out; OpenVINO computes the float model in bfloat16: --precision bfloat16",
                exit_code=1,
            )
    return found


def compare(exact: Path, rounded: Path, samples: Sequence[Sample]) -> Comparison:
    """Mean lesion Dice of two model files on the same images, by ONNX Runtime."""
    one, other = (modelfile.load(path, backend="onnxruntime") for path in (exact, rounded))
    pairs = []
    for sample in samples:
        image, truth = sample.read()
        pairs.append([float(measure(each.predict(image).mask, truth)["dice"]) for each in (one, other)])
    means = np.nanmean(pairs, axis=0)
    return Comparison(float(means[0]), float(means[1]), len(pairs))


def _parts(samples: Sequence[Sample], *sizes: int) -> list[list[Sample]]:
    """Disjoint parts, each spread over the whole."""
    if len(samples) < 2 * len(sizes):
        raise UserError(
            f"{len(samples)} images with a lesion are too few to read ranges off and to compare on",
            hint="give a larger set with --data",
        )
    share = min(1.0, len(samples) / sum(sizes))
    order = np.random.default_rng(0).permutation(len(samples))
    ends = np.cumsum([int(size * share) for size in sizes])
    return [[samples[i] for i in sorted(part)] for part in np.split(order, ends)[: len(sizes)]]


@contextmanager
def _silent() -> Iterator[None]:
    """Keep off the terminal what onnxruntime says about itself, in warnings and in the root's log."""
    root, level = logging.getLogger(), logging.getLogger().level
    root.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        root.setLevel(level)


def _write(source: Path, out: Path, calibration: Sequence[Sample]) -> None:
    # Each of these takes a second to import.
    from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType
    from onnxruntime.quantization import quantize_static as quantize
    from onnxruntime.quantization.shape_inference import quant_pre_process

    record = modelfile.read_record(source)
    size = record["size"]

    class Frames(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.left: Iterator[Sample] = iter(calibration)

        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            sample = next(self.left, None)
            if sample is None:
                return None
            pixels = sample.read()[0].pixels
            height, width = pixels.shape
            frame = Letterbox(height, width, size).fit(pixels)
            return {modelfile.INPUT: frame[None, None].astype(np.float32) / np.float32(255)}

    with TemporaryDirectory() as folder, _silent():
        prepared, rounded = Path(folder, "prepared.onnx"), Path(folder, "rounded.onnx")
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        quantize(
            str(prepared), str(rounded), Frames(), quant_format=QuantFormat.QDQ, per_channel=True,
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, calibrate_method=CalibrationMethod.MinMax,
        )  # fmt: skip
        out.write_bytes(onnxfile.seal(rounded.read_bytes(), record | {"precision": INT8}))
