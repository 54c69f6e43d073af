import json
import threading
from pathlib import Path

import jsonschema

import sonoseg
from serving import client, png, tiny
from sonoseg.delivery import document
from tiny_model import scan

SCHEMA = json.loads((Path(sonoseg.__file__).parent / "delivery/schema/prediction-1.json").read_text(encoding="utf-8"))


def test_a_prediction_is_the_document_of_predict(tmp_path: Path) -> None:
    predictor = tiny(tmp_path).get()
    with client(tmp_path) as opened:
        answer = opened.post("/api/predict", files={"file": ("../a.png", png())}, data={"spacing": "0.1,0.2"})
    (found,) = answer.json()["documents"]
    jsonschema.validate(found, SCHEMA)
    expected = document.findings(predictor.predict(scan(spacing=(0.1, 0.2))))
    assert {key: found[key] for key in expected} == json.loads(json.dumps(expected))
    assert (found["file"], found["spacing_mm"]) == ("a.png", [0.1, 0.2])


def test_a_full_line_is_a_503_that_says_when_to_come_back(tmp_path: Path) -> None:
    with client(tmp_path, waiting=0) as opened:
        gate = threading.Event()
        opened.app.state.desk.queue._pool.submit(gate.wait)
        opened.app.state.desk.queue.length = 1
        answer = opened.post("/api/predict", files={"file": png()})
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert "wait already" in answer.json()["error"]
        opened.app.state.desk.queue.length = 0
        gate.set()
        assert opened.post("/api/predict", files={"file": png()}).status_code == 200
