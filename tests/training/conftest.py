"""Small runs that several files train."""

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ttsr.training.recipe import Recipe
from ttsr.training.recipe_text import read_recipe, recipe_text

_ALL_LOSSES = [
    "--losses.perceptual=1e-2",
    "--losses.perceptual_features=extractor",
    "--losses.transferal=1e-2",
    "--losses.adversarial=1e-3",
    "--discriminator.channels=4",
    "--discriminator.lr=1e-4",
    "--schedule.pixel_steps=6",
]

OVERRIDES = {
    "rec": [],
    "gan": [
        *_ALL_LOSSES,
        "--losses.adversarial_kind=bce",
        "--losses.transferal_levels=sum",
        "--discriminator.first=false",
    ],
    "gan-paper": [*_ALL_LOSSES, "--losses.adversarial_kind=wgan-gp", "--discriminator.first=true"],
    "gan-patch": [*_ALL_LOSSES, "--losses.adversarial_kind=rsgan", "--discriminator.kind=patch"],
}
"""The recipe `debug` with reconstruction alone, with MMagic's adversarial losses, the authors', and by patches."""

_TRAIN_UNTIL_KILLED = """
import json, os, signal, sys
from pathlib import Path
from ttsr.training.loop import train
from ttsr.training.recipe_text import parse_recipe

given = json.loads(sys.argv[1])
test_set = given["test_set"]

def kill(step, metrics):
    if step == given["step"] and (test_set is None or "psnr" in metrics):
        os.kill(os.getpid(), signal.SIGKILL)

when = {"on_step": kill} if test_set is None else {"on_log": kill, "test_set": Path(test_set)}
recipe = parse_recipe(given["recipe"], "the recipe")
train(recipe, Path(given["photos"]), Path(given["folder"]), num_workers=0, resume=given["resume"], **when)
"""

Losses = list[dict[str, float]]


@pytest.fixture(autouse=True)
def always_one_thread(one_thread: None) -> None:
    """All runs of this folder are compared to the last digits."""


@pytest.fixture
def debug() -> Callable[..., Recipe]:
    """`debug("gan", "--seed=3")`: a kind of `OVERRIDES`, with further overrides."""
    return lambda kind, *more: read_recipe("debug", [*OVERRIDES[kind], *more])


@pytest.fixture
def train_until_killed(forking: Any) -> Callable[..., None]:
    """Trains in a process that SIGKILL ends after a step; given a test set, when the validation of that step is logged.

    Not in a fork of this one: PyTorch for GPUs has threads that compute gradients, which no fork has.
    """

    def run(
        recipe: Recipe, photos: Path, folder: Path, step: int, *, resume: bool = False, test_set: Path | None = None
    ) -> None:
        paths = {"photos": str(photos), "folder": str(folder), "test_set": test_set and str(test_set)}
        given = {"recipe": recipe_text(recipe), "step": step, "resume": resume, **paths}
        done = forking.run("-c", _TRAIN_UNTIL_KILLED, json.dumps(given))
        assert done.returncode == -signal.SIGKILL, done.stderr

    return run


@pytest.fixture
def losses() -> Callable[[Path], Losses]:
    """What a run logged of each step, timings left out."""

    def read(run: Path) -> Losses:
        lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
        timings = ("seconds", "step_s")
        return [{k: v for k, v in line.items() if k not in timings} for line in lines if "kind" not in line]

    return read
