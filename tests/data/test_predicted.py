import json
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from small_set import SHAPES, small_set
from sonoseg.data.predicted import answered, open_predicted
from sonoseg.data.samples import DataSet
from sonoseg.errors import UserError
from trees import blob, write

NAMES = list(SHAPES)


def maps() -> dict[str, np.ndarray]:
    """A map of probabilities for each image of the small set, in steps that 16 bits hold."""
    generator = np.random.default_rng(0)
    return {name: generator.integers(0, 65536, shape) / np.float32(65535) for name, shape in SHAPES.items()}


def read(given: object, data: DataSet | None = None) -> dict[str, np.ndarray]:
    data = data or small_set()
    reads = open_predicted(given, data, NAMES)  # type: ignore[arg-type]
    return {sample.name: reads[sample.name](sample.read()[0]) for sample in data.samples if sample.name in reads}


def save_16(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(np.rint(values).astype(np.uint16)).save(path)


@pytest.mark.parametrize("layout", ["{}.png", "{}_mask.png", "deep/er/{}.png", "{}.tif", "{}.bmp"])
def test_masks_are_found_by_name(tmp_path: Path, layout: str) -> None:
    masks = {name: blob(shape) for name, shape in SHAPES.items()}
    for name, mask in masks.items():
        write(tmp_path / layout.format(name), mask)
    found = read(tmp_path)
    assert found.keys() == masks.keys()
    for name, mask in masks.items():
        assert found[name].dtype == bool
        assert np.array_equal(found[name], mask)


@pytest.mark.parametrize("kind", ["16 bits", "float64", "float32", "float16"])
def test_maps_of_probability_are_what_was_saved(tmp_path: Path, kind: str) -> None:
    for name, values in maps().items():
        if kind == "16 bits":
            save_16(tmp_path / f"{name}.png", values * 65535)
        else:
            (tmp_path / f"{name}.npy").parent.mkdir(parents=True, exist_ok=True)
            np.save(tmp_path / f"{name}.npy", values.astype(kind))
    found = read(tmp_path)
    for name, values in maps().items():
        assert found[name].dtype == np.float32
        assert np.allclose(found[name], values, atol=1e-3 if kind == "float16" else 1e-6)


def test_arrays_and_functions_are_answers_too() -> None:
    masks = {name: blob(shape) for name, shape in SHAPES.items()}
    assert all(np.array_equal(values, masks[name]) for name, values in read(masks).items())
    answers = read(lambda image: image.pixels / 255)
    for sample in small_set().samples:
        assert np.allclose(answers[sample.name], sample.read()[0].pixels / 255)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[0, 1]]), [[False, True]]),
        (np.array([[0, 255]], np.uint8), [[False, True]]),
        (np.array([[7, 0]], np.int64), [[True, False]]),
        (np.array([[9, 9]]), [[True, True]]),
        (np.array([[False, True]]), [[False, True]]),
        (np.array([[-1e-7, 1 + 1e-7]]), [[0.0, 1.0]]),
    ],
)
def test_numbers_mean_a_mask_or_a_map(values: np.ndarray, expected: list[list[float]]) -> None:
    found = answered(values, (1, 2), "it")
    assert found.tolist() == expected
    assert found.dtype == (np.float32 if values.dtype.kind == "f" else bool)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.array([[0.0, 1.1]]), r"it has values from 0 to 1.1; probabilities lie in \[0, 1\]"),
        (np.array([[-0.1, 1.0]]), "it has values from -0.1 to 1"),
        (np.array([[np.nan, 1.0]]), "it has values from nan to nan"),
        (np.array([[np.inf, 1.0]]), "it has values from 1 to inf"),
        (np.array([[1, 2]]), "it has 2 levels; a mask has 0 and one other"),
        (np.array([["a", "b"]]), "it has <U1 values"),
        (np.zeros((2, 1), bool), "it is 2 x 1 pixels, its image 1 x 2; they must be of one size"),
        (np.zeros((1, 1, 2)), r"it is an array of \(1, 1, 2\)"),
    ],
)
def test_what_is_no_answer_is_refused(values: np.ndarray, message: str) -> None:
    with pytest.raises(UserError, match=message):
        answered(values, (1, 2), "it")


class Tensor:
    """What refuses to be an array, as a tensor does that requires a gradient."""

    def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
        raise RuntimeError("use detach")


@pytest.mark.parametrize("values", [[[0, 1], [0]], Tensor()])
def test_what_cannot_be_made_an_array_is_a_sentence(values: object) -> None:
    with pytest.raises(UserError, match="it cannot be read as an array"):
        answered(values, (1, 2), "it")  # type: ignore[arg-type]


@pytest.mark.parametrize("given", [5, None, np.zeros((2, 2))])
def test_what_is_no_answer_at_all_is_a_sentence(given: object) -> None:
    with pytest.raises(UserError, match=f"what is given is {type(given).__name__}; a folder"):
        read(given)


def test_grey_levels_in_8_bits_are_no_mask(tmp_path: Path) -> None:
    write(tmp_path / "benign (1).png", np.arange(24 * 32, dtype=np.uint8).reshape(24, 32))
    with pytest.raises(UserError, match=r"benign \(1\)\.png has 256 levels"):
        read(tmp_path)


def test_a_mask_of_signed_numbers_is_a_mask() -> None:
    mask = blob((24, 32))
    found = answered((mask * 255).astype(np.int8), (24, 32), "x")
    assert np.array_equal(found, mask)


