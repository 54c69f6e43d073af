"""BUSI as it is released (Al-Dhabyani et al. 2020, doi 10.1016/j.dib.2019.104863)."""

import re
from functools import partial
from pathlib import Path

from sonoseg.data.folds import shipped
from sonoseg.data.samples import DataSet, Sample, read_pair
from sonoseg.data.sets.catalogue import KNOWN
from sonoseg.errors import UserError

CLASSES = ("benign", "malignant", "normal")
RELEASE_FOLDER = "Dataset_BUSI_with_GT"


def open_busi(root: str) -> DataSet:
    """Read the folder that holds ``benign``, ``malignant`` and ``normal``, or the release's folder above them.

    Several masks of one image are united when it is read. Groups and folds are the shipped ones.
    Errors: ``UserError`` for a folder of another layout, an image without a mask, a mask without an image, and an
    image that the release has and the folder lacks, or the other way round.
    """
    folder = _folder(Path(root))
    samples = [sample for label in CLASSES for sample in _read_class(folder / label, label)]
    folds = shipped("busi")
    _compare([sample.name for sample in samples], [row.image for row in folds.rows], folder)
    known = KNOWN["busi"]
    return DataSet(
        name="busi",
        spec=f"busi:{root}",
        samples=tuple(samples),
        folds=folds,
        grouping="copies (near-duplicate images; BUSI tells no patients)",
        citation=known.citation,
        licence=known.licence,
    )


def _folder(root: Path) -> Path:
    for folder in (root, root / RELEASE_FOLDER):
        if all((folder / label).is_dir() for label in CLASSES):
            return folder
    if not root.is_dir():
        raise UserError(f"{root} is not a folder", hint="give the folder of BUSI: --data busi:PATH")
    missing = ", ".join(label for label in CLASSES if not (root / label).is_dir())
    raise UserError(
        f"{root} is not BUSI: it has no folder {missing}; benign, malignant and normal are needed",
        hint=f"give the folder that holds them, or the one that holds {RELEASE_FOLDER}",
    )


def _read_class(folder: Path, label: str) -> list[Sample]:
    image_name = re.compile(rf"{label} \((\d+)\)\.png")
    mask_name = re.compile(rf"({label} \(\d+\))_mask(?:_\d+)?\.png")
    numbers: dict[str, int] = {}
    masks: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        if found := image_name.fullmatch(path.name):
            numbers[path.stem] = int(found[1])
        elif found := mask_name.fullmatch(path.name):
            masks.setdefault(found[1], []).append(path)
    for name in masks.keys() - numbers.keys():
        raise UserError(f"{masks[name][0]} is a mask without its image {name}.png", hint="restore it from the release")
    for name in numbers.keys() - masks.keys():
        raise UserError(f"{folder / name}.png has no mask {name}_mask.png", hint="restore it from the release")
    return [
        Sample(name, label, partial(read_pair, folder / f"{name}.png", tuple(masks[name])), len(masks[name]))
        for name in sorted(numbers, key=numbers.__getitem__)
    ]


def _compare(found: list[str], expected: list[str], folder: Path) -> None:
    for names, what in (
        (set(expected) - set(found), "lacks {} of the release's 780 images, the first is {}"),
        (set(found) - set(expected), "holds {} images that the release does not have, the first is {}"),
    ):
        if names:
            raise UserError(
                f"{folder} {what.format(len(names), min(names))}; the shipped folds are those of the whole release",
                hint="restore the release, or read another set of images with --data folder:PATH",
            )
