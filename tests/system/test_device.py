import pytest
import torch

from ttsr.errors import UserError
from ttsr.system.device import choose_device


def test_auto_takes_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    for cuda, mps, expected in ((True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=cuda: there)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda there=mps: there)
        assert choose_device() == torch.device(expected)


def test_missing_devices_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    for name, message in (
        ("cuda", "no CUDA device here"),
        ("mps", "no Apple GPU"),
        ("toaster", "unknown device 'toaster'"),
        ("meta", "unknown device 'meta'"),
        ("cuda:01", "unknown device 'cuda:01'"),
    ):
        with pytest.raises(UserError, match=message) as caught:
            choose_device(name)
        assert caught.value.remedy and "--" not in caught.value.remedy


def test_one_of_several_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_device("cuda:1") == choose_device(torch.device("cuda:1")) == torch.device("cuda:1")
    with pytest.raises(UserError, match="the last one here is cuda:1"):
        choose_device("cuda:2")
