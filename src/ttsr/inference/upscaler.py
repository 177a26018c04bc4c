"""Upscale pictures four times with the textures of reference pictures."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from ttsr.errors import UserError
from ttsr.images.picture import Picture, to_pixels, to_tensor
from ttsr.images.reading import Source, read_picture
from ttsr.images.resize import SCALE, blur_by_resize, upscale4
from ttsr.inference.plan import Plan, encoding_block_bytes, make_plan
from ttsr.inference.references import Reference, ReferencePixels, own_reference, read_reference
from ttsr.inference.upscaled import Upscaled, places
from ttsr.models.correspondence.exact import EXACT
from ttsr.models.correspondence.types import Grid, Matcher
from ttsr.models.ttsr import TTSR, TTSROutput
from ttsr.options import DEFAULT_MODEL, Precision
from ttsr.progress import Progress
from ttsr.system.device import choose_device
from ttsr.system.memory import peak_bytes
from ttsr.system.precision import check_precision, computing_in
from ttsr.weights.loading import load

ReferenceInput = Source | Picture | ReferencePixels


class Upscaler:
    """A model ready to upscale pictures. One may be used by several threads at once.

    Args:
        model: moved to the device and put into eval mode; or what `ttsr.load` takes: a catalogue name, a checkpoint
            file or a URL.
        device: a torch.device, or its name as in `ttsr.options.Device`.
        precision: `fp32` computes exactly as TTSR defines it; `bf16` and `fp16` compute in 16 bits.
        matcher: the search to match by.
        progress: of a download of the model's weights.

    Raises:
        UserError: the model, the device or the precision is not available.
    """

    def __init__(
        self,
        model: TTSR | str | Path = DEFAULT_MODEL,
        *,
        device: str | torch.device = "auto",
        precision: Precision = "fp32",
        matcher: Matcher = EXACT,
        progress: Progress | None = None,
    ) -> None:
        self.device = choose_device(device)
        check_precision(precision, self.device)
        self.precision: Precision = precision
        self.matcher = matcher
        loaded = model if isinstance(model, TTSR) else load(model, device=self.device, progress=progress)
        self.model = loaded.to(self.device).eval()
        self._references: tuple[Reference, ...] = ()
        self._tensor = partial(to_tensor, device=self.device)

    def encode_references(
        self, references: ReferenceInput | Sequence[ReferenceInput], *, progress: Progress | None = None
    ) -> tuple[Reference, ...]:
        """Encode one or several references once, to be passed to any number of `upscale`.

        They have at least 4x4 pixels; sides that are no multiple of 4 are cut at the right and below.

        Raises:
            ImageError: a picture cannot be read or is too small.
            UserError: their features do not fit into memory.
        """
        single = isinstance(references, str | os.PathLike | Image.Image | np.ndarray | Picture | ReferencePixels)
        sources: Sequence[ReferenceInput] = [references] if single else references
        pixels = [s if isinstance(s, ReferencePixels) else read_reference(s, n) for n, s in enumerate(sources, 1)]
        grids = [p.grid for p in pixels]
        block = encoding_block_bytes(self.model.config, grids, device=self.device, precision=self.precision)
        encoded = []
        with self._computing():
            for number, reference in enumerate(pixels, 1):
                ref, blurred = self._tensor(reference.rgb), self._tensor(blur_by_resize(reference.rgb))
                features = self.model.encode_reference(ref, blurred, block_bytes=block)
                encoded.append(Reference(features, reference.source, np.eye(3)))
                if progress is not None:
                    progress.update(number / len(pixels))
        return tuple(encoded)

    def set_references(
        self, references: ReferenceInput | Sequence[ReferenceInput], *, progress: Progress | None = None
    ) -> None:
        """Encode references for all later calls of `upscale` that name none; an empty list forgets them.

        Upscales that run in other threads are not affected. Arguments and errors are those of `encode_references`.
        """
        self._references = self.encode_references(references, progress=progress)

    def plan(self, picture: Picture, references: Sequence[Reference] | None = None) -> Plan:
        """Estimate the time and memory that `upscale` will take with the same arguments.

        Raises:
            UserError: it does not fit into memory.
        """
        kept = [reference.grid for reference in (self._references if references is None else references)]
        (width, height), config = picture.size, self.model.config
        new = [] if kept else [(max(1, height // SCALE), max(1, width // SCALE))]  # its own reference
        return make_plan(
            config, (height, width), kept, new, device=self.device, precision=self.precision, matcher=self.matcher
        )

    def upscale(
        self,
        image: Source | Picture,
        references: Sequence[Reference] | None = None,
        *,
        plan: Plan | None = None,
        progress: Progress | None = None,
    ) -> Upscaled:
        """Upscale a picture four times, with the textures of the references, or with its own where there are none.

        Args:
            image: a path, Pillow image, array or `Picture` of any size.
            references: from `encode_references`; by default those of `set_references`.
            plan: from `plan` with the same picture and references, if it was made already.
            progress: updated throughout; cancels the work.

        Raises:
            ImageError: the picture cannot be read.
            UserError: it does not fit into memory.
            Cancelled: through `progress`.
        """
        start = time.perf_counter()
        references = self._references if references is None else tuple(references)
        picture = image if isinstance(image, Picture) else read_picture(image)
        plan = plan or self.plan(picture, references)
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        with self._computing():
            output, grids = self._forward(picture.rgb, references, plan, progress)
            relevance = output.relevance[0, 0].float().cpu().numpy()
            confidence = output.attention[0].float().permute(1, 2, 0).cpu().numpy()
            shift = None if output.refinement is None else output.refinement.shift[0].cpu().numpy()
            index = places(output.index[0].cpu().numpy(), grids, shift)
            rgb = to_pixels(output.sr[0], picture.bit_depth, gray=picture.gray)
        alpha = None if picture.alpha is None else upscale4(picture.alpha)
        result = replace(picture, rgb=rgb, alpha=alpha)
        sources = tuple(reference.source for reference in references)
        seconds = time.perf_counter() - start
        return Upscaled(result, relevance, confidence, index, sources, seconds, peak_bytes(self.device), plan)

    def _forward(
        self, rgb: NDArray[Any], references: Sequence[Reference], plan: Plan, progress: Progress | None
    ) -> tuple[TTSROutput, list[Grid]]:
        """What the network makes of the picture, and the grids of its references."""
        if references:
            inputs, blurred = [reference.encoded for reference in references], None
            grids = [reference.grid for reference in references]
        else:
            own = own_reference(rgb)
            inputs, blurred = self._tensor(own), self._tensor(blur_by_resize(own))
            grids = [(own.shape[0] // SCALE, own.shape[1] // SCALE)]
        output = self.model(
            self._tensor(rgb),
            inputs,
            lr_up=self._tensor(upscale4(rgb)),
            ref_blur=blurred,
            matcher=self.matcher,
            block_bytes=plan.block_bytes,
            keep_textures=False,
            progress=progress,
        )
        return output, grids

    @contextmanager
    def _computing(self) -> Iterator[None]:
        """Without gradients, in the chosen precision; running out of memory becomes one line."""
        try:
            with torch.inference_mode(), computing_in(self.precision, self.device):
                yield
        except (MemoryError, RuntimeError) as error:
            on_gpu_or_array = isinstance(error, MemoryError | torch.OutOfMemoryError)
            if not on_gpu_or_array and "can't allocate memory" not in str(error):  # how PyTorch's CPU allocator says it
                raise
            what = f"device {self.device} ran out of memory"
            remedy = "take a smaller picture, or smaller or fewer references, or close other programs"
            raise UserError(what, remedy) from None
