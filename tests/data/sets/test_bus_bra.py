import csv
import pickle

import numpy as np
import pytest

from sonoseg.data.sets.bus_bra import open_bus_bra
from sonoseg.errors import UserError
from trees import blob, grey, write

CASES = [  # ID, case, pathology, kFold
    ("bus_0001-l", 1, "malignant", 3),
    ("bus_0001-r", 1, "malignant", 3),
    ("bus_0002-l", 2, "benign", 1),
    ("bus_0003-s", 3, "benign", 2),
    ("bus_0004-l", 4, "benign", 4),
    ("bus_0005-r", 5, "malignant", 5),
]


def make(folder, cases):
    """The release's layout with the columns that it has."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, (name, *_) in enumerate(cases):
        write(folder / "Images" / f"{name}.png", grey(seed=number))
        write(folder / "Masks" / f"mask_{name[4:]}.png", blob(left=number))
    with (folder / "bus_data.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["ID", "Case", "Histology", "Pathology", "BIRADS", "Device", "Width", "Height", "Side", "BBOX"])
        for name, case, pathology, _ in cases:
            table.writerow([name, case, "cyst", pathology, 4, "GE Logiq 7", 32, 24, "left", "[8,6,9,9]"])
    with (folder / "5-fold-cv.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["ID", "Pathology", "kFold", "valid_1", "valid_2", "valid_3", "valid_4", "valid_5"])
        for name, _, pathology, fold in cases:
            table.writerow([name, pathology, fold, 1, 1, "NaN", 1, 1])
    return folder


def test_patients_are_groups_and_the_folds_are_the_official_ones(tmp_path):
    make(tmp_path / "BUSBRA", CASES)
    data = open_bus_bra(str(tmp_path))
    assert [sample.name for sample in data.samples] == [name for name, *_ in CASES]
    assert [row.fold for row in data.folds.rows] == [2, 2, 0, 1, 3, 4]
    assert data.folds.groups["bus_0001-l"] == data.folds.groups["bus_0001-r"] == "case 1"
    assert data.folds.test(2) == ("bus_0001-l", "bus_0001-r")
    assert "patient" in data.grouping
    image, mask = pickle.loads(pickle.dumps(data.samples[3].read))()
    assert data.samples[3].label == "benign"
    assert np.array_equal(image.pixels, grey(seed=3))
    assert np.array_equal(mask, blob(left=3))


def test_a_part_whose_tables_were_cut_with_it_is_read(tmp_path):
    data = open_bus_bra(str(make(tmp_path, CASES[:4])))
    assert len(data.samples) == 4
    assert data.folds.count == 3


def test_files_and_tables_must_fit(tmp_path):
    folder = make(tmp_path, CASES)
    (folder / "Masks" / "mask_0003-s.png").unlink()
    with pytest.raises(UserError, match=r"Masks lacks 1 files that bus_data\.csv lists, the first is mask_0003-s"):
        open_bus_bra(str(folder))
    (folder / "Images" / "bus_0003-s.png").rename(folder / "Images" / "bus_0009-s.png")
    with pytest.raises(UserError, match=r"Images lacks 1 files .* bus_0003-s"):
        open_bus_bra(str(folder))
    (folder / "5-fold-cv.csv").unlink()
    with pytest.raises(UserError, match=r"has no 5-fold-cv\.csv"):
        open_bus_bra(str(folder))


@pytest.mark.parametrize(
    ("case", "message"),
    [
        (("bus_0006-l", 6, "lump", 1), "bus_0006-l has the label 'lump'"),
        (("bus_0006-l", 6, "benign", 6), "puts bus_0006-l into kFold '6'"),
        (("bus_0006-l", 1, "benign", 1), "group 'case 1' is in"),
        (("nus_0006-l", 6, "benign", 1), "has the ID 'nus_0006-l'"),
    ],
)
def test_what_the_tables_may_not_say(tmp_path, case, message):
    with pytest.raises(UserError, match=message):
        open_bus_bra(str(make(tmp_path, [*CASES, case])))


def test_the_real_files(real_data):
    data = open_bus_bra(str(real_data / "BUS-BRA"))
    full = len(data.samples) == 1875
    assert full or len(data.samples) == 1127
    assert data.folds.count == (5 if full else 3)
    assert len(set(data.folds.groups.values())) == (1064 if full else 638)
    for sample in data.samples[:: len(data.samples) // 5]:
        image, mask = sample.read()
        assert image.shape == mask.shape
        assert 0.001 < mask.mean() < 0.9
