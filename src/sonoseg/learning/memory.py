"""Freed memory is kept: a training step asks for the same large arrays again and again."""

import ctypes
import platform

# glibc's numbers of the settings (malloc.h) and what they are set to.
_NEVER_MAP = (-4, 0)
_NEVER_TRIM = (-1, 2**31 - 1)
_GROW_BY = (-2, 256 * 2**20)


def keep_freed_memory() -> bool:
    """Tell glibc's malloc to keep what is freed for the rest of the process; gives whether there was one to tell.

    Otherwise every activation above 32 MiB is mapped anew, and the kernel clears its pages at each step.
    See ``benchmarks/training.py`` for what it brings, and mallopt(3) for the settings.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    library = ctypes.CDLL(None)
    return all(library.mallopt(setting, value) for setting, value in (_NEVER_MAP, _NEVER_TRIM, _GROW_BY))