def test_a_mask_of_8_bits_among_them_does_not_excuse_those_of_16(tmp_path: Path) -> None:
    for place, (name, shape) in enumerate(SHAPES.items()):
        if place:
            save_16(tmp_path / f"{name}.png", blob(shape) * 255)
        else:
            write(tmp_path / f"{name}.png", blob(shape))
    with pytest.raises(UserError, match="hold no more than 255"):
        read(tmp_path)


def test_a_mask_in_16_bits_is_refused_and_a_silent_map_is_not(tmp_path: Path) -> None:
    for name, shape in SHAPES.items():
        save_16(tmp_path / f"{name}.png", blob(shape) * 255)
    with pytest.raises(UserError, match="hold no more than 255"):
        read(tmp_path)
    for name, shape in SHAPES.items():
        save_16(tmp_path / f"{name}.png", blob(shape) * 0)
    assert not any(values.any() for values in read(tmp_path).values())
    save_16(tmp_path / "benign (2).png", blob(SHAPES["benign (2)"]) * 60000)
    assert read(tmp_path)["benign (2)"].max() == pytest.approx(60000 / 65535)


def test_a_faint_map_among_others_is_a_map_all_the_same(tmp_path: Path) -> None:
    for name, shape in SHAPES.items():
        save_16(tmp_path / f"{name}.png", blob(shape) * (200 if name == "benign (2)" else 60000))
    found = read(tmp_path)
    assert found["benign (2)"].dtype == np.float32
    assert found["benign (2)"].max() == pytest.approx(200 / 65535)


def test_a_file_of_several_pages_is_no_mask(tmp_path: Path) -> None:
    page = PIL.Image.fromarray(blob())
    page.save(tmp_path / "benign (1).tif", save_all=True, append_images=[page])
    with pytest.raises(UserError, match=r"benign \(1\)\.tif has 2 pages; a mask or a map is one picture"):
        read(tmp_path)


def predict_as_nnunet(folder: Path, told: dict[str, str] | None = None) -> None:
    """What nnU-Net leaves where it predicted: labels by the names of ``data convert``, plans, and with --npz maps."""
    for name, file in zip(SHAPES, ("benign_1", "malignant_1", "normal_1", "benign_2", "p_x"), strict=True):
        write(folder / f"{file}.png", blob(SHAPES[name]).astype(np.uint8) * 2)
        (folder / f"{file}.npz").write_bytes(b"")
        (folder / f"{file}.pkl").write_bytes(b"")
    write(folder / "postprocessed" / "benign_1.png", blob())
    for file, text in (told or {"dataset.json": "{}", "plans.json": "{}"}).items():
        (folder / file).write_text(text)


@pytest.mark.parametrize("told", [None, {"summary.json": json.dumps({"metric_per_case": []})}])
def test_the_folder_that_nnunet_predicted_into(tmp_path: Path, told: dict[str, str] | None) -> None:
    predict_as_nnunet(tmp_path, told)
    found = read(tmp_path)
    assert found.keys() == SHAPES.keys()
    assert all(np.array_equal(found[name], blob(shape)) for name, shape in SHAPES.items())


def test_elsewhere_what_lies_beside_masks_is_refused(tmp_path: Path) -> None:
    predict_as_nnunet(tmp_path, {"summary.json": "{}"})
    with pytest.raises(UserError, match=r"benign_1\.npz is no mask and no map"):
        read(tmp_path)


def test_a_file_of_no_image_and_two_of_one_are_refused_by_name(tmp_path: Path) -> None:
    write(tmp_path / "benign (1).png", blob())
    write(tmp_path / "benign_1.png", blob())
    with pytest.raises(UserError, match=r"benign \(1\)\.png and .*benign_1\.png are both of benign \(1\)"):
        read(tmp_path)
    (tmp_path / "benign_1.png").rename(tmp_path / "benign (3).png")
    write(tmp_path / "benign (4).png", blob())
    with pytest.raises(UserError, match=r"benign \(3\)\.png is of no image of small, and 1 more are not either"):
        read(tmp_path)
    with pytest.raises(UserError, match="'other' is of no image of small"):
        read({"other": blob()})


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("benign (1).png", b"\x89PNG\r\n\x1a\nhalf", "benign .1..png"),
        ("benign (1).npy", b"\x93NUMPY\x01\x00v\x00{'descr'", "cannot be read as an array"),
        ("benign (1).npy", b"nothing", "cannot be read as an array"),
        ("benign (1).npy", b"", "cannot be read as an array"),
        ("benign (1).txt", b"", "is no mask and no map"),
    ],
)
def test_damaged_files_are_refused_by_name(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message):
        read(tmp_path)


def test_a_cut_array_and_a_pickled_one_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "benign (1).npy", np.zeros((24, 32)))
    content = (tmp_path / "benign (1).npy").read_bytes()
    (tmp_path / "benign (1).npy").write_bytes(content[:-100])
    with pytest.raises(UserError, match="cannot be read as an array"):
        read(tmp_path)
    np.save(tmp_path / "benign (1).npy", np.array([{}], object), allow_pickle=True)
    with pytest.raises(UserError, match="cannot be read as an array"):
        read(tmp_path)
    with (tmp_path / "benign (1).npy").open("wb") as file:
        np.savez(file, a=np.zeros(3))
    with pytest.raises(UserError, match="holds several arrays"):
        read(tmp_path)


def test_places_that_hold_none(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.png").write_bytes(b"")
    for place, message in (("empty", "holds no masks"), ("file.png", "holds no COCO"), ("gone", "does not exist")):
        with pytest.raises(UserError, match=message):
            read(tmp_path / place)
