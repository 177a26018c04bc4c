from typing import get_args

import pytest
import torch

from ttsr.errors import UserError
from ttsr.options import Precision
from ttsr.system.precision import (
    at_least_float32,
    autocast,
    bytes_per_value,
    check_precision,
    computes_in_bf16,
    computing_in,
    fp32_products,
)

CPU = torch.device("cpu")


def test_unknown_and_unsupported_precisions_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    check_precision("fp32", CPU)
    check_precision("tf32", torch.device("cuda"))
    with pytest.raises(UserError, match="unknown precision 'fp8'"):
        check_precision("fp8", CPU)
    with pytest.raises(UserError, match="precision tf32 does not work on device cpu"):
        check_precision("tf32", CPU)

    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("not implemented for 'Half'")

    monkeypatch.setattr(torch.nn.functional, "conv2d", refuse)
    with pytest.raises(UserError, match="precision fp16 does not work on device cpu"):
        check_precision("fp16", CPU)


@pytest.mark.parametrize("stated", [True, False])
@pytest.mark.parametrize("onednn", [True, False])
def test_bf16_on_a_cpu_is_what_it_states(monkeypatch: pytest.MonkeyPatch, stated: bool, onednn: bool) -> None:
    """No clock is asked: a busy machine must not choose otherwise."""
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: stated)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: onednn)
    assert computes_in_bf16(CPU) == (stated and onednn)
    assert not computes_in_bf16(torch.device("mps"))


def test_bf16_on_a_cpu_of_a_pytorch_that_does_not_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "_is_avx512_bf16_supported")
    assert not computes_in_bf16(CPU)


def test_products_are_computed_in_the_precision(device: torch.device) -> None:
    a = torch.ones(2, 2, device=device)
    dtypes = {"fp32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
    for name in get_args(Precision):
        for context in (computing_in, autocast):
            with context(name, device):
                product = a @ a
            assert product.dtype == dtypes[name]
            assert product.element_size() == bytes_per_value(name)
            assert at_least_float32(product).dtype == torch.float32
    assert at_least_float32(a) is a
    assert at_least_float32(a.double()).dtype == torch.float64


def test_fp32_convolutions_are_exact_within_and_other_settings_stay() -> None:
    cudnn = torch.backends.cudnn
    before = cudnn.enabled, cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32
    assert before[-1]
    with computing_in("fp32", CPU):
        assert exact_convolutions()
        assert (cudnn.enabled, cudnn.benchmark, cudnn.deterministic) == before[:-1]
    assert (cudnn.enabled, cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32) == before
    with pytest.raises(KeyError), computing_in("fp32", CPU):
        raise KeyError
    assert cudnn.allow_tf32
    with computing_in("bf16", CPU):
        assert not exact_convolutions()


def test_threads_that_overlap_leave_the_setting_as_it_was() -> None:
    """The first one out must not take away what the second one needs, nor the second restore what the first had set."""
    first, second = computing_in("fp32", CPU), computing_in("fp32", CPU)
    before = exact_convolutions()
    with first:
        second.__enter__()
    assert exact_convolutions()
    second.__exit__(None, None, None)
    assert exact_convolutions() == before


def test_products_are_rounded_within_and_exact_again_after() -> None:
    assert torch.get_float32_matmul_precision() == "highest"
    for context in (fp32_products(rounded=True), computing_in("tf32", CPU)):
        with pytest.raises(KeyError), context:
            assert torch.get_float32_matmul_precision() == "high"
            assert not exact_convolutions()
            raise KeyError
        assert torch.get_float32_matmul_precision() == "highest"


def exact_convolutions() -> bool:
    convolutions = getattr(torch.backends.cudnn, "conv", None)  # since PyTorch 2.9
    if convolutions is not None:
        return convolutions.fp32_precision == "ieee"
    return not torch.backends.cudnn.allow_tf32
