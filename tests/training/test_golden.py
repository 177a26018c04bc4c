"""Twenty steps of `debug` give the committed losses: a change that is no change of computation keeps them.

After a change that is one, `pytest tests/training/test_golden.py --write-golden` writes them anew.
"""

import json
import re
from pathlib import Path

import pytest

from ttsr.training.loop import train

GOLDEN = Path(__file__).parents[1] / "golden" / "losses"
LEFT_OUT = re.compile("gradient|^loss$|^weighted_|lr$")
"""Norms, and what follows from the losses and the recipe."""


@pytest.mark.parametrize("kind", ["rec", "gan", "gan-paper"])
def test_losses_are_the_golden_ones(photos, debug, losses, tmp_path, request, kind):
    train(debug(kind), photos, tmp_path, num_workers=0)
    ours = [{k: round(v, 6) for k, v in line.items() if not LEFT_OUT.search(k)} for line in losses(tmp_path)]
    file = GOLDEN / f"{kind}.jsonl"
    if request.config.getoption("--write-golden"):
        file.write_text("".join(json.dumps(line) + "\n" for line in ours))
    golden = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line.keys() for line in ours] == [line.keys() for line in golden]
    for line, expected in zip(ours, golden, strict=True):
        # Another processor rounds otherwise. Where the penalised discriminator's gradient vanishes, which is in most of
        # its weights at first, rounding decides the direction of Adam's step.
        assert line == pytest.approx(expected, rel=1e-3, abs=2e-4)
