"""The page from the first photo to the download, in Chromium, and what it says when something is wrong."""

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from ttsr.inference.upscaler import Upscaler

Pages = Any
SUBMIT = "#inputs [type=submit]"


def pixels(data: bytes | Path) -> np.ndarray:
    with Image.open(io.BytesIO(data) if isinstance(data, bytes) else data) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def start_long(page: Page, pages: Pages, files: Path) -> None:
    """A job that runs until it is cancelled, or for much longer than a test."""
    pages.choose(page, files / "long.png", files / "sharp.png")
    page.locator("#options summary").click()
    page.check("[name=ensemble]")
    page.select_option("[name=scale]", "8")
    page.wait_for_selector(f"{SUBMIT}:enabled")
    page.click(SUBMIT)
    page.wait_for_selector("#work:not([hidden])")
    expect(page.locator("#stage")).to_have_text(re.compile(r"%|Waiting"))  # the server has taken it


@pytest.fixture(scope="module")
def expected(files: Path) -> np.ndarray:
    upscaler = Upscaler(files / "tiny.safetensors", device="cpu", precision="fp32")
    references = upscaler.encode_references([files / "sharp.png"])
    return np.asarray(upscaler.upscale(files / "small.png", references).image).astype(int)


def test_upload_plan_upscale_download(pages: Pages, files: Path, expected: np.ndarray, tmp_path: Path) -> None:
    page = pages.open()
    assert page.title() == "ttsr" and page.locator(SUBMIT).is_disabled()
    pages.choose(page, files / "small.png", files / "sharp.png")
    assert re.fullmatch(r"Result 160 × 96, about .+, \d+ MB of memory", page.inner_text("#plan").strip())
    expect(page.locator("#small .what")).to_have_text("small.png40 × 24")
    page.click(SUBMIT)
    pages.wait_for_result(page)
    assert page.inner_text("#facts").startswith("40 × 24 became 160 × 96 · ")
    with page.expect_download() as download:
        page.click("#download")
    assert download.value.suggested_filename == "small_x4.png"
    download.value.save_as(tmp_path / "small.png")
    assert np.abs(pixels(tmp_path / "small.png") - expected).max() <= 1
    for suffix, kind, tolerance in (("jpg", "JPEG", 4), ("webp", "WEBP", 4), ("tiff", "TIFF", 1)):
        page.select_option("#format", suffix)
        with page.expect_download() as download:
            page.click("#download")
        assert download.value.suggested_filename == f"small_x4.{suffix}"
        data = Path(download.value.path()).read_bytes()
        assert Image.open(io.BytesIO(data)).format == kind
        assert np.abs(pixels(data) - expected).mean() < tolerance


def test_options_and_another_photo(pages: Pages, files: Path) -> None:
    page = pages.open()
    pages.choose(page, files / "small.png")
    expect(page.locator("#plan small")).to_contain_text("Without a sharp photo")
    page.select_option("[name=scale]", "2")
    expect(page.locator("#plan")).to_contain_text("80 × 48")
    page.click(SUBMIT)
    pages.wait_for_result(page)
    assert page.locator("#right").evaluate("(image) => [image.naturalWidth, image.naturalHeight]") == [80, 48]
    page.click("#another")
    assert page.locator("#result").is_hidden() and page.locator("#small li").count() == 0
    pages.upscale(page, files / "tall.png", files / "sharp.png")
    assert page.locator("#right").evaluate("(image) => image.naturalWidth") == 48
    page.click("#change")
    page.click("#sharp li button")
    expect(page.locator("#plan")).to_contain_text("48 × 64")


def test_bad_files_are_named_with_what_is_wrong(pages: Pages, files: Path) -> None:
    page = pages.open()
    page.set_input_files("#small input", files / "small.png")
    page.set_input_files("#sharp input >> nth=0", [files / "bad.jpg", files / "sharp.png"])
    bad = page.locator("#sharp li.bad")
    expect(bad).to_contain_text("bad.jpg: not a picture that can be read")
    expect(bad.get_by_role("alert")).to_be_visible()
    pages.refused(422)
    expect(page.locator("#plan")).to_have_text("Remove what could not be read to go on.")
    assert page.locator(SUBMIT).is_disabled()
    page.get_by_role("button", name="Remove bad.jpg").click()
    page.wait_for_selector(f"{SUBMIT}:enabled")


def test_too_many_and_too_large_files_are_not_sent(pages: Pages, files: Path) -> None:
    page = pages.open()
    assert page.request.get(f"{pages.address}page/limits.json").json() == {"references": 32, "upload_bytes": 2**28}
    size = (files / "sharp.png").stat().st_size
    page.route("**/limits.json", lambda route: route.fulfill(json={"references": 2, "upload_bytes": size - 1}))
    page.reload()
    page.wait_for_selector("[name=model] option", state="attached")
    pages.requests.clear()
    page.set_input_files("#sharp input >> nth=0", [files / name for name in ("sharp.png", "small.png", "tall.png")])
    expect(page.locator("#sharp .left-out")).to_have_text("At most 2 photos are taken: 1 was left out.")
    expect(page.locator("#sharp li.bad")).to_contain_text("sharp.pnghas more than 1 MB: choose a smaller copy")
    expect(page.locator("#sharp li:not(.bad) small")).to_have_text("40 × 24")
    assert len([url for url in pages.requests if url.endswith("/v1/images")]) == 1


