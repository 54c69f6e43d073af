"""What several commands share: how long work is stopped, and what an extra brings."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from sonoseg.errors import UserError


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
