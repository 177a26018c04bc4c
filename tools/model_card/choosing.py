"""Which pictures to show: the best, the middling and the worst, so that none is picked by hand."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ttsr.evaluation.protocols import PAPER_Y
from ttsr.evaluation.scored_picture import PictureScore

ENDS = 3
"""How many of the best, and how many of the worst."""
MIDDLE = 4

Class = Literal["best", "median", "worst"]


@dataclass(frozen=True)
class Exhibit:
    """A picture to show: among which, its place there from 1 on in falling order of gain, and its scores."""

    among: Class
    place: int
    score: PictureScore

    @property
    def file_name(self) -> str:
        """Of its side-by-side picture. Without the picture's name, so that another run's are written over."""
        return f"{self.among}-{self.place}.jpg"


def exhibits(pictures: Sequence[PictureScore]) -> list[Exhibit]:
    """The best three, the middle four and the worst three by gain over bicubic (PSNR, `paper-y`), none of them twice.

    With fewer than ten pictures the best come first, then the worst.
    """
    ordered = sorted(pictures, key=lambda picture: (-picture.gain(PAPER_Y).psnr, picture.name))
    best, rest = ordered[:ENDS], ordered[ENDS:]
    others, worst = rest[:-ENDS], rest[-ENDS:]
    start = max(0, (len(others) - MIDDLE) // 2)
    classes: dict[Class, list[PictureScore]] = {
        "best": best,
        "median": others[start : start + MIDDLE],
        "worst": worst,
    }
    return [Exhibit(among, place, one) for among, of in classes.items() for place, one in enumerate(of, 1)]
