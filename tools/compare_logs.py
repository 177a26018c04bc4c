"""Whether a training run repeats another: `python tools/compare_logs.py OLD/log.jsonl NEW/log.jsonl`.

Compares the figures of the steps that both logs hold and prints the largest relative difference of each, time aside.
Exit codes: 0 if all are within the tolerance, 1 if not, 2 for logs that cannot be compared.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from ttsr.errors import DataError, UserError

# What depends on the machine's load, not on the run.
_OF_TIME = ("step_s", "seconds")


def read_log(path: Path, steps: int) -> dict[int, dict[str, float]]:
    """Figures of a `log.jsonl` by step, up to step `steps`; validations are left out.

    Raises:
        DataError: it cannot be read, or is no log.
    """
    try:
        lines: list[dict[str, float]] = [
            dict(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()
        ]
        return {int(line["step"]): line for line in lines if "rec" in line and line["step"] <= steps}
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, KeyError, TypeError):
        raise DataError(f"{path}: no log that ttsr train wrote") from None


def largest_differences(one: dict[int, dict[str, float]], other: dict[int, dict[str, float]]) -> dict[str, float]:
    """Of each figure the largest relative difference over the steps that both hold.

    Raises:
        DataError: they have no step in common.
    """
    common = sorted(one.keys() & other.keys())
    if not common:
        raise DataError("the logs have no step in common")
    found: dict[str, float] = {}
    for step in common:
        for name in one[step].keys() & other[step].keys() - {"step", *_OF_TIME}:
            a, b = one[step][name], other[step][name]
            found[name] = max(found.get(name, 0.0), abs(a - b) / max(abs(a), abs(b), 1e-12))
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("logs", type=Path, nargs=2)
    parser.add_argument("--steps", type=int, default=200, help="compare up to this step")
    parser.add_argument("--tolerance", type=float, default=1e-3, help="relative")
    options = parser.parse_args(arguments)
    try:
        one, other = (read_log(path, options.steps) for path in options.logs)
        found = largest_differences(one, other)
    except UserError as error:
        print(f"compare_logs: {error}", file=sys.stderr)
        return 2
    print(f"{len(one.keys() & other.keys())} lines up to step {max(one.keys() & other.keys())}")
    for name, difference in sorted(found.items()):
        print(f"{name:24} {difference:.1e}")
    return int(max(found.values()) > options.tolerance)


if __name__ == "__main__":
    sys.exit(main())
