"""One picture of a test set, super-resolved and scored."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from ttsr.data.cufed5 import Group, PictureFile, ReferenceChoice
from ttsr.errors import ImageError
from ttsr.evaluation.network_inputs import NetworkInputs, Sizing, prepare_inputs, stack_references
from ttsr.evaluation.protocols import Protocol, Score
from ttsr.evaluation.reference_choice import ChosenReferences
from ttsr.images.picture import to_tensor
from ttsr.images.reading import read_picture
from ttsr.images.resize import SCALE, blur_by_resize, cut_to_multiple, downscale4
from ttsr.inference.fitting import ReferenceFitter
from ttsr.inference.matching_choices import MatchingChoices
from ttsr.inference.plan import make_plan
from ttsr.inference.references import Reference, ReferencePixels, ReferenceSource, own_reference
from ttsr.inference.upscaled import places_in_sources
from ttsr.models.inputs import ReferenceImage, check_reference
from ttsr.models.ttsr import TTSR
from ttsr.system.precision import computing_in


@dataclass(frozen=True)
class PictureScore:
    """The scores of one picture with one choice of references.

    Attributes:
        number: index in the test set, from 0 on.
        name: the group's.
        size: (width, height) of the ground truth as scored, in pixels.
        reference: the choice of references.
        files: names of the reference files; empty for the LR itself or no reference.
        substituted: the requested reference is missing, and the picture's last reference replaces it.
        reference_size: (width, height) of the first reference under the first protocol; None for no reference.
        model: scores of the model's result, by the protocol's name.
        bicubic: scores of bicubic upscaling of the LR that the model was given, by the protocol's name.
        relevance: mean of the soft-attention map S under the first protocol.
        seconds: run time of the network, references included, summed over its passes.
        matching: how references were fitted and matched, in words; empty for no reference.
        fits: under the first protocol, what became of each reference; empty where they are not fitted.
        cpu_seconds: processor time of the same work, summed over threads.
    """

    number: int
    name: str
    size: tuple[int, int]
    reference: ReferenceChoice
    files: tuple[str, ...]
    substituted: bool
    reference_size: tuple[int, int] | None
    model: dict[str, Score]
    bicubic: dict[str, Score]
    relevance: float
    seconds: float
    matching: str = ""
    fits: tuple[str, ...] = ()
    cpu_seconds: float = 0.0

    def gain(self, protocol: Protocol) -> Score:
        """The model's score minus bicubic's; PSNR 0 where both equal the ground truth."""
        return self.model[protocol.name].over(self.bicubic[protocol.name])


@dataclass(frozen=True)
class ScoredImages:
    """The images behind a `PictureScore`, under the first protocol.

    Attributes:
        lr: (h, w, 3) uint8.
        reference: the first reference, (H, W, 3) uint8; None for no reference.
        bicubic: (4 h, 4 w, 3) uint8, as are `sr` and `hr`.
        sr: the model's result.
        hr: the ground truth.
        relevance: the soft-attention map S, (h, w) float32.
        index: where each match lies, (h, w, 3) int32: number of the reference, or -1 for none; row and column in its
            pixels.
    """

    lr: np.ndarray
    reference: np.ndarray | None
    bicubic: np.ndarray
    sr: np.ndarray
    hr: np.ndarray
    relevance: np.ndarray
    index: np.ndarray


OnPicture = Callable[[PictureScore, ScoredImages], None]


class _Pass(NamedTuple):
    """A forward pass, cropped to the ground truth; `sr` and `bicubic` on the scale [0, 255]."""

    inputs: NetworkInputs
    sr: np.ndarray
    bicubic: np.ndarray
    relevance: np.ndarray
    places: np.ndarray
    seconds: float
    cpu_seconds: float
    fits: tuple[str, ...]


def score_picture(
    model: TTSR,
    number: int,
    group: Group,
    reference: ReferenceChoice,
    chosen: ChosenReferences,
    protocols: Sequence[Protocol],
    matching: MatchingChoices,
) -> tuple[PictureScore, ScoredImages]:
    """Super-resolve a group's downscaled ground truth, once for each sizing of references among the protocols.

    Args:
        model: in eval mode, on the device to compute on.
        number: index of the group in the test set.
        group: the picture.
        reference: the choice of references.
        chosen: the files of this choice.
        protocols: how to score; the images returned are those of the first one.
        matching: how references are fitted and matched; the LR itself and stacked references are not fitted.

    Raises:
        ImageError: a picture is unreadable or smaller than 4x4.
        UserError: even the smallest blocks do not fit into memory.
    """
    hr = read_ground_truth(group.hr)
    references = [own_reference(downscale4(hr))] if reference == "lr" else [read_reference(p) for p in chosen.files]
    if reference == "stacked":
        references = [stack_references(references)]
    # Where all sizes are equal already, every sizing gives the same inputs.
    as_is = reference in ("lr", "none", "stacked") or all(image.shape == hr.shape for image in references)
    sizings: list[Sizing] = ["own size" if as_is else protocol.sizing for protocol in protocols]
    if reference in ("lr", "stacked"):
        matching = replace(matching, pose=False, match_colour=False)
    inputs = {sizing: prepare_inputs(hr, references, sizing) for sizing in dict.fromkeys(sizings)}
    passes = {sizing: _run(model, hr, prepared, matching) for sizing, prepared in inputs.items()}
    first = passes[sizings[0]]
    used = first.inputs.references
    score = PictureScore(
        number=number,
        name=group.name,
        size=(hr.shape[1], hr.shape[0]),
        reference=reference,
        files=tuple(path.name for path in chosen.files),
        substituted=chosen.substituted,
        reference_size=(used[0].shape[1], used[0].shape[0]) if used else None,
        model={p.name: p.score(hr, passes[sizing].sr) for p, sizing in zip(protocols, sizings, strict=True)},
        bicubic={p.name: p.score(hr, passes[sizing].bicubic) for p, sizing in zip(protocols, sizings, strict=True)},
        relevance=float(first.relevance.mean()),
        seconds=sum(forward.seconds for forward in passes.values()),
        matching=str(matching) if references else "",
        fits=first.fits,
        cpu_seconds=sum(forward.cpu_seconds for forward in passes.values()),
    )
    images = ScoredImages(
        lr=first.inputs.lr[: hr.shape[0] // SCALE, : hr.shape[1] // SCALE],
        reference=used[0] if used else None,
        bicubic=first.bicubic,
        sr=first.sr.round().astype(np.uint8),
        hr=hr,
        relevance=first.relevance,
        index=first.places,
    )
    return score, images


def read_ground_truth(path: PictureFile) -> np.ndarray:
    """Read a ground truth, cropped to multiples of 4 as it is scored: (H, W, 3) uint8.

    Raises:
        ImageError: it is unreadable or smaller than 4x4.
    """
    return cut_to_multiple(read_reference(path))


def read_reference(path: PictureFile) -> np.ndarray:
    """Read a reference at its own size: (H, W, 3) uint8.

    Raises:
        ImageError: it is unreadable or smaller than 4x4.
    """
    picture = read_picture(path) if isinstance(path, Path) else path.read()
    rgb = picture.in_eight_bits().rgb
    if min(rgb.shape[:2]) < SCALE:
        raise ImageError(f"{path}: {rgb.shape[1]}x{rgb.shape[0]} pixels are too few", "take 4x4 at least")
    return rgb


def _run(model: TTSR, hr: np.ndarray, inputs: NetworkInputs, matching: MatchingChoices) -> _Pass:
    device = next(model.parameters()).device
    height, width = hr.shape[:2]
    lr_grid = (inputs.lr.shape[0], inputs.lr.shape[1])
    start, cpu_start = time.perf_counter(), time.process_time()
    with torch.inference_mode(), computing_in("fp32", device):
        images, fits = [(*both, None) for both in zip(inputs.references, inputs.ref_blur, strict=True)], ()
        pixels = [ReferencePixels(rgb, ReferenceSource("", None, rgb.shape[1::-1])) for rgb in inputs.references]
        fitted = [Reference(reference) for reference in pixels]
        if matching.fits and images:
            fitted = ReferenceFitter(model, inputs.lr, matching).fit(pixels)
            used = [reference.pixels for reference in fitted if not reference.left_out]
            images = [(p.rgb, blur_by_resize(p.rgb), p.mask) for p in used]
            fits = tuple(str(reference.fit) for reference in fitted)
        references = [_reference_image(*image, device) for image in images]
        grids, matcher = [reference.grid for reference in references], matching.matcher
        plan = make_plan(model.config, lr_grid, [], grids, device=device, matcher=matcher)
        output = model(
            to_tensor(inputs.lr, device=device),
            references,
            lr_up=to_tensor(inputs.lr_up, device=device),
            matcher=matcher,
            block_bytes=plan.block_bytes,
            keep_textures=False,
        )
        sr = output.sr[0].permute(1, 2, 0).cpu().numpy().astype(np.float64) * 255
        relevance = output.relevance[0, 0].float().cpu().numpy()
        shift = None if output.refinement is None else output.refinement.shift[0].cpu().numpy()
        index = output.index[0].cpu().numpy()
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
    relevance = relevance[: height // SCALE, : width // SCALE]
    places = places_in_sources(index, fitted, shift)[: height // SCALE, : width // SCALE]
    up = inputs.lr_up[:height, :width]
    return _Pass(inputs, sr[:height, :width], up, relevance, places, seconds, cpu_seconds, fits)


def _reference_image(
    ref: np.ndarray, blurred: np.ndarray, mask: np.ndarray | None, device: torch.device
) -> ReferenceImage:
    cells = None if mask is None else torch.from_numpy(mask)[None].to(device)
    return check_reference(to_tensor(ref, device=device), to_tensor(blurred, device=device), cells)
