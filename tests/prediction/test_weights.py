"""What is shipped in the package: the default model and its card."""

import json
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

import sonoseg
from sonoseg.data.sets.sources import open_set
from sonoseg.errors import UserError
from sonoseg.evaluation import judging
from sonoseg.files import checksum
from sonoseg.prediction import modelfile
from sonoseg.prediction.runtime import BACKENDS
from sonoseg.reports import card

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def default() -> Path:
    return modelfile.resolve("default")


def test_it_is_in_the_package_and_small(default: Path) -> None:
    assert resources.files("sonoseg").joinpath("prediction", "weights", "default.onnx").is_file()
    assert default.stat().st_size <= 12_000_000


def test_the_card_is_made_from_its_record(default: Path) -> None:
    written = card.write(modelfile.read_record(default), checksum(default))
    assert (ROOT / "MODEL_CARD.md").read_text(encoding="utf-8") == written


def test_the_scores_are_those_that_the_program_wrote(default: Path) -> None:
    scores = modelfile.read_record(default)["scores"]
    summary = json.loads((ROOT / "results" / "default" / "summary.json").read_text(encoding="utf-8"))
    (found,) = summary["models"].values()
    assert all(scores[key] == found[key] for key in ("lesion", "normal", "detection"))
    assert found["folds"] == list(range(scores["folds"]))


def test_it_finds_a_lesion_and_answers_the_same_twice() -> None:
    sample = next(sample for sample in open_set("phantom:20").samples if sample.label != "normal")
    image, _ = sample.read()
    predictor = sonoseg.load("default", backend="onnxruntime")
    first, second = predictor.predict(image), predictor.predict(image)
    assert first.mask.shape == image.shape
    assert np.array_equal(first.probability, second.probability)
    assert 0 <= first.probability.min() <= first.probability.max() <= 1


def test_its_masks_are_the_same_on_every_backend() -> None:
    pytest.importorskip("openvino")
    images = [sample.read()[0] for sample in open_set("phantom:20").samples[:10]]
    differing = sum(
        np.count_nonzero(one.mask != other.mask)
        for one, other in zip(*(sonoseg.load(backend=name).predict_batch(images) for name in BACKENDS), strict=True)
    )
    assert differing <= 1e-4 * sum(image.pixels.size for image in images)


def test_it_outlines_what_is_there_and_is_not_judged_on_it(real_data: Path) -> None:
    busi = open_set(f"busi:{real_data / 'BUSI'}")
    lesions = [sample for sample in busi.samples if sample.label != "normal"][::40]
    predictor = sonoseg.load("default")
    scores = []
    for sample in lesions:
        image, truth = sample.read()
        drawn = predictor.predict(image).mask
        scores.append(2 * (drawn & truth).sum() / (drawn.sum() + truth.sum()))
    assert np.mean(scores) > 0.7  # seen in training: only whether the file, the frame and the scale are right
    with pytest.raises(UserError, match="trained on the whole of busi"):
        judging.judge(judging.of_model("default"), busi)
