"""What lower precision gains and costs: each backend and precision, in one process.

    python benchmarks/precision.py default --data busi:PATH [--images 60]
    python benchmarks/precision.py RUN --data busi:PATH

Prints, for each, milliseconds of the network alone (one thread, median) with the ratio to float32 of the same backend;
then, against ONNX Runtime's float32 on images with a lesion, spread over the set: share of mask pixels that differ,
images whose mask differs, images whose longest diameter of the largest lesion moves by more than 1 and 5 per cent, the
most that it moves, and images where a lesion appears or goes. Lengths are in the pixels of each image. Mean lesion
Dice stands beside them: of a model file on images that it may have seen; of a RUN, which is exported first, also to
int8, on images of its training part and on its held-out fold, which decides nothing.
"""

import argparse
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sonoseg.data.samples import Sample
from sonoseg.data.sets.sources import open_set
from sonoseg.data.splits import split
from sonoseg.errors import UserError
from sonoseg.evaluation.metrics import measure
from sonoseg.prediction import modelfile
from sonoseg.prediction.predictor import Prediction, Predictor
from sonoseg.prediction.runtime import BFLOAT16, FLOAT32

ROUNDS = 60

EXACT = "onnxruntime float32"

WAYS = (("onnxruntime", FLOAT32), ("openvino", FLOAT32), ("openvino", BFLOAT16))


@dataclass(frozen=True)
class Found:
    """What one way of computing found in the images of a part: masks and mean lesion Dice."""

    predictions: list[Prediction]
    dice: float


def main() -> None:
    """Load or export the files, then time and judge every way of computing them, in turns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a run that held out a fold, or a model: default, FILE.onnx")
    parser.add_argument("--data", required=True)
    parser.add_argument("--images", type=int, default=60)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = Path(given.model)
        files = exported(run, given.data, Path(folder)) if run.is_dir() else {"": given.model}
        contestants = ways(files)
        speed(contestants)
        for part, samples in parts(run, given.data, given.images).items():
            distances(part, {name: found(predictor, samples) for name, predictor in contestants.items()})


def exported(run: Path, data: str, folder: Path) -> dict[str, str]:
    """Model files of a run, by what their names end in."""
    from sonoseg.learning.export import export, export_int8

    export(run, folder / "float.onnx")
    files = {"": str(folder / "float.onnx")}
    try:
        export_int8(run, folder / "int8.onnx", data=data)
        files[", int8 file"] = str(folder / "int8.onnx")
    except UserError as error:
        print(f"int8: {error}")
    return files


def ways(files: dict[str, str]) -> dict[str, Predictor]:
    """Load every file for every backend and precision that there is."""
    made = {}
    for end, path in files.items():
        for backend, precision in WAYS if not end else WAYS[:2]:
            try:
                predictor = modelfile.load(path, backend, threads=1, precision=None if end else precision)
            except UserError as error:
                print(f"{backend} {precision}{end}: {error}")
                continue
            made[f"{backend} {precision}{end}"] = predictor
    return made


def parts(run: Path, data: str, images: int) -> dict[str, list[Sample]]:
    """Images with a lesion, spread over each part that is judged on."""
    opened = open_set(data)
    if not run.is_dir():
        return {"images of the set": spread(opened.samples, images)}
    from sonoseg.learning.config import read_config
    from sonoseg.learning.run import CONFIG

    cut = split(opened, read_config(run / CONFIG).fold)
    return {"training images": spread(cut.training, images), "held-out images": spread(cut.test, images)}


def spread(samples: list[Sample] | tuple[Sample, ...], images: int) -> list[Sample]:
    """``images`` of those with a lesion, evenly over all."""
    lesions = [sample for sample in samples if sample.label != "normal"]
    return [lesions[i * len(lesions) // images] for i in range(images)] if images < len(lesions) else lesions


def speed(contestants: dict[str, Predictor]) -> None:
    """Time the networks in turns."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(ROUNDS):
        for name, predictor in contestants.items():
            times[name].append(timed(predictor))
    medians = {name: statistics.median(each) for name, each in times.items()}
    print(f"{'the network alone, one thread':36}    ms  x float32")
    for name, own in medians.items():
        print(f"{name:36} {own:5.1f} {medians[f'{name.split()[0]} {FLOAT32}'] / own:10.2f}")


def timed(predictor: Predictor) -> float:
    """Milliseconds of one pass of the network."""
    frames = np.random.default_rng(0).random((1, 1, predictor.size, predictor.size), np.float32)
    start = time.perf_counter()
    predictor.network(frames)
    return 1000 * (time.perf_counter() - start)


def found(predictor: Predictor, samples: list[Sample]) -> Found:
    """Predict and judge."""
    predictions, dice = [], []
    for sample in samples:
        image, truth = sample.read()
        predictions.append(predictor.predict(image))
        dice.append(float(measure(predictions[-1].mask, truth)["dice"]))
    return Found(predictions, float(np.mean(dice)))


def distances(part: str, all_found: dict[str, Found]) -> None:
    """Print how far each is from ONNX Runtime's float32."""
    exact = all_found[EXACT].predictions
    print(f"\n{len(exact)} {part:33}   Dice  pixels  masks   > 1 %   > 5 %  at most  come or gone")
    for name, each in all_found.items():
        pairs = list(zip(exact, each.predictions, strict=True))
        pixels = sum(int((one.mask != other.mask).sum()) for one, other in pairs)
        share = pixels / sum(one.mask.size for one in exact)
        masks = sum(not np.array_equal(one.mask, other.mask) for one, other in pairs)
        moved = [
            abs(other.lesions[0].longest_diameter / one.lesions[0].longest_diameter - 1)
            for one, other in pairs
            if one.lesions and other.lesions
        ]
        other_count = sum(len(one.lesions) != len(other.lesions) for one, other in pairs)
        over = [sum(move > limit for move in moved) for limit in (0.01, 0.05)]
        print(
            f"{name:36} {each.dice:6.4f} {share:7.3%} {masks:6} {over[0]:7} {over[1]:7} {max(moved):8.1%} "
            f"{other_count:13}"
        )


if __name__ == "__main__":
    main()
