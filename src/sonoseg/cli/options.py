"""What several commands share: how long work is stopped and watched, what an extra brings, and what was typed."""

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from sonoseg.errors import UserError

if TYPE_CHECKING:
    from sonoseg.experiments.benchmark import Progress


@contextmanager
def stoppable(hint: str) -> Iterator[None]:
    """Ctrl-C ends long work with a sentence."""
    try:
        yield
    except KeyboardInterrupt as error:
        raise UserError("stopped; what was finished is kept", hint, exit_code=130) from error


def need(extra: str, *modules: str) -> None:
    """Refuse a command whose extra is not installed. Errors: ``UserError`` naming what is missing."""
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        raise UserError(
            f"this needs {', '.join(missing)}, which is not installed", hint=f"pip install 'sonoseg[{extra}]'"
        )


def need_data() -> None:
    """Refuse a command that looks into sets of images, where the extra ``data`` is not installed."""
    need("data", "scipy", "jinja2")


def need_training() -> None:
    """Refuse a command that trains or reports, where the extra ``train`` is not installed."""
    need("train", "torch", "timm", "lightning_fabric", "safetensors", "scipy", "jinja2")


def numbers(name: str, text: str) -> tuple[int, ...]:
    """Read an option of whole numbers with commas. Errors: ``UserError`` for anything else."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise UserError(f"--{name} is {text!r}; whole numbers with commas are allowed", hint=f"--{name} 0,1") from error


def command_line() -> str:
    """What was typed, for the page that shows what came of it."""
    return shlex.join(["sonoseg", *sys.argv[1:]])


def progress() -> "Progress":
    """Bars for cells that are trained and judged."""
    from sonoseg.cli.progress import Bar, TrainingBar
    from sonoseg.experiments.benchmark import Progress
    from sonoseg.learning.run import Watch

    title = ["training"]

    def cell(number: int, of: int, name: str) -> None:
        title[0] = f"{name} ({number} of {of})"

    return Progress(
        cell,
        Watch(Bar("reading images").step, lambda epochs, images: TrainingBar(title[0], epochs, images)),
        Bar("evaluating").step,
    )
