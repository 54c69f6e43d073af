import pickle

import numpy as np
import pytest

from sonoseg.data.folds import Folds, Row
from sonoseg.data.folds import write as write_folds
from sonoseg.data.samples import ALONE
from sonoseg.data.sets.folder import open_folder
from sonoseg.errors import UserError
from trees import blob, grey, write


def names(data):
    return [sample.name for sample in data.samples]


def test_images_and_masks_with_equal_names(tmp_path):
    for number in (2, 10, 1):
        write(tmp_path / "images" / f"scan {number}.png", grey(seed=number))
        write(tmp_path / "masks" / f"scan {number}.bmp", blob(left=number))
    (tmp_path / "readme.txt").write_text("beside the two folders anything may lie")
    (tmp_path / "images" / ".DS_Store").write_text("")
    (tmp_path / "masks" / "Thumbs.db").write_text("")
    data = open_folder(str(tmp_path))
    assert names(data) == ["scan 1", "scan 2", "scan 10"]
    assert data.grouping == ALONE
    assert data.folds.count == 3
    assert len(set(data.folds.groups.values())) == 3
    image, mask = pickle.loads(pickle.dumps(data.samples[2].read))()
    assert np.array_equal(image.pixels, grey(seed=10))
    assert np.array_equal(mask, blob(left=10))
    assert image.spacing is None


def test_masks_beside_their_images_are_united(tmp_path):
    write(tmp_path / "a.png", grey())
    write(tmp_path / "a_mask.png", blob(left=2))
    write(tmp_path / "a_mask_1.png", blob(left=20))
    write(tmp_path / "b.jpg", grey())
    write(tmp_path / "b_mask.png", blob(size=0))
    data = open_folder(str(tmp_path))
    assert names(data) == ["a", "b"]
    assert np.array_equal(data.samples[0].read()[1], blob(left=2) | blob(left=20))
    assert not data.samples[1].read()[1].any()


def test_folders_tell_labels(tmp_path):
    for label in ("Benign", "malignant", "other"):
        write(tmp_path / label / "1.png", grey())
        write(tmp_path / label / "1_mask.png", blob())
    data = open_folder(str(tmp_path))
    assert [(s.name, s.label) for s in data.samples] == [
        ("Benign/1", "benign"),
        ("malignant/1", "malignant"),
        ("other/1", "unknown"),
    ]


@pytest.mark.parametrize(
    ("image", "mask", "query"),
    [
        ("scans/{}.png", "truth/{}_seg.png", "images=scans/*.png&masks=truth/*_seg.png"),
        ("{}.png", "{}_lesion.png", "images=*.png&masks=*_lesion.png"),
        ("p{}/image.png", "p{}/mask.png", "images=p*/image.png&masks=p*/mask.png"),
        ("x/y/{}.png", "masks/x/y/{}.png", "images=x/**/*.png&masks=masks/x/**/*.png"),
        ("Test_Image_{}.png", "mask_{}.png", "images=Test_Image_?.png&masks=mask_?.png"),
    ],
)
def test_patterns_pair_by_what_their_wild_cards_stand_for(tmp_path, image, mask, query):
    for number in (1, 2):
        write(tmp_path / image.format(number), grey(seed=number))
        write(tmp_path / mask.format(number), blob(left=number))
    data = open_folder(f"{tmp_path}?{query}")
    assert [name[-1] for name in names(data)] == ["1", "2"]
    assert np.array_equal(data.samples[1].read()[1], blob(left=2))


def test_a_pattern_may_find_several_masks(tmp_path):
    write(tmp_path / "a.png", grey())
    for number, left in enumerate((2, 20)):
        write(tmp_path / f"a_lesion{number}.png", blob(left=left))
    data = open_folder(f"{tmp_path}?images=*.png&masks=*_lesion*.png")
    assert names(data) == ["a"]
    assert np.array_equal(data.samples[0].read()[1], blob(left=2) | blob(left=20))


def test_a_manifest_tells_groups_folds_and_spacing(tmp_path):
    for name in "abc":
        write(tmp_path / f"{name}.png", grey())
        write(tmp_path / f"{name}m.png", blob())
    (tmp_path / "list.csv").write_text(
        "image,mask,patient,fold,spacing_row,spacing_column\n"
        "a.png,am.png,P1,1,0.1,0.2\nb.png,bm.png,P1,1,,\nc.png,cm.png,P2,0,,\n"
    )
    data = open_folder(str(tmp_path / "list.csv"))
    assert data.folds.groups["a"] == data.folds.groups["b"] != data.folds.groups["c"]
    assert [row.fold for row in data.folds.rows] == [1, 1, 0]
    assert data.grouping == "patient of the manifest (copies were not looked for)"
    assert data.samples[0].read()[0].spacing == (0.1, 0.2)


