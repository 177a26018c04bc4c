"""A server of `ttsr web` with a tiny network and ttsr-lite, Chromium, and pages that are watched."""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from ttsr.images.resize import downscale4
from ttsr.models.config import TTSRConfig
from ttsr.models.ttsr import TTSR
from ttsr.weights.saving import save

ARGUMENTS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WITHIN_S = 120  # on a busy machine; no test waits so long
Pixels = NDArray[np.uint8]


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory, aloe: Pixels, aloe_ref: Pixels, leuven: Pixels) -> Path:
    """Small pictures, sharp ones of the same, one that takes long, a folder, and what is no picture."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "folder" / "sub").mkdir(parents=True)
    pictures = {
        "small.png": downscale4(np.ascontiguousarray(aloe[80:176, 120:280])),
        "tall.png": downscale4(np.ascontiguousarray(leuven[80:208, 120:216])),
        "sharp.png": aloe_ref[60:200, 120:300],
        "long.png": aloe[:240, :320],
        "folder/a10.png": aloe_ref[100:164, 120:184],
        "folder/a9.png": aloe_ref[60:124, 120:184],
        "folder/sub/b.jpg": leuven[:64, :64],
    }
    for name, pixels in pictures.items():
        Image.fromarray(pixels).save(folder / name)
    (folder / "folder" / "notes.txt").write_text("no picture")
    (folder / "bad.jpg").write_bytes(b"no picture")
    torch.manual_seed(0)
    save(TTSR(TTSRConfig(4, (1, 1, 1, 1), (4, 4, 4))), folder / "tiny.safetensors")
    return folder


@pytest.fixture(scope="session")
def address(files: Path) -> Iterator[str]:
    """Of a page that `ttsr web` serves."""
    models = ["--model", str(files / "tiny.safetensors"), "--model", "ttsr-lite"]
    options = ["--no-browser", "--port", "0", "--device", "cpu", "--threads", "1"]
    server = subprocess.Popen(
        [sys.executable, "-m", "ttsr", "web", *options, *models],
        env=os.environ | {"PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    alarm = threading.Timer(WITHIN_S, server.kill)
    alarm.start()
    try:
        said = re.search(r"the page is (http://127\.0\.0\.1:\d+/)$", "".join(_until(server.stdout, "the page is")))
        assert said is not None, "ttsr web ended before it told its address"
        alarm.cancel()
        yield said[1]
    finally:
        alarm.cancel()
        server.terminate()
        server.wait(WITHIN_S)


def _until(lines: Any, text: str) -> Iterator[str]:
    for line in lines:
        yield line.rstrip("\n")
        if text in line:
            return


# Of a module each: while Playwright runs, its thread has an event loop, in which other tests could not have theirs.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.fail("the tests of the page need Chromium: apt-get install chromium (Debian)", pytrace=False)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser
        browser.close()


class Pages:
    """Opens pages, each in a browser profile of its own, and keeps what they asked for and complained of."""

    def __init__(self, browser: Browser, address: str) -> None:
        self.address, self._browser = address, browser
        self.requests: list[str] = []
        self.errors: list[str] = []
        self.tolerated: list[str] = []  # parts of errors that a test brings about
        self._contexts: list[Any] = []

    def open(
        self,
        width: int = 1280,
        height: int = 800,
        *,
        address: str | None = None,
        job: str | None = None,
        **options: Any,
    ) -> Page:
        """A page at a width and height, loaded; of a job that a tab has remembered, with its result."""
        context = self._browser.new_context(viewport={"width": width, "height": height}, **options)
        self._contexts.append(context)
        context.set_default_timeout(1000 * WITHIN_S)
        expect.set_options(timeout=1000 * WITHIN_S)
        page = context.new_page()
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda message: self.errors.extend([message.text] if message.type == "error" else []))
        if job is not None:
            page.add_init_script(f"sessionStorage.setItem('ttsr.job', {json.dumps(job)})")
        page.goto(address or self.address)
        if job is not None:
            self.wait_for_result(page)
        elif address is None:
            page.wait_for_selector("[name=model] option", state="attached")
        return page

    def choose(self, page: Page, small: Path, *sharp: Path) -> None:
        """Give a page its photos, and wait until a job can be started."""
        page.set_input_files("#small input", small)
        if sharp:
            page.set_input_files("#sharp input >> nth=0", [*sharp])
        page.wait_for_selector("#inputs [type=submit]:enabled")

    def upscale(self, page: Page, small: Path, *sharp: Path) -> None:
        """Get a result on a page."""
        self.choose(page, small, *sharp)
        page.click("#inputs [type=submit]")
        self.wait_for_result(page)

    def wait_for_result(self, page: Page) -> None:
        """Until it is shown, with its images."""
        page.wait_for_selector("#result:not([hidden]), #trouble:not([hidden])")
        assert page.inner_text("#trouble") == ""
        page.evaluate("Promise.all([...document.querySelectorAll('#result img')].map((image) => image.decode()))")

    def refused(self, status: int) -> None:
        """The browser has complained of an answer of this status, once, as it should."""
        (complaint,) = [error for error in self.errors if f"status of {status} " in error]
        self.errors.remove(complaint)

    def close(self) -> None:
        """See that no page asked another host, or complained."""
        for context in self._contexts:
            context.close()
        self.errors = [error for error in self.errors if not any(part in error for part in self.tolerated)]
        hosts = {urlsplit(url).netloc for url in self.requests if not url.startswith(("blob:", "data:", "file:"))}
        assert hosts <= {urlsplit(self.address).netloc}
        assert self.errors == []


@pytest.fixture(scope="session")
def make_pages() -> type[Pages]:
    return Pages


@pytest.fixture
def pages(browser: Browser, address: str) -> Iterator[Pages]:
    opened = Pages(browser, address)
    yield opened
    opened.close()
