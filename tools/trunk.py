"""Pre-train a single-image trunk: `python tools/trunk.py --data PHOTOS --out runs/trunk`.

All its blocks work on the LR grid, where a convolution costs a sixteenth of one on the 4x grid. Its result is added to
the bicubic enlargement. On processors with AVX512_BF16 or AMX the convolutions run in bf16.

The run goes on from its last checkpoint. Every batch is a function of its number, so that it resumes exactly. The rate
is constant; `--decay-steps N` lets it fall to zero within the next N steps, and the run ends there.
`tools/trunk.safetensors` holds weights that were trained so; `--start` begins a new run with them.
"""

import argparse
import json
import math
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ttsr.data.cufed5 import list_groups
from ttsr.data.manifest import open_rows, read_manifest
from ttsr.data.store import open_store
from ttsr.evaluation.protocols import PAPER_Y
from ttsr.images.reading import read_picture
from ttsr.images.resize import cut_to_multiple, downscale4, upscale4
from ttsr.system.files import atomic_path

CHANNELS, BLOCKS = 64, 12
BATCH, CROP = 8, 128  # crops of HR pixels
RATE, WARMUP_STEPS, CLIP_NORM = 5e-4, 100, 0.5
EMA = 0.999
LOG_STEPS, SAVE_STEPS, VALIDATE_STEPS = 100, 500, 2000


class Block(nn.Module):
    """x + conv(relu(conv(x))), started near the identity."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1)
        self.conv2 = nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1)
        # SiLU on activations as small as these is nearly linear, and training stalls: hence ReLU and this start.
        nn.init.kaiming_normal_(self.conv1.weight, nonlinearity="relu")
        with torch.no_grad():
            self.conv2.weight.mul_(0.1)
            assert self.conv2.bias is not None
            self.conv2.bias.zero_()

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) to the same shape."""
        return x + self.conv2(F.relu(self.conv1(x)))


