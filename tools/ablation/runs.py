"""The runs of an ablation: the common extractor, and a trained and scored network for each row."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ablation.networks import Variant
from ablation.table import RowScore
from ttsr.cli.printing import say
from ttsr.data.cufed5 import Group
from ttsr.errors import RecipeError, UserError
from ttsr.evaluation.protocols import PAPER_Y
from ttsr.evaluation.report import make_rows
from ttsr.evaluation.scoring import evaluate
from ttsr.models.config import TTSRConfig
from ttsr.models.ttsr import TTSR
from ttsr.system.distributed import Runtime
from ttsr.system.files import atomic_path
from ttsr.training.checkpoint import has_checkpoint
from ttsr.training.loop import Outcome, train
from ttsr.training.recipe import Recipe
from ttsr.training.recipe_options import ExtractorOptions, ScheduleOptions
from ttsr.training.recipe_text import differences, read_recipe, recipe_text
from ttsr.training.trainer import Trainer

_REPORT_STEPS = 50


@dataclass(frozen=True)
class Job:
    """What all runs have in common.

    Attributes:
        base: the recipe that theirs are derived from.
        data: folder of the training photos.
        groups: the test set.
        out: folder of the runs.
        runtime: the device.
        num_workers: dataloader workers.
        seconds_left: returns what is left of the time limit; None for no limit.
    """

    base: Recipe
    data: Path
    groups: list[Group]
    out: Path
    runtime: Runtime
    num_workers: int
    seconds_left: Callable[[], float | None]

    @property
    def extractor(self) -> Path:
        """The weights whose extractor every row starts from."""
        return self.out / "start.safetensors"


def start_recipe(base: Recipe, steps: int) -> Recipe:
    """Derive the recipe of the extractor: the contrastive loss alone."""
    return _shortened(base, "start", ExtractorOptions("contrastive"), ScheduleOptions(steps, contrastive_steps=steps))


def row_recipe(base: Recipe, variant: Variant, steps: int, extractor: Path) -> Recipe:
    """Derive a row's recipe: the same for all but its name, since the rows differ in the network."""
    schedule = ScheduleOptions(steps, decay_steps=steps // 2)
    return _shortened(base, variant.name, ExtractorOptions(str(extractor)), schedule)


def _shortened(base: Recipe, name: str, extractor: ExtractorOptions, schedule: ScheduleOptions) -> Recipe:
    schedule = replace(schedule, warmup_steps=min(base.schedule.warmup_steps, schedule.steps // 10))
    return replace(base, name=f"ablation-{name}", start="", extractor=extractor, schedule=schedule)


def make_extractor(recipe: Recipe, job: Job) -> bool:
    """Train the extractor's weights, unless they exist.

    Returns:
        Whether they exist now; not if the run was stopped.

    Raises:
        RecipeError: they were trained with other settings.
    """
    folder = job.out / "start"
    if job.extractor.is_file() and has_checkpoint(folder):
        _check_same_recipe(recipe, folder)
        return True
    finished = _train(recipe, folder, TTSR, job)
    if finished is not None:
        finished[1].weights.replace(job.extractor)  # only now: a stopped run writes its weights too
    return finished is not None


def make_row(recipe: Recipe, variant: Variant, job: Job) -> RowScore | None:
    """Train and score a row, unless an earlier call did.

    Returns:
        Its score; None if its run was stopped.

    Raises:
        RecipeError: its run was started with other settings.
    """
    folder = job.out / variant.name
    stored = _stored_score(recipe, folder, job.groups)
    if stored is not None:
        return stored
    finished = _train(recipe, folder, variant, job)
    if finished is None:
        return None
    trainer, _ = finished
    scores = evaluate(trainer.averaged_model(), job.groups, references=("1",), protocols=(PAPER_Y,))
    (scored,) = make_rows(variant.name, scores, ("1",))
    model, bicubic = scored.model_mean(PAPER_Y), scored.bicubic_mean(PAPER_Y)
    row = RowScore(
        name=variant.name,
        num_parameters=variant.num_parameters(recipe.model),
        psnr=model.psnr,
        ssim=model.ssim,
        bicubic_psnr=bicubic.psnr,
        bicubic_ssim=bicubic.ssim,
        pictures={picture.name: picture.model[PAPER_Y.name].psnr for picture in scored.pictures},
        notes=scored.notes(),
        seconds=round(trainer.seconds, 1),
    )
    inputs = {"recipe": recipe_text(recipe), "pictures": _digest(job.groups)}
    write_text(folder / "score.json", json.dumps(inputs | {"row": asdict(row)}, indent=1) + "\n")
    return row


def write_text(path: Path, text: str) -> None:
    """Write a file completely or not at all.

    Raises:
        UserError: it cannot be written.
    """
    try:
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror})") from None


def _digest(groups: Sequence[Group]) -> str:
    """Hash the pictures' contents: their names are the same in every set of this layout."""
    files = (path for group in groups for path in group.files)
    return hashlib.sha256(b"".join(hashlib.sha256(path.read_bytes()).digest() for path in files)).hexdigest()


def _stored_score(recipe: Recipe, folder: Path, groups: Sequence[Group]) -> RowScore | None:
    """The score that an earlier call stored for the same recipe and pictures."""
    try:
        stored = json.loads((folder / "score.json").read_text(encoding="utf-8"))
        row = RowScore(**stored["row"])
        same = stored["recipe"] == recipe_text(recipe) and stored["pictures"] == _digest(groups)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):  # missing or damaged: scored again
        return None
    return row if same else None


def _train(
    recipe: Recipe, folder: Path, make_network: Callable[[TTSRConfig], TTSR], job: Job
) -> tuple[Trainer, Outcome] | None:
    """Start or resume a run; None if it was stopped before its end."""
    resume = has_checkpoint(folder)
    if resume:
        _check_same_recipe(recipe, folder)

    def on_step(step: int, metrics: dict[str, float]) -> None:
        if step % _REPORT_STEPS == 0:
            say(f"{recipe.name}: step {step} of {recipe.schedule.steps}, {metrics['step_s']:.2f} s a step")

    trainer, outcome = train(
        recipe,
        job.data,
        folder,
        runtime=job.runtime,
        max_seconds=job.seconds_left(),
        resume=resume,
        num_workers=job.num_workers,
        make_network=make_network,
        on_step=on_step,
        on_warning=say,
    )
    return (trainer, outcome) if outcome.finished else None


def _check_same_recipe(recipe: Recipe, folder: Path) -> None:
    """Check that the run in the folder has this recipe, its length too, which `ttsr train` lets change."""
    before = read_recipe(str(folder / "recipe.yaml"))
    if recipe_text(before) != recipe_text(recipe):
        changed = "; ".join(differences(before, recipe)) or "its length, or what it writes"
        raise RecipeError(f"{folder}: was started with other settings ({changed})", "use those, or another --out")
