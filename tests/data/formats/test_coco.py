import json
import pickle

import numpy as np
import pytest

from small_set import assert_same, small_set
from sonoseg.data.formats.coco import open_coco, open_results, to_coco
from sonoseg.data.samples import ALONE
from sonoseg.errors import UserError
from trees import blob, grey, write


@pytest.fixture
def written(tmp_path):
    to_coco(small_set(), tmp_path / "out")
    return tmp_path / "out" / "annotations.json"


def strange(tmp_path, **changed):
    """A file as other programs write it: polygons, own categories, names without a folder."""
    write(tmp_path / "images" / "a.png", grey())
    write(tmp_path / "images" / "b.png", grey())
    content = {
        "images": [
            {"id": 7, "file_name": "a.png", "width": 999, "height": 1, "license": 0},
            {"id": 9, "file_name": "b.png", "width": 32, "height": 24},
        ],
        "categories": [{"id": 1, "name": "Benign"}, {"id": 2, "name": "Malignant"}, {"id": 5, "name": "cyst"}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 1, "segmentation": [[8, 6, 17, 6, 17, 15, 8, 15]], "iscrowd": 0},
            {"id": 2, "image_id": 7, "category_id": 2, "segmentation": {"size": [24, 32], "counts": [0, 3, 765]}},
        ],
    }
    (tmp_path / "all.json").write_text(json.dumps(content | changed))
    return str(tmp_path / "all.json")


def test_what_was_written_is_read(written):
    data = open_coco(str(written))
    assert_same(small_set(), data)
    assert pickle.loads(pickle.dumps(data.samples[0].read))()[1].any()


def test_every_lesion_is_an_annotation(written):
    content = json.loads(written.read_text())
    images = {image["sonoseg"]["name"]: image for image in content["images"]}
    found = [a for a in content["annotations"] if a["image_id"] == images["malignant (1)"]["id"]]
    assert [(a["area"], a["bbox"]) for a in found] == [(16, [2, 2, 4, 4]), (25, [10, 12, 7, 7])]
    assert {a["category_id"] for a in found} == {2}
    assert not [a for a in content["annotations"] if a["image_id"] == images["normal (1)"]["id"]]
    assert (images["malignant (1)"]["width"], images["malignant (1)"]["height"]) == (20, 30)
    assert all((written.parent / image["file_name"]).is_file() for image in content["images"])


def test_files_of_other_programs_are_read(tmp_path):
    data = open_coco(strange(tmp_path))
    assert [(s.name, s.label) for s in data.samples] == [("a", "malignant"), ("b", "normal")]
    assert data.grouping == ALONE
    assert data.folds.count == 2
    expected = blob()
    expected[:3, 0] = True
    assert np.array_equal(data.samples[0].read()[1], expected)
    assert not data.samples[1].read()[1].any()


@pytest.mark.parametrize(("category", "label"), [(1, "benign"), (2, "malignant"), (5, "unknown"), (6, "unknown")])
def test_labels_come_from_categories(tmp_path, category, label):
    annotation = {"id": 1, "image_id": 9, "category_id": category, "segmentation": [[8, 6, 17, 6, 17, 15]]}
    assert open_coco(strange(tmp_path, annotations=[annotation])).samples[1].label == label


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"images": None}, "no right list 'images'"),
        ({"categories": [3]}, "no right list 'categories'"),
        ({"annotations": [{"image_id": [7]}]}, "no right list 'annotations'"),
        ({"annotations": [{"id": 1, "image_id": 8}]}, "annotations of images that it does not name: 8"),
        ({"images": []}, "annotations of images that it does not name"),
        ({"images": [], "annotations": []}, "names 0 images"),
        ({"images": [{"id": 7, "file_name": "c.png"}, {"id": 9, "file_name": "b.png"}]}, "c.png is not beside it"),
        ({"images": [{"id": 7, "file_name": "../c.png"}, {"id": 9}]}, r"\.\./c\.png lies outside"),
        ({"images": [{"id": 7, "file_name": "/etc/hostname"}]}, "does not name|lies outside"),
        ({"images": [{"id": 7, "file_name": "a.png"}, {"id": 9, "file_name": "a.png"}]}, "names 2 images, by 1 names"),
        (
            {
                "images": [
                    {"id": 7, "file_name": "a.png", "sonoseg": {"label": "lump"}},
                    {"id": 9, "file_name": "b.png"},
                ]
            },
            "a: label is 'lump'",
        ),
    ],
)
def test_what_is_no_such_file_is_refused(tmp_path, changed, message):
    with pytest.raises(UserError, match=message):
        open_coco(strange(tmp_path, **changed))


