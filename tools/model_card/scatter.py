"""A scatter of numbers as SVG, on its own white so that it can be read on any page."""

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from model_card.svg import BLUE, DARK, GRAY, opening

SIDE = 520
_LEFT, _TOP, _INNER = 62, 34, 440
_STEP = 0.5


class Dot(NamedTuple):
    """A name, shown on hovering, and where it lies."""

    name: str
    x: float
    y: float


def scatter(title: str, across: str, up: str, dots: Sequence[Dot]) -> str:
    """Dots on two equal axes with 0 and the diagonal drawn; one that is not finite is left out.

    Args:
        title, across, up: words above the picture, and for the axes.
        dots: at least one of them finite.
    """
    dots = [dot for dot in dots if math.isfinite(dot.x) and math.isfinite(dot.y)]
    values = [0.0, *(value for dot in dots for value in (dot.x, dot.y))]
    low, high = math.floor(min(values) / _STEP) * _STEP, math.ceil(max(values) / _STEP) * _STEP
    scale = _INNER / (high - low or 1)

    def left(x: float) -> str:
        return f"{_LEFT + (x - low) * scale:.1f}"

    def top(y: float) -> str:
        return f"{_TOP + _INNER - (y - low) * scale:.1f}"

    lines = opening(title, SIDE, SIDE, _LEFT + _INNER / 2)
    for number in range(round((high - low) / _STEP) + 1):
        tick = low + number * _STEP
        colour = DARK if tick == 0 else GRAY
        style = f'stroke="{colour}" stroke-width="1"'
        lines += [
            f'<line x1="{left(tick)}" x2="{left(tick)}" y1="{_TOP}" y2="{_TOP + _INNER}" {style}/>',
            f'<line x1="{_LEFT}" x2="{_LEFT + _INNER}" y1="{top(tick)}" y2="{top(tick)}" {style}/>',
            f'<text x="{left(tick)}" y="{_TOP + _INNER + 18}" text-anchor="middle" fill="{DARK}">{tick:g}</text>',
            f'<text x="{_LEFT - 8}" y="{top(tick)}" text-anchor="end" dominant-baseline="middle" fill="{DARK}">'
            f"{tick:g}</text>",
        ]
    middle, bottom = _TOP + _INNER / 2, _TOP + _INNER + 38
    lines += [
        f'<line x1="{left(low)}" y1="{top(low)}" x2="{left(high)}" y2="{top(high)}" stroke="{DARK}" '
        'stroke-dasharray="6 4"/>',
        f'<text x="{_LEFT + _INNER / 2}" y="{bottom}" text-anchor="middle" fill="{DARK}">{escape(across)}</text>',
        f'<text transform="translate(18 {middle}) rotate(-90)" text-anchor="middle" fill="{DARK}">{escape(up)}</text>',
    ]
    for dot in dots:
        lines.append(
            f'<circle cx="{left(dot.x)}" cy="{top(dot.y)}" r="4.5" fill="{BLUE}" fill-opacity="0.75" '
            f'stroke="#ffffff"><title>{escape(dot.name)}: {dot.x:+z.2f}, {dot.y:+z.2f}</title></circle>'
        )
    return "\n".join([*lines, "</svg>", ""])
