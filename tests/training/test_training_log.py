"""The log: means over windows, a line at every stop, the same lines after resuming, and W&B."""

import json
import math
import os
import signal
import sys
from statistics import fmean
from types import SimpleNamespace

import pytest

from ttsr.errors import RecipeError
from ttsr.training.loop import train
from ttsr.training.training_log import LogWindow

UNAVERAGED = ("step", "rate", "lr", "extractor_lr", "discriminator_lr", "partial")


def stop_at(step: int, how: int = signal.SIGTERM):
    def on_step(now: int, _: dict[str, float]) -> None:
        if now == step:
            os.kill(os.getpid(), how)

    return on_step


def test_a_line_holds_the_means_since_the_line_before(photos, debug, losses, tmp_path):
    """Steps 5 to 7: those that use the adversary and those that do not, in one window."""
    every: list[dict[str, float]] = []
    recipe = debug("gan", "--schedule.steps=7", "--log_steps=4")
    train(recipe, photos, tmp_path, num_workers=0, on_step=lambda _, metrics: every.append(dict(metrics)))
    whole, rest = losses(tmp_path)
    assert (whole["step"], rest["step"], rest["partial"]) == (4, 7, True) and "partial" not in whole
    for line, steps in ((whole, every[:4]), (rest, every[4:])):
        assert line.keys() - {"step", "partial"} == {name for step in steps for name in step} - {"step_s"}
        for name in line.keys() - set(UNAVERAGED):
            assert line[name] == pytest.approx(fmean(step[name] for step in steps if name in step), rel=1e-12)
        assert all(line[name] == steps[-1][name] for name in ("lr", "rate"))


def test_a_line_tells_what_enters_the_total(photos, debug, losses, tmp_path):
    recipe = debug("gan", "--schedule.steps=8")
    train(recipe, photos, tmp_path, num_workers=0)
    lines = losses(tmp_path)
    assert lines[3]["loss"] == lines[3]["contrastive"]  # the extractor alone
    for line in lines[4:]:
        terms = [name.removeprefix("weighted_") for name in line if name.startswith("weighted_")]
        adversarial = ["perceptual", "transferal", "adversarial"] if line["step"] > 6 else []
        assert terms == ["rec", "contrastive", *adversarial]
        weighted = {name: getattr(recipe.losses, name) * line[name] for name in terms}
        assert {name: line[f"weighted_{name}"] for name in terms} == pytest.approx(weighted, rel=1e-6)
        assert line["loss"] == pytest.approx(sum(weighted.values()), rel=1e-6)


def test_learning_rates_are_logged_as_they_are(photos, debug, losses, tmp_path):
    """Two steps of warm-up and a cosine over the last five of ten, of 1e-3 and 1e-4."""
    rates = ["--optimizer.lr=1e-3", "--optimizer.extractor_lr=1e-4", "--discriminator.lr=1e-5", "--schedule.steps=10"]
    train(debug("gan", *rates), photos, tmp_path, num_workers=0)
    factors = [0.5, 1, 1, 1, 1, *(0.5 - 0.5 * math.cos(math.pi * left / 5) for left in (5, 4, 3, 2, 1))]
    lines = losses(tmp_path)
    assert [line["rate"] for line in lines] == pytest.approx(factors)
    assert [line["lr"] for line in lines] == pytest.approx([1e-3 * factor for factor in factors])
    assert [line["extractor_lr"] for line in lines] == pytest.approx([1e-4 * factor for factor in factors])
    assert [line.get("discriminator_lr") for line in lines[:6]] == [None] * 6
    assert [line["discriminator_lr"] for line in lines[6:]] == pytest.approx([1e-5 * factor for factor in factors[6:]])


def test_a_resumed_run_logs_the_lines_of_an_unbroken_one(photos, debug, losses, train_until_killed, tmp_path):
    """Stopped within a window, then killed within the next: the window is in the checkpoint."""
    recipe = debug("rec", "--log_steps=6", "--checkpoint_steps=4")
    train(recipe, photos, tmp_path / "whole", num_workers=0)
    run = tmp_path / "run"
    train(recipe, photos, run, num_workers=0, on_step=stop_at(3))
    (line,) = losses(run)
    assert (line["step"], line["partial"]) == (3, True)
    train_until_killed(recipe, photos, run, 11, resume=True)
    train(recipe, photos, run, num_workers=0, resume=True)
    assert [line["step"] for line in losses(run)] == [6, 12, 18, 20]
    assert losses(run) == losses(tmp_path / "whole")


