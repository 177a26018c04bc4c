"""Draws docs/images/architecture-*.svg, the networks as boxes and arrows: `python tools/architecture_figures.py`.

One figure of the network as published, one of `ttsr-lite`, each for light and for dark pages. Sizes are those of
`TTSRConfig` and of the weights that ship.
"""

from dataclasses import dataclass, field
from html import escape
from pathlib import Path

import ttsr
from ttsr import TTSRConfig

FOLDER = Path(__file__).parents[1] / "docs/images"
THEMES = {
    "light": {
        "text": "#1f2328", "soft": "#59636e", "line": "#59636e", "box": "#f6f8fa", "edge": "#8c959f", "ours": "#8250df",
        "ours-box": "#f3ecff", "texture": "#0969da", "texture-box": "#e3f0ff", "relevance": "#bc4c00",
        "page": "#ffffff",
    },
    "dark": {
        "text": "#e6edf3", "soft": "#9198a1", "line": "#9198a1", "box": "#21262d", "edge": "#6e7681", "ours": "#bc8cff",
        "ours-box": "#2e2344", "texture": "#58a6ff", "texture-box": "#152b4a", "relevance": "#ffa657",
        "page": "#161b22",
    },
}  # fmt: skip
WIDTH = 1240
# Middles of the lanes of the three grids.
LANES = {1: 520, 2: 430, 4: 340}
ARROW = 7


@dataclass
class Drawing:
    """An SVG that grows; colours are names of a theme.

    Attributes:
        theme: colours by name.
        height: in pixels.
        parts: the elements.
    """

    theme: dict[str, str]
    height: int
    parts: list[str] = field(default_factory=list)

    def box(
        self, x: float, y: float, width: float, height: float, *lines: str, style: str = "box", titles: int = 1
    ) -> None:
        """A box around a middle, with titles and softer lines below."""
        fill = self.theme[{"box": "box", "ours": "ours-box", "texture": "texture-box"}[style]]
        edge = self.theme[{"box": "edge"}.get(style, style)]
        self.parts.append(
            f'<rect x="{x - width / 2:g}" y="{y - height / 2:g}" width="{width:g}" height="{height:g}" rx="6" '
            f'fill="{fill}" stroke="{edge}"/>'
        )
        top = y - 7.5 * (len(lines) - 1)
        for number, line in enumerate(lines):
            is_title = number < titles
            self.text(x, top + 15 * number, line, "text" if is_title else "soft", 13 if is_title else 11)

    def text(self, x: float, y: float, text: str, colour: str = "soft", size: int = 12, anchor: str = "middle") -> None:
        """A line of text whose middle is at y."""
        self.parts.append(
            f'<text x="{x:g}" y="{y + 0.35 * size:g}" font-size="{size}" text-anchor="{anchor}" '
            f'fill="{self.theme[colour]}">{escape(text)}</text>'
        )

    def arrow(self, *points: tuple[float, float], colour: str = "line", head: bool = True) -> None:
        """A line through points, level or upright at its end, where it has a head."""
        (x0, y0), (x, y) = points[-2:]
        dx, dy = (x > x0) - (x < x0), (y > y0) - (y < y0)
        line = [*points[:-1], (x - ARROW * dx, y - ARROW * dy)] if head else points
        path = " ".join(f"{a:g},{b:g}" for a, b in line)
        stroke = self.theme[colour]
        self.parts.append(f'<polyline points="{path}" fill="none" stroke="{stroke}" stroke-width="1.5"/>')
        if head:
            back = (x - ARROW * dx, y - ARROW * dy)
            wing = ARROW * 0.6
            corners = [(x, y), (back[0] + wing * dy, back[1] + wing * dx), (back[0] - wing * dy, back[1] - wing * dx)]
            self.parts.append(f'<polygon points="{" ".join(f"{a:g},{b:g}" for a, b in corners)}" fill="{stroke}"/>')

    def svg(self, title: str) -> str:
        """The whole."""
        size = f'viewBox="0 0 {WIDTH} {self.height}" width="{WIDTH}" height="{self.height}"'
        back = f'<rect width="{WIDTH}" height="{self.height}" rx="10" fill="{self.theme["page"]}"/>'
        head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" font-family="system-ui, sans-serif">'
        return "\n".join([head, f"<title>{escape(title)}</title>", back, *self.parts, "</svg>", ""])


def figure(config: TTSRConfig, theme: str) -> str:
    """The network of these sizes as SVG."""
    has_trunk = config.trunk_channels > 0
    drawing = Drawing(THEMES[theme], 680 if has_trunk else 600)
    _matching(drawing, config)
    _synthesis(drawing, config)
    _legend(drawing, has_trunk)
    return drawing.svg("ttsr-lite" if has_trunk else "TTSR as published")


