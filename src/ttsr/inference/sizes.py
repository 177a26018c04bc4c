"""Results of any size: by the network, which upscales four times, and by antialiased resizing."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ttsr.errors import UserError
from ttsr.images.picture import Picture
from ttsr.images.reading import Source, read_picture
from ttsr.images.resize import SCALE, resize_bicubic
from ttsr.inference.plan import Plan
from ttsr.inference.references import Reference
from ttsr.inference.target_size import MOST
from ttsr.inference.upscaled import Upscaled
from ttsr.inference.upscaler import Upscaler
from ttsr.progress import Progress

Size = tuple[int, int]


def upscale_to(
    upscaler: Upscaler,
    image: Source | Picture,
    size: Size,
    references: Sequence[Reference] | None = None,
    *,
    base: Source | Picture | None = None,
    start: NDArray[np.int64] | None = None,
    plan: Plan | None = None,
    progress: Progress | None = None,
) -> Upscaled:
    """Upscale a picture to any size up to 16 times its own.

    Up to four times, the network's result is resized. Beyond, it is resized to a quarter of `size`, and the network
    upscales that again, with the same references. What the result says of matches is that of the first pass: relevance,
    confidence and index are on the grid of `image`.

    Args:
        upscaler: the network.
        image: a path, Pillow image, array or `Picture`.
        size: (width, height) of the result in pixels.
        references: as in `Upscaler.upscale`.
        base: likewise, of the first pass: four times as large as `image`, whatever `size` is.
        start: as in `Upscaler.upscale`, likewise.
        plan: from `plan_to` with the same arguments.
        progress: updated throughout; cancels the work.

    Raises:
        UserError: the size is not possible, or as `Upscaler.upscale`.
        Cancelled: through `progress`.
    """
    picture = image if isinstance(image, Picture) else read_picture(image)
    progress = progress or Progress()
    between = _between(picture.size, size)
    if between is None:
        first = upscaler.upscale(picture, references, base=base, start=start, plan=plan, progress=progress)
        return replace(first, picture=_resized(first.picture, size))
    # The time of a pass grows with its pixels at least.
    share = picture.size[0] * picture.size[1] / (picture.size[0] * picture.size[1] + between[0] * between[1])
    part = progress.part(0, share)
    first = upscaler.upscale(picture, references, base=base, start=start, progress=part)
    second = upscaler.upscale(_resized(first.picture, between), references, progress=progress.part(share, 1))
    return replace(
        first,
        picture=_resized(second.picture, size),
        seconds=first.seconds + second.seconds,
        peak_memory_bytes=max(first.peak_memory_bytes, second.peak_memory_bytes),
        plan=plan or _both(first.plan, second.plan),
    )


def plan_to(
    upscaler: Upscaler,
    picture: Picture,
    size: Size,
    references: Sequence[Reference] | None = None,
    *,
    free: int | None = None,
) -> Plan:
    """Estimate the time and memory that `upscale_to` will take; `free` as in `Upscaler.plan`.

    Raises:
        UserError: the size is not possible, or it does not fit into memory.
    """
    first, between = upscaler.plan(picture, references, free=free), _between(picture.size, size)
    if between is None:
        return first
    width, height = between
    rgb = np.broadcast_to(np.zeros(1, picture.rgb.dtype), (height, width, 3))
    alpha = None if picture.alpha is None else np.resize(picture.alpha, (height, width))
    return _both(first, upscaler.plan(Picture(rgb, alpha), references, free=free))


def _both(first: Plan, second: Plan) -> Plan:
    memory = max(first.memory_bytes, second.memory_bytes)
    return replace(first, seconds=first.seconds + second.seconds, memory_bytes=memory)


def _between(picture: Size, size: Size) -> Size | None:
    """The size to resize the first result to before a second pass, or None where one pass does."""
    if not isinstance(size, Sequence) or len(size) != 2 or not all(isinstance(side, int | np.integer) for side in size):
        raise UserError(f"{size!r} is no size", "give two whole numbers, (width, height) in pixels")
    if min(size) < 1 or any(side > MOST * own for side, own in zip(size, picture, strict=True)):
        raise UserError(f"{size[0]}x{size[1]} cannot be made of {picture[0]}x{picture[1]}", f"up to {MOST} times can")
    if all(side <= SCALE * own for side, own in zip(size, picture, strict=True)):
        return None
    return -(-size[0] // SCALE), -(-size[1] // SCALE)


def _resized(picture: Picture, size: Size) -> Picture:
    if picture.size == size:
        return picture
    alpha = None if picture.alpha is None else resize_bicubic(picture.alpha, *size)
    return replace(picture, rgb=resize_bicubic(picture.rgb, *size), alpha=alpha)
