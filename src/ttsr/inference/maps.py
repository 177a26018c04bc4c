"""Files that show where a result's textures came from and how far they can be trusted."""

import json
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ttsr.errors import UserError
from ttsr.images.heat_maps import heat_map
from ttsr.images.picture import Picture
from ttsr.images.provenance_maps import MappedReference, provenance_map
from ttsr.inference.map_folders import MAP_FILES
from ttsr.inference.references import Reference
from ttsr.inference.texture_origins import TRUSTED, Matches, learned_confidence, matched, reference_facts, shares
from ttsr.system.files import atomic_path

if TYPE_CHECKING:
    from ttsr.inference.upscaled import Upscaled


def relevance_map(result: "Upscaled", lr: Picture) -> Image.Image:
    """The relevance of each match as a heat map over the LR picture."""
    return heat_map(result.relevance, lr.in_eight_bits().rgb, "relevance: cosine of the best match")


def confidence_map(result: "Upscaled", lr: Picture) -> Image.Image:
    """The match confidence, mean of the three levels, as a heat map over the LR picture."""
    title, middle = "confidence: how far textures are let in (the relevance: none was learned)", f"{TRUSTED:g}"
    if learned_confidence(result):
        title, middle = "match confidence: how far textures are let in, mean of 1x, 2x, 4x", f"{TRUSTED:g}: matched"
    ticks = [(0.0, "0"), (TRUSTED, middle), (1.0, "1")]
    return heat_map(result.confidence.mean(-1), lr.in_eight_bits().rgb, title, ticks=ticks)


def origin_map(result: "Upscaled", lr: Picture) -> Image.Image:
    """The place in the references that each texture came from as a provenance map; gray where there is no match."""
    none = f"gray: no match, {100 * result.unmatched:.0f} %"
    rgb = lr.in_eight_bits().rgb
    return provenance_map(matched_index(result), rgb, mapped_references(result, lr), none=none)


def matched_index(result: Matches) -> NDArray[np.int32]:
    """The result's index, (h, w, 3), with -1 for each place that has no match."""
    return np.where(matched(result)[..., None], result.index, np.int32(-1))


def mapped_references(result: "Upscaled", lr: Picture) -> list[MappedReference]:
    """The references as a provenance map shows them, with the share of the picture that came from each."""
    percents = [f"{100 * share:.0f} %" for share in shares(result)]
    if result.own_reference:
        return [MappedReference(lr.in_eight_bits().rgb, lr.size, ("the picture itself", percents[0]))]
    return [
        MappedReference(
            reference.original.rgb,
            reference.source.size,
            (f"{number}: {Path(reference.source.name).name}", "left out" if reference.left_out else percent),
            used=not reference.left_out,
        )
        for number, (reference, percent) in enumerate(zip(result.references, percents, strict=True), 1)
    ]


def origin_facts(result: "Upscaled", lr: Picture, source: Path | None = None) -> dict[str, Any]:
    """What `provenance.json` says.

    `source` is the file of the LR picture, if it is one.
    """
    digest = None if source is None else sha256(source.read_bytes()).hexdigest()
    name = None if source is None else str(source)
    given = {"name": name, "sha256": digest, "size": list(lr.size)}
    each = shares(result)
    if result.own_reference:
        references = [{**given, "use": "its own reference", "left_out": False, "share": round(each[0], 4)}]
    else:
        references = [_facts(reference, share) for reference, share in zip(result.references, each, strict=True)]
    return {
        "input": given,
        "output_size": list(result.picture.size),
        "own_reference": result.own_reference,
        "learned_confidence": learned_confidence(result),
        "mean_relevance": round(float(result.relevance.mean()), 4),
        "mean_confidence": [round(value, 4) for value in result.confidence.mean((0, 1)).tolist()],
        "unmatched": round(result.unmatched, 4),
        "references": references,
    }


def write_maps(result: "Upscaled", lr: Picture, folder: str | Path, *, source: Path | None = None) -> None:
    """Write what a result says of its matches into a folder that exists, over earlier maps there.

    `relevance.png` and `confidence.png` are heat maps over the LR picture, `provenance.png` is a provenance map with
    its key; `matches.npz` holds the arrays `relevance`, `confidence` and `index`, and `provenance.json` the references.

    Args:
        result: of the LR picture.
        lr: the LR picture, as `ttsr.images.read_picture` gives it.
        folder: where to write.
        source: the file of the LR picture, if it is one, to be named and identified by its SHA-256.

    Raises:
        UserError: a file cannot be written.
    """
    relevance, confidence, provenance, matches, facts = (Path(folder) / name for name in MAP_FILES)
    try:
        for path, draw in (relevance, relevance_map), (confidence, confidence_map), (provenance, origin_map):
            with atomic_path(path) as temporary:
                draw(result, lr).save(temporary)
        with atomic_path(matches) as temporary, temporary.open("wb") as file:
            arrays = {"relevance": result.relevance, "confidence": result.confidence, "index": result.index}
            np.savez_compressed(file, **arrays)
        with atomic_path(facts) as temporary:
            temporary.write_text(json.dumps(origin_facts(result, lr, source), indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise UserError(f"{folder}: the maps cannot be written ({error.strerror or error})") from None


def _facts(reference: Reference, share: float) -> dict[str, Any]:
    source = reference.source
    identity = {"name": source.name, "sha256": source.sha256, "size": list(source.size)}
    return {
        **identity,
        **reference_facts(reference),
        "left_out": reference.left_out,
        "share": round(share, 4),
    }
