import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest

from serving import png, telling, tiny
from sonoseg.images import masks
from sonoseg.viewer.desk import Desk
from sonoseg.viewer.refusals import BadUpload, ModelUnavailable, NotThere, StoreUnavailable
from sonoseg.viewer.settings import Settings
from sonoseg.viewer.store import Store
from tiny_model import scan

T = TypeVar("T")


def at_desk(folder: Path, work: Callable[[Desk], Awaitable[T]], writable: bool = True) -> T:
    async def scenario() -> T:
        store = Store(folder / "reviews.sqlite3", writable)
        desk = Desk(Settings(store=store.path), store, tiny(folder))
        try:
            return await work(desk)
        finally:
            desk.close()

    return asyncio.run(scenario())


def test_a_frame_is_predicted_once(tmp_path: Path) -> None:
    async def work(desk: Desk) -> None:
        case, new = await desk.open_case("scan.png", png)
        assert new
        first = await desk.predicted(case.id, 1)
        assert (await desk.predicted(case.id, 1)).made == desk.store.prediction(case.id, 1).made  # type: ignore[union-attr]
        assert (first.lesions, first.model) == (1, "tiny")
        assert b"sonoseg_prediction_seconds_count 1.0" in desk.metrics.text()
        again, new = await desk.open_case("other.png", png)
        assert (again, new) == (case, False)

    at_desk(tmp_path, work)


def test_a_glimpse_keeps_nothing(tmp_path: Path) -> None:
    async def work(desk: Desk) -> None:
        (found,) = await desk.glimpse("scan.png", png, None)
        assert found.final.any()
        assert found.case.name == "scan.png"
        assert desk.store.cases() == []
        with pytest.raises(BadUpload):
            await desk.glimpse("text", lambda: b"text", None)

    at_desk(tmp_path, work)


def test_what_was_predicted_is_told_whatever_readers_made_of_it(tmp_path: Path) -> None:
    async def work(desk: Desk) -> None:
        case, _ = await desk.open_case("scan.png", png)
        empty = masks.encode(np.zeros((120, 160), bool))
        desk.store.add_correction(case.id, 1, "A", "brush", empty)
        ((reviewed,), (predicted,)) = await desk.all_reviewed(case.id), await desk.all_predicted(case.id)
        assert not reviewed.final.any()
        assert (predicted.final == predicted.first).all()
        assert predicted.final.any()

    at_desk(tmp_path, work)


def test_a_case_that_is_forgotten_meanwhile_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(desk: Desk) -> None:
        case, _ = await desk.open_case("scan.png", png)
        predict = desk._predict

        def slow(*given: object) -> object:
            desk.store.remove_case(case.id)
            return predict(*given)  # type: ignore[arg-type]

        monkeypatch.setattr(desk, "_predict", slow)
        with pytest.raises(NotThere):
            await desk.predicted(case.id, 1)

    at_desk(tmp_path, work)


def test_what_is_missing_is_told_when_it_is_needed(tmp_path: Path) -> None:
    error = StoreUnavailable("it cannot be opened")
    desk = Desk(Settings(store=tmp_path / "s"), error)
    with pytest.raises(StoreUnavailable, match="it cannot be opened"):
        _ = desk.store
    with pytest.raises(ModelUnavailable, match="still being loaded"):
        desk.predictor()
    desk.close()


def test_presence_is_kept_with_the_prediction(tmp_path: Path) -> None:
    async def work(desk: Desk) -> None:
        desk.models = telling(tmp_path, least_presence=0.99)
        case, _ = await desk.open_case("scan.png", png)
        expected = desk.predictor().predict(scan()).presence
        assert expected is not None
        for _ in range(2):  # predicted, then read
            found = await desk.reviewed(case.id, 1)
            assert (found.stored.presence, found.prediction.presence, found.final.any()) == (expected, expected, False)
        assert found.findings()["presence"] == round(expected, 4)
        assert found.prediction.confidence == 1 - expected

    at_desk(tmp_path, work)
