import pytest
import torch

from ttsr.errors import UserError
from ttsr.system.device import check_precision, choose_device, computing_in

CPU = torch.device("cpu")


def test_auto_takes_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    for cuda, mps, expected in ((True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=cuda: there)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda there=mps: there)
        assert choose_device() == torch.device(expected)


def test_what_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    for name, message in (
        ("cuda", "no CUDA device here"),
        ("mps", "no Apple GPU"),
        ("toaster", "unknown device 'toaster'"),
        ("meta", "not supported"),
    ):
        with pytest.raises(UserError, match=message):
            choose_device(name)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_device("cuda:1") == torch.device("cuda:1")
    with pytest.raises(UserError, match="the last one here is cuda:1"):
        choose_device("cuda:2")


def test_precisions(monkeypatch: pytest.MonkeyPatch) -> None:
    check_precision("fp32", CPU)
    with pytest.raises(UserError, match="unknown precision 'fp8'"):
        check_precision("fp8", CPU)

    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("not implemented for 'Half'")

    monkeypatch.setattr(torch.nn.functional, "conv2d", refuse)
    with pytest.raises(UserError, match="precision fp16 does not work on device cpu"):
        check_precision("fp16", CPU)


def test_it_is_computed_in_the_precision() -> None:
    a = torch.ones(2, 2)
    for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        with computing_in(name, CPU):
            assert (a @ a).dtype == dtype


def test_fp32_is_whole_within_and_other_settings_stay() -> None:
    cudnn = torch.backends.cudnn
    before = cudnn.enabled, cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32
    assert before[-1]
    with computing_in("fp32", CPU):
        assert whole_convolutions()
        assert (cudnn.enabled, cudnn.benchmark, cudnn.deterministic) == before[:-1]
    assert (cudnn.enabled, cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32) == before
    with pytest.raises(KeyError), computing_in("fp32", CPU):
        raise KeyError
    assert cudnn.allow_tf32
    with computing_in("bf16", CPU):
        assert not whole_convolutions()


def whole_convolutions() -> bool:
    convolutions = getattr(torch.backends.cudnn, "conv", None)  # since PyTorch 2.9
    if convolutions is not None:
        return convolutions.fp32_precision == "ieee"
    return not torch.backends.cudnn.allow_tf32
