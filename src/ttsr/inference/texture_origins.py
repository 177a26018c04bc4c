"""Which reference the texture of each place came from, where in it, and how far that can be trusted."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ttsr.errors import ImageError
from ttsr.geometry import apply, invert
from ttsr.images.picture import Picture
from ttsr.images.resize import SCALE
from ttsr.inference.references import Reference, ReferenceSource

if TYPE_CHECKING:
    from ttsr.inference.upscaled import Upscaled

TRUSTED = 0.5
"""Mean match confidence of the three levels from which on a place counts as matched.

Measured with `ttsr-lite` on 36 development pictures with a reference of the same thing. Places below it, 20 % of
them, gain 0.04 dB over the result without a reference (0.06 dB from 0.4 on), those from it on 2.1 dB; from 0.5 to
0.6 it is 0.3 dB, and more above. With a reference of something else that was not left out there is no gain at any
confidence, and 57 to 88 % of each picture are below; with the right one 1 to 49 %.
"""

MOSTLY = 0.5
"""Share of a picture without a match above which that is said.

Of the pictures measured for `TRUSTED` that is none with the right reference, and all with a wrong one.
"""


class Matches(Protocol):
    """What a result says of its matches: an `Upscaled`, or what was kept of one; each attribute as there."""

    @property
    def picture(self) -> Picture:
        """The result."""
        ...

    @property
    def relevance(self) -> NDArray[np.float32]:
        """(h, w)."""
        ...

    @property
    def confidence(self) -> NDArray[np.float32]:
        """(h, w, 3)."""
        ...

    @property
    def index(self) -> NDArray[np.int32]:
        """(h, w, 3)."""
        ...

    @property
    def references(self) -> tuple[Reference, ...]:
        """As they were fitted."""
        ...

    @property
    def own_reference(self) -> bool:
        """Whether the picture was its own."""
        ...


@dataclass(frozen=True)
class TextureOrigin:
    """Where the texture of one pixel of a result came from.

    Attributes:
        source: the reference: its file, SHA-256 and size; `LR` is the picture that is its own reference.
        number: the reference's, from 0 on.
        x: column in pixels of that reference's own upright picture.
        y: row there.
        relevance: cosine between the LR pixel and its match, at most 1.
        confidence: how far the textures of the 1x, 2x and 4x level were let in.
        matched: whether this counts as a match, see `TRUSTED`.
    """

    source: ReferenceSource
    number: int
    x: int
    y: int
    relevance: float
    confidence: tuple[float, float, float]
    matched: bool


def texture_origin(result: Matches, x: int, y: int) -> TextureOrigin | None:
    """See `Upscaled.provenance`."""
    width, height = result.picture.size
    if not (0 <= x < width and 0 <= y < height):
        raise ImageError(f"({x}, {y}) lies outside the result, which is {width}x{height}")
    rows, columns = result.index.shape[:2]
    # In LR pixels, of the pixel's centre: whatever size the result was resized to.
    down, right = (y + 0.5) * rows / height, (x + 0.5) * columns / width
    row, column = int(down), int(right)
    number, *first = (int(value) for value in result.index[row, column])
    if number < 0:
        return None
    if result.own_reference:
        source, to_source = ReferenceSource("LR", None, (columns, rows)), np.eye(3)
    else:
        source, to_source = result.references[number].source, result.references[number].pixels.to_source
    # From the first of the 4x4 pixels that match to the one that this pixel lies on, along the resampled reference.
    fitted = apply(invert(to_source), np.array([[first[1] + 0.5, first[0] + 0.5]]))
    inside = SCALE * np.array([right - column, down - row])
    ((there_x, there_y),) = apply(to_source, fitted - 0.5 + inside)
    return TextureOrigin(
        source=source,
        number=number,
        x=int(np.clip(np.floor(there_x), 0, source.size[0] - 1)),
        y=int(np.clip(np.floor(there_y), 0, source.size[1] - 1)),
        relevance=float(result.relevance[row, column]),
        confidence=tuple(result.confidence[row, column].tolist()),
        matched=bool(matched(result)[row, column]),
    )


def learned_confidence(result: Matches) -> bool:
    """Whether the network has learned how far matches can be trusted; the published ones take the relevance itself."""
    return bool((result.confidence != result.relevance[..., None]).any())


def matched(result: Matches) -> NDArray[np.bool_]:
    """The places that a reference has a match for, (h, w).

    By the learned match confidence, see `TRUSTED`. A network without one trusts every match, and so does this:
    from which relevance on a match of the published networks is a right one has not been measured.
    """
    found = result.index[..., 0] >= 0
    return found & (result.confidence.mean(-1) >= TRUSTED) if learned_confidence(result) else found


def shares(result: Matches) -> tuple[float, ...]:
    """For each reference the share of the picture that is matched in it; of a picture that is its own, one share."""
    of_matched = result.index[..., 0][matched(result)]
    count = 1 if result.own_reference else len(result.references)
    return tuple((np.bincount(of_matched, minlength=count)[:count] / result.relevance.size).tolist())


def unmatched_note(result: "Upscaled") -> str | None:
    """A sentence for people where most of the picture found no match in the references that were given."""
    if not result.references:
        return None
    share = result.unmatched
    if (result.index[..., 0] < 0).all():
        return "nothing of it was found in the references, so no textures were added"
    if share <= MOSTLY:
        return None
    return (
        f"{100 * share:.0f} % of it found no match in the references; there the result is little more than without any"
    )


def reference_facts(reference: Reference) -> dict[str, Any]:
    """How a reference was used, for JSON."""
    facts: dict[str, Any] = {"name": reference.source.name, "use": "as it is"}
    fit = reference.fit
    if fit is not None:
        facts["use"] = fit.use
        if fit.pose is not None:
            facts |= {"scale": round(fit.pose.scale, 4), "rotation": round(fit.pose.rotation, 2)}
            facts |= {"mirrored": fit.pose.mirrored, "inliers": fit.pose.inliers}
        if fit.colours is not None:
            facts["colour_gain"], facts["colour_offset"] = fit.colours.round(4).T.tolist()
    return facts
