"""Ways to compute a picture, in all combinations, against the plain one: `benchmarks/numerics.py [--output F.json]`.

With `--compiled`, few ways instead, in which every two choices occur together, compiled ones among them.

The plain one is fp32, in one piece, with features in 32 bits. Given are, for each precision and way of storing
features, the worst of all combinations: the PSNR and the largest difference of results, and the share of LR pixels with
another match. `tests/inference/test_numerics.py` runs a selection in which every two choices occur together, with the
tolerances of `TOLERANCES`; docs/performance.md says where they come from.
"""

import argparse
import json
import math
from collections.abc import Iterator
from dataclasses import astuple, dataclass, replace
from itertools import combinations, product
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints

import numpy as np
import torch
from measure import EXAMPLES
from numpy.typing import NDArray
from PIL import Image

from ttsr import TTSR, Picture, TTSRConfig, Upscaled, Upscaler, load


@dataclass(frozen=True)
class Way:
    """How a picture is computed.

    Attributes:
        network: `lite` transfers pixels at refined matches; `published` is the paper's graph, which transfers cells,
            with few channels and random weights.
        precision: of the network.
        search: how to match.
        blocks: in one piece; in tiles; or in tiles with features stored in 16 bits.
        layout: of the network's weights in memory.
        compiled: the extractor and the synthesis are compiled by torch.compile.
        fitted: poses are estimated and colours matched.
        references: how many.
        bits: of a channel of the picture.
        ensemble: the mean over mirror images.
    """

    network: Literal["lite", "published"] = "lite"
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    search: Literal["coherent", "exact"] = "coherent"
    blocks: Literal["whole", "tiles", "half"] = "whole"
    layout: Literal["plain", "channels_last"] = "plain"
    compiled: Literal["no", "yes"] = "no"
    fitted: Literal["no", "yes"] = "no"
    references: Literal[1, 2] = 1
    bits: Literal[8, 16] = 8
    ensemble: Literal["no", "yes"] = "no"

    @property
    def plain(self) -> "Way":
        """The same picture in the plain way."""
        return replace(self, precision="fp32", blocks="whole", layout="plain", compiled="no")


@dataclass(frozen=True)
class Deviation:
    """Of a result from another of the same picture.

    Attributes:
        psnr: in dB; infinite for equal results.
        largest: difference, in levels of 8 bits.
        matches: share of LR pixels whose match differs.
    """

    psnr: float
    largest: float
    matches: float

    def within(self, limit: "Deviation") -> bool:
        """Whether it is as small as `limit` in every respect."""
        return self.psnr >= limit.psnr and self.largest <= limit.largest and self.matches <= limit.matches


TOLERANCES = {
    ("fp32", False): Deviation(psnr=70, largest=1, matches=0.001),
    ("bf16", False): Deviation(psnr=50, largest=8, matches=0.02),
    ("fp16", False): Deviation(psnr=55, largest=4, matches=0.02),
    ("fp32", True): Deviation(psnr=50, largest=16, matches=0.03),
    ("bf16", True): Deviation(psnr=50, largest=16, matches=0.03),
    ("fp16", True): Deviation(psnr=50, largest=16, matches=0.03),
}
"""The most that a result may deviate from the plain one, by precision, and whether features are stored in 16 bits."""


def tolerance(way: Way) -> Deviation:
    """That of a way."""
    return TOLERANCES[way.precision, way.blocks == "half"]


def all_ways(*, compiled: bool) -> Iterator[Way]:
    """All combinations, with compiled ones if that is wanted."""
    choices = {name: get_args(hint) for name, hint in get_type_hints(Way).items()}
    choices["compiled"] = ("no", "yes") if compiled else ("no",)
    for values in product(*choices.values()):
        yield Way(*values)


def selection(*, compiled: bool) -> list[Way]:
    """Few ways in which every two choices of all ways occur together, by taking what adds most each time."""
    ways = {way: _pairs(way) for way in all_ways(compiled=compiled)}
    left = set().union(*ways.values())
    chosen = []
    while left:
        chosen.append(max(ways, key=lambda way: len(ways[way] & left)))
        left -= ways[chosen[-1]]
    return chosen


def _pairs(way: Way) -> set[object]:
    return set(combinations(enumerate(astuple(way)), 2))


