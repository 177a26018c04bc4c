"""A TTSR to a file: ours, or one that the public implementations read."""

from pathlib import Path
from typing import Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from ttsr import __version__
from ttsr.errors import WeightsError
from ttsr.models.ttsr import TTSR
from ttsr.system.files import atomic_path
from ttsr.weights import layouts
from ttsr.weights.layouts import Layout
from ttsr.weights.metadata import Metadata, Provenance
from ttsr.weights.reading import read_strings

StoredFloat = Literal["fp32", "fp16"]
"""How a file holds parameters."""


def save(
    model: TTSR,
    path: str | Path,
    *,
    dtype: StoredFloat = "fp32",
    provenance: Provenance | None = None,
    layout: Layout = layouts.TTSR,
) -> None:
    """Write a model's weights; `ttsr.load` reads each of the layouts, as fp32 parameters either way.

    Ours is safetensors with the model's sizes and its provenance in the metadata. The authors' is a flat
    state dict, MMagic's one under `state_dict`; both are by `torch.save`, without provenance. The file is
    whole or not there.

    Raises:
        WeightsError: it cannot be written, a value is not finite in that precision, or the layout cannot hold
            the model (only the published network).
    """
    if layout is not layouts.TTSR and model.config.additions:
        additions = " and ".join(model.config.additions)
        raise WeightsError(f"{path}: a model with {additions} cannot be written in the {layout.name} layout")
    precision = torch.float16 if dtype == "fp16" else torch.float32
    state = {layout.to_theirs(key): value for key, value in model.state_dict().items()}
    state = {
        key: value.detach().to("cpu", precision, copy=True).contiguous()
        for key, value in (state | layout.normalisation_state()).items()
    }
    for key, value in state.items():
        if not value.isfinite().all():
            raise WeightsError(f"{path}: not written, {key} has values that are not finite in {dtype}")
    try:
        with atomic_path(path) as temporary:
            _write(state, temporary, layout, Metadata(model.config, provenance or Provenance()))
    except (OSError, SafetensorError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or str(error)
        raise WeightsError(f"{path}: cannot be written ({reason})") from None


def read_metadata(path: str | Path) -> Metadata:
    """The sizes and the provenance that a file of ours states; its tensors are not read.

    Raises:
        WeightsError: it cannot be read or is not ours.
    """
    return Metadata.from_strings(read_strings(Path(path)), str(path))


def _write(state: dict[str, Tensor], path: Path, layout: Layout, metadata: Metadata) -> None:
    if layout is layouts.TTSR:
        save_file(state, path, metadata.to_strings())
        return
    content = state if layout is layouts.AUTHORS else {"meta": {"ttsr_version": __version__}, "state_dict": state}
    with path.open("wb") as file:  # given a name, torch.save refuses some, and a full disk is no OSError
        torch.save(content, file)
