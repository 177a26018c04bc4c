"""`ttsr compare`."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from ttsr.cli.bars import progress_bar
from ttsr.cli.printing import say, tell
from ttsr.cli.shared_options import DeviceOption
from ttsr.errors import UserError
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
from ttsr.system.files import atomic_path, refuse_leaving, refuse_overwriting

if TYPE_CHECKING:
    from ttsr.evaluation.comparison import Comparison


def compare(
    lr: Path,
    *,
    ref: tuple[Path, ...] = (),
    max_refs: int = DEFAULT_MAX_REFS,
    recursive: Annotated[bool, Parameter(name=["--recursive", "-r"])] = False,
    truth: Path | None = None,
    base: Path | None = None,
    out: Annotated[Path | None, Parameter(name=["--out", "-o"])] = None,
    model: str = DEFAULT_MODEL,
    device: DeviceOption = DEFAULT_DEVICE,
    precision: PrecisionChoice = DEFAULT_PRECISION,
    search: Search = DEFAULT_SEARCH,
    pose: PoseSearch = DEFAULT_POSE,
    match_colour: MatchColour = DEFAULT_MATCH_COLOUR,
    ensemble: bool = False,
    threads: int | None = None,
    max_memory: str | None = None,
    lossless: bool = False,
) -> None:
    """Compare a picture upscaled with references, without any, and by bicubic, on an HTML page.

    Args:
        lr: The picture to upscale.
        ref: A sharp picture of the same thing; may be given several times. Or a folder, or a pattern in quotes: the
            photos in it that show the same thing are found and used.
        max_refs: Of photos in folders and patterns, use at most so many.
        recursive: Look through folders of references with their sub-folders.
        truth: The ground truth, four times as large as the picture: it is shown too, and the others are scored.
        base: The picture four times larger by another tool, shown too: the textures of references are added to it.
        out: The page to write, .html. Default: NAME_compared.html beside NAME.
        model: A name from the catalogue, a checkpoint file, a URL, or hf://OWNER/REPO.
        device: Where to compute: auto (a GPU if there is one), cpu, cuda, cuda:N for one of several GPUs, or mps.
        precision: As for `ttsr upscale`: fp32, tf32, bf16, fp16, or auto.
        search: How to match, as for `ttsr upscale`: exact, coherent, or auto.
        pose: Estimate scale and rotation of references, as for `ttsr upscale`: on, mirrored, off, or auto.
        match_colour: Match exposure and white balance of references, as for `ttsr upscale`: on, off, or auto.
        ensemble: The mean of four passes, over mirror images of the picture, as for `ttsr upscale`.
        threads: Threads of the CPU to compute with. Default: one for each core.
        max_memory: The most memory that this process may take, such as 4GiB or 3500MB.
        lossless: Store the images losslessly: the page is about five times as large.
    """
    from ttsr.cli.chosen_references import ReferenceChooser
    from ttsr.evaluation.comparison import check_sizes, compare as compared
    from ttsr.evaluation.comparison_page import comparison_page
    from ttsr.images.reading import read_picture
    from ttsr.inference.job_files import check_writable
    from ttsr.inference.references import read_reference
    from ttsr.inference.upscaler import Upscaler
    from ttsr.retrieval.reference_files import list_references
    from ttsr.system.memory import parse_bytes
    from ttsr.system.threads import use_threads

    if not ref:
        raise UserError(f"{lr}: nothing to compare with", "give at least one reference by --ref")
    page = lr.with_name(f"{lr.stem}_compared.html") if out is None else out
    if page.suffix.lower() not in (".html", ".htm"):
        raise UserError(f"{page}: is no page by its name", "name it .html")
    check_writable(page)
    extra = [path for path in (truth, base) if path is not None]
    given = list_references(ref, recursive=recursive)
    if out is None:
        refuse_leaving(page, page.parent)
    refuse_overwriting([page], [lr, *given.named, *given.candidates, *extra, Path(model)])
    chooser = ReferenceChooser(given, max_refs, without=extra, processes=threads)
    memory = None if max_memory is None else parse_bytes(max_memory)
    picture = read_picture(lr)
    target, below = (None if path is None else read_picture(path) for path in (truth, base))
    check_sizes(picture, target, lr_name=str(lr), truth_name=str(truth))
    references = [read_reference(path) for path in given.named]
    read = {lr: picture, **dict(zip(given.named, references, strict=True)), truth: target, base: below}
    for path, notes in ((path, each.notes) for path, each in read.items() if each is not None):
        for note in notes:
            say(f"{path}: {note}")
    if threads is not None:
        use_threads(threads)
    with progress_bar(model) as progress:
        upscaler = Upscaler(
            model,
            device=device,
            precision=precision,
            search=search,
            pose=pose,
            match_colour=match_colour,
            ensemble=ensemble,
            max_memory=memory,
            progress=progress,
        )
    if given.candidates:
        found = chooser.choose(upscaler, lr, picture)
        references += [reference.original for reference in found.references]
        if not references:
            raise UserError(f"{lr}: nothing to compare with", "name a photo of the same thing")
    with progress_bar(lr.name) as progress:
        comparison = compared(upscaler, picture, references, target, base=below, progress=progress)
    how = Path(model).name
    how += f", with the textures of references on top of {base.name}" if base is not None else ""
    how += ", as the mean of four passes over mirror images" if ensemble else ""
    try:
        with (
            atomic_path(os.path.realpath(page)) as temporary,
            temporary.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
        ):
            file.writelines(comparison_page(comparison, lr.name, how, lossless=lossless))
    except OSError as error:
        raise UserError(f"{page}: cannot be written ({error.strerror or error})") from None
    for note in comparison.result.notes[len(picture.notes) :]:
        say(f"{lr}: {note}")
    tell(f"{page}: {_summary(comparison)}")


def _summary(comparison: "Comparison") -> str:
    """What the command prints of a comparison."""
    matched = f"{100 * (1 - comparison.result.unmatched):.0f} % of the picture matched"
    if not comparison.scores:
        return matched
    decibels = ", ".join(f"{name} {score.psnr:.2f} dB" for name, score in comparison.scores.items())
    return f"{decibels}; {matched}"
