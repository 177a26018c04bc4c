"""`precision="auto"`: 16 bits where they are fast and cost little, 32 elsewhere."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from ttsr.inference import computing as module
from ttsr.inference.upscaler import Upscaler
from ttsr.models.config import TTSRConfig
from ttsr.models.ttsr import TTSR
from ttsr.options import Search


@pytest.mark.parametrize("bicubic_skip", [False, True])
@pytest.mark.parametrize("fast", [False, True])
def test_auto_is_bf16_where_it_is_fast_and_only_a_correction_is_computed(
    monkeypatch: pytest.MonkeyPatch, fast: bool, bicubic_skip: bool
) -> None:
    monkeypatch.setattr(module, "computes_in_bf16", lambda device: fast)
    model = TTSR(TTSRConfig(8, (1, 1, 1, 1), (4, 4, 4), bicubic_skip=bicubic_skip))
    assert Upscaler(model, device="cpu").precision == ("bf16" if fast and bicubic_skip else "fp32")
    assert Upscaler(model, device="cpu", precision="fp16").precision == "fp16"


@pytest.mark.parametrize("search", ["exact", "coherent"])
def test_ttsr_lite_in_bf16_is_within_50_db(
    search: Search, aloe: NDArray[np.uint8], aloe_ref: NDArray[np.uint8]
) -> None:
    hr, ref = (Image.fromarray(picture[80:176, 100:196]) for picture in (aloe, aloe_ref))
    lr = hr.resize((hr.width // 4, hr.height // 4), Image.Resampling.BICUBIC)
    results = []
    for precision in ("fp32", "bf16"):
        upscaler = Upscaler("ttsr-lite", device="cpu", precision=precision, search=search)
        result = upscaler.upscale(lr, upscaler.encode_references([ref]))
        results.append(torch.from_numpy(np.asarray(result.image).astype(np.float64) / 255))
    difference = (results[0] - results[1]).square().mean()
    assert 0 < difference < 10**-5  # 50 dB
