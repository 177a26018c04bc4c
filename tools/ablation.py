"""The paper's ablation at short training: `python benchmarks/ablation.py --data PHOTOS --validate TEST`.

Trains and scores six networks, from no transfer to one beyond the paper's (see ablated.py), and writes the table.
Called again it goes on where it was stopped, and leaves rows that are finished alone. Further words set fields of the
recipe, as in `ttsr train`: --batch_size 2. It leaves with code 3 if it was stopped before the end, by --max-time,
Ctrl-C or SIGTERM.
"""

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from ablated import VARIANTS, Variant
from ablation_table import Ablation, RowScore, page

from ttsr import __version__
from ttsr.cli.printing import say, tell
from ttsr.cli.train import UNFINISHED, parse_time
from ttsr.data.cufed5 import Group, list_groups
from ttsr.errors import RecipeError, UserError
from ttsr.evaluation.preflight import check_test_set
from ttsr.evaluation.protocols import PAPER_Y
from ttsr.evaluation.report import make_rows
from ttsr.evaluation.scoring import evaluate
from ttsr.inference.jobs import check_writable
from ttsr.models.config import TTSRConfig
from ttsr.models.ttsr import TTSR
from ttsr.system.distributed import Runtime
from ttsr.system.files import atomic_path
from ttsr.training.checkpoint import has_checkpoint
from ttsr.training.loop import Outcome, train
from ttsr.training.recipe import ExtractorOptions, Recipe, ScheduleOptions
from ttsr.training.recipe_text import differences, read_recipe, recipe_text
from ttsr.training.trainer import Trainer

BAD_INPUT = 2
REPORT_STEPS = 50


@dataclass(frozen=True)
class Job:
    """What the runs have in common. seconds_left: of the time that this call was given; None for no end."""

    base: Recipe
    data: Path
    groups: list[Group]
    out: Path
    runtime: Runtime
    num_workers: int
    seconds_left: Callable[[], float | None]

    @property
    def extractor(self) -> Path:
        """The weights whose extractor every row begins with."""
        return self.out / "start.safetensors"


def start_recipe(base: Recipe, steps: int) -> Recipe:
    """The run that makes the extractor: by the contrastive term, and nothing else."""
    return _short(base, "start", ExtractorOptions("contrastive"), ScheduleOptions(steps, contrastive_steps=steps))


