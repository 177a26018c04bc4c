"""Upscale pictures four times with the textures of reference pictures."""

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from ttsr.errors import ImageError
from ttsr.geometry import Homography
from ttsr.images.picture import Picture, to_pixels
from ttsr.images.reading import Source, read_picture
from ttsr.images.resize import SCALE
from ttsr.images.transparency import is_constant, keep_flat, with_spread_colours
from ttsr.inference.base import read_base
from ttsr.inference.colour_consistency import keep_colours
from ttsr.inference.computing import best_precision
from ttsr.inference.ensemble import MIRRORINGS, mean_with_mirrored
from ttsr.inference.fitting import ReferenceFitter
from ttsr.inference.matching_choices import choose_matching
from ttsr.inference.passes import Passes
from ttsr.inference.plan import Plan, make_plan
from ttsr.inference.references import (
    Reference,
    ReferencePixels,
    checked_references,
    checked_start,
    own_grid,
    own_pixels,
    read_reference,
)
from ttsr.inference.upscaled import Upscaled, places, places_in_sources
from ttsr.models.correspondence.types import Matcher
from ttsr.models.ttsr import TTSR
from ttsr.options import (
    DEFAULT_MATCH_COLOUR,
    DEFAULT_MODEL,
    DEFAULT_POSE,
    DEFAULT_PRECISION,
    DEFAULT_SEARCH,
    MatchColour,
    PoseSearch,
    Precision,
    PrecisionChoice,
    Search,
)
from ttsr.progress import Progress
from ttsr.system.device import choose_device
from ttsr.system.memory import parse_bytes, peak_bytes
from ttsr.system.precision import check_precision
from ttsr.weights.loading import load

ReferenceInput = Source | Picture | ReferencePixels

_FITTING_SHARE = 0.1  # of the time, about
_TRANSPARENCY = "transparency"  # a stage of the plan


