"""The main job on the pairs that ship: shrink a photo to a quarter, bring it back with another photo's help.

`python examples/demo.py [--out demo]` writes the result and a comparison of each pair, and prints how much better than
bicubic the result is. Nothing was trained on these photos.
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ttsr import Upscaler
from ttsr.data.crops import Pixels8
from ttsr.evaluation.protocols import PAPER_Y
from ttsr.images.resize import downscale4, upscale4

PAIRS = Path(__file__).parent / "pairs"
# Left and top of a detail of each pair, in pixels of the truth.
DETAILS = {"aloe": (150, 60), "leuven": (255, 70)}
DETAIL_SIDE, ZOOM, LABEL_HEIGHT = 120, 3, 30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("demo"), help="folder to write to")
    parser.add_argument("--model", default="ttsr-lite")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    upscaler = Upscaler(options.model)
    for name in DETAILS:
        truth = np.asarray(Image.open(PAIRS / f"{name}_hr.png").convert("RGB"))
        reference = Image.open(PAIRS / f"{name}_ref.png").convert("RGB")
        lr = downscale4(truth)
        upscaler.set_references([reference])
        result = upscaler.upscale(lr)
        ours, bicubic = np.asarray(result.image), upscale4(lr)
        file, comparison = options.out / f"{name}_x4.png", options.out / f"{name}_comparison.png"
        result.save(file)
        compare(name, lr, np.asarray(reference), bicubic, ours, truth, result.index).save(comparison)
        reached, before = PAPER_Y.psnr(truth, ours), PAPER_Y.psnr(truth, bicubic)
        print(
            f"{name}: {lr.shape[1]}x{lr.shape[0]} -> {ours.shape[1]}x{ours.shape[0]} in {result.seconds:.1f} s, "
            f"PSNR {reached:.2f} dB, bicubic {before:.2f} dB: {reached - before:+.2f} dB"
        )
        print(f"  wrote {file} and {comparison}")


def compare(
    name: str,
    lr: Pixels8,
    reference: Pixels8,
    bicubic: Pixels8,
    ours: Pixels8,
    truth: Pixels8,
    index: NDArray[np.int32],
) -> Image.Image:
    """A detail, enlarged, in every version side by side; of the reference the place that most matches came from."""
    left, top = DETAILS[name]
    nearest = np.repeat(np.repeat(lr, 4, 0), 4, 1)
    cells = index[top // 4 : (top + DETAIL_SIDE) // 4, left // 4 : (left + DETAIL_SIDE) // 4]
    middle = np.median(cells[..., 1:].reshape(-1, 2), axis=0).astype(int) - DETAIL_SIDE // 2
    there_top, there_left = (
        int(np.clip(at, 0, size - DETAIL_SIDE)) for at, size in zip(middle, reference.shape[:2], strict=True)
    )
    panels = [
        ("small photo", nearest, top, left),
        ("reference", reference, there_top, there_left),
        ("bicubic", bicubic, top, left),
        ("ttsr", ours, top, left),
        ("truth", truth, top, left),
    ]
    side = DETAIL_SIDE * ZOOM
    sheet = Image.new("RGB", (len(panels) * (side + 6) - 6, side + LABEL_HEIGHT), "white")
    draw = ImageDraw.Draw(sheet)
    for number, (label, image, y, x) in enumerate(panels):
        detail = Image.fromarray(np.ascontiguousarray(image[y : y + DETAIL_SIDE, x : x + DETAIL_SIDE]))
        sheet.paste(detail.resize((side, side), Image.Resampling.NEAREST), (number * (side + 6), LABEL_HEIGHT))
        draw.text((number * (side + 6) + 4, 4), label, fill="black", font=ImageFont.load_default(18))
    return sheet


if __name__ == "__main__":
    main()
