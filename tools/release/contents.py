"""The files of a wheel and of an sdist: all that belong there, and no others."""

import tarfile
import zipfile
from collections.abc import Collection
from pathlib import Path

# In bytes, as compressed.
LARGEST_WHEEL, LARGEST_SDIST = 8_000_000, 20_000_000
_PACKAGE = "src/"
_METADATA = ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE", "licenses/NOTICE")


def wheel_problems(wheel: Path, sources: Collection[str]) -> list[str]:
    """What is wrong with a wheel.

    Args:
        wheel: the file.
        sources: names of the files that it was built from, relative to the checkout, with `/`.
    """
    with zipfile.ZipFile(wheel) as opened:
        names = opened.namelist()
    metadata = f"{'-'.join(wheel.name.split('-')[:2])}.dist-info"
    expected = {name.removeprefix(_PACKAGE) for name in sources if name.startswith(_PACKAGE)}
    return _problems(wheel, names, expected | {f"{metadata}/{name}" for name in _METADATA}, LARGEST_WHEEL)


def sdist_problems(sdist: Path, sources: Collection[str]) -> list[str]:
    """What is wrong with an sdist; arguments as those of `wheel_problems`."""
    with tarfile.open(sdist) as opened:
        names = [member.name for member in opened.getmembers()]
    top = sdist.name.removesuffix(".tar.gz")
    return _problems(sdist, names, {f"{top}/{name}" for name in (*sources, "PKG-INFO")}, LARGEST_SDIST)


def _problems(file: Path, names: list[str], expected: set[str], largest: int) -> list[str]:
    problems = [f"{file.name}: {name} is missing" for name in sorted(expected - {*names})]
    problems += [f"{file.name}: {name} does not belong there" for name in sorted({*names} - expected)]
    if (size := file.stat().st_size) > largest:
        problems.append(f"{file.name}: {size} bytes are more than {largest}")
    return problems
