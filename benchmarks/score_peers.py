"""Scores of other networks' pictures: `python benchmarks/score_peers.py TEST PICTURES [--model M] [--output F.json]`.

TEST is a test set in CUFED5's layout, PICTURES the folder that `benchmarks/peers.py TEST PICTURES` wrote. Each network
is scored by `paper-y`, beside bicubic and any models of ours, which get no reference, and reference 1. Times are of one
thread of the processor.
"""

import argparse
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from ttsr.data.cufed5 import Group, ReferenceChoice, list_groups
from ttsr.errors import DataError, UserError
from ttsr.evaluation.protocols import PAPER_Y, Score
from ttsr.evaluation.report import mean_score
from ttsr.evaluation.scored_picture import PictureScore, read_ground_truth, read_reference
from ttsr.evaluation.scoring import evaluate
from ttsr.images.resize import downscale4, upscale4
from ttsr.system.files import atomic_path
from ttsr.system.threads import use_threads
from ttsr.weights.loading import load

REFERENCES: tuple[ReferenceChoice, ...] = ("none", "1")
RUN = "run.json"


def network(about: Mapping[str, Any], scores: Mapping[str, Score], seconds: Mapping[str, float]) -> dict[str, Any]:
    """One network's entry: what it is, its means, and its scores and times by picture."""
    means = mean_score(list(scores.values()))._asdict()
    if seconds:
        means["cpu_seconds"] = fmean(seconds.values())
    pictures = {
        name: score._asdict() | ({"cpu_seconds": seconds[name]} if seconds else {}) for name, score in scores.items()
    }
    return {**about, "means": means, "pictures": pictures}


def score_peer(folder: Path, groups: Sequence[Group]) -> dict[str, Any]:
    """Score the pictures of one network.

    Raises:
        DataError: the folder lacks a picture or what `peers.py` says of the run, or a picture is of another size.
    """
    try:
        about = json.loads((folder / RUN).read_text("utf-8"))
        seconds = about.pop("cpu_seconds")
    except (OSError, ValueError, KeyError):
        raise DataError(f"{folder / RUN}: not written by benchmarks/peers.py") from None
    scores: dict[str, Score] = {}
    for group in groups:
        hr, sr = read_ground_truth(group.hr), read_reference(folder / f"{group.name}.png")
        if hr.shape != sr.shape:
            raise DataError(f"{folder / group.name}.png: is not of its ground truth's size", "run benchmarks/peers.py")
        scores[group.name] = PAPER_Y.score(hr, sr)
    return network({"name": folder.name, "reference": "none", **about}, scores, seconds)


def score_model(name: str, groups: Sequence[Group]) -> list[dict[str, Any]]:
    """Score a model of ours without a reference, and with reference 1."""
    model = load(name)
    millions = round(sum(parameter.numel() for parameter in model.parameters()) / 1e6, 2)
    scored = evaluate(model, groups, references=REFERENCES, protocols=[PAPER_Y], device="cpu")
    entries = []
    for reference in REFERENCES:
        pictures: list[PictureScore] = [score for score in scored if score.reference == reference]
        scores = {picture.name: picture.model[PAPER_Y.name] for picture in pictures}
        seconds = {picture.name: round(picture.cpu_seconds, 3) for picture in pictures}
        about = {"name": name, "reference": reference, "title": name, "parameters_in_millions": millions}
        entries.append(network(about, scores, seconds))
    return entries


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("test", type=Path, help="test set in CUFED5's layout")
    parser.add_argument("pictures", type=Path, help="folder that benchmarks/peers.py wrote")
    parser.add_argument("--model", action="append", default=[], help="a model of ours; may be repeated")
    parser.add_argument("--output", type=Path, help="JSON file to write")
    options = parser.parse_args()
    use_threads(1)
    try:
        report = scores_of(options.test, options.pictures, options.model)
    except UserError as error:
        parser.exit(2, f"score_peers: {' '.join(str(error).split())}\n")
    print(
        f"{'network':22} {'reference':10} {'PSNR':>6} {'SSIM':>7} {'GMSD':>7} {'HaarPSI':>8} {'NIQE':>5} {'CPU s':>6}"
    )
    for entry in report["networks"]:
        means = entry["means"]
        seconds = f"{means['cpu_seconds']:6.2f}" if "cpu_seconds" in means else ""
        print(
            f"{entry['title']:22} {entry['reference']:10} {means['psnr']:6.2f} {means['ssim']:7.4f} "
            f"{means['gmsd']:7.4f} {means['haarpsi']:8.4f} {means['niqe']:5.2f} {seconds}"
        )
    if options.output is not None:
        with atomic_path(options.output) as temporary:
            temporary.write_text(json.dumps(report, indent=1) + "\n", "utf-8")


def scores_of(test: Path, pictures: Path, models: Sequence[str]) -> dict[str, Any]:
    """Score everything.

    Raises:
        UserError: the test set or a picture cannot be read, or there are no pictures.
    """
    groups = list_groups(test)
    folders = sorted(run.parent for run in pictures.glob(f"*/{RUN}"))
    if not folders:
        raise DataError(f"{pictures}: has no pictures of networks", f"run benchmarks/peers.py {test} {pictures}")
    truths = {group.name: read_ground_truth(group.hr) for group in groups}
    bicubic = {name: PAPER_Y.score(hr, upscale4(downscale4(hr))) for name, hr in truths.items()}
    networks = [network({"name": "bicubic", "reference": "none", "title": "bicubic"}, bicubic, {})]
    networks += [score_peer(folder, groups) for folder in folders]
    for name in models:
        networks += score_model(name, groups)
    return {
        "protocol": PAPER_Y.name,
        # Of the pixels: scores of other pictures do not compare.
        "ground_truths": {name: hashlib.sha256(hr.tobytes()).hexdigest() for name, hr in truths.items()},
        "networks": networks,
    }


if __name__ == "__main__":
    main()
