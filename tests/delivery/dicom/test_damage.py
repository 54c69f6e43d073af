"""Damaged DICOM of every kind: never a crash, a hang or half an output. More of it: pytest --damaged 5000."""

import random
import time
from pathlib import Path

import pytest

import dicom_files
from sonoseg.delivery.dicom.deidentify import deidentify
from sonoseg.delivery.dicom.profile import Replacer
from sonoseg.delivery.objects import Objects
from sonoseg.delivery.outputs import Job, Options
from sonoseg.errors import UserError
from sonoseg.images.reading import Found

VARIANTS = dicom_files.variants()
ALL = Objects(seg=True, sr=True, sc=True, slicer=True)
SLOWEST = 20.0


def damaged(content: bytes, dice: random.Random) -> bytes:
    """One or two faults: bytes, lengths, cuts, repetitions; half of them in what stands before the pixels."""
    data = bytearray(content)
    for _ in range(dice.randint(1, 2)):
        end = min(len(data), 1400) if dice.random() < 0.6 else len(data)
        at = dice.randrange(132, max(133, end))
        kind = dice.randrange(6)
        if kind == 0:
            data[at] = dice.randrange(256)
        elif kind == 1:
            data[at : at + 4] = dice.choice((b"\xff" * 4, b"\0" * 4, b"\xfe\xff\xff\x7f", b"\xff\xff\0\0"))
        elif kind == 2:
            del data[at : at + dice.choice((1, 2, 7, 100))]
        elif kind == 3:
            data[at:at] = data[at : at + dice.choice((1, 2, 64))]
        elif kind == 4:
            data[at : at + 8] = bytes(dice.randrange(256) for _ in range(8))
        elif dice.random() < 0.3:
            del data[at:]
    return bytes(data)


def test_damage_is_a_sentence_or_a_whole_result(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    dice = random.Random(17)
    whole = [dicom_files.write(tmp_path / "scan.dcm", scan).read_bytes() for scan in VARIANTS.values()]
    options = Options(out=tmp_path / "out", overlay=False, overwrite=True, objects=ALL)
    (tmp_path / "out").mkdir()
    path, refused = tmp_path / "x.dcm", 0
    count = request.config.getoption("--damaged")
    for number in range(count):
        content = damaged(dice.choice(whole), dice)
        path.write_bytes(content)
        began = time.monotonic()
        outcome = Job(dicom_files.predictor(), options).predict(Found(path, "x.dcm", "x"))
        assert time.monotonic() - began < SLOWEST, number
        there = {each.name for each in (tmp_path / "out").iterdir()}
        if outcome.failures:
            refused += 1
            assert not any("unexpected" in failure.message for failure in outcome.failures), (number, outcome.failures)
            assert not there, (number, there)
        else:
            (document,) = outcome.documents
            assert there == {*document["outputs"].values(), "x.json"}, number
        for each in (tmp_path / "out").iterdir():
            each.unlink()
        try:
            deidentify(path, tmp_path / "out" / "clean.dcm", Replacer())
            (tmp_path / "out" / "clean.dcm").unlink()
        except UserError:
            pass
        assert not any((tmp_path / "out").iterdir()), number
    assert 0.1 * count < refused < 0.9 * count
