"""What a client asks for, in a form that workers take."""

from dataclasses import dataclass
from pathlib import Path

from ttsr.options import (
    DEFAULT_MATCH_COLOUR,
    DEFAULT_POSE,
    DEFAULT_PRECISION,
    DEFAULT_SEARCH,
    MatchColour,
    PoseSearch,
    PrecisionChoice,
    Search,
)

RESULT, WITHOUT, MATCHES = "result.png", "without.png", "matches.npz"
"""Files of a finished job."""

Size = tuple[int, int]


@dataclass(frozen=True)
class StoredPicture:
    """A picture that was uploaded.

    Attributes:
        file: where it lies.
        digest: SHA-256 of its bytes, in hexadecimal.
        name: as the client called it.
        size: (width, height) of the upright picture.
        transparent: it has transparency that varies.
        num_bytes: of the file.
    """

    file: Path
    digest: str
    name: str
    size: Size
    transparent: bool
    num_bytes: int


@dataclass(frozen=True)
class Choices:
    """How to upscale: see `ttsr.Upscaler`; `model` is a public name."""

    model: str
    precision: PrecisionChoice = DEFAULT_PRECISION
    search: Search = DEFAULT_SEARCH
    pose: PoseSearch = DEFAULT_POSE
    match_colour: MatchColour = DEFAULT_MATCH_COLOUR
    ensemble: bool = False


@dataclass(frozen=True)
class JobRequest:
    """A picture to upscale.

    Attributes:
        lr: the picture.
        references: any number.
        choices: how to upscale.
        scale: how many times larger.
        without: also make the result without references, to compare with.
    """

    lr: StoredPicture
    references: tuple[StoredPicture, ...]
    choices: Choices
    scale: int = 4
    without: bool = False


@dataclass(frozen=True)
class JobPlan:
    """What a job will take: see `ttsr.Plan`; the size is that of the result."""

    seconds: float
    memory_bytes: int
    result_width: int
    result_height: int
    notes: tuple[str, ...] = ()
