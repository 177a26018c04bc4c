"""Writing a TTSR to a file, in the layout of this package or of a public implementation."""

import json
from pathlib import Path
from typing import Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import save as to_safetensors

from ttsr import __version__
from ttsr.errors import WeightsError
from ttsr.models.blocks import unscaled_state
from ttsr.models.ttsr import TTSR
from ttsr.system.files import atomic_path
from ttsr.weights.checkpoint_file import read_strings
from ttsr.weights.layouts import AUTHORS, TTSR as OURS, Layout
from ttsr.weights.provenance import Metadata, Provenance


def save(
    model: TTSR,
    path: str | Path,
    *,
    dtype: Literal["fp32", "fp16"] = "fp32",
    provenance: Provenance | None = None,
    layout: Layout = OURS,
) -> None:
    """Write a model's weights, completely or not at all; `ttsr.load` reads all layouts, always to fp32.

    Args:
        model: the network.
        path: the file.
        dtype: of the parameters in the file.
        provenance: for the metadata; only the layout of this package has any.
        layout: that of this package is safetensors with sizes and provenance in the metadata. The authors' is a flat
            state dict, MMagic's a state dict under `state_dict`, both written by `torch.save`. They do not hold
            `res_scale`: it is multiplied into the last convolution of each residual block, which is the same network.

    Raises:
        WeightsError: the file cannot be written, a value is not finite in `dtype`, or the model has additions to the
            published network and the layout is not that of this package.
    """
    if layout is not OURS and model.config.additions:
        additions = " and ".join(model.config.additions)
        raise WeightsError(f"{path}: a model with {additions} cannot be written in the {layout.name} layout")
    precision = torch.float16 if dtype == "fp16" else torch.float32
    ours = model.state_dict() if layout is OURS else unscaled_state(model)
    state = {layout.to_theirs(key): value for key, value in ours.items()} | layout.normalisation_state()
    state = {key: value.detach().to("cpu", precision, copy=True).contiguous() for key, value in state.items()}
    for key, value in state.items():
        if not value.isfinite().all():
            raise WeightsError(f"{path}: not written, {key} has values that are not finite in {dtype}")
    try:
        with atomic_path(path) as temporary:
            if layout is OURS:
                metadata = Metadata(model.config, provenance or Provenance()).to_strings()
                temporary.write_bytes(_in_order(to_safetensors(state, metadata)))
            else:
                bare = layout is AUTHORS
                content = state if bare else {"meta": {"ttsr_version": __version__}, "state_dict": state}
                # Given a path, torch.save refuses some names, and a full disk is no OSError.
                with temporary.open("wb") as file:
                    torch.save(content, file)
    except (OSError, SafetensorError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or str(error)
        raise WeightsError(f"{path}: cannot be written ({reason})") from None


def _in_order(safetensors: bytes) -> bytes:
    """The same file with its metadata sorted, which the library writes in another order each time."""
    size = int.from_bytes(safetensors[:8], "little")
    header = json.loads(safetensors[8 : 8 + size])
    header = {"__metadata__": dict(sorted(header.pop("__metadata__").items())), **header}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # tensors begin at a multiple of eight bytes
    return b"".join([len(text).to_bytes(8, "little"), text, safetensors[8 + size :]])


def read_metadata(path: str | Path) -> Metadata:
    """Read sizes and provenance from a file in the layout of this package, not its tensors.

    Raises:
        WeightsError: the file is unreadable or of another layout.
    """
    return Metadata.from_strings(read_strings(Path(path)), str(path))
