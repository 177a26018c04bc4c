"""The service against its description, by schemathesis: `python benchmarks/check_description.py [--seconds 300]`.

A service is started with a tiny network and a token. All checks of schemathesis run: that everything which the
description allows is accepted and all else refused, that answers are as described, that the token is needed where it
says so. The exit code is that of schemathesis: not 0 where it finds anything.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from service_attack import save_tiny_network, service

_TOKEN = "a-token-for-schemathesis"


def main() -> int:
    """Start a service, and let schemathesis test it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=300, help="how long to try")
    parser.add_argument("--seed", type=int, help="repeat a run")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # More references and jobs than it makes up.
        limits = ["--max-refs", "100", "--jobs-per-client", "16", "--keep", "60"]
        with service(folder, save_tiny_network(folder), *limits, TTSR_TOKEN=_TOKEN) as (port, _):
            command = ["schemathesis", "run", f"http://127.0.0.1:{port}/openapi.json", "--checks", "all"]
            command += ["--header", f"Authorization: Bearer {_TOKEN}", "--max-time", str(options.seconds)]
            # Slow answers are a matter of the machine: `service_load.py` and `service_attack.py` measure them.
            command += ["--max-response-time", "120", "--request-timeout", "120"]
            command += ["--continue-on-failure", "--report-dir", str(folder / "report")]
            command += [] if options.seed is None else ["--seed", str(options.seed)]
            hooks = {"SCHEMATHESIS_HOOKS": "description_hooks", "PYTHONPATH": str(Path(__file__).parent)}
            program = Path(sys.executable).with_name(command[0])
            ended = subprocess.run([program, *command[1:]], env={**os.environ, **hooks}, cwd=folder, check=False)
        log = (folder / "log").read_text()
        print(f"lines of the service's log: {len(log.splitlines())}, of tracebacks: {log.count('Traceback')}")
        if "Traceback" in log:
            print(log)
    return ended.returncode or "Traceback" in log


if __name__ == "__main__":
    sys.exit(main())
