from sonoseg.evaluation import breakdown
from sonoseg.reports.benchmark.findings import finding


def summary_of(dice, study, nothing=0.92, drawn=None):
    def each(value, n=100):
        return {"mean": value, "low": value and value - 0.01, "high": value and value + 0.01, "n": n, "groups": n}

    models = {
        name: {
            "lesion": {"dice": each(value)},
            "normal": {"images": 30 if drawn else 0, "drawn": each(drawn[name] if drawn else None)},
            "all": {"study_accuracy": each(study[name])},
        }
        for name, value in dice.items()
    }
    return {"models": models, "nothing": {"all": {"study_accuracy": each(nothing)}}}


def difference(mean, half):
    interval = breakdown.Interval(mean, mean - half, mean + half, 100, 100)
    return breakdown.Difference("a", "b", interval, interval)


def test_the_finding_says_what_the_numbers_say():
    summary = summary_of({"a": 0.75, "b": 0.7}, {"a": 0.95, "b": 0.91}, drawn={"a": 0.2, "b": 0.4})
    assert finding(summary, [difference(0.05, 0.03)]) == [
        "On 100 images with a lesion, the mean Dice is highest for a, 0.750 (95\u00a0% interval 0.740 to 0.760), "
        "and lowest for b, 0.700 (95\u00a0% interval 0.690 to 0.710).",
        "a is ahead of b by 0.050 (0.020 to 0.080).",
        "The models draw something on 20 to 40\u00a0% of the 30 images without a lesion.",
        "On the accuracy that an earlier study reported, drawing nothing at all scores 0.920, "
        "no less than 1 of the 2 models; its Dice is 0.",
    ]


def test_the_finding_claims_no_difference_where_there_is_none():
    summary = summary_of({"a": 0.75, "b": 0.74}, {"a": 0.95, "b": 0.95})
    _, told, study = finding(summary, [difference(0.01, 0.03)])
    assert told == "No two models are told apart: the largest difference, a − b, is +0.010 (−0.020 to +0.040)."
    assert "less than every model" in study


def test_the_finding_counts_pairs():
    pairs = [difference(0.05, 0.03), difference(-0.08, 0.03), difference(0.0, 0.03)]
    _, told, _ = finding(summary_of({"a": 0.75, "b": 0.7}, {"a": 0.9, "b": 0.9}), pairs)
    assert told == (
        "2 of the 3 pairs of models are told apart after adjusting for 3 comparisons; most of all, b is ahead of a by "
        "0.080 (0.050 to 0.110)."
    )
    _, told, _ = finding(summary_of({"a": 0.75, "b": 0.7}, {"a": 0.9, "b": 0.9}), pairs[1:])
    assert told.startswith("1 of the 2 pairs of models is told apart after adjusting for 2 comparisons: b is ahead")


def test_the_finding_of_one_model():
    dice, normals, study = finding(summary_of({"a": 0.75}, {"a": 0.9}, drawn={"a": 0.2}), [])
    assert dice == "On 100 images with a lesion, a reaches a mean Dice of 0.750 (95\u00a0% interval 0.740 to 0.760)."
    assert normals == "It draws something on 20\u00a0% of the 30 images without a lesion."
    assert "scores 0.920, no less than the model;" in study


def test_undefined_numbers_make_no_sentence():
    summary = summary_of({"a": None}, {"a": None}, nothing=None)
    assert finding(summary, []) == ["No image with a lesion was tested."]
