import torch
from torch import nn

from sonoseg.learning.networks.blocks import DoubleConvolution
from sonoseg.learning.networks.encoders import PlainEncoder
from sonoseg.learning.networks.gates import PassThrough
from sonoseg.learning.networks.unet import UNet


def network() -> UNet:
    return UNet(PlainEncoder(DoubleConvolution, 4, levels=3), DoubleConvolution, PassThrough, 1)


def test_the_first_layer_normalises_by_values_of_the_checkpoint() -> None:
    torch.manual_seed(0)
    one = network().eval()
    other = network().eval()
    other.load_state_dict({**one.state_dict(), "mean": torch.tensor(0.1), "std": torch.tensor(0.5)})
    image = torch.rand(1, 1, 32, 32)
    same_after_normalisation = (image - one.mean) / one.std * 0.5 + 0.1
    torch.testing.assert_close(one(image), other(same_after_normalisation), atol=1e-5, rtol=1e-4)
    assert not torch.allclose(one(image), other(image))


def test_the_encoder_sees_normalised_values() -> None:
    seen: list[torch.Tensor] = []
    model = network()
    model.encoder.register_forward_pre_hook(lambda _, inputs: seen.extend(inputs))  # type: ignore[attr-defined]
    model(torch.full((2, 1, 32, 32), 0.52))
    torch.testing.assert_close(seen[0], torch.ones(2, 1, 32, 32))


def test_the_first_answer_is_a_small_probability() -> None:
    torch.manual_seed(0)
    model = network()
    nn.init.zeros_(model.head.weight)
    assert model(torch.rand(2, 1, 32, 32)).sigmoid().max() < 0.15


def test_the_decoder_may_have_widths_of_its_own() -> None:
    encoder = PlainEncoder(DoubleConvolution, 4, levels=3)
    model = UNet(encoder, DoubleConvolution, PassThrough, 2, widths=[3, 5])
    assert model.head.in_channels == 3
    assert model(torch.rand(1, 1, 33, 35)).shape == (1, 2, 33, 35)


def test_logits_depend_on_no_other_image_in_evaluation() -> None:
    torch.manual_seed(0)
    model = network().eval()
    pair = torch.rand(2, 1, 40, 40)
    torch.testing.assert_close(model(pair)[:1], model(pair[:1]))


def test_presence_stands_beside_the_mask_and_changes_nothing_of_it() -> None:
    def seeded(presence: bool) -> UNet:
        torch.manual_seed(0)
        encoder = PlainEncoder(DoubleConvolution, 4, levels=3)
        return UNet(encoder, DoubleConvolution, PassThrough, 1, presence=presence).eval()

    images = torch.rand(3, 1, 40, 33)
    plain, both = seeded(False), seeded(True)
    assert plain.answer(images)[1] is None
    logits, presence = both.answer(images)
    assert torch.equal(logits, plain(images))
    assert presence is not None
    assert presence.shape == (3,)
    torch.testing.assert_close(both.answer(images[1:2])[1], presence[1:2])
