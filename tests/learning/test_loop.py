import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import Tensor

from sonoseg.data.sets.sources import open_set
from sonoseg.errors import UserError
from sonoseg.learning import loop
from sonoseg.learning.batches import Packed, Share, pack, training_batches
from sonoseg.learning.config import Config
from sonoseg.learning.loop import Epoch, Run, _groups, first_network, learning_rate, train, validate
from sonoseg.learning.step import Answers

CONFIG = Config("phantom:20", size=32, width=4, epochs=3, batch=8, device="cpu")


@pytest.fixture(scope="module")
def packed() -> Packed:
    return pack(open_set("phantom:20").samples[:16], 32)


@pytest.fixture(autouse=True)
def every_epoch_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "KEPT", -1.0)


class Told:
    """What a run reports; it is stopped in the middle of epoch ``stop``."""

    def __init__(self, stop: int = -1) -> None:
        self.stop = stop
        self.history: list[Epoch] = []

    def report(self, epoch: int, share: float, loss: float) -> None:
        if epoch == self.stop:
            raise KeyboardInterrupt

    def finished(self, history: list[Epoch]) -> None:
        self.history = list(history)


def run(config: Config, data: Packed, state: Path, told: Told | None = None) -> dict[str, Tensor]:
    told = told or Told()
    return train(Run(config, data, None, state, told.report, told.finished))


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def untimed(line: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in line.items() if name not in ("seconds", "images_per_second")}


def test_one_seed_gives_the_same_weights_and_another_does_not(packed: Packed, tmp_path: Path) -> None:
    first = run(CONFIG, packed, tmp_path / "a.pt")
    assert same(first, run(CONFIG, packed, tmp_path / "b.pt"))
    assert not same(first, run(replace(CONFIG, seed=1), packed, tmp_path / "c.pt"))


def test_stopped_and_resumed_is_as_if_never_stopped(packed: Packed, tmp_path: Path) -> None:
    whole, stopped = Told(), Told(stop=2)
    config = replace(CONFIG, model="recurrent-attention-unet", steps=1)
    expected = run(config, packed, tmp_path / "whole.pt", whole)
    with pytest.raises(KeyboardInterrupt):
        run(config, packed, tmp_path / "a.pt", stopped)
    assert len(stopped.history) == 2
    resumed = Told()
    assert same(run(config, packed, tmp_path / "a.pt", resumed), expected)
    assert [untimed(line) for line in resumed.history] == [untimed(line) for line in whole.history]
    assert [line["epoch"] for line in whole.history] == [1, 2, 3]


def test_a_state_is_not_written_again_at_once(packed: Packed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "KEPT", 3600.0)
    whole, stopped = Told(), Told(stop=2)
    with pytest.raises(KeyboardInterrupt):
        run(CONFIG, packed, tmp_path / "a.pt", stopped)
    assert len(stopped.history) == 1  # the second epoch is done again
    assert same(run(CONFIG, packed, tmp_path / "a.pt"), run(CONFIG, packed, tmp_path / "b.pt", whole))
    assert len(whole.history) == 3


def test_a_run_goes_on_where_another_kind_of_machine_left_it(packed: Packed, tmp_path: Path) -> None:
    """As CUDA leaves it: a fused optimiser whose rate is a tensor, and another setting of where it was computed."""
    state = tmp_path / "a.pt"
    with pytest.raises(KeyboardInterrupt):
        run(CONFIG, packed, state, Told(stop=2))
    left = torch.load(state, weights_only=True)
    left["config"]["device"] = "auto"
    for group in left["optimizer"]["param_groups"]:
        group.update(fused=True, capturable=True, lr=torch.zeros(()))
    torch.save(left, state)
    assert same(run(CONFIG, packed, state), run(CONFIG, packed, tmp_path / "b.pt"))


def test_the_loss_falls(packed: Packed, tmp_path: Path) -> None:
    told = Told()
    run(replace(CONFIG, epochs=30, width=8, learning_rate=0.01), packed, tmp_path / "a.pt", told)
    assert told.history[-1]["loss"] < 0.9 * told.history[0]["loss"]


def test_a_small_set_trains_to_a_network_that_draws(tmp_path: Path) -> None:
    """Four steps an epoch: an average that starts at its full decay would still be made of the first weights."""
    samples = [sample for sample in open_set("phantom:40").samples if sample.label != "normal"]
    data = pack(samples[:32], 32)
    config = replace(CONFIG, epochs=40, width=8, learning_rate=0.01)
    network = first_network(config)
    network.load_state_dict(run(config, data, tmp_path / "a.pt"))
    assert validate(network, data, torch.device("cpu")) > 0.6


def test_the_statistics_are_those_of_the_batches_that_were_trained_on(tmp_path: Path) -> None:
    """Shuffled, augmented and with their crops: a set in its own order has batches of normals alone."""
    data, config = pack(open_set("phantom:20").samples, 32, crops=True), replace(CONFIG, normals=2)
    weights = run(config, data, tmp_path / "a.pt")
    network = first_network(config)
    network.load_state_dict(weights)
    batches = training_batches(data, config, config.epochs - 1, Share(), torch.device("cpu"))
    images = torch.cat([images for images, _ in batches])
    first = network.encoder.blocks[0][0][0]((images - network.mean) / network.std)
    torch.testing.assert_close(
        weights["encoder.blocks.0.0.1.running_mean"], first.mean((0, 2, 3)), atol=1e-5, rtol=1e-4
    )


