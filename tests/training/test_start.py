"""Weights to start from: the network, and the discriminator where the file has one."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ttsr import load
from ttsr.models.discriminator import Discriminator
from ttsr.progress import Progress
from ttsr.system.distributed import Runtime
from ttsr.training.loop import train
from ttsr.training.recipe import Recipe
from ttsr.training.trainer import Trainer
from ttsr.weights.hub import HubFile
from ttsr.weights.layouts import MMAGIC

Debug = Callable[..., Recipe]


@pytest.fixture
def finished(photos: Path, debug: Debug, tmp_path: Path) -> tuple[Trainer, Path]:
    """A GAN run of eight steps, two of them adversarial, and its last checkpoint."""
    trainer, _ = train(debug("gan", "--schedule.steps=8"), photos, tmp_path / "run", num_workers=0)
    return trainer, tmp_path / "run" / "checkpoints" / "step-00000008.pt"


def started(recipe: Recipe) -> tuple[Trainer, list[str]]:
    warnings: list[str] = []
    return Trainer(recipe, Runtime("cpu"), on_warning=warnings.append), warnings


def same(network: torch.nn.Module, state: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(value, state[name]) for name, value in network.state_dict().items())


def test_a_checkpoint_of_a_run_carries_both(finished: tuple[Trainer, Path], debug: Debug) -> None:
    before, checkpoint = finished
    trainer, warnings = started(debug("gan", f"--start={checkpoint}", "--seed=9"))
    assert trainer.discriminator is not None and before.discriminator is not None
    assert same(trainer.model, before.average) and same(trainer.discriminator, before.discriminator.state_dict())
    optimizers = "the state of the optimizer, the state of the discriminator's optimizer"
    assert warnings == [f"start: {checkpoint}: left out the weights before averaging, {optimizers}"]
    assert same(load(checkpoint), before.average)


def test_weights_of_the_hub(finished: tuple[Trainer, Path], debug: Debug, monkeypatch: pytest.MonkeyPatch) -> None:
    before, checkpoint = finished
    asked: list[str] = []

    def fetch(file: HubFile, progress: Progress | None = None) -> Path:
        asked.append(str(file))
        return checkpoint

    monkeypatch.setattr("ttsr.weights.loading.fetch_from_hub", fetch)
    trainer, _ = started(debug("gan", "--start=hf://me/run/last.pt@v1", "--seed=9"))
    assert asked == ["hf://me/run/last.pt@v1"] and same(trainer.model, before.average)


def test_what_cannot_be_taken_is_said(finished: tuple[Trainer, Path], debug: Debug) -> None:
    before, checkpoint = finished
    weights = checkpoint.parents[1] / f"{before.recipe.name}.safetensors"
    new = Trainer(debug("gan"), Runtime("cpu"))
    trainer, warnings = started(debug("gan", f"--start={weights}"))
    assert warnings == [f"start: {weights}: has no discriminator, so a new one begins"]
    assert trainer.discriminator is not None and new.discriminator is not None
    assert same(trainer.discriminator, new.discriminator.state_dict())
    _, warnings = started(debug("rec", f"--start={checkpoint}"))
    assert warnings[0] == f"start: {checkpoint}: its discriminator is left out, losses.adversarial is 0"
    _, warnings = started(debug("gan", f"--start={checkpoint}", "--discriminator.channels=6"))
    assert "its discriminator is another one than the recipe's" in warnings[0]
    assert "discriminator.channels 6" in warnings[0]
    _, warnings = started(debug("gan", f"--start={checkpoint}", "--discriminator.kind=patch"))
    assert "its discriminator is another one than the recipe's (patches and" in warnings[0]


def test_a_full_checkpoint_of_mmagic(debug: Debug, tmp_path: Path) -> None:
    recipe = debug("gan")
    theirs, network = Discriminator(recipe.crop, 4), Trainer(recipe, Runtime("cpu")).model
    state = {MMAGIC.to_theirs(key): value + 0.5 for key, value in network.state_dict().items()}
    state |= MMAGIC.normalisation_state() | {"step_counter": torch.tensor(5)}
    state |= {f"discriminator.module.{key}": value for key, value in theirs.state_dict().items()}
    torch.save({"state_dict": state, "optimizer": {}}, tmp_path / "iter_5.pth")
    trainer, warnings = started(debug("gan", f"--start={tmp_path / 'iter_5.pth'}", "--model.bicubic_skip=false"))
    assert trainer.discriminator is not None and same(trainer.discriminator, theirs.state_dict())
    assert same(trainer.model, {key: value + 0.5 for key, value in network.state_dict().items()})
    assert warnings == [f"start: {tmp_path / 'iter_5.pth'}: left out step_counter, optimizer"]


def test_a_resumed_run_says_nothing(finished: tuple[Trainer, Path], photos: Path, debug: Debug, tmp_path: Path) -> None:
    _, checkpoint = finished
    recipe, warnings = debug("gan", "--schedule.steps=2", f"--start={checkpoint}"), list[str]()
    train(recipe, photos, tmp_path / "next", num_workers=0, on_warning=warnings.append)
    assert len([warning for warning in warnings if warning.startswith("start:")]) == 1
    longer = debug("gan", "--schedule.steps=3", f"--start={checkpoint}")
    warnings.clear()
    train(longer, photos, tmp_path / "next", num_workers=0, resume=True, on_warning=warnings.append)
    assert not any(warning.startswith("start:") for warning in warnings)
