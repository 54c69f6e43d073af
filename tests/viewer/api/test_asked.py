from pathlib import Path

import pytest

from serving import tiny
from sonoseg.viewer.api.asked import refusals
from sonoseg.viewer.app import create
from sonoseg.viewer.settings import Settings


def test_every_address_tells_of_the_refusals_that_everybody_can_meet(tmp_path: Path) -> None:
    described = create(Settings(store=tmp_path / "s"), tiny(tmp_path)).openapi()
    problem = {"$ref": "#/components/schemas/Problem"}
    for path, methods in described["paths"].items():
        for method, told in methods.items():
            for status in ("401", "403", "408", "413", "422", "503"):
                content = told["responses"][status]["content"]["application/json"]["schema"]
                assert content in (problem, {"$ref": "#/components/schemas/Health"}), (path, method, status)
            assert told["summary"], (path, method)


def test_a_status_without_a_sentence_cannot_be_described() -> None:
    assert set(refusals(404)) == {401, 403, 404, 408, 413, 422, 503}
    with pytest.raises(KeyError):
        refusals(418)
