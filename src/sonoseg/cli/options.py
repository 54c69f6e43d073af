"""What several commands share: flags of a recipe, how long work is stopped and watched, and what an extra brings."""

import dataclasses
import functools
import inspect
import math
import shlex
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import Parameter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sonoseg.errors import UserError, need
from sonoseg.learning.config import CONFIG, FIELDS, Config, configure
from sonoseg.learning.settings import Field

if TYPE_CHECKING:
    from sonoseg.data.samples import DataSet

Command = Callable[..., None]

_DATA = FIELDS["data"].setting
Data = Annotated[str, typer.Option(help=_DATA.sentence, metavar=_DATA.form)]
"""Of a command that takes a set and no recipe."""

FrameOfReference = Annotated[
    str, typer.Option(help="none; or synthetic, which OHIF and 3D Slicer need to draw a DICOM segmentation.")
]
MODEL = "default, the path of an .onnx file, or URL#sha256=CHECKSUM."
Model = Annotated[str, typer.Option(help=MODEL)]

HeldOut = Annotated[str, typer.Option("--folds", help="Folds to hold out in turn, such as 0,1, or all.")]
"""See ``held_out``."""

_RECIPE = Parameter(
    "recipe",
    Parameter.KEYWORD_ONLY,
    default=None,
    annotation=Annotated[
        Path | None,
        typer.Option(
            help="A config.toml, or the run that wrote it: its settings, where no flag is given.", metavar="FILE"
        ),
    ],
)


@dataclass(frozen=True)
class Typed:
    """What was typed of a recipe: settings by name, and what ``--recipe`` names."""

    given: Mapping[str, Any]
    recipe: Path | None

    def configure(self) -> Config:
        """The ``Config`` of it. Errors: as ``configure``."""
        return configure(self.given, self.recipe)


def takes_recipe(
    settings: Collection[str] = FIELDS, resolve: Callable[[Mapping[str, Any], Path | None], Any] = configure
) -> Callable[[Command], Command]:
    """Give a command ``--recipe`` and a flag for each of the settings; its first argument is the ``Config`` of them.

    resolve: makes the argument of the settings that were given and of what ``--recipe`` names; ``Typed`` keeps both.
    """

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def called(recipe: Path | None, **words: Any) -> None:
            typed = {name: words.pop(name) for name in settings}
            given = {name: _value(value) for name, value in typed.items() if value is not None}
            nowhere = {} if "data" in settings else {"data": ""}
            command(resolve(nowhere | given, recipe), **words)

        _, *own = inspect.signature(command).parameters.values()
        flags = [_RECIPE, *(_flag(FIELDS[name]) for name in settings)]
        parameters = [*flags, *(each.replace(kind=Parameter.KEYWORD_ONLY) for each in own)]
        called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        called.__annotations__ = {each.name: each.annotation for each in parameters}
        return called

    return decorate


def _value(typed: Any) -> Any:
    return tuple(typed) if isinstance(typed, list) else typed


def _flag(field: Field) -> Parameter:
    """The option of a setting: None where it is not given, so that a recipe's value or the default counts."""
    told = field.setting
    facts = [f"default: {field.default}"] if field.default not in (dataclasses.MISSING, (), "") else []
    facts += [f"{told.least:g} to {told.most:g}"] if math.isfinite(told.most) else []
    option = typer.Option(
        field.flag,
        help=f"{told.sentence}  [{'; '.join(facts)}]" if facts else told.sentence,
        metavar=told.form or "|".join(told.allowed) or None,
    )
    kind = list[str] if field.kind is tuple else field.kind
    return Parameter(field.name, Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, option])


@contextmanager
def stoppable(hint: str, kept: str = "what was finished is kept") -> Iterator[None]:
    """Ctrl-C ends long work with a sentence."""
    try:
        yield
    except KeyboardInterrupt as error:
        raise UserError(f"stopped; {kept}", hint, exit_code=130) from error


NOTHING_KEPT = ("start it again", "nothing was written")
"""What ``stoppable`` says of work that is written at its end."""


_TRAINING = ("train", "torch", "timm", "lightning_fabric", "safetensors", "tomli_w", "scipy", "jinja2")
"""The extra that training needs, and what it brings."""


def need_data() -> None:
    """Refuse a command that looks into sets of images, where the extra ``data`` is not installed."""
    need("data", "scipy", "jinja2")


def need_training() -> None:
    """Refuse a command that trains or reports, where the extra ``train`` is not installed; else say that it loads."""
    need(*_TRAINING)
    if not quiet():
        typer.echo("loading torch ...", err=True)


