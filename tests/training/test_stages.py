"""Recipes in stages: completed, overridden, refused; run one after the other, stopped and resumed exactly."""

import json
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ttsr.errors import RecipeError
from ttsr.progress import Progress
from ttsr.training.checkpoint import read_checkpoint
from ttsr.training.loop import train
from ttsr.training.recipe import Recipe
from ttsr.training.recipe_text import described_recipe, parse_recipe, recipe_text
from ttsr.weights.loading import load
from ttsr.weights.saving import read_metadata

STAGED = """
name: staged
base: debug
model: {trunk_channels: 6}
extractor: {start: random}
losses: {base: 0.5}
optimizer: {lr: 2.0e-3}
schedule: {steps: 4, contrastive_steps: 0}
stages:
- {name: trunk, trains: trunk, seed: 1}
- {name: extractor, trains: extractor, seed: 2, optimizer: {extractor_lr: 3.0e-3}}
- {name: textures, trains: textures, seed: 3}
- {name: all, seed: 4, schedule: {steps: 6}}
"""
FOLDERS = ["1-trunk", "2-extractor", "3-textures", "4-all"]


def staged(*overrides: str, text: str = STAGED) -> Recipe:
    return parse_recipe(text, "staged", overrides)


@pytest.fixture(scope="module")
def folder_of_whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("whole")


@pytest.fixture
def whole(photos: Path, folder_of_whole: Path) -> Path:
    """The folder of a run that was never stopped; it is run on first use."""
    if not list(folder_of_whole.iterdir()):
        _, outcome = train(staged(), photos, folder_of_whole, num_workers=0)
        assert outcome.finished and outcome.step == 6 and outcome.folder == folder_of_whole / "4-all"
    return folder_of_whole


@pytest.fixture
def mined(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pair in CUFED's layout."""
    folder = tmp_path_factory.mktemp("mined")
    for side in ("input", "ref"):
        (folder / side).mkdir()
        shutil.copy(photos / "photo_0.png", folder / side / "a.png")
    return folder


def weights_of(file: Path) -> dict[str, torch.Tensor]:
    return load(file).state_dict()


def changed(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]) -> set[str]:
    """The parts of the network that differ."""
    parts = {"synthesis.shallow.": "trunk", "synthesis.": "rest", "transfer.": "rest", "extractor.": "extractor"}
    names = [name for name in before if not torch.equal(before[name], after[name])]
    return {next(part for prefix, part in parts.items() if name.startswith(prefix)) for name in names}


def test_a_stage_has_the_fields_of_the_whole_where_it_has_none() -> None:
    trunk, extractor, textures, last = staged().stages
    assert [stage.name for stage in (trunk, extractor, textures, last)] == ["trunk", "extractor", "textures", "all"]
    assert extractor.optimizer.lr == 2e-3 and extractor.optimizer.extractor_lr == 3e-3
    assert trunk.optimizer.extractor_lr == 1e-3 and (trunk.schedule.steps, last.schedule.steps) == (4, 6)
    assert trunk.model == staged().model and trunk.stages == ()


def test_it_goes_to_text_and_back_as_what_differs() -> None:
    recipe = staged()
    assert parse_recipe(recipe_text(recipe), "again") == parse_recipe(described_recipe(recipe), "again") == recipe
    assert "- name: trunk\n  trains: trunk\n  seed: 1\n- name: extractor\n" in recipe_text(recipe)


def test_a_field_is_set_in_all_stages_or_in_one() -> None:
    recipe = staged("--schedule.steps=9", "--stages.textures.schedule.steps", "7", "--stages.textures.seed=8")
    assert [stage.schedule.steps for stage in recipe.stages] == [9, 9, 7, 9]
    assert [stage.seed for stage in recipe.stages] == [1, 2, 8, 4]
    renamed = staged("--name=other")
    assert renamed.name == "other" and renamed.stages == staged().stages


