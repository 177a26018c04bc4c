"""Many clients of one service at once: `python benchmarks/service_load.py [--jobs 50] [--queue 8] [--output F.json]`.

Each sends a small job, and again where the queue is full, after the time that it is told to wait. Reported are how
long jobs took from the first attempt to the result, how fast the service answered, and the memory of its processes.
"""

import argparse
import io
import json
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import httpx
import psutil
from measure import example_photo, machine
from PIL import Image

_SIDE, _REFERENCE_SIDE = 40, 160


def png(role: str, side: int, offset: int) -> bytes:
    """A part of the `hr` or the `ref` of an example pair, another for each offset up to 64."""
    file = io.BytesIO()
    photo = Image.fromarray(example_photo(role, (side + 64, side + 64)))
    photo.crop((offset % 64, offset % 64, offset % 64 + side, offset % 64 + side)).save(file, "PNG")
    return file.getvalue()


class Load:
    """Clients, and what they saw."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.statuses: Counter[int] = Counter()
        self.answer_seconds: list[float] = []

    def timed(self, client: httpx.Client, method: str, path: str, **given: Any) -> httpx.Response:
        """A request, whose time is noted."""
        start = time.perf_counter()
        response = client.request(method, path, **given)
        self.answer_seconds.append(time.perf_counter() - start)
        self.statuses[response.status_code] += 1
        return response

    def job(self, number: int) -> tuple[float, str]:
        """One client's job: seconds until its end, and how it ended."""
        files = {
            "lr": ("lr.png", png("hr", _SIDE, number)),
            "reference": ("ref.png", png("ref", _REFERENCE_SIDE, number)),
        }
        start = time.perf_counter()
        with httpx.Client(base_url=self.address, timeout=120) as client:
            while (sent := self.timed(client, "POST", "/v1/jobs", files=files)).status_code == 429:
                time.sleep(float(sent.headers["retry-after"]))
            sent.raise_for_status()
            path = f"/v1/jobs/{sent.json()['id']}"
            while (state := self.timed(client, "GET", path).json()["state"]) in ("queued", "running"):
                time.sleep(0.2)
            if state == "done":
                self.timed(client, "GET", f"{path}/result").raise_for_status()
        return time.perf_counter() - start, state


def memory(process: psutil.Process) -> int:
    """Bytes of a process and its children."""
    total = 0
    for one in [process, *process.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            total += one.memory_info().rss
    return total


def main() -> None:
    """Start a service, load it, and print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=50)
    parser.add_argument("--queue", type=int, default=8)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--threads", type=int, help="of each worker")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    command = [sys.executable, "-m", "ttsr", "serve", "--port", "0", "--queue", str(options.queue)]
    command += ["--workers", str(options.workers), "--jobs-per-client", str(options.jobs)]
    command += ["--threads", str(options.threads)] if options.threads else []
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        address, process = server.stdout.readline().split()[-1], psutil.Process(server.pid)
        while httpx.get(f"{address}/readyz").status_code != 200:
            time.sleep(0.2)
        load, idle = Load(address), memory(process)
        load.job(0)  # the first sets up kernels and threads
        load.answer_seconds, load.statuses = [], Counter()
        peak, done = [idle], threading.Event()

        def watch() -> None:
            while not done.wait(0.2):
                peak.append(memory(process))

        watching = threading.Thread(target=watch)
        watching.start()
        start = time.perf_counter()
        try:
            with ThreadPoolExecutor(options.jobs) as pool:
                ended = [*pool.map(load.job, range(1, options.jobs + 1))]
        finally:
            done.set()
        seconds = time.perf_counter() - start
    finally:
        server.terminate()
        server.wait()
    took = sorted(seconds for seconds, _ in ended)
    result = {
        "jobs": options.jobs,
        "queue": options.queue,
        "workers": options.workers,
        "states": Counter(state for _, state in ended),
        "seconds": round(seconds, 1),
        "job_seconds": {"least": round(took[0], 2), "median": round(median(took), 2), "most": round(took[-1], 2)},
        "answers": {str(status): count for status, count in sorted(load.statuses.items())},
        "answer_ms": {
            "median": round(1000 * median(load.answer_seconds)),
            "95 %": round(1000 * quantiles(load.answer_seconds, n=20)[-1]),
            "most": round(1000 * max(load.answer_seconds)),
        },
        "idle_mb": round(idle / 1e6),
        "peak_mb": round(max(peak) / 1e6),
    }
    print(json.dumps(result, indent=1))
    if options.output is not None:
        options.output.write_text(json.dumps({"machine": machine(), **result}, indent=1) + "\n")


if __name__ == "__main__":
    main()
