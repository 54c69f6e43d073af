"""Time prediction against plain loops in torch, in one run: files to masks, the start, what is not the network, memory.

    python benchmarks/inference.py --data FOLDER [--model default] [--images 200] [--peer-images 40] [--only PART ...]

Parts: speed, start, rest, backends, memory. FOLDER holds scans, masks beside them are left out; without --data phantoms
are made. Each contestant is timed in a process of its own, on the same files with the same number of threads. A peer's
loop is the usual one: Pillow, resize, network in eval mode, sigmoid, resize back, mask as PNG; its weights are random,
which costs the same. Peers are slow, so they get fewer images, and times are per image. Prints ratios. `make peers`
makes an environment with the peers in it; one that is not there is left out.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image

from sonoseg.delivery.batch import run
from sonoseg.delivery.outputs import Job, Options
from sonoseg.images.pictures import encode_png, read_image
from sonoseg.images.reading import find
from sonoseg.prediction.modelfile import load
from sonoseg.prediction.runtime import BACKENDS, BFLOAT16, FLOAT32, default_backend

FRAME = 256
"""Side of the peers' frame, pixels."""

WARM_UP = 3

WAYS = [*(f"{name} {FLOAT32}" for name in BACKENDS), f"openvino {BFLOAT16}"]
"""Backends, and the precision that they compute in."""


def main() -> None:
    """Read the arguments; run the parts, or one contestant for its parent."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--model", default="default")
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--peer-images", type=int, default=40)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--contestant", help=argparse.SUPPRESS)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        given.folder = Path(folder)
        if given.data is None:
            given.data = phantoms(given.folder / "phantoms", given.images)
        if given.contestant:
            print(json.dumps(CONTESTANTS[given.contestant](given)))
            return
        print(
            f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
        )
        for part in given.only:
            PARTS[part](given)


def phantoms(folder: Path, count: int) -> Path:
    """Write phantom scans, for a machine without data."""
    from sonoseg.data.sets.sources import open_set

    for number, sample in enumerate(open_set("phantom").samples[:count]):
        folder.mkdir(exist_ok=True)
        (folder / f"{number:03}.png").write_bytes(encode_png(sample.read()[0].pixels))
    return folder


def spread(given: argparse.Namespace, count: int) -> list[Path]:
    """Take ``count`` of the scans, spread over the folder."""
    paths = [found.path for found in find([given.data])]
    return [paths[i * len(paths) // count] for i in range(count)] if count < len(paths) else paths


def speed(given: argparse.Namespace) -> None:
    """Files to masks and JSON against files to masks."""
    print(f"\nend to end, {given.threads} threads, seconds per image")
    times = {}
    for name in (name for name in CONTESTANTS if name.startswith("file to")):
        found = measured(given, name)
        if "missing" in found:
            print(f"  {name}: {found['missing']}")
            continue
        times[name] = found["seconds"]
        print(f"  {name}: {found['seconds']:.4f} ({found['note']})")
    ours, *peers = times
    for peer in peers:
        print(f"  {times[peer] / times[ours]:.1f}x {peer.removeprefix('file to mask, ')}")


def ours(given: argparse.Namespace) -> dict[str, object]:
    """Time the batch runner with as many workers as threads."""
    predictor = load(given.model, threads=1, parallel=given.threads)
    paths = spread(given, given.images)
    run(paths[:WARM_UP], predictor, Options(given.folder / "warm", overlay=False))
    start = time.perf_counter()
    summary = run(paths, predictor, Options(given.folder / "out", overlay=False, workers=given.threads))
    seconds = (time.perf_counter() - start) / len(paths)
    assert not summary.failures, summary.failures
    model = predictor.model
    return {
        "seconds": seconds,
        "note": f"{model.name} at {predictor.size}, {model.backend} in {model.precision}, {len(paths)} images",
    }


def loop(given: argparse.Namespace, build: Callable[[], object], channels: int) -> dict[str, object]:
    """The plain loop that most repositories have."""
    import torch

    torch.set_num_threads(given.threads)
    network: torch.nn.Module = build().eval()  # type: ignore[attr-defined]
    paths = spread(given, given.peer_images)
    given.folder.joinpath("out").mkdir()

    @torch.inference_mode()
    def predict(path: Path) -> None:
        picture = PIL.Image.open(path).convert("RGB" if channels == 3 else "L")
        small = np.asarray(picture.resize((FRAME, FRAME)), np.float32) / 255
        image = torch.from_numpy(small).reshape(1, FRAME, FRAME, channels).permute(0, 3, 1, 2)
        mask = (torch.sigmoid(network(image))[0, 0] > 0.5).numpy().astype(np.uint8) * 255
        PIL.Image.fromarray(mask).resize(picture.size).save(given.folder / "out" / f"{path.stem}.png")

    for path in paths[:WARM_UP]:
        predict(path)
    start = time.perf_counter()
    for path in paths:
        predict(path)
    return {"seconds": (time.perf_counter() - start) / len(paths), "note": f"at {FRAME}, torch, {len(paths)} images"}


def resnet34(given: argparse.Namespace) -> dict[str, object]:
    """Time the most used library's most used network."""
    try:
        import segmentation_models_pytorch as smp
    except ImportError as error:
        return {"missing": f"not installed ({error})"}
    return loop(given, lambda: smp.Unet("resnet34", encoder_weights=None, classes=1), 3)


