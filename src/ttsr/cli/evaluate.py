"""`ttsr evaluate`."""

import json as json_format
import os
from collections.abc import Iterable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Literal

from ttsr.cli.bars import progress_bar
from ttsr.cli.shared_options import DeviceOption
from ttsr.data.cufed5 import ReferenceChoice, list_groups
from ttsr.errors import DataError
from ttsr.evaluation.protocol_names import ProtocolName
from ttsr.options import (
    DEFAULT_DEVICE,
    DEFAULT_MATCH_COLOUR,
    DEFAULT_POSE,
    DEFAULT_SEARCH,
    MatchColour,
    PoseSearch,
    Search,
)
from ttsr.system.files import atomic_path, refuse_overwriting
from ttsr.system.plain_text import plain

ReferenceName = ReferenceChoice | Literal["levels"]


def evaluate(
    data: Path,
    *,
    model: tuple[str, ...] = ("ttsr-lite",),
    reference: tuple[ReferenceName, ...] = ("1",),
    protocol: tuple[ProtocolName | Literal["all"], ...] = ("paper-y", "mmagic-rgb"),
    device: DeviceOption = DEFAULT_DEVICE,
    search: Search = DEFAULT_SEARCH,
    pose: PoseSearch = DEFAULT_POSE,
    match_colour: MatchColour = DEFAULT_MATCH_COLOUR,
    pictures: bool = False,
    published: bool = False,
    csv: Path | None = None,
    json: Path | None = None,
    html: Path | None = None,
    save: Path | None = None,
    lossless: bool = False,
) -> None:
    """Score models on a test set in the layout of CUFED5, with bicubic as the baseline.

    Args:
        data: The test set, or CUFED with CUFED5 in it (CUFED5/ or test/CUFED5/), a folder or a ZIP: NNN_0.png are the
            ground truths, NNN_1.png to NNN_5.png their references (.png or .jpg).
        model: A name from the catalogue, a checkpoint file, a URL, or hf://OWNER/REPO. May be given several times.
        reference: 1 to 5: that reference; a picture without it uses its last one. all: all references of a picture at
            once. stacked: all of them on black squares of 500x500, one below the other, as in the paper. lr: the LR
            itself. none: no reference. unrelated: a reference of another picture, half the test set away. levels: 1 2 3
            4 lr, the paper's table of similarity levels. May be given several times.
        protocol: paper-y: Y, 8 bit, no border cropped (the paper and its authors). mmagic-rgb: RGB, floats, border of 4
            cropped (MMagic 1.x). mmedit-rgb: RGB, 8 bit, border of 4 cropped (MMEditing 0.x). c2-matching: Y, 8 bit,
            border of 4 cropped (C2-Matching, DATSR). c2-matching-rgb: the same in RGB. all: all of them. Each brings
            the references to size as its source does. May be given several times.
        device: Where to compute: auto (a GPU if there is one), cpu, cuda, cuda:N for one of several GPUs, or mps.
        search: How to match, as for `ttsr upscale`: exact, coherent, or auto.
        pose: Estimate scale and rotation of references, as for `ttsr upscale`: on, mirrored, off, or auto.
        match_colour: Match exposure and white balance of references, as for `ttsr upscale`: on, off, or auto.
        pictures: Print the scores of every picture too.
        published: Print published scores of other methods too.
        csv: Write the scores of every picture to this file.
        json: Write the report to this file.
        html: Write a page with the tables, and all images side by side, to this file.
        save: Write the SR pictures, under the first protocol, as PNG to this folder: NNN.png, in a folder for each
            model if there are several, and for each choice of references.
        lossless: Store the images of the page losslessly: the file is about five times as large.
    """
    from rich.console import Console

    from ttsr.evaluation import report_files, report_page, report_table
    from ttsr.evaluation.protocols import PROTOCOLS
    from ttsr.evaluation.reference_choice import LEVELS
    from ttsr.evaluation.report import Report, Row, make_rows
    from ttsr.evaluation.saved_pictures import SavedPictures
    from ttsr.evaluation.scored_picture import PictureScore, ScoredImages
    from ttsr.evaluation.scoring import evaluate as score
    from ttsr.inference.matching_choices import choose_matching
    from ttsr.system.distributed import Runtime
    from ttsr.weights.loading import load, locate

    with closing(Runtime(device)) as runtime:
        with runtime.together():
            outputs = [path for path in (csv, json, html) if path is not None]
            _check_outputs(outputs)
            groups = list_groups(data)
            with progress_bar("weights", shown=runtime.is_main) as progress:
                weights = {name: locate(name, progress) for name in dict.fromkeys(model)}
            inputs = [path for group in groups for path in group.files]
            refuse_overwriting(outputs, [*weights.values(), *inputs])
            # All models at once, so that a bad file is reported before the first model is scored.
            networks = {name: load(file) for name, file in _named(weights).items()}
            chosen: list[ReferenceChoice] = []
            for name in reference:
                chosen += LEVELS if name == "levels" else (name,)
            references = tuple(dict.fromkeys(chosen))
            saved = None if save is None else SavedPictures(save, list(networks), references)
            if saved is not None:
                refuse_overwriting(saved.files(groups), [*weights.values(), *inputs, *outputs])
                saved.make_folders()
        named = [p for name in protocol for p in (PROTOCOLS.values() if name == "all" else (PROTOCOLS[name],))]
        protocols = tuple(dict.fromkeys(named))
        title, rows, encoded = data.resolve().name, list[Row](), list[report_page.EncodedImage]()

        def keep(name: str, result_only: bool, score: PictureScore, images: ScoredImages) -> None:
            if html is not None and score.reference == references[0]:
                encoded.extend(
                    report_page.encode_images(score, images, name, result_only=result_only, lossless=lossless)
                )
            if saved is not None:
                saved.write(name, score, images)

        with progress_bar(f"{title}, {len(groups)} pictures", shown=runtime.is_main) as progress:
            for place, (name, network) in enumerate(networks.items()):
                with runtime.together():
                    scores = score(
                        network,
                        groups,
                        references=references,
                        protocols=protocols,
                        device=runtime.device,
                        matching=choose_matching(network.config, search=search, pose=pose, match_colour=match_colour),
                        on_picture=partial(keep, name, place > 0),
                        share=(runtime.rank, runtime.count),
                        progress=progress.part(place / len(networks), (place + 1) / len(networks)),
                    )
                rows += make_rows(name, runtime.gather(scores), references)
                assert len(rows[-1].pictures) == len(groups), "every process scores its share"
        report, encoded = Report(protocols, tuple(rows)), runtime.gather(encoded)
    if not runtime.is_main:
        return
    failures: list[str] = []
    if csv is not None:
        failures += _write(csv, [report_files.as_csv(report)], errors="surrogateescape")
    if json is not None:
        text = json_format.dumps(report_files.as_json(report, data, runtime.device.type), indent=1)
        failures += _write(json, [text, "\n"])
    if html is not None:
        failures += _write(html, report_page.page(report, title, encoded, lossless=lossless), errors="backslashreplace")
    # Names are plain text, whatever brackets and colons they hold.
    console = Console(markup=False, emoji=False)
    if pictures:
        console.print(report_table.single_pictures(report))
    console.print(report_table.summary(report, f"{data}: {report.counted}"))
    for note in report.notes():
        console.print(plain(note), soft_wrap=True)
    if published:
        console.print(report_table.published())
    if failures:
        raise DataError("; ".join(failures))


def _named(weights: dict[str, Path]) -> dict[str, Path]:
    """The files by the model's name in the report: a file's own name, unless two files share it."""
    plain = [file.name if file == Path(given) else given for given, file in weights.items()]
    named = zip(plain, weights.items(), strict=True)
    return {name if plain.count(name) == 1 else given: file for name, (given, file) in named}


def _check_outputs(outputs: list[Path]) -> None:
    """Check before the work that the files can be written and differ."""
    from ttsr.inference.job_files import check_writable

    for path in outputs:
        check_writable(path)
        if sum(os.path.realpath(other) == os.path.realpath(path) for other in outputs) > 1:
            raise DataError(f"{path}: is given as two outputs", "name another file")


def _write(path: Path, parts: Iterable[str], *, errors: str = "strict") -> list[str]:
    """Write a file completely or not at all, through a link; errors are returned, so that the others are written."""
    try:
        with (
            atomic_path(os.path.realpath(path)) as temporary,
            temporary.open("w", encoding="utf-8", errors=errors, newline="") as file,
        ):
            file.writelines(parts)
    except OSError as error:
        return [f"{path}: cannot be written ({error.strerror})"]
    return []
