from pathlib import Path

from fastapi.testclient import TestClient

import sonoseg
from serving import add, client, telling
from sonoseg.viewer.app import create
from sonoseg.viewer.settings import Settings


def test_the_service_says_how_it_is(tmp_path: Path) -> None:
    with client(tmp_path) as opened:
        assert opened.get("/api/health").json() == {
            "status": "ok", "version": sonoseg.__version__, "model": "tiny", "store": "ok",
        }  # fmt: skip
        (model,) = opened.get("/api/models").json()
        assert (model["name"], model["default"], model["error"], model["threshold"]) == ("tiny", True, None, 0.5)
        add(opened)
        text = opened.get("/metrics").text
        assert 'sonoseg_requests_total{method="POST",route="/api/cases",status="201"} 1.0' in text
        assert "sonoseg_queue_length 0.0" in text
        assert "scan.png" not in text


def test_a_model_that_tells_presence_says_from_which_on_it_draws(tmp_path: Path) -> None:
    for loaded, least in ((None, None), (telling(tmp_path, 0.25), 0.25)):
        with client(tmp_path, loaded) as opened:
            assert [each["least_presence"] for each in opened.get("/api/models").json()] == [least]


def test_models_are_loaded_beside_the_page(tmp_path: Path) -> None:
    missing = Settings(store=tmp_path / "reviews.sqlite3", models=(str(tmp_path / "missing.onnx"),))
    with TestClient(create(missing), base_url="http://127.0.0.1") as opened:
        assert opened.get("/").status_code == 200
        while opened.get("/api/health").json()["status"] == "starting":
            pass
        (model,) = opened.get("/api/models").json()
        assert model["name"] == "missing"
        assert "there is no model" in model["error"]
