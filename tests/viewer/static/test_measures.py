"""The page measures as the library does: the same masks, the same numbers."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serving import served
from sonoseg.images import masks
from sonoseg.images.image import Image, Window
from sonoseg.prediction.predictor import Prediction, Predictor
from sonoseg.viewer.coding import STEPS

MEASURES = (
    "area", "longest_diameter", "perpendicular_diameter", "depth", "width", "depth_to_width", "orientation",
    "circularity", "solidity", "confidence", "pixels",
)  # fmt: skip

ASK = """async (text) => {
    const { confidence, cut, measure, totals } = await import("/static/js/measures.js");
    const masks = await import("/static/js/masks.js");
    return JSON.stringify(JSON.parse(text).map(({ steps, presence, threshold, rules, spacing, ...frame }) => {
        const probability = Uint16Array.from(steps), mask = cut(probability, presence, frame, threshold, rules);
        const lesions = measure(mask, probability, spacing), runs = masks.encode(mask);
        const again = masks.decode(runs).data.every((value, n) => value === mask.data[n]);
        return { lesions, runs, again, confidence: confidence(totals(probability), presence, lesions) };
    }));
}"""


def example(seed: int) -> dict[str, Any]:
    """A probability map of blobs, speckle, holes, lines or nothing, with rules and spacing."""
    rng = np.random.default_rng(seed)
    height, width = (int(side) for side in rng.integers(16, 70, 2))
    rows, columns = np.mgrid[:height, :width]
    field = rng.random((height, width)) * (0.9 if seed % 5 == 0 else 0.2)
    for _ in range(rng.integers(0, 5)):
        row, column, tall, wide = rng.random(4) * (height, width, height / 3, width / 3) + (0, 0, 1, 1)
        inside = ((rows - row) / tall) ** 2 + ((columns - column) / wide) ** 2
        field = np.where((inside < 1) & ~((inside < 0.2) & bool(rng.integers(2))), rng.uniform(0.4, 0.99), field)
    windows = list[list[int]]()
    if seed % 4 == 1:  # side by side, as two views of a breast
        left = width // 2
        windows = [[1, 0, height - 2, left], [0, left, height, width - left - 1]]
        shown = np.zeros((height, width), bool)
        for window in windows:
            shown[Window(*window).part] = True
        field = field * shown
    return {
        "windows": windows, "width": width, "height": height,
        "steps": np.floor(field * STEPS).astype(int).ravel().tolist(),
        "threshold": round(float(rng.uniform(0.2, 0.8)), 2),
        "rules": {
            "smallest_lesion": float(rng.choice([0, 0.01])), "least_confidence": float(rng.choice([0, 0.6])),
            "least_presence": [None, 0.0, 0.3][seed // 2 % 3],
        },
        "spacing": None if seed % 3 else [round(float(s), 3) for s in rng.uniform(0.05, 0.3, 2)],
        "presence": None if seed % 2 else 0.3 if seed % 14 == 0 else float(rng.random()),
    }  # fmt: skip


def expected(case: dict[str, Any]) -> Prediction:
    shape = case["height"], case["width"]
    steps, threshold = np.array(case["steps"]).reshape(shape), round(case["threshold"] * STEPS)
    predictor = Predictor(np.zeros_like, 32, threshold=float(np.float32(threshold / STEPS)), **case["rules"])
    probability = (steps / STEPS).astype(np.float32)
    windows, presence = tuple(Window(*window) for window in case["windows"]), case["presence"]
    image = Image(np.zeros(shape, np.uint8), tuple(case["spacing"]) if case["spacing"] else None, windows=windows)
    return predictor._prediction(image, iter([(probability[part.part], presence) for part in image.parts]))


def test_the_page_measures_as_the_library_does(browser: Any, tmp_path: Path) -> None:
    cases = [example(seed) for seed in range(150)]
    with served(tmp_path) as url:
        page = browser.new_page()
        page.goto(url)
        told = json.loads(page.evaluate(ASK, json.dumps(cases)))
        page.close()
    compared = silent = 0
    for number, (case, found) in enumerate(zip(cases, told, strict=True)):
        ours = expected(case)
        lesions, silent = ours.lesions, silent + (ours.presence is not None and not ours.mask.any())
        assert found["runs"] == masks.encode(ours.mask), number
        assert found["again"]
        assert found["confidence"] == pytest.approx(ours.confidence, abs=1e-5)
        assert len(found["lesions"]) == len(lesions)
        for theirs, lesion in zip(found["lesions"], lesions, strict=True):
            compared += 1
            for name in MEASURES:
                assert theirs[name] == pytest.approx(getattr(lesion, name), rel=1e-6, abs=1e-6), (number, name)
            assert theirs["bi_rads_orientation"] == lesion.bi_rads_orientation
            assert [len(line) for line in theirs["outlines"]] == [len(line) for line in lesion.outlines]
            for theirs_line, ours_line in zip(theirs["outlines"], lesion.outlines, strict=True):
                assert np.array_equal(theirs_line, ours_line)
    assert compared > 300
    assert silent > 10
