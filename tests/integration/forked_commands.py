"""A process that has imported PyTorch already, and forks for each command of `ttsr` that it is told to run.

A line of JSON on stdin names commands to run at once: the `arguments` and `environment` of each, and files for its
`output` and `errors`. When all have ended, a line on stdout has their exit codes.
"""

import json
import os
import sys
import traceback
from typing import Any

import accelerate  # noqa: F401
import torch
import torch.distributed
import torch.utils.tensorboard

import ttsr.evaluation.scoring
import ttsr.inference.upscaler
import ttsr.training.loop  # noqa: F401
from ttsr.cli import main


def start(command: dict[str, Any]) -> int:
    """The id of the process."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        os.environ.update(command["environment"])
        for stream, path in ((0, os.devnull), (1, command["output"]), (2, command["errors"])):
            os.dup2(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), stream)
        code = main(command["arguments"])
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


torch.set_num_threads(1)
for line in sys.stdin:
    children = [start(command) for command in json.loads(line)]
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    print(json.dumps(codes), flush=True)
