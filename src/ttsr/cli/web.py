"""`ttsr web`."""

import os
import secrets
import socket
import threading
import time
import webbrowser
from typing import TYPE_CHECKING
from urllib.request import urlopen

from ttsr.cli.printing import tell
from ttsr.cli.serving import serve_until_stopped
from ttsr.cli.shared_options import DeviceOption
from ttsr.options import DEFAULT_DEVICE
from ttsr.service.settings import MIB, ServiceSettings, is_loopback
from ttsr.system.memory import parse_bytes

if TYPE_CHECKING:
    from fastapi import FastAPI

_PORT = 8000
_ANSWERS_WITHIN_S = 30
_EVERYWHERE = ("0.0.0.0", "::")


def web(
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    token: str | None = None,
    model: tuple[str, ...] = (),
    device: DeviceOption = DEFAULT_DEVICE,
    threads: int | None = None,
    max_memory: str | None = None,
    no_browser: bool = False,
) -> None:
    """Upscale pictures on a page in the browser.

    Args:
        host: The address to listen at. Others than this machine's own let other machines in: then a token belongs to
            the address of the page.
        port: The port to listen at; 0 for any that is free. Default: 8000, or any that is free where that is taken.
        token: The token. Better given by the environment variable TTSR_TOKEN, which other users of the machine cannot
            see. Default: none at this machine's own address, else a new one each time.
        model: A model to choose from, as for `ttsr upscale`; may be given several times, the default first. Default:
            those that ship.
        device: Where to compute: auto (all GPUs if there are any), cpu, cuda (all GPUs), cuda:N, or mps.
        threads: Threads of the CPU to compute with. Default: one for each core.
        max_memory: The most memory to take, such as 8GiB (on CUDA: of each GPU's). Default: a share of what is free.
        no_browser: Only print the address.
    """
    given = token or os.environ.get("TTSR_TOKEN")
    if given is None and not is_loopback(host):
        given = secrets.token_urlsafe(24)
    settings = ServiceSettings(
        host=host,
        token=given or None,
        models=model,
        device=device,
        threads=threads,
        max_memory=None if max_memory is None else parse_bytes(max_memory),
        # For one or a few people, who may take longer: what does not fit into memory is refused all the same.
        upload_bytes=256 * MIB,
        request_bytes=1024 * MIB,
        pixels=25_000_000,
        reference_pixels=200_000_000,
        references=32,
        job_seconds=6 * 3600,
        keep_seconds=24 * 3600,
    )

    def started(address: str) -> None:
        if host in _EVERYWHERE:
            address = f"http://{socket.gethostname()}:{address.rpartition(':')[2]}"
        page = f"{address}/#token={given}" if given else f"{address}/"
        tell(f"the page is {page}")
        if not no_browser:
            threading.Thread(target=_open, args=(address, page), daemon=True).start()

    serve_until_stopped(settings, _free(host) if port is None else port, extend=_add_page, started=started)


def _add_page(application: "FastAPI") -> None:
    from ttsr.service.page_files import page_routes

    application.include_router(page_routes)


def _free(host: str) -> int:
    """The usual port, or 0 for any where that is taken."""
    kind = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(kind) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, _PORT))
        except OSError:
            return 0
    return _PORT


def _open(address: str, page: str) -> None:
    """Open the page once the server answers."""
    end = time.monotonic() + _ANSWERS_WITHIN_S
    while time.monotonic() < end:
        try:
            with urlopen(f"{address}/healthz", timeout=_ANSWERS_WITHIN_S):
                break
        except OSError:
            time.sleep(0.05)
    webbrowser.open(page)
