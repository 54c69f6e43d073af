from sonoseg.reports.benchmark.sentences import abroad, claim, finding, reading, trained_on


def summary_of(dice, study, nothing=0.92, drawn=None, differences=()):
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
    return {
        "models": models,
        "nothing": {"all": {"study_accuracy": each(nothing)}},
        "differences": list(differences),
        "margin": 0.015,
    }


def difference(mean, half):
    low, high = mean - half, mean + half
    ahead = "a" if low > 0 else "b" if high < 0 else None
    alike = low > -0.015 and high < 0.015
    ends = {"low": low, "high": high}
    return {"first": "a", "second": "b", "mean": mean, **ends, "adjusted": ends, "ahead": ahead, "alike": alike}


def test_the_finding_says_what_the_numbers_say():
    told = [difference(0.05, 0.03)]
    summary = summary_of({"a": 0.75, "b": 0.7}, {"a": 0.95, "b": 0.91}, drawn={"a": 0.2, "b": 0.4}, differences=told)
    assert finding(summary) == [
        "On 100 images with a lesion, the mean Dice is highest for a, 0.750 (95\u00a0% interval 0.740 to 0.760), "
        "and lowest for b, 0.700 (95\u00a0% interval 0.690 to 0.710).",
        "a is ahead of b by 0.050 (0.020 to 0.080).",
        "The models draw something on 20 to 40\u00a0% of the 30 images without a lesion.",
        "On the accuracy that an earlier study reported, drawing nothing at all scores 0.920, "
        "no less than 1 of the 2 models; its Dice is 0.",
    ]


def test_the_finding_claims_no_difference_where_there_is_none():
    summary = summary_of({"a": 0.75, "b": 0.74}, {"a": 0.95, "b": 0.95}, differences=[difference(0.01, 0.03)])
    _, told, study = finding(summary)
    assert told == "No two models are told apart: the largest difference, a − b, is +0.010 (−0.020 to +0.040)."
    assert "less than every model" in study


def test_the_finding_names_who_are_alike():
    summary = summary_of({"a": 0.75, "b": 0.74}, {"a": 0.95, "b": 0.95}, differences=[difference(0.002, 0.006)])
    assert finding(summary)[2] == "No difference within 1.5 points: a and b."


def test_the_finding_counts_pairs():
    pairs = [difference(0.05, 0.03), difference(-0.08, 0.03), difference(0.0, 0.03)]
    _, told, _ = finding(summary_of({"a": 0.75, "b": 0.7}, {"a": 0.9, "b": 0.9}, differences=pairs))
    assert told == (
        "2 of the 3 pairs of models are told apart after adjusting for 3 comparisons; most of all, b is ahead of a by "
        "0.080 (0.050 to 0.110)."
    )
    _, told, _ = finding(summary_of({"a": 0.75, "b": 0.7}, {"a": 0.9, "b": 0.9}, differences=pairs[1:]))
    assert told.startswith("1 of the 2 pairs of models is told apart after adjusting for 2 comparisons: b is ahead")


def test_the_finding_of_one_model():
    dice, normals, study = finding(summary_of({"a": 0.75}, {"a": 0.9}, drawn={"a": 0.2}))
    assert dice == "On 100 images with a lesion, a reaches a mean Dice of 0.750 (95\u00a0% interval 0.740 to 0.760)."
    assert normals == "It draws something on 20\u00a0% of the 30 images without a lesion."
    assert "scores 0.920, no less than the model;" in study


def test_undefined_numbers_make_no_sentence():
    summary = summary_of({"a": None}, {"a": None}, nothing=None)
    assert finding(summary) == ["No image with a lesion was tested."]


def test_claims_follow_the_adjusted_interval_and_the_margin():
    pairs = {
        (0.05, 0.03): ("a is ahead of b: a − b is +0.050 [+0.020, +0.080] in mean", "a is ahead"),
        (-0.05, 0.03): ("b is ahead of a: a − b is −0.050 [−0.080, −0.020] in mean", "b is ahead"),
        (0.008, 0.005): ("a is ahead of b, yet within 1.5 points: a − b", "a is ahead, within 1.5 points"),
        (0.0, 0.01): ("a or b makes no difference within 1.5 points: a − b", "no difference within 1.5 points"),
        (0.0, 0.03): ("a and b are not told apart: a − b is +0.000 [−0.030, +0.030]", "not told apart"),
    }
    for numbers, (words, short) in pairs.items():
        summary = summary_of({"a": 0.7, "b": 0.7}, {"a": 0.9, "b": 0.9}, differences=[difference(*numbers)] * 2)
        written = claim(summary["differences"][0], summary)
        assert written.startswith(words)
        assert written.endswith("mean lesion Dice, adjusted for 2 comparisons.")
        assert reading(summary["differences"][0], summary) == short


def test_a_drop_names_sets_and_figures():
    found = {name: {"mean": 0.5, "low": 0.4, "high": 0.6, "n": 11} for name in ("home", "away", "drop")}
    (sentence,) = abroad({"unet": found}, "busi", "bus-bra")
    assert "0.500 [0.400, 0.600] at home on 11 images of busi" in sentence
    assert "on 11 images of bus-bra; the drop is 0.500" in sentence


def test_a_validation_part_is_called_one_before_all_else():
    summary = summary_of({"a": 0.7}, {"a": 0.95})
    assert not any("cut off" in each for each in finding(summary))
    first = finding(summary | {"judged": "validation", "folds": [4]})[0]
    assert "cut off the training of fold 4" in first


def test_machines_are_told_with_how_many_runs_each_had():
    card = {"machine": "A card", "threads": 2, "precision": "bfloat16", "torch": "2.11"}
    processor = {"machine": "A processor", "threads": 1, "precision": "float32", "torch": "2.14"}
    models = {
        "a": {"machines": [card | {"runs": 9}, processor | {"runs": 1}]},
        "b": {"machines": [card | {"runs": 10}]},
    }
    assert trained_on({"models": models}) == [
        "A card, 2 threads, bfloat16, torch 2.11: 19 runs",
        "A processor, 1 thread, float32, torch 2.14: 1 run",
    ]
    assert trained_on({"models": {"a": {}}}) == []
