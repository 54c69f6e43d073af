import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.request import urlopen

import httpx
import numpy as np
import pytest
import uvicorn

from serving import add, client, png
from sonoseg.cli import main
from sonoseg.images import masks
from sonoseg.viewer.store import Store
from tiny_model import write_model


def command(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["sonoseg", *words])
    with pytest.raises(SystemExit) as stopped:
        main()
    return int(stopped.value.code or 0)


def started(folder: Path) -> tuple[subprocess.Popen[str], str]:
    """The command, and the address that it tells, once it is healthy."""
    model = folder / "tiny.onnx"
    if not model.exists():
        write_model(model)
    words = ["serve", "--port", "0", "--store", str(folder / "reviews.sqlite3"), "--model", str(model)]
    process = subprocess.Popen(
        [sys.executable, "-m", "sonoseg", *words, "--backend", "onnxruntime", "--threads", "1"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert process.stdout
    told = process.stdout.readline()
    assert told.startswith("open http://127.0.0.1:")
    url = told.split()[1]
    for _ in range(300):
        try:
            with urlopen(f"{url}/api/health") as answer:
                assert json.load(answer)["model"] == "tiny"
            return process, url
        except OSError:
            time.sleep(0.1)
    process.kill()
    return pytest.fail("it never became healthy")


def test_the_command_serves_and_ends(tmp_path: Path) -> None:
    process, _ = started(tmp_path)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert "Traceback" not in errors


def test_no_part_of_an_answer_waits_until_the_client_has_the_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    delays = list[bool]()

    def run(server: uvicorn.Server, sockets: list[socket.socket]) -> None:
        with socket.create_connection(sockets[0].getsockname()):
            connection, _ = sockets[0].accept()
            with connection:
                delays.append(not connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        sockets[0].close()

    monkeypatch.setattr(uvicorn.Server, "run", run)
    assert command(monkeypatch, "serve", "--port", "0", "--store", str(tmp_path / "s.sqlite3")) == 0
    assert delays == [False]


@pytest.mark.skipif(sys.platform == "win32", reason="kills as POSIX does")
def test_no_stroke_that_was_answered_is_lost_when_the_service_is_killed(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """More often: pytest --kills 50."""
    answered, mask = set[int](), masks.encode(np.eye(120, 160, dtype=bool))
    stroke = {"reader": "A", "action": "brush", "mask": mask}
    for kill in range(request.config.getoption("--kills")):
        process, url = started(tmp_path)
        with httpx.Client(base_url=url) as asked:
            case = asked.post("/api/cases", files={"file": png()}).json()["id"]
            told = {each["id"] for each in asked.get(f"/api/cases/{case}").json()["corrections"]}
            assert answered <= told, f"kill {kill}"  # the service that was started again has them all
            answered = told
            killer = threading.Timer(0.02 + 0.013 * (kill % 10), process.kill)
            answered.add(asked.put(f"/api/cases/{case}/frames/1/mask", json=stroke).json()["id"])
            killer.start()
            with contextlib.suppress(httpx.TransportError):
                while True:
                    answered.add(asked.put(f"/api/cases/{case}/frames/1/mask", json=stroke).json()["id"])
        process.communicate()
        store = Store(tmp_path / "reviews.sqlite3")
        kept = {each.id for each in store.corrections(case)}
        store.close()
        assert answered <= kept, f"kill {kill}"
        assert len(kept - answered) <= 1  # what was saved and not told any more
    with sqlite3.connect(tmp_path / "reviews.sqlite3") as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()


def test_what_cannot_be_served_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.delenv("SONOSEG_TOKEN", raising=False)
    store = str(tmp_path / "s.sqlite3")
    assert command(monkeypatch, "serve", "--host", "0.0.0.0", "--store", store) == 2
    told = capsys.readouterr().err
    assert "a token of 16 characters" in told
    assert "TLS" in told
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert command(monkeypatch, "serve", "--port", port, "--store", store) == 2
    assert "--port 0 takes a free one" in capsys.readouterr().err


def test_reviews_are_exported_and_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    store = ["--store", str(tmp_path / "reviews.sqlite3")]
    assert command(monkeypatch, "review", "report", *store) == 2  # no store yet
    with client(tmp_path) as opened:
        add(opened)
        opened.get("/api/cases/1/frames/1/probability")
        assert command(monkeypatch, "review", "report", *store) == 1
        opened.post("/api/cases/1/frames/1/decisions", json={"reader": "Dr Bell", "decision": "accepted"})
    capsys.readouterr()
    assert command(monkeypatch, "review", "export", *store, "--out", str(tmp_path / "out")) == 0
    assert "1 images with masks" in capsys.readouterr().out
    assert command(monkeypatch, "review", "report", *store, "--out", str(tmp_path / "report.csv")) == 0
    assert "Dr Bell: 1 frames, 0 corrected, 1 accepted" in capsys.readouterr().out
    assert (tmp_path / "report.csv").read_text().splitlines()[1].startswith("1,1,Dr Bell,")


def test_a_report_of_labels_alone_compares_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with client(tmp_path) as opened:
        add(opened)
        form = {"reader": "Dr Bell", "action": "label", "mask": masks.encode(np.eye(120, 160, dtype=bool))}
        opened.put("/api/cases/1/frames/1/mask", json=form)
    words = ["--store", str(tmp_path / "reviews.sqlite3"), "--out", str(tmp_path / "report.csv")]
    assert command(monkeypatch, "review", "report", *words) == 0
    assert "Dr Bell: 1 frames, 1 corrected, 0 accepted, 0 rejected; nothing was predicted" in capsys.readouterr().out
    assert (tmp_path / "report.csv").read_text().splitlines()[1].endswith(",open,1,,,120")