def test_what_groups_or_patients_link_is_one_group(tmp_path):
    rows = ["image,mask,patient,group"]
    for name, patient, group in [("a", "P1", "g1"), ("b", "", "g1"), ("c", "P1", ""), ("d", "", ""), ("e", "", "")]:
        write(tmp_path / f"{name}.png", grey())
        write(tmp_path / f"{name}m.png", blob())
        rows.append(f"{name}.png,{name}m.png,{patient},{group}")
    (tmp_path / "list.csv").write_text("\n".join(rows))
    data = open_folder(str(tmp_path / "list.csv"))
    assert data.folds.groups == {"a": "a", "b": "a", "c": "a", "d": "d", "e": "e"}
    assert data.grouping.startswith("patient and group of the manifest")
    assert data.folds.count == 3


def test_a_file_of_folds_counts_where_it_is_given(tmp_path):
    for name in "ab":
        write(tmp_path / "set" / f"{name}.png", grey())
        write(tmp_path / "set" / f"{name}_mask.png", blob())
    folds = Folds((Row("a", "unknown", "a", 0, ("copy",)), Row("b", "unknown", "a", 0, ("copy",))))
    write_folds(tmp_path / "folds.csv", folds)
    data = open_folder(f"{tmp_path / 'set'}?folds={tmp_path / 'folds.csv'}")
    assert data.folds == folds
    assert data.grouping == "groups of folds.csv"
    write(tmp_path / "set" / "c.png", grey())
    write(tmp_path / "set" / "c_mask.png", blob())
    with pytest.raises(UserError, match=r"folds\.csv and the set differ in 1 images, the first is c"):
        open_folder(f"{tmp_path / 'set'}?folds={tmp_path / 'folds.csv'}")


def test_one_image_alone_is_a_set_without_folds(tmp_path):
    write(tmp_path / "a.png", grey())
    write(tmp_path / "a_mask.png", blob())
    data = open_folder(str(tmp_path))
    assert len(data.samples) == 1
    assert data.folds.count == 0


def spoil_nothing(folder):
    (folder / "notes").mkdir()


def spoil_image(folder):
    write(folder / "a.png", grey())


def spoil_mask(folder):
    write(folder / "a_mask.png", blob())


def spoil_type(folder):
    spoil_image(folder), spoil_mask(folder)
    (folder / "table.xlsx").write_text("x")


def spoil_content(folder):
    spoil_mask(folder)
    (folder / "a.png").write_text("no picture")


def spoil_sizes(folder):
    spoil_image(folder), spoil_mask(folder)
    write(folder / "a_mask_1.png", blob((20, 20)))


def spoil_names(folder):
    spoil_image(folder), spoil_mask(folder)
    write(folder / "a.bmp", grey())


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (spoil_nothing, "holds no image with a mask"),
        (spoil_image, r"a\.png has no mask"),
        (spoil_mask, r"a_mask\.png is a mask without its image a"),
        (spoil_type, r"table\.xlsx is no picture"),
        (spoil_content, r"a\.png is not a picture that can be read"),
        (spoil_sizes, r"a_mask_1\.png is 20 x 20 pixels, its image a\.png is 24 x 32"),
        (spoil_names, r"a\.bmp and .*a\.png have one name"),
    ],
)
def test_a_folder_that_is_no_set_is_refused_by_name(tmp_path, spoil, message):
    spoil(tmp_path)
    with pytest.raises(UserError, match=message) as caught:
        open_folder(str(tmp_path))
    assert caught.value.hint


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("?size=3", "does not know 'size=3'"),
        ("?images=*.png", "go together"),
        ("?images=a.png&masks=b.png", "has 0 wild cards"),
        ("?images=*/*.png&masks=*.png", "has 2 wild cards, masks=.* has 1"),
        ("?images=x*.png&masks=y*.png", "holds no image with a mask"),
        ("/nowhere", "is no folder and no CSV file"),
    ],
)
def test_options_that_mean_nothing_are_refused(tmp_path, query, message):
    with pytest.raises(UserError, match=message):
        open_folder(f"{tmp_path}{query}")
