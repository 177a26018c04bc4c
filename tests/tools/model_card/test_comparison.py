"""Comparisons: their scores, and their side-by-side pictures."""

from pathlib import Path

import numpy as np
from model_card.comparison import PANEL_WIDTH, compare
from PIL import Image

from ttsr import Upscaler
from ttsr.evaluation.protocols import PAPER_Y
from ttsr.images.resize import downscale4, upscale4
from ttsr.models.ttsr import TTSR


def test_picture_of_a_large_and_of_a_small_photo(model: TTSR, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for height, width in ((120, 160), (16, 20)):
        hr, reference = (rng.integers(0, 256, shape, np.uint8) for shape in ((height, width, 3), (40, 36, 3)))
        comparison = compare(Upscaler(model, device="cpu"), hr, reference)
        comparison.save("m", tmp_path / "picture.jpg")
        with Image.open(tmp_path / "picture.jpg") as image:
            assert image.width == 5 * PANEL_WIDTH + 4 * 6
            assert image.height > PANEL_WIDTH * (1 + height / width)
    assert [file.name for file in tmp_path.iterdir()] == ["picture.jpg"]


def test_scores_are_those_of_the_protocol(model: TTSR) -> None:
    hr = np.random.default_rng(0).integers(0, 256, (16, 20, 3), np.uint8)
    upscaler = Upscaler(model, device="cpu")
    comparison = compare(upscaler, hr, None)
    assert comparison.bicubic_psnr == PAPER_Y.psnr(hr, upscale4(downscale4(hr)))
    assert comparison.gain == PAPER_Y.psnr(hr, comparison.sr) - comparison.bicubic_psnr
    assert np.array_equal(comparison.sr, upscaler.upscale(downscale4(hr)).picture.rgb)
