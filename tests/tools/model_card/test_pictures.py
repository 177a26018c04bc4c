"""Strips and scatters."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from model_card.outcome import super_resolve
from model_card.scatter import SIDE, Dot, scatter
from model_card.strip import PANEL, save_strip, worst_square
from PIL import Image

from ttsr import Upscaler
from ttsr.evaluation.protocols import PAPER_Y
from ttsr.images.resize import downscale4, upscale4
from ttsr.models.ttsr import TTSR


def test_detail_is_where_bicubic_errs_most() -> None:
    truth = np.full((40, 60, 3), 100, np.uint8)
    other = truth.copy()
    other[20:28, 44:52] = 160
    other[2:4, 2:4] = 255
    assert worst_square(truth, other, 8) == (20, 44)
    assert worst_square(truth, other, 40) == (0, 12)  # the first that holds all of the larger error


def test_strip_of_a_large_and_of_a_small_picture(model: TTSR, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for height, width in ((120, 160), (16, 20)):
        truth, reference = (rng.integers(0, 256, shape, np.uint8) for shape in ((height, width, 3), (40, 36, 3)))
        outcome = super_resolve(Upscaler(model, device="cpu"), truth, reference)
        save_strip(outcome, "m", tmp_path / "strip.jpg")
        with Image.open(tmp_path / "strip.jpg") as image:
            assert image.width == 5 * PANEL + 4 * 6
            assert image.height > PANEL * (1 + height / width)
    assert [file.name for file in tmp_path.iterdir()] == ["strip.jpg"]


def test_outcome_is_scored_against_bicubic(model: TTSR) -> None:
    truth = np.random.default_rng(0).integers(0, 256, (16, 20, 3), np.uint8)
    upscaler = Upscaler(model, device="cpu")
    outcome = super_resolve(upscaler, truth, None)
    assert outcome.bicubic_psnr == PAPER_Y.psnr(truth, upscale4(downscale4(truth)))
    assert outcome.gain == PAPER_Y.psnr(truth, outcome.sr) - outcome.bicubic_psnr
    assert np.array_equal(outcome.sr, upscaler.upscale(downscale4(truth)).picture.rgb)


def test_scatter_draws_dots_on_two_equal_axes() -> None:
    dots = [Dot("low & left", 0.0, 0.0), Dot("on the diagonal", 1.0, 1.0), Dot("above", 1.0, 2.0)]
    root = ElementTree.fromstring(scatter("a < b", "across", "up", [*dots, Dot("endless", float("inf"), 1.0)]))
    space = "{http://www.w3.org/2000/svg}"
    circles = [(float(c.attrib["cx"]), float(c.attrib["cy"])) for c in root.iter(f"{space}circle")]
    assert len(circles) == 3
    (x0, y0), (x1, y1), (x2, y2) = circles
    assert x1 - x0 == pytest.approx(y0 - y1) and x2 == x1 and y0 - y2 == pytest.approx(2 * (y0 - y1), abs=0.1)
    diagonal = next(line.attrib for line in root.iter(f"{space}line") if "stroke-dasharray" in line.attrib)
    assert (float(diagonal["x1"]), float(diagonal["y1"])) == (x0, y0)
    ground = next(root.iter(f"{space}rect")).attrib
    assert (ground["fill"], ground["width"]) == ("#ffffff", str(SIDE))
