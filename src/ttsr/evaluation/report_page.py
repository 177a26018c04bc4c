"""The report as one self-contained HTML file: tables, and images side by side with synchronized zoom."""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import NamedTuple

from ttsr.evaluation.protocols import TITLES, Protocol, Score, title_with_arrow
from ttsr.evaluation.published_scores import CAUTION, FOOTNOTE, PUBLISHED_SCORES
from ttsr.evaluation.reference_choice import REFERENCE_LABELS
from ttsr.evaluation.report import Report, Row
from ttsr.evaluation.scored_picture import PictureScore, ScoredImages
from ttsr.images.html_page import QUALITY, figure, figure_row, image_tag, image_uri, page_end, page_start, text_of, view


class EncodedImage(NamedTuple):
    """One encoded image of the page: index of the picture in the test set, which image it is, and its data URI."""

    number: int
    part: str
    uri: str


def encode_images(
    score: PictureScore, images: ScoredImages, model: str, *, result_only: bool, lossless: bool
) -> list[EncodedImage]:
    """Encode the images of one picture as WebP.

    Args:
        score: the picture's scores.
        images: its images.
        model: the model's name.
        result_only: only the model's result, since another model's call has the rest.
        lossless: instead of quality 92.
    """
    parts = {f"by {model}": images.sr}
    if not result_only:
        parts |= {"LR": images.lr, "bicubic": images.bicubic, "ground truth": images.hr}
        if images.reference is not None:
            parts["reference"] = images.reference
    return [EncodedImage(score.number, part, image_uri(image, lossless=lossless)) for part, image in parts.items()]


def page(report: Report, data: str, encoded: Sequence[EncodedImage], *, lossless: bool) -> Iterator[str]:
    """The page in parts, to be written one after the other.

    Args:
        report: the scores; images are those of the first choice of references, sorted by gain under the first protocol.
        data: the test set's name.
        encoded: from `encode_images`, of all processes, in any order.
        lossless: how the images were encoded.
    """
    protocol, first = report.protocols[0], report.rows[0]
    shown = [row for row in report.rows if row.reference == first.reference]
    by_picture: dict[int, dict[str, str]] = defaultdict(dict)
    for image in encoded:
        by_picture[image.number][image.part] = image.uri
    yield (
        f"{page_start(f'{data}: scores', text_of('ttsr.evaluation', 'report_page.css'))}"
        f"<header>\n<h1>{escape(data)}</h1>\n<p>{report.counted}, upscaled four times. "
        "Scores are means over the pictures.</p>\n</header>\n"
    )
    yield _summary(report)
    yield _published()
    yield _controls(first, protocol, lossless)
    gains = [picture.gain(protocol).psnr for picture in first.pictures]
    # NaN comes last, as in the script.
    for place in sorted(range(report.num_pictures), key=lambda k: math.inf if math.isnan(gains[k]) else -gains[k]):
        yield _picture(shown, place, protocol, by_picture[first.pictures[place].number])
    yield f"</main>\n{page_end(text_of('ttsr.evaluation', 'report_page.js'))}"


def _summary(report: Report) -> str:
    head = "".join(f'<th colspan="{len(TITLES) + 1}">{escape(p.name)}</th>' for p in report.protocols)
    others = "".join(f"<th>{escape(title_with_arrow(field))}</th>" for field in Score._fields[1:])
    unit = f'<th class="first">{title_with_arrow("psnr")}, dB</th><th>gain over bicubic</th>{others}'
    units = unit * len(report.protocols)
    lines = [
        _line("bicubic", references, [(row.bicubic_mean(p), None) for p in report.protocols])
        for references, row in report.bicubic_rows(report.protocols)
    ]
    for row in report.rows:
        scores = [(row.model_mean(p), row.gain(p)) for p in report.protocols]
        lines.append(_line(row.model, REFERENCE_LABELS[row.reference], scores))
    notes = "".join(f"<p>{escape(note)}.</p>\n" for note in report.notes())
    return (
        f'<section>\n<h2>Measured scores</h2>\n<div class="scroll"><table>\n<thead><tr><th></th><th></th>{head}'
        f"</tr>\n<tr><th></th><th>references</th>{units}</tr></thead>\n<tbody>\n{''.join(lines)}</tbody>\n</table></div>\n"
        f"{notes}</section>\n"
    )


