from pathlib import Path

import PIL.Image
import pytest

from commands import fails, sonoseg


def test_an_audit_goes_on_after_a_broken_file_and_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for name in ("a", "b"):
        for folder in ("images", "masks"):
            (tmp_path / "set" / folder).mkdir(parents=True, exist_ok=True)
            PIL.Image.effect_noise((90, 80), 40).save(tmp_path / "set" / folder / f"{name}.png")
    broken = tmp_path / "set" / "images" / "b.png"
    broken.write_bytes(broken.read_bytes()[:200])
    out = tmp_path / "audit"
    assert sonoseg(monkeypatch, "data", "audit", f"folder:{tmp_path / 'set'}", "--out", str(out)) == 0
    said = capsys.readouterr()
    assert said.out.splitlines() == [f"written: {out / 'audit.html'}", f"written: {out / 'audit.csv'}"]
    assert "b.png cannot be decoded" in said.err
    assert "b.png cannot be decoded" in (out / "audit.csv").read_text(encoding="utf-8")
    assert "is a file" in fails(monkeypatch, capsys, "data", "audit", "phantom:20", "--out", str(broken))
    assert "has no mask" not in fails(
        monkeypatch, capsys, "data", "audit", f"folder:{out}", "--out", str(tmp_path / "x")
    )
    assert not (tmp_path / "x").exists()
