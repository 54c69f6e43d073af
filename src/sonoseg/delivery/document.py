"""A prediction as plain data: the JSON beside an image, rows of tables, COCO, and sentences for a person.

The form is ``schema/prediction-1.json``. Tables and COCO are made from it alone, so a batch that goes on with finished
work writes the same tables.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonoseg import __version__
from sonoseg.errors import printable
from sonoseg.images import masks
from sonoseg.images.image import Image
from sonoseg.prediction.lesions import Lesion, corners
from sonoseg.prediction.predictor import NOTICE, Prediction, Predictor

FORMAT, VERSION = "sonoseg-prediction", 1

Document = dict[str, Any]

COLUMNS = (
    "file", "page", "confidence", "presence", "lesions", "lesion", "unit", "longest_diameter",
    "perpendicular_diameter", "depth", "width", "depth_to_width", "bi_rads_orientation", "area", "orientation",
    "circularity", "solidity", "lesion_confidence", "centroid_x", "centroid_y", "sonoseg", "model", "model_checksum",
    "backend", "precision",
)  # fmt: skip
"""Of ``lesions.csv``: a row for each lesion, and one with ``lesions`` 0 for an image without."""

SIZE_COLUMNS = (
    "frame", "seconds", "confidence", "presence", "lesions", "unit", "longest_diameter", "perpendicular_diameter",
    "area", "sonoseg", "model", "model_checksum", "backend", "precision",
)  # fmt: skip
"""Of the table of a clip: a row for each frame, with the measures of its largest lesion."""

CAUTION = (
    "What depends on details of the outline survives segmentation badly: circularity of a truth and of its prediction "
    "correlate at 0.53, depth-to-width at 0.89 (BUS-Set). None of these numbers is a BI-RADS category."
)
"""Stands beside the measures."""

_FORMULA = ("=", "+", "-", "@")
"""Begin what a spreadsheet computes."""

_LISTED = 4
"""Lesions with a sentence of their own."""


@dataclass(frozen=True)
class Source:
    """Where an image comes from. file: its name, as the user would find it, with forward slashes. sha256: of the file.

    spacing: (row, column) in mm as the user gave it, or None. page: from 1, of how many ``pages`` the file has.
    """

    file: str
    sha256: str
    spacing: tuple[float, float] | None = None
    page: int = 1
    pages: int = 1


def findings(prediction: Prediction) -> Document:
    """Say what was found in one image, or in one frame of a clip; ``presence`` where the network tells one."""
    presence = prediction.presence
    return {
        "confidence": round(prediction.confidence, 4),
        **({} if presence is None else {"presence": round(presence, 4)}),
        "lesions": [_lesion(lesion) for lesion in prediction.lesions],
    }


def describe(
    image: Image, predictor: Predictor, source: Source, outputs: Mapping[str, str], found: Mapping[str, Any]
) -> Document:
    """Describe what was found by the published schema.

    image: the image, or the first frame of a clip. outputs: names of the files beside it, by kind. found: ``findings``
    of an image; for a clip ``frames``, a list of the ``findings`` of each with its number ``frame`` and ``seconds``.
    """
    return {
        **_origin(predictor, source),
        "page": source.page,
        "pages": source.pages,
        "height": image.shape[0],
        "width": image.shape[1],
        "spacing_mm": list(image.spacing) if image.spacing else None,
        "coloured": image.coloured,
        "outputs": dict(outputs),
        **scale(image),
        **found,
    }


def scale(image: Image) -> Document:
    """Say in which unit an image is measured, and what its reader noted."""
    return {"unit": "mm" if image.spacing else "px", "notes": list(image.notes)}


def is_from(document: object, predictor: Predictor, source: Source) -> bool:
    """Whether a document read from a file was made of this file by this predictor and this version."""
    origin = _origin(predictor, source)
    return isinstance(document, dict) and all(document.get(key) == value for key, value in origin.items())


def sentences(document: Document) -> list[str]:
    """Say in lines what was found: one for each of the largest lesions, or that there is none."""
    if "frames" in document:
        drawn = sum(bool(frame["lesions"]) for frame in document["frames"])
        return [f"A lesion is outlined in {drawn} of {len(document['frames'])} frames."]
    lesions, unit = document["lesions"], document["unit"]
    presence = f"{document['presence']:.2f}" if "presence" in document else ""
    if not lesions:
        told = f", presence {presence}" if presence else ""
        return [f"No lesion outlined (confidence {document['confidence']:.2f}{told})."]
    lines = [
        f"{lesion['number']}: {lesion['longest_diameter']:.1f} x {lesion['perpendicular_diameter']:.1f} {unit}, "
        f"depth / width about {lesion['depth_to_width']:.2f} ({lesion['bi_rads_orientation']}), "
        f"confidence {lesion['confidence']:.2f}"
        for lesion in lesions[:_LISTED]
    ]
    if len(lesions) > _LISTED:
        lines.append(f"and {len(lesions) - _LISTED} smaller ones")
    if presence:
        lines.append(f"Presence of a lesion {presence}.")
    notes = document.get("notes", [])
    return [*lines, *notes] if notes or unit == "mm" else [*lines, "In pixels: the spacing is not known."]


def rows(document: Document) -> list[dict[str, Any]]:
    """Rows of ``lesions.csv``; none for a clip, which has a table of its own."""
    if "frames" in document:
        return []
    shared = {
        "file": document["file"],
        "page": document["page"] if document["pages"] > 1 else "",
        "confidence": document["confidence"],
        "presence": document.get("presence", ""),
        "lesions": len(document["lesions"]),
        **_made_by(document),
    }
    lesions = [
        {
            **shared,
            "lesion": lesion["number"],
            "unit": document["unit"],
            "lesion_confidence": lesion["confidence"],
            "centroid_x": lesion["centroid"][0],
            "centroid_y": lesion["centroid"][1],
            **{key: lesion[key] for key in COLUMNS if key in lesion and key not in shared},
        }
        for lesion in document["lesions"]
    ]
    return [harmless(row) for row in lesions or [shared]]


def harmless(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of a table whose texts no terminal obeys and no spreadsheet computes: an apostrophe is before those."""
    texts = {key: printable(value) for key, value in row.items() if isinstance(value, str)}
    return {**row, **{key: f"'{text}" if text.startswith(_FORMULA) else text for key, text in texts.items()}}


