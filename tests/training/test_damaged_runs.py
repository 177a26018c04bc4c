"""What damage to its folder, its data and its clock does to a run: it ends as if nothing had been, or in one line."""

import json
import os
import random
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ttsr.errors import RecipeError
from ttsr.training.checkpoint import read_checkpoint
from ttsr.training.loop import train
from ttsr.training.recipe import Recipe

Debug = Callable[..., Recipe]
OPTIONS = ("--schedule.steps=8", "--checkpoint_steps=2", "--validation_steps=4")


@pytest.fixture(scope="module")
def whole_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("whole")


@pytest.fixture
def whole(photos: Path, debug: Debug, whole_folder: Path) -> Path:
    """A run that nothing happens to; it is run on first use."""
    if not list(whole_folder.iterdir()):
        train(debug("rec", *OPTIONS), photos, whole_folder, num_workers=0)
    return whole_folder


def stop_after(step: int) -> Callable[[int, dict[str, float]], None]:
    return lambda now, _: os.kill(os.getpid(), signal.SIGTERM) if now == step else None


@pytest.fixture
def stopped(photos: Path, debug: Debug, tmp_path: Path) -> Path:
    """A run that was stopped after its sixth step, with the checkpoints of the fourth and the sixth."""
    train(debug("rec", *OPTIONS), photos, tmp_path / "run", num_workers=0, on_step=stop_after(6))
    return tmp_path / "run"


def same_end(run: Path, whole: Path) -> bool:
    ours, theirs = (read_checkpoint(folder) for folder in (run, whole))
    moments = (state["update"]["optimizer"]["state"] for state in (ours, theirs))
    flat = [{f"{n}/{name}": value for n, of in state.items() for name, value in of.items()} for state in moments]
    weights = [state["model"] | optimizer for state, optimizer in zip((ours, theirs), flat, strict=True)]
    same = all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())
    return same and weights[0].keys() == weights[1].keys() and ours["step"] == theirs["step"]


