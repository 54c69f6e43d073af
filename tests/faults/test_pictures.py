"""Damaged pictures, one by one and in a batch: an image or a sentence, never anything else, and never for long."""

import csv
import json
import time
import zipfile
from io import BytesIO
from pathlib import Path
from random import Random

import numpy as np
import PIL.Image
import pytest

from campaign import Campaign
from mutations import mutated
from sonoseg.delivery.batch import FAILURES, LESIONS, run
from sonoseg.delivery.outputs import Options
from sonoseg.errors import UserError, printable
from sonoseg.images.unpacking import unpacked
from sonoseg.prediction.modelfile import load
from sonoseg.prediction.predictor import Predictor
from tiny_model import scan, write_model

SECONDS = 20.0
"""Of the processor, that one file may take; the largest that is let in takes 2."""


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    return load(write_model(tmp_path_factory.mktemp("model") / "tiny.onnx"), backend="onnxruntime", threads=1)


@pytest.fixture(scope="module")
def whole() -> list[bytes]:
    """A picture of each form that is read."""
    grey = PIL.Image.fromarray(scan().pixels)
    deep = PIL.Image.fromarray(scan().pixels.astype(np.uint16) * 257)
    floats = PIL.Image.fromarray(scan().pixels.astype(np.float32) / 255)
    runs = grey.convert("P")
    forms = [
        (grey, "PNG", {}), (grey.convert("RGBA"), "PNG", {}), (runs, "PNG", {}), (deep, "PNG", {}),
        (grey, "JPEG", {}), (grey.convert("RGB"), "JPEG", {"progressive": True}), (grey.convert("CMYK"), "JPEG", {}),
        (grey, "BMP", {}), (grey, "GIF", {}), (grey, "WEBP", {}), (grey, "PPM", {}), (grey, "JPEG2000", {}),
        (grey, "TIFF", {"compression": "tiff_lzw"}), (floats, "TIFF", {}), (deep, "TIFF", {}),
        (grey, "TIFF", {"save_all": True, "append_images": [grey, grey]}),
    ]  # fmt: skip
    return [_encoded(picture, form, settings) for picture, form, settings in forms]


def _encoded(picture: PIL.Image.Image, form: str, settings: dict[str, object]) -> bytes:
    file = BytesIO()
    picture.save(file, form, **settings)
    return file.getvalue()


def test_damaged_pictures(campaign: Campaign, predictor: Predictor, whole: list[bytes], tmp_path: Path) -> None:
    for number, draw in campaign.draws(160):
        path = tmp_path / f"{number}.png"
        path.write_bytes(mutated(whole[number % len(whole)], draw))
        began = time.process_time()
        try:
            mask = predictor.predict(path).mask
        except UserError as error:
            campaign.refused(number, error)
        else:
            assert mask.dtype == bool, number
            campaign.counts["outlined"] += 1
        assert time.process_time() - began < SECONDS, number
        path.unlink()


def test_a_batch_of_damaged_pictures_with_odd_names(
    campaign: Campaign, predictor: Predictor, whole: list[bytes], tmp_path: Path
) -> None:
    """Each input has outputs of its own or a line among the failures; what stands is whole."""
    scans, out = tmp_path / "scans", tmp_path / "out"
    scans.mkdir()
    for number, draw in campaign.draws(60):
        content = whole[number % len(whole)]
        (scans / _name(draw)).write_bytes(mutated(content, draw) if draw.random() < 0.7 else content)
    found = sorted(scans.iterdir())
    summary = run(found, predictor, Options(out=out, workers=2, coco=True))
    documents = [json.loads(path.read_bytes()) for path in out.glob("*.json") if path.name != "coco.json"]
    outlined, failed = {each["file"] for each in documents}, {each.file for each in summary.failures}
    campaign.counts.update({"outlined": len(outlined), "among the failures": len(failed)})
    assert summary.files == len(found)
    assert not [path.name for path in found if path.name not in outlined and printable(path.name) not in failed]
    outputs = [name for each in documents for name in each["outputs"].values()]
    assert len(set(outputs)) == len(outputs)
    for name in outputs:
        with PIL.Image.open(out / name) as picture:
            picture.load()
    assert {path.name for path in out.iterdir() if path.suffix == ".png"} == set(outputs)
    for table in (LESIONS, FAILURES):
        text = (out / table).read_text(encoding="utf-8")
        assert "\x1b" not in text, table
        cells = [cell for row in csv.reader(text.splitlines()) for cell in row]
        assert not [cell for cell in cells if cell[:1] in {"=", "@"}], table


def _name(draw: Random) -> str:
    """A name that some system, terminal or spreadsheet stumbles over."""
    stem = "".join(draw.choice("abAB_1 .é=\x1b\nß漢'\"%") for _ in range(draw.randint(1, 6)))
    ends = [".png", ".PNG", ".jpg", "_page001.png", "_mask.png", "_overlay.png", ".tif", "", "." + "x" * 200]
    name = f"{draw.choice(['', '=', '-', 'coco'])}{stem}{draw.choice(ends)}"
    return f"x{name}" if name in {".", ".."} else name


def test_damaged_archives(campaign: Campaign, whole: list[bytes], tmp_path: Path) -> None:
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for number, each in enumerate(whole[:3]):
            archive.writestr(f"a/{number}.png", each, zipfile.ZIP_DEFLATED if number else zipfile.ZIP_LZMA)
    content = packed.getvalue()
    for number, draw in campaign.draws(60):
        path, elsewhere = tmp_path / "scans.zip", set(tmp_path.iterdir())
        path.write_bytes(mutated(content, draw))
        try:
            with unpacked([path], beside=False) as found:
                campaign.counts["unpacked"] += 1
                assert all(each.exists() for each in found), number
        except UserError as error:
            campaign.refused(number, error)
        assert set(tmp_path.iterdir()) - {path} == elsewhere - {path}, number
