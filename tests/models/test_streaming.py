"""Tiled against untiled: the whole pass, level by level, with integers in and out."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch import Tensor

from ttsr.models.config import TTSRConfig
from ttsr.models.inputs import resize
from ttsr.models.ttsr import TTSR
from ttsr.progress import Cancelled, Progress

# The proportions of the published network and of ttsr-lite, with fewer channels and half the blocks.
PUBLISHED = TTSRConfig(channels=6, num_blocks=(6, 6, 4, 2), extractor_channels=(4, 6, 8))
LITE = TTSRConfig(6, (4, 4, 2, 1), (4, 6, 8), bicubic_skip=True, refinement_radius=2)


def random(seed: int, *shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def network(config: TTSRConfig) -> TTSR:
    torch.manual_seed(1)
    return TTSR(config).eval()


@settings(max_examples=6, deadline=None)
@given(
    config=st.sampled_from([PUBLISHED, LITE]),
    blocks=st.tuples(*[st.integers(0, 3)] * 4) | st.none(),
    size=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    ref_cells=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    block_bytes=st.sampled_from([100_000, 300_000, 1_500_000]),
)
def test_tiled_equals_untiled(config, blocks, size, ref_cells, block_bytes):
    model = network(config if blocks is None else replace(config, num_blocks=blocks))
    lr, refs = random(2, 1, 3, *size), [random(3, 1, 3, 4 * ref_cells[0], 4 * ref_cells[1]), random(4, 1, 3, 40, 8)]
    with torch.no_grad():
        whole = model(lr, refs)
        tiled = model(lr, refs, block_bytes=block_bytes, keep_textures=False)
    same = whole.index == tiled.index  # where two keys are equally good, the rounding of a sum may decide
    assert same.float().mean() > 0.99
    if same.all():
        torch.testing.assert_close(tiled.sr, whole.sr, atol=1e-4, rtol=0)


@pytest.mark.parametrize("config", [PUBLISHED, LITE])
def test_level_by_level_equals_kept_references(config):
    model = network(config)
    lr, ref = random(5, 1, 3, 9, 14), random(6, 1, 3, 24, 32)
    with torch.no_grad():
        kept = model(lr, model.encode_reference(ref), keep_textures=False)
        by_level = model(lr, ref, keep_textures=False)
        half = model(lr, ref, keep_textures=False, half_features=True)
    assert torch.equal(by_level.sr, kept.sr) and torch.equal(by_level.index, kept.index)
    assert (half.index == kept.index).float().mean() > 0.97  # rounding may decide between equals
    assert not torch.equal(half.sr, kept.sr) and half.relevance.dtype == torch.float32
    assert (half.sr - kept.sr).square().mean().sqrt() < 1e-3
    torch.testing.assert_close(half.relevance, kept.relevance, atol=1e-3, rtol=0)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16])
def test_integers_are_what_they_stand_for(dtype):
    model, largest = network(LITE), torch.iinfo(dtype).max
    lr = random(7, 1, 3, 40, 6)
    images = [(image * largest).round() for image in (resize(lr, 4), random(8, 1, 3, 24, 32), random(9, 1, 3, 24, 32))]
    as_floats = [image / largest for image in images]
    as_integers = [image.int().to(dtype) for image in images]
    with torch.no_grad():
        outputs = []
        for lr_up, ref, blur in (as_floats, as_integers):
            outputs.append(model(lr, ref, lr_up=lr_up, ref_blur=blur, keep_textures=False, block_bytes=10**5))
        floats, integers = outputs
        picture = model(lr, as_integers[1], lr_up=as_integers[0], ref_blur=as_integers[2], sr_type=dtype)
    assert torch.equal(floats.sr, integers.sr)
    assert picture.sr.dtype == dtype
    torch.testing.assert_close(picture.sr.float() / largest, floats.sr, atol=0.5 / largest + 1e-5, rtol=0)


@pytest.mark.parametrize("stage", ["references", "queries", "matching", "refinement", "synthesis"])
def test_cancelling_is_heeded_in_every_stage(stage):
    def cancel(_: float, name: str) -> None:
        if name == stage:
            progress.cancel()

    progress = Progress(cancel)
    model, lr, ref = network(LITE), random(10, 1, 3, 40, 20), random(11, 1, 3, 56, 48)
    with torch.no_grad(), pytest.raises(Cancelled):
        model(lr, ref, keep_textures=False, block_bytes=10_000, progress=progress)


def test_cancelling_is_heeded_between_blocks():
    """In a single tile, before the first report of its stage."""
    progress, model = Progress(), network(LITE)
    model.synthesis.chain1.blocks[1].register_forward_hook(lambda *_: progress.cancel())
    done = []
    model.synthesis.chain1.blocks[2].register_forward_hook(lambda *_: done.append(1))
    with torch.no_grad(), pytest.raises(Cancelled):
        model(random(12, 1, 3, 8, 8), (), keep_textures=False, progress=progress)
    assert not done