def _line(name: str, references: str, scores: Sequence[tuple[Score, Score | None]]) -> str:
    """A row of the summary: for each protocol the means, and except for bicubic itself the gain."""
    cells = "".join(
        f'<td class="first">{score.psnr:.2f}</td><td>{"" if gain is None else f"{gain.psnr:+.2f}"}</td>'
        f"{''.join(f'<td>{text}</td>' for text in score.texts()[1:])}"
        for score, gain in scores
    )
    return f"<tr><th>{escape(name)}</th><th>{escape(references)}</th>{cells}</tr>\n"


def _published() -> str:
    lines = "".join(
        f'<tr><th>{escape(row.marked_method)}</th><td class="first">{row.psnr:.2f}</td><td>{row.ssim:.3f}</td>'
        f"<th>{escape(row.protocol or 'not stated')}</th><th>{escape(row.references)}</th>"
        f"<th>{escape(row.source)}</th></tr>\n"
        for row in PUBLISHED_SCORES
    )
    return (
        f"<details open>\n<summary>Published scores on CUFED5</summary>\n<p><strong>{escape(CAUTION)}</strong></p>\n"
        '<div class="scroll"><table class="published">\n<thead><tr><th></th><th class="first">PSNR, dB</th>'
        "<th>SSIM</th><th>protocol</th><th>references</th><th>source</th></tr></thead>\n"
        f"<tbody>\n{lines}</tbody>\n</table></div>\n<p>{escape(FOOTNOTE)}</p>\n</details>\n"
    )


def _controls(first: Row, protocol: Protocol, lossless: bool) -> str:
    quality = "losslessly" if lossless else f"as WebP of quality {QUALITY}; scores are of the exact pixels"
    return (
        f"<main>\n<h2>Pictures</h2>\n<p>With {escape(REFERENCE_LABELS[first.reference])}; PSNR and SSIM by "
        f"{escape(protocol.name)}. Images are stored {quality}.</p>\n"
        '<div class="controls"><label>Sort by <select id="order"><option value="gain">gain over bicubic</option>'
        '<option value="bicubic">PSNR of bicubic</option><option value="name">name</option></select></label>\n'
        "<p>Click an image, then zoom with the mouse wheel or <kbd>+</kbd> <kbd>-</kbd> <kbd>0</kbd>, and pan by "
        "dragging or with the arrow keys; all images of its row move together. On a touch screen, pinch.</p></div>\n"
    )


def _picture(rows: Sequence[Row], place: int, protocol: Protocol, uris: Mapping[str, str]) -> str:
    own = rows[0].pictures[place]
    bicubic = own.bicubic[protocol.name]
    gain = own.gain(protocol).psnr
    width, height = own.size
    captions = [("LR", "LR", f"{width // 4}x{height // 4}")]
    if "reference" in uris:
        name = " + ".join(own.files) or "LR"
        if own.reference == "all" and len(own.files) > 1:
            name = f"{own.files[0]}, first of {len(own.files)}"
        captions.append(("reference", name, "reference"))
    captions.append(("bicubic", "bicubic", _score_text(bicubic)))
    for row in rows:
        score = row.pictures[place]
        text = f"{_score_text(score.model[protocol.name])}, {score.gain(protocol).psnr:+.2f}"
        captions.append((f"by {row.model}", row.model, text))
    captions.append(("ground truth", "ground truth", f"{width}x{height}"))
    figures = (
        figure(view(image_tag(uris[part], name, class_="lr" if part == "LR" else ""), own.size), name, escape(text))
        for part, name, text in captions
    )
    return (
        f'<section class="picture" tabindex="0" data-name="{escape(own.name)}" data-gain="{_number(gain)}" '
        f'data-bicubic="{_number(bicubic.psnr)}">\n<h3>{escape(own.name)} <small>{gain:+.2f} dB</small></h3>\n'
        f"{''.join(figure_row(figures))}</section>\n"
    )


def _number(value: float) -> str:
    """Format for JavaScript's `Number()`."""
    return f"{value:.6f}".replace("inf", "Infinity").replace("nan", "NaN")


def _score_text(score: Score) -> str:
    return f"{score.psnr:.2f} dB, {score.ssim:.4f}"
