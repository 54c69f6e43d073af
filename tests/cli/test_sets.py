from pathlib import Path

import numpy as np
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
    *found, page, table = said.out.splitlines()
    assert [page, table] == [f"written: {out / 'audit.html'}", f"written: {out / 'audit.csv'}"]
    assert (found[0], found[-1]) == ("No image of the 1 is a copy of another one.", "1 image could not be read.")
    assert "b.png lacks" in said.err
    assert "b.png lacks" in (out / "audit.csv").read_text(encoding="utf-8")
    assert "is a file" in fails(monkeypatch, capsys, "data", "audit", "phantom:20", "--out", str(broken))
    assert "has no mask" not in fails(
        monkeypatch, capsys, "data", "audit", f"folder:{out}", "--out", str(tmp_path / "x")
    )
    assert not (tmp_path / "x").exists()


def test_groups_and_folds_are_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for number, seed in enumerate([0, 0, 0, 1, 1, 2, 2]):
        pixels = np.random.default_rng(seed).integers(0, 256, (12, 12), np.uint8)
        picture = PIL.Image.fromarray(pixels).resize((96, 96), PIL.Image.Resampling.BICUBIC)
        for folder in ("images", "masks"):
            (tmp_path / "set" / folder).mkdir(parents=True, exist_ok=True)
            picture.save(tmp_path / "set" / folder / f"{number}.png")
    source = f"folder:{tmp_path / 'set'}"
    table = str(tmp_path / "folds.csv")
    assert sonoseg(monkeypatch, "data", "folds", source, "--count", "3", "--out", table) == 0
    assert capsys.readouterr().out.startswith("7 images in 3 groups; 3 folds of 2 to 3 images\n")
    assert sonoseg(monkeypatch, "data", "audit", source, "--out", str(tmp_path / "audit")) == 0
    assert "7 images show 3 different scans: 7 of them lie in 3 groups of copies." in capsys.readouterr().out


def test_where_nnunet_looks_for_the_folds_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = tmp_path / "Dataset501_phantom"
    assert sonoseg(monkeypatch, "data", "convert", "phantom:20", "--to", "nnunet", "--out", str(out)) == 0
    assert f"copy {out / 'splits_final.json'} to nnUNet_preprocessed/{out.name}" in capsys.readouterr().out
