"""The options of `ttsr upscale`, in the groups in which its help shows them."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Group, Parameter

from ttsr.cli.shared_options import DeviceOption
from ttsr.errors import UserError
from ttsr.images.formats import LOSSY, READ, format_for
from ttsr.images.writing import DEFAULT_QUALITY
from ttsr.inference.job_files import Job, Naming
from ttsr.inference.target_size import TargetSize, parse_size
from ttsr.options import (
    DEFAULT_DEVICE,
    DEFAULT_MATCH_COLOUR,
    DEFAULT_MAX_REFS,
    DEFAULT_MODEL,
    DEFAULT_POSE,
    DEFAULT_PRECISION,
    DEFAULT_SEARCH,
    MatchColour,
    PoseSearch,
    PrecisionChoice,
    Search,
)


@Parameter(name="*", group=Group("References", sort_key=1))
@dataclass(frozen=True)
class ReferenceOptions:
    """Where the textures come from.

    Attributes:
        ref: A sharp picture of the same thing; may be given several times. Or a folder, or a pattern such as
            'photos/*.jpg' in quotes: for each picture the photos in it that show the same thing are found and used.
        max_refs: Of photos in folders and patterns, use at most so many for a picture.
        ref_every: Of a film: take the sharpest of every so many of its own frames as a reference too, for frames that
            show the subject smaller.
        base: The picture four times larger by another tool, of a single picture to upscale: the textures are added to
            it in place of the model's own enlargement.
        search: exact compares every place of the LR with every place of the references, as published; its time grows
            with the product of their pixels. coherent searches coarse to fine, in a small part of that time for large
            pictures, and prefers matches that agree with their neighbours. auto is coherent for our own networks, and
            exact for the published ones.
        pose: Estimate scale and rotation of each reference, resample it so that it fits, and leave out references
            without anything that matches. mirrored tries mirror images too. auto is on for our own networks.
        match_colour: Bring exposure and white balance of the references to those of the picture, and keep the
            picture's colours. auto is on for our own networks.
    """

    ref: tuple[Path, ...] = ()
    max_refs: int = DEFAULT_MAX_REFS
    ref_every: int | None = None
    base: Path | None = None
    search: Search = DEFAULT_SEARCH
    pose: PoseSearch = DEFAULT_POSE
    match_colour: MatchColour = DEFAULT_MATCH_COLOUR


@Parameter(name="*", group=Group("Files", sort_key=2))
@dataclass(frozen=True)
class FileOptions:
    """What is read and written, and how.

    Attributes:
        out: The file to write (.png, .jpg, .webp or .tiff; of a film .mp4, .mov or .mkv), or a folder for several.
            Default: NAME_x4.png beside NAME, and FOLDER_x4 for a folder. A file that exists is replaced, but never an
            input.
        scale: How many times larger. The network upscales 4 times: results of 2 and 3 are resized, and 8 are two
            passes. Default: 4.
        size: Width and height of the results in pixels instead, such as 1920x1080; 1920x or x1080 keeps the
            proportions.
        format: Of files that --out does not name. Default: png, and tiff of a GeoTIFF.
        quality: Of JPEG and WebP, from 1 to 100, by default 95; of films, by default 80.
        suffix: Between name and extension of files that --out does not name. Default: _x4, as the scale is.
        recursive: Upscale the pictures in sub-folders too; the output has the same sub-folders. Folders of references
            are looked through with their sub-folders.
        skip_existing: Leave out pictures whose output exists already, to go on with an interrupted run.
        maps: A folder for the maps of each picture, in a sub-folder of its name: relevance, match confidence and
            provenance as pictures and arrays, and what came from which reference.
        json: Print JSON Lines for programs to stdout instead of lines for people: one object for each picture as it is
            done, and one for the run at the end.
    """

    out: Annotated[str | None, Parameter(name=["--out", "-o"])] = None
    scale: Literal[2, 3, 4, 8] | None = None
    size: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None
    format: Literal["png", "jpg", "webp", "tiff"] | None = None
    quality: int | None = None
    suffix: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None
    recursive: Annotated[bool, Parameter(name=["--recursive", "-r"])] = False
    skip_existing: bool = False
    maps: Path | None = None
    json: bool = False

    @property
    def target_size(self) -> TargetSize:
        """What --scale and --size say.

        Raises:
            UserError: they are no size, or both are given.
        """
        given = TargetSize() if self.size is None else parse_size(self.size)
        return replace(given, scale=self.scale)

    @property
    def naming(self) -> Naming:
        """How outputs are called that --out does not name.

        Raises:
            UserError: the suffix cannot be part of a name, or --format is not that of the file that --out names.
        """
        suffix = self.target_size.suffix if self.suffix is None else self.suffix
        naming = Naming(suffix, self.format or "png", keeps_geotiff=self.format is None)
        named = self.out is not None and READ.get(Path(self.out).suffix.lower())
        if self.format and named and named != format_for(naming.of("x")) and not os.path.isdir(self.out or ""):
            raise UserError(f"{self.out}: is not {self.format} by its name", "leave out --format, or rename it")
        return naming

    def check_quality(self, jobs: Iterable[Job]) -> int:
        """The quality, which must be possible, and mean something for all outputs if it was given.

        Raises:
            UserError: it does not.
        """
        if self.quality is None:
            return DEFAULT_QUALITY
        if not 1 <= self.quality <= 100:
            raise UserError(f"--quality {self.quality}: is not from 1 to 100")
        for job in jobs:
            if format_for(job.target) not in LOSSY:
                raise UserError(f"{job.target}: is written without loss", "leave out --quality, or write JPEG or WebP")
        return self.quality


@Parameter(name="*", group=Group("Computing", sort_key=3))
@dataclass(frozen=True)
class ComputingOptions:
    """With what, where and how exactly to compute.

    Attributes:
        model: A name from the catalogue, a checkpoint file, a URL, or hf://OWNER/REPO.
        device: Where to compute: auto (a GPU if there is one), cpu, cuda, cuda:N for one of several GPUs, or mps.
        precision: fp32 is exact; bf16 and fp16 compute in 16 bits, faster where the hardware does so; tf32 is fp32
            with rounded products, on CUDA. auto is bf16 for our own networks where the hardware computes in it, else
            fp32.
        ensemble: The mean of four passes, over mirror images of the picture: a little better, in four times the time.
        threads: Threads of the CPU to compute with. Default: one for each core.
        max_memory: The most memory that this process may take, such as 4GiB or 3500MB (on CUDA: of the GPU's). Default:
            a share of what is free. With less, more is computed twice.
        plan: Only print how long it will take and how much memory, for each picture.
    """

    model: str = DEFAULT_MODEL
    device: DeviceOption = DEFAULT_DEVICE
    precision: PrecisionChoice = DEFAULT_PRECISION
    ensemble: bool = False
    threads: int | None = None
    max_memory: str | None = None
    plan: bool = False
