from pathlib import Path

import numpy as np
import pytest

from serving import add, client, png, two
from sonoseg.data.sets.sources import open_set
from sonoseg.errors import UserError
from sonoseg.images import masks
from sonoseg.viewer import review
from sonoseg.viewer.store import Store
from tiny_model import scan


def reviewed(folder: Path) -> Store:
    """Case 1 is accepted, 2 corrected twice, 3 rejected, 4 only predicted, 5 emptied, 6 without a lesion accepted."""
    lesions = {number: png(height=120 + number) for number in range(1, 6)} | {6: png(lesion=False)}
    with client(folder) as opened:
        for number, content in lesions.items():
            assert add(opened, content) == number
            opened.get(f"/api/cases/{number}/frames/1/probability")

        def judge(case: int, decision: str, reader: str = "A") -> None:
            opened.post(f"/api/cases/{case}/frames/1/decisions", json={"reader": reader, "decision": decision})

        def correct(case: int, mask: np.ndarray, reader: str) -> None:
            form = {"reader": reader, "action": "brush", "mask": masks.encode(mask)}
            assert opened.put(f"/api/cases/{case}/frames/1/mask", json=form).status_code == 200

        judge(1, "accepted")
        half = np.zeros((122, 160), bool)
        half[40:81, 50:90] = True
        correct(2, half, "A")
        correct(2, np.zeros((122, 160), bool), "A")
        correct(2, half, "B")
        judge(3, "rejected", "B")
        correct(5, np.zeros((125, 160), bool), "A")
        judge(6, "accepted")
        opened.put("/api/cases/1/spacing", json={"row": 0.1, "column": 0.2})
    return Store(folder / "reviews.sqlite3", writable=False)


def test_what_was_reviewed_is_a_set_that_train_reads(tmp_path: Path) -> None:
    store = reviewed(tmp_path)
    assert review.export(store, tmp_path / "out") == 4
    for spec in (f"folder:{tmp_path / 'out' / review.MANIFEST}",):
        samples = {sample.name: sample for sample in open_set(spec).samples}
        assert list(samples) == [f"images/0000{case}_0001" for case in (1, 2, 5, 6)]
        assert [sample.label for sample in samples.values()] == ["unknown", "unknown", "normal", "normal"]
        image, mask = samples["images/00002_0001"].read()
        assert (image.shape, int(mask.sum())) == ((122, 160), 41 * 40)
        first, _ = samples["images/00001_0001"].read()
        assert first.spacing == (0.1, 0.2)
    with pytest.raises(UserError, match="not empty"):
        review.export(store, tmp_path / "out")
    assert review.export(store, tmp_path / "all", undecided=True) == 5
    for row in (tmp_path / "all" / review.MANIFEST).read_text().splitlines():
        assert not row.startswith("images/00003")


def test_frames_of_one_file_are_never_parted(tmp_path: Path) -> None:
    store = reviewed(tmp_path)
    review.export(store, tmp_path / "out")
    folds = open_set(f"folder:{tmp_path / 'out' / review.MANIFEST}").folds
    assert len(set(folds.groups.values())) == 4


def test_the_report_tells_how_far_each_reader_corrected(tmp_path: Path) -> None:
    found = list(review.changes(reviewed(tmp_path)))
    by_key = {(each.case, each.reader): each for each in found}
    assert set(by_key) == {(1, "A"), (2, "A"), (2, "B"), (3, "B"), (5, "A"), (6, "A")}
    assert (by_key[1, "A"].dice, by_key[1, "A"].strokes, by_key[1, "A"].decision) == (1.0, 0, "accepted")
    assert (by_key[2, "A"].dice, by_key[2, "A"].strokes) == (0.0, 2)
    both = by_key[2, "B"]
    assert 0.5 < both.dice < 1
    assert both.final_pixels == 41 * 40
    assert by_key[6, "A"].dice == 1.0  # nothing drawn, nothing left
    rows = {row.reader: row for row in review.report(found)}
    assert (rows["A"].frames, rows["A"].corrected, rows["A"].accepted) == (4, 2, 2)
    assert (rows["B"].frames, rows["B"].corrected, rows["B"].rejected) == (2, 1, 1)
    assert rows["all"].frames == 6
    assert rows["A"].dice_mean == pytest.approx(0.5)


def test_nothing_reviewed_is_said(tmp_path: Path) -> None:
    with client(tmp_path) as opened:
        add(opened)
    with pytest.raises(UserError, match="nothing that was accepted"):
        review.export(Store(tmp_path / "reviews.sqlite3", writable=False), tmp_path / "out")


def test_with_two_models_what_was_accepted_is_what_was_seen(tmp_path: Path) -> None:
    loaded = two(tmp_path)
    least = {name: int(loaded.get(name).predict(scan()).mask.sum()) for name in ("tiny", "strict")}
    assert least["strict"] < least["tiny"]
    with client(tmp_path, loaded) as opened:
        case = add(opened)
        place = f"/api/cases/{case}/frames/1"
        for name in ("tiny", "strict"):
            opened.get(f"{place}/probability", params={"model": name})
        form = {"reader": "A", "decision": "accepted"}
        judged = opened.post(f"{place}/decisions", json=form, params={"model": "strict"})
        assert judged.json()["checksum"] == loaded.get("strict").model.checksum
        told = {name: opened.get(f"{place}/findings", params={"model": name}).json() for name in least}
        assert told["strict"]["review"]["decision"]["decision"] == "accepted"
        assert "review" not in told["tiny"]  # nobody accepted what it drew
    store = Store(tmp_path / "reviews.sqlite3", writable=False)
    assert review.export(store, tmp_path / "out") == 1
    (sample,) = open_set(f"folder:{tmp_path / 'out' / review.MANIFEST}").samples
    assert int(sample.read()[1].sum()) == least["strict"]
    (change,) = review.changes(store)
    assert (change.first_pixels, change.final_pixels, change.dice) == (least["strict"], least["strict"], 1.0)
    store.close()


def test_a_label_on_what_was_never_predicted_is_written_and_told(tmp_path: Path) -> None:
    with client(tmp_path) as opened:
        for case, bottom in ((1, 81), (2, 40)):  # the second one says that there is no lesion
            assert add(opened, png(height=120 + case), f"{case}.png") == case
            mask = np.zeros((120 + case, 160), bool)
            mask[40:bottom, 50:90] = True
            form = {"reader": "A", "action": "label", "mask": masks.encode(mask)}
            assert opened.put(f"/api/cases/{case}/frames/1/mask", json=form).status_code == 200
        add(opened, png(height=123), "3.png")
        assert [each["corrected"] for each in opened.get("/api/cases").json()] == [1, 1, 0]
    store = Store(tmp_path / "reviews.sqlite3", writable=False)
    assert review.export(store, tmp_path / "out", undecided=True) == 2
    samples = open_set(f"folder:{tmp_path / 'out' / review.MANIFEST}").samples
    assert [(each.label, int(each.read()[1].sum())) for each in samples] == [("unknown", 41 * 40), ("normal", 0)]
    found = list(review.changes(store))
    assert [(each.dice, each.first_pixels, each.final_pixels) for each in found] == [
        (None, None, 41 * 40),
        (None, None, 0),
    ]
    (row, _) = review.report(found)
    assert (row.frames, row.corrected, row.dice_mean, row.dice_least) == (2, 2, None, None)
    store.close()
