"""Any folder of images and masks, or a CSV manifest of them.

``folder:PATH`` finds either ``images`` and ``masks`` with equal names, or ``X.png`` beside ``X_mask.png`` (and
``X_mask_1.png``: several masks are united). Folders below that are called benign, malignant or normal tell the label.
``folder:PATH?images=GLOB&masks=GLOB`` pairs by what the wild cards ``*``, ``**`` and ``?`` stand for; a mask may have
more of them, at its end. ``folder:MANIFEST.csv`` is read by ``manifest``. Each of them takes ``folds=FILE``, a file of
``sonoseg data folds``, whose groups and folds then count.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path

from sonoseg.data import copies
from sonoseg.data.folds import Folds, Row, read
from sonoseg.data.samples import (
    ALONE,
    LABELS,
    DataSet,
    Sample,
    check_same_size,
    picture_shape,
    read_pair,
    whole_groups,
)
from sonoseg.data.sets.manifest import Entry, read_manifest
from sonoseg.errors import UserError

PICTURES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".gif", ".webp", ".pgm", ".ppm", ".jp2"})

Found = dict[str, list[Path]]

_OPTIONS = ("images", "masks", "folds")
_MASK = re.compile(r"(.+)_mask(?:_?\d+)?")
_LITTER = ("thumbs.db", "desktop.ini")
_WILD = {"**/": r"(?:(.*)/)?", "**": r"(.*)", "*": r"([^/]*)", "?": r"([^/])"}
_HOW = "folder:PATH?images=GLOB&masks=GLOB names the files"


def open_folder(where: str) -> DataSet:
    """Read ``PATH`` or ``MANIFEST.csv``, with ``?options``; see the module.

    Errors: ``UserError`` naming the file for a folder without pairs, an image without a mask or the other way round,
    a file that is no picture, a mask of another size, and those of ``manifest``.
    """
    place, options = _parse(where)
    path = Path(place)
    if path.suffix.lower() == ".csv":
        entries = read_manifest(path)
    elif path.is_dir():
        entries = _match(*_find(path, options), path)
    else:
        raise UserError(f"{path} is no folder and no CSV file", hint="check the path")
    if not entries:
        raise UserError(f"{path} holds no image with a mask", hint=f"put them into images and masks, or: {_HOW}")
    for entry in entries:
        shape = picture_shape(entry.image)
        for mask in entry.masks:
            check_same_size(entry.image, shape, mask, picture_shape(mask))
    folds, grouping = _given(entries, Path(options["folds"])) if "folds" in options else _fold(entries)
    return DataSet(
        name="folder",
        spec=f"folder:{where}",
        samples=tuple(
            Sample(e.name, e.label, partial(read_pair, e.image, e.masks, e.spacing), len(e.masks)) for e in entries
        ),
        folds=folds,
        grouping=grouping,
        citation="a set of the user's own",
        licence="a set of the user's own",
    )


def _parse(where: str) -> tuple[str, dict[str, str]]:
    place, _, query = where.partition("?")
    options = {}
    for part in filter(None, query.split("&")):
        key, _, value = part.partition("=")
        if key not in _OPTIONS or not value:
            raise UserError(
                f"folder: does not know {part!r}; images=GLOB, masks=GLOB and folds=FILE are known",
                hint='quote it for the shell: --data "folder:PATH?images=scans/*.png&masks=truth/*.png"',
            )
        options[key] = value
    if ("images" in options) != ("masks" in options):
        raise UserError("folder: images=GLOB and masks=GLOB go together; only one is given", hint="give both")
    return place, options


def _find(folder: Path, options: dict[str, str]) -> tuple[Found, Found]:
    """Images and masks, each by what they have in common."""
    if "images" in options:
        return _by_pattern(folder, options["images"], options["masks"])
    parts = {path.name.lower(): path for path in folder.iterdir() if path.is_dir()}
    if "images" in parts and "masks" in parts:
        images, masks = (
            _by_key((p, _stem(p, base)) for p in _pictures(base)) for base in (parts["images"], parts["masks"])
        )
        return images, masks
    return _beside(folder)


def _by_pattern(folder: Path, image_glob: str, mask_glob: str) -> tuple[Found, Found]:
    names = {path.relative_to(folder).as_posix(): path for path in files_of(folder)}
    images, masks = (
        re.compile("".join(_WILD.get(t) or re.escape(t) for t in _tokens(g))) for g in (image_glob, mask_glob)
    )
    if not 0 < images.groups <= masks.groups:
        raise UserError(
            f"folder: images={image_glob} has {images.groups} wild cards, masks={mask_glob} has {masks.groups}; "
            "there must be one at least, and as many in the mask's",
            hint="such as images=scans/*.png and masks=truth/*_mask.png",
        )

    def caught(pattern: re.Pattern[str]) -> Iterator[tuple[Path, str]]:
        for name, path in names.items():
            if found := pattern.fullmatch(name):
                yield path, "/".join(filter(None, found.groups()[: images.groups]))

    found_masks = _by_key(caught(masks))
    taken = {path for paths in found_masks.values() for path in paths}
    return _by_key((path, key) for path, key in caught(images) if path not in taken), found_masks


def _tokens(glob: str) -> list[str]:
    return re.split(r"(\*\*/|\*\*|\*|\?)", glob)


def _beside(folder: Path) -> tuple[Found, Found]:
    images: list[tuple[Path, str]] = []
    masks: list[tuple[Path, str]] = []
    for path in _pictures(folder):
        key = _stem(path, folder)
        found = _MASK.fullmatch(key)
        (masks if found else images).append((path, found[1] if found else key))
    return _by_key(images), _by_key(masks)


def _by_key(found: Iterable[tuple[Path, str]]) -> Found:
    by_key: Found = defaultdict(list)
    for path, key in found:
        by_key[key].append(path)
    return dict(by_key)


def _stem(path: Path, base: Path) -> str:
    return path.relative_to(base).with_suffix("").as_posix()


def files_of(folder: Path) -> list[Path]:
    """All files below a folder but hidden ones and what file managers leave."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file()
        and path.name.lower() not in _LITTER
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def _pictures(folder: Path) -> list[Path]:
    files = files_of(folder)
    for path in files:
        if path.suffix.lower() not in PICTURES:
            raise UserError(f"{path} is no picture; images and masks alone are read", hint=f"move it away, or: {_HOW}")
    return files


