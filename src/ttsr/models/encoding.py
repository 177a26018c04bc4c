"""References encoded: keys and textures at once, to be kept, or level by level, each for as long as it is needed."""

from collections.abc import Callable

import torch
from torch import Tensor

from ttsr.models.correspondence.refine import luma
from ttsr.models.correspondence.types import CELLS, Box, EncodedReference, Transfer
from ttsr.models.extractor import LearnableTextureExtractor
from ttsr.models.inputs import ReferenceImage, unit_range
from ttsr.models.streaming import coarse_features, features_in_tiles
from ttsr.progress import Progress

# Rows of a picture whose luma is computed at a time.
_ROWS = 256


class Encoder:
    """Encodes references for a network.

    Args:
        extractor: the network's.
        transfer: its transfer, which knows how textures are stored.
        block_bytes: what a tile may take.
        half: store keys and textures in fp16, which takes half the memory of fp32.
    """

    def __init__(
        self, extractor: LearnableTextureExtractor, transfer: Transfer, block_bytes: int, *, half: bool = False
    ) -> None:
        self._extractor, self._transfer = extractor, transfer
        self._block_bytes, self._half = block_bytes, half

    def at_once(self, reference: ReferenceImage, progress: Progress) -> EncodedReference:
        """Keys and the textures of all levels; the extractor passes over the reference once."""
        keys = self._keys(reference, progress.part(0, 0.5))
        storages = [self._storage(keys, reference, level) for level in range(3)]

        def write(features: Tensor, level: int, box: Box) -> None:
            self._transfer.store(storages[level], features, CELLS[level], box, reference.grid)

        share = progress.part(0.5, 1)
        features_in_tiles(self._extractor, None, reference.ref, self._block_bytes, write, share)
        return EncodedReference(keys, (storages[0], storages[1], storages[2]), reference.mask, self._luma(reference))

    def by_level(self, reference: ReferenceImage, progress: Progress) -> EncodedReference:
        """Keys, and textures that are encoded as they are asked for, of which one level is held at a time."""
        keys = self._keys(reference, progress)
        like = keys.new_empty(keys.shape[0], 0)
        textures = LevelByLevel(lambda level, share: self._level(like, reference, level, share))
        return EncodedReference(keys, textures, reference.mask, self._luma(reference))

    def _keys(self, reference: ReferenceImage, progress: Progress) -> Tensor:
        return coarse_features(self._extractor, reference.ref_blur, self._block_bytes, progress, half=self._half)

    def _luma(self, reference: ReferenceImage) -> Tensor | None:
        return luma_of(reference.ref_blur) if self._transfer.needs_luma else None

    def _level(self, like: Tensor, reference: ReferenceImage, level: int, progress: Progress) -> Tensor:
        storage = self._storage(like, reference, level)

        def write(features: Tensor, _: int, box: Box) -> None:
            self._transfer.store(storage, features, CELLS[level], box, reference.grid)

        features_in_tiles(self._extractor, level, reference.ref, self._block_bytes, write, progress)
        return storage

    def _storage(self, like: Tensor, reference: ReferenceImage, level: int) -> Tensor:
        device = like.device.type
        # Keys may have more bits than the network computes in.
        computed = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else like.dtype
        like = like.new_empty(like.shape[0], dtype=torch.float16 if self._half else computed)
        return self._transfer.storage(like, reference.grid, CELLS[level], self._extractor.widths[2 - level])


class LevelByLevel:
    """The textures of a reference of which each level is encoded when it is asked for; implements `TextureLevels`.

    One level is held at a time.

    Args:
        encode: gives a level, 0 to 2 from coarse to fine.
    """

    def __init__(self, encode: Callable[[int, Progress], Tensor]) -> None:
        self._encode = encode
        self._held: tuple[int, Tensor] | None = None

    def __getitem__(self, level: int, /) -> Tensor:
        return self.prepare(level, Progress())

    def prepare(self, level: int, progress: Progress) -> Tensor:
        """Encode a level, with progress, where it is not the one that is held."""
        if self._held is None or self._held[0] != level:
            self._held = None  # before the next takes memory
            self._held = level, self._encode(level, progress)
        return self._held[1]


def luma_of(image: Tensor) -> Tensor:
    """Luma (B, H, W) float32 of an image (B, 3, H, W), float or integers, some rows at a time."""
    batch, _, height, width = image.shape
    out = torch.empty(batch, height, width, device=image.device, dtype=torch.float32)
    for top in range(0, height, _ROWS):
        rows = slice(top, top + _ROWS)
        out[:, rows] = luma(unit_range(image[:, :, rows]))
    return out
