"""`ttsr evaluate`."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from ttsr.data.cufed5 import ReferenceChoice, list_groups
from ttsr.errors import DataError
from ttsr.inference.choices import Device

if TYPE_CHECKING:
    from ttsr.evaluation import Report

ProtocolName = Literal["paper-y", "mmagic-rgb", "mmedit-rgb"]


def evaluate(
    data: Path,
    *,
    model: str = "ttsr-lite",
    reference: ReferenceChoice = "1",
    protocol: Annotated[tuple[ProtocolName, ...], Parameter(negative=())] = ("paper-y", "mmagic-rgb"),
    device: Device = "auto",
    pictures: Annotated[bool, Parameter(negative=())] = False,
    json: Path | None = None,
) -> None:
    """Score a model on a test set in the layout of CUFED5, with bicubic beside it.

    Parameters
    ----------
    data
        The folder: NNN_0.png are the truths, NNN_1.png to NNN_5.png their references (.png, .jpg).
    model
        A name from the catalogue, a checkpoint file, or a URL.
    reference
        1 to 5: that reference; a picture without it is given its last one. all: all of a picture's references
        at once. lr: the LR itself. unrelated: a reference of another picture, half the set away.
    protocol
        paper-y: Y, 8 bit, whole (the paper and its authors). mmagic-rgb: RGB, floats, border of 4 cut (MMagic
        1.x). mmedit-rgb: RGB, 8 bit, border of 4 cut (MMEditing 0.x). May be given several times.
    device
        Where to compute; auto takes a GPU if there is one.
    pictures
        Print every picture's scores too.
    json
        Write the report to this file.
    """
    from rich.console import Console

    from ttsr import evaluation
    from ttsr.cli.progress import LateBar
    from ttsr.files import refuse_overwriting
    from ttsr.inference.device import choose_device
    from ttsr.metrics.protocols import PROTOCOLS
    from ttsr.weights.loading import load, locate

    if json is not None and (os.path.isdir(json) or not os.path.isdir(json.parent)):
        raise DataError(f"{json}: no file can be written there")
    groups = list_groups(data)
    place = choose_device(device)
    weights = locate(model)
    if json is not None:
        read = [path for group in groups for path in (group.hr, *group.references.values())]
        refuse_overwriting([json], [weights, *read])
    network = load(weights, device=place)
    with LateBar(f"{data.name}, {len(groups)} pictures") as bar:
        done = 0

        def on_picture(_: evaluation.PictureScore) -> None:
            nonlocal done
            done += 1
            bar(done / len(groups))

        report = evaluation.evaluate(
            network,
            groups,
            reference=reference,
            protocols=[PROTOCOLS[name] for name in dict.fromkeys(protocol)],
            on_picture=on_picture,
        )
    name = weights.name if weights == Path(model) else model
    _print(report, data, name, Console(), pictures)
    if json is not None:
        _write(json, _as_json(report, data, model, str(next(network.parameters()).device)))


def _print(report: "Report", data: Path, model: str, console: Any, pictures: bool) -> None:
    """A table with a row for bicubic and one for the model, and before them one a picture if asked for."""
    from rich.table import Table

    table = Table(title=f"{data}: {len(report.pictures)} pictures, {_described(report.reference)}")
    table.add_column("")
    for protocol in report.protocols:
        table.add_column(f"{protocol.name}\nPSNR, dB", justify="right")
        table.add_column("\nSSIM", justify="right")
        table.add_column("over\nbicubic", justify="right")
    if pictures:
        for picture in report.pictures:
            cells = []
            for protocol in report.protocols:
                score, bicubic = picture.model[protocol.name], picture.bicubic[protocol.name]
                cells += [f"{score.psnr:.2f}", f"{score.ssim:.4f}", f"{score.psnr - bicubic.psnr:+.2f}"]
            table.add_row(f"{picture.name} {'+'.join(picture.references) or 'LR'}", *cells)
        table.add_section()
    for name, mean, gain in (("bicubic", report.bicubic_mean, None), (model, report.model_mean, report.gain)):
        cells = []
        for protocol in report.protocols:
            score = mean(protocol)
            over = f"{gain(protocol).psnr:+.2f}" if gain else ""
            cells += [f"{score.psnr:.2f}", f"{score.ssim:.4f}", over]
        table.add_row(name, *cells)
    console.print(table)
    if report.substituted:
        console.print(
            f"{len(report.substituted)} of {len(report.pictures)} without reference {report.reference}, "
            "which were given their last one",
            soft_wrap=True,
        )


def _described(reference: str) -> str:
    if reference.isdecimal():
        return f"reference {reference}"
    names = {"all": "all references", "lr": "the LR as the reference", "unrelated": "unrelated references"}
    return names[reference]


def _as_json(report: "Report", data: Path, model: str, device: str) -> dict[str, Any]:
    """For programs: the means, what they were taken from, and what with."""
    from importlib.metadata import version

    from ttsr import __version__

    def plain(value: float) -> float | None:
        # JSON has no infinity, which a perfect picture scores.
        return value if abs(value) != float("inf") and value == value else None

    def score(pair: Any) -> dict[str, float | None]:
        return {"psnr": plain(pair.psnr), "ssim": plain(pair.ssim)}

    return {
        "data": str(data),
        "model": model,
        "reference": report.reference,
        "protocols": {protocol.name: protocol.source for protocol in report.protocols},
        "means": {
            protocol.name: {
                "model": score(report.model_mean(protocol)),
                "bicubic": score(report.bicubic_mean(protocol)),
                "gain": score(report.gain(protocol)),
            }
            for protocol in report.protocols
        },
        "substituted": list(report.substituted),
        "pictures": [
            {
                "name": picture.name,
                "size": list(picture.size),
                "references": list(picture.references),
                "model": {name: score(pair) for name, pair in picture.model.items()},
                "bicubic": {name: score(pair) for name, pair in picture.bicubic.items()},
                "mean_relevance": round(picture.relevance, 5),
                "seconds": round(picture.seconds, 3),
            }
            for picture in report.pictures
        ],
        "device": device,
        "versions": {"ttsr": __version__}
        | {name: version(name) for name in ("torch", "numpy", "pillow", "scikit-image")},
    }


def _write(path: Path, report: dict[str, Any]) -> None:
    import json

    from ttsr.files import atomic_path

    try:
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(report, indent=1) + "\n")
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror})") from None
