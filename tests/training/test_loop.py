"""Training: it learns, it stops when told, and a stopped run goes on as if it had not."""

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from ttsr.errors import DataError, RecipeError
from ttsr.training.checkpoint import read_checkpoint
from ttsr.training.loop import train
from ttsr.training.recipe import Recipe, read_recipe, recipe_names

CPU = torch.device("cpu")
FIGURES = ("rec", "contrastive", "right", "relevance", "gradient")


def losses(folder: Path) -> list[list[float | None]]:
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [[line["step"], *(line.get(name) for name in FIGURES)] for line in lines]


def stop_at(step: int, how: int):
    def report(now: int, _: dict[str, float]) -> None:
        if now == step:
            os.kill(os.getpid(), how)

    return report


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Sums round otherwise with another number of threads, and a forked child can have but one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def unbroken(photos, tmp_path_factory) -> Path:
    """A whole run of the recipe `debug`."""
    folder = tmp_path_factory.mktemp("unbroken")
    _, outcome = train(read_recipe("debug"), photos, folder, device=CPU, num_workers=0)
    assert outcome.finished and outcome.step == 20
    return folder


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("step", [2, 13])
def test_a_run_that_was_stopped_goes_on_bit_for_bit(photos, unbroken, tmp_path, how, step):
    recipe = read_recipe("debug")
    _, outcome = train(recipe, photos, tmp_path, device=CPU, num_workers=0, report=stop_at(step, how))
    assert not outcome.finished and outcome.step == step
    _, outcome = train(recipe, photos, tmp_path, device=CPU, num_workers=1, resume=True)
    assert outcome.finished and outcome.step == 20
    assert losses(tmp_path) == losses(unbroken)
    ours, theirs = read_checkpoint(tmp_path), read_checkpoint(unbroken)
    for part in ("model", "average"):
        assert all(torch.equal(ours[part][name], value) for name, value in theirs[part].items())


def test_a_run_that_was_killed_goes_on_from_its_last_checkpoint(photos, unbroken, tmp_path):
    """The child is killed in step 13, three steps after a checkpoint, by a signal that cannot be caught."""
    recipe = read_recipe("debug")
    child = os.fork()
    if child == 0:
        train(recipe, photos, tmp_path, device=CPU, num_workers=0, report=stop_at(13, signal.SIGKILL))
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert losses(tmp_path)[-1][0] == 13 and read_checkpoint(tmp_path)["step"] == 10
    train(recipe, photos, tmp_path, device=CPU, num_workers=0, resume=True)
    assert losses(tmp_path) == losses(unbroken)


def test_it_stops_by_itself_in_time(photos, tmp_path):
    _, outcome = train(read_recipe("debug"), photos, tmp_path, device=CPU, max_seconds=0, num_workers=0)
    assert not outcome.finished and outcome.step == 1
    assert read_checkpoint(tmp_path)["step"] == 1


def test_the_extractor_alone_is_trained_first(photos, tmp_path):
    recipe = read_recipe("debug")
    recipe = replace(recipe, schedule=replace(recipe.schedule, steps=4))
    fresh = train(recipe, photos, tmp_path / "fresh", device=CPU, max_seconds=0, num_workers=0)[0].model
    before = {name: value.clone() for name, value in fresh.state_dict().items()}
    after = train(recipe, photos, tmp_path / "fresh", device=CPU, resume=True, num_workers=0)[0].model.state_dict()
    changed = {name.split(".")[0] for name, value in before.items() if not torch.equal(value, after[name])}
    assert changed == {"extractor"}


def test_it_learns(photos, tmp_path):
    recipe = read_recipe("debug")
    recipe = replace(recipe, schedule=replace(recipe.schedule, steps=80), ema=0.0, log_steps=1)
    trainer, _ = train(recipe, photos, tmp_path, device=CPU, num_workers=0)
    rec = [line[1] for line in losses(tmp_path) if line[1] is not None]
    assert sum(rec[-20:]) < 0.97 * sum(rec[:20])
    model, average = trainer.model.state_dict(), trainer.averaged_model().state_dict()
    assert all(torch.equal(model[name], average[name]) for name in model)


