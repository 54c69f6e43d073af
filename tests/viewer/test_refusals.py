from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from serving import tiny
from sonoseg.viewer import refusals
from sonoseg.viewer.api.asked import _SAID
from sonoseg.viewer.app import create
from sonoseg.viewer.refusals import Refusal
from sonoseg.viewer.settings import Settings

KINDS = [each for each in vars(refusals).values() if isinstance(each, type) and issubclass(each, Refusal)]


@pytest.mark.parametrize("kind", [each for each in KINDS if each is not Refusal])
def test_each_is_a_sentence_a_hint_and_a_status_that_the_description_knows(kind: type[Refusal], tmp_path: Path) -> None:
    app: FastAPI = create(Settings(store=tmp_path / "reviews.sqlite3"), tiny(tmp_path))

    @app.get("/refused")
    def refused() -> None:
        raise kind("it cannot be", "try another")

    with TestClient(app, base_url="http://127.0.0.1") as opened:
        answer = opened.get("/refused")
    assert answer.status_code == kind.status
    assert kind.status in _SAID
    assert answer.json() == {"error": "it cannot be", "hint": "try another"}
    assert ("retry-after" in answer.headers) == (kind is refusals.QueueFull)
