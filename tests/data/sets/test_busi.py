import pickle

import numpy as np
import pytest

from sonoseg.data.folds import shipped
from sonoseg.data.sets.busi import CLASSES, open_busi
from sonoseg.errors import UserError
from trees import blob, grey, write


@pytest.fixture
def release(tmp_path):
    """The release's names, most of them empty files."""
    for row in shipped("busi").rows:
        folder = tmp_path / "Dataset_BUSI_with_GT" / row.image.split()[0]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{row.image}.png").touch()
        (folder / f"{row.image}_mask.png").touch()
    return tmp_path


def test_the_release_is_read_from_its_folder_or_the_one_above(release):
    above, inner = open_busi(str(release)), open_busi(str(release / "Dataset_BUSI_with_GT"))
    assert [sample.name for sample in above.samples] == [sample.name for sample in inner.samples]
    assert len(above.samples) == 780
    assert [sample.name for sample in above.samples[:2]] == ["benign (1)", "benign (2)"]
    assert {sample.label for sample in above.samples} == set(CLASSES)
    assert above.folds == shipped("busi")
    assert "copies" in above.grouping
    assert "10.1016/j.dib.2019.104863" in above.citation


def test_several_masks_are_united_whatever_their_mode(release):
    folder = release / "Dataset_BUSI_with_GT" / "benign"
    write(folder / "benign (4).png", np.dstack([grey()] * 3))
    write(folder / "benign (4)_mask.png", np.dstack([blob(left=2) * np.uint8(255)] * 3))
    opaque = np.full((24, 32), 255, np.uint8)
    write(folder / "benign (4)_mask_1.png", np.dstack([blob(left=20) * np.uint8(255)] * 3 + [opaque]))
    sample = next(s for s in open_busi(str(release)).samples if s.name == "benign (4)")
    image, mask = pickle.loads(pickle.dumps(sample.read))()
    assert np.array_equal(image.pixels, grey())
    assert not image.coloured
    assert np.array_equal(mask, blob(left=2) | blob(left=20))


def test_a_missing_folder_file_or_mask_is_named(release, tmp_path):
    inner = release / "Dataset_BUSI_with_GT"
    with pytest.raises(UserError, match="is not a folder"):
        open_busi(str(tmp_path / "nowhere"))
    (tmp_path / "half" / "benign").mkdir(parents=True)
    with pytest.raises(UserError, match="no folder malignant, normal"):
        open_busi(str(tmp_path / "half"))
    (inner / "normal" / "normal (7)_mask.png").rename(inner / "normal" / "kept")
    with pytest.raises(UserError, match=r"normal \(7\)\.png has no mask"):
        open_busi(str(release))
    (inner / "normal" / "normal (7).png").unlink()
    with pytest.raises(UserError, match=r"lacks 1 of the release's 780 images, the first is normal \(7\)"):
        open_busi(str(release))
    (inner / "normal" / "kept").rename(inner / "normal" / "normal (7)_mask.png")
    with pytest.raises(UserError, match=r"normal \(7\)_mask\.png is a mask without its image"):
        open_busi(str(release))


def test_an_image_that_the_release_does_not_have_is_named(release):
    folder = release / "Dataset_BUSI_with_GT" / "benign"
    (folder / "benign (999).png").touch()
    (folder / "benign (999)_mask.png").touch()
    with pytest.raises(UserError, match=r"holds 1 images that the release does not have, the first is benign \(999\)"):
        open_busi(str(release))


def test_the_real_files(real_data):
    data = open_busi(str(real_data / "BUSI"))
    assert len(data.samples) == 780
    image, mask = next(s for s in data.samples if s.name == "benign (195)").read()
    assert image.shape == mask.shape
    assert mask.any()
