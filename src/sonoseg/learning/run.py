"""A run is a folder: settings, folds, history, the state to resume from and, at the end, the checkpoint."""

import json
import logging
import math
import platform
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sonoseg.data import folds
from sonoseg.data.samples import DataSet, Sample, digest_of
from sonoseg.data.sets.sources import open_set
from sonoseg.data.splits import scored, split
from sonoseg.errors import UserError
from sonoseg.evaluation.judging import Candidate
from sonoseg.files import remove_leftovers, write_text
from sonoseg.learning import checkpoint, provenance, teachers
from sonoseg.learning.batches import Packed, pack, steps_per_epoch
from sonoseg.learning.config import CONFIG, HISTORY, Config, read_config
from sonoseg.learning.devices import device_of, enough_memory, need_device
from sonoseg.learning.loop import Epoch, Run, first_network, in_bfloat16, train
from sonoseg.learning.networks.unet import UNet
from sonoseg.learning.step import Answers

FOLDS, STATE, MODEL = "folds.csv", "last/state.pt", "model.safetensors"
SCALARS, MACHINES = "tensorboard", "machines.jsonl"

STEPS, LEAST_EPOCHS = 1000, 40
"""What is trained where a configuration leaves the epochs open: a small set is seen more often."""
LOOKED_AT = 32
"""Images that a finished network is tried on, to warn of one that draws nothing."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Watch:
    """Who is told how far a run is.

    decoded: images read, of how many. training: given the number of epochs and of images, gives ``Run.report``.
    """

    decoded: Callable[[int, int], None]
    training: Callable[[int, int], Callable[[int, float, float], None]]


def train_run(config: Config, data: DataSet, out: Path, resume: bool, watch: Watch, tensorboard: bool = False) -> Path:
    """Train what the configuration says into the folder ``out``; gives the checkpoint's path.

    tensorboard: whether the history is written as TensorBoard's scalars too, under ``out / SCALARS``.
    A finished run is left as it is. A network that draws nothing on most of what it was trained on is warned of.
    Errors: ``UserError`` for a folder that holds another run, or an unfinished one where ``resume`` is false.
    """
    config = resolve(config, data)
    _claim(config, out, resume)
    need_device(config)
    remove_leftovers(out)
    if (out / MODEL).exists():
        shutil.rmtree((out / STATE).parent, ignore_errors=True)  # of a run that was killed at its very end
        return out / MODEL
    parts = split(data, config.fold, config.validation, config.seed, config.share)
    also = _open_also(config, data)
    before = provenance.of_pretrained(config, data, also)
    taught_by = teachers.load(config)
    known = {config.begun_with: before} if before else {}
    known |= {name: teacher.record for name, teacher in zip(config.taught_by, taught_by, strict=True)}
    if known:
        others = [split(other, config.also_fold).test for other in also]
        provenance.need_unseen(known, _digests([*parts.test, *parts.validation, *chain(*others)]))
    first = Answers(first_network(config), config.deep).network  # refused before anything is written
    config.write(out / CONFIG)
    folds.write(out / FOLDS, data.folds)
    more = [sample for other in also for sample in split(other, config.also_fold).training]
    packed = pack((*parts.training, *more), config.size, watch.decoded, crops=config.normals > 0)
    if config.normals and not packed.crops:
        raise UserError("no lesion of the training part leaves room for a crop beside it", hint="leave --normals out")
    packed = teachers.taught(packed, taught_by, device_of(config))
    training = replace(packed, home=len(parts.training) if config.mix == "half" else None)
    watched = pack(parts.validation, config.size, watch.decoded) if parts.validation else None
    finished = Logbook(out / HISTORY, out / SCALARS if tensorboard else None)
    _tell_machine(out, config)
    report = watch.training(config.epochs, len(training))
    with enough_memory(config):
        trained = train(Run(config, training, watched, out / STATE, report, finished))
    weights = between(trained, first.state_dict(), config.kept) if config.kept else trained
    cut_off = watched.digests if watched else ()
    theirs = [teacher.record for teacher in taught_by]
    record = provenance.record(config, [data, *also], training.digests, cut_off, before, theirs)
    checkpoint.save(out / MODEL, weights, record)
    shutil.rmtree((out / STATE).parent)
    _warn_of_silence(checkpoint.load(out / MODEL).network, training)
    return out / MODEL


def between(trained: Mapping[str, Tensor], first: Mapping[str, Tensor], kept: float) -> dict[str, Tensor]:
    """Weights on the way from ``trained`` to ``first``, those that it began with: ``kept`` of the way (Wortsman et al.
    2022, "Robust fine-tuning of zero-shot models"). What it learnt stays in large part, and so does what it knew."""
    return {
        name: values.lerp(first[name], kept) if values.is_floating_point() else values
        for name, values in trained.items()
    }


def resolve(config: Config, data: DataSet) -> Config:
    """The configuration with as many epochs as make ``STEPS`` steps on the set, where it leaves them open.

    The whole set counts, so that all folds of it, and a run on all of them, are trained alike.
    """
    if config.epochs:
        return config
    steps = steps_per_epoch(len(scored(data)), config.batch)
    return replace(config, epochs=max(LEAST_EPOCHS, math.ceil(STEPS / steps)))


def _warn_of_silence(network: UNet, training: Packed) -> None:
    """Say so where nothing is drawn on most of some training images with a lesion."""
    lesions = training.masks.flatten(1).any(1).nonzero().flatten()[:LOOKED_AT]
    if not len(lesions):
        return
    with torch.inference_mode():
        drawn = (network(training.at(lesions, torch.device("cpu"))[0]) > 0).flatten(1).any(1)
    if 2 * int(drawn.sum()) < len(lesions):
        _log.warning(
            "nothing is drawn on %d of %d images with a lesion that the network was trained on; "
            "more --epochs, or a network to begin with (--pretrained), may help",
            len(lesions) - int(drawn.sum()),
            len(lesions),
        )


def of_run(folder: Path) -> Candidate:
    """Read the candidate that a finished run left. Errors: ``UserError`` where the folder is none."""
    config, stored = read_config(folder / CONFIG), checkpoint.load(folder)
    table = folds.read(folder / FOLDS) if (folder / FOLDS).is_file() else None
    return Candidate(stored.predictor(), config.model, config.fold, config.seed, stored.record["trained_on"], table)


def runs_in(folder: Path) -> list[Path]:
    """The folder itself where it is a run, or the finished runs in the ``cells`` of a benchmark.

    Errors: ``UserError`` for cells without weights.
    """
    if (folder / MODEL).is_file() or not (folder / "cells").is_dir():
        return [folder]
    runs = sorted(path.parent for path in (folder / "cells").glob(f"*/{MODEL}"))
    if not runs:
        raise UserError(f"{folder} has cells without weights; tables alone predict nothing", hint="train them again")
    return runs


def _open_also(config: Config, data: DataSet) -> list[DataSet]:
    also = [open_set(spec) for spec in config.also]
    if data.name in {other.name for other in also}:
        raise UserError(
            f"{data.name} is the set that is judged on; to train on it whole as well would show its test images",
            hint="leave it out of --also; --fold -1 trains on all of it",
        )
    return also


def _claim(config: Config, out: Path, resume: bool) -> None:
    if not (out / CONFIG).exists():
        return
    if changed := config.changed(read_config(out / CONFIG)):
        raise UserError(
            f"{out} holds a run with other settings: {', '.join(changed)}", hint="give another --out, or its settings"
        )
    if not resume and not (out / MODEL).exists():
        raise UserError(f"{out} holds an unfinished run", hint="go on with --resume, or give another --out")


def _tell_machine(out: Path, config: Config) -> None:
    """Add a line to ``MACHINES``: where the epochs from here on are trained."""
    lines = (out / MACHINES).read_text(encoding="utf-8") if (out / MACHINES).exists() else ""
    done = len((out / HISTORY).read_text(encoding="utf-8").splitlines()) if (out / HISTORY).exists() else 0
    write_text(out / MACHINES, lines + json.dumps({"from_epoch": done + 1, **machine(config)}) + "\n")


def machine(config: Config) -> dict[str, Any]:
    """What ``MACHINES`` tells of epochs that are trained here and now."""
    on_cuda = device_of(config).type == "cuda" and torch.cuda.is_available()
    return {
        "machine": torch.cuda.get_device_name() if on_cuda else processor(),
        "threads": torch.get_num_threads(),
        "precision": "bfloat16" if in_bfloat16(config) else "float32",
        "torch": torch.__version__,
    }


def processor() -> str:
    """The processor's name, as far as the system tells it."""
    listing = Path("/proc/cpuinfo")
    if listing.exists():
        for line in listing.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


class Logbook:
    """Writes the history after each epoch; TensorBoard's writer is opened at the first, in the process that trains."""

    def __init__(self, path: Path, scalars: Path | None = None) -> None:
        self.path, self.scalars = path, scalars
        self._writer: Any = None

    def __call__(self, history: list[Epoch]) -> None:
        """Write the whole history as lines of JSON, and its last line as scalars."""
        write_text(self.path, "".join(json.dumps(line) + "\n" for line in history))
        if self.scalars is None:
            return
        if self._writer is None:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(self.scalars), purge_step=len(history))
        for name, value in history[-1].items():
            if name != "epoch":
                self._writer.add_scalar(name, value, len(history))
        self._writer.flush()


def _digests(samples: Sequence[Sample]) -> set[str]:
    return {digest_of(sample, sample.read()[0]) for sample in samples}
