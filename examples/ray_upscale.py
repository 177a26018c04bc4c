"""Upscale a folder on all GPUs or cores of a Ray cluster: `python examples/ray_upscale.py FOLDER REF OUT`.

Needs `pip install ray`, and ttsr and the folders at the same paths on every host. A second call goes on where one was
stopped: outputs are written completely or not at all, and those that exist are left out.
"""

import argparse
from pathlib import Path
from typing import Any

import ray  # pyright: ignore[reportMissingImports]

from ttsr import Upscaler
from ttsr.errors import UserError
from ttsr.images.folders import pictures_in
from ttsr.system.threads import use_threads

AHEAD = 4  # pictures that each worker is given in advance


class Worker:
    """Keeps a network and encoded references for any number of pictures."""

    def __init__(self, model: str, references: list[Path], threads: int) -> None:
        use_threads(threads)
        self._upscaler = Upscaler(model)
        self._references = self._upscaler.encode_references(references)

    def upscale(self, source: Path, target: Path) -> str | None:
        """Upscale a picture; returned is what was wrong with it, if anything."""
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            self._upscaler.upscale(source, self._references).save(target)
        except UserError as error:
            return str(error)
        return None


def main() -> None:
    """Spread the pictures of a folder, and print those that failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("reference", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", default="ttsr-lite")
    parser.add_argument("--threads", type=int, default=4, help="of each worker, on a cluster without GPUs")
    options = parser.parse_args()
    ray.init()  # the cluster that RAY_ADDRESS names, or this machine
    gpus = int(ray.cluster_resources().get("GPU", 0))
    count = gpus or max(1, int(ray.cluster_resources()["CPU"]) // options.threads)
    resources: dict[str, Any] = {"num_gpus": 1} if gpus else {"num_cpus": options.threads}
    remote: Any = ray.remote(**resources)(Worker)
    workers = [remote.remote(options.model, [options.reference], options.threads) for _ in range(count)]
    running: dict[Any, tuple[Any, Path]] = {}
    failed = 0

    def take_one() -> Any:
        nonlocal failed
        (done,), _ = ray.wait([*running], num_returns=1)
        worker, source = running.pop(done)
        error = ray.get(done)
        if error is not None:
            failed += 1
            print(f"{source}: {error}")
        return worker

    free = workers * AHEAD
    for source in pictures_in(options.folder, recursive=True).pictures:
        target = options.out / source.relative_to(options.folder).with_suffix(".png")
        if target.exists():
            continue
        worker = free.pop() if free else take_one()
        running[worker.upscale.remote(source.absolute(), target.absolute())] = (worker, source)
    while running:
        take_one()
    print(f"{failed} failed")


if __name__ == "__main__":
    main()
