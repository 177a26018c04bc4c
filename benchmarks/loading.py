"""Training pairs per second of one dataloader worker: `python benchmarks/loading.py [--data DIR] [--output F.json]`.

Photos and data in CUFED's layout, each from a folder and from a packed file, by one worker on one thread, as in
training. A GPU that trains on N pairs per second needs N / pairs_s workers. `trained_s` is the number of pairs per
second that the small network is trained on by the CPU of this machine with all its threads: while that is less, one
worker is enough. `cold_ms` is reading alone, after the system was asked to drop its cache of the files.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measure import machine
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from ttsr.data.cufed import CufedPairs
from ttsr.data.cufed_layout import find_pairs
from ttsr.data.packing import PackOptions, pack
from ttsr.data.pair_options import CufedOptions, PhotosOptions
from ttsr.data.photos import PhotoPairs
from ttsr.data.sample import Pair, collate
from ttsr.data.store import open_store
from ttsr.system.distributed import Runtime
from ttsr.training.recipe_text import read_recipe
from ttsr.training.trainer import Trainer

BATCH = 9
RECIPES = {"photos": "ttsr-lite", "cufed": "ttsr-lite_CUFED"}
TRAINING_STEPS = 3
EXAMPLES = Path(__file__).parent.parent / "examples" / "pairs"


@dataclass(frozen=True)
class Row:
    """Medians over the repeats.

    Attributes:
        data: photos or cufed.
        form: folder or packed.
        pictures: number of pictures.
        megabytes: size of the pictures' files.
        open_s: seconds until the first pair can be made; photos are decoded in them.
        cold_ms: reading a picture.
        make_ms: sampling, cropping and warping a pair, for CUFED also decoding and degradations; CPU time.
        collate_ms: the remaining degradations and stacking, per pair; CPU time.
        pairs_s: pairs per second of one worker.
        trained_s: pairs per second that training consumes.
        times_faster: pairs_s / trained_s.
    """

    data: str
    form: str
    pictures: int
    megabytes: float
    open_s: float
    cold_ms: float
    make_ms: float
    collate_ms: float
    pairs_s: float
    trained_s: float
    times_faster: float


def make_photos(folder: Path, copies: int = 10) -> None:
    """Write the example pictures as JPEGs, rotated and shifted, as a set of realistic size."""
    folder.mkdir()
    for source in sorted(EXAMPLES.glob("*.png")):
        pixels = np.asarray(Image.open(source).convert("RGB"))
        for copy in range(copies):
            shifted = np.rot90(np.roll(pixels, 17 * copy, (0, 1)), copy)
            Image.fromarray(shifted).save(folder / f"{source.stem}_{copy}.jpg", quality=92, subsampling=0)


def make_cufed(folder: Path, pairs: int = 400, side: int = 160) -> None:
    """Write crops of the example pairs as PNG in CUFED's layout; as in CUFED, some references are a pixel narrower."""
    rng = np.random.default_rng(0)
    scenes = [
        [np.asarray(Image.open(EXAMPLES / f"{scene}_{role}.png").convert("RGB")) for role in ("hr", "ref")]
        for scene in ("aloe", "leuven")
    ]
    for role in ("input", "ref"):
        (folder / role).mkdir(parents=True)
    for number in range(pairs):
        for role, picture in zip(("input", "ref"), scenes[number % 2], strict=True):
            top, left = (int(rng.integers(size - side + 1)) for size in picture.shape[:2])
            width = side - 1 if role == "ref" and number % 10 == 0 else side
            crop = picture[top : top + side, left : left + width]
            Image.fromarray(crop).save(folder / role / f"{number:05}.png")


def open_pairs(path: Path) -> tuple[str, Dataset[Pair]]:
    """Open a data set: its kind, and its pairs as in `RECIPES`, 96 px from photos, 160 px from CUFED."""
    if find_pairs(open_store(path)) is not None:
        return "cufed", CufedPairs(path, CufedOptions(), 0)
    return "photos", PhotoPairs(path, PhotosOptions(), 0)


def training_rate(path: Path) -> float:
    """Measure the pairs per second that the small network is trained on; the first step is a warm-up."""
    kind, pairs = open_pairs(path)
    recipe = read_recipe(RECIPES[kind]).stages[-1]
    trainer = Trainer(recipe, Runtime("cpu"))
    seconds: list[float] = []
    for step in range(1 + TRAINING_STEPS):
        batch = collate([pairs[step * recipe.batch_size + n] for n in range(recipe.batch_size)])
        started = time.perf_counter()
        trainer.train_step(batch)
        seconds.append(time.perf_counter() - started)
    return recipe.batch_size / statistics.median(seconds[1:])


