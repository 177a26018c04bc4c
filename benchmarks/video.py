"""How much films flicker: `python benchmarks/video.py [--frames N] [--output F.json]`.

Films are made from the example pictures: a window that stands still or moves over the ground truth, made four times
smaller, with noise that differs from frame to frame. They are upscaled as films are, each frame with what was found for
the one before, and with the frames apart. Two measures of the luma, in levels of 255, both 0 for the ground truth:
flicker is how far a frame differs from the one before at the places that show the same, as the window's way is known;
temporal error is how far the difference to the frame before, at the same pixels, is off that of the ground truth.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from measure import EXAMPLES
from numpy.typing import NDArray
from PIL import Image

from ttsr.evaluation.protocols import PAPER_Y
from ttsr.images.picture import Picture
from ttsr.images.resize import downscale4, upscale4
from ttsr.inference.references import Reference
from ttsr.inference.upscaler import Upscaler
from ttsr.video.frame_upscaler import FrameUpscaler

Pixels = NDArray[np.uint8]

# Width and height of the window, and rows and columns of the ground truth that it moves by from frame to frame.
WINDOW = (320, 240)
MOVES = {"still": (0.0, 0.0), "slow": (0.7, 1.5), "fast": (2.0, 6.0)}
NOISE = 2.0  # standard deviation, in levels of 255
LUMA = np.array([0.299, 0.587, 0.114])


def corners(picture: Pixels, move: tuple[float, float], count: int) -> list[tuple[int, int]]:
    """Row and column of the window's corner in each frame, on its way back and forth."""

    def along(step: float, room: int) -> list[int]:
        return [abs((round(step * number) + room) % (2 * room) - room) for number in range(count)]

    rows, columns = along(move[0], picture.shape[0] - WINDOW[1]), along(move[1], picture.shape[1] - WINDOW[0])
    return list(zip(rows, columns, strict=True))


def window(picture: Pixels, corner: tuple[int, int]) -> Pixels:
    """What it shows."""
    return picture[corner[0] : corner[0] + WINDOW[1], corner[1] : corner[1] + WINDOW[0]]


def with_noise(frame: Pixels, seed: int) -> Pixels:
    """Gaussian noise, another for each frame."""
    noise = np.random.default_rng(seed).normal(0, NOISE, frame.shape)
    return np.rint(frame + noise).clip(0, 255).astype(np.uint8)


def flicker(results: Sequence[Pixels], places: Sequence[tuple[int, int]]) -> float:
    """Mean absolute difference of the luma from frame to frame where both show the same."""
    found = []
    for (before, there), (frame, here) in pairwise(zip([frame @ LUMA for frame in results], places, strict=True)):
        (down, right), (height, width) = np.subtract(here, there), frame.shape
        same = frame[max(0, -down) : height - max(0, down), max(0, -right) : width - max(0, right)]
        other = before[max(0, down) : height + min(0, down), max(0, right) : width + min(0, right)]
        found.append(np.abs(same - other).mean())
    return float(np.mean(found))


def temporal_error(results: Sequence[Pixels], truths: Sequence[Pixels]) -> float:
    """Mean absolute error of the temporal differences of the luma."""
    made, true = (np.diff(np.stack([frame @ LUMA for frame in film]), axis=0) for film in (results, truths))
    return float(np.abs(made - true).mean())


def main() -> None:
    """Print flicker, temporal error, PSNR and processor time of each film and way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=12)
    parser.add_argument("--pairs", nargs="*", default=["leuven", "aloe"])
    parser.add_argument("--precision", choices=("auto", "fp32", "bf16"), default="fp32")
    parser.add_argument("--output", type=Path, help="JSON file to write")
    options = parser.parse_args()
    upscaler, rows = Upscaler(precision=options.precision), []
    for pair in options.pairs:
        picture, reference = (np.asarray(Image.open(EXAMPLES / f"{pair}_{kind}.png")) for kind in ("hr", "ref"))
        references = upscaler.encode_references(reference)
        for name, move in MOVES.items():
            places = corners(picture, move, options.frames)
            truths = [window(picture, place) for place in places]
            assert flicker(truths, places) == 0
            frames = [with_noise(downscale4(truth), seed) for seed, truth in enumerate(truths)]
            for way, upscale in ways(upscaler, references).items():
                start = time.process_time()
                results = [upscale(frame) for frame in frames]
                row = {"pair": pair, "film": name, "way": way, "flicker": flicker(results, places)}
                row["temporal_error"] = temporal_error(results, truths)
                row["psnr"] = float(np.mean([PAPER_Y.psnr(t, r) for t, r in zip(truths, results, strict=True)]))
                row["cpu_seconds_per_frame"] = (time.process_time() - start) / len(frames)
                rows.append(row)
                print(*(f"{n} {v:.2f}" if isinstance(v, float) else f"{v:13}" for n, v in row.items()), flush=True)
    if options.output:
        about = {"frames": options.frames, "window": WINDOW, "moves": MOVES, "noise": NOISE}
        options.output.write_text(json.dumps({**about, "rows": rows}, indent=1) + "\n")


def ways(upscaler: Upscaler, references: Sequence[Reference]) -> dict[str, Callable[[Pixels], Pixels]]:
    """What makes a frame four times larger, in each way."""
    film = FrameUpscaler(upscaler, references, WINDOW)
    return {
        "bicubic": upscale4,
        "no reference": lambda frame: upscaler.upscale(Picture(frame), ()).picture.rgb,
        "frames apart": lambda frame: upscaler.upscale(Picture(frame), references).picture.rgb,
        "film": lambda frame: film.upscale(frame, 0).picture.rgb,
    }


if __name__ == "__main__":
    main()