@pytest.mark.parametrize("segmentation", [None, {"size": [2, 2], "counts": [4]}, [[1, 2]], [[1, 1, 2, 2, 3, 10**400]]])
def test_an_annotation_that_does_not_fit_is_named_when_its_image_is_read(tmp_path, segmentation):
    annotations = [{"id": 4, "image_id": 9, "category_id": 1, "segmentation": segmentation}]
    with pytest.raises(UserError, match=r"annotation 4 of b\.png"):
        open_coco(strange(tmp_path, annotations=annotations)).samples[1].read()


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"a\.json cannot be read"):
        open_coco(str(tmp_path / "a.json"))
    (tmp_path / "a.json").write_text("[]")
    with pytest.raises(UserError, match="is no COCO file"):
        open_coco(str(tmp_path / "a.json"))


def test_a_folder_in_use_is_refused(written):
    with pytest.raises(UserError, match="is there already"):
        to_coco(small_set(), written.parent)


def results(path, entries):
    path.write_text(json.dumps(entries))
    return path


def answers(path, data, wanted=None):
    wanted = [sample.name for sample in data.samples] if wanted is None else wanted
    reads = open_results(path, data, wanted, 0.5)
    return {sample.name: reads[sample.name](sample.read()[0]) for sample in data.samples if sample.name in reads}


def test_detections_of_a_network_are_united_where_their_score_counts(written):
    full = {"size": [24, 32], "counts": [0, 768]}
    path = results(
        written.parent / "results.json",
        [
            {"image_id": 1, "category_id": 1, "segmentation": {"size": [24, 32], "counts": [5, 3, 760]}, "score": 0.5},
            {"image_id": 1, "category_id": 1, "segmentation": {"size": [24, 32], "counts": [9, 1, 758]}},
            {"image_id": 1, "category_id": 2, "segmentation": full, "score": 0.49},
            {"image_id": 4, "category_id": 2, "segmentation": full, "score": 0.1},
        ],
    )
    for data in (small_set(), open_coco(str(written))):
        found = answers(path, data)
        assert np.flatnonzero(found["benign (1)"].T.ravel()).tolist() == [5, 6, 7, 9]
        assert not any(found[name].any() for name in found.keys() - {"benign (1)"})
        assert len(found) == 5


def test_of_images_without_a_detection_those_that_are_wanted_are_silent(written):
    path = results(written.parent / "r.json", [{"image_id": 5, "segmentation": [], "score": 1}])
    assert answers(path, small_set(), ["benign (1)"]).keys() == {"benign (1)", "p/x"}


def test_a_file_of_annotations_is_an_answer_by_itself(written, tmp_path):
    moved = tmp_path / "answer.json"
    moved.write_bytes(written.read_bytes())
    for name, mask in answers(moved, small_set(), []).items():
        assert np.array_equal(mask, next(s for s in small_set().samples if s.name == name).read()[1])


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([{"image_id": 77, "segmentation": [], "score": 1}], "detection 0 has the image_id 77"),
        ([{"image_id": 1, "segmentation": [], "score": 1.5}], r"score 1.5; .* scores in \[0, 1\]"),
        ([{"image_id": 1, "segmentation": [], "score": "high"}], "score high"),
        ([{"image_id": 1, "bbox": [0, 0, 3, 3], "score": 1}], "annotation 0 of .* it is NoneType"),
        ([{"image_id": 1, "segmentation": {"size": [3, 3], "counts": [9]}}], "its size is"),
        ([3], "no right list 'results'"),
        ({"annotations": []}, "no right list 'images'"),
    ],
)
def test_what_are_no_results_is_refused(written, entries, message):
    path = results(written.parent / "r.json", entries)
    with pytest.raises(UserError, match=message):
        answers(path, small_set())


def test_results_without_the_images_that_their_ids_are_of(written, tmp_path):
    path = results(tmp_path / "r.json", [])
    with pytest.raises(
        UserError, match=r"annotations\.json, which tells the images of their ids, is not there"
    ) as caught:
        answers(path, small_set())
    assert "--data coco:" in caught.value.hint
    content = json.loads(written.read_text())
    content["images"][1] |= {"sonoseg": {"name": "benign (1)"}}
    (tmp_path / "annotations.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"benign \(1\) is in it twice"):
        answers(path, small_set())
    content["images"][1] |= {"sonoseg": {"name": "benign (9)"}}
    (tmp_path / "annotations.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"benign \(9\) is of no image of small"):
        answers(path, small_set())


def test_a_name_that_is_no_text_is_refused(written):
    content = json.loads(written.read_text(encoding="utf-8"))
    content["images"][1]["sonoseg"]["name"] = ["a"]
    written.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(UserError, match=r"annotations\.json: .* has the name \['a'\]; a text is needed"):
        open_results(written, small_set(), [], 0.5)


@pytest.mark.parametrize(("second", "message"), [(1, "has the id 1, as another image has"), (None, "has no id")])
def test_images_without_an_id_of_their_own_are_refused(written, second, message):
    content = json.loads(written.read_text())
    content["images"][1]["id"] = second
    for annotation in content["annotations"]:
        annotation["image_id"] = 1
    written.write_text(json.dumps(content))
    with pytest.raises(UserError, match=message):
        open_coco(str(written))
    with pytest.raises(UserError, match=message):
        open_results(written, small_set(), [], 0.5)
