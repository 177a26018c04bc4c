"""Upscale the photos in `examples/pairs`: shrink each to a quarter, and restore it with a reference photo.

`python examples/demo.py [--out demo]` writes each result and a comparison, and prints the gain in PSNR over bicubic.
The weights were not trained on these photos.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from ttsr import Upscaler
from ttsr.evaluation.protocols import PAPER_Y
from ttsr.images import downscale4, matched_detail, side_by_side, upscale4, upscale4_nearest

PAIRS = Path(__file__).parent / "pairs"
# Top and left of the detail that each comparison enlarges, and its side, in pixels of the ground truth.
DETAILS = {"aloe": (60, 150), "leuven": (70, 255)}
DETAIL_SIDE = 120


def main() -> None:
    """Run the demo."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("demo"), help="output folder")
    parser.add_argument("--model", default="ttsr-lite", help="name or weight file of the model")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    upscaler = Upscaler(options.model)
    for name, detail in DETAILS.items():
        hr, reference = (np.asarray(Image.open(PAIRS / f"{name}_{role}.png").convert("RGB")) for role in ("hr", "ref"))
        lr = downscale4(hr)
        upscaler.set_references([reference])
        result = upscaler.upscale(lr)
        sr, bicubic = np.asarray(result.image), upscale4(lr)
        psnr, bicubic_psnr = PAPER_Y.psnr(hr, sr), PAPER_Y.psnr(hr, bicubic)
        pictures = {
            "small photo": upscale4_nearest(lr),
            "reference": reference,
            f"bicubic {bicubic_psnr:.2f} dB": bicubic,
            f"ttsr {psnr:.2f} dB": sr,
            "ground truth": hr,
        }
        source = matched_detail(result.index, detail, DETAIL_SIDE, reference.shape[:2])
        file, comparison = options.out / f"{name}_x4.png", options.out / f"{name}_comparison.png"
        result.save(file)
        side_by_side(pictures, detail, DETAIL_SIDE, elsewhere={"reference": source}, panel_width=3 * DETAIL_SIDE).save(
            comparison
        )
        print(
            f"{name}: {lr.shape[1]}x{lr.shape[0]} -> {sr.shape[1]}x{sr.shape[0]} in {result.seconds:.1f} s, "
            f"PSNR {psnr:.2f} dB, bicubic {bicubic_psnr:.2f} dB: {psnr - bicubic_psnr:+.2f} dB"
        )
        print(f"  wrote {file} and {comparison}")


if __name__ == "__main__":
    main()
