"""Run commands where the disk is full at some byte, and see that they say so and leave nothing behind.

    PYTHONPATH=tools python -m faults.full_disk --sizes 12

A limit on the size of files (RLIMIT_FSIZE) lets any write fail that goes beyond it, of Python, of libraries and of
worker processes, without special rights. Sizes from 0 to that of the largest file let it fall at any byte. As root, on
Linux, the commands run on small file systems in memory (tmpfs) too, of stepped sizes: there writes fail by ENOSPC.

A command ends with 0, as where only its cache cannot be written, or with 2 and one line; there is no traceback, no
temporary file, and each output is whole or absent.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from faults.commands import COMMANDS, Command, fresh_copy
from faults.running import Left, check_files, forked, prepared, run, run_in_copy, run_main

_KIB = 1024


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all, and print a line for each command; exit with 1 if there was a fault."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, default=12, help="of files, and of file systems")
    parser.add_argument("--commands", nargs="+", default=[*COMMANDS], choices=[*COMMANDS])
    chosen = parser.parse_args(arguments)
    with prepared() as workspace:
        faults = fill_all(workspace, chosen.commands, chosen.sizes)
    print(f"{faults} faults")
    return 1 if faults else 0


def fill_all(workspace: Path, names: Sequence[str], sizes: int) -> int:
    """Run each of the commands with files, and on file systems, of so many sizes; the faults."""
    mounts = _can_mount()
    return sum(_fill(name, COMMANDS[name], workspace, sizes, mounts=mounts) for name in names)


def _fill(name: str, command: Command, workspace: Path, count: int, *, mounts: bool) -> int:
    """The number of faults; each is printed."""
    whole, largest, space = _undisturbed(command, workspace)
    if whole.code or whole.faults:
        print(f"{name}: fails undisturbed with {whole.code}: {whole.faults} {whole.errors}")
        return 1
    faults, codes = 0, dict[int, int]()
    trials = [(f"files of {size} bytes at most", partial(_with_small_files, size)) for size in _steps(largest, count)]
    if mounts:
        trials += [(f"{size} bytes free", partial(_on_small_disk, size)) for size in _steps(space, count)]
    for condition, trial in trials:
        left = trial(command, workspace)
        check_files(left, whole, command)
        lines = [line for line in left.errors.splitlines() if "cannot be" in line or "space" in line or "large" in line]
        if left.code not in (0, 2):
            left.faults.append(f"exit code {left.code}")
        elif left.code == 2 and not lines:
            left.faults.append("it does not say why")
        codes[left.code] = codes.get(left.code, 0) + 1
        if left.faults:
            faults += 1
            print(f"  {name}, {condition}: {'; '.join(left.faults)}")
            print("    " + left.errors.strip().replace("\n", "\n    "))
    ends = ", ".join(f"{number} with {code}" for code, number in sorted(codes.items()))
    print(f"{name}: {len(trials)} runs on a full disk, {faults} with faults; exit codes: {ends}", flush=True)
    return faults


def _steps(largest: int, count: int) -> list[int]:
    """Sizes from 0 to just below the largest, closer together at the beginning."""
    return sorted({int((largest - 1) * (number / max(1, count - 1)) ** 2) for number in range(count)} - {-1})


def _undisturbed(command: Command, workspace: Path) -> tuple[Left, int, int]:
    """What the command leaves, the bytes of its largest new file, and of all of them."""
    place = Path(tempfile.mkdtemp(dir=workspace.parent))
    left = run(command, fresh_copy(workspace, place / "run"), forked)
    sizes = [(place / "run" / name).stat().st_size for name in left.files]
    shutil.rmtree(place, ignore_errors=True)
    return left, max(sizes, default=1), sum(sizes) or 1


def _with_small_files(size: int, command: Command, workspace: Path) -> Left:
    def begin(folder: Path, messages: int, words: Sequence[str]) -> int:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            return forked(folder, messages, words)
        finally:
            if os.getpid() == parent:
                resource.setrlimit(resource.RLIMIT_FSIZE, before)

    parent = os.getpid()
    return run_in_copy(command, workspace, begin)


def _on_small_disk(free: int, command: Command, workspace: Path) -> Left:
    place = Path(tempfile.mkdtemp(dir=workspace.parent))
    pages = sum(-(-path.stat().st_size // 4096) for path in workspace.rglob("*") if path.is_file())
    with _mounted(place, 4 * _KIB * (pages + 2) + free):
        left = run(command, fresh_copy(workspace, place / "run"), forked)
    shutil.rmtree(place, ignore_errors=True)
    return left


@contextmanager
def _mounted(place: Path, size: int) -> Iterator[None]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(place)], check=True)
    parent = os.getpid()
    try:
        yield
    finally:
        if os.getpid() == parent:
            subprocess.run(["umount", "--lazy", str(place)], check=True)


def _can_mount() -> bool:
    """Whether file systems in memory can be mounted here."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return False
    place = tempfile.mkdtemp()
    made = (
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", place], capture_output=True).returncode == 0
    )
    if made:
        subprocess.run(["umount", place], check=True)
    os.rmdir(place)
    return made


if __name__ == "__main__":
    run_main(main)
