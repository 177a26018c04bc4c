"""Processes that work together, and fail together."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from ttsr.errors import UserError
from ttsr.system.distributed import Runtime

SCRIPT = """
import sys
import torch
from ttsr.cli.printing import tell
from ttsr.errors import UserError
from ttsr.system.distributed import Runtime

runtime = Runtime("cpu")
tensor = torch.full((2,), float(runtime.rank))
runtime.average([tensor])
means = runtime.means({"rank": torch.tensor(float(runtime.rank))})
if runtime.is_main:
    tell(f"{runtime.gather([runtime.rank])} {tensor.tolist()} {means} {runtime.any_process(False)}")
else:
    runtime.gather([runtime.rank]), runtime.any_process(False)
try:
    with runtime.together():
        if runtime.rank == 1:
            raise UserError("only here")
except UserError as error:
    tell(f"rank {runtime.rank}: {error}")
except SystemExit as leaving:
    assert runtime.rank == 1 and leaving.code == 2
runtime.close()
"""


def test_two_processes_share_figures_and_failures(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run([*command, str(tmp_path / "script.py")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["[0, 1] [0.5, 0.5] {'rank': 0.5} False", "rank 0: only here"]


def test_alone_there_is_nobody_to_ask() -> None:
    runtime = Runtime("cpu")
    tensor = torch.ones(2)
    runtime.average([tensor])
    assert runtime.is_main and tensor.tolist() == [1, 1]
    assert runtime.gather([3]) == [3] and runtime.any_process(True) and not runtime.any_process(False)
    with pytest.raises(UserError, match="mine"), runtime.together():
        raise UserError("mine")