def test_pairs_in_cufeds_layout(photos, tmp_path):
    for folder in ("input", "ref"):
        (tmp_path / "data" / folder).mkdir(parents=True)
        for photo in photos.iterdir():
            (tmp_path / "data" / folder / photo.name).write_bytes(photo.read_bytes())
    recipe: Recipe = replace(read_recipe("debug"), data="cufed")
    recipe = replace(recipe, schedule=replace(recipe.schedule, steps=3, contrastive_steps=0))
    # Photos of 160x120 turn to 120x160 now and then: batches of one hold either.
    recipe = replace(recipe, batch_size=1)
    _, outcome = train(recipe, tmp_path / "data", tmp_path / "run", device=CPU, num_workers=0)
    assert outcome.finished
    assert all(line[1] is not None for line in losses(tmp_path / "run"))


@pytest.mark.parametrize("name", recipe_names())
def test_every_shipped_recipe_takes_two_steps(photos, tmp_path, name):
    data = photos
    recipe = read_recipe(name)
    if recipe.data == "cufed":
        data = tmp_path / "data"
        for folder in ("input", "ref"):
            (data / folder).mkdir(parents=True)
            with Image.open(photos / "photo_0.png") as photo:
                photo.crop((0, 0, 96, 96)).save(data / folder / "a.png")
    # One pair a step, and none of the steps that train the extractor alone: two real steps, soon done.
    schedule = replace(recipe.schedule, steps=2, contrastive_steps=0)
    recipe = replace(recipe, batch_size=1, log_steps=1, schedule=schedule)
    recipe = replace(recipe, photos=replace(recipe.photos, only_open=False))
    _, outcome = train(recipe, data, tmp_path / "run", device=CPU, num_workers=0)
    assert outcome.finished and len(losses(tmp_path / "run")) == 2


def test_a_loss_that_is_not_finite_stops_the_run_and_spares_the_checkpoint(photos, tmp_path):
    recipe = read_recipe("debug")
    wild = replace(recipe, optimizer=replace(recipe.optimizer, lr=1e30, extractor_lr=1e30, clip_norm=0.0))
    with pytest.raises(RecipeError, match="the loss is not finite"):
        train(replace(wild, checkpoint_steps=1), photos, tmp_path, device=CPU, num_workers=0)
    assert 1 <= read_checkpoint(tmp_path)["step"] < 20


def test_a_half_written_log_line_is_dropped(photos, unbroken, tmp_path):
    recipe = read_recipe("debug")
    train(recipe, photos, tmp_path, device=CPU, num_workers=0, report=stop_at(7, signal.SIGTERM))
    with (tmp_path / "log.jsonl").open("a") as log:
        log.write('{"step": 8, "seco')
    train(recipe, photos, tmp_path, device=CPU, num_workers=0, resume=True)
    assert losses(tmp_path) == losses(unbroken)


def test_resuming_with_another_recipe_is_refused(photos, tmp_path):
    recipe = read_recipe("debug")
    train(recipe, photos, tmp_path, device=CPU, max_seconds=0, num_workers=0)
    other = replace(recipe, seed=5, batch_size=3)
    with pytest.raises(RecipeError, match="batch_size, seed differ"):
        train(other, photos, tmp_path, device=CPU, resume=True, num_workers=0)


def test_nothing_to_resume(photos, tmp_path):
    with pytest.raises(RecipeError, match="nothing to resume"):
        train(read_recipe("debug"), photos, tmp_path, device=CPU, resume=True)


def test_a_broken_checkpoint_is_named(photos, tmp_path):
    (tmp_path / "checkpoint.pt").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(RecipeError, match=r"checkpoint\.pt.*cannot be read"):
        train(read_recipe("debug"), photos, tmp_path, device=CPU, resume=True)


def test_a_foreign_checkpoint_is_named(photos, tmp_path):
    torch.save({"state_dict": {}}, tmp_path / "checkpoint.pt")
    with pytest.raises(RecipeError, match="no checkpoint of a training run"):
        train(read_recipe("debug"), photos, tmp_path, device=CPU, resume=True)


def test_an_empty_folder_is_named(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no photos"):
        train(read_recipe("debug"), tmp_path / "empty", tmp_path / "run", device=CPU)
