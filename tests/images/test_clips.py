import re
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from sonoseg.errors import UserError, install
from sonoseg.images.clips import clip_writer, read_clip
from tiny_model import scan

pytest.importorskip("av")


def write(path: Path, frames: int = 5, height: int = 120, width: int = 160, rate: float = 12.5) -> Path:
    with clip_writer(path, rate, "a comment") as writer:
        for number in range(frames):
            level = np.full((height, width, 3), 30 + 40 * number, np.uint8)
            writer.add(level)
    return path


def encode(path: Path, frames: int = 10, ratio: Fraction | None = None, gap: int = 0) -> Path:
    """A clip of 80 x 60 with a light square of 20. ratio: of a pixel's width to its height. gap: frames left out."""
    av = pytest.importorskip("av")
    pixels = np.full((60, 80, 3), 40, np.uint8)
    pixels[20:40, 30:50] = 200
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", 25)
        stream.width, stream.height, stream.pix_fmt = 80, 60, "yuv420p"
        if ratio:
            stream.sample_aspect_ratio = ratio
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts = number + (gap if number > 1 else 0)
            frame.time_base = Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".mkv"])
@pytest.mark.parametrize(
    ("ratio", "shape", "square"),
    [(None, (60, 80), (20, 20)), (Fraction(2), (60, 160), (20, 40)), (Fraction(1, 2), (120, 80), (40, 20))],
)
def test_pixels_become_square(
    suffix: str, ratio: Fraction | None, shape: tuple[int, int], square: tuple[int, int], tmp_path: Path
) -> None:
    path = encode(tmp_path / f"clip{suffix}", ratio=ratio)
    for item in read_clip(path):
        light = item.image.pixels > 120
        assert item.image.shape == shape
        assert (light.any(axis=1).sum(), light.any(axis=0).sum()) == pytest.approx(square, abs=2)
        assert [note[-4:] for note in item.image.notes] == ([f"{shape[1] // 80}:{shape[0] // 60}."] if ratio else [])
    with path.open("rb") as stream:  # what is around it says how large a pixel is
        assert next(read_clip(path, stream=stream)).image.shape == (60, 80)
    with pytest.raises(UserError, match=f"{shape[1]} x {shape[0]} pixels; 4,799 are allowed"):
        list(read_clip(path, max_pixels=4799))


@pytest.mark.parametrize("suffix", [".avi", ".mp4"])
def test_a_clip_that_ends_early_is_refused(suffix: str, tmp_path: Path) -> None:
    whole = write(tmp_path / "clip.mp4") if suffix == ".mp4" else encode(tmp_path / "clip.avi", frames=60)
    content, path, count = whole.read_bytes(), tmp_path / f"cut{suffix}", len(list(read_clip(whole)))
    for share in np.linspace(0.1, 1, 40):
        path.write_bytes(content[: int(share * len(content))])
        try:
            found = len(list(read_clip(path)))
            assert found == 0 or found >= count - 1
        except UserError as error:
            assert re.search(r"of the \d+ frames that|cannot be decoded|no moving", str(error))  # noqa: PT017
            assert share < 1


def test_a_clip_that_ends_between_two_frames_is_refused(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    whole, path = write(tmp_path / "clip.mp4"), tmp_path / "cut.mp4"
    with av.open(str(whole)) as container:
        ends = [packet.pos + packet.size for packet in container.demux(video=0) if packet.size]
    for missing, end in ((1, ends[-2]), (2, ends[-3])):
        path.write_bytes(whole.read_bytes()[:end])
        if missing == 1:  # which some writers do not count
            assert len(list(read_clip(path))) == 4
            continue
        with pytest.raises(UserError, match="holds 3 of the 5 frames that it says"):
            list(read_clip(path))


def test_frames_that_a_clip_leaves_out_are_not_missing(tmp_path: Path) -> None:
    assert len(list(read_clip(encode(tmp_path / "gap.avi", gap=7)))) == 10  # an AVI counts them all the same
    assert len(list(read_clip(encode(tmp_path / "clip.mkv")))) == 10  # does not say how many
    av = pytest.importorskip("av")
    for suffix in (".mp4", ".mov"):
        path = tmp_path / f"trimmed{suffix}"
        with av.open(str(encode(tmp_path / f"whole{suffix}"))) as source, av.open(str(path), "w") as target:
            stream = target.add_stream_from_template(source.streams.video[0])
            for packet in source.demux(video=0):
                if packet.size:
                    packet.pts, packet.dts = packet.pts - 4 * packet.duration, packet.dts - 4 * packet.duration
                    packet.stream = stream
                    target.mux(packet)
        with av.open(str(path)) as container:
            assert container.streams.video[0].frames == 10
        assert len(list(read_clip(path))) == 6


def test_what_was_written_is_read(tmp_path: Path) -> None:
    frames = list(read_clip(write(tmp_path / "clip.mp4")))
    assert [round(frame.seconds or 0, 3) for frame in frames] == [0, 0.08, 0.16, 0.24, 0.32]
    assert [frame.number for frame in frames] == [1, 2, 3, 4, 5]
    assert {frame.rate for frame in frames} == {12.5}
    assert all(frame.image.shape == (120, 160) for frame in frames)
    levels = [float(frame.image.pixels.mean()) for frame in frames]
    assert levels == pytest.approx([30, 70, 110, 150, 190], abs=4)


def test_odd_sides_lose_a_pixel(tmp_path: Path) -> None:
    (frame,) = read_clip(write(tmp_path / "odd.mp4", frames=1, height=121, width=163))
    assert frame.image.shape == (120, 162)


def test_the_same_frames_give_the_same_bytes(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a.mp4"), write(tmp_path / "b.mp4")
    assert first.read_bytes() == second.read_bytes()
    assert b"a comment" in first.read_bytes()


def test_what_is_no_clip_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    for content in (b"", b"no clip", scan().pixels.tobytes()):
        path.write_bytes(content)
        with pytest.raises(UserError, match="cannot be decoded"):
            list(read_clip(path))


def test_a_large_clip_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="160 x 120 pixels; 1,000 are allowed"):
        list(read_clip(write(tmp_path / "clip.mp4"), max_pixels=1000))


def test_damaged_clips_give_frames_or_a_sentence(tmp_path: Path) -> None:
    content, path, rng = write(tmp_path / "clip.mp4").read_bytes(), tmp_path / "bad.mp4", np.random.default_rng(0)
    for _ in range(60):
        damaged = bytearray(content)
        for place in rng.integers(len(damaged), size=4):
            damaged[place] ^= int(rng.integers(1, 256))
        path.write_bytes(damaged[: int(rng.integers(1, 2 * len(damaged)))])
        try:
            assert len(list(read_clip(path))) < 100
        except UserError as error:
            assert "bad.mp4" in str(error)  # noqa: PT017


def test_without_pyav_there_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(UserError, match="a clip needs av, which is not installed") as caught:
        list(read_clip(tmp_path / "clip.mp4"))
    assert caught.value.hint == install("video")
