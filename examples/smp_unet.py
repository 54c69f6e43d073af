"""A network of somebody else, trained by a plain loop on our folds and entered under the protocol.

segmentation_models.pytorch's U-Net on a MobileNetV2, from `make peers` or pip install segmentation-models-pytorch:

    python examples/smp_unet.py --data busi:PATH --folds 0 --out entries/smp-mobilenetv2

A network that stands in --weights is not trained again. So a machine that has a GPU and no images trains on a packed
set, and the networks are judged where the images are:

    python examples/smp_unet.py --data packed:busi-192.npz --folds 0,1 --size 192 --device cuda --weights smp
    python examples/smp_unet.py --data busi:PATH --folds 0,1 --size 192 --weights smp --out entries/smp-mobilenetv2
"""

import argparse
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import segmentation_models_pytorch as smp
import torch
from torch.nn import functional

import sonoseg
from sonoseg.prediction.letterbox import Letterbox, whole

ENCODER = "tu-mobilenetv2_100"


def main() -> None:
    """Train what is not there yet, then judge, unless the set is a packed one, made to be trained on elsewhere."""
    given = arguments()
    data, packed = sonoseg.open_set(given.data), given.data.startswith("packed:")
    answers = {}
    for fold in given.folds:
        part = sonoseg.split(data, fold)
        network = trained(given.weights / f"fold-{fold}-seed-{given.seed}.pt", part.training, given)
        if not packed:
            answers |= {sample.name: predict(network, sample.read()[0], given) for sample in part.test}
    if packed:
        print(f"trained: {given.weights}; judge it on the images themselves, with --data busi:PATH")
        return
    name = given.out.name
    summary = sonoseg.score(
        answers, data, folds=given.folds, name=name, seeds=[given.seed], out=given.out, pictures=False
    )
    dice = summary["models"][name]["lesion"]["dice"]
    print(f"lesion Dice {dice['mean']:.3f} [{dice['low']:.3f}, {dice['high']:.3f}] on {dice['n']} images")


def trained(weights: Path, samples: tuple[Any, ...], given: argparse.Namespace) -> torch.nn.Module:
    """The network of a fold, ready to predict; trained where its weights do not stand yet."""
    torch.manual_seed(given.seed)
    network = smp.Unet(ENCODER, encoder_weights=None, in_channels=1, classes=1)
    if weights.is_file():
        network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    else:
        if given.encoder_weights:
            begin_with(network, given.encoder_weights)
        train(network, *frames(samples, given.size), given)
        weights.parent.mkdir(parents=True, exist_ok=True)
        torch.save(network.to("cpu").state_dict(), weights)
    return network.to(given.device).eval()


def predict(network: torch.nn.Module, image: sonoseg.Image, given: argparse.Namespace) -> np.ndarray:
    """Probabilities of lesion in the image's own size, ``float16 (H, W)``: they are all kept until they are scored."""
    box = Letterbox(*image.shape, given.size)
    frame = torch.from_numpy(box.fit(image.pixels))[None, None].to(given.device).float() / 127.5 - 1
    with torch.inference_mode():
        inner = network(frame).sigmoid()[0, 0].cpu().numpy()
    return box.undo(inner).clip(0, 1).astype(np.float16)


def arguments() -> argparse.Namespace:
    """What is typed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="busi:PATH, packed:FILE or any other set of sonoseg")
    parser.add_argument("--folds", type=lambda text: [int(fold) for fold in text.split(",")], default=[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--bfloat16", action="store_true", help="train in it: faster where there is hardware for it")
    parser.add_argument("--encoder-weights", type=Path, help="safetensors of timm's mobilenetv2_100; else from nothing")
    parser.add_argument("--weights", type=Path, default=Path("smp"), help="folder of the trained networks")
    parser.add_argument("--out", type=Path, default=Path("entries/smp-mobilenetv2"))
    return parser.parse_args()


def frames(samples: tuple[Any, ...], size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Images and masks of the samples in the network's frame, uint8 and bool ``(N, 1, size, size)``."""
    images, masks = [], []
    for sample in samples:
        image, mask = sample.read()
        box = Letterbox(*image.shape, size)
        images.append(whole(image, size))
        masks.append(box.fit_mask(mask))
    return torch.from_numpy(np.stack(images))[:, None], torch.from_numpy(np.stack(masks))[:, None]


def train(network: torch.nn.Module, images: torch.Tensor, masks: torch.Tensor, given: argparse.Namespace) -> None:
    """Dice and cross-entropy, AdamW, one cycle; the set lies on the device and is changed there."""
    device = torch.device(given.device)
    network.to(device, memory_format=torch.channels_last).train()
    images, masks = images.to(device), masks.to(device)
    steps = math.ceil(len(images) / given.batch)
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-3, total_steps=steps * given.epochs)
    overlap, began = smp.losses.DiceLoss("binary"), time.monotonic()
    for epoch in range(given.epochs):
        total = torch.zeros((), device=device)
        for rows in torch.randperm(len(images), device=device).chunk(steps):
            image, mask = changed(images[rows].float() / 255, masks[rows].float())
            with torch.autocast(device.type, torch.bfloat16, enabled=given.bfloat16):
                logits = network(2 * image - 1).float()
            loss = overlap(logits, mask) + functional.binary_cross_entropy_with_logits(logits, mask)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.detach()
        print(f"epoch {epoch + 1}: loss {total.item() / steps:.3f}, {time.monotonic() - began:.0f} s", flush=True)


def changed(image: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mirrored, turned by up to 15 degrees, scaled and moved a little; brighter or darker."""
    count, device = len(image), image.device

    def draw(low: float, high: float) -> torch.Tensor:
        return torch.empty(count, device=device).uniform_(low, high)

    angle, scale = draw(-math.pi / 12, math.pi / 12), draw(0.8, 1.2)
    mirror = torch.where(draw(0, 1) < 0.5, -1.0, 1.0)
    rows = [mirror * scale * angle.cos(), -scale * angle.sin(), draw(-0.1, 0.1)]
    rows += [mirror * scale * angle.sin(), scale * angle.cos(), draw(-0.1, 0.1)]
    grid = functional.affine_grid(torch.stack(rows, 1).view(count, 2, 3), list(image.shape), align_corners=False)
    image = functional.grid_sample(image, grid, align_corners=False).clamp(1e-6, 1)
    mask = functional.grid_sample(mask, grid, align_corners=False)
    return image ** torch.exp(draw(-0.4, 0.4)).view(-1, 1, 1, 1), (mask > 0.5).float()


def begin_with(network: torch.nn.Module, path: Path) -> None:
    """Put ImageNet weights of timm into the encoder; the first layer's three colours become one grey."""
    from safetensors.torch import load_file

    encoder = network.encoder.model
    found, wanted = load_file(path), encoder.state_dict()
    found["conv_stem.weight"] = found["conv_stem.weight"].sum(1, keepdim=True)
    if missing := [name for name in wanted.keys() - found.keys() if not name.endswith("num_batches_tracked")]:
        raise SystemExit(f"{path} lacks {len(missing)} tensors of {ENCODER}, the first is {min(missing)}")
    encoder.load_state_dict(wanted | {name: found[name] for name in wanted.keys() & found.keys()})


if __name__ == "__main__":
    main()
