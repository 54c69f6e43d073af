import hashlib
import threading
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sonoseg import downloads
from sonoseg.downloads import cache_folder, fetch
from sonoseg.errors import UserError
from sonoseg.prediction.modelfile import load
from tiny_model import scan, write_model

CONTENT = bytes(range(256)) * 4000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    content = CONTENT
    cut = 0  # an answer stops after so many bytes, once
    ranges = True
    asked: list[str | None]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.asked.append(wanted)
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/file")
            self.end_headers()
            return
        if self.path != "/file":
            self.send_error(404)
            return
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and self.server.ranges else 0
        if start >= len(self.server.content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(self.server.content) - start))
        if start:
            self.send_header(
                "Content-Range", f"bytes {start}-{len(self.server.content) - 1}/{len(self.server.content)}"
            )
        self.end_headers()
        body = self.server.content[start:]
        body, self.server.cut = (body[: self.server.cut], 0) if self.server.cut else (body, 0)
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(urllib.request, "_opener", None)  # which remembers the proxies of its first use
    with Server(("127.0.0.1", 0), Handler) as running:
        running.asked = []
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def address(server: Server, path: str = "file") -> str:
    return f"http://127.0.0.1:{server.server_address[1]}/{path}"


def test_a_file_is_fetched_once(server: Server, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    target = tmp_path / "deep" / "file.bin"
    assert fetch(address(server), SHA256, target, lambda there, total: seen.append((there, total))) == target
    assert target.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    fetch(address(server), SHA256, target)
    assert len(server.asked) == 1
    assert list(target.parent.iterdir()) == [target]


def test_a_redirect_is_followed(server: Server, tmp_path: Path) -> None:
    assert fetch(address(server, "moved"), SHA256, tmp_path / "file.bin").read_bytes() == CONTENT


@pytest.mark.parametrize("ranges", [True, False])
def test_a_broken_connection_is_gone_on_with(server: Server, tmp_path: Path, ranges: bool) -> None:
    server.cut, server.ranges = 700_000, ranges
    with pytest.raises(UserError, match="700,000 of 1,024,000") as caught:
        fetch(address(server), SHA256, tmp_path / "file.bin")
    assert caught.value.exit_code == 1
    assert not (tmp_path / "file.bin").exists()
    assert fetch(address(server), SHA256, tmp_path / "file.bin").read_bytes() == CONTENT
    assert server.asked == [None, "bytes=700000-"]


def test_what_is_there_in_full_is_only_checked(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.bin.part").write_bytes(CONTENT)
    assert fetch(address(server), SHA256, tmp_path / "file.bin").read_bytes() == CONTENT


def test_an_altered_file_is_refused_and_removed(server: Server, tmp_path: Path) -> None:
    server.content = CONTENT[:-1] + b"!"
    with pytest.raises(UserError, match="was expected"):
        fetch(address(server), SHA256, tmp_path / "file.bin")
    assert list(tmp_path.iterdir()) == []


def test_an_address_that_does_not_answer_is_one_sentence(server: Server, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"could not be downloaded \(404 Not Found\)"):
        fetch(address(server, "other"), SHA256, tmp_path / "file.bin")
    with pytest.raises(UserError, match="could not be downloaded"):
        fetch("http://127.0.0.1:1/file", SHA256, tmp_path / "file.bin")
    assert list(tmp_path.iterdir()) == []


def test_proxies_are_used(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with pytest.raises(UserError, match="could not be downloaded"):
        fetch(address(server), SHA256, tmp_path / "file.bin")
    assert server.asked == []


def test_a_model_is_loaded_from_its_address(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server.content = write_model(tmp_path / "tiny.onnx").read_bytes()
    monkeypatch.setattr(downloads, "user_cache_path", lambda name, appauthor: tmp_path / "cache" / name)
    sha256 = hashlib.sha256(server.content).hexdigest()
    predictor = load(f"{address(server)}#sha256={sha256}")
    assert len(predictor.predict(scan()).lesions) == 1
    assert (tmp_path / "cache" / "sonoseg" / "models" / f"{sha256}.onnx").is_file()


def test_downloads_lie_in_a_folder_of_their_own() -> None:
    assert "sonoseg" in cache_folder().parts
