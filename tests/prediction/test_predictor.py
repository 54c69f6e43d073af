from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from numpy.typing import NDArray

from sonoseg.errors import UserError
from sonoseg.images.image import Image, Window
from sonoseg.prediction.predictor import Prediction, Predictor, confidence

Frames = NDArray[np.float32]


def darkness(frames: Frames) -> Frames:
    """Logits that find what is darker than mid-grey; the black around the image is given to nobody."""
    return np.where(frames > 0.02, 20 * (0.5 - frames), np.float32(-10)).astype(np.float32)


def scan(height: int = 120, width: int = 160, spacing: tuple[float, float] | None = None) -> Image:
    rows, columns = np.mgrid[:height, :width]
    lesion = ((rows - 60) / 20) ** 2 + ((columns - 90) / 40) ** 2 <= 1
    return Image(np.where(lesion, 60, 180).astype(np.uint8), spacing)


def test_a_prediction_is_in_the_images_own_frame() -> None:
    for shape in ((120, 160), (333, 170), (150, 150)):
        prediction = Predictor(darkness, 64).predict(scan(*shape))
        assert prediction.probability.shape == prediction.mask.shape == shape
        assert prediction.probability.dtype == np.float32
        assert prediction.mask.dtype == np.bool_
        (lesion,) = prediction.lesions
        assert lesion.centroid == pytest.approx((60, 90), abs=1.5)
        assert lesion.longest_diameter == pytest.approx(80, abs=6)


def test_spacing_turns_pixels_into_mm() -> None:
    predictor = Predictor(darkness, 128)
    pixels, mm = predictor.predict(scan()).lesions[0], predictor.predict(scan(spacing=(0.2, 0.1))).lesions[0]
    assert (pixels.unit, mm.unit) == ("px", "mm")
    assert mm.depth == pytest.approx(pixels.depth * 0.2)
    assert mm.width == pytest.approx(pixels.width * 0.1)


def test_a_batch_is_its_images_one_by_one() -> None:
    images = [scan(120, 160), scan(300, 200), scan(130, 130)]
    predictor = Predictor(darkness, 64)
    for together, image in zip(predictor.predict_batch(images), images, strict=True):
        assert together.image is image
        assert np.array_equal(together.probability, predictor.predict(image).probability)


def test_arrays_pictures_and_paths_are_images_too(tmp_path: Path) -> None:
    image, predictor = scan(), Predictor(darkness, 64)
    picture, path = PIL.Image.fromarray(image.pixels), tmp_path / "scan.png"
    picture.save(path)
    expected = predictor.predict(image).mask
    colour = np.repeat(image.pixels[..., None], 3, axis=2)
    forms = [image, image.pixels, image.pixels / 255, colour, picture, picture.convert("RGB"), path, str(path)]
    for together, given in zip(predictor.predict_batch(forms), forms, strict=True):
        assert np.array_equal(together.mask, expected)
        assert np.array_equal(predictor.predict(given).mask, expected)
    assert predictor.predict_batch([]) == []


