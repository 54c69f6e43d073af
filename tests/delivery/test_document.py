import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from numpy.typing import NDArray

import sonoseg
from sonoseg.delivery import document
from sonoseg.delivery.document import Document, Source
from sonoseg.images.image import Image
from sonoseg.prediction.predictor import Model, Predictor
from tiny_model import scan

SCHEMA = json.loads((Path(sonoseg.__file__).parent / "delivery" / "schema" / "prediction-1.json").read_text())
SOURCE = Source("folder/scan.png", "ab" * 32)


def darkness(frames: NDArray[np.float32]) -> NDArray[np.float32]:
    return 20 * (np.float32(0.3) - frames)


def both(frames: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Presence 1 / (1 + e) = 0.2689 in every image."""
    return darkness(frames), np.full(len(frames), -1, np.float32)


PREDICTOR = Predictor(darkness, 64, smallest_lesion=0.001, model=Model("tiny", "cd" * 32, "test", "float32"))
TELLING = replace(PREDICTOR, network=both, least_presence=0.0)
SILENT = replace(TELLING, least_presence=0.5)


def described(image: Image, source: Source = SOURCE, predictor: Predictor = PREDICTOR) -> Document:
    prediction = predictor.predict(image)
    return document.describe(image, predictor, source, {"mask": "scan_mask.png"}, document.findings(prediction))


def clip(predictor: Predictor = PREDICTOR) -> Document:
    frames = [
        {"frame": number, "seconds": number / 10, **document.findings(predictor.predict(scan(lesion=lesion)))}
        for number, lesion in ((1, True), (2, False))
    ]
    return document.describe(scan(), predictor, SOURCE, {}, {"frames": frames})


@pytest.mark.parametrize("image", [scan(), scan(spacing=(0.2, 0.1)), scan(lesion=False)])
def test_documents_keep_the_published_schema(image: Image) -> None:
    found = json.loads(document.encoded(described(image)))
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(found, SCHEMA)
    for broken in ({**found, "extra": 1}, {**found, "unit": "cm"}, {**found, "frames": []}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(broken, SCHEMA)


def test_every_key_has_a_line() -> None:
    told = described(scan())
    lines = document.encoded(told).decode().splitlines()
    assert (lines[0], lines[-1]) == ("{", "}")
    assert [line.partition('"')[2].partition('"')[0] for line in lines[1:-1]] == list(told)


def test_clips_keep_the_published_schema() -> None:
    jsonschema.validate(json.loads(document.encoded(clip())), SCHEMA)


def test_presence_is_told_where_the_network_tells_it() -> None:
    plain, told, silent = (described(scan(), predictor=each) for each in (PREDICTOR, TELLING, SILENT))
    assert "presence" not in plain
    assert "least_presence" not in plain["settings"]
    assert (told["presence"], told["settings"]["least_presence"], len(told["lesions"])) == (0.2689, 0.0, 1)
    assert (silent["presence"], silent["settings"]["least_presence"], silent["lesions"]) == (0.2689, 0.5, [])
    assert silent["confidence"] == pytest.approx(1 - silent["presence"], abs=1e-4)
    of_clip = clip(TELLING)
    assert [frame["presence"] for frame in of_clip["frames"]] == [0.2689, 0.2689]
    for found in (told, silent, of_clip):
        jsonschema.validate(json.loads(document.encoded(found)), SCHEMA)
    frames = of_clip["frames"]
    for broken in (
        {**told, "presence": 1.5}, {**told, "presence": None}, {**of_clip, "presence": 0.5},
        {**told, "settings": {**told["settings"], "least_presence": -0.1}},
        {**of_clip, "frames": [{**frames[0], "presence": -1}, frames[1]]},
    ):  # fmt: skip
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(broken, SCHEMA)


def test_presence_is_said_and_stands_in_the_tables() -> None:
    told, silent = (described(scan(), predictor=each) for each in (TELLING, SILENT))
    lines = document.sentences(told)
    assert lines[1:] == ["Presence of a lesion 0.27.", "In pixels: the spacing is not known."]
    assert lines[0] == document.sentences(described(scan()))[0]
    assert document.sentences(silent) == ["No lesion outlined (confidence 0.73, presence 0.27)."]
    assert [row["presence"] for each in (told, silent, described(scan())) for row in document.rows(each)] == [
        0.2689, 0.2689, "",
    ]  # fmt: skip
    assert [row["presence"] for row in document.size_rows(clip(TELLING))] == [0.2689, 0.2689]
    assert [row["presence"] for row in document.size_rows(clip())] == ["", ""]


def test_version_model_and_notice_are_named() -> None:
    found = described(scan())
    assert found["sonoseg"] == sonoseg.__version__
    assert found["model"] == {"name": "tiny", "checksum": "cd" * 32, "backend": "test", "precision": "float32"}
    assert "not a medical device" in found["notice"]
    assert "BI-RADS" in found["caution"]


def test_sentences_say_size_or_that_there_is_none() -> None:
    assert document.sentences(described(scan(spacing=(0.1, 0.1))))[0].startswith(
        "1: 7.9 x 3.9 mm, depth / width about 0.49"
    )
    assert document.sentences(described(scan()))[-1] == "In pixels: the spacing is not known."
    assert document.sentences(described(scan(lesion=False)))[0].startswith("No lesion outlined (confidence ")
    assert document.sentences(clip()) == ["A lesion is outlined in 1 of 2 frames."]


def test_rows_have_the_columns_of_the_table() -> None:
    (row,) = document.rows(described(scan(spacing=(0.1, 0.1))))
    assert set(row) == set(document.COLUMNS)
    assert (row["file"], row["page"], row["lesions"], row["lesion"], row["unit"]) == ("folder/scan.png", "", 1, 1, "mm")
    (empty,) = document.rows(described(scan(lesion=False), Source("a.tif", "ab" * 32, page=2, pages=3)))
    assert set(empty) < set(document.COLUMNS)
    assert (empty["page"], empty["lesions"]) == (2, 0)
    assert document.rows(clip()) == []


def test_a_clip_has_a_row_for_each_frame() -> None:
    first, second = document.size_rows(clip())
    assert set(first) == set(document.SIZE_COLUMNS)
    assert first["longest_diameter"] == pytest.approx(80, abs=3)
    assert "longest_diameter" not in second
    assert (second["frame"], second["seconds"], second["lesions"]) == (2, 0.2, 0)


def test_finished_work_is_known_by_file_model_and_settings() -> None:
    found = json.loads(document.encoded(described(scan())))
    assert document.is_from(found, PREDICTOR, SOURCE)
    others = [
        (Predictor(darkness, 64, model=PREDICTOR.model), SOURCE),
        (SILENT, SOURCE),
        (PREDICTOR, Source("folder/scan.png", "ee" * 32)),
        (PREDICTOR, Source("folder/scan.png", "ab" * 32, spacing=(0.1, 0.1))),
    ]
    assert not any(document.is_from(found, predictor, source) for predictor, source in others)
    assert not document.is_from([], PREDICTOR, SOURCE)


def test_coco_has_polygons_in_its_own_coordinates() -> None:
    found = document.coco([described(scan()), described(scan(lesion=False))])
    assert [image["id"] for image in found["images"]] == [1, 2]
    (annotation,) = found["annotations"]
    (polygon,) = annotation["segmentation"]
    left, top, width, height = annotation["bbox"]
    assert (min(polygon[::2]), max(polygon[::2])) == (left, left + width)
    assert (min(polygon[1::2]), max(polygon[1::2])) == (top, top + height)
    assert annotation["area"] == described(scan())["lesions"][0]["pixels"]


def test_coco_has_run_lengths_where_there_are_holes() -> None:
    image = scan()
    image.pixels[55:66, 80:100] = 180
    (annotation,) = document.coco([described(image)])["annotations"]
    counts = annotation["segmentation"]["counts"]
    assert sum(counts) == 120 * 160
    mask = np.repeat(np.arange(len(counts)) % 2, counts).reshape(160, 120).T.astype(bool)
    assert np.array_equal(mask, PREDICTOR.predict(image).mask)
