"""Hostile clients of a service: `python benchmarks/service_attack.py [--scale 1] [--only NAME ...] [--output F.json]`.

A service is started with a tiny network, attacked in one way after the other, and in all ways together. Reported are
what it answered, how long `/healthz` took at most meanwhile, for a client at another address, the memory of its
processes, whether an ordinary job is done afterwards, and whether any answer told a path of the server. At the end the
service is killed, and started again to see that nothing of it is left. Linux only: clients come from 127.0.0.0/8.
"""

import argparse
import asyncio
import json
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import attacks
import psutil
import slow_attacks
import torch
from attack_inputs import form, get, png, post
from attacks import Attack, Target
from measure import machine

from ttsr.models.config import TTSRConfig
from ttsr.models.ttsr import TTSR
from ttsr.weights.saving import save

ATTACKS: tuple[Attack, ...] = (
    attacks.malformed_requests,
    attacks.form_bombs,
    attacks.bombs_of_pictures,
    attacks.names_of_files,
    attacks.guessed_ids,
    attacks.uploads_at_once,
    attacks.uploads_of_one,
    attacks.jobs_at_once,
    attacks.jobs_that_come_and_go,
    attacks.killed_workers,
    attacks.unread_events,
    slow_attacks.idle_connections,
    slow_attacks.slow_heads,
    slow_attacks.slow_bodies,
    slow_attacks.unread_results,
)
_NEIGHBOUR = "127.0.0.77"  # an address that attacks no one


class Watch:
    """Asks for `/healthz` and measures memory, in a thread, until it is left."""

    def __init__(self, port: int, process: psutil.Process) -> None:
        self._port, self._process = port, process
        self._done = threading.Event()
        self.slowest_s, self.refused, self.peak_bytes = 0.0, 0, 0

    def __enter__(self) -> "Watch":
        self._threads = [threading.Thread(target=work) for work in (self._ask, self._measure)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        while not self._done.wait(0.2):
            start = time.monotonic()
            try:
                connection = HTTPConnection("127.0.0.1", self._port, 60, (_NEIGHBOUR, 0))
                connection.request("GET", "/healthz")
                self.refused += connection.getresponse().status != 200
                connection.close()
            except OSError:
                self.refused += 1
            self.slowest_s = max(self.slowest_s, time.monotonic() - start)

    def _measure(self) -> None:
        while not self._done.wait(0.2):
            self.peak_bytes = max(self.peak_bytes, memory(self._process))


def memory(process: psutil.Process) -> int:
    """Bytes of a process and its children."""
    total = 0
    with suppress(psutil.Error):
        for one in [process, *process.children(recursive=True)]:
            with suppress(psutil.Error):
                total += one.memory_info().rss
    return total


def save_tiny_network(folder: Path) -> Path:
    """A network of the full structure that takes hundredths of a second, with random weights."""
    weights = folder / "weights" / "tiny.safetensors"
    weights.parent.mkdir()
    torch.manual_seed(0)
    save(TTSR(TTSRConfig(channels=8, num_blocks=(1, 1, 1, 1), extractor_channels=(8, 8, 16))), weights)
    return weights


@contextmanager
def service(folder: Path, weights: Path, *arguments: str, **variables: str) -> Iterator[tuple[int, psutil.Process]]:
    """A service whose files are in the folder: its port and its process."""
    command = [sys.executable, "-m", "ttsr", "serve", "--port", "0", "--device", "cpu", "--workers", "1"]
    command += ["--threads", "1", "--max-memory", "1GiB", "--model", str(weights), *arguments]
    with (folder / "log").open("a") as log:
        environment = {**os.environ, "TMPDIR": str(folder), **variables}
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment)
    try:
        assert server.stdout is not None
        port = int(server.stdout.readline().rpartition(":")[2])
        yield port, psutil.Process(server.pid)
    finally:
        server.send_signal(signal.SIGCONT)
        server.terminate()
        server.wait()


