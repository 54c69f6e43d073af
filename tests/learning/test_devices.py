import pytest
import torch

from sonoseg.errors import UserError
from sonoseg.learning import devices
from sonoseg.learning.config import Config
from sonoseg.learning.devices import enough_memory, need_device


def test_a_device_that_is_not_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(UserError, match="device is cuda, which this machine") as caught:
        need_device(Config("phantom", device="cuda"))
    assert caught.value.hint == "leave --device out"
    for device in ("auto", "cpu"):
        need_device(Config("phantom", device=device, devices=7))


def test_more_devices_than_there_are_are_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    need_device(Config("phantom", device="cuda", devices=2))
    with pytest.raises(UserError, match="devices is 3; there are 2") as caught:
        need_device(Config("phantom", device="cuda", devices=3))
    assert caught.value.hint == "give --devices 2"


def test_what_no_machine_can_hold_is_refused_before_it_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "physical_memory", lambda: 2**35)
    with pytest.raises(UserError, match="32,832 GiB at the very least, of 32") as caught:
        need_device(Config("phantom", batch=4096, size=2048, width=512, device="cpu"))
    assert "such as 2048" in caught.value.hint
    need_device(Config("phantom", batch=16, size=512, width=64, device="cpu"))


def test_this_machine_holds_something() -> None:
    assert devices.physical_memory() > 2**28


def test_memory_that_does_not_suffice_is_a_sentence() -> None:
    with pytest.raises(UserError, match="memory does not suffice for 4096 images of 2048 x 2048") as caught, \
            enough_memory(Config("phantom", batch=4096, size=2048, width=512)):  # fmt: skip
        torch.empty(2**60, dtype=torch.uint8)
    assert "--batch" in caught.value.hint
    with pytest.raises(RuntimeError, match="another"), enough_memory(Config("phantom")):
        raise RuntimeError("another fault")
