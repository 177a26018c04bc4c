"""Pairs a second that one data worker makes: `python benchmarks/loading.py [--data DIR] [--output F.json]`.

Photos and CUFED's layout, each from a folder and from a packed file, by one worker on one thread, as training does it.
A GPU that takes N samples a second wants N / (pairs a second) workers. `trained` is how many pairs a second the small
model is trained on by this machine's processor, on all its threads: while that is less, one worker will do.
`cold` is reading alone, after the system was asked to forget the files, of the whole set.
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

from ttsr.data.cufed import CufedPairs, is_cufed
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
    """Medians of the turns.

    Attributes:
        open_s: until the first pair can be made (photos are decoded then).
        cold_ms: reading a picture.
        make_ms: drawing, cutting and warping a pair, of CUFED decoding and degrading too; processor time.
        collate_ms: what is left to degrade, and stacking; processor time.
        pairs_s: what a worker hands over.
        trained_s: what training takes of it.
        times_faster: the ratio of the two.
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
    """The example pictures as JPEGs, turned and shifted, so that reading is that of a set."""
    folder.mkdir()
    for source in sorted(EXAMPLES.glob("*.png")):
        pixels = np.asarray(Image.open(source).convert("RGB"))
        for copy in range(copies):
            shifted = np.rot90(np.roll(pixels, 17 * copy, (0, 1)), copy)
            Image.fromarray(shifted).save(folder / f"{source.stem}_{copy}.jpg", quality=92, subsampling=0)


def make_cufed(folder: Path, pairs: int = 400, side: int = 160) -> None:
    """Crops of the example pairs, as PNG like CUFED's own; some references a pixel short, as there."""
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
    """What kind of data it is, and its pairs as the recipes of `RECIPES` have them: 96 px of photos, 160 of CUFED."""
    if is_cufed(open_store(path)):
        return "cufed", CufedPairs(path, CufedOptions(), 0)
    return "photos", PhotoPairs(path, PhotosOptions(), 0)


def training_rate(path: Path) -> float:
    """Pairs a second that the small model is trained on, its extractor and all; the first step warms up."""
    kind, pairs = open_pairs(path)
    recipe = read_recipe(RECIPES[kind], ["--extractor.start=random", "--schedule.contrastive_steps=0"])
    trainer = Trainer(recipe, Runtime("cpu"))
    seconds: list[float] = []
    for step in range(1 + TRAINING_STEPS):
        batch = collate([pairs[step * recipe.batch_size + n] for n in range(recipe.batch_size)])
        started = time.perf_counter()
        trainer.train_step(batch)
        seconds.append(time.perf_counter() - started)
    return recipe.batch_size / statistics.median(seconds[1:])


def measure(path: Path, form: str, seconds: float, turns: int, trained_s: float) -> Row:
    """One form of one data set."""
    store = open_store(path)
    cold = [_cold_read_s(path) for _ in range(turns)]
    started = time.perf_counter()
    kind, pairs = open_pairs(path)
    open_s = time.perf_counter() - started
    made = [pairs[number] for number in range(BATCH)]
    make = [_per_pair(lambda turn=turn: [pairs[turn * BATCH + n] for n in range(BATCH)]) for turn in range(5 * turns)]
    stack = [_per_pair(lambda: collate(made)) for _ in range(5 * turns)]
    pairs_s = statistics.median(_worker_rate(pairs, seconds) for _ in range(turns))
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
    """Processor seconds, which other people's work on the machine hardly changes."""
    started = time.process_time()
    work()
    return (time.process_time() - started) / BATCH


def _worker_rate(pairs: Dataset[Pair], seconds: float) -> float:
    """Pairs a second of one worker, once it runs and its queue is drained."""
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
    for _ in batches:  # a worker that is left in the middle of its work complains
        pass
    return count / seconds


def _on_one_thread(_: int) -> None:
    torch.set_num_threads(1)


def _cold_read_s(path: Path) -> float:
    """Seconds to read every picture in random order, the system's cache of their contents emptied where it obeys."""
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
    """A table, and what follows from it."""
    print(f"{'data':8} {'form':8} {'pictures':>8} {'MB':>7} {'open s':>7} {'cold ms':>8} {'make ms':>8} ", end="")
    print(f"{'collate ms':>10} {'pairs/s':>8} {'trained/s':>10}")
    for row in rows:
        print(f"{row.data:8} {row.form:8} {row.pictures:8} {row.megabytes:7.1f} {row.open_s:7.2f} ", end="")
        print(f"{row.cold_ms:8.2f} {row.make_ms:8.2f} {row.collate_ms:10.2f} {row.pairs_s:8.0f} {row.trained_s:10.1f}")
    for row in rows:
        needed = ", ".join(f"{rate} by {int(np.ceil(rate / row.pairs_s))}" for rate in (100, 500, 2000))
        source = {"folder": "a folder", "packed": "a packed file"}[row.form]
        print(f"{row.data} from {source}: samples a second and the workers that feed them: {needed};", end=" ")
        print(f"one makes pairs {row.times_faster:.1f} times as fast as {RECIPES[row.data]} trains on them here")


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, action="append", help="a folder to measure; default: made of the examples")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement of a worker")
    parser.add_argument("--turns", type=int, default=3)
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
            # In a process of its own: workers forked from one that has computed on several threads may hang.
            with ProcessPoolExecutor(1, get_context("spawn")) as process:
                trained_s = process.submit(training_rate, folder).result()
            packed = Path(temporary) / f"{number}.zip"
            pack(open_store(folder), packed, PackOptions())
            for form, path in (("folder", folder), ("packed", packed)):
                rows.append(measure(path, form, options.seconds, options.turns, trained_s))
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
