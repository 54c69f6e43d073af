import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

import pytest

from serving import add, client
from sonoseg.cli import main
from tiny_model import write_model


def command(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["sonoseg", *words])
    with pytest.raises(SystemExit) as stopped:
        main()
    return int(stopped.value.code or 0)


def test_the_command_serves_and_ends(tmp_path: Path) -> None:
    write_model(tmp_path / "tiny.onnx")
    words = ["serve", "--port", "0", "--store", str(tmp_path / "s.sqlite3"), "--model", str(tmp_path / "tiny.onnx")]
    started = subprocess.Popen(
        [sys.executable, "-m", "sonoseg", *words, "--backend", "onnxruntime"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    try:
        assert started.stdout
        told = started.stdout.readline()
        assert told.startswith("open http://127.0.0.1:")
        url = told.split()[1]
        for _ in range(100):
            try:
                with urlopen(f"{url}/api/health") as answer:
                    assert json.load(answer)["model"] == "tiny"
                break
            except OSError:
                time.sleep(0.1)
        else:
            pytest.fail("it never became healthy")
    finally:
        started.send_signal(signal.SIGINT)
        _, errors = started.communicate(timeout=20)
    assert "Traceback" not in errors


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
