"""What this machine can compute on, said before anything is written, and where its memory ends."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from sonoseg.errors import UserError
from sonoseg.learning.config import Config


def need_device(config: Config) -> None:
    """Errors: ``UserError`` where the device of a run is not there, or not as often as it asks for."""
    count = {"cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}.get(config.device)
    if count is None:
        return
    if not count:
        raise UserError(
            f"device is {config.device}, which this machine, or its torch {torch.__version__}, does not have",
            hint="leave --device out",
        )
    if config.devices > count:
        raise UserError(f"devices is {config.devices}; there are {count} here", hint=f"give --devices {count}")


@contextmanager
def enough_memory(config: Config) -> Iterator[None]:
    """Errors: ``UserError`` where the memory does not suffice for what is done within."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "memory" not in str(error):
            raise
        raise UserError(
            f"the memory does not suffice for {config.batch} images of {config.size} x {config.size} at width "
            f"{config.width}",
            hint=f"give a smaller --batch, such as {max(1, config.batch // 2)}, or a smaller --size or --width",
            exit_code=1,
        ) from error
