"""What the page shows of a result, in Chromium: slider, zoom in step, maps, sources; by mouse, keys and touch."""

import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from ttsr.evaluation.protocols import PAPER_Y
from ttsr.images.resize import downscale4, upscale4

Pages = Any
ROOT = Path(__file__).parents[2]
HANDLE = 24  # pixels of the divider's handle, each way


def shot(locator: Locator) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(locator.screenshot())).convert("RGB")).astype(int)


def box_of(page: Page, selector: str) -> dict[str, float]:
    box = page.locator(selector).bounding_box()
    assert box is not None
    return {"x": box["x"], "y": box["y"], "width": box["width"], "height": box["height"]}


def zoomed(page: Page, selector: str) -> list[float]:
    """Zoom, x and y of an image, in fractions of its frame, as it lies on the screen."""
    return page.locator(selector).evaluate(
        """(image) => {
          const box = image.getBoundingClientRect(), frame = image.parentNode.getBoundingClientRect();
          const view = [box.width / frame.width, (box.x - frame.x) / frame.width, (box.y - frame.y) / frame.height];
          return view.map((value) => Math.round(value * 1e4) / 1e4);
        }"""
    )


def overflow(page: Page) -> int:
    """Pixels that the page is wider than the screen: `innerWidth` grows with it on phones."""
    assert page.viewport_size is not None
    return page.evaluate("document.documentElement.scrollWidth") - page.viewport_size["width"]


def told_place(page: Page) -> tuple[tuple[int, int], tuple[int, int]]:
    """The place of the result and its source, as they are told."""
    expect(page.locator("#told p")).to_contain_text("came from")
    x, y, source_x, source_y = (int(number) for number in re.findall(r"\d+", page.inner_text("#told p"))[:4])
    return (x, y), (source_x, source_y)


@pytest.fixture(scope="module")
def job(browser: Browser, address: str, make_pages: Callable[..., Pages], files: Path) -> Iterator[str]:
    """A job that is done, as the tab that started it remembers it: with two references."""
    pages = make_pages(browser, address)
    page = pages.open()
    pages.upscale(page, files / "small.png", files / "folder" / "sub" / "b.jpg", files / "sharp.png")
    yield page.evaluate("sessionStorage.getItem('ttsr.job')")
    pages.close()


def test_the_divider_shows_both(pages: Pages, job: str) -> None:
    page = pages.open(job=job)
    viewer, divider = page.locator("#viewer"), page.locator("#divider")
    divider.press("Home")
    result = shot(viewer)
    divider.press("End")
    other = shot(viewer)
    width = result.shape[1]
    upper = slice(0, result.shape[0] // 3)  # without the handle and the labels
    assert np.abs(result - other)[upper].mean() > 2
    box = box_of(page, "#viewer")
    page.mouse.move(box["x"] + box["width"] - 1, box["y"] + 30)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 40)
    page.mouse.up()
    both, middle = shot(viewer), width // 4
    assert divider.get_attribute("aria-valuenow") == "25"
    np.testing.assert_array_equal(both[upper, HANDLE : middle - HANDLE], other[upper, HANDLE : middle - HANDLE])
    np.testing.assert_array_equal(both[upper, middle + HANDLE : -HANDLE], result[upper, middle + HANDLE : -HANDLE])
    # The result is what the server has.
    page.check("[name=layout][value=pair]", force=True)
    right = page.locator("#right").evaluate("(image) => [image.naturalWidth, new URL(image.src).pathname]")
    assert right[0] == 160 and right[1].endswith("/pictures/result")
    assert divider.is_hidden() and box_of(page, "#left")["x"] < box_of(page, "#right")["x"]


def test_maps_are_explained(pages: Pages, job: str, files: Path) -> None:
    page = pages.open(job=job)
    for name in ("bicubic", "without", "relevance", "confidence", "provenance"):
        page.locator("[name=compared]").and_(page.locator(f"[value={name}]")).check(force=True)
        source = page.locator("#left").get_attribute("src")
        assert source is not None and source.endswith(f"/pictures/{name}")
        page.evaluate("document.getElementById('left').decode()")
        assert page.locator("#left").evaluate("(image) => image.naturalWidth / image.naturalHeight") == 160 / 96
        assert page.locator("#scale").is_visible() == (name in ("relevance", "confidence"))
        assert len(page.inner_text("#meaning")) > 20
    # The references are the key to the last one.
    for image in page.locator(".reference img").all():
        image.evaluate("(image) => image.decode()")
        assert (image.get_attribute("src") or "").endswith("/colours")
    alone = pages.open()
    pages.upscale(alone, files / "small.png")
    shown = [choice.get_attribute("value") for choice in alone.locator("[name=compared]").all() if choice.is_visible()]
    assert "bicubic" in shown and "without" not in shown


