"""What a training run is, as one value that a person can read and a file can hold."""

import dataclasses
import json
import tomllib
from dataclasses import dataclass
from pathlib import Path

from sonoseg.errors import UserError
from sonoseg.files import write_text


@dataclass(frozen=True)
class Config:
    """A run, resolved: with the data and the program's version it decides the weights.

    data: the set's spec. fold: the held-out fold, or -1 to train on all folds. size: the frame's side in pixels.
    also: specs of sets that are trained on as well, whole, and never judged on.
    pretrained: folder or checkpoint of a finished run of the same architecture to begin with; empty for none.
    encoder: "plain" or a timm name. encoder_weights: "none", "timm" or a file. encoder_rate: the learning rate of a
    timm encoder's backbone as a share of ``learning_rate``, which is that of the rest. padding: of a timm encoder's
    strided convolutions, "same" for weights that were made with TensorFlow's. steps: recurrences of a recurrent unit.
    loss: "lesions" or "all", the images that its Dice part is taken over.
    augmented: share of the images that are changed by more than a mirror.
    validation: share of the training groups that is cut off and watched. average: highest decay of the averaged
    weights, reached with the steps.
    devices: processes. precision: "auto", "32" or "bf16". Errors: ``UserError`` for a value out of its range.
    """

    data: str
    model: str = "unet"
    fold: int = 0
    size: int = 128
    width: int = 16
    steps: int = 2
    encoder: str = "plain"
    encoder_weights: str = "none"
    epochs: int = 40
    batch: int = 16
    learning_rate: float = 0.002
    weight_decay: float = 0.01
    average: float = 0.99
    validation: float = 0.0
    seed: int = 0
    device: str = "auto"
    devices: int = 1
    precision: str = "auto"
    also: tuple[str, ...] = ()
    loss: str = "lesions"
    padding: str = "plain"
    augmented: float = 1.0
    encoder_rate: float = 1.0
    pretrained: str = ""

    def __post_init__(self) -> None:
        lowest = {"fold": -1, "size": 32, "width": 1, "steps": 0, "epochs": 1, "batch": 1, "seed": 0, "devices": 1}
        for name, least in lowest.items():
            value = getattr(self, name)
            if value < least:
                raise UserError(f"{name} is {value}; {least} or more is allowed", hint=f"give --{name} {least} or more")
        if not self.learning_rate > 0:
            raise UserError(
                f"learning_rate is {self.learning_rate}; it must be above 0", hint="give --learning-rate 0.001"
            )
        for name, allowed in (
            ("device", ("auto", "cpu", "cuda", "mps")),
            ("precision", ("auto", "32", "bf16")),
            ("loss", ("lesions", "all")),
            ("padding", ("plain", "same")),
        ):
            if getattr(self, name) not in allowed:
                raise UserError(
                    f"{name} is {getattr(self, name)!r}; {', '.join(allowed)} are allowed",
                    hint=f"give --{name} {allowed[0]}",
                )
        for name in ("augmented", "encoder_rate"):
            if not 0 <= getattr(self, name) <= 1:
                raise UserError(
                    f"{name} is {getattr(self, name)}; from 0 to 1 is allowed",
                    hint=f"give --{name.replace('_', '-')} 1",
                )
        if self.pretrained and self.encoder_weights != "none":
            raise UserError(
                f"encoder weights ({self.encoder_weights}) and a pre-trained run ({self.pretrained}) are both given",
                hint="leave one out: a pre-trained network brings its encoder along",
            )
        for name in ("validation", "average"):
            if not 0 <= getattr(self, name) < 1:
                raise UserError(
                    f"{name} is {getattr(self, name)}; from 0 to below 1 is allowed", hint=f"leave --{name} out"
                )

    def write(self, path: Path) -> None:
        """Write the configuration as TOML."""
        lines = (f"{name} = {json.dumps(value)}" for name, value in dataclasses.asdict(self).items())
        write_text(path, "\n".join(lines) + "\n")


def read_config(path: Path) -> Config:
    """Read what ``Config.write`` wrote. Errors: ``UserError`` for another file, unknown or missing settings."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
        return Config(**values | {"also": tuple(values.get("also", ()))})
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, TypeError) as error:
        raise UserError(
            f"{path} is not the configuration of a run ({error})", hint="give the folder that `sonoseg train` wrote"
        ) from error
