import io
import random
import warnings
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from numpy.typing import NDArray

from sonoseg.errors import UserError
from sonoseg.images.pictures import encode_mask, encode_png, from_array, read_image, read_mask, read_pages

RAMP = np.arange(48 * 64, dtype=np.uint16).reshape(48, 64)
GREY = (RAMP % 251).astype(np.uint8)


def save(path: Path, picture: PIL.Image.Image, **settings: object) -> Path:
    picture.save(path, **settings)
    return path


@pytest.mark.parametrize("suffix", ["png", "bmp", "tiff", "gif", "pgm"])
def test_a_grey_picture_is_read_as_it_is(tmp_path: Path, suffix: str) -> None:
    image = read_image(save(tmp_path / f"scan.{suffix}", PIL.Image.fromarray(GREY)))
    assert np.array_equal(image.pixels, GREY)
    assert not image.coloured
    assert image.spacing is None


def test_jpeg_is_read_nearly_as_it_is(tmp_path: Path) -> None:
    smooth = np.tile(np.arange(64, dtype=np.uint8) * 3, (48, 1))
    image = read_image(save(tmp_path / "scan.jpg", PIL.Image.fromarray(smooth), quality=95))
    assert np.abs(image.pixels.astype(int) - smooth).max() <= 4


def test_colour_becomes_luma_and_is_told(tmp_path: Path) -> None:
    pixels = np.repeat(GREY[..., None], 3, axis=2)
    assert not read_image(save(tmp_path / "grey.png", PIL.Image.fromarray(pixels))).coloured
    pixels[0, 0] = (200, 0, 0)
    image = read_image(save(tmp_path / "colour.png", PIL.Image.fromarray(pixels)))
    assert image.coloured
    assert image.pixels[0, 0] == round(0.299 * 200)
    assert np.array_equal(image.pixels[1:], GREY[1:])


def test_a_palette_is_looked_up(tmp_path: Path) -> None:
    picture = PIL.Image.fromarray(np.array([[0, 1], [2, 3]], np.uint8).repeat(8, 0).repeat(8, 1), "P")
    picture.putpalette([10, 10, 10, 200, 200, 200, 90, 90, 90, 0, 0, 255])
    image = read_image(save(tmp_path / "palette.png", picture))
    assert [int(image.pixels[r, c]) for r, c in ((0, 0), (0, 8), (8, 0), (8, 8))] == [10, 200, 90, 29]
    assert image.coloured


def test_transparent_pixels_lie_on_black(tmp_path: Path) -> None:
    pixels = np.full((8, 8, 4), 200, np.uint8)
    pixels[:4, :, 3], pixels[4:, :, 3] = 0, 255
    image = read_image(save(tmp_path / "alpha.png", PIL.Image.fromarray(pixels)))
    assert set(image.pixels[:4].ravel()) == {0}
    assert set(image.pixels[4:].ravel()) == {200}
    grey = PIL.Image.fromarray(pixels).convert("LA")
    assert np.array_equal(read_image(save(tmp_path / "grey.png", grey)).pixels, image.pixels)


def test_cmyk_becomes_grey(tmp_path: Path) -> None:
    black_plate = np.zeros((16, 16, 4), np.uint8)
    black_plate[:, 8:, 3] = 255
    for name in ("cmyk.tiff", "cmyk.jpg"):
        image = read_image(save(tmp_path / name, PIL.Image.fromarray(black_plate, "CMYK")))
        assert image.pixels[4, 2] > 250
        assert image.pixels[4, 13] < 5


@pytest.mark.parametrize(("top", "full"), [(255, 255), (1000, 1023), (4000, 4095), (65535, 65535)])
def test_16_bit_is_scaled_by_the_range_that_holds_it(tmp_path: Path, top: int, full: int) -> None:
    values = np.linspace(0, top, 48 * 64).round().astype(np.uint16).reshape(48, 64)
    expected = np.rint(values * (255 / full)).astype(np.uint8)
    for name in ("deep.png", "deep.tiff"):
        assert np.array_equal(read_image(save(tmp_path / name, PIL.Image.fromarray(values))).pixels, expected)


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("top", [255, 4000, 65535])
def test_a_tiff_that_says_white_is_zero_is_no_negative(tmp_path: Path, top: int, orientation: int) -> None:
    values = np.linspace(0, top, 48 * 64).round().astype(np.uint16).reshape(48, 64)
    plain = save(tmp_path / "plain.tiff", PIL.Image.fromarray(values), tiffinfo={274: orientation})
    says = b"\x06\x01\x03\0\x01\0\0\0"  # tag 262, one short
    content = plain.read_bytes()
    assert content.count(says + b"\x01\0") == 1
    (tmp_path / "white.tiff").write_bytes(content.replace(says + b"\x01\0", says + b"\0\0"))
    assert np.array_equal(read_image(tmp_path / "white.tiff").pixels, 255 - read_image(plain).pixels)


