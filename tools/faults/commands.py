"""The commands that are run, and the files that they are run on."""

import shutil
from dataclasses import dataclass
from pathlib import Path

_EXAMPLES = Path(__file__).parents[2] / "examples" / "pairs"
_MODEL = ["--model", "model.safetensors", "--device", "cpu"]
_PRECISE = [*_MODEL, "--precision", "fp32", "--threads", "1"]


@dataclass(frozen=True)
class Command:
    """A command line of `ttsr`.

    Attributes:
        arguments: behind `ttsr`.
        kept: patterns of files that may stay when it is stopped, to go on from.
        changing: patterns of files that are not the same bytes in each run.
        renamed: patterns of files that have another name in each run.
        threads: numbers of threads with which it writes the same bytes.
        stopped_codes: exit codes after a signal, beside 128 and its number.
    """

    arguments: list[str]
    kept: tuple[str, ...] = ()
    changing: tuple[str, ...] = ()
    renamed: tuple[str, ...] = ()
    threads: tuple[int, ...] = (1, 2, 2, 3)
    stopped_codes: tuple[int, ...] = ()


COMMANDS = {
    "upscale": Command(["upscale", "lr.png", "--ref", "ref.png", "--maps", "maps", "-o", "big.png", *_PRECISE]),
    "folder": Command(["upscale", "small", "--ref", "ref.png", "-o", "out/", *_PRECISE]),
    "found": Command(["upscale", "lr.png", "--ref", "album", "-o", "big.jpg", *_MODEL, "--threads", "2"]),
    "geotiff": Command(["upscale", "map.tif", "--ref", "ref.png", "-o", "big.tif", *_PRECISE]),
    "film": Command(
        ["upscale", "film.mp4", "--ref", "ref.png", "-o", "big.mp4", *_PRECISE], kept=("big.mp4.unfinished/*",)
    ),
    "compare": Command(
        ["compare", "lr.png", "--ref", "ref.png", "-o", "page.html", *_PRECISE], changing=("page.html",)
    ),
    "evaluate": Command(
        ["evaluate", "set", *_MODEL, "--csv", "a.csv", "--json", "a.json", "--html", "a.html", "--save", "saved"],
        changing=("a.*",),  # they say how long each picture took
    ),
    "pairs": Command(["pairs", "views", "mined", "--size", "64", "--workers", "2"]),
    "pack": Command(["pack", "album", "album.zip", "--quality", "80"]),
    "convert": Command(["convert", "model.safetensors", "model.pth"]),
    "export": Command(
        ["export", "--model", "model.safetensors", "--format", "torch", "-o", "programs"], changing=("programs/*",)
    ),
    "train": Command(
        ["train", "debug", "--data", "album", "--out", "run", "--workers", "1", "--device", "cpu"],
        kept=("run/*",),
        changing=("run/*",),
        renamed=("run/tensorboard/*",),
        threads=(2, 2),  # PyTorch sums gradients by thread
        stopped_codes=(3,),
    ),
    "info": Command(["info", "--json"]),
}
"""By a name."""


def make_workspace(folder: Path) -> None:
    """Write the files that all commands read: a small network, pictures, a film, a test set."""
    import av
    import numpy as np
    import rasterio
    import torch
    from PIL import Image

    from ttsr.models.config import TTSRConfig
    from ttsr.models.ttsr import TTSR
    from ttsr.weights.saving import save

    torch.manual_seed(0)
    save(TTSR(TTSRConfig(8, (1, 1, 1, 1), (8, 8, 16))), folder / "model.safetensors")
    photo = np.asarray(Image.open(_EXAMPLES / "aloe_hr.png").convert("RGB"))
    view = Image.open(_EXAMPLES / "aloe_ref.png").convert("RGB")
    Image.fromarray(photo[:96, :128]).save(folder / "ref.png")
    lr = Image.fromarray(photo[:96, :128]).resize((32, 24), Image.Resampling.BICUBIC)
    lr.save(folder / "lr.png")
    for name in ("small", "album", "views", "set"):
        (folder / name).mkdir()
    for number in range(3):
        lr.save(folder / "small" / f"{number}.png")
    for number in range(18):  # so many that processes share them
        top, left = 5 * number, 7 * number
        Image.fromarray(photo[top : top + 120, left : left + 160]).save(folder / "album" / f"{number:02}.jpg")
    Image.fromarray(photo).save(folder / "views" / "a.png")
    view.save(folder / "views" / "b.png")
    for number in range(2):
        for other in range(2):
            Image.fromarray(photo[:48, :64]).save(folder / "set" / f"00{number}_{other}.png")
    with rasterio.open(
        folder / "map.tif",
        "w",
        driver="GTiff",
        width=32,
        height=24,
        count=3,
        dtype="uint8",
        crs="EPSG:32632",
        transform=rasterio.Affine(0.2, 0, 500000, 0, -0.2, 5200000),
    ) as data:
        data.write(np.asarray(lr).transpose(2, 0, 1))
    with av.open(str(folder / "film.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height = 32, 24
        for number in range(6):
            frame = np.ascontiguousarray(photo[4 * number : 4 * number + 96, :128][::4, ::4])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame)))
        container.mux(stream.encode(None))


def fresh_copy(workspace: Path, folder: Path) -> Path:
    """A copy of the workspace to run one command in."""
    shutil.copytree(workspace, folder)
    return folder
