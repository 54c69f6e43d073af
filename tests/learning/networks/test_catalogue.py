from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.export import Dim

from sonoseg.errors import UserError
from sonoseg.learning.networks.catalogue import CATALOGUE, build, count_parameters, multiply_adds
from sonoseg.learning.networks.unet import UNet

# mobilenetv2 starts at 1/2 and convnext at 1/4. timm's test networks are as its real ones, in small.
ENCODERS = (None, "mobilenetv2_100", "test_convnext")


def small(model: str, encoder: str | None) -> UNet:
    torch.manual_seed(0)
    return build(model, width=4, encoder=encoder, steps=1)


def images(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("model", CATALOGUE)
class TestEveryModelWithEveryEncoder:
    def test_logits_have_the_size_of_the_image(self, model: str, encoder: str | None) -> None:
        network = small(model, encoder).eval()
        for height, width in ((32, 32), (33, 47), (63, 40), (65, 96)):
            with torch.no_grad():
                logits = network(images(2, 1, height, width))
            assert logits.shape == (2, 1, height, width)
            assert logits.isfinite().all()

    @pytest.mark.parametrize("size", [(32, 32), (35, 63)])
    def test_one_image_trains_every_parameter(self, model: str, encoder: str | None, size: tuple[int, int]) -> None:
        network = small(model, encoder).train()
        network(images(1, 1, *size)).square().mean().backward()
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name

    def test_weights_survive_a_file(self, model: str, encoder: str | None, tmp_path: Path) -> None:
        network = small(model, encoder).train()
        network(images(2, 1, 64, 64))
        save_file(network.state_dict(), tmp_path / "weights.safetensors")
        torch.manual_seed(5)
        other = build(model, width=4, encoder=encoder, steps=1)
        other.load_state_dict(load_file(tmp_path / "weights.safetensors"))
        image = images(1, 1, 48, 64)
        with torch.no_grad():
            assert torch.equal(network.eval()(image), other.eval()(image))

    def test_the_exported_graph_takes_any_size(self, model: str, encoder: str | None) -> None:
        network = small(model, encoder).eval()
        # torch.export makes a case of its own of a 1 x 1 map; a backbone down to 1/32 gets there under 64.
        smallest = 64 if encoder else 32
        sizes = {0: Dim("batch"), 2: Dim("height", min=smallest), 3: Dim("width", min=smallest)}
        # Without deferred asserts it refuses ConvNeXt for guards that always hold, but that it cannot prove.
        program = torch.export.export(
            network,
            (images(2, 1, 64, 96),),
            dynamic_shapes=(sizes,),
            prefer_deferred_runtime_asserts_over_guards=True,
        )
        for shape in ((1, 1, smallest, smallest), (3, 1, 77, 130)):
            with torch.no_grad():
                torch.testing.assert_close(program.module()(images(*shape)), network(images(*shape)))


@pytest.mark.parametrize(
    ("model", "millions", "billions"),
    [
        ("unet", 34.5, 65),
        ("recurrent-unet", 39.1, 152),
        ("attention-unet", 34.9, 66),
        ("recurrent-attention-unet", 39.4, 154),
    ],
)
def test_width_64_costs_what_is_published(model: str, millions: float, billions: float) -> None:
    with torch.device("meta"):
        network = build(model, width=64)
    assert count_parameters(network) / 1e6 == pytest.approx(millions, rel=0.01)
    assert multiply_adds(network, 256) / 1e9 == pytest.approx(billions, rel=0.01)


def test_multiply_adds_of_a_convolution_are_what_one_counts_by_hand() -> None:
    network = torch.nn.Conv2d(1, 5, 3, padding=1)
    assert multiply_adds(network, 16) == 5 * 9 * 16 * 16


def test_counting_leaves_the_network_as_it_was() -> None:
    network = small("unet", None).train()
    multiply_adds(network, 32)
    assert network.training
    assert network(images(1, 1, 32, 32)).device.type == "cpu"


def test_a_network_on_mobilenetv2_stays_small() -> None:
    with torch.device("meta"):
        network = build("recurrent-attention-unet", encoder="mobilenetv2_100")
    assert 4e6 < count_parameters(network) < 7e6


def test_classes_are_channels_of_the_logits() -> None:
    assert build("unet", width=4, classes=3)(images(1, 1, 32, 32)).shape == (1, 3, 32, 32)


def test_steps_cost_work_and_no_convolution() -> None:
    once, thrice = (build("recurrent-unet", width=4, steps=steps) for steps in (1, 3))
    assert multiply_adds(thrice, 32) > 1.5 * multiply_adds(once, 32)
    assert count_parameters(thrice) < 1.1 * count_parameters(once)


def test_an_unknown_model_is_answered_with_the_nearest() -> None:
    with pytest.raises(UserError, match="no model is called 'atention-unet'") as error:
        build("atention-unet")
    assert error.value.hint == "--model attention-unet"
    with pytest.raises(UserError):
        build("")


@pytest.mark.parametrize(("name", "value"), [("width", 0), ("classes", -3), ("classes", 0), ("steps", -1)])
def test_numbers_that_are_too_small_are_refused(name: str, value: int) -> None:
    with pytest.raises(UserError, match=f"{name} is {value}") as error:
        build("recurrent-unet", **{name: value})  # type: ignore[arg-type]
    assert error.value.hint.startswith(f"--{name} ")