def test_floats_are_read_in_their_range(tmp_path: Path) -> None:
    values = np.linspace(0, 1, 48 * 64, dtype=np.float32).reshape(48, 64)
    image = read_image(save(tmp_path / "float.tiff", PIL.Image.fromarray(values)))
    assert np.array_equal(image.pixels, np.rint(values.astype(np.float64) * 255).astype(np.uint8))


@pytest.mark.parametrize("wrong", [-1.0, np.nan, np.inf])
def test_floats_that_mean_no_brightness_are_refused_in_files_too(tmp_path: Path, wrong: float) -> None:
    values = np.full((48, 64), 0.5, np.float32)
    values[3, 4] = wrong
    path = save(tmp_path / "float.tiff", PIL.Image.fromarray(values))
    with pytest.raises(UserError, match=r"float\.tiff has values from") as caught:
        read_image(path)
    assert "before it was normalised" in caught.value.hint


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_applied(tmp_path: Path, orientation: int) -> None:
    upright = np.zeros((16, 32), np.uint8)
    upright[:8, :16] = 200
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Pillow's transposition that makes the file of this orientation
    stored = PIL.Image.fromarray(upright)
    if orientation > 1:
        stored = stored.transpose(PIL.Image.Transpose(undo[orientation]))
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    image = read_image(save(tmp_path / "turned.png", stored, exif=exif))
    assert np.array_equal(image.pixels, upright)


def test_all_pages_of_a_tiff_are_read(tmp_path: Path) -> None:
    pages = [PIL.Image.fromarray(np.full((20 + page, 30), page * 40, np.uint8)) for page in range(3)]
    path = save(tmp_path / "pages.tif", pages[0], save_all=True, append_images=pages[1:])
    found = list(read_pages(path))
    assert [(page.number, page.of) for page in found] == [(1, 3), (2, 3), (3, 3)]
    assert [page.image.shape for page in found] == [(20, 30), (21, 30), (22, 30)]
    assert [int(page.image.pixels[0, 0]) for page in found] == [0, 40, 80]
    assert read_image(path).shape == (20, 30)
    assert len(list(read_pages(save(tmp_path / "one.png", pages[0])))) == 1


@pytest.mark.parametrize("suffix", ["png", "gif", "webp"])
def test_an_animation_is_refused(tmp_path: Path, suffix: str) -> None:
    frames = [PIL.Image.fromarray(np.full((20, 30), value, np.uint8)) for value in (0, 200)]
    path = save(tmp_path / f"moving.{suffix}", frames[0], save_all=True, append_images=frames[1:], duration=50)
    with pytest.raises(UserError, match="animation"):
        read_image(path)


def test_a_bomb_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    path = save(tmp_path / "wide.png", PIL.Image.new("L", (400, 300)))
    with pytest.raises(UserError, match="400 x 300 pixels; 100,000 in all") as caught:
        read_image(path, max_pixels=100_000)
    assert "--max-pixels" in caught.value.hint
    header = bytearray(path.read_bytes())
    header[16:24] = (100_000).to_bytes(4, "big") * 2  # the size in IHDR; its checksum fails, or the size does
    (tmp_path / "bomb.png").write_bytes(header)
    with pytest.raises(UserError):
        read_image(tmp_path / "bomb.png")


def test_a_limit_above_pillows_own_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 1000)
    path = save(tmp_path / "wide.png", PIL.Image.new("L", (400, 300)))
    assert read_image(path, max_pixels=120_000).shape == (300, 400)


def test_what_is_no_picture_is_named(tmp_path: Path) -> None:
    text = tmp_path / "notes.png"
    text.write_text("not a picture")
    for path, found in ((text, "not a picture"), (tmp_path, "is a folder"), (tmp_path / "none.png", "does not exist")):
        with pytest.raises(UserError, match=found):
            read_image(path)


