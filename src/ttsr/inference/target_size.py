"""How large outputs are to be."""

import re
from dataclasses import dataclass

from ttsr.errors import ImageError, UserError

MOST = 16
"""How many times larger a result may be: two passes of the network."""


@dataclass(frozen=True)
class TargetSize:
    """The size of results: so many times that of the picture, or a width and a height in pixels.

    Where only one side is given, the other keeps the picture's proportions.

    Raises:
        UserError: a number is not positive, or a scale and a side are given.
    """

    scale: int | None = None
    width: int | None = None
    height: int | None = None

    def __post_init__(self) -> None:
        given = [number for number in (self.scale, self.width, self.height) if number is not None]
        if any(number < 1 for number in given):
            raise UserError(f"size: {min(given)} is not possible", "give numbers from 1 on")
        if self.scale is not None and len(given) > 1:
            raise UserError("a scale and a size are both given", "give one of them")

    def of(self, size: tuple[int, int]) -> tuple[int, int]:
        """Width and height of the result, in pixels, of a picture of `size`.

        Raises:
            ImageError: it would be more than 16 times as large.
        """
        width, height = size
        if self.width is None and self.height is None:
            scale = self.scale or 4
            target = width * scale, height * scale
        else:
            target = (
                self.width or max(1, round(width * (self.height or 0) / height)),
                self.height or max(1, round(height * (self.width or 0) / width)),
            )
        if target[0] > MOST * width or target[1] > MOST * height:
            what = f"{target[0]}x{target[1]} is more than {MOST} times the size of a picture of {width}x{height}"
            raise ImageError(what, "choose a smaller size")
        return target

    def stretches(self, size: tuple[int, int]) -> bool:
        """Whether the result of a picture of `size` has other proportions, by more than a hundredth."""
        (width, height), target = size, self.of(size)
        return abs(target[0] * height / (target[1] * width) - 1) > 0.01 and None not in (self.width, self.height)

    @property
    def suffix(self) -> str:
        """What outputs are marked with: `_x4`, `_1920x1080`, `_1920x` or `_x1080`."""
        if self.width is None and self.height is None:
            return f"_x{self.scale or 4}"
        return f"_{self.width or ''}x{self.height or ''}"


def parse_size(text: str) -> TargetSize:
    """Read WIDTHxHEIGHT, WIDTHx or xHEIGHT, in pixels.

    Raises:
        UserError: it is none of these, or a side is 0.
    """
    match = re.fullmatch(r"(\d{0,7})x(\d{0,7})", text)
    sides = [int(side) if side else None for side in match.groups()] if match else [None]
    if sides in ([None], [None, None]) or 0 in sides:
        remedy = "give width and height in pixels such as 1920x1080, or one of them, 1920x or x1080"
        raise UserError(f"{text!r} is no size", remedy)
    return TargetSize(None, *sides)
