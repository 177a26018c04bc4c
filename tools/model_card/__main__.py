"""Measure models and write their quality page and cards: `make quality DEV=TEST TRAIN=PHOTOS`.

Writes `quality.md` with its pictures, and the generated parts of `models.md`. Without a test set, `quality.md` and the
cards' scores stay as they are; without training photos, the list of them does.
"""

import argparse
import hashlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from model_card.beside import beside_chart, bicubic_of, contender_of, ours
from model_card.comparison import read_pair
from model_card.example_pairs import example_pairs, example_sheets, failures, file_part
from model_card.facts import facts_table
from model_card.measuring import CHOICES, FEW_CHOICES, exhibits, measure, row_of
from model_card.pages import MeasuredModel, Shown, generated_parts, model_scores, quality_page, replace_generated
from model_card.peers import PICTURES, SCORES, Peer, read_peers, read_pictures
from model_card.sheets import make_sheet
from model_card.training import LOGS, data_table, read_stages, stages_chart, stages_table
from ttsr import Upscaler
from ttsr.cli.bars import progress_bar
from ttsr.data.cufed5 import Group, list_groups
from ttsr.data.manifest import read_manifest
from ttsr.data.store import open_store
from ttsr.errors import UserError
from ttsr.evaluation.scored_picture import read_ground_truth
from ttsr.options import DEFAULT_MODEL
from ttsr.system.files import atomic_path
from ttsr.weights.catalog import BundledWeights, available_weights
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
    peers: Path
    peer_examples: Path
    peer_pictures: Path | None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0, or 2 for bad input, with one line on stderr."""
    parser = argparse.ArgumentParser(
        prog="model_card", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dev", type=Path, help="test set in CUFED5's layout")
    parser.add_argument("--train", type=Path, help="training photos with manifest.csv")
    parser.add_argument("--model", action="append", help="name or file, may be repeated (default: all that ship)")
    parser.add_argument("--limit", type=int, help="use only this many pictures of the test set, at least two")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--docs", type=Path, default=DOCS, help="folder of quality.md and models.md")
    parser.add_argument("--pictures", type=Path, help=f"folder for the test set's sheets (default: DOCS/{LOCAL})")
    parser.add_argument("--peers", type=Path, default=SCORES, help="that benchmarks/score_peers.py wrote")
    parser.add_argument("--peer-examples", type=Path, default=PICTURES, help="the example pairs by benchmarks/peers.py")
    parser.add_argument("--peer-pictures", type=Path, help="the test set by benchmarks/peers.py, for its sheets")
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
    peers = read_peers(options.peers, {g.name: read_ground_truth(g.hr) for g in groups}) if groups else []
    parts = {"data": data_table(options.train)} if options.train else {}
    weights = _weight_files(options.model or _shipped())
    upscalers = {name: Upscaler(file, device=options.device) for name, file in weights.items()}
    models = []
    for name, upscaler in upscalers.items():
        parts[f"facts of {name}"] = facts_table(upscaler.model, weights[name])
        parts[f"training of {name}"] = _training(name, options.docs)
        if f"failures of {name}" in marked:  # it takes a while
            parts[f"failures of {name}"] = failures(upscaler, name, example_pairs(), options.docs, CARDS)
        if groups:
            with progress_bar(f"{name}, {len(groups)} pictures") as progress:
                measurement = measure(name, upscaler.model, groups, progress, FEW_CHOICES if models else CHOICES)
            models.append(MeasuredModel(name, _sha256(weights[name]), measurement))
            parts[f"scores of {name}"] = model_scores(measurement.by_reference)
    for part, body in parts.items():
        if part in marked:
            page = replace_generated(page, part, body)
        else:
            print(f"{card}: has no part {part!r}; it is left out")
    _write(card, page)
    if options.dev:
        shown = _show(upscalers, models, peers, groups, options)
        _write(options.docs / "quality.md", quality_page(models, peers, shown, _scenes(options.dev)))


def _training(name: str, docs: Path) -> str:
    """Write the chart of a model's training, and return Markdown that lists its stages."""
    stages = read_stages(LOGS, name)
    if not stages:
        return "No logs."
    chart = f"{CARDS}/{file_part(name)}-loss.svg"
    _write(docs / chart, stages_chart(name, stages))
    return f"{stages_table(stages)}\n\n![Loss over the hours of all stages]({chart})"


def _show(
    upscalers: Mapping[str, Upscaler],
    models: Sequence[MeasuredModel],
    peers: Sequence[Peer],
    groups: Sequence[Group],
    options: Options,
) -> Shown:
    """Write the chart and the sheets."""
    examples = example_sheets(upscalers, example_pairs(), options.peer_examples, options.docs, SHOWN)
    chart = ""
    if peers:
        own = next(c for c in ours(models[0].name, models[0].measurement) if c.reference == "1")
        chart = f"{SHOWN}/gains.svg"
        bicubic = bicubic_of(models[0].measurement)
        _write(options.docs / chart, beside_chart(own, contender_of(peers[0]), bicubic))
    selected = exhibits(row_of(models[0].measurement.by_reference, "1").pictures)
    local = options.pictures or options.docs / LOCAL
    local.mkdir(parents=True, exist_ok=True)
    for exhibit in selected:
        group = groups[exhibit.score.number]
        hr = group.files[0]
        results = read_pictures(options.peer_pictures, group.name) if options.peer_pictures else {}
        sheet = make_sheet(upscalers, read_pair(hr, hr.with_name(exhibit.score.files[0])), results)
        sheet.save(sheet.hardest(), local / exhibit.file_name)
    return Shown(chart, examples, selected, str(options.pictures or f"docs/{LOCAL}"))


def _shipped() -> list[str]:
    """The models of ours that ship, the default one first."""
    names = [name for name, entry in available_weights().items() if isinstance(entry, BundledWeights)]
    return sorted(names, key=lambda name: (name != DEFAULT_MODEL, name))


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


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
