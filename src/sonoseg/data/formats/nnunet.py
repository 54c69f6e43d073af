"""nnU-Net's raw 2D layout, in and out (MIC-DKFZ/nnUNet, documentation/dataset_format.md)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from sonoseg.data.copies import Steps
from sonoseg.data.folds import Folds, Row
from sonoseg.data.formats import exchange
from sonoseg.data.formats.exchange import Json, Listed
from sonoseg.data.samples import DataSet, Pair, check_same_size
from sonoseg.errors import UserError
from sonoseg.files import write_json
from sonoseg.images.pictures import read_image

DESCRIPTION, SPLITS = "dataset.json", "splits_final.json"
ENDINGS = (".png", ".bmp", ".tif")

_NAME = re.compile(r"Dataset\d{3}_\w+")


def to_nnunet(data: DataSet, out: Path, progress: Steps | None = None) -> None:
    """Write ``imagesTr``, ``labelsTr`` (0 and 1), ``dataset.json`` and, from our folds, ``splits_final.json``.

    out: a folder that is not there yet, named as nnU-Net wants it: ``Dataset501_busi``. nnU-Net looks for the splits
    in its folder of preprocessed data. Errors: ``UserError`` for another name or a folder that is there already, and
    those of ``Sample.read``; then nothing is left.
    """
    if not _NAME.fullmatch(out.name):
        raise UserError(
            f"{out.name!r} is no name of a data set for nnU-Net", hint=f"--out {out / f'Dataset501_{data.name}'}"
        )
    cases, rows = exchange.file_names(data), {row.image: row for row in data.folds.rows}
    fields: dict[str, Json] = {}
    with exchange.building(out) as folder:
        for number, sample in enumerate(data.samples, 1):
            image, mask = sample.read()
            case = cases[sample.name]
            exchange.write_picture(folder / "imagesTr" / f"{case}_0000.png", image.pixels)
            exchange.write_picture(folder / "labelsTr" / f"{case}.png", mask.astype(np.uint8))
            fields[case] = exchange.about(sample, rows[sample.name], image.spacing)
            if progress:
                progress(number, len(data.samples))
        write_json(folder / DESCRIPTION, _description(data, fields))
        write_json(folder / SPLITS, _splits(data.folds, cases))


def open_nnunet(where: str) -> DataSet:
    """Read a raw 2D data set: one channel, PNG, BMP or TIFF. Every label but 0 is lesion.

    Folds are those of ``splits_final.json``, if it is there, where our own fields are not.
    Errors: ``UserError`` for another layout or file ending, several channels, a label to be ignored, an image without
    its labels or the other way round, and splits that do not fit.
    """
    folder = Path(where)
    description = exchange.load_json(folder / DESCRIPTION)
    ending, labels = (
        description.get(key) if isinstance(description, dict) else None for key in ("file_ending", "labels")
    )
    if ending not in ENDINGS or not isinstance(labels, dict) or "ignore" in labels:
        raise UserError(
            f"{folder / DESCRIPTION} tells the file ending {ending!r} and the labels {labels}; "
            f"{', '.join(ENDINGS)} and labels without 'ignore' are read",
            hint="convert the images to PNG",
        )
    images = _cases(folder / "imagesTr", f"_0000{ending}")
    masks = _cases(folder / "labelsTr", ending)
    for case in sorted(images.keys() ^ masks.keys()):
        raise UserError(
            f"{folder} has {'no labels' if case in images else 'no image'} of {case}; one channel, _0000, is read",
            hint="add the file or take the other one away",
        )
    ours = exchange.mapping(description.get(exchange.OURS))
    fields = exchange.mapping(ours.get("cases"))
    records = [
        exchange.listed(case, exchange.mapping(fields.get(case)), f"{folder / DESCRIPTION}, {case}") for case in images
    ]
    readers = {each.key: partial(_read, images[each.key], masks[each.key], each.spacing) for each in records}
    splits = folder / SPLITS
    by_splits = splits.is_file() and not all(each.group for each in records)
    folds = _folds(splits, records) if by_splits else None
    return exchange.data_set("nnunet", where, records, readers, ours, folds)


def _description(data: DataSet, fields: dict[str, Json]) -> Json:
    return {
        "channel_names": {"0": "ultrasound"},
        "labels": {"background": 0, "lesion": 1},
        "numTraining": len(data.samples),
        "file_ending": ".png",
        exchange.OURS: {**exchange.described(data), "cases": fields},
    }


def _splits(folds: Folds, cases: Mapping[str, str]) -> list[Json]:
    """What is trained on and what is held out in each fold, of the images that are exported."""
    sides = [(folds.training(number), folds.test(number)) for number in folds.numbers]
    return [
        {
            side: [cases[name] for name in names if name in cases]
            for side, names in zip(("train", "val"), both, strict=True)
        }
        for both in sides
    ]


def _cases(folder: Path, suffix: str) -> dict[str, Path]:
    """Files by case, in order. Errors: ``UserError`` for a missing folder and for a file of another name."""
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder", hint="give the Dataset folder: --data nnunet:PATH/Dataset501_NAME")
    files = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
    for path in files:
        if not path.name.endswith(suffix):
            raise UserError(f"{path} is not read; files end with {suffix}", hint="take it away; one channel is read")
    return {path.name.removesuffix(suffix): path for path in files}


def _folds(path: Path, records: Sequence[Listed]) -> Folds:
    """Folds by what each split holds out. Errors: ``UserError`` where that is not of the set, or held out twice."""
    fold_of: dict[str, int] = {}
    keys = {each.key for each in records}
    splits = exchange.load_json(path)
    for number, split in enumerate(splits if isinstance(splits, list) else [splits]):
        held_out = split.get("val") if isinstance(split, dict) else None
        if (
            not isinstance(held_out, list)
            or not keys.issuperset(map(str, held_out))
            or fold_of.keys() & set(map(str, held_out))
        ):
            raise UserError(
                f"{path}: split {number} has no 'val' of cases of the set that no other split holds out",
                hint="take the file away to have folds made",
            )
        fold_of |= dict.fromkeys(map(str, held_out), number)
    return Folds(tuple(Row(each.name, each.label, each.name, fold_of.get(each.key)) for each in records))


def _read(image_path: Path, label_path: Path, spacing: tuple[float, float] | None) -> Pair:
    image, labels = read_image(image_path), read_image(label_path)
    check_same_size(image_path, image.shape, label_path, labels.shape)
    return replace(image, spacing=spacing), labels.pixels > 0
