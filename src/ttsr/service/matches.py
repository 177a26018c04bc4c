"""What is kept of a result's matches, to answer later where a place came from and to draw maps."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ttsr.images.picture import Picture
from ttsr.inference.references import Reference, ReferencePixels, ReferenceSource
from ttsr.inference.texture_origins import Matches


@dataclass(frozen=True)
class StoredMatches:
    """See `ttsr.inference.texture_origins.Matches`; pictures have their sizes, and take no memory."""

    picture: Picture
    relevance: NDArray[np.float32]
    confidence: NDArray[np.float32]
    index: NDArray[np.int32]
    references: tuple[Reference, ...]
    own_reference: bool


def write_matches(result: Matches, file: Path) -> None:
    """Write relevance, confidence, index, and the way to each reference."""
    references = [
        {"source": vars(reference.source), "to_source": reference.pixels.to_source.tolist()}
        for reference in result.references
    ]
    facts = {"size": result.picture.size, "own_reference": result.own_reference, "references": references}
    arrays = {"relevance": result.relevance, "confidence": result.confidence, "index": result.index}
    with file.open("wb") as opened:
        np.savez(opened, facts=np.array(json.dumps(facts)), **arrays)


def read_matches(file: Path) -> StoredMatches:
    """What `write_matches` wrote."""
    with np.load(file) as arrays:
        facts = json.loads(str(arrays["facts"]))
        relevance, confidence, index = (arrays[name] for name in ("relevance", "confidence", "index"))
    references = tuple(_reference(reference) for reference in facts["references"])
    picture = Picture(_blank(facts["size"]))
    return StoredMatches(picture, relevance, confidence, index, references, facts["own_reference"])


def _reference(facts: dict[str, Any]) -> Reference:
    source = ReferenceSource(facts["source"]["name"], facts["source"]["sha256"], tuple(facts["source"]["size"]))
    return Reference(ReferencePixels(_blank(source.size), source, to_source=np.array(facts["to_source"])))


def _blank(size: tuple[int, int]) -> NDArray[np.uint8]:
    return np.broadcast_to(np.zeros(1, np.uint8), (size[1], size[0], 3))
