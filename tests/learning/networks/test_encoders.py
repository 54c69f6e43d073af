from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor

from sonoseg.errors import UserError
from sonoseg.learning.networks.blocks import DoubleConvolution
from sonoseg.learning.networks.encoders import PlainEncoder, TimmEncoder, with_origin

NAME = "test_convnext"


def sides(features: list[Tensor]) -> list[tuple[int, ...]]:
    return [tuple(feature.shape[-2:]) for feature in features]


def stored_backbone(path: Path, **changes: Tensor | None) -> dict[str, Tensor]:
    """Weights under timm's own names, for colour, with its classifier: as timm publishes them."""
    torch.manual_seed(3)
    weights: dict[str, Tensor | None] = {**timm.create_model(NAME).state_dict(), **changes}
    kept = {name: tensor for name, tensor in weights.items() if tensor is not None}
    save_file(kept, path)
    return kept


def test_the_plain_encoder_halves_and_doubles() -> None:
    encoder = PlainEncoder(DoubleConvolution, 4)
    features = encoder(torch.rand(1, 1, 48, 64))
    assert encoder.channels == (4, 8, 16, 32, 64)
    assert [feature.shape[1] for feature in features] == [4, 8, 16, 32, 64]
    assert sides(features) == [(48, 64), (24, 32), (12, 16), (6, 8), (3, 4)]


@pytest.mark.parametrize(("name", "in_stem"), [("mobilenetv2_100", 1), (NAME, 2)])
def test_a_stem_gives_the_levels_that_a_backbone_lacks(name: str, in_stem: int) -> None:
    encoder = TimmEncoder(name, stem_width=6).eval()
    features = encoder(torch.rand(1, 1, 64, 96))
    assert len(encoder.stem) == in_stem
    assert encoder.channels[:in_stem] == (6, 12)[:in_stem]
    assert tuple(feature.shape[1] for feature in features) == encoder.channels
    assert sides(features) == [(64 >> level, 96 >> level) for level in range(6)]


def test_a_lone_small_image_does_not_see_its_companion() -> None:
    features = TimmEncoder(NAME).train()(torch.rand(1, 1, 32, 32))
    assert {feature.shape[0] for feature in features} == {1}


def test_grey_weights_answer_as_colour_weights_do_to_grey(tmp_path: Path) -> None:
    path = tmp_path / "colour.safetensors"
    stored = stored_backbone(path)
    colour = timm.create_model(NAME, features_only=True).eval()
    colour.load_state_dict(
        {
            name: stored[name.replace("_", ".", 1)] if name not in stored else stored[name]
            for name in colour.state_dict()
        }
    )
    image = torch.rand(1, 1, 64, 64)
    encoder = TimmEncoder(NAME, path).eval()
    with torch.no_grad():
        expected, given = colour(image.expand(-1, 3, -1, -1)), encoder(image)[2:]
    for one, other in zip(expected, given, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_the_input_range_comes_from_the_file_or_from_timm(tmp_path: Path) -> None:
    weights = stored_backbone(tmp_path / "timm.safetensors")
    save_file(weights, tmp_path / "signed.safetensors", {"input": "RGB in [-1, 1]"})
    known = timm.get_pretrained_cfg(NAME)
    by_timm, signed = (TimmEncoder(NAME, tmp_path / f"{name}.safetensors") for name in ("timm", "signed"))
    assert (signed.mean, signed.std) == (0.5, 0.5)
    assert by_timm.mean == pytest.approx(sum(known.mean) / 3)
    assert by_timm.std == pytest.approx(sum(known.std) / 3)


def test_weights_that_do_not_fit_are_named(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    stored_backbone(path, **{"stem.0.bias": None, "stages.0.blocks.0.gamma": torch.zeros(1)})
    with pytest.raises(UserError, match=r"2 of \d+ tensors .*stem_0\.bias, stages_0\.blocks\.0\.gamma"):
        TimmEncoder(NAME, path)


def test_weights_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(b"not tensors")
    for path in (damaged, tmp_path / "absent.safetensors", tmp_path):
        with pytest.raises(UserError, match="cannot be read as safetensors") as error:
            TimmEncoder(NAME, path)
        assert str(path) in str(error.value)


@pytest.mark.parametrize(("weights", "wish"), [("timm", "with timm's weights"), ("none", "as an encoder")])
def test_what_timm_cannot_give_is_one_sentence(weights: str, wish: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise OSError("no route")

    monkeypatch.setattr(timm, "create_model", unreachable)
    with pytest.raises(UserError, match=f"{wish}: no route") as error:
        TimmEncoder(NAME, weights)
    assert error.value.hint.startswith("--encoder")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("test_vit", "reductions double"),
        ("swin_tiny_patch4_window7_224", "NHWC"),
        ("mobilenetv2_10", "no timm encoder is called"),
    ],
)
def test_what_is_no_encoder_for_a_unet_is_refused(name: str, reason: str) -> None:
    with torch.device("meta"), pytest.raises(UserError, match=reason) as error:
        TimmEncoder(name)
    assert error.value.hint.startswith("--encoder mobilenetv2_1")


def test_weights_that_do_not_say_where_they_come_from_are_known_by_their_checksum() -> None:
    told = with_origin({"file": "x.safetensors", "sha256": "389cdaca1376fc6c"})
    assert told["licence"] == "Apache-2.0"
    assert "126 images of BUS-BRA" in told["origin"]
    assert with_origin({"file": "x", "sha256": "0"}) == {"file": "x", "sha256": "0"}
    assert with_origin({}) == {}
