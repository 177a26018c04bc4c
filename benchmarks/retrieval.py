"""References chosen from a folder of photos: `python benchmarks/retrieval.py TEST_SET [--photos N] [--output F.json]`.

All references of a test set in CUFED5's layout become one folder. For each picture references are chosen from it: how
often one of its own comes first, and PSNR (`paper-y`) with what was chosen, beside that with reference 1.
Where the test set has a `manifest.csv` that names the photo (`original`) and scene that each file is of, files of the
ground truth's own photo are not chosen from, and it is told how often the first is from the same photo as one of the
picture's own, and how often it shows the same scene.

Then N photos of 12 megapixels are looked through, in two processes: for the first time, and again with what the cache
holds.
"""

import argparse
import csv
import json
import os
import resource
import shutil
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from measure import example_photo, machine
from PIL import Image

from ttsr.data.cufed5 import PictureFile, list_groups
from ttsr.evaluation.protocols import PAPER_Y
from ttsr.evaluation.scored_picture import read_ground_truth
from ttsr.images.picture import Picture
from ttsr.images.resize import downscale4
from ttsr.inference.upscaler import Upscaler
from ttsr.retrieval.finding import find_references
from ttsr.retrieval.photo_index import index_photos

_PROCESSES = 2
_DIFFERENT = 20  # photos; the rest are copies of them, which cost as much
_SIZE = (4000, 3000)


def choose_on_test_set(data: Path, upscaler: Upscaler, max_refs: int, every: int) -> dict[str, Any]:
    """Choose references for each picture from those of all."""
    groups = list_groups(data)
    manifest = data / "manifest.csv"
    about = {row["file"]: row for row in csv.DictReader(manifest.open())} if manifest.exists() else {}
    photos = {path: group for group in groups for path in group.references.values() if isinstance(path, Path)}
    index = index_photos(list(photos))
    rows: list[dict[str, Any]] = []
    for group in groups[::every]:
        hr = read_ground_truth(group.hr)
        lr = Picture(downscale4(hr))
        truth = about.get(group.hr.name, {})
        own_photo = [path for path in photos if truth and about[path.name]["original"] == truth["original"]]
        started = time.process_time()
        found = find_references(upscaler, lr, index, max_refs=max_refs, without=own_photo)
        seconds = time.process_time() - started
        first = found.chosen[0].path if found.chosen else None
        one = upscaler.encode_references([path for path in group.references.values() if isinstance(path, Path)][:1])
        using = {"chosen": found.references, "reference 1": one}
        psnr = {name: PAPER_Y.psnr(hr, upscaler.upscale(lr, refs).picture.rgb) for name, refs in using.items()}
        rows.append(
            {
                "picture": group.name,
                "own first": first is not None and photos[first] is group,
                "own photo first": first is not None and _shows(about, first, group.references.values()),
                "same scene first": first is not None and about.get(first.name, {}).get("scene") == truth.get("scene"),
                "chosen": [path.name for path in (one.path for one in found.chosen)],
                "cpu_seconds": seconds,
                "psnr": psnr,
            }
        )
        print(
            f"  {group.name}: {', '.join(rows[-1]['chosen'])} ({psnr['chosen'] - psnr['reference 1']:+.2f} dB)",
            flush=True,
        )
    names = rows[0]["psnr"]
    return {
        "pictures": len(rows),
        "photos": len(photos),
        "own_first": float(np.mean([row["own first"] for row in rows])),
        "own_photo_first": float(np.mean([row["own photo first"] for row in rows])) if about else None,
        "same_scene_first": float(np.mean([row["same scene first"] for row in rows])) if about else None,
        "psnr": {name: float(np.mean([row["psnr"][name] for row in rows])) for name in names},
        "rows": rows,
    }


def _shows(about: dict[str, dict[str, str]], first: Path, own: Iterable[PictureFile]) -> bool:
    """Whether a file was cut from a photo that one of a picture's own references was cut from too."""
    return bool(about) and about[first.name]["original"] in {about[path.name]["original"] for path in own}


