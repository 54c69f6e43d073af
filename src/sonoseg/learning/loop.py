"""The training loop: a plain function; Lightning Fabric supplies device, precision and processes."""

import logging
import math
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.multiprocessing.spawn import ProcessRaisedException
from torch.optim.swa_utils import update_bn

from sonoseg.errors import UserError
from sonoseg.files import replacing
from sonoseg.learning import pretrained
from sonoseg.learning.batches import Packed, Share, keep_freed_memory, steps_per_epoch, training_batches
from sonoseg.learning.config import Config
from sonoseg.learning.losses import lesion_dice
from sonoseg.learning.networks.catalogue import build
from sonoseg.learning.networks.encoders import TimmEncoder
from sonoseg.learning.networks.unet import UNet
from sonoseg.learning.step import Answers, Average, Step, records

TOLD = 0.5
"""Seconds, at least, between two reports: what is told is waited for."""
WARM_UP = 0.05
"""Share of all steps in which the learning rate rises to its full height; a cosine lets it fall to zero after."""
_DAMAGED = "{} cannot be resumed from: it is damaged, or no state of a run"
VALIDATION_BATCH = 16
KEPT = 30.0
"""Seconds, at least, from one state that is kept to the next: a short epoch is sooner done again than written."""

logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it would tell precision and seed on the terminal

_KINDS = ("fused", "capturable", "foreach")
"""Entries of an optimiser's groups that say how a device computes it."""

Epoch = dict[str, float]
"""One line of ``history.jsonl``: epoch, loss, learning_rate, seconds that it took and images that it trained on in one
of them; validation_dice where a validation part was cut off."""


@dataclass(frozen=True)
class Run:
    """What every process of a run is given. It is pickled where processes are spawned.

    state: the file that holds the last finished epoch. report: called now and then, and at an epoch's end, with its
    number, the share of it that is done and the loss so far, in the first process. finished: called with the history
    after each epoch.
    """

    config: Config
    training: Packed
    validation: Packed | None
    state: Path
    report: Callable[[int, float, float], None]
    finished: Callable[[list[Epoch]], None]


def train(run: Run) -> dict[str, Tensor]:
    """Train one network and give its averaged weights; goes on from ``run.state`` where that file stands.

    With one seed and one number of threads a CPU gives the same weights every time, stopped and resumed or not.
    Errors: ``UserError`` where the loss is no longer finite, or the state belongs to another configuration.
    """
    config = run.config
    fabric = Fabric(
        accelerator=config.device,
        devices=config.devices,
        strategy="ddp_spawn" if config.devices > 1 else "auto",
        precision="bf16-mixed" if in_bfloat16(config) else "32-true",
    )
    try:
        fabric.launch(partial(_train, run=run))  # an argument of its own Fabric would take apart
    except ProcessRaisedException as error:
        raise UserError(f"a training process stopped: {str(error).strip().splitlines()[-1]}", exit_code=1) from error
    return dict(_read_state(run.state)["average"])


def _train(fabric: Fabric, run: Run) -> None:
    config = run.config
    run = replace(run, training=run.training.to(fabric.device))
    keep_freed_memory()
    fabric.seed_everything(config.seed, verbose=False)
    channels_last = fabric.device.type == "cuda" or in_bfloat16(config) or config.encoder != "plain"
    network = first_network(config).to(memory_format=torch.channels_last if channels_last else torch.contiguous_format)
    answers = Answers(network, config.deep)
    model, optimizer = fabric.setup(answers, _optimizer(answers, config, fabric.device))
    average = Average(network)
    history: list[Epoch] = []
    if run.state.exists():
        history = _restore(run, answers, optimizer, average.network)
    step = Step(fabric, model, optimizer, config)
    kept = -math.inf

    for epoch in range(len(history), config.epochs):
        began = time.perf_counter()
        line = _train_epoch(fabric, run, model, step, average, epoch)
        line["seconds"] = round(time.perf_counter() - began, 3)
        taken = len(run.training) + config.normals * steps_per_epoch(len(run.training), config.batch)
        line["images_per_second"] = round(taken / line["seconds"], 2)
        last = epoch + 1 == config.epochs
        if last or run.validation is not None:
            seen = (images for images, _ in training_batches(run.training, config, epoch, Share(), fabric.device))
            update_bn(seen, average.network)  # of batches as they were trained on, crops and all
            if run.validation is not None:
                line["validation_dice"] = validate(average.network, run.validation, fabric.device)
        history.append(line)
        if fabric.is_global_zero and (last or time.monotonic() - kept > KEPT):
            _write_state(run, answers, optimizer, average.network, history)
            run.finished(history)
            kept = time.monotonic()
        fabric.barrier()


