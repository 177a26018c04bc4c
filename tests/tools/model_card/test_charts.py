"""The charts: what is drawn where, and the same bytes each time."""

import re
from xml.etree import ElementTree

import pytest
from matplotlib import rc_context
from model_card.charts import gains_chart, loss_chart

SVG = "{http://www.w3.org/2000/svg}"
Point = tuple[float, float]


def group(svg: str, name: str) -> ElementTree.Element:
    (element,) = [e for e in ElementTree.fromstring(svg).iter(f"{SVG}g") if e.get("id") == name]
    return element


def path_points(svg: str, name: str) -> list[Point]:
    """Where the corners of the line of this id lie."""
    (path,) = group(svg, name).iter(f"{SVG}path")
    return [(float(x), float(y)) for x, y in re.findall(r"[ML] ([-\d.]+) ([-\d.]+)", path.attrib["d"])]


def dots(svg: str) -> list[Point]:
    return [(float(use.attrib["x"]), float(use.attrib["y"])) for use in group(svg, "pictures").iter(f"{SVG}use")]


def texts(svg: str) -> list[str]:
    return ["".join(text.itertext()) for text in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_dots_lie_on_two_equal_axes() -> None:
    svg = gains_chart("a < b", "across", "up", [(0.0, 0.0), (1.0, 1.0), (1.0, 2.0), (float("inf"), 1.0)])
    (x0, y0), (x1, y1), (x2, y2) = dots(svg)
    assert x1 - x0 == pytest.approx(y0 - y1, abs=0.01) and x1 > x0
    assert x2 == x1 and y0 - y2 == pytest.approx(2 * (y0 - y1), abs=0.01)
    assert path_points(svg, "diagonal")[0] == pytest.approx((x0, y0), abs=0.01)
    assert {"a < b", "across", "up"} <= set(texts(svg))


def test_losses_below_zero_gains_and_no_finite_ones() -> None:
    (dot,) = dots(gains_chart("m", "x", "y", [(-0.75, -0.2)]))
    low, high = path_points(gains_chart("m", "x", "y", [(-0.75, -0.2)]), "diagonal")
    assert dot[0] == pytest.approx(low[0] + 0.25 * (high[0] - low[0]), abs=0.01)  # axes from -1 to 0
    assert dots(gains_chart("m", "x", "y", [(float("inf"), 1.0)])) == []


def test_stages_are_curves_over_one_axis_and_a_line_ends_each_but_the_last() -> None:
    svg = loss_chart("m", [[(1, 0.08), (3, 0.06)], [], [(5, 0.05), (7, 0.07)]], [4, 4.5, 8])
    first, second = path_points(svg, "stage-1"), path_points(svg, "stage-3")
    unit = (first[1][0] - first[0][0]) / 2
    assert second[1][0] - first[0][0] == pytest.approx(6 * unit, abs=0.01)
    assert path_points(svg, "stage-end-1")[0][0] == pytest.approx(first[0][0] + 3 * unit, abs=0.01)
    assert "stage-end-2" in svg and "stage-end-3" not in svg
    heights = [y for _, y in (*first, *second)]
    assert heights[2] > heights[1] > heights[3] > heights[0]  # a smaller loss lies lower


def test_charts_are_the_same_each_time_whatever_matplotlib_is_set_to() -> None:
    def draw() -> tuple[str, str]:
        return gains_chart("m", "x", "y", [(1.0, 2.0)]), loss_chart("m", [[(1, 0.5), (2, 0.4)]], [2])

    before = draw()
    with rc_context({"font.size": 20, "lines.linewidth": 5, "svg.fonttype": "path", "svg.hashsalt": None}):
        assert draw() == before
    assert not any("date" in text.lower() for text in before)
