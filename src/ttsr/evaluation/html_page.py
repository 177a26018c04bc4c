"""What the HTML pages of this package share: one self-contained file, images within it, and synchronized zoom."""

import base64
import io
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


def page_start(title: str, *sheets: str) -> str:
    """The page up to the start of its body, with style sheets of this package after the shared one."""
    styles = "".join(_text(name) for name in ("html_page.css", "synchronized_zoom.css", *sheets))
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f"<style>\n{styles}</style>\n</head>\n<body>\n"
    )


def page_end(script: str) -> str:
    """The end of the page, with synchronized zoom and a script of this package."""
    return f'<script type="module">\n{_text("synchronized_zoom.js")}{_text(script)}</script>\n</body>\n</html>\n'


def image_uri(image: np.ndarray, *, lossless: bool = False) -> str:
    """An image, (H, W, 3) uint8, as a data URI of WebP, lossless or of `QUALITY`."""
    encoded = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(encoded, "WEBP", quality=QUALITY, lossless=lossless)
    return f"data:image/webp;base64,{base64.b64encode(encoded.getvalue()).decode('ascii')}"


def _text(name: str) -> str:
    return files("ttsr.evaluation").joinpath(name).read_text("utf-8")
