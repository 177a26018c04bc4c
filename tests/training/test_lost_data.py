"""Data that is away for a while, and processes that make pairs and die: the same pairs in the end, or one line."""

import os
import shutil
import signal
import time
import zipfile
from collections.abc import Callable
from multiprocessing import active_children
from pathlib import Path

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset, get_worker_info

from ttsr.data.cufed import CufedPairs
from ttsr.data.sample import Pair
from ttsr.errors import DataError
from ttsr.training import dataloader, waiting
from ttsr.training.checkpoint import read_checkpoint
from ttsr.training.loop import train
from ttsr.training.recipe import Recipe
from ttsr.training.recipe_text import read_recipe

Weights = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    without = "--losses.contrastive=0 --extractor.start=random --schedule.contrastive_steps=0 --schedule.steps=8"
    sizes = "--pairs=cufed --cufed.hr_size=32 --cufed.ref_size=32 --checkpoint_steps=50"
    return read_recipe("debug", f"{sizes} {without}".split())


@pytest.fixture(scope="module")
def shares(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same pairs as a folder and as a packed file, each on a share of its own."""
    folder = tmp_path_factory.mktemp("share") / "pairs"
    for side in ("input", "ref"):
        shutil.copytree(photos, folder / side)
    packed = tmp_path_factory.mktemp("share") / "pairs.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for file in sorted(folder.rglob("*.png")):
            archive.write(file, file.relative_to(folder))
    return {"folder": folder, "packed": packed}


@pytest.fixture(scope="module")
def whole_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("whole")


@pytest.fixture
def whole(recipe: Recipe, shares: dict[str, Path], whole_folder: Path) -> Weights:
    """What a run ends with to which nothing happens; it is run on first use."""
    if not list(whole_folder.iterdir()):
        train(recipe, shares["folder"], whole_folder, num_workers=0)
    return read_checkpoint(whole_folder)["model"]


@pytest.fixture(autouse=True)
def looking_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "POLL_S", 0.01)
    monkeypatch.setattr(dataloader, "POLL_S", 0.1)


def same(run: Path, whole: Weights) -> bool:
    return all(torch.equal(value, whole[name]) for name, value in read_checkpoint(run)["model"].items())


def leave(share: Path, at: int) -> Callable[[int, dict[str, float]], None]:
    """The share goes after this step."""
    return lambda step, _: share.rename(share.with_name("away")) and None if step == at else None


def back(share: Path) -> None:
    share.with_name("away").rename(share)


@pytest.mark.parametrize("kind, num_workers", [("folder", 0), ("folder", 2), ("packed", 1)])
def test_a_share_that_comes_back_changes_nothing(
    recipe: Recipe, shares: dict[str, Path], whole: Weights, tmp_path: Path, kind: str, num_workers: int
) -> None:
    share, warnings = shares[kind], list[str]()

    def note(warning: str) -> None:
        warnings.append(warning)
        if len(warnings) == 1:
            back(share)

    train(recipe, share, tmp_path, num_workers=num_workers, on_step=leave(share, 2), on_warning=note)
    assert len(warnings) == 2, warnings
    assert str(share) in warnings[0] and warnings[0].endswith(": waiting up to 5 minutes for the data to come back")
    assert warnings[1].startswith("the data is back after ")
    assert same(tmp_path, whole)


@pytest.mark.parametrize("ending", ["too long", "stopped"])
def test_a_wait_ends_with_everything_saved(
    recipe: Recipe,
    shares: dict[str, Path],
    whole: Weights,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ending: str,
) -> None:
    """After the limit in one line; by SIGTERM as at any other time."""
    share = shares["folder"]
    if ending == "too long":
        monkeypatch.setattr(waiting, "MOST_WAIT_S", 0.05)
        with pytest.raises(DataError, match=r"no such file, for 0 minutes now: bring the data back, and resume"):
            train(recipe, share, tmp_path, num_workers=0, on_step=leave(share, 3))
    else:

        def stop(_: str) -> None:
            os.kill(os.getpid(), signal.SIGTERM)

        _, outcome = train(recipe, share, tmp_path, num_workers=0, on_step=leave(share, 3), on_warning=stop)
        assert not outcome.finished and outcome.step == 3
    assert read_checkpoint(tmp_path)["step"] == 3
    back(share)
    train(recipe, share, tmp_path, num_workers=0, resume=True)
    assert same(tmp_path, whole)


@pytest.mark.parametrize("num_workers", [1, 2])
def test_a_worker_that_is_killed_is_replaced(
    recipe: Recipe,
    shares: dict[str, Path],
    whole: Weights,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    num_workers: int,
) -> None:
    """Also in a program whose own dataloader has left PyTorch's handler, which raises in the middle of a step."""
    if num_workers == 2:
        monkeypatch.setattr("torch.utils.data._utils.signal_handling._SIGCHLD_handler_set", False)
        list(DataLoader(TensorDataset(torch.arange(2)), num_workers=1))
    handler = signal.getsignal(signal.SIGCHLD)
    assert callable(handler) or num_workers == 1
    warnings: list[str] = []

    def kill_one(step: int, _: dict[str, float]) -> None:
        if step == 2:
            active_children()[-1].kill()

    train(recipe, shares["folder"], tmp_path, num_workers=num_workers, on_step=kill_one, on_warning=warnings.append)
    (warning,) = warnings
    assert warning.endswith(": a process that makes training pairs was killed: starting again, with the same pairs")
    assert same(tmp_path, whole)
    assert signal.getsignal(signal.SIGCHLD) is handler


@pytest.mark.parametrize(
    "fate, complaint",
    [
        (
            lambda: os.kill(os.getpid(), signal.SIGKILL),
            "step [345]: a process that .* was killed, again and again: memory may",
        ),
        (lambda: time.sleep(600), "step 5: its training pairs have not come for 0 minutes: see whether the data"),
    ],
    ids=["killed", "hanging"],
)
def test_workers_that_never_deliver_end_the_run_in_one_line(
    recipe: Recipe,
    shares: dict[str, Path],
    whole: Weights,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fate: Callable[[], None],
    complaint: str,
) -> None:
    """From the ninth pair on, of the fifth step. What was trained before is saved, and nobody is left behind."""
    make = CufedPairs.__getitem__

    def fails(self: CufedPairs, number: int) -> Pair:
        if number >= 8 and get_worker_info() is not None:
            fate()
        return make(self, number)

    with monkeypatch.context() as changed:
        changed.setattr(CufedPairs, "__getitem__", fails)
        changed.setattr(dataloader, "MOST_WAIT_S", 2.0)
        with pytest.raises(DataError, match=complaint):
            train(recipe, shares["folder"], tmp_path, num_workers=1)
    assert active_children() == []
    assert 2 <= read_checkpoint(tmp_path)["step"] <= 4  # a worker dies with the batches that it made ahead
    train(recipe, shares["folder"], tmp_path, num_workers=0, resume=True)
    assert same(tmp_path, whole)
