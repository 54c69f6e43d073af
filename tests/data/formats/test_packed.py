import pickle
from dataclasses import replace

import numpy as np
import pytest

from small_set import small_set
from sonoseg.data.crops import beside
from sonoseg.data.formats.packed import open_packed, to_packed
from sonoseg.data.samples import digest, digest_of
from sonoseg.data.sets.sources import open_set
from sonoseg.errors import UserError
from sonoseg.evaluation.judging import Candidate, judge
from sonoseg.images.marks import marks
from sonoseg.prediction.letterbox import whole
from sonoseg.prediction.predictor import Predictor


@pytest.fixture
def file(tmp_path):
    to_packed(small_set(), tmp_path / "small.npz", 32, crops=1)
    return tmp_path / "small.npz"


def test_the_set_comes_back_fitted_with_its_masks_as_they_were(file):
    original, data = small_set(), open_set(f"packed:{file}")
    assert (data.name, data.folds) == (original.name, original.folds)
    assert (data.grouping, data.citation, data.licence) == (original.grouping, original.citation, original.licence)
    for first, second in zip(original.samples, data.samples, strict=True):
        (image, mask), (packed, truth) = first.read(), pickle.loads(pickle.dumps(second.read))()
        assert (first.name, first.label) == (second.name, second.label)
        assert (image.shape, image.spacing) == (packed.shape, packed.spacing)
        assert np.array_equal(mask, truth)
        assert np.array_equal(whole(image, 32), whole(packed, 32))  # what a network meets, the same bytes
        assert digest_of(second, packed) == digest(image)
        assert second.marks == marks(image)


def test_it_is_judged_as_the_originals_are(file):
    predictor = Predictor(lambda frames: 20 * (np.float32(0.3) - frames), 32)
    candidate = Candidate(predictor, "dark", 0, 0, {"set": "other", "digests": ()})
    own, packed = (judge(candidate, data) for data in (small_set(), open_packed(str(file))))
    assert repr(own) == repr(packed)


def test_crops_travel_along(tmp_path):
    phantoms = open_set("phantom:20")
    to_packed(phantoms, tmp_path / "a.npz", 64, crops=1)
    data = open_packed(str(tmp_path / "a.npz"))
    cut = 0
    for first, second in zip(phantoms.samples, data.samples, strict=True):
        crops = beside(*first.read(), 1)
        assert [whole(crop, 64).tobytes() for crop, _ in crops] == [whole(crop, 64).tobytes() for crop in second.beside]
        cut += len(crops)
    assert cut > 0
    to_packed(phantoms, tmp_path / "a.npz", 64)
    assert all(sample.beside is None for sample in open_packed(str(tmp_path / "a.npz")).samples)


def test_a_set_packed_twice_has_the_digests_of_the_first(file):
    to_packed(open_packed(str(file)), file.with_name("again.npz"), 48)
    twice = open_packed(str(file.with_name("again.npz")))
    assert [sample.original for sample in twice.samples] == [digest(s.read()[0]) for s in small_set().samples]


def test_one_set_gives_one_file(file, tmp_path):
    checksum = to_packed(small_set(), tmp_path / "other.npz", 32, crops=1)
    assert (tmp_path / "other.npz").read_bytes() == file.read_bytes()
    renamed = replace(small_set(), licence="another")
    assert to_packed(renamed, tmp_path / "other.npz", 32, crops=1) != checksum


def test_a_file_that_was_cut_is_refused(file):
    whole = file.read_bytes()
    for kept in (0, 10, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:kept])
        with pytest.raises(UserError, match="is cut off, or no packed set"):
            open_packed(str(file))


@pytest.mark.parametrize("name", ["images", "masks", "crops", "record"])
def test_a_file_that_was_altered_is_refused(file, name):
    with np.load(file) as stored:
        arrays = dict(stored)
    arrays[name].ravel()[-1:] ^= 1
    np.savez_compressed(file, **arrays)
    with pytest.raises(UserError, match="was altered"):
        open_packed(str(file))


def test_what_is_none_of_ours_is_refused(file, tmp_path):
    np.savez(file, images=np.zeros(3))
    with pytest.raises(UserError, match="no packed set"):
        open_packed(str(file))
    np.save(tmp_path / "pickled.npy", np.array([{}], object), allow_pickle=True)
    (tmp_path / "pickled.npy").replace(file)
    with pytest.raises(UserError, match="no packed set"):
        open_packed(str(file))
    with pytest.raises(UserError, match="is a folder; a file is needed"):
        open_packed(str(tmp_path))
    with pytest.raises(UserError, match="does not exist"):
        open_packed(str(tmp_path / "nowhere.npz"))


@pytest.mark.parametrize(("name", "size", "said"), [("a.npz", 31, "size is 31"), ("a.zip", 32, "end with .npz")])
def test_a_size_and_a_name_that_cannot_be_are_refused(tmp_path, name, size, said):
    with pytest.raises(UserError, match=said):
        to_packed(small_set(), tmp_path / name, size)
    assert not list(tmp_path.iterdir())


def test_where_an_image_cannot_be_read_nothing_is_left(tmp_path):
    def broken():
        raise UserError("broken")

    samples = (*small_set().samples[:-1], replace(small_set().samples[-1], read=broken))
    with pytest.raises(UserError, match="broken"):
        to_packed(replace(small_set(), samples=samples), tmp_path / "a.npz", 32)
    assert not list(tmp_path.iterdir())


def test_busi_in_a_file(real_data, tmp_path):
    to_packed(open_set(f"busi:{real_data / 'BUSI'}"), tmp_path / "busi.npz", 128)
    assert (tmp_path / "busi.npz").stat().st_size < 15e6
    data = open_packed(str(tmp_path / "busi.npz"))
    assert (data.name, len(data.samples)) == ("busi", 780)
