import math

import numpy as np
import pytest

from sonoseg.data.sets import masses

SIZE = (50.0, 60.0)


def ellipse(tilt: float = 0.0) -> masses.Mass:
    return masses.Mass("oval", "hypoechoic", (20.0, 30.0), (5.0, 9.0), tilt, np.ones(2048, np.float32), level=-10.0)


def places(count: int, spacing: float) -> np.ndarray:
    return ((np.arange(count) + 0.5) * spacing).astype(np.float32)


def drawn(mass: masses.Mass, spacing: float = 0.1) -> np.ndarray:
    mask = np.zeros((500, 600), bool)
    box, distance = mass.distance(places(500, spacing), places(600, spacing))
    mask[box] = distance < 0
    return mask


@pytest.mark.parametrize("tilt", [0.0, 0.5, -1.2])
def test_an_ellipse_has_the_area_of_an_ellipse(tilt):
    mass = ellipse(tilt)
    assert mass.area == pytest.approx(math.pi * 5 * 9, rel=1e-6)
    assert drawn(mass).sum() * 0.1**2 == pytest.approx(mass.area, rel=2e-3)


def test_distance_is_in_mm_and_negative_inside():
    mass = ellipse()
    box, distance = mass.distance(places(500, 0.1), places(600, 0.1))
    rows, columns = np.arange(500)[box[0]], np.arange(600)[box[1]]
    below = distance[:, list(columns).index(300)]
    assert below[list(rows).index(220)] == pytest.approx(-2.95, abs=0.02)
    assert below[list(rows).index(251)] == pytest.approx(0.15, abs=0.02)


def test_a_mass_outside_the_picture_gives_an_empty_box():
    box, distance = ellipse().distance(places(50, 0.1), places(50, 0.1))
    assert distance.size == 0
    assert np.zeros((50, 50))[box].size == 0


def test_calipers_sit_on_the_outline():
    mass = ellipse(0.3)
    for depth, lateral in mass.ends():
        along = (lateral - 30) * math.cos(0.3) + (depth - 20) * math.sin(0.3)
        across = (depth - 20) * math.cos(0.3) - (lateral - 30) * math.sin(0.3)
        assert math.hypot(along / 9, across / 5) == pytest.approx(1)


@pytest.mark.parametrize("label", ["benign", "malignant"])
def test_every_lesion_has_the_area_of_its_outline(label):
    rng = np.random.default_rng(7)
    for _ in range(30):
        for mass in masses.lesions(rng, label, SIZE):
            reach = mass.reach
            edges = (
                mass.centre[0] - reach,
                50 - mass.centre[0] - reach,
                mass.centre[1] - reach,
                60 - mass.centre[1] - reach,
            )
            if min(edges) > 0:
                assert drawn(mass).sum() * 0.1**2 == pytest.approx(mass.area, rel=0.01)


def test_labels_look_as_they_are_called():
    rng = np.random.default_rng(1)
    found = {label: [masses.lesions(rng, label, SIZE)[0] for _ in range(300)] for label in ("benign", "malignant")}

    def share(label, holds):
        return np.mean([holds(mass) for mass in found[label]])

    for holds in (
        lambda mass: mass.shape in ("irregular", "spiculated"),
        lambda mass: mass.radii[0] > mass.radii[1],
        lambda mass: mass.posterior < -0.5,
    ):
        assert share("malignant", holds) > share("benign", holds) + 0.2
    assert (
        share("benign", lambda mass: mass.posterior > 0.5) > share("malignant", lambda mass: mass.posterior > 0.5) + 0.2
    )
    assert {mass.shape for mass in found["benign"] + found["malignant"]} >= {"oval", "round", "lobulated", "irregular"}
    assert {mass.echo for mass in found["benign"]} == set(masses.LEVELS)


def test_some_images_hold_two_lesions_and_these_lie_apart():
    rng = np.random.default_rng(2)
    several = [found for _ in range(300) if len(found := masses.lesions(rng, "benign", SIZE)) > 1]
    assert 3 <= len(several) <= 40
    assert not any(first.touches(second) for first, second in several)


def test_normals_have_no_lesion():
    assert masses.lesions(np.random.default_rng(0), "normal", SIZE) == ()


def test_distractors_keep_clear_of_the_lesions():
    rng = np.random.default_rng(3)
    lesion = ellipse()
    found = [mass for _ in range(100) for mass in masses.distractors(rng, SIZE, (lesion,))]
    assert len(found) > 50
    assert not any(mass.touches(lesion) for mass in found)
    assert {mass.echo for mass in found} == {"fat", "rib"}
