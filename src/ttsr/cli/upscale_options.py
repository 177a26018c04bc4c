"""The options of `ttsr upscale`, in the groups in which its help shows them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Group, Parameter

from ttsr.cli.shared_options import DeviceOption
from ttsr.options import DEFAULT_DEVICE, DEFAULT_MODEL, DEFAULT_PRECISION, DEFAULT_SEARCH, Precision, Search


@Parameter(name="*", group=Group("References", sort_key=1))
@dataclass(frozen=True)
class ReferenceOptions:
    """Where the textures come from.

    Attributes:
        ref: A sharp picture of the same thing; may be given several times. Without any, each picture is its own
            reference.
        search: exact compares every place of the LR with every place of the references, as published; its time grows
            with the product of their pixels. coherent searches coarse to fine, in a small part of that time for large
            pictures, and prefers matches that agree with their neighbours.
    """

    ref: Annotated[tuple[Path, ...], Parameter(show_default=False)] = ()
    search: Search = DEFAULT_SEARCH


@Parameter(name="*", group=Group("Output", sort_key=2))
@dataclass(frozen=True)
class OutputOptions:
    """What is written, and where.

    Attributes:
        out: The file to write (.png, .jpg, .webp or .tiff), or a folder for several. Default: NAME_x4.png beside NAME,
            and FOLDER_x4 for a folder. A file that exists is replaced, but never an input.
        json: Print JSON Lines for programs to stdout instead of lines for people: one object for each picture as it is
            done, and one for the run at the end.
    """

    out: Annotated[str | None, Parameter(name=["--out", "-o"])] = None
    json: Annotated[bool, Parameter(show_default=False)] = False


@Parameter(name="*", group=Group("Computing", sort_key=3))
@dataclass(frozen=True)
class ComputingOptions:
    """With what, where and how exactly to compute.

    Attributes:
        model: A name from the catalogue, a checkpoint file, or a URL.
        device: Where to compute: auto (a GPU if there is one), cpu, cuda, cuda:N for one of several GPUs, or mps.
        precision: fp32 is exact; bf16 and fp16 are faster on GPUs; tf32 is fp32 with rounded products, on CUDA.
    """

    model: str = DEFAULT_MODEL
    device: DeviceOption = DEFAULT_DEVICE
    precision: Precision = DEFAULT_PRECISION