def path_of(text: str) -> Path:
    """A path that was typed; an empty one would be the current folder. Errors: ``UserError``."""
    if not text.strip():
        raise UserError("an empty name was given for a file or folder", hint="give its path, or . for this folder")
    return Path(text)


def opened(recipe: Config) -> "DataSet":
    """Open the set to train on, and look for all else that a recipe names, before torch is loaded.

    Errors: ``UserError`` for what is not there.
    """
    data = data_of(recipe.data)
    look_for(data, [recipe])
    return data


def look_for(data: "DataSet", recipes: Collection[Config]) -> None:
    """Look for what recipes name beside their set, and warn of sets that are packed at another size.

    Errors: ``UserError`` for what is not there.
    """
    sets = {spec: _further(spec) for spec in dict.fromkeys(spec for recipe in recipes for spec in recipe.also)}
    for size in dict.fromkeys(recipe.size for recipe in recipes):
        for each in (data, *sets.values()):
            _warn_of_size(each, size)
    for weights in dict.fromkeys(recipe.encoder_weights for recipe in recipes):
        if weights not in ("none", "timm") and not Path(weights).is_file():
            raise UserError(
                f"encoder weights {weights} are not there",
                hint="--encoder-weights takes none, timm or the path of a .safetensors file",
            )


def data_of(spec: str) -> "DataSet":
    """Open a set for a command that needs torch later, so that a wrong place is told at once. Errors: ``UserError``."""
    need(*_TRAINING)
    from sonoseg.data.sets.sources import open_set

    return open_set(spec)


def _further(spec: str) -> "DataSet":
    try:
        return data_of(spec)
    except UserError as error:
        raise UserError(str(error), error.hint.replace("--data", "--also")) from error


def _warn_of_size(data: "DataSet", size: int) -> None:
    frame = data.samples[0].read()[0].fitted if data.spec.startswith("packed:") else None
    if frame is not None and len(frame) != size:
        typer.echo(
            f"warning: {data.spec} is packed at {len(frame)} pixels, --size is {size}: its images are resampled twice; "
            f"--size {len(frame)}, or pack it again at {size}, avoids that",
            err=True,
        )


def need_folder(path: Path) -> None:
    """Refuse a file in the place of the folder that is to be written. Errors: ``UserError``."""
    if path.exists() and not path.is_dir():
        raise UserError(f"{path} is a file; a folder is needed for what is written", hint="give another --out")


def need_file(path: Path) -> None:
    """Refuse a folder in the place of the file that is to be written. Errors: ``UserError``."""
    if path.is_dir():
        raise UserError(f"{path} is a folder; a file is needed for what is written", hint="give another --out")


_RUN = "give the folder of a finished run; `sonoseg train` makes one"


def need_path(path: Path, hint: str = "check the path") -> None:
    """Refuse what is not there before the long imports. Errors: ``UserError``."""
    if not path.exists():
        raise UserError(f"{path} does not exist", hint)


def need_run(path: Path, holds: tuple[str, ...] = (CONFIG,), hint: str = _RUN) -> None:
    """Refuse what is not there, and a folder that ``holds`` none of these. Errors: ``UserError``."""
    need_path(path, hint)
    if path.is_dir() and not any((path / name).exists() for name in holds):
        raise UserError(f"{path} has no {' and no '.join(holds)}", hint)


def is_synthetic(frame_of_reference: str) -> bool:
    """Whether a segmentation is to invent its frame of reference. Errors: ``UserError`` for another word."""
    if frame_of_reference not in {"none", "synthetic"}:
        raise UserError(
            f"--frame-of-reference is {frame_of_reference!r}; none and synthetic are allowed", hint="leave it out"
        )
    return frame_of_reference == "synthetic"


def quiet() -> bool:
    """Whether nothing is to be said but answers and errors."""
    return "--quiet" in sys.argv


def numbers(name: str, text: str) -> tuple[int, ...]:
    """Read an option of whole numbers with commas. Errors: ``UserError`` for anything else."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise UserError(f"--{name} is {text!r}; whole numbers with commas are allowed", hint=f"--{name} 0,1") from error


def held_out(text: str, data: "DataSet") -> tuple[int, ...]:
    """The folds that are named, of those of a set. Errors: as ``numbers``, and ``UserError`` for one that it lacks."""
    named = data.folds.numbers if text == "all" else numbers("folds", text)
    for fold in named:
        data.folds.test(fold)
    return named


def command_line() -> str:
    """What was typed, for the page that shows what came of it."""
    return shlex.join(["sonoseg", *sys.argv[1:]])
