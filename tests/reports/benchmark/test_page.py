import re
from dataclasses import replace

import numpy as np
import pytest

from markup import Checker
from rows import judged
from sonoseg.evaluation.metrics import EMPTY_RULE
from sonoseg.evaluation.summary import sum_up
from sonoseg.reports.benchmark import page

MODELS = ("unet", "attention-unet")


def disc(centre, radius, shape=(40, 50)):
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    return (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 <= radius**2


def pair(number, model):
    """Truth and prediction of a made image; every fourth has no lesion, the second model is a pixel further off."""
    generator = np.random.default_rng([number, MODELS.index(model)])
    truth = disc((20, 25), 4 + number % 9) & (number % 4 > 0)
    shift = generator.integers(0, 4, 2) + MODELS.index(model)
    drawn = disc((20 + shift[0], 25 + shift[1]), 4 + number % 9) if number % 8 else np.zeros_like(truth)
    return truth, drawn


def make_cases(models=MODELS, images=40, seeds=(0,), confident=False):
    rows = []
    for seed in seeds:
        for model in models:
            for number in range(images):
                truth, drawn = pair(number, model)
                label = ("normal", "benign", "malignant", "benign")[number % 4]
                keys = {"image": f"image {number}", "label": label, "group": f"group {number // 3}"}
                row = judged(drawn, truth, **keys, model=model, fold=number % 2, seed=seed)
                if confident:
                    row = replace(row, confidence=row.dice if row.has_lesion else 0.5, presence=0.5 + 0.01 * number)
                rows.append(row)
    return rows


def make_summary(cases, histories=()):
    summary = sum_up(cases)
    for values in summary["models"].values():
        values |= {"parameters": 2_200_000, "multiply_adds": 1_100_000_000, "train_seconds": 600.0}
        values["learning"] = {"loss": {"x": [1, 2, 3], "y": [0.5, 0.5, 0.5]}} if histories else {}
    return summary | {
        "data": {
            "name": "phantom",
            "images": 42,
            "used": 40,
            "grouping": "copies",
            "citation": "made <here>",
            "licence": "MIT",
            "folds_sha256": "ab" * 32,
        },
        "settings": {"size": 64, "width": 8, "validation": 0.0},
        "folds": [0, 1],
        "seeds": sorted({case.seed for case in cases}),
        "versions": {"sonoseg": "0.1", "numpy": "2"},
        "machine": "A processor",
        "command": "sonoseg benchmark --data phantom",
    }


def make_histories(models=MODELS, validation=False):
    line = {"loss": 0.5, "learning_rate": 0.001} | ({"validation_dice": 0.6} if validation else {})
    return {
        f"{model} fold {fold} seed 0": [{"epoch": e, **line} for e in (1, 2, 3)] for model in models for fold in (0, 1)
    }


def make_gallery(cases, names):
    pixels = np.random.default_rng(0).integers(0, 255, (40, 50), np.uint8)
    chosen = [case for case in cases if case.image in names]
    return [page.Shown(case, pixels, *pair(int(case.image.split()[1]), case.model)) for case in chosen]


def make_page(cases=None, histories=None, gallery=(), **changes):
    cases = make_cases() if cases is None else cases
    histories = make_histories() if histories is None else histories
    return page.page(make_summary(cases, histories) | changes, cases, histories, gallery)


@pytest.fixture(scope="module")
def cases():
    return make_cases(seeds=(0, 1), confident=True)


@pytest.fixture(scope="module")
def full(cases):
    """A page with every section."""
    names = [each["image"] for picked in sum_up(cases)["picked"].values() for each in picked]
    bins = [{"low": 0, "high": 0.5, "pixels": 9, "mean_probability": 0.2, "lesion_share": 0.3}]
    calibration = {model: {"ece": 0.1, "bins": bins} for model in MODELS}
    gallery = make_gallery([case for case in cases if case.seed == 0], names)
    return make_page(cases, make_histories(validation=True), gallery, calibration=calibration)


def test_the_page_asks_for_nothing_from_outside(full):
    checker = Checker(full)
    assert not checker.all("script")
    assert not checker.all("link")
    for _, attributes in checker.tags:
        for name in ("src", "href"):
            assert attributes.get(name, "#").startswith(("#", "data:image/"))
    assert not re.search(r"url\(|@import|https?://", full)


def test_the_page_can_be_read_without_seeing_it(full):
    checker = Checker(full)
    assert len(checker.all("table")) == len(checker.all("caption")) > 8
    assert all(attributes.get("scope") in {"col", "row", "rowgroup"} for attributes in checker.all("th"))
    assert all("aria-label" in each or each.get("aria-hidden") == "true" for each in checker.all("svg"))
    assert checker.all("html") == [{"lang": "en"}]
    assert len(checker.all("h1")) == 1


def test_ids_are_unique_and_links_arrive(full):
    checker = Checker(full)
    assert len(checker.ids) == len(set(checker.ids))
    targets = {each["href"][1:] for tag in ("a", "use") for each in checker.all(tag)}
    assert targets <= set(checker.ids)
    assert {
        "comparison",
        "differences",
        "seeds",
        "calibration",
        "presence",
        "confidence",
        "learning",
        "pictures",
    } <= targets


def test_the_page_says_its_rules(full):
    text = " ".join(full.split())
    assert text.count(re.sub("'", "&#39;", EMPTY_RULE)) == 2
    assert "Research use, not a medical device." in full
    assert "sonoseg benchmark --data phantom" in full
    assert "nothing drawn" in full
    assert "made &lt;here&gt;" in full
    assert "nan" not in re.sub('<style>.*</style>|data:image[^"]*', "", full, flags=re.S).lower().split()


def test_the_page_says_where_the_models_were_trained(cases):
    summary = make_summary(cases)
    assert "Trained on" not in page.page(summary, cases, {}, [])
    line = {"threads": 2, "precision": "bfloat16", "torch": "2.11"}
    for place, entry in enumerate(summary["models"].values()):
        entry["machines"] = [line | {"machine": f"card {place}", "runs": 5}]
    text = page.page(summary, cases, {}, [])
    assert "card 0, 2 threads, bfloat16, torch 2.11: 5 runs; card 1, 2 threads" in text
    assert "A run that moved counts on each." in text


def test_the_same_numbers_give_the_same_bytes(tmp_path, cases):
    summary, histories = make_summary(cases), make_histories()
    for name in ("a.html", "b.html"):
        page.write(tmp_path / name, summary, cases, histories, make_gallery(cases[:3], ["image 1"]))
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_sections_without_numbers_are_left_out():
    page = make_page(make_cases(["unet"]), {})
    ids = set(Checker(page).ids)
    assert ids == {"comparison", "images", "size", "pictures", "protocol"}
    assert "Pictures of the data were left out" in page


def test_the_figures_of_the_summary_stand_in_the_table():
    cases = make_cases()
    summary = make_summary(cases)
    page = make_page(cases)
    for values in summary["models"].values():
        dice = values["lesion"]["dice"]
        assert f"<td>{dice['mean']:.3f}<small>{dice['low']:.3f} to {dice['high']:.3f}</small></td>" in page
    assert "2.2 M" in page
    assert "1.1 G" in page
    assert "10 min" in page


def test_a_set_without_normals_and_one_without_lesions():
    cases = make_cases()
    lesion = [case for case in cases if case.has_lesion]
    assert "images without a lesion." not in make_page(lesion)
    normal = [case for case in cases if not case.has_lesion]
    page = make_page(normal)
    assert "No image with a lesion was tested." in page
    assert {"images", "size"}.isdisjoint(Checker(page).ids)


def test_gallery_shows_each_scan_once_with_an_outline_for_each_model(cases):
    gallery = make_gallery([case for case in cases if case.seed == 0], ["image 1", "image 4", "image 8"])
    page = make_page(cases, gallery=gallery)
    assert page.count("data:image/jpeg") == 3
    assert len(re.findall('class="drawn" d="M', page)) == 2 * 3 + 1 - 2
    assert "with the outlines of the truth and of attention-unet, Dice" in page
    assert "nothing drawn" in page


def test_no_cases_no_report(tmp_path):
    with pytest.raises(ValueError, match="needs cases"):
        page.write(tmp_path / "report.html", {}, [], {}, [])
    assert not list(tmp_path.iterdir())