def test_zoom_and_pan_in_step(pages: Pages, job: str) -> None:
    page = pages.open(job=job)
    viewer, box = page.locator("#viewer"), box_of(page, "#right")
    place = box["x"] + box["width"] * 0.75, box["y"] + box["height"] * 0.5
    page.mouse.click(*place)
    told_place(page)
    page.mouse.wheel(0, -600)
    expect(page.locator("#zoom-level")).not_to_have_text("1×")
    zoom, x, y = zoomed(page, "#right")
    assert zoom == pytest.approx(np.exp(600 / 400), rel=0.01)
    # What was under the pointer stays there.
    assert (0.75 - x) / zoom == pytest.approx(0.75, abs=0.01) and (0.5 - y) / zoom == pytest.approx(0.5, abs=0.01)
    page.mouse.move(*place)
    page.mouse.down()
    page.mouse.move(place[0] + 60, place[1] + 20, steps=3)
    page.mouse.up()
    dragged = zoomed(page, "#right")
    assert dragged[1] == pytest.approx(x + 60 / box["width"], abs=0.01)
    assert dragged[2] == pytest.approx(y + 20 / box["height"], abs=0.01)
    viewer.press("ArrowLeft")
    viewer.press("+")
    page.click("#zoom-in")
    left, right = zoomed(page, "#left"), zoomed(page, "#right")
    assert (
        left == pytest.approx(right)
        and right[0] > zoom
        and zoomed(page, ".reference.marked img")[0] == pytest.approx(right[0])
    )
    page.click("#zoom-fit")
    assert zoomed(page, "#left") == [1, 0, 0] == zoomed(page, "#right")


def test_a_place_lights_up_in_its_reference(pages: Pages, job: str) -> None:
    page = pages.open(job=job)
    box, identity = box_of(page, "#right"), json.loads(job)["id"]
    for right, down in ((0.7, 0.3), (0.8, 0.8)):
        page.mouse.click(box["x"] + box["width"] * right, box["y"] + box["height"] * down)
        (x, y), there = told_place(page)
        assert (x, y) == (pytest.approx(160 * right, abs=1), pytest.approx(96 * down, abs=1))
        origin = page.request.get(f"{pages.address}v1/jobs/{identity}/source?x={x}&y={y}").json()
        assert there == (origin["x"], origin["y"]) and origin["name"] in page.inner_text("#told p")
        facts = page.locator("#told dl")
        expect(facts).to_contain_text(f"{origin['relevance']:.3f}")
        expect(facts).to_contain_text(f"{np.mean(origin['confidence']):.2f}")
        lit = page.locator(".reference.marked")
        assert lit.count() == 1 and lit.locator("img").get_attribute("alt") == origin["name"]
        size = lit.locator("img").evaluate("(image) => [image.naturalWidth, image.naturalHeight]")
        view, mark = lit.locator(".view").bounding_box(), lit.locator(".mark").bounding_box()
        assert view is not None and mark is not None
        for axis, length, at, pixels in (("x", "width", there[0], size[0]), ("y", "height", there[1], size[1])):
            middle = (mark[axis] + mark[length] / 2 - view[axis]) / view[length]
            assert middle == pytest.approx((at + 0.5) / pixels, abs=0.01)
        page.locator("#viewer").press("Escape")
        assert page.locator(".marked, #told p").count() == 0


def test_by_keyboard_alone(pages: Pages, files: Path) -> None:
    page = pages.open()

    def focused() -> str:
        """What has the focus, which must be seen."""
        name, seen = page.evaluate(
            """() => {
              const element = document.activeElement;
              const around = [element, element.parentElement, element.nextElementSibling].filter(Boolean);
              const styles = around.map((one) => getComputedStyle(one).outlineStyle);
              styles.push(getComputedStyle(element, "::after").outlineStyle);
              const name = element.id || element.name || element.type || element.localName;
              return [name, styles.some((style) => style !== "none")];
            }"""
        )
        assert seen, f"the focus on {name} is not seen"
        return name

    def tab_to(name: str) -> None:
        for _ in range(40):
            page.keyboard.press("Tab")
            if focused() == name:
                return
        raise AssertionError(f"{name} is not reached")

    # From here on, or else the first key might come before Chromium is told that somebody waits for it.
    page.on("filechooser", lambda _: None)
    for photo in ("small.png", "sharp.png"):
        tab_to("file")
        with page.expect_file_chooser() as chooser:
            page.keyboard.press("Enter")
        chooser.value.set_files(files / photo)
        page.get_by_role("button", name=f"Remove {photo}").wait_for()
    page.wait_for_selector("#inputs [type=submit]:enabled")
    tab_to("submit")
    page.keyboard.press("Enter")
    pages.wait_for_result(page)
    assert page.evaluate("document.activeElement.id") == "result"
    tab_to("compared")
    page.keyboard.press("ArrowRight")
    assert page.locator("[name=compared]:checked").get_attribute("value") == "without"
    tab_to("viewer")
    page.keyboard.press("Enter")
    (x, y), _ = told_place(page)
    assert (x, y) == (80, 48)
    page.keyboard.press("Shift+ArrowRight")
    expect(page.locator("#told p")).to_contain_text("(84, 48) came from")
    page.keyboard.press("+")
    assert zoomed(page, "#left") == zoomed(page, "#right") != [1, 0, 0]
    tab_to("divider")
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    assert page.locator("#divider").get_attribute("aria-valuenow") == "44"
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    for _ in range(40):
        if focused() == "download":
            break
        page.keyboard.press("Shift+Tab")
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    assert download.value.suggested_filename == "small_x4.png"


