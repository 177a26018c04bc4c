"""What references that lie differently are worth: `python benchmarks/poses.py TEST_SET [--every N] [--output F.json]`.

Reference 1 of each picture of a test set in CUFED5's layout, as it is, rotated, at half and twice the size, and darker:
the gain in PSNR (`paper-y`) over no reference, and its share of what the reference as it is brings.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

from ttsr.data.cufed5 import list_groups
from ttsr.evaluation.protocols import PAPER_Y
from ttsr.evaluation.scored_picture import read_ground_truth, read_reference
from ttsr.images.resize import downscale4
from ttsr.inference.upscaler import Upscaler

Pixels = NDArray[np.uint8]


def changed(reference: Pixels) -> dict[str, Pixels]:
    """The reference as it is and in each way that it is changed."""
    image = Image.fromarray(reference)
    width, height = image.size
    half = image.resize((width // 2, height // 2), Image.Resampling.LANCZOS)
    ways = {
        "as it is": image,
        "rotated by 90": image.transpose(Image.Transpose.ROTATE_90),
        "rotated by 30": image.rotate(30, Image.Resampling.BICUBIC, expand=True),
        "0.5x": half,
        # The same detail where it belongs: what is left to gain for a better pose at 0.5x.
        "0.5x, enlarged again": half.resize((width, height), Image.Resampling.LANCZOS),
        "2x": image.resize((2 * width, 2 * height), Image.Resampling.LANCZOS),
        "at 60 % of its brightness": ImageEnhance.Brightness(image).enhance(0.6),
    }
    return {way: np.asarray(picture) for way, picture in ways.items()}


def main() -> None:
    """Print the mean gain of each way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="a test set in CUFED5's layout")
    parser.add_argument("--every", type=int, default=1, help="take every Nth picture")
    parser.add_argument("--model", default="ttsr-lite")
    parser.add_argument("--output", type=Path, help="write the gains as JSON")
    options = parser.parse_args()
    upscaler = Upscaler(options.model, precision="fp32")
    gains: dict[str, list[float]] = {}
    for group in list_groups(options.data)[:: options.every]:
        hr = read_ground_truth(group.hr)
        lr = downscale4(hr)
        # A flat reference shows nothing that matches.
        nothing = upscaler.upscale(lr, upscaler.encode_references(np.full((64, 64, 3), 128, np.uint8)))
        assert nothing.references[0].left_out
        for way, reference in changed(read_reference(next(iter(group.references.values())))).items():
            result = upscaler.upscale(lr, upscaler.encode_references(reference))
            gain = PAPER_Y.psnr(hr, result.picture.rgb) - PAPER_Y.psnr(hr, nothing.picture.rgb)
            gains.setdefault(way, []).append(gain)
    whole = float(np.mean(gains["as it is"]))
    for way, values in gains.items():
        print(f"{way:28}{np.mean(values):+.2f} dB  {np.mean(values) / whole:5.0%}  least {min(values):+.2f} dB")
    if options.output:
        options.output.write_text(json.dumps(gains, indent=1) + "\n")


if __name__ == "__main__":
    main()