class Scene:
    """A picture and references of the same thing.

    Args:
        name: of a pair in `examples/pairs`.
        box: left, top, right and bottom of what is used of both, in pixels.
    """

    def __init__(self, name: str, box: tuple[int, int, int, int]) -> None:
        hr, ref = (Image.open(EXAMPLES / f"{name}_{kind}.png").convert("RGB").crop(box) for kind in ("hr", "ref"))
        self.lr = np.asarray(hr.resize((hr.width // 4, hr.height // 4), Image.Resampling.BICUBIC))
        # Mirrored, as what both references show would be matched in either of them: of equal cells, rounding decides.
        half = ref.transpose(Image.Transpose.FLIP_LEFT_RIGHT).crop((0, 0, ref.width // 2, ref.height))
        self.references = [np.asarray(ref), np.asarray(half)]
        self._results: dict[Way, Upscaled] = {}

    def result(self, way: Way) -> Upscaled:
        """The picture computed in a way."""
        pixels = [self.lr, *self.references[: way.references]]
        lr, *references = pixels if way.bits == 8 else [array.astype(np.uint16) * 257 for array in pixels]
        switch = "on" if way.fitted == "yes" else "off"
        upscaler = Upscaler(
            _network(way),
            device="cpu",
            precision=way.precision,
            search=way.search,
            pose=switch,
            match_colour=switch,
            ensemble=way.ensemble == "yes",
        )
        picture, encoded = Picture(lr), upscaler.encode_references(references)
        whole = way.blocks == "whole"
        # Tiles as small as they get: of several in each direction.
        plan = replace(
            upscaler.plan(picture, encoded),
            block_bytes=2**30 if whole else 2 * 2**20,
            keep_references=whole,
            half_features=way.blocks == "half",
        )
        if not whole:  # encoded level by level then
            encoded = tuple(replace(reference, pixels=replace(reference.pixels)) for reference in encoded)
        return upscaler.upscale(picture, encoded, plan=plan)

    def deviation(self, way: Way) -> Deviation:
        """Of the result in a way from the plain one."""
        plain = self._results.get(way.plain)
        if plain is None:
            plain = self._results[way.plain] = self.result(way.plain)
        return deviation(self.result(way), plain)


def deviation(result: Upscaled, plain: Upscaled) -> Deviation:
    """Of a result from the plain one."""
    levels = 255 / plain.picture.max_value
    apart: NDArray[Any] = (result.picture.rgb.astype(np.float64) - plain.picture.rgb) * levels
    square = float((apart**2).mean())
    psnr = math.inf if square == 0 else 10 * math.log10(255**2 / square)
    return Deviation(psnr, float(np.abs(apart).max()), float((result.matches != plain.matches).mean()))


def _network(way: Way) -> TTSR:
    if way.network == "lite":
        model = load("ttsr-lite")
    else:
        torch.manual_seed(0)
        model = TTSR(TTSRConfig(channels=8, num_blocks=(1, 1, 1, 1), extractor_channels=(8, 8, 16)))
    if way.layout == "channels_last":
        model = model.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    return _compiled(model) if way.compiled == "yes" else model


def _compiled(model: TTSR) -> TTSR:
    torch.compiler.reset()  # it keeps so many versions of a function, of all networks
    for part, names in ((model.extractor, ("level",)), (model.synthesis, ("first", "second", "fine"))):
        for name in names:
            setattr(part, name, torch.compile(getattr(part, name), dynamic=True))
    return model


def worst(found: dict[Way, Deviation]) -> list[dict[str, Any]]:
    """Of each precision and way of storing features the worst values, and the ways that have them."""
    rows = []
    for (precision, half), limit in TOLERANCES.items():
        some = {way: d for way, d in found.items() if way.precision == precision and (way.blocks == "half") == half}
        if not some:
            continue
        values = list(some.values())
        rows.append(
            {
                "precision": precision,
                "features": "16 bits" if half else "32 bits",
                "ways": len(some),
                "psnr": min(d.psnr for d in values),
                "largest": max(d.largest for d in values),
                "matches": max(d.matches for d in values),
                "equal": sum(d.largest == 0 for d in values),
                "beyond the tolerance": sum(not d.within(limit) for d in values),
            }
        )
    return rows


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, help="JSON file to write")
    parser.add_argument(
        "--compiled", action="store_true", help="few ways, with compiled networks, which take a minute each"
    )
    options = parser.parse_args()
    ways = selection(compiled=True) if options.compiled else list(all_ways(compiled=False))
    scenes, rows = {name: Scene(name, (160, 80, 240, 152)) for name in ("aloe", "leuven")}, []
    for name, scene in scenes.items():
        found = {way: scene.deviation(way) for way in ways if way != way.plain}
        rows += [{"picture": name, **row} for row in worst(found)]
        print(*map(json.dumps, rows[-len(TOLERANCES) :]), sep="\n", flush=True)
        for way, apart in found.items():
            if not apart.within(tolerance(way)):
                print("beyond the tolerance:", way, apart, flush=True)
    if options.output is not None:
        options.output.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
