import asyncio
import io
import socket
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import httpx
import pytest

from serving import client, png, served
from sonoseg.errors import UserError
from sonoseg.viewer.guard import HEADERS
from sonoseg.viewer.settings import Settings

TOKEN = "0123456789abcdef"


def test_a_browser_is_told_to_load_nothing_from_elsewhere(tmp_path: Path) -> None:
    with client(tmp_path) as opened:
        for path in ("/", "/static/style.css", "/api/cases", "/nowhere", "/api/cases/1/thumbnail"):
            headers = opened.get(path).headers
            assert headers["content-security-policy"] == HEADERS["Content-Security-Policy"], path
            assert headers["x-content-type-options"] == "nosniff"
        for source in ("default-src 'none'", "script-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"):
            assert source in HEADERS["Content-Security-Policy"]
        assert "unsafe" not in HEADERS["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8000", 200), ("localhost:1", 200), ("[::1]:8000", 200), ("evil.example", 403), ("", 403),
        ("127.0.0.1.evil.example", 403), ("192.168.0.7:8000", 403), ("[::1", 403),
    ],
)  # fmt: skip
def test_a_name_that_was_rebound_to_this_machine_is_refused(tmp_path: Path, host: str, status: int) -> None:
    with client(tmp_path) as opened:
        assert opened.get("/api/cases", headers={"host": host}).status_code == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "http://127.0.0.1:8000"}, 200),
        ({"origin": "https://127.0.0.1:8000"}, 200),  # TLS may stand in front
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "http://127.0.0.1:9999"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "same-origin"}, 200),
    ],
)
def test_another_sites_page_may_not_use_it(tmp_path: Path, headers: dict[str, str], status: int) -> None:
    with client(tmp_path) as opened:
        assert opened.post("/api/predict", files={"file": png()}, headers=headers).status_code == status


def test_a_site_that_was_allowed_may(tmp_path: Path) -> None:
    site = "https://ohif.example"
    with client(tmp_path, origins=frozenset({site})) as opened:
        asked = {"origin": site, "access-control-request-method": "POST", "sec-fetch-site": "cross-site"}
        assert opened.options("/api/predict", headers=asked).headers["access-control-allow-origin"] == site
        answer = opened.get("/api/cases", headers={"origin": site, "sec-fetch-site": "cross-site"})
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, site)
        other = opened.get("/api/cases", headers={"origin": "https://other.example"})
        assert "access-control-allow-origin" not in other.headers


def test_another_address_demands_a_token(tmp_path: Path) -> None:
    for token in (None, "short"):
        with pytest.raises(UserError, match="a token of 16 characters") as refused:
            Settings(store=tmp_path / "s", host="0.0.0.0", token=token)
        assert "TLS" in refused.value.hint
    with client(tmp_path, host="0.0.0.0", token=TOKEN, hosts=frozenset({"scans.example"})) as opened:
        assert opened.get("/").status_code == opened.get("/api/health").status_code == 200
        for given in ({}, {"authorization": "Bearer wrong"}, {"authorization": f"Basic {TOKEN}"}):
            answer = opened.get("/api/cases", headers=given)
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
            assert answer.json()["error"] == "a token is needed"
        right = {"authorization": f"Bearer {TOKEN}"}
        assert opened.get("/api/cases", headers=right).status_code == 200
        for host, status in (("192.168.0.7:8000", 200), ("scans.example", 200), ("evil.example", 403)):
            assert opened.get("/api/cases", headers={**right, "host": host}).status_code == status


def test_too_large_a_request_is_refused(tmp_path: Path) -> None:
    with client(tmp_path, upload=10_000) as opened:
        told = opened.post("/api/cases", files={"file": bytes(20_000)})
        assert told.status_code == 413
        assert "10,000 bytes are allowed" in told.json()["error"]

        def pieces() -> Iterator[bytes]:
            yield from [b"--x\r\nContent-Disposition: form-data; name=file; filename=a\r\n\r\n", *[bytes(1000)] * 20]

        untold = opened.post(
            "/api/cases", content=pieces(), headers={"content-type": "multipart/form-data; boundary=x"}
        )
        assert untold.status_code == 413
        assert opened.get("/api/cases").json() == []


def test_a_request_that_does_not_come_is_given_up_and_a_cut_one_harms_nobody(tmp_path: Path) -> None:
    fields = ("Host: 127.0.0.1", "Content-Length: 9000", "Content-Type: multipart/form-data; boundary=x")
    head = "\r\n".join(("POST /api/cases HTTP/1.1", *fields, "", "--x")).encode()
    with served(tmp_path, seconds=0.5) as url:
        place = url.removeprefix("http://").split(":")
        for _ in range(20):
            with socket.create_connection((place[0], int(place[1]))) as cut:
                cut.sendall(head)
        with socket.create_connection((place[0], int(place[1])), timeout=10) as slow:
            slow.sendall(head)
            assert slow.recv(100).startswith(b"HTTP/1.1 408 ")
        with urlopen(f"{url}/api/health") as answer:
            assert b'"status":"ok"' in answer.read()


def test_whoever_goes_away_in_the_middle_of_an_answer_harms_nobody(tmp_path: Path) -> None:
    with served(tmp_path, waiting=100) as url:
        place = url.removeprefix("http://").split(":")
        for number in range(5):
            httpx.post(f"{url}/api/cases", files={"file": png(height=120 + number)})
        for asked in ("/api/export?kinds=overlay&kinds=json", "/api/cases/1/frames/1/probability", "/api/cases"):
            for _ in range(5):
                with socket.create_connection((place[0], int(place[1]))) as gone:
                    gone.sendall(f"GET {asked} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        with socket.create_connection((place[0], int(place[1]))) as gone:
            gone.sendall(b"GET /api/export?kinds=overlay HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert gone.recv(10)
        whole = httpx.get(f"{url}/api/export", params={"kinds": ["mask"]}, timeout=30)
        assert len(zipfile.ZipFile(io.BytesIO(whole.content)).namelist()) == 5
        for _ in range(200):
            if "sonoseg_queue_length 0.0" in httpx.get(f"{url}/metrics").text:
                break
            time.sleep(0.05)
        else:
            pytest.fail("the line never became empty")


def test_only_http_is_guarded(tmp_path: Path) -> None:
    from sonoseg.viewer.guard import Guard

    passed = []

    async def app(scope: object, receive: object, send: object) -> None:
        passed.append(scope)

    guard = Guard(app, Settings(store=tmp_path / "s"))  # type: ignore[arg-type]
    asyncio.run(guard({"type": "lifespan"}, None, None))  # type: ignore[arg-type]
    assert passed == [{"type": "lifespan"}]
