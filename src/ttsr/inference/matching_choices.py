"""How references are fitted and matched: what `auto` stands for, which depends on the network."""

from dataclasses import dataclass
from typing import get_args

from ttsr.errors import UserError
from ttsr.models.config import TTSRConfig
from ttsr.models.correspondence.coherent import COHERENT
from ttsr.models.correspondence.exact import EXACT
from ttsr.models.correspondence.types import Matcher
from ttsr.options import DEFAULT_MATCH_COLOUR, DEFAULT_POSE, DEFAULT_SEARCH, MatchColour, PoseSearch, Search


@dataclass(frozen=True)
class MatchingChoices:
    """The choices for one network.

    Attributes:
        matcher: the search to match by.
        pose: estimate scale and rotation of references.
        mirrored: of their mirror images too.
        match_colour: bring their exposure and white balance to those of the LR picture.
    """

    matcher: Matcher
    pose: bool
    mirrored: bool
    match_colour: bool

    def __str__(self) -> str:
        """For reports, such as `coherent search, poses estimated, colours matched`."""
        poses = ["poses estimated, mirrored ones too" if self.mirrored else "poses estimated"] * self.pose
        return ", ".join([f"{self.matcher.name} search", *poses, *["colours matched"] * self.match_colour])

    @property
    def fits(self) -> bool:
        """References are fitted to each LR picture."""
        return self.pose or self.match_colour


def choose_matching(
    config: TTSRConfig,
    *,
    search: Search | Matcher = DEFAULT_SEARCH,
    pose: PoseSearch = DEFAULT_POSE,
    match_colour: MatchColour = DEFAULT_MATCH_COLOUR,
) -> MatchingChoices:
    """Resolve `auto`: the published network stays as it was published; those that refine matches get all of it.

    Raises:
        UserError: a choice is none of those that there are.
    """
    for name, chosen, known in (
        ("search", search if isinstance(search, str) or not callable(search) else DEFAULT_SEARCH, Search),
        ("pose", pose, PoseSearch),
        ("match_colour", match_colour, MatchColour),
    ):
        if chosen not in get_args(known):
            raise UserError(f"{name}: {chosen!r} is not known", f"use one of {', '.join(get_args(known))}")
    own = config.refinement_radius > 0
    if isinstance(search, str):
        search = COHERENT if search == "coherent" or (search == "auto" and own) else EXACT
    return MatchingChoices(
        matcher=search,
        pose=pose in ("on", "mirrored") or (pose == "auto" and own),
        mirrored=pose == "mirrored",
        match_colour=match_colour == "on" or (match_colour == "auto" and own),
    )
