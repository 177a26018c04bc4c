"""Our protocols against values measured once on the public implementations."""

import json
from pathlib import Path

import numpy as np
import pytest

from ttsr.errors import UserError
from ttsr.evaluation.perceptual_metrics import gmsd, haarpsi
from ttsr.evaluation.protocols import C2_MATCHING, C2_MATCHING_RGB, MMAGIC_RGB, MMEDIT_RGB, PAPER_Y, PROTOCOLS, Protocol

GOLDEN = Path(__file__).parents[1] / "golden"
PUBLISHED = json.loads((GOLDEN / "metrics.json").read_text())
IMPLEMENTATIONS = {"researchmm": PAPER_Y, "mmedit 0.x": MMEDIT_RGB, "mmagic 1.x": MMAGIC_RGB}


@pytest.mark.parametrize(("pair", "label"), [(pair, label) for pair, scores in PUBLISHED.items() for label in scores])
def test_equals_public_implementation(pair: str, label: str) -> None:
    protocol = IMPLEMENTATIONS[label.split(":")[0]]
    with np.load(GOLDEN / pair) as images:
        score = protocol.score(images["target"], images["prediction"])
    psnr, ssim = PUBLISHED[pair][label]
    assert score.psnr == pytest.approx(psnr, abs=1e-3)
    assert score.ssim == pytest.approx(ssim, abs=1e-4)


def test_protocols_differ_on_one_pair() -> None:
    """The vectors tell the protocols apart: each one's PSNR is more than the tolerance from the others'.

    C2-Matching's RGB is scored as MMEditing scores; the two differ in the sizing of references.
    """
    apart = [protocol for protocol in PROTOCOLS.values() if protocol is not C2_MATCHING_RGB]
    with np.load(GOLDEN / "metric_pair_1.npz") as images:
        scores = [p.score(images["target"], images["prediction"]).psnr for p in apart]
    assert min(abs(a - b) for i, a in enumerate(scores) for b in scores[:i]) > 4e-3
    assert C2_MATCHING_RGB.sizing != MMEDIT_RGB.sizing


def gaussian_mean(image: np.ndarray) -> np.ndarray:
    """Means under the 11x11 Gaussian window of sigma 1.5, wherever it lies inside."""
    g = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
    windows = np.lib.stride_tricks.sliding_window_view(image, (11, 11))
    return np.einsum("ijkl,kl->ij", windows, np.outer(g, g) / g.sum() ** 2)


def textbook(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """PSNR and SSIM (Wang et al. 2004, equation 13) of one channel on the scale [0, 255]."""
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    mx, my = gaussian_mean(x), gaussian_mean(y)
    vx, vy, cov = gaussian_mean(x * x) - mx**2, gaussian_mean(y * y) - my**2, gaussian_mean(x * y) - mx * my
    ssim = (2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    return 20 * np.log10(255 / np.sqrt(np.mean((x - y) ** 2))), float(ssim.mean())


@pytest.mark.parametrize("pair", PUBLISHED)
def test_c2_matching_is_the_textbook_form(pair: str) -> None:
    """Rounded to 8 bits, a border of 4 cut; Y by BT.601's 65.481, 128.553, 24.966 of 255 and 16 more, not rounded."""
    with np.load(GOLDEN / pair) as images:
        target, prediction = images["target"], images["prediction"]
    kept = [np.round(np.clip(image.astype(float), 0, 255))[4:-4, 4:-4] for image in (target, prediction)]
    x, y = ((65.481 * rgb[..., 0] + 128.553 * rgb[..., 1] + 24.966 * rgb[..., 2]) / 255 + 16 for rgb in kept)
    assert C2_MATCHING.score(target, prediction)[:2] == pytest.approx(textbook(x, y), abs=1e-6)
    psnr = 20 * np.log10(255 / np.sqrt(np.mean((kept[0] - kept[1]) ** 2)))
    ssim = np.mean([textbook(kept[0][..., channel], kept[1][..., channel])[1] for channel in range(3)])
    assert C2_MATCHING_RGB.score(target, prediction)[:2] == pytest.approx((psnr, ssim), abs=1e-6)
    assert C2_MATCHING.score(target, prediction).mae == pytest.approx(np.mean(np.abs(x - y)) / 255)
    assert C2_MATCHING_RGB.score(target, prediction).mae == pytest.approx(np.mean(np.abs(kept[0] - kept[1])) / 255)
    # The gradients' similarity is of luma, whatever the protocol scores.
    expected = gmsd(kept[0] @ np.array([0.299, 0.587, 0.114]), kept[1] @ np.array([0.299, 0.587, 0.114]))
    assert C2_MATCHING.score(target, prediction).gmsd == pytest.approx(expected)
    assert C2_MATCHING_RGB.score(target, prediction).gmsd == pytest.approx(expected)
    # HaarPSI is of the colours, likewise.
    assert C2_MATCHING.score(target, prediction).haarpsi == pytest.approx(haarpsi(*kept))
    assert C2_MATCHING_RGB.score(target, prediction).haarpsi == pytest.approx(haarpsi(*kept))


@pytest.mark.parametrize("pair", PUBLISHED)
def test_mmagics_mae_is_of_the_whole_picture_on_0_to_1(pair: str) -> None:
    """Its recipes crop the border for PSNR and SSIM, but give its MAE no `crop_border`."""
    with np.load(GOLDEN / pair) as images:
        target, prediction = images["target"], images["prediction"]
    expected = np.abs(target / 255 - np.clip(prediction, 0, 255) / 255).mean()
    assert MMAGIC_RGB.score(target, prediction).mae == pytest.approx(expected)
    assert MMEDIT_RGB.score(target, prediction).mae != pytest.approx(expected)


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS.keys())
def test_identical_images(protocol: Protocol) -> None:
    image = np.random.default_rng(0).integers(0, 256, (24, 28, 3), dtype=np.uint8)
    score = protocol.score(image, image)
    assert score.psnr == np.inf
    assert score.ssim == pytest.approx(1)
    assert (score.mae, score.gmsd) == (0, 0)
    assert score.haarpsi == pytest.approx(1)


def test_cropped_border_is_ignored() -> None:
    rng = np.random.default_rng(1)
    target = rng.integers(0, 256, (30, 30, 3), dtype=np.uint8)
    prediction = rng.uniform(0, 255, (30, 30, 3))
    changed = prediction.copy()
    changed[:4] = 0
    changed[:, -4:] = 255
    assert MMEDIT_RGB.score(target, prediction) == MMEDIT_RGB.score(target, changed)
    first, second = MMAGIC_RGB.score(target, prediction), MMAGIC_RGB.score(target, changed)
    assert first._replace(mae=0) == second._replace(mae=0) and first.mae != second.mae
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


@pytest.mark.parametrize(("side", "message"), [(8, "too small to score"), (18, "at least 11x11 pixels")])
def test_too_small_to_score(side: int, message: str) -> None:
    image = np.zeros((side, 40, 3), np.uint8)
    with pytest.raises(UserError, match=message):
        MMAGIC_RGB.score(image, image)
