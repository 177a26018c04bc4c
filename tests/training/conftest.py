"""Small runs that several files train."""

import json
import os
import signal
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from ttsr.training.recipe import Recipe
from ttsr.training.recipe_text import read_recipe

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

Losses = list[dict[str, float]]


@pytest.fixture(autouse=True)
def always_one_thread(one_thread: None) -> None:
    """All runs of this folder are compared to the last digits."""


@pytest.fixture
def debug() -> Callable[..., Recipe]:
    """`debug("gan", "--seed=3")`: a kind of `OVERRIDES`, with further overrides."""
    return lambda kind, *more: read_recipe("debug", [*OVERRIDES[kind], *more])


@pytest.fixture
def until_killed() -> Callable[[Callable[[], object]], None]:
    """Does something in a fork of this process, which must end it by SIGKILL."""

    def run(work: Callable[[], object]) -> None:
        child = os.fork()
        if child == 0:
            try:
                work()
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL

    return run


@pytest.fixture
def losses() -> Callable[[Path], Losses]:
    """What a run logged of each step, timings left out."""

    def read(run: Path) -> Losses:
        lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
        timings = ("seconds", "step_s")
        return [{k: v for k, v in line.items() if k not in timings} for line in lines if "kind" not in line]

    return read
