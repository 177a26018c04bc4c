"""The files of a batch: which pictures are its inputs, and what each output is called."""

import os
import re
import stat
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ttsr.errors import ImageError, UserError
from ttsr.images.folders import pictures_in
from ttsr.images.formats import READ, format_for
from ttsr.images.georeference import keeps_georeference
from ttsr.system.files import refuse_leaving

# Outputs of earlier runs, by any --scale and --size.
_BY_DEFAULT = r"_x\d+|_\d+x\d*"


@dataclass(frozen=True)
class Job:
    """One picture to upscale, and the file to write.

    Attributes:
        source: the picture.
        target: the file.
        makes_folder: whether the file's folder is one that we make if it is missing.
        within: the folder that the file may not lie outside of, by whatever links; None where the file was named.
    """

    source: Path
    target: Path
    makes_folder: bool = False
    within: Path | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Naming:
    """How outputs are called that are not named one by one: NAME of NAME.jpg, the suffix, a dot and the extension.

    With `keeps_geotiff`, what is made from a GeoTIFF is one too, whatever the extension.

    Raises:
        ImageError: the suffix cannot be part of a file's name, or there is no such extension of a format to write.
    """

    suffix: str = "_x4"
    extension: str = "png"
    keeps_geotiff: bool = False

    def __post_init__(self) -> None:
        if any(part in self.suffix for part in ("/", os.sep, "\0")):
            raise ImageError(f"{self.suffix!r}: cannot be part of a file's name", "leave out slashes")
        format_for(f"x.{self.extension}")

    def of(self, name: str) -> str:
        """The output's name of an input's."""
        return f"{name}{self.suffix}.{self.extension}"

    def is_for(self, job: Job) -> bool:
        """Whether a job's output is called so."""
        own = self.for_source(job.source)
        return job.target.name in (own.of(job.source.stem), own.of(job.source.name))

    def for_source(self, source: Path) -> "Naming":
        """How the output of this input is called."""
        return replace(self, extension="tif") if self.keeps_geotiff and keeps_georeference(source) else self


def plan_jobs(
    inputs: Sequence[Path], out: str | None, naming: Naming | None = None, *, recursive: bool = False
) -> tuple[list[Job], list[str]]:
    """Pair every input with its output, and say what was left out. Nothing is written or made.

    Args:
        inputs: picture files, and folders that stand for all pictures in them. Hidden files and outputs of earlier
            runs are inputs only where they are named.
        out: a file's name for a single picture; a folder for several, or where it ends in a slash or exists.
            Without it NAME.jpg becomes NAME_x4.png beside it, and the pictures of FOLDER go to FOLDER_x4.
        naming: of outputs that `out` does not name.
        recursive: folders stand for the pictures in their sub-folders too; these keep their sub-folders in the output.

    Raises:
        ImageError: a folder without pictures, an `out` that cannot be what it must be, or several inputs that
            would become one file.
    """
    naming = naming or Naming()
    # os.path answers for a name that is too long for any file too.
    files = [path for path in inputs if not os.path.isdir(path)]
    folders = [path for path in inputs if os.path.isdir(path)]
    if out == "":
        raise ImageError("out '': names no file", "leave it away for NAME_x4.png, or give . for this folder")
    if out is not None and not out.endswith(("/", os.sep)) and not os.path.isdir(out):
        if len(files) == 1 and not folders:
            format_for(out)
            return [Job(files[0], Path(out))], []
        if os.path.exists(out):
            raise ImageError(f"{out}: is a file, and several pictures need a folder")
        if Path(out).suffix.lower() in READ:
            raise ImageError(f"{out}: names one picture, and there are several; name a folder")
    if folders and out is None and not naming.suffix:
        raise UserError(f"{folders[0]}: its pictures have no folder to go to", "name one for the output")
    placed = [
        Job(path, into, makes_folder=out is not None, within=into)
        for path in files
        for into in [Path(out) if out else path.parent]
    ]
    notes = []
    for folder in folders:
        whole = folder.resolve()
        target = Path(out) if out else whole.with_name(f"{whole.name}{naming.suffix}")
        found = pictures_in(folder, is_output=output_pattern(naming.suffix), recursive=recursive, without=target)
        if found.left_out:
            notes.append(f"{folder}: {found.left_out} outputs of earlier runs were left out; name them to upscale them")
        placed += [
            Job(path, target / path.parent.relative_to(folder), makes_folder=True, within=target)
            for path in found.pictures
        ]
    return _named(placed, naming), notes


def output_pattern(suffix: str = "") -> "re.Pattern[str]":
    """Matches an output's name without its extension, with that of the input as the first group.

    Outputs are those of earlier runs by any scale and size, and with `suffix`.
    """
    own = f"|{re.escape(suffix)}" if suffix else ""
    return re.compile(rf"(.+)(?:{_BY_DEFAULT}{own})", re.DOTALL)


def _named(placed: Sequence[Job], naming: Naming) -> list[Job]:
    """Jobs with a folder as their target: NAME_x4.png in it; inputs that differ in their suffix alone keep it."""
    count = Counter(job.target / job.source.stem for job in placed)
    jobs = []
    for job in placed:
        name = job.source.stem if count[job.target / job.source.stem] == 1 else job.source.name
        jobs.append(replace(job, target=job.target / naming.for_source(job.source).of(name)))
    for target, times in Counter(job.target for job in jobs).items():
        if times > 1:
            raise ImageError(f"{target}: {times} of the inputs would become this file; upscale them apart")
    return jobs


def prepare_target(job: Job) -> None:
    """See before the work that the output can be written, and make its folder if that is ours to make.

    Raises:
        UserError: the folder is missing, cannot be made or refuses files, the output cannot be a file, or a link leads
            out of the folder that it belongs in.
    """
    folder = job.target.parent
    check_place(job)
    if job.makes_folder:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ImageError(f"{folder}: the folder cannot be made ({error.strerror})") from None
    check_writable(job.target)


def check_place(job: Job) -> None:
    """See that no link leads the output out of the folder that it belongs in.

    Raises:
        UserError: one does.
    """
    if job.within is not None:
        refuse_leaving(job.target, job.within)


def check_writable(path: Path) -> None:
    """See before the work that a file can be written under this name; a link is followed. Nothing stays behind.

    Raises:
        UserError: the folder is missing or refuses files, the name is no file's, but a folder's or a device's, or the
            file is write-protected.
    """
    target = Path(os.path.realpath(path)) if os.path.islink(path) else path
    folder = target.parent
    if not os.path.exists(folder):
        raise UserError(f"{folder}: there is no such folder to write to")
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(f"{folder}: cannot be written to ({error.strerror})") from None
    try:
        mode = os.stat(target).st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror})") from None
    if stat.S_ISDIR(mode):
        raise UserError(f"{path}: is a folder; name another output")
    if not stat.S_ISREG(mode):  # to replace one of these would take it from other programs
        raise UserError(f"{path}: is a device or the like; name a file")
    if not os.access(target, os.W_OK):
        raise UserError(f"{path}: is write-protected", "name another file")
