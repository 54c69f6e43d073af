from odd_set import odd_set
from sonoseg.data.audit import Audit, Comparison, Look
from sonoseg.evaluation.audited import sum_up
from sonoseg.reports.audit import plots

PLAIN = {"shape": (20, 30), "masks": 1, "lesions": 1, "specks": 0, "holes": 0, "touches_border": False}


def look(name, label, share=0.1, marked=False):
    return Look(name=name, label=label, share=share, marked=marked, coloured=False, **PLAIN)


def audit(comparisons=()):
    looks = (
        look("a", "benign", 0.04, True),
        look("b", "benign", 0.02),
        look("c", "malignant", 0.3, True),
        look("d", "normal", 0.0),
    )
    return Audit(odd_set(), looks, {"a": "a", "b": "a", "c": "c", "d": "d"}, comparisons, ())


def test_only_two_outlines_that_could_be_compared_count() -> None:
    compared = (
        Comparison("a", "b", 0.9, False),
        Comparison("a", "c", 0.5, False),
        Comparison("a", "d", 0.0, True),
        Comparison("b", "c", None, False),
    )
    found = plots.agreement(audit(compared), sum_up(audit(compared)).agreement)
    name, cells = found["table"].rows[0]
    assert name == "2"
    assert (cells[-1].text, cells[-1].small) == ("0.700", "0.600 to 0.800")
    assert found["note"].startswith("4 pairs lie in one group. Left out: 1 where one mask")
    assert not found["enough"]


def test_without_copies_there_is_no_agreement() -> None:
    assert plots.agreement(audit(), sum_up(audit()).agreement) is None


def test_classes_have_rows_of_their_own_and_one_of_all() -> None:
    rows = dict(plots.class_table(audit(), ["benign", "malignant", "normal"]).rows)
    assert {name: row[0].text for name, row in rows.items()} == {
        "benign": "2",
        "malignant": "1",
        "normal": "1",
        "all": "4",
    }
    assert (rows["benign"][1].text, rows["benign"][2].text) == ("1", "50\u00a0%")
    assert (rows["benign"][4].text, rows["normal"][4].text) == ("3.0", "–")
    assert "all" not in dict(plots.class_table(audit(), ["benign"]).rows)


def test_charts_say_their_figures_in_words() -> None:
    assert 'aria-label="Share with marks: benign 50\u00a0% of 2; normal 0\u00a0% of 1"' in plots.marks_chart(
        sum_up(audit()).marked, ["benign", "normal"]
    )
    assert len(plots.size_charts(audit(), ["benign", "normal"])) == 2
    assert len(plots.size_charts(audit(), ["normal"])) == 1
