"""Tensors by name to a complete TTSR, or an error that names what is wrong."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from ttsr.errors import WeightsError
from ttsr.models.config import TTSRConfig
from ttsr.models.ttsr import TTSR
from ttsr.weights.checkpoint_file import Checkpoint
from ttsr.weights.layouts import AUTHORS, DISCRIMINATOR, MMAGIC, TTSR as OURS, Layout
from ttsr.weights.provenance import Metadata

_LISTED = 4
_DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def assemble(checkpoint: Checkpoint, where: str) -> TTSR:
    """Build the network of a checkpoint of any layout, in eval mode on the CPU, in fp32. Nothing is loaded partially.

    Sizes are read from the shapes. `where` names the file in errors.

    Raises:
        WeightsError: it is not a TTSR, or a parameter is missing, unknown, not finite or of the wrong shape.
    """
    layout = _layout_of(checkpoint.tensors, where)
    tensors = {key: tensor for key, tensor in checkpoint.tensors.items() if not key.startswith(layout.ignored)}
    config = _sizes(tensors, layout, where)
    if layout is OURS:
        stated = Metadata.from_strings(checkpoint.metadata, where).config
        unseen = ("bicubic_skip", "refinement_radius", "res_scale")  # in no shape
        config = replace(config, **{name: getattr(stated, name) for name in unseen})
        if config != stated:
            raise WeightsError(f"{where}: its metadata states {stated}, its shapes {config}")
    try:
        with torch.device("meta"):  # takes no memory yet, and draws no random numbers
            model = TTSR(config)
    except RuntimeError:
        raise WeightsError(f"{where}: a TTSR of these sizes cannot be built: {config}") from None
    _check(tensors, layout, model.state_dict(), where)
    # Copies, since safetensors returns views of the file, which may be overwritten later.
    state = {
        ours: tensor.to(torch.float32, copy=True, memory_format=torch.contiguous_format)
        for key, tensor in tensors.items()
        if (ours := layout.to_ours(key))
    }
    model.load_state_dict(state, strict=True, assign=True)
    model.extractor.normalise.reset()
    return model.eval()


def parts_left_out(checkpoint: Checkpoint, where: str) -> list[str]:
    """What of a checkpoint is neither the network nor the discriminator, by the names of its parts.

    Raises:
        WeightsError: it is not a TTSR.
    """
    ignored = (part for part in _layout_of(checkpoint.tensors, where).ignored if part != DISCRIMINATOR)
    parts = [part for part in ignored if any(key.startswith(part) for key in checkpoint.tensors)]
    return [*(part.rstrip(".") for part in parts), *checkpoint.left_out]


def _layout_of(tensors: Mapping[str, Tensor], where: str) -> Layout:
    marks = {"synthesis.": OURS, "MainNet.": AUTHORS, "generator.": MMAGIC}
    for mark, layout in marks.items():
        if any(key.startswith(mark) for key in tensors):
            return layout
    raise WeightsError(f"{where}: not a TTSR checkpoint (it contains {_listed(tensors)})")


def _sizes(tensors: Mapping[str, Tensor], layout: Layout, where: str) -> TTSRConfig:
    def width(module: str) -> int:
        key = layout.to_theirs(f"{module}.weight")
        if key not in tensors:
            raise WeightsError(f"{where}: not a complete TTSR: {key} is missing")
        return tensors[key].shape[0] if tensors[key].dim() else 0

    def depth(chain: str) -> int:
        prefix = layout.to_theirs(f"{chain}.blocks.")
        matches = (re.match(r"(\d+)\.", key.removeprefix(prefix)) for key in tensors if key.startswith(prefix))
        return len({match[1] for match in matches if match})

    extractor = (width("extractor.conv1_1"), width("extractor.conv2_1"), width("extractor.conv3_1"))
    chains = ("shallow.chain", "chain1", "chain2_1", "chain4_1")
    shallow, first, second, third = (depth(f"synthesis.{chain}") for chain in chains)
    on_1x, on_2x, on_4x = (width(f"synthesis.attention{level}.conv") for level in (1, 2, 4))
    trunk = width("synthesis.shallow.head") if "synthesis.shallow.detail.weight" in tensors else 0
    try:
        return TTSRConfig(
            on_1x, (shallow, first, second, third), extractor, on_2x, on_4x, trunk, bicubic_skip=trunk > 0
        )
    except ValueError as error:
        raise WeightsError(f"{where}: {error}") from None


def _check(tensors: Mapping[str, Tensor], layout: Layout, state: Mapping[str, Tensor], where: str) -> None:
    fixed = layout.normalisation_state()
    expected = {layout.to_theirs(key): value.shape for key, value in state.items()}
    expected |= {key: value.shape for key, value in fixed.items()}
    wrong = {
        "missing": [key for key in expected if key not in tensors],
        "unknown": [key for key in tensors if key not in expected],
        "of the wrong shape": [
            f"{key} {_size(tensors[key].shape)} instead of {_size(shape)}"
            for key, shape in expected.items()
            if key in tensors and tensors[key].shape != shape
        ],
    }
    if any(wrong.values()):
        faults = "; ".join(f"{fault} {_listed(keys)}" for fault, keys in wrong.items() if keys)
        raise WeightsError(f"{where}: not a complete TTSR: {faults}")
    if bad := [key for key in expected if not _is_finite(tensors[key])]:
        raise WeightsError(f"{where}: values that are not finite floats of 16, 32 or 64 bits in {_listed(bad)}")
    for key, value in fixed.items():
        # Within half precision.
        if not torch.allclose(tensors[key].float(), value, rtol=1e-3, atol=1e-6):
            raise WeightsError(f"{where}: {key} is not ImageNet's mean and standard deviation, as the network requires")


def _is_finite(tensor: Tensor) -> bool:
    return tensor.dtype in _DTYPES and bool(tensor.float().isfinite().all())  # fp64 exceeds the range of fp32


def _size(shape: torch.Size) -> str:
    return "x".join(map(str, shape)) or "scalar"


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(repr(name[:80])[1:-1] for name in names[:_LISTED]) + more  # names of files may hold anything