def _matching(drawing: Drawing, config: TTSRConfig) -> None:
    """The upper half: extractor, relevance embedding, hard attention."""
    fine, middle, coarse = config.extractor_channels
    is_refined = config.refinement_radius > 0
    rows = {"LR ↑4": (45, "bicubic"), "Ref ↓4 ↑4": (105, "blurred as the LR is"), "Ref": (165, "sharp")}
    for name, (y, what) in rows.items():
        drawing.box(80, y, 130, 44, name, what)
        drawing.arrow((145, y), (185, y))
    drawing.box(
        255, 105, 140, 164, "Learnable texture", "extractor", "layers of VGG19,", "one for all three;",
        f"{coarse} / {middle} / {fine}", "channels at 1x, 2x, 4x", titles=2,
    )  # fmt: skip
    drawing.arrow((325, 55), (395, 55))
    drawing.text(360, 43, "Q", "text")
    drawing.arrow((325, 105), (395, 105))
    drawing.text(360, 93, "K", "text")
    how = ("of Q and K, coarse to fine;",) if is_refined else ("of Q with every one of K;",)
    patches = "cosine of 3x3 patches" if is_refined else "cosine of every 3x3 patch"
    drawing.box(475, 80, 160, 100, "Relevance embedding", patches, *how, "the best match of each")
    if is_refined:
        reach = f"within ±{config.refinement_radius} pixels"
        drawing.arrow((555, 110), (625, 110), colour="texture")
        drawing.text(590, 122, "index H", "texture", 11)
        drawing.box(700, 110, 150, 62, "Match refinement", "to the pixel, by ZNCC", reach, style="ours")
        drawing.arrow((700, 141), (700, _BAR - 20), colour="texture")
        drawing.arrow((555, 50), (885, 50), colour="relevance")
        drawing.text(563, 39, "relevance S", "relevance", 11, "start")
        drawing.arrow((775, 110), (885, 110), colour="ours")
        drawing.text(830, 98, "ZNCC, coherence", "ours", 11)
        factor = ("S times a learned factor", "between 0 and 2,", "another for each scale")
        drawing.box(965, 80, 160, 100, "Match confidence", *factor, style="ours")
        start, chosen = 1045, "the textures V at the refined matches, pixel by pixel: the mean of nine"
    else:
        drawing.arrow((475, 130), (475, _BAR - 20), colour="texture")
        drawing.text(483, 172, "index H: where the best match lies", "texture", 11, "start")
        drawing.text(563, 68, "relevance S: how well it matches", "relevance", 11, "start")
        start, chosen = 555, "the textures V at the index: patches of 3x3 cells, and their mean where they overlap"
    drawing.box(605, _BAR, 860, 38, style="texture")
    drawing.text(285, _BAR, "Hard attention", "text", 13, "start")
    drawing.text(395, _BAR, chosen, "soft", 11, "start")
    drawing.arrow((255, 187), (255, _BAR - 19), colour="texture")
    drawing.text(263, 201, "V at 1x, 2x, 4x", "texture", 11, "start")
    # The soft-attention map goes round the right end of the bar.
    level, right = 278, 1075
    drawing.arrow((start, 80), (right, 80), (right, level), (305, level), colour="relevance", head=False)
    drawing.text(right + 8, 160, "soft-attention map" + "s" * is_refined, "relevance", 11, "start")
    drawing.text(right + 8, 175, "(bicubic ↑ to 2x and 4x)", "soft", 11, "start")
    for x, scale in zip(_ATTENTION, LANES, strict=True):
        drawing.arrow((x - 12, _BAR + 19), (x - 12, LANES[scale] - 24), colour="texture")
        drawing.text(x - 18, 303, f"T {scale}x", "texture", 11, "end")
        drawing.arrow((x + 12, level), (x + 12, LANES[scale] - 24), colour="relevance")


# Middle of the bar between the halves.
_BAR = 234
# Columns of the lower half, by their middles.
_SHALLOW, _RB1, _UP2, _CSFI2, _RB2, _UP4, _CSFI4, _RB4, _MERGE, _SR = (
    170,
    385,
    465,
    640,
    722,
    785,
    972,
    1050,
    1125,
    1195,
)
_ATTENTION = (293, 555, 888)


