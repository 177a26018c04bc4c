"""The page of `ttsr compare` on a phone: two fingers, one finger, and a tap."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from playwright.sync_api import Browser, Page

from ttsr.evaluation.comparison import compare
from ttsr.evaluation.comparison_page import comparison_page
from ttsr.images.picture import Picture
from ttsr.images.resize import downscale4
from ttsr.inference.references import read_reference
from ttsr.inference.upscaler import Upscaler
from ttsr.models.config import TTSRConfig
from ttsr.models.ttsr import TTSR

Point = tuple[float, float]
SLIDER, ROW, DIVIDER = "#slider .view", "#all .view", "#slider .divider"


class Phone:
    """A page on a phone's screen, and fingers on it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self._touch = page.context.new_cdp_session(page)

    def view(self, section: str = "slider") -> tuple[float, ...]:
        """Zoom, and offset in fractions of the frame."""
        style = f"getComputedStyle(document.getElementById('{section}'))"
        return tuple(float(self.page.evaluate(f"{style}.getPropertyValue('--{name}')")) for name in ("zoom", "x", "y"))

    def reset(self) -> None:
        self.page.evaluate("scrollTo(0, 0)")
        self.page.focus("#slider")
        self.page.keyboard.press("0")
        self.page.fill("#split", "50")
        assert self.view() == self.view("all") == (1, 0, 0)

    def at(self, selector: str, right: float = 0.5, down: float = 0.5, *, number: int = 0) -> Point:
        """A point of an element that is scrolled into view, in fractions of its sides."""
        element = self.page.locator(selector).nth(number)
        element.scroll_into_view_if_needed()
        box = element.bounding_box()
        assert box is not None
        return box["x"] + right * box["width"], box["y"] + down * box["height"]

    def move(self, *fingers: tuple[Point, Point], steps: int = 8) -> None:
        """Put fingers down, move each from one point to another, and lift them."""
        for step in range(steps + 1):
            points = [
                {"x": a[0] + (b[0] - a[0]) * step / steps, "y": a[1] + (b[1] - a[1]) * step / steps, "id": number}
                for number, (a, b) in enumerate(fingers)
            ]
            kind = "touchMove" if step else "touchStart"
            self._touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        self._touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def beside(point: Point, right: float, down: float = 0) -> Point:
    return point[0] + right, point[1] + down


@pytest.fixture(scope="module")
def phone(browser: Browser, tmp_path_factory: pytest.TempPathFactory, aloe: NDArray[np.uint8]) -> Iterator[Phone]:
    torch.manual_seed(0)
    upscaler = Upscaler(TTSR(TTSRConfig(4, (1, 1, 1, 1), (4, 4, 4), bicubic_skip=True)), device="cpu")
    lr, reference = (
        Picture(downscale4(np.ascontiguousarray(aloe[80:144, 120:216]))),
        read_reference(aloe[60:160, 100:250]),
    )
    file: Path = tmp_path_factory.mktemp("compared") / "page.html"
    file.write_text("".join(comparison_page(compare(upscaler, lr, [reference]), "small.png", "tiny")), "utf-8")
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    errors: list[str] = []
    page = context.new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(file.as_uri())
    yield Phone(page)
    context.close()
    assert errors == []


def test_the_page_is_as_wide_as_the_screen(phone: Phone) -> None:
    assert phone.page.evaluate("document.documentElement.scrollWidth") == 390


def test_two_fingers_zoom_the_images_and_not_the_page(phone: Phone) -> None:
    phone.reset()
    quarter = phone.at(SLIDER, 0.25, 0.25)
    scrolled = phone.page.evaluate("scrollY")
    phone.move((beside(quarter, -20), beside(quarter, -60)), (beside(quarter, 20), beside(quarter, 60)))
    assert phone.view() == phone.view("all") == pytest.approx((3, -0.5, -0.5), abs=0.01)
    assert phone.page.evaluate("[visualViewport.scale, scrollY]") == [1, scrolled]
    phone.move((beside(quarter, -60), beside(quarter, -10)), (beside(quarter, 60), beside(quarter, 10)))
    assert phone.view() == phone.view("all") == (1, 0, 0)


def test_fingers_that_move_together_pan(phone: Phone) -> None:
    phone.reset()
    middle = phone.at(SLIDER)
    phone.move((beside(middle, -20), beside(middle, -60)), (beside(middle, 20), beside(middle, 60)))
    zoom, x, y = phone.view()
    (left, top), (right, bottom) = phone.at(SLIDER, 0, 0), phone.at(SLIDER, 1, 1)
    finger = beside(middle, -60, 60)  # off the divider
    phone.move((finger, beside(finger, 40, 20)))
    one = zoom, x + 40 / (right - left), y + 20 / (bottom - top)
    assert phone.view() == phone.view("all") == pytest.approx(one, abs=0.001)
    phone.move((beside(finger, -50), beside(finger, -90, -20)), (beside(finger, 50), beside(finger, 10, -20)))
    assert phone.view() == phone.view("all") == pytest.approx((zoom, x, y), abs=0.001)


def test_fingers_on_two_images_zoom_both(phone: Phone) -> None:
    phone.reset()
    first, second = phone.at(ROW, 0.9), phone.at(ROW, 0.1, number=1)
    gap = second[0] - first[0]
    phone.move((first, beside(first, -gap / 2)), (second, beside(second, gap / 2)))
    zoom, x, _ = phone.view()
    assert zoom == pytest.approx(2, abs=0.01) and x == pytest.approx(-1, abs=0.01)  # of the first its right edge
    assert phone.view() == phone.view("all")


def test_one_finger_scrolls_the_page_while_nothing_is_zoomed(phone: Phone) -> None:
    phone.reset()
    finger = phone.at(SLIDER, 0.2, 0.8)
    scrolled = phone.page.evaluate("scrollY")
    phone.move((finger, beside(finger, 0, -120)))
    phone.page.wait_for_function("(before) => scrollY > before + 50", arg=scrolled)
    assert phone.view() == (1, 0, 0)


def test_a_finger_moves_the_divider_but_not_while_two_zoom(phone: Phone) -> None:
    phone.reset()
    width = phone.at(SLIDER, 1)[0] - phone.at(SLIDER, 0)[0]
    on_it = phone.at(DIVIDER, 0.5, 0.5)
    phone.move((on_it, beside(on_it, width / 4)))
    assert float(phone.page.input_value("#split")) == pytest.approx(75, abs=1)
    assert phone.view() == (1, 0, 0)
    on_it = phone.at(DIVIDER, 0.5, 0.5)
    phone.move((on_it, beside(on_it, 10)), (beside(on_it, -80), beside(on_it, -90)))
    assert float(phone.page.input_value("#split")) == pytest.approx(75, abs=1)
    assert phone.view()[0] == pytest.approx(100 / 80, abs=0.01)


def test_a_tap_tells_the_source(phone: Phone) -> None:
    phone.reset()
    phone.page.touchscreen.tap(*phone.at(SLIDER, 0.3, 0.4))
    phone.page.wait_for_function("document.getElementById('told').textContent.includes('of reference 1')")
    assert phone.page.locator(".reference.marked .mark").is_visible()
    assert phone.page.locator("#slider .mark").is_visible()
