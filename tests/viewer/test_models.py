from pathlib import Path

import pytest

from serving import tiny
from sonoseg.errors import UserError
from sonoseg.viewer import models
from sonoseg.viewer.app import create
from sonoseg.viewer.models import Broken, Models
from sonoseg.viewer.refusals import ModelUnavailable, NotThere
from sonoseg.viewer.settings import Settings
from tiny_model import write_model


def test_one_that_fails_says_why_and_the_others_work(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    good = write_model(tmp_path / "good.onnx")
    (tmp_path / "bad.onnx").write_bytes(good.read_bytes()[:500])
    names = [str(tmp_path / name) for name in ("bad.onnx", "missing.onnx", "good.onnx")]
    loaded = models.load(names, "onnxruntime", 1, 1)
    assert list(loaded.loaded) == ["bad", "missing", "good"]
    assert loaded.get("good").size == 64
    for name in ("bad", "missing", None):  # the first one is the default
        with pytest.raises(ModelUnavailable):
            loaded.get(name)
    assert len(caplog.records) == 2


def test_the_first_one_is_the_default_and_an_unknown_one_names_the_known(tmp_path: Path) -> None:
    (predictor,) = tiny(tmp_path).loaded.values()
    both = Models({"one": predictor, "two": Broken("it is damaged", "export it again")})
    assert both.get() is both.get("one") is predictor
    with pytest.raises(NotThere, match="there are one, two"):
        both.get("three")
    with pytest.raises(ModelUnavailable, match="it is damaged") as refused:
        both.get("two")
    assert refused.value.hint == "export it again"


def test_two_of_one_name_are_refused_before_one_is_loaded(tmp_path: Path) -> None:
    paths = [str(tmp_path / place / "best.onnx") for place in ("a", "b")]
    with pytest.raises(UserError, match=r"two models would both be called best: .*a.*best.onnx and .*b") as refused:
        create(Settings(store=tmp_path / "s", models=("default", *paths)))
    assert "rename" in refused.value.hint
    with pytest.raises(UserError, match="both be called default: default and default"):
        models.load(["default", "default"], None, 1, 1)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("default", "default"), ("/home/x/a.onnx", "a"), ("C:\\x\\b.onnx", "b"), ("https://h/m/c.onnx#sha256=00", "c"),
        ("/", "model"),
    ],
)  # fmt: skip
def test_names_fit_into_an_address(name: str, shown: str) -> None:
    assert models._short(name) == shown
