"""VGG19's weights as torchvision publishes them, and the texture extractor that starts from them."""

import os
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from ttsr.errors import RecipeError, WeightsError
from ttsr.models.extractor import LearnableTextureExtractor
from ttsr.models.vgg import BLOCKS, VGG19
from ttsr.weights.cache import cache_path
from ttsr.weights.download import fetch
from ttsr.weights.reading import read_checkpoint

URL = "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth"

# Where torchvision's `features` has each convolution; ReLUs and pooling stand between them.
_PLACES = {
    "conv1_1": 0,
    "conv1_2": 2,
    "conv2_1": 5,
    "conv2_2": 7,
    "conv3_1": 10,
    "conv3_2": 12,
    "conv3_3": 14,
    "conv3_4": 16,
    "conv4_1": 19,
    "conv4_2": 21,
    "conv4_3": 23,
    "conv4_4": 25,
    "conv5_1": 28,
}

# The texture extractor's widths at full, half and quarter size.
_WIDTHS = (BLOCKS[0][0], BLOCKS[1][0], BLOCKS[2][0])


def load_vgg19(file: str | os.PathLike[str] | None = None) -> VGG19:
    """VGG19 up to relu5_1 with its weights, frozen, in fp32 on the CPU. Takes no random numbers.

    Args:
        file: in torchvision's layout (`features.0.weight` ...), a PyTorch file or safetensors; what lies behind relu5_1
            is passed over. If None, torchvision's own file, from the cache or fetched into it (548 MB).

    Raises:
        WeightsError: the file cannot be had or read, or something in it is missing, misshapen or not finite.
    """
    path = _published() if file is None else Path(file)
    tensors = read_checkpoint(path).tensors
    with torch.device("meta"):
        vgg = VGG19()
    theirs = {ours: _place(ours) for ours in vgg.state_dict()}
    _check({theirs[ours]: value.shape for ours, value in vgg.state_dict().items()}, tensors, path)
    # Copies, so that the classifier, nine tenths of the file, is let go.
    state = {ours: tensors[key].to(torch.float32, copy=True) for ours, key in theirs.items()}
    vgg.load_state_dict(state, assign=True)
    vgg.set_normalisation()
    return vgg.eval()


def start_extractor(extractor: LearnableTextureExtractor, vgg: VGG19) -> None:
    """Copy conv1_1 ... conv3_1 into an extractor, as both public implementations start (section 3.1).

    Raises:
        RecipeError: the extractor has other widths than VGG19. It is left as it was.
    """
    state = {key: value for key, value in vgg.state_dict().items() if key in extractor.state_dict()}
    widths = tuple(conv.out_channels for conv in (extractor.conv1_1, extractor.conv2_1, extractor.conv3_1))
    if widths != _WIDTHS:
        raise RecipeError(
            f"an extractor of {widths} channels cannot start from VGG19: leave model.extractor_channels at {_WIDTHS}, "
            "or set extractor.start to random or contrastive"
        )
    extractor.load_state_dict(state)


def _place(ours: str) -> str:
    """The name of a parameter in torchvision's file."""
    conv, kind = ours.split(".")
    return f"features.{_PLACES[conv]}.{kind}"


def _published() -> Path:
    try:
        return fetch(URL)
    except WeightsError as error:
        if cache_path(URL).exists():  # and is not what it should be, which the error says
            raise
        raise WeightsError(
            f"no VGG19 yet: connect once, or fetch {URL} elsewhere and give --vgg19 FILE, or train with "
            f"--extractor.start random or contrastive ({error})"
        ) from None


def _check(wanted: Mapping[str, torch.Size], tensors: Mapping[str, Tensor], path: Path) -> None:
    if missing := [key for key in wanted if key not in tensors]:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise WeightsError(f"{path}: no VGG19 as torchvision lays it out ({missing[0]} is missing{more})")
    for key, shape in wanted.items():
        tensor = tensors[key]
        if tensor.shape != shape:
            raise WeightsError(f"{path}: no VGG19: {key} is {tuple(tensor.shape)} instead of {tuple(shape)}")
        if not tensor.is_floating_point() or not tensor.float().isfinite().all():
            raise WeightsError(f"{path}: values that are no finite numbers in {key}")