def look_through(count: int, sources: Sequence[Path], upscaler: Upscaler) -> dict[str, Any]:
    """Choose references of one picture among `count` photos of 12 megapixels, with an empty cache and again."""
    with tempfile.TemporaryDirectory() as folder:
        photos = _make_photos(Path(folder) / "photos", count, sources)
        os.environ["TTSR_CACHE"] = str(Path(folder) / "cache")
        lr = Picture(downscale4(example_photo("hr", (1200, 1600))))
        timings: dict[str, Any] = {"photos": count, "megabytes": sum(p.stat().st_size for p in photos) / 1e6}
        for name in ("first", "again"):
            cpu, started = _cpu_seconds(), time.perf_counter()
            index = index_photos(Path(folder) / "photos", workers=_PROCESSES)
            timings[f"{name}_seconds"] = time.perf_counter() - started
            timings[f"{name}_cpu_seconds"] = _cpu_seconds() - cpu
            assert len(index.photos) == count
        started, cpu = time.perf_counter(), _cpu_seconds()
        find_references(upscaler, lr, index)
        timings["choosing_seconds"], timings["choosing_cpu_seconds"] = (
            time.perf_counter() - started,
            _cpu_seconds() - cpu,
        )
        entries = [path.stat().st_size for path in Path(folder, "cache").rglob("*.npz")]
        timings["cache_megabytes"] = sum(entries) / 1e6
    return timings


def _make_photos(folder: Path, count: int, sources: Sequence[Path]) -> list[Path]:
    """Enlarged pictures with the grain of a camera, as JPEGs of the size that phones write."""
    folder.mkdir()
    grain = np.random.default_rng(0).normal(0, 4, (_SIZE[1], _SIZE[0], 1)).astype(np.int16)
    different: list[Path] = []
    for number in range(count):
        path = folder / f"{number:05}.jpg"
        if number < _DIFFERENT:
            with Image.open(sources[number % len(sources)]) as source:
                large = source.convert("RGB").resize(_SIZE, Image.Resampling.BICUBIC)
            pixels = (np.asarray(large) + np.roll(grain, 97 * number, axis=1)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(path, quality=90)
            different.append(path)
        else:
            shutil.copy(different[number % len(different)], path)
    return sorted(folder.iterdir())


def _cpu_seconds() -> float:
    """Of this process and of those that it started and that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def main() -> None:
    """Measure both, and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="a test set in CUFED5's layout")
    parser.add_argument("--photos", type=int, default=500, help="photos of 12 megapixels; 0 for none")
    parser.add_argument("--max-refs", type=int, default=5)
    parser.add_argument("--every", type=int, default=1, help="take every Nth picture of the test set")
    parser.add_argument("--output", type=Path, help="JSON file to write")
    options = parser.parse_args()
    upscaler = Upscaler("ttsr-lite", device="cpu", precision="fp32")
    report: dict[str, Any] = {"machine": machine(), "max_refs": options.max_refs}
    report["test_set"] = found = choose_on_test_set(options.data, upscaler, options.max_refs, options.every)
    print(f"{found['pictures']} pictures, {found['photos']} photos in one folder")
    print(f"  one of its own first: {found['own_first']:.0%}")
    if found["same_scene_first"] is not None:
        print(f"  one from the same photo as its own: {found['own_photo_first']:.0%}")
        print(f"  one of the same scene first: {found['same_scene_first']:.0%}")
    for name, psnr in found["psnr"].items():
        print(f"  {name}: {psnr:.2f} dB")
    if options.photos:
        paths = [path for group in list_groups(options.data) for path in group.references.values()]
        sources = [path for path in paths if isinstance(path, Path)]
        report["time"] = taken = look_through(options.photos, sources, upscaler)
        print(f"{taken['photos']} photos of 12 megapixels, {_PROCESSES} processes")
        for name in ("first", "again", "choosing"):
            print(f"  {name}: {taken[f'{name}_seconds']:.1f} s, {taken[f'{name}_cpu_seconds']:.1f} s of processor time")
    if options.output is not None:
        options.output.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
