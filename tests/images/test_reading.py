import os
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from sonoseg.errors import UserError
from sonoseg.images.reading import as_image, find, find_dicom, read, spacing_of


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")


def test_a_folder_is_searched_in_a_stable_order(tmp_path: Path) -> None:
    touch(tmp_path, "b.png", "a/z.JPG", "a/c.tif", "d.mp4", "notes.txt", ".hidden.png", ".cache/e.png", "a/f.bmp")
    found = find([tmp_path])
    assert [item.name for item in found] == ["b.png", "d.mp4", "a/c.tif", "a/f.bmp", "a/z.JPG"]
    assert [item.stem for item in found] == ["b", "d", "a/c", "a/f", "a/z"]


def test_masks_and_outputs_beside_their_scan_are_no_scans(tmp_path: Path) -> None:
    touch(tmp_path, "benign (1).png", "benign (1)_mask.png", "benign (1)_mask_1.png", "benign (1)_overlay.png")
    touch(tmp_path, "pages_page001.json", "pages_page001_mask.png", "cine.mp4", "cine_overlay.mp4", "my_mask.png")
    assert [item.name for item in find([tmp_path])] == ["benign (1).png", "cine.mp4", "my_mask.png"]


def test_a_file_that_is_named_is_taken_whatever_it_is(tmp_path: Path) -> None:
    touch(tmp_path, "scan", "scan.png", "scan_mask.png")
    paths = [tmp_path / "scan", tmp_path / "scan_mask.png"]
    assert [item.path for item in find(paths)] == paths


def test_outputs_never_share_a_name(tmp_path: Path) -> None:
    touch(tmp_path, "one/a.png", "one/a.jpg", "one/A.bmp", "one/b.png", "two/b.png", "two/b_2.png")
    found = find([tmp_path / "one", tmp_path / "two"])
    stems = [item.stem for item in found]
    assert len({stem.casefold() for stem in stems}) == len(found)
    assert {"a.png", "a.jpg", "A.bmp"} <= set(stems)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "BMP", "TIFF", "GIF", "WEBP", "PPM", "JPEG2000"])
def test_a_picture_is_known_by_its_content(tmp_path: Path, format: str) -> None:
    picture = PIL.Image.fromarray(np.zeros((20, 30), np.uint8))
    picture.save(tmp_path / "scan", format)
    assert [found.name for found in find([tmp_path])] == ["scan"]
    for name in ("scan.mp4", "scan.dcm", "scan.txt"):
        (tmp_path / name).write_bytes((tmp_path / "scan").read_bytes())
        (item,) = read(tmp_path / name)
        assert (item.image.shape, item.number, item.of, item.moves) == ((20, 30), 1, 1, False)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".avi", ".mkv", ".webm", ".wmv", ".mpg"])
def test_a_clip_is_known_by_its_content(tmp_path: Path, suffix: str) -> None:
    av = pytest.importorskip("av")
    with av.open(str(tmp_path / f"cine{suffix}"), "w") as container:
        codecs = {".webm": "libvpx", ".wmv": "wmv2", ".mpg": "mpeg2video"}
        stream = container.add_stream(codecs.get(suffix, "mpeg4"), 25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")))
        container.mux(stream.encode())
    (tmp_path / f"cine{suffix}").rename(tmp_path / "cine")
    assert [found.name for found in find([tmp_path])] == ["cine"]
    items = list(read(tmp_path / "cine", (0.1, 0.2)))
    assert [(item.number, item.of, item.moves) for item in items] == [(1, None, True), (2, None, True), (3, None, True)]
    assert {item.image.spacing for item in items} == {(0.1, 0.2)}


def test_texts_are_no_pictures(tmp_path: Path) -> None:
    for number, text in enumerate(["BMI of the patients\n", "P5", "Page 1", "{}", "II. Results", "RIFF"]):
        (tmp_path / f"notes{number}").write_text(text)
    with pytest.raises(UserError, match="no picture and no clip"):
        find([tmp_path])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_in_a_folder_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    touch(tmp_path, "scan.png")
    assert [found.name for found in find([tmp_path])] == ["scan.png"]


def test_nothing_to_find_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no picture and no clip"):
        find([tmp_path])
    with pytest.raises(UserError, match="does not exist"):
        find([tmp_path / "none"])


def test_dicom_is_picked_out_of_folders_and_what_is_named_stays(tmp_path: Path) -> None:
    touch(tmp_path, "in/b.png", "c.png")
    (tmp_path / "in" / "a").write_bytes(bytes(128) + b"DICM")
    named = [tmp_path / "c.png", tmp_path / "typo.dcm"]
    assert find_dicom([tmp_path / "in", *named]) == [tmp_path / "in" / "a", *named]
    (tmp_path / "in" / "a").unlink()
    with pytest.raises(UserError, match="there is no DICOM"):
        find_dicom([tmp_path / "in"])


@pytest.mark.parametrize("shape", [(1, 1), (10, 20_000), (20_000, 10), (15, 300)])
def test_slivers_are_refused(tmp_path: Path, shape: tuple[int, int]) -> None:
    PIL.Image.fromarray(np.zeros(shape, np.uint8)).save(tmp_path / "sliver.png")
    with pytest.raises(UserError, match="at least 16 on each side"):
        list(read(tmp_path / "sliver.png"))


def test_spacing_is_given_to_every_page(tmp_path: Path) -> None:
    pages = [PIL.Image.fromarray(np.zeros((20, 30), np.uint8)) for _ in range(2)]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    assert [page.image.spacing for page in read(tmp_path / "pages.tif", (0.1, 0.2))] == [(0.1, 0.2)] * 2
    assert [page.image.spacing for page in read(tmp_path / "pages.tif")] == [None, None]


def test_spacing_is_understood() -> None:
    assert spacing_of("0.07") == (0.07, 0.07)
    assert spacing_of("0.07, 0.05") == (0.07, 0.05)
    for wrong in ("", "a", "0", "-1", "nan", "0.1,0.1,0.1", "12", "0,07,"):
        with pytest.raises(UserError, match="not understood"):
            spacing_of(wrong)


def test_a_spacing_of_numpys_numbers_is_taken_and_what_is_no_length_is_not() -> None:
    pixels = np.zeros((40, 60), np.uint8)
    for given in (np.float64(0.5), np.array([0.5, 0.5]), (np.float32(0.5), 0.5), [0.5, 0.5]):
        assert as_image(pixels, given).spacing == (0.5, 0.5)
    for wrong in (0, -1, float("nan"), "0.07", ("a", "b"), (0.5,), (0.5, 0.5, 0.5), object()):
        with pytest.raises(UserError, match="not mm per pixel"):
            as_image(pixels, wrong)
    with pytest.raises(UserError, match="the image would be"):
        as_image(pixels, 9.0)


@pytest.mark.parametrize(("spacing", "told"), [((7.0, 7.0), "364 mm wide"), ((0.01, 0.01), "1 mm wide")])
def test_a_spacing_in_another_unit_is_refused(tmp_path: Path, spacing: tuple[float, float], told: str) -> None:
    PIL.Image.fromarray(np.zeros((40, 52 if spacing[0] > 1 else 60), np.uint8)).save(tmp_path / "scan.png")
    with pytest.raises(UserError, match=told) as caught:
        list(read(tmp_path / "scan.png", spacing))
    assert "--spacing 0.07" in caught.value.hint
    (item,) = read(tmp_path / "scan.png", (1.0, 1.0))
    assert item.image.spacing == (1.0, 1.0)
