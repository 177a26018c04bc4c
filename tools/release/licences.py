"""Checks the licences of what ttsr depends on, as installed: `make licences`.

The core and each extra may bring in permissively licensed packages, and those that licences.toml names for that part,
with the reason. A package whose metadata state no licence, or one that licences.toml does not list, is refused until
somebody has looked and named it there. An extra that is not installed is reported as not checked.
"""

import argparse
import re
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"
POLICY = Path(__file__).with_name("licences.toml")
CORE = "core"


@dataclass(frozen=True)
class NamedPackage:
    """A package that the policy names: its licence as an SPDX expression, why, and the parts it is allowed in."""

    licence: str
    reason: str
    parts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Policy:
    """What licences.toml allows.

    Attributes:
        permissive: SPDX identifiers that are fine everywhere.
        restricted: SPDX identifiers that are fine for packages that are named, in the parts given there.
        development: extras that only those who work on ttsr install; restricted packages need no name there.
        spelling: SPDX expressions, by what packages write instead.
        packages: named packages by normalized name; a name that ends in `*` stands for all that begin like it.
    """

    permissive: frozenset[str]
    restricted: frozenset[str]
    development: frozenset[str]
    spelling: Mapping[str, str]
    packages: Mapping[str, NamedPackage]

    @staticmethod
    def read(file: Path) -> "Policy":
        """The policy in a TOML file."""
        content = tomllib.loads(file.read_text("utf-8"))
        packages = {
            name: NamedPackage(entry["licence"], entry["reason"], tuple(entry.get("parts", ())))
            for name, entry in content["packages"].items()
        }
        permissive, restricted, development = (
            frozenset[str](content[key]) for key in ("permissive", "restricted", "development")
        )
        return Policy(permissive, restricted, development, content["spelling"], packages)

    def named(self, package: str) -> NamedPackage | None:
        """The entry of a package, by its normalized name."""
        beginnings = (key for key in self.packages if key.endswith("*") and package.startswith(key[:-1]))
        return self.packages.get(package) or next((self.packages[key] for key in beginnings), None)

    def problem(self, part: str, package: str, stated: str | None) -> str | None:
        """What forbids a package in a part (the core or an extra), if anything does.

        Args:
            part: "core" or an extra's name.
            package: normalized name.
            stated: its licence by its metadata, an SPDX expression, or None if they state none that is known.
        """
        named = self.named(package)
        licence = named.licence if named else stated
        if licence is None:
            return "no known licence in its metadata: look it up and name the package in licences.toml"
        restricted = licences_in(licence) - self.permissive
        if unknown := restricted - self.restricted:
            return f"{', '.join(sorted(unknown))} is not among the licences that licences.toml allows"
        if not restricted or part in self.development or (named and part in named.parts):
            return None
        where = "the core" if part == CORE else f"the extra {part}"
        return (
            f"{', '.join(sorted(restricted))} is not allowed in {where} unless licences.toml names the package for it"
        )


@dataclass
class Report:
    """Licences by part and package (what the core brings stands there only), problems, missing packages by part."""

    licences: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    problems: list[str] = field(default_factory=list[str])
    missing: dict[str, str] = field(default_factory=dict[str, str])


def licences_in(expression: str) -> set[str]:
    """All licences in an SPDX expression, also those joined by OR, of which none is chosen here."""
    return {term.strip() for term in re.split(r"\bAND\b|\bOR\b|[()]", expression)} - {""}


def stated_licence(package: Distribution, spelling: Mapping[str, str]) -> str | None:
    """The licence in a package's metadata, an SPDX expression, or None if they state none that is known.

    The most exact field decides that is there: `License-Expression`, classifiers, or `License`.
    """
    expressions, classifiers, texts = (
        package.metadata.get_all(name) or [] for name in ("License-Expression", "Classifier", "License")
    )
    labels = [label.split(" :: ")[-1] for label in classifiers if label.startswith("License ")]
    known = [spelling.get(text.strip(), "") for text in labels or texts]
    return " AND ".join(expressions or (known if all(known) else [])) or None


def installed(requirements: Sequence[str], project: Mapping[str, Any]) -> dict[str, Distribution]:
    """What requirements bring in on this system, directly or not, by normalized name.

    Args:
        requirements: as in pyproject.toml; they may name extras of the project itself.
        project: the table `project` of pyproject.toml.

    Raises:
        PackageNotFoundError: one of the packages is not installed.
    """
    own_name = str(project["name"])
    found: dict[str, Distribution] = {}
    waiting, seen = [Requirement(text) for text in requirements], set[tuple[str, str]]()
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        for extra in {"", *requirement.extras}:
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            if name == own_name:
                texts = project["optional-dependencies"][extra] if extra else project["dependencies"]
            else:
                found[name] = distribution(name)
                texts = found[name].requires or []
            brought = map(Requirement, texts)
            waiting += [each for each in brought if each.marker is None or each.marker.evaluate({"extra": extra})]
    return found


def check(project: Mapping[str, Any], policy: Policy) -> Report:
    """Checks what is installed of a project's dependencies, for its core and each of its extras.

    Args:
        project: the table `project` of pyproject.toml.
        policy: what is allowed.
    """
    report, core = Report(), installed(project["dependencies"], project)
    for part in (CORE, *project["optional-dependencies"]):
        try:
            packages = core if part == CORE else installed(project["optional-dependencies"][part], project)
        except PackageNotFoundError as error:
            report.missing[part] = str(error.name)
            continue
        report.licences[part] = {}
        for name in sorted(packages if part == CORE else {*packages} - {*core}):
            stated, named = stated_licence(packages[name], policy.spelling), policy.named(name)
            report.licences[part][name] = (named.licence if named else stated) or "unknown"
            if problem := policy.problem(part, name, stated):
                report.problems.append(f"{name} {packages[name].version}: {problem}")
    return report


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the licences of each part, and returns 1 if one is not allowed or a part that must be checked was not."""
    parser = argparse.ArgumentParser(prog="licences", description=__doc__)
    parser.add_argument("--complete", action="store_true", help="fail also if an extra is not installed")
    options = parser.parse_args(arguments)
    policy = Policy.read(POLICY)
    report = check(tomllib.loads(PYPROJECT.read_text("utf-8"))["project"], policy)
    for part, licences in report.licences.items():
        restricted = [f"{name} ({text})" for name, text in licences.items() if licences_in(text) - policy.permissive]
        rest = f", all permissive but {'; '.join(restricted)}" if restricted else ", all permissive"
        print(f"{part:8} {len(licences):3} packages{'' if part == CORE else ' beyond the core'}{rest}")
    for part, package in report.missing.items():
        print(f"{part:8} NOT CHECKED: {package} is not installed")
    for problem in dict.fromkeys(report.problems):
        print(f"error: {problem}", file=sys.stderr)
    return 1 if report.problems or (options.complete and report.missing) else 0


if __name__ == "__main__":
    sys.exit(main())
