from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from commands import fails, sonoseg
from sonoseg.cli.options import held_out, numbers, opened, takes_recipe
from sonoseg.data.formats.packed import to_packed
from sonoseg.data.sets.sources import open_set
from sonoseg.errors import UserError
from sonoseg.learning.config import FIELDS, Config


def called(*words: str, settings: tuple[str, ...] = tuple(FIELDS)) -> tuple[Config, int]:
    """Run a command that takes a recipe and ``--count``; gives what it was called with."""
    seen: list[tuple[Config, int]] = []
    app = typer.Typer()

    @app.command()
    @takes_recipe(settings)
    def command(recipe: Config, count: Annotated[int, typer.Option()] = 7) -> None:
        seen.append((recipe, count))

    CliRunner().invoke(app, words, catch_exceptions=False)
    return seen[0]


def test_every_setting_has_a_flag_and_what_is_not_given_is_the_default() -> None:
    assert called("--data", "x") == (Config("x"), 7)
    given = {
        "model": "attention-unet", "fold": 2, "size": 64, "width": 5, "steps": 1, "encoder": "e",
        "encoder_weights": "timm", "epochs": 3, "batch": 4, "learning_rate": 0.5, "weight_decay": 0.25, "average": 0.5,
        "validation": 0.5, "seed": 9, "device": "cpu", "devices": 2, "precision": "32", "also": ("a", "b"),
        "loss": "all", "padding": "same", "augmented": 0.5, "encoder_rate": 0.5, "data": "x", "also_fold": 1,
        "mix": "all", "normals": 2, "presence": 0.5, "spoiled": 0.5, "decayed": "kernels",
        "share": 0.5, "norms": "shared", "teachers": ("a/{fold}", "b"), "soft": 0.25, "deep": 2,
    }  # fmt: skip
    assert given.keys() == FIELDS.keys() - {"pretrained", "kept"}
    flags = [
        (FIELDS[name].flag, str(each))
        for name, value in given.items()
        for each in (value if isinstance(value, tuple) else (value,))
    ]
    assert called(*(word for pair in flags for word in pair), "--count", "1") == (Config(**given), 1)
    begun = called("--data", "x", "--pretrained", "default", "--kept", "0.5")[0]
    assert (begun.pretrained, begun.kept) == ("default", 0.5)


def test_a_flag_stands_over_the_recipe(tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text('data = "x"\nwidth = 4\nsize = 64\n')
    recipe = ["--recipe", str(tmp_path / "r.toml")]
    assert called(*recipe, "--width", "16")[0] == Config("x", width=16, size=64)
    assert called(*recipe, settings=("size",))[0] == Config("", width=4, size=64)
    assert called("--size", "32", settings=("size",))[0] == Config("", size=32)


def test_the_help_tells_sentence_default_and_range(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in (["train"], ["benchmark"], ["measure", "leakage"]):
        assert sonoseg(monkeypatch, *command, "--help") == 0
        told = " ".join(capsys.readouterr().out.split())
        assert "--recipe FILE" in told
        assert "Side of the network's frame in pixels. [default: 128; 32 to 2048]" in told
        assert "--loss lesions|all|none" in told
        assert ("--fold " in told) == (command == ["train"])
    assert "nowhere.toml" in fails(monkeypatch, capsys, "train", "--recipe", "nowhere.toml")


def test_numbers_with_commas() -> None:
    assert numbers("folds", "0,3") == (0, 3)
    with pytest.raises(UserError, match="--folds is '0;3'"):
        numbers("folds", "0;3")


def test_folds_are_named_or_all() -> None:
    data = open_set("phantom:20")
    assert held_out("all", data) == (0, 1, 2, 3, 4)
    assert held_out("2,0", data) == (2, 0)
    with pytest.raises(UserError, match="fold 9 does not exist"):
        held_out("0,9", data)


def test_a_set_packed_at_another_size_is_warned_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    to_packed(open_set("phantom:20"), tmp_path / "p.npz", 64)
    packed = f"packed:{tmp_path / 'p.npz'}"
    opened(Config(data=packed, size=64))
    opened(Config(data="phantom:20", size=128))
    assert capsys.readouterr().err == ""
    for recipe in (Config(data=packed, size=128), Config(data="phantom:20", also=(packed,), size=128)):
        opened(recipe)
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"warning: {packed} is packed at 64 pixels, --size is 128")
