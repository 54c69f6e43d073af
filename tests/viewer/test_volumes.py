import gzip
import io
import tracemalloc

import nibabel
import nrrd
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving import png
from sonoseg.errors import UserError
from sonoseg.viewer import volumes
from sonoseg.viewer.refusals import BadUpload
from tiny_model import scan

LIMIT = 10_000_000
AFFINE = np.array([[0, -0.3, 0, 7.0], [-0.2, 0, 0, 8.0], [0, 0, 2, 9.0], [0, 0, 0, 1]])


def stack(kind: str = "uint8") -> np.ndarray:
    return np.random.default_rng(0).integers(0, 200, (3, 20, 30)).astype(kind)


def as_nrrd(values: np.ndarray, **header: object) -> bytes:
    buffer = io.BytesIO()
    nrrd.write(buffer, values, header, index_order="F")
    return buffer.getvalue()


@pytest.mark.parametrize("write", [volumes.nifti, volumes.plain_nrrd])
@pytest.mark.parametrize("kind", ["uint8", "uint16", "int16"])
def test_what_is_written_is_read_again_in_its_place(write: object, kind: str) -> None:
    content = write(stack(kind), AFFINE)  # type: ignore[operator]
    assert volumes.is_volume(content)
    found = volumes.read(content, LIMIT)
    assert (found.slices == stack(kind)).all()
    assert found.affine == pytest.approx(AFFINE)
    assert found.spacing == pytest.approx((0.3, 0.2))
    assert write(stack(kind), AFFINE) == content  # type: ignore[operator]


def test_the_same_pixels_are_seen_whatever_keeps_them() -> None:
    pixels = scan().pixels
    floats = volumes.Volume(pixels[None].astype(np.float64), AFFINE)
    colours = volumes.Volume(np.repeat(pixels[None, ..., None], 3, axis=3), AFFINE)
    for each in (volumes.Volume(pixels[None], AFFINE), floats, colours):
        (item,) = volumes.items(each)
        assert (item.image.pixels == pixels).all()
        assert item.image.spacing == pytest.approx((0.3, 0.2))
    (item,) = volumes.items(floats, (0.1, 0.2))
    assert item.image.spacing == (0.1, 0.2)
    deep = np.stack([pixels, pixels // 2]).astype(np.uint16) * 20
    bright, dark = (item.image.pixels for item in volumes.items(volumes.Volume(deep, AFFINE)))
    assert dark.max() == pytest.approx(bright.max() / 2, abs=1)  # one scale for all slices


def test_a_pixel_of_one_millimetre_is_not_believed() -> None:
    assert volumes.Volume(stack(), volumes.plane(None)).spacing is None
    assert volumes.Volume(stack(), volumes.plane((0.0001, 0.0001))).spacing is None
    assert volumes.Volume(stack(), volumes.plane((0.2, 0.3))).spacing == pytest.approx((0.2, 0.3))


def test_colours_are_known_by_what_the_file_says() -> None:
    colours = np.random.default_rng(1).integers(0, 255, (30, 20, 2, 3)).astype(np.uint8)
    record = np.ascontiguousarray(colours).view([("R", "u1"), ("G", "u1"), ("B", "u1")])[..., 0]
    image = nibabel.Nifti1Image(record, AFFINE)
    grid = np.array([[np.nan] * 3, [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    vector = as_nrrd(np.moveaxis(colours, -1, 0), space="left-posterior-superior", **{"space directions": grid})
    for content in (image.to_bytes(), vector):
        found = volumes.read(content, LIMIT)
        assert (found.slices == colours.transpose(2, 1, 0, 3)).all()
    three = volumes.read(volumes.plain_nrrd(np.ones((3, 20, 30), np.uint8), AFFINE), LIMIT)
    assert three.slices.shape == (3, 20, 30)  # slices, not colours


def test_bombs_and_other_files_are_refused() -> None:
    head = as_nrrd(np.zeros((1, 1, 1), np.uint8), encoding="gzip").partition(b"\n\n")[0]
    for content in (
        head.replace(b"sizes: 1 1 1", b"sizes: 90000 90000 90000") + b"\n\n",
        head.replace(b"encoding: gzip", b"encoding: bzip2") + b"\n\n",
        as_nrrd(np.zeros((4, 4), np.uint8)) .replace(b"encoding: gzip", b"encoding: gzip\ndata file: /etc/passwd"),
        volumes.nifti(stack(), AFFINE)[:200],
        gzip.compress(bytes(344) + b"n+1\0" + bytes(5000)),
        b"NRRD0004\n", b"NRRD0004\n\n",
    ):  # fmt: skip
        assert volumes.is_volume(content) or content[:2] == b"\x1f\x8b"
        with pytest.raises(BadUpload):
            volumes.read(content, LIMIT)
    bomb = head.replace(b"sizes: 1 1 1", b"sizes: 40 40 1") + b"\n\n" + gzip.compress(bytes(50_000_000))
    tracemalloc.start()
    assert volumes.read(bomb, LIMIT).slices.shape == (1, 40, 40)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000  # no more is unpacked than the header claims
    tracemalloc.stop()
    for content in (b"", b"text", png(), gzip.compress(b"text"), b"\x1f\x8b"):
        assert not volumes.is_volume(content)
    with pytest.raises(UserError, match="values from -1"):
        list(volumes.items(volumes.Volume(np.full((1, 20, 20), -1, np.int16), AFFINE)))


@given(st.data())
def test_damage_is_a_refusal_or_a_volume(data: st.DataObject) -> None:
    content = bytearray(data.draw(st.sampled_from(WHOLE)))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = volumes.read(bytes(content[: data.draw(st.integers(0, len(content)))]), LIMIT)
    except BadUpload:
        return
    assert found.slices.ndim in {3, 4}
    assert np.isfinite(found.affine).all()


WHOLE = [
    volumes.plain_nrrd(stack(), AFFINE),
    as_nrrd(stack(), encoding="gzip"),
    gzip.decompress(volumes.nifti(stack(), AFFINE)),
]


def test_labels_are_volumes_or_bare_values() -> None:
    drawn = stack() > 100
    numbers = drawn.astype("<u2") * 3
    for content in (volumes.nifti(numbers, AFFINE), volumes.plain_nrrd(numbers, AFFINE), numbers.tobytes()):
        assert (volumes.labels(content, (3, 20, 30), LIMIT) == drawn).all()
    with pytest.raises(BadUpload, match="30 x 20 x 3 pixels, its image 30 x 20 x 2"):
        volumes.labels(volumes.nifti(numbers, AFFINE), (2, 20, 30), LIMIT)
    with pytest.raises(BadUpload):
        volumes.labels(numbers.tobytes()[:-1], (3, 20, 30), LIMIT)