def size_rows(document: Document) -> list[dict[str, Any]]:
    """Rows of the table of a clip: size over time."""
    return [
        {
            "frame": frame["frame"],
            "seconds": frame["seconds"],
            "confidence": frame["confidence"],
            "presence": frame.get("presence", ""),
            "lesions": len(frame["lesions"]),
            "unit": document["unit"],
            **{
                key: lesion[key]
                for lesion in frame["lesions"][:1]
                for key in ("longest_diameter", "perpendicular_diameter", "area")
            },
            **_made_by(document),
        }
        for frame in document["frames"]
    ]


def coco(documents: Iterable[Document]) -> Document:
    """Put images and lesions into one COCO mapping: an entry per page, polygons, run lengths where there are holes."""
    images: list[Document] = []
    annotations: list[Document] = []
    maker: Document = {}
    for document in documents:
        maker = _made_by(document)
        key = len(images) + 1
        shape = document["height"], document["width"]
        size = {"height": shape[0], "width": shape[1]}
        images.append({"id": key, "file_name": document["file"], "page": document["page"], **size})
        for lesion in document["lesions"]:
            outlines = [np.asarray(outline, np.float64)[:, ::-1] for outline in lesion["outlines"]]
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": key,
                    "category_id": 1,
                    "iscrowd": 0,
                    "area": lesion["pixels"],
                    "bbox": lesion["box"],
                    "score": lesion["confidence"],
                    "segmentation": masks.segmentation(outlines, shape),
                }
            )
    return {
        "info": {"description": NOTICE, **maker},
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 1, "name": "lesion"}],
    }


def encoded(described: Document) -> bytes:
    """The JSON's bytes, a line for each key: short enough to read, and not a line for each number."""
    lines = (
        f"  {json.dumps(key)}: {json.dumps(value, ensure_ascii=False, allow_nan=False)}"
        for key, value in described.items()
    )
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def made_by(predictor: Predictor) -> dict[str, str]:
    """The columns of every table that tell what made it."""
    return _made_by({"sonoseg": __version__, "model": _model(predictor)})


def settings(predictor: Predictor, source: Source) -> Document:
    """What was chosen, and the result depends on."""
    return {
        "size": predictor.size,
        "threshold": predictor.threshold,
        "smallest_lesion": predictor.smallest_lesion,
        "least_confidence": predictor.least_confidence,
        **({} if predictor.least_presence is None else {"least_presence": predictor.least_presence}),
        "mirrored": predictor.mirrored,
        "spacing_mm": list(source.spacing) if source.spacing else None,
    }


def _origin(predictor: Predictor, source: Source) -> Document:
    """What the result depends on."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "notice": NOTICE,
        "caution": CAUTION,
        "sonoseg": __version__,
        "model": _model(predictor),
        "settings": settings(predictor, source),
        "file": source.file,
        "sha256": source.sha256,
    }


def _model(predictor: Predictor) -> dict[str, str]:
    model = predictor.model
    keys = ("name", "checksum", "backend", "precision")
    return {key: getattr(model, key) for key in keys}


def _made_by(document: Document) -> dict[str, str]:
    model = document["model"]
    return {
        "sonoseg": document["sonoseg"],
        "model": model["name"],
        "model_checksum": model["checksum"],
        "backend": model["backend"],
        "precision": model["precision"],
    }


def _lesion(lesion: Lesion) -> Document:
    measures = ("longest_diameter", "perpendicular_diameter", "depth", "width", "depth_to_width", "area")
    shapes = ("orientation", "circularity", "solidity", "confidence")
    top, left, height, width = lesion.box
    return {
        "number": lesion.number,
        "pixels": lesion.pixels,
        **{key: round(getattr(lesion, key), 4) for key in measures},
        "bi_rads_orientation": lesion.bi_rads_orientation,
        **{key: round(getattr(lesion, key), 4) for key in shapes},
        "box": [left, top, width, height],
        "centroid": [round(value, 2) for value in reversed(lesion.centroid)],
        "calipers": [_places(caliper.round(2)) for caliper in lesion.calipers],
        "outlines": [_places(corners(outline)) for outline in lesion.outlines],
    }


def _places(points: NDArray[np.float64]) -> list[list[float]]:
    """(row, column) -> [x, y]."""
    return [[x, y] for y, x in points.tolist()]
