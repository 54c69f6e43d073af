"""Files from the network: gone on with where they broke off, checked against their checksum, kept in the user's cache.

Proxies are those that urllib knows: the system's, or ``https_proxy`` and its kin. Imports for long: import it late.
"""

import http.client
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from platformdirs import user_cache_path

from sonoseg.errors import UserError
from sonoseg.files import Received, checksum

_PIECE = 1 << 18
_TIMEOUT = 30.0
_AGAIN = "try again: it goes on where it broke off; behind a proxy, set https_proxy"


def cache_folder() -> Path:
    """Where downloads are kept: the user's own cache of this system."""
    return user_cache_path("sonoseg", appauthor=False)


def fetch(url: str, sha256: str, target: Path, progress: Received | None = None) -> Path:
    """Download ``url`` to ``target`` and return it; nothing is done where the file is there already.

    sha256: of the whole file, hexadecimal. What a broken connection left is kept beside the target and gone on with.
    Errors: ``UserError`` for an address that does not answer, a file that broke off, another checksum.
    """
    if target.is_file() and checksum(target) == sha256:
        return target
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


def receive(url: str, part: Path, progress: Received | None = None, anywhere: bool = False) -> Path:
    """Append to ``part`` what it lacks of ``url``, and return it.

    anywhere: whether redirections to other hosts are followed; only for what a checksum decides about.
    Errors: ``UserError`` where the address does not answer, sends to another host or away from https, or where the
    connection breaks; what has come so far stays.
    """
    start = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={start}-"} if start else {})
    try:
        with urllib.request.build_opener(*([] if anywhere else [SameHost])).open(request, timeout=_TIMEOUT) as answer:
            _store(answer, part, start, progress)
    except urllib.error.HTTPError as error:
        error.close()
        if not (start and error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE):
            raise _failed(url, f"{error.code} {error.reason}") from error
        if error.headers.get("Content-Range", f"bytes */{start}") != f"bytes */{start}":
            part.unlink()
            raise _failed(url, "what was kept of it is not a part of it; it was deleted") from error
    except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError, MemoryError) as error:
        raise _failed(url, getattr(error, "reason", None) or error) from error
    return part


class SameHost(urllib.request.HTTPRedirectHandler):
    """Follows redirections within a host and never from https to http."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """Give the next request. Errors: ``UserError`` where it leaves the host or https."""
        old, new = urlsplit(req.full_url), urlsplit(newurl)
        if new.hostname != old.hostname or (old.scheme == "https" and new.scheme != "https"):
            fp.close()
            raise UserError(
                f"{req.full_url} sends elsewhere, to {newurl}; only {old.scheme}://{old.hostname} is trusted",
                hint="download the set from its page by hand: sonoseg data list names it",
                exit_code=1,
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _store(answer: http.client.HTTPResponse, part: Path, start: int, progress: Received | None) -> None:
    goes_on = answer.status == http.client.PARTIAL_CONTENT
    if goes_on and not answer.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
        raise OSError(f"the server sent another part than asked for: {answer.headers.get('Content-Range')}")
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


def _failed(url: str, reason: object) -> UserError:
    return UserError(f"{url} could not be downloaded ({reason})", hint=_AGAIN, exit_code=1)
