import io
import logging
import sqlite3
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from fastapi.testclient import TestClient

from serving import add, client, png, tiny
from sonoseg.viewer import volumes
from sonoseg.viewer.app import create
from sonoseg.viewer.models import Broken, Models
from sonoseg.viewer.settings import Settings


@pytest.mark.parametrize("content", [b"", b"no picture", b"%PDF-1.4", png()[:500], b"\x00" * 5000, b"DICM" * 100])
def test_a_wrong_file_is_a_sentence(tmp_path: Path, content: bytes) -> None:
    with client(tmp_path) as opened:
        for path in ("/api/predict", "/api/cases"):
            answer = opened.post(path, files={"file": ("x.png", content)})
            assert answer.status_code == 422
            assert answer.json()["error"].startswith("the file ")
        assert opened.get("/api/cases").json() == []


@pytest.mark.parametrize("path", ["/api/predict", "/api/cases", "/session/", "/datastore/"])
def test_bombs_are_sentences(tmp_path: Path, path: str) -> None:
    picture, volume = io.BytesIO(), volumes.nifti(np.zeros((3, 700, 700), np.uint8), np.eye(4))
    PIL.Image.new("1", (20_000, 20_000)).save(picture, "PNG")
    with client(tmp_path, pixels=50_000) as opened:
        for content, said in ((picture.getvalue(), "pixels"), (volume, "values; 100,000 are allowed")):
            method = "PUT" if path[:4] != "/api" else "POST"
            answer = opened.request(method, path, files={"files" if path == "/session/" else "file": content})
            assert answer.status_code == 422
            assert said in answer.json()["error"]
        assert opened.get("/api/cases").json() == []


def test_every_method_of_an_address_is_told(tmp_path: Path) -> None:
    with client(tmp_path) as opened:
        refused = opened.patch("/api/cases/1")
        assert (refused.status_code, refused.headers["allow"]) == (405, "DELETE, GET")
        assert refused.json()["error"] == "PATCH is not known here; DELETE, GET are"


def test_a_broken_model_is_a_sentence_and_the_rest_works(tmp_path: Path) -> None:
    broken = Models({"bad": Broken("bad.onnx is damaged", "export it again"), **tiny(tmp_path).loaded})
    settings = Settings(store=tmp_path / "reviews.sqlite3")
    with TestClient(create(settings, broken), base_url="http://127.0.0.1") as opened:
        health = opened.get("/api/health")
        assert (health.status_code, health.json()["status"]) == (503, "degraded")
        case = add(opened)
        refused = opened.get(f"/api/cases/{case}/frames/1/probability")
        assert (refused.status_code, refused.json()["error"]) == (503, "bad.onnx is damaged")
        assert opened.get(f"/api/cases/{case}/frames/1/probability", params={"model": "tiny"}).status_code == 200
        assert "damaged" in opened.get("/api/models").json()[0]["error"]


@pytest.mark.parametrize(
    ("name", "said"), [("", "cannot be opened"), ("newer", "is of version 99"), ("text", "cannot")]
)
def test_a_store_that_cannot_be_opened_leaves_prediction_alone(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "text").write_text("no store" * 100)
    with sqlite3.connect(tmp_path / "newer") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with client(tmp_path, store=tmp_path / name) as opened:  # without a name a folder
        assert opened.get("/api/health").status_code == 503
        answer = opened.get("/api/cases")
        assert answer.status_code == 503
        assert said in answer.json()["error"]
        assert opened.post("/api/predict", files={"file": png()}).status_code == 200


def test_no_log_names_a_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with client(tmp_path) as opened:
        add(opened, name="Anna Müller 1970.png")
        opened.post("/api/cases", files={"file": ("Anna Müller 1970.txt", b"no picture")})
        opened.get("/api/export", params={"kinds": ["json"]})
    ours = [record for record in caplog.records if not record.name.startswith(("httpx", "httpcore", "asyncio"))]
    assert not [record for record in ours if "Anna" in record.getMessage()]
