"""The sets by name, and how a user names one: ``busi:PATH``, ``folder:PATH``, ``phantom``, ``phantom:COUNT``.

And where a set can be taken: the layouts of other programs.
"""

import difflib
from collections.abc import Callable
from functools import partial
from pathlib import Path

from sonoseg.data.copies import Steps
from sonoseg.data.dealing import from_groups
from sonoseg.data.formats.coco import open_coco, to_coco
from sonoseg.data.formats.nnunet import open_nnunet, to_nnunet
from sonoseg.data.formats.packed import open_packed
from sonoseg.data.samples import DataSet, Pair, Sample
from sonoseg.data.sets import phantom
from sonoseg.data.sets.breast import open_breast
from sonoseg.data.sets.bus_bra import open_bus_bra
from sonoseg.data.sets.bus_uclm import open_bus_uclm
from sonoseg.data.sets.busi import open_busi
from sonoseg.data.sets.folder import open_folder
from sonoseg.data.sets.oasbud import open_oasbud
from sonoseg.errors import UserError
from sonoseg.images.image import Image

PHANTOMS = 160


def open_set(spec: str) -> DataSet:
    """Open the set that ``NAME:WHERE`` names. Errors: ``UserError`` for an unknown name, and those of the source."""
    name, _, where = spec.partition(":")
    if name not in SOURCES:
        raise UserError(f"no set is called {name!r}; there are {', '.join(SOURCES)}", hint=_meant(spec))
    if not where and name != "phantom":
        raise UserError(f"{name} alone does not say where the images are", hint=f"--data {name}:PATH")
    return SOURCES[name](where)


def _meant(spec: str) -> str:
    """What to type in place of a spec whose name is not known."""
    if Path(spec).exists():
        near = difflib.get_close_matches(Path(spec).name.lower(), SOURCES, n=1)
        return f"say what the folder holds: --data {near[0] if near else 'folder'}:{spec}"
    near = difflib.get_close_matches(spec.partition(":")[0].lower(), SOURCES, n=1)
    return (
        f"--data {near[0]}:PATH"
        if near
        else "--data folder:PATH for images and masks of your own; see sonoseg data list"
    )


def open_phantoms(count: str) -> DataSet:
    """Make a set of phantoms; without a number ``PHANTOMS`` of them. Errors: ``UserError`` for what is no number."""
    if count and not (count.isascii() and count.isdigit() and 20 <= int(count) <= 100_000):
        raise UserError(f"phantom:{count} is not a number of images from 20 to 100000", hint="--data phantom:200")
    plans = phantom.plan(int(count or PHANTOMS))
    return DataSet(
        name="phantom",
        spec=f"phantom:{len(plans)}",
        samples=tuple(Sample(p.name, p.label, partial(_read_phantom, p)) for p in plans),
        folds=from_groups({p.name: p.label for p in plans}, {p.name: str(p.group) for p in plans}),
        grouping="views of one simulated scan",
        citation="made by sonoseg",
        licence="MIT",
    )


def _read_phantom(plan: phantom.Phantom) -> Pair:
    drawing = phantom.read(plan)
    return Image(drawing.pixels, drawing.spacing, plan.name), drawing.mask


SOURCES: dict[str, Callable[[str], DataSet]] = {
    "busi": open_busi,
    "bus-bra": open_bus_bra,
    "breast": open_breast,
    "bus-uclm": open_bus_uclm,
    "oasbud": open_oasbud,
    "folder": open_folder,
    "nnunet": open_nnunet,
    "coco": open_coco,
    "packed": open_packed,
    "phantom": open_phantoms,
}

WRITERS: dict[str, Callable[[DataSet, Path, Steps | None], None]] = {
    "nnunet": to_nnunet,
    "coco": to_coco,
}
