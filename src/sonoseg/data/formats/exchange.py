"""What the files of other programs share: fields that carry a set through them, and folders written whole.

Name, label, group, fold, flags and spacing of each image travel in a field ``OURS`` of a JSON file, which the other
programs pass over. Where it is read again the set is as it was; else groups are unknown.
"""

import json
import re
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonoseg.data.folds import FLAGS, Folds, Row
from sonoseg.data.samples import ALONE, LABELS, DataSet, Pair, Sample, whole_groups
from sonoseg.errors import UserError
from sonoseg.files import write_bytes
from sonoseg.images.pictures import encode_png

Json = dict[str, Any]

OURS = "sonoseg"

_LONGEST = 1e6
"""mm that a pixel is shorter than."""


@dataclass(frozen=True)
class Listed:
    """What a file tells of one image. key: what the file calls it; the rest as in ``Sample``, ``Row`` and ``Image``."""

    key: str
    name: str
    label: str
    group: str
    fold: int | None
    flags: tuple[str, ...]
    spacing: tuple[float, float] | None


def about(sample: Sample, row: Row, spacing: tuple[float, float] | None) -> Json:
    """Give the fields that carry an image; ``listed`` reads them."""
    return {
        "name": sample.name,
        "label": sample.label,
        "group": row.group,
        "fold": row.fold,
        "flags": list(row.flags),
        "spacing": list(spacing) if spacing else None,
    }


def described(data: DataSet) -> Json:
    """Give the fields that carry a set; ``data_set`` reads them."""
    return {"grouping": data.grouping, "citation": data.citation, "licence": data.licence}


def listed(key: str, fields: Mapping[str, Any], place: str) -> Listed:
    """Read the fields of ``about``; each may be missing. Errors: ``UserError`` for one that means nothing."""
    name, label, group = (
        fields.get(f) or default for f, default in (("name", key), ("label", "unknown"), ("group", ""))
    )
    fold, flags, spacing = fields.get("fold"), fields.get("flags") or [], fields.get("spacing")
    for field, right in (
        ("name", isinstance(name, str)),
        ("label", label in LABELS),
        ("group", isinstance(group, str)),
        ("fold", fold is None or (type(fold) is int and fold >= 0)),
        ("flags", isinstance(flags, list) and all(flag in FLAGS for flag in flags)),
        ("spacing", spacing is None or _is_spacing(spacing)),
    ):
        if not right:
            raise UserError(f"{place}: {field} is {fields[field]!r}, which means nothing", hint="correct the file")
    return Listed(key, name, label, group, fold, tuple(flags), (spacing[0], spacing[1]) if spacing else None)


def data_set(
    source: str,
    where: str,
    records: Sequence[Listed],
    readers: Mapping[str, Callable[[], Pair]],
    fields: Mapping[str, Any],
    folds: Folds | None = None,
) -> DataSet:
    """Make the set that a file describes.

    readers: by key of the record. fields: those of ``described``, if there. folds: where the file tells them in a way
    of its own. Errors: ``UserError`` for no image and for two of one name.
    """
    labels = {each.name: each.label for each in records}
    if not records or len(labels) < len(records):
        raise UserError(
            f"{where} names {len(records)} images, by {len(labels)} names; one at least and all of another name are "
            "needed",
            hint="correct the file",
        )
    grouping = ALONE
    if folds is None and all(each.group for each in records):
        folds = Folds(tuple(Row(each.name, each.label, each.group, each.fold, each.flags) for each in records))
        grouping = str(fields.get("grouping") or "groups of the file")
    return DataSet(
        name=source,
        spec=f"{source}:{where}",
        samples=tuple(Sample(each.name, each.label, readers[each.key]) for each in records),
        folds=folds or whole_groups(labels, {name: name for name in labels}),
        grouping=grouping,
        citation=str(fields.get("citation") or "not told by the file"),
        licence=str(fields.get("licence") or "not told by the file"),
    )


def file_names(data: DataSet) -> dict[str, str]:
    """Give every sample a file name of letters, digits and lines, by its name; no two are alike, in any case."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for sample in data.samples:
        plain = re.sub(r"[^A-Za-z0-9]+", "_", sample.name).strip("_") or "image"
        file, number = plain, 1
        while file.lower() in taken:
            number += 1
            file = f"{plain}_{number}"
        taken.add(file.lower())
        names[sample.name] = file
    return names


def write_picture(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Write ``uint8 (H, W)`` as PNG."""
    write_bytes(path, encode_png(pixels))


def load_json(path: Path) -> Any:
    """Read a JSON file. Errors: ``UserError`` for one that is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} cannot be read as JSON ({error})", hint="check the path") from error


def mapping(value: Any) -> Mapping[str, Any]:
    """Give ``value`` where it is a mapping, else an empty one."""
    return value if isinstance(value, dict) else {}


@contextmanager
def building(out: Path) -> Iterator[Path]:
    """Give a folder beside ``out`` that becomes ``out`` when the block ends well and goes away otherwise.

    Errors: ``UserError`` where ``out`` is there already with something in it; ``OSError``.
    """
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise UserError(f"{out} is there already; a new folder is needed", hint="choose another place with --out")
    out.parent.mkdir(parents=True, exist_ok=True)
    folder = out.with_name(f".{out.name}.{secrets.token_hex(4)}.part")
    folder.mkdir()
    try:
        yield folder
        if out.exists():
            out.rmdir()
        folder.rename(out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _is_spacing(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(isinstance(length, int | float) and 0 < length < _LONGEST for length in value)
    )
