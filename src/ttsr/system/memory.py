"""How much memory is available, and how much was used."""

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from ttsr.errors import UserError

if TYPE_CHECKING:
    import torch  # only where a device is measured, so that `--help` does not wait for it


# How PyTorch's CPU allocator, MPS, C++ and CUDA's libraries say that memory ran out, in errors of no own class.
_OUT_OF_MEMORY = (
    "can't allocate memory",
    "not enough memory",
    "out of memory",
    "bad_alloc",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUFFT_ALLOC_FAILED",
)


def gigabytes(count: float) -> str:
    """1234567890 bytes as `1.2 GB`."""
    return f"{count / 1e9:.1f} GB"


def parse_bytes(text: str) -> int:
    """`4GiB`, `4GB`, `3500 MB` or a plain number of bytes to bytes.

    Raises:
        UserError: it is none of these, or not positive.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(?:([KMGT])(i?)B?|B?)\s*", text, re.IGNORECASE)
    count = 0
    if match:
        number, prefix, binary = match.groups()
        power = " KMGT".index(prefix.upper()) if prefix else 0
        count = int(float(number) * (1024 if binary else 1000) ** power)
    if count < 1:
        raise UserError(f"{text!r} is no amount of memory", "give one such as 4GiB, 4GB or 3500MB")
    return count


def available_bytes(device: "torch.device") -> int:
    """Memory that can still be allocated on `device` without swapping and within the container's limit."""
    import torch

    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    if device.type == "mps":
        available = psutil.virtual_memory().available
        return min(available, torch.mps.recommended_max_memory() - torch.mps.current_allocated_memory())
    return free_bytes()


def free_bytes() -> int:
    """This machine's memory that can still be allocated without swapping and within the container's limit."""
    return min([psutil.virtual_memory().available, *cgroup_room()])


def cgroup_room(root: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")) -> list[int]:
    """Bytes left under each memory limit of this process's control groups (Linux); often an empty list.

    A limit applies to every group below it, so each one from this process's group up to the root counts.
    """
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return []
    room = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            names, base = ("memory.max", "memory.current", "inactive_file"), root
        elif "memory" in controllers.split(","):
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            base = root / "memory"
        else:
            continue
        inner = Path(path.lstrip("/"))
        room += [_room_of(base / group, *names) for group in (inner, *inner.parents)]
    return [left for left in room if left is not None]


def _room_of(group: Path, limit_name: str, usage_name: str, cache_name: str) -> int | None:
    """What is left in a group; file cache that the kernel would release counts as free."""
    try:
        limit, usage = int((group / limit_name).read_text()), int((group / usage_name).read_text())
        statistics = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):  # no such group from in here, or no limit ("max")
        return None
    return max(0, limit - usage + int(statistics.get(cache_name, 0)))


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out: of a GPU, of this machine, or within the limit of this process."""
    import torch

    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _OUT_OF_MEMORY)


def used_bytes(device: "torch.device") -> int:
    """What this process holds of `device`'s memory at the moment."""
    import torch

    if device.type == "cuda":
        return torch.cuda.memory_allocated(device)
    return psutil.Process().memory_info().rss


def peak_bytes(device: "torch.device") -> int:
    """The most that this process has held: of a CUDA device's memory, otherwise of the machine's."""
    import torch

    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if sys.platform == "win32":
        return psutil.Process().memory_info().peak_wset
    import resource  # not on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
