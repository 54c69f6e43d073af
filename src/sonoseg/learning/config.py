"""What a training run is, as one value that a person can read and a file can hold."""

import dataclasses
import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import Any

from sonoseg.errors import UserError
from sonoseg.files import write_text
from sonoseg.learning.settings import fields_of, setting

CONFIG = "config.toml"
"""What a run calls its file of settings."""

HISTORY = "history.jsonl"
"""What a run calls its lines of epochs."""

ELSEWHERE = ("device", "devices", "precision")
"""Settings of where a run is computed: one that was begun on one machine may be finished on another."""

MODELS: dict[str, str] = {
    "unet": "double convolutions, skips passed through",
    "recurrent-unet": "recurrent residual units, skips passed through",
    "attention-unet": "double convolutions, gated skips",
    "recurrent-attention-unet": "recurrent residual units, gated skips",
}
"""The models by name; ``networks.catalogue`` says how each is built."""


@dataclass(frozen=True)
class Config:
    """A run, resolved: with the data and the program's version it decides the weights.

    Errors: ``UserError`` for a value that its setting does not allow.
    """

    data: str = setting(
        MISSING, "The images: busi:PATH, bus-bra:PATH, folder:PATH, ..., phantom, phantom:COUNT.", form="NAME:WHERE"
    )
    model: str = setting("unet", "A name of `sonoseg models`.", allowed=tuple(MODELS), form="NAME")
    fold: int = setting(0, "The fold to hold out; -1 trains on all.", -1, 1000)
    size: int = setting(128, "Side of the network's frame in pixels.", 32, 2048)
    width: int = setting(16, "Channels at full size.", 1, 512)
    steps: int = setting(2, "Recurrences of a recurrent unit.", 0, 8)
    norms: str = setting(
        "each",
        "Of a recurrent unit: each recurrence its own normalisation, or one shared by all.",
        allowed=("each", "shared"),
    )
    encoder: str = setting("plain", "plain, or the name of a timm model.", form="NAME")
    encoder_weights: str = setting(
        "none", "Weights of a timm encoder: none, timm (downloads) or a safetensors file.", form="FILE"
    )
    epochs: int = setting(0, "Epochs of training; 0 for as many as make 1000 steps, 40 at least.", 0, 100_000)
    batch: int = setting(8, "Images per step.", 1, 4096)
    learning_rate: float = setting(0.004, "Highest learning rate.", 1e-12, 10)
    weight_decay: float = setting(0.01, "Weight decay of AdamW.", 0, 1)
    average: float = setting(0.99, "Highest decay of the averaged weights, reached with the steps.", 0, 0.9999)
    validation: float = setting(0.0, "Share of the training groups to cut off and watch.", 0, 0.9)
    share: float = setting(
        1.0,
        "Share of the training groups that is trained on; a smaller one lies in a larger.",
        0.05,
        1,
    )
    seed: int = setting(0, "Seed of weights, order and augmentation.", 0, 2**32 - 1)
    device: str = setting("auto", "Where to compute.", allowed=("auto", "cpu", "cuda", "mps"))
    devices: int = setting(1, "Processes, one per device.", 1, 1024)
    precision: str = setting(
        "auto", "Of computing; auto takes bf16 where the machine has it.", allowed=("auto", "32", "bf16")
    )
    also: tuple[str, ...] = setting((), "A set to train on as well. May be repeated.", form="NAME:WHERE")
    also_fold: int = setting(-1, "Of the sets of --also, the fold to hold out; -1 trains on all of them.", -1, 1000)
    mix: str = setting(
        "half", "How many of them: all in every epoch, or at most as many as of the first.", allowed=("half", "all")
    )
    normals: int = setting(0, "Crops without a lesion, cut beside lesions, that are added to a batch.", 0, 4096)
    presence: float = setting(
        0.0, "Weight of the loss of a head that tells whether there is a lesion at all; 0 for no such head.", 0, 10
    )
    loss: str = setting(
        "lesions",
        "Images that its Dice part is over: those with lesions, all, or none for cross-entropy alone.",
        allowed=("lesions", "all", "none"),
    )
    deep: int = setting(
        0, "Coarser levels of the decoder that are judged as well, each counting half of the finer one.", 0, 8
    )
    padding: str = setting("plain", "Of a timm encoder; same for weights from TensorFlow.", allowed=("plain", "same"))
    augmented: float = setting(1.0, "Share of the images that are changed by more than a mirror.", 0, 1)
    spoiled: float = setting(
        0.0, "Share of the images that blur, half resolution, contrast and noise each fall upon.", 0, 1
    )
    decayed: str = setting(
        "all", "Parameters that decay: all, or kernels alone, no normalisations and biases.", allowed=("all", "kernels")
    )
    encoder_rate: float = setting(1.0, "Of a timm encoder, as a share of the learning rate.", 0, 1)
    pretrained: str = setting(
        "",
        "What to begin with: default, a model file or a finished run; {fold} and {seed} stand for the run's own. Its "
        "architecture and size are taken.",
        form="RUN",
    )
    kept: float = setting(
        0.0, "Share of what was begun with in the mean of its weights and the trained ones that the run gives.", 0, 1
    )
    teachers: tuple[str, ...] = setting(
        (),
        "A run or model file whose answers are learnt from as well; {fold} and {seed} as above. May be repeated.",
        form="RUN",
    )
    soft: float = setting(0.5, "Weight of the teachers' mean answer beside the mask, from 0 to 1.", 0, 1)

    def __post_init__(self) -> None:
        for name, field in FIELDS.items():
            field.check(getattr(self, name))
        if self.pretrained and self.encoder_weights != "none":
            raise UserError(
                f"encoder weights ({self.encoder_weights}) and a pre-trained run ({self.pretrained}) are both given",
                hint="leave one out: a pre-trained network brings its encoder along",
            )

        if self.kept and not self.pretrained:
            raise UserError(
                f"kept is {self.kept:g}, and the run begins with no network that could be kept of",
                hint="name one with --pretrained, or leave --kept out",
            )

    @property
    def begun_with(self) -> str:
        """Where the network to begin with lies, or empty."""
        return placed(self.pretrained, self.fold, self.seed)

    @property
    def taught_by(self) -> list[str]:
        """Where the teachers lie."""
        return [placed(name, self.fold, self.seed) for name in self.teachers]

    def changed(self, other: "Config") -> list[str]:
        """Names of the settings that differ in another configuration, but for those of ``ELSEWHERE``."""
        theirs = vars(other)
        return [name for name, value in vars(self).items() if theirs[name] != value and name not in ELSEWHERE]

    def write(self, path: Path) -> None:
        """Write the configuration as TOML."""
        import tomli_w  # of the extra train; the command line is made from the fields without it

        write_text(path, tomli_w.dumps(dataclasses.asdict(self)))


