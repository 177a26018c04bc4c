"""Loading a network by name, file, URL or repository of the Hugging Face Hub."""

import os
from pathlib import Path

import torch

from ttsr.errors import WeightsError
from ttsr.models.ttsr import TTSR
from ttsr.progress import Progress
from ttsr.system.device import choose_device
from ttsr.weights.assembly import assemble
from ttsr.weights.catalog import BundledWeights, available_weights
from ttsr.weights.checkpoint_file import read_checkpoint
from ttsr.weights.download import fetch
from ttsr.weights.hub import HUB, fetch_from_hub, parse_hub_name


def load(
    name_or_file_or_url: str | os.PathLike[str],
    *,
    device: str | torch.device = "cpu",
    progress: Progress | None = None,
) -> TTSR:
    """Load a network with its weights, in eval mode, in fp32.

    Args:
        name_or_file_or_url: a name of the catalogue (`available_weights`), an https URL, a file of the Hugging Face
            Hub as `hf://owner/repo[/file][@revision]` (needs the extra `hub`), or a file: safetensors of this package,
            the authors' `TTSR.pt`, or MMEditing's or MMagic's `.pth`.
        device: "auto" selects a GPU if there is one.
        progress: of a download.

    Raises:
        UserError: the device is not available.
        WeightsError: the name is unknown, the file is not found, the URL is not downloadable, or the content is not a
            complete TTSR.
    """
    place = choose_device(device)
    path = locate(name_or_file_or_url, progress)
    return assemble(read_checkpoint(path), str(path)).to(place)


def locate(name_or_file_or_url: str | os.PathLike[str], progress: Progress | None = None) -> Path:
    """The local file of what `load` takes, downloaded if necessary. A file need not exist.

    Raises:
        WeightsError: the name is unknown, or what it stands for is not downloadable.
    """
    if not isinstance(name_or_file_or_url, str):
        return Path(name_or_file_or_url)
    names = available_weights()
    if entry := names.get(name_or_file_or_url):
        return entry.file if isinstance(entry, BundledWeights) else fetch(entry.url, progress)
    if name_or_file_or_url.startswith(("http://", "https://")):
        return fetch(name_or_file_or_url, progress)
    if name_or_file_or_url.startswith(HUB):
        return fetch_from_hub(parse_hub_name(name_or_file_or_url), progress)
    path = Path(name_or_file_or_url)
    # Unlike Path's, not raising on a name that is too long.
    if os.path.exists(path) or path.suffix in (".safetensors", ".pt", ".pth"):
        return path
    what = f"no weights are named {name_or_file_or_url}, and there is no such file"
    raise WeightsError(what, f"name a file, a URL, hf://OWNER/REPO, or one of {', '.join(names)}")
