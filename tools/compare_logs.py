"""Compare the logs of two training runs: `python tools/compare_logs.py LOG.jsonl OTHER.jsonl`.

Prints for each metric the largest relative difference over the steps that both logs have; durations are not compared.
Exit codes: 0 if all are within the tolerance, 1 if not, 2 for logs that cannot be compared.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from ttsr.errors import DataError, UserError

# These depend on the machine's load.
_DURATIONS = ("step_s", "seconds")


def read_log(path: Path, max_step: int) -> dict[int, dict[str, float]]:
    """Read the metrics of a `log.jsonl` by step, without validations.

    Args:
        path: of the log.
        max_step: later steps are left out.

    Raises:
        DataError: it is unreadable or not a log.
    """
    try:
        lines: list[dict[str, float]] = [
            dict(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()
        ]
        return {int(line["step"]): line for line in lines if "rec" in line and line["step"] <= max_step}
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, KeyError, TypeError):
        raise DataError(f"{path}: not a log of ttsr train") from None


def largest_differences(first: dict[int, dict[str, float]], second: dict[int, dict[str, float]]) -> dict[str, float]:
    """Find the largest relative difference of each metric, over the steps of both logs.

    Raises:
        DataError: they have no step in common.
    """
    common = sorted(first.keys() & second.keys())
    if not common:
        raise DataError("the logs have no step in common")
    largest: dict[str, float] = {}
    for step in common:
        for name in first[step].keys() & second[step].keys() - {"step", *_DURATIONS}:
            a, b = first[step][name], second[step][name]
            largest[name] = max(largest.get(name, 0.0), abs(a - b) / max(abs(a), abs(b), 1e-12))
    return largest


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("logs", type=Path, nargs=2)
    parser.add_argument("--steps", type=int, default=200, help="compare up to this step (%(default)s)")
    parser.add_argument("--tolerance", type=float, default=1e-3, help="relative (%(default)s)")
    options = parser.parse_args(arguments)
    try:
        first, second = (read_log(path, options.steps) for path in options.logs)
        largest = largest_differences(first, second)
    except UserError as error:
        print(f"compare_logs: {error}", file=sys.stderr)
        return 2
    common = first.keys() & second.keys()
    print(f"{len(common)} lines up to step {max(common)}")
    for name, difference in sorted(largest.items()):
        print(f"{name:24} {difference:.1e}")
    return int(max(largest.values()) > options.tolerance)


if __name__ == "__main__":
    sys.exit(main())
