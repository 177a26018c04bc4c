"""Of each part that is exported its inputs and outputs: shapes, types, ranges, and example values to trace it with."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim

from ttsr.export.parts import ExtractorPart, MatchingPart, SynthesisPart, TrunkPart
from ttsr.models.config import SCALE
from ttsr.models.ttsr import TTSR

Shape = tuple[int | str, ...]
"""Sizes: a number, a name, or a number of times a name, such as `4*h`."""

# Example values of sizes: all different, so that none is taken for another.
_EXAMPLES = {"h": 5, "w": 7, "H": 6, "W": 8, "P": 60, "R": 2}
_CELLS = ((6, 8), (3, 4))  # of two references with P cells together


@dataclass(frozen=True)
class Value:
    """An input or output of a part.

    Attributes:
        name: in the graph.
        shape: of the tensor.
        meaning: for people to read.
        type: float32 or int32.
    """

    name: str
    shape: Shape
    meaning: str
    type: str = "float32"

    @property
    def example(self) -> Tensor:
        """Values that a part can be traced with."""
        if self.name == "sizes":
            return torch.tensor(_CELLS, dtype=torch.int32)
        sizes = [size if isinstance(size, int) else _times(size) * _EXAMPLES[_name(size)] for size in self.shape]
        if self.type == "int32":
            return torch.zeros(sizes, dtype=torch.int32)
        return torch.rand(sizes, generator=torch.Generator().manual_seed(0))

    def dynamic(self, dims: dict[str, Any]) -> dict[int, Any]:
        """The sizes that may vary, as `torch.export` takes them."""
        named = {axis: size for axis, size in enumerate(self.shape) if isinstance(size, str)}
        return {
            axis: dims[_name(size)] if _times(size) == 1 else _times(size) * dims[_name(size)]
            for axis, size in named.items()
        }

    def to_json(self) -> dict[str, Any]:
        """As metadata state it."""
        return {"shape": list(self.shape), "type": self.type, "meaning": self.meaning}


@dataclass(frozen=True)
class Part:
    """A part of a network that is exported by itself.

    Attributes:
        name: of the part, and of its file.
        module: that computes it; takes the inputs in this order, None for those that this network lacks.
        inputs: that this network has; None stands for one that it lacks.
        outputs: in order.
    """

    name: str
    module: nn.Module
    inputs: Sequence[Value | None]
    outputs: Sequence[Value]

    @property
    def given(self) -> list[Value]:
        """The inputs that this network has."""
        return [value for value in self.inputs if value is not None]

    def arguments(self, values: dict[str, Tensor]) -> list[Tensor | None]:
        """Values by name as the module takes them."""
        return [None if value is None else values[value.name] for value in self.inputs]


def parts_of(model: TTSR) -> list[Part]:
    """The parts of a network: extractor, matching, synthesis, and of a network with a trunk this."""
    config = model.config
    fine, middle, coarse = config.extractor_channels
    refines = config.refinement_radius > 0
    in_unit = "RGB in [0, 1]"
    features = Value("features", (1, coarse, "H", "W"), "what is matched, of a cell of 4x4 pixels each")
    tables = [
        Value("texture1", ("P", coarse), "pixels of the textures at 1x, row by row, references one after the other"),
        Value("texture2", ("4*P", middle), "at 2x"),
        Value("texture4", ("16*P", fine), "at 4x"),
    ]
    own = [Value(t.name, (_area(t.shape[0]), t.shape[1]), t.meaning.split(", ref")[0]) for t in tables]
    relevance = Value("relevance", (1, 1, "h", "w"), "cosine of the best match, in [-1, 1]")
    place = Value("place", (1, 2, "h", "w"), "first pixel of the match in the reference, down and right", "int32")
    zncc = Value("zncc", (1, 1, "h", "w"), "correlation of the match's luma, in [-1, 1]") if refines else None
    lr = Value("lr", (1, 3, "h", "w"), in_unit)
    enlarged = Value("lr_up", (1, 3, "4*h", "4*w"), f"{in_unit}: lr four times larger by bicubic resizing")
    lr_up = enlarged if config.bicubic_skip else None
    lr_luma = Value("lr_luma", (1, "4*h", "4*w"), "luma of the enlarged LR, in [0, 1]") if refines else None
    ref_luma = Value("ref_luma", (1, "4*H", "4*W"), "luma of the blurred reference, in [0, 1]") if refines else None
    luma = Value("luma", (1, "4*H", "4*W"), "in [0, 1]")
    sr = Value("sr", (1, 3, "4*h", "4*w"), f"{in_unit}: the result")
    parts = [
        Part(
            "extractor",
            ExtractorPart(model),
            [Value("image", (1, 3, "4*H", "4*W"), f"{in_unit}, sides multiples of {SCALE}")],
            [features, *own, *([luma] if refines else [])],
        ),
        Part(
            "matching",
            MatchingPart(model),
            [
                Value("queries", (1, coarse, "h", "w"), "features of the enlarged LR"),
                Value("keys", (1, coarse, "H", "W"), "features of the blurred reference"),
                lr_luma,
                ref_luma,
            ],
            [relevance, place, *([zncc] if zncc else [])],
        ),
        Part(
            "synthesis",
            SynthesisPart(model),
            [
                lr,
                relevance,
                Value("reference", (1, "h", "w"), "which reference the best match is in, from 0", "int32"),
                place,
                Value("sizes", ("R", 2), "rows and columns of cells of each reference", "int32"),
                *tables,
                lr_up,
                zncc,
            ],
            [sr, Value("confidence", (1, 3, "h", "w"), "how far textures are let in at 1x, 2x and 4x")],
        ),
    ]
    if config.trunk_channels:
        parts.append(Part("trunk", TrunkPart(model), [lr, lr_up], [sr]))
    return parts


def dimensions() -> dict[str, Any]:
    """The sizes that may vary, by name."""
    return {name: Dim(name, min=1) for name in _EXAMPLES}


def _name(size: str) -> str:
    return size.rpartition("*")[2]


def _times(size: str) -> int:
    return int(size.rpartition("*")[0] or 1)


def _area(size: int | str) -> str:
    """P cells as those of one picture of H W."""
    return str(size).replace("P", "H*W")
