"""A whole upscale, ours against the textbook form: `python benchmarks/upscale.py [--output F.json]`.

The full published network in fp32 with random weights and a reference four times the LR, encoded each time; and
the peak memory of `ttsr-lite` at LR 300x300, where the textbook form's matrix alone would take 32 GB.
"""

from pathlib import Path

import torch
from measure import Case, compare, in_this_process

from ttsr.models import textbook
from ttsr.models.inputs import resize
from ttsr.models.ttsr import TTSR
from ttsr.training.recipe_text import read_recipe

MEMORY_SIZE = (300, 300)


def measure_one(form: str, height: int, width: int) -> None:
    """Time one form at one size."""
    torch.manual_seed(0)
    model = TTSR(read_recipe("ttsr-lite").model if form == "lite" else None).eval()
    lr, ref = torch.rand(1, 3, height, width), torch.rand(1, 3, 4 * height, 4 * width)
    lr_up, ref_blur = resize(lr, 4), resize(resize(ref, 0.25), 4)

    def work(size: int) -> None:
        big = 4 * size
        inputs = lr[..., :size, :size], lr_up[..., :big, :big], ref[..., :big, :big], ref_blur[..., :big, :big]
        if form == "textbook":
            textbook.forward(model, inputs[0], inputs[1], [inputs[2]], [inputs[3]])
        else:
            model(inputs[0], inputs[2], lr_up=inputs[1], ref_blur=inputs[3], keep_textures=False)

    with torch.inference_mode():
        work(8)
        in_this_process(lambda: work(max(height, width)))


if __name__ == "__main__":
    compare(Path(__file__), __doc__ or "", measure_one, alone=[Case("lite", *MEMORY_SIZE)])
