"""Training: it learns, it stops on request, and a stopped run resumes exactly."""

import json
import math
import os
import signal
from importlib.metadata import version
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from ttsr.errors import DataError, RecipeError
from ttsr.losses.reconstruction import reconstruction_loss
from ttsr.progress import Progress
from ttsr.training.checkpoint import read_checkpoint
from ttsr.training.loop import train
from ttsr.training.recipe_text import parse_recipe, read_recipe
from ttsr.training.stage import stop_requests
from ttsr.training.validation import Validation, ValidationScore
from ttsr.weights.loading import load
from ttsr.weights.saving import read_metadata


def stop_at(step: int, how: int):
    def on_step(now: int, _: dict[str, float]) -> None:
        if now == step:
            os.kill(os.getpid(), how)

    return on_step


@pytest.fixture
def debug(debug):
    """With fewer steps: four for the extractor, two for the pixels, and six with all losses."""
    return lambda kind, *more: debug(kind, "--schedule.steps=12", *more)


@pytest.fixture(scope="module")
def unbroken(photos, tmp_path_factory):
    """Whole runs of the recipe `debug`, by kind; each is run on first use."""
    folders: dict[str, Path] = {}

    def run(kind: str, recipe) -> Path:
        if kind not in folders:
            folders[kind] = tmp_path_factory.mktemp("unbroken")
            _, outcome = train(recipe, photos, folders[kind], num_workers=0)
            assert outcome.finished and outcome.step == 12
        return folders[kind]

    return run


