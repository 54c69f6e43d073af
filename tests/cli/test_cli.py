import pytest

from commands import fails, sonoseg


def test_usage_errors_and_help(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert "No such option" in fails(monkeypatch, capsys, "train", "--nonsense")
    assert sonoseg(monkeypatch, "--version") == 0
    assert capsys.readouterr().out.startswith("sonoseg ")
