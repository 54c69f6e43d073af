"""What a service is set to: where it listens, what it serves, how much it takes."""

from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from sonoseg.errors import UserError

MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Settings:
    """All of it. Errors: ``UserError`` for an address that others reach, without a token of 16 characters or more.

    store: file of the review store. models: as ``modelfile.load`` takes them, the first one is asked unless another is
    named. workers: images at the same time; waiting: how many more may wait. hosts: names, beside the machine's own
    addresses, that a browser may use for this service. origins: other sites whose pages may use it (OHIF).
    upload, pixels, frames, seconds: the most that one file, image, clip and piece of work may have.
    """

    store: Path
    models: tuple[str, ...] = ("default",)
    backend: str | None = None
    threads: int | None = None
    workers: int = 1
    waiting: int = 32
    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = None
    hosts: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()
    upload: int = 100 * MEGABYTE
    pixels: int = 25_000_000
    frames: int = 2000
    seconds: float = 60.0

    def __post_init__(self) -> None:
        if not is_loopback(self.host) and len(self.token or "") < 16:
            raise UserError(
                f"{self.host} can be reached from other machines; a token of 16 characters or more is needed there",
                hint="SONOSEG_TOKEN=$(openssl rand -hex 16) sonoseg serve --host ... ; put TLS in front of it, "
                "such as: caddy reverse-proxy --from scans.example.org --to 127.0.0.1:8000",
            )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"
