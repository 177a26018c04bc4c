"""A network with a trunk, upscaling without references."""

import numpy as np
import pytest
import torch

from ttsr.images.reading import read_picture
from ttsr.inference.upscaler import Upscaler
from ttsr.models.config import TTSRConfig
from ttsr.models.ttsr import TTSR


@pytest.fixture
def upscaler() -> Upscaler:
    torch.manual_seed(2)
    config = TTSRConfig(4, (1, 0, 0, 0), (4, 4, 4), 0, 2, 6, bicubic_skip=True, refinement_radius=1)
    return Upscaler(TTSR(config), device="cpu", precision="fp32", match_colour="off")


def test_without_references_there_is_no_match(upscaler):
    lr = np.random.default_rng(1).integers(0, 256, (11, 9, 3), dtype=np.uint8)
    result = upscaler.upscale(lr)
    assert not result.own_reference
    assert result.picture.size == (36, 44)
    assert (result.index == -1).all() and not result.relevance.any()


def test_left_out_references_give_the_same_as_none(upscaler):
    rng = np.random.default_rng(1)
    lr, other = (rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in ((24, 20), (64, 64)))
    references = upscaler.fit_references(read_picture(lr), upscaler.encode_references(other))
    assert [reference.left_out for reference in references] == [True]
    alone, beside = upscaler.upscale(lr), upscaler.upscale(lr, references)
    assert np.array_equal(alone.picture.rgb, beside.picture.rgb)
