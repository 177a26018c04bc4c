"""`report.html`: counts, and twenty of the pairs to look at. One file that needs no network."""

import base64
import html
import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from ttsr.data.mining.crop_selection import Box
from ttsr.data.mining.mining_results import MinedPair, MiningSummary
from ttsr.data.mining.photo_folder import PhotoReader
from ttsr.errors import ImageError

NUM_SHOWN = 20
_MAX_LISTED = 50
_PHOTO_HEIGHT = 160
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
table { border-collapse: collapse; } td { padding: .1rem 1rem .1rem 0; vertical-align: top; }
td:first-child { font-variant-numeric: tabular-nums; text-align: right; }
figure { margin: 1.2rem 0; padding-top: 1rem; border-top: 1px solid #ddd; }
.row { display: flex; flex-wrap: wrap; gap: .6rem; align-items: center; }
img { max-width: 100%; } figcaption { color: #555; overflow-wrap: anywhere; }
"""


def write_report(path: Path, reader: PhotoReader, summary: MiningSummary) -> None:
    """Write the HTML page to `path`, beside input/ and ref/; `reader` shows again where the crops were taken from."""
    # At even steps from the least overlap to the greatest.
    ordered = sorted(summary.pairs, key=lambda pair: (pair.crop.overlap, pair.name))
    places = np.linspace(0, len(ordered) - 1, min(len(ordered), NUM_SHOWN))
    shown = [ordered[round(place)] for place in places]
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8"><title>ttsr pairs</title>',
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">",
        f"<style>{_STYLE}</style></head><body>",
        f"<h1>{len(summary.pairs)} pairs from {len(summary.photos)} photos</h1>",
        _counts(summary),
        f"<h2>{len(shown)} of the pairs, by rising overlap</h2>",
        "<p>From left: the input crop, its reference crop, and where each was taken from.</p>",
        *(_figure(pair, path.parent, reader) for pair in shown),
        *_list("Unreadable pictures", summary.unreadable.values()),
        *_list("Too small for the crops", (f"{name}: {size}" for name, size in summary.small.items())),
        *_list("Copies of one photo, left out", (f"{first} and {second}" for first, second in summary.duplicates)),
        "</body></html>",
    ]
    # The bytes of a name that is not UTF-8 are escaped.
    path.write_text("\n".join(parts) + "\n", encoding="utf-8", errors="backslashreplace")


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
    cells = "".join(f"<tr><td>{count:,}</td><td>{html.escape(what)}</td></tr>" for count, what in rows)
    overlaps = ", ".join(f"{overlap:.2f}" for overlap in summary.overlaps)
    return f"<table>{cells}</table><p>Overlap: least, quartiles and greatest {overlaps}.</p>"


def _figure(pair: MinedPair, data_set: Path, reader: PhotoReader) -> str:
    crop, name = pair.crop, f"{pair.name}.png"
    images = [
        _image(Image.open(data_set / "input" / name), "input crop"),
        _image(Image.open(data_set / "ref" / name), "reference crop"),
        _photo(reader, pair.input, crop.box),
        _photo(reader, pair.reference, crop.ref_box),
    ]
    caption = (
        f"<b>{pair.name}</b> · overlap {crop.overlap:.2f} · scale {crop.scale:.2f} · rotated {crop.rotation:.0f}° · "
        f"{pair.inliers} points agree<br>{html.escape(pair.input)} ← {html.escape(pair.reference)}"
    )
    return f'<figure><div class="row">{"".join(images)}</div><figcaption>{caption}</figcaption></figure>'


def _photo(reader: PhotoReader, name: str, box: Box) -> str:
    """The whole photo, small, with the box drawn in."""
    try:
        photo = Image.fromarray(reader.pixels(name))
    except ImageError:
        return "<span>the photo is missing</span>"
    shrink = min(1.0, _PHOTO_HEIGHT / photo.height)
    small = photo.resize((max(1, round(photo.width * shrink)), max(1, round(photo.height * shrink))))
    corners = [box.left, box.top, box.left + box.width, box.top + box.height]
    left, top, right, bottom = (round(value * shrink) for value in corners)
    draw = ImageDraw.Draw(small)
    draw.rectangle([left, top, right, bottom], outline="black", width=4)
    draw.rectangle([left + 1, top + 1, right - 1, bottom - 1], outline="yellow", width=2)
    return _image(small, name)


def _image(image: Image.Image, text: str) -> str:
    file = io.BytesIO()
    image.convert("RGB").save(file, "JPEG", quality=90, subsampling=0)
    data = base64.b64encode(file.getvalue()).decode()
    size = f'width="{image.width}" height="{image.height}"'
    return f'<img {size} alt="{html.escape(text)}" src="data:image/jpeg;base64,{data}">'


def _list(title: str, lines: Iterable[str]) -> list[str]:
    entries = list(lines)
    if not entries:
        return []
    more = f"<li>and {len(entries) - _MAX_LISTED} more</li>" if len(entries) > _MAX_LISTED else ""
    items = "".join(f"<li>{html.escape(entry)}</li>" for entry in entries[:_MAX_LISTED])
    return [f"<h2>{html.escape(title)}</h2><ul>{items}{more}</ul>"]
