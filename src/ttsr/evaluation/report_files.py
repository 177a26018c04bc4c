"""The report for programs: JSON, written and read, and CSV with a line for each score of each picture."""

import csv
import io
import json
import math
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ttsr import __version__
from ttsr.errors import DataError
from ttsr.evaluation.protocols import LOWER_IS_BETTER, TITLES, Score
from ttsr.evaluation.report import Report
from ttsr.evaluation.scored_picture import PictureScore


def as_json(report: Report, data: Path, device: str) -> dict[str, Any]:
    """The report as a JSON object: all scores, the test set, the device and versions. Infinite PSNR becomes null."""
    versions = {name: version(name) for name in ("torch", "numpy", "pillow", "scikit-image")}
    return {
        "data": str(data),
        "num_pictures": report.num_pictures,
        "protocols": {protocol.name: protocol.source for protocol in report.protocols},
        "higher_is_better": {field: field not in LOWER_IS_BETTER for field in TITLES},
        "rows": [
            {
                "model": row.model,
                "reference": row.reference,
                "matching": row.pictures[0].matching,
                "means": {
                    protocol.name: {
                        "model": _score(row.model_mean(protocol)),
                        "bicubic": _score(row.bicubic_mean(protocol)),
                        "gain": _score(row.gain(protocol)),
                    }
                    for protocol in report.protocols
                },
                "substituted": list(row.substituted),
                "pictures": [_picture(picture) for picture in row.pictures],
            }
            for row in report.rows
        ],
        "notes": report.notes(),
        "device": device,
        "versions": {"ttsr": __version__} | versions,
    }


def read_mean_scores(path: Path, *names: str) -> dict[str, dict[str, float]]:
    """Read a model's mean scores from a JSON report: test set, references and protocol to metric to value.

    Args:
        path: a file with the object that `as_json` returned.
        names: that the model may have in the report; not used if the report has a single model.

    Raises:
        DataError: the file is unreadable or no report, or has scores of several models but not of this one.
    """
    try:
        report = json.loads(path.read_text("utf-8"))
        models = {row["model"] for row in report["rows"]}
        chosen = models if len(models) == 1 else models & {*names}
        means = {
            f"{Path(report['data']).name}, reference {row['reference']}, {protocol}": {
                metric: float(value) for metric, value in scores["model"].items() if value is not None
            }
            for row in report["rows"]
            if row["model"] in chosen
            for protocol, scores in row["means"].items()
        }
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise DataError(f"{path}: not a JSON report of an evaluation") from None
    if not means:
        raise DataError(f"{path}: has no scores of {names[0]}, but of {', '.join(sorted(models))}")
    return means


def as_csv(report: Report) -> str:
    """The report as CSV, a line for each model, choice of references, picture and protocol; `|` separates files."""
    lines = [
        {
            "model": row.model,
            "references": row.reference,
            "picture": picture.name,
            "files": "|".join(picture.files),
            "matching": picture.matching,
            "substituted": int(picture.substituted),
            "protocol": protocol.name,
            **_columns("", picture.model[protocol.name]),
            **_columns("bicubic_", picture.bicubic[protocol.name]),
            "mean_relevance": f"{picture.relevance:.5f}",
            "seconds": f"{picture.seconds:.3f}",
            "cpu_seconds": f"{picture.cpu_seconds:.3f}",
        }
        for row in report.rows
        for picture in row.pictures
        for protocol in report.protocols
    ]
    out = io.StringIO()
    writer = csv.DictWriter(out, list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return out.getvalue()


def _columns(prefix: str, score: Score) -> dict[str, str]:
    return {f"{prefix}{metric}": f"{value:.6f}" for metric, value in score._asdict().items()}


def _picture(picture: PictureScore) -> dict[str, Any]:
    return {
        "name": picture.name,
        "size": list(picture.size),
        "references": list(picture.files),
        "substituted": picture.substituted,
        "reference_size": None if picture.reference_size is None else list(picture.reference_size),
        "model": {name: _score(score) for name, score in picture.model.items()},
        "bicubic": {name: _score(score) for name, score in picture.bicubic.items()},
        "fits": list(picture.fits),
        "mean_relevance": round(picture.relevance, 5),
        "seconds": round(picture.seconds, 3),
        "cpu_seconds": round(picture.cpu_seconds, 3),
    }


def _score(score: Score) -> dict[str, float | None]:
    return {metric: value if math.isfinite(value) else None for metric, value in score._asdict().items()}
