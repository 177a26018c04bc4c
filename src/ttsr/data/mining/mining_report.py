"""`report.html`: counts, and twenty of the pairs to look at. One file that needs no network."""

from collections.abc import Iterable
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image

from ttsr.data.mining.crop_selection import Box
from ttsr.data.mining.mining_results import MinedPair, MiningSummary
from ttsr.data.mining.photo_folder import PhotoReader
from ttsr.errors import ImageError
from ttsr.images.html_page import figure, figure_row, image_tag, image_uri, page_end, page_start, view
from ttsr.images.panels import draw_frame

NUM_SHOWN = 20
_MAX_LISTED = 50
_PHOTO_SIDE, _FRAME_WIDTH = 480, 6
_STYLE = "figure > img { display: block; width: 100%; }\n.row { max-width: 58rem; }\n"


def write_report(path: Path, reader: PhotoReader, summary: MiningSummary) -> None:
    """Write the HTML page to `path`, beside input/ and ref/; `reader` shows again where the crops were taken from."""
    # At even steps from the least overlap to the greatest.
    ordered = sorted(summary.pairs, key=lambda pair: (pair.crop.overlap, pair.name))
    places = np.linspace(0, len(ordered) - 1, min(len(ordered), NUM_SHOWN))
    shown = [ordered[round(place)] for place in places]
    parts = [
        page_start("ttsr pairs", _STYLE),
        f"<h1>{len(summary.pairs)} pairs from {len(summary.photos)} photos</h1>\n",
        _counts(summary),
        f"<h2>{len(shown)} of the pairs, by rising overlap</h2>\n",
        "<p>From left: the input crop, its reference crop, and where each was taken from. Click a crop, then zoom both "
        "with the mouse wheel or <kbd>+</kbd> <kbd>-</kbd> <kbd>0</kbd>; on a touch screen, pinch.</p>\n",
        *(_section(pair, path.parent, reader) for pair in shown),
        *_list("Unreadable pictures", summary.unreadable.values()),
        *_list("Too small for the crops", (f"{name}: {size}" for name, size in summary.small.items())),
        *_list("Copies of one photo, left out", (f"{first} and {second}" for first, second in summary.duplicates)),
        page_end(),
    ]
    # The bytes of a name that is not UTF-8 are escaped.
    path.write_text("".join(parts), encoding="utf-8", errors="backslashreplace")


def _counts(summary: MiningSummary) -> str:
    rows = [
        (len(summary.photos), "photos read"),
        (len(summary.unreadable), "unreadable pictures"),
        (len(summary.small), "photos too small for the crops"),
        (summary.compared, "photo pairs compared"),
        (summary.matched, "photo pairs that show the same thing"),
        (len(summary.duplicates), "of these are copies of one photo, left out"),
        (len(summary.pairs), f"pairs of crops, from {len({pair.input for pair in summary.pairs})} photos"),
        *((count, f"positions rejected: {reason}") for reason, count in summary.rejected.most_common()),
    ]
    cells = "".join(f"<tr><td>{count:,}</td><th>{escape(what)}</th></tr>\n" for count, what in rows)
    overlaps = ", ".join(f"{overlap:.2f}" for overlap in summary.overlaps)
    return f"<table><tbody>\n{cells}</tbody></table>\n<p>Overlap: least, quartiles and greatest {overlaps}.</p>\n"


def _section(pair: MinedPair, data_set: Path, reader: PhotoReader) -> str:
    crop, name = pair.crop, f"{pair.name}.png"
    figures = [
        figure(_crop(data_set / "input" / name, "input crop"), "input crop"),
        figure(_crop(data_set / "ref" / name, "reference crop"), "reference crop"),
        figure(_photo(reader, pair.input, crop.box), pair.input),
        figure(_photo(reader, pair.reference, crop.ref_box), pair.reference),
    ]
    facts = (
        f"overlap {crop.overlap:.2f} · scale {crop.scale:.2f} · rotated {crop.rotation:.0f}° · "
        f"{pair.inliers} points agree"
    )
    return (
        f'<section class="picture" tabindex="0">\n<h3>{pair.name} <small>{facts}</small></h3>\n'
        f"{''.join(figure_row(figures))}</section>\n"
    )


def _crop(file: Path, text: str) -> str:
    with Image.open(file) as image:
        return view(image_tag(image_uri(np.asarray(image.convert("RGB"))), text), image.size)


def _photo(reader: PhotoReader, name: str, box: Box) -> str:
    """The whole photo, small, with the box drawn in."""
    try:
        photo = Image.fromarray(reader.pixels(name))
    except ImageError:
        return "<span>the photo is missing</span>"
    shrink = min(1.0, _PHOTO_SIDE / max(photo.size))
    small = photo.resize((max(1, round(photo.width * shrink)), max(1, round(photo.height * shrink)))).convert("RGB")
    corners = [box.left, box.top, box.left + box.width, box.top + box.height]
    left, top, right, bottom = (round(value * shrink) for value in corners)
    draw_frame(small, (left, top, right, bottom), width=_FRAME_WIDTH)
    return image_tag(image_uri(np.asarray(small)), name)


def _list(title: str, lines: Iterable[str]) -> list[str]:
    entries = list(lines)
    if not entries:
        return []
    more = f"<li>and {len(entries) - _MAX_LISTED} more</li>" if len(entries) > _MAX_LISTED else ""
    items = "".join(f"<li>{escape(entry)}</li>" for entry in entries[:_MAX_LISTED])
    return [f"<h2>{escape(title)}</h2>\n<ul>{items}{more}</ul>\n"]
