"""`ttsr evaluate`."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

from cyclopts import Parameter

from ttsr.cli.shared_options import DeviceOption
from ttsr.data.cufed5 import Group, ReferenceChoice, list_groups
from ttsr.errors import DataError
from ttsr.options import DEFAULT_DEVICE

if TYPE_CHECKING:
    from ttsr.evaluation.protocols import Protocol
    from ttsr.evaluation.report import Report
    from ttsr.evaluation.report_page import Panel
    from ttsr.system.distributed import Runtime

ProtocolName = Literal["paper-y", "mmagic-rgb", "mmedit-rgb", "c2-matching", "c2-matching-rgb", "all"]
ReferenceName = ReferenceChoice | Literal["levels"]
T = TypeVar("T")


def evaluate(
    data: Path,
    *,
    model: Annotated[tuple[str, ...], Parameter(negative=())] = ("ttsr-lite",),
    reference: Annotated[tuple[ReferenceName, ...], Parameter(negative=())] = ("1",),
    protocol: Annotated[tuple[ProtocolName, ...], Parameter(negative=())] = ("paper-y", "mmagic-rgb"),
    device: DeviceOption = DEFAULT_DEVICE,
    pictures: Annotated[bool, Parameter(negative=())] = False,
    published: Annotated[bool, Parameter(negative=())] = False,
    csv: Path | None = None,
    json: Path | None = None,
    html: Path | None = None,
    lossless: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Score models on a test set in the layout of CUFED5, with bicubic as the baseline.

    Under torchrun or accelerate launch the processes share the pictures; the scores are those of a single process.

    Parameters
    ----------
    data
        The folder: NNN_0.png are the ground truths, NNN_1.png to NNN_5.png their references (.png or .jpg).
    model
        A name from the catalogue, a checkpoint file, or a URL. May be given several times.
    reference
        1 to 5: that reference; a picture without it uses its last one. all: all references of a picture at once.
        stacked: all of them on black squares of 500x500, one below the other, as in the paper. lr: the LR itself.
        none: no reference. unrelated: a reference of another picture, half the test set away. levels: 1 2 3 4 lr, the
        paper's table of similarity levels. May be given several times.
    protocol
        paper-y: Y, 8 bit, no border cropped (the paper and its authors). mmagic-rgb: RGB, floats, border of 4 cropped
        (MMagic 1.x). mmedit-rgb: RGB, 8 bit, border of 4 cropped (MMEditing 0.x). c2-matching: Y, 8 bit, border of 4
        cropped (C2-Matching, DATSR). c2-matching-rgb: the same in RGB. all: all of them. Each brings the references to
        size as its source does. May be given several times.
    pictures
        Print the scores of every picture too.
    published
        Print published scores of other methods too.
    csv
        Write the scores of every picture to this file.
    json
        Write the report to this file.
    html
        Write a page with the tables, and all images side by side, to this file.
    lossless
        Store the images of the page losslessly: the file is about five times as large.
    """
    from rich.console import Console

    from ttsr.cli.bars import progress_bar
    from ttsr.evaluation import report_files, report_page, report_table
    from ttsr.evaluation.protocols import PROTOCOLS
    from ttsr.evaluation.reference_choice import LEVELS
    from ttsr.system.distributed import Runtime
    from ttsr.weights.loading import locate

    runtime = Runtime(device)
    with runtime.together():
        outputs = [path for path in (csv, json, html) if path is not None]
        _check_outputs(outputs)
        groups = list_groups(data)
        with progress_bar("weights", shown=runtime.is_main) as progress:
            weights = {name: locate(name, progress) for name in dict.fromkeys(model)}
        if outputs:
            _refuse_inputs(outputs, groups, list(weights.values()))
    references: list[ReferenceChoice] = []
    for name in reference:
        references += LEVELS if name == "levels" else (name,)
    protocols = [p for name in protocol for p in (PROTOCOLS.values() if name == "all" else (PROTOCOLS[name],))]
    title = data.resolve().name
    try:
        encoding = None if html is None else "lossless" if lossless else "lossy"
        job = _Job(title, dict(_named(weights)), tuple(groups), _unique(references), _unique(protocols), encoding)
        report, panels = _score(job, runtime)
    finally:
        runtime.close()
    if not runtime.is_main:
        return
    failures: list[str] = []
    if csv is not None:
        failures += _write(csv, [report_files.as_csv(report)], errors="surrogateescape")
    if json is not None:
        failures += _write_json(json, report_files.as_json(report, data, runtime.device.type))
    if html is not None:
        failures += _write(html, report_page.page(report, title, panels, lossless=lossless), errors="backslashreplace")
    # Names are plain text, whatever brackets and colons they hold.
    console = Console(markup=False, emoji=False)
    if pictures:
        console.print(report_table.single_pictures(report))
    console.print(report_table.summary(report, f"{data}: {report.counted}"))
    for note in report.notes():
        console.print(note, soft_wrap=True)
    if published:
        console.print(report_table.published())
    if failures:
        raise DataError("; ".join(failures))


