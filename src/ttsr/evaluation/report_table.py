"""The report as tables for a terminal of 80 columns. Print them without markup and emoji: names are plain text."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.padding import Padding
from rich.table import Column, Table

from ttsr.evaluation.protocols import LOWER_IS_BETTER, TITLES, Score
from ttsr.evaluation.published_scores import CAUTION, FOOTNOTE, PUBLISHED_SCORES
from ttsr.evaluation.reference_choice import REFERENCE_LABELS
from ttsr.evaluation.report import Report
from ttsr.system.plain_text import plain


def summary(report: Report, title: str) -> Table:
    """Mean scores: below each protocol a row for bicubic, and one for each model and choice of references.

    If bicubic's scores depend on the references, it has a row for each choice of them.
    """
    table = _scores_table(plain(title))
    table.caption, table.caption_justify = _which_is_better(), "left"
    for protocol in report.protocols:
        table.add_row(protocol.name)
        for references, row in report.bicubic_rows([protocol]):
            table.add_row(_below("bicubic", references), *_cells(row.bicubic_mean(protocol), None))
        for row in report.rows:
            cells = _cells(row.model_mean(protocol), row.gain(protocol))
            table.add_row(_below(row.model, REFERENCE_LABELS[row.reference]), *cells)
        table.add_section()
    return table


def single_pictures(report: Report) -> Table:
    """Scores of single pictures: a row for each picture, below the protocol and the model."""
    table = _scores_table("pictures")
    for protocol in report.protocols:
        for row in report.rows:
            table.add_row(plain(f"{protocol.name}, {row.model}"))
            for picture in row.pictures:
                used = "+".join(picture.files) or REFERENCE_LABELS[row.reference]
                cells = _cells(picture.model[protocol.name], picture.gain(protocol))
                table.add_row(_below(f"{picture.name} with {used}"), *cells)
            table.add_section()
    return table


def published() -> Table:
    """Published scores, each under its own protocol."""
    texts = [Column("protocol", no_wrap=True), Column(""), Column("references")]
    table = _table("published scores on CUFED5", texts, ("PSNR, dB", "SSIM"))
    table.caption, table.caption_justify = f"{CAUTION}\n{FOOTNOTE}", "left"
    for row in PUBLISHED_SCORES:
        scores = (f"{row.psnr:.2f}", f"{row.ssim:.3f}")
        table.add_row(row.protocol or "not stated", row.marked_method, row.references, *scores)
    return table


def _scores_table(title: str) -> Table:
    numbers = ("PSNR\ndB", "gain\ndB", "SSIM", "MAE", "GMSD", "Haar\nPSI", "NIQE")
    return _table(title, [Column("", overflow="fold")], numbers)


def _table(title: str, texts: Sequence[Column], numbers: Sequence[str]) -> Table:
    columns = [*texts, *(Column(head, justify="right", no_wrap=True) for head in numbers)]
    return Table(*columns, title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)


def _below(*texts: str) -> Padding:
    """What a row is about, indented below its heading."""
    return Padding(plain(", ".join(filter(None, texts))), (0, 0, 0, 2))


def _which_is_better() -> str:
    lower = [title for field, title in TITLES.items() if field in LOWER_IS_BETTER]
    higher = [title for field, title in TITLES.items() if field not in LOWER_IS_BETTER]
    return f"Higher is better: {', '.join(higher)}. Lower is better: {', '.join(lower)}."


def _cells(score: Score, gain: Score | None) -> list[str]:
    psnr, *others = score.texts()
    return [psnr, "" if gain is None else f"{gain.psnr:+.2f}", *others]