def test_on_a_phone(pages: Pages, files: Path) -> None:
    page = pages.open(360, 740, has_touch=True, is_mobile=True, device_scale_factor=2)
    assert overflow(page) <= 0
    page.set_input_files("#sharp input >> nth=0", files / "bad.jpg")
    page.locator("#sharp li.bad").wait_for()
    assert overflow(page) <= 0
    pages.refused(422)
    page.locator("#sharp li button").tap()
    page.locator("#options summary").tap()
    pages.choose(page, files / "small.png", files / "sharp.png")
    assert overflow(page) <= 0
    page.locator("#inputs [type=submit]").tap()
    pages.wait_for_result(page)
    assert overflow(page) <= 0
    for choice in page.locator("[name=compared]").all():
        choice.check(force=True)
        assert overflow(page) <= 0
    page.locator("#right").scroll_into_view_if_needed()
    box = box_of(page, "#right")
    page.touchscreen.tap(box["x"] + box["width"] * 0.8, box["y"] + box["height"] * 0.5)
    told_place(page)
    assert page.locator(".reference.marked").count() == 1 and overflow(page) <= 0
    # Two fingers, from near to far.
    debugger = page.context.new_cdp_session(page)
    middle, down = box["x"] + box["width"] / 2, box["y"] + box["height"] / 3
    for kind, gap in (("touchStart", 30), ("touchMove", 60), ("touchMove", 90), ("touchEnd", 0)):
        points = [{"x": middle + side * gap / 2, "y": down, "id": side} for side in (-1, 1) if gap]
        debugger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    assert zoomed(page, "#left") == zoomed(page, "#right") and zoomed(page, "#left")[0] == pytest.approx(3, rel=0.1)
    page.check("[name=layout][value=pair]", force=True)
    assert overflow(page) <= 0 and box_of(page, "#left")["y"] < box_of(page, "#right")["y"]


def test_the_example_with_the_weights_that_ship(
    pages: Pages, aloe: NDArray[np.uint8], aloe_ref: NDArray[np.uint8], request: pytest.FixtureRequest
) -> None:
    page = pages.open()
    page.click("#example")
    page.select_option("[name=model]", "ttsr-lite")
    expect(page.locator("#about-model")).to_have_text("Closest to the truth.")
    page.wait_for_selector("#inputs [type=submit]:enabled")
    keeps = request.config.getoption("--write-screenshots")
    if keeps:
        keep_screenshot(page, "start", 1280)
    page.click("#inputs [type=submit]")
    pages.wait_for_result(page)
    with page.expect_download() as download:
        page.click("#download")
    result = np.asarray(Image.open(download.value.path()))
    gain = PAPER_Y.score(aloe, result).psnr - PAPER_Y.score(aloe, upscale4(downscale4(aloe))).psnr
    assert gain > 3
    box = box_of(page, "#right")
    page.mouse.click(box["x"] + box["width"] * 0.7, box["y"] + box["height"] * 0.4)
    (x, y), (there_x, there_y) = told_place(page)
    here = aloe[y - 8 : y + 9, x - 8 : x + 9].astype(float).ravel()
    there = aloe_ref[there_y - 8 : there_y + 9, there_x - 8 : there_x + 9].astype(float).ravel()
    assert np.corrcoef(here, there)[0, 1] > 0.8
    expect(page.locator("#told")).to_contain_text("Match")
    if keeps:
        keep_screenshot(page, "result", 1280)
        page.emulate_media(color_scheme="dark")
        page.locator("#viewer").press("+")
        keep_screenshot(page, "phone", 360)


def keep_screenshot(page: Page, name: str, width: int) -> None:
    """Write docs/images/web-NAME.png, of the whole page."""
    page.set_viewport_size({"width": width, "height": 740})
    page.evaluate("document.activeElement.blur()")
    shown = Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB")
    few = shown.quantize(256, kmeans=1)
    few.save(ROOT / "docs" / "images" / f"web-{name}.png", optimize=True)
