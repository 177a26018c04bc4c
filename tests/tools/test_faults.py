"""A few of the runs of `make interrupts` and `make full-disk`."""

import os
import subprocess
import sys
from pathlib import Path

TOOLS = Path(__file__).parents[2] / "tools"
PROGRAM = """
import sys
from faults import full_disk, interrupts
from faults.running import prepared, run_main

def main():
    with prepared() as workspace:
        stopped = interrupts.interrupt_all(workspace, ["upscale"], runs=6, started=0)
        return stopped + full_disk.fill_all(workspace, ["upscale"], sizes=3)

if __name__ == "__main__":
    run_main(main)
"""


def test_commands_leave_nothing_behind(tmp_path: Path) -> None:
    program = tmp_path / "some_faults.py"
    program.write_text(PROGRAM)
    paths = os.pathsep.join([str(TOOLS), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run([sys.executable, program], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    assert "upscale: 6 runs" in done.stdout and "on a full disk" in done.stdout
