"""BUS-UCLM as it is released (Vallez et al. 2025, doi 10.1038/s41597-025-04562-3; data: doi 10.17632/7fvgj4jsp7)."""

import logging
from functools import partial
from pathlib import Path, PurePosixPath

from sonoseg.data.samples import DataSet, Sample, picture_shape, read_pair, whole_groups
from sonoseg.data.sets.catalogue import KNOWN
from sonoseg.data.sets.released import compare_names, find_release, label_of, read_rows

TABLE = "INFO.csv"
LABELS = ("benign", "malignant", "normal")
INNER = ("BUS-UCLM", "BUS-UCLM Breast ultrasound lesion segmentation dataset/BUS-UCLM")

_log = logging.getLogger(__name__)


def open_bus_uclm(root: str) -> DataSet:
    """Read the folder that holds ``images``, ``masks`` and ``INFO.csv``, or one of the release's folders above it.

    Groups are patients (the letters before the number), in five folds. Images whose mask is of another size are left
    out, with a warning that names them: in the release some are cropped and their masks are not.
    Errors: ``UserError`` for another layout and for files that do not fit the table.
    """
    folder = find_release(Path(root), INNER, ("images", "masks", TABLE), "bus-uclm")
    rows = read_rows(folder / TABLE, ("Image", "Label"), delimiter=";")
    labels = {
        PurePosixPath(row["Image"]).stem: label_of(row["Label"], LABELS, f"{TABLE}, line {line},") for line, row in rows
    }
    for part in ("images", "masks"):
        compare_names((path.stem for path in (folder / part).glob("*.png")), labels, folder / part, TABLE)
    fitting = [name for name in sorted(labels) if _fits(folder, name)]
    if left_out := sorted(labels.keys() - set(fitting)):
        _log.warning(
            "bus-uclm: %d images are left out, their masks are of another size: %s",
            len(left_out),
            ", ".join(left_out),
        )
    known = KNOWN["bus-uclm"]
    return DataSet(
        name="bus-uclm",
        spec=f"bus-uclm:{root}",
        samples=tuple(Sample(name, labels[name], partial(read_pair, *_paths(folder, name))) for name in fitting),
        folds=whole_groups({name: labels[name] for name in fitting}, {name: name.split("_")[0] for name in fitting}),
        grouping="patient (the letters before the number of an image; copies were not looked for)",
        citation=known.citation,
        licence=known.licence,
    )


def _paths(folder: Path, name: str) -> tuple[Path, tuple[Path]]:
    return folder / "images" / f"{name}.png", (folder / "masks" / f"{name}.png",)


def _fits(folder: Path, name: str) -> bool:
    image, (mask,) = _paths(folder, name)
    return picture_shape(image) == picture_shape(mask)
