"""Exported files compared with the network itself, part by part and at several sizes.

Each part is given what the network computed, so that the difference of one is not that of another: two matches that
are as good as each other may be chosen differently, and then show different textures.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ttsr.errors import UserError
from ttsr.export.runners import Run
from ttsr.models.config import SCALE
from ttsr.models.correspondence.exact import EXACT
from ttsr.models.correspondence.patches import places_of
from ttsr.models.encoding import luma_of
from ttsr.models.inputs import ReferenceImage, check_inputs, resize
from ttsr.models.output import TTSROutput
from ttsr.models.ttsr import TTSR

TOLERANCE = 1e-4
"""The largest difference, of values in [0, 1] or [-1, 1], that is none."""

SIZES = (((16, 21), ((20, 24),)), ((9, 12), ((12, 16), (17, 10))), ((24, 7), ((9, 31),)))
"""The LR's rows and columns, and the cells of each reference."""

# Matches that differ are of equal worth, as seldom as this.
_OTHER_MATCHES = 0.01


@dataclass(frozen=True)
class Difference:
    """The largest differences of an export from the network.

    Attributes:
        by_part: for each part its largest.
        other_matches: the share of cells that found another, equally good match.
    """

    by_part: Mapping[str, float]
    other_matches: float

    @property
    def largest(self) -> float:
        """Of all parts."""
        return max(self.by_part.values())


def difference(model: TTSR, runs: Mapping[str, Run]) -> Difference:
    """Compare parts, by name, with their network in eval mode on the CPU.

    Raises:
        UserError: they differ by more than `TOLERANCE`.
    """
    found, other, cells = dict.fromkeys(runs, 0.0), 0, 0
    for number, (grid, grids) in enumerate(SIZES):
        case = _Case(model, number, grid, grids)
        for name, off in case.compare(runs).items():
            found[name] = off if math.isnan(off) else max(found[name], off)
        other, cells = other + case.other_matches, cells + len(grids) * grid[0] * grid[1]
    return within(found, other / cells)


def within(by_part: Mapping[str, float], other_matches: float) -> Difference:
    """The differences, where they are small enough.

    Raises:
        UserError: they are not.
    """
    remedy = "report it, with what ttsr info prints"
    for name, off in by_part.items():
        if not off <= TOLERANCE:  # not a number either
            raise UserError(f"the exported {name} differs from the network by {off:.2g}", remedy)
    if other_matches > _OTHER_MATCHES:
        raise UserError(f"the exported matching finds other matches in {100 * other_matches:.0f} % of places", remedy)
    return Difference(by_part, other_matches)