def test_a_spacing_is_given_beside_the_image() -> None:
    predictor = Predictor(darkness, 64)
    expected = predictor.predict(scan(spacing=(0.2, 0.1))).lesions[0]
    assert predictor.predict(scan().pixels, spacing=(0.2, 0.1)).lesions[0].area == expected.area
    both = predictor.predict_batch([scan(), scan(spacing=(1, 1))], spacing=0.2)
    assert [each.image.spacing for each in both] == [(0.2, 0.2)] * 2
    for wrong in (0, -1.0, float("nan"), (0.1,), (0.1, 0.1, 0.1)):
        with pytest.raises(UserError, match="is not mm per pixel"):
            predictor.predict(scan(), spacing=wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", [(3, 3), (300, 15), (9, 90)])
def test_slivers_are_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(UserError, match=r"the image has .* at least 16 on each side"):
        Predictor(darkness, 64).predict(np.zeros(shape, np.uint8))


def test_what_is_no_image_is_one_sentence() -> None:
    with pytest.raises(UserError, match="a list is no image"):
        Predictor(darkness, 64).predict([[1, 2]])  # type: ignore[arg-type]


def test_the_threshold_belongs_to_the_lesion() -> None:
    image = Image(np.full((32, 32), 128, np.uint8))
    assert Predictor(np.zeros_like, 32, threshold=0.5).predict(image).mask.all()
    assert not Predictor(np.zeros_like, 32, threshold=0.51).predict(image).mask.any()


def test_extreme_logits_do_not_overflow() -> None:
    image = Image(np.full((32, 32), 128, np.uint8))
    for logit, probability in ((-1e30, 0), (1e30, 1), (-88.0, 0), (0.0, 0.5)):
        prediction = Predictor(lambda frames, at=logit: np.full_like(frames, at), 32).predict(image)
        assert np.allclose(prediction.probability, probability, atol=1e-6)


def test_specks_are_removed_by_their_share_of_the_image() -> None:
    image = scan()
    image.pixels[5:10, 5:10] = 60
    both = Predictor(darkness, 160).predict(image)
    one = Predictor(darkness, 160, smallest_lesion=30 / image.pixels.size).predict(image)
    assert [len(prediction.lesions) for prediction in (both, one)] == [2, 1]
    assert np.array_equal(one.probability, both.probability)


def test_what_is_faint_is_left_out() -> None:
    image = scan()
    (lesion,) = Predictor(darkness, 160).predict(image).lesions
    for least, count in ((lesion.confidence - 1e-4, 1), (lesion.confidence + 1e-4, 0)):
        assert len(Predictor(darkness, 160, least_confidence=least).predict(image).lesions) == count


def test_mirroring_makes_a_prediction_symmetric() -> None:
    def lopsided(frames: Frames) -> Frames:
        return darkness(frames) + np.linspace(-3, 3, frames.shape[-1], dtype=np.float32)

    image = scan(128, 128)
    mirror = Image(np.ascontiguousarray(image.pixels[:, ::-1]))
    plain, mirrored = Predictor(lopsided, 64), Predictor(lopsided, 64, mirrored=True)
    assert not np.allclose(plain.predict(image).probability, plain.predict(mirror).probability[:, ::-1])
    assert np.allclose(mirrored.predict(image).probability, mirrored.predict(mirror).probability[:, ::-1], atol=1e-6)


def test_gates_come_back_in_the_images_frame() -> None:
    def gates(frames: Frames) -> dict[str, Frames]:
        return {"gate_1": frames[:, :, ::4, ::4], "gate_2": np.repeat(frames[:, :, ::8, ::8], 3, axis=1)}

    found = Predictor(darkness, 64, gates=gates).explain(scan(120, 160))
    assert list(found) == ["gate_1", "gate_2"]
    for gate in found.values():
        assert gate.shape == (120, 160)
        assert gate[60, 90] < gate[10, 90]
    assert Predictor(darkness, 64).explain(scan()) == {}


def test_confidence_by_hand() -> None:
    sure = np.zeros((4, 4), np.float32)
    sure[1:3, 1:3] = 1
    assert confidence(sure) == 1
    # p = 0.8 in 4 pixels, 0.1 in 12: 2 * 3.2 / (3.2 + 1.2 + 4)
    assert confidence(np.where(sure > 0, 0.8, 0.1).astype(np.float32)) == pytest.approx(6.4 / 8.4)
    assert confidence(np.zeros((4, 4), np.float32)) == 1
    assert confidence(np.full((4, 4), 0.3, np.float32)) == pytest.approx(0.7)
    # What was drawn counts, not what would be at one half.
    assert confidence(sure, np.zeros((4, 4), bool)) == 0
    assert confidence(sure, np.ones((4, 4), bool)) == pytest.approx(2 * 4 / (4 + 16))


def test_confidence_falls_as_the_map_blurs() -> None:
    rows, columns = np.mgrid[:100, :100] - 50
    distance = 25 - np.hypot(rows, columns)
    values = [confidence((1 / (1 + np.exp(-distance / blur))).astype(np.float32)) for blur in (0.5, 2, 5, 10)]
    assert values == sorted(values, reverse=True)
    assert all(0 <= value <= 1 for value in values)


def test_no_lesion_is_an_answer() -> None:
    prediction = Predictor(darkness, 64).predict(Image(np.full((50, 70), 200, np.uint8)))
    assert isinstance(prediction, Prediction)
    assert not prediction.mask.any()
    assert prediction.lesions == ()
    assert prediction.confidence > 0.99


def test_only_the_windows_of_an_image_are_seen() -> None:
    pixels = np.full((60, 100), 200, np.uint8)
    pixels[:, :10] = pixels[20:40, 30:45] = pixels[20:40, 70:90] = 0
    windows = (Window(5, 15, 50, 40), Window(5, 60, 50, 40))
    seen: list[int] = []

    def network(frames: NDArray[np.float32]) -> NDArray[np.float32]:
        seen.append(len(frames))
        return np.asarray(20 * (0.3 - frames), np.float32)

    whole, parts = Predictor(network, 64).predict_batch([Image(pixels), Image(pixels, windows=windows)])
    assert seen == [3]
    assert whole.mask[:, :8].all()
    expected = pixels == 0
    expected[:, :15] = False
    assert parts.mask.shape == parts.probability.shape == (60, 100)
    assert np.count_nonzero(parts.mask ^ expected) < 0.1 * np.count_nonzero(expected)
    assert not parts.probability[:, 55:60].any()
    assert len(parts.lesions) == 2


def test_a_later_window_lies_over_an_earlier_one() -> None:
    pixels = np.full((64, 64), 200, np.uint8)
    pixels[20:40, 20:40] = 0
    above = Window(16, 16, 28, 28)

    def network(frames: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray([np.full_like(frames[0], 9), np.full_like(frames[1], -9)], np.float32)

    mask = Predictor(network, 64).predict(Image(pixels, windows=(Window(0, 0, 64, 64), above))).mask
    assert not mask[above.part].any()
    assert np.count_nonzero(mask) == 64 * 64 - 28 * 28


def test_where_presence_is_low_nothing_is_drawn() -> None:
    def both(frames: Frames) -> tuple[Frames, Frames]:
        return darkness(frames), np.full(len(frames), np.log(0.3 / 0.7), np.float32)

    image = scan()
    for least, drawn in ((None, True), (0.0, True), (0.29, True), (0.31, False), (1.0, False)):
        prediction = Predictor(both, 64, least_presence=least).predict(image)
        assert prediction.presence == pytest.approx(0.3)
        assert prediction.mask.any() == drawn
        assert prediction.probability.max() > 0.9
        assert prediction.confidence == pytest.approx(confidence(prediction.probability) if drawn else 0.7)
    untold = Predictor(darkness, 64, least_presence=1.0).predict(image)
    assert untold.presence is None
    assert untold.mask.any()


def test_presence_is_the_mean_over_the_mirror_image() -> None:
    def both(frames: Frames) -> tuple[Frames, Frames]:
        return darkness(frames), 20 * (frames[:, 0, :, :32].mean((1, 2)) - np.float32(0.4))

    image = Image(np.tile(np.linspace(0, 255, 64).astype(np.uint8), (64, 1)))
    turned = Image(np.ascontiguousarray(image.pixels[:, ::-1]))
    one, other = (Predictor(both, 64).predict(each).presence for each in (image, turned))
    found = Predictor(both, 64, mirrored=True).predict_batch([image, turned])
    assert one is not None
    assert other is not None
    assert [each.presence for each in found] == pytest.approx([(one + other) / 2] * 2, abs=1e-6)
    assert abs(one - other) > 0.1


def test_each_window_is_silenced_by_its_own_presence_and_the_highest_is_told() -> None:
    def both(frames: Frames) -> tuple[Frames, Frames]:
        return np.full_like(frames, 9), np.array([-3, 1], np.float32)

    windows = (Window(0, 0, 32, 64), Window(32, 0, 32, 64))
    prediction = Predictor(both, 64, least_presence=0.5).predict(
        Image(np.full((64, 64), 90, np.uint8), windows=windows)
    )
    assert prediction.presence == pytest.approx(1 / (1 + np.exp(-1)))
    assert not prediction.mask[:32].any()
    assert prediction.mask[32:].all()
