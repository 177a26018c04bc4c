"""What is kept of a result's matches, to answer later where a place came from and to draw maps."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from ttsr.images.picture import Picture
from ttsr.inference.fitting import Fit
from ttsr.inference.plan import Plan
from ttsr.inference.references import Reference, ReferencePixels, ReferenceSource
from ttsr.inference.upscaled import Upscaled


def write_matches(result: Upscaled, file: Path) -> None:
    """Write relevance, confidence, index, and the way to each reference."""
    references = [
        {
            "source": vars(reference.source),
            "to_source": reference.pixels.to_source.tolist(),
            "left_out": reference.left_out,
        }
        for reference in result.references
    ]
    facts = {"size": result.picture.size, "own_reference": result.own_reference, "references": references}
    arrays = {"relevance": result.relevance, "confidence": result.confidence, "index": result.index}
    with file.open("wb") as opened:
        np.savez(opened, facts=np.array(json.dumps(facts)), **arrays)


def read_matches(file: Path) -> Upscaled:
    """A result as far as its matches go: pictures have their sizes, and no memory."""
    with np.load(file) as arrays:
        facts = json.loads(str(arrays["facts"]))
        relevance, confidence, index = (arrays[name] for name in ("relevance", "confidence", "index"))
    return Upscaled(
        picture=Picture(_blank(facts["size"])),
        relevance=relevance,
        confidence=confidence,
        index=index,
        references=tuple(_reference(reference, index.shape) for reference in facts["references"]),
        own_reference=facts["own_reference"],
        seconds=0,
        peak_memory_bytes=0,
        plan=Plan(0, 0, 0),
        matches=index[..., 0],
    )


def _reference(facts: dict[str, Any], shape: tuple[int, ...]) -> Reference:
    source = ReferenceSource(facts["source"]["name"], facts["source"]["sha256"], tuple(facts["source"]["size"]))
    pixels = ReferencePixels(_blank(source.size), source, to_source=np.array(facts["to_source"]))
    lr_size = shape[1], shape[0]
    return Reference(pixels, Fit(pixels, lr_size, "left out") if facts["left_out"] else None)


def _blank(size: tuple[int, int]) -> np.ndarray:
    return np.broadcast_to(np.zeros(1, np.uint8), (size[1], size[0], 3))
