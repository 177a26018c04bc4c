"""The comparison of one picture as a self-contained HTML file.

A slider between any two images, all of them with synchronized zoom, maps of relevance, confidence and provenance, and
the references, in which the source of each place of the result lights up.
"""

from collections.abc import Iterator
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ttsr.evaluation.comparison import Comparison, pixels_of
from ttsr.evaluation.comparison_data import comparison_data
from ttsr.evaluation.protocols import PAPER_Y, TITLES, title_with_arrow
from ttsr.images.heat_maps import over_gray, viridis
from ttsr.images.html_page import QUALITY, figure, figure_row, image_tag, image_uri, page_end, page_start, text_of, view
from ttsr.images.picture import Picture
from ttsr.images.provenance_maps import place_colours, reference_in_colours
from ttsr.images.resize import SCALE, resize_bicubic
from ttsr.inference.maps import mapped_references, matched_index

# Larger references are shown at this size; places are told in their own pixels all the same.
_REFERENCE_SIDE = 2048
_MARK = '<i class="mark"></i>'
# Images that are no maps, which are called by their keys.
_NAMES = {
    "bicubic": "bicubic",
    "base": "base",
    "without": "without a reference",
    "with": "with references",
    "truth": "ground truth",
}


def comparison_page(comparison: Comparison, name: str, how: str, *, lossless: bool = False) -> Iterator[str]:
    """The page in parts, to be written one after the other.

    Args:
        comparison: what to show.
        name: of the LR picture.
        how: the model's name, and what else is to be said of how the results were made.
        lossless: store the images losslessly, but for maps and references.
    """
    result, (width, height) = comparison.result, comparison.lr.size
    fits = "; ".join(
        f"{Path(reference.source.name).name}: {reference.fit or 'used as it is'}" for reference in result.references
    )
    yield (
        f"{page_start(f'{name}: compared', text_of('ttsr.evaluation', 'comparison_page.css'))}"
        f"<header>\n<h1>{escape(name)}</h1>\n"
        f"<p>{width}x{height}, upscaled to {SCALE * width}x{SCALE * height} by {escape(how)}. {escape(fits)}. "
        f"{100 * result.unmatched:.0f} % found no match.</p>\n</header>\n"
    )
    yield _scores(comparison)
    images = _images(comparison)
    yield _controls([*images], lossless)
    over = (
        '<img id="left" alt="" draggable="false"><div class="over"><img id="right" alt="" draggable="false"></div>'
        f'<b class="divider"></b>{_MARK}<span class="tag"></span><span class="tag"></span>'
    )
    yield (
        '<main>\n<section class="picture" id="slider" tabindex="0" aria-label="the two images, one over the other">\n'
        f"<figure>{view(over, (width, height))}</figure>\n</section>\n<aside>\n"
        '<output id="told" aria-live="polite">Click a place: its source lights up in the reference.</output>\n'
    )
    yield from _references(comparison)
    yield '</aside>\n<section class="picture" id="all" tabindex="0" aria-label="all images">\n'
    yield from figure_row(_figure(comparison, key, pixels, lossless=lossless) for key, pixels in images.items())
    yield (
        f'</section>\n</main>\n<script type="application/json" id="data">{comparison_data(result)}</script>\n'
        f"{page_end(text_of('ttsr.evaluation', 'comparison_page.js'))}"
    )


def _images(comparison: Comparison) -> dict[str, NDArray[np.uint8]]:
    """All images of the result's shape, (4h, 4w, 3), those that are compared first, and then the maps."""
    result, lr = comparison.result, comparison.lr.in_eight_bits().rgb
    images = {
        "bicubic": comparison.bicubic,
        **({} if comparison.base is None else {"base": comparison.base}),
        "without": pixels_of(comparison.without),
        "with": pixels_of(result),
    }
    if comparison.truth is not None:
        images["truth"] = comparison.truth
    side = SCALE * max(lr.shape[:2])
    for key, values in ("relevance", result.relevance), ("confidence", result.confidence.mean(-1)):
        images[key] = np.asarray(over_gray(viridis(values), lr, longest_side=side))
    index = matched_index(result)
    colours = place_colours(index, mapped_references(result, comparison.lr))
    images["provenance"] = np.asarray(over_gray(colours, lr, index[..., 0] >= 0, longest_side=side))
    return images