def test_folders_drops_and_pastes(pages: Pages, files: Path) -> None:
    page = pages.open()
    names = page.locator("#sharp .what b")
    page.set_input_files("#sharp input >> nth=1", files / "folder")
    expect(names).to_have_text(["a9.png", "a10.png", "b.jpg"])
    page.reload()
    page.wait_for_selector("[name=model] option", state="attached")
    debugger = page.context.new_cdp_session(page)

    def drop(where: str, *paths: Path) -> None:
        box = page.locator(where).bounding_box()
        assert box is not None
        data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            place = {"x": box["x"] + box["width"] - 9, "y": box["y"] + 9}
            debugger.send("Input.dispatchDragEvent", {"type": kind, "data": data, **place})

    drop("#sharp", files / "folder", files / "sharp.png")
    expect(names).to_have_text(["a9.png", "a10.png", "b.jpg", "sharp.png"])
    # Beside the fields: the first is the small one.
    drop("header", files / "small.png")
    expect(page.locator("#small .what b")).to_have_text("small.png")
    page.evaluate(
        """async () => {
          const transfer = new DataTransfer(), image = await (await fetch("page/example_small.png")).blob();
          transfer.items.add(new File([image], "pasted.png", { type: "image/png" }));
          document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true }));
        }"""
    )
    expect(names).to_have_text(["a9.png", "a10.png", "b.jpg", "sharp.png", "pasted.png"])
    page.wait_for_selector(f"{SUBMIT}:enabled")


def test_cancel(pages: Pages, files: Path) -> None:
    page = pages.open()
    start_long(page, pages, files)
    expect(page.locator("#stage")).to_contain_text("%")
    page.click("#cancel")
    expect(page.locator("#trouble")).to_have_text("Cancelled.")
    assert page.locator("#work").is_hidden() and page.locator("#result").is_hidden()
    page.select_option("[name=scale]", "2")
    page.wait_for_selector(f"{SUBMIT}:enabled")


def test_two_users_at_once(pages: Pages, files: Path) -> None:
    one, two = pages.open(), pages.open()
    start_long(one, pages, files)
    expect(one.locator("#stage")).to_contain_text("%")
    pages.choose(two, files / "tall.png", files / "sharp.png")
    two.click(SUBMIT)
    expect(two.locator("#stage")).to_contain_text("Waiting")
    one.click("#cancel")
    pages.wait_for_result(two)
    assert two.locator("#right").evaluate("(image) => [image.naturalWidth, image.naturalHeight]") == [96, 128]
    assert one.locator("#result").is_hidden()


def test_a_reload_finds_the_job_and_its_result(pages: Pages, files: Path) -> None:
    page = pages.open()
    start_long(page, pages, files)
    page.reload()
    expect(page.locator("#work-title")).to_have_text("Upscaling long.png")
    expect(page.locator("#stage")).to_contain_text("%")
    expect(page.locator("[name=scale]")).to_have_value("8")
    page.click("#cancel")
    expect(page.locator("#trouble")).to_have_text("Cancelled.")
    page.uncheck("[name=ensemble]")
    pages.upscale(page, files / "small.png")
    page.reload()
    pages.wait_for_result(page)
    expect(page.locator("#result-title")).to_have_text("small.png, enlarged")
    assert "#" not in page.url


def test_a_full_queue_is_said(pages: Pages, files: Path) -> None:
    page = pages.open()
    page.set_input_files("#small input", files / "small.png")
    page.wait_for_selector(f"{SUBMIT}:enabled")
    long = {"lr": {"name": "a.png", "mimeType": "image/png", "buffer": (files / "long.png").read_bytes()}}
    jobs: list[str] = []
    said = ""
    try:
        for _ in range(99):
            answer = page.request.post(f"{pages.address}v1/jobs", multipart={**long, "ensemble": "true", "scale": "8"})
            if answer.status == 429:
                said = answer.json()["detail"]
                break
            jobs.append(answer.json()["id"])
        page.click(SUBMIT)
        expect(page.locator("#trouble")).to_have_text(said)
        pages.refused(429)
    finally:
        for job in jobs:
            page.request.delete(f"{pages.address}v1/jobs/{job}")
    page.click(SUBMIT)
    pages.wait_for_result(page)


def test_a_server_that_does_not_answer(pages: Pages, files: Path) -> None:
    page = pages.open()
    start_long(page, pages, files)
    pages.tolerated.append("net::ERR_FAILED")
    page.route("**/v1/**", lambda route: route.abort())
    page.reload()
    expect(page.locator("#connection")).to_contain_text("does not answer")
    page.unroute("**/v1/**")
    expect(page.locator("#stage")).to_contain_text("%")
    expect(page.locator("#connection")).to_be_hidden()
    # Events that do not come through are asked for instead.
    page.route("**/events", lambda route: route.abort())
    page.reload()
    expect(page.locator("#stage")).to_contain_text("%")
    page.click("#cancel")
    expect(page.locator("#trouble")).to_have_text("Cancelled.")


def test_a_token_is_asked_for_or_comes_with_the_address(pages: Pages) -> None:
    def answer(route: Any) -> None:
        if route.request.headers.get("authorization") == "Bearer right":
            route.continue_()
        else:
            route.fulfill(status=401, json={"detail": "a token is needed: send Authorization: Bearer TOKEN"})

    page = pages.open(address="about:blank")
    page.route("**/v1/models", answer)
    page.goto(pages.address)
    page.fill("#token input", "right")
    page.press("#token input", "Enter")
    page.wait_for_selector("[name=model] option", state="attached")
    pages.refused(401)
    page.evaluate("sessionStorage.clear()")
    page.goto(f"{pages.address}?again#token=right")
    page.wait_for_selector("[name=model] option", state="attached")
    assert page.url == f"{pages.address}?again" and page.locator("#token").is_hidden()
