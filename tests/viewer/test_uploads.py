import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving import png
from sonoseg.images.clips import clip_writer
from sonoseg.viewer.refusals import BadUpload
from sonoseg.viewer.settings import Settings
from sonoseg.viewer.uploads import items, series_of, shown, stem

SETTINGS = Settings(store=Path("unused"))


def test_a_file_is_read_by_its_content() -> None:
    (item,) = items(png(), SETTINGS, (0.1, 0.2))
    assert (item.image.shape, item.image.spacing) == ((120, 160), (0.1, 0.2))


def test_what_is_wrong_is_told_without_a_path(tmp_path: Path) -> None:
    bomb = io.BytesIO()
    PIL.Image.new("1", (20_000, 20_000)).save(bomb, "PNG")
    for content, said in (
        (b"", "not a picture"), (b"text", "not a picture"), (png()[:300], "truncated"),
        (bomb.getvalue(), "pixels"), (png(height=120, width=8), "at least 16"),
    ):  # fmt: skip
        with pytest.raises(BadUpload, match=said) as refused:
            list(items(content, SETTINGS))
        assert str(refused.value).startswith("the file ")
        assert "sonoseg-" not in str(refused.value)


def test_more_frames_than_may_come_are_refused_and_not_left_out(tmp_path: Path) -> None:
    pages = [PIL.Image.new("L", (40, 30)) for _ in range(4)]
    tiff = io.BytesIO()
    pages[0].save(tiff, "TIFF", save_all=True, append_images=pages[1:])
    pytest.importorskip("av")
    with clip_writer(tmp_path / "cine.mp4", 25, "") as writer:
        for _ in range(4):
            writer.add(np.zeros((30, 40, 3), np.uint8))
    for content in (tiff.getvalue(), (tmp_path / "cine.mp4").read_bytes()):
        assert len(list(items(content, replace(SETTINGS, frames=4)))) == 4
        with pytest.raises(BadUpload, match="more than 3 frames"):
            list(items(content, replace(SETTINGS, frames=3)))


@given(st.text(max_size=300))
def test_a_name_never_becomes_a_path(name: str) -> None:
    told, safe = shown(name), stem(7, name)
    assert told.isprintable()
    assert not set(told) & set("/\\")
    assert 0 < len(told) <= 200
    assert safe.startswith("0007")
    assert set(safe) <= set("0123456789-_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


def test_a_name_stays_readable() -> None:
    assert shown("C:\\scans\\left breast.png") == shown("/home/x/left breast.png") == "left breast.png"
    assert stem(3, "left breast.png") == "0003-left-breast"
    assert shown(None) == shown("..\x00/") == "unnamed"
    assert series_of(png()) == ""
