"""What all our drawings begin with: a title on white of their own, so that they can be read on any page."""

from html import escape

BLUE, GRAY, DARK = "#0b62b8", "#c9ced4", "#24292f"


def opening(title: str, width: int, height: int, middle: float) -> list[str]:
    """The first lines of an SVG of `width` x `height`, its title centred at `middle`; `</svg>` is left to the caller."""
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="13">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="{middle}" y="22" text-anchor="middle" font-size="14" fill="{DARK}">{escape(title)}</text>',
    ]
