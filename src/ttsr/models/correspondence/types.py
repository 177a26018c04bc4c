"""What matching and transfer exchange, and what a matcher must offer."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

from torch import Tensor

from ttsr.progress import Progress

Grid = tuple[int, int]

# Pixels along a cell's side at each texture level, coarse to fine.
CELLS = (1, 2, 4)


@dataclass(frozen=True)
class Matches:
    """The best key of every query cell (equations 4 and 5).

    Attributes:
        relevance: (B, 1, h, w) in [-1, 1], the soft-attention map S: cosine of the best match.
        index: (B, h, w) int64, flat over the references' (H/4, W/4) grids laid end to end.
    """

    relevance: Tensor
    index: Tensor

    def __iter__(self) -> Iterator[Tensor]:
        return iter((self.relevance, self.index))


class Box(NamedTuple):
    """Rows `top` to `bottom - 1` and columns `left` to `right - 1` of a grid."""

    top: int
    bottom: int
    left: int
    right: int


class Refinement(NamedTuple):
    """Matches of LR cells in pixels of a reference.

    Attributes:
        reference: (B, h, w) int64, the number of the reference.
        shift: (B, 2, h, w) int64, down and right, from a cell's pixels in the up-sampled LR to its match's in that
            reference.
        zncc: (B, 1, h, w) in [-1, 1], zero-mean normalised cross-correlation of the two windows.
    """

    reference: Tensor
    shift: Tensor
    zncc: Tensor


class MatchingCost(NamedTuple):
    """What a search takes.

    Attributes:
        multiply_adds: of matrix products.
        pairs: cell pairs whose cosine is compared, each of which costs time beside its product.
        memory_bytes: working memory beside inputs and outputs, without the block that the budget sets.
    """

    multiply_adds: float
    pairs: float
    memory_bytes: int


class Matcher(Protocol):
    """A search for the best key of every query: a choice of use, on which no weights depend."""

    @property
    def name(self) -> str:
        """What reports call it."""
        ...

    def __call__(
        self,
        queries: Tensor,
        keys: Sequence[Tensor],
        *,
        masks: Sequence[Tensor | None] | None = None,
        block_bytes: int = 2**30,
        progress: Progress | None = None,
        start: Tensor | None = None,
    ) -> Matches:
        """Match without gradients.

        Args:
            queries: (B, C, h, w).
            keys: one (B, C, H, W) for each reference, of any sizes.
            masks: for each reference None or (B, H, W) bool, True where a key may be matched.
            block_bytes: about what one block of intermediate results may hold.
            progress: updated with the fraction done; cancels the search.
            start: (B, h, w) an index to begin from, for matchers that improve one, such as the previous frame's.

        Raises:
            ValueError: of some item every key is masked.
            Cancelled: through `progress`.
        """
        ...

    def cost(self, query_grid: Grid, key_grids: Sequence[Grid], channels: int, element_bytes: int) -> MatchingCost:
        """What matching one item takes."""
        ...


class TextureLevels(Protocol):
    """A reference's textures of three levels, coarse to fine: a tuple of them, or what encodes each as it is asked."""

    def __getitem__(self, level: int, /) -> Tensor: ...


@dataclass(frozen=True)
class EncodedReference:
    """Keys and textures of a reference image: computed once, used for many LR images (section 3.1).

    Attributes:
        keys: (B, C3, H/4, W/4), the coarse features of the blurred reference.
        textures: of the reference itself, coarse to fine, as the model's transfer stores them.
        mask: (B, H/4, W/4) bool, the cells that may be matched; None for all.
        luma: (B, H, W) of the blurred reference in [0, 1], for match refinement alone.
    """

    keys: Tensor
    textures: TextureLevels
    mask: Tensor | None = None
    luma: Tensor | None = None

    @property
    def grid(self) -> Grid:
        """(H/4, W/4)."""
        return self.keys.shape[2], self.keys.shape[3]

    def without_keys(self) -> "EncodedReference":
        """The same after the search: of the keys it holds only the shape."""
        return replace(self, keys=self.keys.new_empty(1).expand(self.keys.shape))


@dataclass(frozen=True)
class Textures:
    """What is transferred to an LR image, gathered level by level and region by region on demand.

    Attributes:
        attention: (B, 3, h, w), how far each level's texture is let in, coarse to fine.
        refinement: matches to the pixel, where the transfer refines them.
        gather: level (0 to 2, coarse to fine) and box of LR cells to the texture (B, C, cell rows, cell columns); None
            where there is no reference.
    """

    attention: Tensor
    refinement: Refinement | None = None
    gather: Callable[[int, Box], Tensor] | None = None

    def level(self, number: int, box: Box | None = None) -> Tensor | None:
        """The texture of a level in a box, of the whole image if not given; None where there is no reference."""
        whole = Box(0, self.attention.shape[2], 0, self.attention.shape[3])
        return self.gather(number, box or whole) if self.gather else None


class Transfer(Protocol):
    """From matches to textures (sections 3.1, hard and soft attention). Implementations are `nn.Module`s."""

    needs_luma: bool

    def __call__(
        self,
        matches: Matches,
        references: Sequence[EncodedReference],
        lr_luma: Tensor | None = None,
        progress: Progress | None = None,
    ) -> Textures:
        """Textures at the matches; lr_luma (B, 4h, 4w) in [0, 1] where it is needed. At least one reference."""
        ...

    def storage(self, keys: Tensor, grid: Grid, cell: int, channels: int) -> Tensor:
        """Empty storage for one level's textures of a reference, of the batch, type and device of `keys`."""
        ...

    def store(self, storage: Tensor, features: Tensor, cell: int, box: Box, grid: Grid) -> None:
        """Put features (B, C, cell rows, cell columns) of a box of cells into a storage."""
        ...