def test_a_validation_part_is_scored_after_each_epoch(packed: Packed, tmp_path: Path) -> None:
    told = Told()
    train(Run(CONFIG, packed, packed, tmp_path / "a.pt", told.report, told.finished))
    assert all(0 <= line["validation_dice"] <= 1 for line in told.history)


def test_two_processes_train_one_network(packed: Packed, tmp_path: Path) -> None:
    told, config = Waiting(), replace(CONFIG, epochs=1, presence=0.5, normals=2)
    data = replace(packed, crops=4)
    weights = train(Run(replace(config, devices=2), data, None, tmp_path / "a.pt", told.report, told.finished))
    alone = run(config, data, tmp_path / "b.pt")
    assert weights.keys() == alone.keys()
    assert all(value.isfinite().all() for value in weights.values())
    name = "encoder.blocks.0.0.0.weight"
    torch.testing.assert_close(weights[name], alone[name], atol=2e-2, rtol=0)


class Waiting:
    """Reports that can be pickled."""

    def report(self, epoch: int, share: float, loss: float) -> None:
        assert math.isfinite(loss)

    def finished(self, history: list[Epoch]) -> None:
        assert history


def test_a_loss_that_is_not_finite_stops_with_a_sentence(
    packed: Packed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "learning_rate", lambda highest, step, steps: 1e30)
    with pytest.raises(UserError, match="no longer finite in epoch 1") as caught:
        run(replace(CONFIG, epochs=4), packed, tmp_path / "a.pt")
    assert caught.value.exit_code == 1
    assert "--learning-rate" in caught.value.hint


def test_a_state_of_other_settings_or_a_damaged_one_is_refused(packed: Packed, tmp_path: Path) -> None:
    state = tmp_path / "last" / "state.pt"
    with pytest.raises(KeyboardInterrupt):
        run(CONFIG, packed, state, Told(stop=1))
    with pytest.raises(UserError, match="other settings: learning_rate"):
        run(replace(CONFIG, learning_rate=0.1), packed, state)
    state.write_bytes(state.read_bytes()[:100])
    with pytest.raises(UserError, match="cannot be resumed from"):
        run(CONFIG, packed, state)


def test_presence_is_learnt_beside_the_mask(tmp_path: Path) -> None:
    data = pack(open_set("phantom:40").samples, 32, crops=True)
    config = replace(CONFIG, epochs=20, width=8, learning_rate=0.004, presence=0.5, normals=4, spoiled=0.1)
    network = first_network(config)
    network.load_state_dict(run(config, data, tmp_path / "a.pt"))
    images, masks = data.at(torch.arange(40), torch.device("cpu"))
    crops, _ = data.at(torch.arange(data.whole, data.whole + data.crops), torch.device("cpu"))
    with torch.no_grad():
        presence, beside = network.eval().answer(images)[1], network.answer(crops)[1]
    assert presence is not None
    assert beside is not None
    assert presence[masks.amax((1, 2, 3)) > 0].mean() > beside.mean() + 0.3


def test_stopped_and_resumed_with_presence_it_is_as_if_never_stopped(tmp_path: Path) -> None:
    data = pack(open_set("phantom:20").samples[:16], 32, crops=True)
    config = replace(CONFIG, presence=0.5, normals=2, epochs=2, decayed="kernels")
    expected = run(config, data, tmp_path / "whole.pt")
    with pytest.raises(KeyboardInterrupt):
        run(config, data, tmp_path / "a.pt", Told(stop=1))
    assert same(run(config, data, tmp_path / "a.pt"), expected)


def test_stopped_and_resumed_with_coarser_levels_it_is_as_if_never_stopped(packed: Packed, tmp_path: Path) -> None:
    config = replace(CONFIG, epochs=2, deep=2)
    expected = run(config, packed, tmp_path / "whole.pt")
    with pytest.raises(KeyboardInterrupt):
        run(config, packed, tmp_path / "a.pt", Told(stop=1))
    assert same(run(config, packed, tmp_path / "a.pt"), expected)
    assert not same(run(replace(config, deep=0), packed, tmp_path / "plain.pt"), expected)


def test_normalisations_and_biases_may_be_spared_the_decay() -> None:
    network = first_network(replace(CONFIG, encoder="mobilenetv2_100"))
    every, kernels = (
        _groups(Answers(network), replace(CONFIG, encoder_rate=0.3, decayed=decayed)) for decayed in ("all", "kernels")
    )
    assert [group["share"] for group in every] == [1.0, 0.3]
    assert not any("weight_decay" in group for group in every)
    spared = [parameter for group in kernels if group.get("weight_decay") == 0 for parameter in group["params"]]
    decaying = [parameter for group in kernels if "weight_decay" not in group for parameter in group["params"]]
    assert {parameter.ndim for parameter in spared} == {1}
    assert {parameter.ndim for parameter in decaying} == {4}
    assert len(spared) + len(decaying) == len(list(network.parameters()))


def test_learning_rate_rises_then_falls_to_nothing() -> None:
    rates = [learning_rate(1.0, step, 100) for step in range(100)]
    assert rates[4] == max(rates) == 1.0
    assert all(a < b for a, b in pairwise(rates[:5]))
    assert all(a > b for a, b in pairwise(rates[5:]))
    assert rates[-1] < 0.001
