from pathlib import Path

import pytest

from commands import TINY, fails, sonoseg
from sonoseg.prediction.modelfile import load, read_record


def test_a_run_becomes_a_model_file_with_its_record_beside_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run, model = tmp_path / "run", tmp_path / "mine.onnx"
    assert sonoseg(monkeypatch, "train", "--data", "phantom:20", *TINY, "--out", str(run)) == 0
    capsys.readouterr()
    assert sonoseg(monkeypatch, "export", str(run), "--out", str(model), "--name", "mine") == 0
    assert str(model) in capsys.readouterr().out
    assert load(model).model.name == "mine"
    assert read_record(model)["size"] == 32
    assert model.with_suffix(".json").is_file()


def test_what_is_not_there_is_said_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert "nothing" in fails(monkeypatch, capsys, "export", str(tmp_path / "nothing"))
