from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from sonoseg.data.samples import digest
from sonoseg.data.sets.sources import open_set
from sonoseg.data.splits import split
from sonoseg.errors import UserError
from sonoseg.learning import checkpoint, teachers
from sonoseg.learning.batches import Packed, pack
from sonoseg.learning.config import Config
from sonoseg.learning.run import Watch, train_run

CONFIG = Config("phantom:20", size=32, width=4, epochs=1, batch=8, device="cpu")
SILENT = Watch(lambda done, of: None, lambda epochs, images: lambda epoch, share, loss: None)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of fold 0, in a frame of 48."""
    folder = tmp_path_factory.mktemp("teachers") / "fold-0-seed-0"
    train_run(replace(CONFIG, size=48), open_set(CONFIG.data), folder, False, SILENT)
    return folder


def some(size: int = 32) -> Packed:
    return pack(open_set(CONFIG.data).samples[:6], size)


def soft(data: Packed, asked: list[checkpoint.Checkpoint]) -> torch.Tensor:
    found = teachers.taught(data, asked, CPU).soft
    assert found is not None
    return found.float()


def test_a_teachers_answer_is_its_own_in_its_own_frame(teacher: Path) -> None:
    stored, data = checkpoint.load(teacher), some(48)
    images, masks = data.at(torch.arange(6), CPU)
    with torch.inference_mode():
        expected = stored.network(images).sigmoid() * masks.amax((2, 3), keepdim=True)
    torch.testing.assert_close(soft(data, [stored]) / 255, expected, atol=0.5 / 255 + 1e-6, rtol=0)


def test_in_another_frame_it_is_the_same_picture_made_smaller(teacher: Path) -> None:
    stored = checkpoint.load(teacher)
    large, small = soft(some(48), [stored]), soft(some(32), [stored, stored])
    assert small.shape == (6, 1, 32, 32)
    torch.testing.assert_close(small.mean((1, 2, 3)), large.mean((1, 2, 3)), atol=8, rtol=0)


def test_the_mean_of_two_is_taken_and_nothing_is_asked_about_an_image_without_a_lesion(teacher: Path) -> None:
    one, two, data = checkpoint.load(teacher), checkpoint.load(teacher), some()
    with torch.no_grad():
        two.network.head.bias += 1  # type: ignore[operator]
    data.masks[0] = 0
    both = soft(data, [one, two])
    torch.testing.assert_close(both, (soft(data, [one]) + soft(data, [two])) / 2, atol=1, rtol=0)
    assert not both[0].any()
    assert both[1:].flatten(1).any(1).all()


def test_without_teachers_nothing_changes() -> None:
    data = some()
    assert teachers.taught(data, [], CPU) is data


def test_a_student_learns_from_its_teachers_and_has_seen_what_they_saw(teacher: Path, tmp_path: Path) -> None:
    data = open_set(CONFIG.data)
    taught = replace(CONFIG, teachers=(str(teacher.parent / "fold-{fold}-seed-{seed}"),), share=0.5)
    alone, student = (
        checkpoint.load(train_run(config, data, tmp_path / name, False, SILENT))
        for name, config in (("alone", replace(taught, teachers=())), ("student", taught))
    )
    assert not torch.equal(alone.network.head.weight, student.network.head.weight)
    assert student.record["settings"]["teachers"] == "fold-{fold}-seed-{seed}"
    trained_on = student.record["trained_on"]
    assert set(alone.record["trained_on"]["digests"]) < set(trained_on["digests"])
    assert trained_on["digests"] == checkpoint.load(teacher).record["trained_on"]["digests"]
    assert trained_on["also"] == []
    assert not {digest(sample.read()[0]) for sample in split(data, 0).test} & set(trained_on["digests"])


@pytest.mark.parametrize("part", [{"fold": 1}, {"fold": 0, "validation": 0.3}])
@pytest.mark.parametrize("known", ["teachers", "pretrained"])
def test_one_that_saw_what_is_held_out_is_refused(
    teacher: Path, tmp_path: Path, part: dict[str, Any], known: str
) -> None:
    config = replace(CONFIG, **{known: str(teacher) if known == "pretrained" else (str(teacher),)}, **part)
    with pytest.raises(UserError, match="held out") as refused:
        train_run(config, open_set(CONFIG.data), tmp_path / "student", False, SILENT)
    assert "held out the same fold" in str(refused.value.hint)
    assert not (tmp_path / "student").exists()


def test_a_teacher_that_is_not_there_is_told(tmp_path: Path) -> None:
    config = replace(CONFIG, teachers=(str(tmp_path / "fold-{fold}"),))
    with pytest.raises(UserError, match="fold-0"):
        train_run(config, open_set(CONFIG.data), tmp_path / "student", False, SILENT)
    assert not (tmp_path / "student").exists()
