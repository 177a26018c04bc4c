"""Builds the sdist and the wheel of the last commit into dist/, and checks them: `make dist`.

They are built twice, in fresh checkouts that differ in place, time zone and umask, the wheel once from the sdist and
once from the checkout: the bytes must be the same. SOURCE_DATE_EPOCH is the time of the commit.
"""

import os
import shutil
import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from release.contents import sdist_problems, wheel_problems

ROOT = Path(__file__).parents[2]
DIST = ROOT / "dist"


def build_twice(folder: Path) -> tuple[list[Path], list[str]]:
    """Builds in a folder.

    Returns:
        The sdist and the wheel, and what is wrong with them.
    """
    once = _build(folder / "once", "UTC", 0o022)
    again = _build(folder / "elsewhere" / "again", "Asia/Kathmandu", 0o077, "--sdist", "--wheel")
    problems = [
        f"{a.name}: two builds differ" for a, b in zip(once, again, strict=True) if a.read_bytes() != b.read_bytes()
    ]
    sources = _git("ls-tree", "-r", "-z", "--name-only", "HEAD").decode().rstrip("\0").split("\0")
    sdist, wheel = once
    return once, problems + sdist_problems(sdist, sources) + wheel_problems(wheel, sources)


def _build(folder: Path, time_zone: str, umask: int, *formats: str) -> list[Path]:
    """The sdist and the wheel of the last commit, of a checkout made in a folder."""
    environment = os.environ | {
        "SOURCE_DATE_EPOCH": _git("log", "-1", "--format=%ct").decode().strip(),
        "TZ": time_zone,
    }
    checkout, built = folder / "checkout", folder / "built"
    checkout.mkdir(parents=True)
    with tarfile.open(fileobj=BytesIO(_git("archive", "--format=tar", "HEAD"))) as archive:
        archive.extractall(checkout, filter="data")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(built), *formats, str(checkout)]
    done = subprocess.run(command, env=environment, umask=umask, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{done.stdout}{done.stderr}")
    return sorted(built.iterdir(), key=lambda file: file.suffix)


def _git(*arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout


def main() -> int:
    """Returns 1, and leaves dist/ as it was, if anything is wrong."""
    if _git("status", "--porcelain"):
        print("note: built from the last commit, without what is not committed")
    with TemporaryDirectory() as temporary:
        files, problems = build_twice(Path(temporary))
        if not problems:
            subprocess.run([sys.executable, "-m", "twine", "check", "--strict", *map(str, files)], check=True)
            shutil.rmtree(DIST, ignore_errors=True)
            DIST.mkdir()
            for file in files:
                shutil.copy(file, DIST)
                print(f"dist/{file.name}: {file.stat().st_size} bytes; two builds are the same")
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
