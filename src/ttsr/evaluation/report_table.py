"""The report as tables in a terminal, narrow enough for one of 80 columns.

To be printed by a console without markup and emoji codes: names are only text.
"""

from rich.table import Table

from ttsr.evaluation.protocols import Score
from ttsr.evaluation.published import CAUTION, MARK, PUBLISHED
from ttsr.evaluation.reference_choice import DESCRIBED
from ttsr.evaluation.report import Report


def summary(report: Report, title: str) -> Table:
    """For each protocol a row for bicubic and one for each model and choice of references.

    Where the references make a difference to bicubic too, it has a row for each choice of them.
    """
    table = _scores(title, "protocol", "", "references")
    for protocol in report.protocols:
        for place, (references, row) in enumerate(report.bicubic_rows([protocol])):
            name = protocol.name if place == 0 else ""
            table.add_row(name, "bicubic", references, *_cells(row.bicubic_mean(protocol), None))
        for row in report.rows:
            cells = _cells(row.model_mean(protocol), row.gain(protocol))
            table.add_row("", row.model, DESCRIBED[row.reference], *cells)
        table.add_section()
    return table


def single_pictures(report: Report) -> Table:
    """A row for each picture of each row of the summary."""
    table = _scores("pictures", "protocol", "", "picture", "references")
    for protocol in report.protocols:
        for row in report.rows:
            for place, picture in enumerate(row.pictures):
                used = "+".join(picture.files) or DESCRIBED[row.reference]
                heads = (protocol.name, row.model) if place == 0 else ("", "")
                cells = _cells(picture.model[protocol.name], picture.gain(protocol))
                table.add_row(*heads, picture.name, used, *cells)
            table.add_section()
    return table


def published() -> Table:
    """What others list, each under its own protocol."""
    table = Table(title="as published, on CUFED5", caption=f"{CAUTION}\n{MARK}", caption_justify="left")
    for name in ("protocol", "", "references"):
        table.add_column(name)
    for name in ("PSNR, dB", "SSIM"):
        table.add_column(name, justify="right")
    for figure in PUBLISHED:
        mark = "*" if figure.read == "not again" else ""
        protocol = figure.protocol or "not told"
        table.add_row(protocol, figure.method + mark, figure.references, f"{figure.psnr:.2f}", f"{figure.ssim:.3f}")
    return table


def _scores(title: str, *heads: str) -> Table:
    table = Table(title=title)
    for head in heads:
        table.add_column(head)
    for head in ("PSNR, dB", "SSIM", "over\nbicubic"):
        table.add_column(head, justify="right")
    return table


def _cells(score: Score, gain: Score | None) -> list[str]:
    return [f"{score.psnr:.2f}", f"{score.ssim:.4f}", "" if gain is None else f"{gain.psnr:+.2f}"]
