"""A service that runs in a test, on the model that finds what is dark."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import uvicorn
from fastapi.testclient import TestClient

from sonoseg.images.pictures import encode_png
from sonoseg.prediction import modelfile
from sonoseg.viewer.app import create
from sonoseg.viewer.models import Models
from sonoseg.viewer.settings import Settings
from tiny_model import record, scan, write_model

READER = "Dr Bell"


def tiny(folder: Path) -> Models:
    path = write_model(folder / "tiny.onnx")
    return Models({"tiny": modelfile.load(path, "onnxruntime", 1)})


def telling(folder: Path, least_presence: float) -> Models:
    """The same that tells presence as well, and draws nothing where it is lower: 0.7 with a lesion, 0.4 without."""
    path = write_model(folder / "telling.onnx", presence=True)
    return Models({"telling": replace(modelfile.load(path, "onnxruntime", 1), least_presence=least_presence)})


def two(folder: Path) -> Models:
    """The same, and one that draws less of it, as "strict"."""
    told = json.dumps(record(name="strict", threshold=0.95))
    path = write_model(folder / "strict.onnx", {"sonoseg": told})
    return Models({**tiny(folder).loaded, "strict": modelfile.load(path, "onnxruntime", 1)})


@contextmanager
def client(folder: Path, loaded: Models | None = None, **settings: Any) -> Iterator[TestClient]:
    """A client of a service whose store is in ``folder``. loaded: its models, where they are others."""
    chosen = Settings(**{"store": folder / "reviews.sqlite3", **settings})
    with TestClient(create(chosen, loaded or tiny(folder)), base_url="http://127.0.0.1:8000") as opened:
        yield opened


@contextmanager
def served(folder: Path, loaded: Models | None = None, **settings: Any) -> Iterator[str]:
    """The address of a service that listens on a free port. loaded: its models, where they are others."""
    chosen = Settings(**{"store": folder / "reviews.sqlite3", **settings})
    app = create(chosen, loaded or tiny(folder))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", access_log=False))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def png(**changes: Any) -> bytes:
    return encode_png(scan(**changes).pixels)


def add(opened: TestClient, content: bytes | None = None, name: str = "scan.png") -> int:
    answer = opened.post("/api/cases", files={"file": (name, png() if content is None else content)})
    assert answer.status_code in {200, 201}, answer.text
    return int(answer.json()["id"])
