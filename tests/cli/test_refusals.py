"""What is wrong in what was typed is told before anything heavy is loaded: looked at, not timed."""

import json
import subprocess
import sys

import pytest

from sonoseg.learning.config import CONFIG, Config

PHANTOMS = ["--data", "phantom:20"]
CASES = [
    ["predict", "nowhere.png"], ["predict", "file.txt", "--out", "file.txt"],
    ["predict", "file.txt", "--model", "nowhere.onnx"], ["predict", "file.txt", "--spacing", "x"],
    ["card", "nowhere.onnx"], ["card", "file.txt"], ["serve", "--model", "nowhere.onnx"], ["models", "--size", "3"],
    ["benchmark", "--data", "TYPO"], ["benchmark", "--plan", "nowhere.toml"], ["benchmark", "--plan", "file.txt"],
    ["benchmark", "--plan", "plan.toml"], ["benchmark", "--plan", "plan.toml", "--width", "8"],
    ["benchmark", *PHANTOMS, "--models", "unt"], ["benchmark", *PHANTOMS, "--folds", "9"],
    ["benchmark", *PHANTOMS, "--folds", "x"], ["benchmark", *PHANTOMS, "--seeds", "x"],
    ["benchmark", *PHANTOMS, "--recipe", "nowhere"], ["benchmark", *PHANTOMS, "--out", "file.txt"],
    ["train", "--data", "TYPO"], ["train", "--data", "busi:nowhere"], ["train", *PHANTOMS, "--fold", "9"],
    ["train", *PHANTOMS, "--also", "busi:nowhere"], ["train", *PHANTOMS, "--pretrained", "nowhere.onnx"],
    ["train", *PHANTOMS, "--encoder-weights", "nowhere"], ["train", *PHANTOMS, "--recipe", "nowhere"],
    ["evaluate", "nowhere"], ["evaluate", "empty"], ["evaluate", "file.txt", *PHANTOMS], ["evaluate", "default"],
    ["evaluate", "default", "--data", "TYPO"], ["evaluate", "run", "--data", "TYPO"], ["evaluate", "run"],
    ["evaluate", "bench"], ["evaluate", "run", *PHANTOMS, "--home", "nowhere"],
    ["evaluate", "run", *PHANTOMS, "--out", "file.txt"],
    ["report", "nowhere"], ["report", "empty"], ["report", "run", "nowhere"],
    ["score", "nowhere", *PHANTOMS], ["score", "empty", "--data", "TYPO"], ["score", "empty", *PHANTOMS],
    ["leaderboard", "nowhere"], ["leaderboard", "empty"],
    ["export", "nowhere"], ["export", "empty"], ["export", "run", "--int8", "--data", "TYPO"],
    ["publish", "empty", "--cross-validation", "bench", *PHANTOMS],
    ["publish", "run", "--cross-validation", "empty", *PHANTOMS],
    ["publish", "run", "--cross-validation", "bench", "--data", "TYPO"],
    ["publish", "run", "--cross-validation", "bench", *PHANTOMS, "--also", "TYPO"],
    ["publish", "run", "--cross-validation", "bench", *PHANTOMS, "--alone", "nowhere"],
    ["publish", "run", "--cross-validation", "bench", *PHANTOMS, "--labels", "nowhere"],
    ["rescore", "nowhere", *PHANTOMS], ["rescore", "file.txt", *PHANTOMS],
    ["rescore", "MODEL", *PHANTOMS, "--results", "nowhere"],
    ["rescore", "MODEL", "--results", "empty", "--data", "TYPO"],
    ["data", "audit", "TYPO"], ["data", "folds", "TYPO"], ["data", "get", "TYPO", "--to", "x"],
    ["data", "convert", "TYPO", "--to", "coco", "--out", "x"], ["data", "pack", "TYPO", "--out", "x.npz"],
    ["measure", "leakage", "--data", "TYPO"], ["measure", "leakage", *PHANTOMS, "--arm", "x"],
    ["measure", "leakage", *PHANTOMS, "--folds", "9"], ["measure", "labels", "--data", "TYPO"],
    ["measure", "study", "--cases", "nowhere"], ["measure", "subset", "--cases", "nowhere", "--images", "nowhere"],
    ["measure", "difference", "--cases", "nowhere", "--against", "nowhere"],
    ["dicom", "push", "nowhere", "--url", "http://127.0.0.1:9/x"], ["dicom", "deidentify", "nowhere", "--out", "x"],
    ["review", "export", "--out", "x", "--store", "nowhere"], ["review", "report", "--store", "nowhere"],
]  # fmt: skip

SCRIPT = """
import contextlib, io, json, sys
from sonoseg.cli import main
HEAVY = {"torch", "onnxruntime", "openvino", "matplotlib"}
for words in json.loads(sys.argv[1]):
    said, code = io.StringIO(), None
    sys.argv = ["sonoseg", *words]
    with contextlib.redirect_stderr(said):
        try:
            main()
        except SystemExit as stopped:
            code = stopped.code
    loaded = sorted(HEAVY & sys.modules.keys())
    print(json.dumps({"words": words, "code": code, "said": said.getvalue(), "loaded": loaded}), flush=True)
    if loaded:
        break  # of whatever comes after this, nothing could be told
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, object]]:
    """All of them one after another in one process; what each said and what was loaded by then."""
    from sonoseg.prediction.modelfile import resolve

    here = tmp_path_factory.mktemp("here")
    (here / "empty").mkdir()
    (here / "file.txt").write_text("text", encoding="utf-8")
    (here / "plan.toml").write_text(
        'folds = [0]\nseeds = [0]\n[recipe]\ndata = "busi:nowhere"\n[[arms]]\nname = "a"\n', encoding="utf-8"
    )
    for run in (here / "run", here / "bench" / "cells" / "unet-fold-0-seed-0"):
        Config(data="busi:nowhere").write(run / CONFIG)
        (run / "model.safetensors").touch()
    words = [[str(resolve("default")) if word == "MODEL" else word for word in case] for case in CASES]
    command = [sys.executable, "-c", SCRIPT, json.dumps(words)]
    done = subprocess.run(command, cwd=here, capture_output=True, text=True, check=False)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert found, done.stderr
    assert sorted(path.name for path in here.iterdir()) == ["bench", "empty", "file.txt", "plan.toml", "run"]
    return {" ".join(case): each for case, each in zip(CASES, found, strict=False)}


@pytest.mark.parametrize("case", [" ".join(case) for case in CASES])
def test_a_refusal_waits_for_nothing_heavy(case: str, told: dict[str, dict[str, object]]) -> None:
    assert case in told, f"not tried, as {list(told)[-1]!r} loaded {list(told.values())[-1]['loaded']}"
    found = told[case]
    assert found["loaded"] == []
    assert found["code"] in (1, 2)
    assert str(found["said"]).startswith("error: ")
    assert "hint: " in str(found["said"])
    assert "loading" not in str(found["said"])
