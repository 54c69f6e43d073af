"""What a training may begin with: a finished run, its checkpoint, or a model file, such as the default."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sonoseg.errors import UserError
from sonoseg.prediction import modelfile

if TYPE_CHECKING:
    from sonoseg.learning.checkpoint import Checkpoint

TAKEN = ("model", "width", "encoder", "steps", "norms", "padding", "presence", "size")
"""The settings of what is begun with that hold where no others are given."""

_CHECKPOINT = "model.safetensors"

_KEPT = ("size", "threshold", "classes", "trained_on", "encoder_weights")
"""What the records of a model file and of a checkpoint both tell."""


def need(name: str) -> None:
    """Errors: ``UserError`` where there is nothing to begin with."""
    if name not in modelfile.shipped() and "://" not in name and not Path(name).exists():
        raise UserError(
            f"there is nothing to begin with at {name!r}",
            hint=f"give the folder of a finished run, a model file, or {', '.join(modelfile.shipped())}",
        )


def settings_of(name: str) -> dict[str, Any]:
    """``TAKEN`` of a network that is begun with, as far as it tells them; without torch. Errors: ``UserError``."""
    need(name)
    file = _checkpoint(name)
    told = _header(file) if file else modelfile.read_record(modelfile.resolve(name))["provenance"]
    settings = told.get("settings", {})
    return {key: settings[key] for key in TAKEN if key in settings}


def load(name: str) -> "Checkpoint":
    """Read a network to begin with. Errors: ``UserError`` where there is none, or its weights are not as trained."""
    from sonoseg.learning import checkpoint  # with torch

    need(name)
    file = _checkpoint(name)
    if file:
        return checkpoint.load(file)
    path = modelfile.resolve(name)
    record, weights = modelfile.read_weights(path)
    provenance = record["provenance"]
    kept = {key: value for key, value in record.items() if key in _KEPT}
    return checkpoint.of_arrays(weights, kept | provenance, str(path))


def _checkpoint(name: str) -> Path | None:
    """The file of a run's weights, or None for a model file."""
    if name in modelfile.shipped():
        return None
    path = Path(name)
    if path.is_dir():
        return path / _CHECKPOINT
    return path if path.suffix == ".safetensors" else None


def _header(file: Path) -> dict[str, Any]:
    """What a checkpoint says of itself; nothing where it cannot be read, which ``load`` explains."""
    try:
        with file.open("rb") as stored:
            length = int.from_bytes(stored.read(8), "little")
            header = json.loads(stored.read(min(length, 1 << 26)))
        told = json.loads(header["__metadata__"]["sonoseg"])
    except (OSError, ValueError, LookupError, TypeError):
        return {}
    return told if isinstance(told, dict) else {}
