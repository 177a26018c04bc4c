"""`make licences`: what is refused, on packages made here."""

import tomllib
from pathlib import Path

import pytest
from release.licences import POLICY, Policy, check

PERMISSIVE = "License-Expression: MIT"
LGPL = "Classifier: License :: OSI Approved :: GNU Library or Lesser General Public License (LGPL)"


def install(folder: Path, name: str, *lines: str) -> None:
    """The metadata of a package."""
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(
        "\n".join(["Metadata-Version: 2.4", f"Name: {name}", "Version: 1.0", *lines]) + "\n\n"
    )


@pytest.fixture(scope="module")
def policy() -> Policy:
    return Policy.read(POLICY)


@pytest.mark.parametrize(
    ("lines", "part", "problem"),
    [
        ([PERMISSIVE], "core", ""),
        (["License-Expression: (MIT OR Apache-2.0) AND PSF-2.0"], "core", ""),
        (["License: BSD"], "core", ""),
        (["Classifier: License :: OSI Approved :: MIT License", "License: the whole text"], "core", ""),
        ([], "core", "no known licence"),
        (["License: Fair Use Only"], "core", "no known licence"),
        (["Classifier: License :: Free for non-commercial use", "License: MIT"], "core", "no known licence"),
        (["License-Expression: MIT AND GPL-2.0-or-later"], "core", "GPL-2.0-or-later is not allowed in the core"),
        (["License-Expression: MIT OR GPL-2.0-or-later"], "film", "not allowed in the extra film"),
        ([LGPL], "film", "LGPL-2.1-or-later is not allowed in the extra film"),
        ([LGPL], "test", ""),
        (["License-Expression: AGPL-3.0-only"], "test", "AGPL-3.0-only is not among the licences"),
        (["License-Expression: CC-BY-NC-4.0"], "test", "CC-BY-NC-4.0 is not among the licences"),
    ],
)
def test_a_licence_is_allowed_or_refused_by_name(
    lines: list[str], part: str, problem: str, policy: Policy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a package that a dependency of the part brings."""
    install(tmp_path, "brought-in-test", *lines)
    install(tmp_path, "direct-in-test", PERMISSIVE, "Requires-Dist: brought-in-test; extra == 'more'")
    monkeypatch.syspath_prepend(str(tmp_path))
    direct = ["direct-in-test[more]"]
    project = {"name": "ours", "dependencies": [], "optional-dependencies": {} if part == "core" else {part: direct}}
    problems = check(project | ({"dependencies": direct} if part == "core" else {}), policy).problems
    assert [text.startswith("brought-in-test 1.0: ") and problem in text for text in problems] == [True] * bool(problem)


def test_named_packages_are_allowed_where_they_are_named(
    policy: Policy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, "nvidia-in-test", "License: NVIDIA's own")
    install(tmp_path, "tqdm", "License-Expression: MPL-2.0")
    monkeypatch.syspath_prepend(str(tmp_path))
    extras = {"hub": ["tqdm"], "web": ["tqdm"], "all": ["ours[hub]"], "gone": ["absent-in-test"]}
    report = check({"name": "ours", "dependencies": ["nvidia-in-test"], "optional-dependencies": extras}, policy)
    assert [text.split(" unless")[0] for text in report.problems] == [
        "tqdm 1.0: MPL-2.0 is not allowed in the extra web",
        "tqdm 1.0: MPL-2.0 is not allowed in the extra all",
    ]
    assert report.missing == {"gone": "absent-in-test"}
    assert report.licences["all"] == {"tqdm": "MPL-2.0 AND MIT"}


def test_the_policy_names_parts_that_there_are(policy: Policy) -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    parts = {"core", *project["optional-dependencies"]}
    assert {part for named in policy.packages.values() for part in named.parts} <= parts - policy.development
    assert policy.development < parts
    assert not policy.permissive & policy.restricted