class _Case:
    """A picture and references, what the network makes of them, and how far off exported parts are."""

    def __init__(self, model: TTSR, number: int, grid: tuple[int, int], grids: tuple[tuple[int, int], ...]) -> None:
        self.model, self.other_matches = model, 0
        scene = _scene(number)
        self.lr = resize(_crop(scene, 0, grid), 1 / SCALE)
        refs = [_crop(scene, 3 + 5 * n, cells) for n, cells in enumerate(grids)]
        self.inputs = check_inputs(self.lr, refs, None, None, None)
        self.references = [r for r in self.inputs.references if isinstance(r, ReferenceImage)]
        with torch.no_grad():
            self.output = model(self.lr, refs, matcher=EXACT)

    def compare(self, runs: Mapping[str, Run]) -> dict[str, float]:
        """For each part its largest difference."""
        off = {"extractor": 0.0, "matching": 0.0, "synthesis": self._synthesis(runs["synthesis"], runs["extractor"])}
        for number in range(len(self.references)):
            extractor, matching = self._reference(number, runs)
            off["extractor"], off["matching"] = max(off["extractor"], extractor), max(off["matching"], matching)
        if "trunk" in runs:
            with torch.no_grad():
                alone = self.model(self.lr, ()).sr
            off["trunk"] = _apart(runs["trunk"]({"lr": self.lr, "lr_up": self.inputs.lr_up})["sr"], alone)
        return off

    @torch.no_grad()
    def _reference(self, number: int, runs: Mapping[str, Run]) -> tuple[float, float]:
        """Of the extractor on a reference, and of the matching with it alone."""
        reference = self.references[number]
        blurred = reference.ref_blur
        extracted, features = runs["extractor"]({"image": blurred}), self.model.extractor(blurred)
        off = _apart(extracted["features"], features[0])
        for level, texture in zip(features, ("texture1", "texture2", "texture4"), strict=True):
            off = max(off, _apart(extracted[texture], _table(level)))
        values = {"queries": self.model.extractor.coarse(self.inputs.lr_up), "keys": features[0]}
        if self.model.transfer.needs_luma:
            off = max(off, _apart(extracted["luma"], luma_of(blurred)))
            values |= {"lr_luma": luma_of(self.inputs.lr_up), "ref_luma": luma_of(blurred)}
        alone = self.model(self.lr, [reference], lr_up=self.inputs.lr_up, matcher=EXACT)
        matched = runs["matching"](values)
        same = (matched["place"] == _place(alone, [reference.grid])).all(1, keepdim=True)
        self.other_matches += int((~same).sum())
        apart = _apart(matched["relevance"], alone.relevance)
        if alone.refinement is not None:
            apart = max(apart, _apart(matched["zncc"][same], alone.refinement.zncc[same]))
        return off, apart

    @torch.no_grad()
    def _synthesis(self, run: Run, extractor: Run) -> float:
        """Of the result, with the network's own matches."""
        grids = [reference.grid for reference in self.references]
        extracted = [extractor({"image": reference.ref}) for reference in self.references]
        values = {name: torch.cat([e[name] for e in extracted]) for name in ("texture1", "texture2", "texture4")}
        values |= {"lr": self.lr, "lr_up": self.inputs.lr_up, "relevance": self.output.relevance}
        values |= {"reference": places_of(self.output.index, grids)[0].int(), "sizes": torch.tensor(grids).int()}
        values["place"] = _place(self.output, grids)
        if self.output.refinement is not None:
            values["zncc"] = self.output.refinement.zncc
        result = run(values)
        return max(_apart(result["sr"], self.output.sr), _apart(result["confidence"], self.output.attention))


def _scene(number: int) -> Tensor:
    """A picture with detail of all sizes, (1, 3, 160, 160) in [0, 1]."""
    generator, scene = torch.Generator().manual_seed(number), torch.zeros(1, 3, 160, 160)
    for side in (5, 10, 20, 40, 80, 160):
        scale = 160 // side
        scene += (
            torch.rand(1, 3, side, side, generator=generator).repeat_interleave(scale, 2).repeat_interleave(scale, 3)
        )
    return scene / 6


def _crop(scene: Tensor, start: int, grid: tuple[int, int]) -> Tensor:
    """So many cells of it, from a pixel on."""
    return scene[:, :, start : start + SCALE * grid[0], start : start + SCALE * grid[1]]


def _table(level: Tensor) -> Tensor:
    """(1, C, H, W) to (H W, C)."""
    return level[0].flatten(1).t()


def _place(output: TTSROutput, grids: list[tuple[int, int]]) -> Tensor:
    """The matches' first pixels as `MatchingPart` gives them."""
    if output.refinement is None:
        return SCALE * places_of(output.index, grids)[1:].transpose(0, 1).int()
    down, right = (SCALE * torch.arange(side) for side in output.index.shape[1:])
    own = torch.stack(torch.broadcast_tensors(down[:, None], right[None]))
    return (output.refinement.shift + own).int()


def _apart(found: Tensor, wanted: Tensor) -> float:
    if found.shape != wanted.shape:
        return float("inf")
    return float((found - wanted).abs().max()) if found.numel() else 0.0
