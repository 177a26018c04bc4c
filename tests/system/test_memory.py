from pathlib import Path

import numpy as np
import pytest
import torch

from ttsr.errors import UserError
from ttsr.system import memory
from ttsr.system.memory import available_bytes, cgroup_room, parse_bytes, peak_bytes, used_bytes

CPU = torch.device("cpu")


def write_group(folder: Path, limit: str, used: int, cached: int, version: int = 2) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    names = {
        2: ("memory.max", "memory.current", "inactive_file"),
        1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    }[version]
    (folder / names[0]).write_text(f"{limit}\n")
    (folder / names[1]).write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"anon 5\n{names[2]} {cached}\n")


def test_every_group_up_to_the_root_counts(tmp_path: Path) -> None:
    (tmp_path / "membership").write_text("0::/outer/inner\n")
    write_group(tmp_path / "outer", "1000", 400, 100)
    write_group(tmp_path / "outer/inner", "max", 400, 0)
    write_group(tmp_path, "5000", 1000, 0)
    assert cgroup_room(tmp_path, tmp_path / "membership") == [700, 4000]


def test_version_one(tmp_path: Path) -> None:
    (tmp_path / "membership").write_text("7:cpu:/box\n3:memory,hugetlb:/box\n")
    write_group(tmp_path / "memory/box", "2000", 2500, 0, version=1)
    assert cgroup_room(tmp_path, tmp_path / "membership") == [0]


def test_without_control_groups(tmp_path: Path) -> None:
    assert cgroup_room(tmp_path, tmp_path / "absent") == []
    (tmp_path / "membership").write_text("0::/\n")
    assert cgroup_room(tmp_path, tmp_path / "membership") == []


def test_the_tightest_limit_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "cgroup_room", lambda: [10**15, 12345])
    assert available_bytes(CPU) == 12345
    monkeypatch.setattr(memory, "cgroup_room", lambda: [])
    assert available_bytes(CPU) > 10**7


def test_peak_follows_use() -> None:
    before = peak_bytes(CPU)
    assert before >= used_bytes(CPU) * 0.5 > 10**7
    held = np.ones(max(0, before - used_bytes(CPU)) + 10**8, np.uint8)
    assert peak_bytes(CPU) >= before + 5 * 10**7
    del held


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("4GiB", 4 * 2**30),
        ("4GB", 4 * 10**9),
        ("3500MB", 3_500_000_000),
        ("1.5 gib", 3 * 2**29),
        ("512M", 512 * 10**6),
        ("123", 123),
        ("7B", 7),
        ("2Ki", 2048),
        ("1T", 10**12),
    ],
)
def test_amounts_of_memory(text: str, count: int) -> None:
    assert parse_bytes(text) == count


@pytest.mark.parametrize("text", ["", "0", "0GB", "-4GB", "4 apples", "GiB", "4GG", "4iB", "1e9"])
def test_what_is_no_amount_of_memory(text: str) -> None:
    with pytest.raises(UserError, match="is no amount of memory: give one such as 4GiB"):
        parse_bytes(text)