class Trunk(nn.Module):
    """What is to be added to the bicubic enlargement: (B, 3, h, w) RGB in [0, 1] to (B, 3, 4h, 4w)."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, CHANNELS, 3, padding=1)
        nn.init.kaiming_normal_(self.head.weight)
        self.blocks = nn.ModuleList(Block() for _ in range(BLOCKS))
        self.tail = nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1)
        self.up = nn.Conv2d(CHANNELS, 48, 3, padding=1)
        with torch.no_grad():
            self.up.weight.mul_(0.1)
            assert self.up.bias is not None
            self.up.bias.zero_()

    def forward(self, lr: Tensor) -> Tensor:
        """See the class."""
        x = head = self.head(2 * lr - 1)
        for block in self.blocks:
            x = block(x)
        return F.pixel_shuffle(self.up(head + self.tail(x)), 4)


def enlarge(lr: Tensor) -> Tensor:
    """Bicubic, four times, in [0, 1]."""
    return F.interpolate(lr, scale_factor=4, mode="bicubic", antialias=True).clamp(0, 1)


def draw_crop(photos: list[NDArray[np.uint8]], shares: NDArray[np.float64], rng: np.random.Generator) -> Image.Image:
    """A crop of CROP x CROP from a photo at its own or a smaller scale, preferably with some detail."""
    photo = photos[rng.choice(len(photos), p=shares)]
    best, most = photo[:CROP, :CROP], -1.0
    for _ in range(3):
        scale = 1.0 if rng.random() < 0.5 else rng.uniform(0.45, 1.0)
        side = min(int(CROP / scale), *photo.shape[:2])
        top, left = rng.integers(0, photo.shape[0] - side + 1), rng.integers(0, photo.shape[1] - side + 1)
        crop = photo[top : top + side, left : left + side]
        detail = float(np.abs(np.diff(crop[::2, ::2, 1].astype(np.int16), axis=0)).mean())
        if detail > most:
            best, most = crop, detail
        if detail > 6:
            break
    image = Image.fromarray(np.ascontiguousarray(best))
    return image if image.size == (CROP, CROP) else image.resize((CROP, CROP), Image.Resampling.BICUBIC)


def draw_batch(photos: list[NDArray[np.uint8]], shares: NDArray[np.float64], number: int) -> tuple[Tensor, Tensor]:
    """LR and HR crops (BATCH, 3, ...) in [0, 1] of the batch with this number, flipped, rotated and recoloured."""
    rng = np.random.default_rng([7, number])
    pairs: list[list[Tensor]] = [[], []]
    for _ in range(BATCH):
        hr = np.asarray(draw_crop(photos, shares, rng))
        quarters, mirrored = int(rng.integers(4)), bool(rng.integers(2))
        order = rng.permutation(3) if rng.random() < 0.15 else np.arange(3)
        for images, image in zip(pairs, (downscale4(hr), hr), strict=True):
            image = np.rot90(image[:, ::-1] if mirrored else image, quarters)[..., order]
            images.append(torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1).float() / 255)
    return torch.stack(pairs[0]), torch.stack(pairs[1])


@torch.inference_mode()
def score(trunk: Trunk, files: list[Path]) -> tuple[float, float]:
    """Mean PSNR (`paper-y`) of the trunk and of bicubic on ground truths, in dB."""
    psnrs = []
    for file in files:
        hr = cut_to_multiple(read_picture(file).in_eight_bits().rgb)
        lr = downscale4(hr)
        small = torch.from_numpy(lr).permute(2, 0, 1)[None].float() / 255
        sr = (trunk(small) + enlarge(small)).clamp(0, 1)[0].permute(1, 2, 0).mul(255).round().byte().numpy()
        psnrs.append((PAPER_Y.psnr(hr, sr), PAPER_Y.psnr(hr, upscale4(lr))))
    ours, bicubic = np.mean(psnrs, axis=0)
    return float(ours), float(bicubic)


def main() -> None:
    """Train until the time is up or the rate has fallen to zero."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="photos; with a manifest only the open ones are used")
    parser.add_argument("--validate", type=Path, help="a test set in CUFED5's layout")
    parser.add_argument("--out", type=Path, required=True, help="folder of checkpoints, log and weights")
    parser.add_argument("--start", type=Path, help="weights to start a new run from, such as tools/trunk.safetensors")
    parser.add_argument("--max-time", type=float, default=math.inf, help="seconds")
    parser.add_argument("--decay-steps", type=int, default=0, help="let the rate fall within so many steps, and end")
    options = parser.parse_args()
    torch.manual_seed(0)
    store = open_store(options.data)
    rows = read_manifest(store)
    names = [row["file"] for row in open_rows(rows, store)] if rows else store.names
    photos = [store.picture(name).in_eight_bits().rgb for name in names]
    shares = np.array([photo.shape[0] * photo.shape[1] for photo in photos], float)
    shares /= shares.sum()
    hr_files = [group.files[0] for group in list_groups(options.validate)] if options.validate else []
    trunk, averaged = Trunk(), Trunk()
    if options.start:
        trunk.load_state_dict({name: value.float() for name, value in load_file(options.start).items()})
    averaged.load_state_dict(trunk.state_dict())
    optimizer = torch.optim.Adam(trunk.parameters(), lr=RATE, betas=(0.9, 0.99))
    options.out.mkdir(parents=True, exist_ok=True)
    checkpoint, step, decay_from = options.out / "last.pt", 0, None
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        trunk.load_state_dict(state["trunk"])
        averaged.load_state_dict(state["averaged"])
        optimizer.load_state_dict(state["optimizer"])
        step, decay_from = state["step"], state["decay_from"]
    if options.decay_steps and decay_from is None:
        decay_from = step
    last_step = decay_from + options.decay_steps if decay_from is not None else math.inf

    def save() -> None:
        state = {"trunk": trunk.state_dict(), "averaged": averaged.state_dict(), "optimizer": optimizer.state_dict()}
        with atomic_path(checkpoint) as temporary:
            torch.save(state | {"step": step, "decay_from": decay_from}, temporary)
        with atomic_path(options.out / "trunk.safetensors") as temporary:
            save_file({name: value.half().contiguous() for name, value in averaged.state_dict().items()}, temporary)

    def note(**values: float) -> None:
        with (options.out / "log.jsonl").open("a") as log:
            print(json.dumps({"step": step} | values), file=log)

    start, losses = time.monotonic(), []
    while step < last_step and time.monotonic() - start < options.max_time:
        lr, hr = draw_batch(photos, shares, step)
        left = 1.0 if decay_from is None else 0.5 + 0.5 * math.cos(math.pi * (step - decay_from) / options.decay_steps)
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1, (step + 1) / WARMUP_STEPS) * max(left, 0.01)
        with torch.autocast("cpu", torch.bfloat16):
            residual = trunk(lr.contiguous(memory_format=torch.channels_last))
        loss = (residual.float() + enlarge(lr) - hr).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(trunk.parameters(), CLIP_NORM)
        optimizer.step()
        step += 1
        losses.append(loss.item())
        with torch.no_grad():
            for mean, value in zip(averaged.parameters(), trunk.parameters(), strict=True):
                mean.lerp_(value, 1 - min(EMA, (1 + step) / (10 + step)))
        if step % LOG_STEPS == 0:
            note(loss=float(np.mean(losses[-LOG_STEPS:])))
        if step % SAVE_STEPS == 0:
            save()
        if hr_files and (step % VALIDATE_STEPS == 0 or step == last_step):
            psnr, bicubic = score(averaged, hr_files)
            note(psnr=psnr, bicubic=bicubic)
    save()


if __name__ == "__main__":
    main()
