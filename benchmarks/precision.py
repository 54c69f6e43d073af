"""What lower precision gains and costs: each backend with the float and the int8 file of one run, in one process.

    python benchmarks/precision.py RUN --data busi:PATH [--images 128]

RUN is a run that held out a fold. Prints, for each, milliseconds of the network alone (one thread, median), the
ratio to float32 of the same backend, and the mean lesion Dice on images of the training part, of which int8 saw others
for its ranges. A precision is taken by this part; the held-out fold is shown beside it and decides nothing.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from sonoseg.data.samples import Sample
from sonoseg.data.sets.sources import open_set
from sonoseg.data.splits import split
from sonoseg.errors import UserError
from sonoseg.evaluation.metrics import measure
from sonoseg.learning import quantise
from sonoseg.learning.config import read_config
from sonoseg.learning.export import export, export_int8
from sonoseg.learning.run import CONFIG
from sonoseg.prediction import modelfile
from sonoseg.prediction.predictor import Predictor
from sonoseg.prediction.runtime import BACKENDS

ROUNDS = 60


def main() -> None:
    """Export both files, then time and judge every backend on them, in turns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--data", required=True)
    parser.add_argument("--images", type=int, default=128)
    given = parser.parse_args()
    data, config = open_set(given.data), read_config(given.run / CONFIG)
    parts = split(data, config.fold)
    seen = [sample for sample in parts.training if sample.label != "normal"]
    _, judged = quantise._parts(seen, quantise.CALIBRATED, given.images)
    held_out = [sample for sample in parts.test if sample.label != "normal"][: given.images]
    with tempfile.TemporaryDirectory() as folder:
        contestants = files(Path(folder), given.run, given.data)
        times: dict[str, list[float]] = {name: [] for name in contestants}
        for _ in range(ROUNDS):
            for name, predictor in contestants.items():
                times[name].append(timed(predictor))
        print(f"{'':32} ms   x float32   Dice, {len(judged)} training images   Dice, {len(held_out)} held out")
        for name, predictor in contestants.items():
            own = statistics.median(times[name])
            exact = statistics.median(times[f"{name.split(',')[0].removesuffix(' bf16')}, float file"])
            print(f"{name:32} {own:5.1f} {exact / own:6.2f}", end="")
            print(f"{dice(predictor, judged):16.4f} {dice(predictor, held_out):24.4f}")


def files(folder: Path, run: Path, data: str) -> dict[str, Predictor]:
    """Give every backend with every file that it takes."""
    export(run, folder / "float.onnx")
    kinds = {"float file": folder / "float.onnx"}
    try:
        export_int8(run, folder / "int8.onnx", data=data)
        kinds["int8 file"] = folder / "int8.onnx"
    except UserError as error:
        print(f"int8: {error}")
    names = {"onnxruntime": "onnxruntime", "openvino-float32": "openvino", "openvino": "openvino bf16"}
    return {
        f"{names[backend]}, {kind}": modelfile.load(path, backend, threads=1)
        for kind, path in kinds.items()
        for backend in reversed(list(BACKENDS))
    }


def timed(predictor: Predictor) -> float:
    """Milliseconds of one pass of the network."""
    frames = np.random.default_rng(0).random((1, 1, predictor.size, predictor.size), np.float32)
    start = time.perf_counter()
    predictor.network(frames)
    return 1000 * (time.perf_counter() - start)


def dice(predictor: Predictor, samples: list[Sample]) -> float:
    """Mean lesion Dice."""
    pairs = (sample.read() for sample in samples)
    return float(np.mean([float(measure(predictor.predict(image).mask, truth)["dice"]) for image, truth in pairs]))


if __name__ == "__main__":
    main()
