"""From a folder of photos to a data set of pairs in CUFED's layout: match photos, crop, write."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from ttsr.data.mining.crop_extraction import extract_crops, read_pixels
from ttsr.data.mining.mining_options import MiningOptions
from ttsr.data.mining.mining_report import write_report
from ttsr.data.mining.mining_results import MiningSummary, write_manifest
from ttsr.data.mining.output_folder import atomic_folder
from ttsr.data.mining.photo_folder import PhotoReader, list_photos
from ttsr.data.mining.photo_matching import PhotoMatch, match_photos, write_keypoints
from ttsr.errors import DataError, ImageError
from ttsr.progress import Progress
from ttsr.registration.estimate import MIN_INLIERS
from ttsr.registration.keypoints import Keypoints
from ttsr.system.workers import Workers

MANIFEST, REPORT = "manifest.csv", "report.html"


def mine_pairs(folder: Path, out: Path, options: MiningOptions, progress: Progress | None = None) -> MiningSummary:
    """Write `out`/input/NAME.png, `out`/ref/NAME.png, manifest.csv and report.html from the photos of `folder`.

    The photos may lie in folders in it; `out` is new or empty, and appears when all is written. The files are the same
    for the same photos and options, whatever the number of workers. The stages of `progress` are "finding keypoints",
    "comparing photos", "cropping" and "writing the report".

    Raises:
        DataError: `out` is in use, in `folder`, or cannot be written; fewer than two photos, none that match, or no
            crop that passes.
        Cancelled: through `progress`; nothing is written.
    """
    progress = progress or Progress()
    names = list_photos(folder)
    reader = PhotoReader(folder, options.longest_side)
    with atomic_folder(out, folder) as temporary, Workers(options.workers) as workers:
        mining = _Mining(reader, options, workers)
        matches = mining.match(temporary / "keypoints", names, progress)
        mining.write_crops(temporary, matches, progress.part(0.7, 0.95, "cropping"))
        progress.update(0.95, "writing the report")
        write_manifest(temporary / MANIFEST, mining.summary.pairs)
        write_report(temporary / REPORT, reader, mining.summary)
        progress.update(1, "writing the report")
    return mining.summary


class _Mining:
    """The steps of one run, which note in `summary` what became of the photos."""

    def __init__(self, reader: PhotoReader, options: MiningOptions, workers: Workers) -> None:
        self.folder, self.reader, self.options, self.workers = reader.folder, reader, options, workers
        self.summary = MiningSummary()

    def match(self, store: Path, names: list[str], progress: Progress) -> list[PhotoMatch]:
        """The photo pairs that show the same thing; `store` is a folder that exists only meanwhile."""
        summary = self.summary
        store.mkdir()
        write_keypoints(store, self._keypoints(names, progress.part(0, 0.4, "finding keypoints")))
        count = len(summary.photos)
        if count < 2:
            reasons = []
            if summary.unreadable:
                example = next(iter(summary.unreadable.values()))
                reasons.append(f"{len(summary.unreadable)} cannot be read, such as {example}")
            if summary.small:
                example = ", ".join(next(iter(summary.small.items())))
                too_small = f"{len(summary.small)} are smaller than the crops of {self.options.size} px"
                reasons.append(f"{too_small}, such as {example}")
            what = f"{count} of the pictures can be used, and pairs need two ({'; '.join(reasons)})"
            raise DataError(f"{self.folder}: {what}")
        matches = match_photos(store, summary.photos, self.workers, progress.part(0.4, 0.7, "comparing photos"))
        summary.compared, summary.matched = count * (count - 1) // 2, len(matches)
        shutil.rmtree(store)
        if not matches:
            raise DataError(
                f"{self.folder}: no two of its {count} photos show the same thing ({summary.compared} photo pairs "
                f"compared, none with {MIN_INLIERS} points that agree)",
                "add photos of one thing from several places",
            )
        return matches

    def write_crops(self, out: Path, matches: list[PhotoMatch], progress: Progress) -> None:
        """Extract the crops of the photo pairs and write them, numbered as they come; up to `max_pairs`."""
        summary, limit = self.summary, self.options.max_pairs
        tasks = list(enumerate(matches))
        if limit is not None:
            order = np.random.default_rng(self.options.seed).permutation(len(tasks))
            tasks = [tasks[number] for number in order]
        folders = out / "input", out / "ref"
        for folder in folders:
            folder.mkdir()
        read_pixels.cache_clear()  # of another run in this process
        with closing(self.workers.in_order(partial(extract_crops, self.reader, self.options), tasks)) as results:
            for done, ((_, match), extraction) in enumerate(zip(tasks, results, strict=False), 1):
                summary.rejected += extraction.rejected
                if extraction.duplicate:
                    summary.duplicates.append((match.first, match.second))
                for pair, *pngs in extraction.pairs[: None if limit is None else limit - len(summary.pairs)]:
                    name = f"{len(summary.pairs):06d}"
                    for folder, png in zip(folders, pngs, strict=True):
                        (folder / f"{name}.png").write_bytes(png)
                    summary.pairs.append(replace(pair, name=name))
                progress.update(done / len(tasks))
                if len(summary.pairs) == limit:
                    break
        if summary.pairs:
            return
        if len(summary.duplicates) == summary.matched:
            what = f"the only photo pairs that match ({summary.matched}) are copies of one photo, no use as references"
            raise DataError(f"{self.folder}: {what}")
        reasons = ", ".join(f"{count} times {reason}" for reason, count in summary.rejected.most_common(3))
        what = f"{summary.matched} photo pairs match, but no crop of {self.options.size} px passes ({reasons})"
        raise DataError(f"{self.folder}: {what}", "take a smaller size or a smaller overlap")

    def _keypoints(self, names: list[str], progress: Progress) -> Iterator[Keypoints]:
        """The keypoints of the photos that can be used."""
        all_keypoints = self.workers.in_order(self.reader.keypoints, names)
        for done, (name, keypoints) in enumerate(zip(names, all_keypoints, strict=True), 1):
            progress.update(done / len(names))
            if isinstance(keypoints, ImageError):
                self.summary.unreadable[name] = str(keypoints)
            elif min(keypoints.size) < self.options.size:
                self.summary.small[name] = "{}x{}".format(*keypoints.size)
            else:
                self.summary.photos.append(name)
                yield keypoints