def _figure(comparison: Comparison, key: str, pixels: NDArray[np.uint8], *, lossless: bool) -> str:
    """One of all the images; maps are never stored losslessly."""
    image = image_tag(image_uri(pixels, lossless=lossless and key in _NAMES), _title(key), data_key=key)
    return figure(view(image + _MARK, comparison.lr.size), _title(key), _caption(comparison, key))


def _title(key: str) -> str:
    return _NAMES.get(key, key)


def _caption(comparison: Comparison, key: str) -> str:
    """What stands after the name of an image."""
    if key in comparison.scores:
        score = comparison.scores[key]
        return f"{score.psnr:.2f} dB, {score.ssim:.4f}"
    if key == "without" and comparison.without.own_reference:
        return "the picture is its own"
    key_of_colours = '<span class="key">0 <i></i> 1</span>'
    return {
        "relevance": f"cosine of the best match {key_of_colours}",
        "confidence": f"how far textures are let in {key_of_colours}",
        "provenance": "the colour of the place in the reference; gray: no match",
    }.get(key, "")


def _scores(comparison: Comparison) -> str:
    if not comparison.scores:
        return ""
    head = "".join(f"<th>{title_with_arrow(metric)}</th>" for metric in TITLES)
    lines = "".join(
        f"<tr><th>{escape(_title(key))}</th>{''.join(f'<td>{text}</td>' for text in score.texts())}</tr>\n"
        for key, score in comparison.scores.items()
    )
    return (
        f'<div class="scroll"><table>\n<thead><tr><th></th>{head}</tr></thead>\n<tbody>\n{lines}</tbody>\n'
        "</table></div>\n"
        f"<p><small>By {PAPER_Y.name}: PSNR, in dB, SSIM and MAE of Y. Arrows point to the better.</small></p>\n"
    )


def _controls(keys: list[str], lossless: bool) -> str:
    def select(side: str, chosen: str) -> str:
        options = "".join(
            f'<option value="{key}"{" selected" * (key == chosen)}>{escape(_title(key))}</option>' for key in keys
        )
        return f'<select id="of-{side}">{options}</select>'

    stored = "losslessly" if lossless else f"as WebP of quality {QUALITY}"
    return (
        f'<div class="controls"><label>left {select("left", "bicubic")}</label><label>right {select("right", "with")}'
        '</label><label class="long">divider <input id="split" type="range" min="0" max="100" step="1" value="50">'
        '</label><label><input id="coloured" type="checkbox"> reference in the colours of provenance</label></div>\n'
        "<details>\n<summary>Mouse, keys and touch</summary>\n"
        "<p>Click a place, or move there with <kbd>Shift</kbd> and the arrow keys, with the focus on an image: its "
        "source lights up in the reference. Zoom with the mouse wheel after a click, or <kbd>+</kbd> <kbd>-</kbd> "
        "<kbd>0</kbd>; pan by dragging or with the arrow keys. <kbd>,</kbd> and <kbd>.</kbd> move the divider, "
        "<kbd>x</kbd> swaps the sides, <kbd>Escape</kbd> puts the light out. On a touch screen tap and pinch. "
        f"Images are stored {stored}.</p>\n</details>\n"
    )


def _references(comparison: Comparison) -> Iterator[str]:
    mapped = mapped_references(comparison.result, comparison.lr)
    for number, reference in enumerate(comparison.result.references):
        pixels = reference.original.rgb
        height, width = pixels.shape[:2]
        from_one = f"{number + 1}: {Path(reference.source.name).name}"
        side = min(_REFERENCE_SIDE, max(width, height))
        coloured = np.asarray(reference_in_colours(number, mapped, side))
        plain = Picture(pixels).in_eight_bits().rgb
        if plain.shape != coloured.shape:
            plain = resize_bicubic(plain, coloured.shape[1], coloured.shape[0])
        plain_image = image_tag(image_uri(plain), from_one)
        coloured_image = image_tag(image_uri(coloured), f"{from_one} in colours", class_="coloured")
        note = f"{'x'.join(map(str, reference.source.size))}, {escape(mapped[number].captions[1])}"
        yield (
            f'<section class="picture reference" tabindex="0" aria-label="reference {number + 1}">\n'
            f"{figure(view(plain_image + coloured_image + _MARK, (width, height)), from_one, note)}</section>\n"
        )
