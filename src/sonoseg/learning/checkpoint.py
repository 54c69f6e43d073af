"""One safe file: the weights of a network as safetensors, and its record as plain data inside it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialise
from torch import Tensor

from sonoseg.errors import UserError
from sonoseg.files import write_bytes
from sonoseg.learning.networks.catalogue import build
from sonoseg.learning.networks.unet import UNet
from sonoseg.prediction.predictor import Both, Predictor
from sonoseg.prediction.record import Record

_AGAIN = "copy or train it again"

FORMAT, VERSION = "sonoseg-checkpoint", 1

DIGEST = "digest"
"""Key of the record under which ``digest`` stands in the file; files of an earlier sonoseg lack it."""

"""Plain data: ``model`` (arguments of ``build``), ``size``, ``threshold``, ``trained_on`` and ``program``."""


@dataclass(frozen=True)
class Checkpoint:
    """A network in evaluation mode on the CPU, and its record."""

    network: UNet
    record: Record

    def predictor(self, device: str = "cpu") -> Predictor:
        """The one prediction path, with this network on a torch device."""
        network = self.network.to(device)

        def answer(images: NDArray[np.float32]) -> NDArray[np.float32] | Both:
            with torch.inference_mode():
                logits, presence = network.answer(torch.from_numpy(images).to(device))
            found = logits.float().cpu().numpy()
            return found if presence is None else (found, presence.float().cpu().numpy())

        least_presence = 0.0 if network.presence else None
        return Predictor(answer, self.record["size"], self.record["threshold"], least_presence=least_presence)


def save(path: Path, weights: dict[str, Tensor], record: Record) -> None:
    """Write weights and record as one file, whole or not at all."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    told = {"format": FORMAT, "version": VERSION, **record}
    metadata = {"sonoseg": json.dumps(told | {DIGEST: digest(tensors, told)}, sort_keys=True)}
    write_bytes(path, serialise(tensors, metadata))  # its own way of writing files shuts the group out


def load(path: Path) -> Checkpoint:
    """Read a checkpoint, or the one in the folder of a run.

    Errors: ``UserError`` for a file that is missing, damaged, of another program or of another version.
    """
    file = path / "model.safetensors" if path.is_dir() else path
    if not file.is_file():
        raise UserError(f"{file} does not exist", hint="give the folder of a finished run; `sonoseg train` makes one")
    try:
        with safe_open(file, framework="pt") as stored:
            metadata = stored.metadata() or {}
            weights = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
        record = json.loads(metadata.get("sonoseg", "{}"))
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(f"{file} is damaged or not a checkpoint ({error})", hint=_AGAIN) from error
    if record.get("format") != FORMAT:
        raise UserError(f"{file} is not a checkpoint of sonoseg", hint="give a model.safetensors of `sonoseg train`")
    if record.get("version") != VERSION:
        raise UserError(
            f"{file} is a checkpoint of version {record.get('version')}; this program reads version {VERSION}",
            hint="train it again, or install the sonoseg that wrote it",
        )
    stated = record.pop(DIGEST, None)
    if stated is not None and stated != digest(weights, record):
        raise UserError(f"{file} is damaged: its weights and record are not those of its digest", hint=_AGAIN)
    try:
        network = build(**record["model"])
        network.load_state_dict(weights)
    except (KeyError, TypeError, RuntimeError) as error:
        raise UserError(f"{file} does not fit its own record ({error})", hint=_AGAIN) from error
    return Checkpoint(network.eval(), record)


def of_arrays(weights: Mapping[str, NDArray[np.float32]], record: Record, source: str) -> Checkpoint:
    """Make a checkpoint of weights that a model file holds. source: the file, for messages.

    How many batches its normalisations saw is not among them, and counts for nothing. Errors: ``UserError`` where
    another one lacks or does not fit.
    """
    try:
        network = build(**record["model"])
        fresh = network.state_dict()
        counters = {name: value for name, value in fresh.items() if name.endswith("num_batches_tracked")}
        network.load_state_dict(counters | {name: torch.tensor(values) for name, values in weights.items()})
    except (KeyError, TypeError, RuntimeError) as error:
        raise UserError(
            f"{source} does not hold the weights of its network as they were trained: it is in 8-bit integers, or was "
            "written by an earlier sonoseg",
            hint="export the run again and begin with that file, or begin with the run itself",
        ) from error
    return Checkpoint(network.eval(), record)


def digest(weights: Mapping[str, Tensor], record: Record) -> str:
    """SHA-256 over the record, as JSON with sorted keys, and the names, kinds, shapes and bytes of the weights."""
    found = hashlib.sha256(json.dumps(record, sort_keys=True).encode())
    for name, tensor in sorted(weights.items()):
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        found.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()
