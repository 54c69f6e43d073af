"""A disk that fails once: at the n-th write, flush or rename below a folder."""

import errno
import io
import os
from pathlib import Path
from typing import Any

import pytest


class FailingDisk:
    """Counts writes below ``folder``, flushes and renames; the one of number ``fails`` raises ``OSError``."""

    def __init__(self, folder: Path, fails: int) -> None:
        self.folder, self.fails, self.done = folder, fails, 0
        self._open, self._fsync, self._replace = io.open, os.fsync, os.replace

    @property
    def failed(self) -> bool:
        return self.done >= self.fails

    def install(self, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(io, "open", self._opened)
        patch.setattr(os, "fsync", lambda place: self.step() or self._fsync(place))
        patch.setattr(os, "replace", lambda old, new: self.step() or self._replace(old, new))

    def step(self) -> None:
        self.done += 1
        if self.done == self.fails:
            raise OSError(errno.ENOSPC, "No space left on device")

    def _opened(self, path: Any, mode: str = "r", *rest: Any, **more: Any) -> Any:
        file = self._open(path, mode, *rest, **more)
        inside = isinstance(path, Path) and path.is_relative_to(self.folder)
        return _File(file, self) if inside and set(mode) & set("wax+") else file


class _File:
    def __init__(self, file: Any, disk: FailingDisk) -> None:
        self._file, self._disk = file, disk

    def write(self, content: Any) -> int:
        half = len(content) // 2
        self._file.write(content[:half])
        self._disk.step()
        return half + int(self._file.write(content[half:]))

    def __enter__(self) -> "_File":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
