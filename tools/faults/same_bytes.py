"""Run commands again and with other numbers of threads, and compare all that they write, byte for byte.

    PYTHONPATH=tools python -m faults.same_bytes

Each command runs with 1, 2, 2 and 3 threads; training with 2 each time, as PyTorch sums gradients by thread. Of reports
of scores, the seconds that pictures took are left out, and of a training run all but its weights and its recipe.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from fnmatch import fnmatch
from hashlib import sha256
from pathlib import Path
from typing import Any

from faults.commands import COMMANDS, Command, fresh_copy, make_workspace

_LEFT_OUT = ("run/log.jsonl", "run/environment.json", "run/tensorboard/*", "run/checkpoints/*")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all, and print a line for each command; exit with 1 where one fails or results differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--commands", nargs="+", default=[*COMMANDS], choices=[*COMMANDS])
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as place:
        workspace = Path(place) / "workspace"
        workspace.mkdir()
        make_workspace(workspace)
        differing = sum(_compare(name, COMMANDS[name], workspace) for name in chosen.commands)
    return 1 if differing else 0


def _compare(name: str, command: Command, workspace: Path) -> bool:
    """Whether a command fails, or does not always write the same."""
    written = []
    for number, threads in enumerate(command.threads):
        folder = fresh_copy(workspace, workspace.with_name(f"{name}{number}"))
        before = {path for path in folder.rglob("*") if path.is_file()}
        words = command.arguments
        if "--threads" in words:
            at = words.index("--threads") + 1
            words = [*words[:at], str(threads), *words[at + 1 :]]
        cache = str(workspace.with_name(f"{name}{number}.cache"))
        environment = os.environ | {"OMP_NUM_THREADS": str(threads), "TTSR_CACHE": cache}
        done = subprocess.run([sys.executable, "-m", "ttsr", *words], cwd=folder, env=environment, capture_output=True)
        if done.returncode:
            print(f"{name}: fails with {done.returncode}: {done.stderr.decode(errors='replace').strip()}", flush=True)
            return True
        files = sorted(path for path in folder.rglob("*") if path.is_file() and path not in before)
        written.append({path.relative_to(folder).as_posix(): path for path in files})
    names = sorted({file for files in written for file in files if not any(fnmatch(file, out) for out in _LEFT_OUT)})
    contents = [{file: _content(files[file]) if file in files else "" for file in names} for files in written]
    differing = [file for file in names if len({content[file] for content in contents}) > 1]
    said = f"{', '.join(differing)} differ" if differing else "the same bytes"
    print(f"{name}: {len(names)} files with {', '.join(map(str, command.threads))} threads: {said}", flush=True)
    return bool(differing)


def _content(file: Path) -> str:
    """The SHA-256 of a file, of a report without its times."""
    data = file.read_bytes()
    if file.suffix == ".json":
        data = json.dumps(_without_seconds(json.loads(data))).encode()
    elif file.suffix == ".csv":
        data = json.dumps(_without_seconds([*csv.DictReader(data.decode().splitlines())])).encode()
    return sha256(data).hexdigest()


def _without_seconds(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_seconds(item) for item in value]
    if isinstance(value, dict):
        return {key: _without_seconds(item) for key, item in value.items() if "seconds" not in key}
    return value


if __name__ == "__main__":
    sys.exit(main())
