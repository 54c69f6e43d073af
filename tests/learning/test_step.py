from dataclasses import replace

import pytest
import torch
from lightning_fabric import Fabric

from sonoseg.errors import UserError
from sonoseg.learning.config import Config
from sonoseg.learning.loop import new_network
from sonoseg.learning.step import Answers, Average, Step, records

CONFIG = Config("phantom:20", size=32, width=4, device="cpu")


def test_the_average_moves_towards_the_weights_and_is_no_part_of_them() -> None:
    network = new_network(CONFIG)
    average = Average(network)
    before = [parameter.clone() for parameter in average.network.parameters()]
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 1
    average.update(0.75)
    for then, now in zip(before, average.network.parameters(), strict=True):
        torch.testing.assert_close(now, then + 0.25)
        assert not now.requires_grad
    average.update(0.0)
    for own, theirs in zip(average.network.parameters(), network.parameters(), strict=True):
        torch.testing.assert_close(own, theirs)


def test_mask_and_presence_come_of_one_pass() -> None:
    network = new_network(replace(CONFIG, presence=0.3)).eval()
    image = torch.rand(2, 1, 32, 32)
    (logits,), presence = Answers(network)(image)
    assert torch.equal(logits, network(image))
    assert presence is not None
    assert presence.shape == (2,)


def test_coarser_levels_answer_in_the_same_frame_and_the_network_does_not_change() -> None:
    network = new_network(CONFIG)
    answers = Answers(network, deep=2).eval()
    image = torch.rand(2, 1, 32, 32)
    levels, _ = answers(image)
    assert [level.shape for level in levels] == [(2, 1, 32, 32)] * 3
    assert torch.equal(levels[0], network(image))
    blocks = levels[2].unfold(2, 4, 4).unfold(3, 4, 4)[0, 0]
    assert blocks.std((-2, -1)).mean() < levels[0].unfold(2, 4, 4).unfold(3, 4, 4)[0, 0].std((-2, -1)).mean()
    with pytest.raises(UserError, match="3 coarser levels, not 5"):
        Answers(network, deep=5)


def test_each_level_counts_half_of_the_finer_one() -> None:
    assert float(Step._of_levels([torch.tensor(3.0)])) == 3
    assert float(Step._of_levels([torch.tensor(7.0), torch.tensor(0.0), torch.tensor(14.0)])) == pytest.approx(6)


def test_teachers_weigh_as_much_as_is_said() -> None:
    def loss(soft: float, answers: torch.Tensor | None) -> float:
        config = replace(CONFIG, soft=soft)
        torch.manual_seed(0)
        network = new_network(config)
        fabric = Fabric(accelerator="cpu", devices=1)
        parameters = [{"params": list(network.parameters()), "share": 1.0}]
        model, optimizer = fabric.setup(Answers(network), torch.optim.SGD(parameters, lr=0.0))
        targets = masks if answers is None else torch.cat((masks, answers), 1)
        return float(Step(fabric, model, optimizer, config)(images, targets, 0.0))

    generator = torch.Generator().manual_seed(1)
    images = torch.rand(2, 1, 32, 32, generator=generator)
    masks = (torch.rand(2, 1, 32, 32, generator=generator) > 0.5).float()
    answers = torch.rand(2, 1, 32, 32, generator=generator)
    alone = loss(0.5, None)
    assert loss(0.0, answers) == loss(0.9, masks) == alone
    assert loss(1.0, answers) != alone
    assert loss(0.5, answers) == pytest.approx(loss(1.0, (masks + answers) / 2), rel=1e-6)


def test_steps_are_recorded_on_one_cuda_device_alone() -> None:
    assert records(CONFIG, torch.device("cuda"))
    assert not records(replace(CONFIG, devices=2), torch.device("cuda"))
    assert not records(CONFIG, torch.device("cpu"))