def measure(path: Path, form: str, seconds: float, repeats: int, trained_s: float) -> Row:
    """Measure one form of one data set."""
    store = open_store(path)
    cold = [_cold_read_s(path) for _ in range(repeats)]
    started = time.perf_counter()
    kind, pairs = open_pairs(path)
    open_s = time.perf_counter() - started
    samples = [pairs[number] for number in range(BATCH)]
    make = [_per_pair(lambda k=k: [pairs[k * BATCH + n] for n in range(BATCH)]) for k in range(5 * repeats)]
    stack = [_per_pair(lambda: collate(samples)) for _ in range(5 * repeats)]
    pairs_s = statistics.median(_worker_rate(pairs, seconds) for _ in range(repeats))
    return Row(
        kind,
        form,
        len(store.names),
        sum(len(store.read(name)) for name in store.names) / 1e6,
        open_s,
        1e3 * statistics.median(cold) / len(store.names),
        1e3 * statistics.median(make),
        1e3 * statistics.median(stack),
        pairs_s,
        trained_s,
        pairs_s / trained_s,
    )


def _per_pair(work: Callable[[], object]) -> float:
    """CPU seconds, which other processes on the machine hardly change."""
    started = time.process_time()
    work()
    return (time.process_time() - started) / BATCH


def _worker_rate(pairs: Dataset[Pair], seconds: float) -> float:
    """Pairs per second of one worker, after its prefetched batches."""
    ended = False

    def numbers() -> Iterator[list[int]]:
        first = 0
        while not ended:
            yield list(range(first, first + BATCH))
            first += BATCH

    loader = DataLoader(
        pairs,
        batch_sampler=numbers(),
        collate_fn=collate,
        num_workers=1,
        worker_init_fn=_on_one_thread,
    )
    batches = iter(loader)
    for _ in range(4):
        next(batches)
    started, count = time.perf_counter(), 0
    while time.perf_counter() - started < seconds:
        count += len(next(batches))
    seconds = time.perf_counter() - started
    ended = True
    for _ in batches:  # a worker that is stopped in the middle of its work prints an error
        pass
    return count / seconds


def _on_one_thread(_: int) -> None:
    torch.set_num_threads(1)


def _cold_read_s(path: Path) -> float:
    """Seconds to read every picture in random order, after dropping the system's file cache where it can be dropped."""
    if hasattr(os, "posix_fadvise"):
        for file in [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]:
            with file.open("rb") as opened:
                os.fsync(opened.fileno())
                os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    store = open_store(path)
    order = np.random.default_rng(0).permutation(len(store.names))
    started = time.perf_counter()
    for place in order:
        store.read(store.names[place])
    return time.perf_counter() - started


def show(rows: list[Row]) -> None:
    """Print the table, and the number of workers that follows from it."""
    print(f"{'data':8} {'form':8} {'pictures':>8} {'MB':>7} {'open s':>7} {'cold ms':>8} {'make ms':>8} ", end="")
    print(f"{'collate ms':>10} {'pairs/s':>8} {'trained/s':>10}")
    for row in rows:
        print(f"{row.data:8} {row.form:8} {row.pictures:8} {row.megabytes:7.1f} {row.open_s:7.2f} ", end="")
        print(f"{row.cold_ms:8.2f} {row.make_ms:8.2f} {row.collate_ms:10.2f} {row.pairs_s:8.0f} {row.trained_s:10.1f}")
    for row in rows:
        needed = ", ".join(f"{rate} by {int(np.ceil(rate / row.pairs_s))}" for rate in (100, 500, 2000))
        source = {"folder": "a folder", "packed": "a packed file"}[row.form]
        print(f"{row.data} from {source}: pairs per second and the workers that they need: {needed};", end=" ")
        print(f"one worker makes pairs {row.times_faster:.1f} times as fast as {RECIPES[row.data]} trains on them here")


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", type=Path, action="append", help="folder to measure (default: sets written from the example pictures)"
    )
    parser.add_argument("--seconds", type=float, default=5.0, help="duration of each measurement of a worker")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--output", type=Path, help="JSON file to write")
    options = parser.parse_args()
    all_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as temporary:
        folders: list[Path] = options.data or [Path(temporary) / "photos", Path(temporary) / "cufed"]
        if not options.data:
            make_photos(folders[0])
            make_cufed(folders[1])
        for number, folder in enumerate(folders):
            # In a separate process: workers forked from one that has computed on several threads may hang.
            with ProcessPoolExecutor(1, get_context("spawn")) as process:
                trained_s = process.submit(training_rate, folder).result()
            packed = Path(temporary) / f"{number}.zip"
            pack(open_store(folder), packed, PackOptions())
            for form, path in (("folder", folder), ("packed", packed)):
                rows.append(measure(path, form, options.seconds, options.repeats, trained_s))
    show(rows)
    if options.output is not None:
        report: dict[str, Any] = {
            "machine": machine(),
            "batch": BATCH,
            "training_threads": all_threads,
            "rows": [asdict(row) for row in rows],
        }
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
