"""examples/browser in Chromium: the result is Python's, and nothing leaves the machine."""

import base64
import io
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from ttsr import Upscaler

PAGE = Path(__file__).parents[2] / "examples" / "browser"
ARGUMENTS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
ARGUMENTS += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
PATIENCE_MS = 120_000


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def address(lite_onnx: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page with ttsr-lite, served as any static server would."""
    folder = tmp_path_factory.mktemp("site")
    for file in PAGE.iterdir():
        if file.is_file():
            shutil.copy(file, folder)
    assert (PAGE / "onnxruntime").exists(), "make test fetches it"
    (folder / "onnxruntime").symlink_to(PAGE / "onnxruntime")
    (folder / "model").symlink_to(lite_onnx)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture
def page() -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        yield browser.new_page()
        browser.close()


def done(page: Page) -> None:
    page.wait_for_selector("#start:enabled", timeout=PATIENCE_MS)
    text = page.locator("#status").text_content()
    assert text and text.startswith("Done"), text


def result(page: Page) -> NDArray[np.int_]:
    """The pixels that the page offers for download."""
    data = page.evaluate("document.getElementById('result').toDataURL()")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data.split(",")[1]))).convert("RGB")).astype(int)


def test_a_picture_is_upscaled_as_in_python_and_nothing_is_sent(
    address: str, page: Page, aloe: NDArray[np.uint8], aloe_ref: NDArray[np.uint8], tmp_path: Path
) -> None:
    small, sharp = tmp_path / "small.png", tmp_path / "sharp.png"
    # 36 rows are more than are matched at a time.
    Image.fromarray(aloe[40:184, 60:156]).resize((24, 36), Image.Resampling.BICUBIC).save(small)
    Image.fromarray(aloe_ref[30:190, 40:143]).save(sharp)
    sent: list[str] = []
    page.context.on("request", lambda request: sent.append(f"{request.method} {request.url}"))
    page.goto(address)
    page.set_input_files("#lr", small)
    page.set_input_files("#ref", sharp)
    page.click("#start")
    done(page)
    upscaler = Upscaler("ttsr-lite", search="exact", pose="off", match_colour="off", precision="fp32")
    with_reference = np.asarray(upscaler.upscale(small, upscaler.encode_references(sharp)).image).astype(int)
    assert np.abs(result(page) - with_reference).max() <= 1

    page.set_input_files("#ref", [])
    page.click("#start")
    done(page)
    alone = np.asarray(upscaler.upscale(small).image).astype(int)
    assert np.abs(result(page) - alone).max() <= 1
    assert np.abs(alone - with_reference).max() > 8

    with page.expect_download() as download:
        page.click("#download")
    assert download.value.suggested_filename == "small_x4.png"
    assert np.array_equal(np.asarray(Image.open(download.value.path()).convert("RGB")), result(page))
    assert any("matching.onnx" in request for request in sent)  # what the worker asks for is seen too
    assert [r for r in sent if not r.startswith((f"GET {address}", "GET blob:", "GET data:"))] == []


def test_what_is_no_picture_is_said_and_work_can_be_cancelled(address: str, page: Page, tmp_path: Path) -> None:
    broken, small = tmp_path / "broken.png", tmp_path / "small.png"
    broken.write_bytes(b"no picture")
    Image.new("RGB", (200, 200), "gray").save(small)
    page.goto(address)
    page.set_input_files("#lr", broken)
    page.click("#start")
    page.wait_for_selector("#status.error")
    assert page.locator("#status").text_content() == "The small picture is no picture that this browser can read."
    page.set_input_files("#lr", small)
    page.click("#start")
    page.click("#cancel")
    assert page.locator("#status").text_content() == "Cancelled."
    assert page.locator("#results").is_hidden()
