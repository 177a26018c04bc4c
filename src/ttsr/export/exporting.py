"""A network written as files that other runtimes compute with, checked against the network."""

import copy
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

import ttsr
from ttsr.errors import UserError
from ttsr.export.checking import SIZES, Difference, difference
from ttsr.export.graph_inputs import Part, parts_of
from ttsr.export.programs import OPSET, check_ready, exported, save_onnx, save_program
from ttsr.export.runners import run_onnx, run_program
from ttsr.models.config import SCALE
from ttsr.models.ttsr import TTSR
from ttsr.progress import Progress
from ttsr.system.files import temporary_folder
from ttsr.weights.provenance import Provenance

ExportFormat = Literal["onnx", "torch"]
"""`onnx` for onnxruntime and others; `torch` for PyTorch without this package."""

DESCRIPTION = "model.json"
"""The file that describes the others."""

# Cells each way that the synthesis looks at beyond its own stages: matches of neighbours, their coherence, and the
# confidence that is made of it.
_MATCHES_REACH = 4
# Of the matching: the patch, and the window of luma.
_MATCHING_REACH = 2


@dataclass(frozen=True)
class Export:
    """What was written.

    Attributes:
        files: the parts, and their description.
        difference: from the network, at several sizes.
        sizes: how many.
    """

    files: tuple[Path, ...]
    difference: Difference
    sizes: int


def export_model(
    model: TTSR,
    folder: str | Path,
    file_format: ExportFormat = "onnx",
    *,
    name: str = "",
    provenance: Provenance | None = None,
    progress: Progress | None = None,
) -> Export:
    """Write a network in parts, for pictures of all sizes, and compare each with the network.

    The parts are `extractor`, `matching` and `synthesis`, and of a network with a trunk `trunk`, the result without a
    reference. Together they compute what `Upscaler(search="exact", pose="off", match_colour="off", precision="fp32")`
    does. `model.json` and the files themselves state inputs and outputs, and where the weights come from.

    Args:
        model: of any sizes; it is not changed.
        folder: made where it is missing. Files of the same names are replaced, all at the end.
        file_format: of the parts.
        name: of the model, for the metadata.
        provenance: of its weights, likewise.
        progress: updated with each part; cancels the work.

    Raises:
        UserError: something is not installed, the folder cannot be written to, or a part differs from the network.
        Cancelled: through `progress`.
    """
    progress, folder = progress or Progress(), Path(folder)
    check_ready(file_format)
    model = copy.deepcopy(model).cpu().float().eval().requires_grad_(False)
    parts, provenance = parts_of(model), provenance or Provenance()
    suffix = ".onnx" if file_format == "onnx" else ".pt2"
    facts = _facts(model, parts, file_format, suffix, name, provenance)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with temporary_folder(folder) as made:
            run = run_onnx if file_format == "onnx" else run_program
            runs = {}
            for number, part in enumerate(parts):
                progress.update(number / (len(parts) + 1), part.name)
                file = made / f"{part.name}{suffix}"
                stated = facts | {"part": part.name}
                if file_format == "onnx":
                    save_onnx(exported(part), part, file, stated)
                else:
                    save_program(exported(part), file, stated)
                runs[part.name] = run(file, part)
            progress.update(len(parts) / (len(parts) + 1), "comparing")
            found = difference(model, runs)
            facts["largest_difference"] = found.largest
            (made / DESCRIPTION).write_text(json.dumps(facts, indent=1) + "\n", "utf-8")
            progress.update(1)
            names = [f"{part.name}{suffix}" for part in parts] + [DESCRIPTION]
            for file in names:
                (made / file).replace(folder / file)
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror})", "name another folder") from None
    return Export(tuple(folder / file for file in names), found, len(SIZES))


def _facts(
    model: TTSR, parts: list[Part], file_format: str, suffix: str, name: str, provenance: Provenance
) -> dict[str, Any]:
    reach = model.synthesis.reach
    return {
        "model": name,
        "licence": provenance.licence,
        "source": provenance.source,
        "made_with": f"ttsr {ttsr.__version__}, PyTorch {torch.__version__}",
        "format": file_format,
        **({"opset": OPSET} if file_format == "onnx" else {}),
        "scale": SCALE,
        # In cells: of pictures that are worked on in tiles.
        "matching_overlap": _MATCHING_REACH,
        "synthesis_overlap": reach.first + reach.second + reach.fine + _MATCHES_REACH,
        "parts": {
            part.name: {
                "file": f"{part.name}{suffix}",
                "inputs": {value.name: value.to_json() for value in part.given},
                "outputs": {value.name: value.to_json() for value in part.outputs},
            }
            for part in parts
        },
    }
