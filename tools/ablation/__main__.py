"""Repeat the ablation of the paper at short training: `make ablation TRAIN=PHOTOS DEV=TEST`.

Trains and scores six networks, from one without transfer to one beyond the paper's (see networks.py), and writes the
table. A second call resumes a stopped one, and does not repeat finished rows. Further options set fields of the recipe,
as in `ttsr train`: --batch_size 2. The exit code is 3 if it was stopped before the end, by --max-time, Ctrl-C or
SIGTERM.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch

from ablation.networks import VARIANTS
from ablation.runs import Job, make_extractor, make_row, row_recipe, start_recipe, write_text
from ablation.table import Ablation, RowScore, page
from ttsr import __version__
from ttsr.cli.printing import tell
from ttsr.cli.train import UNFINISHED, parse_time
from ttsr.data.cufed5 import list_groups
from ttsr.errors import RecipeError, UserError
from ttsr.evaluation.preflight import check_test_set
from ttsr.evaluation.protocols import PAPER_Y
from ttsr.inference.job_files import check_writable
from ttsr.system.distributed import Runtime
from ttsr.training.recipe_text import read_recipe

_BAD_INPUT = 2
_RECIPE = Path(__file__).with_name("recipe.yaml")


def ablate(options: argparse.Namespace, overrides: Sequence[str]) -> int:
    """Run the command.

    Args:
        options: of the command line.
        overrides: fields of the recipe, as options.

    Returns:
        The exit code: 0, or 3 if it was stopped before the end.

    Raises:
        UserError: the options, the data or the recipe are invalid.
    """
    end = None if options.max_time is None else time.monotonic() + parse_time(options.max_time)
    if min(options.steps, options.contrastive_steps) < 1:
        raise RecipeError("--steps or --contrastive-steps is too small", "take 1 or more")
    base = read_recipe(options.recipe, overrides)
    if base.pairs != "photos":
        raise RecipeError(
            f"{options.recipe}: the contrastive start of the extractor needs pairs: photos", "take another"
        )
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
        tell(f"{variant.label:36} {row.num_parameters:9,}  {row.psnr:.2f} dB  {row.ssim:.4f}  {gain:+.2f} dB")
        rows.append(row)
    ablation = Ablation(
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
        write_text(options.json, json.dumps({"versions": versions} | asdict(ablation), indent=1) + "\n")
    if options.doc is not None:
        write_text(options.doc, page(ablation))
    return 0


def _stopped(job: Job) -> int:
    tell(f"stopped; the same command resumes from {job.out}")
    return UNFINISHED


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line. Exit codes: 0, 2 for bad input (one line on stderr), 3 if stopped before the end."""
    parser = argparse.ArgumentParser(
        prog="ablation",
        description=__doc__,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of training photos")
    parser.add_argument("--validate", type=Path, required=True, help="test set in CUFED5's layout")
    parser.add_argument("--recipe", default=str(_RECIPE), help="sizes, losses, rates, pairs")
    parser.add_argument("--contrastive-steps", type=int, default=500, help="of the common extractor (%(default)s)")
    parser.add_argument("--steps", type=int, default=500, help="of each row (%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("runs/ablation"), help="folder of the runs (%(default)s)")
    parser.add_argument("--max-time", help="stop and save after this much time: HH:MM:SS, MM:SS or seconds")
    parser.add_argument("--workers", type=int, default=1, help="dataloader workers (%(default)s)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps (%(default)s)")
    parser.add_argument("--json", type=Path, help="output file for all values")
    parser.add_argument("--doc", type=Path, help="output file for the page with the table")
    options, overrides = parser.parse_known_args(arguments)
    try:
        return ablate(options, overrides)
    except UserError as error:
        print(f"ablation: {' '.join(str(error).split())}", file=sys.stderr)
        return _BAD_INPUT


if __name__ == "__main__":
    sys.exit(main())