async def ordinary_job(target: Target, side: int = 40) -> tuple[str, str, float]:
    """An ordinary client's job: how it ended, its path, and the seconds from the first attempt to the result."""
    client, start = 76, time.monotonic()
    body = form([("lr", "lr.png", png(side, side)), ("reference", "ref.png", png(64, 64, 1))])
    while True:
        status, answer = await target.ask(post("/v1/jobs", body), client)
        found = re.search(rb"(?i)location: (/v1/jobs/\S+)", answer)
        if found is not None:
            break
        if status not in ("429", "503", "closed") or time.monotonic() - start > 120:
            return status, "", time.monotonic() - start
        told = re.search(rb"(?i)retry-after: (\d+)", answer)
        await asyncio.sleep(min(5, int(told[1])) if told else 1)
    path = found[1].decode()
    state = await attacks.ended(target, path, client)
    if state == "done":
        state = "done" if (await target.ask(get(f"{path}/result"), client))[0] == "200" else "no result"
    return state, path, time.monotonic() - start


async def run(target: Target, *together: Attack) -> dict[str, Any]:
    """Attack in these ways at the same time."""
    start = time.monotonic()
    with Watch(target.port, target.process) as watch:
        answers = await asyncio.gather(*(attack(target) for attack in together))
        lasted = time.monotonic() - start
        state, _, seconds = await ordinary_job(target)
    counts = sum(answers, Counter[str]())
    return {
        "attack": together[0].__name__.replace("_", " ") if len(together) == 1 else "all together",
        "requests": counts.total(),
        "answers": dict(sorted(counts.items())),
        "seconds": round(lasted),
        "healthz_slowest_s": round(watch.slowest_s, 2),
        "healthz_refused": watch.refused,
        "peak_mb": round(watch.peak_bytes / 1e6),
        "open_files": target.process.num_fds(),
        "job_afterwards": state,
        "job_seconds": round(seconds, 1),
    }


def row(result: dict[str, Any]) -> str:
    """A line of the table."""
    answers = ", ".join(f"{count} x {status}" for status, count in result["answers"].items())
    health = f"{result['healthz_slowest_s']} s" + (
        f", {result['healthz_refused']} x refused" if result["healthz_refused"] else ""
    )
    job = f"{result['job_afterwards']} in {result['job_seconds']} s"
    return f"| {result['attack']} | {result['requests']} | {answers} | {health} | {result['peak_mb']} MB | {job} |"


def main() -> None:
    """Start a service, attack it, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="how many clients there are of the usual number")
    parser.add_argument("--only", nargs="*", help="names of attacks, with _ for spaces")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    chosen = [attack for attack in ATTACKS if options.only is None or attack.__name__ in options.only]
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        weights = save_tiny_network(folder)
        results, leaks, kept = asyncio.run(attacked(folder, weights, chosen, options.scale))
        log = (folder / "log").read_text()
        with service(folder, weights):
            left = sorted({path.name for path in folder.iterdir()} & kept)
    print(f"\nanswers that told a path of the server: {len(leaks)}; lines of the log: {len(log.splitlines())}", end="")
    print(
        f", of tracebacks: {log.count('Traceback')}; folders that a killed service left to its successor: {len(left)}"
    )
    print(*leaks[:3], log[-3000:] if log else "", sep="\n")
    if options.output is not None:
        told = {"machine": machine(), "leaks": len(leaks), "tracebacks": log.count("Traceback"), "left": len(left)}
        options.output.write_text(json.dumps({**told, "attacks": results}, indent=1) + "\n")


async def attacked(
    folder: Path, weights: Path, chosen: list[Attack], scale: float
) -> tuple[list[dict[str, Any]], list[str], set[str]]:
    """What came of each attack; answers that tell paths; the private folder of the service, which is killed then."""
    root = Path(__file__).parent.parent
    forbidden = *(str(path).encode() for path in (folder, root, Path.home(), Path(sys.prefix))), b"Traceback"
    results: list[dict[str, Any]] = []
    with service(folder, weights) as (port, process):
        target = Target(port, process, forbidden, scale)
        state, target.job, _ = await ordinary_job(target, side=480)
        assert state == "done", state
        print(f"before: {memory(process) / 1e6:.0f} MB\n")
        print("| attack | requests | answers | slowest /healthz | peak memory | a job afterwards |")
        print("|---|---|---|---|---|---|")
        for together in [(attack,) for attack in chosen] + ([tuple(chosen)] if len(chosen) > 1 else []):
            results.append(await run(target, *together))
            print(row(results[-1]), flush=True)
        kept = {path.name for path in folder.iterdir() if path.name.startswith("ttsr-serve-")}
        process.kill()
    return results, target.leaks, kept


if __name__ == "__main__":
    main()
