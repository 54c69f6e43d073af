"""OASBUD as it is released (Piotrzkowska-Wroblewska et al. 2017, doi 10.1002/mp.12538): echoes, not images.

``OASBUD.mat`` holds 100 lesions, each scanned in two planes: the radio-frequency echoes ``rf1`` and ``rf2``,
(samples, lines), and the lesion's outlines ``roi1`` and ``roi2``. Images are made of them: envelope, the mean of four
samples in depth so that pixels are nearly square, 50 dB on 256 grey levels. Lengths follow from the sampling rate of
40 MHz, 1540 m/s and the 38 mm of the probe, as the example code that goes round with the set has them.
"""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import scipy  # its rooms open when they are entered: whoever names another set does not wait for them
from numpy.typing import NDArray

from sonoseg.data.samples import DataSet, Pair, Sample, whole_groups
from sonoseg.data.sets.catalogue import KNOWN
from sonoseg.errors import UserError
from sonoseg.images.image import Image

FILE = "OASBUD.mat"
FIELDS = ("id", "rf1", "rf2", "roi1", "roi2", "class")
LESIONS, MALIGNANT = 100, 52

_DEPTH_STEP = 1000 * 1540 / (2 * 40e6)
_WIDTH = 38.0
_SAMPLES = 4
_RANGE = 50.0
_BRIGHTEST = 99.9


def open_oasbud(where: str) -> DataSet:
    """Read ``OASBUD.mat``, or the folder that holds it, and make its 200 images; that takes some ten seconds.

    Groups are the identifiers of the file, which name lesions; whether they tell the 78 women apart is not stated.
    Labels: sources contradict each other on which number of ``class`` is malignant, so it is the one that 52 of the
    100 lesions have; in a file of another make-up all are ``unknown``.
    Errors: ``UserError`` for a file that is no such table.
    """
    path = Path(where)
    records = _records(path / FILE if path.is_dir() else path)
    labels = _labels([str(record["class"]) for record in records])
    samples, groups = [], {}
    for number, (record, label) in enumerate(zip(records, labels, strict=True), 1):
        for plane in ("1", "2"):
            name = f"lesion {number} plane {plane}"
            pixels, mask, spacing = _picture(name, record[f"rf{plane}"], record[f"roi{plane}"])
            samples.append(Sample(name, label, partial(_pair, pixels, mask, spacing, name)))
            groups[name] = f"id {record['id']}"
    known = KNOWN["oasbud"]
    return DataSet(
        name="oasbud",
        spec=f"oasbud:{where}",
        samples=tuple(samples),
        folds=whole_groups({sample.name: sample.label for sample in samples}, groups),
        grouping="lesion (id of the file; patients may have several, copies were not looked for)",
        citation=known.citation,
        licence=known.licence,
    )


def _records(path: Path) -> NDArray[Any]:
    if not path.is_file():
        raise UserError(f"{path} does not exist; {FILE} is needed", hint="sonoseg data get oasbud --to PATH")
    try:
        content = scipy.io.loadmat(path, variable_names=["data"], squeeze_me=True)
    except Exception as error:  # a broken file can raise nearly anything in the reader
        raise UserError(
            f"{path} cannot be read as a MATLAB file up to version 7 ({type(error).__name__}: {error})",
            hint="download it again: sonoseg data get oasbud --to PATH",
        ) from error
    records = np.atleast_1d(content.get("data", np.empty(0)))
    missing = [field for field in FIELDS if field not in (records.dtype.names or ())]
    if missing:
        raise UserError(
            f"{path} is not oasbud as it was released: its data has no {', '.join(missing)}", hint=f"give {FILE}"
        )
    return records


def _labels(classes: list[str]) -> list[str]:
    sizes = {value: classes.count(value) for value in classes}
    if len(classes) != LESIONS or sorted(sizes.values()) != [LESIONS - MALIGNANT, MALIGNANT]:
        return ["unknown"] * len(classes)
    return ["malignant" if sizes[value] == MALIGNANT else "benign" for value in classes]


def _picture(
    name: str, echoes: NDArray[Any], outline: NDArray[Any]
) -> tuple[NDArray[np.uint8], NDArray[np.bool_], tuple[float, float]]:
    """Make image and mask of one plane: ``uint8 (H, W)``, ``bool (H, W)``, spacing in mm."""
    if echoes.ndim != 2 or echoes.shape != outline.shape or len(echoes) < _SAMPLES:
        raise UserError(
            f"{name} has echoes of shape {echoes.shape} and an outline of shape {outline.shape}; "
            "they must be of one size, (samples, lines)",
            hint="download it again: sonoseg data get oasbud --to PATH",
        )
    rows, lines = len(echoes) // _SAMPLES, echoes.shape[1]
    envelope = np.abs(scipy.signal.hilbert(echoes.astype(np.float32), axis=0))
    amplitude, inside = (
        values[: rows * _SAMPLES].reshape(rows, _SAMPLES, lines).mean(axis=1) for values in (envelope, outline != 0)
    )
    decibel = 20 * np.log10(np.maximum(amplitude, np.finfo(np.float32).tiny))
    brightness = 1 + (decibel - np.percentile(decibel, _BRIGHTEST)) / _RANGE
    pixels = np.rint(255 * np.clip(brightness, 0, 1)).astype(np.uint8)
    return pixels, inside >= 0.5, (_SAMPLES * _DEPTH_STEP, _WIDTH / lines)


def _pair(pixels: NDArray[np.uint8], mask: NDArray[np.bool_], spacing: tuple[float, float], name: str) -> Pair:
    return Image(pixels, spacing, f"{FILE}, {name}"), mask
