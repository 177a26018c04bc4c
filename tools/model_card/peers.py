"""Networks of others beside ours: their scores, which `benchmarks/score_peers.py` wrote, and their example pictures."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ttsr.errors import DataError
from ttsr.evaluation.protocols import Score
from ttsr.evaluation.scored_picture import read_reference

BENCHMARKS = Path(__file__).parents[2] / "benchmarks" / "results"
SCORES = BENCHMARKS / "peers.json"
PICTURES = BENCHMARKS / "peers"
"""The example pairs by each network: PICTURES/NETWORK/PAIR.png."""


@dataclass(frozen=True)
class Peer:
    """A network of others, and its scores by `paper-y`.

    Attributes:
        name: of the folder with its pictures.
        title: as its authors call it.
        package: on PyPI, with the version.
        licence: of the package.
        scores: by picture of the test set.
        cpu_seconds: mean processor time of a picture on one thread.
    """

    name: str
    title: str
    package: str
    licence: str
    num_parameters: int
    scores: Mapping[str, Score]
    cpu_seconds: float


def read_peers(file: Path, truths: Mapping[str, np.ndarray]) -> list[Peer]:
    """Read the scores of peers on these ground truths, given by name; none if the file is of other pictures.

    Raises:
        DataError: the file is unreadable or not written by `score_peers.py`.
    """
    try:
        report = json.loads(file.read_text("utf-8"))
        digests = report["ground_truths"]
        if any(digests.get(name) != hashlib.sha256(hr.tobytes()).hexdigest() for name, hr in truths.items()):
            return []
        return [_peer(entry, truths) for entry in report["networks"] if "package" in entry]
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror})") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise DataError(f"{file}: not written by benchmarks/score_peers.py") from None


def _peer(entry: Mapping[str, Any], names: Mapping[str, object]) -> Peer:
    return Peer(
        entry["name"],
        entry["title"],
        entry["package"],
        entry["licence"],
        round(1e6 * entry["parameters_in_millions"]),
        {name: Score(*(float(entry["pictures"][name][field]) for field in Score._fields)) for name in names},
        float(entry["means"]["cpu_seconds"]),
    )


def read_pictures(folder: Path, name: str) -> dict[str, np.ndarray]:
    """Read what each network made of a picture, where it is there: the network's title to (H, W, 3) uint8.

    Args:
        folder: that `benchmarks/peers.py` wrote, with a folder for each network.
        name: of the picture, without suffix.

    Raises:
        DataError: a folder's run.json is not from `peers.py`.
        ImageError: a picture is unreadable.
    """
    pictures: dict[str, np.ndarray] = {}
    for run in sorted(folder.glob("*/run.json")):
        try:
            title = str(json.loads(run.read_text("utf-8"))["title"])
        except (OSError, ValueError, KeyError, TypeError):
            raise DataError(f"{run}: not written by benchmarks/peers.py") from None
        if (file := run.with_name(f"{name}.png")).is_file():
            pictures[title] = read_reference(file)
    return pictures