@dataclass(frozen=True)
class _Job:
    """What to score, and how.

    Attributes:
        title: the test set's name.
        models: checkpoint files by the models' names.
        groups: the pictures.
        references: the choices of references.
        protocols: how to score.
        encoding: of the page's images; None for no page.
    """

    title: str
    models: dict[str, Path]
    groups: tuple[Group, ...]
    references: tuple[ReferenceChoice, ...]
    protocols: "tuple[Protocol, ...]"
    encoding: Literal["lossless", "lossy"] | None


def _score(job: _Job, runtime: "Runtime") -> "tuple[Report, list[Panel]]":
    """The rows of every model, and the page's images if there is a page, gathered from all processes."""
    from ttsr.cli.bars import progress_bar
    from ttsr.evaluation.report import Report, make_rows
    from ttsr.evaluation.report_page import Panel, encode_panels
    from ttsr.evaluation.scored_picture import PictureScore, ScoredImages
    from ttsr.evaluation.scoring import evaluate
    from ttsr.weights.loading import load

    rows, encoded, count = [], list[Panel](), len(job.models)
    # All models at once, so that a bad file is reported before the first model is scored.
    with runtime.together():
        networks = {name: load(file) for name, file in job.models.items()}
    with progress_bar(f"{job.title}, {len(job.groups)} pictures", shown=runtime.is_main) as progress:
        for place, (name, network) in enumerate(networks.items()):

            def on_picture(score: PictureScore, images: ScoredImages, name: str = name, place: int = place) -> None:
                if job.encoding is not None and score.reference == job.references[0]:
                    lossless = job.encoding == "lossless"
                    encoded.extend(encode_panels(score, images, name, result_only=place > 0, lossless=lossless))

            with runtime.together():
                scores = evaluate(
                    network,
                    job.groups,
                    references=job.references,
                    protocols=job.protocols,
                    device=runtime.device,
                    on_picture=on_picture,
                    share=(runtime.rank, runtime.count),
                    progress=progress.part(place / count, (place + 1) / count),
                )
            rows += make_rows(name, runtime.gather(scores), job.references)
            assert len(rows[-1].pictures) == len(job.groups), "every process scores its share"
    return Report(job.protocols, tuple(rows)), runtime.gather(encoded)


def _unique(items: Sequence[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(items))


def _named(weights: dict[str, Path]) -> list[tuple[str, Path]]:
    """The name of each model in the report: a file's own name, unless two files share it."""
    plain = [file.name if file == Path(given) else given for given, file in weights.items()]
    return [
        (name if plain.count(name) == 1 else given, file)
        for name, (given, file) in zip(plain, weights.items(), strict=True)
    ]


def _check_outputs(outputs: Sequence[Path]) -> None:
    """Check before the work that the files can be written and differ."""
    from ttsr.inference.jobs import check_writable

    for path in outputs:
        check_writable(path)
        if sum(os.path.realpath(other) == os.path.realpath(path) for other in outputs) > 1:
            raise DataError(f"{path}: is given as two outputs", "name another file")


def _refuse_inputs(outputs: Sequence[Path], groups: Sequence[Group], weights: Sequence[Path]) -> None:
    from ttsr.system.files import refuse_overwriting

    pictures = [path for group in groups for path in (group.hr, *group.references.values())]
    refuse_overwriting(outputs, [*weights, *pictures])


def _write_json(path: Path, report: dict[str, object]) -> list[str]:
    import json

    return _write(path, [json.dumps(report, indent=1), "\n"], errors="strict")


def _write(path: Path, parts: Iterable[str], *, errors: str) -> list[str]:
    """Write a file completely or not at all, through a link to its target.

    Args:
        path: the file.
        parts: its text.
        errors: how to encode names that are not valid UTF-8.

    Returns:
        Error messages, so that the other files are still written.
    """
    from ttsr.system.files import atomic_path

    try:
        with (
            atomic_path(os.path.realpath(path)) as temporary,
            temporary.open("w", encoding="utf-8", errors=errors, newline="") as file,
        ):
            file.writelines(parts)
    except OSError as error:
        return [f"{path}: cannot be written ({error.strerror})"]
    return []
