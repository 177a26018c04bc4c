"""A model scored on a test set in the CUFED5 layout, bicubic beside it."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
import torch

from ttsr.data.cufed5 import Group, ReferenceChoice
from ttsr.errors import DataError, ImageError
from ttsr.images.reading import read_picture
from ttsr.images.resize import cut_to_multiple, degrade, downscale4, upscale4
from ttsr.images.tensors import to_tensor
from ttsr.inference.device import computing_in
from ttsr.inference.references import own_reference
from ttsr.metrics.protocols import MMAGIC_RGB, PAPER_Y, Protocol, Score
from ttsr.metrics.ssim import scikit_image_ssim
from ttsr.models.ttsr import TTSR


@dataclass(frozen=True)
class PictureScore:
    """One picture's scores, by the protocol's name.

    Attributes:
        name: the group's.
        size: (width, height) of the truth as scored, in pixels.
        references: the files used; none where the LR itself served.
        model: scores of the model's picture.
        bicubic: scores of the LR enlarged by bicubic.
        relevance: mean of the soft-attention map S.
        seconds: time of the network, references included.
    """

    name: str
    size: tuple[int, int]
    references: tuple[str, ...]
    model: dict[str, Score]
    bicubic: dict[str, Score]
    relevance: float
    seconds: float


@dataclass(frozen=True)
class Report:
    """What `evaluate` found.

    `substituted` names the pictures that lack the reference asked for and were given their last one. Means
    are over pictures, as in the published tables.
    """

    reference: ReferenceChoice
    protocols: tuple[Protocol, ...]
    pictures: tuple[PictureScore, ...]
    substituted: tuple[str, ...]

    def model_mean(self, protocol: Protocol) -> Score:
        """The model's PSNR and SSIM, each averaged over the pictures."""
        return _mean([picture.model[protocol.name] for picture in self.pictures])

    def bicubic_mean(self, protocol: Protocol) -> Score:
        """Bicubic's PSNR and SSIM, each averaged over the pictures."""
        return _mean([picture.bicubic[protocol.name] for picture in self.pictures])

    def gain(self, protocol: Protocol) -> Score:
        """The model's means less bicubic's."""
        model, bicubic = self.model_mean(protocol), self.bicubic_mean(protocol)
        return Score(model.psnr - bicubic.psnr, model.ssim - bicubic.ssim)


def evaluate(
    model: TTSR,
    groups: Sequence[Group],
    *,
    reference: ReferenceChoice = "1",
    protocols: Sequence[Protocol] = (PAPER_Y, MMAGIC_RGB),
    device: str | torch.device | None = None,
    on_picture: Callable[[PictureScore], None] | None = None,
) -> Report:
    """Super-resolve each group's truth from its quarter, and score the result.

    The truth is cut to multiples of 4; the LR is its quarter by Pillow's bicubic, in 8 bits. A reference is
    used whole, cut to multiples of 4. The model comes back on the device and in the mode that it was in.

    Args:
        model: the network.
        groups: of `ttsr.data.cufed5.list_groups`; one at least.
        reference: a number (a group without it is given its last one, and `Report.substituted` tells), "all"
            at once, "lr" for the LR itself (the paper's "LR" row), or "unrelated": the first reference of the
            group half the set away (neighbours in a test set often show one scene).
        protocols: how to score.
        device: where to compute; where the model is, if None.
        on_picture: called after each picture.

    Raises:
        DataError: a group has no reference at all, or "unrelated" is asked of fewer than two groups.
        ImageError: a truth cannot be read or is too small to score, which is found before the first forward pass; or
            a reference cannot be read or is too small to be cut to multiples of 4.
        UserError: scikit-image is not installed.
    """
    scikit_image_ssim()
    chosen = _choose_references(groups, reference)
    for group in groups:
        _check_scorable(group.hr, protocols)
    home, was_training = next(model.parameters()).device, model.training
    pictures = []
    try:
        model.to(device or home).eval()
        for group, references in zip(groups, chosen, strict=True):
            pictures.append(_score_picture(model, group, references, protocols))
            if on_picture is not None:
                on_picture(pictures[-1])
    finally:
        model.to(home).train(was_training)
    substituted = [group.name for group in groups if reference.isdecimal() and int(reference) not in group.references]
    return Report(reference, tuple(protocols), tuple(pictures), tuple(substituted))


def _choose_references(groups: Sequence[Group], reference: ReferenceChoice) -> list[list[Path]]:
    """The files for each group; none where the LR is to serve."""
    if reference == "lr":
        return [[] for _ in groups]
    for group in groups:
        if not group.references:
            raise DataError(f"{group.hr}: it has no reference beside it (--reference lr needs none)")
    if reference == "all":
        return [list(group.references.values()) for group in groups]
    if reference == "unrelated":
        if len(groups) < 2:
            raise DataError(f"{groups[0].hr}: an unrelated reference needs another group beside this one")
        half = len(groups) // 2
        return [[next(iter(other.references.values()))] for other in [*groups[half:], *groups[:half]]]
    last = [list(group.references.values())[-1] for group in groups]
    return [[group.references.get(int(reference), path)] for group, path in zip(groups, last, strict=True)]


def _check_scorable(hr: Path, protocols: Sequence[Protocol]) -> None:
    height, width = _read_cut(hr).shape[:2]
    strictest = max(protocols, key=lambda protocol: protocol.smallest_side)
    side = strictest.smallest_side
    if min(height, width) < side:
        raise ImageError(
            f"{hr}: {width}x{height} pixels are too few to score by {strictest.name}, it takes {side}x{side} at least"
        )


def _score_picture(
    model: TTSR, group: Group, references: Sequence[Path], protocols: Sequence[Protocol]
) -> PictureScore:
    hr = _read_cut(group.hr)
    lr = downscale4(hr)
    lr_up = upscale4(lr)
    ref_images = [_read_cut(path) for path in references] or [own_reference(lr)]
    device = next(model.parameters()).device
    start = time.perf_counter()
    with torch.inference_mode(), computing_in("fp32", device):
        output = model(
            to_tensor(lr, device=device),
            [to_tensor(image, device=device) for image in ref_images],
            lr_up=to_tensor(lr_up, device=device),
            ref_blur=[to_tensor(degrade(image), device=device) for image in ref_images],
            keep_textures=False,
        )
        sr = output.sr[0].permute(1, 2, 0).cpu().numpy().astype(np.float64) * 255
    seconds = time.perf_counter() - start
    return PictureScore(
        name=group.name,
        size=(hr.shape[1], hr.shape[0]),
        references=tuple(path.name for path in references),
        model={protocol.name: protocol.score(hr, sr) for protocol in protocols},
        bicubic={protocol.name: protocol.score(hr, lr_up) for protocol in protocols},
        relevance=output.relevance.mean().item(),
        seconds=seconds,
    )


def _read_cut(path: Path) -> np.ndarray:
    rgb = read_picture(path).rgb
    cut = cut_to_multiple(rgb)
    if min(cut.shape[:2]) == 0:
        raise ImageError(f"{path}: {rgb.shape[1]}x{rgb.shape[0]} pixels are too few, it takes 4x4 at least")
    return cut


def _mean(scores: Sequence[Score]) -> Score:
    return Score(fmean(score.psnr for score in scores), fmean(score.ssim for score in scores))
