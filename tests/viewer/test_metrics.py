from pathlib import Path

import pytest

from serving import add, client
from sonoseg.viewer.metrics import Metrics


def test_requests_are_counted_by_pattern_and_never_by_address(tmp_path: Path) -> None:
    with client(tmp_path) as opened:
        add(opened)
        for path in ("/api/cases/1", "/api/cases/1", "/api/cases/77", "/Anna-1970", "/static/style.css"):
            opened.get(path)
        opened.get("/api/cases/1/frames/1/probability")
        text = opened.get("/metrics").text
    assert 'sonoseg_requests_total{method="GET",route="/api/cases/{case}",status="200"} 2.0' in text
    assert 'sonoseg_requests_total{method="GET",route="/api/cases/{case}",status="404"} 1.0' in text
    assert "sonoseg_prediction_seconds_count 1.0" in text
    assert "Anna" not in text


def test_the_line_is_asked_when_it_is_told() -> None:
    metrics, length = Metrics(), [3]
    metrics.watch(lambda: length[0])
    assert b"sonoseg_queue_length 3.0" in metrics.text()
    length[0] = 5
    assert b"sonoseg_queue_length 5.0" in metrics.text()


@pytest.mark.parametrize("failing", [RuntimeError, TimeoutError])
def test_what_breaks_is_counted_as_500(
    tmp_path: Path, failing: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    with client(tmp_path) as opened:

        def breaks(*_: object) -> None:
            raise failing("as no one foresaw")

        monkeypatch.setattr(opened.app.state.desk.store, "cases", breaks)
        with pytest.raises(failing):
            opened.get("/api/cases")
        monkeypatch.undo()
        assert 'route="/api/cases",status="500"} 1.0' in opened.get("/metrics").text
