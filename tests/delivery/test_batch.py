import errno
import json
import os
import random
import shutil
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import PIL.Image
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sonoseg
from failing_disk import FailingDisk
from sonoseg.delivery.batch import Summary, run
from sonoseg.delivery.outputs import Options, Outcome
from sonoseg.errors import UserError
from sonoseg.files import alone, checksum
from sonoseg.images.pictures import encode_png, read_mask
from sonoseg.images.reading import find
from sonoseg.prediction.modelfile import load
from sonoseg.prediction.predictor import Predictor
from tiny_model import scan, write_model
from trees import contents, names, table

SCHEMA = json.loads((Path(sonoseg.__file__).parent / "delivery" / "schema" / "prediction-1.json").read_text())


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    return load(write_model(tmp_path_factory.mktemp("model") / "tiny.onnx", gates=1), "onnxruntime", threads=1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three scans, one of them without a lesion and one of two pages."""
    place = tmp_path / "in"
    (place / "deep").mkdir(parents=True)
    PIL.Image.fromarray(scan().pixels).save(place / "b.png")
    PIL.Image.fromarray(scan(lesion=False).pixels).save(place / "deep" / "a.png")
    pages = [PIL.Image.fromarray(scan(120 + 10 * page).pixels) for page in range(2)]
    pages[0].save(place / "deep" / "pages.tif", save_all=True, append_images=pages[1:])
    return place


ALL = [
    "b.json", "b_mask.png", "b_overlay.png", "deep/a.json", "deep/a_mask.png", "deep/a_overlay.png",
    "deep/pages_page001.json", "deep/pages_page001_mask.png", "deep/pages_page001_overlay.png",
    "deep/pages_page002.json", "deep/pages_page002_mask.png", "deep/pages_page002_overlay.png", "lesions.csv",
]  # fmt: skip


def test_a_folder_keeps_its_shape(folder: Path, tmp_path: Path, predictor: Predictor) -> None:
    out = tmp_path / "out"
    summary = run([folder], predictor, Options(out))
    assert names(out) == ALL
    assert (summary.files, summary.images, summary.lesions, summary.empty) == (3, 4, 3, 1)
    rows = table(out / "lesions.csv")
    assert [(row["file"], row["page"], row["lesions"]) for row in rows] == [
        ("b.png", "", "1"),
        ("deep/a.png", "", "0"),
        ("deep/pages.tif", "1", "1"),
        ("deep/pages.tif", "2", "1"),
    ]
    assert {row["model_checksum"] for row in rows} == {predictor.model.checksum}
    for name in names(out):
        if name.endswith(".json"):
            jsonschema.validate(json.loads((out / name).read_text(encoding="utf-8")), SCHEMA)


@pytest.mark.parametrize("workers", [1, 3])
def test_the_same_input_gives_the_same_bytes(folder: Path, tmp_path: Path, predictor: Predictor, workers: int) -> None:
    run([folder], predictor, Options(tmp_path / "one", explain=True, coco=True))
    run([folder], predictor, Options(tmp_path / "two", explain=True, coco=True, workers=workers))
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_the_order_is_that_of_the_files(tmp_path: Path, predictor: Predictor) -> None:
    for number in range(30):
        PIL.Image.fromarray(scan().pixels).save(tmp_path / f"{number:02}.png")
    seen: list[tuple[str, int, int]] = []

    def report(outcome: Outcome, done: int, total: int) -> None:
        seen.append((outcome.found.name, done, total))

    run([tmp_path], predictor, Options(tmp_path / "out", workers=4), report)
    assert seen == [(f"{number:02}.png", number + 1, 30) for number in range(30)]


def test_what_stands_is_not_replaced(folder: Path, tmp_path: Path, predictor: Predictor) -> None:
    PIL.Image.fromarray(np.zeros((5, 5), np.uint8)).save(folder / "b_mask.png")
    truth = (folder / "b_mask.png").read_bytes()
    for options in (Options(), Options(resume=True)):
        summary = run([folder], predictor, options)
        assert ["b_mask.png stands already" in failure.message for failure in summary.failures] == [True]
        assert (folder / "b_mask.png").read_bytes() == truth
        assert not (folder / "b.json").exists()
    assert run([folder], predictor, Options(overwrite=True)).failures == []
    assert (folder / "b_mask.png").read_bytes() != truth
    assert not (folder / "failures.csv").exists()
    with pytest.raises(UserError, match=r"lesions\.csv stands already") as caught:
        run([folder], predictor)
    assert "--resume" in caught.value.hint


def test_resume_keeps_what_is_finished(folder: Path, tmp_path: Path, predictor: Predictor) -> None:
    out = tmp_path / "out"
    run([folder], predictor, Options(out))
    before = contents(out)
    for lost in ("deep/a.json", "deep/pages_page002.json", "lesions.csv"):
        (out / lost).unlink()
    calls: list[int] = []
    counting = Predictor(
        lambda frames: calls.append(1) or predictor.network(frames),  # type: ignore[func-returns-value]
        predictor.size,
        smallest_lesion=predictor.smallest_lesion,
        model=predictor.model,
    )
    summary = run([folder], counting, Options(out, resume=True))
    assert (summary.kept, summary.images, len(calls)) == (1, 4, 3)
    assert contents(out) == before


def test_resume_makes_again_what_is_of_another_run(folder: Path, tmp_path: Path, predictor: Predictor) -> None:
    out = tmp_path / "out"
    run([folder], predictor, Options(out, overlay=False))
    assert run([folder], predictor, Options(out, overlay=False, resume=True)).kept == 3
    assert run([folder], predictor, Options(out, resume=True)).kept == 0
    assert run([folder], predictor, Options(out, resume=True, spacing=(0.1, 0.1))).kept == 0
    PIL.Image.fromarray(scan(130).pixels).save(folder / "b.png")
    assert run([folder], predictor, Options(out, resume=True, spacing=(0.1, 0.1))).kept == 2


@pytest.mark.parametrize("again", [Options(resume=True), Options(overwrite=True)])
def test_what_other_settings_made_does_not_stay(
    folder: Path, tmp_path: Path, predictor: Predictor, again: Options
) -> None:
    fresh, out = tmp_path / "fresh", tmp_path / "out"
    run([folder], predictor, Options(fresh, overlay=False))
    run([folder], predictor, Options(out, explain=True))
    other = {"b_explain.png": b"somebody else's"} if again.resume else {}
    for name, content in other.items():
        (out / name).write_bytes(content)
    run([folder], predictor, replace(again, out=out, overlay=False))
    assert contents(out) == contents(fresh) | other


def test_an_interrupted_batch_is_gone_on_with(folder: Path, tmp_path: Path, predictor: Predictor) -> None:
    out, whole = tmp_path / "out", tmp_path / "whole"

    def stop(outcome: Outcome, done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run([folder], predictor, Options(out), stop)
    assert "lesions.csv" not in names(out)
    assert not [name for name in names(out) if name.endswith(".part")]
    run([folder], predictor, Options(out, resume=True))
    run([folder], predictor, Options(whole))
    assert contents(out) == contents(whole)


def test_failures_are_listed_and_the_batch_goes_on(folder: Path, tmp_path: Path, predictor: Predictor) -> None:
    (folder / "notes.png").write_text("not a picture")
    PIL.Image.fromarray(np.zeros((10, 20_000), np.uint8)).save(folder / "long.png")
    PIL.Image.fromarray(np.zeros((1, 1), np.uint8)).save(folder / "tiny.png")
    whole = (folder / "b.png").read_bytes()
    (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
    frames = [PIL.Image.fromarray(scan(lesion=lesion).pixels) for lesion in (True, False)]
    frames[0].save(folder / "moving.png", save_all=True, append_images=frames[1:])
    out = tmp_path / "out"
    summary = run([folder], predictor, Options(out))
    assert [failure.file for failure in summary.failures] == [
        "cut.png", "long.png", "moving.png", "notes.png", "tiny.png",
    ]  # fmt: skip
    assert all(failure.message and failure.hint for failure in summary.failures)
    rows = table(out / "failures.csv")
    assert [row["file"] for row in rows] == [failure.file for failure in summary.failures]
    assert rows[0]["model_checksum"] == predictor.model.checksum
    assert names(out) == sorted([*ALL, "failures.csv"])


def test_a_name_that_is_too_long_for_a_file_stops_no_archive(tmp_path: Path, predictor: Predictor) -> None:
    long = "a" * 300 + ".png"
    with zipfile.ZipFile(tmp_path / "scans.zip", "w") as archive:
        for name in (f"deep/{long}", "b.png"):
            archive.writestr(name, encode_png(scan().pixels))
    summary = run([tmp_path / "scans.zip"], predictor, Options(tmp_path / "out", overlay=False))
    assert [each.file for each in summary.failures] == [f"deep/{long}"]
    assert "too long" in summary.failures[0].message
    assert [row["file"] for row in table(tmp_path / "out" / "failures.csv")] == [f"deep/{long}"]
    assert (summary.images, names(tmp_path / "out")[0]) == (1, "b.json")


def test_whatever_fails_is_told_and_made_good_by_resume(tmp_path: Path, predictor: Predictor) -> None:
    place, out, whole = tmp_path / "in", tmp_path / "out", tmp_path / "whole"
    place.mkdir()
    for name in ("a", "b"):
        PIL.Image.fromarray(scan(60, 80).pixels).save(place / f"{name}.png")
    options = Options(out, overlay=False, coco=True)
    run([place], predictor, replace(options, out=whole))
    right = contents(whole)
    for fails in range(1, 200):
        disk = FailingDisk(out, fails)
        with pytest.MonkeyPatch.context() as patch:
            disk.install(patch)
            try:
                told = "".join(each.message for each in run([place], predictor, options).failures)
            except UserError as error:
                told = str(error)
        if not disk.failed:
            break
        assert "No space left on device" in told
        left = {name: content for name, content in contents(out).items() if not name.endswith(".csv")}
        left.pop("coco.json", None)
        assert left.items() <= right.items()
        assert all(f"{name}_mask.png" in left for name in ("a", "b") if f"{name}.json" in left)
        run([place], predictor, replace(options, resume=True))
        assert contents(out) == right
        shutil.rmtree(out)
    assert 20 < fails < 199


NAMES = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["", "deep/", "Deep/"]),
        st.sampled_from(["a", "A", "a_page001", "a_page002", "a.tif_page001", "coco", "a_2", "é", "e\u0301", "a_mask"]),
        st.sampled_from(["", ".tif", ".png", ".PNG"]),
    ),
)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=st.lists(NAMES, min_size=1, max_size=8, unique=True), beside=st.booleans(), coco=st.booleans())
def test_every_input_has_outputs_of_its_own_or_a_line_among_the_failures(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    files: list[str],
    beside: bool,
    coco: bool,
) -> None:
    monkeypatch.setattr(os, "fsync", lambda place: None)
    place, out = tmp_path_factory.mktemp("in"), tmp_path_factory.mktemp("out")
    for number, file in enumerate(files):
        (place / file).parent.mkdir(exist_ok=True)
        first, *others = [PIL.Image.fromarray(np.full((16, 16 + page), number, np.uint8)) for page in range(3)]
        more = others if file.endswith(".tif") else []
        first.save(place / file, "TIFF" if more else "PNG", save_all=bool(more), append_images=more)
    before = contents(place)
    inputs = [place / file for file in files] if beside else [place]
    options = Options(None if beside else out, overlay=False, coco=coco, workers=2)
    summary = run(inputs, Predictor(lambda frames: np.zeros_like(frames), 32), options)
    assert before.items() <= contents(place).items()
    failed, written = {each.file for each in summary.failures}, 0
    for found in find(inputs, ["coco"] if coco and not beside else []):
        base = (found.path.parent if beside else out) / (Path(found.stem).name if beside else found.stem)
        ends = [f"_page{page:03}" for page in (1, 2, 3)] if found.name.endswith(".tif") else [""]
        for page, end in enumerate(ends, 1):
            path = base.with_name(base.name + end + ".json")
            told = json.loads(path.read_bytes()) if path.exists() else {}
            if (told.get("file"), told.get("sha256"), told.get("page")) == (found.name, checksum(found.path), page):
                written += 1
                assert read_mask(path.with_name(told["outputs"]["mask"])).shape == (16, 15 + page)
            else:
                assert found.name in failed
    assert written == summary.images


def test_known_collisions_lose_nothing(tmp_path: Path, predictor: Predictor) -> None:
    place, out = tmp_path / "in", tmp_path / "out"
    place.mkdir()
    picture = PIL.Image.fromarray(scan().pixels)
    picture.save(place / "a.tif", save_all=True, append_images=[picture, picture])
    picture.save(place / "a_page001.png")
    picture.save(place / "coco.png")
    summary = run([place], predictor, Options(out, overlay=False, coco=True))
    assert (summary.failures, summary.images) == ([], 5)
    assert {name for name in names(out) if name.endswith(".json")} == {
        "a_page001.json", "a_page002.json", "a_page003.json", "a_page001_2.json", "coco_2.json", "coco.json",
    }  # fmt: skip
    assert len(json.loads((out / "coco.json").read_text())["images"]) == 5


def test_no_input_is_replaced(tmp_path: Path, predictor: Predictor) -> None:
    for name in ("x.png", "x_mask.png"):
        PIL.Image.fromarray(scan().pixels).save(tmp_path / name)
    before = contents(tmp_path)
    summary = run([tmp_path / "x.png", tmp_path / "x_mask.png"], predictor, Options(overwrite=True))
    (failure,) = summary.failures
    assert "x_mask.png is to be predicted itself" in failure.message
    assert before.items() <= contents(tmp_path).items()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems allow no such names")
def test_odd_names_are_outlined_or_told(tmp_path: Path, predictor: Predictor) -> None:
    place, out = tmp_path / "in", tmp_path / "out"
    place.mkdir()
    odd = ["=cmd|' C calc'!A0.png", "line\nfeed.png", "\x1b[31mred.png", "n" * 230 + ".png", "m" * 251 + ".png"]
    content = encode_png(scan().pixels)
    for name in odd:
        (place / name).write_bytes(content)
    Path(os.fsdecode(os.fsencode(place) + b"/bad\xff.png")).write_bytes(content)
    summary = run([place], predictor, Options(out))
    assert {failure.file for failure in summary.failures} == {"bad\\udcff.png", "m" * 251 + ".png"}
    assert all(failure.message.isprintable() for failure in summary.failures)
    assert summary.images == 4
    assert [row["file"] for row in table(out / "lesions.csv")] == [
        "\\x1b[31mred.png", "'=cmd|' C calc'!A0.png", "line\\nfeed.png", "n" * 230 + ".png",
    ]  # fmt: skip
    assert len(table(out / "failures.csv")) == 2


def test_a_folder_that_cannot_be_read_is_told(
    folder: Path, tmp_path: Path, predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    scandir = os.scandir

    def refuse(path: Any = ".") -> Any:
        if str(path).endswith("deep"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    summary = run([folder], predictor, Options(tmp_path / "out"))
    (failure,) = summary.failures
    assert failure.file == "deep"
    assert "is a folder that cannot be read" in failure.message
    assert summary.images == 1


def test_two_runs_into_one_folder_are_refused(folder: Path, tmp_path: Path, predictor: Predictor) -> None:
    out = tmp_path / "out"
    with alone(out), pytest.raises(UserError, match="another run is writing"):
        run([folder], predictor, Options(out))
    assert run([folder], predictor, Options(out)).failures == []


def test_resume_removes_what_a_killed_run_left(folder: Path, tmp_path: Path, predictor: Predictor) -> None:
    out = tmp_path / "out"
    (out / "deep").mkdir(parents=True)
    for name in (".sonoseg-0123abcd.part", "deep/.sonoseg-4567cdef.part", ".sonoseg.lock"):
        (out / name).write_bytes(b"half")
    run([folder], predictor, Options(out, resume=True))
    assert names(out) == ALL


def test_tables_that_cannot_be_written_are_one_sentence(folder: Path, tmp_path: Path, predictor: Predictor) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="is a file"):
        run([folder], predictor, Options(tmp_path / "file"))
    with pytest.raises(UserError, match="tables cannot be written") as caught:
        run([folder], predictor, Options(tmp_path / "file" / "out"))
    assert caught.value.exit_code == 1


def test_an_unexpected_error_is_a_failure_of_one_file(folder: Path, tmp_path: Path, predictor: Predictor) -> None:
    def odd(frames: np.ndarray) -> np.ndarray:
        raise ZeroDivisionError("by hand")

    summary = run([folder], Predictor(odd, 64), Options(tmp_path / "out"))
    assert len(summary.failures) == 3
    assert all("ZeroDivisionError: by hand" in failure.message for failure in summary.failures)


def test_explain_and_coco_on_request(folder: Path, tmp_path: Path, predictor: Predictor) -> None:
    out = tmp_path / "out"
    summary = run([folder], predictor, Options(out, explain=True, overlay=False, coco=True))
    assert summary.tables == [out / "lesions.csv", out / "coco.json"]
    assert {"b_explain.png", "coco.json"} <= set(names(out))
    assert not [name for name in names(out) if "overlay" in name]
    with PIL.Image.open(out / "b_explain.png") as picture:
        assert picture.width == 3 * 160  # scan, probability, one gate
    found = json.loads((out / "coco.json").read_text())
    assert [image["file_name"] for image in found["images"]] == [
        "b.png",
        "deep/a.png",
        "deep/pages.tif",
        "deep/pages.tif",
    ]
    assert len(found["annotations"]) == 3
    assert predictor.model.checksum in found["info"].values()


def test_damaged_files_never_leave_half_an_output(tmp_path: Path, predictor: Predictor) -> None:
    rng, place = random.Random(0), tmp_path / "in"
    place.mkdir()
    small = PIL.Image.fromarray(scan(48, 64).pixels)
    for suffix in ("png", "jpg"):
        small.save(tmp_path / f"small.{suffix}")
        content = (tmp_path / f"small.{suffix}").read_bytes()
        for number in range(60):
            damaged = bytearray(content)
            for _ in range(rng.randint(1, 6)):
                damaged[rng.randrange(len(damaged))] = rng.randrange(256)
            (place / f"{suffix}{number}.{suffix}").write_bytes(damaged[: rng.randint(1, 2 * len(damaged))])
    out = tmp_path / "out"
    summary = run([place], predictor, Options(out, overlay=False, workers=2, max_pixels=1_000_000))
    assert (summary.files, summary.images + len(summary.failures)) == (120, 120)
    assert summary.failures
    done = {name.removesuffix(".json") for name in names(out) if name.endswith(".json")}
    assert set(names(out)) == {f"{name}{end}" for name in done for end in (".json", "_mask.png")} | {
        "lesions.csv",
        "failures.csv",
    }


def test_a_summary_starts_at_nothing() -> None:
    assert Summary() == Summary(0, 0, 0, 0, 0, [], [])