@pytest.mark.parametrize(
    "text, complaint",
    [
        ("stages: [{name: a, optimizer: {rate: 1}}]", r"unknown field stages\.a\.optimizer\.rate; there are lr, "),
        ("stages: [{name: a, model: {channels: 4}}]", r"unknown field stages\.a\.model; there are name, pairs, "),
        ("stages: [{name: a, start: file}]", r"unknown field stages\.a\.start"),
        ("stages: [{name: a, stages: []}]", r"unknown field stages\.a\.stages"),
        ("steps: 3\nstages: [{name: a, foo: 1}]", r"unknown fields steps, stages\.a\.foo; "),
        ("stages: [{seed: 1}]", "stage 1 must have a name"),
        ("stages: [3]", "stage 1 must hold named fields, not 3"),
        ("stages: {a: 1}", "stages must be a list, not "),
        ("stages: [{name: a}, {name: a}]", "two stages are called a"),
        ("stages: [{name: ../a}]", "name, also of files, must be short, without /"),
        ("stages: [{name: a b}]", "takes letters, digits, - and _, not 'a b'"),
        ("stages: [{name: a, seed: x}]", "stage a: seed must be int"),
        ("stages: [{name: a, trains: trunk}]", r"stage a: Recipe: trains: trunk needs model\.trunk_channels"),
        ("trains: textures", r"trains: textures needs model\.trunk_channels"),
        ("losses: {base: 1}", r"losses\.base needs model\.trunk_channels"),
        ("trains: extractor\nschedule: {contrastive_steps: 3}", r"schedule\.contrastive_steps needs trains: all"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(text: str, complaint: str) -> None:
    base = "name: mine\nbase: debug\nextractor: {start: random}\n"
    base += "" if "schedule" in text else "schedule: {contrastive_steps: 0}\n"
    with pytest.raises(RecipeError, match=complaint) as error:
        staged(text=base + text)
    assert "\n" not in str(error.value)


def test_overrides_of_other_stages_are_refused() -> None:
    with pytest.raises(RecipeError, match="no such stage; there are trunk, extractor, "):
        staged("--stages.none.seed=1")
    with pytest.raises(RecipeError, match="unknown field stages; there are name, "):
        staged("--stages=[]")


def test_each_stage_trains_its_part_from_the_averaged_weights_before(whole: Path) -> None:
    files = [whole / folder / f"{folder[2:]}.safetensors" for folder in FOLDERS]
    trunk, extractor, textures, last = map(weights_of, files)
    assert changed(trunk, extractor) == {"extractor"}
    assert changed(extractor, textures) == {"rest", "extractor"}
    assert changed(textures, last) == {"trunk", "rest", "extractor"}
    assert changed(last, weights_of(whole / "staged.safetensors")) == set()


def test_the_final_weights_hold_the_whole_recipe(whole: Path) -> None:
    provenance = read_metadata(whole / "staged.safetensors").provenance
    assert parse_recipe(provenance.recipe, "metadata") == staged()
    assert parse_recipe((whole / "recipe.yaml").read_text(), "recipe.yaml") == staged()
    assert sorted(path.name for path in whole.iterdir()) == [*FOLDERS, "recipe.yaml", "staged.safetensors"]


def test_the_trunk_is_trained_without_references_and_kept_good_by_the_base(whole: Path) -> None:
    texts = [(whole / folder / "log.jsonl").read_text() for folder in FOLDERS]
    logs = [[json.loads(line) for line in text.splitlines()] for text in texts]
    assert "rec" in logs[0][0] and not {"relevance", "base", "contrastive"} & logs[0][0].keys()
    assert "contrastive" in logs[1][0] and "rec" not in logs[1][0]
    for line in logs[2] + logs[3]:
        assert line["weighted_base"] == pytest.approx(0.5 * line["base"], rel=1e-6)


@pytest.mark.parametrize("stage, step", [(0, 2), (1, 4), (3, 1)])
def test_a_stopped_run_resumes_exactly(whole: Path, photos: Path, tmp_path: Path, stage: int, step: int) -> None:
    """Within a stage, and at its last step: the next one does not begin then."""
    taken = 4 * stage + step
    count = iter(range(1, 100))

    def stop(_: int, __: dict[str, float]) -> None:
        if next(count) == taken:
            os.kill(os.getpid(), signal.SIGTERM)

    _, outcome = train(staged(), photos, tmp_path, num_workers=0, on_step=stop)
    assert not outcome.finished and outcome.step == step and outcome.folder == tmp_path / FOLDERS[stage]
    assert not (tmp_path / "staged.safetensors").exists()
    steps: list[int] = []
    _, outcome = train(staged(), photos, tmp_path, num_workers=0, resume=True, on_step=lambda now, _: steps.append(now))
    assert outcome.finished and len(steps) == 18 - taken
    for folder in FOLDERS:
        ours, theirs = read_checkpoint(tmp_path / folder), read_checkpoint(whole / folder)
        for part in ("model", "average"):
            assert all(torch.equal(value, theirs[part][name]) for name, value in ours[part].items())
    final = weights_of(whole / "staged.safetensors")
    assert changed(final, weights_of(tmp_path / "staged.safetensors")) == set()


def test_time_is_counted_over_all_stages(photos: Path, tmp_path: Path) -> None:
    _, outcome = train(staged(), photos, tmp_path, num_workers=0, max_seconds=0)
    assert not outcome.finished and outcome.step == 1 and outcome.folder == tmp_path / "1-trunk"
    _, outcome = train(staged(), photos, tmp_path, num_workers=0, resume=True)
    seconds = [read_checkpoint(tmp_path / folder)["seconds"] for folder in FOLDERS]
    assert outcome.seconds == pytest.approx(sum(seconds)) and min(seconds) > 0


def test_a_finished_stage_cannot_change_but_is_kept_where_that_is_accepted(photos: Path, tmp_path: Path) -> None:
    count = iter(range(1, 100))

    def stop(_: int, __: dict[str, float]) -> None:
        if next(count) == 6:
            os.kill(os.getpid(), signal.SIGTERM)

    train(staged(), photos, tmp_path, num_workers=0, on_step=stop)
    longer = staged("--stages.trunk.schedule.steps=5")
    match = r"1-trunk: this stage is finished, by another recipe \(schedule\.steps: 4 -> 5\)"
    with pytest.raises(RecipeError, match=match):
        train(longer, photos, tmp_path, num_workers=0, resume=True)
    names = ("trunk", "extractor", "all")
    fewer = replace(staged(), stages=tuple(stage for stage in staged().stages if stage.name in names))
    _, outcome = train(fewer, photos, tmp_path, num_workers=0, resume=True)  # the third had not begun
    assert outcome.finished and outcome.folder == tmp_path / "3-all"
    with pytest.raises(RecipeError, match=r"the run has other stages than the recipe \(3-all\)"):
        train(staged(), photos, tmp_path, num_workers=0, resume=True)
    steps: list[int] = []
    _, outcome = train(
        replace(longer, stages=(*longer.stages[:2], fewer.stages[2])),
        photos,
        tmp_path,
        num_workers=0,
        resume=True,
        accept_changes=True,
        on_step=lambda now, _: steps.append(now),
    )
    assert outcome.finished and steps == []


def test_a_new_run_in_the_folder_sets_the_checkpoints_of_the_old_one_aside(
    photos: Path, whole: Path, tmp_path: Path
) -> None:
    shutil.copytree(whole, tmp_path, dirs_exist_ok=True)
    train(staged(), photos, tmp_path, num_workers=0, max_seconds=0)
    steps: list[int] = []
    _, outcome = train(staged(), photos, tmp_path, num_workers=0, resume=True, on_step=lambda now, _: steps.append(now))
    assert outcome.finished and len(steps) == 17


def test_progress_runs_over_all_stages(photos: Path, tmp_path: Path) -> None:
    shown: list[tuple[float, str]] = []
    progress = Progress(lambda fraction, text: shown.append((fraction, text)))
    train(staged(), photos, tmp_path, num_workers=0, progress=progress)
    assert [fraction for fraction, _ in shown] == pytest.approx([step / 18 for step in range(1, 19)])
    assert shown[4][1].startswith("extractor, step 1 of 4  ") and shown[-1][1].startswith("all, step 6 of 6  ")


def test_mined_pairs_are_mixed_in_and_a_resumed_run_needs_them(photos: Path, mined: Path, tmp_path: Path) -> None:
    recipe = staged("--photos.mined_share=0.5")
    assert [stage.takes_mined for stage in recipe.stages] == [False, False, True, True]
    count = iter(range(1, 100))

    def stop(_: int, __: dict[str, float]) -> None:
        if next(count) == 10:
            os.kill(os.getpid(), signal.SIGTERM)

    _, outcome = train(recipe, photos, tmp_path, mined=mined, num_workers=0, on_step=stop)
    assert outcome.folder == tmp_path / "3-textures" and outcome.step == 2
    with pytest.raises(RecipeError, match="started with 1 mined pairs, and now there are 0: give the same ones"):
        train(recipe, photos, tmp_path, num_workers=0, resume=True)
    _, outcome = train(recipe, photos, tmp_path, mined=mined, num_workers=0, resume=True)
    assert outcome.finished


def test_a_stage_without_a_readable_checkpoint_begins_anew(photos: Path, whole: Path, tmp_path: Path) -> None:
    """From the stage before, whose time counts as far as it can be read."""
    run, warnings = tmp_path / "run", list[str]()
    for folder in FOLDERS[:3]:
        shutil.copytree(whole / folder, run / folder)
    for folder in (FOLDERS[0], FOLDERS[2]):
        for file in (run / folder / "checkpoints").iterdir():
            file.write_bytes(file.read_bytes()[:1000])
    _, outcome = train(staged(), photos, run, num_workers=0, resume=True, on_warning=warnings.append)
    assert warnings == [f"{run / FOLDERS[2]}: none of its checkpoints can be read: this stage begins anew"]
    assert outcome.finished and outcome.seconds > 0
    ours, theirs = weights_of(run / "staged.safetensors"), weights_of(whole / "staged.safetensors")
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items())
    assert list((run / FOLDERS[2] / "checkpoints").glob("*.unusable"))
