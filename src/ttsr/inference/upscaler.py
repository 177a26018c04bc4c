"""Upscale pictures four times with the textures of reference pictures."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ttsr.errors import UserError
from ttsr.images.picture import Picture
from ttsr.images.reading import Source, read_picture
from ttsr.images.resize import SCALE, degrade, upscale4
from ttsr.images.tensors import to_tensor
from ttsr.images.writing import write_picture
from ttsr.inference.plan import Plan, make_plan
from ttsr.inference.references import own_reference, reference_pixels
from ttsr.models.correspondence.reference import ReferenceFeatures
from ttsr.models.ttsr import TTSR, TTSROutput
from ttsr.options import Precision
from ttsr.system.device import check_precision, choose_device, computing_in
from ttsr.system.memory import peak_bytes
from ttsr.weights.loading import load

Progress = Callable[[float], None]


@dataclass(frozen=True)
class Upscaled:
    """A picture four times larger, and how it came about.

    Attributes:
        picture: the pixels, with transparency, colour profile and metadata of the LR picture.
        relevance: (h, w) float32 on the LR grid: the cosine between each place and its best match, at most 1.
        attention: (h, w, 3) float32: how far the textures of the 1x, 2x and 4x level were let in; the relevance
            itself in the published network, in others learned from it.
        index: (h, w, 3) int32: for each LR pixel the number of the reference, from 0 on, and the row and
            column, in pixels of that reference, of the first of the 4x4 pixels that match it best: a multiple of 4
            in the published network, any pixel in one with `alignment`.
        seconds: time taken by `Upscaler.upscale`.
        peak_memory_bytes: the most that the process has held so far (on CUDA: of the GPU's memory).
        plan: what was estimated before.
        own_reference: there was no reference, and the LR picture was its own.
    """

    picture: Picture
    relevance: np.ndarray
    attention: np.ndarray
    index: np.ndarray
    seconds: float
    peak_memory_bytes: int
    plan: Plan
    own_reference: bool

    @cached_property
    def image(self) -> Image.Image:
        """The result as a Pillow image of mode L, LA, RGB or RGBA, like the LR picture."""
        return self.picture.to_pil()

    @property
    def notes(self) -> tuple[str, ...]:
        """What was changed in reading the LR picture, one sentence each."""
        return self.picture.notes

    def save(self, path: str | Path) -> tuple[str, ...]:
        """Write the result; see `ttsr.images.writing.write_picture`."""
        return write_picture(self.picture, path)


class Upscaler:
    """A model ready to upscale pictures, with references that are encoded once and used for many.

    Args:
        model: a model, or what `ttsr.load` takes: a catalogue name, a checkpoint file or a URL. A model that
            is passed in is moved to the device and put into eval mode.
        device: `auto`, `cpu`, `cuda`, `cuda:1`, `mps`, or a torch.device.
        precision: `fp32` computes exactly as TTSR defines it; `bf16` and `fp16` compute in 16 bits.

    Raises:
        UserError: the model, the device or the precision is not to be had.
    """

    def __init__(
        self,
        model: TTSR | str | Path = "ttsr-lite",
        *,
        device: str | torch.device = "auto",
        precision: Precision = "fp32",
    ) -> None:
        self.device = choose_device(device)
        check_precision(precision, self.device)
        self.precision: Precision = precision
        loaded = model if isinstance(model, TTSR) else load(model, device=self.device)
        self.model = loaded.to(self.device).eval()
        self._features: list[ReferenceFeatures] = []

    def set_references(
        self,
        references: Source | Picture | Sequence[Source | Picture],
        *,
        progress: Progress | None = None,
    ) -> None:
        """Encode the references and keep their features for all that follows; an empty list forgets them.

        Args:
            references: one picture or a list of several, of at least 4x4 pixels, of any sizes; sides that are
                no multiple of 4 are cut at the right and below.
            progress: called with the fraction done.

        Raises:
            ImageError: a picture cannot be read or is too small.
            UserError: their features do not fit into memory.
        """
        one = isinstance(references, str | os.PathLike | Image.Image | np.ndarray | Picture)
        sources = [references] if one else references
        pixels = [reference_pixels(_picture(s), _name(s, number)) for number, s in enumerate(sources, 1)]
        grids = [(p.shape[0] // SCALE, p.shape[1] // SCALE) for p in pixels]
        self._features = []
        if not pixels:
            return
        plan = make_plan(self.model.config, (1, 1), [], grids, device=self.device, precision=self.precision)
        features = []
        with self._computing():
            for number, reference in enumerate(pixels, 1):
                ref, ref_blur = self._tensor(reference), self._tensor(degrade(reference))
                features.append(self.model.encode_reference(ref, ref_blur, block_bytes=plan.block_bytes))
                if progress is not None:
                    progress(number / len(pixels))
        self._features = features

    def plan(self, picture: Picture) -> Plan:
        """Estimate the time and memory that `picture` will take with the references that are set.

        Raises:
            UserError: it does not fit into memory.
        """
        kept = [features.grid for features in self._features]
        own = own_reference(picture.rgb[..., :1]).shape
        new = [] if kept else [(own[0] // SCALE, own[1] // SCALE)]
        lr = (picture.size[1], picture.size[0])
        return make_plan(self.model.config, lr, kept, new, device=self.device, precision=self.precision)

    def upscale(self, image: Source | Picture, *, progress: Progress | None = None) -> Upscaled:
        """Four times larger, with the textures of the references, or with its own where none are set.

        Args:
            image: a path, Pillow image, array or `Picture` of any size.
            progress: called with the fraction done.

        Raises:
            ImageError: the picture cannot be read.
            UserError: it does not fit into memory.
        """
        start = time.perf_counter()
        picture = _picture(image)
        plan = self.plan(picture)
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        with self._computing():
            output, grids = self._forward(picture.rgb, plan, progress)
            relevance = output.relevance[0, 0].float().cpu().numpy()
            attention = output.attention[0].float().permute(1, 2, 0).cpu().numpy()
            shift = None if output.alignment is None else output.alignment.shift[0].cpu().numpy()
            index = places(output.index[0].cpu().numpy(), grids, shift)
            rgb = output.sr[0].float().mul(255).round_().clamp_(0, 255).byte().permute(1, 2, 0).cpu().numpy()
        result = _like(picture, np.ascontiguousarray(rgb))
        seconds = time.perf_counter() - start
        return Upscaled(
            result,
            relevance,
            attention,
            index,
            seconds,
            peak_bytes(self.device),
            plan,
            own_reference=not self._features,
        )

    def _forward(
        self, rgb: np.ndarray, plan: Plan, progress: Progress | None
    ) -> tuple[TTSROutput, list[tuple[int, int]]]:
        if self._features:
            reference, ref_blur = self._features, None
            grids = [features.grid for features in self._features]
        else:
            own = own_reference(rgb)
            reference, ref_blur = self._tensor(own), self._tensor(degrade(own))
            grids = [(own.shape[0] // SCALE, own.shape[1] // SCALE)]
        output = self.model(
            self._tensor(rgb),
            reference,
            lr_up=self._tensor(upscale4(rgb)),
            ref_blur=ref_blur,
            block_bytes=plan.block_bytes,
            keep_textures=False,
            progress=progress,
        )
        return output, grids

    def _tensor(self, rgb: np.ndarray) -> Tensor:
        return to_tensor(rgb, device=self.device)

    @contextmanager
    def _computing(self) -> Iterator[None]:
        """Without gradients, in the chosen precision; running out of memory becomes one line."""
        try:
            with torch.inference_mode(), computing_in(self.precision, self.device):
                yield
        except (MemoryError, torch.OutOfMemoryError):
            raise _out_of_memory(self.device) from None
        except RuntimeError as error:
            if "can't allocate memory" not in str(error):  # how PyTorch's CPU allocator says it
                raise
            raise _out_of_memory(self.device) from None


def places(index: np.ndarray, grids: list[tuple[int, int]], shift: np.ndarray | None = None) -> np.ndarray:
    """Positions over all grids laid end to end to (h, w, 3): reference, and row and column in its pixels.

    Args:
        index: (h, w), as in `TTSROutput.index`.
        grids: (H / 4, W / 4) of each reference.
        shift: (2, h, w), from a cell's pixels in the enlarged LR to the reference's, as in `Alignment.shift`; where
            there is one the positions are to the pixel.
    """
    first = np.cumsum([0, *(height * width for height, width in grids)])
    number = np.searchsorted(first, index, side="right") - 1
    heights, widths = np.array(grids).T[:, number]
    if shift is None:
        local = index - first[number]
        row, column = local // widths * SCALE, local % widths * SCALE
    else:
        cells = SCALE * np.indices(index.shape)
        row, column = np.clip(shift + cells, 0, SCALE * np.stack([heights, widths]) - SCALE)
    return np.stack([number, row, column], axis=-1).astype(np.int32)


def _like(lr: Picture, rgb: np.ndarray) -> Picture:
    """The upscaled colours with all else that the LR picture had."""
    if lr.gray:
        luma = np.array(Image.fromarray(rgb).convert("L"))
        rgb = np.repeat(luma[..., None], 3, axis=2)
    alpha = None if lr.alpha is None else upscale4(lr.alpha)
    return Picture(rgb, alpha, lr.gray, lr.metadata, lr.notes)


def _picture(source: Source | Picture) -> Picture:
    return source if isinstance(source, Picture) else read_picture(source)


def _name(source: Source | Picture, number: int) -> str:
    return str(source) if isinstance(source, str | os.PathLike) else f"reference {number}"


def _out_of_memory(device: torch.device) -> UserError:
    return UserError(
        f"device {device} ran out of memory: take a smaller picture, or smaller or fewer references, "
        "or close other programs"
    )
