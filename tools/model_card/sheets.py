"""What every network makes of one picture, side by side, with the same detail enlarged."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from model_card.comparison import DETAIL_SIDE, Pair
from ttsr import Upscaler
from ttsr.errors import DataError
from ttsr.evaluation.protocols import PAPER_Y, Score
from ttsr.evaluation.worst_square import worst_square
from ttsr.images.panels import matched_detail, side_by_side
from ttsr.images.resize import downscale4, upscale4, upscale4_nearest
from ttsr.system.files import atomic_path

_PANEL_WIDTH = 264
_JPEG_QUALITY = 88


@dataclass(frozen=True)
class Sheet:
    """Results for one picture.

    Attributes:
        pair: ground truth and reference.
        results: by title, in the order shown: bicubic, networks of others, ours.
        ours: title of the result to judge: ours with the reference.
        peers: titles of the results of others.
        index: (h, w, 3) int32 on the LR grid: number, row and column, in pixels, of the reference's best match.
    """

    pair: Pair
    results: Mapping[str, np.ndarray]
    ours: str
    peers: tuple[str, ...]
    index: np.ndarray

    @cached_property
    def scores(self) -> dict[str, Score]:
        """The scores of each result by `paper-y`."""
        return {title: PAPER_Y.score(self.pair[0], result) for title, result in self.results.items()}

    def hardest(self) -> tuple[int, int]:
        """Top and left of the square with the largest error of bicubic."""
        hr, _ = self.pair
        return worst_square(hr, upscale4(downscale4(hr)), self._side)

    def lost(self) -> tuple[int, int] | None:
        """Top and left of the square where ours loses most against the other with the highest PSNR, if there is one."""
        hr, _ = self.pair
        if not self.peers:
            return None
        best = max(self.peers, key=lambda title: PAPER_Y.psnr(hr, self.results[title]))
        return worst_square(hr, self.results[self.ours], self._side, against=self.results[best])

    def draw(self, detail: tuple[int, int]) -> Image.Image:
        """Draw the small photo, all results, the reference and the ground truth in two rows."""
        hr, reference = self.pair
        lr = downscale4(hr)
        results = {f"{title} {self.scores[title].psnr:.2f} dB": result for title, result in self.results.items()}
        pictures = {"small photo": upscale4_nearest(lr), **results, "reference": reference, "ground truth": hr}
        source = matched_detail(self.index, detail, self._side, (reference.shape[0], reference.shape[1]))
        return side_by_side(
            pictures,
            detail,
            self._side,
            elsewhere={"reference": source},
            panel_width=_PANEL_WIDTH,
            columns=-(-len(pictures) // 2),
        )

    def save(self, detail: tuple[int, int], path: Path) -> None:
        """Write the sheet as JPEG, completely or not at all; the folder must exist.

        Raises:
            OSError: it cannot be written.
        """
        with atomic_path(path) as temporary:
            self.draw(detail).save(temporary, "JPEG", quality=_JPEG_QUALITY, subsampling=0, optimize=True)

    @property
    def _side(self) -> int:
        return min(DETAIL_SIDE, *self.pair[0].shape[:2])


def make_sheet(upscalers: Mapping[str, Upscaler], pair: Pair, peers: Mapping[str, np.ndarray]) -> Sheet:
    """Upscale a picture by all of our models, without and with the reference.

    Args:
        upscalers: by the models' names, the one to judge first; their references are replaced.
        pair: ground truth and reference.
        peers: the results of others, by title.

    Raises:
        DataError: a result of others is not of the ground truth's size.
        UserError: it does not fit into memory.
    """
    hr, reference = pair
    for title, result in peers.items():
        if result.shape != hr.shape:
            raise DataError(f"the picture by {title} is not of its ground truth's size", "run benchmarks/peers.py")
    lr = downscale4(hr)
    results = {"bicubic": upscale4(lr), **peers}
    index: np.ndarray | None = None
    for name, upscaler in upscalers.items():
        results[f"{name} alone"] = upscaler.upscale(lr, []).picture.rgb
        with_reference = upscaler.upscale(lr, upscaler.encode_references([reference]))
        results[f"{name} + reference"] = with_reference.picture.rgb
        index = with_reference.index if index is None else index
    assert index is not None, "a model at least"
    return Sheet(pair, results, f"{next(iter(upscalers))} + reference", tuple(peers), index)