def flip_a_bit(file: Path) -> None:
    """In the middle of the weights, where it leaves a valid number."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def replaced(make: Callable[[Path], object]) -> Callable[[Path], None]:
    def replace(file: Path) -> None:
        file.unlink()
        make(file)

    return replace


DAMAGED = r"unreadable \(not a checkpoint, or damaged or truncated\)"
DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda file: file.write_bytes(b""), DAMAGED),
    "zeros": (lambda file: file.write_bytes(bytes(file.stat().st_size)), DAMAGED),
    "cut off": (lambda file: os.truncate(file, file.stat().st_size // 2), DAMAGED),
    "a flipped bit": (flip_a_bit, DAMAGED),
    "a folder": (replaced(Path.mkdir), r"unreadable \(Is a directory\)"),
    "a link to nothing": (replaced(lambda file: file.symlink_to("gone")), r"unreadable \(No such file or directory\)"),
    "another file": (lambda file: torch.save({"step": 6}, file), "not a checkpoint of a run"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_passed_over(
    photos: Path, debug: Debug, whole: Path, stopped: Path, damage: str
) -> None:
    spoil, complaint = DAMAGES[damage]
    newest, warnings = stopped / "checkpoints" / "step-00000006.pt", list[str]()
    spoil(newest)
    train(debug("rec", *OPTIONS), photos, stopped, num_workers=0, resume=True, on_warning=warnings.append)
    (warning,) = warnings
    assert re.fullmatch(re.escape(f"{newest}: ") + complaint + ", passed over for the one before", warning)
    assert same_end(stopped, whole)


def test_no_readable_checkpoint_at_all_is_one_line(photos: Path, debug: Debug, stopped: Path) -> None:
    for file in (stopped / "checkpoints").iterdir():
        flip_a_bit(file)
    with pytest.raises(RecipeError, match="all checkpoints are unreadable: start a new run in another folder"):
        train(debug("rec", *OPTIONS), photos, stopped, num_workers=0, resume=True)
    assert len(list((stopped / "checkpoints").glob("step-*.pt"))) == 2


def test_a_checkpoint_of_another_run_is_refused(photos: Path, debug: Debug, stopped: Path, tmp_path: Path) -> None:
    train(debug("rec", *OPTIONS, "--seed=5"), photos, tmp_path / "other", num_workers=0)
    stranger = tmp_path / "other" / "checkpoints" / "step-00000008.pt"
    stranger.rename(stopped / "checkpoints" / stranger.name)
    with pytest.raises(RecipeError, match=r"started with another recipe \(seed: 5 -> 0\)"):
        train(debug("rec", *OPTIONS), photos, stopped, num_workers=0, resume=True)


def test_what_a_kill_leaves_is_removed_and_damaged_lines_of_the_log_are_dropped(
    photos: Path, debug: Debug, whole: Path, stopped: Path
) -> None:
    left = [stopped / ".ttsr-0123.yaml", stopped / "checkpoints" / ".ttsr-4567.pt"]
    for file in left:
        file.write_bytes(b"half of it")
    log = stopped / "log.jsonl"
    log.write_text("no line\n" + log.read_text() + '{"step": 7, "re')
    train(debug("rec", *OPTIONS), photos, stopped, num_workers=0, resume=True)
    assert not any(file.exists() for file in left)
    assert [json.loads(line)["step"] for line in log.read_text().splitlines()] == list(range(1, 9))
    assert same_end(stopped, whole)


def test_a_run_killed_at_the_end_of_a_validation_has_its_line_once(
    photos: Path, debug: Debug, test_set: Path, tmp_path: Path, train_until_killed: Callable[..., None]
) -> None:
    """The line is written, and the checkpoint that tells of it is not."""
    recipe = debug("rec", *OPTIONS)
    train_until_killed(recipe, photos, tmp_path, 4, test_set=test_set)
    train(recipe, photos, tmp_path, num_workers=0, test_set=test_set, resume=True)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if line.get("kind") == "validation"] == [4, 8]


def test_clocks_that_jump_change_nothing(
    photos: Path, debug: Debug, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time of day jumps by years, and the newest checkpoint seems to be the oldest."""
    draw = random.Random(0)
    monkeypatch.setattr(time, "time", lambda: draw.uniform(0, 2e9))
    recipe = debug("rec", *OPTIONS)
    train(recipe, photos, tmp_path, num_workers=0, on_step=stop_after(6))
    os.utime(tmp_path / "checkpoints" / "step-00000006.pt", (1, 1))
    train(recipe, photos, tmp_path, num_workers=0, resume=True)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    seconds = [line["seconds"] for line in lines]
    assert [line["step"] for line in lines] == list(range(1, 9)) and same_end(tmp_path, whole)
    assert seconds == sorted(seconds) and all(0 < line["step_s"] < 1e3 for line in lines)


def test_other_pictures_are_noticed(photos: Path, debug: Debug, stopped: Path, tmp_path: Path) -> None:
    """A pair's number would mean another pair."""
    recipe, fewer = debug("rec", *OPTIONS), tmp_path / "fewer"
    fewer.mkdir()
    for photo in sorted(photos.iterdir())[1:]:
        (fewer / photo.name).write_bytes(photo.read_bytes())
    with pytest.raises(RecipeError, match="started with 3 usable pictures, and now there are 2 usable ones: give the"):
        train(recipe, fewer, stopped, num_workers=0, resume=True)
    next(fewer.iterdir()).rename(fewer / "renamed.png")
    (fewer / "third.png").write_bytes((fewer / "renamed.png").read_bytes())
    with pytest.raises(RecipeError, match="and now there are others"):
        train(recipe, fewer, stopped, num_workers=0, resume=True)
    _, outcome = train(recipe, fewer, stopped, num_workers=0, resume=True, accept_changes=True)
    assert outcome.finished
