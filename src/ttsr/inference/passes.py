"""Passes of a network over pictures: tensors on its device, and what is kept of encoded references between passes."""

from collections.abc import Sequence
from dataclasses import fields
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray

from ttsr.images.picture import Picture, to_integer_tensor, to_pixels, to_tensor
from ttsr.images.resize import blur_by_resize, upscale4
from ttsr.inference.computing import computing
from ttsr.inference.plan import Plan, encoding_block_bytes
from ttsr.inference.references import ReferencePixels
from ttsr.models.correspondence.types import EncodedReference, Matcher
from ttsr.models.cost import Cost
from ttsr.models.inputs import ReferenceImage, check_reference
from ttsr.models.output import TTSROutput
from ttsr.models.ttsr import TTSR
from ttsr.options import Precision
from ttsr.progress import Progress

# A plan may have other stages beside those of a pass.
_STAGES = frozenset(field.name for field in fields(Cost))


class Passes:
    """Runs a network. May be used by several threads at once.

    Args:
        model: on the device, in eval mode.
        device: where it computes.
        precision: that it computes in.
        matcher: the search to match by.
        max_memory: the most that the whole process may take, in bytes; None for a share of what is free.
    """

    def __init__(
        self, model: TTSR, device: torch.device, precision: Precision, matcher: Matcher, max_memory: int | None
    ) -> None:
        self._model, self._device = model, device
        self._precision: Precision = precision
        self._matcher, self._max_memory = matcher, max_memory
        self.computing = partial(computing, precision, device)
        self._encoded: WeakKeyDictionary[ReferencePixels, EncodedReference] = WeakKeyDictionary()
        self._tensor = partial(to_tensor, device=device)
        self._pixels = partial(to_integer_tensor, device=device)

    def is_encoded(self, reference: ReferencePixels) -> bool:
        """Whether keys and textures of a reference are kept."""
        return reference in self._encoded

    def encode(self, references: Sequence[ReferencePixels], progress: Progress) -> None:
        """Keep keys and textures of references, for as long as these exist and where there is room."""
        missing = [reference for reference in references if not self.is_encoded(reference)]
        if not missing:
            return
        block = encoding_block_bytes(
            self._model.config,
            [reference.grid for reference in missing],
            device=self._device,
            precision=self._precision,
            max_memory=self._max_memory,
        )
        if block is None:  # there is no room to keep them
            return
        with self.computing():
            for number, reference in enumerate(missing):
                part = progress.part(number / len(missing), (number + 1) / len(missing))
                ref, blurred, mask = self._inputs(reference)
                encoded = self._model.encode_reference(ref, blurred, mask, block_bytes=block, progress=part)
                self._encoded[reference] = encoded

    def result(
        self,
        plan: Plan,
        picture: Picture,
        references: Sequence[ReferencePixels],
        base: Picture | None,
        progress: Progress,
    ) -> NDArray[Any]:
        """The result alone of `output`, (4h, 4w, 3), of the picture's bit depth."""
        output = self.output(plan, picture, references, base, progress)
        return to_pixels(output.sr[0], picture.bit_depth, gray=picture.gray)

    def output(
        self,
        plan: Plan,
        picture: Picture,
        references: Sequence[ReferencePixels],
        base: Picture | None,
        progress: Progress,
        start: NDArray[np.int64] | None = None,
    ) -> TTSROutput:
        """What the network makes of a picture, references, and another tool's enlargement in place of its own.

        `start` (h, w) are matches that the search tries too.
        """
        rgb = picture.rgb
        inputs = [self._encoded.get(reference) or self._reference_image(reference) for reference in references]
        new = any(isinstance(reference, ReferenceImage) for reference in inputs)
        shares = {name: s for name, s in plan.stages.items() if name in _STAGES and (new or name != "references")}
        sr_type = torch.uint8 if picture.bit_depth == 8 else torch.uint16
        return self._model(
            self._tensor(rgb),
            inputs,
            lr_up=self._pixels(upscale4(rgb)),
            base=None if base is None else self._pixels(base.rgb),
            matcher=self._matcher,
            start=None if start is None else torch.from_numpy(start)[None].to(self._device),
            block_bytes=plan.block_bytes,
            keep_textures=False,
            half_features=plan.half_features,
            sr_type=None if sr_type == torch.uint16 and self._device.type == "mps" else sr_type,
            progress=progress,
            shares={"references": 0.0, **shares} if plan.seconds and plan.stages else None,
        )

    def _reference_image(self, pixels: ReferencePixels) -> ReferenceImage:
        return check_reference(*self._inputs(pixels))

    def _inputs(self, pixels: ReferencePixels) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """A reference, its blurred copy, and the cells of it that may be matched."""
        mask = None if pixels.mask is None else torch.from_numpy(pixels.mask)[None].to(self._device)
        return self._pixels(pixels.rgb), self._pixels(blur_by_resize(pixels.rgb)), mask