def row_recipe(base: Recipe, variant: Variant, steps: int, extractor: Path) -> Recipe:
    """A row's run. But for the name it is the same for all; what differs is the network."""
    schedule = ScheduleOptions(steps, decay_steps=steps // 2)
    return _short(base, variant.name, ExtractorOptions(str(extractor)), schedule)


def _short(base: Recipe, name: str, extractor: ExtractorOptions, schedule: ScheduleOptions) -> Recipe:
    schedule = replace(schedule, warmup_steps=min(base.schedule.warmup_steps, schedule.steps // 10))
    return replace(base, name=f"ablation-{name}", start="", extractor=extractor, schedule=schedule)


def make_extractor(recipe: Recipe, job: Job) -> bool:
    """Make the extractor's weights, unless they exist; False if the run was stopped."""
    folder = job.out / "start"
    if job.extractor.is_file() and has_checkpoint(folder):
        _check_same_recipe(recipe, folder)
        return True
    finished = _train(recipe, folder, TTSR, job)
    if finished is not None:
        finished[1].weights.replace(job.extractor)  # only now: a stopped run writes its weights too
    return finished is not None


def make_row(recipe: Recipe, variant: Variant, job: Job) -> RowScore | None:
    """A row's score, of this call or an earlier one; None if its run was stopped."""
    folder = job.out / variant.name
    kept = _kept_score(recipe, folder, job.groups)
    if kept is not None:
        return kept
    finished = _train(recipe, folder, variant, job)
    if finished is None:
        return None
    trainer, _ = finished
    scores = evaluate(trainer.averaged_model(), job.groups, references=("1",), protocols=(PAPER_Y,))
    (found,) = make_rows(variant.name, scores, ("1",))
    model, bicubic = found.model_mean(PAPER_Y), found.bicubic_mean(PAPER_Y)
    row = RowScore(
        name=variant.name,
        num_parameters=variant.num_parameters(recipe.model),
        psnr=model.psnr,
        ssim=model.ssim,
        bicubic_psnr=bicubic.psnr,
        bicubic_ssim=bicubic.ssim,
        pictures={picture.name: picture.model[PAPER_Y.name].psnr for picture in found.pictures},
        notes=found.notes(),
        seconds=round(trainer.seconds, 1),
    )
    made_from = {"recipe": recipe_text(recipe), "pictures": _digest(job.groups)}
    _write(folder / "score.json", json.dumps(made_from | {"row": asdict(row)}, indent=1) + "\n")
    return row


def _digest(groups: Sequence[Group]) -> str:
    """Of what is scored, by content: names are the same in every set of this layout."""
    files = (path for group in groups for path in (group.hr, *group.references.values()))
    return hashlib.sha256(b"".join(hashlib.sha256(path.read_bytes()).digest() for path in files)).hexdigest()


def _kept_score(recipe: Recipe, folder: Path, groups: Sequence[Group]) -> RowScore | None:
    """What an earlier call found of the same run on the same pictures."""
    try:
        kept = json.loads((folder / "score.json").read_text(encoding="utf-8"))
        row = RowScore(**kept["row"])
        same = kept["recipe"] == recipe_text(recipe) and kept["pictures"] == _digest(groups)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):  # none, or damaged: to be made anew
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
        if step % REPORT_STEPS == 0:
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


def ablate(options: argparse.Namespace, overrides: Sequence[str]) -> int:
    """The command; its exit code.

    Raises:
        UserError: what is wrong with the options, the data or the recipe.
    """
    end = None if options.max_time is None else time.monotonic() + parse_time(options.max_time)
    if min(options.steps, options.contrastive_steps) < 1:
        raise RecipeError("--steps and --contrastive-steps: take 1 or more")
    base = read_recipe(options.recipe, overrides)
    if base.pairs != "photos":
        raise RecipeError(f"{options.recipe}: the extractor's contrastive start needs pairs: photos; take ttsr-lite")
    groups = list_groups(options.validate)
    check_test_set(groups, ("1",), (PAPER_Y,))  # before the training
    for path in (options.json, options.doc):
        if path is not None:
            check_writable(path)
    job = Job(
        base=base,
        data=options.data,
        groups=groups,
        out=options.out,
        runtime=Runtime(options.device),
        num_workers=options.workers,
        seconds_left=lambda: None if end is None else end - time.monotonic(),
    )
    if not make_extractor(start_recipe(base, options.contrastive_steps), job):
        return _stopped(job)
    rows: list[RowScore] = []
    for variant in VARIANTS:
        row = make_row(row_recipe(base, variant, options.steps, job.extractor), variant, job)
        if row is None:
            return _stopped(job)
        gain = row.psnr - row.bicubic_psnr
        tell(f"{variant.adds:26} {row.num_parameters:9,}  {row.psnr:.2f} dB  {row.ssim:.4f}  {gain:+.2f} dB")
        rows.append(row)
    found = Ablation(
        recipe=base.name,
        seed=base.seed,
        contrastive_steps=options.contrastive_steps,
        steps=options.steps,
        batch_size=base.batch_size,
        crop=base.crop,
        rows=tuple(rows),
    )
    if options.json is not None:
        versions = {"ttsr": __version__, "torch": torch.__version__}
        _write(options.json, json.dumps({"versions": versions} | asdict(found), indent=1) + "\n")
    if options.doc is not None:
        _write(options.doc, page(found))
    return 0


def _stopped(job: Job) -> int:
    tell(f"stopped; the same command goes on from what is in {job.out}")
    return UNFINISHED


def _write(path: Path, text: str) -> None:
    try:
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror})") from None


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Exit codes: 0, 2 for bad input (one line on stderr), 3 if stopped before the end."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--data", type=Path, required=True, help="a folder of photos to train on")
    parser.add_argument("--validate", type=Path, required=True, help="a test set in the layout of CUFED5 to score on")
    parser.add_argument("--recipe", default="ttsr-lite", help="sizes, losses, rates and pairs; its phases are not used")
    parser.add_argument("--contrastive-steps", type=int, default=500, help="of the extractor that all rows begin with")
    parser.add_argument("--steps", type=int, default=500, help="of each row")
    parser.add_argument("--out", type=Path, default=Path("runs/ablation"), help="the runs' folder")
    parser.add_argument("--max-time", help="stop and save after this much time: HH:MM:SS, MM:SS or seconds")
    parser.add_argument("--workers", type=int, default=1, help="processes that make training pairs")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"))
    parser.add_argument("--json", type=Path, help="file for all figures")
    parser.add_argument("--doc", type=Path, help="file for the page with the table")
    options, overrides = parser.parse_known_args(arguments)
    try:
        return ablate(options, overrides)
    except UserError as error:
        print(f"ablation: {' '.join(str(error).split())}", file=sys.stderr)
        return BAD_INPUT


if __name__ == "__main__":
    sys.exit(main())
