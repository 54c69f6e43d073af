import subprocess
import sys
import tomllib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonoseg.errors import UserError
from sonoseg.learning.config import CONFIG, FIELDS, MODELS, Config, configure, read_config
from sonoseg.learning.networks.catalogue import CATALOGUE

RESULTS = Path(__file__).parents[2] / "results"


def values(name: str) -> st.SearchStrategy[Any]:
    """Whatever a setting allows."""
    told = FIELDS[name].setting
    if told.allowed:
        return st.sampled_from(told.allowed)
    if FIELDS[name].kind is int:
        return st.integers(int(told.least), int(told.most))
    if FIELDS[name].kind is float:
        return st.floats(told.least, told.most)
    return st.text() if FIELDS[name].kind is str else st.lists(st.text(), max_size=3).map(tuple)


@given(st.fixed_dictionaries({name: values(name) for name in FIELDS}))
def test_whatever_is_allowed_comes_back_from_the_file(
    tmp_path_factory: pytest.TempPathFactory, settings: dict[str, Any]
) -> None:
    if settings["pretrained"]:
        settings["encoder_weights"] = "none"
    else:
        settings["kept"] = 0.0
    config, path = Config(**settings), tmp_path_factory.getbasetemp() / CONFIG
    config.write(path)
    assert read_config(path) == config
    assert tomllib.loads(path.read_text(encoding="utf-8")) == asdict(config) | {
        name: list(getattr(config, name)) for name in ("also", "teachers")
    }


@pytest.mark.parametrize("text", ["\U0001f600", "a\x00b", "\r\n", "\ue000\U0010ffff", 'C:\\data "x"', "'''"])
def test_odd_texts_come_back(tmp_path: Path, text: str) -> None:
    config = Config(text, pretrained=text, also=(text, "phantom"))
    config.write(tmp_path / CONFIG)
    assert read_config(tmp_path / CONFIG) == config


@pytest.mark.parametrize(
    "wrong",
    [{"width": 0}, {"size": 31}, {"epochs": -1}, {"fold": -2}, {"device": "tpu"}, {"validation": 1.0},
     {"learning_rate": 0.0}, {"learning_rate": float("nan")}, {"learning_rate": float("inf")}, {"precision": "16"},
     {"devices": 0}, {"seed": 2**70}, {"model": "unt"}, {"size": "5"}, {"size": 64.0}, {"size": True}, {"data": 5},
     {"also": "phantom"}, {"also": (5,)}, {"data": "\udc80"},
     {"mix": "third"}, {"presence": -0.1}, {"normals": -1}, {"also_fold": -2}, {"spoiled": 1.1}, {"decayed": "none"},
     {"teachers": "a"}, {"soft": 1.5}, {"kept": 0.5}, {"kept": 1.5}],
)  # fmt: skip
def test_what_is_not_allowed_is_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=f"^{next(iter(wrong))} is ") as caught:
        Config(**{"data": "phantom"} | wrong)
    assert caught.value.hint


def test_a_wrong_word_is_answered_with_the_nearest() -> None:
    with pytest.raises(UserError) as caught:
        Config("phantom", model="atention-unet")
    assert caught.value.hint == "give --model attention-unet"


@pytest.mark.parametrize(
    "content", ["not toml [", 'data = "phantom"\nunknown = 1\n', "", b"\xff", 'data = "phantom"\nwidht = 1\n']
)
def test_another_file_is_refused(tmp_path: Path, content: str | bytes) -> None:
    (tmp_path / CONFIG).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match="not the configuration of a run") as caught:
        read_config(tmp_path / CONFIG)
    if b"widht" in (tmp_path / CONFIG).read_bytes():
        assert "width" in caught.value.hint


def test_what_is_given_stands_over_the_recipe_and_that_over_the_defaults(tmp_path: Path) -> None:
    (tmp_path / CONFIG).write_text('width = 4\nsize = 64\nalso = ["folder:x"]\n')
    for recipe in (tmp_path, tmp_path / CONFIG):
        found = configure({"data": "phantom", "size": 96}, recipe)
        assert found == Config("phantom", width=4, size=96, also=("folder:x",))
    assert configure({"data": "phantom"}) == Config("phantom")


def test_data_must_be_named_by_one_of_the_two(tmp_path: Path) -> None:
    (tmp_path / CONFIG).write_text("width = 4\n")
    for recipe in (None, tmp_path):
        with pytest.raises(UserError, match=r"no data|no set of images") as caught:
            configure({"size": 96}, recipe)
        assert "--data" in caught.value.hint
    (tmp_path / CONFIG).write_text('data = "phantom"\n')
    assert configure({}, tmp_path) == Config("phantom")


@pytest.mark.parametrize("path", sorted(RESULTS.rglob(CONFIG)), ids=str)
def test_what_earlier_versions_wrote_can_be_given_back(path: Path) -> None:
    config = configure({}, path)
    assert (
        vars(config).items()
        >= {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in tomllib.loads(path.read_text(encoding="utf-8")).items()
        }.items()
    )


def test_own_fold_and_seed_are_put_into_the_names_of_others() -> None:
    others = Config("phantom", fold=3, seed=2, pretrained="{seed}/of-{fold}", teachers=("a/fold-{fold}", "b.onnx"))
    assert (others.begun_with, others.taught_by) == ("2/of-3", ["a/fold-3", "b.onnx"])


def test_the_models_are_those_of_the_catalogue() -> None:
    assert list(MODELS) == list(CATALOGUE)


def test_it_is_there_at_once_and_without_torch() -> None:
    code = "import sys, sonoseg.learning.config; sys.exit(bool({'torch', 'numpy', 'typer'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
