"""COCO annotations of lesions, in and out, and detections of another network."""

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from sonoseg.data.copies import Steps
from sonoseg.data.formats import exchange
from sonoseg.data.formats.exchange import Json
from sonoseg.data.samples import DataSet, Pair
from sonoseg.errors import UserError
from sonoseg.files import write_text
from sonoseg.images import masks
from sonoseg.images.image import Image
from sonoseg.images.pictures import read_image
from sonoseg.prediction.lesions import components

FILE, PICTURES = "annotations.json", "images"
CATEGORIES = {"benign": 1, "malignant": 2, "lesion": 3}

Outlines = tuple[tuple[Any, Any], ...]
"""(id, segmentation) of the annotations of an image."""


def to_coco(data: DataSet, out: Path, progress: Steps | None = None) -> None:
    """Write ``annotations.json`` and ``images``; every lesion (connected region) is an annotation, as run lengths.

    out: a folder that is not there yet. Categories are ``CATEGORIES``; an image without a lesion has no annotation.
    Errors: ``UserError`` for a folder that is there already, and those of ``Sample.read``; then nothing is left.
    """
    files, rows = exchange.file_names(data), {row.image: row for row in data.folds.rows}
    images: list[Json] = []
    annotations: list[Json] = []
    with exchange.building(out) as folder:
        for number, sample in enumerate(data.samples, 1):
            image, mask = sample.read()
            file = f"{PICTURES}/{files[sample.name]}.png"
            exchange.write_picture(folder / file, image.pixels)
            height, width = image.shape
            fields = exchange.about(sample, rows[sample.name], image.spacing)
            images.append({"id": number, "file_name": file, "width": width, "height": height, exchange.OURS: fields})
            category = CATEGORIES.get(sample.label, CATEGORIES["lesion"])
            annotations += _annotations(len(annotations) + 1, number, category, mask)
            if progress:
                progress(number, len(data.samples))
        content = {
            "info": {"description": data.name, exchange.OURS: exchange.described(data)},
            "categories": [{"id": number, "name": name} for name, number in CATEGORIES.items()],
            "images": images,
            "annotations": annotations,
        }
        write_text(folder / FILE, json.dumps(content, ensure_ascii=False) + "\n")


def open_coco(where: str) -> DataSet:
    """Read a file of annotations; the images lie beside it or in ``images`` there.

    All annotations of an image are united. Labels are those of our own field, else of categories called benign and
    malignant (both: malignant); an image without an annotation is normal.
    Errors: ``UserError`` for what is no such file, an image that is missing or lies outside its folder, and, when the
    image is read, for an annotation that does not fit it.
    """
    path = Path(where)
    content = exchange.load_json(path)
    categories = {each.get("id"): str(each.get("name")).lower() for each in _list(content, "categories", path)}
    images = _list(content, "images", path)
    drawn: dict[Any, list[Json]] = defaultdict(list)
    for annotation in _list(content, "annotations", path):
        drawn[annotation.get("image_id")].append(annotation)
    _check_ids(images, path)
    if unknown := drawn.keys() - {image.get("id") for image in images}:
        raise UserError(f"{path} has annotations of images that it does not name: {unknown.pop()}", hint="correct it")
    records, readers = [], {}
    for image in images:
        file = _file(path, image.get("file_name"))
        found = drawn.get(image.get("id"), [])
        label = _label({categories.get(each.get("category_id"), "") for each in found})
        key = Path(image["file_name"]).with_suffix("").as_posix()
        records.append(
            exchange.listed(key, {"label": label, **exchange.mapping(image.get(exchange.OURS))}, f"{path}, {key}")
        )
        outlines = tuple((each.get("id"), each.get("segmentation")) for each in found)
        readers[key] = partial(_read, path, file, outlines, records[-1].spacing)
    ours = exchange.mapping(exchange.mapping(content.get("info")).get(exchange.OURS))
    return exchange.data_set("coco", where, records, readers, ours)


def open_results(
    path: Path, data: DataSet, wanted: Collection[str], least_score: float
) -> Mapping[str, Callable[[Image], masks.Mask]]:
    """Read what a network detected: a list of results, or a file of annotations; all of an image are united.

    By the name of the sample: gives the mask of its image, ``bool (H, W)``. Ids are those of the set, where that is
    COCO's, else of ``annotations.json`` beside the results, as ``to_coco`` writes it; a file of annotations has its
    own. A detection without ``score`` counts, one of a lower score than ``least_score`` does not. A list does not name
    images without a detection: on those of the ``wanted`` ones nothing is drawn.
    Errors: ``UserError`` for what is neither, an image that the set lacks, a score outside [0, 1], no segmentation.
    """
    content = exchange.load_json(path)
    listed = isinstance(content, list)
    kind, _, where = data.spec.partition(":")
    source = (Path(where) if kind == "coco" else path.with_name(FILE)) if listed else path
    if listed and not source.is_file():
        raise UserError(
            f"{path} is a list of detections; {source}, which tells the images of their ids, is not there",
            hint="give the annotations that the ids are of: --data coco:annotations.json",
        )
    names = _names(exchange.load_json(source) if listed else content, source, data)
    key = "results" if listed else "annotations"
    told = {number: list[Json]() for number, name in names.items() if not listed or name in wanted}
    for place, each in enumerate(_list({key: content} if listed else content, key, path)):
        score = each.get("score", 1)
        if each.get("image_id") not in names or not isinstance(score, int | float) or not 0 <= score <= 1:
            raise UserError(
                f"{path}: detection {place} has the image_id {each.get('image_id')} and the score {score}; "
                f"ids of {source.name} and scores in [0, 1] are needed",
                hint="correct the file",
            )
        of_image = told.setdefault(each["image_id"], [])
        if score >= least_score:
            of_image.append({"id": place} | each)
    return {
        names[number]: partial(_united, path, tuple((each["id"], each.get("segmentation")) for each in of_image))
        for number, of_image in told.items()
    }