def test_a_truncated_file_is_named(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (48, 64), dtype=np.uint8)
    for name in ("cut.png", "cut.jpg"):
        path = save(tmp_path / name, PIL.Image.fromarray(noise))
        content = path.read_bytes()
        path.write_bytes(content[: len(content) * 3 // 4])
        with pytest.raises(UserError, match=f"{name}.*truncated"):
            read_image(path)


def _mutated(rng: random.Random, content: bytes) -> bytes:
    damaged = bytearray(content)
    for _ in range(rng.randint(1, 8)):
        place = rng.randrange(len(damaged))
        kind = rng.randrange(4)
        if kind == 0:
            damaged[place] = rng.randrange(256)
        elif kind == 1:
            damaged[place] ^= 1 << rng.randrange(8)
        elif kind == 2 and len(damaged) > 20:
            del damaged[place : place + rng.randint(1, 12)]
        else:
            damaged[place:place] = rng.randbytes(rng.randint(1, 12))
    return bytes(damaged)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF", "BMP"])
def test_damaged_bytes_give_an_image_or_a_sentence(tmp_path: Path, form: str) -> None:
    buffer = io.BytesIO()
    PIL.Image.fromarray(GREY[:24, :32]).save(buffer, form)
    rng, path, sentences = random.Random(form), tmp_path / f"scan.{form.lower()}", []
    for _ in range(1000):
        path.write_bytes(_mutated(rng, buffer.getvalue()))
        try:
            for page in read_pages(path, max_pixels=1_000_000):
                assert page.image.pixels.dtype == np.uint8
        except UserError as error:
            sentences.append(str(error))
    assert len(sentences) > 100
    assert all(path.name in sentence for sentence in sentences)


def test_masks_of_every_form_are_read(tmp_path: Path) -> None:
    mask = np.zeros((12, 16), bool)
    mask[3:7, 4:9] = True
    white = PIL.Image.fromarray(mask)
    assert white.mode == "1"
    for mode in ("1", "L", "RGB", "RGBA", "P", "LA"):
        assert np.array_equal(read_mask(save(tmp_path / f"{mode}.png", white.convert(mode))), mask)
    zero_one = PIL.Image.fromarray(mask.astype(np.uint8))
    assert np.array_equal(read_mask(save(tmp_path / "one.png", zero_one)), mask)
    deep = PIL.Image.fromarray(mask.astype(np.uint16) * 65535)
    assert np.array_equal(read_mask(save(tmp_path / "deep.png", deep)), mask)


def test_a_mask_of_several_pages_is_refused(tmp_path: Path) -> None:
    page = PIL.Image.fromarray(GREY > 100)
    page.save(tmp_path / "mask.tif", save_all=True, append_images=[page, page])
    with pytest.raises(UserError, match=r"mask\.tif has 3 pages; a mask or a map is one picture"):
        read_mask(tmp_path / "mask.tif")


def test_a_mask_survives_writing(tmp_path: Path) -> None:
    mask = GREY > 100
    (tmp_path / "mask.png").write_bytes(encode_mask(mask))
    with PIL.Image.open(tmp_path / "mask.png") as picture:
        assert picture.mode == "L"
        assert set(np.unique(np.asarray(picture))) == {0, 255}
    assert np.array_equal(read_mask(tmp_path / "mask.png"), mask)


def test_text_travels_in_a_png_and_bytes_are_repeatable() -> None:
    text = {"Software": "sonoseg", "Model": "größer"}
    for content in (encode_mask(GREY > 9, text), encode_png(GREY, text)):
        with PIL.Image.open(io.BytesIO(content)) as picture:
            picture.load()
            assert {key: str(value) for key, value in picture.info.items()} == text
    assert encode_png(GREY, text) == encode_png(GREY, text)


def test_arrays_become_images() -> None:
    assert np.array_equal(from_array(GREY).pixels, GREY)
    assert np.array_equal(from_array(np.repeat(GREY[..., None], 3, axis=2)).pixels, GREY)
    assert from_array(np.array([[0.0, 1.0]])).pixels.tolist() == [[0, 255]]
    assert from_array(np.array([[0, 65535]], np.uint16)).pixels.tolist() == [[0, 255]]
    for wrong in (np.zeros((2, 3, 4, 5)), np.zeros((4, 4, 3)), np.zeros((0, 3), np.uint8), np.array([["a"]])):
        with pytest.raises(UserError, match="must be"):
            from_array(wrong)


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (np.random.default_rng(0).normal(size=(20, 30)), "float64 has values from -"),
        (np.linspace(-1, 1, 600).reshape(20, 30).astype(np.float32), "float32 has values from -1 to 1"),
        (np.full((20, 30), np.nan), "from nan to nan"),
        (np.where(np.eye(20), np.inf, 0.5), "to inf"),
        (np.full((20, 30), 255.0), "from 255 to 255"),
        (np.full((20, 30), -1, np.int16), "int16 has values from -1"),
    ],
)
def test_numbers_that_mean_no_brightness_are_refused(values: NDArray[np.generic], found: str) -> None:
    with pytest.raises(UserError, match=found) as caught:
        from_array(values)
    assert "uint8" in caught.value.hint


def test_large_arrays_are_scaled_in_parts() -> None:
    values = np.arange(1000 * 60).reshape(1000, 60).astype(np.uint16)
    assert np.array_equal(from_array(values).pixels, np.rint(values * (255 / 65535)))
    assert np.array_equal(from_array(values / 60000).pixels, np.rint(values / 60000 * 255))


def test_a_file_of_many_pages_is_refused(tmp_path: Path) -> None:
    pages = [PIL.Image.fromarray(np.zeros((16, 16), np.uint8))] * 101
    pages[0].save(tmp_path / "many.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(UserError, match="101 pages; 100 are allowed"):
        next(read_pages(tmp_path / "many.tif"))


def test_reading_leaves_the_callers_warnings_alone(tmp_path: Path) -> None:
    path = save(tmp_path / "scan.png", PIL.Image.fromarray(GREY))
    before = list(warnings.filters)
    read_image(path)
    assert warnings.filters == before
