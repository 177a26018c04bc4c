"""A step for which memory does not suffice is taken in more parts: the same but for rounding, and so from then on."""

import json
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ttsr.data.photos import PhotoPairs
from ttsr.data.sample import Batch, collate
from ttsr.errors import RecipeError
from ttsr.system.distributed import Runtime
from ttsr.system.memory import is_out_of_memory
from ttsr.training.batch_parts import BatchParts
from ttsr.training.checkpoint import read_checkpoint
from ttsr.training.loop import train
from ttsr.training.objective import Objective
from ttsr.training.recipe import Recipe
from ttsr.training.trainer import Trainer

BATCH = ["--batch_size=4", "--losses.contrastive_group=1", "--discriminator.lr=1e-6"]

OOM = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


def batches(photos: Path, recipe: Recipe, count: int) -> list[Batch]:
    pairs, size = PhotoPairs(photos, recipe.photos, recipe.seed), recipe.batch_size
    return [collate([pairs[number] for number in range(step * size, (step + 1) * size)]) for step in range(count)]


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`limit(2, "forward")`: from the call with the number `after` on, more than two pairs at a time are too many."""

    def place(most: int, function: str, after: int = 0, error: Exception = OOM) -> None:
        whole, calls = getattr(Objective, function), list[int]()

        def limited(self: Objective, batch: Batch, *more: Any, **options: Any) -> Any:
            calls.append(len(batch))
            result = whole(self, batch, *more, **options)
            if len(calls) > after and len(batch) > most:
                raise error
            return result

        monkeypatch.setattr(Objective, function, limited)

    return place


@pytest.mark.parametrize(
    "kind, where",
    [
        ("rec", "extractor_loss"),
        ("rec", "forward"),
        ("gan", "network_loss"),
        ("gan-paper", "forward"),
        ("gan-paper", "discriminator_loss"),
        ("gan-patch", "discriminator_loss"),
    ],
)
def test_more_parts_take_the_same_steps(
    photos: Path, debug: Callable[..., Recipe], limit: Callable[..., None], kind: str, where: str
) -> None:
    """Wherever in a step memory runs out; from the third on there is a discriminator."""
    recipe = debug(kind, *BATCH, "--schedule.contrastive_steps=1", "--schedule.pixel_steps=2")
    steps, warnings = batches(photos, recipe, 4), list[str]()
    whole, parted = Trainer(recipe, Runtime("cpu")), Trainer(recipe, Runtime("cpu"), on_warning=warnings.append)
    expected = [whole.train_step(batch) for batch in steps]
    limit(1, where)
    for ours, theirs in zip([parted.train_step(batch) for batch in steps], expected, strict=True):
        assert {name: value for name, value in ours.items() if name != "parts"} == pytest.approx(theirs, 1e-4, 1e-5)
    assert parted.parts.count == 4 and len(warnings) == 2
    assert "memory ran out with 4 pairs at a time: taking 2 from here on, in 2 parts" in warnings[0]
    assert "memory ran out with 2 pairs at a time: taking 1 from here on, in 4 parts" in warnings[1]
    # Adam's steps are as long as the rate where a gradient is nothing but rounding.
    for ours, theirs in ((parted.model, whole.model), (parted.discriminator, whole.discriminator)):
        if ours is not None and theirs is not None:
            for name, value in theirs.state_dict().items():
                assert (ours.state_dict()[name] - value).norm() <= 1e-3 * value.norm() + 1e-4, name


def test_it_is_remembered_said_and_resumed_bit_for_bit(
    photos: Path,
    debug: Callable[..., Recipe],
    losses: Callable[[Path], list[dict[str, float]]],
    limit: Callable[..., None],
    tmp_path: Path,
) -> None:
    """Memory runs out in the tenth forward pass, once. The step after it is resumed with as many parts."""
    recipe, warnings = debug("gan", *BATCH, "--schedule.steps=12", "--checkpoint_steps=50"), list[str]()
    limit(2, "forward", after=6)
    train(recipe, photos, tmp_path / "whole", num_workers=0, on_warning=warnings.append)
    (warning,) = warnings
    step = int(warning.split()[1].rstrip(":"))
    lines = [json.loads(line) for line in (tmp_path / "whole" / "log.jsonl").read_text().splitlines()]
    assert [line.get("parts") for line in lines] == [None] * (step - 1) + [2] * (12 - step + 1)
    saved = (
        tmp_path / "whole" / "checkpoints" / f"step-{step:08}.pt"
    )  # at once: with one part, the next step is another
    resumed = tmp_path / "resumed"
    (resumed / "checkpoints").mkdir(parents=True)
    (resumed / "checkpoints" / saved.name).write_bytes(saved.read_bytes())
    (resumed / "log.jsonl").write_bytes((tmp_path / "whole" / "log.jsonl").read_bytes())
    train(recipe, photos, resumed, num_workers=0, resume=True)
    assert losses(resumed) == losses(tmp_path / "whole")
    ours, theirs = read_checkpoint(resumed), read_checkpoint(tmp_path / "whole")
    assert ours["parts"] == theirs["parts"] == 2
    for part in ("model", "average", "discriminator"):
        assert all(torch.equal(value, theirs[part][name]) for name, value in ours[part].items())


@pytest.mark.parametrize(
    "options, most, complaint",
    [
        (
            [],
            0,
            "step 1: memory ran out with a single pair at a time: resume from the last checkpoint with more memory",
        ),
        (
            ["--losses.contrastive_group=2"],
            1,
            "with 2 pairs at a time, the fewest that losses.contrastive_group allows: ",
        ),
        (
            ["--losses.contrastive=0", "--losses.adversarial=1e-3", "--losses.adversarial_kind=ragan"],
            2,
            "with 4 pairs at a time, the fewest that losses.adversarial_kind ragan allows: ",
        ),
    ],
)
def test_what_cannot_be_split_further_is_one_line(
    photos: Path,
    debug: Callable[..., Recipe],
    limit: Callable[..., None],
    options: list[str],
    most: int,
    complaint: str,
) -> None:
    start = ["--schedule.contrastive_steps=0", "--extractor.start=random", "--discriminator.channels=4"]
    recipe = debug("rec", *BATCH, *start, *options)
    limit(most, "forward")
    trainer = Trainer(recipe, Runtime("cpu"))
    with pytest.raises(RecipeError, match=complaint):
        trainer.train_step(batches(photos, recipe, 1)[0])


def test_a_process_splits_further_where_another_one_fails(
    photos: Path, debug: Callable[..., Recipe], monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, runtime, undone = debug("rec", *BATCH), Runtime("cpu"), list[str]()
    answers = iter([True, False, False])  # whether any failed, whether all may split, whether any failed again
    monkeypatch.setattr(runtime, "any_process", lambda _: next(answers))
    parts = BatchParts(recipe, runtime)
    (batch,) = batches(photos, recipe, 1)
    numbers = parts.compute(batch, 8, 1, lambda part: part.numbers, lambda: undone.append("undone"))
    assert numbers == [range(8, 10), range(10, 12)] and undone == ["undone"]


def test_weights_that_are_half_updated_are_not_saved(
    photos: Path, debug: Callable[..., Recipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, calls = torch.optim.Adam.step, list[int]()

    def step(self: torch.optim.Adam, *arguments: Any) -> Any:
        calls.append(1)
        if len(calls) == 8:
            raise MemoryError
        return whole(self, *arguments)

    monkeypatch.setattr(torch.optim.Adam, "step", step)
    with pytest.raises(
        RecipeError, match=r"step 8: memory ran out while the weights were updated: resume from the last"
    ):
        train(debug("rec"), photos, tmp_path, num_workers=0)
    assert read_checkpoint(tmp_path)["step"] == 5


@pytest.mark.parametrize("failure", ["a bug", "Sizes of tensors must match"])
def test_other_failures_are_no_lack_of_memory(
    photos: Path, debug: Callable[..., Recipe], limit: Callable[..., None], failure: str
) -> None:
    recipe = debug("gan", *BATCH, "--schedule.contrastive_steps=0", "--extractor.start=random")
    limit(2, "forward", error=RuntimeError(failure))
    with pytest.raises(RuntimeError, match=failure):
        Trainer(recipe, Runtime("cpu")).train_step(batches(photos, recipe, 1)[0])


@pytest.mark.parametrize("allocate", [lambda: torch.empty(2**44), lambda: np.empty(2**46), lambda: bytearray(2**50)])
def test_what_the_allocators_really_say(allocate: Callable[[], object]) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (2**42, hard))  # so that nothing is promised that is not there
    try:
        with pytest.raises((MemoryError, RuntimeError)) as raised:
            allocate()
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    assert is_out_of_memory(raised.value)