def classic(given: argparse.Namespace) -> dict[str, object]:
    """Time the network of 2015 at its full width."""
    from sonoseg.learning.networks.catalogue import build

    return loop(given, lambda: build("unet", width=64), 1)


def nnunet(given: argparse.Namespace) -> dict[str, object]:
    """Time nnU-Net v2's 2D predictor as it comes (tiles, Gaussian, mirroring), by the plan that it makes for BUSI."""
    try:
        import torch
        from nnunetv2.imageio.natural_image_reader_writer import NaturalImage2DIO
        from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
        from nnunetv2.utilities.get_network_from_plans import get_network_from_plans
        from nnunetv2.utilities.plans_handling.plans_handler import PlansManager
    except ImportError as error:
        return {"missing": f"not installed ({error})"}
    torch.set_num_threads(given.threads)
    plans = PlansManager(nnunet_plans())
    configuration = plans.get_configuration("2d")
    network = get_network_from_plans(
        configuration.network_arch_class_name,
        configuration.network_arch_init_kwargs,
        configuration.network_arch_init_kwargs_req_import,
        1,
        2,
        deep_supervision=False,
    )
    told = {"channel_names": {"0": "grey"}, "labels": {"background": 0, "lesion": 1}, "file_ending": ".png"}
    predictor = nnUNetPredictor(perform_everything_on_device=False, device=torch.device("cpu"), allow_tqdm=False)
    weights = network.state_dict()
    predictor.manual_initialization(network, plans, configuration, [weights], told, "nnUNetTrainer", (0, 1))
    paths = spread(given, min(4, given.peer_images))
    grey = []
    for number, path in enumerate(paths):
        grey.append(given.folder / f"{number}_0000.png")
        PIL.Image.open(path).convert("L").save(grey[-1])

    def predict(path: Path) -> None:
        image, properties = NaturalImage2DIO().read_images([str(path)])
        mask = predictor.predict_single_npy_array(image, properties)
        NaturalImage2DIO().write_seg(mask, str(path.with_suffix(".out.png")), properties)

    predict(grey[0])
    start = time.perf_counter()
    for path in grey:
        predict(path)
    seconds = (time.perf_counter() - start) / len(grey)
    return {"seconds": seconds, "note": f"tiles of 448 x 576, mirrored 4 ways, torch, {len(grey)} images"}


