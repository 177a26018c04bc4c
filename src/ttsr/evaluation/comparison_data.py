"""What the script of a comparison's page knows: for each LR pixel its match, and the way to each reference."""

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ttsr.geometry import invert, normalize
from ttsr.inference.texture_origins import TRUSTED, learned_confidence

if TYPE_CHECKING:
    from ttsr.inference.upscaled import Upscaled

# Of relevance and confidence between 0 and 1. Learned confidence may be somewhat above.
_STEPS = 10_000
_LIMIT = np.iinfo(np.int16).max


def comparison_data(result: "Upscaled") -> str:
    """JSON that may stand within a script element.

    `index` is (h, w, 3) as in `Upscaled.index`, `values` (h, w, 4) relevance and confidence at 1x, 2x and 4x in steps
    of 1 / `steps`: both little-endian integers of 16 bits, or 32 where `wide`, in Base64. `references` have their own
    `size`, and `to_source` with its inverse `to_fitted`, row by row, as in `ReferencePixels.to_source`.
    """
    rows, columns = result.index.shape[:2]
    values = np.concatenate([result.relevance[..., None], result.confidence], -1)
    wide = bool(result.index.max(initial=0) > _LIMIT)
    facts: dict[str, Any] = {
        "columns": columns,
        "rows": rows,
        "size": list(result.picture.size),
        "steps": _STEPS,
        "trusted": TRUSTED if learned_confidence(result) else None,
        "wide": wide,
        "index": _base64(result.index, "<i4" if wide else "<i2"),
        "values": _base64(np.rint(_STEPS * values).clip(-_LIMIT, _LIMIT), "<i2"),
        "references": [
            {
                "name": Path(reference.source.name).name,
                "size": list(reference.source.size),
                "shown": list(reference.original.rgb.shape[1::-1]),
                "to_source": _rows(reference.pixels.to_source),
                "to_fitted": _rows(invert(reference.pixels.to_source)),
            }
            for reference in result.references
        ],
    }
    return json.dumps(facts, separators=(",", ":")).replace("<", "\\u003c")


def _base64(array: NDArray[Any], dtype: str) -> str:
    return base64.b64encode(np.ascontiguousarray(array.astype(dtype)).tobytes()).decode("ascii")


def _rows(matrix: NDArray[np.float64]) -> list[float]:
    return normalize(matrix).ravel().tolist()
