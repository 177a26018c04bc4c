"""One picture, super-resolved and scored."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ttsr.data.cufed5 import Group, ReferenceChoice
from ttsr.errors import ImageError
from ttsr.evaluation.network_inputs import Inputs, fit, stack
from ttsr.evaluation.protocols import Fit, Protocol, Score
from ttsr.evaluation.reference_choice import Chosen
from ttsr.images.reading import read_picture
from ttsr.images.resize import SCALE, cut_to_multiple, downscale4
from ttsr.images.tensors import to_tensor
from ttsr.inference.plan import make_plan
from ttsr.inference.references import own_reference
from ttsr.models.ttsr import TTSR
from ttsr.system.precision import computing_in


@dataclass(frozen=True)
class PictureScore:
    """One picture's scores with one choice of references, by the protocol's name.

    Attributes:
        number: its place in the test set, from 0 on.
        name: the group's.
        size: (width, height) of the truth as scored, in pixels.
        reference: what was asked for.
        files: the reference files used; none where the LR itself or nothing served.
        substituted: the reference asked for is missing, and the picture's last one stood in.
        reference_size: (width, height) of the first reference, as the first protocol has it; None where nothing served.
        model: scores of the model's picture.
        bicubic: scores of the LR enlarged by bicubic, the same LR that the model was given.
        relevance: mean of the soft-attention map S under the first protocol.
        seconds: time of the network, references included; of all passes that the protocols took.
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

    def gain(self, protocol: Protocol) -> Score:
        """What the model's picture has more than bicubic's; PSNR 0 where both are the truth itself."""
        return self.model[protocol.name].over(self.bicubic[protocol.name])


@dataclass(frozen=True)
class Shown:
    """The pictures behind a score, under the first protocol, for people to look at.

    lr: (h, w, 3); bicubic, sr and hr: (4 h, 4 w, 3); reference: the first one, (H, W, 3), or None where nothing
    served: all uint8. relevance: (h, w) float32.
    """

    lr: np.ndarray
    reference: np.ndarray | None
    bicubic: np.ndarray
    sr: np.ndarray
    hr: np.ndarray
    relevance: np.ndarray


OnPicture = Callable[[PictureScore, Shown], None]


@dataclass(frozen=True)
class _Pass:
    """What the network made of one fit, cut to the truth: sr and bicubic on the scale [0, 255]."""

    inputs: Inputs
    sr: np.ndarray
    bicubic: np.ndarray
    relevance: np.ndarray
    seconds: float


def score_picture(
    model: TTSR,
    number: int,
    group: Group,
    reference: ReferenceChoice,
    chosen: Chosen,
    protocols: Sequence[Protocol],
) -> tuple[PictureScore, Shown]:
    """Super-resolve a group's truth from its quarter, once for each way in which the protocols bring pictures to size.

    Raises:
        ImageError: a picture cannot be read or has less than 4 pixels a side.
        UserError: even the smallest blocks do not fit into memory.
    """
    hr = read_truth(group.hr)
    references, fixed = _references(hr, reference, chosen.files)
    # Where all sizes agree already, every fit is the same.
    alike = fixed or all(image.shape == hr.shape for image in references)
    ways: list[Fit] = ["whole" if alike else protocol.fit for protocol in protocols]
    passes = {way: _run(model, hr, fit(hr, references, way)) for way in dict.fromkeys(ways)}
    first = passes[ways[0]]
    used = first.inputs.references
    score = PictureScore(
        number=number,
        name=group.name,
        size=(hr.shape[1], hr.shape[0]),
        reference=reference,
        files=tuple(path.name for path in chosen.files),
        substituted=chosen.substituted,
        reference_size=(used[0].shape[1], used[0].shape[0]) if used else None,
        model={p.name: p.score(hr, passes[way].sr) for p, way in zip(protocols, ways, strict=True)},
        bicubic={p.name: p.score(hr, passes[way].bicubic) for p, way in zip(protocols, ways, strict=True)},
        relevance=float(first.relevance.mean()),
        seconds=sum(one.seconds for one in passes.values()),
    )
    height, width = hr.shape[0] // SCALE, hr.shape[1] // SCALE
    shown = Shown(
        lr=first.inputs.lr[:height, :width],
        reference=used[0] if used else None,
        bicubic=first.bicubic,
        sr=first.sr.round().astype(np.uint8),
        hr=hr,
        relevance=first.relevance,
    )
    return score, shown


def read_truth(path: Path) -> np.ndarray:
    """A truth as it is scored, cut to multiples of 4: (H, W, 3) uint8.

    Raises:
        ImageError: it cannot be read or has less than 4 pixels a side.
    """
    return cut_to_multiple(read_reference(path))


def read_reference(path: Path) -> np.ndarray:
    """A reference, whole: (H, W, 3) uint8.

    Raises:
        ImageError: it cannot be read or has less than 4 pixels a side.
    """
    rgb = read_picture(path).rgb
    if min(rgb.shape[:2]) < SCALE:
        raise ImageError(f"{path}: {rgb.shape[1]}x{rgb.shape[0]} pixels are too few, it takes 4x4 at least")
    return rgb


def _references(hr: np.ndarray, reference: ReferenceChoice, files: Sequence[Path]) -> tuple[list[np.ndarray], bool]:
    """The reference pictures, and whether they are already as they must be, whatever the protocol."""
    if reference == "none":
        return [], True
    if reference == "lr":
        return [own_reference(downscale4(hr))], True
    images = [read_reference(path) for path in files]
    return ([stack(images)], True) if reference == "stacked" else (images, False)


def _run(model: TTSR, hr: np.ndarray, inputs: Inputs) -> _Pass:
    device = next(model.parameters()).device
    height, width = hr.shape[:2]
    lr_grid = (inputs.lr.shape[0], inputs.lr.shape[1])
    grids = [(image.shape[0] // SCALE, image.shape[1] // SCALE) for image in inputs.references]
    plan = make_plan(model.config, lr_grid, [], grids, device=device)
    start = time.perf_counter()
    with torch.inference_mode(), computing_in("fp32", device):
        output = model(
            to_tensor(inputs.lr, device=device),
            [to_tensor(image, device=device) for image in inputs.references],
            lr_up=to_tensor(inputs.lr_up, device=device),
            ref_blur=[to_tensor(image, device=device) for image in inputs.ref_blur],
            block_bytes=plan.block_bytes,
            keep_textures=False,
        )
        sr = output.sr[0].permute(1, 2, 0).cpu().numpy().astype(np.float64) * 255
        relevance = output.relevance[0, 0].float().cpu().numpy()
    seconds = time.perf_counter() - start
    return _Pass(
        inputs,
        sr[:height, :width],
        inputs.lr_up[:height, :width],
        relevance[: height // SCALE, : width // SCALE],
        seconds,
    )
