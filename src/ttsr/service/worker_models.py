"""What a worker process keeps: models, upscalers, and references that it has read."""

from collections import OrderedDict
from dataclasses import replace
from functools import lru_cache
from typing import get_args

import torch

from ttsr.errors import UserError
from ttsr.inference.references import ReferencePixels, ReferenceSource, read_reference
from ttsr.inference.upscaler import Upscaler
from ttsr.models.ttsr import TTSR
from ttsr.options import DEFAULT_MODEL, Precision
from ttsr.progress import Progress
from ttsr.service.job_request import Choices, StoredPicture
from ttsr.service.memory_limit import limit_memory
from ttsr.service.stored_pictures import read_stored
from ttsr.service.worker_calls import WorkerSettings
from ttsr.system.device import choose_device
from ttsr.system.precision import check_precision
from ttsr.system.threads import use_threads
from ttsr.weights.catalog import BundledWeights, available_weights
from ttsr.weights.loading import load

_KEPT_BYTES = 256 * 2**20  # of references' pixels


class WorkerModels:
    """Models, each loaded once.

    Raises:
        UserError: the device is not there.
    """

    def __init__(self, settings: WorkerSettings) -> None:
        self.device = choose_device(settings.device)
        self.places = settings.models or shipped_models()
        self.max_memory = settings.max_memory
        use_threads(settings.threads)
        self.upscaler = lru_cache(maxsize=16)(self._upscaler)
        self._model = lru_cache(maxsize=None)(self._load)
        self._references: OrderedDict[str, ReferencePixels] = OrderedDict()

    def devices(self) -> tuple[tuple[str, ...], int | None]:
        """The devices of this kind that there are, and the memory of each if it has its own."""
        if self.device.type != "cuda":
            return (str(self.device),), None
        count = torch.cuda.device_count()
        smallest = min(torch.cuda.get_device_properties(number).total_memory for number in range(count))
        return tuple(f"cuda:{number}" for number in range(count)), smallest

    def precisions(self) -> tuple[str, ...]:
        """Those that the device can compute in."""
        return tuple(precision for precision in get_args(Precision) if self._works(precision))

    def _works(self, precision: str) -> bool:
        try:
            check_precision(precision, self.device)
        except UserError:
            return False
        return True

    def load_all(self) -> None:
        """Load every model.

        Raises:
            UserError: one cannot be loaded.
        """
        for name in self.places:
            self._model(name)

    def _load(self, name: str) -> TTSR:
        return load(self.places[name], device=self.device)

    def _upscaler(self, choices: Choices) -> Upscaler:
        if choices.model not in self.places:
            raise UserError(f"{choices.model}: no such model here")
        return Upscaler(
            self._model(choices.model),
            device=self.device,
            precision=choices.precision,
            search=choices.search,
            pose=choices.pose,
            match_colour=choices.match_colour,
            ensemble=choices.ensemble,
            max_memory=self.max_memory,
        )

    def reference(self, stored: StoredPicture) -> ReferencePixels:
        """A reference's pixels, kept with its keypoints for later jobs while there is room.

        Raises:
            ImageError: it cannot be read.
        """
        kept = self._references.pop(stored.digest, None)
        if kept is None:
            kept = read_reference(read_stored(stored))
        source = ReferenceSource(stored.name, stored.digest, stored.size)
        if kept.source != source:
            kept = replace(kept, source=source)
        self._references[stored.digest] = kept
        while sum(pixels.rgb.nbytes for pixels in self._references.values()) > _KEPT_BYTES:
            self._references.popitem(last=False)
        return kept

    def share(self, threads: int, max_memory: int) -> None:
        """Compute, and plan, with so much from here on."""
        use_threads(threads)
        self.max_memory = max_memory
        self.upscaler.cache_clear()

    def forget_references(self) -> None:
        """Make room."""
        self._references.clear()


def shipped_models() -> dict[str, str]:
    """The models of the package, the default first."""
    names = [name for name, entry in available_weights().items() if isinstance(entry, BundledWeights)]
    return {name: name for name in sorted(names, key=lambda name: (name != DEFAULT_MODEL, name))}


def share(models: WorkerModels, progress: Progress, threads: int, max_memory: int, most_bytes: int | None) -> None:
    """See `WorkerModels.share`, and `limit_memory` for `most_bytes`."""
    models.share(threads, max_memory)
    if most_bytes is not None:
        limit_memory(most_bytes)