def _names(content: Any, path: Path, data: DataSet) -> dict[Any, str]:
    """The sample of each id. Errors: ``UserError`` for an image that the set lacks and for two of one name."""
    names: dict[Any, str] = {}
    known = {sample.name for sample in data.samples}
    images = _list(content, "images", path)
    _check_ids(images, path)
    for image in images:
        key = Path(str(image.get("file_name"))).with_suffix("").as_posix()
        name = exchange.mapping(image.get(exchange.OURS)).get("name") or key
        if not isinstance(name, str):
            raise UserError(f"{path}: {key} has the name {name!r}; a text is needed", hint="correct the file")
        if name not in known or name in names.values():
            what = "is in it twice" if name in known else f"is of no image of {data.name}"
            raise UserError(f"{path}: {name} {what}", hint="give the annotations of that set")
        names[image.get("id")] = name
    return names


def _united(path: Path, outlines: Outlines, image: Image) -> masks.Mask:
    return _union(path, image.source, outlines, image.shape)


def _list(content: Any, key: str, path: Path) -> list[Json]:
    value = content.get(key) if isinstance(content, dict) else None
    if not isinstance(value, list) or not all(isinstance(each, dict) and _has_plain_ids(each) for each in value):
        raise UserError(f"{path} is no COCO file: it has no right list {key!r}", hint="give the file of annotations")
    return value


def _check_ids(images: Sequence[Json], path: Path) -> None:
    """Refuse images without an id, and two of one: annotations name their image by it."""
    seen: set[Any] = set()
    for image in images:
        number, name = image.get("id"), image.get("file_name")
        if number is None or number in seen:
            what = "has no id" if number is None else f"has the id {number}, as another image has"
            raise UserError(f"{path}: {name} {what}; each image needs one of its own", hint="correct the file")
        seen.add(number)


def _has_plain_ids(entry: Json) -> bool:
    return not any(isinstance(entry.get(key), list | dict) for key in ("id", "image_id", "category_id"))


def _file(path: Path, name: Any) -> Path:
    """The picture of a name. Errors: ``UserError`` where it is missing or lies outside the folder of ``path``."""
    base = path.parent.resolve()
    for folder in (base, base / PICTURES):
        try:
            file = (folder / str(name).replace("\\", "/")).resolve()
            there = file.is_file()
        except (ValueError, OSError) as error:  # a name that no file can have
            raise UserError(f"{path}: {name!r:.100} is no name of a file", hint="correct the file") from error
        if not file.is_relative_to(base):
            raise UserError(f"{path}: {name} lies outside {path.parent}", hint="put the file above its images")
        if there:
            return file
    raise UserError(f"{path}: {name} is not beside it nor in {PICTURES}", hint=f"put the images into {PICTURES}")


def _label(categories: set[str]) -> str:
    if not categories:
        return "normal"
    return next((label for label in ("malignant", "benign") if label in categories), "unknown")


def _read(path: Path, file: Path, outlines: Outlines, spacing: tuple[float, float] | None) -> Pair:
    image = read_image(file)
    return replace(image, spacing=spacing), _union(path, file.name, outlines, image.shape)


def _union(path: Path, name: str, outlines: Outlines, shape: tuple[int, int]) -> masks.Mask:
    union = np.zeros(shape, bool)
    for number, segmentation in outlines:
        try:
            union |= masks.decode(segmentation, shape)
        except (ValueError, OverflowError) as error:
            raise UserError(f"{path}: annotation {number} of {name}: {error}", hint="correct the file") from error
    return union


def _annotations(first: int, image: int, category: int, mask: masks.Mask) -> Iterator[Json]:
    """One for each lesion (component) of a mask, numbered from ``first``."""
    found = components(mask)
    for index, (top, left, bottom, right) in enumerate(found.boxes.tolist()):
        yield {
            "id": first + index,
            "image_id": image,
            "category_id": category,
            "segmentation": masks.encode(found.labels == index + 1),
            "area": int(found.sizes[index]),
            "bbox": [left, top, right - left, bottom - top],
            "iscrowd": 0,
        }
