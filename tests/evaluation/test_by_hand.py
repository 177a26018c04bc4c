"""Whole scores, from the pictures on: sized, degraded, stacked and scored in another way, with Pillow and NumPy."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from ttsr.data.cufed5 import ReferenceChoice, list_groups
from ttsr.evaluation.protocols import PROTOCOLS
from ttsr.evaluation.reference_choice import LEVELS
from ttsr.evaluation.scoring import evaluate
from ttsr.models.config import TTSRConfig
from ttsr.models.ttsr import TTSR

Pixels = np.ndarray


@pytest.fixture
def two_sizes(tmp_path: Path) -> Path:
    """A ground truth of 42x37 (width x height) and references of 29x50, 60x24, 33x33 and 41x38."""
    rng = np.random.default_rng(5)
    for number, (width, height) in enumerate(((42, 37), (29, 50), (60, 24), (33, 33), (41, 38))):
        # Of noise, so that no two places match almost equally well.
        Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8)).save(tmp_path / f"000_{number}.png")
    return tmp_path


@pytest.fixture(scope="module")
def network() -> TTSR:
    torch.manual_seed(3)
    return TTSR(TTSRConfig(4, (1, 1, 1, 1), (4, 4, 4))).eval()


def resized(image: Pixels, factor: float) -> Pixels:
    height, width = image.shape[:2]
    size = (round(width * factor), round(height * factor))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))


def whole_fours(image: Pixels) -> Pixels:
    return image[: image.shape[0] - image.shape[0] % 4, : image.shape[1] - image.shape[1] % 4]


def on_black(image: Pixels, height: int, width: int) -> Pixels:
    canvas = np.zeros((height, width, 3), np.uint8)
    rows, columns = min(height, image.shape[0]), min(width, image.shape[1])
    canvas[:rows, :columns] = image[:rows, :columns]
    return canvas


def inputs(folder: Path, reference: ReferenceChoice, protocol: str) -> tuple[Pixels, Pixels, list[Pixels]]:
    """The ground truth, what is degraded to the LR, and the references, as the sources of the protocols say."""
    pictures = [np.asarray(Image.open(folder / f"000_{number}.png")) for number in range(5)]
    hr = whole_fours(pictures[0])
    if reference == "lr":
        return hr, hr, [resized(hr, 1 / 4)[:8, :8]]  # 10x9, cropped to multiples of 4
    if reference == "stacked":
        return hr, hr, [np.concatenate([on_black(picture, 500, 500) for picture in pictures[1:]])]
    used = pictures[1:] if reference == "all" else [pictures[int(reference)]]
    if protocol.startswith("mm"):
        return hr, hr, [on_black(picture, *hr.shape[:2]) for picture in used]
    used = [whole_fours(picture) for picture in used]
    if protocol == "paper-y":
        return hr, hr, used
    height, width = (max(picture.shape[axis] for picture in (hr, *used)) for axis in (0, 1))
    return hr, on_black(hr, height, width), [on_black(picture, height, width) for picture in used]


def tensor(image: Pixels) -> Tensor:
    # With the strides of the package's, whose convolutions then round in the same way: 8 bits may hinge on it.
    return torch.from_numpy(image[None].copy()).permute(0, 3, 1, 2).float() / 255


def ssim(x: Pixels, y: Pixels) -> float:
    """Of one channel, window by window."""
    g = np.exp(-((np.arange(11) - 5) ** 2) / 4.5)
    window, c1, c2 = np.outer(g, g) / g.sum() ** 2, 6.5025, 58.5225
    values = []
    for i in range(x.shape[0] - 10):
        for j in range(x.shape[1] - 10):
            a, b = x[i : i + 11, j : j + 11], y[i : i + 11, j : j + 11]
            ma, mb = (window * a).sum(), (window * b).sum()
            va, vb, both = ((window * p * q).sum() for p, q in ((a - ma, a - ma), (b - mb, b - mb), (a - ma, b - mb)))
            values.append((2 * ma * mb + c1) * (2 * both + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2)))
    return float(np.mean(values))


WEIGHTS = {
    "paper-y": np.array([65.738, 129.057, 25.064]) / 256,
    "c2-matching": np.array([65.481, 128.553, 24.966]) / 255,
}


@pytest.mark.parametrize("protocol", ["paper-y", "mmagic-rgb", "mmedit-rgb", "c2-matching", "c2-matching-rgb"])
@pytest.mark.parametrize("reference", ["1", "2", "3", "4", "all", "stacked", "lr"])
def test_scores_computed_by_hand(reference: ReferenceChoice, protocol: str, two_sizes: Path, network: TTSR) -> None:
    hr, degraded, references = inputs(two_sizes, reference, protocol)
    lr = resized(degraded, 1 / 4)
    with torch.inference_mode():
        output = network(
            tensor(lr),
            [tensor(image) for image in references],
            lr_up=tensor(resized(lr, 4)),
            ref_blur=[tensor(resized(resized(image, 1 / 4), 4)) for image in references],
        )
    sr = output.sr[0].permute(1, 2, 0).double().numpy()[: hr.shape[0], : hr.shape[1]] * 255
    x, y = hr.astype(float), sr.clip(0, 255)
    y = y if protocol == "mmagic-rgb" else np.round(y)
    absolute = np.abs(x - y).mean() / 255
    if protocol != "paper-y":
        x, y = x[4:-4, 4:-4], y[4:-4, 4:-4]
    if protocol in WEIGHTS:
        x, y = ((image * WEIGHTS[protocol]).sum(2, keepdims=True) + 16 for image in (x, y))
    absolute = absolute if protocol == "mmagic-rgb" else np.abs(x - y).mean() / 255
    psnr = -10 * np.log10(((x / 255 - y / 255) ** 2).mean())
    similarity = np.mean([ssim(x[..., channel], y[..., channel]) for channel in range(x.shape[2])])
    (score,) = evaluate(network, list_groups(two_sizes), references=[reference], protocols=[PROTOCOLS[protocol]])
    assert score.model[protocol][:3] == pytest.approx((psnr, similarity, absolute), abs=1e-4)


def test_levels_are_the_references_1_to_4_and_the_lr() -> None:
    """The rows of the paper's table of similarity levels: L1 to L4 and LR."""
    assert LEVELS == ("1", "2", "3", "4", "lr")
