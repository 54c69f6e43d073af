"""Files are written whole or not at all, also where a disk is full, a run is killed or the power fails.

What is written lies on the disk before it gets its name. A run that is killed leaves at most a hidden ``.part``.
"""

import csv
import errno
import hashlib
import json
import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from sonoseg.errors import UserError

Received = Callable[[int, int | None], None]
"""Told after each piece of a file that comes: bytes there so far, and in all, or None where nobody says."""

Write = Callable[[Path], object]
"""Writes a file to a path, or none where there is nothing to write."""

_PART, _LOCK = ".sonoseg-{}.part", ".sonoseg.lock"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name beside ``path``; it becomes ``path`` when the block ends well and goes away otherwise.

    Missing folders above ``path`` are made. Errors: ``OSError`` as the file system raises it (no space, no right).
    """
    with scratch(path) as temporary:
        yield temporary
        _to_disk(temporary)
        temporary.replace(path)
        _to_disk(path.parent)


@contextmanager
def scratch(path: Path) -> Iterator[Path]:
    """Give a temporary name beside ``path``; what is there goes away when the block ends.

    Missing folders above ``path`` are made. Errors: ``OSError``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Short, so that every name that is allowed can be written, whatever its length.
    temporary = path.with_name(_PART.format(secrets.token_hex(4)))
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def write_all(contents: Mapping[Path, bytes | Write]) -> None:
    """Write several files, or none of them: each lies on the disk before the first has its name.

    They get their names in the order given, so the last one says that all are there. Where nothing is written, what
    stood goes away. Errors: ``OSError``, and those of the writers.
    """
    with ExitStack() as stack:
        temporaries = {path: stack.enter_context(scratch(path)) for path in contents}
        for path, content in contents.items():
            if isinstance(content, bytes):
                temporaries[path].write_bytes(content)
            else:
                content(temporaries[path])
            if temporaries[path].exists():
                _to_disk(temporaries[path])
        named: list[Path] = []
        try:
            for path, temporary in temporaries.items():
                if temporary.exists():
                    named.append(temporary.replace(path))
                else:
                    path.unlink(missing_ok=True)
            for folder in {path.parent for path in contents}:
                _to_disk(folder)
        except BaseException:
            for path in named:
                path.unlink(missing_ok=True)
            raise


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold a folder for one run; it is made where it is missing. The lock is the system's: that of a dead run is free.

    Errors: ``UserError`` where another run holds it, or it is a file; ``OSError``.
    """
    from filelock import FileLock, Timeout  # takes as long as reading a picture

    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file; a folder is needed for the outputs", hint="give another --out")
    folder.mkdir(parents=True, exist_ok=True)
    lock = folder / _LOCK
    try:
        with FileLock(lock, timeout=0):
            try:
                yield
            finally:
                with suppress(OSError):  # Windows lets nobody remove what is open
                    lock.unlink()
    except Timeout as error:
        raise UserError(
            f"another run is writing to {folder}", hint="wait until it ends, or give another folder", exit_code=1
        ) from error


def remove_leftovers(folder: Path) -> None:
    """Remove what killed runs left half written in a folder and those in it; for who holds it alone."""
    for part in folder.rglob(_PART.format("*")):
        part.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path``, whole or not at all."""
    write_all({path: content})


def write_text(path: Path, content: str) -> None:
    """Write ``content`` to ``path`` as UTF-8 with line feeds, the same bytes on every system."""
    write_bytes(path, content.encode("utf-8"))


def write_json(path: Path, value: Mapping[str, Any] | Sequence[Any]) -> None:
    """Write ``value`` as ``json_text`` has it."""
    write_text(path, json_text(value))


def json_text(value: Mapping[str, Any] | Sequence[Any]) -> str:
    """``value`` as indented JSON, a line feed at its end; numbers that are not finite are refused (``ValueError``)."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def write_csv(path: Path, columns: Iterable[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write ``rows`` under ``columns`` as CSV; a key without a column is an error (``ValueError``)."""
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(columns), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def checksum(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _to_disk(path: Path) -> None:
    """Have a file, or the names in a folder, written through to the disk, where the file system can do so."""
    if os.name == "nt" and path.is_dir():
        return
    place = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(place)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:
            raise
    finally:
        os.close(place)