def test_an_error_leaves_a_last_line_too(photos, debug, losses, tmp_path):
    def fail(step: int, _: dict[str, float]) -> None:
        if step == 7:
            raise RecipeError("here")

    with pytest.raises(RecipeError, match="here"):
        train(debug("rec", "--log_steps=100"), photos, tmp_path, num_workers=0, on_step=fail)
    assert [line["step"] for line in losses(tmp_path)] == [7]


def test_a_window_survives_a_step_without_a_finite_loss():
    window = LogWindow(["lr"])
    for rec, lr in ((1.0, 0.3), (math.nan, 0.2), (2.0, 0.1)):
        window.add({"rec": rec, "lr": lr, "none": math.inf})
    means = window.means()
    assert (means["rec"], means["lr"], window.steps) == (1.5, 0.1, 3) and math.isnan(means["none"])


class FakeWandb:
    """Keeps what a run of W&B is given."""

    def __init__(self) -> None:
        self.begun: list[dict[str, object]] = []
        self.logged: list[tuple[int, dict[str, object]]] = []
        self.finished = 0
        self.Image = lambda picture: ("picture", picture.shape)

    def init(self, **arguments: object):
        self.begun.append(arguments)

        def log(values: dict[str, object], step: int) -> None:
            self.logged.append((step, values))

        def finish() -> None:
            self.finished += 1

        return SimpleNamespace(log=log, finish=finish)


def test_wandb_gets_the_lines_of_the_log_and_the_pictures(photos, debug, test_set, tmp_path, monkeypatch):
    fake = FakeWandb()
    monkeypatch.setitem(sys.modules, "wandb", fake)
    recipe = debug("rec", "--schedule.steps=6", "--log_steps=3", "--validation_steps=6")
    run = tmp_path / "run"
    train(recipe, photos, run, num_workers=0, test_set=test_set, wandb_project="mine", on_step=stop_at(3))
    train(recipe, photos, run, num_workers=0, test_set=test_set, wandb_project="mine", resume=True)
    first, second = fake.begun
    assert first == second and first["id"] == (run / "wandb-id").read_text().strip()
    assert (first["project"], first["name"], first["resume"], first["dir"]) == ("mine", "debug", "allow", str(run))
    config = first["config"]
    assert isinstance(config, dict) and config["optimizer"]["lr"] == 1e-3
    assert fake.finished == 2
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    shown = {"validation/000", "validation/001"}
    curves = [(step, values) for step, values in fake.logged if not values.keys() & shown]
    assert [step for step, _ in curves] == [3, 6, 6] and len(fake.logged) == 3 + 2
    for (_, values), line in zip(curves, lines, strict=True):
        kind = line.pop("kind", "training")
        del line["step"]
        assert values == {f"{kind}/{name}": value for name, value in line.items()}


def test_a_new_run_in_the_same_folder_is_a_new_run_of_wandb(photos, debug, tmp_path, monkeypatch):
    fake = FakeWandb()
    monkeypatch.setitem(sys.modules, "wandb", fake)
    for _ in range(2):
        train(debug("rec", "--schedule.steps=1"), photos, tmp_path, num_workers=0, wandb_project="mine")
    assert fake.begun[0]["id"] != fake.begun[1]["id"]


def test_wandb_that_is_missing_or_refuses_is_one_line(photos, debug, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(RecipeError, match=r'needs wandb: pip install "ttsr\[wandb\]"'):
        train(debug("rec"), photos, tmp_path, num_workers=0, wandb_project="mine")
    fake = FakeWandb()
    monkeypatch.setattr(fake, "init", lambda **_: (_ for _ in ()).throw(OSError("no\nkey")))
    monkeypatch.setitem(sys.modules, "wandb", fake)
    with pytest.raises(RecipeError, match="W&B: no key: log in"):
        train(debug("rec"), photos, tmp_path, num_workers=0, wandb_project="mine")
