"""Servers that lie, cut, redirect and fail: the file that was asked for, or a sentence; then an honest one does."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random

import pytest

from campaign import Campaign
from sonoseg.downloads import fetch
from sonoseg.errors import UserError

CONTENT = bytes(range(256)) * 2000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    draw: Random | None = None


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range", "bytes=0-")
        start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        if self.server.draw is None:
            self._answer(start)
        else:
            self._lie(self.server.draw, start)

    def _answer(self, start: int) -> None:
        if start >= len(CONTENT):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(CONTENT)}")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        self.end_headers()
        self.wfile.write(CONTENT[start:])

    def _lie(self, draw: Random, start: int) -> None:
        status = draw.choice((200, 200, 206, 206, 301, 302, 307, 404, 416, 500, 503))
        self.send_response(status)
        cut = CONTENT[: draw.randrange(len(CONTENT))]
        body = draw.choice((CONTENT, CONTENT[start:], cut, b"", b"<html>", CONTENT * 2))
        if draw.random() < 0.3 and body:
            place = draw.randrange(len(body))
            body = body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]
        length = draw.choice((len(body), len(body), len(CONTENT), 10**12, -5, "many", None))
        if length is not None:
            self.send_header("Content-Length", str(length))
        if draw.random() < 0.5:
            right = f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"
            self.send_header("Content-Range", draw.choice((right, "bytes 7-8/9", "bytes */5", "x", "")))
        if status in (301, 302, 307):
            again = f"http://127.0.0.1:{self.server.server_address[1]}/again"
            aims = (again, "file:///etc/hostname", "ftp://127.0.0.1/x", "http://", "//", "/x")
            self.send_header("Location", draw.choice(aims))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        pass

    def handle(self) -> None:
        with suppress(OSError):  # whoever asked has gone
            super().handle()


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_hostile_downloads(campaign: Campaign, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr("sonoseg.downloads._TIMEOUT", 2.0)
    address = f"http://127.0.0.1:{server.server_address[1]}/file"
    for number, draw in campaign.draws(30):
        target = tmp_path / str(number) / "file"
        server.draw = draw
        for _ in range(draw.choice((1, 2))):
            try:
                fetch(address, SHA256, target)
                campaign.counts["came whole"] += 1
            except UserError as error:
                campaign.refused(number, error)
            assert not target.exists() or target.read_bytes() == CONTENT, number
        server.draw = None
        for _ in range(2):  # what was kept of a lie is thrown away by the first
            try:
                fetch(address, SHA256, target)
            except UserError as error:
                campaign.refused(number, error)
        assert target.read_bytes() == CONTENT, number
        assert [path.name for path in target.parent.iterdir()] == ["file"], number