def assert_same_state(ours: object, theirs: object) -> None:
    """Equal to the last bit, timings apart."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        assert ours.keys() == theirs.keys()
        for name in ours:
            if name != "seconds":
                assert_same_state(ours[name], theirs[name])
    elif isinstance(ours, torch.Tensor) and isinstance(theirs, torch.Tensor):
        assert torch.equal(ours, theirs)
    else:
        assert ours == theirs


@pytest.mark.parametrize(
    "kind, step, how",
    [
        ("rec", 8, signal.SIGINT),
        ("gan", 9, signal.SIGTERM),
        ("gan-paper", 2, signal.SIGTERM),
        ("gan-paper", 5, signal.SIGINT),
        ("gan-paper", 9, signal.SIGTERM),
        ("gan-patch", 9, signal.SIGTERM),
    ],
)
def test_a_stopped_run_resumes_bit_for_bit(photos, unbroken, debug, losses, tmp_path, kind, step, how):
    recipe = debug(kind)
    _, outcome = train(recipe, photos, tmp_path, num_workers=0, on_step=stop_at(step, how))
    assert not outcome.finished and outcome.step == step
    _, outcome = train(recipe, photos, tmp_path, num_workers=2, resume=True)
    assert outcome.finished and outcome.step == 12
    whole = unbroken(kind, recipe)
    assert losses(tmp_path) == losses(whole)
    assert_same_state(read_checkpoint(tmp_path), read_checkpoint(whole))


@pytest.mark.parametrize("kind, step, saved", [("rec", 7, 5), ("gan", 8, 5), ("gan-paper", 11, 10)])
def test_a_killed_run_resumes_from_its_last_checkpoint(
    photos, unbroken, debug, losses, train_until_killed, tmp_path, kind, step, saved
):
    """It is killed some steps after a checkpoint, by a signal that cannot be caught."""
    recipe = debug(kind)
    train_until_killed(recipe, photos, tmp_path, step)
    assert losses(tmp_path)[-1]["step"] == step and read_checkpoint(tmp_path)["step"] == saved
    train(recipe, photos, tmp_path, num_workers=0, resume=True)
    assert losses(tmp_path) == losses(unbroken(kind, recipe))


def test_a_truncated_checkpoint_is_passed_over_with_a_warning(photos, unbroken, debug, losses, tmp_path):
    recipe = debug("gan")
    train(recipe, photos, tmp_path, num_workers=0, on_step=stop_at(9, signal.SIGTERM))
    newest = tmp_path / "checkpoints" / "step-00000009.pt"
    newest.write_bytes(newest.read_bytes()[:5000])
    warnings: list[str] = []
    train(recipe, photos, tmp_path, num_workers=0, resume=True, on_warning=warnings.append)
    assert len(warnings) == 1 and "step-00000009.pt" in warnings[0] and "passed over" in warnings[0]
    assert losses(tmp_path) == losses(unbroken("gan", recipe))


def test_it_stops_by_itself_in_time(photos, debug, tmp_path):
    _, outcome = train(debug("rec"), photos, tmp_path, max_seconds=0, num_workers=0)
    assert not outcome.finished and outcome.step == 1
    assert read_checkpoint(tmp_path)["step"] == 1


@pytest.mark.parametrize("max_seconds, step", [(0, 1), (None, 4)])
def test_the_final_weights_are_written_stopped_or_finished(photos, debug, tmp_path, max_seconds, step):
    recipe = debug("rec", "--schedule.steps=4")
    trainer, outcome = train(recipe, photos, tmp_path, num_workers=0, max_seconds=max_seconds)
    assert outcome.step == step and outcome.weights == tmp_path / "debug.safetensors"
    expected = trainer.averaged_model().state_dict()
    written = load(outcome.weights).state_dict()
    assert expected.keys() == written.keys()
    assert all(torch.equal(value, written[name]) for name, value in expected.items())
    provenance = read_metadata(outcome.weights).provenance
    assert parse_recipe(provenance.recipe, "provenance") == recipe and provenance.licence == recipe.licence


def test_a_folder_that_cannot_be_written_is_named(photos, debug, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RecipeError, match=r"file.*cannot be written \("):
        train(debug("rec"), photos, tmp_path / "file", num_workers=0)


def test_progress_is_reported_and_cancels(photos, debug, tmp_path):
    """A cancelled run is saved, and goes on."""
    fractions: list[float] = []

    def show(fraction: float, _: str) -> None:
        fractions.append(fraction)
        if len(fractions) == 3:
            progress.cancel()

    progress = Progress(show)
    _, outcome = train(debug("rec"), photos, tmp_path, num_workers=0, progress=progress)
    assert fractions == [1 / 12, 2 / 12, 3 / 12]
    assert not outcome.finished and read_checkpoint(tmp_path)["step"] == outcome.step == 3


def test_losses_join_in_their_phases(photos, unbroken, debug, losses):
    lines = losses(unbroken("gan-paper", debug("gan-paper")))
    joining = {"perceptual", "transferal", "adversarial", "discriminator", "penalty"}
    for line in lines:
        extractor_alone, pixels_alone = line["step"] <= 4, line["step"] <= 6
        assert ("rec" in line) == (not extractor_alone)
        assert joining.isdisjoint(line) if pixels_alone else joining <= line.keys()


def test_the_extractor_alone_is_trained_first(photos, debug, tmp_path):
    recipe = debug("rec", "--schedule.steps=4")
    fresh = train(recipe, photos, tmp_path, max_seconds=0, num_workers=0)[0].model
    before = {name: value.clone() for name, value in fresh.state_dict().items()}
    after = train(recipe, photos, tmp_path, resume=True, num_workers=0)[0].model.state_dict()
    changed = {name.split(".")[0] for name, value in before.items() if not torch.equal(value, after[name])}
    assert changed == {"extractor"}


def test_it_learns(photos, debug, losses, tmp_path):
    trainer, _ = train(debug("rec", "--schedule.steps=48", "--ema=0"), photos, tmp_path, num_workers=0)
    rec = [line["rec"] for line in losses(tmp_path) if "rec" in line]
    assert sum(rec[-20:]) < 0.9 * sum(rec[:20])
    model, average = trainer.model.state_dict(), trainer.averaged_model().state_dict()
    assert all(torch.equal(model[name], average[name]) for name in model)


def test_losses_that_are_not_finite_are_skipped_and_finally_stop_the_run(photos, debug, tmp_path):
    rates = ["--optimizer.lr=1e30", "--optimizer.extractor_lr=1e30", "--optimizer.clip_norm=0"]
    wild = debug("rec", "--schedule.steps=20", *rates)
    with pytest.raises(RecipeError, match=r"step 1\d: the loss was not finite 10 times in a row"):
        train(wild, photos, tmp_path, num_workers=0)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    bad = [line["step"] for line in lines if line.get("rec", line["contrastive"]) is None]
    assert len(bad) == 9  # the tenth is not logged any more
    saved = read_checkpoint(tmp_path) if (tmp_path / "checkpoints").exists() else {"step": 0}
    assert saved["step"] < bad[0]


def test_a_run_that_is_stopped_after_a_skipped_step_keeps_its_steps(photos, debug, tmp_path, monkeypatch):
    """A skipped step has moved no weights: there is nothing wrong with keeping them."""
    calls = []

    def seventh_fails(sr, hr, *options):
        calls.append(sr)
        return reconstruction_loss(sr, hr) * (float("nan") if len(calls) == 7 else 1)

    monkeypatch.setattr("ttsr.training.objective.reconstruction_loss", seventh_fails)
    recipe = debug("rec", "--checkpoint_steps=50")
    _, outcome = train(recipe, photos, tmp_path, num_workers=0, on_step=stop_at(11, signal.SIGTERM))
    assert outcome.step == 11 and outcome.skipped_steps == 1
    assert read_checkpoint(tmp_path)["step"] == 11
    line = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1])
    assert line["skipped"] == 1 and line["rec"] is None


def test_an_unreadable_checkpoint_is_renamed_and_replaces_no_good_one(photos, debug, tmp_path):
    recipe = debug("rec", "--keep=1")
    train(recipe, photos, tmp_path, num_workers=0, on_step=stop_at(7, signal.SIGTERM))
    (tmp_path / "checkpoints" / "step-00000012.pt").write_bytes(b"PK")
    (tmp_path / "checkpoints" / ".ttsr-killed.pt").write_bytes(b"half")
    train(recipe, photos, tmp_path, num_workers=0, resume=True, on_step=stop_at(9, signal.SIGTERM))
    kept = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert kept == ["step-00000009.pt", "step-00000012.unusable"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_ctrl_c_interrupts_but_a_second_sigterm_does_not(number):
    with stop_requests() as requested:
        os.kill(os.getpid(), number)
        assert requested()
        if number == signal.SIGINT:
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), number)
        else:
            os.kill(os.getpid(), number)


def test_a_half_written_log_line_is_dropped(photos, unbroken, debug, losses, tmp_path):
    train(debug("rec"), photos, tmp_path, num_workers=0, on_step=stop_at(7, signal.SIGTERM))
    with (tmp_path / "log.jsonl").open("a") as log:
        log.write('{"step": 8, "seco')
    train(debug("rec"), photos, tmp_path, num_workers=0, resume=True)
    assert losses(tmp_path) == losses(unbroken("rec", debug("rec")))


def test_resuming_with_another_recipe_names_the_changes_and_stops_unless_accepted(photos, debug, tmp_path):
    train(debug("rec"), photos, tmp_path, max_seconds=0, num_workers=0)
    other = debug("rec", "--seed=5", "--optimizer.lr=0.5", "--schedule.steps=3")
    with pytest.raises(RecipeError, match=r"optimizer\.lr: 0\.001 -> 0\.5; seed: 0 -> 5.*accept the changes"):
        train(other, photos, tmp_path, resume=True, num_workers=0)
    _, outcome = train(other, photos, tmp_path, resume=True, accept_changes=True, num_workers=0)
    assert outcome.finished and outcome.step == 3


def test_a_discriminator_may_join_a_run_that_had_none(photos, debug, losses, tmp_path):
    """As a network trained by reconstruction goes on with all losses."""
    train(debug("rec", "--schedule.steps=6"), photos, tmp_path, num_workers=0)
    train(debug("gan", "--schedule.steps=8"), photos, tmp_path, resume=True, accept_changes=True, num_workers=0)
    assert ["adversarial" in line for line in losses(tmp_path)] == [False] * 6 + [True] * 2


def test_nothing_to_resume(photos, debug, tmp_path):
    with pytest.raises(RecipeError, match="nothing to resume"):
        train(debug("rec"), photos, tmp_path / "run", resume="must")
    assert not (tmp_path / "run").exists()


def test_resuming_starts_where_there_is_nothing_yet(photos, unbroken, debug, losses, tmp_path):
    """So that a scheduler may start and restart a run by the same command."""
    recipe = debug("rec")
    _, outcome = train(recipe, photos, tmp_path, num_workers=0, resume=True, on_step=stop_at(7, signal.SIGTERM))
    assert outcome.step == 7
    _, outcome = train(recipe, photos, tmp_path, num_workers=0, resume=True)
    assert outcome.finished and losses(tmp_path) == losses(unbroken("rec", recipe))


def test_an_empty_folder_is_named(debug, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no photos"):
        train(debug("rec"), tmp_path / "empty", tmp_path / "run")


def test_a_corrupt_picture_in_the_middle_is_named_once_and_left_out(photos, tmp_path, losses):
    data = tmp_path / "data"
    for folder in ("input", "ref"):
        (data / folder).mkdir(parents=True)
        for photo in photos.iterdir():
            (data / folder / photo.name).write_bytes(photo.read_bytes())
    broken = data / "input" / "photo_1.png"
    broken.write_bytes(broken.read_bytes()[:2000])
    without = "--losses.contrastive=0 --extractor.start=random --schedule.contrastive_steps=0"
    sizes = "--pairs=cufed --cufed.hr_size=32 --cufed.ref_size=32"
    recipe = read_recipe("debug", f"{sizes} {without}".split())
    warnings: list[str] = []
    _, outcome = train(recipe, data, tmp_path / "run", num_workers=2, on_warning=warnings.append)
    assert outcome.finished and outcome.skipped_pictures == 1
    assert len(warnings) == 1 and "photo_1.png" in warnings[0]
    assert all(math.isfinite(line["rec"]) for line in losses(tmp_path / "run"))


def test_validation_keeps_the_best_model_and_shows_pictures(photos, debug, test_set, tmp_path):
    run = tmp_path / "run"
    recipe = debug("rec", "--validation_steps=5", "--keep=1", "--checkpoint_steps=3")
    last_models = []

    def note(step: int, _: dict[str, float]) -> None:
        last_models.append((run / "debug.safetensors").exists())

    _, outcome = train(recipe, photos, run, test_set=test_set, num_workers=0, on_step=note)
    assert last_models == [False] * 5 + [True] * 7  # the last model is written at each validation too
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    scores = {line["step"]: line["psnr"] for line in lines if line.get("kind") == "validation"}
    assert list(scores) == [5, 10, 12]
    best = max(scores, key=lambda step: scores[step])
    assert outcome.best is not None and (outcome.best.step, outcome.best.psnr) == (best, scores[best])
    kept = sorted(path.name for path in (run / "checkpoints").iterdir())
    assert kept == sorted({f"step-{best:08}.pt", "step-00000012.pt"})
    assert load(run / "best.safetensors").config == recipe.model
    board = EventAccumulator(str(run / "tensorboard"), size_guidance={"images": 0})
    board.Reload()
    assert {"training/rec", "validation/psnr"} <= set(board.Tags()["scalars"])
    shown = board.Images("validation/000")
    # LR, reference, bicubic, SR, ground truth and relevance.
    assert [picture.step for picture in shown] == [5, 10, 12] and shown[0].width == 6 * 288 + 5 * 6


def test_a_run_stopped_at_a_validation_validates_on_resuming(photos, debug, test_set, tmp_path):
    recipe = debug("rec", "--validation_steps=8", "--schedule.steps=10")
    _, outcome = train(
        recipe, photos, tmp_path / "run", test_set=test_set, num_workers=0, on_step=stop_at(8, signal.SIGTERM)
    )
    assert outcome.step == 8 and outcome.best is None
    train(recipe, photos, tmp_path / "run", test_set=test_set, num_workers=0, resume=True)
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if line.get("kind") == "validation"] == [8, 10]


def test_a_nan_score_is_never_the_best(photos, debug, test_set, tmp_path, monkeypatch):
    scores = iter([25.0, float("nan"), 24.0])
    monkeypatch.setattr(
        Validation, "__call__", lambda self, trainer, _: ValidationScore(trainer.step, next(scores), "x")
    )
    recipe = debug("rec", "--validation_steps=5")
    _, outcome = train(recipe, photos, tmp_path / "run", test_set=test_set, num_workers=0)
    assert outcome.best == ValidationScore(5, 25.0, "x")
    assert (tmp_path / "run" / "best.safetensors").exists()


def test_validating_changes_no_step(photos, unbroken, debug, losses, test_set, tmp_path):
    recipe = debug("rec", "--validation_steps=7")
    train(recipe, photos, tmp_path / "run", test_set=test_set, num_workers=0)
    assert losses(tmp_path / "run") == losses(unbroken("rec", recipe))


def test_recipe_and_environment_are_stored(photos, debug, tmp_path):
    recipe = debug("rec", "--schedule.steps=3", "--seed=7")
    train(recipe, photos, tmp_path, max_seconds=0, num_workers=0)
    train(recipe, photos, tmp_path, resume=True, num_workers=0)
    assert read_recipe(str(tmp_path / "recipe.yaml")) == recipe
    parts = json.loads((tmp_path / "environment.json").read_text())
    assert [part["from_step"] for part in parts] == [0, 1]
    assert parts[0]["seed"] == 7 and parts[0]["versions"]["torch"] == version("torch")
