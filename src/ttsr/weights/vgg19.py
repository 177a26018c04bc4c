"""VGG19's weights as torchvision publishes them, and the initialization of the texture extractor from them."""

import os
from pathlib import Path

import torch

from ttsr.errors import RecipeError, WeightsError
from ttsr.models.extractor import LearnableTextureExtractor
from ttsr.models.vgg import VGG19
from ttsr.models.vgg_layers import BLOCKS, LAYERS
from ttsr.progress import Progress
from ttsr.weights.cache import cache_path
from ttsr.weights.checkpoint_file import read_checkpoint
from ttsr.weights.download import fetch

URL = "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth"


def load_vgg19(
    file: str | os.PathLike[str] | None = None, progress: Progress | None = None, last: str = "relu5_1"
) -> VGG19:
    """Load VGG19 up to a layer, frozen, in eval mode, in fp32 on the CPU. Draws no random numbers.

    Args:
        file: in torchvision's layout (`features.0.weight` ...), a PyTorch file or safetensors; layers after `last` are
            ignored. By default torchvision's own file, from the cache or downloaded into it (548 MB).
        progress: of the download.
        last: the last layer, of `ttsr.models.vgg_layers.LAYERS`.

    Raises:
        WeightsError: the file is not found, not downloadable or unreadable, or a parameter is missing, not finite or
            of the wrong shape.
    """
    path = _published(progress) if file is None else Path(file)
    tensors = read_checkpoint(path).tensors
    with torch.device("meta"):
        vgg = VGG19(last)
    keys = (key.rpartition(".") for key in vgg.state_dict())
    theirs = {f"{conv}.{kind}": f"features.{LAYERS.index(conv)}.{kind}" for conv, _, kind in keys}
    if missing := [key for key in theirs.values() if key not in tensors]:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise WeightsError(f"{path}: not VGG19 in torchvision's layout ({missing[0]} is missing{more})")
    for ours, value in vgg.state_dict().items():
        key, tensor = theirs[ours], tensors[theirs[ours]]
        if tensor.shape != value.shape:
            raise WeightsError(f"{path}: not VGG19: {key} is {tuple(tensor.shape)} instead of {tuple(value.shape)}")
        if not tensor.is_floating_point() or not tensor.float().isfinite().all():
            raise WeightsError(f"{path}: values that are not finite numbers in {key}")
    # Copies, so that the memory of the classifier, most of the file, is freed.
    state = {ours: tensors[key].to(torch.float32, copy=True) for ours, key in theirs.items()}
    vgg.load_state_dict(state, assign=True)
    vgg.normalise.reset()
    return vgg.eval()


def start_extractor(extractor: LearnableTextureExtractor, vgg: VGG19) -> None:
    """Copy conv1_1 ... conv3_1 into an extractor, as both public implementations initialize it (section 3.1).

    Raises:
        RecipeError: the extractor's channels are not VGG19's. It stays as it was.
    """
    state = {key: value for key, value in vgg.state_dict().items() if key in extractor.state_dict()}
    widths = tuple(conv.out_channels for conv in (extractor.conv1_1, extractor.conv2_1, extractor.conv3_1))
    if widths != (needed := tuple(width for width, _ in BLOCKS[:3])):
        raise RecipeError(
            f"an extractor of {widths} channels cannot start from VGG19",
            f"leave model.extractor_channels at {needed}, or set extractor.start to random or contrastive",
        )
    extractor.load_state_dict(state)


def _published(progress: Progress | None) -> Path:
    try:
        return fetch(URL, progress)
    except WeightsError as error:
        if cache_path(URL).exists():  # a wrong or unreadable file, as the error says
            raise
        raise WeightsError(
            f"VGG19 is not downloadable ({error.what})",
            f"connect once, or download {URL} elsewhere and name the file (vgg19), or set extractor.start to random or "
            "contrastive",
        ) from None