def _train_epoch(fabric: Fabric, run: Run, model: nn.Module, step: Step, average: Average, epoch: int) -> Epoch:
    config = run.config
    steps = steps_per_epoch(len(run.training), config.batch)
    share = Share(fabric.global_rank, fabric.world_size)
    model.train()
    total = torch.zeros((), device=fabric.device)
    told = 0.0
    for number, (images, masks) in enumerate(training_batches(run.training, config, epoch, share, fabric.device)):
        done = epoch * steps + number
        rate = learning_rate(config.learning_rate, done, config.epochs * steps)
        total += step(images, masks, rate)
        average.update(decay(config.average, done))
        if fabric.is_global_zero and (number + 1 == steps or time.monotonic() - told > TOLD):
            run.report(epoch, (number + 1) / steps, float(total) / (number + 1))
            told = time.monotonic()
    mean = float(cast(Tensor, fabric.all_reduce(total / steps)))
    if not math.isfinite(mean):
        raise UserError(
            f"the loss is no longer finite in epoch {epoch + 1}; the last finished epoch is kept",
            hint=f"train anew with --learning-rate {config.learning_rate / 4:g}",
            exit_code=1,
        )
    return {"epoch": epoch + 1, "loss": mean, "learning_rate": rate}


def learning_rate(highest: float, step: int, steps: int) -> float:
    """Linear warm-up, then half a cosine to zero; ``step`` counts from 0."""
    warm = max(1, round(steps * WARM_UP))
    if step < warm:
        return highest * (step + 1) / warm
    return highest * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def decay(highest: float, step: int) -> float:
    """Of the averaged weights: rises with the steps done, from 0.1, so that a short run is not held back by its first
    weights."""
    return min(highest, (1 + step) / (10 + step))


def validate(network: nn.Module, data: Packed, device: torch.device) -> float:
    """Mean lesion Dice in the network's frame, over the images that have a lesion."""
    network.eval()
    scores = []
    with torch.inference_mode():
        for indices in torch.split(torch.arange(len(data)), VALIDATION_BATCH):
            images, masks = data.at(indices, device)
            scores.append(lesion_dice(network(images), masks).cpu())
    return float(torch.cat(scores).nanmean())


def new_network(config: Config) -> UNet:
    """The network of a configuration with fresh weights, or those of its pre-trained encoder."""
    return build(**model_record(config), encoder_weights=config.encoder_weights)


def first_network(config: Config) -> UNet:
    """The network that training begins with: a new one, or the pre-trained one that the configuration names.

    Errors: ``UserError`` where that cannot be read or is of another architecture.
    """
    if not config.pretrained:
        return new_network(config)
    stored = pretrained.load(config.begun_with)
    theirs, ours = stored.record["model"], model_record(config)
    if theirs != ours:
        other = [f"{name} {theirs.get(name)}" for name in ours | theirs if theirs.get(name) != ours.get(name)]
        raise UserError(
            f"{config.begun_with} is of another architecture: {', '.join(other)}",
            hint="give the same model, width, encoder, steps, padding and presence",
        )
    return stored.network.train()


def _optimizer(answers: Answers, config: Config, device: torch.device) -> torch.optim.AdamW:
    recorded = records(config, device) or None
    return torch.optim.AdamW(
        _groups(answers, config),
        lr=config.learning_rate,
        weight_decay=config.weight_decay,
        fused=recorded,
        capturable=bool(recorded),
    )