class Upscaler:
    """A model ready to upscale pictures. One may be used by several threads at once.

    Args:
        model: moved to the device and put into eval mode; or what `ttsr.load` takes: a catalogue name, a checkpoint
            file, a URL, or `hf://owner/repo`.
        device: a torch.device, or its name as in `ttsr.options.Device`.
        precision: `fp32` computes exactly as TTSR defines it; `bf16` and `fp16` compute in 16 bits. `auto` is `bf16`
            for a network that adds to bicubic, on hardware that computes in it, else `fp32`.
        search: how to match: one of `ttsr.options.Search`, or a matcher.
        pose: estimate the scale and rotation of references, and leave out those without anything that matches.
        match_colour: bring exposure and white balance of references to those of the LR picture, and keep its colours.
        ensemble: the mean of four passes, over mirror images: a little better, in four times the time.
        max_memory: the most that the whole process may take (on CUDA: of the GPU's memory), in bytes or as `4GiB`,
            `3500MB`; by default four fifths of what is free, within a container's limit.
        progress: of a download of the model's weights.

    Raises:
        UserError: the model, the device or the precision is not available.
    """

    def __init__(
        self,
        model: TTSR | str | Path = DEFAULT_MODEL,
        *,
        device: str | torch.device = "auto",
        precision: PrecisionChoice = DEFAULT_PRECISION,
        search: Search | Matcher = DEFAULT_SEARCH,
        pose: PoseSearch = DEFAULT_POSE,
        match_colour: MatchColour = DEFAULT_MATCH_COLOUR,
        ensemble: bool = False,
        max_memory: int | str | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.device, self.ensemble = choose_device(device), ensemble
        self.max_memory = None if max_memory is None else parse_bytes(str(max_memory))
        if precision != "auto":
            check_precision(precision, self.device)
        loaded = model if isinstance(model, TTSR) else load(model, device=self.device, progress=progress)
        self.model = loaded.to(self.device).eval()
        self.precision: Precision = precision if precision != "auto" else best_precision(self.model.config, self.device)
        self.matching = choose_matching(self.model.config, search=search, pose=pose, match_colour=match_colour)
        self._passes = Passes(self.model, self.device, self.precision, self.matching.matcher, self.max_memory)
        self._references: tuple[Reference, ...] = ()

    def encode_references(
        self, references: ReferenceInput | Sequence[ReferenceInput], *, progress: Progress | None = None
    ) -> tuple[Reference, ...]:
        """Read one or several references once, to be passed to any number of `upscale`.

        They have at least 4x4 pixels; sides that are no multiple of 4 are cut at the right and below. Those that are
        not fitted to each picture are encoded here, others where a picture needs them as they are.

        Raises:
            ImageError: a picture cannot be read or is too small.
            UserError: their features do not fit into memory.
        """
        single = isinstance(references, str | os.PathLike | Image.Image | np.ndarray | Picture | ReferencePixels)
        if not single and not isinstance(references, Sequence):
            what = f"references: {type(references).__name__} is none"
            raise ImageError(what, "give paths, Pillow images or arrays, or a list of them")
        sources: Sequence[ReferenceInput] = [references] if single else references
        pixels = [s if isinstance(s, ReferencePixels) else read_reference(s, n) for n, s in enumerate(sources, 1)]
        if not self.matching.fits:
            self._passes.encode(pixels, progress or Progress())
        return tuple(Reference(p) for p in pixels)

    def fit_references(
        self, picture: Picture, references: Sequence[Reference] | None = None, *, progress: Progress | None = None
    ) -> tuple[Reference, ...]:
        """Fit references to a picture: pose, colours, and whether anything matches; see `Reference.fit`.

        `upscale` does so with references that are not fitted to its picture. Where poses and colours are off, they are
        returned as they are. Errors are those of `upscale`.
        """
        references = self._references if references is None else checked_references(references)
        todo = [r for r in references if r.fit is None or r.fit.lr_size != picture.size]
        if not self.matching.fits or not todo:
            return references
        with self._passes.computing():
            fitter = ReferenceFitter(self.model, picture.rgb, self.matching)
            fitted = iter(fitter.fit([r.pixels if r.fit is None else r.fit.original for r in todo], progress))
        return tuple(next(fitted) if r in todo else r for r in references)

    def move_references(
        self, picture: Picture, references: Sequence[Reference], motion: Homography
    ) -> tuple[Reference, ...]:
        """Move references that were fitted to another frame of a film along with the camera, which is quicker.

        Args:
            picture: the frame at hand.
            references: from `fit_references` with the other frame, of the same size.
            motion: (3, 3), from points of this frame, enlarged four times, to those of the other one.
        """
        with self._passes.computing():
            fitter = ReferenceFitter(self.model, picture.rgb, self.matching)
            return tuple(fitter.moved(reference, motion) for reference in references)

    def keep(self, references: Sequence[Reference], *, progress: Progress | None = None) -> None:
        """Encode references that were fitted to one picture and serve others of its size too, such as frames of a film.

        What they are encoded to is kept for as long as the references are, where there is room.

        Raises:
            Cancelled: through `progress`.
        """
        self._passes.encode([r.pixels for r in references if not r.left_out], progress or Progress())

    def set_references(
        self, references: ReferenceInput | Sequence[ReferenceInput], *, progress: Progress | None = None
    ) -> None:
        """Encode references for all later calls of `upscale` that name none; an empty list forgets them.

        Upscales that run in other threads are not affected. Arguments and errors are those of `encode_references`.
        """
        self._references = self.encode_references(references, progress=progress)

    def plan(self, picture: Picture, references: Sequence[Reference] | None = None, *, free: int | None = None) -> Plan:
        """Estimate the time and memory that `upscale` will take with the same arguments.

        Of references that are not fitted to the picture, as if they were used as they are. `free` are the bytes of
        memory that will be free, by default those of now.

        Raises:
            UserError: it does not fit into memory.
        """
        references = self._references if references is None else checked_references(references)
        keep_new = all(r.as_is for r in references)
        kept, new = [], []
        for reference in references:
            if not reference.left_out:
                known = self._passes.is_encoded(reference.pixels)
                (kept if known else new).append(reference.grid_for(picture.size))
        (width, height), config = picture.size, self.model.config
        if self._takes_own_reference(references):
            new = [own_grid(picture.size)]
        make = partial(
            make_plan,
            config,
            (height, width),
            device=self.device,
            precision=self.precision,
            matcher=self.matching.matcher,
            max_memory=self.max_memory,
            free=free,
        )
        plan = make(kept, new, keep_new=keep_new)
        if self.ensemble:
            passes = 1 + len(MIRRORINGS)
            stages = {name: passes * seconds for name, seconds in plan.stages.items()}
            plan = replace(plan, seconds=passes * plan.seconds, stages=stages)
        if picture.alpha is None or is_constant(picture.alpha):
            return plan
        seconds = make([], []).seconds
        return replace(plan, seconds=plan.seconds + seconds, stages={**plan.stages, _TRANSPARENCY: seconds})

    def upscale(
        self,
        image: Source | Picture,
        references: Sequence[Reference] | None = None,
        *,
        base: Source | Picture | None = None,
        start: NDArray[np.int64] | None = None,
        plan: Plan | None = None,
        progress: Progress | None = None,
    ) -> Upscaled:
        """Upscale a picture four times, with the textures of the references.

        Where there are none, a network with a trunk computes this alone, and others take the picture's own textures.

        Args:
            image: a path, Pillow image, array or `Picture` of any size.
            references: from `encode_references` or `fit_references`; by default those of `set_references`.
            base: the picture four times larger by another tool, which the references' textures are added to in place
                of the network's own enlargement.
            start: the `matches` of another picture of the same size with the same fitted references, such as the
                frame before: the coherent search tries them too, and takes those that fit better.
            plan: from `plan` with the same picture and references, if it was made already.
            progress: updated throughout; cancels the work.

        Raises:
            ImageError: the picture or `base` cannot be read, or their sizes or that of `start` do not fit.
            UserError: it does not fit into memory, or the network takes no `base`.
            Cancelled: through `progress`.
        """
        began = time.perf_counter()
        progress = progress or Progress()
        picture = with_spread_colours(image if isinstance(image, Picture) else read_picture(image))
        below = None if base is None else read_base(base, picture, self.model.config)
        given = self._references if references is None else checked_references(references)
        references = self.fit_references(picture, given, progress=progress.part(0, _FITTING_SHARE))
        fits = references is not given
        plan = plan or self.plan(picture, references)
        done = 1 - plan.stages.get(_TRANSPARENCY, 0) / (plan.seconds or 1)
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        as_is = [r.pixels for r in references if r.as_is and not r.left_out]
        before = _FITTING_SHARE if fits else 0
        if plan.keep_references and not all(map(self._passes.is_encoded, as_is)):
            share = (done - before) * plan.stages.get("references", 0) / (plan.seconds or 1)
            self._passes.encode(as_is, progress.part(before, before + share, "references"))
            before += share
        with self._passes.computing():
            own = self._takes_own_reference(references)
            pixels = [own_pixels(picture.rgb)] if own else [r.pixels for r in references if not r.left_out]
            first = before + (done - before) / (1 + self.ensemble * len(MIRRORINGS))
            start_matches = checked_start(start, picture, [] if own else pixels)
            output = self._passes.output(plan, picture, pixels, below, progress.part(before, first), start_matches)
            relevance = output.relevance[0, 0].float().cpu().numpy()
            confidence = output.attention[0].float().permute(1, 2, 0).cpu().numpy()
            shift = None if output.refinement is None else output.refinement.shift[0].cpu().numpy()
            index = matches = output.index[0].cpu().numpy()
            rgb = to_pixels(output.sr[0], picture.bit_depth, gray=picture.gray)
            if self.ensemble:
                again = partial(self._passes.result, plan)
                rgb = mean_with_mirrored(rgb, again, picture, pixels, below, progress.part(first, done))
        index = places(index, [own_grid(picture.size)], shift) if own else places_in_sources(index, references, shift)
        if self.matching.match_colour:
            rgb = keep_colours(rgb, picture.rgb)
        alpha, for_alpha = picture.alpha, progress.part(done, 1, _TRANSPARENCY)
        if alpha is not None:
            alpha = self._upscale_alpha(alpha, plan, for_alpha)
        result = replace(picture, rgb=rgb, alpha=alpha)
        seconds = time.perf_counter() - began
        memory = peak_bytes(self.device)
        return Upscaled(result, relevance, confidence, index, tuple(references), own, seconds, memory, plan, matches)

    def _takes_own_reference(self, references: Sequence[Reference]) -> bool:
        """Without references, a network whose trunk is no network of its own takes the picture as its reference."""
        return not references and not self.model.config.trunk_channels

    def _upscale_alpha(self, alpha: NDArray[Any], plan: Plan, progress: Progress) -> NDArray[Any]:
        """By the network, as a gray picture without references: they show the subject, not its outline."""
        if is_constant(alpha):
            return alpha.repeat(SCALE, 0).repeat(SCALE, 1)
        picture = Picture(np.repeat(alpha[..., None], 3, axis=2), gray=True)
        with self._passes.computing():
            upscaled = self._passes.result(replace(plan, stages={}), picture, [], None, progress)[..., 0]
        return keep_flat(upscaled, alpha)
