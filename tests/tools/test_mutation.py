"""Mutation testing: which mutants there are, which are drawn, and what becomes of them."""

from pathlib import Path

import pytest
from mutation.mutants import mutants_of, sample
from mutation.trying import Outcome, TestsFail, measure, try_mutant

MODULE = '''
def share(part: int | None, of: int = 8) -> str:
    """1 of 2."""
    if part is None or of < 1:
        raise ValueError(f"{of} is less than {1 + 0}")
    return str(100 * part // of)
'''
TESTS = """
import subprocess
import sys
from toy_module import share

def test_share():
    assert share(2) == "25"
    subprocess.run([sys.executable, "-c", "import toy_module; assert toy_module.share(0, of=1) == '0'"], check=True)
    try:
        share(None)
    except ValueError:
        return
    assert False
"""


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "toy_module.py"
    path.write_text(MODULE)
    (tmp_path / "test_toy.py").write_text(TESTS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    return path


def test_annotations_and_texts_are_left_alone(toy: Path) -> None:
    found = {mutant.after for mutant in mutants_of("toy_module", toy)}
    assert {line for line in found if line.startswith("def")} == {
        "def share(part: int | None, of: int = 9) -> str:",
        "def share(part: int | None, of: int = 7) -> str:",
    }
    assert "return str(100 * part * of)" in found and "if part is not None or of < 1:" in found
    assert not any(line.startswith("raise") for line in found)


def test_other_lines_do_not_change_the_sample(toy: Path) -> None:
    before = sample(mutants_of("toy_module", toy), 4, seed=1)
    toy.write_text("import os\n\n" + MODULE)
    after = sample(mutants_of("toy_module", toy), 4, seed=1)
    assert [(mutant.line + 2, mutant.after) for mutant in before] == [(mutant.line, mutant.after) for mutant in after]
    assert after != sample(mutants_of("toy_module", toy), 4, seed=2)


def test_mutants_are_killed_or_survive_and_the_file_stays(toy: Path) -> None:
    outcomes = {
        "return str(100 * part * of)": Outcome.KILLED,
        "if part is None and of < 1:": Outcome.KILLED,
        "if part is None or of <= 1:": Outcome.KILLED,  # in the process that the test starts
        "if part is None or of < 0:": Outcome.SURVIVED,
    }
    seconds = measure(["test_toy.py"], "toy_module")
    assert seconds > 0
    for mutant in mutants_of("toy_module", toy):
        if mutant.after in outcomes:
            assert try_mutant(mutant, ["test_toy.py"], seconds) is outcomes.pop(mutant.after)
    assert not outcomes and toy.read_text() == MODULE


def test_what_never_ends_is_stopped_and_what_cannot_be_imported_is_told_apart(
    toy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mutant = mutants_of("toy_module", toy)[0]
    monkeypatch.setattr("mutation.trying._SECONDS", 1)
    endless = MODULE.replace("return", "while True: pass\n    return")
    for source, outcome in ((endless, Outcome.OUT_OF_TIME), ("1 / 0", Outcome.DOES_NOT_LOAD)):
        object.__setattr__(mutant, "source", source)
        assert try_mutant(mutant, ["test_toy.py"], 0) is outcome


def test_tests_that_fail_by_themselves_are_named(toy: Path) -> None:
    toy.write_text(MODULE.replace("100", "10"))
    with pytest.raises(TestsFail, match=r"test_toy\.py: do not pass as they are"):
        measure(["test_toy.py"], "toy_module")
