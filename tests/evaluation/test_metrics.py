import warnings
from itertools import product
from math import hypot, isnan, nan, sqrt

import hypothesis.extra.numpy as arrays
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from sonoseg.evaluation import metrics
from sonoseg.evaluation.metrics import Counts, Detection

SHAPE = (40, 50)
COLUMNS = [
    *("tp", "fp", "fn", "tn", "dice", "iou", "sensitivity", "precision", "accuracy", "study_accuracy"),
    *("hd95", "nsd", "nsd_mm", "lesions", "lesions_found", "false_lesions", "lesions_found_50", "false_lesions_50"),
    *("drawn", "drawn_pixels"),
]


def box(top, left, height, width, shape=SHAPE):
    mask = np.zeros(shape, dtype=bool)
    mask[top : top + height, left : left + width] = True
    return mask


EMPTY = box(0, 0, 0, 0)
DEGENERATE = {
    "nothing": EMPTY,
    "pixel": box(7, 9, 1, 1),
    "corner pixel": box(39, 49, 1, 1),
    "row": box(12, 0, 1, 50),
    "column": box(3, 20, 30, 1),
    "at the border": box(0, 30, 12, 20),
    "full": box(0, 0, *SHAPE),
    "all but a pixel": ~box(20, 20, 1, 1),
    "ring": box(5, 5, 20, 30) ^ box(8, 9, 12, 20),
    "several": box(2, 2, 6, 6) | box(2, 9, 1, 1) | box(30, 10, 8, 25),
    "noise": np.random.default_rng(0).random(SHAPE) < 0.3,
    "squares": np.indices(SHAPE).sum(axis=0) % 2 == 0,
}


