"""Checkpoints as the public implementations write them while training, and those of our own runs."""

import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from ttsr.errors import WeightsError
from ttsr.models.discriminator import Discriminator
from ttsr.models.ttsr import TTSR
from ttsr.weights.assembly import parts_left_out
from ttsr.weights.checkpoint_file import read_checkpoint
from ttsr.weights.layouts import AUTHORS, MMAGIC
from ttsr.weights.loading import load


def mmagic_state(small: TTSR) -> dict[str, Tensor]:
    state = {MMAGIC.to_theirs(key): value for key, value in small.state_dict().items()}
    return state | MMAGIC.normalisation_state()


def authors_state(small: TTSR) -> dict[str, Tensor]:
    """`model.state_dict()` in the authors' training: the extractor's copy for the transferal loss is in it."""
    state = {AUTHORS.to_theirs(key): value for key, value in small.state_dict().items()} | AUTHORS.normalisation_state()
    return state | {key.replace("LTE.", "LTE_copy."): value for key, value in state.items() if key.startswith("LTE.")}


def separately_wrapped(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """As MMSeparateDistributedDataParallel names them: each part has a wrapper of its own."""
    return {key.replace(".", ".module.", 1): value for key, value in state.items()}


def test_the_authors_training_checkpoint(small: TTSR, tmp_path: Path, assert_same_weights: Callable[..., None]) -> None:
    torch.save(authors_state(small), tmp_path / "model_00200.pt")
    assert_same_weights(load(tmp_path / "model_00200.pt"), small)
    checkpoint = read_checkpoint(tmp_path / "model_00200.pt")
    assert parts_left_out(checkpoint, "x") == ["LTE_copy"] and not checkpoint.discriminator


def test_data_parallel(small: TTSR, tmp_path: Path, assert_same_weights: Callable[..., None]) -> None:
    torch.save({f"module.{key}": value for key, value in authors_state(small).items()}, tmp_path / "a.pt")
    torch.save({"state_dict": separately_wrapped(mmagic_state(small)), "meta": {}}, tmp_path / "m.pth")
    torch.save({"state_dict": {f"module.{k}": v for k, v in mmagic_state(small).items()}}, tmp_path / "n.pth")
    for name in ("a.pt", "m.pth", "n.pth"):
        assert_same_weights(load(tmp_path / name), small)


def test_one_name_with_and_without_the_wrapper_is_refused(small: TTSR, tmp_path: Path) -> None:
    state = mmagic_state(small)
    key = next(iter(state))
    torch.save(state | {f"module.{key}": state[key]}, tmp_path / "m.pth")
    with pytest.raises(WeightsError, match=r"with and without `module\.`"):
        load(tmp_path / "m.pth")


def test_the_discriminator_of_mmagic(small: TTSR, tmp_path: Path, assert_same_weights: Callable[..., None]) -> None:
    """Its names: `body` and `last`, with the activations between."""
    theirs = Discriminator(32, 4)
    state = {f"discriminator.{key}": value for key, value in theirs.state_dict().items()}
    state |= mmagic_state(small) | {"step_counter": torch.tensor(3)}
    torch.save({"meta": {}, "state_dict": state, "optimizer": {"state": {}}}, tmp_path / "iter_5.pth")
    checkpoint = read_checkpoint(tmp_path / "iter_5.pth")
    assert_same_weights(load(tmp_path / "iter_5.pth"), small)
    again = Discriminator(32, 4)
    again.load_state_dict(checkpoint.discriminator)
    image = torch.rand(2, 3, 32, 32)
    assert torch.equal(again(image), theirs(image))
    assert parts_left_out(checkpoint, "x") == ["step_counter", "meta", "optimizer"]


def test_code_in_a_checkpoint_is_still_refused(small: TTSR, tmp_path: Path) -> None:
    class Harm:
        def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
            return print, ("harm",)

    torch.save({"state_dict": mmagic_state(small), "optimizer": Harm()}, tmp_path / "m.pth")
    with pytest.raises(WeightsError, match="refused for safety"):
        load(tmp_path / "m.pth")
    (tmp_path / "p.pt").write_bytes(pickle.dumps({"recipe": "", "step": 1, "average": Harm()}, protocol=2))
    with pytest.raises(WeightsError):
        load(tmp_path / "p.pt")


@pytest.mark.parametrize("recipe", ["", "name: [", "name: x", "model: 3"])
def test_a_damaged_checkpoint_of_a_run_is_one_line(recipe: str, small: TTSR, tmp_path: Path) -> None:
    state = {"recipe": recipe, "step": 1, "average": small.state_dict()}
    torch.save(state, tmp_path / "step-00000001.pt")
    with pytest.raises(WeightsError) as caught:
        load(tmp_path / "step-00000001.pt")
    assert "\n" not in str(caught.value) and "step-00000001.pt" in str(caught.value)
