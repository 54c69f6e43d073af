from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonoseg.errors import UserError
from sonoseg.evaluation import calibration
from sonoseg.evaluation.calibration import BINS, Counted, Reliability, band, count, nothing_counted, summarise

RESULTS = Path(__file__).parents[2] / "results"


def disc(radius: float, shape: tuple[int, int] = (101, 121)) -> np.ndarray:
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return np.asarray(np.hypot(rows - 50, columns - 60) <= radius)


def test_the_band_reaches_half_a_radius_to_both_sides() -> None:
    rows, columns = np.ogrid[:101, :121]
    distance = np.hypot(rows - 50, columns - 60)
    near = band(disc(20))
    assert near[(distance > 11.5) & (distance < 28.5)].all()
    assert not near[(distance < 9) | (distance > 31.5)].any()


def test_a_small_lesion_has_a_band_all_the_same_and_no_lesion_none() -> None:
    speck = disc(1)
    assert band(speck).sum() > 3 * speck.sum()
    assert not band(np.zeros((9, 9), bool)).any()
    assert band(np.ones((9, 9), bool)).sum() > 0


def test_the_band_knows_no_place() -> None:
    near = band(disc(12))
    assert np.array_equal(band(np.roll(disc(12), (9, -20), (0, 1))), np.roll(near, (9, -20), (0, 1)))


def test_counts_by_hand() -> None:
    truth = np.zeros((3, 4), bool)
    truth[1, 1] = True  # the band is all that is within 2 pixels of it: everything but two corners
    probability = np.full((3, 4), 0.25)
    probability[1, 1], probability[0, 0] = 0.75, 1.0
    found = count(probability, truth)
    assert found.pixels.tolist() == [0, 0, 8, 0, 0, 0, 0, 1, 0, 1]
    assert found.lesion.tolist() == [0, 0, 0, 0, 0, 0, 0, 1, 0, 0]
    assert found.probability.tolist() == pytest.approx([0, 0, 2, 0, 0, 0, 0, 0.75, 0, 1])
    assert found.error == pytest.approx((2 + 0.25 + 1) / 10)
    with pytest.raises(ValueError, match="one shape"):
        count(probability[:2], truth)


def test_a_sure_and_right_network_is_calibrated_and_a_wrong_one_is_not() -> None:
    truth = disc(20)
    assert count(truth.astype(np.float32), truth).error == 0
    assert count(1 - truth.astype(np.float32), truth).error == 1
    share = truth[band(truth)].mean()
    assert count(np.full(truth.shape, share), truth).error == pytest.approx(0, abs=1e-9)


def test_who_says_what_is_true_has_a_small_error_and_who_exaggerates_a_large_one() -> None:
    generator = np.random.default_rng(0)
    given_ = generator.uniform(size=50_000)
    lesion = generator.uniform(size=50_000) < given_
    errors = []
    for said in (given_, given_**0.3):
        step = np.minimum((said * BINS).astype(int), BINS - 1)
        sums = (np.bincount(step, weights=w, minlength=BINS) for w in (np.ones(50_000), said, lesion))
        errors.append(Reliability(*sums).error)
    assert errors[0] < 0.01
    assert errors[1] > 0.1


@given(st.integers(0, 2**32 - 1))
def test_sums_add_up_and_the_error_is_a_share(seed: int) -> None:
    generator = np.random.default_rng(seed)
    pairs = [
        (generator.uniform(size=(20, 20)), disc(8, (20, 20)) | (generator.uniform(size=(20, 20)) > 0.9)) for _ in "ab"
    ]
    first, second = (count(*pair) for pair in pairs)
    both = first + second
    assert both.pixels.sum() == sum(band(truth).sum() for _, truth in pairs)
    assert both.lesion.sum() == sum((band(truth) & truth).sum() for _, truth in pairs)
    assert 0 <= both.error <= 1
    assert (
        both.error <= (first.error * first.pixels.sum() + second.error * second.pixels.sum()) / both.pixels.sum() + 1e-9
    )


def counted(images: int = 4, seeds: int = 1, runs_together: bool = False) -> list[Counted]:
    """Discs that are given 0.4 everywhere, two to a group."""
    found = [count(np.full((101, 121), 0.4), disc(10 + image)) for image in range(images)]
    names = [("", "") if runs_together else (f"i{image}", f"g{image // 2}") for image in range(images)]
    return [Counted("unet", 0, seed, *names[image], found[image]) for seed in range(seeds) for image in range(images)]


def test_counts_survive_the_file(tmp_path: Path) -> None:
    calibration.write(tmp_path / "c.csv", counted())
    again = calibration.read(tmp_path / "c.csv")
    keys = ("model", "fold", "seed", "image", "group")
    assert [[getattr(row, key) for key in keys] for row in again] == [
        [getattr(row, key) for key in keys] for row in counted()
    ]
    assert summarise(again) == summarise(counted())
    (tmp_path / "c.csv").write_text("model,fold\n")
    with pytest.raises(UserError, match="not a table of calibration"):
        calibration.read(tmp_path / "c.csv")


def test_tables_of_earlier_versions_are_read_and_have_no_interval() -> None:
    (whole,) = calibration.read(RESULTS / "bus-bra-to-busi" / "calibration.csv")
    assert (whole.model, whole.image, whole.group) == ("unet", "", "")
    told = summarise([whole])
    assert told["ece"] == pytest.approx(whole.found.error, abs=1e-6)
    assert "per_image" not in told
    assert "ece_interval" not in told


def test_the_error_lies_in_its_interval_and_does_not_change_by_how_it_is_told() -> None:
    told, together = summarise(counted(12)), summarise(counted(12, runs_together=True))
    assert told["ece"] == together["ece"] == told["ece_interval"]["mean"]
    assert told["ece_interval"]["low"] < told["ece"] < told["ece_interval"]["high"]
    assert (told["per_image"]["n"], told["per_image"]["groups"]) == (12, 6)
    errors = [row.found.error for row in counted(12)]
    assert told["per_image"]["mean"] == pytest.approx(np.mean(errors), abs=1e-6)


def test_seeds_are_averaged_for_each_image_and_add_up_over_all() -> None:
    once, twice = summarise(counted(12)), summarise(counted(12, seeds=2))
    assert once["ece"] == twice["ece"]
    assert once["per_image"] == twice["per_image"]


def test_what_has_no_pixels_is_none() -> None:
    empty = summarise([Counted("unet", 0, 0, "", "", nothing_counted())])
    assert empty["ece"] is None
    assert [each["lesion_share"] for each in empty["bins"]] == [None] * BINS
    assert (empty["bins"][0]["low"], empty["bins"][-1]["high"]) == (0, 1)
