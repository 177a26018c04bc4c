"""Checkpoints in a run's folder: which stay, which is read, and what happens to unreadable ones."""

from pathlib import Path
from typing import Any

import pytest
import torch

from ttsr.errors import RecipeError
from ttsr.training.checkpoint import discard_after, has_checkpoint, read_checkpoint, write_checkpoint


def state(step: int, best: int | None = None) -> dict[str, Any]:
    weights = {"weight": torch.full((3,), float(step))}
    result = {"recipe": "name: x", "step": step, "seconds": 1.5, "skipped": 0, "validated": 0}
    result |= {"model": weights, "average": weights, "update": {}}
    return result | {"best": None if best is None else {"step": best}}


def steps(run: Path) -> list[int]:
    return sorted(int(path.stem.removeprefix("step-")) for path in (run / "checkpoints").glob("*.pt"))


def test_the_latest_and_the_best_stay(tmp_path: Path) -> None:
    run = tmp_path / "run"  # made on the first writing
    for step in (5, 10, 15, 20):
        write_checkpoint(run, state(step, best=5), keep=2)
    assert steps(run) == [5, 15, 20]
    write_checkpoint(run, state(25, best=25), keep=2)
    assert steps(run) == [20, 25]
    write_checkpoint(run, state(30), keep=1)
    assert steps(run) == [30]
    assert [path.name for path in (run / "checkpoints").iterdir()] == ["step-00000030.pt"]


def test_the_newest_is_that_of_the_largest_number(tmp_path: Path) -> None:
    for step in (9, 123_456_789, 99_999_999):
        write_checkpoint(tmp_path, state(step), keep=3)
    (tmp_path / "checkpoints" / "step-copy.pt").write_bytes(b"")
    (tmp_path / "checkpoints" / "step-900000000.pt.bak").write_bytes(b"")
    warnings: list[str] = []
    read = read_checkpoint(tmp_path, warnings.append)
    assert read["step"] == 123_456_789 and torch.equal(read["model"]["weight"], torch.full((3,), 123_456_789.0))
    assert not warnings


def test_nothing_to_resume(tmp_path: Path) -> None:
    assert not has_checkpoint(tmp_path)
    with pytest.raises(RecipeError, match="nothing to resume"):
        read_checkpoint(tmp_path)
    write_checkpoint(tmp_path, state(1), keep=1)
    assert has_checkpoint(tmp_path)


@pytest.mark.parametrize("damage", ["empty", "cut", "another content"])
def test_an_unreadable_one_is_passed_over(tmp_path: Path, damage: str) -> None:
    for step in (5, 10, 15):
        write_checkpoint(tmp_path, state(step), keep=3)
    newest = tmp_path / "checkpoints" / "step-00000015.pt"
    content = newest.read_bytes()
    if damage == "another content":
        torch.save({key: value for key, value in state(15).items() if key != "average"}, newest)
    else:
        newest.write_bytes({"empty": b"", "cut": content[:-200]}[damage])
    warnings: list[str] = []
    assert read_checkpoint(tmp_path, warnings.append)["step"] == 10
    assert len(warnings) == 1 and warnings[0].startswith(f"{newest}: ") and "\n" not in warnings[0]
    assert read_checkpoint(tmp_path)["step"] == 10
    for step in (5, 10):
        (tmp_path / "checkpoints" / f"step-{step:08}.pt").write_bytes(b"")
    with pytest.raises(RecipeError, match="all checkpoints are unreadable"):
        read_checkpoint(tmp_path)


def test_later_ones_are_set_aside_and_unfinished_ones_removed(tmp_path: Path) -> None:
    for step in (5, 10, 15):
        write_checkpoint(tmp_path, state(step), keep=3)
    folder = tmp_path / "checkpoints"
    (folder / ".ttsr-0123456789ab.pt").write_bytes(b"half")
    discard_after(tmp_path, 10)
    assert {path.name for path in folder.iterdir()} == {
        *("step-00000005.pt", "step-00000010.pt"),
        "step-00000015.unusable",
    }


def test_a_failed_write_leaves_the_earlier_ones(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, state(5), keep=1)
    with pytest.raises(Exception, match="local object"):
        write_checkpoint(tmp_path, state(10) | {"update": lambda: None}, keep=1)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step-00000005.pt"]
