"""Installs the wheel of dist/ into an empty environment and uses it from an empty folder: part of `make dist`.

Without any extra: the command, all public names, an upscale of the example pair, and what is said where an extra is
missing. The environment stays, for the bill of materials.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
PAIR = ROOT / "src" / "ttsr" / "service" / "page"
LR, REFERENCE = "example_small.png", "example_sharp.jpg"

# A command that needs an extra, by extra. The rest of an extra comes into play later in a command, and in its tests.
NEEDS = {
    "export": "export --out model",
    "hub": "convert hf://owner/model model.safetensors",
    "train": "train debug --data . --out run",
    "video": f"upscale film.mp4 --ref {REFERENCE}",
    "web": "serve",
}
# Prints the public names that cannot be had, but for those that tell which extra they need.
PUBLIC_NAMES = """
import importlib, pkgutil, ttsr
for name in ["ttsr", *(f"ttsr.{module.name}" for module in pkgutil.iter_modules(ttsr.__path__) if module.ispkg)]:
    package = importlib.import_module(name)
    for public in getattr(package, "__all__", ()):
        try:
            getattr(package, public)
        except ModuleNotFoundError as error:
            if not str(error).endswith(": pip install 'ttsr[web]'"):
                print(f"{name}.{public}: {error}")
"""


def smoke_test(environment: Path, version: str) -> Iterator[str]:
    """What is wrong with ttsr in a virtual environment without extras.

    Args:
        environment: its folder.
        version: that is expected.
    """
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name in (LR, REFERENCE):
            (folder / name).write_bytes((PAIR / name).read_bytes())
        (folder / "film.mp4").touch()

        def run(*command: str) -> subprocess.CompletedProcess[str]:
            outside = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "TTSR_"))}
            home = {"HOME": temporary, "XDG_CACHE_HOME": temporary}
            program = [environment / "bin" / command[0], *command[1:]]
            return subprocess.run(program, cwd=folder, env=outside | home, capture_output=True, text=True)

        for command in (["ttsr", "--version"], ["python", "-m", "ttsr", "--version"]):
            if (told := run(*command)).stdout.split() != ["ttsr", version]:
                yield f"{' '.join(command)}: {told.stdout}{told.stderr}"
        told = run("python", "-c", PUBLIC_NAMES)
        yield from (told.stdout + told.stderr).splitlines()
        result = run("ttsr", "upscale", LR, "--ref", REFERENCE, "--out", "large.png")
        if result.returncode or not (folder / "large.png").exists():
            yield f"ttsr upscale: {result.stderr}"
        for extra, command in NEEDS.items():
            told = run("ttsr", *command.split())
            hint = rf"ttsr: [^\n]+: pip install ['\"]ttsr\[{extra}\]['\"]\n"
            if told.returncode != 2 or not re.fullmatch(hint, told.stderr):
                yield f"ttsr {command}: exit code {told.returncode}, {told.stderr}"
        if (told := run("python", "-m", "pip", "check")).returncode:
            yield f"pip check: {told.stdout}"


def main() -> int:
    """Returns 1 if anything is wrong.

    The one argument is the folder of the environment, which is made.
    """
    environment = Path(sys.argv[1]).resolve()
    (wheel,) = (ROOT / "dist").glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", "--clear", environment], check=True)
    install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--constraint", "constraints.txt"]
    subprocess.run([environment / "bin" / "python", *install, wheel], cwd=ROOT, check=True)
    problems = list(smoke_test(environment, wheel.name.split("-")[1]))
    for problem in problems:
        print(f"error: {problem.strip()}", file=sys.stderr)
    if not problems:
        print(f"{wheel.name}: installed into an empty environment, and works there without extras")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
