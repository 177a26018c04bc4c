"""Sheets: every network's result of a picture, and two details that nobody chose."""

from pathlib import Path

import numpy as np
from model_card.sheets import make_sheet
from PIL import Image

from ttsr import Upscaler
from ttsr.evaluation.protocols import PAPER_Y
from ttsr.images.resize import downscale4
from ttsr.models.ttsr import TTSR


def test_results_of_all_in_two_rows(model: TTSR, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    hr, reference = (rng.integers(0, 256, shape, np.uint8) for shape in ((120, 160, 3), (40, 36, 3)))
    upscalers = {name: Upscaler(model, device="cpu") for name in ("m", "n")}
    peers = {"worse": 255 - hr, "perfect but in a square": hr.copy()}
    peers["perfect but in a square"][:96, 64:] = 0
    sheet = make_sheet(upscalers, (hr, reference), peers)
    titles = ["bicubic", *peers, "m alone", "m + reference", "n alone", "n + reference"]
    assert list(sheet.results) == titles == list(sheet.scores)
    assert np.array_equal(sheet.results["m alone"], upscalers["m"].upscale(downscale4(hr), []).picture.rgb)
    assert sheet.scores["worse"] == PAPER_Y.score(hr, 255 - hr)
    # The best of the others is the one that is perfect elsewhere.
    lost = sheet.lost()
    assert lost == (24, 0)
    sheet.save(sheet.hardest(), tmp_path / "sheet.jpg")
    with Image.open(tmp_path / "sheet.jpg") as image:
        assert image.width == 5 * 264 + 4 * 6
    assert [file.name for file in tmp_path.iterdir()] == ["sheet.jpg"]


def test_without_others_nothing_is_lost(model: TTSR) -> None:
    hr = np.random.default_rng(1).integers(0, 256, (16, 20, 3), np.uint8)
    sheet = make_sheet({"m": Upscaler(model, device="cpu")}, (hr, hr), {})
    assert sheet.lost() is None and list(sheet.results) == ["bicubic", "m alone", "m + reference"]
    assert sheet.draw(sheet.hardest()).width == 3 * 264 + 2 * 6
