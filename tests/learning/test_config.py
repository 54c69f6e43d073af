from pathlib import Path

import pytest

from sonoseg.errors import UserError
from sonoseg.learning.config import Config, read_config


def test_round_trip(tmp_path: Path) -> None:
    config = Config('busi:C:\\data "x"', model="attention-unet", learning_rate=3e-4, validation=0.2, seed=7)
    config.write(tmp_path / "config.toml")
    assert read_config(tmp_path / "config.toml") == config


@pytest.mark.parametrize(
    "wrong",
    [{"width": 0}, {"size": 31}, {"epochs": 0}, {"fold": -2}, {"device": "tpu"}, {"validation": 1.0},
     {"learning_rate": 0.0}, {"learning_rate": float("nan")}, {"precision": "16"}, {"devices": 0}],
)  # fmt: skip
def test_values_out_of_range_are_named(wrong: dict[str, float]) -> None:
    with pytest.raises(UserError, match=next(iter(wrong))) as caught:
        Config("phantom", **wrong)  # type: ignore[arg-type]
    assert caught.value.hint


@pytest.mark.parametrize("content", ["not toml [", 'data = "phantom"\nunknown = 1\n', ""])
def test_another_file_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "config.toml").write_text(content)
    with pytest.raises(UserError, match="not the configuration of a run"):
        read_config(tmp_path / "config.toml")
