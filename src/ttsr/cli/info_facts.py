"""What `ttsr info` tells: packages, devices, models, the cache, picture formats, extras. Nothing is downloaded."""

import importlib
import importlib.metadata
import os
import platform
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ttsr import __version__

Facts = dict[str, Any]

# What pictures and weights pass through: names on PyPI, and those that they are imported by.
PACKAGES = {
    "torch": "torch",
    "numpy": "numpy",
    "pillow": "PIL",
    "imagecodecs": "imagecodecs",
    "tifffile": "tifffile",
    "scikit-image": "skimage",
    "safetensors": "safetensors",
}
EXTRAS = {
    "hub": ("models of the Hugging Face Hub", ("huggingface_hub",)),
    "train": ("training, and several processes", ("accelerate", "tensorboard")),
    "geotiff": ("georeferenced TIFF", ("rasterio",)),
    "video": ("films", ("av",)),
    "export": ("export to ONNX", ("onnx", "onnxscript", "onnxruntime")),
    "wandb": ("logging to Weights & Biases", ("wandb",)),
}


def gather_facts() -> Facts:
    """All facts, as JSON can hold them. What fails is left empty, and named under `problems`."""
    facts: Facts = {
        "ttsr": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {},
        "devices": [],
        "auto_device": None,
        "models": [],
        "cache": {},
        "formats": {},
        "extras": [],
        "problems": {},
    }
    parts: dict[str, Callable[[], Any]] = {
        "packages": lambda: {name: _package(name, module) for name, module in PACKAGES.items()},
        "devices": _devices,
        "auto_device": _auto_device,
        "models": _models,
        "cache": _cache,
        "formats": _formats,
        "extras": _extras,
    }
    for name, part in parts.items():
        try:
            facts[name] = part()
        except Exception as error:  # whatever is broken on this machine, the rest is told
            facts["problems"][name] = _reason(error)
    return facts


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _package(name: str, module: str) -> Facts:
    """Its version; and what keeps it from being used and what would mend that, None if nothing does."""
    problem = install = None
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        missing = error.name == module
        problem = "not installed" if missing else f"cannot be imported, {_reason(error)}"
        install = f"pip install {name}" if missing else f"pip install --force-reinstall {name}"
    except Exception as error:  # such as an OSError for a library of the system
        problem, install = f"cannot be imported, {_reason(error)}", f"pip install --force-reinstall {name}"
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:  # missing, or installed under another name
        version = None
    return {"version": version, "problem": problem, "install": install}


def _devices() -> list[Facts]:
    """The CPU, then all GPUs that PyTorch can use."""
    import torch

    cpu = {"threads": torch.get_num_threads(), "cores": os.cpu_count()}
    devices = [_device("cpu", f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}") | cpu]
    if torch.cuda.is_available():
        for number in range(torch.cuda.device_count()):
            devices.append(_device(f"cuda:{number}", torch.cuda.get_device_name(number)))
    if torch.backends.mps.is_available():
        devices.append(_device("mps", "Apple GPU"))
    return devices


def _device(device: str, name: str) -> Facts:
    """Its memory, and whether it computes in bf16; what a busy or broken GPU does not answer is None."""
    import psutil
    import torch

    from ttsr.system.memory import available_bytes
    from ttsr.system.precision import computes_in_bf16

    place = torch.device(device)
    facts: Facts = {"device": device, "name": name, "memory_bytes": None, "available_bytes": None, "fast_bf16": None}
    facts["problem"] = None
    try:
        on_gpu = place.type == "cuda"
        total = torch.cuda.get_device_properties(place).total_memory if on_gpu else psutil.virtual_memory().total
        facts |= {"memory_bytes": total, "available_bytes": available_bytes(place)}
        facts["fast_bf16"] = computes_in_bf16(place)
    except RuntimeError as error:
        facts["problem"] = _reason(error)
    return facts


def _auto_device() -> str:
    from ttsr.system.device import choose_device

    device = choose_device("auto")
    return "cuda:0" if device.type == "cuda" else str(device)


def _models() -> list[Facts]:
    """The catalogue, and VGG19, which some recipes need: where each is, and what `auto` stands for with it."""
    from ttsr.inference.computing import best_precision
    from ttsr.inference.matching_choices import choose_matching
    from ttsr.models.config import TTSRConfig
    from ttsr.system.device import choose_device
    from ttsr.weights.cache import cache_path
    from ttsr.weights.catalog import BundledWeights, available_weights
    from ttsr.weights.saving import read_metadata
    from ttsr.weights.vgg19 import URL

    device = choose_device("auto")
    models = []
    for name, entry in available_weights().items():
        bundled = isinstance(entry, BundledWeights)
        config = read_metadata(entry.file).config if bundled else TTSRConfig()
        matching = choose_matching(config)
        auto = {
            "precision": best_precision(config, device),
            "search": matching.matcher.name,
            "pose": matching.pose,
            "match_colour": matching.match_colour,
        }
        where = _where(entry.file, "package") if bundled else _where(cache_path(entry.url), "cache")
        models.append({"name": name, **where, "auto": auto})
    return [*models, {"name": "vgg19", **_where(cache_path(URL), "cache"), "auto": None}]


def _where(file: Path, place: str) -> Facts:
    """`package`, `cache`, or None for weights that are not downloaded yet."""
    try:
        size = file.stat().st_size
    except OSError:
        return {"where": None, "file": str(file), "bytes": None}
    return {"where": place, "file": str(file), "bytes": size}


def _cache() -> Facts:
    """What the cache holds, and whether it can be written to; where it does not exist yet, the folder to make it in."""
    from ttsr.weights.cache import cache_folder

    folder = cache_folder()
    files = [path for path in folder.rglob("*") if path.is_file()] if folder.is_dir() else []
    above = next(path for path in (folder, *folder.absolute().parents) if os.path.lexists(path))
    try:
        with tempfile.TemporaryFile(dir=above):
            writable = True
    except OSError:
        writable = False
    return {
        "folder": str(folder),
        "exists": folder.is_dir(),
        "writable": writable,
        "files": len(files),
        "bytes": sum(path.stat().st_size for path in files),
    }


def _formats() -> dict[str, bool]:
    from ttsr.images.formats import readable_formats

    return readable_formats()


def _extras() -> list[Facts]:
    extras = []
    for extra, (use, names) in EXTRAS.items():
        packages = {name: _package(name, name) for name in names}
        ready = not any(package["problem"] for package in packages.values())
        install = None if ready else f'pip install "ttsr[{extra}]"'
        extras.append({"name": extra, "for": use, "packages": packages, "ready": ready, "install": install})
    return extras
