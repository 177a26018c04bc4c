"""Measure models and write their quality page and cards: `make quality DEV=TEST TRAIN=PHOTOS`.

Writes `quality.md` with its pictures, and the generated parts of `models.md`. Without a test set, `quality.md` and the
cards' scores stay as they are; without training photos, the list of them does.
"""

import argparse
import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path

from model_card.comparison import compare, read_pair
from model_card.example_pairs import comparisons, example_pairs, failures, file_part
from model_card.measuring import exhibits, measure, row_of
from model_card.pages import (
    ModelSection,
    generated_parts,
    model_scores,
    quality_page,
    replace_generated,
    report_chart,
)
from model_card.training import LOGS, data_table, read_runs, runs_chart, runs_table
from ttsr import Upscaler
from ttsr.cli.bars import progress_bar
from ttsr.data.cufed5 import Group, list_groups
from ttsr.data.manifest import read_manifest
from ttsr.data.store import open_store
from ttsr.errors import UserError
from ttsr.system.files import atomic_path
from ttsr.weights.catalog import available_weights
from ttsr.weights.loading import locate

DOCS = Path(__file__).parents[2] / "docs"
SHOWN, CARDS, LOCAL = "images/quality", "images/cards", "images/quality-dev"
"""Folders in the docs: committed pictures of the page and of the cards, and those that are not committed."""


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
    parser = argparse.ArgumentParser(
        prog="model_card", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dev", type=Path, help="test set in CUFED5's layout")
    parser.add_argument("--train", type=Path, help="training photos with manifest.csv")
    parser.add_argument("--model", action="append", help="name or file, may be repeated (default: ttsr-lite)")
    parser.add_argument("--limit", type=int, help="use only this many pictures of the test set, at least two")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--docs", type=Path, default=DOCS, help="folder of quality.md and models.md")
    parser.add_argument("--pictures", type=Path, help=f"folder for the test set's comparisons (default: DOCS/{LOCAL})")
    options = parser.parse_args(arguments, namespace=Options())
    try:
        _write_all(options)
    except UserError as error:
        return _complain(str(error))
    except OSError as error:
        return _complain(f"{error.filename2 or error.filename or options.docs}: {error.strerror or error}")
    return 0


def _complain(text: str) -> int:
    print(f"model_card: {' '.join(text.split())}", file=sys.stderr)
    return 2


def _write_all(options: Options) -> None:
    card = options.docs / "models.md"
    page = card.read_text("utf-8")
    marked = generated_parts(page)
    for part in marked:  # before the work, which takes minutes
        replace_generated(page, part, "")
    if options.limit is not None and options.limit < 2:
        raise UserError(f"--limit {options.limit}: needs two pictures, each with the other's as unrelated reference")
    groups = list_groups(options.dev)[: options.limit] if options.dev else []
    parts = {"data": data_table(options.train)} if options.train else {}
    weights = _weight_files(options.model or ["ttsr-lite"])
    upscalers = {name: Upscaler(file, device=options.device) for name, file in weights.items()}
    sections = []
    for name, upscaler in upscalers.items():
        parts[f"training of {name}"] = _training(name, options.docs)
        parts[f"failures of {name}"] = failures(upscaler, name, example_pairs(), options.docs, CARDS)
        if groups:
            section = _section(name, upscaler, groups, weights[name], options)
            parts[f"scores of {name}"] = model_scores(section.report)
            sections.append(section)
    for part, body in parts.items():
        if part in marked:
            page = replace_generated(page, part, body)
        else:
            print(f"{card}: has no part {part!r}; it is left out")
    _write(card, page)
    if options.dev:
        _write(options.docs / "quality.md", quality_page(sections, _scenes(options.dev)))


def _training(name: str, docs: Path) -> str:
    """Write the chart of a model's runs, and return Markdown that lists them."""
    runs = read_runs(LOGS, name)
    if not runs:
        return "No logs."
    chart = f"{CARDS}/{file_part(name)}-loss.svg"
    _write(docs / chart, runs_chart(name, runs))
    return f"{runs_table(runs)}\n\n![Loss over the steps of all runs]({chart})"


def _section(name: str, upscaler: Upscaler, groups: Sequence[Group], weights: Path, options: Options) -> ModelSection:
    """Measure a model, and write its chart and comparisons."""
    with progress_bar(f"{name}, {len(groups)} pictures") as progress:
        report = measure(name, upscaler.model, groups, progress)
    selected = exhibits(row_of(report, "1").pictures)
    local = (options.pictures or options.docs / LOCAL) / file_part(name)
    local.mkdir(parents=True, exist_ok=True)
    for exhibit in selected:
        group = groups[exhibit.score.number]
        hr = group.files[0]
        pair = read_pair(hr, hr.with_name(exhibit.score.files[0]))
        compare(upscaler, *pair).save(name, local / exhibit.file_name)
    shown = comparisons(upscaler, name, example_pairs(), options.docs, SHOWN)
    chart = f"{SHOWN}/{file_part(name)}-gains.svg"
    _write(options.docs / chart, report_chart(name, report))
    with weights.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    folder = f"{options.pictures or f'docs/{LOCAL}'}/{file_part(name)}"
    return ModelSection(name, sha256, report, selected, chart, shown, folder)


def _weight_files(models: Sequence[str]) -> dict[str, Path]:
    """Locate the models' files, each by its name: that of the catalogue, or the file's own."""
    files: dict[str, Path] = {}
    for model in dict.fromkeys(models):
        name = model if model in available_weights() else Path(model).name
        if name in files:
            raise UserError(f"{model}: another model is called {name} too", "rename the file")
        files[name] = locate(model)
    return files


def _scenes(folder: Path) -> dict[str, str]:
    """Read what the pictures show, by their names, from the manifest if there is one."""
    rows = read_manifest(open_store(folder)) or []
    return {row["file"].rpartition("_")[0]: row["scene"] for row in rows if row.get("scene")}


def _write(path: Path, text: str) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(text, "utf-8")


if __name__ == "__main__":
    sys.exit(main())
