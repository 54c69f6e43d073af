import logging

import numpy as np
import pytest

from sonoseg.data.sets.bus_uclm import open_bus_uclm
from sonoseg.errors import UserError
from trees import blob, grey, write

LABELS = {
    f"{patient}_{number:03d}": label
    for patient in ("ALWI", "ANAT", "COPE", "FLKA", "SIBA", "TEST")
    for number, label in enumerate(("Normal", "Benign", "Malignant"))
}
COLOURS = {"Normal": (0, 0, 0), "Benign": (0, 255, 0), "Malignant": (255, 0, 0)}


@pytest.fixture
def release(tmp_path):
    """The release's layout: INFO.csv with semicolons, masks in colour."""
    folder = tmp_path / "BUS-UCLM Breast ultrasound lesion segmentation dataset" / "BUS-UCLM"
    for number, (name, label) in enumerate(LABELS.items()):
        write(folder / "images" / f"{name}.png", grey(seed=number))
        write(folder / "masks" / f"{name}.png", blob()[..., None] * np.uint8(COLOURS[label]))
    lines = [f"{name}.png;ALWI;{label};No;No;No" for name, label in LABELS.items()]
    (folder / "INFO.csv").write_text(
        "\n".join(["Image;Resolution;Label;Doppler;Marks;Combined", *lines]), encoding="utf-8-sig"
    )
    return folder


def test_masks_of_both_colours_are_lesions_and_patients_are_whole(release):
    data = open_bus_uclm(str(release.parents[1]))
    assert len(data.samples) == 18
    assert data.folds.groups["ALWI_000"] == data.folds.groups["ALWI_002"] == "ALWI"
    assert data.folds.count == 5
    assert all(row.fold is not None for row in data.folds.rows)  # a patient with and without lesion stays in
    assert "patient" in data.grouping
    for sample in data.samples[:3]:
        assert sample.label == LABELS[sample.name].lower()
        assert np.array_equal(sample.read()[1], blob() if sample.label != "normal" else blob(size=0))


def test_an_image_that_was_cropped_without_its_mask_is_left_out_and_named(release, caplog):
    write(release / "images" / "COPE_001.png", grey((24, 20)))
    with caplog.at_level(logging.WARNING):
        data = open_bus_uclm(str(release))
    assert len(data.samples) == 17
    assert "COPE_001" not in data.folds.groups
    assert "1 images are left out" in caplog.text
    assert "COPE_001" in caplog.text


def test_files_must_fit_the_table(release):
    (release / "masks" / "FLKA_001.png").unlink()
    with pytest.raises(UserError, match=r"masks lacks 1 files that INFO\.csv lists, the first is FLKA_001"):
        open_bus_uclm(str(release))
    table = (release / "INFO.csv").read_text(encoding="utf-8")
    (release / "INFO.csv").write_text(table.replace("Malignant", "Bad"), encoding="utf-8")
    with pytest.raises(UserError, match=r"INFO\.csv, line 4, has the label 'Bad'"):
        open_bus_uclm(str(release))
    (release / "INFO.csv").write_text("Image,Label\n")
    with pytest.raises(UserError, match="has no column Image, Label"):
        open_bus_uclm(str(release))
    with pytest.raises(UserError, match="has no images, masks"):
        open_bus_uclm(str(release / "images"))