def nnunet_plans() -> dict[str, object]:
    """The 2D plan for images of BUSI's median size, 474 x 564: what decides the time of nnU-Net's default U-Net."""
    stages = 7
    resampling = {
        f"resampling_fn_{what}": "resample_data_or_seg_to_shape" for what in ("data", "seg", "probabilities")
    } | {
        f"resampling_fn_{what}_kwargs": {"is_seg": what == "seg", "order": 3 if what == "data" else 1, "order_z": 0,
                                         "force_separate_z": None}
        for what in ("data", "seg", "probabilities")
    }  # fmt: skip
    architecture = {
        "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
        "arch_kwargs": {
            "n_stages": stages,
            "features_per_stage": [32, 64, 128, 256, 512, 512, 512],
            "conv_op": "torch.nn.modules.conv.Conv2d",
            "kernel_sizes": [[3, 3]] * stages,
            "strides": [[1, 1]] + [[2, 2]] * (stages - 1),
            "n_conv_per_stage": [2] * stages,
            "n_conv_per_stage_decoder": [2] * (stages - 1),
            "conv_bias": True,
            "norm_op": "torch.nn.modules.instancenorm.InstanceNorm2d",
            "norm_op_kwargs": {"eps": 1e-5, "affine": True},
            "dropout_op": None,
            "dropout_op_kwargs": None,
            "nonlin": "torch.nn.LeakyReLU",
            "nonlin_kwargs": {"inplace": True},
        },
        "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
    }
    configuration = {
        "data_identifier": "nnUNetPlans_2d", "preprocessor_name": "DefaultPreprocessor", "batch_size": 9,
        "patch_size": [448, 576], "median_image_size_in_voxels": [474.0, 564.0], "spacing": [1.0, 1.0],
        "normalization_schemes": ["ZScoreNormalization"], "use_mask_for_norm": [False], "batch_dice": True,
        "architecture": architecture, **resampling,
    }  # fmt: skip
    return {
        "dataset_name": "busi", "plans_name": "nnUNetPlans", "image_reader_writer": "NaturalImage2DIO",
        "original_median_spacing_after_transp": [999.0, 1.0, 1.0], "label_manager": "LabelManager",
        "original_median_shape_after_transp": [1, 474, 564], "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2], "configurations": {"2d": configuration},
        "experiment_planner_used": "ExperimentPlanner",
        "foreground_intensity_properties_per_channel": {"0": {"mean": 0.0, "std": 1.0}},
    }  # fmt: skip


def start(given: argparse.Namespace) -> None:
    """One scan from a fresh process, against importing torch and one pass of the same encoder's network."""
    path = spread(given, 1)[0]
    command = [sys.executable, "-m", "sonoseg", "predict", str(path), "--model", given.model, "--overwrite"]
    command += ["--out", str(given.folder / "one")]
    code = (
        "import torch; from sonoseg.learning.networks.catalogue import build; torch.set_num_threads({threads})\n"
        "network = build('unet', width=32, encoder='mobilenetv2_100').eval()\n"
        "with torch.inference_mode(): network(torch.zeros(1, 1, {size}, {size}))"
    ).format(threads=given.threads, size=load(given.model, "onnxruntime").size)
    seconds = {}
    for name, each in (("sonoseg predict", command), ("import torch and the network", [sys.executable, "-c", code])):
        seconds[name] = statistics.median(timed(each) for _ in range(5))
    print("\ncold start, seconds, median of 5")
    for name, value in seconds.items():
        print(f"  {name}: {value:.2f}")
    ours, torch = seconds.values()
    print(f"  {torch / ours:.1f}x")


def timed(command: list[str]) -> float:
    """Seconds that a command takes."""
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def rest(given: argparse.Namespace) -> None:
    """Decode, fit, undo, measure, encode, write."""
    found = measured(given, "all but the network")
    print(f"\nall but the network, one thread, CPU milliseconds per image: {found['milliseconds']:.1f}")


def without_network(given: argparse.Namespace) -> dict[str, object]:
    """The network's answers are computed beforehand; what is timed is file to mask and JSON around them."""
    predictor = load(given.model, "onnxruntime", threads=1)
    paths = spread(given, given.images)
    answers: list[np.ndarray] = []

    def listening(frames: np.ndarray) -> np.ndarray:
        answers.append(predictor.network(frames))
        return answers[-1]

    for path in paths:
        replace(predictor, network=listening).predict(path)
    replay = iter(answers)
    job = Job(replace(predictor, network=lambda frames: next(replay)), Options(given.folder / "out", overlay=False))
    found = find(paths)
    start = time.process_time()
    for each in found:
        job.predict(each)
    return {"milliseconds": 1000 * (time.process_time() - start) / len(found)}


