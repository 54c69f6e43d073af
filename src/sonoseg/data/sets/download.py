"""Sets from the network: received in pieces that can be gone on with, checked, unpacked whole or not at all.

Proxies are those that urllib knows: the system's, or ``https_proxy`` and its kin.
"""

import difflib
import hashlib
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sonoseg.data.sets.catalogue import KNOWN, Download, KnownSet
from sonoseg.downloads import receive
from sonoseg.errors import UserError
from sonoseg.files import Received, write_json
from sonoseg.images.unpacking import unpack

RECORD = "SOURCE.json"
"""Written beside the files: where they came from, when, and their checksums."""

_STAGING = ".unpacking"


def get(name: str, to: Path, progress: Received | None = None) -> Path:
    """Download a known set into ``to``, a new or empty folder, and return it: ``--data NAME:TO`` reads it.

    Where ``to`` has the set already nothing is done. What was received before a connection broke is kept as ``.part``
    and gone on with. progress: bytes there and in all of each file in turn.
    Errors: ``UserError`` for a set that is not known or that a person must ask for, an address that does not answer
    or sends elsewhere, a file that is cut or altered, an archive with places outside it or links; then nothing of
    the set is left, but for the parts of files that broke off.
    """
    known = find(name)
    if not known.downloads:
        raise UserError(
            f"{known.title}: {known.access}",
            hint=f"see {known.page}; then: --data {known.source}:PATH",
        )
    if (to / RECORD).is_file() and record(to).get("set") == name:
        return to
    new = not to.exists()
    try:
        _check_empty(to, known)
        to.mkdir(parents=True, exist_ok=True)
        parts = [receive(each.url, to / f"{each.name}.part", progress) for each in known.downloads]
        files = [_checked(each, part) for each, part in zip(known.downloads, parts, strict=True)]
        _place(known.downloads, parts, to)
        write_json(to / RECORD, _record(name, known, files))
    except OSError as error:
        raise UserError(f"{to} cannot be written ({error})", hint="choose another folder with --to") from error
    finally:
        if new and to.is_dir() and not any(to.iterdir()):
            to.rmdir()
    return to


def find(name: str) -> KnownSet:
    """Give the known set of this name. Errors: ``UserError`` naming the nearest one."""
    if name not in KNOWN:
        nearest = difflib.get_close_matches(name, KNOWN, n=1, cutoff=0.0)[0]
        raise UserError(f"no set is called {name!r}; there are {', '.join(KNOWN)}", hint=f"sonoseg data get {nearest}")
    return KNOWN[name]


def record(folder: Path) -> dict[str, Any]:
    """Read what ``get`` wrote beside the files: set, page, licence, citation, retrieved, files with their SHA-256."""
    try:
        content = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{folder / RECORD} cannot be read ({error})", hint="download into another folder") from error
    return content if isinstance(content, dict) else {}


def _check_empty(to: Path, known: KnownSet) -> None:
    if to.exists() and not to.is_dir():
        raise UserError(f"{to} is a file; a new or empty folder is needed", hint="choose another place with --to")
    own = {_STAGING, *(f"{each.name}.part" for each in known.downloads)}
    others = sorted(path.name for path in to.iterdir() if path.name not in own) if to.is_dir() else []
    if others:
        raise UserError(
            f"{to} holds {others[0]} and perhaps more; a new or empty folder is needed",
            hint=f"choose another place, such as --to {to / 'new'}",
        )


def _checked(download: Download, part: Path) -> dict[str, Any]:
    """Compare a received file with its published checksum, and say what it is. Errors: ``UserError``; it is deleted."""
    algorithm, _, expected = download.checksum.partition(":")
    if expected and (found := _digest(part, algorithm)) != expected:
        part.unlink()
        raise UserError(
            f"{download.url} has the {algorithm.upper()} {found}; {expected} is published, so it is not used",
            hint="try again; if it stays so, tell the publisher",
            exit_code=1,
        )
    return {
        "url": download.url,
        "bytes": part.stat().st_size,
        "sha256": _digest(part, "sha256"),
        "published_checksum": download.checksum or None,
    }


def _digest(path: Path, algorithm: str) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def _place(downloads: tuple[Download, ...], parts: list[Path], to: Path) -> None:
    """Unpack archives and name files, all or nothing."""
    staging = to / _STAGING
    shutil.rmtree(staging, ignore_errors=True)  # of a process that was killed
    try:
        staging.mkdir()
        for download, part in zip(downloads, parts, strict=True):
            if download.name.endswith(".zip"):
                _unpack(part, staging)
            else:
                part.rename(staging / download.name)
        for path in sorted(staging.iterdir()):
            path.rename(to / path.name)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        for part in parts:
            part.unlink(missing_ok=True)


def _unpack(part: Path, folder: Path) -> None:
    try:
        unpack(part, folder)
    except UserError as error:
        raise UserError(str(error), "download it again; if it stays so, tell its publisher", exit_code=1) from error


def _record(name: str, known: KnownSet, files: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "set": name,
        "title": known.title,
        "page": known.page,
        "licence": known.licence,
        "citation": known.citation,
        "retrieved": datetime.now(UTC).strftime("%Y-%m-%d"),
        "files": files,
    }
