"""Our protocols against figures measured once on the public implementations."""

import json
from pathlib import Path

import numpy as np
import pytest

from ttsr.errors import UserError
from ttsr.metrics.protocols import MMAGIC_RGB, MMEDIT_RGB, PAPER_Y, PROTOCOLS, Protocol

GOLDEN = Path(__file__).parents[1] / "golden"
PUBLISHED = json.loads((GOLDEN / "metrics.json").read_text())
IMPLEMENTATIONS = {"researchmm": PAPER_Y, "mmedit 0.x": MMEDIT_RGB, "mmagic 1.x": MMAGIC_RGB}


@pytest.mark.parametrize(("pair", "label"), [(pair, label) for pair, scores in PUBLISHED.items() for label in scores])
def test_meets_published_implementation(pair: str, label: str) -> None:
    protocol = IMPLEMENTATIONS[label.split(":")[0]]
    with np.load(GOLDEN / pair) as images:
        score = protocol.score(images["target"], images["prediction"])
    psnr, ssim = PUBLISHED[pair][label]
    assert score.psnr == pytest.approx(psnr, abs=1e-3)
    assert score.ssim == pytest.approx(ssim, abs=1e-4)


def test_protocols_differ_on_one_pair() -> None:
    """The vectors tell the protocols apart: each one's PSNR is more than the tolerance from the others'."""
    with np.load(GOLDEN / "metric_pair_1.npz") as images:
        scores = [p.score(images["target"], images["prediction"]).psnr for p in PROTOCOLS.values()]
    assert min(abs(a - b) for i, a in enumerate(scores) for b in scores[:i]) > 4e-3


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS.keys())
def test_identical_images(protocol: Protocol) -> None:
    image = np.random.default_rng(0).integers(0, 256, (24, 28, 3), dtype=np.uint8)
    score = protocol.score(image, image)
    assert score.psnr == np.inf
    assert score.ssim == pytest.approx(1)


def test_border_of_the_crop_counts_for_nothing() -> None:
    rng = np.random.default_rng(1)
    target = rng.integers(0, 256, (30, 30, 3), dtype=np.uint8)
    prediction = rng.uniform(0, 255, (30, 30, 3))
    changed = prediction.copy()
    changed[:4] = 0
    changed[:, -4:] = 255
    assert MMAGIC_RGB.score(target, prediction) == MMAGIC_RGB.score(target, changed)
    assert PAPER_Y.score(target, prediction) != PAPER_Y.score(target, changed)


def test_prediction_beyond_the_range_is_clipped() -> None:
    target = np.full((24, 24, 3), 255, np.uint8)
    assert MMAGIC_RGB.score(target, np.full((24, 24, 3), 300.0)).psnr == np.inf


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS.keys())
def test_smallest_side_is_just_enough(protocol: Protocol) -> None:
    image = np.zeros((protocol.smallest_side, 40, 3), np.uint8)
    assert protocol.score(image, image).psnr == np.inf
    with pytest.raises(UserError, match="at least"):
        protocol.score(image[1:], image[1:])


@pytest.mark.parametrize(("side", "message"), [(8, "too small to score"), (18, "11x11 pixels at least")])
def test_too_small_to_score(side: int, message: str) -> None:
    image = np.zeros((side, 40, 3), np.uint8)
    with pytest.raises(UserError, match=message):
        MMAGIC_RGB.score(image, image)