def _synthesis(drawing: Drawing, config: TTSRConfig) -> None:
    """The lower half: soft attention at each scale, and the integration of the scales."""
    shallow, on1, on2, on4 = config.num_blocks
    has_trunk = config.trunk_channels > 0
    y1, y2, y4 = LANES[1], LANES[2], LANES[4]
    widths = config.widths
    first, second, fourth = _ATTENTION
    for (scale, y), width in zip(LANES.items(), widths, strict=True):
        drawing.text(20, y, f"{scale}x", "soft", 15, "start")
        drawing.text(20, y + 15, f"{width} ch.", "soft", 10, "start")
    drawing.box(83, y1, 44, 40, "LR")
    drawing.arrow((105, y1), (_SHALLOW - 50, y1))
    if has_trunk:
        drawing.box(
            _SHALLOW,
            y1,
            100,
            54,
            "Trunk",
            f"conv, {shallow} blocks,",
            f"{config.trunk_channels} channels",
            style="ours",
        )
    else:
        drawing.box(_SHALLOW, y1, 100, 54, "Shallow", "features: conv,", f"{shallow} blocks")
    drawing.arrow((_SHALLOW + 50, y1), (first - 38, y1))
    attention = ("Soft", "attention")
    for x, y in zip(_ATTENTION, (y1, y2, y4), strict=True):
        drawing.box(x, y, 76, 46, *attention)
    # 1x, from its attention on.
    drawing.arrow((first + 38, y1), (_RB1 - 28, y1))
    drawing.box(_RB1, y1, 56, 40, f"{on1}", "blocks" if on1 > 1 else "block")
    drawing.arrow((_RB1 + 28, y1), (_CSFI2 - 27, y1))
    drawing.arrow((_UP2, y1), (_UP2, y2 + 20))
    drawing.box(_UP2, y2, 54, 40, "↑2", "shuffle")
    drawing.arrow((_UP2 + 27, y2), (second - 38, y2))
    drawing.arrow((second + 38, y2), (_CSFI2 - 27, y2))
    drawing.box(_CSFI2, (y1 + y2) / 2, 54, y1 - y2 + 44, "CSFI", "1x, 2x")
    for y in (y1, y2):
        drawing.arrow((_CSFI2 + 27, y), (_RB2 - 28, y))
        drawing.box(_RB2, y, 56, 40, f"{on2}", "blocks" if on2 > 1 else "block")
        drawing.arrow((_RB2 + 28, y), (_CSFI4 - 27, y))
    drawing.arrow((_UP4, y2), (_UP4, y4 + 20))
    drawing.box(_UP4, y4, 54, 40, "↑2", "shuffle")
    drawing.arrow((_UP4 + 27, y4), (fourth - 38, y4))
    drawing.arrow((fourth + 38, y4), (_CSFI4 - 27, y4))
    drawing.box(_CSFI4, y2, 54, y1 - y4 + 44, "CSFI", "1x, 2x,", "4x")
    for y in (y1, y2, y4):
        drawing.arrow((_CSFI4 + 27, y), (_RB4 - 26, y))
        drawing.box(_RB4, y, 52, 40, f"{on4}", "blocks" if on4 > 1 else "block")
        drawing.arrow((_RB4 + 26, y), (_MERGE - 26, y))
    drawing.box(_MERGE, y2, 52, y1 - y4 + 44, "Merge", "conv")
    if has_trunk:
        _base(drawing)
    else:
        drawing.arrow((_MERGE + 26, y2), (_SR - 22, y2))
        drawing.box(_SR, y2, 44, 40, "SR")


def _base(drawing: Drawing) -> None:
    """The trunk's own image, which the rest is added to."""
    y, y1, y2, y4 = 612, LANES[1], LANES[2], LANES[4]
    drawing.arrow((_SHALLOW, y1 + 27), (_SHALLOW, y - 22), colour="ours")
    drawing.box(_SHALLOW, y, 140, 44, "Detail", "conv, pixel shuffle ×4", style="ours")
    drawing.box(445, y - 35, 76, 26, "LR ↑4")
    _sum(drawing, (340, y))
    drawing.arrow((_SHALLOW + 70, y), (329, y), colour="ours")
    drawing.arrow((407, y - 35), (340, y - 35), (340, y - 11), colour="ours")
    drawing.arrow((351, y), (505, y), colour="ours")
    drawing.box(605, y, 200, 44, "Base image", "the result without a reference", style="ours")
    drawing.arrow((705, y), (_SR, y), (_SR, y2 + 11), colour="ours")
    _sum(drawing, (831, y4))
    drawing.arrow((831, y), (831, y4 + 11), colour="ours")
    drawing.text(838, 575, "conv", "ours", 11, "start")
    _sum(drawing, (_SR, y2))
    drawing.arrow((_MERGE + 26, y2), (_SR - 11, y2))
    drawing.arrow((_SR, y2 - 11), (_SR, y4 + 20))
    drawing.box(_SR, y4, 44, 40, "SR")


def _sum(drawing: Drawing, middle: tuple[float, float]) -> None:
    x, y = middle
    fill, edge = drawing.theme["page"], drawing.theme["ours"]
    drawing.parts.append(f'<circle cx="{x:g}" cy="{y:g}" r="11" fill="{fill}" stroke="{edge}"/>')
    drawing.text(x, y, "+", "ours", 18)


def _legend(drawing: Drawing, has_additions: bool) -> None:
    """What the colours mean."""
    y = drawing.height - 18
    entries = [("texture", "textures of the reference"), ("relevance", "how far they are let in"), ("line", "features")]
    entries += [("ours", "not in the paper")] if has_additions else []
    for number, (colour, text) in enumerate(entries):
        x = 40 + 190 * number
        drawing.arrow((x, y), (x + 26, y), colour=colour)
        drawing.text(x + 34, y, text, "soft", 11, "start")


def figures() -> dict[str, str]:
    """All figures by file name."""
    published, lite = TTSRConfig(), ttsr.load("ttsr-lite").config
    return {
        f"architecture-{name}-{theme}.svg": figure(config, theme)
        for name, config in (("ttsr", published), ("ttsr-lite", lite))
        for theme in THEMES
    }


if __name__ == "__main__":
    for name, svg in figures().items():
        (FOLDER / name).write_text(svg, "utf-8")
