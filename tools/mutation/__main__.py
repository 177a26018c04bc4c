"""Do the tests notice mistakes? `make mutation`, or `PYTHONPATH=tools python -m mutation [GROUP ...]`.

Makes one small change at a time to modules (see groups.toml), `<` to `<=` or 4 to 5, and runs their tests: a change
that no test fails on has survived. A sample of the changes is tried, the same in every run, and the files stay as they
are. survivors.toml explains those that may survive. Exit codes: 0 if all others were found, 1 if not, 2 if the tests
fail without a change.
"""

import argparse
import json
import os
import sys
import tomllib
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # read when PyTorch is imported; a process with more threads cannot fork

import hypothesis

from mutation.mutants import Mutant, mutants_of, sample
from mutation.trying import Outcome, TestsFail, measure, try_mutant

_HERE = Path(__file__).parent
_PACKAGE = "ttsr"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    groups = tomllib.loads((_HERE / "groups.toml").read_text())
    options = _parser(list(groups)).parse_args(arguments)
    # The same examples for each mutant, and no search for the smallest that fails.
    phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
    hypothesis.settings.register_profile("mutation", phases=phases, derandomize=True, database=None)
    hypothesis.settings.load_profile("mutation")
    explained = _explained()
    again = _survived(options.again) if options.again else None
    unexplained: list[Mutant] = []
    counts: dict[str, Counter[str]] = {}
    for group in options.groups or groups:
        counts[group] = Counter()
        found = {module: mutants_of(module, _path(module)) for module in groups[group]}
        chosen = sample([mutant for mutants in found.values() for mutant in mutants], options.sample, options.seed)
        if again is not None:
            chosen = [mutant for mutant in chosen if _key(mutant) in again]
        counts[group]["of"] = sum(len(mutants) for mutants in found.values())
        for module, tests in groups[group].items():
            mine = [mutant for mutant in chosen if mutant.module == module]
            if not mine:
                continue
            try:
                seconds = measure(tests, _PACKAGE)
            except TestsFail as error:
                print(error, file=sys.stderr)
                return 2
            for mutant in mine:
                outcome = try_mutant(mutant, tests, seconds)
                counts[group][outcome.value] += 1
                if outcome is Outcome.SURVIVED and _key(mutant) in explained:
                    counts[group]["explained"] += 1
                elif outcome is Outcome.SURVIVED:
                    unexplained.append(mutant)
                    print(f"{module}:{mutant.line}\n  - {mutant.before}\n  + {mutant.after}", flush=True)
        print(f"{group}: {dict(counts[group])}", flush=True)
    print(_table(counts))
    if options.survivors:
        text = json.dumps([asdict(mutant) | {"source": ""} for mutant in unexplained], indent=1)
        options.survivors.write_text(text + "\n")
    return 1 if unexplained else 0


def _parser(groups: list[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("mutation", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("groups", nargs="*", help=f"all of {', '.join(groups)} if none is named")
    parser.add_argument("--sample", type=int, default=40, help="mutants of each group (default 40)")
    parser.add_argument("--seed", type=int, default=0, help="another sample")
    parser.add_argument("--survivors", type=Path, help="a file for the unexplained survivors")
    parser.add_argument("--again", type=Path, help="try only the mutants in such a file")
    return parser


def _path(module: str) -> Path:
    return Path("src", *module.split(".")).with_suffix(".py")


def _key(mutant: Mutant) -> tuple[str, str, str]:
    """What a mutant is known by while other lines of the file change."""
    return mutant.module, mutant.before, mutant.after


def _explained() -> set[tuple[str, str, str]]:
    entries = tomllib.loads((_HERE / "survivors.toml").read_text()).get("survivor", [])
    return {(entry["module"], entry["before"], after) for entry in entries for after in entry["after"]}


def _survived(path: Path) -> set[tuple[str, str, str]]:
    return {(entry["module"], entry["before"], entry["after"]) for entry in json.loads(path.read_text())}


def _table(counts: dict[str, Counter[str]]) -> str:
    rows = ["| group | mutants | tried | killed | survived | of these explained |", "|---|---|---|---|---|---|"]
    for group, count in counts.items():
        killed = count[Outcome.KILLED.value] + count[Outcome.OUT_OF_TIME.value]
        survived = count[Outcome.SURVIVED.value]
        rows.append(f"| {group} | {count['of']} | {killed + survived} | {killed} | {survived} | {count['explained']} |")
    return "\n".join(rows)


if __name__ == "__main__":
    sys.exit(main())
