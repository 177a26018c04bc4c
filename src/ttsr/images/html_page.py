"""Pictures side by side as an HTML page: one self-contained file, in which the pictures of a section zoom in step.

A page is `page_start`, any HTML, and `page_end`. What zooms in step is an element of the class `picture` with
`tabindex="0"`, which holds a `figure_row`, or any other arrangement of `figure`s.
"""

import base64
import io
from collections.abc import Iterable, Iterator
from html import escape
from importlib.resources import files

import numpy as np
from PIL import Image

QUALITY = 92
"""WebP's quality: visually lossless, at a fifth of the size of a lossless file."""
LONGEST_SIDE = 16383
"""Pixels of WebP's longest side."""
# The page loads nothing, and runs no script but its own.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
_JOIN = 'for (const section of document.querySelectorAll(".picture")) joinZoom(section);\n'


def page_start(title: str, style: str = "") -> str:
    """The page up to the start of its body; `style` is CSS that comes after that of all pages."""
    styles = text_of("ttsr.images", "html_page.css"), text_of("ttsr.images", "synchronized_zoom.css"), style
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f"<style>\n{''.join(styles)}</style>\n</head>\n<body>\n"
    )


def page_end(script: str = "") -> str:
    """The end of the page, with zoom in step; `script` is JavaScript that comes after it, in the same module."""
    zoom = text_of("ttsr.images", "synchronized_zoom.js")
    return f'<script type="module">\n{zoom}{_JOIN}{script}</script>\n</body>\n</html>\n'


def text_of(package: str, name: str) -> str:
    """A text file of a package."""
    return files(package).joinpath(name).read_text("utf-8")


def image_uri(image: np.ndarray, *, lossless: bool = False) -> str:
    """An image, (H, W, 3) uint8, as a data URI of WebP, lossless or of `QUALITY`."""
    encoded = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(encoded, "WEBP", quality=QUALITY, lossless=lossless)
    return f"data:image/webp;base64,{base64.b64encode(encoded.getvalue()).decode('ascii')}"


def image_tag(uri: str, alt: str, **attributes: str) -> str:
    """An image; `class_` and `data_key` are the attributes `class` and `data-key`."""
    more = "".join(f' {name.strip("_").replace("_", "-")}="{escape(text)}"' for name, text in attributes.items())
    return f'<img{more} src="{uri}" alt="{escape(alt)}" draggable="false">'


def view(images: str, size: tuple[int, int]) -> str:
    """A frame around images that lie one over the other and zoom, with the proportions of (width, height)."""
    width, height = size
    return f'<div class="view" style="aspect-ratio: {width}/{height}; --ratio: {width / height:.4f}">{images}</div>'


def figure(shown: str, title: str, note: str = "") -> str:
    """A view or an image, with its title and a note below it; all but the title is HTML."""
    return f"<figure>{shown}<figcaption><b>{escape(title)}</b> {note}</figcaption></figure>\n"


def figure_row(figures: Iterable[str]) -> Iterator[str]:
    """Figures of equal width side by side, in as many lines as it takes, to be written one after the other."""
    yield '<div class="row">\n'
    yield from figures
    yield "</div>\n"
