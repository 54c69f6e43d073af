import pickle
from functools import partial

import numpy as np
import PIL.Image
import pytest

from sonoseg.data.folds import Folds, Row
from sonoseg.data.samples import DataSet, Sample, check_same_size, digest, picture_shape, read_pair, whole_groups
from sonoseg.errors import UserError
from sonoseg.images.image import Image
from trees import blob, grey, write


def test_a_pair_is_an_image_and_the_union_of_its_masks(tmp_path):
    image = write(tmp_path / "a.png", grey())
    masks = write(tmp_path / "m1.png", blob(left=2)), write(tmp_path / "m2.png", blob(left=20))
    read = pickle.loads(pickle.dumps(partial(read_pair, image, masks, (0.1, 0.2))))
    found, mask = read()
    assert np.array_equal(found.pixels, grey())
    assert found.spacing == (0.1, 0.2)
    assert np.array_equal(mask, blob(left=2) | blob(left=20))


def test_without_a_mask_file_nothing_is_lesion_and_without_spacing_there_is_none(tmp_path):
    image, mask = read_pair(write(tmp_path / "a.png", grey()), ())
    assert image.spacing is None
    assert mask.shape == (24, 32)
    assert not mask.any()


def test_a_mask_of_another_size_is_refused_by_name(tmp_path):
    image, mask = write(tmp_path / "a.png", grey()), write(tmp_path / "m.png", blob((24, 30)))
    with pytest.raises(UserError, match=r"m\.png is 24 x 30 pixels, its image a\.png is 24 x 32"):
        read_pair(image, (mask,))
    with pytest.raises(UserError, match=r"m\.png is 24 x 30"):
        check_same_size(image, picture_shape(image), mask, picture_shape(mask))


@pytest.mark.parametrize(("orientation", "shape"), [(1, (24, 32)), (3, (24, 32)), (6, (32, 24)), (8, (32, 24))])
def test_the_shape_of_a_picture_is_that_of_the_upright_one(tmp_path, orientation, shape):
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    PIL.Image.fromarray(grey()).save(tmp_path / "a.jpg", exif=exif)
    assert picture_shape(tmp_path / "a.jpg") == shape == read_pair(tmp_path / "a.jpg", ())[0].shape


def test_what_is_no_picture_has_no_shape(tmp_path):
    (tmp_path / "a.png").write_text("not a picture")
    with pytest.raises(UserError, match=r"a\.png is not a picture"):
        picture_shape(tmp_path / "a.png")


def test_a_label_must_be_known():
    with pytest.raises(ValueError, match="label must be one of"):
        Sample("a", "lump", lambda: None)


@pytest.mark.parametrize("names", [("a", "a"), ("a", "c")])
def test_every_sample_has_a_name_of_its_own_and_a_row_in_the_folds(names):
    samples = tuple(Sample(name, "benign", lambda: None) for name in names)
    folds = Folds((Row("a", "benign", "a", 0), Row("b", "benign", "b", 1)))
    with pytest.raises(ValueError, match="no row in the folds"):
        DataSet("x", "x:y", samples, folds, "none", "", "")


def test_whole_groups_are_kept_whole_and_carry_no_flags():
    labels = {f"{i} {j}": ("benign", "normal")[j] for i in range(12) for j in range(2)}
    groups = {name: name.split()[0] for name in labels}
    folds = whole_groups(labels, groups)
    assert folds.count == 5
    assert folds.groups == groups
    assert all(row.fold is not None and row.flags == () for row in folds.rows)


@pytest.mark.parametrize(("groups", "count"), [(1, 0), (2, 2), (4, 4), (5, 5), (9, 5)])
def test_few_groups_make_few_folds(groups, count):
    labels = {f"{i}": "unknown" for i in range(20)}
    assert whole_groups(labels, {name: str(int(name) % groups) for name in labels}).count == count


def test_a_digest_tells_pixels_and_shape_not_names():
    assert digest(Image(grey(), source="a")) == digest(Image(grey(), source="b"))
    assert len({digest(Image(pixels)) for pixels in (grey(), grey(seed=1), grey().reshape(32, 24))}) == 3
