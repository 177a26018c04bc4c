"""Fuzz the reading of checkpoints: files that are changed step by step towards code that none has reached yet.

    python fuzz/checkpoint_reader.py -max_total_time=600

Each has to give a network, or a WeightsError of one line, within ten seconds and 2 GiB, and no code of it may run.
Another exception, a crash or a hang ends the run; the file is then in fuzz/found. Other options are libFuzzer's.
"""

import io
import os
import sys
import tempfile
import warnings
import zipfile
from pathlib import Path

import atheris  # pyright: ignore[reportMissingImports]

with atheris.instrument_imports(  # pyright: ignore[reportAttributeAccessIssue]
    include=["ttsr.weights", "ttsr.system.plain_yaml", "pickletools", "zipfile", "yaml"]
):
    import pickletools  # noqa: F401, as what follows for their instrumentation
    import zipfile

    import yaml  # noqa: F401

    from ttsr.errors import WeightsError
    from ttsr.weights.assembly import assemble
    from ttsr.weights.checkpoint_file import read_checkpoint

from hostile_checkpoints import checkpoint_seeds

_DEFAULTS = {
    "-timeout": "10",
    "-rss_limit_mb": "2048",
    "-max_len": "65536",
    "-artifact_prefix": "fuzz/found/checkpoint-",
}
_IN_MEMORY = Path("/dev/shm")


def main() -> None:
    """Fuzz, by libFuzzer's options in the arguments."""
    warnings.simplefilter("ignore")  # ZIPs with several members of one name are made on purpose
    given = {argument.split("=")[0] for argument in sys.argv[1:]}
    defaults = [f"{name}={value}" for name, value in _DEFAULTS.items() if name not in given]
    Path("fuzz/found").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_IN_MEMORY if _IN_MEMORY.is_dir() else None) as folder:
        seeds, file, marker = Path(folder) / "seeds", Path(folder) / "fuzzed.pt", Path(folder) / "marker"
        seeds.mkdir()
        for number, content in enumerate(checkpoint_seeds(marker)):
            (seeds / str(number)).write_bytes(content)
        arguments = [sys.argv[0], *defaults, "-print_final_stats=1", *sys.argv[1:], str(seeds)]
        atheris.Setup(arguments, lambda data: read(data, file, marker), custom_mutator=mutated)
        atheris.Fuzz()


def read(data: bytes, file: Path, marker: Path) -> None:
    """Read a checkpoint, and make a network of it."""
    file.write_bytes(data)
    try:
        assemble(read_checkpoint(file), str(file))
    except WeightsError as error:
        line = str(error)
        assert line.isprintable() and line.startswith(str(file)) and len(line) < 1000, line
    assert not marker.exists(), "code of the file has run"


def mutated(data: bytes, most: int, seed: int) -> bytes:
    """A file that differs; of ZIPs mostly in a member, with checksums that are right, or little of them is read."""
    if data.startswith(b"PK") and seed % 4:
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                # What unpacks to more than may be made of it is not for the members' turn.
                fits = sum(member.file_size for member in archive.infolist()) < most
                members = [(member.filename, archive.read(member)) for member in archive.infolist() if fits]
        except Exception:
            return atheris.Mutate(data, most)
        if members:
            chosen = 0 if seed % 3 else seed % len(members)  # mostly the pickle, which comes first
            name, content = members[chosen]
            members[chosen] = name, atheris.Mutate(content, most)
            file = io.BytesIO()
            with zipfile.ZipFile(file, "w") as archive:
                for name, content in members:
                    archive.writestr(name, content)
            return file.getvalue()[:most]
    return atheris.Mutate(data, most)


if __name__ == "__main__":
    os.chdir(Path(__file__).parents[1])
    main()
