"""Textures on top of another tool's enlargement."""

import numpy as np
import pytest
import torch

from ttsr.errors import ImageError, UserError
from ttsr.images.picture import Picture
from ttsr.inference.sizes import upscale_to
from ttsr.inference.upscaler import Upscaler
from ttsr.models.config import TTSRConfig
from ttsr.models.ttsr import TTSR


def upscaler(skip: bool = True) -> Upscaler:
    torch.manual_seed(2)
    model = TTSR(TTSRConfig(4, (1, 0, 0, 0), (4, 4, 4), bicubic_skip=skip))
    with torch.no_grad():
        for parameter in model.synthesis.merge.tail2.parameters():
            parameter.zero_()
    return Upscaler(model, device="cpu", precision="fp32")


def picture(*size: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def test_a_network_that_adds_nothing_gives_the_base():
    base = picture(44, 36)
    network = upscaler()
    references = network.encode_references(picture(32, 32, seed=2))
    result = network.upscale(picture(11, 9), references, base=base)
    assert np.array_equal(result.picture.rgb, base)


def test_the_base_of_a_result_of_another_size_is_still_four_times_as_large():
    base = np.full((44, 36, 3), 77, np.uint8)
    network = upscaler()
    references = network.encode_references(picture(32, 32, seed=2))
    result = upscale_to(network, picture(11, 9), (18, 22), references, base=base)
    assert result.picture.size == (18, 22) and (result.picture.rgb == 77).all()


def test_a_base_of_another_size_is_refused():
    with pytest.raises(ImageError, match=r"base 36x40: is not four times as large as the picture.*36x44"):
        upscaler().upscale(picture(11, 9), (), base=picture(40, 36))


def test_a_network_that_makes_its_whole_picture_takes_none():
    with pytest.raises(UserError, match="takes no base"):
        upscaler(skip=False).upscale(Picture(picture(11, 9)), (), base=picture(44, 36))
