"""What another network gave for the images of a set: masks and maps in files, nnU-Net's folder, COCO results, arrays.

An answer is an array of its image's own size: ``bool (H, W)``, a mask, or ``float32 (H, W)`` in [0, 1], a map of
probabilities. Files carry the names of the set's images, as they are or as ``data convert`` writes them, with or
without ``_mask``, in any folders. Pictures of 8 bits are masks, those of 16 bits maps whose 65535 is 1; an NPY is what
its numbers are. In the folder that nnU-Net predicts into, every label but 0 is lesion, and what lies beside the labels
is passed over.
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sonoseg.data.formats import exchange
from sonoseg.data.formats.coco import open_results
from sonoseg.data.samples import DataSet
from sonoseg.data.sets.folder import files_of
from sonoseg.errors import UserError
from sonoseg.images.image import Image
from sonoseg.images.pictures import read_levels

Answered: TypeAlias = NDArray[np.bool_] | NDArray[np.float32]

Read: TypeAlias = Callable[[Image], Answered]
"""Gives what was answered for an image. Errors: ``UserError`` for another size, and what is no array, mask or map."""

Given: TypeAlias = str | Path | Mapping[str, ArrayLike] | Callable[[Image], ArrayLike]
"""A folder or a file of COCO results; arrays by the name of the sample; or what answers an image."""

PICTURES = (".png", ".bmp", ".tif", ".tiff")
ARRAYS = ".npy"

FULL = 65535
"""A probability of 1 in a picture of 16 bits."""

ROUNDING = 1e-6
"""So far may a probability lie outside [0, 1]: what resizing in single precision does."""

_NNUNET = ("dataset.json", "plans.json", "predict_from_raw_data_args.json")
_BESIDE = (".json", ".npz", ".pkl")


def open_predicted(
    given: Given, data: DataSet, wanted: Collection[str], least_score: float = 0.5
) -> Mapping[str, Read]:
    """Find what was given for the images of a set, by the names of its samples; nothing is read before it is asked for.

    wanted: names of samples; a function answers all of them and no others. least_score: COCO's detections of a lower
    one are left out.
    Errors: ``UserError`` for a place that holds none, a file of another kind, one of no image's name, two of one name,
    and what is none of ``Given``.
    """
    if isinstance(given, str | Path):
        path = Path(given)
        if path.suffix.lower() == ".json" and path.is_file():
            return open_results(path, data, wanted, least_score)
        return _in_folder(path, data)
    if isinstance(given, Mapping):
        if unknown := given.keys() - {sample.name for sample in data.samples}:
            raise _no_name(min(map(repr, unknown)), len(unknown), data)
        return {name: partial(_of_array, values, f"the array of {name}") for name, values in given.items()}
    if not callable(given):
        raise UserError(
            f"what is given is {type(given).__name__}; a folder, a file, arrays by name or a function is needed",
            hint="give a folder of masks, {name: array}, or a function of an image",
        )
    return {name: partial(_of_function, given, name) for name in wanted}


def answered(values: ArrayLike, shape: tuple[int, int], place: str) -> Answered:
    """Read numbers as an answer for an image of ``shape``: bool and whole numbers, 0 and one other, are a mask.

    place: what they are called in a sentence. Errors: ``UserError`` as of ``Read``.
    """
    try:
        array = np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:  # ragged lists; tensors that are elsewhere or being trained
        raise UserError(
            f"{place} cannot be read as an array ({error})",
            hint="give an array (H, W); of a tensor: tensor.detach().cpu().numpy()",
        ) from error
    _check_shape(array.shape, shape, place)
    if array.dtype.kind == "f":
        low, high = float(array.min()), float(array.max())
        if not (low >= -ROUNDING and high <= 1 + ROUNDING):  # no comparison holds for NaN
            raise UserError(
                f"{place} has values from {low:g} to {high:g}; probabilities lie in [0, 1]",
                hint="save probabilities, after the sigmoid or softmax, of lesion",
            )
        return array.astype(np.float32).clip(0, 1)
    if array.dtype.kind not in "bui" or len(levels := set(np.unique(array).tolist())) > 2 or len(levels - {0}) > 1:
        found = f"{len(np.unique(array))} levels" if array.dtype.kind in "bui" else f"{array.dtype} values"
        raise UserError(
            f"{place} has {found}; a mask has 0 and one other",
            hint="save a mask, or probabilities as a PNG of 16 bits or as floats in an NPY",
        )
    return np.asarray(array != 0)


def _in_folder(folder: Path, data: DataSet) -> Mapping[str, Read]:
    if not folder.is_dir():
        what = "is a file that holds no COCO results" if folder.is_file() else "does not exist"
        raise UserError(f"{folder} {what}", hint="give a folder of masks or maps, or results.json of COCO")
    of_nnunet = _is_nnunets(folder)
    paths = _checked_kinds(folder, of_nnunet)
    files = exchange.file_names(data)
    own, converted = {name: name for name in files}, {file: name for name, file in files.items()}
    names = own | converted if of_nnunet else converted | own
    found: dict[str, Path] = {}
    unknown = []
    for path in paths:
        name = _name(path.relative_to(folder).with_suffix("").as_posix(), names)
        if name is None:
            unknown.append(path)
        elif (other := found.setdefault(name, path)) is not path:
            raise UserError(f"{other} and {path} are both of {name}; one is needed", hint="take one of them away")
    if unknown:
        raise _no_name(str(unknown[0]), len(unknown), data)
    _check_scale(folder, found.values(), of_nnunet)
    return {name: partial(_read, path, of_nnunet) for name, path in found.items()}


def _is_nnunets(folder: Path) -> bool:
    """Whether nnU-Net predicted into a folder: it leaves its plans there, or its measures by case."""
    if any((folder / name).is_file() for name in _NNUNET):
        return True
    try:
        return "metric_per_case" in json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        return False


def _checked_kinds(folder: Path, of_nnunet: bool) -> list[Path]:
    """The files that hold answers, one at least. Errors: ``UserError`` for one of another kind."""
    files = [path for path in files_of(folder) if not of_nnunet or path.parent == folder]
    kept = [path for path in files if not (of_nnunet and path.suffix in _BESIDE)]
    for path in kept:
        if path.suffix.lower() not in (*PICTURES, ARRAYS):
            raise UserError(
                f"{path} is no mask and no map; {', '.join((*PICTURES, ARRAYS))} are read", hint="take it away"
            )
    if not kept:
        raise UserError(f"{folder} holds no masks", hint=f"one for each image is needed: {', '.join(PICTURES)}, .npy")
    return kept


def _name(key: str, names: Mapping[str, str]) -> str | None:
    """The sample that a file is of: by its whole path, else by the end of it; with and without ``_mask``."""
    parts = key.split("/")
    ends = ("/".join(parts[start:]) for start in range(len(parts)))
    return next((names[each] for end in ends for each in (end, end.removesuffix("_mask")) if each in names), None)


def _no_name(first: str, count: int, data: DataSet) -> UserError:
    more = f", and {count - 1} more are not either" if count > 1 else ""
    return UserError(
        f"{first} is of no image of {data.name}{more}; they are called such as {data.samples[0].name}",
        hint="name each file as its image, or take away what is of none",
    )


def _check_scale(folder: Path, paths: Iterable[Path], of_nnunet: bool) -> None:
    """Refuse pictures of 16 bits that hold masks or 8 bits: as probabilities they would all be next to nothing."""
    largest = 0
    for path in paths if not of_nnunet else ():
        if path.suffix.lower() in PICTURES and _is_map(levels := read_levels(path)):
            largest = max(largest, int(levels.max(initial=0)))
        if largest > 255:
            return
    if largest:
        raise UserError(
            f"{folder}: the pictures are of 16 bits and hold no more than {largest}; as probabilities {FULL} is 1",
            hint="save masks in 8 bits, or probabilities times 65535",
        )


def _read(path: Path, labels: bool, image: Image) -> Answered:
    if path.suffix.lower() == ARRAYS:
        return answered(_array(path), image.shape, str(path))
    levels = read_levels(path)
    _check_shape(levels.shape, image.shape, str(path))
    if labels:
        return np.asarray(levels) > 0
    if _is_map(levels):
        return answered(levels.astype(np.float32) / np.float32(FULL), image.shape, str(path))
    return answered(levels, image.shape, str(path))


def _is_map(levels: NDArray[Any]) -> bool:
    """Whether a picture holds probabilities: more than 8 bits."""
    return levels.dtype.kind in "ui" and levels.dtype.itemsize > 1


def _array(path: Path) -> NDArray[Any]:
    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)  # mapped: what a header claims is not allocated
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{path} cannot be read as an array ({error})", hint="save it again with numpy.save") from error
    if not isinstance(found, np.ndarray):
        raise UserError(f"{path} holds several arrays; one is needed", hint="save it again with numpy.save")
    return found


def _of_array(values: ArrayLike, place: str, image: Image) -> Answered:
    return answered(values, image.shape, place)


def _of_function(function: Callable[[Image], ArrayLike], name: str, image: Image) -> Answered:
    return answered(function(image), image.shape, f"the answer for {name}")


def _check_shape(found: tuple[int, ...], shape: tuple[int, int], place: str) -> None:
    if found != shape:
        size = f"{found[0]} x {found[1]} pixels" if len(found) == 2 else f"an array of {found}"
        raise UserError(
            f"{place} is {size}, its image {shape[0]} x {shape[1]}; they must be of one size",
            hint="undo the network's resizing first: everything is judged at the image's own size",
        )