def _groups(answers: Answers, config: Config) -> list[dict[str, Any]]:
    """The parameters by the share of the learning rate that they are given, and by whether they decay."""
    encoder = answers.network.encoder
    backbone = list(encoder.backbone.parameters()) if isinstance(encoder, TimmEncoder) else []
    known = {id(parameter) for parameter in backbone}
    rest = [parameter for parameter in answers.parameters() if id(parameter) not in known]
    groups: list[dict[str, Any]] = [{"params": rest, "share": 1.0}]
    if backbone:
        groups.append({"params": backbone, "share": config.encoder_rate})
    return groups if config.decayed == "all" else [part for group in groups for part in _by_decay(group)]


def _by_decay(group: dict[str, Any]) -> list[dict[str, Any]]:
    """Its kernels, and apart its normalisations and biases without weight decay."""
    kernels = [parameter for parameter in group["params"] if parameter.ndim > 1]
    others = [parameter for parameter in group["params"] if parameter.ndim <= 1]
    return [group | {"params": kernels}, group | {"params": others, "weight_decay": 0.0}]


def model_record(config: Config) -> dict[str, Any]:
    """The arguments of ``build`` that a checkpoint keeps; those that came later only where they are used."""
    record = {
        "model": config.model,
        "width": config.width,
        "encoder": None if config.encoder == "plain" else config.encoder,
        "steps": config.steps,
        "padding": config.padding,
    }
    later = {"presence": config.presence > 0, "norms": config.norms}
    return record | {name: value for name, value in later.items() if value not in (False, "each")}


def in_bfloat16(config: Config) -> bool:
    """Whether a run computes in bfloat16 on this machine."""
    if config.precision == "auto":
        on_cpu = config.device == "cpu" or not (torch.cuda.is_available() or torch.backends.mps.is_available())
        if on_cpu:
            return bool(torch.cpu._is_avx512_bf16_supported())
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    return config.precision == "bf16"


def _write_state(run: Run, answers: Answers, optimizer: Any, average: nn.Module, history: list[Epoch]) -> None:
    state = {
        "config": vars(run.config),
        "network": answers.network.state_dict(),
        "coarse": answers.coarse.state_dict(),
        "optimizer": optimizer.state_dict(),
        "average": average.state_dict(),
        "history": history,
    }
    with replacing(run.state) as temporary:
        torch.save(state, temporary)


def _read_state(path: Path) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(path) as parts:
            damaged = parts.testzip()  # which torch does not ask for
        state: dict[str, Any] = {} if damaged else torch.load(path, map_location="cpu", weights_only=True)
        whole = state.keys() >= {"config", "network", "optimizer", "average", "history"}
    except Exception as error:  # a damaged file can raise nearly anything, and torch's own words say how to execute it
        raise UserError(_DAMAGED.format(path), hint=f"delete {path} to begin anew") from error
    if not whole:
        raise UserError(_DAMAGED.format(path), hint=f"delete {path} to begin anew")
    return state


def _restore(run: Run, answers: Answers, optimizer: Any, average: nn.Module) -> list[Epoch]:
    state = _read_state(run.state)
    if changed := run.config.changed(Config(**state["config"])):
        raise UserError(
            f"{run.state} belongs to a run with other settings: {', '.join(changed)}",
            hint=f"give the settings of {run.state.parent.parent / 'config.toml'}, or another --out",
        )
    answers.network.load_state_dict(state["network"])
    answers.coarse.load_state_dict(state.get("coarse", {}))
    kinds = [{name: group[name] for name in _KINDS} for group in optimizer.param_groups]
    optimizer.load_state_dict(state["optimizer"])
    for group, kind in zip(optimizer.param_groups, kinds, strict=True):
        group.update(kind)  # the state may have been written on another device
    average.load_state_dict(state["average"])
    return list(state["history"])
