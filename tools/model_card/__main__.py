"""Measure models and show what they do: `make quality DEV=TEST TRAIN=PHOTOS`, or `python -m quality` in benchmarks/.

Writes `quality.md` and its pictures, and the generated parts of `models.md`. What is not given is left as it is:
without a test set `quality.md` and the cards' scores, without training photos the list of them.
"""

import argparse
import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path

from model_card.choosing import exhibits
from model_card.curve import loss_curve, read_runs
from model_card.failures import failures
from model_card.markers import generated, generated_parts
from model_card.measuring import measure, row_of
from model_card.outcome import read_pair, super_resolve
from model_card.page import Findings, gains_scatter, model_scores, quality_page
from model_card.shipped import comparisons, file_part, shipped_pairs
from model_card.strip import save_strip
from model_card.training_data import data_table
from ttsr import Upscaler
from ttsr.cli.bars import LateBar
from ttsr.data.cufed5 import Group, list_groups
from ttsr.data.manifest import read_manifest
from ttsr.data.store import open_store
from ttsr.errors import UserError
from ttsr.system.files import atomic_path
from ttsr.weights.catalog import catalog
from ttsr.weights.loading import locate

DOCS = Path(__file__).parents[2] / "docs"
SHOWN, CARDS, LOCAL, LOGS = "images/quality", "images/cards", "images/quality-dev", "logs"
"""Folders in the docs: of what is committed, of the cards', of what is not committed, and of the runs' logs."""


class Options(argparse.Namespace):
    """The command line."""

    dev: Path | None
    train: Path | None
    model: list[str]
    limit: int | None
    device: str
    docs: Path
    pictures: Path | None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0, or 2 for bad input, with one line on stderr."""
    parser = argparse.ArgumentParser(prog="quality", description=__doc__)
    parser.add_argument("--dev", type=Path, help="test set in CUFED5's layout")
    parser.add_argument("--train", type=Path, help="training photos with manifest.csv")
    parser.add_argument("--model", action="append", help="name or file; may be given several times (ttsr-lite)")
    parser.add_argument("--limit", type=int, help="take only this many pictures of the test set, two at least")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--docs", type=Path, default=DOCS, help="folder of quality.md and models.md")
    parser.add_argument("--pictures", type=Path, help=f"folder of the test set's pictures (DOCS/{LOCAL})")
    options = parser.parse_args(arguments, namespace=Options())
    try:
        _write_all(options)
    except UserError as error:
        return _complain(str(error))
    except OSError as error:
        return _complain(f"{error.filename2 or error.filename or options.docs}: {error.strerror or error}")
    return 0


def _complain(text: str) -> int:
    print(f"quality: {' '.join(text.split())}", file=sys.stderr)
    return 2


def _write_all(options: Options) -> None:
    card = options.docs / "models.md"
    page = card.read_text("utf-8")
    there = generated_parts(page)
    for part in there:  # before the work, which takes minutes
        generated(page, part, "")
    if options.limit is not None and options.limit < 2:
        raise UserError(f"--limit {options.limit}: takes two pictures at least, each the other's unrelated reference")
    groups = list_groups(options.dev)[: options.limit] if options.dev else []
    parts = {"data": data_table(options.train)} if options.train else {}
    weights = _named(options.model or ["ttsr-lite"])
    upscalers = {name: Upscaler(file, device=options.device) for name, file in weights.items()}
    findings = []
    for name, upscaler in upscalers.items():
        parts[f"training of {name}"] = _training(name, options.docs)
        parts[f"failures of {name}"] = failures(upscaler, name, shipped_pairs(), options.docs, CARDS)
        if groups:
            found = _findings(name, upscaler, groups, weights[name], options)
            parts[f"scores of {name}"] = model_scores(found.report)
            findings.append(found)
    for part, body in parts.items():
        if part in there:
            page = generated(page, part, body)
        else:
            print(f"{card}: has no part {part!r}, which is left out")
    _write(card, page)
    if options.dev:
        _write(options.docs / "quality.md", quality_page(findings, _scenes(options.dev)))


def _training(name: str, docs: Path) -> str:
    """A card's runs, and its loss curve."""
    runs = read_runs(docs / LOGS, name)
    if not runs:
        return "No logs."
    curve = f"{CARDS}/{file_part(name)}-loss.svg"
    _write(docs / curve, loss_curve(f"{name}: loss over all runs", runs))
    lines = ["| run | steps | in these | log |", "|---|---|---|---|"]
    for number, run in enumerate(runs, 1):
        hours, minutes = divmod(round(run.seconds / 60), 60)
        lines.append(
            f"| {number} | {run.steps} | {hours} h {minutes:02} min | [{run.file.name}]({LOGS}/{run.file.name}) |"
        )
    return "\n".join([*lines, "", f"![The loss over the steps of all runs]({curve})"])


def _findings(name: str, upscaler: Upscaler, groups: Sequence[Group], weights: Path, options: Options) -> Findings:
    """Measure one model, and write its scatter and strips."""
    with LateBar(f"{name}, {len(groups)} pictures") as bar:
        report = measure(name, upscaler.model, groups, bar)
    picked = exhibits(row_of(report, "1").pictures)
    local = (options.pictures or options.docs / LOCAL) / file_part(name)
    local.mkdir(parents=True, exist_ok=True)
    for one in picked:
        group = groups[one.score.number]
        pair = read_pair(group.hr, group.hr.with_name(one.score.files[0]))
        save_strip(super_resolve(upscaler, *pair), name, local / one.file_name)
    shown = comparisons(upscaler, name, shipped_pairs(), options.docs, SHOWN)
    scatter = f"{SHOWN}/{file_part(name)}-gains.svg"
    _write(options.docs / scatter, gains_scatter(name, report))
    with weights.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    folder = f"{options.pictures or f'docs/{LOCAL}'}/{file_part(name)}"
    return Findings(name, sha256, report, picked, scatter, shown, folder)


def _named(models: Sequence[str]) -> dict[str, Path]:
    """Weight files by what to call them: a name of the catalogue, or the file's own."""
    named: dict[str, Path] = {}
    for model in dict.fromkeys(models):
        name = model if model in catalog() else Path(model).name
        if name in named:
            raise UserError(f"{model}: another model is called {name} too; rename the file")
        named[name] = locate(model)
    return named


def _scenes(folder: Path) -> dict[str, str]:
    """What the pictures show, by their names, where a manifest tells."""
    rows = read_manifest(open_store(folder)) or []
    return {row["file"].rpartition("_")[0]: row["scene"] for row in rows if row.get("scene")}


def _write(path: Path, text: str) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(text, "utf-8")


if __name__ == "__main__":
    sys.exit(main())
