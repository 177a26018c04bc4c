"""A folder of photos into a data set of pairs in CUFED's layout: find what matches, cut, write."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np

from ttsr.data.mining.cutting import Cuts, Task, cut_pairs, read_pixels
from ttsr.data.mining.keypoint_store import opened, write_features
from ttsr.data.mining.output_folder import made_whole
from ttsr.data.mining.pair_manifest import WrittenPair, write_manifest
from ttsr.data.mining.pairs_options import PairsOptions
from ttsr.data.mining.pairs_report import write_page
from ttsr.data.mining.photo_folder import Reader, photo_names
from ttsr.data.mining.photo_search import Matched, search
from ttsr.data.mining.summary import Summary
from ttsr.errors import DataError, ImageError
from ttsr.registration.estimate import MIN_INLIERS
from ttsr.registration.keypoints import Features, scikit_image_sift
from ttsr.system.workers import Workers

MANIFEST, REPORT = "manifest.csv", "report.html"

Progress = Callable[[str, float], None]
"""Called with what is being done and the fraction done."""


def make_pairs(folder: Path, out: Path, options: PairsOptions, progress: Progress) -> Summary:
    """Write `out`/input/NAME.png, `out`/ref/NAME.png, manifest.csv and report.html from the photos of `folder`.

    The same files for the same photos and options, whatever the number of workers. `out` appears when all is written.

    Raises:
        DataError: `out` is in use, in `folder`, or cannot be written, fewer than two photos, none that match, no crop
            that passes, or scikit-image is not installed.
    """
    scikit_image_sift()
    names = photo_names(folder)
    reader = Reader(folder, options.longest_side)
    with made_whole(out, folder) as made, Workers(options.workers) as workers:
        summary = Summary()
        store = made / "features"
        store.mkdir()
        write_features(store, _features(reader, names, options, workers, summary, progress))
        _see_enough(summary, folder, options)
        found = _matches(store, summary, workers, progress)
        opened.cache_clear()
        shutil.rmtree(store)
        if not found:
            raise DataError(
                f"{folder}: no two of its {len(summary.photos)} photos show the same thing ({summary.tried} photo "
                f"pairs tried, none with {MIN_INLIERS} points that agree); add photos of one thing from several places"
            )
        _write_crops(made, reader, found, options, workers, summary, progress)
        if not summary.pairs:
            raise DataError(f"{folder}: {_why_no_crops(summary, options)}")
        write_manifest(made / MANIFEST, summary.pairs)
        write_page(made / REPORT, made, reader, summary)
    return summary


def _features(
    reader: Reader, names: list[str], options: PairsOptions, workers: Workers, summary: Summary, progress: Progress
) -> Iterator[Features]:
    """The features of the photos that will do; the others are noted in the summary."""
    for done, (name, features) in enumerate(zip(names, workers.in_order(reader.features, names), strict=True), 1):
        progress("looking for features", done / len(names))
        if isinstance(features, ImageError):
            summary.unreadable[name] = str(features)
            continue
        width, height = features.size
        if min(width, height) < options.size:
            summary.small[name] = f"{width}x{height}"
            continue
        summary.photos.append(name)
        yield features


def _see_enough(summary: Summary, folder: Path, options: PairsOptions) -> None:
    if len(summary.photos) >= 2:
        return
    reasons = []
    if summary.unreadable:
        reasons.append(f"{len(summary.unreadable)} cannot be read, such as {next(iter(summary.unreadable.values()))}")
    if summary.small:
        name, size = next(iter(summary.small.items()))
        reasons.append(f"{len(summary.small)} are smaller than the crops of {options.size} px, such as {name}, {size}")
    left = len(summary.photos)
    raise DataError(f"{folder}: {left} of the pictures can be used, and pairs need two ({'; '.join(reasons)})")


def _matches(store: Path, summary: Summary, workers: Workers, progress: Progress) -> list[Matched]:
    count = len(summary.photos)
    found: list[Matched] = []
    for matched, done in search(store, count, workers):
        found += matched
        progress("comparing photos", done)
    summary.tried, summary.matched = count * (count - 1) // 2, len(found)
    return found


def _write_crops(
    made: Path,
    reader: Reader,
    found: list[Matched],
    options: PairsOptions,
    workers: Workers,
    summary: Summary,
    progress: Progress,
) -> None:
    """Cut the photo pairs and write their crops, numbered as they come; up to `max_pairs`."""
    names = summary.photos
    tasks = [Task(number, names[one.first], names[one.second], one.view) for number, one in enumerate(found)]
    most = options.max_pairs
    if most is not None:
        order = np.random.default_rng(options.seed).permutation(len(tasks))
        tasks = [tasks[number] for number in order]
    inputs, references = made / "input", made / "ref"
    inputs.mkdir()
    references.mkdir()
    read_pixels.cache_clear()  # of another run in this process
    with closing(workers.in_order(partial(cut_pairs, reader, options), tasks)) as results:
        for done, (task, cuts) in enumerate(zip(tasks, results, strict=False), 1):
            _note(cuts, task, summary)
            for pair in cuts.pairs[: None if most is None else most - len(summary.pairs)]:
                name = f"{len(summary.pairs):06d}"
                (inputs / f"{name}.png").write_bytes(pair.input_png)
                (references / f"{name}.png").write_bytes(pair.reference_png)
                summary.pairs.append(WrittenPair(name, pair.input, pair.reference, pair.crop, pair.inliers))
            progress("cutting", done / len(tasks))
            if len(summary.pairs) == most:
                break


def _note(cuts: Cuts, task: Task, summary: Summary) -> None:
    summary.rejected += cuts.rejected
    if cuts.duplicate:
        summary.duplicates.append((task.first, task.second))


def _why_no_crops(summary: Summary, options: PairsOptions) -> str:
    if len(summary.duplicates) == summary.matched:
        return f"the only photo pairs that match ({summary.matched}) are copies of one photo, no use as references"
    reasons = ", ".join(f"{count} times {reason}" for reason, count in summary.rejected.most_common(3))
    return (
        f"{summary.matched} photo pairs match, but no crop of {options.size} px will do ({reasons}); "
        "take a smaller --size or --min-overlap"
    )