def _match(images: Found, masks: Found, folder: Path) -> list[Entry]:
    for paths in images.values():
        if len(paths) > 1:
            raise UserError(f"{paths[0]} and {paths[1]} have one name; names must differ", hint="rename one of them")
    for key in sorted(masks.keys() - images.keys()):
        raise UserError(f"{masks[key][0]} is a mask without its image {key}", hint=f"add the image, or: {_HOW}")
    for key in sorted(images.keys() - masks.keys()):
        raise UserError(
            f"{images[key][0]} has no mask; an image without a lesion has an empty one", hint=f"add it, or: {_HOW}"
        )
    return [
        Entry(key, images[key][0], tuple(masks[key]), _label(images[key][0].relative_to(folder).parts[:-1]))
        for key in sorted(images, key=copies.natural_key)
    ]


def _label(folders: Sequence[str]) -> str:
    return next((part.lower() for part in reversed(folders) if part.lower() in LABELS), "unknown")


def _given(entries: Sequence[Entry], path: Path) -> tuple[Folds, str]:
    """Groups and folds of a file that names the same images."""
    folds = read(path)
    differing = {entry.name for entry in entries} ^ folds.groups.keys()
    if differing:
        raise UserError(
            f"{path} and the set differ in {len(differing)} images, the first is {min(differing)}",
            hint="make a new one with: sonoseg data folds folder:PATH --out folds.csv",
        )
    return folds, f"groups of {path.name}"


def _fold(entries: Sequence[Entry]) -> tuple[Folds, str]:
    """Groups and folds that the entries tell; where they tell both groups and patients, what either links is one."""
    labels = {entry.name: entry.label for entry in entries}
    links = [
        copies.Pair(first, second, 1.0)
        for members in (_members(entries, "group"), _members(entries, "patient"))
        for first, second in members
    ]
    groups = copies.group(labels, links)
    told = [column for column in ("patient", "group") if any(getattr(entry, column) for entry in entries)]
    grouping = f"{' and '.join(told)} of the manifest (copies were not looked for)" if told else ALONE
    if all(entry.fold is None for entry in entries):
        return whole_groups(labels, groups), grouping
    return Folds(tuple(Row(e.name, e.label, groups[e.name], e.fold) for e in entries)), grouping


def _members(entries: Sequence[Entry], column: str) -> Iterator[tuple[str, str]]:
    """Neighbours in each group that a column tells."""
    by_value: dict[str, list[str]] = defaultdict(list)
    for entry in entries:
        if getattr(entry, column):
            by_value[getattr(entry, column)].append(entry.name)
    for names in by_value.values():
        yield from pairwise(names)