def backends(given: argparse.Namespace) -> None:
    """Speed and distance of each backend."""
    print("\nthe network alone, one thread, milliseconds, median; first start in seconds")
    for name in WAYS:
        found = measured(given, f"backend {name}")
        if "missing" in found:
            print(f"  {name}: {found['missing']}")
            continue
        away = f"probability at most {found['away']:.1e} from ONNX Runtime's"
        print(f"  {name}: {found['milliseconds']:.1f}, start {found['start']:.2f}, {away}")
    print(f"  taken by default: {default_backend()}")


def backend(way: str) -> Callable[[argparse.Namespace], dict[str, object]]:
    """Make the contestant that times one backend."""

    name, precision = way.split()

    def alone(given: argparse.Namespace) -> dict[str, object]:
        from sonoseg.errors import UserError

        begin = time.perf_counter()
        try:
            predictor = load(given.model, name, threads=1, precision=precision)
        except UserError as error:
            return {"missing": str(error)}
        images = [read_image(path) for path in spread(given, 10)]
        predictor.predict(images[0])
        begun = time.perf_counter() - begin
        exact = load(given.model, "onnxruntime", threads=1)
        pairs = [(predictor.predict(image).probability, exact.predict(image).probability) for image in images]
        frames = np.random.default_rng(0).random((1, 1, predictor.size, predictor.size), np.float32)
        times = []
        for _ in range(20):
            start = time.perf_counter()
            predictor.network(frames)
            times.append(time.perf_counter() - start)
        away = max(float(np.abs(one - other).max()) for one, other in pairs)
        return {"milliseconds": 1000 * statistics.median(times), "start": begun, "away": away}

    return alone


def memory(given: argparse.Namespace) -> None:
    """Memory over a long batch."""
    found = measured(given, "memory")
    levels = ", ".join(f"{count:,}: {level:.0f}" for count, level in found["levels"])
    print(f"\nmemory, MiB resident after so many images: {levels}")


def resident(given: argparse.Namespace) -> dict[str, object]:
    """5,000 files in one batch; they are few scans under many names, at half size."""
    scans = [PIL.Image.open(path).convert("L") for path in spread(given, 20)]
    place = given.folder / "many"
    place.mkdir()
    for number in range(5000):
        first = place / f"{number % len(scans):05}.png"
        if number < len(scans):
            scans[number].reduce(2).save(first)
        else:
            os.link(first, place / f"{number:05}.png")
    levels: list[tuple[int, float]] = []

    def report(outcome: object, done: int, total: int) -> None:
        if done in {100, 1000, 2000, 3000, 4000, 5000}:
            levels.append((done, now_resident()))

    predictor = load(given.model, threads=1, parallel=given.threads)
    run([place], predictor, Options(given.folder / "out", workers=given.threads, overlay=False), report)
    return {"levels": levels}


def now_resident() -> float:
    """MiB of this process in memory; Linux tells."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def measured(given: argparse.Namespace, contestant: str) -> dict:
    """Run one contestant in a fresh process."""
    command = [sys.executable, __file__, "--contestant", contestant, "--data", str(given.data), "--model", given.model]
    command += ["--images", str(given.images), "--peer-images", str(given.peer_images), "--threads", str(given.threads)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


PARTS = {"speed": speed, "start": start, "rest": rest, "backends": backends, "memory": memory}

CONTESTANTS: dict[str, Callable[[argparse.Namespace], dict[str, object]]] = {
    "file to mask and JSON, sonoseg": ours,
    "file to mask, segmentation_models.pytorch U-Net ResNet-34": resnet34,
    "file to mask, classic U-Net of width 64": classic,
    "file to mask, nnU-Net v2 2D": nnunet,
    "all but the network": without_network,
    "memory": resident,
    **{f"backend {name}": backend(name) for name in WAYS},
}

if __name__ == "__main__":
    main()