FIELDS = fields_of(Config)
"""What each field of ``Config`` may be, by name."""


def read_config(path: Path) -> Config:
    """Read what ``Config.write`` wrote. Errors: ``UserError`` for another file, unknown or missing settings."""
    return Config(**_of_file(path, {}))


def configure(given: Mapping[str, Any], recipe: Path | None = None) -> Config:
    """The configuration that is given, over that of a recipe, over the architecture of what is begun with.

    recipe: a file as ``Config.write`` writes it, where any setting may be left out, or the folder of a run.
    Errors: ``UserError`` where neither names the data, as ``read_config`` and as ``pretrained.settings_of``.
    """
    if recipe is None and "data" not in given:
        raise UserError(
            "no set of images is named",
            hint="--data busi:PATH, or folder:PATH for images and masks of your own, or phantom to try it out",
        )
    stated = {} if recipe is None else _of_file(recipe / CONFIG if recipe.is_dir() else recipe, given)
    return Config(**{**_begun(given), **stated, **given})


def placed(name: str, fold: int, seed: int) -> str:
    """A name with the run's own fold and seed in the place of ``{fold}`` and ``{seed}``."""
    return name.replace("{fold}", str(fold)).replace("{seed}", str(seed))


def told_settings(config: Config) -> dict[str, Any]:
    """The settings without the paths of this machine: sets by their names, weights and runs by that of their file."""
    files: dict[str, Any] = {name: Path(getattr(config, name)).name for name in ("encoder_weights", "pretrained")}
    files["teachers"] = ", ".join(Path(name).name for name in config.teachers)
    files["also"] = ", ".join(spec.partition(":")[0] for spec in config.also)
    return {name: value for name, value in (vars(config) | files).items() if name != "data"}


def _begun(given: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of the network that is to be begun with; a recipe that names one states them itself."""
    if not given.get("pretrained"):
        return {}
    from sonoseg.learning.pretrained import settings_of  # reads model files, which other trainings do not

    own = (given.get(name, FIELDS[name].default) for name in ("fold", "seed"))
    return settings_of(placed(given["pretrained"], *own))


def _of_file(path: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} is not the configuration of a run ({error})", hint=f"give the {CONFIG} that `sonoseg train` wrote"
        ) from error
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()} | dict(given)
    for name in values.keys() - FIELDS.keys():
        raise UserError(
            f"{path} is not the configuration of a run: there is no setting {name}",
            hint=f"is {difflib.get_close_matches(name, FIELDS, n=1, cutoff=0.0)[0]} meant?",
        )
    if "data" not in values:
        raise UserError(f"{path} is not the configuration of a run: it names no data", hint="--data NAME:WHERE")
    return values
