"""One file from the network: checked against its checksum, gone on with where it broke off, kept in the user's cache.

Proxies are those that urllib knows: the system's, or ``https_proxy`` and its kin.
"""

import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

from sonoseg.errors import UserError

Progress = Callable[[int, int | None], None]
"""Told after each piece: bytes there so far, and in all, or None where the server does not say."""

_PIECE = 1 << 18
_TIMEOUT = 30.0


def cache_folder() -> Path:
    """Where downloads are kept: the user's own cache of this system."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local") / "sonoseg" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library/Caches/sonoseg"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sonoseg"


def fetch(url: str, sha256: str, target: Path, progress: Progress | None = None) -> Path:
    """Download ``url`` to ``target`` and return it; nothing is done where the file is there already.

    sha256: of the whole file, hexadecimal. What a broken connection left is kept beside the target and gone on with.
    Errors: ``UserError`` for an address that does not answer, a file that broke off, another checksum.
    """
    if target.is_file() and checksum(target) == sha256:
        return target
    from http.client import HTTPException

    part = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _receive(url, part, progress)
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise UserError(
            f"{url} could not be downloaded ({reason})",
            hint="try again: it goes on where it broke off; behind a proxy, set https_proxy",
            exit_code=1,
        ) from error
    found = checksum(part)
    if found != sha256:
        part.unlink()
        raise UserError(
            f"{url} has the SHA-256 {found}; {sha256} was expected, so it is not used",
            hint="ask for the right checksum where the address came from",
            exit_code=1,
        )
    part.replace(target)
    return target


def checksum(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _receive(url: str, part: Path, progress: Progress | None) -> None:
    """Append to ``part`` what it lacks. Errors: ``OSError`` where the connection breaks."""
    # Imported here because it takes long, and most predictions download nothing.
    import urllib.error
    import urllib.request

    start = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={start}-"} if start else {})
    try:
        answer = urllib.request.urlopen(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code != 416:
            raise
        return  # 416: all of it is there; the checksum decides
    with answer:
        goes_on = answer.status == 206
        there = start if goes_on else 0
        length = answer.headers.get("Content-Length")
        total = there + int(length) if length else None
        with part.open("ab" if goes_on else "wb") as file:
            while piece := answer.read(_PIECE):
                file.write(piece)
                there += len(piece)
                if progress:
                    progress(there, total)
    if total is not None and there < total:
        raise OSError(f"the connection broke after {there:,} of {total:,} bytes")
