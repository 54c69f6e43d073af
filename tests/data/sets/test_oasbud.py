import pickle

import numpy as np
import pytest
import scipy.io
import scipy.signal

from sonoseg.data.sets.oasbud import FIELDS, open_oasbud
from sonoseg.errors import UserError

SAMPLES, LINES = 160, 20


def echoes(seed, dark):
    """Pulses of random scatterers, weak where ``dark``."""
    rng = np.random.default_rng(seed)
    strength = rng.standard_normal((SAMPLES, LINES)) * np.where(dark, 0.02, 1)
    pulse = np.cos(np.arange(-8, 9) * 1.2) * np.hanning(17)
    return np.rint(500 * scipy.signal.convolve(strength, pulse[:, None], mode="same")).astype(np.int16)


def outline():
    mask = np.zeros((SAMPLES, LINES), np.uint8)
    mask[40:100, 5:15] = 1
    return mask


def save(path, classes, **changed):
    """A struct array as MATLAB saves it."""
    records = np.empty((1, len(classes)), [(field, object) for field in (*FIELDS[:5], "birads", "class")])
    for number, value in enumerate(classes):
        scans = [echoes(10 * number + plane, outline() == 1) for plane in (1, 2)]
        fields = dict(zip(FIELDS, (f"P{number}", *scans, outline(), outline(), value), strict=True)) | changed
        for field in FIELDS:
            records[0, number][field] = fields[field]
        records[0, number]["birads"] = "4a"
    scipy.io.savemat(path, {"data": records})
    return path


def test_each_lesion_is_two_images_of_one_group(tmp_path):
    save(tmp_path / "OASBUD.mat", [0, 1, 1])
    data = open_oasbud(str(tmp_path))
    assert [s.name for s in data.samples[:3]] == ["lesion 1 plane 1", "lesion 1 plane 2", "lesion 2 plane 1"]
    assert data.folds.groups["lesion 2 plane 1"] == data.folds.groups["lesion 2 plane 2"] == "id P1"
    assert data.folds.count == 3
    assert "lesion" in data.grouping


def test_the_image_shows_the_envelope_on_pixels_that_are_nearly_square(tmp_path):
    sample = open_oasbud(str(save(tmp_path / "OASBUD.mat", [0, 1]))).samples[0]
    image, mask = pickle.loads(pickle.dumps(sample.read))()
    assert image.shape == mask.shape == (SAMPLES // 4, LINES)
    assert np.array_equal(mask, outline()[::4] == 1)
    assert image.spacing == pytest.approx((0.077, 1.9))
    assert image.pixels[mask].mean() + 60 < image.pixels[~mask].mean()
    assert image.pixels.max() == 255


def test_the_class_of_52_is_malignant_and_without_it_none_is_known(tmp_path):
    full = open_oasbud(str(save(tmp_path / "full.mat", [0] * 52 + [1] * 48)))
    assert [s.label for s in full.samples] == ["malignant"] * 104 + ["benign"] * 96
    part = open_oasbud(str(save(tmp_path / "part.mat", [0, 1, 1])))
    assert {s.label for s in part.samples} == {"unknown"}


def test_what_is_no_such_file_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"OASBUD\.mat does not exist"):
        open_oasbud(str(tmp_path))
    (tmp_path / "OASBUD.mat").write_bytes(b"no MATLAB file at all" * 20)
    with pytest.raises(UserError, match="cannot be read as a MATLAB file"):
        open_oasbud(str(tmp_path))
    scipy.io.savemat(tmp_path / "OASBUD.mat", {"data": np.zeros(3)})
    with pytest.raises(UserError, match="its data has no id, rf1"):
        open_oasbud(str(tmp_path))
    save(tmp_path / "OASBUD.mat", [0, 1], roi1=outline()[:-1])
    with pytest.raises(UserError, match=r"lesion 1 plane 1 has echoes of shape \(160, 20\) and an outline of shape"):
        open_oasbud(str(tmp_path))
