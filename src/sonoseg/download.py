"""One file from the network: checked against its checksum, gone on with where it broke off, kept in the user's cache.

Proxies are those that urllib knows: the system's, or ``https_proxy`` and its kin.
"""

import hashlib
import os
import sys
from pathlib import Path

from sonoseg.errors import UserError
from sonoseg.files import Received


def cache_folder() -> Path:
    """Where downloads are kept: the user's own cache of this system."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local") / "sonoseg" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library/Caches/sonoseg"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sonoseg"


def fetch(url: str, sha256: str, target: Path, progress: Received | None = None) -> Path:
    """Download ``url`` to ``target`` and return it; nothing is done where the file is there already.

    sha256: of the whole file, hexadecimal. What a broken connection left is kept beside the target and gone on with.
    Errors: ``UserError`` for an address that does not answer, a file that broke off, another checksum.
    """
    if target.is_file() and checksum(target) == sha256:
        return target
    # Imported here because it takes long, and most predictions download nothing.
    from sonoseg.receiving import receive

    part = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{target.parent} cannot be written ({error.strerror or error})", exit_code=1) from error
    found = checksum(receive(url, part, progress, anywhere=True))
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
