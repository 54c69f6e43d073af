"""What this machine can compute on and hold, said before anything is written."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from sonoseg.errors import UserError
from sonoseg.learning.config import Config

_MAPS = 4
"""Arrays of half the width, at full size, that a training step holds at the very least; it is rather twenty of all."""


def need_device(config: Config) -> None:
    """Errors: ``UserError`` where the device of a run is not there, not as often as it asks for, or far too small."""
    there = {"cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if config.device in there:
        _need(there[config.device], config)
    elif config.device == "cpu" or not any(there.values()):
        needed, held = least_memory(config), physical_memory()
        if needed > held:
            raise _too_much(config, f"it takes {needed / 2**30:,.0f} GiB at the very least, of {held / 2**30:,.0f}")


def device_of(config: Config) -> torch.device:
    """Where the first process of a run computes."""
    if config.device != "auto":
        return torch.device(config.device)
    kinds = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    return torch.device(next((kind for kind, there in kinds.items() if there), "cpu"))


def least_memory(config: Config) -> int:
    """Bytes that a step takes at the very least: an image's maps at full size, half of them, in two bytes a number."""
    pixels = (config.batch + config.normals) * config.size**2
    return 2 * pixels * (2 + _MAPS * max(1, config.width // 2))


def physical_memory() -> int:
    """Bytes that this machine has; without a bound where the system does not tell."""
    names = getattr(os, "sysconf_names", {})
    if not {"SC_PAGE_SIZE", "SC_PHYS_PAGES"} <= names.keys():
        return 2**63
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@contextmanager
def enough_memory(config: Config) -> Iterator[None]:
    """Errors: ``UserError`` where the memory does not suffice for what is done within."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "memory" not in str(error):
            raise
        raise _too_much(config, "more was asked for than there is") from error


def _need(count: int, config: Config) -> None:
    if not count:
        raise UserError(
            f"device is {config.device}, which this machine, or its torch {torch.__version__}, does not have",
            hint="leave --device out",
        )
    if config.devices > count:
        raise UserError(f"devices is {config.devices}; there are {count} here", hint=f"give --devices {count}")


def _too_much(config: Config, told: str) -> UserError:
    return UserError(
        f"the memory does not suffice for {config.batch} images of {config.size} x {config.size} at width "
        f"{config.width}: {told}",
        hint=f"give a smaller --batch, such as {max(1, config.batch // 2)}, or a smaller --size or --width",
        exit_code=1,
    )