def monai(prediction, truth, spacing=None, tolerance=2.0):
    """The same figures by MONAI, whose warnings about empty masks are expected."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch, peer = pytest.importorskip("torch"), pytest.importorskip("monai.metrics")
        pair = [torch.from_numpy(mask.astype(np.float32))[None, None] for mask in (prediction, truth)]
        matrix = peer.get_confusion_matrix(*pair)
        scores = {
            "dice": peer.compute_dice(*pair),
            "iou": peer.compute_iou(*pair),
            "hd95": peer.compute_hausdorff_distance(*pair, include_background=True, percentile=95, spacing=spacing),
            "nsd": peer.compute_surface_dice(
                *pair, class_thresholds=[tolerance], include_background=True, spacing=spacing
            ),
        } | {
            name: peer.compute_confusion_matrix_metric(name, matrix)
            for name in ("sensitivity", "precision", "accuracy")
        }
    return {name: float(score) for name, score in scores.items()} | {"counts": matrix.ravel().tolist()}


def assert_agrees_with_monai(prediction, truth, spacing=None, tolerance=2.0):
    counts = metrics.count(prediction, truth)
    distances = metrics.surface_distances(prediction, truth, spacing)
    ours = {
        name: getattr(metrics, name)(counts) for name in ("dice", "iou", "sensitivity", "precision", "accuracy")
    } | {"hd95": distances.hd95(), "nsd": distances.nsd(tolerance)}
    theirs = monai(prediction, truth, spacing, tolerance)
    assert theirs.pop("counts") == [counts.tp, counts.fp, counts.tn, counts.fn]
    for name, value in theirs.items():
        if np.isfinite(value):
            assert ours[name] == pytest.approx(value, rel=1e-6, abs=1e-6), name
    assert isnan(ours["dice"]) == isnan(theirs["dice"])
    assert isnan(ours["nsd"]) == isnan(theirs["nsd"])


class TestOverlap:
    def test_counts_of_shifted_squares(self):
        counts = metrics.count(box(10, 10, 10, 10), box(10, 14, 10, 10))
        assert counts == Counts(tp=60, fp=40, fn=40, tn=2000 - 140)
        assert metrics.dice(counts) == 0.6
        assert metrics.iou(counts) == 60 / 140
        assert metrics.sensitivity(counts) == 0.6
        assert metrics.precision(counts) == 0.6
        assert metrics.accuracy(counts) == 1920 / 2000

    def test_counts_add_up_over_images(self):
        assert Counts(1, 2, 3, 4) + Counts(10, 20, 30, 40) == Counts(11, 22, 33, 44)

    def test_counts_are_not_negative(self):
        with pytest.raises(ValueError, match="negative"):
            Counts(1, -1, 0, 0)

    def test_undefined_is_nan(self):
        nothing, missed, invented = Counts(0, 0, 0, 9), Counts(0, 0, 4, 5), Counts(0, 4, 0, 5)
        for formula in (metrics.dice, metrics.iou, metrics.sensitivity):
            assert isnan(formula(nothing))
            assert isnan(formula(invented))
            assert formula(missed) == 0
        assert isnan(metrics.precision(nothing))
        assert isnan(metrics.precision(missed))
        assert metrics.precision(invented) == 0
        assert isnan(metrics.accuracy(Counts(0, 0, 0, 0)))

    def test_study_accuracy_of_nothing_is_the_share_of_background(self):
        truth = box(0, 0, 10, 20)
        assert metrics.study_accuracy(np.zeros(SHAPE, np.float32), truth) == pytest.approx(0.9)
        assert metrics.study_accuracy(np.full(SHAPE, 0.25), truth) == pytest.approx(1 - (0.9 * 0.25 + 0.1 * 0.75))


class TestBoundary:
    def test_of_a_square_is_its_rim(self):
        assert (metrics.boundary(box(5, 5, 6, 6)) == (box(5, 5, 6, 6) ^ box(6, 6, 4, 4))).all()

    def test_follows_the_border_of_the_image(self):
        assert metrics.boundary(np.ones((4, 6), dtype=bool)).sum() == 16

    def test_distances_of_squares_shifted_by_three(self):
        truth, prediction = box(10, 10, 10, 10), box(10, 13, 10, 10)
        distances = metrics.surface_distances(prediction, truth)
        # Top and bottom rows share 7 of 10 pixels; their other 3 are 1, 2, 3 away. One side is 3 away, and of the other
        # the 8 pixels between the rows lie inside: 3 from the nearest side, less near the rows.
        assert sorted(distances.drawn) == sorted([0] * 14 + [1, 2] * 2 + [3] * 10 + [1, 1, 2, 2, 3, 3, 3, 3])
        assert distances.hd95() == 3
        assert distances.nsd(2) == pytest.approx(44 / 72)
        assert distances.nsd(3) == 1

    def test_hd95_interpolates_the_percentile(self):
        truth, prediction = box(0, 0, 1, 1), box(0, 0, 1, 11)
        assert metrics.hd95(prediction, truth) == pytest.approx(9.5)

    def test_spacing_stretches_rows_and_columns(self):
        truth, beside, below = box(10, 10, 1, 1), box(10, 14, 1, 1), box(13, 10, 1, 1)
        assert metrics.hd95(beside, truth, (0.5, 0.1)) == pytest.approx(0.4)
        assert metrics.hd95(below, truth, (0.5, 0.1)) == pytest.approx(1.5)
        assert metrics.nsd(beside, truth, 0.4, (0.5, 0.1)) == 1
        assert metrics.nsd(below, truth, 0.4, (0.5, 0.1)) == 0

    @pytest.mark.parametrize("steps", range(1, 30))
    def test_distance_equal_to_the_tolerance_is_within_it(self, steps):
        assert metrics.nsd(box(3, 9, 1, 1), box(3, 9 + steps, 1, 1), steps / 10, (0.1, 0.1)) == 1

    def test_empty_masks(self):
        lesion = box(1, 1, 5, 5)
        assert metrics.hd95(EMPTY, lesion) == hypot(40, 50)
        assert metrics.hd95(EMPTY, lesion, (0.1, 0.2)) == pytest.approx(hypot(4, 10))
        assert metrics.nsd(EMPTY, lesion, 2) == 0
        assert isnan(metrics.hd95(lesion, EMPTY))
        assert metrics.nsd(lesion, EMPTY, 2) == 0
        assert isnan(metrics.hd95(EMPTY, EMPTY))
        assert isnan(metrics.nsd(EMPTY, EMPTY, 2))


class TestAgreementWithMonai:
    @pytest.mark.parametrize(("first", "second"), list(product(DEGENERATE, DEGENERATE)))
    def test_degenerate_masks(self, first, second):
        assert_agrees_with_monai(DEGENERATE[first], DEGENERATE[second])

    @pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.07, 0.07), (0.3, 0.1), (0.045, 2.5)])
    @pytest.mark.parametrize("name", DEGENERATE)
    def test_spacing(self, name, spacing):
        assert_agrees_with_monai(DEGENERATE[name], DEGENERATE["several"], spacing, tolerance=0.5)

    @settings(max_examples=50, deadline=None)
    @given(st.data())
    def test_random_masks(self, data):
        shape = data.draw(arrays.array_shapes(min_dims=2, max_dims=2, max_side=24))
        prediction, truth = (data.draw(arrays.arrays(bool, shape)) for _ in range(2))
        length = st.floats(0.01, 3)
        spacing = data.draw(st.none() | st.tuples(length, length))
        assert_agrees_with_monai(prediction, truth, spacing, data.draw(st.sampled_from([0.0, 0.5, 1.0, 2.0, 5.0])))

    def test_large_blobs(self):
        rows, columns = np.indices((474, 564))
        for seed in range(10):
            row, column, high, wide = np.random.default_rng(seed).uniform([200, 250, 20, 20], [280, 320, 150, 200])
            truth = ((rows - 240) / 90) ** 2 + ((columns - 280) / 120) ** 2 <= 1
            prediction = ((rows - row) / high) ** 2 + ((columns - column) / wide) ** 2 <= 1
            assert_agrees_with_monai(prediction, truth)


class TestLaws:
    masks = arrays.array_shapes(min_dims=2, max_dims=2, max_side=30).flatmap(
        lambda shape: st.tuples(arrays.arrays(bool, shape), arrays.arrays(bool, shape))
    )

    @settings(max_examples=60, deadline=None)
    @given(masks)
    def test_swapping_and_mirroring(self, pair):
        prediction, truth = pair
        here, swapped = metrics.measure(prediction, truth), metrics.measure(truth, prediction)
        mirrored = metrics.measure(prediction[::-1, ::-1], truth[::-1, ::-1])
        assert here == pytest.approx(mirrored, nan_ok=True)
        assert here["fp"] == swapped["fn"]
        if prediction.any() and truth.any():
            for name in ("dice", "iou", "accuracy", "hd95", "nsd", "lesions_found", "lesions_found_50"):
                assert here[name] == pytest.approx(swapped[name]), name
            assert here["sensitivity"] == swapped["precision"]

    @settings(max_examples=60, deadline=None)
    @given(masks)
    def test_ranges(self, pair):
        prediction, truth = pair
        row = metrics.measure(prediction, truth, truth.astype(np.float32), (0.1, 0.1))
        assert row["tp"] + row["fp"] + row["fn"] + row["tn"] == truth.size
        assert row["study_accuracy"] == 1
        assert isnan(row["dice"]) == (not truth.any())
        if truth.any():
            assert 0 <= row["iou"] <= row["dice"] <= 1
            assert 0 <= row["nsd"] <= 1
            assert 0 <= row["hd95"] <= hypot(*truth.shape)
            assert row["lesions_found_50"] <= row["lesions_found"] <= row["lesions"]

    @settings(max_examples=40, deadline=None)
    @given(masks)
    def test_a_mask_agrees_with_itself(self, pair):
        mask = pair[0]
        row = metrics.measure(mask, mask)
        assert row["accuracy"] == 1
        if mask.any():
            assert (row["dice"], row["nsd"], row["hd95"]) == (1, 1, 0)
            assert row["lesions_found_50"] == row["lesions"]

    def test_silence_is_never_nearer_than_a_drawing(self):
        truth, far = box(39, 49, 1, 1), box(0, 0, 1, 1)
        assert metrics.hd95(EMPTY, truth) > metrics.hd95(far, truth)


class TestLesions:
    def test_corners_join(self):
        assert metrics.lesion_overlaps(box(0, 0, 5, 5) | box(5, 5, 5, 5), box(0, 0, 10, 10)).shape == (1, 1)

    def test_specks_are_dropped_and_numbers_close_up(self):
        mask = box(0, 0, 1, 19) | box(5, 0, 1, 20) | box(9, 0, 5, 5)
        assert np.array_equal(metrics.lesion_overlaps(mask, mask), np.eye(2))

    def test_nothing(self):
        assert metrics.lesion_overlaps(EMPTY, EMPTY).shape == (0, 0)


class TestDetection:
    def test_each_lesion_is_matched_once(self):
        truth = box(0, 0, 10, 10) | box(20, 20, 10, 10)
        drawn = box(0, 1, 10, 10) | box(20, 35, 10, 10)
        assert metrics.match_lesions(metrics.lesion_overlaps(drawn, truth), 0.1) == Detection(
            lesions=2, found=1, false=1
        )

    def test_threshold_is_inclusive(self):
        truth, half = box(0, 0, 10, 10), box(0, 0, 10, 5)
        assert metrics.match_lesions(metrics.lesion_overlaps(half, truth), 0.5).found == 1
        assert metrics.match_lesions(metrics.lesion_overlaps(half, truth), 0.51) == Detection(1, 0, 1)

    def test_one_drawing_over_two_lesions_finds_one(self):
        truth = box(0, 0, 10, 10) | box(0, 12, 10, 10)
        assert metrics.match_lesions(metrics.lesion_overlaps(box(0, 0, 10, 22), truth), 0.1) == Detection(2, 1, 0)

    def test_two_drawings_on_one_lesion_leave_one_false(self):
        drawn = box(0, 0, 10, 9) | box(0, 11, 10, 9)
        assert metrics.match_lesions(metrics.lesion_overlaps(drawn, box(0, 0, 10, 20)), 0.1) == Detection(1, 1, 1)

    def test_as_many_pairs_as_can_be_made(self):
        # The first lesion overlaps both drawings, best the left one, which is the only one on the second lesion.
        truth = box(20, 0, 20, 10) | box(0, 0, 18, 10)
        drawn = box(10, 0, 22, 10) | box(33, 0, 7, 10)
        overlaps = metrics.lesion_overlaps(drawn, truth)
        assert (overlaps > 0.1).tolist() == [[True, False], [True, True]]
        assert overlaps[1].argmax() == 0
        assert metrics.match_lesions(metrics.lesion_overlaps(drawn, truth), 0.1) == Detection(2, 2, 0)

    def test_specks_are_neither_lesions_nor_false(self):
        assert metrics.match_lesions(metrics.lesion_overlaps(box(0, 0, 1, 5), box(9, 9, 2, 9)), 0.1) == Detection(
            0, 0, 0
        )

    def test_threshold_zero_is_refused(self):
        with pytest.raises(ValueError, match="over 0"):
            metrics.match_lesions(metrics.lesion_overlaps(EMPTY, EMPTY), 0.0)


class TestMeasure:
    def test_columns_and_their_order(self):
        assert list(metrics.measure(EMPTY, EMPTY)) == COLUMNS

    def test_shifted_squares(self):
        # Of each boundary the ten pixels of one side are three columns from the other: 3 px, and 0.6 mm.
        truth, drawn = box(10, 10, 10, 10), box(10, 13, 10, 10)
        row = metrics.measure(drawn, truth, drawn.astype(np.float32), (0.1, 0.2))
        assert row == pytest.approx(
            {
                "tp": 70, "fp": 30, "fn": 30, "tn": 1870,
                "dice": 0.7, "iou": 70 / 130, "sensitivity": 0.7, "precision": 0.7,
                "accuracy": 0.97, "study_accuracy": 0.97,
                "hd95": 3, "nsd": 44 / 72, "nsd_mm": 52 / 72,
                "lesions": 1, "lesions_found": 1, "false_lesions": 0, "lesions_found_50": 1, "false_lesions_50": 0,
                "drawn": 1, "drawn_pixels": 100,
            }
        )  # fmt: skip

    def test_lesion_with_nothing_drawn(self):
        row = metrics.measure(EMPTY, box(10, 10, 10, 10), np.zeros(SHAPE, np.float32), (0.1, 0.1))
        assert [row[name] for name in ("dice", "iou", "sensitivity", "nsd", "nsd_mm")] == [0] * 5
        assert row["hd95"] == sqrt(40**2 + 50**2)
        assert isnan(row["precision"])
        assert row["study_accuracy"] == 0.95
        assert (row["lesions"], row["lesions_found"], row["false_lesions"]) == (1, 0, 0)
        assert (row["drawn"], row["drawn_pixels"]) == (0, 0)

    @pytest.mark.parametrize("drawn", [EMPTY, box(3, 3, 6, 6)])
    def test_normal_image(self, drawn):
        row = metrics.measure(drawn, EMPTY, drawn.astype(np.float64), (0.1, 0.1))
        for name in ("dice", "iou", "sensitivity", "precision", "hd95", "nsd", "nsd_mm"):
            assert isnan(row[name]), name
        assert row["drawn"] == row["false_lesions"] == row["false_lesions_50"] == int(drawn.any())
        assert row["drawn_pixels"] == drawn.sum()
        assert row["accuracy"] == row["study_accuracy"] == 1 - drawn.mean()

    def test_without_probability_and_spacing(self):
        row = metrics.measure(box(1, 1, 9, 9), box(1, 1, 9, 9))
        assert isnan(row["study_accuracy"])
        assert isnan(row["nsd_mm"])

    def test_values_are_plain_numbers(self):
        row = metrics.measure(box(1, 1, 9, 9), box(1, 2, 9, 9), np.zeros(SHAPE, np.float32), (0.1, 0.1))
        assert {type(value) for value in row.values()} == {int, float}

    def test_rule_is_written_down(self):
        assert "diagonal" in metrics.EMPTY_RULE


class TestWrongInput:
    def test_shapes_differ(self):
        with pytest.raises(ValueError, match="one shape"):
            metrics.measure(box(0, 0, 1, 1, (4, 5)), box(0, 0, 1, 1, (5, 4)))

    @pytest.mark.parametrize("wrong", [EMPTY.astype(np.uint8), EMPTY[None], EMPTY.astype(float)])
    def test_masks_are_bool_and_flat(self, wrong):
        for function in (metrics.count, metrics.surface_distances, metrics.lesion_overlaps, metrics.measure):
            with pytest.raises(ValueError, match="bool"):
                function(wrong, EMPTY)
        with pytest.raises(ValueError, match="bool"):
            metrics.boundary(wrong)

    @pytest.mark.parametrize("wrong", [np.zeros((3, 3)), np.zeros(SHAPE, np.uint8)])
    def test_probability(self, wrong):
        with pytest.raises(ValueError, match="probability must be float"):
            metrics.study_accuracy(wrong, EMPTY)

    @pytest.mark.parametrize("spacing", [(0.0, 1.0), (1.0, -1.0), (nan, 1.0)])
    def test_spacing(self, spacing):
        with pytest.raises(ValueError, match="positive"):
            metrics.hd95(EMPTY, EMPTY, spacing)
